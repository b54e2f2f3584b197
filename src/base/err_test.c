/* err_test.c - error texts are complete, cut cleanly, and keep their code. */
#include "base/err.c"

#include "base/test.h"

#include <errno.h>

TEST(every_code_has_a_row)
{
    for (int i = 0; i < RC_COUNT; i++) {
        CHECK(rc_status((enum rc)i) >= 200 && rc_status((enum rc)i) < 600);
        CHECK(strncmp(rc_name((enum rc)i), "RC_", 3) == 0);
        CHECK(rc_code((enum rc)i)[0] && rc_title((enum rc)i)[0]);
        for (int k = 0; k < i; k++)
            CHECK(strcmp(rc_code((enum rc)i), rc_code((enum rc)k)) != 0);
    }
    CHECK_EQ(rc_status(RC_NOT_FOUND), 404);
    CHECK_STR(str_of(rc_name((enum rc)9999)), "RC_INTERNAL");
    CHECK_STR(str_of(rc_name((enum rc) - 1)), "RC_INTERNAL");
}

TEST(wrap_puts_the_caller_before_the_cause)
{
    struct err e = {0};

    CHECK_EQ(err_field(&e, RC_INVALID, "lr", "must be above 0, not %d", -1), RC_INVALID);
    CHECK_EQ(err_wrap(&e, RC_INVALID, "reading '%s'", "a.json"), RC_INVALID);
    CHECK_STR(str_of(e.text), "reading 'a.json': must be above 0, not -1");
    CHECK_STR(str_of(e.field), "lr");
    CHECK_EQ(e.rc, RC_INVALID);
    err_set(&e, RC_IO, "again: %s", e.text); /* its own text as an argument */
    CHECK_STR(str_of(e.text), "again: reading 'a.json': must be above 0, not -1");
    CHECK_STR(str_of(e.field), "");
    CHECK_EQ(err_wrap(&e, RC_OK, "nothing"), RC_OK);
    CHECK_EQ(e.rc, RC_IO);
    CHECK_EQ(err_set(NULL, RC_IO, "no place"), RC_IO);
    CHECK_EQ(err_wrap(NULL, RC_IO, "no place"), RC_IO);
    CHECK_EQ(err_field(NULL, RC_IO, "f", "no place"), RC_IO);
}

TEST(a_long_text_is_cut_between_characters)
{
    char text[3 * ERR_TEXT_MAX];
    struct err e;

    for (int shift = 0; shift < 3; shift++) {
        size_t n = 0;
        for (int i = 0; i < shift; i++)
            text[n++] = 'x';
        while (n + 3 < sizeof text) {
            memcpy(text + n, "\xED\x95\x9C", 3);
            n += 3;
        }
        text[n] = 0;
        err_set(&e, RC_IO, "%s", text);
        CHECK(str_ends(str_of(e.text), STR("...")));
        CHECK(str_utf8_ok(str_of(e.text)));
        CHECK(strlen(e.text) > ERR_TEXT_MAX - 8);
        err_wrap(&e, RC_IO, "%s", "outer");
        CHECK(str_utf8_ok(str_of(e.text)) && str_starts(str_of(e.text), STR("outer: ")));
        err_field(&e, RC_IO, text, "t");
        CHECK(str_utf8_ok(str_of(e.field)) && str_ends(str_of(e.field), STR("...")));
    }
}

TEST(errno_gives_the_code_that_fits)
{
    static const struct {
        int errnum;
        enum rc rc;
    } rows[] = {{ENOSPC, RC_FULL},          {EDQUOT, RC_FULL},
                {ENOENT, RC_NOT_FOUND},     {EEXIST, RC_CONFLICT},
                {ENOMEM, RC_NOMEM},         {EACCES, RC_IO},
                {ETIMEDOUT, RC_TIMEOUT},    {EIO, RC_IO},
                {EMFILE, RC_UNAVAILABLE},   {EFBIG, RC_TOO_LARGE},
                {ECONNREFUSED, RC_UPSTREAM}};
    struct err e;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK_EQ(err_errno(&e, rows[i].errnum, "x"), rows[i].rc);
    err_errno(&e, ENOSPC, "cannot write '%s'", "f");
    CHECK_STR(str_of(e.text), "cannot write 'f': No space left on device");
}
