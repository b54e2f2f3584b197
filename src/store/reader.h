/* reader.h - the bytes of a content, verified block by block, wherever they lie.  Private to
 * store/.
 *
 *     rc = reader_pin(&r, files, segments, e);          // before the transaction of the look-up
 *     rc = db_begin(...); index_get(...);
 *     rc = reader_find(&r, tx, data, e); tx_rollback(tx);
 *     rc = reader_read(&r, at, p, cap, &n, e);           // as often as wanted
 *     reader_done(&r);
 *
 * The pin keeps what the look-up finds until reader_done, whoever replaces, deletes or compacts it
 * meanwhile.  A wrong block is RC_CORRUPT, never a wrong byte.  One owner thread at a time.
 */
#ifndef ANNEAL_STORE_READER_H
#define ANNEAL_STORE_READER_H

#include "store/blocks.h"
#include "store/data.h"

struct reader {
    struct files *files;
    struct segments *segments;
    bool pinned;
    uint64_t pin, bytes;
    struct arena arena; /* rows */
    struct data_row *parts;
    size_t part_n;
    /* the part that is open */
    size_t at;      /* part_n: none */
    uint64_t begin; /* where it begins in the whole */
    str body;
    char *record;
    struct blocks_reader blocks;
    int fd; /* of a file of layout 1 */
};
enum rc reader_pin(struct reader *r, struct files *files, struct segments *segments,
                   struct err *e) must_check;
enum rc reader_find(struct reader *r, struct tx *tx, int64_t data, struct err *e) must_check;
/* A row in hand instead of a look-up; lent. */
void reader_row(struct reader *r, struct data_row *row);
/* *ret_n at least 1; at < r->bytes. */
enum rc reader_read(struct reader *r, uint64_t at, void *p, size_t cap, size_t *ret_n,
                    struct err *e) must_check;
/* Opens what holds `at`: a file that is missing shows before a reply has begun. */
enum rc reader_ready(struct reader *r, uint64_t at, struct err *e) must_check;
void reader_done(struct reader *r); /* any time after reader_pin, also a failed one */
/* Reads and verifies all of it. */
enum rc reader_verify(struct reader *r, struct err *e) must_check;

#endif
