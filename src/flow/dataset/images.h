/* images.h - the second pass: every picture decoded, hashed, previewed and stored, on several
 * threads.
 *
 * One thread reads the archive; a pool works.  A gate bounds what is in flight by memory (the bytes
 * of the file and of its pixels), so a few huge pictures cannot exhaust it, and many small ones
 * keep all threads waiting for the store at once.
 */
#ifndef ANNEAL_FLOW_DATASET_IMAGES_H
#define ANNEAL_FLOW_DATASET_IMAGES_H

#include "flow/dataset/pack.h"
#include "flow/dataset/harvest.h"
#include "flow/dataset/survey.h"

enum { THUMB_QUALITY = 82, IMAGES_QUEUE = 64 };

/* Where pictures go: the object store, or a test's memory.  Any thread. */
struct image_sink {
    enum rc (*put)(void *ud, const char *key, str data, const char *type, struct err *e);
    void *ud;
};
/* Fills `got` of every picture with keep.  A picture that cannot be decoded is no failure of the
 * pass; *ret_done counts for progress. */
enum rc images_store(struct harvest *p, struct pack *in, const struct image_sink *to,
                     unsigned threads, uint64_t memory_bytes, size_t *ret_done,
                     survey_tick_fn tick, void *ud, struct err *e) must_check;

#endif
