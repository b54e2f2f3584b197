/* json_fuzz.c - the tree and the pull reader agree on every input, and what the tree holds survives
 * the writer: writing, reading and writing again gives the same text. */
#include "base/json.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void write_tree(struct jw *w, const struct json *v)
{
    switch (v->type) {
    case JSON_NULL:
        jw_null(w);
        break;
    case JSON_BOOL:
        jw_bool(w, v->b);
        break;
    case JSON_INT:
        jw_int(w, v->i);
        break;
    case JSON_NUM:
        jw_num(w, v->f);
        break;
    case JSON_STR:
        ASSERT(str_utf8_ok(v->s) && v->s.p[v->s.n] == 0);
        jw_str(w, v->s);
        break;
    case JSON_ARR:
        jw_arr(w);
        JSON_EACH(x, v)
            write_tree(w, x);
        jw_arr_end(w);
        break;
    case JSON_OBJ:
        jw_obj(w);
        JSON_EACH(x, v) {
            jw_key_str(w, x->key);
            write_tree(w, x);
        }
        jw_obj_end(w);
        break;
    }
}

static void text_of(struct buf *b, const struct json *v)
{
    struct jw w;

    buf_init(b, 64 << 20);
    jw_init(&w, b);
    write_tree(&w, v);
    ASSERT(buf_ok(b, NULL) == RC_OK && w.depth == 0);
}

static void round_trip(const struct json *v)
{
    struct arena a;
    struct buf first, second;
    const struct json *back = NULL;

    arena_init(&a, 256 << 20);
    text_of(&first, v);
    ASSERT(json_parse(&a, buf_view(&first), NULL, &back, NULL) == RC_OK);
    text_of(&second, back);
    ASSERT(str_eq(buf_view(&first), buf_view(&second)));
    buf_done(&first);
    buf_done(&second);
    arena_done(&a);
}

struct source {
    str rest;
    size_t step;
};

static enum rc fill(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    struct source *s = ud;
    str part = str_sub(s->rest, 0, s->step < cap ? s->step : cap);

    if (part.n)
        memcpy(p, part.p, part.n);
    s->rest = str_sub(s->rest, part.n, s->rest.n);
    *ret_n = part.n;
    return RC_OK;
}

static enum rc pull(str text, size_t step, struct err *e)
{
    struct source s = {text, step};
    enum jr_event event = JR_NULL;
    struct jr *r = NULL;
    enum rc rc = jr_new(&r, text.n + 1, fill, &s, e);

    while (!rc && event != JR_END) {
        rc = jr_next(r, &event, e);
        if (!rc && (event == JR_KEY || event == JR_STR))
            ASSERT(str_utf8_ok(jr_text(r)));
    }
    jr_free(r);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    str text = {(const char *)data, n};
    struct arena a;
    struct err e = {0}, pe = {0};
    const struct json *v = NULL;
    enum rc rc, prc;

    if (n > 1 << 16)
        return 0;
    arena_init(&a, 256 << 20);
    rc = json_parse(&a, text, NULL, &v, &e);
    prc = pull(text, 4 + n % 7, &pe);
    if (rc)
        ASSERT(rc == RC_INVALID && str_starts(str_of(e.text), STR("line ")));
    if (rc && str_find(str_of(e.text), STR("appears twice")) > 0)
        ; /* the reader does not look for it, and may go on to a later fault */
    else
        ASSERT(rc == prc && (!rc || strcmp(e.text, pe.text) == 0));
    if (!rc)
        round_trip(v);
    arena_done(&a);
    return 0;
}
