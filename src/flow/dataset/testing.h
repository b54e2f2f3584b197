/* testing.h - for the tests of this folder: archives made in memory, and an import without a store.
 */
#ifndef ANNEAL_FLOW_DATASET_TESTING_H
#define ANNEAL_FLOW_DATASET_TESTING_H

#include "flow/dataset/assemble.h"
#include "flow/dataset/images.h"
#include "flow/dataset/pack.h"
#include "flow/dataset/survey.h"

/* An archive being written; type "zip", "zip+stored", "zip+password", "tar", "tar.gz", "tar.xz",
 * "tar.zst". */
struct testing_zip;
struct testing_zip *testing_zip_new(const char *type);
void testing_zip_add(struct testing_zip *z, const char *path, str content);
void testing_zip_dir(struct testing_zip *z, const char *path);
void testing_zip_link(struct testing_zip *z, const char *path, const char *target, bool hard);
void testing_zip_image(struct testing_zip *z, const char *path, int width, int height,
                       unsigned seed);
void testing_zip_close(struct testing_zip *z,
                       struct buf *ret); /* frees z; ret is initialised here */

/* A whole import from memory.  Blobs are counted, not kept. */
struct testing_import {
    struct arena a;
    struct harvest harvest;
    struct assembly as;
    struct buf manifest;
    size_t puts; /* of blobs and previews */
    enum rc rc;
    struct err err;
};
void testing_import(struct testing_import *ret, str archive, const struct pack_limits *lim,
                    const struct split_spec *split);
void testing_import_done(struct testing_import *t);
const struct fault *testing_fault(const struct testing_import *t, enum fault_code code, size_t i);

/* The shared real data, or false: then a test has nothing to prove and passes. */
bool testing_shared_data(const char *name, struct buf *ret);

#endif
