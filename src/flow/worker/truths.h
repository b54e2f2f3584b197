/* truths.h - private to worker/: what a picture of the dataset truly shows, as scores take it. */
#ifndef ANNEAL_FLOW_WORKER_TRUTHS_H
#define ANNEAL_FLOW_WORKER_TRUTHS_H

#include "base/vec.h"
#include "engine/measure/coco_eval.h"
#include "flow/worker/run.h"

/* The objects of one picture after another; buffers grow to a high-water mark. */
struct truths {
    VEC(struct coco_truth) of; /* boxes in pixels of the picture, clipped to it */
    VEC(struct net_box) boxes; /* the same */
    VEC(struct rle) masks;     /* [of.n] where masks were asked for */
    uint32_t grid_w, grid_h;   /* of the masks: the picture at the scale of the input */
    VEC(double) xy;
    VEC(struct rle_polygon) parts;
};
void truths_done(struct truths *t); /* zeroed memory is fine */
/* Boxes: those of the sample.  Masks: its outlines, with their bounds for boxes.  What has no area
 * inside of the picture is left out. */
enum rc truths_take(struct truths *t, const struct sample_ref *s, bool masks,
                    const struct frame_map *map, struct err *e) must_check;

/* task_ops.match for boxes and shapes. */
enum rc truths_match(struct run *r, struct sample_ref *samples, size_t n, const int32_t *to,
                     struct err *e) must_check;

#endif
