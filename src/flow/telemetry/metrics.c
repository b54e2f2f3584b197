/* metrics.c - see metrics.h.  One lock and one map: a sample costs a hash look-up, and there are
 * hundreds a second at most. */
#include "flow/telemetry/metrics.h"

#include "base/map.h"
#include "base/mem.h"

#include <pthread.h>
#include <string.h>

static const struct {
    enum metric_kind kind;
    const char *name, *help;
} families[] = {
#define X(id, kind, name, help) {METRIC_##kind, name, help},
    METRIC_TABLE(X)
#undef X
};

/* Upper bounds in seconds: from a cached reply to a night of training. */
static const double bounds[] = {0.001, 0.005, 0.025, 0.1, 0.5,  1,    2.5,
                                5,     30,    120,   600, 3600, 14400};
enum { BOUNDS = sizeof bounds / sizeof *bounds };

struct series {
    double value; /* counter, gauge; a histogram's sum */
    uint64_t count;
    uint64_t bucket[BOUNDS];
};
struct metrics {
    pthread_mutex_t lock;
    struct map series[METRIC_COUNT]; /* labels -> struct series */
};

enum rc metrics_new(struct metrics **ret, struct err *e)
{
    struct metrics *m = mem_zalloc(sizeof *m);

    if (!m)
        return err_set(e, RC_NOMEM, "out of memory while making the metrics");
    pthread_mutex_init(&m->lock, NULL);
    for (int i = 0; i < METRIC_COUNT; i++)
        map_init(&m->series[i]);
    *ret = m;
    return RC_OK;
}

void metrics_free(struct metrics *m)
{
    str key;
    void *value;

    if (!m)
        return;
    for (int i = 0; i < METRIC_COUNT; i++) {
        for (size_t k = 0; map_next(&m->series[i], &k, &key, &value);)
            mem_free(value);
        map_done(&m->series[i]);
    }
    pthread_mutex_destroy(&m->lock);
    mem_free(m);
}

/* The caller holds the lock. */
static struct series *series_of(struct metrics *m, enum metric_id id, const char *labels)
{
    struct map *map = &m->series[id];
    struct series *s = map_get(map, str_of(labels));

    if (s)
        return s;
    if (map_count(map) >= METRICS_SERIES_MAX) {
        labels = "series=\"overflow\"";
        s = map_get(map, str_of(labels));
        if (s)
            return s;
    }
    s = mem_zalloc(sizeof *s);
    if (s && map_put(map, str_of(labels), s, NULL) != RC_OK) {
        mem_free(s);
        s = NULL;
    }
    return s;
}

void metrics_add(struct metrics *m, enum metric_id id, const char *labels, double by)
{
    struct series *s;

    pthread_mutex_lock(&m->lock);
    s = series_of(m, id, labels);
    if (s)
        s->value += by;
    pthread_mutex_unlock(&m->lock);
}

void metrics_set(struct metrics *m, enum metric_id id, const char *labels, double value)
{
    struct series *s;

    pthread_mutex_lock(&m->lock);
    s = series_of(m, id, labels);
    if (s)
        s->value = value;
    pthread_mutex_unlock(&m->lock);
}

void metrics_observe(struct metrics *m, enum metric_id id, const char *labels, double seconds)
{
    struct series *s;

    pthread_mutex_lock(&m->lock);
    s = series_of(m, id, labels);
    if (s) {
        s->value += seconds;
        s->count++;
        for (int i = 0; i < BOUNDS; i++)
            s->bucket[i] += seconds <= bounds[i];
    }
    pthread_mutex_unlock(&m->lock);
}

double metrics_value(struct metrics *m, enum metric_id id, const char *labels)
{
    struct series *s;
    double v;

    pthread_mutex_lock(&m->lock);
    s = map_get(&m->series[id], str_of(labels));
    v = s ? s->value : 0;
    pthread_mutex_unlock(&m->lock);
    return v;
}

static void write_series(const char *name, const char *labels, const struct series *s,
                         enum metric_kind kind, struct buf *out)
{
    const char *sep = labels[0] ? "," : "", *open = labels[0] ? "{" : "",
               *close = labels[0] ? "}" : "";

    if (kind != METRIC_HISTOGRAM) {
        buf_printf(out, "%s%s%s%s %.17g\n", name, open, labels, close, s->value);
        return;
    }
    for (int i = 0; i < BOUNDS; i++)
        buf_printf(out, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, labels, sep, bounds[i],
                   (unsigned long long)s->bucket[i]);
    buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, sep,
               (unsigned long long)s->count);
    buf_printf(out, "%s_sum%s%s%s %.17g\n", name, open, labels, close, s->value);
    buf_printf(out, "%s_count%s%s%s %llu\n", name, open, labels, close,
               (unsigned long long)s->count);
}

void metrics_write(struct metrics *m, struct buf *out)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    static const struct series zero;
    str key;
    void *value;

    pthread_mutex_lock(&m->lock);
    for (int i = 0; i < METRIC_COUNT; i++) {
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", families[i].name, families[i].help,
                   families[i].name, kinds[families[i].kind]);
        if (!map_count(&m->series[i]) && families[i].kind == METRIC_GAUGE)
            write_series(families[i].name, "", &zero, METRIC_GAUGE, out);
        for (size_t k = 0; map_next(&m->series[i], &k, &key, &value);)
            write_series(families[i].name, key.p, value, families[i].kind, out);
    }
    pthread_mutex_unlock(&m->lock);
}
