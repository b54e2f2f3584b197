/* geometry.h - affine maps, boxes and polygons in them, and polygons to pixels.
 *
 * Coordinates are continuous: pixel (x, y) covers [x, x + 1) x [y, y + 1), its centre is at + 0.5.
 * All functions are pure; the same arguments give the same bytes.
 */
#ifndef ANNEAL_ENGINE_FEED_GEOMETRY_H
#define ANNEAL_ENGINE_FEED_GEOMETRY_H

#include "base/err.h"
#include "base/vec.h"
#include "engine/model/target.h"

/* x' = xx x + xy y + x0,  y' = yx x + yy y + y0 */
struct affine {
    double xx, xy, x0, yx, yy, y0;
};
extern const struct affine affine_identity;
struct affine affine_scale(double sx, double sy);
struct affine affine_move(double x, double y);
struct affine affine_turn(double degrees);                      /* clockwise as seen (y is down) */
struct affine affine_shear(double x_degrees, double y_degrees); /* x += y tan(x_degrees), .. */
struct affine affine_then(struct affine first, struct affine second);
bool affine_invert(struct affine m, struct affine *ret); /* false: it squeezes the plane flat */
void affine_apply(struct affine m, double x, double y, double *ret_x, double *ret_y);

struct rect {
    double x0, y0, x1, y1;
};
struct rect rect_clip(struct rect r, struct rect to);    /* x1 <= x0 or y1 <= y0: nothing is left */
double rect_area(struct rect r);                         /* 0 where nothing is left */
struct rect rect_mapped(struct rect r, struct affine m); /* bounds of the four corners */

/* Points x0 y0 x1 y1 .. of one closed outline; grows to its high-water mark (vec.h). */
struct outline {
    float *p;
    size_t n, cap; /* floats: 2 a point; VEC_DONE frees */
};

/* The outline through m, and the part of one inside a rectangle (Sutherland and Hodgman 1974; a
 * part in several pieces stays one outline, joined along the rectangle's edge).  false: no memory.
 */
bool outline_map(struct outline *o, const float *xy, size_t points, struct affine m) must_check;
bool outline_clip(struct outline *o, struct outline *scratch, struct rect to) must_check;
double outline_area(const struct outline *o);        /* shoelace formula, without its sign */
struct rect outline_bounds(const struct outline *o); /* of none: 0 0 0 0 */

/* The pixels whose centres an outline holds (even-odd rule), as spans [x0, x1) of row y inside of
 * width x height, from top to bottom.  An edge belongs to the pixel to its right and below it, so
 * outlines that share an edge share no pixel.  false: no memory, and nothing is drawn. */
typedef void raster_span(void *ud, int32_t y, int32_t x0, int32_t x1);
bool raster_outline(const float *xy, size_t points, int32_t width, int32_t height,
                    struct outline *scratch, raster_span *span, void *ud) must_check;

#endif
