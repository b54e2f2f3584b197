/* fuzzing.h - for the fuzzers of annotation readers: a harvest of two pictures and one text file.
 */
#ifndef ANNEAL_FLOW_DATASET_FUZZING_H
#define ANNEAL_FLOW_DATASET_FUZZING_H

#include "flow/dataset/assemble.h"

static enum rc fuzzing_sink(void *ud, const void *p, size_t n, struct err *e)
{
    (void)p, (void)e;
    *(size_t *)ud += n;
    return RC_OK;
}

/* Text as the file `path` beside `image`; what is read must assemble into a manifest whose lines
 * can be read back. */
static inline void fuzzing_run(const char *path, const char *image, const uint8_t *data,
                               size_t size, enum rc (*reader)(struct harvest *p, struct err *e))
{
    struct arena a;
    struct harvest p;
    struct err e;
    struct assembly as;
    struct split_spec split = {SPLIT_AUTO, 0.8, 0.2, 0, 42};
    size_t written = 0;

    arena_init(&a, 256 << 20);
    harvest_init(&p, &a);
    struct file files[] = {
        {.path = str_of(path), .text = arena_str(&a, (str){(const char *)data, size})},
        {.path = str_of(image), .is_image = true},
        {.path = STR("images/other.png"), .is_image = true}};
    for (int i = 0; i < 3; i++)
        if (!VEC_PUSH(&p.files, files[i]))
            return;
    if (!harvest_take_pictures(&p, &e) && !reader(&p, &e)) {
        for (size_t i = 0; i < p.pictures.n; i++) {
            struct checked *c = &p.pictures.p[i].got;
            *c = (struct checked){.done = true, .bytes = 1, .width = 640, .height = 480};
            memset(c->sha256, "0123"[i & 3], SHA256_HEX);
        }
        if (!assemble(&p, &split, false, &as, &e) &&
            assembly_write(&as, fuzzing_sink, &written, &e) == RC_OK)
            ASSERT(written == as.manifest_bytes);
    }
    harvest_done(&p);
    arena_done(&a);
}

#endif
