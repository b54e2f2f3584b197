/* store_test.c - the store over HTTP, as its clients see it. */
#include "store/store.c"

#include "store/test_store.h"

TEST(a_small_and_a_large_object_come_back_as_they_went)
{
    static const size_t sizes[] = {0, 1, 1000, 65535, 65536, 65537, 300000, 9 << 20};
    struct rig g;

    rig_open(&g);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *p = rig_bytes(i, sizes[i]);
        struct s3_stat st;
        CHECK_OK(s3_put(g.c, "a/b c+~\xed\x95\x9c", (str){p, sizes[i]}, "image/png", &g.e), &g.e);
        buf_clear(&g.body);
        CHECK_OK(s3_get(g.c, "a/b c+~\xed\x95\x9c", &g.body, &g.e), &g.e);
        CHECK_EQ(g.body.n, sizes[i]);
        CHECK(!memcmp(g.body.p, p, sizes[i]));
        CHECK_OK(s3_head(g.c, "a/b c+~\xed\x95\x9c", &st, &g.e), &g.e);
        CHECK_EQ(st.bytes, sizes[i]);
        CHECK_EQ(strlen(st.etag), MD5_HEX);
        CHECK(rig_files_become(&g, sizes[i] > PACK_BYTES_MAX)); /* the one before is removed */
        mem_free(p);
    }
    CHECK_OK(s3_delete(g.c, "a/b c+~\xed\x95\x9c", &g.e), &g.e);
    CHECK_OK(s3_delete(g.c, "a/b c+~\xed\x95\x9c", &g.e), &g.e);
    CHECK(rig_files_become(&g, 0)); /* a reader may still be letting go */
    CHECK_EQ(s3_get(g.c, "a/b c+~\xed\x95\x9c", &g.body, &g.e), RC_NOT_FOUND);
    CHECK(str_find(str_of(g.e.text), STR("NoSuchKey")) >= 0);
    rig_close(&g);
}

/* ---- buckets */

TEST(buckets_are_made_listed_and_removed_when_empty)
{
    struct rig g;

    rig_open(&g);
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/second", NULL, NULL, STR("")), 200);
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/second", NULL, NULL, STR("")), 409);
    CHECK(rig_says(&g, "<Code>BucketAlreadyOwnedByYou</Code>"));
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/Bad_Name", NULL, NULL, STR("")), 400);
    CHECK(rig_says(&g, "<Code>InvalidBucketName</Code>"));
    CHECK_EQ(rig_signed(&g, HTTP_GET, "/", NULL, NULL, STR("")), 200);
    CHECK(rig_says(&g, "<Name>second</Name>") && rig_says(&g, "<Name>tests</Name>"));
    CHECK_EQ(rig_signed(&g, HTTP_HEAD, "/second", NULL, NULL, STR("")), 200);
    CHECK_EQ(rig_signed(&g, HTTP_HEAD, "/third", NULL, NULL, STR("")), 404);
    CHECK_EQ(rig_signed(&g, HTTP_GET, "/second?location", NULL, NULL, STR("")), 200);
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/second/k", NULL, NULL, STR("v")), 200);
    CHECK_EQ(rig_signed(&g, HTTP_DELETE, "/second", NULL, NULL, STR("")), 409);
    CHECK(rig_says(&g, "<Code>BucketNotEmpty</Code>"));
    CHECK_EQ(rig_signed(&g, HTTP_DELETE, "/second/k", NULL, NULL, STR("")), 204);
    CHECK_EQ(rig_signed(&g, HTTP_POST, "/second/k?uploads=", NULL, NULL, STR("")), 200);
    CHECK_EQ(rig_signed(&g, HTTP_DELETE, "/second", NULL, NULL, STR("")), 204);
    CHECK_EQ(rig_signed(&g, HTTP_DELETE, "/second", NULL, NULL, STR("")), 404);
    CHECK(rig_says(&g, "<Code>NoSuchBucket</Code>"));
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/second/k", NULL, NULL, STR("v")), 404);
    CHECK_EQ(rig_signed(&g, HTTP_GET, "/second/k", NULL, NULL, STR("")), 404);
    CHECK_EQ(rig_signed(&g, HTTP_GET, "/second?list-type=2", NULL, NULL, STR("")), 404);
    rig_close(&g);
}

/* ---- who may */

static int bare(struct rig *g, enum http_method m, const char *url)
{
    struct client_call c = {.method = m, .url = url, .reply = &g->body};

    buf_clear(&g->body);
    CHECK_OK(client_do(&c, &g->reply, &g->e), &g->e);
    return g->reply.status;
}

static int bare_at(struct rig *g, enum http_method m, const char *target)
{
    char url[256];

    snprintf(url, sizeof url, "%s%s", g->endpoint, target);
    return bare(g, m, url);
}

TEST(a_stranger_gets_nothing_but_the_health)
{
    static const char *const targets[] = {"/", "/tests", "/tests/k", "/nowhere",
                                          "/tests?list-type=2"};
    struct rig g;
    struct store_counts n;

    rig_open(&g);
    CHECK_OK(s3_put(g.c, "k", STR("v"), NULL, &g.e), &g.e);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        CHECK_EQ(bare_at(&g, HTTP_GET, targets[i]), 403);
        CHECK(rig_says(&g, "<Code>AccessDenied</Code>"));
        CHECK_EQ(bare_at(&g, HTTP_HEAD, targets[i]), 403);
        CHECK_EQ(bare_at(&g, HTTP_DELETE, targets[i]), 403);
    }
    CHECK_EQ(bare_at(&g, HTTP_GET, "/_health"), 200);
    CHECK(rig_says(&g, "ok"));
    store_counts(g.s, &n);
    CHECK_EQ(n.denied, 15);
    buf_clear(&g.body);
    CHECK_OK(s3_get(g.c, "k", &g.body, &g.e), &g.e);
    rig_close(&g);
}

TEST(a_presigned_url_allows_one_method_on_one_key_for_its_time)
{
    struct rig g;
    const char *url;
    struct buf other;
    struct sigv4_url old = {.method = STR("GET"), .path = STR("/tests/k"), .seconds = 60};
    ptrdiff_t at;

    rig_open(&g);
    CHECK_OK(s3_put(g.c, "k", STR("v"), NULL, &g.e), &g.e);
    CHECK_OK(s3_put(g.c, "l", STR("w"), NULL, &g.e), &g.e);
    CHECK_OK(s3_presign(g.c, &g.a, HTTP_GET, "k", NULL, 60, &url, &g.e), &g.e);
    CHECK_EQ(bare(&g, HTTP_GET, url), 200);
    CHECK_STR(buf_view(&g.body), "v");
    CHECK_EQ(bare(&g, HTTP_HEAD, url), 403);
    CHECK_EQ(bare(&g, HTTP_PUT, url), 403);
    CHECK(rig_says(&g, "<Code>SignatureDoesNotMatch</Code>"));
    CHECK_EQ(bare(&g, HTTP_DELETE, url), 403);
    buf_init(&other, 4096);
    at = str_find(str_of(url), STR("/tests/k?"));
    buf_printf(&other, "%.*s/tests/l?%s", (int)at, url, url + at + 9);
    CHECK_EQ(bare(&g, HTTP_GET, other.p), 403);
    buf_clear(&other);
    buf_printf(&other, "%s&response-content-type=text/html", url);
    CHECK_EQ(bare(&g, HTTP_GET, other.p), 403);
    old.origin = str_of(g.endpoint);
    old.host = str_of(g.endpoint + 7);
    old.now_ms = os_now_ms() - 61000;
    buf_clear(&other);
    CHECK_OK(sigv4_presign(&g.a, &other, &test_keys, &old, &g.e), &g.e);
    CHECK_EQ(bare(&g, HTTP_GET, other.p), 403);
    CHECK(rig_says(&g, "<Code>AccessDenied</Code>") && rig_says(&g, "expired"));
    buf_done(&other);
    rig_close(&g);
}

TEST(each_fault_of_a_signature_has_its_code)
{
    static const struct {
        struct sigv4_keys keys;
        int64_t shift_ms;
        int status;
        const char *code;
    } rows[] = {
        {{STR(TEST_ACCESS), STR(TEST_SECRET), STR("us-east-1")}, 0, 200, ""},
        {{STR(TEST_ACCESS), STR("another-secret"), STR("us-east-1")},
         0,
         403,
         "<Code>SignatureDoesNotMatch</Code>"},
        {{STR("AKIDNOBODY"), STR(TEST_SECRET), STR("us-east-1")},
         0,
         403,
         "<Code>InvalidAccessKeyId</Code>"},
        {{STR(TEST_ACCESS), STR(TEST_SECRET), STR("eu-west-1")},
         0,
         400,
         "<Code>AuthorizationHeaderMalformed</Code>"},
        {{STR(TEST_ACCESS), STR(TEST_SECRET), STR("us-east-1")},
         -20 * 60000,
         403,
         "<Code>RequestTimeTooSkewed</Code>"},
        {{STR(TEST_ACCESS), STR(TEST_SECRET), STR("us-east-1")},
         20 * 60000,
         403,
         "<Code>RequestTimeTooSkewed</Code>"},
    };
    struct rig g;

    rig_open(&g);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_EQ(rig_signed_by(&g, &rows[i].keys, os_now_ms() + rows[i].shift_ms, "GET", HTTP_GET,
                               "/tests", NULL, NULL, STR("")),
                 rows[i].status);
        CHECK(rig_says(&g, rows[i].code));
    }
    /* signed for another method than sent */
    CHECK_EQ(rig_signed_by(&g, &test_keys, os_now_ms(), "GET", HTTP_DELETE, "/tests", NULL, NULL,
                           STR("")),
             403);
    CHECK(rig_says(&g, "<Code>SignatureDoesNotMatch</Code>"));
    rig_close(&g);
}

/* ---- digests */

TEST(a_body_that_is_not_what_was_claimed_is_not_stored)
{
    static const char *const wrong_md5[] = {"content-md5: 1B2M2Y8AsgTpgAmY7PhCfg==", NULL};
    static const char *const bad_md5[] = {"content-md5: nonsense", NULL};
    static const char *const right_md5[] = {"content-md5: XUFAKrxLKna5cZ2REBfFkg==", NULL};
    static const char *const wrong_crc[] = {"x-amz-checksum-crc32: AAAAAA==", NULL};
    static const char *const right_crc[] = {"x-amz-checksum-crc32: NhCmhg==", NULL};
    static const char *const sha1[] = {"x-amz-checksum-sha1: qvTGHdzF6KLavt4PO0gs2a6pQ00=", NULL};
    static const char *const other[] = {"x-amz-checksum-md6: qvTGHdzF6KLavt4PO0gs2a6pQ00=", NULL};
    str hello = STR("hello");
    struct rig g;

    rig_open(&g);
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/k", wrong_md5, NULL, hello), 400);
    CHECK(rig_says(&g, "<Code>BadDigest</Code>"));
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/k", bad_md5, NULL, hello), 400);
    CHECK(rig_says(&g, "<Code>InvalidDigest</Code>"));
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/k", wrong_crc, NULL, hello), 400);
    CHECK(rig_says(&g, "<Code>BadDigest</Code>"));
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/k", other, NULL, hello), 400);
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/k", sha1, NULL, STR("hellO")), 400);
    CHECK(rig_says(&g, "<Code>BadDigest</Code>"));
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/k", NULL,
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", hello),
             400);
    CHECK(rig_says(&g, "<Code>XAmzContentSHA256Mismatch</Code>"));
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/k", NULL, "what", hello), 400);
    CHECK_EQ(rig_signed(&g, HTTP_GET, "/tests/k", NULL, NULL, STR("")), 404);
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/k", right_md5, NULL, hello), 200);
    CHECK_STR(str_of(g.reply.etag), "5d41402abc4b2a76b9719d911017c592");
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/k", right_crc, "UNSIGNED-PAYLOAD", hello), 200);
    rig_close(&g);
}

TEST(an_aws_chunked_body_is_decoded_and_its_trailer_checked)
{
    static const char *const headers[] = {"content-encoding: aws-chunked,gzip",
                                          "x-amz-decoded-content-length: 5",
                                          "x-amz-trailer: x-amz-checksum-crc32", NULL};
    static const char form[] = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
    struct rig g;

    rig_open(&g);
    /* content-encoding < x-amz-content-sha256 < x-amz-date in name order is broken by the helper's
     * order, which is fine: only the list in SignedHeaders counts. */
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/k", headers, form,
                        STR("2\r\nhe\r\n3\r\nllo\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n")),
             200);
    CHECK_STR(str_of(g.reply.etag), "5d41402abc4b2a76b9719d911017c592");
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/l", headers, form,
                        STR("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n")),
             400);
    CHECK(rig_says(&g, "<Code>BadDigest</Code>"));
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/l", headers, form, STR("5\r\nhel")), 400);
    CHECK(rig_says(&g, "<Code>IncompleteBody</Code>"));
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/l", headers, form,
                        STR("4\r\nhell\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n")),
             400);
    CHECK_EQ(rig_signed(&g, HTTP_GET, "/tests/l", NULL, NULL, STR("")), 404);
    CHECK_EQ(rig_signed(&g, HTTP_GET, "/tests/k", NULL, NULL, STR("")), 200);
    CHECK_STR(buf_view(&g.body), "hello");
    rig_close(&g);
}

/* ---- conditions, ranges, headers */

TEST(conditions_hold_or_say_so)
{
    struct rig g;
    bool existed;
    char tag[120];

    rig_open(&g);
    CHECK_OK(s3_put_new(g.c, "k", STR("first"), NULL, &existed, &g.e), &g.e);
    CHECK(!existed);
    CHECK_OK(s3_put_new(g.c, "k", STR("second"), NULL, &existed, &g.e), &g.e);
    CHECK(existed);
    CHECK_EQ(rig_call(&g, HTTP_GET, "k", NULL, NULL, STR("")), 200);
    CHECK_STR(buf_view(&g.body), "first");
    snprintf(tag, sizeof tag, "If-None-Match: \"%s\"", g.reply.etag);
    CHECK_EQ(rig_call(&g, HTTP_GET, "k", NULL, tag, STR("")), 304);
    CHECK_EQ(g.body.n, 0);
    snprintf(tag, sizeof tag, "If-Match: \"%s\"", g.reply.etag);
    CHECK_EQ(rig_call(&g, HTTP_GET, "k", NULL, tag, STR("")), 200);
    CHECK_EQ(rig_call(&g, HTTP_GET, "k", NULL, "If-Match: \"other\"", STR("")), 412);
    CHECK(rig_says(&g, "<Code>PreconditionFailed</Code>"));
    CHECK_EQ(rig_call(&g, HTTP_GET, "k", NULL, "If-Modified-Since: Fri, 24 May 2013 00:00:00 GMT",
                      STR("")),
             200);
    CHECK_EQ(rig_call(&g, HTTP_GET, "k", NULL, "If-Modified-Since: Mon, 24 May 2083 00:00:00 GMT",
                      STR("")),
             304);
    CHECK_EQ(rig_call(&g, HTTP_GET, "k", NULL, "If-Unmodified-Since: Fri, 24 May 2013 00:00:00 GMT",
                      STR("")),
             412);
    CHECK_EQ(rig_call(&g, HTTP_PUT, "k", NULL, "If-Match: \"other\"", STR("x")), 412);
    CHECK_EQ(rig_call(&g, HTTP_PUT, "k", NULL, tag, STR("third")), 200);
    CHECK_EQ(rig_call(&g, HTTP_PUT, "none", NULL, tag, STR("x")), 404);
    CHECK_EQ(rig_call(&g, HTTP_PUT, "k", NULL, "If-None-Match: \"a\"", STR("x")), 501);
    rig_close(&g);
}

static void check_ranges(struct rig *g, const char *key, const char *data, uint64_t size)
{
    static const struct {
        const char *header;
        int status;
        int64_t at, n; /* at < 0: from the end */
    } rows[] = {{"Range: bytes=0-0", 206, 0, 1},          {"Range: bytes=10-19", 206, 10, 10},
                {"Range: bytes=-7", 206, -7, 7},          {"Range: bytes=0-", 206, 0, 0},
                {"Range: bytes=5-1000000000", 206, 5, 0}, {"Range: bytes=9-0", 200, 0, 0}};
    char past[80];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t at = rows[i].at < 0 ? size - (uint64_t)-rows[i].at : (uint64_t)rows[i].at;
        uint64_t n = rows[i].n ? (uint64_t)rows[i].n : size - at;
        CHECK_EQ(rig_call(g, HTTP_GET, key, NULL, rows[i].header, STR("")), rows[i].status);
        CHECK_EQ(g->body.n, n);
        CHECK(!memcmp(g->body.p, data + at, n));
        CHECK_EQ(rig_call(g, HTTP_HEAD, key, NULL, rows[i].header, STR("")), rows[i].status);
        CHECK_EQ(g->reply.length, n);
    }
    snprintf(past, sizeof past, "Range: bytes=%llu-", (unsigned long long)size);
    CHECK_EQ(rig_call(g, HTTP_GET, key, NULL, past, STR("")), 416);
    CHECK(rig_says(g, "<Code>InvalidRange</Code>"));
    CHECK_EQ(rig_call(g, HTTP_GET, key, NULL, "Range: bytes=-0", STR("")), 416);
}

TEST(ranges_are_right_wherever_the_bytes_lie)
{
    enum { BIG = (2 * S3_PART_BYTES) + 1234 };
    struct rig g;
    struct s3_upload *u;
    struct s3_stat st;
    char *p = rig_bytes(7, BIG);
    char across[80];

    rig_open(&g);
    CHECK_OK(s3_put(g.c, "inline", (str){p, 1000}, NULL, &g.e), &g.e);
    check_ranges(&g, "inline", p, 1000);
    CHECK_OK(s3_put(g.c, "file", (str){p, 100000}, NULL, &g.e), &g.e);
    check_ranges(&g, "file", p, 100000);
    CHECK_OK(s3_upload_open(&u, g.c, "pieces", NULL, &g.e), &g.e);
    CHECK_OK(s3_upload_write(u, p, BIG, &g.e), &g.e);
    CHECK_OK(s3_upload_commit(u, &st, &g.e), &g.e);
    s3_upload_free(u);
    CHECK_EQ(st.bytes, BIG);
    CHECK(str_ends(str_of(st.etag), STR("-3")));
    check_ranges(&g, "pieces", p, BIG);
    snprintf(across, sizeof across, "Range: bytes=%d-%d", S3_PART_BYTES - 3, S3_PART_BYTES + 3);
    CHECK_EQ(rig_call(&g, HTTP_GET, "pieces", NULL, across, STR("")), 206);
    CHECK_EQ(g.body.n, 7);
    CHECK(!memcmp(g.body.p, p + S3_PART_BYTES - 3, 7));
    buf_clear(&g.body);
    CHECK_OK(s3_get_range(g.c, "pieces", 2 * S3_PART_BYTES - 1, 2, &g.body, &g.e), &g.e);
    CHECK(g.body.n == 2 && !memcmp(g.body.p, p + 2 * S3_PART_BYTES - 1, 2));
    CHECK_EQ(s3_get_range(g.c, "pieces", BIG, 1, &g.body, &g.e), RC_RANGE);
    CHECK_OK(s3_put(g.c, "empty", STR(""), NULL, &g.e), &g.e);
    CHECK_EQ(rig_call(&g, HTTP_GET, "empty", NULL, "Range: bytes=0-", STR("")), 416);
    mem_free(p);
    rig_close(&g);
}

TEST(metadata_comes_back_and_the_query_overrides)
{
    static const char *const headers[] = {"cache-control: no-store",  "content-disposition: inline",
                                          "content-type: image/jpeg", "x-amz-meta-a-b: one",
                                          "x-amz-meta-c: two",        NULL};
    static const char *const not_signed[] = {"x-amz-meta-a: one", NULL};
    char big[380];
    const char *const too_big[] = {big, big, big, big, big, big, big, NULL};
    struct rig g;

    rig_open(&g);
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/k", headers, NULL, STR("v")), 200);
    CHECK_EQ(rig_call(&g, HTTP_GET, "k", NULL, NULL, STR("")), 200);
    CHECK_STR(str_of(g.reply.type), "image/jpeg");
    CHECK_EQ(rig_call(&g, HTTP_GET, "k", "response-content-type=text%2Fplain", NULL, STR("")), 200);
    CHECK_STR(str_of(g.reply.type), "text/plain");
    /* a line break in an override does not reach the headers */
    CHECK_EQ(rig_call(&g, HTTP_GET, "k", "response-content-type=a%0D%0Ab", NULL, STR("")), 200);
    CHECK_STR(str_of(g.reply.type), "image/jpeg");
    CHECK_EQ(rig_call(&g, HTTP_PUT, "k", NULL, not_signed[0], STR("v")), 403);
    memset(big, 'x', sizeof big - 1);
    memcpy(big, "x-amz-meta-l: ", 14);
    big[sizeof big - 1] = 0;
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/k", too_big, NULL, STR("v")), 400);
    CHECK(rig_says(&g, "<Code>MetadataTooLarge</Code>"));
    rig_close(&g);
}

/* ---- lists */

static enum rc count_key(void *ud, str key, uint64_t bytes, struct err *e)
{
    struct {
        size_t n;
        char last[64];
    } *w = ud;

    w->n++;
    CHECK(str_cmp(key, str_of(w->last)) > 0);
    snprintf(w->last, sizeof w->last, "%.*s", STR_F(key));
    return RC_OK;
}

TEST(a_list_goes_over_pages_in_order)
{
    enum { KEYS = 2345 };
    struct {
        size_t n;
        char last[64];
    } w = {0};
    struct rig g;
    char key[64];

    rig_open(&g);
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "p/%c/%05d & <x>", 'a' + i % 3, i);
        CHECK_OK(s3_put(g.c, key, STR("v"), NULL, &g.e), &g.e);
    }
    CHECK_OK(s3_put(g.c, "o", STR("v"), NULL, &g.e), &g.e);
    CHECK_OK(s3_put(g.c, "q", STR("v"), NULL, &g.e), &g.e);
    CHECK_OK(s3_list(g.c, "p/", count_key, &w, &g.e), &g.e);
    CHECK_EQ(w.n, KEYS);
    memset(&w, 0, sizeof w);
    CHECK_OK(s3_list(g.c, "p/b/", count_key, &w, &g.e), &g.e);
    CHECK_EQ(w.n, 782);
    memset(&w, 0, sizeof w);
    CHECK_OK(s3_list(g.c, NULL, count_key, &w, &g.e), &g.e);
    CHECK_EQ(w.n, KEYS + 2);
    CHECK_EQ(rig_call(&g, HTTP_GET, NULL, "list-type=2&delimiter=%2F&prefix=p%2F", NULL, STR("")),
             200);
    CHECK(rig_says(&g, "<KeyCount>3</KeyCount>") && rig_says(&g, "<Prefix>p/c/</Prefix>"));
    CHECK(rig_says(&g, "<IsTruncated>false</IsTruncated>"));
    CHECK(!rig_says(&g, "<Contents>"));
    rig_close(&g);
}

TEST(a_page_ends_where_it_should)
{
    static const char *const keys[] = {"a", "b/1", "b/2", "b/3", "c", "d/1", "e"};
    struct rig g;
    char query[200], token[100];
    ptrdiff_t at, end;

    rig_open(&g);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        CHECK_OK(s3_put(g.c, keys[i], STR("v"), NULL, &g.e), &g.e);
    CHECK_EQ(rig_call(&g, HTTP_GET, NULL, "list-type=2&delimiter=%2F&max-keys=2", NULL, STR("")),
             200);
    CHECK(rig_says(&g, "<Key>a</Key>") && rig_says(&g, "<Prefix>b/</Prefix>"));
    CHECK(!rig_says(&g, "<Key>c</Key>") && rig_says(&g, "<IsTruncated>true</IsTruncated>"));
    at = str_find(buf_view(&g.body), STR("<NextContinuationToken>")) + 23;
    end = str_find(buf_view(&g.body), STR("</NextContinuationToken>"));
    snprintf(token, sizeof token, "%.*s", (int)(end - at), g.body.p + at);
    snprintf(query, sizeof query, "list-type=2&delimiter=%%2F&max-keys=3&continuation-token=%s",
             token);
    CHECK_EQ(rig_call(&g, HTTP_GET, NULL, query, NULL, STR("")), 200);
    CHECK(rig_says(&g, "<Key>c</Key>") && rig_says(&g, "<Prefix>d/</Prefix>") &&
          rig_says(&g, "<Key>e</Key>"));
    CHECK(!rig_says(&g, "<Prefix>b/</Prefix>") && rig_says(&g, "<IsTruncated>false</IsTruncated>"));
    CHECK_EQ(rig_call(&g, HTTP_GET, NULL, "list-type=2&start-after=b%2F2", NULL, STR("")), 200);
    CHECK(rig_says(&g, "<Key>b/3</Key>") && !rig_says(&g, "<Key>b/2</Key>"));
    CHECK_EQ(rig_call(&g, HTTP_GET, NULL, "delimiter=%2F&marker=b%2F&max-keys=1", NULL, STR("")),
             200);
    CHECK(rig_says(&g, "<Key>c</Key>") && rig_says(&g, "<NextMarker>c</NextMarker>"));
    CHECK_EQ(rig_call(&g, HTTP_GET, NULL, "list-type=2&max-keys=0", NULL, STR("")), 200);
    CHECK(rig_says(&g, "<KeyCount>0</KeyCount>") && rig_says(&g, "<IsTruncated>false"));
    CHECK_EQ(rig_call(&g, HTTP_GET, NULL, "list-type=2&max-keys=x", NULL, STR("")), 400);
    CHECK_EQ(rig_call(&g, HTTP_GET, NULL, "list-type=2&continuation-token=zz", NULL, STR("")), 400);
    CHECK_EQ(rig_call(&g, HTTP_GET, NULL, "list-type=2&encoding-type=x", NULL, STR("")), 400);
    CHECK_EQ(rig_call(&g, HTTP_GET, NULL, "list-type=2&prefix=zzz", NULL, STR("")), 200);
    CHECK(rig_says(&g, "<KeyCount>0</KeyCount>"));
    rig_close(&g);
}

TEST(what_is_not_there_is_said_not_guessed)
{
    static const char *const targets[] = {"/tests?inventory", "/tests?analytics",
                                          "/tests/k?torrent", "/tests/k?legal-hold",
                                          "/tests?metrics",   "/tests/k?retention"};
    static const char long_tail[] = "0123456789012345678901234567890123456789";
    struct rig g;
    struct buf key;

    rig_open(&g);
    CHECK_OK(s3_put(g.c, "k", STR("v"), NULL, &g.e), &g.e);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        CHECK_EQ(rig_signed(&g, HTTP_GET, targets[i], NULL, NULL, STR("")), 501);
        CHECK(rig_says(&g, "<Code>NotImplemented</Code>"));
    }
    CHECK_EQ(rig_signed(&g, HTTP_PATCH, "/tests/k", NULL, NULL, STR("")), 405);
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/%ff", NULL, NULL, STR("")), 400);
    buf_init(&key, 4096);
    buf_puts(&key, "/tests/");
    while (key.n < 1200)
        buf_puts(&key, long_tail);
    CHECK_EQ(rig_signed(&g, HTTP_PUT, key.p, NULL, NULL, STR("")), 400);
    CHECK(rig_says(&g, "<Code>KeyTooLongError</Code>"));
    buf_done(&key);
    rig_close(&g);
}

/* ---- copy and delete */

TEST(a_copy_shares_bytes_and_outlives_its_source)
{
    static const char *const from_k[] = {"x-amz-copy-source: /tests/k", NULL};
    static const char *const from_none[] = {"x-amz-copy-source: /tests/none", NULL};
    static const char *const replace[] = {"content-type: text/css", "x-amz-copy-source: tests/k",
                                          "x-amz-metadata-directive: REPLACE", NULL};
    char *p = rig_bytes(3, 300000);
    struct rig g;

    rig_open(&g);
    CHECK_OK(s3_put(g.c, "k", (str){p, 300000}, "image/png", &g.e), &g.e);
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/copy", from_k, NULL, STR("")), 200);
    CHECK(rig_says(&g, "<CopyObjectResult"));
    CHECK_EQ(rig_files(&g), 1);
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/k", from_k, NULL, STR("")), 400);
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/k", replace, NULL, STR("")), 200);
    CHECK_EQ(rig_signed(&g, HTTP_PUT, "/tests/x", from_none, NULL, STR("")), 404);
    CHECK_EQ(rig_call(&g, HTTP_GET, "k", NULL, NULL, STR("")), 200);
    CHECK_STR(str_of(g.reply.type), "text/css");
    CHECK_OK(s3_delete(g.c, "k", &g.e), &g.e);
    CHECK_EQ(rig_files(&g), 1);
    CHECK_EQ(rig_call(&g, HTTP_GET, "copy", NULL, NULL, STR("")), 200);
    CHECK_STR(str_of(g.reply.type), "image/png");
    CHECK(g.body.n == 300000 && !memcmp(g.body.p, p, 300000));
    CHECK_OK(s3_delete(g.c, "copy", &g.e), &g.e);
    CHECK_EQ(rig_files(&g), 0);
    mem_free(p);
    rig_close(&g);
}

TEST(many_keys_are_deleted_at_once)
{
    struct rig g;
    struct buf b;

    rig_open(&g);
    CHECK_OK(s3_put(g.c, "a&b", STR("v"), NULL, &g.e), &g.e);
    CHECK_OK(s3_put(g.c, "keep", STR("v"), NULL, &g.e), &g.e);
    CHECK_EQ(rig_call(&g, HTTP_POST, NULL, "delete=", NULL,
                      STR("<Delete><Object><Key>a&amp;b</Key></Object>"
                          "<Object><Key>never</Key></Object></Delete>")),
             200);
    CHECK(rig_says(&g, "<Key>a&amp;b</Key>") && rig_says(&g, "<Key>never</Key>"));
    CHECK_EQ(rig_call(&g, HTTP_GET, "a&b", NULL, NULL, STR("")), 404);
    CHECK_EQ(rig_call(&g, HTTP_GET, "keep", NULL, NULL, STR("")), 200);
    CHECK_EQ(rig_call(&g, HTTP_POST, NULL, "delete=", NULL, STR("<Delete>")), 400);
    CHECK(rig_says(&g, "<Code>MalformedXML</Code>"));
    CHECK_EQ(rig_call(&g, HTTP_POST, NULL, "delete=", NULL, STR("<Delete></Delete>")), 400);
    buf_init(&b, 1 << 20);
    buf_puts(&b, "<Delete><Quiet>true</Quiet>");
    for (int i = 0; i < STORE_DELETE_KEYS_MAX + 1; i++)
        buf_printf(&b, "<Object><Key>k%d</Key></Object>", i);
    buf_puts(&b, "</Delete>");
    CHECK_EQ(rig_call(&g, HTTP_POST, NULL, "delete=", NULL, buf_view(&b)), 400);
    buf_done(&b);
    rig_close(&g);
}
