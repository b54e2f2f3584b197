/* sample_draw.h - private to the samples: a canvas of floats, smooth shapes, texture, chance.
 *
 * Colours are 0..1, sRGB as stored.  Everything is drawn with coverage, so edges are smooth.  One
 * thread; nothing is global. */
#ifndef ANNEAL_LAB_VISION_SAMPLE_DRAW_H
#define ANNEAL_LAB_VISION_SAMPLE_DRAW_H

#include "engine/feed/image.h"

struct rng {
    uint64_t state;
};
struct rng rng_of(int64_t seed, int kind, int64_t index);
double rng_unit(struct rng *r); /* [0, 1) */
double rng_in(struct rng *r, double lo, double hi);
int rng_int(struct rng *r, int n); /* 0 .. n-1 */
double rng_normal(struct rng *r);  /* mean 0, deviation 1 */

struct rgb {
    float r, g, b;
};
struct rgb rgb_hex(uint32_t hex);
struct rgb rgb_hsv(double h, double s, double v); /* h in turns */
struct rgb rgb_mix(struct rgb a, struct rgb b, double t);
struct rgb rgb_scale(struct rgb a, double f);
double rgb_luma(struct rgb a);

struct canvas {
    int w, h;
    struct rgb *px;
};
enum rc canvas_init(struct canvas *c, int w, int h, struct rgb fill, struct err *e) must_check;
void canvas_done(struct canvas *c);
void canvas_blend(struct canvas *c, int x, int y, struct rgb colour, double alpha); /* clipped */
struct rgb canvas_at(const struct canvas *c, double x, double y); /* bilinear, edges repeat */

/* ---- polygons */
struct point {
    double x, y;
};
/* Signed distance to the polygon's edge in pixels, negative inside (even-odd). */
double polygon_distance(const struct point *p, size_t n, struct point at);
/* Colour of a point of the shape; t 0..1 runs along its light. */
typedef struct rgb (*paint_fn)(const void *ud, double x, double y);
void fill_polygon(struct canvas *c, const struct point *p, size_t n, double grow, double soft,
                  double alpha, paint_fn paint, const void *ud);

/* ---- texture: smooth noise, -1..1 */
double noise_2d(uint64_t seed, double x, double y);
double noise_sum(uint64_t seed, double x, double y, int octaves);

/* ---- finish */
enum rc canvas_blur(struct canvas *c, double sigma, struct err *e) must_check; /* 0: nothing */
/* Sensor noise (Gaussian, as a part of full scale), then to 8 bits. */
enum rc canvas_finish(const struct canvas *c, struct rng *r, double noise, struct image *ret,
                      struct err *e) must_check;

/* ---- projective maps (Heckbert 1989): unit square to quadrangle and back */
struct homography {
    double m[9];
};
/* Maps (0,0) (1,0) (1,1) (0,1) to q[0..3]. */
struct homography homography_to(const struct point q[4]);
struct homography homography_inverse(const struct homography *h);
struct point homography_apply(const struct homography *h, double x, double y);

#endif
