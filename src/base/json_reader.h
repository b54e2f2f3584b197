/* json_reader.h - private to base/json_*.c: the pull reader's state, which the tree drives too. */
#ifndef ANNEAL_BASE_JSON_READER_H
#define ANNEAL_BASE_JSON_READER_H

#include "base/json.h"

enum { JSON_NUMBER_MAX = 1000 };

enum jr_want {
    JR_WANT_VALUE,     /* the document, or what follows ':' or a comma of an array */
    JR_WANT_FIRST,     /* after '[': a value or ']' */
    JR_WANT_FIRST_KEY, /* after '{': a key or '}' */
    JR_WANT_KEY,       /* after a comma of an object */
    JR_WANT_NEXT,      /* after a value: a comma or the end of the list */
    JR_WANT_END,       /* after the document: nothing but white space */
};

struct jr {
    const char *in; /* the window: in[at .. n) is unread */
    size_t at, n;
    uint64_t base;       /* offset in the document of in[0] */
    uint64_t line_start; /* offset of the first byte of this line */
    int line;
    jr_fill_fn fill; /* NULL: the window is the whole document */
    void *ud;
    bool eof;
    enum rc failed; /* the first failure: the reader stays there */

    enum jr_want want;
    size_t depth, depth_max;
    bool is_obj[JSON_DEPTH_MAX]; /* the open lists */

    uint64_t token_at; /* offset and line where the last event started */
    int token_line;
    str text;
    struct buf strings; /* a string that has escapes or crosses windows */
    int64_t i;
    double f;
    bool b;
    char number[JSON_NUMBER_MAX + 1];
    char *window; /* owned, when fill is given */
};

void jr_init(struct jr *r, str text, size_t string_bytes_max);
void jr_done(struct jr *r);
static inline uint64_t jr_offset(const struct jr *r)
{
    return r->base + r->at;
}

#endif
