/* sample_draw.c - see sample_draw.h. */
#include "lab/vision/sample_draw.h"

#include "base/mem.h"

#include <math.h>

static double clamp(double v, double lo, double hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* ---- chance */

struct rng rng_of(int64_t seed, int kind, int64_t index)
{
    return (struct rng){rand_at((uint64_t)seed, (uint64_t)kind, (uint64_t)index, 0)};
}

double rng_unit(struct rng *r)
{
    return rand_unit(splitmix64(&r->state));
}

double rng_in(struct rng *r, double lo, double hi)
{
    return lo + (hi - lo) * rng_unit(r);
}

int rng_int(struct rng *r, int n)
{
    return (int)(rng_unit(r) * n);
}

double rng_normal(struct rng *r) /* Box and Muller 1958 */
{
    double u = rng_unit(r), v = rng_unit(r);

    return sqrt(-2 * log(1 - u)) * cos(2 * M_PI * v);
}

/* ---- colour */

struct rgb rgb_hex(uint32_t hex)
{
    return (struct rgb){(float)(hex >> 16 & 255) / 255, (float)(hex >> 8 & 255) / 255,
                        (float)(hex & 255) / 255};
}

static float hsv_part(double h, double s, double v, double n)
{
    double k = fmod(n + h * 6, 6);

    return (float)(v - v * s * clamp(fmin(k, 4 - k), 0, 1));
}

struct rgb rgb_hsv(double h, double s, double v)
{
    h -= floor(h);
    return (struct rgb){hsv_part(h, s, v, 5), hsv_part(h, s, v, 3), hsv_part(h, s, v, 1)};
}

struct rgb rgb_mix(struct rgb a, struct rgb b, double t)
{
    float f = (float)t;

    return (struct rgb){a.r + (b.r - a.r) * f, a.g + (b.g - a.g) * f, a.b + (b.b - a.b) * f};
}

struct rgb rgb_scale(struct rgb a, double f)
{
    return (struct rgb){a.r * (float)f, a.g * (float)f, a.b * (float)f};
}

double rgb_luma(struct rgb a)
{
    return 0.299 * a.r + 0.587 * a.g + 0.114 * a.b;
}

/* ---- canvas */

enum rc canvas_init(struct canvas *c, int w, int h, struct rgb fill, struct err *e)
{
    c->w = w;
    c->h = h;
    c->px = mem_alloc_array((size_t)w * (size_t)h, sizeof *c->px);
    if (!c->px)
        return err_set(e, RC_NOMEM, "no memory for a picture of %d x %d", w, h);
    for (size_t i = 0; i < (size_t)w * (size_t)h; i++)
        c->px[i] = fill;
    return RC_OK;
}

void canvas_done(struct canvas *c)
{
    mem_free(c->px);
    c->px = NULL;
}

void canvas_blend(struct canvas *c, int x, int y, struct rgb colour, double alpha)
{
    struct rgb *p;

    if (x < 0 || y < 0 || x >= c->w || y >= c->h || alpha <= 0)
        return;
    p = &c->px[(size_t)y * (size_t)c->w + (size_t)x];
    *p = rgb_mix(*p, colour, alpha > 1 ? 1 : alpha);
}

static struct rgb pixel(const struct canvas *c, int x, int y)
{
    x = x < 0 ? 0 : x >= c->w ? c->w - 1 : x;
    y = y < 0 ? 0 : y >= c->h ? c->h - 1 : y;
    return c->px[(size_t)y * (size_t)c->w + (size_t)x];
}

struct rgb canvas_at(const struct canvas *c, double x, double y)
{
    double fx = floor(x - 0.5), fy = floor(y - 0.5);
    int ix = (int)fx, iy = (int)fy;
    double tx = x - 0.5 - fx, ty = y - 0.5 - fy;

    return rgb_mix(rgb_mix(pixel(c, ix, iy), pixel(c, ix + 1, iy), tx),
                   rgb_mix(pixel(c, ix, iy + 1), pixel(c, ix + 1, iy + 1), tx), ty);
}

/* ---- polygons */

double polygon_distance(const struct point *p, size_t n, struct point at)
{
    double best = 1e30;
    bool inside = false;

    for (size_t i = 0, j = n - 1; i < n; j = i++) {
        double ex = p[j].x - p[i].x, ey = p[j].y - p[i].y;
        double wx = at.x - p[i].x, wy = at.y - p[i].y;
        double t = clamp((wx * ex + wy * ey) / (ex * ex + ey * ey + 1e-12), 0, 1);
        double dx = wx - ex * t, dy = wy - ey * t, d = dx * dx + dy * dy;

        best = d < best ? d : best;
        if ((p[i].y > at.y) != (p[j].y > at.y) && wx < ex * wy / ey)
            inside = !inside;
    }
    return inside ? -sqrt(best) : sqrt(best);
}

void fill_polygon(struct canvas *c, const struct point *p, size_t n, double grow, double soft,
                  double alpha, paint_fn paint, const void *ud)
{
    double x0 = 1e30, y0 = 1e30, x1 = -1e30, y1 = -1e30, edge = soft > 1 ? soft : 1;

    for (size_t i = 0; i < n; i++) {
        x0 = fmin(x0, p[i].x);
        y0 = fmin(y0, p[i].y);
        x1 = fmax(x1, p[i].x);
        y1 = fmax(y1, p[i].y);
    }
    for (int y = (int)floor(y0 - grow - edge); y <= (int)ceil(y1 + grow + edge); y++)
        for (int x = (int)floor(x0 - grow - edge); x <= (int)ceil(x1 + grow + edge); x++) {
            double d, cover;

            if (x < 0 || y < 0 || x >= c->w || y >= c->h)
                continue;
            d = polygon_distance(p, n, (struct point){x + 0.5, y + 0.5}) - grow;
            cover = clamp(0.5 - d / edge, 0, 1);
            if (cover > 0)
                canvas_blend(c, x, y, paint(ud, x + 0.5, y + 0.5),
                             alpha * (soft > 1 ? cover * cover * (3 - 2 * cover) : cover));
        }
}

/* ---- texture: values at the corners of a grid, joined smoothly (Perlin's fade curve) */

/* A multiply and shift mix is random enough for the eye, and this is the inner loop. */
static double corner(uint64_t seed, int64_t x, int64_t y)
{
    uint64_t h = seed + (uint64_t)x * 0x9E3779B97F4A7C15u + (uint64_t)y * 0xC2B2AE3D27D4EB4Fu;

    h = (h ^ (h >> 32)) * 0xD6E8FEB86659FD93u;
    h = (h ^ (h >> 32)) * 0xD6E8FEB86659FD93u;
    return (double)(h >> 11) * 0x1p-52 - 1;
}

double noise_2d(uint64_t seed, double x, double y)
{
    double fx = floor(x), fy = floor(y), tx = x - fx, ty = y - fy;
    int64_t ix = (int64_t)fx, iy = (int64_t)fy;
    double a = corner(seed, ix, iy), b = corner(seed, ix + 1, iy);
    double c = corner(seed, ix, iy + 1), d = corner(seed, ix + 1, iy + 1);

    tx = tx * tx * tx * (tx * (tx * 6 - 15) + 10);
    ty = ty * ty * ty * (ty * (ty * 6 - 15) + 10);
    return (a + (b - a) * tx) + ((c + (d - c) * tx) - (a + (b - a) * tx)) * ty;
}

double noise_sum(uint64_t seed, double x, double y, int octaves)
{
    double sum = 0, size = 1, all = 0;

    for (int i = 0; i < octaves; i++, size *= 0.5, x *= 2, y *= 2) {
        sum += size * noise_2d(seed + (uint64_t)i, x, y);
        all += size;
    }
    return sum / all;
}

/* ---- finish */

enum { BLUR_RADIUS_MAX = 24 };

static void blur_pass(const struct canvas *from, struct canvas *to, const double *k, int radius,
                      bool across)
{
    for (int y = 0; y < from->h; y++)
        for (int x = 0; x < from->w; x++) {
            double r = 0, g = 0, b = 0;

            for (int i = -radius; i <= radius; i++) {
                struct rgb p = pixel(from, across ? x + i : x, across ? y : y + i);
                double f = k[i + radius];

                r += p.r * f;
                g += p.g * f;
                b += p.b * f;
            }
            to->px[(size_t)y * (size_t)to->w + (size_t)x] =
                (struct rgb){(float)r, (float)g, (float)b};
        }
}

enum rc canvas_blur(struct canvas *c, double sigma, struct err *e)
{
    double k[2 * BLUR_RADIUS_MAX + 1], sum = 0;
    struct canvas half;
    int radius = (int)ceil(sigma * 2.5);
    enum rc rc;

    if (sigma < 0.15)
        return RC_OK;
    radius = radius > BLUR_RADIUS_MAX ? BLUR_RADIUS_MAX : radius;
    for (int i = -radius; i <= radius; i++)
        sum += k[i + radius] = exp(-0.5 * i * i / (sigma * sigma));
    for (int i = 0; i <= 2 * radius; i++)
        k[i] /= sum;
    rc = canvas_init(&half, c->w, c->h, (struct rgb){0, 0, 0}, e);
    if (rc)
        return rc;
    blur_pass(c, &half, k, radius, true);
    blur_pass(&half, c, k, radius, false);
    canvas_done(&half);
    return RC_OK;
}

static uint8_t byte_of(double v)
{
    return (uint8_t)clamp(v * 255 + 0.5, 0, 255);
}

enum rc canvas_finish(const struct canvas *c, struct rng *r, double noise, struct image *ret,
                      struct err *e)
{
    struct image im = {0};
    enum rc rc = image_alloc(c->w, c->h, &im, e);

    if (rc)
        return rc;
    for (size_t i = 0; i < (size_t)c->w * (size_t)c->h; i++) {
        double grey = noise > 0 ? rng_normal(r) * noise : 0;
        double tint = noise > 0 ? rng_in(r, -0.5, 0.5) * noise : 0;

        im.rgb[i * 3] = byte_of(c->px[i].r + grey + tint);
        im.rgb[i * 3 + 1] = byte_of(c->px[i].g + grey);
        im.rgb[i * 3 + 2] = byte_of(c->px[i].b + grey - tint);
    }
    *ret = im;
    return RC_OK;
}

/* ---- projective maps */

struct homography homography_to(const struct point q[4])
{
    double sx = q[0].x - q[1].x + q[2].x - q[3].x, sy = q[0].y - q[1].y + q[2].y - q[3].y;
    double ax = q[1].x - q[2].x, ay = q[1].y - q[2].y, bx = q[3].x - q[2].x, by = q[3].y - q[2].y;
    double det = ax * by - bx * ay, g = (sx * by - bx * sy) / det, h = (ax * sy - sx * ay) / det;

    return (struct homography){{q[1].x - q[0].x + g * q[1].x, q[3].x - q[0].x + h * q[3].x, q[0].x,
                                q[1].y - q[0].y + g * q[1].y, q[3].y - q[0].y + h * q[3].y, q[0].y,
                                g, h, 1}};
}

struct homography homography_inverse(const struct homography *h)
{
    const double *m = h->m; /* the adjugate: scale does not matter */

    return (struct homography){
        {m[4] * m[8] - m[5] * m[7], m[2] * m[7] - m[1] * m[8], m[1] * m[5] - m[2] * m[4],
         m[5] * m[6] - m[3] * m[8], m[0] * m[8] - m[2] * m[6], m[2] * m[3] - m[0] * m[5],
         m[3] * m[7] - m[4] * m[6], m[1] * m[6] - m[0] * m[7], m[0] * m[4] - m[1] * m[3]}};
}

struct point homography_apply(const struct homography *h, double x, double y)
{
    const double *m = h->m;
    double w = m[6] * x + m[7] * y + m[8];

    return (struct point){(m[0] * x + m[1] * y + m[2]) / w, (m[3] * x + m[4] * y + m[5]) / w};
}
