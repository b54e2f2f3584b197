/* http_decode.h - the text of a request taken apart: target, query, cookies, header parameters.
 * Pure functions over borrowed bytes, so that the fuzzer reaches them without a socket. */
#ifndef ANNEAL_NET_HTTP_DECODE_H
#define ANNEAL_NET_HTTP_DECODE_H

#include "base/arena.h"

enum { HTTP_PAIRS_MAX = 200 }; /* headers, query fields or cookies of one request */

struct http_pair {
    str name, value;
};
struct http_pairs {
    struct http_pair *p;
    size_t n;
};

/* "%41+" is "A+" (plus_is_space: "A ").  A broken escape or %00 is RC_INVALID. */
enum rc http_percent_decode(struct arena *a, str s, bool plus_is_space, str *ret, struct err *e)
    must_check;
/* Origin form "/a%20b?x=1", absolute form "http://host/a?x" (RFC 9112, 3.2), or "*".  The path is
 * decoded, the query is not. */
enum rc http_split_target(struct arena *a, str target, str *ret_path, str *ret_query,
                          struct err *e) must_check;
/* application/x-www-form-urlencoded, as in a query. */
enum rc http_parse_query(struct arena *a, str query, struct http_pairs *ret, struct err *e)
    must_check;
/* A Cookie header (RFC 6265, 4.2): malformed pairs are skipped, as all servers do. */
enum rc http_parse_cookies(struct arena *a, str header, struct http_pairs *ret, struct err *e)
    must_check;
/* One parameter of "form-data; name=\"a\"; filename*=UTF-8''%41" by name; quoted strings are
 * unescaped.  .p NULL if absent; RC_INVALID if malformed. */
enum rc http_header_param(struct arena *a, str header, const char *name, str *ret, struct err *e)
    must_check;
/* .p NULL if absent; fold: the names' case is ignored. */
str http_pairs_get(const struct http_pairs *p, str name, bool fold);
bool http_token_ok(str s);        /* RFC 9110 token, not empty */
bool http_field_value_ok(str s);  /* no control character but TAB */
/* True if `list` ("keep-alive, Upgrade") holds token, case ignored. */
bool http_list_has(str list, const char *token);

#endif
