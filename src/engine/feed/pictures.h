/* pictures.h - private to feed/: the working pictures of samples, from their blobs or from the
 * cache.
 *
 * The cache holds working pictures (frame.h) and nothing is ever taken out of it: it exists only
 * where all of them fit its budget.  Any thread may open any picture: the first to have decoded one
 * publishes it, another that was at it too throws its own away (both are the same).
 */
#ifndef ANNEAL_ENGINE_FEED_PICTURES_H
#define ANNEAL_ENGINE_FEED_PICTURES_H

#include "engine/feed/frame.h"
#include "engine/feed/samples.h"

#define PICTURE_FILE_BYTES_MAX ((size_t)256 << 20)

struct picture {
    struct image im; /* lent by the cache, or of its own */
    bool cached;
};
struct pictures {
    const struct sample_ref *samples;
    size_t n;
    const char *blobs_dir;
    struct frame frame;
    _Atomic(struct image *) *cache; /* by sample, or NULL: no cache */
};

/* The budget counts pixels as the manifest states them.  false: no memory. */
bool pictures_init(struct pictures *p, const struct sample_ref *samples, size_t n,
                   const char *blobs_dir, const struct frame *f, size_t cache_bytes_max) must_check;
void pictures_done(struct pictures *p); /* zeroed memory is fine */
/* `file` is reset and used for the file's bytes.  RC_NOT_FOUND, RC_CORRUPT (another SHA-256,
 * another size than the manifest states, damaged) and what image_decode returns; all name the
 * picture. */
enum rc picture_open(struct pictures *p, struct arena *file, uint32_t i, struct picture *ret,
                     struct err *e) must_check;
void picture_close(struct picture *p);
/* The evaluation input of a picture (frame_input's numbers, for a frame of frame_for_eval). */
enum rc picture_input(struct pictures *p, struct arena *file, uint32_t i, float *ret,
                      struct err *e) must_check;

#endif
