/* coco_eval.c - takes pictures one by one and keeps 32 bytes for each of their detections. */
#include "engine/measure/coco_eval.h"

#include "engine/measure/coco_state.h"
#include <math.h>

struct coco_options coco_options_default(enum coco_kind kind)
{
    struct coco_options o = {
        .kind = kind,
        .ious_n = 10,
        .max_dets = {1, 10, 100},
        .areas = {{0, 1e10}, {0, 32 * 32}, {32 * 32, 96 * 96}, {96 * 96, 1e10}},
    };

    for (uint32_t i = 0; i < 9; i++) /* to the last bit what COCO's evaluator compares with */
        o.ious[i] = .5 + i * ((.95 - .5) / 9);
    o.ious[9] = .95;
    return o;
}

static enum rc check_options(const struct coco_options *o, uint32_t classes, struct err *e)
{
    bool ok = o->ious_n >= 1 && o->ious_n <= COCO_IOUS_MAX && o->max_dets[0] >= 1 &&
              o->max_dets[0] <= o->max_dets[1] && o->max_dets[1] <= o->max_dets[2];

    for (uint32_t i = 0; ok && i < o->ious_n; i++)
        ok = o->ious[i] > (i ? o->ious[i - 1] : 0) && o->ious[i] <= 1;
    for (int a = 0; ok && a < COCO_AREAS; a++)
        ok = o->areas[a][0] <= o->areas[a][1];
    if (!ok)
        return err_set(e, RC_INVALID,
                       "IoU thresholds must be 1 to %d, rising, in (0, 1]; numbers "
                       "of detections at least 1 and rising; size ranges not empty",
                       COCO_IOUS_MAX);
    if (o->max_dets[2] > COCO_MAX_DETS_MAX)
        return err_set(e, RC_INVALID, "%u detections a picture and class; at most %d can be kept",
                       o->max_dets[2], COCO_MAX_DETS_MAX);
    if (classes < 1 || classes > COCO_CLASSES_MAX)
        return err_set(e, RC_INVALID, "%u classes; 1 to %d can be measured", classes,
                       COCO_CLASSES_MAX);
    return RC_OK;
}

enum rc coco_eval_new(struct coco_eval **ret, uint32_t classes, const struct coco_options *options,
                      struct err *e)
{
    struct coco_options o = options ? *options : coco_options_default(COCO_BOXES);
    struct coco_eval *ev;
    enum rc rc = check_options(&o, classes, e);

    if (rc)
        return rc;
    ev = mem_zalloc(sizeof *ev);
    if (ev) {
        ev->options = o;
        ev->classes = o.classless ? 1 : classes;
        ev->classes_given = classes;
        ev->meet.dets_max = o.max_dets[2];
        ev->of = mem_alloc_array(ev->classes, sizeof *ev->of);
    }
    if (ev && ev->of)
        rc = coco_eval_finish(ev, e); /* nothing yet: no values */
    else
        rc = err_set(e, RC_NOMEM, "out of memory for the measures of %u classes", classes);
    if (rc)
        coco_eval_free(ev);
    else
        *ret = ev;
    return rc;
}

void coco_eval_free(struct coco_eval *ev)
{
    if (!ev)
        return;
    for (uint32_t k = 0; ev->of && k < ev->classes; k++)
        VEC_DONE(&ev->of[k].kept);
    meet_done(&ev->meet);
    mem_free(ev->of);
    mem_free(ev);
}

/* ---- pictures */
static bool outside(double area, const double range[2])
{
    return area < range[0] || area > range[1];
}

static enum rc keep_group(struct coco_eval *ev, const struct meet_group *g, struct err *e)
{
    struct coco_per_class *of = &ev->of[g->cls];
    const struct coco_detection *dets = ev->meet.image->detections;
    size_t first = of->kept.n;

    for (size_t d = 0; d < g->dets_n; d++)
        if (first + d > UINT32_MAX - 1 ||
            !VEC_PUSH(&of->kept, (struct coco_kept){.score = dets[g->dets[d]].score,
                                                    .seq = (uint32_t)(first + d),
                                                    .rank = (uint16_t)d})) {
            of->kept.n = first;
            return err_set(e, RC_NOMEM, "out of memory for %zu detections of a class", first);
        }
    for (int a = 0; a < COCO_AREAS; a++) {
        struct meet *m = &ev->meet;
        meet_range(m, g, ev->options.areas[a]);
        for (size_t t = 0; t < g->truths_n; t++)
            of->truths[a] += !m->ignored.p[t];
        for (uint32_t i = 0; i < ev->options.ious_n; i++) {
            meet_match(m, g, ev->options.ious[i]);
            for (size_t d = 0; d < g->dets_n; d++) {
                struct coco_kept *k = &of->kept.p[first + d];
                bool matched = m->to.p[d] != MEET_NONE;
                bool ignored = matched ? m->ignored.p[m->to.p[d]]
                                       : outside(m->det_area.p[d], ev->options.areas[a]);
                k->matched[a] |= (uint16_t)(matched << i);
                k->ignored[a] |= (uint16_t)(ignored << i);
            }
        }
    }
    return RC_OK;
}

/* Takes back a group that was kept, when a later one of its picture fails. */
static void forget_group(struct coco_eval *ev, const struct meet_group *g)
{
    struct coco_per_class *of = &ev->of[g->cls];

    of->kept.n -= g->dets_n;
    for (int a = 0; a < COCO_AREAS; a++) {
        meet_range(&ev->meet, g, ev->options.areas[a]);
        for (size_t t = 0; t < g->truths_n; t++)
            of->truths[a] -= !ev->meet.ignored.p[t];
    }
}

enum rc coco_eval_add(struct coco_eval *ev, const struct coco_image *image, struct err *e)
{
    struct meet_group g;
    size_t kept = 0;
    enum rc rc =
        meet_begin(&ev->meet, image, ev->options.kind, ev->classes_given, ev->options.classless, e);

    for (; !rc && meet_next(&ev->meet, &g, &rc, e); kept += !rc)
        rc = keep_group(ev, &g, e);
    if (!rc)
        ev->images++;
    else if (kept) { /* the same groups again, in the same order; their scratch is there */
        enum rc again = meet_begin(&ev->meet, image, ev->options.kind, ev->classes_given,
                                   ev->options.classless, NULL);
        while (kept-- && !again && meet_next(&ev->meet, &g, &again, NULL))
            forget_group(ev, &g);
        ASSERT(!again);
    }
    return rc;
}

/* ---- reading */
uint32_t coco_eval_classes(const struct coco_eval *ev)
{
    return ev->classes;
}

const struct coco_options *coco_eval_options(const struct coco_eval *ev)
{
    return &ev->options;
}

uint64_t coco_eval_images(const struct coco_eval *ev)
{
    return ev->images;
}

const struct coco_summary *coco_eval_summary(const struct coco_eval *ev)
{
    return &ev->summary;
}

double coco_eval_ap(const struct coco_eval *ev, uint32_t iou, uint32_t cls, enum coco_area area)
{
    return ev->of[cls].ap[iou][area];
}

double coco_eval_recall(const struct coco_eval *ev, uint32_t iou, uint32_t cls, enum coco_area area,
                        uint32_t m)
{
    return ev->of[cls].recall[iou][area][m];
}

size_t coco_eval_ranked_count(const struct coco_eval *ev, uint32_t cls)
{
    return ev->of[cls].kept.n;
}

struct coco_ranked coco_eval_ranked(const struct coco_eval *ev, uint32_t cls, uint32_t iou,
                                    size_t i)
{
    const struct coco_kept *k = &ev->of[cls].kept.p[i];

    return (struct coco_ranked){k->score, k->matched[COCO_ALL] >> iou & 1,
                                k->ignored[COCO_ALL] >> iou & 1};
}

const char *coco_measure_key(enum coco_measure m)
{
    static const char *const keys[] = {
#define X(name, key, text) key,
        COCO_TABLE(X)
#undef X
    };
    return keys[m];
}

const char *coco_measure_text(enum coco_measure m)
{
    static const char *const texts[] = {
#define X(name, key, text) text,
        COCO_TABLE(X)
#undef X
    };
    return texts[m];
}
