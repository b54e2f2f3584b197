/* export.h - front door of the exports: a network as a program of standard operators, and whether
 * an export computes what the checkpoint does.
 *
 * Batch norm is folded into the convolutions before it, as inference does.  The input is "images"
 * [N][3][H][W], channels R G B: normalised as in training; or, with `pixels`, 0..255 as decoded,
 * the normalisation being part of the network.  Outputs, by task: classification  "logits"
 * [N][classes] detection       "boxes" [N][4 + classes][anchors]: centre x, centre y, width, height
 * in pixels of the input, then the confidence 0..1 of each class; before non-maximum suppression
 *   segmentation    "boxes" [N][4 + classes + coefficients][anchors] and "prototypes"
 *                   [N][coefficients][H / 4][W / 4]; the mask of an anchor is where
 *                   sigmoid(sum of coefficient x prototype) > 1/2, cut to its box
 *   semantic        "logits" [N][classes][H][W]; the likeliest class is the largest
 */
#ifndef ANNEAL_ENGINE_EXPORT_EXPORT_H
#define ANNEAL_ENGINE_EXPORT_EXPORT_H

#include "engine/export/program.h"
#include "engine/model/net.h"

struct export_input {
    bool pixels;
    float mean[3], std[3]; /* of v / 255; with `pixels` */
};

/* The weights are those that inference of `n` uses now. */
enum rc export_program(struct net *n, const struct export_input *input, struct program **ret,
                       struct err *e) must_check;

/* The same outputs computed by the network itself, x normalised.  ret[outputs] as program_run's. */
enum rc export_reference(struct net *n, const float *x, int count, struct program_result *ret,
                         struct err *e) must_check;

/* Largest |a - b| / max(1, |b|) over all numbers of all outputs: absolute below 1, relative above.
 * Boxes count as parts of the picture's side, `pixels`: 0 where the first output has none, else its
 * first four rows are boxes.  (A box 300 pixels wide whose centre lies at 0 is exact to 1e-3 pixels
 * in float32, however it is computed.)  Not a number on one side alone counts as infinite. */
#define EXPORT_DIFFERENCE_MAX 1e-4
double export_difference(const struct program *p, int pixels, const struct program_result *a,
                         const struct program_result *b);
int export_pixels(struct net *n); /* what to give it for the exports of a network */

#endif
