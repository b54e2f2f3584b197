/* file_source.h - a file as the body of a request, read from its start again for another try.
 * Private to s3/. */
#ifndef ANNEAL_S3_FILE_SOURCE_H
#define ANNEAL_S3_FILE_SOURCE_H

#include "base/err.h"
#include <stdint.h>

struct file_source {
    const char *path; /* lent */
    uint64_t bytes;   /* at opening; a file that shrinks is RC_CORRUPT, growth is not sent */
    uint64_t left;
    int fd;
};
enum rc file_source_open(struct file_source *f, const char *path, struct err *e) must_check;
void file_source_close(struct file_source *f);
/* client_source_fn and the rewind of struct transfer; ud is the struct file_source. */
enum rc file_source_pull(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e) must_check;
enum rc file_source_rewind(void *ud, struct err *e) must_check;

#endif
