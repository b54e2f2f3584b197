/* json.h - RFC 8259 JSON: a streaming writer, a bounded pull reader, and a tree over it.
 *
 * Ours rather than a library's because the same code must run without libc in the browser, every
 * reader needs limits (depth, bytes, nodes) and a line and column for its errors, and annotation
 * files of several hundred MB must be read without a tree.  Duplicate keys (in the tree), invalid
 * UTF-8, lone surrogates, U+0000, NaN, numbers past a double's range and trailing text are errors.
 */
#ifndef ANNEAL_BASE_JSON_H
#define ANNEAL_BASE_JSON_H

#include "base/arena.h"
#include "base/buf.h"

enum { JSON_DEPTH_MAX = 64 };

/* ---- writer: appends to a buf (sticky errors live there); commas and escapes are its business */
struct jw {
    struct buf *out;
    unsigned depth;
    bool need_comma;
};
void jw_init(struct jw *w, struct buf *out);
void jw_obj(struct jw *w);
void jw_obj_end(struct jw *w);
void jw_arr(struct jw *w);
void jw_arr_end(struct jw *w);
void jw_key(struct jw *w, const char *key);
void jw_key_str(struct jw *w, str key);
void jw_str(struct jw *w, str s);          /* invalid UTF-8 becomes U+FFFD */
void jw_cstr(struct jw *w, const char *s); /* NULL writes null */
void jw_int(struct jw *w, int64_t v);
void jw_num(struct jw *w, double v); /* shortest text that reads back the same; not finite: null */
/* To a multiple of 1 / per, where a number means no more: round_to(x, 1e6) has six decimals. */
double round_to(double v, double per);
void jw_bool(struct jw *w, bool v);
void jw_null(struct jw *w);
void jw_raw(struct jw *w, str json); /* already JSON: stored documents */
/* key and value at once */
void jw_kstr(struct jw *w, const char *key, str v);
void jw_kcstr(struct jw *w, const char *key, const char *v);
void jw_kint(struct jw *w, const char *key, int64_t v);
void jw_knum(struct jw *w, const char *key, double v);
void jw_kbool(struct jw *w, const char *key, bool v);
void jw_kraw(struct jw *w, const char *key, str json);
void jw_kobj(struct jw *w, const char *key);
void jw_karr(struct jw *w, const char *key);

/* ---- tree */
enum json_type { JSON_NULL, JSON_BOOL, JSON_INT, JSON_NUM, JSON_STR, JSON_ARR, JSON_OBJ };

struct json {
    enum json_type type;
    int line; /* 1-based, where the value starts */
    str key;  /* inside an object */
    union {
        bool b;
        int64_t i; /* JSON_INT: written without fraction or exponent and fits */
        double f;  /* JSON_NUM */
        str s;
        struct {
            struct json *first;
            size_t count;
        } list; /* JSON_ARR, JSON_OBJ */
    };
    struct json *next; /* sibling */
    str raw;           /* the text it was read from (borrowed from the input) */
};

struct json_limits {
    size_t depth_max; /* 0: JSON_DEPTH_MAX */
    size_t nodes_max; /* 0: 1,000,000 */
};

/* The tree lives in `a` (strings too).  Errors name line and column. */
enum rc json_parse(struct arena *a, str text, const struct json_limits *lim,
                   const struct json **ret, struct err *e) must_check;
/* NULL: absent, or `obj` is NULL or no object. */
const struct json *json_get(const struct json *obj, const char *key);
/* Typed look-ups with a default when absent or of another type. */
str json_str(const struct json *obj, const char *key, str dflt);
int64_t json_int(const struct json *obj, const char *key, int64_t dflt);
double json_num(const struct json *obj, const char *key, double dflt); /* takes JSON_INT too */
bool json_bool(const struct json *obj, const char *key, bool dflt);
/* Over the members of an array or object; NULL has none.  `of` must be no scalar. */
#define JSON_EACH(item, of)                                                                        \
    for (const struct json *item = (of) ? (of)->list.first : NULL; item; item = item->next)

/* ---- pull reader: feed it bytes through `fill` (which gives 0 at the end), take events one by
 * one; memory does not grow with the document, only with its longest string (string_bytes_max).
 * It keeps no keys, so finding duplicate keys is the caller's.  After a failure it only fails. */
enum jr_event {
    JR_END, /* after the whole document, which nothing but white space may follow */
    JR_OBJ,
    JR_OBJ_END,
    JR_ARR,
    JR_ARR_END,
    JR_KEY,
    JR_STR,
    JR_INT, /* written without fraction or exponent and fits */
    JR_NUM,
    JR_BOOL,
    JR_NULL
};
struct jr; /* opaque */
typedef enum rc (*jr_fill_fn)(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e);
enum rc jr_new(struct jr **ret, size_t string_bytes_max, jr_fill_fn fill, void *ud,
               struct err *e) must_check;
void jr_free(struct jr *r);
enum rc jr_next(struct jr *r, enum jr_event *ret, struct err *e) must_check;
str jr_text(const struct jr *r);    /* JR_KEY, JR_STR: valid until the next call */
int64_t jr_int(const struct jr *r); /* JR_INT */
double jr_num(const struct jr *r);  /* JR_INT, JR_NUM */
bool jr_bool(const struct jr *r);
int jr_line(const struct jr *r);
/* After JR_KEY or inside an array: skips the whole next value. */
enum rc jr_skip(struct jr *r, struct err *e) must_check;

#endif
