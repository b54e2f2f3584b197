/* sample_receipts.c - a receipt on a table: printed upright on a canvas of its own, then laid down
 * turned and in perspective; the quadrangles of its lines go through the same map.
 *
 * Labels: x1,y1,..,x4,y4,text a line of print, clockwise from its top left (ICDAR 2015, task 4.1).
 */
#include "lab/vision/sample_int.h"
#include "lab/vision/sample_till.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { JPEG_QUALITY = 88 };

struct line_box {
    double x0, y0, x1, y1; /* on the paper */
    char text[2 * TILL_TEXT_MAX];
};
struct paper {
    struct maker *m;
    struct rng *r;
    struct canvas c;
    struct pen pen, bold;
    double cell, step, margin; /* width of a letter, height of a line, border; in pixels */
    uint64_t fade;
    struct line_box box[TILL_LINES_MAX];
    int boxes;
};

/* ---- fonts */

/* The bold sister of a font, or itself. */
static size_t bold_of(const struct fonts *f, size_t font)
{
    char want[160];

    for (size_t i = 0; i < fonts_count(f); i++) {
        const char *name = fonts_name(f, font), *space = strrchr(name, ' ');

        snprintf(want, sizeof want, "%.*s Bold", (int)(space ? space - name : 0), name);
        if (!strcmp(fonts_name(f, i), want))
            return i;
    }
    return font;
}

static bool is_upright(const char *name)
{
    return !strstr(name, "Bold") && !strstr(name, "Oblique") && !strstr(name, "Italic") &&
           !strstr(name, "ExtraLight");
}

static enum rc choose_font(struct paper *p, struct err *e)
{
    size_t mono_n, font;
    const size_t *mono = fonts_mono(p->m->fonts, &mono_n);
    struct extent wide;
    enum rc rc;

    font = mono_n && rng_unit(p->r) < 0.75 ? mono[rng_int(p->r, (int)mono_n)]
                                           : (size_t)rng_int(p->r, (int)fonts_count(p->m->fonts));
    for (int i = 0; i < 200 && !is_upright(fonts_name(p->m->fonts, font)); i++)
        font = (font + 1) % fonts_count(p->m->fonts);
    p->pen = (struct pen){.font = font, .px = 100, .alpha = 1};
    p->pen.colour = rng_unit(p->r) < 0.2 ? rgb_hex(0x2B2F55) : rgb_hex(0x1E1C1C);
    rc = font_extent(p->m->fonts, &p->pen, '0', &wide, e);
    if (rc)
        return rc;
    p->pen.px = p->cell / wide.advance * 100;
    p->bold = p->pen;
    p->bold.font = bold_of(p->m->fonts, font);
    return RC_OK;
}

/* ---- print */

static double cover(double old, double new_value, bool least)
{
    return least ? fmin(old, new_value) : fmax(old, new_value);
}

/* Writes at x, or only measures (to NULL): the advance, and the ink added to box. */
static enum rc print(struct paper *p, const struct pen *pen, const char *s, double x, double y,
                     bool draw, double *ret_width, struct line_box *box, struct err *e)
{
    double from = x;
    enum rc rc = RC_OK;

    for (; !rc && *s; s++) {
        struct pen faded = *pen;
        struct extent ink;

        rc = font_extent(p->m->fonts, pen, (uint32_t)*s, &ink, e);
        if (!rc && draw) {
            faded.alpha *= 0.86 + 0.3 * noise_sum(p->fade, x * 0.012, y * 0.02, 2);
            rc = font_draw(p->m->fonts, &faded, (uint32_t)*s, &p->c, x, y, e);
        }
        if (!rc && draw && *s != ' ') {
            box->x0 = cover(box->x0, x + ink.x0, true);
            box->y0 = cover(box->y0, y + ink.y0, true);
            box->x1 = cover(box->x1, x + ink.x1, false);
            box->y1 = cover(box->y1, y + ink.y1, false);
        }
        x += ink.advance;
    }
    *ret_width = x - from;
    return rc;
}

static enum rc print_line(struct paper *p, const struct till_line *l, double y, struct err *e)
{
    struct line_box *box = &p->box[p->boxes++];
    struct pen pen = l->bold ? p->bold : p->pen;
    double width, right, x = p->margin, room = p->c.w - 2 * p->margin;
    enum rc rc;

    *box = (struct line_box){1e30, 1e30, -1e30, -1e30, ""};
    pen.px *= l->big ? 1.35 : 1;
    rc = print(p, &pen, l->left, 0, 0, false, &width, box, e);
    if (!rc)
        rc = print(p, &pen, l->right, 0, 0, false, &right, box, e);
    if (!rc && width + right > room) { /* as a till would: smaller letters */
        pen.px *= room / (width + right) * 0.97;
        rc = print(p, &pen, l->left, 0, 0, false, &width, box, e);
        if (!rc)
            rc = print(p, &pen, l->right, 0, 0, false, &right, box, e);
    }
    if (l->place == TILL_CENTRE)
        x = (p->c.w - width) / 2;
    if (!rc)
        rc = print(p, &pen, l->left, x, y, true, &width, box, e);
    if (!rc && *l->right)
        rc = print(p, &pen, l->right, p->c.w - p->margin - right, y, true, &width, box, e);
    snprintf(box->text, sizeof box->text, "%s%s%s", l->left, *l->right ? " " : "", l->right);
    return rc;
}

static void rule(struct paper *p, double y, bool dashed)
{
    int thick = p->cell > 9 ? 2 : 1;

    for (int x = (int)p->margin; x < p->c.w - (int)p->margin; x++)
        for (int t = 0; t < thick; t++)
            if (!dashed || fmod(x / p->cell, 1) < 0.62)
                canvas_blend(&p->c, x, (int)y + t, p->pen.colour, 0.75);
}

static void bars(struct paper *p, double y, double height)
{
    uint64_t seed = splitmix64(&p->r->state);
    double unit = p->cell * 0.22, from = p->c.w * 0.2, to = p->c.w * 0.8;

    for (int x = (int)from; x < (int)to; x++) {
        int64_t i = (int64_t)((x - from) / unit);

        if (rand_unit(rand_at(seed, (uint64_t)i, 0, 0)) < 0.5)
            for (int k = 0; k < (int)height; k++)
                canvas_blend(&p->c, x, (int)y + k, p->pen.colour, 0.92);
    }
}

static double line_height(const struct paper *p, const struct till_line *l)
{
    return p->step * (l->place == TILL_GAP ? 0.6 : l->place == TILL_BARS ? 2.6 : l->big ? 1.4 : 1);
}

static enum rc print_all(struct paper *p, const struct till *t, struct err *e)
{
    double y = p->margin * 1.2;
    bool dashed = rng_unit(p->r) < 0.7;
    enum rc rc = RC_OK;

    for (int i = 0; !rc && i < t->n; i++) {
        const struct till_line *l = &t->line[i];
        double h = line_height(p, l);

        if (l->place == TILL_RULE)
            rule(p, y + h * 0.5, dashed);
        else if (l->place == TILL_BARS)
            bars(p, y + h * 0.05, h * 0.8);
        else if (l->place != TILL_GAP)
            rc = print_line(p, l, y + h * 0.78, e);
        y += h;
    }
    return rc;
}

/* ---- paper */

/* Fibres, and creases where it was folded: light on one side, dark on the other. */
static void age_paper(struct paper *p)
{
    uint64_t seed = splitmix64(&p->r->state);
    int folds = rng_int(p->r, 4);
    double at[4], slope[4], depth[4];

    for (int i = 0; i < folds; i++) {
        at[i] = rng_in(p->r, 0.15, 0.9) * p->c.h;
        slope[i] = rng_in(p->r, -0.04, 0.04);
        depth[i] = rng_in(p->r, 0.04, 0.12);
    }
    for (int y = 0; y < p->c.h; y++)
        for (int x = 0; x < p->c.w; x++) {
            struct rgb *px = &p->c.px[(size_t)y * (size_t)p->c.w + (size_t)x];
            double f = 1 + 0.035 * noise_sum(seed, x * 0.008, y * 0.008, 3) +
                       0.018 * noise_2d(seed + 7, x * 0.7, y * 0.7);

            for (int i = 0; i < folds; i++) {
                double d = (y - at[i] - slope[i] * x) / (p->step * 0.5);
                f += depth[i] * d * exp(-d * d) * 1.6;
            }
            *px = rgb_scale(*px, f);
        }
}

/* Where on the picture the paper's corners lie. */
static void lay_down(struct paper *p, int w, int h, struct point q[4])
{
    double a = rng_normal(p->r) * 0.045, room = rng_in(p->r, 0.86, 0.95);
    double c = cos(a), s = sin(a), pw = p->c.w, ph = p->c.h, worst = 0;
    static const double corner[4][2] = {{-.5, -.5}, {.5, -.5}, {.5, .5}, {-.5, .5}};

    for (int i = 0; i < 4; i++) {
        double x = corner[i][0] * pw * rng_in(p->r, 0.955, 1), y = corner[i][1] * ph;

        y *= rng_in(p->r, 0.965, 1);
        q[i] = (struct point){x * c - y * s, x * s + y * c};
        worst = fmax(worst, fmax(fabs(q[i].x) / (w * 0.5), fabs(q[i].y) / (h * 0.5)));
    }
    for (int i = 0; i < 4; i++) {
        q[i].x = w * 0.5 + q[i].x * room / worst;
        q[i].y = h * 0.5 + q[i].y * room / worst;
    }
}

static struct rgb black(const void *ud, double x, double y)
{
    return (struct rgb){0, 0, 0};
}

/* The paper through the map, four samples a pixel; its lower edge is torn in small teeth. */
static void paste(const struct paper *p, struct canvas *to, const struct point q[4],
                  const struct homography *back)
{
    struct point shadow[4];
    double off = to->h * 0.008;

    for (int i = 0; i < 4; i++)
        shadow[i] = (struct point){q[i].x + off, q[i].y + off * 1.3};
    fill_polygon(to, shadow, 4, 0, off * 3.5, 0.5, black, NULL);
    for (int y = 0; y < to->h; y++)
        for (int x = 0; x < to->w; x++) {
            struct rgb sum = {0, 0, 0};
            int in = 0;

            for (int i = 0; i < 4; i++) {
                struct point u =
                    homography_apply(back, x + 0.25 + 0.5 * (i & 1), y + 0.25 + 0.25 * (i & 2));
                double tooth = fabs(fmod(u.x * p->c.w / p->cell, 1) - 0.5) * p->cell * 0.7;
                struct rgb one;

                if (u.x < 0 || u.x > 1 || u.y < 0 || u.y * p->c.h > p->c.h - tooth)
                    continue;
                one = canvas_at(&p->c, u.x * p->c.w, u.y * p->c.h);
                sum = (struct rgb){sum.r + one.r, sum.g + one.g, sum.b + one.b};
                in++;
            }
            if (in)
                canvas_blend(to, x, y, rgb_scale(sum, 1.0 / in), in / 4.0);
        }
}

/* ---- labels */

static void write_boxes(const struct paper *p, const struct homography *to, struct buf *out)
{
    double pad = p->step * 0.07;

    for (int i = 0; i < p->boxes; i++) {
        const struct line_box *b = &p->box[i];
        double x0 = (b->x0 - pad) / p->c.w, x1 = (b->x1 + pad) / p->c.w;
        double y0 = (b->y0 - pad) / p->c.h, y1 = (b->y1 + pad) / p->c.h;
        struct point q[4] = {homography_apply(to, x0, y0), homography_apply(to, x1, y0),
                             homography_apply(to, x1, y1), homography_apply(to, x0, y1)};

        for (int k = 0; k < 4; k++)
            buf_printf(out, "%ld,%ld,", lround(q[k].x), lround(q[k].y));
        buf_printf(out, "%s\n", b->text);
    }
}

static enum rc write_one(struct maker *m, int64_t i, const struct image *im, struct err *e)
{
    bool val = sample_is_val(i);
    const char *split = val ? "val" : "train";
    char path[96];
    enum rc rc;

    buf_clear(&m->bytes);
    rc = image_encode_jpeg(im, JPEG_QUALITY, &m->bytes, e);
    snprintf(path, sizeof path, "%s/receipt_%05lld.jpg", split, (long long)i + 1);
    if (!rc)
        rc = sample_out_put(m->out, path, buf_view(&m->bytes), e);
    snprintf(path, sizeof path, "%s/gt_receipt_%05lld.txt", split, (long long)i + 1);
    if (!rc)
        rc = buf_ok(&m->text, e);
    if (!rc)
        rc = sample_out_put(m->out, path, buf_view(&m->text), e);
    *(val ? &m->val : &m->train) += 1;
    return rc;
}

static enum rc photograph(struct paper *p, int w, int h, struct image *ret, struct err *e)
{
    struct homography to, back;
    struct point q[4];
    struct canvas c;
    enum rc rc = canvas_init(&c, w, h, (struct rgb){0, 0, 0}, e);

    if (rc)
        return rc;
    ground_draw(&c, p->r, (enum ground)rng_int(p->r, GROUND_COUNT));
    lay_down(p, w, h, q);
    to = homography_to(q);
    back = homography_inverse(&to);
    paste(p, &c, q, &back);
    light_draw(&c, p->r, 0.22);
    rc = canvas_blur(&c, rng_in(p->r, 0, 0.6), e);
    if (!rc)
        rc = canvas_finish(&c, p->r, rng_in(p->r, 0.004, 0.018), ret, e);
    write_boxes(p, &to, &p->m->text);
    canvas_done(&c);
    return rc;
}

enum rc receipts_one(struct maker *m, int64_t i, struct err *e)
{
    struct rng r = rng_of(m->s->seed, SAMPLE_RECEIPTS, i);
    struct paper p = {.m = m, .r = &r, .fade = splitmix64(&r.state)};
    int h = (int)m->s->size, w = h * 3 / 4, tall = 0;
    double paper_h = h * 1.15, lines = 0;
    struct image im = {0};
    struct till t;
    enum rc rc;

    till_write(&t, &r);
    p.step = 1; /* count in lines, then fit the paper to the picture */
    for (int k = 0; k < t.n; k++)
        lines += line_height(&p, &t.line[k]);
    p.step = fmin(paper_h / (lines + 4), h * 0.046);
    p.cell = p.step * 0.5;
    p.margin = p.cell * 2.4;
    tall = (int)(lines * p.step + p.margin * 2.8);
    rc =
        canvas_init(&p.c, (int)(TILL_COLUMNS * p.cell + 2 * p.margin), tall,
                    rgb_hsv(rng_in(&r, 0.08, 0.16), rng_in(&r, 0, 0.07), rng_in(&r, 0.9, 0.99)), e);
    if (rc)
        return rc;
    buf_clear(&m->text);
    rc = choose_font(&p, e);
    if (!rc)
        rc = print_all(&p, &t, e);
    age_paper(&p);
    if (!rc)
        rc = photograph(&p, w, h, &im, e);
    if (!rc)
        rc = write_one(m, i, &im, e);
    image_done(&im);
    canvas_done(&p.c);
    return rc;
}
