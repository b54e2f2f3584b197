/* sample_int.h - private to the samples: one drawing routine a kind, and what they share. */
#ifndef ANNEAL_LAB_VISION_SAMPLE_INT_H
#define ANNEAL_LAB_VISION_SAMPLE_INT_H

#include "lab/vision/sample.h"
#include "lab/vision/sample_font.h"
#include "lab/vision/sample_out.h"

struct maker {
    const struct sample_spec *s; /* count and size are set */
    struct sample_out *out;
    struct fonts *fonts;    /* NULL where none are needed */
    struct buf text, bytes; /* of the picture at hand */
    struct buf train_list, val_list;
    int64_t train, val;
};
/* Every fifth picture of a class validates. */
bool sample_is_val(int64_t index_in_class);

enum rc glyphs_one(struct maker *m, int64_t i, struct err *e) must_check;
enum { GLYPH_CLASSES = 36 };
enum rc shapes_one(struct maker *m, int64_t i, struct err *e) must_check;
enum rc shapes_end(struct maker *m, struct err *e) must_check; /* data.yaml, or ImageSets */
extern const char *const shape_names[];
enum { SHAPE_CLASSES = 8 };
enum rc receipts_one(struct maker *m, int64_t i, struct err *e) must_check;

/* What lies behind the objects: one of several materials in one of many colours. */
enum ground {
    GROUND_CLOUD,
    GROUND_WOOD,
    GROUND_WEAVE,
    GROUND_METAL,
    GROUND_MARBLE,
    GROUND_TILES,
    GROUND_COUNT
};
void ground_draw(struct canvas *c, struct rng *r, enum ground kind);
/* Light that falls from one side, and a darker rim. */
void light_draw(struct canvas *c, struct rng *r, double strength);

#endif
