/* safetensors_test.c - what is written comes back; what is hostile is refused by its reason. */
#include "base/test.h"
#include "engine/format/safetensors.c"
#include "engine/format/safetensors_write.c"

static const int64_t shape_a[] = {2, 3}, shape_b[] = {4}, shape_c[] = {0, 5};
static const struct safetensors_entry three[] = {
    {"w.b", 1, shape_b}, {"a", 2, shape_a}, {"empty", 2, shape_c}};

static void fill(void *ud, size_t i, float *ret)
{
    for (size_t k = 0; k < elements(&three[i]); k++)
        ret[k] = (float)(i * 100 + k) + 0.25f;
}

static char *path_in(const char *name)
{
    static char path[2][600];
    static int turn;
    turn ^= 1;
    snprintf(path[turn], sizeof path[turn], "%s/%s", test_dir(), name);
    return path[turn];
}

static void put_file(const char *path, str s)
{
    struct err e;
    CHECK_OK(os_write_file_durable(path, s, 0600, &e), &e);
}

static struct buf file_of(str header, size_t data)
{
    struct buf b;
    uint64_t len = header.n;
    buf_init(&b, 1 << 20);
    buf_add(&b, &len, 8);
    buf_str(&b, header);
    for (size_t i = 0; i < data; i++)
        buf_putc(&b, (char)i);
    return b;
}

TEST(a_file_comes_back_and_equal_content_gives_equal_bytes)
{
    static const struct safetensors_meta one[] = {{STR("z"), STR("1")},
                                                  {STR("b"), STR("\"q\" \n")}};
    static const struct safetensors_meta two[] = {{STR("b"), STR("\"q\" \n")},
                                                  {STR("z"), STR("1")}};
    struct safetensors_written w1, w2;
    struct safetensors *s;
    struct arena a;
    struct err e;
    float v[6];
    str raw;
    char hex[SHA256_HEX + 1];
    char *path = path_in("t");

    CHECK_OK(safetensors_write(path, one, 2, three, 3, true, fill, NULL, &w1, &e), &e);
    CHECK_OK(safetensors_write(path_in("u"), two, 2, three, 3, true, fill, NULL, &w2, &e), &e);
    CHECK_STR(str_of(w1.sha256), w2.sha256);
    arena_init(&a, 1 << 20);
    CHECK_OK(os_read_file(&a, path, 1 << 20, &raw, &e), &e);
    CHECK_EQ(raw.n, w1.bytes);
    sha256_hex(raw, hex);
    CHECK_STR(str_of(hex), w1.sha256);
    CHECK_EQ(raw.p[0] % 8, 0); /* the data start aligned */
    CHECK(str_starts(str_sub(raw, 8, raw.n), STR("{\"__metadata__\":{\"b\":")));
    CHECK_OK(safetensors_open(&s, path, &e), &e);
    CHECK_EQ(safetensors_count(s), 3);
    CHECK_STR(safetensors_at(s, 0)->name, "a");
    CHECK_STR(safetensors_meta(s, "b"), "\"q\" \n");
    CHECK(safetensors_meta(s, "c").p == NULL);
    CHECK_EQ(safetensors_find(s, STR("nothing")), -1);
    ptrdiff_t i = safetensors_find(s, STR("a"));
    CHECK(i >= 0 && safetensors_at(s, (size_t)i)->dims == 2);
    CHECK_OK(safetensors_read(s, (size_t)i, v, &e), &e);
    CHECK(v[0] == 100.25f && v[5] == 105.25f);
    safetensors_close(s);
    arena_done(&a);
}

TEST(a_name_twice_is_refused)
{
    static const struct safetensors_entry twice[] = {{"x", 1, shape_b}, {"x", 1, shape_b}};
    struct safetensors_written w;
    struct err e;
    CHECK_EQ(safetensors_write(path_in("t"), NULL, 0, twice, 2, true, fill, NULL, &w, &e),
             RC_INVALID);
    CHECK(strstr(e.text, "'x'"));
    CHECK(!os_exists(path_in("t")));
}

static ssize_t no_space(int fd, const void *p, size_t n)
{
    errno = ENOSPC;
    return -1;
}

TEST(a_full_disk_leaves_no_file)
{
    struct safetensors_written w;
    struct os_sys real = os_sys;
    struct err e;
    size_t before = mem_live_bytes();

    os_sys.write = no_space;
    CHECK_EQ(safetensors_write(path_in("t"), NULL, 0, three, 3, true, fill, NULL, &w, &e), RC_FULL);
    os_sys = real;
    CHECK(!os_exists(path_in("t")) && !os_exists(path_in("t.tmp")));
    CHECK_EQ(mem_live_bytes(), before);
}

TEST(halves_and_brain_floats_widen_exactly)
{
    static const char h[] = "{\"b\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[8,12]},"
                            "\"h\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[0,8]}}";
    static const uint16_t data[] = {0x3c00, 0xc100, 0x0001, 0xfc00, 0x3fc0, 0xc2f7};
    struct buf b = file_of(str_of(h), 0);
    struct safetensors *s;
    struct err e;
    float v[4];

    buf_add(&b, data, sizeof data);
    put_file(path_in("t"), buf_view(&b));
    CHECK_OK(safetensors_open(&s, path_in("t"), &e), &e);
    CHECK_OK(safetensors_read(s, 1, v, &e), &e);
    CHECK(v[0] == 1 && v[1] == -2.5f && v[2] == 0x1p-24f && v[3] == -__builtin_inff());
    CHECK_OK(safetensors_read(s, 0, v, &e), &e);
    CHECK(v[0] == 1.5f && v[1] == -123.5f);
    safetensors_close(s);
    buf_done(&b);
}

TEST(hostile_headers_are_refused_by_their_reason)
{
#define T(name, dtype, shape, from, to)                                                            \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" from "," to "]}"
    static const struct {
        const char *header, *part;
        enum rc rc;
    } bad[] = {
        {"", "header", RC_CORRUPT},
        {"[]", "not an object", RC_CORRUPT},
        {"{\"a\":1}", "object", RC_CORRUPT},
        {"{" T("a", "F32", "[4]", "0", "16") "," T("a", "F32", "[4]", "0", "16") "}", "a",
         RC_CORRUPT},
        {"{" T("a", "F32", "[4]", "0", "20") "}", "outside", RC_CORRUPT},
        {"{" T("a", "F32", "[4]", "-4", "12") "}", "outside", RC_CORRUPT},
        {"{" T("a", "F32", "[4]", "16", "0") "}", "outside", RC_CORRUPT},
        {"{" T("a", "F32", "[3]", "0", "16") "}", "does not fit", RC_CORRUPT},
        {"{" T("a", "F32", "[-4]", "0", "16") "}", "not possible", RC_CORRUPT},
        {"{" T("a", "F32", "[4.0]", "0", "16") "}", "not possible", RC_CORRUPT},
        {"{" T("a", "F32", "[4294967296,4294967296,4]", "0", "16") "}", "not possible", RC_CORRUPT},
        {"{" T("a", "F32", "[4611686018427387904]", "0", "0") "}", "does not fit", RC_CORRUPT},
        {"{" T("a", "F32", "[1,1,1,1,1,1,1,1,4]", "0", "16") "}", "at most 8", RC_CORRUPT},
        {"{" T("a", "Q7", "[4]", "0", "16") "}", "'Q7'", RC_UNSUPPORTED},
        {"{" T("a", "F32", "[2]", "0", "8") "}", "no tensor", RC_CORRUPT},
        {"{" T("a", "F32", "[3]", "4", "16") "}", "hole", RC_CORRUPT},
        {"{" T("a", "F32", "[3]", "0", "12") "," T("b", "F32", "[2]", "8", "16") "}", "overlaps",
         RC_CORRUPT},
        {"{\"__metadata__\":{\"a\":1}," T("a", "F32", "[4]", "0", "16") "}", "not text",
         RC_CORRUPT},
        {"{\"__metadata__\":[[[[[[]]]]]]}", "header", RC_CORRUPT},
    };
    struct safetensors *s = NULL;
    struct err e;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf b = file_of(str_of(bad[i].header), 16);
        put_file(path_in("t"), buf_view(&b));
        enum rc rc = safetensors_open(&s, path_in("t"), &e);
        if (rc != bad[i].rc || !strstr(e.text, bad[i].part) || s)
            test_fail(__FILE__, __LINE__, "%s gave %s '%s'", bad[i].header, rc_name(rc), e.text);
        buf_done(&b);
    }
    struct buf b = file_of(STR("{}"), 0);
    b.p[7] = 0x7f; /* a header of 9 exabytes */
    put_file(path_in("t"), buf_view(&b));
    CHECK_EQ(safetensors_open(&s, path_in("t"), &e), RC_CORRUPT);
    CHECK(strstr(e.text, "says it is"));
    buf_done(&b);
    put_file(path_in("t"), STR("1234567"));
    CHECK_EQ(safetensors_open(&s, path_in("t"), &e), RC_CORRUPT);
    CHECK_EQ(safetensors_open(&s, path_in("absent"), &e), RC_NOT_FOUND);
}

TEST(every_cut_of_a_file_is_refused)
{
    struct safetensors_written w;
    struct safetensors *s = NULL;
    struct arena a;
    struct err e;
    str raw;

    CHECK_OK(safetensors_write(path_in("t"), NULL, 0, three, 3, true, fill, NULL, &w, &e), &e);
    arena_init(&a, 1 << 20);
    CHECK_OK(os_read_file(&a, path_in("t"), 1 << 20, &raw, &e), &e);
    for (size_t n = 0; n < raw.n; n++) {
        put_file(path_in("cut"), str_sub(raw, 0, n));
        CHECK_EQ(safetensors_open(&s, path_in("cut"), &e), RC_CORRUPT);
    }
    arena_done(&a);
}

TEST(each_failing_allocation_is_reported)
{
    struct safetensors_written w;
    struct err e;

    for (long n = 0;; n++) {
        struct safetensors *s = NULL;
        size_t before = mem_live_bytes();
        mem_fail_at(n);
        enum rc rc = safetensors_write(path_in("t"), NULL, 0, three, 3, true, fill, NULL, &w, &e);
        if (!rc)
            rc = safetensors_open(&s, path_in("t"), &e);
        safetensors_close(s);
        bool fired = mem_fail_disarm();
        CHECK_EQ(mem_live_bytes(), before);
        if (!fired) {
            CHECK_OK(rc, &e);
            break;
        }
        CHECK_EQ(rc, RC_NOMEM);
    }
}

TEST(bytes_in_memory_read_as_the_file_does)
{
    struct safetensors_written w;
    struct safetensors *s;
    struct arena a;
    struct err e;
    float v[6];
    str raw;

    CHECK_OK(safetensors_write(path_in("m"), NULL, 0, three, 3, false, fill, NULL, &w, &e), &e);
    arena_init(&a, 1 << 20);
    CHECK_OK(os_read_file(&a, path_in("m"), 1 << 20, &raw, &e), &e);
    CHECK_OK(safetensors_view(&s, "memory", raw, &e), &e);
    CHECK_OK(safetensors_read(s, 0, v, &e), &e);
    CHECK(v[0] == 100.25f && v[5] == 105.25f);
    safetensors_close(s);
    for (size_t n = 0; n < raw.n; n++) /* cut anywhere: an error, never a read behind the end */
        CHECK_EQ(safetensors_view(&s, "memory", (str){raw.p, n}, &e), RC_CORRUPT);
    arena_done(&a);
}
