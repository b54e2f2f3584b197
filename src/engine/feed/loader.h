/* loader.h - samples to batches of float32 and their targets, ahead of the trainer, the same for
 * any number of threads.
 *
 * A batch is a pure function of (samples, settings, seed, epoch, its number).  Threads of a pool
 * each make a whole batch in one of a few slots; the consumer takes the slots in order, so that
 * which thread was quick changes nothing.  Memory: the slots (at most threads + 1, and
 * LOADER_SLOT_BYTES_MAX together unless two batches alone take more) and the cache of working
 * pictures, which is kept where all of them fit its budget.
 *
 * One owner thread calls these functions.
 */
#ifndef ANNEAL_ENGINE_FEED_LOADER_H
#define ANNEAL_ENGINE_FEED_LOADER_H

#include "engine/feed/augment.h"
#include "engine/feed/samples.h"
#include "engine/feed/scene.h"

enum { LOADER_THREADS_MAX = 64 };
#define LOADER_SLOT_BYTES_MAX ((size_t)512 << 20)
#define LOADER_CACHE_BYTES    ((size_t)512 << 20)

struct loader_config {
    const struct sample_ref *samples; /* lent for the loader's life */
    size_t n;
    const char *blobs_dir; /* <2 hex>/<sha256> below it; lent */
    enum net_task task;
    int32_t classes;              /* of samples_classes() */
    struct semantic_map semantic; /* NET_SEMANTIC: samples_semantic_map() */
    int32_t batch;
    unsigned threads;   /* 1..LOADER_THREADS_MAX */
    struct frame frame; /* evaluation uses frame_for_eval of it */
    /* training; not set: evaluation, in the order of the samples, targets one-hot */
    bool train;
    struct augment augment; /* classification */
    struct scene scene;     /* the other tasks */
    double label_smoothing; /* classification */
    uint64_t seed;
    size_t cache_bytes_max; /* 0: no cache */
};

/* The targets of the loader's task, in the form of target.h:
 *   rows       [n][classes], each sums to 1
 *   boxes, first   in pixels of the input, clipped to it.  Training leaves out what is hardly there
 *              any more (scene.h); evaluation keeps every box that has an area.  Segmentation: the
 *              bounds of the outlines, at most 65,535 an image.
 *   instances  in evaluation as in training; pixel (x, y) is the object at ((x, y) + 0.5) * 4.  An
 *              object that covers no such point has the one pixel nearest to its box's centre.
 *   labels     NET_LABEL_IGNORE beside the picture (letterbox, mosaic, turned corners)
 */
struct batch {
    const float *x; /* [n][3][size][size] */
    struct net_target target;
    const uint32_t *index; /* [n] into samples; with mixup, of the row before blending; with mosaic,
                            * of the first of the four */
    int32_t n, size; /* size: frame.size, or in training with multi-scale that of this batch */
    /* evaluation: [n], from the input back to the pictures; NULL in training */
    const struct frame_map *map;
};

struct loader;
/* RC_INVALID: no samples, none that can teach the task (samples_check; training only), or a class
 * outside of the classes. */
enum rc loader_new(struct loader **ret, const struct loader_config *c, struct err *e) must_check;
void loader_free(struct loader *l); /* stops soon: at most one picture a thread is finished first */

/* Batches of an epoch.  A last batch of a single picture is left out of training where there are
 * others: batch statistics of one picture are noise. */
int64_t loader_batches(const struct loader *l);
/* Begins an epoch (numbered from 0) and its prefetching; ends the one before, wherever it was. */
enum rc loader_start(struct loader *l, int64_t epoch, struct err *e) must_check;
/* The next batch, lent until the next call; *ret NULL at the end of the epoch.  A picture that is
 * missing, damaged (its SHA-256 differs), does not decode or has another size than the manifest
 * says: RC_NOT_FOUND or RC_CORRUPT, naming it. */
enum rc loader_next(struct loader *l, const struct batch **ret, struct err *e) must_check;
bool loader_is_cached(const struct loader *l);
/* The largest size of a batch: what the network must be planned for (scene_size_max). */
int32_t loader_size_max(const struct loader *l);

#endif
