/* kernels_avx512.c - the portable kernels compiled for the "avx512" instruction set. */
#include "engine/kernel/portable/table.h"
#include "engine/kernel/portable/tables.h"

const struct kernels kernels_avx512 = KERNELS("avx512");
