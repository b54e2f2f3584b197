/* test_store.h - a store over a fresh folder and a client for it, for tests and the benchmark. */
#ifndef ANNEAL_STORE_TEST_STORE_H
#define ANNEAL_STORE_TEST_STORE_H

#include "base/hash.h"
#include "base/mem.h"
#include "base/test.h"
#include "os/os.h"
#include "s3/s3.h"
#include "s3/sigv4.h"
#include "store/segment.h"
#include "store/store.h"

#define TEST_ACCESS "AKIDTESTTEST"
#define TEST_SECRET "secret-of-the-tests"

struct rig {
    struct store *s;
    struct s3 *c;
    char endpoint[64], dir[512];
    struct arena a;
    struct buf body; /* of the last call */
    struct client_reply reply;
    struct err e;
};

static inline void rig_up(struct rig *g, const char *dir)
{
    struct store_config conf = {.dir = dir,
                                .listen = "127.0.0.1:0",
                                .access_key = TEST_ACCESS,
                                .secret_key = TEST_SECRET,
                                .region = "us-east-1"};
    struct s3_config s3 = {.endpoint = g->endpoint,
                           .region = "us-east-1",
                           .bucket = "tests",
                           .access_key = TEST_ACCESS,
                           .secret_key = TEST_SECRET};

    CHECK_OK(store_open(&g->s, &conf, &g->e), &g->e);
    snprintf(g->endpoint, sizeof g->endpoint, "http://127.0.0.1:%d", store_port(g->s));
    CHECK_OK(s3_open(&g->c, &s3, &g->e), &g->e);
    CHECK_OK(s3_make_bucket(g->c, &g->e), &g->e);
}

static inline void rig_open(struct rig *g)
{
    memset(g, 0, sizeof *g);
    snprintf(g->dir, sizeof g->dir, "%s/store", test_dir());
    arena_init(&g->a, 64 << 20);
    buf_init(&g->body, 64 << 20);
    rig_up(g, g->dir);
}

static inline void rig_down(struct rig *g)
{
    s3_close(g->c);
    store_close(g->s);
    client_cleanup();
}

static inline void rig_close(struct rig *g)
{
    rig_down(g);
    buf_done(&g->body);
    arena_done(&g->a);
}

/* One presigned call; the status.  header: one line, or NULL. */
static inline int rig_call(struct rig *g, enum http_method m, const char *key, const char *query,
                           const char *header, str body)
{
    const char *headers[] = {header, NULL};
    struct client_call c = {.method = m, .headers = headers, .body = body, .reply = &g->body};

    CHECK_OK(s3_presign(g->c, &g->a, m, key, query, 60, &c.url, &g->e), &g->e);
    buf_clear(&g->body);
    CHECK_OK(client_do(&c, &g->reply, &g->e), &g->e);
    return g->reply.status;
}

/* One call signed by the Authorization header.  headers: "name: value" lines, all signed; payload:
 * the x-amz-content-sha256 (NULL: that of the body). */
static inline int rig_signed_by(struct rig *g, const struct sigv4_keys *k, int64_t now_ms,
                                const char *method_name, enum http_method m, const char *target,
                                const char *const *headers, const char *payload, str body)
{
    char lines[16][1000], names[512] = "host", when[SIGV4_TIME_TEXT], sha[SHA256_HEX + 1];
    char signature[SHA256_HEX + 1], url[4096];
    const char *out[20];
    struct sigv4_pair h[16] = {{STR("host"), str_of(g->endpoint + 7)}};
    ptrdiff_t mark = str_chr(str_of(target), '?');
    struct sigv4_request q = {str_of(method_name), str_of(target), STR_NONE, h, 1};
    struct client_call c = {
        .method = m, .url = url, .headers = out, .body = body, .reply = &g->body};
    uint8_t key[SHA256_BYTES];
    struct buf canonical;
    size_t n = 0;

    if (mark >= 0) {
        q.path = str_sub(q.path, 0, (size_t)mark);
        q.query = str_sub(str_of(target), (size_t)mark + 1, 4096);
    }
    sigv4_time_text(now_ms / 1000, when);
    sha256_hex(body, sha);
    for (; headers && headers[n]; n++)
        snprintf(lines[n], sizeof lines[n], "%s", headers[n]);
    snprintf(lines[n++], sizeof lines[0], "x-amz-content-sha256: %s", payload ? payload : sha);
    snprintf(lines[n++], sizeof lines[0], "x-amz-date: %s", when);
    for (size_t i = 0; i < n; i++) { /* the caller gives them in order of name */
        ptrdiff_t colon = str_chr(str_of(lines[i]), ':');
        size_t at = strlen(names);
        h[q.header_count].name = str_sub(str_of(lines[i]), 0, (size_t)colon);
        h[q.header_count++].value = str_sub(str_of(lines[i]), (size_t)colon + 1, 1000);
        snprintf(names + at, sizeof names - at, ";%.*s", (int)colon, lines[i]);
        out[i] = lines[i];
    }
    buf_init(&canonical, SIGV4_CANONICAL_MAX);
    CHECK_OK(sigv4_canonical(&g->a, &canonical, &q, str_of(names),
                             payload ? str_of(payload) : str_of(sha), &g->e),
             &g->e);
    sigv4_signing_key(k->secret_key, (str){when, 8}, k->region, key);
    sigv4_sign(key, str_of(when), k->region, buf_view(&canonical), signature);
    buf_done(&canonical);
    snprintf(lines[n], sizeof lines[n],
             "Authorization: AWS4-HMAC-SHA256 Credential=%.*s/%.8s/%.*s/s3/aws4_request,"
             "SignedHeaders=%s,Signature=%s",
             STR_F(k->access_key), when, STR_F(k->region), names, signature);
    out[n] = lines[n];
    out[n + 1] = NULL;
    snprintf(url, sizeof url, "%s%s", g->endpoint, target);
    buf_clear(&g->body);
    CHECK_OK(client_do(&c, &g->reply, &g->e), &g->e);
    return g->reply.status;
}

static const struct sigv4_keys test_keys = {STR(TEST_ACCESS), STR(TEST_SECRET), STR("us-east-1")};

static inline int rig_signed(struct rig *g, enum http_method m, const char *target,
                             const char *const *headers, const char *payload, str body)
{
    return rig_signed_by(g, &test_keys, os_now_ms(), http_method_name(m), m, target, headers,
                         payload, body);
}

static inline bool rig_says(const struct rig *g, const char *text)
{
    return str_find(buf_view(&g->body), str_of(text)) >= 0;
}

/* Files of large objects. */
static inline enum rc rig_count_one(void *ud, const char *name, bool is_dir, struct err *e)
{
    struct {
        const char *dir;
        long n;
    } *w = ud;
    char path[1024];
    struct {
        const char *dir;
        long n;
    } below = {path, 0};

    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    if (!is_dir) {
        w->n++;
        return RC_OK;
    }
    enum rc rc = os_list_dir(path, rig_count_one, &below, e);
    w->n += below.n;
    return rc;
}

static inline long rig_files_in(const struct rig *g, const char *folder)
{
    char path[1024];
    struct {
        const char *dir;
        long n;
    } w = {path, 0};
    struct err e;

    snprintf(path, sizeof path, "%s/%s", g->dir, folder);
    CHECK_OK(os_list_dir(path, rig_count_one, &w, &e), &e);
    return w.n;
}

static inline long rig_files(const struct rig *g)
{
    for (;;) { /* one may be on its way from the one to the other */
        long before = rig_files_in(g, "incoming"), settled = rig_files_in(g, "objects");
        if (rig_files_in(g, "incoming") == before)
            return before + settled;
    }
}

/* A reader keeps files until its reply has ended, which may be a moment after the client has it. */
static inline bool rig_files_become(const struct rig *g, long n)
{
    for (int i = 0; i < 1000 && rig_files(g) != n; i++)
        os_sleep_ms(5);
    return rig_files(g) == n;
}

/* Bytes that depend on the seed and the place. */
static inline char *rig_bytes(uint64_t seed, size_t n)
{
    char *p = mem_alloc(n ? n : 1);
    uint64_t word = 0;

    CHECK(p);
    for (size_t i = 0; i < n; i++) {
        if (i % 8 == 0)
            word = splitmix64(&seed);
        p[i] = (char)(word >> 8 * (i % 8));
    }
    return p;
}

#endif
