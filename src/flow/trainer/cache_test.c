/* cache_test.c - eviction, pins, damage, faults of the disk cache. */
#include "flow/trainer/cache.c"

#include "base/test.h"

static struct cache *opened(uint64_t bytes_max)
{
    struct cache *c = NULL;
    struct err e = {0};
    char dir[600];

    snprintf(dir, sizeof dir, "%s/cache", test_dir());
    CHECK_OK(cache_open(&c, dir, bytes_max, &e), &e);
    return c;
}

/* Content i: `bytes` times the letter. */
static void content(char letter, size_t bytes, struct buf *text, char sha[SHA256_HEX + 1])
{
    buf_init(text, 1 << 20);
    for (size_t i = 0; i < bytes; i++)
        buf_putc(text, letter);
    sha256_hex(buf_view(text), sha);
}

static enum rc fetch_as(struct cache *c, const char *sha, str data, int64_t announced,
                        struct cache_pins *pins, struct err *e)
{
    struct cache_fetch *f = NULL;
    enum rc rc = cache_fetch_open(&f, c, sha, announced, e);

    if (!rc)
        rc = cache_fetch_add(f, data.p, data.n, e);
    if (!rc)
        rc = cache_fetch_commit(f, pins, e);
    cache_fetch_free(f);
    return rc;
}

static enum rc fetch(struct cache *c, char letter, size_t bytes, struct cache_pins *pins)
{
    char sha[SHA256_HEX + 1];
    struct err e = {0};
    struct buf text;
    enum rc rc;

    content(letter, bytes, &text, sha);
    rc = fetch_as(c, sha, buf_view(&text), (int64_t)bytes, pins, &e);
    buf_done(&text);
    return rc;
}

static bool has(struct cache *c, char letter, size_t bytes)
{
    struct cache_pins pins = {0};
    char sha[SHA256_HEX + 1];
    struct err e = {0};
    struct buf text;
    bool hit = false;

    content(letter, bytes, &text, sha);
    CHECK_OK(cache_pin(c, sha, (int64_t)bytes, &pins, &hit, &e), &e);
    cache_unpin(c, &pins, false);
    buf_done(&text);
    return hit;
}

static uint64_t used(struct cache *c)
{
    struct cache_stats s;

    cache_get_stats(c, &s);
    return s.bytes;
}

TEST(what_was_fetched_is_found_again_also_after_a_restart)
{
    struct cache *c = opened(10000);
    struct cache_pins pins = {0};

    CHECK(!has(c, 'a', 100));
    CHECK_EQ(fetch(c, 'a', 100, &pins), RC_OK);
    cache_unpin(c, &pins, false);
    CHECK(has(c, 'a', 100));
    CHECK(!has(c, 'a', 101));
    cache_close(c);
    c = opened(10000);
    CHECK_EQ(used(c), 100);
    CHECK(has(c, 'a', 100));
    cache_close(c);
}

TEST(the_least_recently_used_goes_first_and_the_bound_holds)
{
    struct cache *c = opened(300);
    struct cache_pins pins = {0};

    for (char l = 'a'; l <= 'c'; l++)
        CHECK_EQ(fetch(c, l, 100, &pins), RC_OK);
    cache_unpin(c, &pins, false);
    CHECK(has(c, 'a', 100)); /* used again: b is the oldest now */
    CHECK_EQ(fetch(c, 'd', 100, &pins), RC_OK);
    cache_unpin(c, &pins, false);
    CHECK_EQ(used(c), 300);
    CHECK(!has(c, 'b', 100));
    CHECK(has(c, 'a', 100) && has(c, 'c', 100) && has(c, 'd', 100));
    cache_close(c);
    c = opened(150); /* a lower limit takes effect at the next start */
    CHECK(used(c) <= 150);
    cache_close(c);
}

TEST(what_a_running_job_holds_is_never_evicted)
{
    struct cache *c = opened(250);
    struct cache_pins held = {0}, other = {0};
    struct err e = {0};
    char sha[SHA256_HEX + 1];
    struct buf text;

    CHECK_EQ(fetch(c, 'a', 100, &held), RC_OK);
    CHECK_EQ(fetch(c, 'b', 100, &held), RC_OK);
    content('c', 100, &text, sha);
    CHECK_EQ(fetch_as(c, sha, buf_view(&text), 100, &other, &e), RC_FULL);
    CHECK(strstr(e.text, "cache_bytes_max"));
    CHECK_EQ(fetch_as(c, sha, buf_view(&text), -1, &other, &e),
             RC_FULL); /* size unknown at first */
    CHECK_EQ(c->reserved_bytes, 0);
    cache_unpin(c, &held, false);
    CHECK_EQ(fetch_as(c, sha, buf_view(&text), 100, &other, &e), RC_OK);
    cache_unpin(c, &other, false);
    CHECK(used(c) <= 250);
    buf_done(&text);
    cache_close(c);
}

TEST(other_content_than_the_name_says_is_refused)
{
    struct cache *c = opened(10000);
    struct cache_pins pins = {0};
    struct err e = {0};
    char sha[SHA256_HEX + 1];
    struct buf text;

    content('a', 100, &text, sha);
    text.p[50] = 'x';
    CHECK_EQ(fetch_as(c, sha, buf_view(&text), 100, &pins, &e), RC_CORRUPT);
    CHECK(strstr(e.text, sha));
    CHECK_EQ(fetch_as(c, sha, str_sub(buf_view(&text), 0, 99), 100, &pins, &e), RC_CORRUPT);
    CHECK_EQ(fetch_as(c, sha, buf_view(&text), 99, &pins, &e), RC_CORRUPT);
    CHECK_EQ(pins.n, 0);
    CHECK_EQ(used(c), 0);
    CHECK(!has(c, 'a', 100));
    buf_done(&text);
    cache_close(c);
}

static void damage(struct cache *c, char letter, size_t bytes, const char *with)
{
    char sha[SHA256_HEX + 1], path[CACHE_PATH_MAX];
    struct err e = {0};
    struct buf text;

    content(letter, bytes, &text, sha);
    cache_path(c, sha, path);
    CHECK_OK(os_write_file_durable(path, str_of(with), 0600, &e), &e);
    buf_done(&text);
}

TEST(a_damaged_entry_is_noticed_after_a_restart_and_after_a_failed_attempt)
{
    struct cache *c = opened(10000);
    struct cache_pins pins = {0};

    CHECK_EQ(fetch(c, 'a', 4, &pins), RC_OK);
    CHECK_EQ(fetch(c, 'b', 4, &pins), RC_OK);
    cache_unpin(c, &pins, false);
    cache_close(c);
    c = opened(10000);
    damage(c, 'a', 4, "aaax");
    CHECK(!has(c, 'a', 4));
    CHECK(has(c, 'b', 4));
    CHECK_EQ(used(c), 4);
    CHECK_EQ(fetch(c, 'a', 4, &pins), RC_OK); /* and can be fetched again */
    cache_unpin(c, &pins, true);              /* its attempt failed */
    damage(c, 'a', 4, "xaaa");
    CHECK(!has(c, 'a', 4));
    CHECK(has(c, 'b', 4));
    cache_close(c);
}

TEST(an_entry_that_two_jobs_hold_and_one_finds_damaged_is_freed_once)
{
    struct cache *c = opened(10000);
    struct cache_pins one = {0}, two = {0}, suspect = {0};
    char sha[SHA256_HEX + 1];
    struct err e = {0};
    struct buf text;
    bool hit = false;

    content('a', 4, &text, sha);
    CHECK_EQ(fetch(c, 'a', 4, &suspect), RC_OK);
    CHECK_OK(cache_pin(c, sha, 4, &one, &hit, &e), &e);
    CHECK(hit);
    cache_unpin(c, &suspect, true);
    damage(c, 'a', 4, "aaxa");
    CHECK_OK(cache_pin(c, sha, 4, &two, &hit, &e), &e);
    CHECK(!hit);
    CHECK_EQ(two.n, 0);
    CHECK_EQ(fetch(c, 'a', 4, &two), RC_OK);
    cache_unpin(c, &one, false);
    cache_unpin(c, &two, false);
    CHECK_EQ(used(c), 4);
    CHECK_EQ(c->s.pinned_bytes, 0);
    buf_done(&text);
    cache_close(c);
}

TEST(a_failure_of_the_disk_leaves_nothing_behind)
{
    struct cache *c = opened(10000);
    struct cache_pins pins = {0};
    char sha[SHA256_HEX + 1];
    struct err e = {0};
    struct buf text;
    bool hit;

    content('a', 100, &text, sha);
    for (long i = 0; i < 12; i++) { /* each allocation in turn */
        mem_fail_at(i);
        enum rc rc = fetch_as(c, sha, buf_view(&text), 100, &pins, &e);
        if (!rc)
            rc = cache_pin(c, sha, 100, &pins, &hit, &e);
        bool fired = mem_fail_disarm();
        CHECK(rc == RC_OK || (fired && rc == RC_NOMEM));
        cache_unpin(c, &pins, false);
        CHECK_EQ(c->reserved_bytes, 0);
        CHECK_EQ(c->s.pinned_bytes, 0);
    }
    CHECK(used(c) <= 100);
    buf_done(&text);
    cache_close(c);
}
