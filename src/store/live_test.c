/* live_test.c - the S3 client against real servers: our store, and any other that the environment
 * names (S3_TEST_ENDPOINT, S3_TEST_ACCESS_KEY, S3_TEST_SECRET_KEY; tests/store/radosgw starts
 * Ceph's).  The same tests for both. */
#include "s3/parallel.c"

#include "store/test_store.h"

#include <stdlib.h>

enum { LARGE = (64 << 20) + (9 << 20) + 12345 }; /* past one request; the last part is odd */

struct live {
    struct rig g; /* for ours */
    struct s3 *c;
    struct err e;
};

static void live_open(struct live *l, bool other)
{
    memset(l, 0, sizeof *l);
    if (!other) {
        rig_open(&l->g);
        l->c = l->g.c;
        return;
    }
    struct s3_config to = {.endpoint = getenv("S3_TEST_ENDPOINT"),
                           .region = "us-east-1",
                           .bucket = "live-tests",
                           .access_key = getenv("S3_TEST_ACCESS_KEY"),
                           .secret_key = getenv("S3_TEST_SECRET_KEY")};
    CHECK_OK(s3_open(&l->c, &to, &l->e), &l->e);
    CHECK_OK(s3_make_bucket(l->c, &l->e), &l->e);
}

static enum rc remove_one(void *ud, str key, uint64_t bytes, struct err *e)
{
    char name[1100];

    snprintf(name, sizeof name, "%.*s", STR_F(key));
    return s3_delete(ud, name, e);
}

static void live_close(struct live *l, bool other)
{
    CHECK_OK(s3_list(l->c, "", remove_one, l->c, &l->e), &l->e);
    if (other)
        s3_close(l->c);
    else
        rig_close(&l->g);
}

/* Runs a test against ours and, if there is one, the other. */
static void both(void (*test)(struct live *l))
{
    bool other = getenv("S3_TEST_ENDPOINT") != NULL;

    for (int i = 0; i <= (int)other; i++) {
        struct live l;
        live_open(&l, i == 1);
        test(&l);
        live_close(&l, i == 1);
    }
    if (!other)
        printf("  (S3_TEST_ENDPOINT is not set: against our store only)\n");
}

static void objects(struct live *l)
{
    static const char *const keys[] = {"plain", "a/b c+d&e=f", "\xed\x95\x9c\xea\xb8\x80/~!*'()",
                                       "per%20cent", "tail/"};
    struct s3_stat st;
    struct buf b;
    bool existed;

    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        CHECK_OK(s3_put(l->c, keys[i], str_of(keys[i]), "text/plain", &l->e), &l->e);
        CHECK_OK(s3_get(l->c, keys[i], &b, &l->e), &l->e);
        CHECK_STR(buf_view(&b), keys[i]);
        CHECK_OK(s3_head(l->c, keys[i], &st, &l->e), &l->e);
        CHECK_EQ(st.bytes, strlen(keys[i]));
        CHECK_OK(s3_get_range(l->c, keys[i], 1, 2, &b, &l->e), &l->e);
        CHECK(b.n == 2 && !memcmp(b.p, keys[i] + 1, 2));
        CHECK_OK(s3_delete(l->c, keys[i], &l->e), &l->e);
        CHECK_OK(s3_delete(l->c, keys[i], &l->e), &l->e);
        CHECK_EQ(s3_get(l->c, keys[i], &b, &l->e), RC_NOT_FOUND);
    }
    CHECK(atomic_load(&l->c->etag_is_md5)); /* so what came back was verified */
    CHECK_OK(s3_put(l->c, "empty", STR(""), NULL, &l->e), &l->e);
    CHECK_OK(s3_get(l->c, "empty", &b, &l->e), &l->e);
    CHECK_EQ(b.n, 0);
    CHECK_OK(s3_put_new(l->c, "once", STR("1"), NULL, &existed, &l->e), &l->e);
    CHECK(!existed);
    buf_done(&b);
}

TEST(objects_come_back_as_they_went)
{
    both(objects);
}

struct counted {
    size_t n;
    char last[64];
    bool sorted;
};

static enum rc count_one(void *ud, str key, uint64_t bytes, struct err *e)
{
    struct counted *c = ud;

    c->sorted &= str_cmp(str_of(c->last), key) < 0;
    snprintf(c->last, sizeof c->last, "%.*s", STR_F(key));
    c->n++;
    return RC_OK;
}

static void list_pages(struct live *l)
{
    struct counted c = {.sorted = true};
    char key[64];

    for (int i = 0; i < 1100; i++) {
        snprintf(key, sizeof key, "list/%04d &+%%", i);
        CHECK_OK(s3_put(l->c, key, STR("x"), NULL, &l->e), &l->e);
    }
    CHECK_OK(s3_list(l->c, "list/", count_one, &c, &l->e), &l->e);
    CHECK_EQ(c.n, 1100);
    CHECK(c.sorted);
}

TEST(a_list_of_more_than_a_page_is_whole_and_in_order)
{
    both(list_pages);
}

static enum rc hash_sink(void *ud, const void *p, size_t n, struct err *e)
{
    hasher_add(ud, p, n);
    return RC_OK;
}

static void same_as(struct live *l, const char *key, const char *data)
{
    uint8_t want[SHA256_BYTES], got[SHA256_BYTES];
    struct hasher h;
    struct s3_stat st;

    sha256((str){data, LARGE}, want);
    CHECK_OK(sha256_init(&h, &l->e), &l->e);
    CHECK_OK(s3_get_stream(l->c, key, hash_sink, &h, &l->e), &l->e);
    hasher_final(&h, got);
    CHECK(!memcmp(want, got, sizeof want));
    CHECK_OK(s3_head(l->c, key, &st, &l->e), &l->e);
    CHECK_EQ(st.bytes, LARGE);
    CHECK(str_ends(str_of(st.etag), STR("-10")));
}

static void make_file(char path[600], char **ret)
{
    struct err e;

    *ret = rig_bytes(11, LARGE);
    snprintf(path, 600, "%s/large", test_dir());
    CHECK_OK(os_write_file_durable(path, (str){*ret, LARGE}, 0600, &e), &e);
}

static void large_file(struct live *l)
{
    char path[600], *data;

    make_file(path, &data);
    CHECK_OK(s3_put(l->c, "first", STR("tells what ETags are"), NULL, &l->e), &l->e);
    CHECK_OK(s3_put_file(l->c, "large", path, NULL, &l->e), &l->e);
    same_as(l, "large", data);
    mem_free(data);
}

TEST(a_large_file_goes_in_by_parts_at_once_and_comes_back)
{
    both(large_file);
}

/* What an attempt that broke off has left: three good parts, one that is not the file's. */
static void leave_parts(struct live *l, const char *path, struct parts *p)
{
    int fd;

    CHECK_OK(s3_upload_begin(l->c, p->key, NULL, p->id, &l->e), &l->e);
    CHECK_OK(os_open(path, O_RDONLY, 0, &fd, &l->e), &l->e);
    for (size_t i = 0; i < 4; i++) {
        size_t from = i < 3 ? i : 0; /* the fourth part holds the first's bytes */
        struct slice f = {fd, from * p->part_bytes, from * p->part_bytes,
                          (from + 1) * p->part_bytes};
        CHECK_OK(slice_md5(&f, p->md5[i], &l->e), &l->e);
        CHECK_OK(send_slice(p, i, &f, &l->e), &l->e);
    }
    os_close(fd);
}

static void resumed(struct live *l)
{
    struct s3_etag stored[10] = {0}, etags[10] = {0};
    uint8_t md5[10][MD5_BYTES];
    char path[600], *data, hex[MD5_HEX + 1];
    struct parts p = {.s = l->c,
                      .key = "resumed",
                      .bytes = LARGE,
                      .part_bytes = S3_PART_BYTES,
                      .n = 10,
                      .stored = stored,
                      .etags = etags,
                      .md5 = md5};
    struct parts again = p;

    make_file(path, &data);
    CHECK_OK(s3_put(l->c, "first", STR("tells what ETags are"), NULL, &l->e), &l->e);
    leave_parts(l, path, &p);
    memset(stored, 0, sizeof stored);
    find_left(&again);
    CHECK_STR(str_of(again.id), p.id);
    for (size_t i = 0; i < 4; i++) {
        hex_of(md5[i], MD5_BYTES, hex);
        CHECK_STR(str_of(stored[i].text), hex);
    }
    CHECK(!stored[4].text[0]);
    CHECK_OK(s3_put_file(l->c, "resumed", path, NULL, &l->e), &l->e);
    same_as(l, "resumed", data);
    again.id[0] = 0; /* nothing is left of it */
    find_left(&again);
    CHECK(!again.id[0]);
    mem_free(data);
}

TEST(an_upload_that_broke_off_goes_on_and_wrong_parts_are_sent_again)
{
    both(resumed);
}
