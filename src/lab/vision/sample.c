/* sample.c - the loop over the pictures of a sample; see sample.h. */
#include "lab/vision/sample.h"

#include "lab/vision/sample_int.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 64 << 20, PICTURE_BYTES_MAX = 64 << 20 };

const char *const sample_kind_names[] = {"glyphs", "shapes", "receipts", NULL};
const char *const sample_layout_names[] = {"yolo", "voc", NULL};

static const struct {
    int64_t count, size;
    int classes;
    enum rc (*one)(struct maker *m, int64_t i, struct err *e);
    enum rc (*end)(struct maker *m, struct err *e);
    bool needs_fonts;
} kinds[] = {
    {3600, 32, GLYPH_CLASSES, glyphs_one, NULL, true},
    {500, 320, SHAPE_CLASSES, shapes_one, shapes_end, false},
    {200, 960, 1, receipts_one, NULL, true},
};

bool sample_is_val(int64_t index_in_class)
{
    return index_in_class % 5 == 4;
}

static enum rc check(const struct sample_spec *s, struct err *e)
{
    int64_t least = s->kind == SAMPLE_RECEIPTS ? SAMPLE_RECEIPT_SIZE_MIN : SAMPLE_SIZE_MIN;

    if (s->count < 1 || s->count > SAMPLE_COUNT_MAX)
        return err_field(e, RC_INVALID, "count", "'count' must be 1 to %d", SAMPLE_COUNT_MAX);
    if (s->size < least || s->size > SAMPLE_SIZE_MAX)
        return err_field(e, RC_INVALID, "size", "'size' must be %lld to %d pixels for %s",
                         (long long)least, SAMPLE_SIZE_MAX, sample_kind_names[s->kind]);
    return RC_OK;
}

static enum rc draw_all(struct maker *m, sample_tick_fn tick, void *ud, struct err *e)
{
    enum rc rc = RC_OK;

    for (int64_t i = 0; !rc && i < m->s->count; i++) {
        rc = kinds[m->s->kind].one(m, i, e);
        if (!rc && tick)
            rc = tick(ud, i + 1, m->s->count, e);
    }
    if (!rc && kinds[m->s->kind].end)
        rc = kinds[m->s->kind].end(m, e);
    return rc;
}

enum rc sample_make(const struct sample_spec *asked, sample_tick_fn tick, void *ud,
                    struct sample_done *ret, struct err *e)
{
    struct sample_spec s = *asked;
    struct maker m = {.s = &s};
    int64_t bytes = 0;
    enum rc rc;

    if (!s.count)
        s.count = kinds[s.kind].count;
    if (!s.size)
        s.size = kinds[s.kind].size;
    rc = check(&s, e);
    if (!rc && kinds[s.kind].needs_fonts)
        rc = fonts_open(&m.fonts, e);
    if (!rc)
        rc = sample_out_open(&m.out, s.dir, s.zip, e);
    buf_init(&m.text, TEXT_BYTES_MAX);
    buf_init(&m.bytes, PICTURE_BYTES_MAX);
    buf_init(&m.train_list, TEXT_BYTES_MAX);
    buf_init(&m.val_list, TEXT_BYTES_MAX);
    if (!rc)
        rc = draw_all(&m, tick, ud, e);
    if (!rc)
        rc = sample_out_finish(m.out, &bytes, e);
    if (!rc)
        *ret = (struct sample_done){
            .images = m.train + m.val,
            .train = m.train,
            .val = m.val,
            .classes = s.count < kinds[s.kind].classes ? s.count : kinds[s.kind].classes,
            .bytes = bytes,
        };
    buf_done(&m.val_list);
    buf_done(&m.train_list);
    buf_done(&m.bytes);
    buf_done(&m.text);
    sample_out_free(m.out);
    fonts_close(m.fonts);
    return rc;
}
