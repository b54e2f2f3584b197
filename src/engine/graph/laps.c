/* laps.c - where a step's time goes, node by node (graph.h).
 *
 * The least of many calls is kept: on a shared machine everything else is noise upwards.
 */
#include "base/mem.h"
#include "engine/graph/graph_int.h"
#include "os/os.h"

enum rc graph_time(struct graph *g, struct err *e)
{
    if (!g->laps)
        g->laps = mem_zalloc(sizeof *g->laps);
    if (!g->laps)
        return err_set(e, RC_NOMEM, "out of memory for timing a network");
    return RC_OK;
}

static int64_t lap_clock(const struct graph *g)
{
    return g->config.threads == 1 ? os_cpu_ns() : os_mono_ns();
}

void lap_start(struct graph *g)
{
    if (g->laps)
        g->laps->started = lap_clock(g);
}

void lap(struct run *r, enum lap what)
{
    struct laps *l = r->g->laps;

    if (!l)
        return;
    const int64_t now = lap_clock(r->g), took = now - l->started;
    int64_t *least = &l->least[r->n - r->g->nodes][what];
    if (*least == 0 || took < *least)
        *least = took;
    l->started = now;
}

/* Rate of a convolution's pass in GFLOP/s, nominal: as if computed directly. */
static double rate(const struct graph *g, const struct node *n, int64_t ns)
{
    const double flops = 2.0 * (double)g->params[n->conv.weight].count * n->h * n->w;

    return ns ? flops * g->config.batch_max / (double)ns : 0;
}

void graph_time_describe(const struct graph *g, struct buf *out)
{
    double sums[LAPS] = {0}, all = 0;

    buf_printf(out, "%4s %-34s %9s %9s %9s %9s %9s   %s\n", "node", "name", "forward", "norm",
               "norm bwd", "weights", "data", "GFLOP/s forward, weights, data");
    for (int i = 0; g->laps && i < g->node_count; i++) {
        const struct node *n = &g->nodes[i];
        const int64_t *least = g->laps->least[i];
        buf_printf(out, "%4d %-34s", i, n->kind == NODE_CONV ? g->params[n->conv.weight].name : "");
        for (int t = 0; t < LAPS; t++) {
            buf_printf(out, " %9.3f", (double)least[t] * 1e-6);
            sums[t] += (double)least[t] * 1e-6;
        }
        if (n->kind == NODE_CONV)
            buf_printf(out, "   %.0f, %.0f, %.0f", rate(g, n, least[LAP_FORWARD]),
                       rate(g, n, least[LAP_WEIGHTS]), rate(g, n, least[LAP_DATA]));
        buf_putc(out, '\n');
    }
    buf_printf(out, "%39s", "all");
    for (int t = 0; t < LAPS; t++) {
        buf_printf(out, " %9.3f", sums[t]);
        all += sums[t];
    }
    buf_printf(out, "   %.1f ms of %d images\n", all, g->config.batch_max);
}
