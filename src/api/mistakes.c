/* mistakes.c - see mistakes.h. */
#include "api/mistakes.h"

#include "base/mem.h"
#include "engine/measure/pairing.h"
#include <math.h>

#define MILLION  1e6
#define PAIR_IOU 0.5
static const double SCORE_MAX = 1e9; /* more mistakes in one picture are as hard */

const char *const mistake_names[] = {"any", "false", "missed", "wrong_class", NULL};

struct mistakes {
    struct result_head head;
    struct result_filter filter;
    struct pairing *pairing;
    struct coco_image image; /* under way */
    double score;
    bool found; /* something that was asked for by class or kind */
};

static bool list_of(const struct json *v)
{
    return v && v->type == JSON_ARR;
}

static double number_of(const struct json *v, double dflt)
{
    return !v ? dflt : v->type == JSON_INT ? (double)v->i : v->type == JSON_NUM ? v->f : dflt;
}

enum rc result_head_read(struct arena *a, str line, struct result_head *ret, struct err *e)
{
    const struct json *v, *classes;
    struct result_head h = {0};
    enum rc rc = json_parse(a, line, NULL, &v, e);

    if (rc)
        return err_wrap(e, rc == RC_NOMEM ? rc : RC_UPSTREAM, "line 1 of the results");
    str task = json_str(v, "task", STR("classification"));
    if (str_is(task, "detection") || str_is(task, "segmentation"))
        h.task = RESULT_BOXES;
    else if (str_is(task, "semantic"))
        h.task = RESULT_SEMANTIC;
    classes = json_get(v, "classes");
    h.classes = list_of(classes) ? (int64_t)classes->list.count : 0;
    h.best_confidence = json_num(v, "best_confidence", 0);
    if (!(h.best_confidence >= 0 && h.best_confidence <= 1))
        h.best_confidence = 0;
    *ret = h;
    return RC_OK;
}

static bool by_class(const struct result_filter *f)
{
    return f->mistake || f->label >= 0 || f->predicted >= 0 || f->cls >= 0;
}

enum rc mistakes_new(struct mistakes **ret, const struct result_head *h,
                     const struct result_filter *f, struct err *e)
{
    struct mistakes *m;
    double at = f->threshold < 0 ? h->best_confidence : f->threshold;
    enum rc rc;

    if (h->task == RESULT_SEMANTIC && f->correct)
        return err_field(e, RC_INVALID, "correct",
                         "a semantic segmentation is right for some pixels of a picture and wrong "
                         "for others; leave out correct, or ask for a kind of mistake");
    m = mem_zalloc(sizeof *m);
    if (!m)
        return err_set(e, RC_NOMEM, "out of memory");
    m->head = *h;
    m->filter = *f;
    m->filter.threshold = at;
    rc = h->task == RESULT_BOXES ? pairing_new(&m->pairing, COCO_BOXES, at, PAIR_IOU, e) : RC_OK;
    if (rc)
        mistakes_free(m);
    else
        *ret = m;
    return rc;
}

void mistakes_free(struct mistakes *m)
{
    if (!m)
        return;
    pairing_free(m->pairing);
    mem_free(m);
}

/* ---- boxes */

static int32_t class_of(const struct json *v)
{
    int64_t cls = json_int(v, "class_id", -1);

    return cls < 0 || cls > INT32_MAX ? -1 : (int32_t)cls;
}

static void box_of(const struct json *v, double ret[4])
{
    const struct json *box = json_get(v, "box");
    int k = 0;

    for (int i = 0; i < 4; i++)
        ret[i] = 0;
    if (list_of(box))
        JSON_EACH(one, box)
            if (k < 4)
                ret[k++] = number_of(one, 0);
}

static enum rc image_of(struct arena *a, const struct json *v, struct coco_image *ret,
                        struct err *e)
{
    const struct json *truths = json_get(v, "truths"), *found = json_get(v, "predictions");
    size_t truths_n = list_of(truths) ? truths->list.count : 0;
    size_t found_n = list_of(found) ? found->list.count : 0, t = 0, d = 0;
    struct coco_truth *truth = ARENA_ARRAY(a, struct coco_truth, truths_n + 1);
    struct coco_detection *detection = ARENA_ARRAY(a, struct coco_detection, found_n + 1);

    if (!truth || !detection)
        return err_set(e, RC_NOMEM, "out of memory");
    if (truths_n && found_n > COCO_PAIRS_MAX / truths_n)
        return err_set(e, RC_UPSTREAM, "the results of a picture hold %zu objects and %zu boxes",
                       truths_n, found_n);
    if (truths_n)
        JSON_EACH(one, truths) {
            truth[t] = (struct coco_truth){.cls = class_of(one), .area = -1};
            box_of(one, truth[t++].box);
        }
    if (found_n)
        JSON_EACH(one, found) {
            detection[d] = (struct coco_detection){.cls = class_of(one),
                                                   .score = json_num(one, "confidence", 0)};
            box_of(one, detection[d++].box);
        }
    *ret = (struct coco_image){truth, truths_n, detection, found_n};
    return RC_OK;
}

static void judge_pair(void *ud, int64_t truth, int64_t detection)
{
    struct mistakes *m = ud;
    const struct result_filter *f = &m->filter;
    const struct coco_detection *d = detection < 0 ? NULL : &m->image.detections[detection];
    int64_t label = truth < 0 ? m->head.classes : m->image.truths[truth].cls;
    int64_t predicted = d ? d->cls : m->head.classes;
    double sure = d && d->score >= 0 && d->score <= 1 ? d->score : 0;
    int kind = truth < 0            ? MISTAKE_FALSE
               : !d                 ? MISTAKE_MISSED
               : label != predicted ? MISTAKE_WRONG
                                    : MISTAKE_ANY;

    if ((f->label >= 0 && label != f->label) || (f->predicted >= 0 && predicted != f->predicted) ||
        (f->cls >= 0 && label != f->cls && predicted != f->cls) ||
        (f->mistake && kind != f->mistake))
        return;
    m->found = true;
    if (kind)
        m->score += kind == MISTAKE_FALSE ? sure : 1 + sure;
}

/* Right when nothing was missed and nothing false was found, as the scores count it. */
static bool boxes_right(const struct mistakes *m, const struct json *v)
{
    const struct json *found = json_get(v, "predictions"), *truths = json_get(v, "truths");
    size_t hits = 0, wrong = 0;

    if (list_of(found))
        JSON_EACH(one, found) {
            if (!(json_num(one, "confidence", 0) >= m->filter.threshold))
                continue;
            if (json_int(one, "truth", -1) >= 0)
                hits++;
            else
                wrong++;
        }
    return !wrong && hits == (list_of(truths) ? truths->list.count : 0);
}

static enum rc look_boxes(struct mistakes *m, struct arena *a, const struct json *v,
                          bool *ret_right, struct err *e)
{
    enum rc rc = image_of(a, v, &m->image, e);

    m->score = 0;
    m->found = false;
    if (!rc)
        rc = pairing_walk(m->pairing, &m->image, judge_pair, m, e);
    if (!rc)
        *ret_right = boxes_right(m, v);
    return rc;
}

/* ---- the others */

/* Whether a class that was taken for another, or was not, is asked for. */
static bool asked(const struct result_filter *f, int64_t label, int64_t predicted)
{
    bool of_label = f->cls < 0 || label == f->cls, of_predicted = f->cls < 0 || predicted == f->cls;

    return (f->label < 0 || label == f->label) && (f->predicted < 0 || predicted == f->predicted) &&
           (f->mistake == MISTAKE_FALSE    ? of_predicted
            : f->mistake == MISTAKE_MISSED ? of_label
                                           : of_label || of_predicted) &&
           !(f->mistake && label == predicted);
}

static void look_classes(struct mistakes *m, const struct json *v, bool *ret_right)
{
    int64_t label = json_int(v, "label", -1), predicted = json_int(v, "predicted", -1);
    double sure = json_num(v, "confidence", 0);

    if (!(sure >= 0 && sure <= 1))
        sure = 0;
    *ret_right = label == predicted;
    m->score = *ret_right ? 1 - sure : 1 + sure;
    m->found = asked(&m->filter, label, predicted);
}

/* The pixels of a cell [truth, predicted, pixels] of the picture's matrix. */
static void look_cell(struct mistakes *m, const struct json *cell, double *ret_pixels)
{
    double n[3] = {-1, -1, 0};
    int k = 0;

    if (!list_of(cell))
        return;
    JSON_EACH(one, cell) {
        if (k < 3)
            n[k++] = number_of(one, -1);
    }
    for (int i = 0; i < 3; i++)
        if (!(n[i] >= 0 && n[i] <= INT32_MAX))
            return;
    if (!asked(&m->filter, (int64_t)n[0], (int64_t)n[1]))
        return;
    m->found = true;
    *ret_pixels += n[0] < n[1] || n[0] > n[1] ? n[2] : 0;
}

static void look_semantic(struct mistakes *m, const struct json *v)
{
    const struct json *cells = json_get(v, "confused");
    double overlap = json_num(v, "miou", 1), pixels = json_num(v, "pixels", 0), wrong = 0;

    m->found = false;
    if (!by_class(&m->filter)) {
        m->score = overlap >= 0 && overlap <= 1 ? 1 - overlap : 0;
        return;
    }
    if (list_of(cells))
        JSON_EACH(one, cells) {
            look_cell(m, one, &wrong);
        }
    m->score = pixels >= 1 ? fmin(wrong / pixels, 1) : 0;
}

enum rc mistakes_look(struct mistakes *m, struct arena *a, const struct json *v, bool *ret_wanted,
                      int64_t *ret_score, struct err *e)
{
    const struct result_filter *f = &m->filter;
    bool right = true;
    enum rc rc = RC_OK;

    if (m->head.task == RESULT_BOXES)
        rc = look_boxes(m, a, v, &right, e);
    else if (m->head.task == RESULT_CLASSES)
        look_classes(m, v, &right);
    else
        look_semantic(m, v);
    if (rc)
        return rc;
    *ret_wanted = (!by_class(f) || m->found) &&
                  (!f->correct || right == (f->correct == CORRECT_TRUE)) &&
                  (!f->q.n || str_find(json_str(v, "name", STR("")), f->q) >= 0);
    *ret_score = llround(fmin(m->score, SCORE_MAX) * MILLION);
    return RC_OK;
}

/* ---- counts */

/* The last threshold that it reaches. */
static int reached(double confidence)
{
    int i;

    if (!(confidence >= 0))
        return -1;
    i = confidence >= 1 ? RESULT_THRESHOLDS - 1 : (int)(confidence * 100);
    while (i + 1 < RESULT_THRESHOLDS && confidence >= (i + 1) / 100.0)
        i++;
    while (i > 0 && confidence < i / 100.0)
        i--;
    return i;
}

static void count_one(struct result_counts *c, double confidence, bool hit)
{
    int i = reached(confidence);

    if (i >= 0)
        (hit ? c->hits : c->wrong)[i]++;
}

void result_counts_add(struct result_counts *c, enum result_task task, const struct json *v)
{
    const struct json *truths = json_get(v, "truths"), *found = json_get(v, "predictions");

    c->images++;
    if (task == RESULT_CLASSES) {
        c->objects++;
        count_one(c, json_num(v, "confidence", -1),
                  json_int(v, "label", -1) == json_int(v, "predicted", -2));
    }
    if (task != RESULT_BOXES)
        return;
    c->objects += list_of(truths) ? (int64_t)truths->list.count : 0;
    if (list_of(found))
        JSON_EACH(one, found)
            count_one(c, json_num(one, "confidence", -1), json_int(one, "truth", -1) >= 0);
}

void result_counts_end(struct result_counts *c)
{
    for (int i = RESULT_THRESHOLDS - 2; i >= 0; i--) {
        c->hits[i] += c->hits[i + 1];
        c->wrong[i] += c->wrong[i + 1];
    }
}
