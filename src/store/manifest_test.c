/* manifest_test.c - a manifest proves itself, and leads nowhere but into its folder. */
#include "store/manifest.c"

#include "base/test.h"

static int seen;

static enum rc count(void *ud, const struct manifest_file *f, struct err *e)
{
    seen++;
    return RC_OK;
}

static void begin(struct buf *b)
{
    uint8_t sha[SHA256_BYTES] = {1, 2, 3};

    buf_init(b, MANIFEST_BYTES_MAX);
    manifest_begin(b, 1234);
    manifest_add(b, sha, 4096, "store.db");
    manifest_add(b, sha, 7, "segments/0000000a.seg");
    manifest_add(b, sha, 0, "objects/ff/00000100000000ff");
}

TEST(a_manifest_is_read_back_and_every_changed_byte_is_seen)
{
    struct err e = {0};
    int64_t taken = 0;
    struct buf b;

    begin(&b);
    manifest_end(&b);
    seen = 0;
    CHECK_OK(manifest_read(buf_view(&b), &taken, count, NULL, &e), &e);
    CHECK_EQ(seen, 3);
    CHECK_EQ(taken, 1234);
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] ^= 1;
        CHECK_EQ(manifest_read(buf_view(&b), &taken, count, NULL, &e), RC_CORRUPT);
        b.p[i] ^= 1;
        CHECK_EQ(manifest_read((str){b.p, i}, &taken, count, NULL, &e), RC_CORRUPT);
    }
    buf_done(&b);
}

TEST(only_names_of_a_store_are_taken)
{
    static const char *const bad[] = {"../store.db",
                                      "/etc/passwd",
                                      "segments/../../x.seg",
                                      "segments/0000000a",
                                      "segments/.seg",
                                      "objects/ff/00000100000000f",
                                      "objects/f/f/0000010000000ff",
                                      ""};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t sha[SHA256_BYTES] = {0};
        struct err e = {0};
        int64_t taken;
        struct buf b;
        begin(&b);
        manifest_add(&b, sha, 1, bad[i]);
        manifest_end(&b);
        CHECK_EQ(manifest_read(buf_view(&b), &taken, count, NULL, &e), RC_CORRUPT);
        CHECK(str_find(str_of(e.text), STR("MANIFEST:6:")) >= 0);
        buf_done(&b);
    }
}
