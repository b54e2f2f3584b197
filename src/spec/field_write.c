/* field_write.c - C structs into JSON, and tables into JSON Schema and settings forms. */
#include "os/os.h"
#include "spec/field.h"

#include <math.h>

static const void *at(const void *obj, const struct field *f)
{
    return (const char *)obj + f->offset;
}

static void write_time(int64_t ms, struct jw *w)
{
    char text[OS_TIME_TEXT];

    if (!ms) {
        jw_null(w);
        return;
    }
    os_time_text(ms, text);
    jw_cstr(w, text);
}

static void write_str(const struct field *f, str s, struct jw *w)
{
    if (!s.n && (f->flags & FIELD_NULLABLE))
        jw_null(w);
    else
        jw_str(w, s);
}

static void write_list(const struct field *f, const void *p, struct jw *w)
{
    jw_arr(w);
    if (f->type == FIELD_STRS) {
        const struct strs *l = p;
        for (size_t i = 0; i < l->n; i++)
            jw_str(w, l->p[i]);
    } else {
        const struct objs *l = p;
        for (size_t i = 0; i < l->n; i++)
            field_write(f->sub, (const char *)l->p + i * f->sub_size, w);
    }
    jw_arr_end(w);
}

static void write_value(const struct field *f, const void *p, struct jw *w)
{
    switch (f->type) {
    case FIELD_BOOL:
        jw_bool(w, *(const bool *)p);
        break;
    case FIELD_INT:
        jw_int(w, *(const int64_t *)p);
        break;
    case FIELD_NUM:
        jw_num(w, *(const double *)p);
        break;
    case FIELD_STR:
        write_str(f, *(const str *)p, w);
        break;
    case FIELD_ENUM:
        jw_cstr(w, f->choices[*(const int *)p]);
        break;
    case FIELD_JSON:
        if (((const str *)p)->n)
            jw_raw(w, *(const str *)p);
        else
            jw_null(w);
        break;
    case FIELD_TIME:
        write_time(*(const int64_t *)p, w);
        break;
    case FIELD_OBJ:
        field_write(f->sub, p, w);
        break;
    case FIELD_STRS:
    case FIELD_OBJS:
        write_list(f, p, w);
        break;
    }
}

static bool is_none(const struct field *f, const void *p)
{
    return f->type == FIELD_NUM
               ? isnan(*(const double *)p)
               : (f->type == FIELD_STR || f->type == FIELD_JSON) && !((const str *)p)->n;
}

void field_write_members(const struct field *t, const void *obj, struct jw *w)
{
    for (; t->name; t++) {
        if (t->flags & FIELD_SECRET || (t->flags & FIELD_OMIT && is_none(t, at(obj, t))))
            continue;
        jw_key(w, t->name);
        write_value(t, at(obj, t), w);
    }
}

void field_write(const struct field *t, const void *obj, struct jw *w)
{
    jw_obj(w);
    field_write_members(t, obj, w);
    jw_obj_end(w);
}

bool field_same(const struct field *f, const void *a, const void *b)
{
    enum { TEXT_BYTES_MAX = 16 << 20 };
    struct buf x, y;
    struct jw w;
    bool same;

    buf_init(&x, TEXT_BYTES_MAX);
    buf_init(&y, TEXT_BYTES_MAX);
    jw_init(&w, &x);
    write_value(f, at(a, f), &w);
    jw_init(&w, &y);
    write_value(f, at(b, f), &w);
    same = !x.rc && !y.rc && str_eq(buf_view(&x), buf_view(&y));
    buf_done(&x);
    buf_done(&y);
    return same;
}

/* ---- schemas */

static void schema_choices(const struct field *f, const char *key, struct jw *w)
{
    jw_karr(w, key);
    for (int i = 0; f->choices[i]; i++)
        jw_cstr(w, f->choices[i]);
    jw_arr_end(w);
}

static void schema_limits(const struct field *f, const char *low, const char *high, struct jw *w)
{
    if (f->min == 0 && f->max == 0)
        return;
    jw_knum(w, low, f->min);
    if (f->max != 0)
        jw_knum(w, high, f->max);
}

static void schema_one(const struct field *f, struct jw *w)
{
    static const char *const types[] = {"boolean", "integer", "number", "string", "string",
                                        NULL,      "array",   "string", NULL,     "array"};
    jw_obj(w);
    if (f->type == FIELD_OBJ) {
        jw_key(w, "allOf");
        jw_arr(w);
        field_schema(f->sub, w);
        jw_arr_end(w);
    } else if (types[f->type]) {
        jw_key(w, "type");
        if (f->flags & FIELD_NULLABLE || f->type == FIELD_TIME) {
            jw_arr(w);
            jw_cstr(w, types[f->type]);
            jw_cstr(w, "null");
            jw_arr_end(w);
        } else {
            jw_cstr(w, types[f->type]);
        }
    }
    if (f->type == FIELD_TIME)
        jw_kcstr(w, "format", "date-time");
    if (f->type == FIELD_ENUM)
        schema_choices(f, "enum", w);
    if (f->type == FIELD_INT || f->type == FIELD_NUM)
        schema_limits(f, "minimum", "maximum", w);
    if (f->type == FIELD_STR)
        schema_limits(f, "minLength", "maxLength", w);
    if (f->type == FIELD_STRS || f->type == FIELD_OBJS) {
        jw_key(w, "items");
        if (f->type == FIELD_OBJS) {
            field_schema(f->sub, w);
        } else {
            jw_obj(w);
            jw_kcstr(w, "type", "string");
            jw_obj_end(w);
        }
    }
    if (f->dflt)
        jw_kraw(w, "default", str_of(f->dflt));
    if (f->help)
        jw_kcstr(w, "description", f->help);
    jw_obj_end(w);
}

void field_schema(const struct field *t, struct jw *w)
{
    bool any = false;

    jw_obj(w);
    jw_kcstr(w, "type", "object");
    jw_kobj(w, "properties");
    for (const struct field *f = t; f->name; f++) {
        jw_key(w, f->name);
        schema_one(f, w);
        any |= (f->flags & FIELD_REQUIRED) != 0;
    }
    jw_obj_end(w);
    if (any) {
        jw_karr(w, "required");
        for (const struct field *f = t; f->name; f++)
            if (f->flags & FIELD_REQUIRED)
                jw_cstr(w, f->name);
        jw_arr_end(w);
    }
    jw_obj_end(w);
}

void field_form(const struct field *t, struct jw *w)
{
    static const char *const types[] = {"bool", "int",         "float", "str",  "select",
                                        "json", "multiselect", "time",  "json", "json"};
    jw_arr(w);
    for (; t->name; t++) {
        jw_obj(w);
        jw_kcstr(w, "name", t->name);
        jw_kcstr(w, "type", types[t->type]);
        jw_kraw(w, "default", t->dflt ? str_of(t->dflt) : STR("null"));
        if ((t->type == FIELD_INT || t->type == FIELD_NUM) && (t->min != 0 || t->max != 0)) {
            jw_knum(w, "min", t->min);
            jw_knum(w, "max", t->max);
        }
        if (t->choices)
            schema_choices(t, "options", w);
        jw_kcstr(w, "group", t->group ? t->group : "General");
        jw_kbool(w, "required", (t->flags & FIELD_REQUIRED) != 0);
        jw_kbool(w, "advanced", (t->flags & FIELD_ADVANCED) != 0);
        jw_kcstr(w, "description", t->help ? t->help : "");
        jw_obj_end(w);
    }
    jw_arr_end(w);
}
