/* recent_test.c - rows that were found lately: given only for the state they were found in, within
 * their bound; and no reader of a whole store sees an old version behind a new one. */
#include "store/recent.c"

#include "store/commit.h"
#include "store/store_int.h"
#include "store/test_store.h"
#include <pthread.h>
#include <stdatomic.h>

/* ---- the table */

struct bench {
    struct recent *t;
    struct arena a;
    struct err e;
};

static void bench_open(struct bench *b)
{
    memset(b, 0, sizeof *b);
    arena_init(&b->a, 64 << 20);
    CHECK_OK(recent_new(&b->t, &b->e), &b->e);
}

static void bench_close(struct bench *b)
{
    recent_free(b->t);
    arena_done(&b->a);
}

static struct object object_of(int64_t data, const char *meta)
{
    struct object o = {.data = data,
                       .kind = DATA_PACKED,
                       .bytes = (uint64_t)data + 1000,
                       .modified_ms = data + 7,
                       .type = STR("text/plain"),
                       .meta = str_of(meta),
                       .tags = STR("a=b"),
                       .sum = {CHECKSUM_SHA1, true, "sum-3"},
                       .acl = ACL_PUBLIC_READ,
                       .seq = data + 3};

    snprintf(o.etag, sizeof o.etag, "etag-%lld", (long long)data);
    return o;
}

static struct data_row row_of(int64_t data)
{
    return (struct data_row){.id = data,
                             .kind = DATA_PACKED,
                             .place = data + 5,
                             .refs = 1,
                             .bytes = (uint64_t)data + 1000};
}

static void keep(struct bench *b, uint64_t state, const char *key, int64_t data)
{
    struct object o = object_of(data, "x-amz-meta-a: 1\n");
    struct data_row row = row_of(data);

    recent_put(b->t, state, STR("bucket"), str_of(key), &o, &row);
}

/* The number of the content, 0: not there. */
static int64_t look(struct bench *b, uint64_t state, const char *bucket, const char *key)
{
    struct object o;
    struct data_row row;
    char etag[32];

    if (!recent_get(b->t, state, str_of(bucket), str_of(key), &b->a, &o, &row))
        return 0;
    CHECK(row.id == o.data && row.kind == DATA_PACKED && row.place == o.data + 5);
    CHECK(row.bytes == o.bytes && o.bytes == (uint64_t)o.data + 1000);
    CHECK(o.kind == DATA_PACKED && o.modified_ms == o.data + 7 && o.seq == o.data + 3);
    CHECK(o.acl == ACL_PUBLIC_READ && !o.marker && !o.null_version && !o.newest);
    snprintf(etag, sizeof etag, "etag-%lld", (long long)o.data);
    CHECK_STR(str_of(o.etag), etag);
    CHECK(o.sum.kind == CHECKSUM_SHA1 && o.sum.composite);
    CHECK_STR(str_of(o.sum.text), "sum-3");
    CHECK_STR(o.type, "text/plain");
    CHECK_STR(o.meta, "x-amz-meta-a: 1\n");
    CHECK_STR(o.tags, "a=b");
    return o.data;
}

TEST(a_row_is_given_for_its_key_and_state_alone)
{
    struct bench b;

    bench_open(&b);
    CHECK_EQ(look(&b, 4, "bucket", "k"), 0);
    keep(&b, 4, "k", 11);
    CHECK_EQ(look(&b, 4, "bucket", "k"), 11);
    CHECK_EQ(look(&b, 4, "bucket", "kk"), 0);
    CHECK_EQ(look(&b, 4, "bucke", "tk"), 0); /* the texts side by side are the same */
    CHECK_EQ(look(&b, 4, "bucket", ""), 0);
    CHECK_EQ(look(&b, 6, "bucket", "k"), 0); /* something was committed */
    CHECK_EQ(look(&b, 2, "bucket", "k"), 0);
    CHECK_EQ(look(&b, 5, "bucket", "k"), 0);
    keep(&b, 6, "k", 12);
    CHECK_EQ(look(&b, 6, "bucket", "k"), 12);
    CHECK_EQ(look(&b, 4, "bucket", "k"), 0);
    keep(&b, 7, "k", 13); /* a commit was under way when the look-up began */
    CHECK_EQ(look(&b, 7, "bucket", "k"), 0);
    CHECK_EQ(look(&b, 6, "bucket", "k"), 12);
    bench_close(&b);
}

TEST(what_is_not_for_here_is_passed_over)
{
    struct bench b;
    struct object o = object_of(9, "");
    struct data_row row = row_of(9), other = row_of(10), large = row_of(9);
    char text[RECENT_ROW_BYTES + 1];
    struct data_row out;

    bench_open(&b);
    memset(text, 'm', sizeof text - 1);
    text[sizeof text - 1] = 0;
    recent_put(b.t, 2, STR("bucket"), STR("k"), &o, &other); /* a piece of it */
    large.kind = DATA_BLOCKS;
    recent_put(b.t, 2, STR("bucket"), STR("k"), &o, &large);
    o.marker = true;
    recent_put(b.t, 2, STR("bucket"), STR("k"), &o, &row);
    o = object_of(9, text);
    recent_put(b.t, 2, STR("bucket"), STR("k"), &o, &row);
    CHECK(!recent_get(b.t, 2, STR("bucket"), STR("k"), &b.a, &o, &out));
    CHECK(!recent_get(b.t, 2, STR("bucket"), str_of(text), &b.a, &o, &out));
    for (size_t n = TEXT_BYTES - 40; n < TEXT_BYTES + 4; n++) { /* to the last byte, and past it */
        o = object_of(9, "");
        o.type = o.tags = STR("");
        o.etag[0] = o.sum.text[0] = 0;
        recent_put(b.t, 2, STR("b"), (str){text, n}, &o, &row);
        bool there = recent_get(b.t, 2, STR("b"), (str){text, n}, &b.a, &o, &out);
        CHECK(there == (n + 1 <= TEXT_BYTES));
    }
    bench_close(&b);
}

TEST(the_table_keeps_its_bound_and_what_is_read_most)
{
    struct bench b;
    char key[32];
    int there = 0;

    bench_open(&b);
    keep(&b, 2, "often", 1);
    for (int i = 0; i < 4 * RECENT_ROWS; i++) {
        snprintf(key, sizeof key, "once-%d", i);
        keep(&b, 2, key, 2);
        CHECK_EQ(look(&b, 2, "bucket", "often"), 1); /* read between all of them: it stays */
        arena_reset(&b.a);
    }
    for (int i = 0; i < 4 * RECENT_ROWS; i++) {
        snprintf(key, sizeof key, "once-%d", i);
        there += look(&b, 2, "bucket", key) != 0;
        arena_reset(&b.a);
    }
    CHECK(there > RECENT_ROWS / 2 && there < RECENT_ROWS);
    bench_close(&b);
}

TEST(out_of_memory_finds_nothing)
{
    struct bench b;
    struct recent *t = NULL;
    struct arena none;
    struct object o;
    struct data_row row;

    bench_open(&b);
    keep(&b, 2, "k", 5);
    arena_init(&none, 0);
    CHECK(!recent_get(b.t, 2, STR("bucket"), STR("k"), &none, &o, &row));
    arena_done(&none);
    for (long i = 0; i < 2; i++) {
        mem_fail_at(i);
        CHECK_EQ(recent_new(&t, &b.e), RC_NOMEM);
        CHECK(mem_fail_disarm() && !t);
    }
    bench_close(&b);
}

/* ---- a whole store */

enum { VERSIONS = 150, READERS = 3, BODY = 5000 /* goes into a segment at once */ };

struct race {
    struct rig g;
    atomic_int acknowledged;
    atomic_bool over;
    pthread_t threads[READERS];
};

static void put_version(struct race *r, int version)
{
    char body[BODY];

    memset(body, 'a' + version % 26, sizeof body);
    snprintf(body, sizeof body, "%d", version);
    CHECK_OK(s3_put(r->g.c, "k", (str){body, sizeof body}, "text/plain", &r->g.e), &r->g.e);
    atomic_store(&r->acknowledged, version);
}

static void *read_versions(void *ud)
{
    struct race *r = ud;
    int64_t last = 0;
    struct err e = {0};
    struct buf b;

    buf_init(&b, 1 << 20);
    while (!atomic_load(&r->over)) {
        int before = atomic_load(&r->acknowledged);
        int64_t found = 0;
        buf_clear(&b);
        CHECK_OK(s3_get(r->g.c, "k", &b, &e), &e);
        CHECK(b.n == BODY);
        CHECK(str_i64(str_of(b.p), &found));
        CHECK(found >= before); /* nothing older than what was acknowledged when it asked */
        CHECK(found >= last);   /* nor than what it has seen */
        last = found;
    }
    buf_done(&b);
    return NULL;
}

static bool kept(struct race *r)
{
    struct object o;
    struct data_row row;
    struct arena a;
    bool there;

    arena_init(&a, 1 << 20);
    there = recent_get(r->g.s->recent, committer_state(r->g.s->committer), STR("tests"), STR("k"),
                       &a, &o, &row);
    arena_done(&a);
    return there;
}

TEST(no_reader_sees_an_old_version_behind_a_new_one)
{
    struct race r = {0};
    struct err e = {0};

    rig_open(&r.g);
    put_version(&r, 1);
    for (int i = 0; i < READERS; i++)
        CHECK(!pthread_create(&r.threads[i], NULL, read_versions, &r));
    for (int i = 2; i <= VERSIONS; i++)
        put_version(&r, i);
    atomic_store(&r.over, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(r.threads[i], NULL);
    CHECK_EQ(rig_call(&r.g, HTTP_GET, "k", NULL, NULL, STR("")), 200);
    CHECK(kept(&r)); /* so the next read is answered from here ... */
    CHECK_EQ(rig_call(&r.g, HTTP_GET, "k", NULL, "Range: bytes=0-2", STR("")), 206);
    CHECK_STR(buf_view(&r.g.body), "150");
    CHECK_OK(s3_delete(r.g.c, "k", &e), &e);
    CHECK(!kept(&r)); /* ... and not behind a deletion */
    CHECK_EQ(rig_call(&r.g, HTTP_GET, "k", NULL, NULL, STR("")), 404);
    rig_close(&r.g);
}
