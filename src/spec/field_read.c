/* field_read.c - JSON and text into C structs, checked against a table of fields.
 *
 * Strict on purpose: an unknown member is an error that names the nearest known one, because a
 * setting that is dropped in silence costs its user a night of training. */
#include "spec/field.h"

#include <math.h>
#include <string.h>

enum { STR_BYTES_DEFAULT = 4096, STRS_DEFAULT = 256, OBJS_DEFAULT = 10000 };

static void *at(void *obj, const struct field *f)
{
    return (char *)obj + f->offset;
}

const struct field *field_find(const struct field *t, str name)
{
    for (; t->name; t++)
        if (str_is(name, t->name))
            return t;
    return NULL;
}

static const char *type_name(enum field_type t)
{
    static const char *const names[] = {
        "true or false", "a whole number", "a number",         "text",      "one of its choices",
        "JSON",          "a list of text", "an RFC 3339 time", "an object", "a list of objects"};
    return names[t];
}

static enum rc wrong_type(const struct field *f, const char *path, struct err *e)
{
    return err_field(e, RC_INVALID, path, "'%s' must be %s", path, type_name(f->type));
}

static enum rc no_memory(struct err *e)
{
    return err_set(e, RC_NOMEM, "out of memory while reading the fields");
}

/* ---- one value */

static enum rc check_range(const struct field *f, double v, const char *path, struct err *e)
{
    if (f->min == 0 && f->max == 0)
        return RC_OK;
    if (v >= f->min && v <= f->max)
        return RC_OK;
    return err_field(e, RC_INVALID, path, "'%s' is %.10g; it must lie between %.10g and %.10g",
                     path, v, f->min, f->max);
}

static enum rc set_int(const struct field *f, int64_t v, void *obj, const char *path, struct err *e)
{
    enum rc rc = check_range(f, (double)v, path, e);

    if (!rc)
        *(int64_t *)at(obj, f) = v;
    return rc;
}

static enum rc set_num(const struct field *f, double v, void *obj, const char *path, struct err *e)
{
    enum rc rc = check_range(f, v, path, e);

    if (!rc)
        *(double *)at(obj, f) = v;
    return rc;
}

static enum rc set_str(const struct field *f, str v, void *obj, struct arena *a, const char *path,
                       struct err *e)
{
    size_t max = f->max > 0 ? (size_t)f->max : STR_BYTES_DEFAULT;
    size_t min = f->min > 0 ? (size_t)f->min : 0;
    str copy;

    if (v.n > max || v.n < min)
        return err_field(e, RC_INVALID, path, "'%s' is %zu bytes long; it must have %zu to %zu",
                         path, v.n, min, max);
    copy = arena_str(a, v);
    if (!copy.p)
        return no_memory(e);
    *(str *)at(obj, f) = copy;
    return RC_OK;
}

static enum rc set_enum(const struct field *f, str v, void *obj, const char *path, struct err *e)
{
    char list[256];
    size_t n = 0;

    for (int i = 0; f->choices[i]; i++) {
        if (str_is(v, f->choices[i])) {
            *(int *)at(obj, f) = i;
            return RC_OK;
        }
    }
    list[0] = 0;
    for (int i = 0; f->choices[i] && n + 1 < sizeof list; i++) {
        int k = snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", f->choices[i]);
        n += k > 0 ? (size_t)k : 0;
    }
    return err_field(e, RC_INVALID, path, "'%s' is '%.*s'; it must be one of: %s", path,
                     (int)(v.n < 60 ? v.n : 60), v.p, list);
}

/* Days since 1970-01-01 of a civil date (H. Hinnant, "chrono-compatible low-level date
 * algorithms"). */
static int64_t days_of(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* "2026-11-20T10:00:00[.123]Z"; RFC 3339 in UTC. */
static bool read_time(str s, int64_t *ret)
{
    int y, mo, d, h, mi, used = 0;
    double sec;
    char text[40];

    if (s.n < 20 || s.n >= sizeof text)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%6lfZ%n", &y, &mo, &d, &h, &mi, &sec, &used) != 6 ||
        (size_t)used != s.n)
        return false;
    if (mo < 1 || mo > 12 || d < 1 || d > 31 || h > 23 || mi > 59 || h < 0 || mi < 0 || sec < 0 ||
        sec > 61)
        return false;
    *ret = (((days_of(y, mo, d) * 24 + h) * 60) + mi) * 60000 + (int64_t)llround(sec * 1000);
    return true;
}

static enum rc set_strs(const struct field *f, const struct json *v, void *obj, struct arena *a,
                        const char *path, struct err *e)
{
    size_t max = f->max > 0 ? (size_t)f->max : STRS_DEFAULT;
    struct strs list = {NULL, 0};

    if (v->list.count > max)
        return err_field(e, RC_INVALID, path, "'%s' has %zu entries; at most %zu are allowed", path,
                         v->list.count, max);
    list.p = ARENA_ARRAY(a, str, v->list.count);
    if (v->list.count && !list.p)
        return no_memory(e);
    JSON_EACH(item, v) {
        if (item->type != JSON_STR || item->s.n > STR_BYTES_DEFAULT)
            return err_field(e, RC_INVALID, path, "'%s' must be a list of text", path);
        list.p[list.n] = arena_str(a, item->s);
        if (!list.p[list.n++].p)
            return no_memory(e);
    }
    *(struct strs *)at(obj, f) = list;
    return RC_OK;
}

static enum rc read_members(const struct field *t, const struct json *v, void *obj, struct arena *a,
                            const char *prefix, struct err *e);

static enum rc set_objs(const struct field *f, const struct json *v, void *obj, struct arena *a,
                        const char *path, struct err *e)
{
    size_t max = f->max > 0 ? (size_t)f->max : OBJS_DEFAULT;
    struct objs list = {NULL, 0};

    if (v->list.count > max)
        return err_field(e, RC_INVALID, path, "'%s' has %zu entries; at most %zu are allowed", path,
                         v->list.count, max);
    list.p = arena_array(a, v->list.count, f->sub_size);
    if (v->list.count && !list.p)
        return no_memory(e);
    JSON_EACH(item, v) {
        char sub[ERR_FIELD_MAX];
        snprintf(sub, sizeof sub, "%s[%zu].", path, list.n);
        enum rc rc = read_members(f->sub, item, (char *)list.p + list.n++ * f->sub_size, a, sub, e);
        if (rc)
            return rc;
    }
    *(struct objs *)at(obj, f) = list;
    return RC_OK;
}

static enum rc set_time(const struct field *f, const struct json *v, void *obj, const char *path,
                        struct err *e)
{
    int64_t ms = 0;

    if (v->type == JSON_INT)
        ms = v->i;
    else if (v->type != JSON_STR || !read_time(v->s, &ms))
        return wrong_type(f, path, e);
    *(int64_t *)at(obj, f) = ms;
    return RC_OK;
}

static enum rc set_obj(const struct field *f, const struct json *v, void *obj, struct arena *a,
                       const char *path, struct err *e)
{
    char sub[ERR_FIELD_MAX];

    snprintf(sub, sizeof sub, "%s.", path);
    return read_members(f->sub, v, at(obj, f), a, sub, e);
}

static enum rc set_value(const struct field *f, const struct json *v, void *obj, struct arena *a,
                         const char *path, struct err *e)
{
    bool is_list = v->type == JSON_ARR;

    switch (f->type) {
    case FIELD_BOOL:
        if (v->type != JSON_BOOL)
            return wrong_type(f, path, e);
        *(bool *)at(obj, f) = v->b;
        return RC_OK;
    case FIELD_INT:
        return v->type == JSON_INT ? set_int(f, v->i, obj, path, e) : wrong_type(f, path, e);
    case FIELD_NUM:
        if (v->type == JSON_NULL && f->flags & FIELD_OMIT) {
            *(double *)at(obj, f) = NAN;
            return RC_OK;
        }
        if (v->type == JSON_INT)
            return set_num(f, (double)v->i, obj, path, e);
        return v->type == JSON_NUM ? set_num(f, v->f, obj, path, e) : wrong_type(f, path, e);
    case FIELD_STR:
        return v->type == JSON_STR ? set_str(f, v->s, obj, a, path, e) : wrong_type(f, path, e);
    case FIELD_ENUM:
        return v->type == JSON_STR ? set_enum(f, v->s, obj, path, e) : wrong_type(f, path, e);
    case FIELD_JSON:
        *(str *)at(obj, f) = arena_str(a, v->raw);
        return ((str *)at(obj, f))->p ? RC_OK : no_memory(e);
    case FIELD_STRS:
        return is_list ? set_strs(f, v, obj, a, path, e) : wrong_type(f, path, e);
    case FIELD_TIME:
        return set_time(f, v, obj, path, e);
    case FIELD_OBJ:
        return v->type == JSON_OBJ ? set_obj(f, v, obj, a, path, e) : wrong_type(f, path, e);
    case FIELD_OBJS:
        return is_list ? set_objs(f, v, obj, a, path, e) : wrong_type(f, path, e);
    }
    return RC_INTERNAL;
}

/* ---- whole objects */

/* Edit distance with early stop, for "did you mean". */
static size_t distance(const char *a, str b)
{
    size_t row[65], n = strlen(a);

    if (n > 64 || b.n > 64)
        return 99;
    for (size_t i = 0; i <= n; i++)
        row[i] = i;
    for (size_t j = 1; j <= b.n; j++) {
        size_t diag = row[0];
        row[0] = j;
        for (size_t i = 1; i <= n; i++) {
            size_t sub = diag + (a[i - 1] != b.p[j - 1]);
            size_t ins = (row[i] < row[i - 1] ? row[i] : row[i - 1]) + 1;
            diag = row[i];
            row[i] = sub < ins ? sub : ins;
        }
    }
    return row[n];
}

static enum rc unknown_field(const struct field *t, str key, const char *prefix, int line,
                             struct err *e)
{
    const char *best = NULL;
    size_t best_d = 4;
    char path[ERR_FIELD_MAX];

    for (; t->name; t++) {
        size_t d = distance(t->name, key);
        if (d < best_d) {
            best_d = d;
            best = t->name;
        }
    }
    snprintf(path, sizeof path, "%s%.*s", prefix, (int)(key.n < 60 ? key.n : 60), key.p);
    if (best)
        return err_field(e, RC_INVALID, path, "line %d: there is no field '%s'; did you mean '%s'?",
                         line, path, best);
    return err_field(e, RC_INVALID, path, "line %d: there is no field '%s'", line, path);
}

static enum rc defaults_at(const struct field *t, void *obj, struct arena *a, const char *prefix,
                           struct err *e)
{
    for (; t->name; t++) {
        const struct json *v = NULL;
        enum rc rc = RC_OK;

        if (t->type == FIELD_OBJ) {
            rc = defaults_at(t->sub, at(obj, t), a, prefix, e);
        } else if (t->dflt) {
            rc = json_parse(a, str_of(t->dflt), NULL, &v, e);
            if (!rc)
                rc = set_value(t, v, obj, a, t->name, e);
        } else if (t->type == FIELD_STR || t->type == FIELD_JSON) {
            *(str *)at(obj, t) = STR("");
        }
        if (rc)
            return err_wrap(e, rc, "default of '%s%s'", prefix, t->name);
    }
    return RC_OK;
}

enum rc field_defaults(const struct field *t, void *obj, struct arena *a, struct err *e)
{
    return defaults_at(t, obj, a, "", e);
}

static enum rc read_members(const struct field *t, const struct json *v, void *obj, struct arena *a,
                            const char *prefix, struct err *e)
{
    enum rc rc = RC_OK;

    if (v->type != JSON_OBJ)
        return err_field(e, RC_INVALID, prefix, "line %d: an object is expected", v->line);
    rc = defaults_at(t, obj, a, prefix, e);
    JSON_EACH(m, v) {
        const struct field *f = field_find(t, m->key);
        char path[ERR_FIELD_MAX];

        if (rc)
            break;
        if (!f)
            return unknown_field(t, m->key, prefix, m->line, e);
        if (m->type == JSON_NULL && !(f->flags & FIELD_REQUIRED))
            continue; /* null: the default */
        snprintf(path, sizeof path, "%s%s", prefix, f->name);
        rc = set_value(f, m, obj, a, path, e);
    }
    for (; !rc && t->name; t++) {
        char path[ERR_FIELD_MAX];
        if (!(t->flags & FIELD_REQUIRED) || json_get(v, t->name))
            continue;
        snprintf(path, sizeof path, "%s%s", prefix, t->name);
        rc = err_field(e, RC_INVALID, path, "the field '%s' is required%s%s", path,
                       t->help ? ": " : "", t->help ? t->help : "");
    }
    return rc;
}

enum rc field_read(const struct field *t, const struct json *obj, void *ret, struct arena *a,
                   struct err *e)
{
    return read_members(t, obj, ret, a, "", e);
}

enum rc field_read_text(const struct field *t, str json, void *ret, struct arena *a, struct err *e)
{
    const struct json *v = NULL;
    enum rc rc = json_parse(a, json, NULL, &v, e);

    return rc ? rc : read_members(t, v, ret, a, "", e);
}

/* ---- from text: query parameters, flags, environment */

static enum rc one_strs(const struct field *f, str text, void *ret, struct arena *a, struct err *e)
{
    struct strs list = {NULL, 0};
    str rest = text, piece;
    size_t max = f->max > 0 ? (size_t)f->max : STRS_DEFAULT;

    list.p = ARENA_ARRAY(a, str, max);
    if (!list.p)
        return no_memory(e);
    while (rest.n && str_next(&rest, ',', &piece)) {
        if (list.n == max)
            return err_field(e, RC_INVALID, f->name, "'%s' takes at most %zu entries", f->name,
                             max);
        list.p[list.n] = arena_str(a, str_trim(piece));
        if (!list.p[list.n++].p)
            return no_memory(e);
    }
    *(struct strs *)at(ret, f) = list;
    return RC_OK;
}

enum rc field_read_one(const struct field *f, str text, void *ret, struct arena *a, struct err *e)
{
    int64_t i;
    double d;

    switch (f->type) {
    case FIELD_BOOL:
        if (str_is(text, "true") || str_is(text, "1") || str_is(text, "yes") || str_is(text, "on"))
            *(bool *)at(ret, f) = true;
        else if (str_is(text, "false") || str_is(text, "0") || str_is(text, "no") ||
                 str_is(text, "off"))
            *(bool *)at(ret, f) = false;
        else
            return wrong_type(f, f->name, e);
        return RC_OK;
    case FIELD_INT:
        return str_i64(text, &i) ? set_int(f, i, ret, f->name, e) : wrong_type(f, f->name, e);
    case FIELD_NUM:
        return str_f64(text, &d) ? set_num(f, d, ret, f->name, e) : wrong_type(f, f->name, e);
    case FIELD_STR:
        if (!str_utf8_ok(text))
            return err_field(e, RC_INVALID, f->name, "'%s' is not valid UTF-8", f->name);
        return set_str(f, text, ret, a, f->name, e);
    case FIELD_ENUM:
        return set_enum(f, text, ret, f->name, e);
    case FIELD_STRS:
        return one_strs(f, text, ret, a, e);
    case FIELD_TIME:
        return read_time(text, at(ret, f)) ? RC_OK : wrong_type(f, f->name, e);
    case FIELD_JSON:
    case FIELD_OBJ:
    case FIELD_OBJS: {
        const struct json *v = NULL;
        enum rc rc = json_parse(a, text, NULL, &v, e);
        return rc ? rc : set_value(f, v, ret, a, f->name, e);
    }
    }
    return RC_INTERNAL;
}
