/* confusion.c - counts which class the detections that stand for truths have (pairing.h). */
#include "engine/measure/confusion.h"

#include "base/mem.h"
#include "engine/measure/coco_int.h"
#include "engine/measure/pairing.h"

struct confusion {
    uint32_t classes;
    enum coco_kind kind;
    struct pairing *pairing;
    const struct coco_image *image; /* under way */
    uint64_t *cells;
};

enum rc confusion_new(struct confusion **ret, uint32_t classes, enum coco_kind kind,
                      double confidence, double iou, struct err *e)
{
    struct confusion *c;
    size_t side = (size_t)classes + 1;
    enum rc rc;

    if (classes < 1 || classes > CONFUSION_CLASSES_MAX)
        return err_set(e, RC_INVALID, "a confusion matrix of %u classes; 1 to %d can be shown",
                       classes, CONFUSION_CLASSES_MAX);
    c = mem_zalloc(sizeof *c);
    if (c)
        c->cells = mem_alloc_array(side * side, sizeof *c->cells);
    if (!c || !c->cells) {
        confusion_free(c);
        return err_set(e, RC_NOMEM, "out of memory for a confusion matrix of %u classes", classes);
    }
    c->classes = classes;
    c->kind = kind;
    rc = pairing_new(&c->pairing, kind, confidence, iou, e);
    if (rc) {
        confusion_free(c);
        return err_wrap(e, rc, "a confusion matrix");
    }
    *ret = c;
    return RC_OK;
}

void confusion_free(struct confusion *c)
{
    if (!c)
        return;
    pairing_free(c->pairing);
    mem_free(c->cells);
    mem_free(c);
}

static void count(void *ud, int64_t truth, int64_t detection)
{
    struct confusion *c = ud;
    size_t side = (size_t)c->classes + 1;
    size_t row = truth < 0 ? c->classes : (size_t)c->image->truths[truth].cls;
    size_t column = detection < 0 ? c->classes : (size_t)c->image->detections[detection].cls;

    c->cells[row * side + column]++;
}

enum rc confusion_add(struct confusion *c, const struct coco_image *im, struct err *e)
{
    enum rc rc = coco_check_image(im, c->kind, c->classes, e);

    c->image = im;
    return rc ? rc : pairing_walk(c->pairing, im, count, c, e);
}

const uint64_t *confusion_cells(const struct confusion *c)
{
    return c->cells;
}

uint32_t confusion_classes(const struct confusion *c)
{
    return c->classes;
}
