/* dataset.h - the dataset version as it travels: a manifest of JSON lines, named by its SHA-256.
 *
 * Object key datasets/<version>/manifest.jsonl.  UTF-8, "\n" after every line.  The first line is
 * the header, each further line one image, sorted by (split, name) bytewise, so equal content gives
 * equal bytes and an equal version:
 *
 *   {"anneal_dataset":1,"task":"classification","classes":["cat","dog"],"images":2,
 *    "splits":{"train":1,"val":1,"test":0}}
 *   {"sha256":"..","bytes":812,"width":32,"height":32,"type":"jpeg","name":"train/cat/1.jpg",
 *    "split":"train","label":0}
 *   {.., "boxes":[[class,x,y,w,h],..]}             pixels, x y the top left corner
 *   {.., "polygons":[[class,x1,y1,x2,y2,..],..]}   pixels
 *   {.., "quads":[[x1,y1,x2,y2,x3,y3,x4,y4,"text"],..]}
 *
 * An image's bytes lie under blobs/<first two hex>/<sha256>, once for all versions and datasets;
 * its preview (JPEG, at most 256 pixels) under thumbs/<first two hex>/<sha256>, unless the image is
 * itself no larger than that.
 */
#ifndef ANNEAL_SPEC_DATASET_H
#define ANNEAL_SPEC_DATASET_H

#include "base/hash.h"
#include "base/json.h"

enum task { TASK_CLASSIFICATION, TASK_DETECTION, TASK_SEGMENTATION, TASK_TEXT, TASK_COUNT };
extern const char *const task_names[]; /* "classification", "detection", "segmentation", "text" */
enum split { SPLIT_TRAIN, SPLIT_VAL, SPLIT_TEST, SPLIT_NONE, SPLIT_COUNT };
extern const char *const split_names[]; /* "train", "val", "test", "none" */
enum image_type { IMAGE_JPEG, IMAGE_PNG, IMAGE_WEBP, IMAGE_TYPE_COUNT };
extern const char *const image_type_names[];     /* "jpeg", "png", "webp" */
const char *image_media_type(enum image_type t); /* "image/jpeg" ... */

enum {
    DATASET_CLASSES_MAX = 10000,
    DATASET_SHAPES_MAX = 10000, /* boxes, polygons or quads of one image */
    DATASET_NAME_BYTES_MAX = 1024,
    DATASET_LINE_BYTES_MAX = 8 << 20,
    THUMB_SIDE = 256,
};

struct box {
    int32_t cls;
    float x, y, w, h;
};
struct polygon {
    int32_t cls;
    float *xy;
    size_t points;
}; /* xy[2 * points] */
struct quad {
    float xy[8];
    str text;
};

struct sample { /* one image; text and arrays live in the reader's arena */
    char sha256[SHA256_HEX + 1];
    uint64_t bytes;
    int32_t width, height;
    enum image_type type;
    enum split split;
    str name;
    int32_t label; /* -1: none */
    struct box *boxes;
    size_t boxes_n;
    struct polygon *polygons;
    size_t polygons_n;
    struct quad *quads;
    size_t quads_n;
};
struct dataset_header {
    enum task task;
    str *classes;
    size_t classes_n;
    uint64_t images;
    uint64_t splits[SPLIT_COUNT];
};

void dataset_header_write(const struct dataset_header *h, struct buf *out); /* one line with "\n" */
void sample_write(const struct sample *s, struct buf *out);
enum rc dataset_header_read(str line, struct arena *a, struct dataset_header *ret,
                            struct err *e) must_check;
enum rc sample_read(str line, const struct dataset_header *h, struct arena *a, struct sample *ret,
                    struct err *e) must_check;
/* "blobs/ab/abcd.." into ret. */
enum { BLOB_KEY_MAX = 96 };
void blob_key(const char *sha256, char ret[BLOB_KEY_MAX]);
void thumb_key(const char *sha256, char ret[BLOB_KEY_MAX]);
void manifest_key(const char *version, char ret[BLOB_KEY_MAX + 16]);

#endif
