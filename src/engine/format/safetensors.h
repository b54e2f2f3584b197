/* safetensors.h - named tensors in a file or in memory: weights, and the optimiser state of an
 * exact resume.
 *
 * The format (huggingface.co/docs/safetensors): 8 bytes little-endian length of the header; the
 * header, a JSON object
 * {"__metadata__":{text:text..},"NAME":{"dtype","shape","data_offsets":[from,to]}..} padded with
 * spaces; then the data without holes.
 *
 * What is written is a function of its input alone: members sorted bytewise with __metadata__
 * first, data in the order of names, the header padded to 8 bytes; no time, no path.  So equal
 * tensors give an equal SHA-256.  What is read is hostile until checked: lengths, counts, shapes
 * against sizes, overlaps and holes, and nothing is allocated from a number in the file that the
 * file's size does not cover.  A reader belongs to one thread.
 */
#ifndef ANNEAL_ENGINE_FORMAT_SAFETENSORS_H
#define ANNEAL_ENGINE_FORMAT_SAFETENSORS_H

#include "base/arena.h"
#include "base/hash.h"

enum {
    SAFETENSORS_HEADER_BYTES_MAX = 16 << 20,
    SAFETENSORS_TENSORS_MAX = 65536,
    SAFETENSORS_DIMS_MAX = 8,
};

struct safetensors_meta {
    str key, value;
};

/* ---- writing: float32 */
struct safetensors_entry {
    const char *name;
    int dims;
    const int64_t *shape; /* the product is the number of elements */
};
/* Fills the elements of entry i. */
typedef void (*safetensors_get_fn)(void *ud, size_t i, float *ret);
struct safetensors_written {
    char sha256[SHA256_HEX + 1];
    int64_t bytes;
};
/* The file is whole under its name or absent (temporary file beside it, then rename); `durable`
 * adds the fsyncs that make this hold after a power cut.  Holds one tensor in memory at a time.
 * RC_INVALID: a name twice. */
enum rc safetensors_write(const char *path, const struct safetensors_meta *meta, size_t meta_n,
                          const struct safetensors_entry *entries, size_t n, bool durable,
                          safetensors_get_fn get, void *ud, struct safetensors_written *ret,
                          struct err *e) must_check;

/* ---- reading */
struct safetensors_tensor {
    str name;
    char dtype[8]; /* "F32", "BF16", ... */
    int dims;
    int64_t shape[SAFETENSORS_DIMS_MAX];
    size_t count;       /* elements */
    uint64_t at, bytes; /* in the file */
};
struct safetensors;
/* RC_CORRUPT with the reason; the file stays open until closed. */
enum rc safetensors_open(struct safetensors **ret, const char *path, struct err *e) must_check;
/* The same of a file that lies in memory, lent until closed; `name` is for the texts of errors. */
enum rc safetensors_view(struct safetensors **ret, const char *name, str bytes,
                         struct err *e) must_check;
void safetensors_close(struct safetensors *s); /* NULL is fine */
size_t safetensors_count(const struct safetensors *s);
const struct safetensors_tensor *safetensors_at(const struct safetensors *s,
                                                size_t i);          /* by name */
ptrdiff_t safetensors_find(const struct safetensors *s, str name);  /* index or -1 */
str safetensors_meta(const struct safetensors *s, const char *key); /* STR_NONE if absent */
/* Elements of tensor i as float32: F32 as is, F16 and BF16 exactly converted; RC_UNSUPPORTED for
 * other types. */
enum rc safetensors_read(struct safetensors *s, size_t i, float *ret, struct err *e) must_check;

/* Under both: anything of `bytes` bytes of which pieces inside can be read.  Takes the source over:
 * it is closed with the reader, and on failure. */
struct safetensors_source {
    uint64_t bytes;
    enum rc (*read)(void *ud, void *p, size_t n, uint64_t at, struct err *e);
    void (*close)(void *ud);
    void *ud;
};
enum rc safetensors_begin(struct safetensors **ret, const char *name,
                          const struct safetensors_source *from, struct err *e) must_check;

/* The header alone: file_bytes long file that starts with 8 + header.n bytes.  What open uses, and
 * the fuzzer's door.  Tensors (sorted by name) and metadata live in `a`. */
struct safetensors_header {
    struct safetensors_tensor *tensors;
    size_t n;
    struct safetensors_meta *meta;
    size_t meta_n;
};
enum rc safetensors_parse(str header, uint64_t file_bytes, struct arena *a,
                          struct safetensors_header *ret, struct err *e) must_check;

#endif
