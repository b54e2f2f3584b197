/* rle_fuzz.c - the first byte chooses the form, the next two the size: COCO's compressed text,
 * plain runs, or the vertices of a polygon.  What is taken must be canonical and go round. */
#include "base/mem.h"
#include "engine/measure/rle.h"
#include <string.h>

static void check(struct rle *m)
{
    uint64_t sum = 0;
    double box[4];
    struct rle again;
    struct buf b;
    struct err e;

    for (size_t i = 0; i < m->n; i++) {
        ASSERT(m->runs[i] || !i);
        sum += m->runs[i];
    }
    ASSERT(m->n && sum == (uint64_t)m->h * m->w);
    rle_box(m, box);
    ASSERT(box[0] + box[2] <= m->w && box[1] + box[3] <= m->h);
    ASSERT((double)rle_area(m) <= box[2] * box[3]);
    ASSERT(rle_iou(m, m, false) == (rle_area(m) > 0));
    buf_init(&b, 1 << 20);
    rle_to_text(m, &b);
    if (buf_ok(&b, &e) == RC_OK) {
        ASSERT(rle_from_text(buf_view(&b), m->h, m->w, &again, &e) == RC_OK);
        ASSERT(again.n == m->n && !memcmp(again.runs, m->runs, m->n * sizeof *m->runs));
        rle_done(&again);
    }
    buf_done(&b);
    rle_done(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct rle m;
    struct err e;
    uint32_t h, w, runs[256];
    double xy[64];
    size_t count;

    if (n < 3)
        return 0;
    h = p[1];
    w = p[2] * (p[0] & 4 ? 257u : 1u);
    n -= 3;
    if (p[0] % 4 == 0) {
        if (!rle_from_text((str){(const char *)p + 3, n}, h, w, &m, &e))
            check(&m);
    } else if (p[0] % 4 == 1) {
        count = n / 4 < 256 ? n / 4 : 256;
        memcpy(runs, p + 3, count * 4);
        if (!rle_from_runs(runs, count, h, w, &m, &e))
            check(&m);
    } else if (p[0] % 4 == 2) { /* any doubles */
        count = n / 8 < 64 ? n / 8 : 64;
        memcpy(xy, p + 3, count * 8);
        for (size_t i = 0; i < count; i++) /* a walk over a million pixels tells nothing more */
            xy[i] = xy[i] > 5000 ? 5000 : xy[i] < -5000 ? -5000 : xy[i];
        if (!rle_from_polygons(&(struct rle_polygon){xy, count / 2}, 1, h, w, &m, &e))
            check(&m);
    } else { /* near the picture */
        count = n / 2 < 64 ? n / 2 : 64;
        for (size_t i = 0; i < count; i++)
            xy[i] = (int16_t)(p[3 + 2 * i] | p[4 + 2 * i] << 8) / 64.0;
        if (!rle_from_polygons(&(struct rle_polygon){xy, count / 2}, 1, h, w, &m, &e))
            check(&m);
    }
    return 0;
}
