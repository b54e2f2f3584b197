/* coco_fuzz.c - annotation files of any bytes, fed in pieces. */
#include "flow/dataset/coco.h"
#include "flow/dataset/fuzzing.h"

struct pieces {
    const uint8_t *p;
    size_t n;
};

static enum rc fill(void *ud, void *to, size_t cap, size_t *ret_n, struct err *e)
{
    struct pieces *s = ud;
    size_t k = s->n < 7 ? s->n : 7;

    (void)e;
    k = k < cap ? k : cap;
    memcpy(to, s->p, k);
    s->p += k;
    s->n -= k;
    *ret_n = k;
    return RC_OK;
}

static struct pieces input;

static enum rc add_and_read(struct harvest *p, struct err *e)
{
    enum rc rc = coco_add_file(p, STR("annotations/instances_train.json"), fill, &input, e);

    return !rc && coco_fits(p) ? coco_read(p, e) : RC_CORRUPT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input = (struct pieces){data, size};
    fuzzing_run("x.txt", "images/a.png", data, 0, add_and_read);
    return 0;
}
