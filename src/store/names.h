/* names.h - small texts of the S3 protocol: bucket names, keys, ranges, entity tags, dates.
 * Pure functions.  Private to store/. */
#ifndef ANNEAL_STORE_NAMES_H
#define ANNEAL_STORE_NAMES_H

#include "base/str.h"

/* "Bucket naming rules", Amazon S3 user guide: 3 to 63 of a-z 0-9 . -, no IPv4 address, ... */
bool bucket_name_ok(str s);
/* 1 to 1024 bytes of UTF-8 without NUL. */
bool key_ok(str s);

enum range_kind {
    RANGE_NONE,   /* absent, malformed or several: the whole object (RFC 9110, 14.2) */
    RANGE_PART,   /* *ret_at and *ret_n, clipped to the size */
    RANGE_OUTSIDE /* 416 */
};
enum range_kind range_parse(str header, uint64_t size, uint64_t *ret_at, uint64_t *ret_n);

/* Does a list of entity tags (If-Match, If-None-Match) hold this one (given without quotes)?
 * "*" matches all; W/ prefixes are ignored, for our tags name exact bytes. */
bool etag_listed(str list, str etag);

/* "Fri, 24 May 2013 00:00:00 GMT" (IMF-fixdate, RFC 9110, 5.6.7) and back; seconds. */
enum { HTTP_DATE_TEXT = 30 };
void http_date_text(int64_t unix_s, char ret[HTTP_DATE_TEXT]);
bool http_date_parse(str s, int64_t *ret_unix_s);

#endif
