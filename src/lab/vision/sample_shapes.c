/* sample_shapes.c - one to six objects on textured ground, each with its box.
 *
 * Every object is a polygon, so that its box is exact: the box of its outline, clipped to the
 * picture.  Objects keep apart (their boxes overlap by a tenth at most) and lie wholly inside.
 *
 *   yolo   data.yaml  images/train/00001.jpg  labels/train/00001.txt     class cx cy w h, as parts
 *   voc    JPEGImages/00001.jpg  Annotations/00001.xml  ImageSets/Main/train.txt val.txt
 */
#include "lab/vision/sample_int.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { POINTS_MAX = 96, OBJECTS_MAX = 6, TRIES_MAX = 40, JPEG_QUALITY = 90 };

const char *const shape_names[] = {"circle", "square", "triangle", "star", "hexagon",
                                   "heart",  "cross",  "crescent", NULL};

struct object {
    int cls;
    struct point p[POINTS_MAX];
    size_t n;
    double x0, y0, x1, y1; /* box */
    struct rgb base, light;
    double lx, ly, span; /* the light: direction, and the way over which it falls off */
    uint64_t grain;
};

static void regular(struct object *o, int n, double turn)
{
    for (int i = 0; i < n; i++) {
        double a = turn + 2 * M_PI * i / n;

        o->p[o->n++] = (struct point){cos(a), sin(a)};
    }
}

/* Outlines with radius about 1 around the origin. */
static void outline(struct object *o, struct rng *r)
{
    static const double cross[12][2] = {{-.34, -1},  {.34, -1},  {.34, -.34}, {1, -.34},
                                        {1, .34},    {.34, .34}, {.34, 1},    {-.34, 1},
                                        {-.34, .34}, {-1, .34},  {-1, -.34},  {-.34, -.34}};
    double thin = rng_in(r, 0.4, 0.55);

    o->n = 0;
    switch (o->cls) {
    case 0:
        regular(o, 64, 0);
        break;
    case 1:
        regular(o, 4, M_PI / 4);
        break;
    case 2:
        regular(o, 3, -M_PI / 2);
        break;
    case 3:
        for (int i = 0; i < 10; i++) {
            double a = -M_PI / 2 + M_PI * i / 5, d = i & 1 ? thin : 1;
            o->p[o->n++] = (struct point){d * cos(a), d * sin(a)};
        }
        break;
    case 4:
        regular(o, 6, 0);
        break;
    case 5:
        for (int i = 0; i < 72; i++) { /* the usual curve: x = 16 sin^3 t, y = 13 cos t - .. */
            double t = 2 * M_PI * i / 72, s = sin(t);
            double y = 13 * cos(t) - 5 * cos(2 * t) - 2 * cos(3 * t) - cos(4 * t);
            o->p[o->n++] = (struct point){s * s * s, -y / 16};
        }
        break;
    case 6:
        for (size_t i = 0; i < 12; i++)
            o->p[o->n++] = (struct point){cross[i][0], cross[i][1]};
        break;
    default:
        for (int i = 0; i <= 36; i++) {
            double a = 0.22 * M_PI + 1.56 * M_PI * i / 36;
            o->p[o->n++] = (struct point){cos(a), sin(a)};
        }
        for (int i = 30; i > 0; i--) { /* back along the smaller circle */
            double a = 0.3 * M_PI + 1.4 * M_PI * i / 31;
            o->p[o->n++] = (struct point){0.3 + 0.72 * cos(a), 0.72 * sin(a)};
        }
    }
}

static void place(struct object *o, struct rng *r, double side)
{
    double size = side * rng_in(r, 0.07, 0.2), squash = rng_in(r, 0.82, 1);
    double turn = o->cls == 5 ? rng_in(r, -0.5, 0.5) : rng_in(r, 0, 2 * M_PI);
    double c = cos(turn), s = sin(turn), cx = rng_in(r, size, side - size);
    double cy = rng_in(r, size, side - size);

    o->x0 = o->y0 = 1e30;
    o->x1 = o->y1 = -1e30;
    for (size_t i = 0; i < o->n; i++) {
        double x = o->p[i].x * size, y = o->p[i].y * size * squash;
        struct point q = {cx + x * c - y * s, cy + x * s + y * c};

        o->p[i] = q;
        o->x0 = fmin(o->x0, q.x);
        o->y0 = fmin(o->y0, q.y);
        o->x1 = fmax(o->x1, q.x);
        o->y1 = fmax(o->y1, q.y);
    }
    o->span = size;
}

static bool fits(const struct object *o, const struct object *others, int n, double side)
{
    double area = (o->x1 - o->x0) * (o->y1 - o->y0);

    if (o->x0 < 1 || o->y0 < 1 || o->x1 > side - 1 || o->y1 > side - 1)
        return false;
    for (int i = 0; i < n; i++) {
        double w = fmin(o->x1, others[i].x1) - fmax(o->x0, others[i].x0);
        double h = fmin(o->y1, others[i].y1) - fmax(o->y0, others[i].y0);
        double other = (others[i].x1 - others[i].x0) * (others[i].y1 - others[i].y0);

        if (w > 0 && h > 0 && w * h > 0.1 * fmin(area, other))
            return false;
    }
    return true;
}

static struct rgb paint_object(const void *ud, double x, double y)
{
    const struct object *o = ud;
    double cx = (o->x0 + o->x1) / 2, cy = (o->y0 + o->y1) / 2;
    double t = 0.5 + ((x - cx) * o->lx + (y - cy) * o->ly) / (2.2 * o->span);
    double g = 1 + 0.05 * noise_sum(o->grain, x * 0.15, y * 0.15, 3);

    return rgb_scale(rgb_mix(o->base, o->light, t < 0 ? 0 : t > 1 ? 1 : t), g);
}

static struct rgb paint_plain(const void *ud, double x, double y)
{
    return *(const struct rgb *)ud;
}

/* Shadow, rim, body: the body a little smaller, so that the rim shows around it. */
static void draw_object(struct canvas *c, struct rng *r, struct object *o, double sun)
{
    struct point shadow[POINTS_MAX];
    struct rgb black = {0, 0, 0}, rim;
    double far = o->span * rng_in(r, 0.08, 0.2), line = rng_in(r, 0.01, 0.05) * o->span;
    double h = rng_unit(r), s = rng_in(r, 0.45, 0.95), v = rng_in(r, 0.55, 0.98);

    o->lx = -cos(sun);
    o->ly = -sin(sun);
    o->base = rgb_hsv(h - 0.04, s, v * 0.72);
    o->light = rgb_hsv(h + 0.03, s * 0.72, v);
    o->grain = splitmix64(&r->state);
    rim = rgb_scale(o->base, rng_in(r, 0.35, 0.8));
    for (size_t i = 0; i < o->n; i++)
        shadow[i] = (struct point){o->p[i].x + cos(sun) * far, o->p[i].y + sin(sun) * far};
    fill_polygon(c, shadow, o->n, 0, o->span * 0.3, 0.42, paint_plain, &black);
    fill_polygon(c, o->p, o->n, 0, 1, 1, paint_plain, &rim);
    fill_polygon(c, o->p, o->n, -line, 1, 1, paint_object, o);
}

/* ---- labels */

static void yolo_text(struct buf *b, const struct object *o, int n, double side)
{
    for (int i = 0; i < n; i++)
        buf_printf(b, "%d %.6f %.6f %.6f %.6f\n", o[i].cls, (o[i].x0 + o[i].x1) / 2 / side,
                   (o[i].y0 + o[i].y1) / 2 / side, (o[i].x1 - o[i].x0) / side,
                   (o[i].y1 - o[i].y0) / side);
}

static void voc_text(struct buf *b, const struct object *o, int n, int side, const char *file)
{
    buf_printf(b,
               "<annotation>\n  <folder>JPEGImages</folder>\n  <filename>%s</filename>\n"
               "  <size><width>%d</width><height>%d</height><depth>3</depth></size>\n",
               file, side, side);
    for (int i = 0; i < n; i++)
        buf_printf(b,
                   "  <object>\n    <name>%s</name>\n    <difficult>0</difficult>\n    <bndbox>"
                   "<xmin>%.0f</xmin><ymin>%.0f</ymin><xmax>%.0f</xmax><ymax>%.0f</ymax></bndbox>\n"
                   "  </object>\n",
                   shape_names[o[i].cls], floor(o[i].x0), floor(o[i].y0), ceil(o[i].x1),
                   ceil(o[i].y1));
    buf_puts(b, "</annotation>\n");
}

static enum rc put(struct maker *m, const char *path, struct buf *b, struct err *e)
{
    enum rc rc = buf_ok(b, e);

    if (!rc)
        rc = sample_out_put(m->out, path, buf_view(b), e);
    buf_clear(b);
    return rc;
}

static enum rc write_one(struct maker *m, int64_t i, const struct object *o, int n, struct err *e)
{
    bool val = sample_is_val(i), voc = m->s->layout == SAMPLE_VOC;
    const char *split = val ? "val" : "train";
    char path[96], file[32];
    enum rc rc;

    snprintf(file, sizeof file, "%05lld.jpg", (long long)i + 1);
    if (voc)
        snprintf(path, sizeof path, "JPEGImages/%s", file);
    else
        snprintf(path, sizeof path, "images/%s/%s", split, file);
    rc = put(m, path, &m->bytes, e);
    if (rc)
        return rc;
    if (voc) {
        voc_text(&m->text, o, n, (int)m->s->size, file);
        buf_printf(val ? &m->val_list : &m->train_list, "%05lld\n", (long long)i + 1);
        snprintf(path, sizeof path, "Annotations/%05lld.xml", (long long)i + 1);
    } else {
        yolo_text(&m->text, o, n, (double)m->s->size);
        snprintf(path, sizeof path, "labels/%s/%05lld.txt", split, (long long)i + 1);
    }
    *(val ? &m->val : &m->train) += 1;
    return put(m, path, &m->text, e);
}

/* ---- the picture */

enum rc shapes_one(struct maker *m, int64_t i, struct err *e)
{
    struct rng r = rng_of(m->s->seed, SAMPLE_SHAPES, i);
    struct object o[OBJECTS_MAX];
    struct image im = {0};
    struct canvas c;
    double side = (double)m->s->size, sun = rng_in(&r, 0.2, 1.3) + rng_int(&r, 4) * M_PI / 2;
    int want = 1 + rng_int(&r, OBJECTS_MAX), n = 0;
    enum rc rc = canvas_init(&c, (int)side, (int)side, (struct rgb){0, 0, 0}, e);

    if (rc)
        return rc;
    ground_draw(&c, &r, (enum ground)rng_int(&r, GROUND_COUNT));
    for (int tries = 0; n < want && tries < TRIES_MAX; tries++) {
        o[n].cls = n ? rng_int(&r, SHAPE_CLASSES) : (int)(i % SHAPE_CLASSES);
        outline(&o[n], &r);
        place(&o[n], &r, side);
        n += fits(&o[n], o, n, side);
    }
    for (int k = 0; k < n; k++)
        draw_object(&c, &r, &o[k], sun);
    light_draw(&c, &r, 0.3);
    rc = canvas_blur(&c, rng_unit(&r) * 0.9, e);
    if (!rc)
        rc = canvas_finish(&c, &r, rng_in(&r, 0.004, 0.02), &im, e);
    buf_clear(&m->bytes);
    if (!rc)
        rc = image_encode_jpeg(&im, JPEG_QUALITY, &m->bytes, e);
    if (!rc)
        rc = write_one(m, i, o, n, e);
    image_done(&im);
    canvas_done(&c);
    return rc;
}

enum rc shapes_end(struct maker *m, struct err *e)
{
    enum rc rc;

    if (m->s->layout == SAMPLE_VOC) {
        rc = put(m, "ImageSets/Main/train.txt", &m->train_list, e);
        return rc ? rc : put(m, "ImageSets/Main/val.txt", &m->val_list, e);
    }
    buf_puts(&m->text, "# made by `anneal sample shapes`\npath: .\ntrain: images/train\n");
    buf_printf(&m->text, "val: images/val\nnc: %d\nnames:\n", SHAPE_CLASSES);
    for (int i = 0; i < SHAPE_CLASSES; i++)
        buf_printf(&m->text, "  %d: %s\n", i, shape_names[i]);
    return put(m, "data.yaml", &m->text, e);
}
