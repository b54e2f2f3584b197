/* kernels_base.c - the portable kernels compiled for the "base" instruction set. */
#include "engine/kernel/portable/table.h"
#include "engine/kernel/portable/tables.h"

const struct kernels kernels_base = KERNELS("base");
