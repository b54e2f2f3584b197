/* rle_int.h - what the files of run-length masks share: checks of a size, and a builder. */
#ifndef ANNEAL_ENGINE_MEASURE_RLE_INT_H
#define ANNEAL_ENGINE_MEASURE_RLE_INT_H

#include "base/vec.h"
#include "engine/measure/rle.h"

/* Appends stretches and keeps the canonical form: neighbours of one kind become one run, empty
 * stretches vanish.  Sticky on NOMEM; rle_build_take reports it and ends the builder either way. */
struct rle_build {
    VEC(uint32_t) runs;
    bool nomem;
};
enum rc rle_check_size(uint32_t h, uint32_t w, struct err *e);
void rle_build_put(struct rle_build *b, bool inside, uint32_t n);
void rle_build_done(struct rle_build *b);
enum rc rle_build_take(struct rle_build *b, uint32_t h, uint32_t w, struct rle *ret, struct err *e);

/* Pixels in both, and in each, of two masks of one size. */
struct rle_overlap {
    uint64_t both, a, b;
};
struct rle_overlap rle_overlap_of(const struct rle *a, const struct rle *b);

#endif
