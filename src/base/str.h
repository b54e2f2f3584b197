/* str.h - borrowed text: a pointer and a length, never owned, not NUL-terminated. */
#ifndef ANNEAL_BASE_STR_H
#define ANNEAL_BASE_STR_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct str {
    const char *p; /* may be NULL only when n is 0 */
    size_t n;
} str;

#define STR(lit) ((str){"" lit, sizeof(lit) - 1})
#define STR_F(s) (int)(s).n, (s).p /* for "%.*s" */
#define STR_NONE ((str){NULL, 0})

str str_of(const char *cstr); /* NULL gives STR_NONE */
bool str_eq(str a, str b);
bool str_is(str a, const char *cstr);
bool str_ieq(str a, str b); /* ASCII case folded */
int str_cmp(str a, str b);  /* bytewise, shorter first */
bool str_starts(str s, str prefix);
bool str_ends(str s, str suffix);
bool str_iends(str s, str suffix);         /* ASCII case folded: file extensions */
str str_trim(str s);                       /* ASCII white space off both ends */
str str_sub(str s, size_t from, size_t n); /* clamped */
/* Position or -1. */
ptrdiff_t str_find(str s, str needle);
ptrdiff_t str_chr(str s, char c);
ptrdiff_t str_rchr(str s, char c);
/* Takes the piece before the next `sep` off *rest; false when *rest is used up (p == NULL). */
bool str_next(str *rest, char sep, str *ret_piece);
/* Takes a line off *rest, without its "\n" or "\r\n"; false at the end. */
bool str_line(str *rest, str *ret_line);

/* Whole string or nothing: no white space, no trailing text; false on overflow. */
bool str_i64(str s, int64_t *ret);
bool str_u64(str s, uint64_t *ret);
bool str_f64(str s, double *ret);          /* finite decimal only; independent of the locale */
bool str_bytes_size(str s, uint64_t *ret); /* "64", "10KB" "10KiB" "2GB" "2GiB" ... */
bool str_duration_ms(str s, int64_t *ret); /* "250ms" "10s" "5m" "2h" "7d" */
bool str_utf8_ok(str s);                   /* well-formed UTF-8 (RFC 3629), no NUL */
/* Bytes (1-4) of the well-formed UTF-8 character at p, of at most n; 0: there is none. */
size_t str_utf8_at(const char *p, size_t n);

#endif
