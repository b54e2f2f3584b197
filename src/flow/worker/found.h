/* found.h - private to worker/: the objects that a network finds, in the pixels of the picture.
 *
 * Masks are read off the input's pixels onto a grid laid over the whole picture, each cell from the
 * pixel nearest to its centre.
 *
 * One finder serves one model and batch size; all its memory is taken at the start, masks apart. */
#ifndef ANNEAL_FLOW_WORKER_FOUND_H
#define ANNEAL_FLOW_WORKER_FOUND_H

#include "base/vec.h"
#include "engine/bundle/model.h"
#include "engine/measure/rle.h"

struct found_grid {
    const uint8_t *px; /* [size][size], of the input */
    int32_t size;
    uint8_t value; /* of the pixels inside */
    const struct frame_map *map;
    uint32_t w, h;           /* of the grid */
    uint32_t x0, y0, x1, y1; /* cells beyond this are outside */
};
/* rle_done *ret. */
enum rc found_mask(const struct found_grid *g, struct rle *ret, struct err *e) must_check;
/* The grid at the scale of the input. */
void found_scale(const struct frame_map *map, uint32_t *ret_w, uint32_t *ret_h);

struct finder {
    const struct model *model;
    struct net_detect how;
    struct net_detection *raw; /* [batch][how.most], pixels of the input */
    int32_t *n;                /* [batch] */
    uint8_t *mask;             /* [size][size]; NULL: boxes alone */
};
/* RC_NOMEM.  Zeroed memory is fine for finder_done. */
enum rc finder_init(struct finder *f, const struct model *m, int batch, struct net_detect how,
                    struct err *e) must_check;
void finder_done(struct finder *f);
/* x [count][3][size][size] as net_detect takes it; the results stand until the next call. */
enum rc finder_run(struct finder *f, const float *x, int count, struct err *e) must_check;
/* Object k of image i, most confident first, as a box of the picture. */
struct net_box finder_box(const struct finder *f, int i, int32_t k, const struct frame_map *map);
float finder_confidence(const struct finder *f, int i, int32_t k);
/* Its mask on a grid of w x h; rle_done it.  Segmentation, before the next finder_run. */
enum rc finder_mask(struct finder *f, int i, int32_t k, const struct frame_map *map, uint32_t w,
                    uint32_t h, struct rle *ret, struct err *e) must_check;

#endif
