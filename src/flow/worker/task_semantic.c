/* task_semantic.c - a class for each pixel: how such a network's answers are scored.
 *
 * Pixels are counted on the network's input, beside-the-picture left out (measure/semantic.h).
 *
 * For the results page each picture keeps the areas that the network said, as masks over the
 * picture at the scale of the input, and the ROW_CELLS largest cells of its own confusion matrix.
 */
#include "flow/worker/task.h"

#include "base/mem.h"
#include "engine/measure/semantic.h"
#include "flow/worker/found.h"
#include "flow/worker/truths.h"
#include <math.h>
#include <stdlib.h>

enum { ROW_CELLS = 32, MASK_TEXT_BYTES_MAX = 1 << 20 };
static const size_t JUDGE_BYTES_MAX = (size_t)4 << 30;

struct area { /* a class that the picture shows, or is said to show */
    int32_t cls;
    float iou;
    str mask; /* of what was said: COCO's compressed text; "" nothing */
};
struct cell {
    uint32_t truth, said, pixels;
};
struct row {
    uint32_t pixels, right;
    float miou; /* over its areas; NaN: no pixel */
    uint32_t areas_n, cells_n, mask_w, mask_h;
    struct area *areas;
    struct cell *cells; /* the largest first */
};
struct judge {
    struct run *r;
    const struct sample_ref *samples;
    struct semantic *of;
    struct row *rows;   /* by sample */
    uint8_t *labels;    /* [batch][size][size] */
    uint32_t *counts;   /* [truth][said], of the picture under way */
    struct cell *cells; /* of the same, those that are not 0 */
    struct arena keep;
    struct buf text;
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
    mem_free(j->counts);
    mem_free(j->cells);
    buf_done(&j->text);
    arena_done(&j->keep);
    mem_free(j);
}

static enum rc judge_new(struct judge **ret, struct run *r, const struct sample_ref *samples,
                         size_t n, struct err *e)
{
    struct judge *j = mem_zalloc(sizeof *j);
    size_t size = (size_t)r->model->frame.size, classes = r->model->classes_n;
    struct net_info info;
    enum rc rc = RC_OK;

    if (!j)
        return err_set(e, RC_NOMEM, "no memory for the scores");
    net_get_info(r->model->net, &info);
    j->r = r;
    j->samples = samples;
    arena_init(&j->keep, JUDGE_BYTES_MAX);
    buf_init(&j->text, MASK_TEXT_BYTES_MAX);
    j->counts = mem_alloc_array(classes * classes, sizeof *j->counts);
    j->cells = mem_alloc_array(classes * classes, sizeof *j->cells);
    j->rows = mem_alloc_array(n ? n : 1, sizeof *j->rows);
    j->labels = mem_alloc_array((size_t)info.batch_max, size * size);
    if (!j->rows || !j->labels || !j->counts || !j->cells)
        rc = err_set(e, RC_NOMEM, "no memory for the results of %zu pictures", n);
    if (!rc)
        rc = semantic_new(&j->of, (uint32_t)r->model->classes_n, e);
    if (rc)
        judge_free(j);
    else
        *ret = j;
    return rc;
}

static int by_pixels(const void *pa, const void *pb)
{
    const struct cell *a = pa, *b = pb;

    if (a->pixels != b->pixels)
        return a->pixels > b->pixels ? -1 : 1;
    if (a->truth != b->truth)
        return a->truth < b->truth ? -1 : 1;
    return (a->said > b->said) - (a->said < b->said);
}

/* Pixels by true and said class. */
static void count_pixels(struct judge *j, struct row *row, const uint8_t *truth,
                         const uint8_t *said, size_t n)
{
    size_t classes = j->r->model->classes_n;

    memset(j->counts, 0, classes * classes * sizeof *j->counts);
    for (size_t i = 0; i < n; i++) {
        if (truth[i] == NET_LABEL_IGNORE)
            continue;
        row->pixels++;
        row->right += truth[i] == said[i];
        j->counts[truth[i] * classes + said[i]]++;
    }
}

static enum rc keep_cells(struct judge *j, struct row *row, struct err *e)
{
    size_t classes = j->r->model->classes_n, n = 0;

    for (uint32_t t = 0; t < classes; t++)
        for (uint32_t s = 0; s < classes; s++)
            if (j->counts[t * classes + s])
                j->cells[n++] = (struct cell){t, s, j->counts[t * classes + s]};
    qsort(j->cells, n, sizeof *j->cells, by_pixels);
    row->cells_n = (uint32_t)(n < ROW_CELLS ? n : ROW_CELLS);
    row->cells = ARENA_ARRAY(&j->keep, struct cell, row->cells_n + 1);
    if (!row->cells)
        return err_set(e, RC_NOMEM, "no memory for the results");
    memcpy(row->cells, j->cells, row->cells_n * sizeof *row->cells);
    return RC_OK;
}

static enum rc keep_mask(struct judge *j, const struct batch *b, int32_t i, const uint8_t *said,
                         int32_t cls, struct row *row, str *ret, struct err *e)
{
    struct found_grid g = {.px = said,
                           .size = b->size,
                           .value = (uint8_t)cls,
                           .map = &b->map[i],
                           .w = row->mask_w,
                           .h = row->mask_h,
                           .x1 = row->mask_w,
                           .y1 = row->mask_h};
    struct rle mask = {0};
    enum rc rc = found_mask(&g, &mask, e);

    buf_clear(&j->text);
    if (!rc)
        rle_to_text(&mask, &j->text);
    rle_done(&mask);
    if (!rc)
        rc = buf_ok(&j->text, e);
    if (rc)
        return rc;
    *ret = arena_str(&j->keep, buf_view(&j->text));
    return ret->p ? RC_OK : err_set(e, RC_NOMEM, "no memory for the masks");
}

static enum rc keep_areas(struct judge *j, const struct batch *b, int32_t i, const uint8_t *said,
                          struct row *row, struct err *e)
{
    size_t classes = j->r->model->classes_n;
    double sum = 0;
    enum rc rc = RC_OK;

    row->areas = ARENA_ARRAY(&j->keep, struct area, classes);
    if (!row->areas)
        return err_set(e, RC_NOMEM, "no memory for the results");
    for (size_t c = 0; !rc && c < classes; c++) {
        uint32_t both = j->counts[c * classes + c], is = 0, was_said = 0;
        for (size_t k = 0; k < classes; k++) {
            is += j->counts[c * classes + k];
            was_said += j->counts[k * classes + c];
        }
        if (!is && !was_said)
            continue;
        struct area *area = &row->areas[row->areas_n++];
        double iou = (double)both / (double)(is + was_said - both);
        *area = (struct area){.cls = (int32_t)c, .iou = (float)iou, .mask = STR("")};
        sum += iou;
        if (was_said)
            rc = keep_mask(j, b, i, said, (int32_t)c, row, &area->mask, e);
    }
    row->miou = row->areas_n ? (float)(sum / row->areas_n) : NAN;
    return rc;
}

static enum rc keep_row(struct judge *j, const struct batch *b, int32_t i, const uint8_t *truth,
                        const uint8_t *said, struct err *e)
{
    size_t pixels = (size_t)b->size * (size_t)b->size;
    struct row row = {0};
    enum rc rc;

    found_scale(&b->map[i], &row.mask_w, &row.mask_h);
    count_pixels(j, &row, truth, said, pixels);
    rc = keep_cells(j, &row, e);
    if (!rc)
        rc = keep_areas(j, b, i, said, &row, e);
    j->rows[b->index[i]] = row;
    return rc;
}

static enum rc judge_batch(struct judge *j, const struct batch *b, struct err *e)
{
    size_t pixels = (size_t)b->size * (size_t)b->size;
    enum rc rc = net_label(j->r->model->net, b->x, b->n, j->labels, e);

    for (int32_t i = 0; i < b->n && !rc; i++) {
        const uint8_t *truth = b->target.labels + (size_t)i * pixels;
        const uint8_t *said = j->labels + (size_t)i * pixels;
        rc = semantic_add(j->of, truth, said, pixels, e);
        if (!rc)
            rc = keep_row(j, b, i, truth, said, e);
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

static void write_area(const struct row *row, const struct area *area, struct jw *w)
{
    jw_obj(w);
    jw_kint(w, "class_id", area->cls);
    jw_knum(w, "iou", round_to((double)area->iou, 1e6));
    task_write_mask(row->mask_h, row->mask_w, area->mask, w);
    jw_obj_end(w);
}

static void judge_row(const struct judge *j, size_t i, struct jw *w)
{
    const struct row *row = &j->rows[i];

    jw_kint(w, "width", j->samples[i].width);
    jw_kint(w, "height", j->samples[i].height);
    jw_kint(w, "pixels", row->pixels);
    jw_knum(w, "accuracy", row->pixels ? round_to((double)row->right / row->pixels, 1e6) : NAN);
    jw_knum(w, "miou", round_to((double)row->miou, 1e6));
    jw_karr(w, "confused");
    for (uint32_t k = 0; k < row->cells_n; k++) {
        jw_arr(w);
        jw_int(w, row->cells[k].truth);
        jw_int(w, row->cells[k].said);
        jw_int(w, row->cells[k].pixels);
        jw_arr_end(w);
    }
    jw_arr_end(w);
    jw_karr(w, "areas");
    for (uint32_t k = 0; k < row->areas_n; k++)
        write_area(row, &row->areas[k], w);
    jw_arr_end(w);
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
