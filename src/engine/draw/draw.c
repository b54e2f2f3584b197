/* draw.c - see draw.h. */
#include "engine/draw/draw.h"

#include "engine/draw/glyphs.h"
#include <math.h>
#include <stdio.h>

enum { LABEL_TEXT = 64 };

struct canvas {
    struct image *im;
    int32_t line;   /* thickness of a box, pixels */
    int32_t scale;  /* of the letters */
    int32_t listed; /* y of the next label at the top left */
};

/* ---- colours */

void draw_colour(int32_t cls, uint8_t ret[3])
{
    double hue = fmod(0.02 + 0.61803398875 * (double)(cls < 0 ? 0 : cls), 1) * 6, v = 235, s = 0.78;
    double part = hue - floor(hue), low = v * (1 - s), down = v * (1 - s * part),
           up = v * (1 - s * (1 - part));
    const double rgb[6][3] = {{v, up, low},   {down, v, low}, {low, v, up},
                              {low, down, v}, {up, low, v},   {v, low, down}};

    for (int c = 0; c < 3; c++)
        ret[c] = (uint8_t)(rgb[(int)hue % 6][c] + 0.5);
}

/* Black or white, whichever is read better on the colour (ITU-R BT.601 luma). */
static uint8_t ink_on(const uint8_t rgb[3])
{
    return 299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2] > 140000 ? 0 : 255;
}

/* ---- shapes */

static void fill(struct canvas *c, int32_t x0, int32_t y0, int32_t x1, int32_t y1,
                 const uint8_t rgb[3])
{
    x0 = x0 < 0 ? 0 : x0;
    y0 = y0 < 0 ? 0 : y0;
    x1 = x1 > c->im->width ? c->im->width : x1;
    y1 = y1 > c->im->height ? c->im->height : y1;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = x0; x < x1; x++)
            memcpy(c->im->rgb + ((size_t)y * (size_t)c->im->width + (size_t)x) * 3, rgb, 3);
}

static enum rc tint(struct canvas *c, const struct draw_object *o, struct err *e)
{
    const struct rle *m = o->mask;
    uint8_t rgb[3];
    size_t at = 0, h = m->h;

    if ((int64_t)m->w != c->im->width || (int64_t)m->h != c->im->height)
        return err_set(e, RC_INVALID, "a mask of %ux%u pixels on a picture of %dx%d", m->w, m->h,
                       c->im->width, c->im->height);
    draw_colour(o->cls, rgb);
    for (size_t k = 0; k < m->n; k++) { /* runs go down the columns */
        for (size_t i = at; k % 2 == 1 && i < at + m->runs[k]; i++) {
            uint8_t *p = c->im->rgb + ((i % h) * (size_t)c->im->width + i / h) * 3;
            for (int ch = 0; ch < 3; ch++)
                p[ch] = (uint8_t)((p[ch] + rgb[ch] + 1) / 2);
        }
        at += m->runs[k];
    }
    return RC_OK;
}

static int32_t pixel(double v, int32_t most)
{
    return !(v > 0) ? 0 : v > most ? most : (int32_t)(v + 0.5);
}

static void frame(struct canvas *c, const struct draw_object *o)
{
    int32_t x0 = pixel(o->box[0], c->im->width), x1 = pixel(o->box[0] + o->box[2], c->im->width),
            y0 = pixel(o->box[1], c->im->height), y1 = pixel(o->box[1] + o->box[3], c->im->height);
    uint8_t rgb[3];

    draw_colour(o->cls, rgb);
    fill(c, x0, y0, x1, y0 + c->line, rgb);
    fill(c, x0, y1 - c->line, x1, y1, rgb);
    fill(c, x0, y0, x0 + c->line, y1, rgb);
    fill(c, x1 - c->line, y0, x1, y1, rgb);
}

/* ---- labels */

static void letter(struct canvas *c, char ch, int32_t x, int32_t y, const uint8_t rgb[3])
{
    const uint8_t *rows = glyphs[ch - GLYPH_FIRST];
    int32_t s = c->scale;

    for (int32_t r = 0; r < GLYPH_H; r++)
        for (int32_t k = 0; k < GLYPH_W; k++)
            if (rows[r] >> (GLYPH_W - 1 - k) & 1)
                fill(c, x + k * s, y + r * s, x + (k + 1) * s, y + (r + 1) * s, rgb);
}

static bool is_plain(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < GLYPH_FIRST || s.p[i] > GLYPH_LAST)
            return false;
    return s.n > 0;
}

static void label_text(const struct draw_object *o, char ret[LABEL_TEXT])
{
    char name[48];

    if (is_plain(o->name))
        snprintf(name, sizeof name, "%.*s", STR_F(o->name));
    else
        snprintf(name, sizeof name, "#%d", o->cls);
    if (isnan(o->confidence))
        snprintf(ret, LABEL_TEXT, "%s", name);
    else
        snprintf(ret, LABEL_TEXT, "%s %.2f", name, o->confidence);
}

/* Where a label of w x h goes: above its box, or inside where there is no room above. */
static void label_place(struct canvas *c, const struct draw_object *o, int32_t w, int32_t h,
                        int32_t *ret_x, int32_t *ret_y)
{
    double box[4];

    if (!o->boxed && !o->mask) {
        *ret_x = 0;
        *ret_y = c->listed;
        c->listed += h;
        return;
    }
    memcpy(box, o->box, sizeof box);
    if (!o->boxed)
        rle_box(o->mask, box);
    *ret_x = pixel(box[0], c->im->width);
    *ret_y = pixel(box[1], c->im->height) - h;
    if (*ret_y < 0)
        *ret_y = pixel(box[1], c->im->height);
    if (*ret_x + w > c->im->width)
        *ret_x = c->im->width > w ? c->im->width - w : 0;
}

static void label(struct canvas *c, const struct draw_object *o)
{
    int32_t s = c->scale, step = (GLYPH_W + 1) * s, h = (GLYPH_H + 2) * s, x, y;
    uint8_t rgb[3], ink[3];
    char text[LABEL_TEXT];

    label_text(o, text);
    label_place(c, o, (int32_t)strlen(text) * step + s, h, &x, &y);
    draw_colour(o->cls, rgb);
    memset(ink, ink_on(rgb), sizeof ink);
    fill(c, x, y, x + (int32_t)strlen(text) * step + s, y + h, rgb);
    for (size_t i = 0; text[i]; i++)
        letter(c, text[i], x + s + (int32_t)i * step, y + s, ink);
}

enum rc draw_objects(struct image *im, const struct draw_object *objects, size_t n, struct err *e)
{
    int32_t longer = im->width > im->height ? im->width : im->height;
    struct canvas c = {.im = im, .line = (longer + 200) / 400, .scale = (longer + 320) / 640};
    enum rc rc = RC_OK;

    c.line = c.line < 1 ? 1 : c.line;
    c.scale = c.scale < 1 ? 1 : c.scale;
    for (size_t i = 0; i < n && !rc; i++)
        if (objects[i].mask)
            rc = tint(&c, &objects[i], e);
    for (size_t i = n; i-- > 0 && !rc;) /* the first lies on top */
        if (objects[i].boxed)
            frame(&c, &objects[i]);
    for (size_t i = n; i-- > 0 && !rc;)
        if (objects[i].boxed || objects[i].mask)
            label(&c, &objects[i]);
    for (size_t i = 0; i < n && !rc; i++) /* the list reads downwards */
        if (!objects[i].boxed && !objects[i].mask)
            label(&c, &objects[i]);
    return rc;
}
