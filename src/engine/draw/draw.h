/* draw.h - what a network answered, drawn on the picture: masks, boxes, labels.
 *
 * The same picture and objects give the same pixels.  A class has one colour, whatever the picture
 * and the model: hues a golden section apart, so that neighbours in number differ.  Letters are a
 * built-in 5 x 7 font of ASCII; a name in another script is drawn as "#" and its class's number.
 */
#ifndef ANNEAL_ENGINE_DRAW_DRAW_H
#define ANNEAL_ENGINE_DRAW_DRAW_H

#include "engine/feed/image.h"
#include "engine/measure/rle.h"

struct draw_object {
    int32_t cls;
    str name;
    double confidence;      /* 0..1; NaN: not shown */
    bool boxed;             /* false: the label alone, listed at the top left or on the mask */
    double box[4];          /* x, y, width, height; pixels of the picture that is drawn on */
    const struct rle *mask; /* NULL: none; of the size of the picture */
};

void draw_colour(int32_t cls, uint8_t ret[3]);
/* Onto `im`: first all masks, half transparent, then boxes and labels with the first object on top.
 * RC_INVALID: a mask of another size. */
enum rc draw_objects(struct image *im, const struct draw_object *objects, size_t n,
                     struct err *e) must_check;

#endif
