/* rank.h - from logits to probabilities and the most likely classes. */
#ifndef ANNEAL_ENGINE_MODEL_RANK_H
#define ANNEAL_ENGINE_MODEL_RANK_H

#include <stdint.h>

/* Softmax in double, with the largest logit taken off first. */
void softmax(const float *logits, int32_t n, double *ret);
/* Indices of the k largest of p, largest first, the smaller index first among equals; -1 beyond n.
 */
void top_k(const double *p, int32_t n, int32_t k, int32_t *ret);

#endif
