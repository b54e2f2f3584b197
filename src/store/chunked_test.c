/* chunked_test.c - Amazon's published chunked uploads, whole and cut at every place, and tampering.
 * The credentials are those of Amazon's documentation. */
#include "store/chunked.c"

#include "base/test.h"

#define SIGNED "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
#define CHUNK1 "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"
#define CHUNK2 "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"
#define CHUNK3 "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"

static struct sigv4_auth seed(const char *payload, const char *signature)
{
    struct sigv4_auth a = {.payload = str_of(payload)};

    snprintf(a.time, sizeof a.time, "20130524T000000Z");
    snprintf(a.signature, sizeof a.signature, "%s", signature);
    sigv4_signing_key(STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), STR("20130524"),
                      STR("us-east-1"), a.key);
    return a;
}

static void add_letters(struct buf *b, size_t n)
{
    char *p = buf_grow(b, n);

    CHECK(p);
    memset(p, 'a', n);
}

/* Feeds in steps; the decoded length, or -1 with the code in *ret_rc. */
static long long decode(const struct sigv4_auth *auth, str in, size_t step, enum rc *ret_rc,
                        bool *ret_ended, char *ret_crc)
{
    struct chunked c;
    struct err e;
    long long total = 0;
    enum rc rc = chunked_init(&c, auth, STR("us-east-1"), &e);

    for (size_t at = 0; !rc && at < in.n;) {
        size_t used = 0, n = in.n - at < step ? in.n - at : step;
        str data = {0};
        rc = chunked_feed(&c, in.p + at, n, &used, &data, &e);
        CHECK(rc || used || data.n);
        for (size_t i = 0; !rc && i < data.n; i++)
            CHECK(data.p[i] == 'a');
        total += (long long)data.n;
        at += used;
    }
    *ret_ended = chunked_ended(&c);
    if (ret_crc) {
        str v = chunked_trailer(&c, "x-amz-checksum-crc32c");
        snprintf(ret_crc, 16, "%.*s", STR_F(v));
    }
    chunked_done(&c);
    *ret_rc = rc;
    return rc ? -1 : total;
}

static void published(struct buf *b, const char *chunk2)
{
    buf_printf(b, "10000;chunk-signature=" CHUNK1 "\r\n");
    add_letters(b, 65536);
    buf_printf(b, "\r\n400;chunk-signature=%s\r\n", chunk2);
    add_letters(b, 1024);
    buf_puts(b, "\r\n0;chunk-signature=" CHUNK3 "\r\n\r\n");
}

TEST(published_signed_chunks_verify_cut_anywhere)
{
    struct sigv4_auth a =
        seed(SIGNED, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
    static const size_t steps[] = {1, 7, 64, 1000, 65536, 1 << 20};
    struct buf b;
    enum rc rc;
    bool ended;

    buf_init(&b, 1 << 20);
    published(&b, CHUNK2);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        CHECK_EQ(decode(&a, buf_view(&b), steps[i], &rc, &ended, NULL), 66560);
        CHECK(ended);
    }
    CHECK_EQ(decode(&a, str_sub(buf_view(&b), 0, b.n - 2), 4096, &rc, &ended, NULL), 66560);
    CHECK(!ended); /* cut short */
    buf_done(&b);
}

TEST(a_changed_byte_or_signature_is_found)
{
    struct sigv4_auth a =
        seed(SIGNED, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
    struct buf b;
    enum rc rc;
    bool ended;

    buf_init(&b, 1 << 20);
    published(&b, CHUNK1); /* a signature of another place in the chain */
    CHECK_EQ(decode(&a, buf_view(&b), 4096, &rc, &ended, NULL), -1);
    CHECK_EQ(rc, RC_FORBIDDEN);
    buf_clear(&b);
    published(&b, CHUNK2);
    a.signature[0] = 'f';
    CHECK_EQ(decode(&a, buf_view(&b), 4096, &rc, &ended, NULL), -1);
    CHECK_EQ(rc, RC_FORBIDDEN);
    buf_done(&b);
}

TEST(published_trailer_verifies)
{
    struct sigv4_auth a = seed("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
                               "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
    struct buf b;
    enum rc rc;
    bool ended;
    char crc[16];

    buf_init(&b, 1 << 20);
    buf_puts(&b, "10000;chunk-signature="
                 "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n");
    add_letters(&b, 65536);
    buf_puts(&b, "\r\n400;chunk-signature="
                 "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n");
    add_letters(&b, 1024);
    buf_puts(&b, "\r\n0;chunk-signature="
                 "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
                 "x-amz-checksum-crc32c:sOO8/Q==\r\n"
                 "x-amz-trailer-signature:"
                 "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n");
    CHECK_EQ(decode(&a, buf_view(&b), 100, &rc, &ended, crc), 66560);
    CHECK(ended);
    CHECK_STR(str_of(crc), "sOO8/Q==");
    b.p[b.n - 6] ^= 1;
    CHECK_EQ(decode(&a, buf_view(&b), 100, &rc, &ended, NULL), -1);
    CHECK_EQ(rc, RC_FORBIDDEN);
    buf_done(&b);
}

TEST(broken_framing_is_refused)
{
    struct sigv4_auth a = seed("STREAMING-UNSIGNED-PAYLOAD-TRAILER", "");
    static const char *const bad[] = {
        "x\r\n",
        "\r\n",
        "5\naaaaa\r\n0\r\n\r\n",
        "5\r\naaaaaa\r\n",
        "-1\r\n",
        "1 \r\na\r\n",
        "0\r\nno colon\r\n\r\n",
        "0\r\n:v\r\n\r\n",
        "ffffffffffffffff\r\n",
        "0\r\n\r\nmore",
    };
    enum rc rc;
    bool ended;

    CHECK_EQ(
        decode(&a, STR("3\r\naaa\r\n2;ext=1\r\naa\r\n0\r\nx-a: b\r\n\r\n"), 2, &rc, &ended, NULL),
        5);
    CHECK(ended);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (decode(&a, str_of(bad[i]), 100, &rc, &ended, NULL) != -1)
            test_fail(__FILE__, __LINE__, "row %zu was taken", i);
}
