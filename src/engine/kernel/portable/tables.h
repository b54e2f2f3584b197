/* tables.h - the tables that are compiled in, best first. */
#ifndef ANNEAL_ENGINE_KERNEL_PORTABLE_TABLES_H
#define ANNEAL_ENGINE_KERNEL_PORTABLE_TABLES_H

#include "engine/kernel/kernel.h"

extern const struct kernels kernels_base;
#if defined __x86_64__
extern const struct kernels kernels_avx512, kernels_avx2;
#endif

#endif
