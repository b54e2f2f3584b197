/* log_test.c - one message is one line, in text and in JSON, and cannot forge another. */
#include "base/log.c"

#include "base/mem.h"
#include "base/test.h"

#include <fcntl.h>
#include <unistd.h>

/* Runs log_at with standard error in a file and returns what was written. */
static str captured(enum log_level level, const char *text)
{
    static char out[16384];
    char path[600];
    int fd, keep = dup(2);
    ssize_t n;

    snprintf(path, sizeof path, "%s/err", test_dir());
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && keep >= 0);
    dup2(fd, 2);
    log_at(level, "%s", text);
    dup2(keep, 2);
    n = pread(fd, out, sizeof out, 0);
    close(fd);
    close(keep);
    return (str){out, n > 0 ? (size_t)n : 0};
}

TEST(text_lines_hold_time_level_and_message)
{
    str line = captured(LOG_WARN, "disk is 90% full");

    CHECK(line.n > 30 && line.p[4] == '-' && line.p[10] == 'T' && line.p[23] == 'Z');
    CHECK(str_ends(line, STR(" WARN  disk is 90% full\n")));
    CHECK_STR(captured(LOG_DEBUG, "below the minimum"), "");
    log_setup(LOG_ERROR, false, NULL);
    CHECK_STR(captured(LOG_WARN, "below the new minimum"), "");
    CHECK(captured(LOG_ERROR, "x").n > 0);
}

TEST(a_message_cannot_forge_a_line)
{
    str line = captured(LOG_INFO, "name \n2026 INFO forged\r\x1b[31m\tx");

    CHECK_EQ(str_chr(line, '\n'), (ptrdiff_t)line.n - 1);
    CHECK(str_ends(line, STR("name \\n2026 INFO forged\\x0d\\x1b[31m\\tx\n")));
}

TEST(json_lines_parse_and_carry_the_service)
{
    struct arena a;
    const struct json *v = NULL;
    struct err e = {0};
    str line;

    log_setup(LOG_DEBUG, true, "anneal \"x\"");
    line = captured(LOG_DEBUG, "two\nlines \"quoted\"");
    CHECK_EQ(str_chr(line, '\n'), (ptrdiff_t)line.n - 1);
    arena_init(&a, 1 << 16);
    CHECK_OK(json_parse(&a, line, NULL, &v, &e), &e);
    CHECK_STR(json_str(v, "level", STR_NONE), "debug");
    CHECK_STR(json_str(v, "service", STR_NONE), "anneal \"x\"");
    CHECK_STR(json_str(v, "message", STR_NONE), "two\nlines \"quoted\"");
    CHECK_EQ(json_str(v, "time", STR_NONE).n, 24);
    arena_done(&a);
}

TEST(a_long_message_is_cut_and_memory_is_not_needed)
{
    static char text[3 * LOG_LINE_MAX];
    str line;

    memset(text, 'x', sizeof text - 1);
    line = captured(LOG_ERROR, text);
    CHECK(line.n > LOG_LINE_MAX - 10 && line.n < LOG_LINE_MAX + 128);
    memset(text, '\x01', sizeof text - 1); /* each becomes four characters */
    line = captured(LOG_ERROR, text);
    CHECK(line.n < LOG_LINE_MAX + 128 && line.p[line.n - 1] == '\n');
    log_setup(LOG_INFO, true, NULL);
    mem_fail_at(0);
    line = captured(LOG_ERROR, "still said");
    CHECK(mem_fail_disarm());
    CHECK(str_ends(line, STR("ERROR still said\n")));
}
