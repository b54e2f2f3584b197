/* sheet.h - private to worker/: training pictures as they enter the network, on one sheet for
 * people to look at: is the augmentation too strong, are the labels where they should be? */
#ifndef ANNEAL_FLOW_WORKER_SHEET_H
#define ANNEAL_FLOW_WORKER_SHEET_H

#include "flow/worker/train.h"

enum { SHEET_PICTURES = 16, SHEET_COLUMNS = 4 };
/* The first pictures of epoch 0, made by the loader of training itself, as a JPEG in the work
 * folder; masks and classes of pixels are tinted in, boxes and classes of pictures stand in
 * ret->info:
 *   {"columns":4,"cell":224,"gap":4,"classes":[..],"pictures":[{"name","size":320,
 *    "labels":[[class,share]..],"boxes":[[class,x,y,width,height]..]}..]}
 * with boxes in pixels of the input, which has `size` of them a side and is shown `cell` wide; from
 * one to the next are `gap` more.
 * Labels are those with at least a tenth of the target, boxes at most 200 a picture.
 *
 * A batch is a pure function of (seed, epoch, number), and loader_start begins an epoch anew: so
 * training is not touched.  Fails as the loader does. */
enum rc sheet_make(struct train *t, struct artifact *ret, struct err *e) must_check;

#endif
