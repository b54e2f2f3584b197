/* param.c - a graph's parameters: their list, and the way between plain tensor and arena. */
#include "engine/graph/graph_int.h"
#include <stdio.h>

static size_t param_room(const struct graph_param *p)
{
    const size_t o = (size_t)p->shape[0], taps = (size_t)(p->shape[2] * p->shape[3]);

    switch (p->form) {
    case FORM_VECTOR:
        return (size_t)ch_pad((int)o);
    case FORM_CONV:
        return (size_t)ch_pad((int)o) * (size_t)ch_pad((int)p->shape[1]) * taps;
    case FORM_STEM:
        return (size_t)ch_pad((int)o) * CH_IMAGE * taps;
    case FORM_DEPTHWISE:
        return (size_t)ch_pad((int)o) * taps;
    case FORM_LINEAR:
        return o * (size_t)ch_pad((int)p->shape[1]);
    }
    return 0;
}

/* Where element (o, i, tap) of the plain tensor lies; the layouts of kernel.h. */
static size_t param_place(const struct graph_param *p, size_t o, size_t i, size_t tap)
{
    const size_t taps = (size_t)(p->shape[2] * p->shape[3]);
    const size_t in = (size_t)ch_pad((int)p->shape[1]);

    switch (p->form) {
    case FORM_VECTOR:
        return o;
    case FORM_CONV:
        return ((o / CH * (in / CH) + i / CH) * taps + tap) * CH * CH + i % CH * CH + o % CH;
    case FORM_STEM:
        return ((o / CH * taps + tap) * CH_IMAGE + i) * CH + o % CH;
    case FORM_DEPTHWISE:
        return (o / CH * taps + tap) * CH + o % CH;
    case FORM_LINEAR:
        return o * in + i;
    }
    return 0;
}

int param_add(struct graph *g, const char *owner, const char *last, enum param_form form,
              enum param_role role, int dims, const int64_t shape[4], int64_t fan_in)
{
    if (g->param_count == GRAPH_PARAMS_MAX) {
        g->rc = err_set(&g->err, RC_LIMIT, "a network has at most %d tensors", GRAPH_PARAMS_MAX);
        return 0;
    }
    struct graph_param *p = &g->params[g->param_count];
    *p = (struct graph_param){
        .form = form, .role = role, .dims = dims, .fan_in = fan_in, .count = 1};
    const int length = snprintf(p->name, sizeof p->name, "%s.%s", owner, last);
    ASSERT(length > 0 && (size_t)length < sizeof p->name);
    for (int d = 0; d < 4; d++) {
        p->shape[d] = d < dims ? shape[d] : 1;
        p->count *= (size_t)p->shape[d];
    }
    p->room = param_room(p);
    size_t *arena = param_trained(p) ? &g->value_floats : &g->stat_floats;
    p->at = *arena;
    *arena += (p->room + CH - 1) / CH * CH;
    return (int)g->param_count++;
}

size_t graph_param_count(const struct graph *g)
{
    return g->param_count;
}

const struct graph_param *graph_param_at(const struct graph *g, size_t i)
{
    ASSERT(i < g->param_count);
    return &g->params[i];
}

static float *param_arena(const struct graph *g, const struct graph_param *p, const float *arena)
{
    const bool average = arena && arena == g->average;
    const float *stats = average ? g->average_stats : g->stats;
    const float *all = !param_trained(p) ? stats : arena ? arena : g->values;

    return (float *)(uintptr_t)all + p->at; /* one of the graph's own arenas, all writable */
}

/* Calls for `n` elements of the plain tensor from element `from` on: reads them into `out` if there
 * is one, else writes them from `in`. */
static void param_copy(const struct graph_param *p, float *laid_out, size_t from, size_t n,
                       const float *in, float *out)
{
    const size_t taps = (size_t)(p->shape[2] * p->shape[3]), inputs = (size_t)p->shape[1];
    size_t o = from / taps / inputs, i = from / taps % inputs, t = from % taps;

    for (size_t at = 0; at < n; at++) {
        float *there = laid_out + param_place(p, o, i, t);
        if (out)
            out[at] = *there;
        else
            *there = in[at];
        if (++t < taps)
            continue;
        t = 0;
        if (++i < inputs)
            continue;
        i = 0;
        o++;
    }
}

void graph_param_read(const struct graph *g, const struct graph_param *p, const float *arena,
                      float *ret)
{
    param_copy(p, param_arena(g, p, arena), 0, p->count, NULL, ret);
}

void graph_param_write(struct graph *g, const struct graph_param *p, float *arena, size_t from,
                       size_t n, const float *v)
{
    ASSERT(from + n <= p->count);
    param_copy(p, param_arena(g, p, arena), from, n, v, NULL);
    __atomic_store_n(&g->fold_stale, true, __ATOMIC_RELAXED);
}
