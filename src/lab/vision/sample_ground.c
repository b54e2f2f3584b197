/* sample_ground.c - what lies behind the objects: cloud, wood, weave, metal, marble, tiles. */
#include "lab/vision/sample_int.h"

#include <math.h>

struct look {
    uint64_t seed;
    struct rgb dark, light;
    double scale, angle;
};

static double at01(double v)
{
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

static struct look look_of(struct rng *r, enum ground kind, const struct canvas *c)
{
    static const uint32_t woods[][2] = {
        {0x5A3A22, 0xA9784A}, {0x7A5230, 0xD2A56D}, {0x3B2A20, 0x6F5038}, {0x8C7358, 0xCDB692}};
    double h = rng_unit(r), v = rng_in(r, 0.35, 0.85);
    struct look k = {.seed = splitmix64(&r->state),
                     .angle = rng_in(r, 0, M_PI),
                     .scale = 1.0 / (c->w > c->h ? c->w : c->h)};

    if (kind == GROUND_WOOD) {
        int i = rng_int(r, 4);

        k.dark = rgb_hex(woods[i][0]);
        k.light = rgb_hex(woods[i][1]);
        k.angle = rng_int(r, 2) * M_PI / 2 + rng_in(r, -0.06, 0.06);
    } else if (kind == GROUND_METAL || kind == GROUND_MARBLE) {
        double s = rng_in(r, 0.02, 0.12);

        k.dark = rgb_hsv(h, s * 1.5, v * 0.62);
        k.light = rgb_hsv(h, s, v);
    } else {
        double s = rng_in(r, 0.12, 0.5);

        k.dark = rgb_hsv(h, s, v * 0.7);
        k.light = rgb_hsv(h + rng_in(r, -0.06, 0.06), s * 0.8, v);
    }
    return k;
}

static double wood(const struct look *k, double u, double v)
{
    double ring = u * 9 + 1.6 * noise_sum(k->seed, u * 2.2, v * 0.7, 3);
    double grain = noise_sum(k->seed + 9, u * 160, v * 5, 2), plank = floor(u * 3.2);
    double tone = 0.14 * noise_2d(k->seed + 31, plank * 7.3, 0.5);
    double seam = fabs(u * 3.2 - plank - 0.5) > 0.488 ? -0.35 : 0;

    return 0.52 + 0.22 * sin(ring * 2 * M_PI) + 0.22 * grain + tone + seam;
}

static double weave(const struct look *k, double u, double v)
{
    double f = 46, a = u * f, b = v * f;
    bool over = ((int64_t)floor(a) + (int64_t)floor(b)) & 1;
    double t = over ? a - floor(a) : b - floor(b);

    return 0.42 + 0.38 * sin(t * M_PI) * (over ? 1 : 0.82) +
           0.16 * noise_sum(k->seed, u * 90, v * 90, 2) + 0.1 * noise_2d(k->seed + 5, u * 4, v * 4);
}

static double marble(const struct look *k, double u, double v)
{
    double n = noise_sum(k->seed, u * 3, v * 3, 5);
    double vein = fabs(sin((u * 2.2 + v * 1.1 + n * 1.9) * M_PI));

    return 0.92 - 0.6 * pow(1 - vein, 4) + 0.1 * noise_sum(k->seed + 3, u * 12, v * 12, 3);
}

static double tiles(const struct look *k, double u, double v)
{
    double f = 5, a = u * f, b = v * f, x = a - floor(a), y = b - floor(b);
    double joint = x < 0.035 || y < 0.035 ? -0.42 : x < 0.07 || y < 0.07 ? 0.14 : 0;
    double tone = 0.22 * noise_2d(k->seed, floor(a) * 3.7, floor(b) * 3.7);

    return 0.6 + tone + joint + 0.12 * noise_sum(k->seed + 8, u * 40, v * 40, 3);
}

void ground_draw(struct canvas *c, struct rng *r, enum ground kind)
{
    struct look k = look_of(r, kind, c);
    double ca = cos(k.angle), sa = sin(k.angle);

    for (int y = 0; y < c->h; y++)
        for (int x = 0; x < c->w; x++) {
            double px = x * k.scale, py = y * k.scale;
            double u = px * ca + py * sa + 3, v = py * ca - px * sa + 3, t = 0;

            switch (kind) {
            case GROUND_WOOD:
                t = wood(&k, u, v);
                break;
            case GROUND_WEAVE:
                t = weave(&k, u, v);
                break;
            case GROUND_METAL:
                t = 0.55 + 0.2 * noise_sum(k.seed, u * 3, v * 260, 2) +
                    0.3 * noise_2d(k.seed + 4, u * 1.5, v * 1.5);
                break;
            case GROUND_MARBLE:
                t = marble(&k, u, v);
                break;
            case GROUND_TILES:
                t = tiles(&k, u, v);
                break;
            default:
                t = 0.5 + 0.75 * noise_sum(k.seed, u * 4, v * 4, 5);
            }
            c->px[(size_t)y * (size_t)c->w + (size_t)x] = rgb_mix(k.dark, k.light, at01(t));
        }
}

void light_draw(struct canvas *c, struct rng *r, double strength)
{
    double a = rng_in(r, 0, 2 * M_PI), dx = cos(a), dy = sin(a), rim = rng_in(r, 0.1, 0.3);

    for (int y = 0; y < c->h; y++)
        for (int x = 0; x < c->w; x++) {
            double u = (x + 0.5) / c->w * 2 - 1, v = (y + 0.5) / c->h * 2 - 1;
            struct rgb *p = &c->px[(size_t)y * (size_t)c->w + (size_t)x];

            *p = rgb_scale(*p, 1 + strength * ((u * dx + v * dy) * 0.5 - rim * (u * u + v * v)));
        }
}
