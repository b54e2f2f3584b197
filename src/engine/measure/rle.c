/* rle.c - forms of a run-length mask, set operations, areas, boxes, IoU.
 *
 * Whatever walks two masks at once walks their runs, never their pixels.  Everything that makes a
 * mask goes through struct rle_build, so that the canonical form of rle.h holds by construction.
 */
#include "engine/measure/rle.h"

#include "engine/measure/rle_int.h"
#include <math.h>
#include <string.h>

enum { TEXT_DIGIT_MIN = 48, TEXT_DIGIT_MAX = 48 + 63, TEXT_DIGITS_MAX = 7 };

/* ---- building */
enum rc rle_check_size(uint32_t h, uint32_t w, struct err *e)
{
    if (h < 1 || w < 1 || h > RLE_SIDE_MAX || w > RLE_SIDE_MAX || (uint64_t)h * w > RLE_PIXELS_MAX)
        return err_set(e, RC_INVALID,
                       "a mask of %u x %u pixels: each side must be 1 to %d, and all"
                       " at most %d",
                       w, h, RLE_SIDE_MAX, RLE_PIXELS_MAX);
    return RC_OK;
}

void rle_build_put(struct rle_build *b, bool inside, uint32_t n)
{
    if (!n || b->nomem)
        return;
    if (b->runs.n % 2 == (inside ? 0 : 1)) { /* the last run is of this kind, or there is none */
        if (b->runs.n) {
            b->runs.p[b->runs.n - 1] += n;
            return;
        }
        b->nomem = !VEC_PUSH(&b->runs, 0);
    }
    b->nomem = b->nomem || !VEC_PUSH(&b->runs, n);
}

void rle_build_done(struct rle_build *b)
{
    VEC_DONE(&b->runs);
}

enum rc rle_build_take(struct rle_build *b, uint32_t h, uint32_t w, struct rle *ret, struct err *e)
{
    if (b->nomem) {
        rle_build_done(b);
        return err_set(e, RC_NOMEM, "out of memory for a mask of %u x %u pixels", w, h);
    }
    uint32_t *tight = mem_realloc(b->runs.p, b->runs.n * sizeof *tight);
    *ret = (struct rle){h, w, tight ? tight : b->runs.p, b->runs.n};
    return RC_OK;
}

void rle_done(struct rle *m)
{
    mem_free(m->runs);
    *m = (struct rle){0};
}

/* ---- forms */
enum rc rle_from_runs(const uint32_t *runs, size_t n, uint32_t h, uint32_t w, struct rle *ret,
                      struct err *e)
{
    struct rle_build b = {0};
    uint64_t sum = 0;
    enum rc rc = rle_check_size(h, w, e);

    for (size_t i = 0; !rc && i < n; i++) {
        sum += runs[i];
        if (sum > (uint64_t)h * w)
            break;
        rle_build_put(&b, i % 2, runs[i]);
    }
    if (!rc && sum != (uint64_t)h * w)
        rc = err_set(e, RC_INVALID, "the runs of a mask of %u x %u pixels add up to %s than %llu",
                     w, h, sum > (uint64_t)h * w ? "more" : "less", (unsigned long long)h * w);
    if (!rc)
        return rle_build_take(&b, h, w, ret, e);
    rle_build_done(&b);
    return rc;
}

/* Takes one number off *at; false: a character that is no digit, too many, or the text ends. */
static bool text_number(str text, size_t *at, int64_t *ret)
{
    uint64_t x = 0;

    for (unsigned k = 0; k < TEXT_DIGITS_MAX && *at < text.n; k++) {
        int c = (unsigned char)text.p[*at];
        if (c < TEXT_DIGIT_MIN || c > TEXT_DIGIT_MAX)
            return false;
        c -= TEXT_DIGIT_MIN;
        x |= (uint64_t)(c & 31) << (5 * k);
        ++*at;
        if (!(c & 32)) {
            *ret = c & 16 ? (int64_t)x - ((int64_t)1 << (5 * (k + 1))) : (int64_t)x;
            return true;
        }
    }
    return false;
}

enum rc rle_from_text(str text, uint32_t h, uint32_t w, struct rle *ret, struct err *e)
{
    struct rle_build b = {0};
    int64_t before[2] = {0}, sum = 0, run; /* before[i % 2]: the run before the last, uncut */
    size_t at = 0, i = 0;
    enum rc rc = rle_check_size(h, w, e);

    for (; !rc && at < text.n; i++) {
        size_t from = at;
        if (!text_number(text, &at, &run)) {
            rc = err_set(e, RC_INVALID,
                         "a mask's counts: no number of COCO's compressed form at "
                         "character %zu of %zu",
                         from + 1, text.n);
            break;
        }
        if (i > 2)
            run += before[i % 2];
        before[i % 2] = run;
        sum += run;
        if (run < 0 || sum > (int64_t)h * w)
            rc = err_set(e, RC_INVALID,
                         "a mask's counts: run %zu, %lld long, does not fit into %u "
                         "x %u pixels",
                         i + 1, (long long)run, w, h);
        else
            rle_build_put(&b, i % 2, (uint32_t)run);
    }
    if (!rc && sum != (int64_t)h * w)
        rc = err_set(e, RC_INVALID,
                     "a mask's counts add up to %lld, not to the %lld pixels of %u "
                     "x %u",
                     (long long)sum, (long long)h * w, w, h);
    if (!rc)
        return rle_build_take(&b, h, w, ret, e);
    rle_build_done(&b);
    return rc;
}

void rle_to_text(const struct rle *m, struct buf *out)
{
    for (size_t i = 0; i < m->n; i++) {
        int64_t x = (int64_t)m->runs[i] - (i > 2 ? m->runs[i - 2] : 0);
        bool more = true;
        while (more) {
            int digit = (int)(x & 31);
            x = (x - digit) / 32; /* floor */
            more = digit & 16 ? x != -1 : x != 0;
            buf_putc(out, (char)(TEXT_DIGIT_MIN + digit + (more ? 32 : 0)));
        }
    }
}

enum rc rle_from_bitmap(const uint8_t *px, size_t stride, uint32_t h, uint32_t w, struct rle *ret,
                        struct err *e)
{
    struct rle_build b = {0};
    enum rc rc = rle_check_size(h, w, e);
    bool inside = false;
    uint32_t n = 0;

    if (rc)
        return rc;
    for (uint32_t x = 0; x < w; x++)
        for (uint32_t y = 0; y < h; y++, n++)
            if ((px[y * stride + x] != 0) != inside) {
                rle_build_put(&b, inside, n);
                inside = !inside;
                n = 0;
            }
    rle_build_put(&b, inside, n);
    return rle_build_take(&b, h, w, ret, e);
}

void rle_to_bitmap(const struct rle *m, uint8_t *px, size_t stride)
{
    uint32_t x = 0, y = 0;

    for (size_t i = 0; i < m->n; i++)
        for (uint32_t k = 0; k < m->runs[i]; k++) {
            px[y * stride + x] = i % 2;
            if (++y == m->h) {
                y = 0;
                x++;
            }
        }
}

/* ---- two masks at once */
struct cursor {
    const struct rle *m;
    size_t i;
    uint32_t left; /* of run i */
};

static struct cursor cursor_of(const struct rle *m)
{
    struct cursor c = {m, 0, m->runs[0]};

    if (!c.left && m->n > 1)
        c = (struct cursor){m, 1, m->runs[1]};
    return c;
}

static void cursor_move(struct cursor *c, uint32_t n)
{
    c->left -= n;
    if (!c->left && c->i + 1 < c->m->n)
        c->left = c->m->runs[++c->i];
}

static enum rc merge_two(const struct rle *a, const struct rle *b, bool intersect, struct rle *ret,
                         struct err *e)
{
    struct cursor p = cursor_of(a), q = cursor_of(b);
    struct rle_build out = {0};

    while (p.left && q.left) {
        uint32_t n = p.left < q.left ? p.left : q.left;
        bool in_p = p.i % 2, in_q = q.i % 2;
        rle_build_put(&out, intersect ? in_p && in_q : in_p || in_q, n);
        cursor_move(&p, n);
        cursor_move(&q, n);
    }
    return rle_build_take(&out, a->h, a->w, ret, e);
}

enum rc rle_merge(const struct rle *const *masks, size_t n, bool intersect, struct rle *ret,
                  struct err *e)
{
    struct rle all, next;
    enum rc rc;

    if (!n)
        return err_set(e, RC_INVALID, "no masks to merge");
    for (size_t i = 1; i < n; i++)
        if (masks[i]->h != masks[0]->h || masks[i]->w != masks[0]->w)
            return err_set(e, RC_INVALID, "masks of %u x %u and of %u x %u pixels do not merge",
                           masks[0]->w, masks[0]->h, masks[i]->w, masks[i]->h);
    rc = merge_two(masks[0], masks[0], true, &all, e); /* a copy */
    for (size_t i = 1; !rc && i < n; i++) {
        rc = merge_two(&all, masks[i], intersect, &next, e);
        rle_done(&all);
        if (!rc)
            all = next;
    }
    if (!rc)
        *ret = all;
    return rc;
}

struct rle_overlap rle_overlap_of(const struct rle *a, const struct rle *b)
{
    struct cursor p = cursor_of(a), q = cursor_of(b);
    struct rle_overlap o = {0};

    while (p.left && q.left) {
        uint32_t n = p.left < q.left ? p.left : q.left;
        o.a += p.i % 2 ? n : 0;
        o.b += q.i % 2 ? n : 0;
        o.both += p.i % 2 && q.i % 2 ? n : 0;
        cursor_move(&p, n);
        cursor_move(&q, n);
    }
    return o;
}

/* ---- numbers */
uint64_t rle_area(const struct rle *m)
{
    uint64_t area = 0;

    for (size_t i = 1; i < m->n; i += 2)
        area += m->runs[i];
    return area;
}

void rle_box(const struct rle *m, double ret_box[4])
{
    uint32_t x0 = m->w, x1 = 0, y0 = m->h, y1 = 0, at = m->n ? m->runs[0] : 0;

    for (size_t i = 1; i < m->n; i += 2) {
        uint32_t last = at + m->runs[i] - 1;
        uint32_t left = at / m->h, right = last / m->h;
        uint32_t top = left < right ? 0 : at % m->h;
        uint32_t bottom = left < right ? m->h - 1 : last % m->h;
        x0 = left < x0 ? left : x0;
        x1 = right > x1 ? right : x1;
        y0 = top < y0 ? top : y0;
        y1 = bottom > y1 ? bottom : y1;
        at = last + 1 + (i + 1 < m->n ? m->runs[i + 1] : 0);
    }
    memset(ret_box, 0, 4 * sizeof *ret_box);
    if (m->n > 1) {
        ret_box[0] = x0;
        ret_box[1] = y0;
        ret_box[2] = x1 - x0 + 1;
        ret_box[3] = y1 - y0 + 1;
    }
}

double rle_iou(const struct rle *detection, const struct rle *truth, bool truth_is_crowd)
{
    struct rle_overlap o;

    if (detection->h != truth->h || detection->w != truth->w)
        return 0;
    o = rle_overlap_of(detection, truth);
    return o.both ? (double)o.both / (double)(truth_is_crowd ? o.a : o.a + o.b - o.both) : 0;
}

static bool box_ok(const double b[4])
{
    return isfinite(b[0]) && isfinite(b[1]) && isfinite(b[2]) && isfinite(b[3]) && b[2] > 0 &&
           b[3] > 0;
}

double rle_box_iou(const double d[4], const double t[4], bool truth_is_crowd)
{
    double w = fmin(d[2] + d[0], t[2] + t[0]) - fmax(d[0], t[0]);
    double h = fmin(d[3] + d[1], t[3] + t[1]) - fmax(d[1], t[1]);
    double both, all;

    if (!(w > 0 && h > 0) || !box_ok(d) || !box_ok(t))
        return 0;
    both = w * h;
    all = truth_is_crowd ? d[2] * d[3] : d[2] * d[3] + t[2] * t[3] - both;
    return all > 0 && isfinite(all) ? both / all : 0;
}
