/* model.h - a network with all that is needed to use it: classes and the frame of its input.
 *
 * A weights file is a safetensors file whose metadata describe the model completely, so that a file
 * alone is enough to predict:
 *
 *   anneal "1"; model "resnet18"; task (net_task_names); classes: JSON array of names, in the order
 * of the outputs; image_size; stem "small" | "large"; fit and work_side
 * (frame.h); mean, std "0.485,0.456,0.406" (R,G,B); seed; epoch
 *
 * No time, host, attempt or thread count: equal training gives equal bytes.  The browser loads the
 * same file from memory (wasm/), so only model_file.c knows of paths.
 */
#ifndef ANNEAL_ENGINE_BUNDLE_MODEL_H
#define ANNEAL_ENGINE_BUNDLE_MODEL_H

#include "engine/feed/frame.h"
#include "engine/format/safetensors.h"
#include "engine/model/net.h"

struct model {
    struct arena arena;
    struct net *net;
    struct frame frame; /* for evaluation (frame_for_eval): what every prediction uses */
    const char *name;   /* of the network */
    str *classes;
    size_t classes_n;
    enum net_stem stem; /* never auto */
    enum net_task task;
    int64_t seed;
};

struct model_plan { /* how to build it; what a file does not say */
    const char *name;
    const str *classes; /* copied */
    size_t classes_n;
    struct frame frame;
    enum net_stem stem;
    int64_t seed;
    int batch_max;
    int threads;
    const char *isa; /* net.h */
    int size_max;    /* largest input, pixels a side; 0: the frame's */
    bool train;
    bool average, accumulate; /* net_config */
    enum net_backend backend;
    enum net_optimizer optimizer;
    enum net_precision precision;
};
/* All weights zero. */
enum rc model_new(struct model **ret, const struct model_plan *p, struct err *e) must_check;
void model_free(struct model *m); /* NULL is fine */

/* Name, classes, frame, stem and seed come from the file, the rest from `p`. */
enum rc model_load(struct model **ret, const char *path, const struct model_plan *p,
                   struct err *e) must_check;
enum rc model_load_from(struct model **ret, struct safetensors *s, const struct model_plan *p,
                        struct err *e) must_check;
/* Weights from a file of the very same model; RC_CONFLICT names the difference. */
enum rc model_fill(struct model *m, const char *path, struct err *e) must_check;
enum rc model_fill_from(struct model *m, struct safetensors *s, struct err *e) must_check;
enum rc model_save(const struct model *m, int64_t epoch, const char *path,
                   struct safetensors_written *ret, struct err *e) must_check;
/* RC_CORRUPT if the file's SHA-256 is not this; "" checks nothing. */
enum rc model_check_file(const char *path, str sha256, struct err *e) must_check;

#endif
