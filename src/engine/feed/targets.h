/* targets.h - private to feed/: the targets of a batch (target.h) from the objects of its pictures.
 *
 * Each image of a batch is made of one or more pictures (scene.h: up to eight), and each brings its
 * objects through an affine map.  Buffers grow to a high-water mark and are kept.
 *
 * In training an object is left out when, clipped to the input, a side of it is below
 * TARGET_SIDE_MIN pixels, or less than TARGET_AREA_MIN of its area is left (of the box as mapped,
 * or of the outline); in evaluation only where nothing is left.  Semantic labels leave out nothing.
 * Overlaps: larger objects are painted first, of equal ones the first first.
 */
#ifndef ANNEAL_ENGINE_FEED_TARGETS_H
#define ANNEAL_ENGINE_FEED_TARGETS_H

#include "engine/feed/geometry.h"
#include "engine/feed/samples.h"

#define TARGET_SIDE_MIN 2.0
#define TARGET_AREA_MIN 0.1
enum {
    FEED_OBJECTS_MAX = 65535
}; /* of one image, what instances can number; the rest is left out */

struct target_object {
    double area;        /* clipped, in pixels of the input */
    size_t part, parts; /* its outlines */
    int32_t cls;
    uint32_t number; /* from 1; semantic: of any */
};
struct target_part {
    size_t at, points; /* in xy */
};
struct targets {
    enum net_task task;
    struct semantic_map semantic;
    bool train;
    int32_t size, n; /* of this batch: pixels a side; images so far */
    int32_t *first;  /* [batch + 1] */
    uint16_t *instances;
    uint8_t *labels;
    VEC(struct net_box) boxes;
    /* of the image under way */
    VEC(struct target_object) objects;
    VEC(struct target_part) parts;
    struct outline xy, mapped, clipped, scratch;
};

/* false: no memory; targets_done then too. */
bool targets_init(struct targets *t, enum net_task task, bool train, struct semantic_map m,
                  int32_t batch, int32_t size_max) must_check;
void targets_done(struct targets *t);
size_t targets_bytes(enum net_task task, int32_t size); /* of one image, without its boxes */

void targets_begin(struct targets *t, int32_t size);
/* The next image: pictures[i] through maps[i], for n pictures.  false: no memory. */
bool targets_add(struct targets *t, const struct sample_ref *const *pictures,
                 const struct affine *maps, int n) must_check;

#endif
