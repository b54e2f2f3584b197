/* samples.c - see samples.h. */
#include "engine/feed/samples.h"

#include "base/mem.h"
#include "os/os.h"
#include <fcntl.h>

enum { READ_BYTES = 1 << 18, LINE_ARENA_BYTES_MAX = 256 << 20, LABELS_MAX = 255 };
#define COORDINATE_MAX                                                                             \
    1e6f                /* far outside of any picture, and far from where floats lose pixels       \
                         */
#define PART_SLACK 1.5f /* pixels by which an outline may leave its box: both are rounded */

struct reader {
    struct samples *out;
    struct arena *keep; /* what stays */
    struct arena line;  /* what one line needs */
    uint64_t lines;
};

static enum rc take_header(struct reader *r, str line, struct err *e)
{
    struct samples *s = r->out;
    uint64_t sum = 0;
    enum rc rc = dataset_header_read(line, r->keep, &s->header, e);

    for (int i = 0; !rc && i < SPLIT_COUNT; i++) {
        uint64_t n = s->header.splits[i];
        sum += n;
        if (n > UINT32_MAX || sum > s->header.images)
            return err_set(e, RC_CORRUPT, "the splits hold more images than the header states");
        s->of[i] = ARENA_ARRAY(r->keep, struct sample_ref, n ? (size_t)n : 1);
        if (!s->of[i])
            rc = err_set(e, RC_NOMEM, "no memory for the list of %llu images",
                         (unsigned long long)n);
    }
    return rc;
}

/* ---- objects */

static float within(float v)
{
    return v < -COORDINATE_MAX ? -COORDINATE_MAX : v > COORDINATE_MAX ? COORDINATE_MAX : v;
}

static struct net_box box_of(const struct box *b)
{
    return (struct net_box){b->cls, within(b->x), within(b->y), within(b->x + b->w),
                            within(b->y + b->h)};
}

static struct net_box bounds_of(const struct sample_shape *s)
{
    struct net_box b = {s->cls, s->xy[0], s->xy[1], s->xy[0], s->xy[1]};

    for (uint32_t i = 1; i < s->points; i++) {
        float x = s->xy[2 * i], y = s->xy[2 * i + 1];
        b.x0 = x < b.x0 ? x : b.x0;
        b.y0 = y < b.y0 ? y : b.y0;
        b.x1 = x > b.x1 ? x : b.x1;
        b.y1 = y > b.y1 ? y : b.y1;
    }
    return b;
}

static bool has_area(const struct net_box *b)
{
    return b->x1 > b->x0 && b->y1 > b->y0;
}

static bool inside(const struct net_box *a, const struct net_box *of)
{
    return a->cls == of->cls && a->x0 >= of->x0 - PART_SLACK && a->y0 >= of->y0 - PART_SLACK &&
           a->x1 <= of->x1 + PART_SLACK && a->y1 <= of->y1 + PART_SLACK;
}

static bool fills(const struct net_box *a, const struct net_box *of)
{
    return inside(a, of) && inside(of, a);
}

/* Boxes and polygons come in the order of the objects, so one walk over both finds the parts: a
 * box takes the polygons from here on that lie in it, until it is filled; where the first lies not
 * in it the object has no outline. */
static void join_parts(const struct net_box *boxes, size_t boxes_n, struct sample_shape *s,
                       size_t n)
{
    size_t at = 0;

    for (size_t b = 0; b < boxes_n && at < n; b++) {
        struct net_box all = bounds_of(&s[at]);
        if (!inside(&all, &boxes[b]))
            continue;
        for (; at + 1 < n && !fills(&all, &boxes[b]); at++) {
            struct net_box next = bounds_of(&s[at + 1]);
            if (!inside(&next, &boxes[b]) || (b + 1 < boxes_n && fills(&next, &boxes[b + 1])))
                break;
            s[at].more = true;
            all.x0 = next.x0 < all.x0 ? next.x0 : all.x0;
            all.y0 = next.y0 < all.y0 ? next.y0 : all.y0;
            all.x1 = next.x1 > all.x1 ? next.x1 : all.x1;
            all.y1 = next.y1 > all.y1 ? next.y1 : all.y1;
        }
        at++;
    }
}

static bool keep_shape(struct arena *a, struct sample_shape *to, int32_t cls, const float *xy,
                       size_t points)
{
    float *copy = ARENA_ARRAY(a, float, 2 * points);

    if (!copy)
        return false;
    for (size_t i = 0; i < 2 * points; i++)
        copy[i] = within(xy[i]);
    *to = (struct sample_shape){.cls = cls, .points = (uint32_t)points, .xy = copy};
    return true;
}

static bool keep_shapes(struct arena *a, const struct sample *in, struct sample_ref *to)
{
    size_t n = in->polygons_n + in->quads_n;
    struct sample_shape *s = n ? ARENA_ARRAY(a, struct sample_shape, n) : NULL;
    bool ok = s || !n;

    for (size_t i = 0; ok && i < n; i++) {
        const struct polygon *p = &in->polygons[i];
        if (i < in->polygons_n)
            ok = keep_shape(a, &s[i], p->cls, p->xy, p->points);
        else
            ok = keep_shape(a, &s[i], 0, in->quads[i - in->polygons_n].xy, 4);
    }
    to->shapes = s;
    to->shapes_n = ok ? (uint32_t)n : 0;
    return ok;
}

static enum rc take_objects(struct reader *r, const struct sample *in, struct sample_ref *to,
                            struct err *e)
{
    struct arena *a = r->keep;
    size_t most = in->boxes_n ? in->boxes_n : in->polygons_n + in->quads_n;
    struct net_box *b = most ? ARENA_ARRAY(a, struct net_box, most) : NULL;
    size_t n = 0;

    if ((most && !b) || !keep_shapes(a, in, to))
        return err_set(e, RC_NOMEM, "no memory for the objects of the images");
    for (size_t i = 0; i < in->boxes_n; i++) {
        b[n] = box_of(&in->boxes[i]);
        n += has_area(&b[n]);
    }
    if (in->boxes_n)
        join_parts(b, n, (struct sample_shape *)(uintptr_t)to->shapes, in->polygons_n);
    for (size_t i = 0; !in->boxes_n && i < to->shapes_n; i++) {
        b[n] = bounds_of(&to->shapes[i]);
        n += has_area(&b[n]);
    }
    to->boxes = b;
    to->boxes_n = (uint32_t)n;
    return RC_OK;
}

static enum rc take_sample(struct reader *r, str line, struct err *e)
{
    struct samples *s = r->out;
    struct sample in;
    enum rc rc = sample_read(line, &s->header, &r->line, &in, e);

    if (rc)
        return rc;
    if (s->n[in.split] == s->header.splits[in.split])
        return err_set(e, RC_CORRUPT, "more images in split '%s' than the header states",
                       split_names[in.split]);
    struct sample_ref *to = &s->of[in.split][s->n[in.split]++];
    memcpy(to->sha256, in.sha256, sizeof to->sha256);
    to->width = in.width;
    to->height = in.height;
    to->label = in.label;
    to->name = arena_str(r->keep, in.name);
    return to->name.p ? take_objects(r, &in, to, e)
                      : err_set(e, RC_NOMEM, "no memory for the names of the images");
}

static enum rc take_line(struct reader *r, str line, struct err *e)
{
    enum rc rc;

    r->lines++;
    rc = r->lines == 1 ? take_header(r, line, e) : take_sample(r, line, e);
    arena_reset(&r->line);
    return rc ? err_wrap(e, rc, "line %llu", (unsigned long long)r->lines) : RC_OK;
}

/* Takes the whole lines off `b`. */
static enum rc take_lines(struct reader *r, struct buf *b, struct err *e)
{
    str rest = buf_view(b);
    ptrdiff_t at;
    enum rc rc = RC_OK;

    while (!rc && (at = str_chr(rest, '\n')) >= 0) {
        rc = take_line(r, str_sub(rest, 0, (size_t)at), e);
        rest = str_sub(rest, (size_t)at + 1, rest.n);
    }
    buf_drop_front(b, b->n - rest.n);
    return rc;
}

static enum rc take_file(struct reader *r, int fd, struct err *e)
{
    struct buf b;
    size_t got = 1;
    enum rc rc = RC_OK;

    buf_init(&b, DATASET_LINE_BYTES_MAX + READ_BYTES);
    while (!rc && got > 0) {
        void *to = buf_grow(&b, READ_BYTES);
        rc = to ? os_read(fd, to, READ_BYTES, &got, e) : buf_ok(&b, e);
        if (rc)
            break;
        b.n -= READ_BYTES - got;
        rc = take_lines(r, &b, e);
    }
    if (!rc && b.n > 0)
        rc = err_set(e, RC_CORRUPT, "the file ends inside line %llu",
                     (unsigned long long)r->lines + 1);
    buf_done(&b);
    return rc;
}

enum rc samples_read(const char *path, struct arena *a, struct samples *ret, struct err *e)
{
    struct samples s = {0};
    struct reader r = {.out = &s, .keep = a};
    int fd = -1;
    enum rc rc = os_open(path, O_RDONLY, 0, &fd, e);

    if (rc)
        return rc;
    arena_init(&r.line, LINE_ARENA_BYTES_MAX);
    rc = take_file(&r, fd, e);
    if (!rc && r.lines == 0)
        rc = err_set(e, RC_CORRUPT, "the file is empty");
    for (int i = 0; !rc && i < SPLIT_COUNT; i++)
        if (s.n[i] != s.header.splits[i])
            rc = err_set(e, RC_CORRUPT, "split '%s' has %zu images, but the header states %llu",
                         split_names[i], s.n[i], (unsigned long long)s.header.splits[i]);
    arena_done(&r.line);
    os_close(fd);
    if (rc)
        return err_wrap(e, rc, "the manifest %s", path);
    *ret = s;
    return RC_OK;
}

/* ---- what a network learns from it */

static int32_t background_class(const struct dataset_header *h)
{
    for (size_t i = 0; i < h->classes_n; i++)
        if (str_ieq(h->classes[i], STR("background")))
            return (int32_t)i;
    return -1;
}

struct semantic_map samples_semantic_map(const struct dataset_header *h)
{
    int32_t own = background_class(h);
    return own >= 0 ? (struct semantic_map){own, 0} : (struct semantic_map){0, 1};
}

enum rc samples_classes(const struct dataset_header *h, enum net_task task, struct arena *a,
                        str **ret, size_t *ret_n, struct err *e)
{
    size_t own = h->task == TASK_TEXT ? 1 : h->classes_n, n = 0;
    bool add = task == NET_SEMANTIC && background_class(h) < 0;
    str *names = ARENA_ARRAY(a, str, own + 1);

    if (!names)
        return err_set(e, RC_NOMEM, "no memory for the names of the classes");
    if (add)
        names[n++] = STR("background");
    for (size_t i = 0; i < own; i++)
        names[n++] = h->task == TASK_TEXT ? STR("text") : h->classes[i];
    if (task == NET_SEMANTIC && n > LABELS_MAX)
        return err_set(e, RC_TOO_LARGE,
                       "semantic segmentation tells at most %d classes apart, background among "
                       "them; the dataset has %zu",
                       LABELS_MAX, own);
    *ret = names;
    *ret_n = n;
    return RC_OK;
}

enum rc samples_check(const struct sample_ref *s, size_t n, enum net_task task,
                      uint64_t *ret_boxes_only, struct err *e)
{
    size_t labels = 0, boxes = 0, shapes = 0, boxes_only = 0;

    for (size_t i = 0; i < n; i++) {
        labels += s[i].label >= 0;
        boxes += s[i].boxes_n > 0;
        shapes += s[i].shapes_n > 0;
        boxes_only += s[i].boxes_n > 0 && s[i].shapes_n == 0;
    }
    if (task == NET_CLASSIFICATION && !labels)
        return err_set(e, RC_INVALID,
                       "none of the %zu pictures has a class; classification needs one for each",
                       n);
    if (task == NET_DETECTION && !boxes)
        return err_set(e, RC_INVALID, "none of the %zu pictures has a box; detection needs them",
                       n);
    if ((task == NET_SEGMENTATION || task == NET_SEMANTIC) && !shapes)
        return err_set(e, RC_INVALID,
                       "none of the %zu pictures has an outline%s; segmentation needs polygons, or "
                       "train a detection model",
                       n, boxes ? " (boxes are no masks)" : "");
    if (ret_boxes_only)
        *ret_boxes_only = boxes_only;
    return RC_OK;
}

static int by_value(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return x < y ? -1 : x > y;
}

static int32_t median(const struct sample_ref *s, size_t n, bool longer, struct arena *a)
{
    int32_t *side = ARENA_ARRAY(a, int32_t, n ? n : 1);

    if (!side || !n)
        return 0;
    for (size_t i = 0; i < n; i++)
        side[i] = (s[i].width < s[i].height) == longer ? s[i].height : s[i].width;
    qsort(side, n, sizeof *side, by_value);
    return side[n / 2];
}

int32_t samples_median_side(const struct sample_ref *s, size_t n, struct arena *a)
{
    return median(s, n, false, a);
}

int32_t samples_median_long_side(const struct sample_ref *s, size_t n, struct arena *a)
{
    return median(s, n, true, a);
}
