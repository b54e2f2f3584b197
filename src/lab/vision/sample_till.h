/* sample_till.h - private to the samples: what stands on a receipt. */
#ifndef ANNEAL_LAB_VISION_SAMPLE_TILL_H
#define ANNEAL_LAB_VISION_SAMPLE_TILL_H

#include "lab/vision/sample_draw.h"

enum { TILL_LINES_MAX = 64, TILL_COLUMNS = 32, TILL_TEXT_MAX = 48 };

enum till_place { TILL_CENTRE, TILL_SPREAD, TILL_RULE, TILL_GAP, TILL_BARS };
struct till_line {
    enum till_place place;
    bool big, bold;
    char left[TILL_TEXT_MAX], right[TILL_TEXT_MAX]; /* right: against the right edge (SPREAD) */
};
struct till {
    struct till_line line[TILL_LINES_MAX];
    int n;
};
/* A shop, some goods, their sum with tax, how it was paid: the sums are right. */
void till_write(struct till *t, struct rng *r);

#endif
