/* json_tree.c - a JSON document as a tree in an arena, built from the pull reader's events.
 *
 * The input is the reader's window as it stands, so `raw` is cut from it by offsets.  Duplicate
 * keys are looked for when an object closes: by pairs when it is small, by a map when not (the
 * map's hash is keyed, so that many keys cost no more than their number).
 */
#include "base/json_reader.h"
#include "base/map.h"

#include <string.h>

enum { NODES_MAX = 1000 * 1000, PAIRS_MAX = 16 };

struct builder {
    struct jr reader;
    struct arena *a;
    str text;
    size_t nodes, nodes_max;
    struct json *root;
    struct json *open[JSON_DEPTH_MAX];
    struct json *last[JSON_DEPTH_MAX]; /* of the open list's children */
    str key;
};

static enum rc nomem(struct err *e)
{
    return err_set(e, RC_NOMEM, "the JSON document needs more memory than it may take");
}

static enum rc twice(struct builder *t, const struct json *v, struct err *e)
{
    const char *line = v->raw.p;

    while (line > t->text.p && line[-1] != '\n')
        line--;
    return err_set(e, RC_INVALID,
                   "line %d, column %zu: the key \"%.*s\" appears twice in an object", v->line,
                   (size_t)(v->raw.p - line) + 1, STR_F(str_sub(v->key, 0, 64)));
}

static enum rc check_keys(struct builder *t, const struct json *obj, struct err *e)
{
    struct map seen;
    enum rc rc = RC_OK;

    if (obj->list.count <= PAIRS_MAX) {
        JSON_EACH(v, obj) {
            for (const struct json *u = obj->list.first; u != v; u = u->next) {
                if (str_eq(u->key, v->key))
                    return twice(t, v, e);
            }
        }
        return RC_OK;
    }
    map_init(&seen);
    JSON_EACH(v, obj) {
        rc = map_has(&seen, v->key) ? twice(t, v, e) : map_put(&seen, v->key, NULL, e);
        if (rc)
            break;
    }
    map_done(&seen);
    return rc;
}

/* Appends a node for the event to the open list. */
static enum rc add_node(struct builder *t, enum json_type type, size_t depth, struct json **ret,
                        struct err *e)
{
    struct json *v;

    if (++t->nodes > t->nodes_max)
        return err_set(e, RC_TOO_LARGE, "line %d: the JSON document has more than %zu values",
                       t->reader.token_line, t->nodes_max);
    v = ARENA_NEW(t->a, struct json);
    if (!v)
        return nomem(e);
    v->type = type;
    v->line = t->reader.token_line;
    v->raw.p = t->text.p + t->reader.token_at;
    v->raw.n = (size_t)(jr_offset(&t->reader) - t->reader.token_at);
    if (!depth) {
        t->root = v;
    } else {
        struct json *parent = t->open[depth - 1];
        if (parent->type == JSON_OBJ)
            v->key = t->key;
        if (t->last[depth - 1])
            t->last[depth - 1]->next = v;
        else
            parent->list.first = v;
        t->last[depth - 1] = v;
        parent->list.count++;
    }
    *ret = v;
    return RC_OK;
}

static enum rc close_node(struct builder *t, struct err *e)
{
    struct json *v = t->open[t->reader.depth];

    v->raw.n = (size_t)(t->text.p + jr_offset(&t->reader) - v->raw.p);
    return v->type == JSON_OBJ ? check_keys(t, v, e) : RC_OK;
}

static enum rc add_value(struct builder *t, enum jr_event event, struct err *e)
{
    static const enum json_type types[] = {
        [JR_OBJ] = JSON_OBJ, [JR_ARR] = JSON_ARR,   [JR_STR] = JSON_STR,   [JR_INT] = JSON_INT,
        [JR_NUM] = JSON_NUM, [JR_NULL] = JSON_NULL, [JR_BOOL] = JSON_BOOL,
    };
    bool list = event == JR_OBJ || event == JR_ARR;
    size_t depth = t->reader.depth - (list ? 1 : 0); /* of the list that it stands in */
    struct json *v = NULL;
    enum rc rc = add_node(t, types[event], depth, &v, e);

    if (rc)
        return rc;
    switch (event) {
    case JR_OBJ:
    case JR_ARR:
        t->open[depth] = v;
        t->last[depth] = NULL;
        break;
    case JR_STR:
        v->s = arena_str(t->a, t->reader.text);
        return v->s.p ? RC_OK : nomem(e);
    case JR_INT:
        v->i = t->reader.i;
        break;
    case JR_NUM:
        v->f = t->reader.f;
        break;
    case JR_BOOL:
        v->b = t->reader.b;
        break;
    default:
        break;
    }
    return RC_OK;
}

static enum rc build(struct builder *t, struct err *e)
{
    for (;;) {
        enum jr_event event;
        enum rc rc = jr_next(&t->reader, &event, e);
        if (rc)
            return rc;
        switch (event) {
        case JR_END:
            return RC_OK;
        case JR_KEY:
            t->key = arena_str(t->a, t->reader.text);
            rc = t->key.p ? RC_OK : nomem(e);
            break;
        case JR_OBJ_END:
        case JR_ARR_END:
            rc = close_node(t, e);
            break;
        default:
            rc = add_value(t, event, e);
        }
        if (rc)
            return rc;
    }
}

enum rc json_parse(struct arena *a, str text, const struct json_limits *lim,
                   const struct json **ret, struct err *e)
{
    struct builder t;
    enum rc rc;

    if (!text.p)
        text.p = "";
    jr_init(&t.reader, text, text.n);
    if (lim && lim->depth_max && lim->depth_max < JSON_DEPTH_MAX)
        t.reader.depth_max = lim->depth_max;
    t.a = a;
    t.text = text;
    t.nodes = 0;
    t.nodes_max = lim && lim->nodes_max ? lim->nodes_max : NODES_MAX;
    t.root = NULL;
    t.key = STR_NONE;
    rc = build(&t, e);
    jr_done(&t.reader);
    if (!rc)
        *ret = t.root;
    return rc;
}

const struct json *json_get(const struct json *obj, const char *key)
{
    str name = str_of(key);

    if (!obj || obj->type != JSON_OBJ)
        return NULL;
    JSON_EACH(v, obj) {
        if (str_eq(v->key, name))
            return v;
    }
    return NULL;
}

str json_str(const struct json *obj, const char *key, str dflt)
{
    const struct json *v = json_get(obj, key);

    return v && v->type == JSON_STR ? v->s : dflt;
}

int64_t json_int(const struct json *obj, const char *key, int64_t dflt)
{
    const struct json *v = json_get(obj, key);

    return v && v->type == JSON_INT ? v->i : dflt;
}

double json_num(const struct json *obj, const char *key, double dflt)
{
    const struct json *v = json_get(obj, key);

    if (v && v->type == JSON_INT)
        return (double)v->i;
    return v && v->type == JSON_NUM ? v->f : dflt;
}

bool json_bool(const struct json *obj, const char *key, bool dflt)
{
    const struct json *v = json_get(obj, key);

    return v && v->type == JSON_BOOL ? v->b : dflt;
}
