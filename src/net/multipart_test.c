/* Bodies split at every byte, broken ones, and ones past each limit. */
#include "net/multipart.c"
#include "base/mem.h"
#include "base/test.h"

/* Gives `text` in pieces of `step` bytes. */
struct feed {
    str text;
    size_t step;
    enum rc fail_at_end;
};

static enum rc feed(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    struct feed *f = ud;
    size_t n = f->step < cap ? f->step : cap;

    n = n < f->text.n ? n : f->text.n;
    if (!n && f->fail_at_end)
        return err_set(e, f->fail_at_end, "the peer has gone");
    memcpy(p, f->text.p, n);
    f->text = str_sub(f->text, n, f->text.n);
    *ret_n = n;
    return RC_OK;
}

/* The whole parse as text: "name|filename|type=data;" or the code at which it stopped. */
static enum rc render(str body, const char *boundary, size_t step, size_t read_cap, struct buf *out,
                      struct err *e)
{
    struct feed f = {body, step, RC_OK};
    struct arena a;
    struct multipart *m = NULL;
    char piece[512];
    bool any = true;
    enum rc rc;

    arena_init(&a, 1 << 20);
    rc = multipart_new(&m, &a, str_of(boundary), feed, &f, e);
    while (!rc && any) {
        str name, filename, type;
        size_t n = 1;
        rc = multipart_next(m, &any, &name, &filename, &type, e);
        if (rc || !any)
            break;
        buf_printf(out, "%.*s|%.*s|%.*s=", STR_F(name), filename.p ? (int)filename.n : 1,
                   filename.p ? filename.p : "-", STR_F(type));
        while (!rc && n) {
            rc = multipart_read(m, piece, read_cap, &n, e);
            if (!rc)
                buf_add(out, piece, n);
        }
        buf_putc(out, ';');
    }
    arena_done(&a);
    return rc;
}

#define CD "Content-Disposition: form-data; name=\"a\""

TEST(parts_come_out_the_same_however_the_bytes_are_split)
{
    static const char body[] =
        "preamble\r\n--b!\r\n" CD "\r\n\r\none\r\n--b!  \r\n"
        "content-disposition: form-data; filename=\"pic \\\"1\\\".png\"; name=f\r\n"
        "Content-Type: image/png\r\nX-Other: y\r\n\r\n"
        "\r\n--b\r\n--b?\r\r\n--\r\n-\r\n--b!\r\n"
        CD "; filename=\"x\"; filename*=UTF-8''%ED%95%9C.png\r\n\r\n\r\n--b!\r\n"
        CD "\r\n\r\n--b!\r\n"
        CD "; filename=\"\"\r\n\r\n!\r\n--b!--\r\nepilogue";
    static const char want[] = "a|-|text/plain=one;"
                               "f|pic \"1\".png|image/png=\r\n--b\r\n--b?\r\r\n--\r\n-;"
                               "a|한.png|text/plain=;a|-|text/plain=;a||text/plain=!;";
    for (size_t step = 1; step < sizeof body; step++)
        for (size_t cap = 1; cap < 600; cap = cap * 5 + 1) {
            struct err e = {0};
            struct buf out;
            buf_init(&out, 10000);
            str all = {body, sizeof body - 1};
            CHECK_OK(render(all, "b!", step, cap < 512 ? cap : 512, &out, &e), &e);
            CHECK_STR(buf_view(&out), want);
            buf_done(&out);
        }
}

TEST(what_is_not_form_data_is_refused_and_stays_refused)
{
    struct {
        enum rc rc;
        const char *body;
    } cases[] = {
        {RC_INVALID, ""},
        {RC_INVALID, "--other\r\n"},
        {RC_INVALID, "--b"},
        {RC_INVALID, "--b\r\n"},
        {RC_INVALID, "--b\r\n" CD},
        {RC_INVALID, "--b\r\n" CD "\r\n\r\n"},
        {RC_INVALID, "--b\r\n" CD "\r\n\r\nx\r\n--b"},
        {RC_INVALID, "--b\r\n" CD "\r\n\r\nx\r\n--bb\r\n"},
        {RC_INVALID, "--b x\r\n" CD "\r\n\r\nx\r\n--b--"},
        {RC_INVALID, "--b\r\nno colon\r\n\r\nx\r\n--b--"},
        {RC_INVALID, "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--"},
        {RC_INVALID, "--b\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--b--"},
        {RC_INVALID, "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--"},
        {RC_INVALID, "--b\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx\r\n--b--"},
        {RC_INVALID, "--b\r\n" CD "; filename=\"\xff\"\r\n\r\nx\r\n--b--"},
        {RC_INVALID, "--b\r\n" CD "; filename*=latin1''x\r\n\r\nx\r\n--b--"},
        {RC_INVALID, "--b\r\n" CD "; filename*=UTF-8''%4\r\n\r\nx\r\n--b--"},
        {RC_INVALID, "--b\r\n" CD "\r\n" CD "\r\n\r\nx\r\n--b--"},
        {RC_INVALID, "--b\r\n" CD "\r\n folded\r\n\r\nx\r\n--b--"},
        {RC_UNSUPPORTED,
         "--b\r\n" CD "\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n--b--"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        struct buf out;
        buf_init(&out, 10000);
        enum rc rc = render(str_of(cases[i].body), "b", 1000, 500, &out, &e);
        if (rc != cases[i].rc)
            test_fail(__FILE__, __LINE__, "%s (%s): %s", rc_name(rc), e.text, cases[i].body);
        buf_done(&out);
    }
}

TEST(limits_hold_without_reading_on)
{
    struct err e = {0};
    struct buf in, out;

    buf_init(&in, 4 << 20);
    buf_init(&out, 4 << 20);
    buf_puts(&in, "--b\r\nX: ");
    for (int i = 0; i < 9000; i++)
        buf_putc(&in, 'x');
    CHECK_EQ(render(buf_view(&in), "b", 3, 500, &out, &e), RC_HEADERS);
    buf_clear(&in);
    buf_puts(&in, "--b\r\n");
    for (int i = 0; i < 3000; i++)
        buf_puts(&in, "X: y\r\n");
    CHECK_EQ(render(buf_view(&in), "b", 100, 500, &out, &e), RC_HEADERS);
    buf_clear(&in);
    for (int i = 0; i < 9000; i++)
        buf_putc(&in, 'p');
    CHECK_EQ(render(buf_view(&in), "b", 1000, 500, &out, &e), RC_INVALID);
    buf_clear(&in);
    buf_puts(&in, "--b\r\n" CD "; filename=\"");
    for (int i = 0; i < 2000; i++)
        buf_putc(&in, 'f');
    buf_puts(&in, "\"\r\n\r\nx\r\n--b--");
    CHECK_EQ(render(buf_view(&in), "b", 1000, 500, &out, &e), RC_HEADERS);
    buf_clear(&in);
    for (int i = 0; i <= MULTIPART_PARTS_MAX; i++)
        buf_puts(&in, "\r\n--b\r\n" CD "\r\n\r\n");
    buf_puts(&in, "\r\n--b--");
    CHECK_EQ(render(buf_view(&in), "b", 1000, 500, &out, &e), RC_LIMIT);
    CHECK_EQ(render(STR("x"), "", 1, 1, &out, &e), RC_INVALID);
    buf_done(&in);
    buf_done(&out);
}

TEST(a_source_that_fails_is_passed_on_and_memory_stays)
{
    struct err e = {0};
    struct arena a;
    struct multipart *m = NULL;
    static char megabytes[3 << 20];
    struct feed f = {STR("--b\r\n" CD "\r\n\r\n"), 7, RC_OK};
    str name, filename, type;
    char piece[5000];
    size_t n = 1, total = 0;
    bool any;

    arena_init(&a, 1 << 20);
    CHECK_OK(multipart_new(&m, &a, STR("b"), feed, &f, &e), &e);
    CHECK_OK(multipart_next(m, &any, &name, &filename, &type, &e), &e);
    memset(megabytes, '\r', sizeof megabytes);
    f = (struct feed){{megabytes, sizeof megabytes}, 70000, RC_CANCELLED};
    size_t before = mem_live_bytes();
    enum rc rc;
    while (!(rc = multipart_read(m, piece, sizeof piece, &n, &e)))
        total += n;
    CHECK_EQ(rc, RC_CANCELLED);
    CHECK(total > sizeof megabytes - 10);
    CHECK_EQ(mem_live_bytes(), before);
    CHECK_EQ(multipart_read(m, piece, sizeof piece, &n, &e), RC_CANCELLED);
    CHECK_EQ(multipart_next(m, &any, &name, &filename, &type, &e), RC_CANCELLED);
    arena_done(&a);
}
