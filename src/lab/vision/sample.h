/* sample.h - front door of the sample data: pictures that the program draws itself.
 *
 *   glyphs    characters in the machine's fonts             image folder: train/A/00001.png, val/..
 *   shapes    objects on textured ground, with boxes        YOLO (data.yaml) or Pascal VOC
 *   receipts  till receipts on a table, with a quadrangle   ICDAR: train/receipt_00001.jpg and
 *             and the text of each line                     train/gt_receipt_00001.txt
 *
 * The same seed, count, size and fonts give the same bytes: each picture is drawn from its own
 * stream of random numbers (seed, kind, index), with no clock and no thread involved. */
#ifndef ANNEAL_LAB_VISION_SAMPLE_H
#define ANNEAL_LAB_VISION_SAMPLE_H

#include "base/err.h"
#include "base/str.h"

enum sample_kind { SAMPLE_GLYPHS, SAMPLE_SHAPES, SAMPLE_RECEIPTS };
enum sample_layout { SAMPLE_YOLO, SAMPLE_VOC };
extern const char *const sample_kind_names[];   /* "glyphs", "shapes", "receipts" */
extern const char *const sample_layout_names[]; /* "yolo", "voc" (shapes alone) */
enum {
    SAMPLE_COUNT_MAX = 1000000,
    SAMPLE_SIZE_MIN = 16,
    SAMPLE_SIZE_MAX = 2048,
    SAMPLE_RECEIPT_SIZE_MIN = 320, /* below, its print cannot be read */
};

struct sample_spec {
    enum sample_kind kind;
    const char *dir; /* must not exist, or be empty; with zip the name of the archive to write */
    bool zip;
    enum sample_layout layout;
    int64_t count; /* pictures in all; 0: 3600 glyphs, 500 shapes, 200 receipts */
    int64_t size;  /* pixels: the side; of a receipt the longer one; 0: 32, 320, 960 */
    int64_t seed;
};
struct sample_done {
    int64_t images, train, val, classes, bytes;
};
/* Called after each picture; an error ends the work. */
typedef enum rc (*sample_tick_fn)(void *ud, int64_t done, int64_t total, struct err *e);
/* RC_CONFLICT: the target exists.  RC_UNAVAILABLE: the machine has no usable font. */
enum rc sample_make(const struct sample_spec *s, sample_tick_fn tick, void *ud,
                    struct sample_done *ret, struct err *e) must_check;

#endif
