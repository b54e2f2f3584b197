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
        CHECK_EQ(rig_files(&g), sizes[i] > STORE_INLINE_BYTES); /* the one before is removed */
        mem_free(p);
    }
    CHECK_OK(s3_delete(g.c, "a/b c+~\xed\x95\x9c", &g.e), &g.e);
    CHECK_OK(s3_delete(g.c, "a/b c+~\xed\x95\x9c", &g.e), &g.e);
    CHECK_EQ(rig_files(&g), 0);
    CHECK_EQ(s3_get(g.c, "a/b c+~\xed\x95\x9c", &g.body, &g.e), RC_NOT_FOUND);
    CHECK(str_find(str_of(g.e.text), STR("NoSuchKey")) >= 0);
    rig_close(&g);
}
