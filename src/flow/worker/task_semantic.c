/* task_semantic.c - a class for each pixel: how such a network's answers are scored.
 *
 * Pixels are counted on the network's input, beside-the-picture left out (measure/semantic.h). */
#include "flow/worker/task.h"

#include "base/mem.h"
#include "engine/measure/semantic.h"
#include "flow/worker/truths.h"
#include <math.h>

enum { CLASSES_MAX = 256 };

struct row {
    uint32_t pixels, right;
    float miou; /* over the classes that the picture shows or is said to show; NaN: no pixel */
};
struct judge {
    struct run *r;
    struct semantic *of;
    struct row *rows; /* by sample */
    uint8_t *labels;  /* [batch][size][size] */
    struct semantic_summary sum;
};

static void train_metrics(const struct tally *t, struct jw *w)
{
    (void)t;
    (void)w;
}

static void judge_free(struct judge *j)
{
    if (!j)
        return;
    semantic_free(j->of);
    mem_free(j->rows);
    mem_free(j->labels);
    mem_free(j);
}

static enum rc judge_new(struct judge **ret, struct run *r, const struct sample_ref *samples,
                         size_t n, struct err *e)
{
    struct judge *j = mem_zalloc(sizeof *j);
    size_t size = (size_t)r->model->frame.size;
    struct net_info info;
    enum rc rc = RC_OK;

    (void)samples;
    if (!j)
        return err_set(e, RC_NOMEM, "no memory for the scores");
    net_get_info(r->model->net, &info);
    j->r = r;
    j->rows = mem_alloc_array(n ? n : 1, sizeof *j->rows);
    j->labels = mem_alloc_array((size_t)info.batch_max, size * size);
    if (!j->rows || !j->labels)
        rc = err_set(e, RC_NOMEM, "no memory for the results of %zu pictures", n);
    if (!rc)
        rc = semantic_new(&j->of, (uint32_t)r->model->classes_n, e);
    if (rc)
        judge_free(j);
    else
        *ret = j;
    return rc;
}

static struct row row_of(const uint8_t *truth, const uint8_t *said, size_t n)
{
    uint32_t both[CLASSES_MAX] = {0}, is[CLASSES_MAX] = {0}, was_said[CLASSES_MAX] = {0};
    struct row row = {.miou = NAN};
    double sum = 0, classes = 0;

    for (size_t i = 0; i < n; i++) {
        if (truth[i] == NET_LABEL_IGNORE)
            continue;
        row.pixels++;
        row.right += truth[i] == said[i];
        both[truth[i]] += truth[i] == said[i];
        is[truth[i]]++;
        was_said[said[i]]++;
    }
    for (int c = 0; c < CLASSES_MAX; c++)
        if (is[c] + was_said[c]) {
            sum += (double)both[c] / (double)(is[c] + was_said[c] - both[c]);
            classes++;
        }
    if (classes > 0)
        row.miou = (float)(sum / classes);
    return row;
}

static enum rc judge_batch(struct judge *j, const struct batch *b, struct err *e)
{
    size_t pixels = (size_t)b->size * (size_t)b->size;
    enum rc rc = net_label(j->r->model->net, b->x, b->n, j->labels, e);

    for (int32_t i = 0; i < b->n && !rc; i++) {
        const uint8_t *truth = b->target.labels + (size_t)i * pixels;
        const uint8_t *said = j->labels + (size_t)i * pixels;
        rc = semantic_add(j->of, truth, said, pixels, e);
        j->rows[b->index[i]] = row_of(truth, said, pixels);
    }
    return rc;
}

static enum rc judge_finish(struct judge *j, struct err *e)
{
    (void)e;
    semantic_measure(j->of, &j->sum);
    return RC_OK;
}

static double or_nan(double v)
{
    return v < 0 ? NAN : v;
}

static double judge_goal(const struct judge *j, enum goal_kind goal)
{
    return or_nan(goal == GOAL_ACCURACY ? j->sum.pixel_accuracy : j->sum.miou);
}

static void judge_metrics(const struct judge *j, struct jw *w)
{
    jw_knum(w, "val/miou", or_nan(j->sum.miou));
    jw_knum(w, "val/dice", or_nan(j->sum.mean_dice));
    jw_knum(w, "val/accuracy", or_nan(j->sum.pixel_accuracy));
}

static void judge_head(const struct judge *j, struct jw *w)
{
    size_t n = j->r->model->classes_n;
    const uint64_t *cells = semantic_cells(j->of);

    jw_knum(w, "miou", or_nan(j->sum.miou));
    jw_knum(w, "dice", or_nan(j->sum.mean_dice));
    jw_knum(w, "accuracy", or_nan(j->sum.pixel_accuracy));
    jw_knum(w, "mean_accuracy", or_nan(j->sum.mean_accuracy));
    jw_kint(w, "pixels", (int64_t)j->sum.pixels);
    jw_karr(w, "per_class");
    for (uint32_t c = 0; c < n; c++) {
        struct semantic_class s = semantic_class_of(j->of, c);
        jw_obj(w);
        jw_kstr(w, "class", j->r->model->classes[c]);
        jw_knum(w, "iou", or_nan(s.iou));
        jw_knum(w, "dice", or_nan(s.dice));
        jw_knum(w, "precision", or_nan(s.precision));
        jw_knum(w, "recall", or_nan(s.accuracy));
        jw_knum(w, "f1", or_nan(s.dice)); /* the same of pixels */
        jw_kint(w, "support", (int64_t)s.truth);
        jw_obj_end(w);
    }
    jw_arr_end(w);
    jw_karr(w, "confusion");
    for (size_t t = 0; t < n; t++) {
        jw_arr(w);
        for (size_t p = 0; p < n; p++)
            jw_int(w, (int64_t)cells[t * n + p]);
        jw_arr_end(w);
    }
    jw_arr_end(w);
}

static void judge_row(const struct judge *j, size_t i, struct jw *w)
{
    const struct row *row = &j->rows[i];

    jw_kint(w, "pixels", row->pixels);
    jw_knum(w, "accuracy", row->pixels ? round((double)row->right / row->pixels * 1e6) / 1e6 : NAN);
    jw_knum(w, "miou", round((double)row->miou * 1e6) / 1e6);
}

/* Outlines get the model's own class numbers, and what is beside them its background. */
static enum rc match(struct run *r, struct sample_ref *samples, size_t n, const int32_t *to,
                     struct err *e)
{
    const struct model *m = r->model;

    r->semantic = (struct semantic_map){0, 0};
    for (size_t k = 0; k < m->classes_n; k++)
        if (str_is(m->classes[k], "background"))
            r->semantic.background = (int32_t)k;
    return truths_match(r, samples, n, to, e);
}

const struct task_ops task_semantic = {
    .input = task_input_objects,
    .train_metrics = train_metrics,
    .judge_new = judge_new,
    .judge_batch = judge_batch,
    .judge_finish = judge_finish,
    .judge_free = judge_free,
    .judge_goal = judge_goal,
    .judge_metrics = judge_metrics,
    .judge_head = judge_head,
    .judge_row = judge_row,
    .match = match,
};
