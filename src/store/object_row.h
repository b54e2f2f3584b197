/* object_row.h - a row of `object` or `version` as object_sql.c and list_sql.c read it.  Private to
 * them. */
#ifndef ANNEAL_STORE_OBJECT_ROW_H
#define ANNEAL_STORE_OBJECT_ROW_H

#include "store/index.h"
#include "store/rowsum.h"

/* The order of the columns that a row's sum covers; the sum comes behind. */
#define COLUMNS ROWSUM_OBJECT_COLUMNS ", crc"
enum { SEQ, NULLV, DATA, BYTES, MODIFIED, ETAG, TYPE, META, ACL, TAGS, SUM, MARKER, LEFT };

static inline uint32_t key_sum(int64_t bucket, str key)
{
    return rowsum_text(rowsum_int(0, bucket), key);
}

static inline enum rc wrong_row(struct err *e)
{
    return err_set(e, RC_CORRUPT, "the object's row in the index does not have its checksum");
}

enum { OBJECT_COLS = LEFT + 1 };

/* Of the columns, in that order; texts are lent as they are. */
static inline struct object object_of(const union rowsum_col c[OBJECT_COLS])
{
    const str etag = str_sub(c[ETAG].s, 0, INDEX_ETAG_MAX - 1);
    struct object o = {.seq = c[SEQ].i,
                       .null_version = c[NULLV].i != 0,
                       .data = c[DATA].i,
                       .bytes = (uint64_t)c[BYTES].i,
                       .modified_ms = c[MODIFIED].i,
                       .type = c[TYPE].s,
                       .meta = c[META].s,
                       .acl = (enum canned_acl)c[ACL].i,
                       .tags = c[TAGS].s,
                       .marker = c[MARKER].i != 0,
                       .left_ms = c[LEFT].i};

    memcpy(o.etag, etag.n ? etag.p : "", etag.n);
    sum_read(c[SUM].s, &o.sum);
    return o;
}

#endif
