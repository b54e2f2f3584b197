/* field.h - tables of fields: the one description of every JSON body, query and settings form.
 *
 * From a table come the parser with its checks (field_read), the writer (field_write), the OpenAPI
 * schema and so the TypeScript type (field_schema), the trainers' settings form (field_form), and
 * help. A table describes a C struct: each row names a JSON field and the offset at which it is
 * stored.
 *
 *     struct job_create { str dataset; int64_t priority; bool start; };
 *     static const struct field job_create_fields[] = {
 *         F_STR(struct job_create, dataset, .flags = FIELD_REQUIRED, .max = 64, .help = "..."),
 *         F_INT(struct job_create, priority, .min = 0, .max = 100, .dflt = "50", .help = "..."),
 *         FIELD_END};
 *
 * Unknown fields are an error (nothing that a user sets is dropped in silence); so is a value out
 * of range, of a wrong type, or a required one missing.  err.field carries the field's path.
 */
#ifndef ANNEAL_SPEC_FIELD_H
#define ANNEAL_SPEC_FIELD_H

#include "base/json.h"
#include <stddef.h>

enum field_type {
    FIELD_BOOL, /* bool */
    FIELD_INT,  /* int64_t, min..max */
    FIELD_NUM,  /* double, min..max */
    FIELD_STR,  /* str; min..max bytes (max 0: 4096) */
    FIELD_ENUM, /* int: index into choices; travels as the choice's text */
    FIELD_JSON, /* str: any JSON value, as raw text */
    FIELD_STRS, /* struct strs: array of text, at most max entries (0: 256) */
    FIELD_TIME, /* int64_t Unix ms; travels as RFC 3339 text; 0 travels as null */
    FIELD_OBJ,  /* nested struct: sub */
    FIELD_OBJS, /* struct objs: array of sub structs of sub_size bytes, at most max (0: 10,000) */
};
enum field_flag {
    FIELD_REQUIRED = 1,
    FIELD_NULLABLE = 2, /* "" and NaN travel as null */
    FIELD_SECRET = 4,   /* never logged or echoed */
    FIELD_ADVANCED = 8, /* a form hides it at first */
    FIELD_OMIT = 16,    /* "" and NaN are not written at all */
};
struct strs {
    str *p;
    size_t n;
};
struct objs {
    void *p;
    size_t n;
};
struct field {
    const char *name; /* NULL ends the table */
    enum field_type type;
    unsigned flags;
    size_t offset;
    double min, max;            /* both 0: unbounded */
    const char *dflt;           /* JSON text; NULL: the zero value */
    const char *const *choices; /* FIELD_ENUM; ends with NULL */
    const struct field *sub;
    size_t sub_size;
    const char *group; /* of a settings form, e.g. "Optimiser" */
    const char *help;  /* one sentence, with units */
};
#define FIELD_END                                                                                  \
    {                                                                                              \
        .name = NULL                                                                               \
    }
#define F_(T, S, m, ...)                                                                           \
    {                                                                                              \
        .name = #m, .type = T, .offset = offsetof(S, m), __VA_ARGS__                               \
    }
#define F_BOOL(S, m, ...)          F_(FIELD_BOOL, S, m, __VA_ARGS__)
#define F_INT(S, m, ...)           F_(FIELD_INT, S, m, __VA_ARGS__)
#define F_NUM(S, m, ...)           F_(FIELD_NUM, S, m, __VA_ARGS__)
#define F_STR(S, m, ...)           F_(FIELD_STR, S, m, __VA_ARGS__)
#define F_ENUM(S, m, c, ...)       F_(FIELD_ENUM, S, m, .choices = c, __VA_ARGS__)
#define F_JSON(S, m, ...)          F_(FIELD_JSON, S, m, __VA_ARGS__)
#define F_STRS(S, m, ...)          F_(FIELD_STRS, S, m, __VA_ARGS__)
#define F_TIME(S, m, ...)          F_(FIELD_TIME, S, m, __VA_ARGS__)
#define F_OBJ(S, m, t, ...)        F_(FIELD_OBJ, S, m, .sub = t, __VA_ARGS__)
#define F_OBJS(S, m, t, size, ...) F_(FIELD_OBJS, S, m, .sub = t, .sub_size = size, __VA_ARGS__)

/* Sets every field to its default; *obj is zeroed memory. */
enum rc field_defaults(const struct field *t, void *obj, struct arena *a, struct err *e) must_check;
/* Defaults, then the object's values, checked.  Text is copied into `a`. */
enum rc field_read(const struct field *t, const struct json *obj, void *ret, struct arena *a,
                   struct err *e) must_check;
/* Parses text and reads it. */
enum rc field_read_text(const struct field *t, str json, void *ret, struct arena *a,
                        struct err *e) must_check;
/* One field from text (query parameters, flags, environment): "true", "12", "sgd", "a,b". */
enum rc field_read_one(const struct field *f, str text, void *ret, struct arena *a,
                       struct err *e) must_check;
const struct field *field_find(const struct field *t, str name);
void field_write(const struct field *t, const void *obj,
                 struct jw *w); /* one object, table order */
/* The members only, into an object that is open: to add computed members beside them. */
void field_write_members(const struct field *t, const void *obj, struct jw *w);
/* Whether two objects hold the same value of the field (as JSON writes it). */
bool field_same(const struct field *f, const void *a, const void *b);
void field_schema(const struct field *t, struct jw *w); /* JSON Schema, as in OpenAPI 3.1 */
/* [{name, type, default, min, max, options, group, required, advanced, description}] */
void field_form(const struct field *t, struct jw *w);

#endif
