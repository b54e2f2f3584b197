/* field_test.c - reading and writing by tables: strictness, ranges, defaults, round trips. */
#include "spec/field_read.c"

#include "base/mem.h"
#include "base/test.h"
#include "spec/contract.h"

static const char *const colours[] = {"red", "green", NULL};
struct inner {
    int64_t n;
    str s;
};
static const struct field inner_fields[] = {
    F_INT(struct inner, n, .flags = FIELD_REQUIRED, .min = 1, .max = 9, .help = "A digit."),
    F_STR(struct inner, s, .max = 8, .help = "Text."), FIELD_END};
struct outer {
    bool b;
    int64_t i;
    double f;
    str s, raw;
    int colour;
    struct strs tags;
    int64_t at;
    struct inner one;
    struct objs many;
};
#define S struct outer
static const struct field outer_fields[] = {
    F_BOOL(S, b, .dflt = "true", .help = "Flag."),
    F_INT(S, i, .dflt = "7", .min = -5, .max = 10, .help = "Whole."),
    F_NUM(S, f, .dflt = "0.5", .min = 0, .max = 1, .help = "Part."),
    F_STR(S, s, .min = 2, .max = 5, .help = "Short text."),
    F_JSON(S, raw, .help = "Anything."),
    F_ENUM(S, colour, colours, .dflt = "\"green\"", .help = "Colour."),
    F_STRS(S, tags, .max = 3, .help = "Tags."),
    F_TIME(S, at, .help = "When."),
    F_OBJ(S, one, inner_fields, .help = "One."),
    F_OBJS(S, many, inner_fields, sizeof(struct inner), .max = 2, .help = "Many."),
    FIELD_END};
#undef S

static struct arena arena;
static struct err err;

static enum rc read_outer(const char *json, struct outer *o)
{
    memset(o, 0, sizeof *o);
    memset(&err, 0, sizeof err);
    arena_done(&arena);
    arena_init(&arena, 1 << 20);
    return field_read_text(outer_fields, str_of(json), o, &arena, &err);
}

/* The text must be refused, naming the field. */
static void refused(const char *json, const char *field)
{
    struct outer o;
    enum rc rc = read_outer(json, &o);

    if (rc != RC_INVALID || strcmp(err.field, field) != 0)
        test_fail(__FILE__, __LINE__, "%s: %s, field '%s', not '%s': %s", json, rc_name(rc),
                  err.field, field, err.text);
    arena_done(&arena);
}

TEST(defaults_fill_what_is_absent_or_null)
{
    struct outer o;

    CHECK_OK(read_outer("{\"i\":null}", &o), &err);
    CHECK(o.b && o.i == 7 && o.f == 0.5 && o.colour == 1 && o.s.n == 0 && o.s.p);
    arena_done(&arena);
}

TEST(values_travel_through_write_and_read)
{
    const char *json =
        "{\"b\":false,\"i\":-5,\"f\":1,\"s\":\"h\\u00e9\\\"\",\"raw\":{\"x\":[1,2]},"
        "\"colour\":\"red\",\"tags\":[\"a\",\"b\"],\"at\":\"2026-11-20T10:00:00.250Z\","
        "\"one\":{\"n\":3,\"s\":\"\"},\"many\":[{\"n\":1,\"s\":\"q\"}]}";
    struct outer o, again;
    struct buf b;
    struct jw w;

    CHECK_OK(read_outer(json, &o), &err);
    buf_init(&b, 1 << 16);
    jw_init(&w, &b);
    field_write(outer_fields, &o, &w);
    memset(&again, 0, sizeof again);
    CHECK_OK(field_read_text(outer_fields, buf_view(&b), &again, &arena, &err), &err);
    CHECK(!again.b && again.i == -5 && again.f == 1 && again.colour == 0);
    CHECK_STR(again.s, "h\xc3\xa9\"");
    CHECK_STR(again.raw, "{\"x\":[1,2]}");
    CHECK_EQ(again.tags.n, 2);
    CHECK_STR(again.tags.p[1], "b");
    CHECK_EQ(again.at, 1795168800250LL);
    CHECK_EQ(again.one.n, 3);
    CHECK_EQ(again.many.n, 1);
    CHECK_STR(((struct inner *)again.many.p)[0].s, "q");
    buf_done(&b);
    arena_done(&arena);
}

TEST(what_does_not_fit_the_table_is_refused_by_name)
{
    refused("{\"nothing\":1}", "nothing");
    refused("{\"i\":11}", "i");
    refused("{\"i\":1.5}", "i");
    refused("{\"i\":\"1\"}", "i");
    refused("{\"f\":-0.1}", "f");
    refused("{\"b\":1}", "b");
    refused("{\"s\":\"x\"}", "s");
    refused("{\"s\":\"too long\"}", "s");
    refused("{\"colour\":\"blue\"}", "colour");
    refused("{\"tags\":[1]}", "tags");
    refused("{\"tags\":[\"1\",\"2\",\"3\",\"4\"]}", "tags");
    refused("{\"at\":\"yesterday\"}", "at");
    refused("{\"at\":\"2026-13-20T10:00:00Z\"}", "at");
    refused("{\"one\":{\"s\":\"\"}}", "one.n");
    refused("{\"one\":{\"n\":1,\"m\":2}}", "one.m");
    refused("{\"many\":[{\"n\":1},{\"n\":0}]}", "many[1].n");
    refused("{\"many\":[{\"n\":1},{\"n\":1},{\"n\":1}]}", "many");
}

TEST(a_misspelt_field_is_told_the_nearest)
{
    struct outer o;

    CHECK(read_outer("{\"coluor\":\"red\"}", &o) == RC_INVALID);
    CHECK(str_find(str_of(err.text), STR("did you mean 'colour'")) >= 0);
    arena_done(&arena);
}

TEST(no_allocation_that_fails_is_missed)
{
    struct outer o;
    bool fired = true;

    for (long n = 0; fired; n++) {
        enum rc rc;
        mem_fail_at(n);
        rc = read_outer("{\"s\":\"abc\",\"tags\":[\"a\"],\"many\":[{\"n\":1}]}", &o);
        fired = mem_fail_disarm();
        CHECK(rc == (fired ? RC_NOMEM : RC_OK));
    }
    arena_done(&arena);
}

TEST(text_of_flags_and_queries_is_read_by_the_same_rows)
{
    struct outer o = {0};
    struct {
        const char *name, *good, *bad;
    } rows[] = {{"b", "yes", "maybe"},
                {"i", "-3", "99"},
                {"f", "0.25", "x"},
                {"colour", "red", "blue"},
                {"tags", "a, b", "a,b,c,d"}};

    arena_init(&arena, 1 << 20);
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        const struct field *f = field_find(outer_fields, str_of(rows[k].name));
        CHECK_OK(field_read_one(f, str_of(rows[k].good), &o, &arena, &err), &err);
        CHECK(field_read_one(f, str_of(rows[k].bad), &o, &arena, &err) == RC_INVALID);
    }
    CHECK(o.b && o.i == -3 && o.f == 0.25 && o.colour == 0 && o.tags.n == 2);
    arena_done(&arena);
}
