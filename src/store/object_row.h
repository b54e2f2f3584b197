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

/* What lists tell of each; texts are lent until the next row. */
static inline struct object read_listed(struct rows *r, int at)
{
    struct object o = {.seq = rows_int(r, at + SEQ),
                       .null_version = rows_int(r, at + NULLV) != 0,
                       .bytes = (uint64_t)rows_int(r, at + BYTES),
                       .modified_ms = rows_int(r, at + MODIFIED),
                       .tags = rows_text(r, at + TAGS)};
    str etag = str_sub(rows_text(r, at + ETAG), 0, sizeof o.etag - 1);

    memcpy(o.etag, etag.n ? etag.p : "", etag.n);
    sum_read(rows_text(r, at + SUM), &o.sum);
    return o;
}

/* The same and the rest. */
static inline struct object read_object(struct rows *r, int at)
{
    struct object o = read_listed(r, at);

    o.data = rows_int(r, at + DATA);
    o.type = rows_text(r, at + TYPE);
    o.meta = rows_text(r, at + META);
    o.acl = (enum canned_acl)rows_int(r, at + ACL);
    return o;
}

#endif
