/* kernels_avx2.c - the portable kernels compiled for the "avx2" instruction set. */
#include "engine/kernel/portable/table.h"
#include "engine/kernel/portable/tables.h"

const struct kernels kernels_avx2 = KERNELS("avx2");
