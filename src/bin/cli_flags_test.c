/* cli_flags_test.c - flags in any order and both forms, and what is said of wrong ones. */
#include "bin/cli_flags.c"

#include "base/test.h"
#include "spec/train.h"

struct some {
    str name;
    int64_t count;
    double rate;
    bool wait, fast;
    int kind;
    struct strs tags;
};
static const char *const kinds[] = {"red", "green", NULL};
#define S struct some
static const struct field some_fields[] = {
    F_STR(S, name, .help = "."),
    F_INT(S, count, .dflt = "3", .min = 1, .max = 9, .help = "."),
    F_NUM(S, rate, .dflt = "0.5", .min = 0, .max = 1, .help = "."),
    F_BOOL(S, wait, .help = "."),
    F_BOOL(S, fast, .dflt = "true", .help = "."),
    F_ENUM(S, kind, kinds, .dflt = "\"red\"", .help = "."),
    F_STRS(S, tags, .help = "."),
    FIELD_END};
#undef S

static struct arena a;
static struct flags f;
static struct some some;
static struct err e;

static enum rc read_words(const char *line)
{
    char program[] = "anneal", *argv[32] = {program}, *text;
    str rest = str_of(line), one;
    int argc = 1;
    enum rc rc;

    arena_init(&a, 1 << 20);
    flags_init(&f, &a);
    some = (struct some){0};
    rc = flags_add(&f, some_fields, &some, &e);
    while (rest.n && str_next(&rest, ' ', &one)) {
        text = arena_cstr(&a, one);
        argv[argc++] = text;
    }
    return rc ? rc : flags_read(&f, argc, argv, &e);
}

static void done(void)
{
    flags_done(&f);
    arena_done(&a);
}

TEST(words_and_flags_come_in_any_order)
{
    CHECK_OK(read_words("a.zip --count 5 --wait b.zip --rate=0.25 --kind green"), &e);
    CHECK_EQ(f.words.n, 2);
    CHECK_STR(f.words.p[0], "a.zip");
    CHECK_STR(f.words.p[1], "b.zip");
    CHECK_EQ(some.count, 5);
    CHECK(some.rate == 0.25);
    CHECK(some.wait && some.fast);
    CHECK_EQ(some.kind, 1);
    CHECK(flags_given(&f, "count"));
    CHECK(!flags_given(&f, "fast"));
    done();
}

TEST(defaults_stand_where_no_flag_is)
{
    CHECK_OK(read_words(""), &e);
    CHECK_EQ(some.count, 3);
    CHECK(some.rate == 0.5 && some.fast && !some.wait);
    CHECK_EQ(f.given.n, 0);
    done();
}

TEST(a_switch_can_be_turned_off_in_two_ways)
{
    CHECK_OK(read_words("--no-fast --wait=false"), &e);
    CHECK(!some.fast && !some.wait);
    done();
    CHECK_EQ(read_words("--no-fast=true"), RC_INVALID);
    done();
    CHECK_EQ(read_words("--no-count"), RC_INVALID);
    done();
}

TEST(two_dashes_end_the_flags)
{
    CHECK_OK(read_words("--wait -- --count x"), &e);
    CHECK_EQ(f.words.n, 2);
    CHECK_STR(f.words.p[0], "--count");
    CHECK_EQ(some.count, 3);
    done();
}

TEST(an_unknown_flag_names_the_nearest)
{
    CHECK_EQ(read_words("--cuont 4"), RC_INVALID);
    CHECK(strstr(e.text, "'--cuont'") && strstr(e.text, "did you mean '--count'?"));
    done();
    CHECK_EQ(read_words("--zebra"), RC_INVALID);
    CHECK(strstr(e.text, "'--zebra'") && !strstr(e.text, "did you mean"));
    done();
    CHECK_EQ(read_words("-n 4"), RC_INVALID);
    CHECK(strstr(e.text, "--name"));
    done();
}

TEST(a_value_must_be_there_and_fit)
{
    CHECK_EQ(read_words("--count"), RC_INVALID);
    CHECK(strstr(e.text, "'--count' needs a value"));
    done();
    CHECK_EQ(read_words("--name --wait"), RC_INVALID);
    CHECK(strstr(e.text, "'--name' needs a value"));
    done();
    CHECK_OK(read_words("--name=--wait"), &e);
    CHECK_STR(some.name, "--wait");
    done();
    CHECK_EQ(read_words("--count ten"), RC_INVALID);
    CHECK(strstr(e.text, "--count"));
    done();
    CHECK_EQ(read_words("--count 10"), RC_INVALID);
    done();
    CHECK_EQ(read_words("--kind blue"), RC_INVALID);
    done();
    CHECK_EQ(read_words("--count 2 --count 3"), RC_INVALID);
    CHECK(strstr(e.text, "twice"));
    done();
}

TEST(a_negative_number_is_a_value_and_a_word)
{
    CHECK_EQ(read_words("--rate -1"), RC_INVALID);
    CHECK(strstr(e.text, "--rate"));
    done();
    CHECK_OK(read_words("-1 -"), &e);
    CHECK_EQ(f.words.n, 2);
    done();
}

TEST(every_train_setting_is_a_flag)
{
    struct train_spec spec = {0};
    char flag[FLAG_TEXT_MAX], line[128];

    for (const struct field *t = train_spec_fields; t->name; t++) {
        char program[] = "train", *argv[2] = {program, line};

        arena_init(&a, 1 << 20);
        flags_init(&f, &a);
        CHECK_OK(flags_add(&f, train_spec_fields, &spec, &e), &e);
        flag_text(t->name, flag);
        CHECK(!strchr(flag, '_'));
        snprintf(line, sizeof line, "%s=%s", flag,
                 t->type == FIELD_ENUM                ? t->choices[0]
                 : t->type == FIELD_BOOL              ? "true"
                 : t->type == FIELD_STR               ? "x"
                 : t->min > 0 && t->type == FIELD_NUM ? "0.5"
                 : t->min > 0                         ? "16"
                                                      : "0");
        CHECK_OK(flags_read(&f, 2, argv, &e), &e);
        CHECK(flags_given(&f, t->name));
        done();
    }
}

TEST(no_memory_is_an_error_and_not_the_end)
{
    for (long n = 0; n < 40; n++) {
        enum rc rc;

        mem_fail_at(n);
        rc = read_words("a --count 5 --name x --tags=a,b");
        if (!mem_fail_disarm()) {
            CHECK_OK(rc, &e);
            done();
            return;
        }
        CHECK_EQ(rc, RC_NOMEM);
        done();
    }
    CHECK(!"it never ran out of failures");
}

TEST(near_names)
{
    static const char *const names[] = {"import", "list", "show", "faults", "delete", NULL};

    CHECK_STR(str_of(nearest_name(names, STR("imprt"))), "import");
    CHECK_STR(str_of(nearest_name(names, STR("fault"))), "faults");
    CHECK_STR(str_of(nearest_name(names, STR("lsit"))), "list");
    CHECK(!nearest_name(names, STR("publish")));
    CHECK(!nearest_name(names, STR("")));
}
