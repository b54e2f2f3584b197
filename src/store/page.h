/* page.h - one page of a list of keys: objects, versions, unfinished uploads.  Private to store/.
 *
 * A page is one walk over the index in key order.  When a key falls under a common prefix, the walk
 * is ended and begun anew behind all keys of that prefix, so that a "folder" of a million objects
 * costs one look-up. */
#ifndef ANNEAL_STORE_PAGE_H
#define ANNEAL_STORE_PAGE_H

#include "store/store_int.h"

struct page {
    struct call *c;
    struct buf out, prefixes; /* entries, and common prefixes, which follow them */
    str prefix, delimiter;
    uint64_t max, count;
    bool url, truncated, again; /* again: a common prefix ended the walk */
    str from, to;               /* from <= key < to */
    int64_t tie;                /* among the entries of the key `from` */
    str next;                   /* first key that is not in the page */
    str last;                   /* last key or prefix in it ... */
    bool last_common;           /* it is a prefix */
    int64_t last_tie;           /* which entry of that key */
    int64_t day;                /* cache of page_time: the day whose text stands in `date` */
    char date[12];
};
/* Reads prefix, delimiter, encoding-type and the maximum (named `max_name`).  page_done in any
 * case. */
enum s3_code page_begin(struct page *g, struct call *c, const char *max_name);
void page_done(struct page *g);
/* Begins behind a marker of a key (a common prefix stands for all keys under it). */
enum s3_code page_after(struct page *g, str marker);
/* A continuation token is the first name that was not returned, in hex: it stays valid whatever is
 * written or deleted in between. */
enum s3_code page_token(struct call *c, str token, str *ret);
void page_put_token(struct buf *b, const char *tag, str next);
/* Looks at one entry: *ret_put true if it is to be written, *stop if the walk has to end. */
enum rc page_take(struct page *g, str key, int64_t tie, bool *ret_put, bool *stop, struct err *e);
/* Runs `walk` (one query over from..to, at most `max` rows) until the page is full. */
typedef enum rc (*page_walk_fn)(struct page *g, struct tx *tx, int64_t bucket, size_t max);
enum s3_code page_run(struct page *g, page_walk_fn walk);
/* Name, Prefix, Delimiter, and whatever is before the entries goes to `head`; then reply. */
void page_head(struct page *g, struct buf *head, const char *root, const char *max_tag);
void page_reply(struct page *g, struct buf *head, const char *root);

/* <tag>name</tag>, encoded as the request asks. */
void page_name(const struct page *g, struct buf *b, const char *tag, str s);
/* "2026-01-31T12:00:00.000Z", without calendar arithmetic for each of a million keys. */
void page_time(struct page *g, struct buf *b, int64_t unix_ms);
void page_u64(struct buf *b, uint64_t v);

#endif
