/* rank.c - see rank.h. */
#include "engine/model/rank.h"
#include "base/err.h"
#include <math.h>

void softmax(const float *logits, int32_t n, double *ret)
{
    double max = logits[0], sum = 0;

    for (int32_t i = 1; i < n; i++)
        max = logits[i] > max ? logits[i] : max;
    for (int32_t i = 0; i < n; i++)
        sum += ret[i] = exp(logits[i] - max);
    for (int32_t i = 0; i < n; i++)
        ret[i] /= sum;
}

void top_k(const double *p, int32_t n, int32_t k, int32_t *ret)
{
    int32_t have = 0;

    ASSERT(k > 0);
    for (int32_t i = 0; i < n; i++) { /* insertion into a short sorted list */
        int32_t at = have;
        while (at > 0 && p[i] > p[ret[at - 1]])
            at--;
        if (at >= k)
            continue;
        have += have < k;
        for (int32_t j = have - 1; j > at; j--)
            ret[j] = ret[j - 1];
        ret[at] = i;
    }
    while (have < k)
        ret[have++] = -1;
}
