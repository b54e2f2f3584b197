/* table.h - the portable kernels as one table.  Included once by each kernels_ISA.c, which the
 * Makefile compiles for its instruction set; every function is static to that file. */
#ifndef ANNEAL_ENGINE_KERNEL_PORTABLE_TABLE_H
#define ANNEAL_ENGINE_KERNEL_PORTABLE_TABLE_H

#include "engine/kernel/portable/conv.h"
#include "engine/kernel/portable/depthwise3.h"
#include "engine/kernel/portable/misc.h"
#include "engine/kernel/portable/pool.h"
#include "engine/kernel/portable/wino_cols.h"

#define KERNELS(isa_name)                                                                          \
    {                                                                                              \
        .isa = isa_name, .conv_scratch = conv_scratch, .conv_forward = conv_forward,               \
        .conv_rows = conv_rows, .conv_forward_rows = conv_forward_rows,                            \
        .conv_swap_weights = conv_swap_weights, .conv_backward_data = conv_backward_data,          \
        .conv_backward_weights = conv_backward_weights, .depthwise_forward = depthwise_forward,    \
        .depthwise_backward_data = depthwise_backward_data,                                        \
        .depthwise_backward_weights = depthwise_backward_weights, .wino_weights = wino_weights,    \
        .wino_scratch = wino_scratch, .wino_forward = wino_forward,                                \
        .wino_grad_tiles = wino_grad_tiles, .wino_grad_multiply = wino_grad_multiply,              \
        .wino_cols_room = wino_cols_room, .wino_cols_weights = wino_cols_weights,                  \
        .wino_cols_tiles = wino_cols_tiles, .wino_cols_forward = wino_cols_forward,                \
        .wino_grad_weights = wino_grad_weights, .bn_sums = bn_sums, .bn_apply = bn_apply,          \
        .bn_grad_sums = bn_grad_sums, .bn_grad_apply = bn_grad_apply, .image_pack = image_pack,    \
        .max_pool = max_pool, .max_pool_grad = max_pool_grad, .upsample = upsample,                \
        .upsample_grad = upsample_grad, .gate = gate, .gate_grad = gate_grad, .average = average,  \
        .average_grad = average_grad, .dot = dot, .add_scaled = add_scaled, .blend = blend,        \
        .round_half = round_half, .sum_into = sum_into, .square_sum = square_sum, .sgd = sgd,      \
        .adamw = adamw, .exp_of = exp_of, .frame_clear = frame_clear, .frame_apply = frame_apply,  \
        .frame_grad = frame_grad, .depthwise3_forward = depthwise3_forward,                        \
        .depthwise3_data = depthwise3_data, .depthwise3_weights = depthwise3_weights,              \
    }

#endif
