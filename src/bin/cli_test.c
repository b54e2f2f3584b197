/* cli_test.c - paths, problems and numbers of the command line. */
#include "bin/cli_call.c"
#include "bin/cli_flags.c"
#include "bin/cli_out.c"

#include "base/test.h"

static struct arena a;
static struct err e;

TEST(a_path_carries_any_text)
{
    arena_init(&a, 1 << 20);
    CHECK_STR(str_of(cli_path(&a, "/datasets/%s/versions/%s", "a b/c?d&e#f", "latest")),
              "/datasets/a%20b%2Fc%3Fd%26e%23f/versions/latest");
    CHECK_STR(str_of(cli_url_text(&a, STR("\xec\x9e\x90-_.~"))), "%EC%9E%90-_.~");
    CHECK_STR(str_of(cli_path(&a, "/x/%d", 7)), "/x/7");
    arena_done(&a);
}

static enum rc problem(int status, const char *body)
{
    enum rc rc;

    e = (struct err){0};
    arena_init(&a, 1 << 20);
    rc = cli_problem(&a, status, str_of(body), &e);
    arena_done(&a);
    return rc;
}

TEST(a_problem_document_becomes_one_line_with_its_field)
{
    CHECK_EQ(problem(409, "{\"code\":\"conflict\",\"detail\":\"it runs\",\"status\":409}"),
             RC_CONFLICT);
    CHECK_STR(str_of(e.text), "it runs");
    CHECK_EQ(problem(400, "{\"code\":\"invalid_request\",\"detail\":\"too many\",\"errors\":[{"
                          "\"field\":\"config.epochs\",\"message\":\"too many\"}]}"),
             RC_INVALID);
    CHECK_STR(str_of(e.text), "config.epochs: too many");
    CHECK_STR(str_of(e.field), "config.epochs");
    CHECK_EQ(problem(400,
                     "{\"code\":\"invalid_request\",\"detail\":\"'name' is short\",\"errors\":["
                     "{\"field\":\"name\"}]}"),
             RC_INVALID);
    CHECK_STR(str_of(e.text), "'name' is short");
}

TEST(an_answer_that_is_no_problem_document_still_says_something)
{
    CHECK_EQ(problem(502, "<html>bad gateway</html>"), RC_UPSTREAM);
    CHECK(strstr(e.text, "502"));
    CHECK_EQ(problem(404, ""), RC_NOT_FOUND);
    CHECK_EQ(problem(418, "[]"), RC_UPSTREAM);
}

TEST(a_server_that_is_busy_is_not_one_that_is_absent)
{
    CHECK_EQ(problem(503, "{\"code\":\"unavailable\",\"detail\":\"no trainer\"}"), RC_UPSTREAM);
}

TEST(sizes_and_times_are_for_people)
{
    arena_init(&a, 1 << 20);
    CHECK_STR(str_of(cli_bytes(&a, 0)), "0 B");
    CHECK_STR(str_of(cli_bytes(&a, 999)), "999 B");
    CHECK_STR(str_of(cli_bytes(&a, 1500)), "1.5 KB");
    CHECK_STR(str_of(cli_bytes(&a, 999999)), "1.0 MB");
    CHECK_STR(str_of(cli_bytes(&a, 23e9)), "23 GB");
    CHECK_STR(str_of(cli_seconds(&a, 59.4)), "59 s");
    CHECK_STR(str_of(cli_seconds(&a, 61)), "1 min 01 s");
    CHECK_STR(str_of(cli_seconds(&a, 3700)), "1 h 01 min");
    CHECK_STR(str_of(cli_seconds(&a, 90000)), "1 d 01 h");
    CHECK_STR(str_of(cli_seconds(&a, -3)), "0 s");
    CHECK_STR(str_of(cli_when(&a, STR("2026-11-20T10:01:02.003Z"))), "2026-11-20 10:01");
    CHECK_STR(str_of(cli_when(&a, STR(""))), "");
    arena_done(&a);
}

TEST(text_is_measured_in_characters_and_cannot_steer_the_terminal)
{
    struct cli c = {.a = &a};
    static const char *const heads[] = {"NAME", ">N", NULL};
    struct table t;

    arena_init(&a, 1 << 20);
    CHECK_EQ(text_width("\xea\xbd\x83 x"), 3);
    CHECK_STR(str_of(cli_cstr(&c, STR("a\033[2Jb\nc"))), "a?[2Jb?c");
    table_init(&t, &c, heads);
    table_cell(&t, "%s", "x\033y");
    CHECK_STR(str_of(t.cells.p[0]), "x?y");
    VEC_DONE(&t.cells);
    arena_done(&a);
}
