/* interop_test.c - a client that is not ours: curl's own Signature Version 4, in a process of its
 * own.  Its 7.88 sends no x-amz-content-sha256 unless told, and does not sort or encode queries, so
 * the queries here are canonical as they are. */
#include "store/store.c"

#include "store/test_store.h"

/* Runs curl with the given end of its command line; its output is in g->body, the status returned.
 */
static int curl(struct rig *g, const char *const *more, const char *target)
{
    char url[700], text[4096];
    const char *argv[24] = {"curl",        "-sS",
                            "--max-time",  "20",
                            "--noproxy",   "*",
                            "--aws-sigv4", "aws:amz:us-east-1:s3",
                            "--user",      TEST_ACCESS ":" TEST_SECRET,
                            "-w",          "\n%{http_code}",
                            "-H",          "x-amz-content-sha256: UNSIGNED-PAYLOAD"};
    size_t n = 14, got = 1;
    struct os_child child;
    int status;
    ptrdiff_t line;
    str code;
    int64_t v;

    while (*more)
        argv[n++] = *more++;
    snprintf(url, sizeof url, "%s%s", g->endpoint, target);
    argv[n++] = url;
    argv[n] = NULL;
    buf_clear(&g->body);
    CHECK_OK(os_spawn(&child, argv, NULL, NULL, OS_SPAWN_STDOUT, &g->e), &g->e);
    while (got) {
        CHECK_OK(os_read(child.stdout_fd, text, sizeof text, &got, &g->e), &g->e);
        buf_add(&g->body, text, got);
    }
    os_close(child.stdout_fd);
    CHECK_OK(os_wait(child.pid, 30000, &status, &g->e), &g->e);
    CHECK_EQ(status, 0);
    line = str_rchr(buf_view(&g->body), '\n');
    CHECK(line >= 0);
    code = str_sub(buf_view(&g->body), (size_t)line + 1, 10);
    CHECK(str_i64(code, &v));
    g->body.n = (size_t)line;
    return (int)v;
}

static bool have_curl(void)
{
    if (os_exists("/usr/bin/curl"))
        return true;
    printf("skipped: no /usr/bin/curl\n");
    return false;
}

TEST(curl_signs_and_the_store_agrees)
{
    static const char *const get[] = {NULL};
    char file[600], upload[620];
    const char *const put[] = {"-T", file, "-H", "Content-Type: image/x-test", NULL};
    static const char *const put_text[] = {"-X", "PUT", "--data-binary", "hello", NULL};
    static const char *const del[] = {"-X", "DELETE", NULL};
    struct rig g;
    char *p;

    if (!have_curl())
        return;
    p = rig_bytes(9, 200000);
    rig_open(&g);
    snprintf(file, sizeof file, "%s/file", test_dir());
    snprintf(upload, sizeof upload, "/tests/a-file");
    CHECK_OK(os_write_file_durable(file, (str){p, 200000}, 0600, &g.e), &g.e);
    CHECK_EQ(curl(&g, put, upload), 200);
    CHECK_EQ(curl(&g, get, upload), 200);
    CHECK(g.body.n == 200000 && !memcmp(g.body.p, p, 200000));
    CHECK_EQ(curl(&g, put_text, "/tests/dir/text"), 200);
    CHECK_EQ(curl(&g, get, "/tests/dir/text"), 200);
    CHECK_STR(buf_view(&g.body), "hello");
    CHECK_EQ(curl(&g, get, "/tests?list-type=2"), 200);
    CHECK(rig_says(&g, "<Key>a-file</Key>") && rig_says(&g, "<Key>dir/text</Key>"));
    CHECK_EQ(curl(&g, get, "/"), 200);
    CHECK(rig_says(&g, "<Name>tests</Name>"));
    CHECK_EQ(curl(&g, del, "/tests/dir/text"), 204);
    CHECK_EQ(curl(&g, get, "/tests/dir/text"), 404);
    mem_free(p);
    rig_close(&g);
}

TEST(curl_with_another_secret_is_turned_away)
{
    static const char *const wrong[] = {"--user", TEST_ACCESS ":not-the-secret", NULL};
    struct rig g;

    if (!have_curl())
        return;
    rig_open(&g);
    CHECK_OK(s3_put(g.c, "k", STR("v"), NULL, &g.e), &g.e);
    CHECK_EQ(curl(&g, wrong, "/tests/k"), 403);
    CHECK(rig_says(&g, "<Code>SignatureDoesNotMatch</Code>"));
    rig_close(&g);
}
