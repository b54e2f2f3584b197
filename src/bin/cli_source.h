/* cli_source.h - what is uploaded: an archive, or a folder that is packed while it is sent.
 *
 * A source can begin anywhere again, so that a part whose connection broke is sent once more.  A
 * folder becomes an uncompressed tar (ustar, pax where a name is long) in the order of its paths,
 * with fixed times: packing it twice gives the same bytes, nothing is written to disk, and memory
 * holds its list of names and one chunk. */
#ifndef ANNEAL_BIN_CLI_SOURCE_H
#define ANNEAL_BIN_CLI_SOURCE_H

#include "base/str.h"

#include <stdint.h>

struct source;
/* RC_NOT_FOUND, RC_INVALID: neither a file nor a folder, or nothing in it. */
enum rc source_open(struct source **ret, const char *path, struct err *e) must_check;
void source_close(struct source *s); /* NULL is fine */
int64_t source_bytes(const struct source *s);
int64_t source_files(const struct source *s); /* of a folder; 0 of an archive */
/* The next bytes will be those from `at`. */
enum rc source_seek(struct source *s, int64_t at, struct err *e) must_check;
/* *ret_n 0: the end.  RC_CORRUPT: a file has changed since source_open. */
enum rc source_read(struct source *s, void *p, size_t cap, size_t *ret_n, struct err *e) must_check;

#endif
