/* sample_glyphs.c - one character a picture: any font, any colours that can be told apart, a little
 * turned, slanted, shifted, blurred and noisy. */
#include "lab/vision/sample_int.h"

#include <math.h>
#include <stdio.h>

static const char letters[GLYPH_CLASSES + 1] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

struct colours {
    struct rgb ground, ground2, ink;
};

/* Ink and ground differ in lightness by a third at least, whatever their hues. */
static struct colours choose_colours(struct rng *r)
{
    bool dark = rng_unit(r) < 0.42;
    double h = rng_unit(r), away = h + rng_in(r, 0.3, 0.7);
    struct colours k;

    k.ground = dark ? rgb_hsv(h, rng_in(r, 0.25, 0.8), rng_in(r, 0.1, 0.38))
                    : rgb_hsv(h, rng_in(r, 0.02, 0.3), rng_in(r, 0.8, 1));
    k.ground2 = rgb_scale(k.ground, rng_in(r, 0.78, 1.18));
    k.ink = dark ? rgb_hsv(away, rng_in(r, 0, 0.45), rng_in(r, 0.85, 1))
                 : rgb_hsv(away, rng_in(r, 0.3, 0.95), rng_in(r, 0.08, 0.5));
    while (fabs(rgb_luma(k.ink) - rgb_luma(k.ground)) < 0.36)
        k.ink = dark ? rgb_mix(k.ink, (struct rgb){1, 1, 1}, 0.25) : rgb_scale(k.ink, 0.75);
    return k;
}

static void draw_ground(struct canvas *c, struct rng *r, const struct colours *k)
{
    uint64_t seed = splitmix64(&r->state);
    double a = rng_in(r, 0, 2 * M_PI), rough = rng_in(r, 0.02, 0.09), fine = rng_in(r, 2, 7);

    for (int y = 0; y < c->h; y++)
        for (int x = 0; x < c->w; x++) {
            double u = (x + 0.5) / c->w, v = (y + 0.5) / c->h;
            double t = 0.5 + (u - 0.5) * cos(a) + (v - 0.5) * sin(a);
            struct rgb p = rgb_mix(k->ground, k->ground2, t);

            c->px[y * c->w + x] = rgb_scale(p, 1 + rough * noise_sum(seed, u * fine, v * fine, 3));
        }
}

static enum rc draw_letter(struct maker *m, struct rng *r, uint32_t letter, struct canvas *c,
                           struct rgb ink, struct err *e)
{
    struct pen p = {.font = (size_t)rng_int(r, (int)fonts_count(m->fonts)),
                    .px = c->w * rng_in(r, 0.72, 1.02),
                    .rotate = rng_normal(r) * 0.09,
                    .shear = rng_in(r, -0.12, 0.12),
                    .colour = ink,
                    .alpha = rng_in(r, 0.85, 1)};
    struct extent box;
    enum rc rc = font_extent(m->fonts, &p, letter, &box, e);
    double tall = box.y1 - box.y0, wide = box.x1 - box.x0, room = c->w * 0.86;

    if (rc)
        return rc;
    if (tall > room || wide > room) { /* all of the ink stays inside */
        p.px *= room / (tall > wide ? tall : wide);
        rc = font_extent(m->fonts, &p, letter, &box, e);
        if (rc)
            return rc;
    }
    double spare_x = (c->w - (box.x1 - box.x0)) / 2, spare_y = (c->h - (box.y1 - box.y0)) / 2;
    double x = -box.x0 + spare_x * (1 + rng_in(r, -0.5, 0.5));
    double y = -box.y0 + spare_y * (1 + rng_in(r, -0.5, 0.5));
    if (rng_unit(r) < 0.3) { /* a shadow */
        struct pen shadow = p;
        double off = c->w * rng_in(r, 0.02, 0.05);

        shadow.colour = (struct rgb){0, 0, 0};
        shadow.alpha = rng_in(r, 0.15, 0.4);
        rc = font_draw(m->fonts, &shadow, letter, c, x + off, y + off, e);
    }
    return rc ? rc : font_draw(m->fonts, &p, letter, c, x, y, e);
}

enum rc glyphs_one(struct maker *m, int64_t i, struct err *e)
{
    struct rng r = rng_of(m->s->seed, SAMPLE_GLYPHS, i);
    struct colours k = choose_colours(&r);
    int64_t cls = i % GLYPH_CLASSES, n = i / GLYPH_CLASSES;
    bool val = sample_is_val(n);
    struct image im = {0};
    struct canvas c;
    char path[64];
    enum rc rc = canvas_init(&c, (int)m->s->size, (int)m->s->size, k.ground, e);

    if (rc)
        return rc;
    draw_ground(&c, &r, &k);
    rc = draw_letter(m, &r, (uint32_t)letters[cls], &c, k.ink, e);
    if (!rc)
        rc = canvas_blur(&c, rng_unit(&r) * rng_unit(&r) * 0.03 * c.w, e);
    if (!rc)
        rc = canvas_finish(&c, &r, rng_in(&r, 0.005, 0.04), &im, e);
    buf_clear(&m->bytes);
    if (!rc)
        rc = image_encode_png(&im, &m->bytes, e);
    snprintf(path, sizeof path, "%s/%c/%05lld.png", val ? "val" : "train", letters[cls],
             (long long)n + 1);
    if (!rc)
        rc = sample_out_put(m->out, path, buf_view(&m->bytes), e);
    *(val ? &m->val : &m->train) += 1;
    image_done(&im);
    canvas_done(&c);
    return rc;
}
