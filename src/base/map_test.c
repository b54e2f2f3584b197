/* map_test.c - look-up against a plain list, order, removal, and each allocation failing. */
#include "base/map.c"

#include "base/test.h"

#include <stdio.h>

static str key_of(char text[32], int i)
{
    int n = snprintf(text, 32, "key %d", i);

    return (str){text, (size_t)n};
}

/* Words of another implementation: CPython 3.11 hashes bytes so under PYTHONHASHSEED=0. */
TEST(siphash_agrees_with_another_implementation)
{
    uint64_t key[2] = {0, 0};

    CHECK(siphash13(key, STR("a")) == 4644417185603328019u);
    CHECK(siphash13(key, STR("abcdefg")) == 7904145750247929094u);
    CHECK(siphash13(key, STR("abcdefgh")) == 4574395652268504554u);
    CHECK(siphash13(key, STR("the quick brown fox")) == 6491753435481021626u);
}

TEST(hash_depends_on_every_byte_and_on_the_key)
{
    uint64_t key[2] = {1, 2}, other[2] = {1, 3};
    char text[40] = {0};

    for (size_t n = 0; n < sizeof text; n++) {
        uint64_t h = siphash13(key, (str){text, n});
        CHECK(h == siphash13(key, (str){text, n}));
        CHECK(h != siphash13(other, (str){text, n}));
        CHECK(h != siphash13(key, (str){text, n + 1 < sizeof text ? n + 1 : 0}));
        for (size_t i = 0; i < n; i++) {
            text[i] ^= 0x10;
            CHECK(h != siphash13(key, (str){text, n}));
            text[i] ^= 0x10;
        }
    }
}

TEST(put_get_remove_follow_a_plain_model)
{
    static int model[500]; /* 0: absent */
    struct map m;
    char text[32];
    uint64_t seed = 7;

    map_init(&m);
    CHECK(!map_get(&m, STR("x")) && !map_has(&m, STR("x")) && !map_remove(&m, STR("x")));
    for (int step = 1; step < 20000; step++) {
        int k;
        str key;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        k = (int)(seed >> 33) % 500;
        key = key_of(text, k);
        if (seed >> 62) {
            CHECK_EQ(map_put(&m, key, (void *)(intptr_t)step, NULL), RC_OK);
            model[k] = step;
        } else {
            CHECK_EQ((intptr_t)map_remove(&m, key), model[k]);
            model[k] = 0;
        }
    }
    size_t live = 0;
    for (int k = 0; k < 500; k++) {
        live += model[k] != 0;
        CHECK_EQ((intptr_t)map_get(&m, key_of(text, k)), model[k]);
        CHECK_EQ(map_has(&m, key_of(text, k)), model[k] != 0);
    }
    CHECK_EQ(map_count(&m), live);
    CHECK(m.cap <= 2048); /* removed slots are reused, not piled up */
    map_done(&m);
    CHECK_EQ(mem_live_bytes(), 0);
}

TEST(iteration_is_in_order_of_insertion_and_may_remove)
{
    struct map m;
    char text[32];
    str key;
    void *value;
    int at = 0;

    map_init(&m);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(map_put(&m, key_of(text, i), (void *)(intptr_t)(i + 1), NULL), RC_OK);
    CHECK_EQ(map_put(&m, key_of(text, 3), (void *)(intptr_t)1000, NULL),
             RC_OK); /* keeps its place */
    for (size_t i = 0; map_next(&m, &i, &key, &value); at++) {
        CHECK(str_eq(key, key_of(text, at)));
        CHECK_EQ((intptr_t)value, at == 3 ? 1000 : at + 1);
        CHECK_EQ(key.p[key.n], 0);
        if (at % 2)
            map_remove(&m, key_of(text, at));
    }
    CHECK_EQ(at, 100);
    CHECK_EQ(map_count(&m), 50);
    map_done(&m);
}

TEST(keys_are_bytes_and_values_may_be_null)
{
    struct map m;

    map_init(&m);
    CHECK_EQ(map_put(&m, (str){"a\0b", 3}, NULL, NULL), RC_OK);
    CHECK_EQ(map_put(&m, (str){"a\0c", 3}, &m, NULL), RC_OK);
    CHECK_EQ(map_put(&m, STR_NONE, &m, NULL), RC_OK);
    CHECK(map_has(&m, (str){"a\0b", 3}) && !map_get(&m, (str){"a\0b", 3}));
    CHECK(map_get(&m, (str){"a\0c", 3}) == &m);
    CHECK(map_get(&m, STR("")) == &m);
    CHECK(!map_has(&m, STR("a")));
    map_done(&m);
}

TEST(each_allocation_may_fail)
{
    bool fired = true;
    long at;

    for (at = 0; fired; at++) {
        struct map m;
        char text[32];
        size_t put = 0;
        map_init(&m);
        mem_fail_at(at);
        for (int i = 0; i < 40; i++) {
            struct err e = {0};
            enum rc rc = map_put(&m, key_of(text, i), &m, &e);
            CHECK(rc == RC_OK || (rc == RC_NOMEM && e.text[0]));
            CHECK_EQ(map_has(&m, key_of(text, i)), rc == RC_OK);
            put += rc == RC_OK;
        }
        fired = mem_fail_disarm();
        CHECK_EQ(put, fired ? 39 : 40);
        CHECK_EQ(map_count(&m), put);
        map_done(&m);
        CHECK_EQ(mem_live_bytes(), 0);
    }
    CHECK(at > 40);
}
