/* target.h - what a network is taught: the truth of one batch, by task.
 *
 * The feed fills it, the losses read it; both only borrow the arrays.
 */
#ifndef ANNEAL_ENGINE_MODEL_TARGET_H
#define ANNEAL_ENGINE_MODEL_TARGET_H

#include <stdint.h>

enum net_task {
    NET_CLASSIFICATION, /* one class a picture */
    NET_DETECTION,      /* boxes */
    NET_SEGMENTATION,   /* instances: boxes, each with its mask */
    NET_SEMANTIC,       /* a class for every pixel */
    NET_TASKS
};
extern const char *const net_task_names[]; /* "classification", "detection", .., NULL */

/* Pixels of the network's input, x to the right, y down; x0 < x1 <= size, y0 < y1 <= size. */
struct net_box {
    int32_t cls;
    float x0, y0, x1, y1;
};

enum {
    NET_MASK_STRIDE = 4,    /* instance masks are given and predicted at a quarter of the input */
    NET_LABEL_IGNORE = 255, /* semantic: a pixel that teaches nothing */
};

/* n images, size x size pixels.  Only the members of the network's task are read. */
struct net_target {
    /* classification: [n][classes], each row a distribution (one-hot, smoothed or mixed) */
    const float *rows;
    /* detection, segmentation: image i has boxes[first[i]] .. boxes[first[i + 1] - 1] */
    const struct net_box *boxes;
    const int32_t *first; /* [n + 1] */
    /* segmentation: [n][size / 4][size / 4]; 0: background, k: box first[i] + k - 1 of image i.
     * Where instances overlap, the smaller one is seen. */
    const uint16_t *instances;
    /* semantic: [n][size][size], a class or NET_LABEL_IGNORE */
    const uint8_t *labels;
};

#endif
