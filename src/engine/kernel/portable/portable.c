/* portable.c - picks the kernels that the machine can run. */
#include "engine/kernel/portable/tables.h"
#include <string.h>

const struct kernels *kernels_get(const char *isa)
{
#if defined __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        (!isa || strcmp(isa, kernels_avx512.isa) == 0))
        return &kernels_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        (!isa || strcmp(isa, kernels_avx2.isa) == 0))
        return &kernels_avx2;
#endif
    return !isa || strcmp(isa, kernels_base.isa) == 0 ? &kernels_base : NULL;
}
