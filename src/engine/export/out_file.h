/* out_file.h - a file that is being written: whole under its name afterwards, or absent.
 *
 * It grows under a temporary name beside its own and is renamed when it is done; its SHA-256 and
 * size are known then.  After a failure every call is a no-op that gives the failure again. */
#ifndef ANNEAL_ENGINE_EXPORT_OUT_FILE_H
#define ANNEAL_ENGINE_EXPORT_OUT_FILE_H

#include "base/buf.h"
#include "base/hash.h"

struct out_file {
    char *path, *temporary;
    int fd;
    struct hasher hash;
    int64_t bytes;
    enum rc rc; /* sticky */
    struct err err;
};
struct out_file_done {
    char sha256[SHA256_HEX + 1];
    int64_t bytes;
};
/* Out of memory and a folder that cannot be written to are told by out_file_close. */
void out_file_open(struct out_file *f, const char *path);
void out_file_put(struct out_file *f, const void *p, size_t n);
/* Renames, durably; or, after a failure or with `keep` false, removes what there is. */
enum rc out_file_close(struct out_file *f, bool keep, struct out_file_done *ret,
                       struct err *e) must_check;

#endif
