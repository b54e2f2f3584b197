/* task_objects.c - boxes, and instances with masks: how a detector's pictures are made and scored.
 *
 * Scores are COCO's (measure/coco_eval.h), in the pixels of the pictures.  Masks are compared on
 * the grid of the network's input, which has about a picture's content at the scale that was
 * trained; by-size measures are those of the boxes.
 *
 * Precision, recall and F1 are read at IoU 0.5 and the confidence at which the mean F1 of the
 * classes is largest; so is the confusion matrix, which has background as one class more.
 *
 * For the results page each picture keeps its truths and at most ROW_MOST detections of at least
 * ROW_CONFIDENCE, matched at IoU 0.5 (of the masks where there are any).
 */
#include "flow/worker/task.h"

#include "base/mem.h"
#include "engine/measure/confusion.h"
#include "engine/measure/curve.h"
#include "flow/worker/found.h"
#include "flow/worker/truths.h"
#include <math.h>

#define JUDGE_IOU 0.5
static const size_t JUDGE_BYTES_MAX = (size_t)4 << 30;
static const float ROW_CONFIDENCE = 0.01f;
enum {
    ROW_MOST = 100,
    MASK_TEXT_BYTES_MAX = 1 << 20,
    JUDGE_CONFUSION_CLASSES_MAX = 512, /* beyond, the matrix is left out */
    JUDGE_CURVES_CLASSES_MAX = 32,     /* beyond, classes have no curves of their own */
};

enum rc task_input_objects(struct run *r, struct loader_config *c, int *ret_size_max, struct err *e)
{
    int64_t size = r->spec.image_size;

    if (size == 0) {
        size = frame_size_auto_objects(samples_median_long_side(c->samples, c->n, &r->arena));
        size = size < r->card->image_size_min ? r->card->image_size_min : size;
    }
    if (size % 32)
        return err_field(e, RC_INVALID, "image_size",
                         "%s takes inputs of a multiple of 32 pixels, not %lld; use %lld, or 0 for "
                         "automatic",
                         r->card->name, (long long)size, (long long)(size + 31) / 32 * 32);
    scene_setup(&r->spec, (int32_t)size, &c->scene, &c->frame);
    *ret_size_max = scene_size_max(&c->scene, (int32_t)size);
    return RC_OK;
}

static void train_metrics(const struct tally *t, struct jw *w)
{
    double n = t->images ? (double)t->images : 1;

    jw_knum(w, "train/box_loss", t->sums.box / n);
    jw_knum(w, "train/cls_loss", t->sums.cls / n);
    jw_knum(w, "train/dfl_loss", t->sums.dfl / n);
}

static void train_metrics_masks(const struct tally *t, struct jw *w)
{
    train_metrics(t, w);
    jw_knum(w, "train/mask_loss", t->sums.mask / (t->images ? (double)t->images : 1));
}

/* ---- rows: what is kept of a picture */

struct row_truth {
    struct net_box box;
    int32_t found_by; /* a detection of the row; -1: none, or one that was not kept */
};
struct row_detection {
    struct net_box box;
    float confidence, iou; /* with the truth, or the largest with one of its class */
    int32_t truth;         /* -1: none */
    str mask;              /* COCO's compressed text; "" none */
};
struct row {
    struct row_truth *truths;
    struct row_detection *found;
    uint32_t truths_n, found_n;
    uint32_t mask_w, mask_h;
};

struct judge {
    struct run *r;
    const struct sample_ref *samples;
    bool masks;
    struct finder finder;
    struct coco_eval *boxes, *shapes;
    struct row *rows; /* by sample */
    struct arena keep;
    struct truths truths; /* of the picture under way */
    struct coco_detection *found;
    struct rle *found_masks;
    struct coco_match *met;      /* [detections] */
    struct coco_match *met_back; /* [truths], grows */
    size_t met_back_cap;
    struct buf text;
    struct curve curve; /* of all classes, after the end */
    struct confusion *confusion;
    struct coco_summary of_boxes, of_shapes;
};

static void judge_free(struct judge *j)
{
    if (!j)
        return;
    finder_done(&j->finder);
    coco_eval_free(j->boxes);
    coco_eval_free(j->shapes);
    confusion_free(j->confusion);
    truths_done(&j->truths);
    mem_free(j->rows);
    mem_free(j->found);
    mem_free(j->found_masks);
    mem_free(j->met);
    mem_free(j->met_back);
    buf_done(&j->text);
    arena_done(&j->keep);
    mem_free(j);
}

static enum rc judge_init(struct judge *j, size_t n, struct err *e)
{
    const struct model *m = j->r->model;
    const struct train_spec *s = &j->r->spec;
    struct net_detect how = {
        .confidence = (float)s->confidence, .iou = (float)s->iou, .most = NET_DETECTIONS_MAX};
    struct coco_options options = coco_options_default(COCO_MASKS);
    struct net_info info;
    enum rc rc;

    net_get_info(m->net, &info);
    j->rows = mem_alloc_array(n ? n : 1, sizeof *j->rows);
    j->found = mem_alloc_array(NET_DETECTIONS_MAX, sizeof *j->found);
    j->found_masks = mem_alloc_array(NET_DETECTIONS_MAX, sizeof *j->found_masks);
    j->met = mem_alloc_array(NET_DETECTIONS_MAX, sizeof *j->met);
    if (!j->rows || !j->found || !j->found_masks || !j->met)
        return err_set(e, RC_NOMEM, "no memory for the results of %zu pictures", n);
    rc = finder_init(&j->finder, m, info.batch_max, how, e);
    if (!rc)
        rc = coco_eval_new(&j->boxes, (uint32_t)m->classes_n, NULL, e);
    if (!rc && j->masks)
        rc = coco_eval_new(&j->shapes, (uint32_t)m->classes_n, &options, e);
    return rc;
}

static enum rc judge_new(struct judge **ret, struct run *r, const struct sample_ref *samples,
                         size_t n, struct err *e)
{
    struct judge *j = mem_zalloc(sizeof *j);
    enum rc rc;

    if (!j)
        return err_set(e, RC_NOMEM, "no memory for the scores");
    j->r = r;
    j->samples = samples;
    j->masks = r->model->task == NET_SEGMENTATION;
    arena_init(&j->keep, JUDGE_BYTES_MAX);
    buf_init(&j->text, MASK_TEXT_BYTES_MAX);
    rc = judge_init(j, n, e);
    if (rc)
        judge_free(j);
    else
        *ret = j;
    return rc;
}

/* ---- a picture */

static void box_of(struct net_box b, double ret[4])
{
    ret[0] = b.x0;
    ret[1] = b.y0;
    ret[2] = b.x1 - b.x0;
    ret[3] = b.y1 - b.y0;
}

static enum rc take_found(struct judge *j, const struct batch *b, int32_t i, struct err *e)
{
    const struct frame_map *map = &b->map[i];
    enum rc rc = RC_OK;

    for (int32_t k = 0; k < j->finder.n[i] && !rc; k++) {
        struct net_box box = finder_box(&j->finder, i, k, map);
        j->found[k] =
            (struct coco_detection){.cls = box.cls, .score = finder_confidence(&j->finder, i, k)};
        box_of(box, j->found[k].box);
        if (!j->masks)
            continue;
        rc = finder_mask(&j->finder, i, k, map, j->truths.grid_w, j->truths.grid_h,
                         &j->found_masks[k], e);
        j->found[k].mask = &j->found_masks[k];
    }
    return rc;
}

static enum rc match_picture(struct judge *j, const struct coco_image *image, struct err *e)
{
    if (image->truths_n > j->met_back_cap) {
        mem_free(j->met_back);
        j->met_back_cap = 0;
        j->met_back = mem_alloc_array(image->truths_n, sizeof *j->met_back);
        if (!j->met_back)
            return err_set(e, RC_NOMEM, "no memory for the matches");
        j->met_back_cap = image->truths_n;
    }
    return coco_match_image(image, j->masks ? COCO_MASKS : COCO_BOXES, JUDGE_IOU, j->met,
                            j->met_back, e);
}

static enum rc keep_mask(struct judge *j, const struct rle *mask, str *ret, struct err *e)
{
    enum rc rc;

    buf_clear(&j->text);
    rle_to_text(mask, &j->text);
    rc = buf_ok(&j->text, e);
    if (rc)
        return rc;
    *ret = arena_str(&j->keep, buf_view(&j->text));
    return ret->p ? RC_OK : err_set(e, RC_NOMEM, "no memory for the masks");
}

static enum rc keep_row(struct judge *j, struct row *row, const struct coco_image *image,
                        struct err *e)
{
    enum rc rc = RC_OK;

    row->mask_w = j->truths.grid_w;
    row->mask_h = j->truths.grid_h;
    while (row->found_n < image->detections_n && row->found_n < ROW_MOST &&
           image->detections[row->found_n].score >= ROW_CONFIDENCE)
        row->found_n++;
    row->truths_n = (uint32_t)image->truths_n;
    row->found = ARENA_ARRAY(&j->keep, struct row_detection, row->found_n);
    row->truths = ARENA_ARRAY(&j->keep, struct row_truth, row->truths_n);
    if ((!row->found && row->found_n) || (!row->truths && row->truths_n))
        return err_set(e, RC_NOMEM, "no memory for the results");
    for (uint32_t k = 0; k < row->truths_n; k++) {
        int32_t by = j->met_back[k].other;
        row->truths[k] = (struct row_truth){j->truths.boxes.p[k],
                                            by >= 0 && (uint32_t)by < row->found_n ? by : -1};
    }
    for (uint32_t k = 0; k < row->found_n && !rc; k++) {
        const struct coco_detection *d = &image->detections[k];
        row->found[k] = (struct row_detection){.box = {d->cls, (float)d->box[0], (float)d->box[1],
                                                       (float)(d->box[0] + d->box[2]),
                                                       (float)(d->box[1] + d->box[3])},
                                               .confidence = (float)d->score,
                                               .iou = (float)j->met[k].iou,
                                               .truth = j->met[k].other};
        if (j->masks)
            rc = keep_mask(j, d->mask, &row->found[k].mask, e);
    }
    return rc;
}

static enum rc judge_picture(struct judge *j, const struct batch *b, int32_t i, struct err *e)
{
    uint32_t at = b->index[i];
    struct coco_image image;
    enum rc rc = truths_take(&j->truths, &j->samples[at], j->masks, &b->map[i], e);

    if (!rc)
        rc = take_found(j, b, i, e);
    image = (struct coco_image){.truths = j->truths.of.p,
                                .truths_n = j->truths.of.n,
                                .detections = j->found,
                                .detections_n = (size_t)j->finder.n[i]};
    if (!rc)
        rc = coco_eval_add(j->boxes, &image, e);
    if (!rc && j->masks)
        rc = coco_eval_add(j->shapes, &image, e);
    if (!rc)
        rc = match_picture(j, &image, e);
    if (!rc)
        rc = keep_row(j, &j->rows[at], &image, e);
    for (int32_t k = 0; j->masks && k < j->finder.n[i]; k++)
        rle_done(&j->found_masks[k]);
    return rc ? err_wrap(e, rc, "scoring '%.*s'", STR_F(j->samples[at].name)) : RC_OK;
}

static enum rc judge_batch(struct judge *j, const struct batch *b, struct err *e)
{
    enum rc rc = finder_run(&j->finder, b->x, b->n, e);

    for (int32_t i = 0; i < b->n && !rc; i++)
        rc = judge_picture(j, b, i, e);
    return rc;
}

/* ---- the end */

/* The rows once more, at the confidence that turned out best. */
static enum rc confuse_row(struct judge *j, const struct row *row, struct err *e)
{
    struct coco_image image = {.truths_n = row->truths_n, .detections_n = row->found_n};
    struct coco_truth *truths = mem_alloc_array(row->truths_n + 1, sizeof *truths);
    enum rc rc = RC_OK;

    if (!truths)
        return err_set(e, RC_NOMEM, "no memory for the confusion matrix");
    for (uint32_t k = 0; k < row->truths_n; k++) {
        truths[k] = (struct coco_truth){.cls = row->truths[k].box.cls, .area = -1};
        box_of(row->truths[k].box, truths[k].box);
    }
    for (uint32_t k = 0; k < row->found_n; k++) {
        j->found[k] = (struct coco_detection){.cls = row->found[k].box.cls,
                                              .score = row->found[k].confidence};
        box_of(row->found[k].box, j->found[k].box);
    }
    image.truths = truths;
    image.detections = j->found;
    rc = confusion_add(j->confusion, &image, e);
    mem_free(truths);
    return rc;
}

static enum rc confuse(struct judge *j, struct err *e)
{
    uint32_t classes = (uint32_t)j->r->model->classes_n;
    double at = j->curve.best_confidence;
    enum rc rc;

    if (classes > JUDGE_CONFUSION_CLASSES_MAX)
        return RC_OK;
    rc = confusion_new(&j->confusion, classes, COCO_BOXES, at, JUDGE_IOU, e);
    for (size_t i = 0; i < coco_eval_images(j->boxes) && !rc; i++)
        rc = confuse_row(j, &j->rows[i], e);
    return rc;
}

static enum rc judge_finish(struct judge *j, struct err *e)
{
    enum rc rc = coco_eval_finish(j->boxes, e);

    if (!rc && j->masks)
        rc = coco_eval_finish(j->shapes, e);
    if (rc)
        return rc;
    j->of_boxes = *coco_eval_summary(j->boxes);
    if (j->masks)
        j->of_shapes = *coco_eval_summary(j->shapes);
    curve_of_all(j->boxes, (uint32_t)curve_iou_index(j->boxes, JUDGE_IOU), &j->curve);
    return confuse(j, e);
}

static double or_nan(double v)
{
    return v < 0 ? NAN : v; /* COCO_NONE */
}

static double judge_goal(const struct judge *j, enum goal_kind goal)
{
    return goal == GOAL_MAP          ? or_nan(j->of_boxes.v[COCO_AP])
           : goal == GOAL_F1         ? j->curve.best_f1
           : goal == GOAL_MASK_MAP50 ? or_nan(j->of_shapes.v[COCO_AP50])
           : goal == GOAL_MASK_MAP   ? or_nan(j->of_shapes.v[COCO_AP])
                                     : or_nan(j->of_boxes.v[COCO_AP50]);
}

static void judge_metrics(const struct judge *j, struct jw *w)
{
    jw_knum(w, "val/map50", or_nan(j->of_boxes.v[COCO_AP50]));
    jw_knum(w, "val/map", or_nan(j->of_boxes.v[COCO_AP]));
    if (j->masks) {
        jw_knum(w, "val/mask_map50", or_nan(j->of_shapes.v[COCO_AP50]));
        jw_knum(w, "val/mask_map", or_nan(j->of_shapes.v[COCO_AP]));
    }
    jw_knum(w, "val/precision", j->curve.best_precision);
    jw_knum(w, "val/recall", j->curve.best_recall);
    jw_knum(w, "val/f1", j->curve.best_f1);
}

/* ---- writing */

static double digits(double v, double unit)
{
    return round(v / unit) * unit;
}

static void write_numbers(const char *key, const double *v, size_t n, size_t step, struct jw *w)
{
    jw_karr(w, key);
    for (size_t i = 0; i < n; i += step)
        jw_num(w, digits(v[i], 1e-4));
    jw_arr_end(w);
}

static void write_curves(const struct curve *c, struct jw *w)
{
    enum { STEP = 10 }; /* confidence 0, 0.01, .. 1 */

    jw_kobj(w, "curves");
    write_numbers("precision", c->precision, CURVE_POINTS, STEP, w);
    write_numbers("recall", c->recall, CURVE_POINTS, STEP, w);
    write_numbers("f1", c->f1, CURVE_POINTS, STEP, w);
    write_numbers("precision_at_recall", c->precision_at_recall, COCO_RECALLS, 1, w);
    jw_obj_end(w);
}

static void write_class(const struct judge *j, uint32_t cls, struct curve *c, struct jw *w)
{
    uint32_t iou = (uint32_t)curve_iou_index(j->boxes, JUDGE_IOU);
    struct coco_class s = coco_eval_class(j->boxes, cls);

    curve_of_class(j->boxes, iou, cls, c);
    jw_obj(w);
    jw_kstr(w, "class", j->r->model->classes[cls]);
    jw_knum(w, "ap50", or_nan(s.ap50));
    jw_knum(w, "ap", or_nan(s.ap));
    if (j->masks) {
        struct coco_class m = coco_eval_class(j->shapes, cls);
        jw_knum(w, "mask_ap50", or_nan(m.ap50));
        jw_knum(w, "mask_ap", or_nan(m.ap));
    }
    jw_knum(w, "precision", c->best_precision);
    jw_knum(w, "recall", c->best_recall);
    jw_knum(w, "f1", c->best_f1);
    jw_knum(w, "best_confidence", c->best_confidence);
    jw_kint(w, "support", (int64_t)s.truths);
    jw_kint(w, "detections", (int64_t)s.detections);
    if (j->r->model->classes_n <= JUDGE_CURVES_CLASSES_MAX)
        write_numbers("precision_at_recall", c->precision_at_recall, COCO_RECALLS, 1, w);
    jw_obj_end(w);
}

static void write_classes(const struct judge *j, struct jw *w)
{
    struct curve *c = mem_alloc(sizeof *c); /* 26 KB */

    jw_karr(w, "per_class");
    for (uint32_t k = 0; c && k < j->r->model->classes_n; k++)
        write_class(j, k, c, w);
    jw_arr_end(w);
    mem_free(c);
}

static void write_confusion(const struct judge *j, struct jw *w)
{
    const uint64_t *cells = j->confusion ? confusion_cells(j->confusion) : NULL;
    size_t n = j->r->model->classes_n + 1;

    jw_karr(w, "confusion");
    for (size_t t = 0; cells && t < n; t++) {
        jw_arr(w);
        for (size_t d = 0; d < n; d++)
            jw_int(w, (int64_t)cells[t * n + d]);
        jw_arr_end(w);
    }
    jw_arr_end(w);
}

static void judge_head(const struct judge *j, struct jw *w)
{
    for (int m = 0; m < COCO_MEASURES; m++)
        jw_knum(w, coco_measure_key((enum coco_measure)m), or_nan(j->of_boxes.v[m]));
    if (j->masks) {
        jw_knum(w, "mask_map", or_nan(j->of_shapes.v[COCO_AP]));
        jw_knum(w, "mask_map50", or_nan(j->of_shapes.v[COCO_AP50]));
        jw_knum(w, "mask_map75", or_nan(j->of_shapes.v[COCO_AP75]));
    }
    jw_knum(w, "precision", j->curve.best_precision);
    jw_knum(w, "recall", j->curve.best_recall);
    jw_knum(w, "f1", j->curve.best_f1);
    jw_knum(w, "best_confidence", j->curve.best_confidence);
    jw_knum(w, "iou", JUDGE_IOU);
    write_classes(j, w);
    write_confusion(j, w);
    write_curves(&j->curve, w);
}

static void write_box(struct net_box b, struct jw *w)
{
    double box[4];

    box_of(b, box);
    jw_kint(w, "class_id", b.cls);
    jw_karr(w, "box");
    for (int k = 0; k < 4; k++)
        jw_num(w, digits(box[k], 1e-2));
    jw_arr_end(w);
}

static void write_found(const struct row *row, const struct row_detection *d, struct jw *w)
{
    jw_obj(w);
    write_box(d->box, w);
    jw_knum(w, "confidence", digits(d->confidence, 1e-5));
    jw_key(w, "truth");
    if (d->truth < 0)
        jw_null(w);
    else
        jw_int(w, d->truth);
    jw_knum(w, "iou", digits(d->iou, 1e-4));
    task_write_mask(row->mask_h, row->mask_w, d->mask, w);
    jw_obj_end(w);
}

/* Matched, missed and false at the best confidence, then truths and predictions. */
static void judge_row(const struct judge *j, size_t i, struct jw *w)
{
    const struct row *row = &j->rows[i];
    int64_t matched = 0, wrong = 0;

    for (uint32_t k = 0; k < row->found_n; k++)
        if (row->found[k].confidence >= (float)j->curve.best_confidence) {
            matched += row->found[k].truth >= 0;
            wrong += row->found[k].truth < 0;
        }
    jw_kint(w, "width", j->samples[i].width);
    jw_kint(w, "height", j->samples[i].height);
    jw_kint(w, "matched", matched);
    jw_kint(w, "missed", row->truths_n - matched);
    jw_kint(w, "false", wrong);
    jw_karr(w, "truths");
    for (uint32_t k = 0; k < row->truths_n; k++) {
        jw_obj(w);
        write_box(row->truths[k].box, w);
        jw_key(w, "prediction");
        if (row->truths[k].found_by < 0)
            jw_null(w);
        else
            jw_int(w, row->truths[k].found_by);
        jw_obj_end(w);
    }
    jw_arr_end(w);
    jw_karr(w, "predictions");
    for (uint32_t k = 0; k < row->found_n; k++)
        write_found(row, &row->found[k], w);
    jw_arr_end(w);
}

const struct task_ops task_detection = {
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
    .match = truths_match,
};
const struct task_ops task_segmentation = {
    .input = task_input_objects,
    .train_metrics = train_metrics_masks,
    .judge_new = judge_new,
    .judge_batch = judge_batch,
    .judge_finish = judge_finish,
    .judge_free = judge_free,
    .judge_goal = judge_goal,
    .judge_metrics = judge_metrics,
    .judge_head = judge_head,
    .judge_row = judge_row,
    .match = truths_match,
};
