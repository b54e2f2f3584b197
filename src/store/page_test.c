/* page_test.c - pages of a list: put together they are the list, whatever the prefix, the delimiter
 * and the size of a page; tokens, times and numbers as they are written. */
#include "store/page.c"

#include "base/mem.h"
#include "base/test.h"

enum { KEYS = 60, NAMES = 2 * KEYS };

static const char *const letters = "ab/c"; /* few, so that prefixes meet */

struct keys {
    char text[KEYS][16];
    size_t n;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void make_keys(struct keys *k, uint64_t *seed)
{
    size_t kept = 0;

    k->n = splitmix64(seed) % KEYS;
    for (size_t i = 0; i < k->n; i++) {
        size_t n = 1 + splitmix64(seed) % 6;
        for (size_t at = 0; at < n; at++)
            k->text[i][at] = letters[splitmix64(seed) % 4];
        k->text[i][n] = 0;
    }
    qsort(k->text, k->n, sizeof *k->text, by_text);
    for (size_t i = 0; i < k->n; i++)
        if (!i || strcmp(k->text[i], k->text[kept - 1]) != 0)
            memmove(k->text[kept++], k->text[i], sizeof *k->text);
    k->n = kept;
}

/* What a list has: keys, and common prefixes once each, in order. */
struct names {
    char text[NAMES][20];
    size_t n;
};

static void add(struct names *to, str s, char kind)
{
    CHECK(to->n < NAMES);
    snprintf(to->text[to->n++], sizeof *to->text, "%c%.*s", kind, STR_F(s));
}

static void by_hand(const struct keys *k, str prefix, str delimiter, struct names *ret)
{
    ret->n = 0;
    for (size_t i = 0; i < k->n; i++) {
        str key = str_of(k->text[i]), rest = str_sub(key, prefix.n, key.n);
        ptrdiff_t at = delimiter.n ? str_find(rest, delimiter) : -1;
        char common[20];
        if (!str_starts(key, prefix))
            continue;
        if (at < 0) {
            add(ret, key, 'k');
            continue;
        }
        snprintf(common, sizeof common, "p%.*s",
                 STR_F(str_sub(key, 0, prefix.n + (size_t)at + delimiter.n)));
        if (!ret->n || strcmp(ret->text[ret->n - 1], common) != 0)
            snprintf(ret->text[ret->n++], sizeof common, "%s", common);
    }
}

/* One page, as page_run() walks the index. */
static void walk(struct page *g, const struct keys *k, struct names *to)
{
    struct err e = {0};
    bool put, stop = false;

    do {
        g->again = false;
        for (size_t i = 0; g->max && i < k->n; i++) {
            str key = str_of(k->text[i]), common = g->last;
            if (str_cmp(key, g->from) < 0 || str_cmp(key, g->to) >= 0)
                continue;
            stop = false;
            CHECK_OK(page_take(g, key, 0, &put, &stop, &e), &e);
            if (put)
                add(to, key, 'k');
            else if (g->again && !str_eq(common, g->last))
                add(to, g->last, 'p');
            if (stop)
                break;
        }
    } while (g->again);
}

static void page_open(struct page *g, struct call *c, str prefix, str delimiter, uint64_t max)
{
    *g = (struct page){
        .c = c, .prefix = prefix, .delimiter = delimiter, .max = max, .day = INT64_MIN};
    buf_init(&g->out, 1 << 20);
    buf_init(&g->prefixes, 1 << 20);
    g->from = prefix;
    g->to = prefix.n ? successor(c->a, prefix) : STR("\xff");
}

static void same(const struct names *a, const struct names *b)
{
    CHECK_EQ(a->n, b->n);
    for (size_t i = 0; i < a->n; i++)
        CHECK(!strcmp(a->text[i], b->text[i]));
}

TEST(pages_of_any_size_put_together_are_the_list)
{
    static const char *const prefixes[] = {"", "a", "b/", "/", "cc", "a/b"};
    static const char *const delimiters[] = {"", "/", "b", "a/"};
    struct arena a;
    struct call c = {.a = &a};
    struct keys k;
    struct names want, got;
    struct page g;
    uint64_t seed = 1;

    arena_init(&a, 64 << 20);
    for (int round = 0; round < 400; round++) {
        str prefix = str_of(prefixes[splitmix64(&seed) % 6]);
        str delimiter = str_of(delimiters[splitmix64(&seed) % 4]), from, to;
        uint64_t max = 1 + splitmix64(&seed) % 9;
        bool by_marker = splitmix64(&seed) % 2; /* of version 1: the last name of a page */
        make_keys(&k, &seed);
        by_hand(&k, prefix, delimiter, &want);
        got.n = 0;
        page_open(&g, &c, prefix, delimiter, max);
        for (;;) {
            size_t before = got.n;
            walk(&g, &k, &got);
            CHECK(got.n - before <= max && g.count == got.n - before);
            if (!g.truncated)
                break;
            CHECK_EQ(got.n - before, max);
            from = g.next;
            to = g.last;
            page_done(&g);
            page_open(&g, &c, prefix, delimiter, max);
            if (by_marker)
                CHECK_EQ(page_after(&g, to), S3_OK);
            else
                g.from = from;
        }
        page_done(&g);
        same(&want, &got);
        arena_reset(&a);
    }
    arena_done(&a);
}

TEST(a_page_of_nothing_is_empty_and_has_no_next)
{
    struct arena a;
    struct call c = {.a = &a};
    struct keys k = {.text = {"a", "b"}, .n = 2};
    struct names got = {.n = 0};
    struct page g;

    arena_init(&a, 1 << 20);
    page_open(&g, &c, STR(""), STR("/"), 0);
    walk(&g, &k, &got);
    CHECK(got.n == 0 && !g.truncated && g.count == 0);
    page_done(&g);
    arena_done(&a);
}

TEST(a_token_is_read_as_it_was_written_and_others_are_refused)
{
    static const char *const bad[] = {"6", "zz", "6b6", "6 "};
    char name[STORE_KEY_BYTES_MAX + 1], hex[2 * STORE_KEY_BYTES_MAX + 3];
    struct arena a;
    struct call c = {.a = &a};
    struct buf b;
    str s;

    arena_init(&a, 1 << 20);
    memset(name, 0xfe, sizeof name);
    buf_init(&b, 4096);
    page_put_token(&b, "T", (str){name, STORE_KEY_BYTES_MAX});
    CHECK(str_starts(buf_view(&b), STR("<T>fefe")) && str_ends(buf_view(&b), STR("fe</T>")));
    CHECK_EQ(page_token(&c, str_sub(buf_view(&b), 3, 2 * STORE_KEY_BYTES_MAX), &s), S3_OK);
    CHECK(s.n == STORE_KEY_BYTES_MAX && !memcmp(s.p, name, s.n));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_EQ(page_token(&c, str_of(bad[i]), &s), S3_BAD_ARGUMENT);
    memset(hex, 'a', sizeof hex);
    CHECK_EQ(page_token(&c, (str){hex, 2 * STORE_KEY_BYTES_MAX + 2}, &s), S3_BAD_ARGUMENT);
    buf_done(&b);
    arena_done(&a);
}

TEST(times_and_numbers_are_written_as_the_system_writes_them)
{
    static const uint64_t numbers[] = {0, 1, 9, 10, 12345, UINT64_MAX};
    struct page g = {.day = INT64_MIN};
    struct buf b;
    char want[64];
    uint64_t seed = 5;

    buf_init(&b, 1024);
    for (int i = 0; i < 2000; i++) {
        int64_t ms = (int64_t)(splitmix64(&seed) % 4102444800000); /* to 2099 */
        if (i % 4)
            ms = 1767225600000 + (int64_t)(splitmix64(&seed) % 200000000); /* within two days */
        if (i == 0)
            ms = -1;
        os_time_text(ms, want);
        buf_clear(&b);
        page_time(&g, &b, ms);
        CHECK_STR(buf_view(&b), want);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        snprintf(want, sizeof want, "%llu", (unsigned long long)numbers[i]);
        buf_clear(&b);
        page_u64(&b, numbers[i]);
        CHECK_STR(buf_view(&b), want);
    }
    g.url = true;
    buf_clear(&b);
    page_name(&g, &b, "Key", STR("a b<&/\xed\x95\x9c"));
    CHECK_STR(buf_view(&b), "<Key>a%20b%3C%26/%ED%95%9C</Key>");
    g.url = false;
    buf_clear(&b);
    page_name(&g, &b, "Key", STR("a b<&"));
    CHECK_STR(buf_view(&b), "<Key>a b&lt;&amp;</Key>");
    buf_done(&b);
}
