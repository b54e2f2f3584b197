/* predict_test.c - pictures through the pipe: answers in order, clear errors, warm models. */
#include "base/test.h"
#include "flow/worker/predict.c"

#include <fcntl.h>
#include <math.h>

static const str names[] = {STR("cat"), STR("dog"), STR("eel")};

/* Weights of a tiny net, random by seed; returns its path, the digest in hex. */
static const char *make_weights(int64_t seed, char hex[SHA256_HEX + 1])
{
    static char path[700];
    struct model_plan p = {.name = "tiny",
                           .classes = names,
                           .classes_n = 3,
                           .frame = {.size = 16, .work_side = 16, .std = {1, 1, 1}},
                           .seed = seed,
                           .batch_max = 1,
                           .threads = 1,
                           .backend = NET_PORTABLE};
    struct safetensors_written w;
    struct model *m;
    struct err e;

    snprintf(path, sizeof path, "%s/w%lld", test_dir(), (long long)seed);
    CHECK_OK(model_new(&m, &p, &e), &e);
    net_init_weights(m->net, (uint64_t)seed);
    CHECK_OK(model_save(m, 1, path, &w, &e), &e);
    memcpy(hex, w.sha256, sizeof w.sha256);
    model_free(m);
    return path;
}

static struct buf picture(uint64_t seed)
{
    struct image im;
    struct buf b;
    struct err e;
    CHECK_OK(image_alloc(20, 30, &im, &e), &e);
    for (uint64_t i = 0; i < 20 * 30 * 3; i++)
        im.rgb[i] = (uint8_t)rand_at(seed, i, 0, 0);
    buf_init(&b, 1 << 16);
    CHECK_OK(image_encode_png(&im, &b, &e), &e);
    image_done(&im);
    return b;
}

/* Appends a frame with these pictures. */
static void frame(struct buf *to, const char *path, const char *hex, int64_t k, const str *images,
                  size_t n)
{
    struct jw w;
    jw_init(&w, to);
    jw_obj(&w);
    jw_kcstr(&w, "weights", path);
    jw_kcstr(&w, "sha256", hex);
    jw_kint(&w, "top_k", k);
    jw_karr(&w, "images");
    for (size_t i = 0; i < n; i++) {
        char name[40];
        snprintf(name, sizeof name, "p%zu", i);
        jw_obj(&w);
        jw_kcstr(&w, "name", name);
        jw_kint(&w, "bytes", (int64_t)images[i].n);
        jw_obj_end(&w);
    }
    jw_arr_end(&w);
    jw_obj_end(&w);
    buf_putc(to, '\n');
    for (size_t i = 0; i < n; i++)
        buf_str(to, images[i]);
}

/* What comes out for this input; lines in the arena. */
static enum rc serve(const struct buf *in, struct arena *a, str *ret, struct err *e)
{
    char path[2][700];
    int fd[2];
    enum rc rc;

    snprintf(path[0], sizeof path[0], "%s/in", test_dir());
    snprintf(path[1], sizeof path[1], "%s/out", test_dir());
    CHECK_OK(os_write_file_durable(path[0], buf_view(in), 0600, e), e);
    CHECK_OK(os_open(path[0], O_RDONLY, 0, &fd[0], e), e);
    CHECK_OK(os_open(path[1], O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd[1], e), e);
    rc = predict_serve(fd[0], fd[1], e);
    os_close(fd[0]);
    os_close(fd[1]);
    struct err e2;
    CHECK_OK(os_read_file(a, path[1], 16 << 20, ret, &e2), &e2);
    return rc;
}

static struct predict_reply next_reply(str *rest, struct arena *a)
{
    struct predict_reply r = {0};
    struct err e;
    str line;
    CHECK(str_line(rest, &line) && line.n);
    CHECK_OK(field_read_text(predict_reply_fields, line, &r, a, &e), &e);
    return r;
}

TEST(pictures_are_answered_in_order_and_a_broken_one_alone_fails)
{
    enum { N = 11 }; /* more than a batch */
    char hex[SHA256_HEX + 1];
    const char *path = make_weights(5, hex);
    struct buf in, pics[N];
    struct arena a;
    struct err e;
    str images[N], out;

    arena_init(&a, 32 << 20);
    buf_init(&in, 16 << 20);
    for (size_t i = 0; i < N; i++) {
        pics[i] = picture(i);
        images[i] = buf_view(&pics[i]);
    }
    images[3] = STR("GIF89a");
    images[7] = str_sub(images[7], 0, images[7].n / 2);
    images[8] = STR("");
    frame(&in, path, hex, 2, images, N);
    frame(&in, path, hex, 50, images + 2, 1);
    CHECK_OK(serve(&in, &a, &out, &e), &e);
    struct predict_reply r = next_reply(&out, &a);
    CHECK_STR(r.model, "tiny");
    CHECK_EQ(r.results.n, N);
    const struct predict_result *p = r.results.p;
    for (size_t i = 0; i < N; i++) {
        char name[40];
        snprintf(name, sizeof name, "p%zu", i);
        CHECK_STR(p[i].file, name);
        bool broken = i == 3 || i == 7 || i == 8;
        CHECK_EQ(p[i].predictions.n, broken ? 0 : 2);
        CHECK_EQ(p[i].error.n > 0, broken);
    }
    CHECK(str_find(p[3].error, STR("not a JPEG")) >= 0);
    CHECK(str_find(p[7].error, STR("corrupt PNG")) >= 0);
    CHECK(str_find(p[8].error, STR("empty")) >= 0);
    r = next_reply(&out, &a); /* all three classes, the same answer as in the batch */
    const struct prediction *one = ((struct predict_result *)r.results.p)->predictions.p;
    const struct prediction *two = p[2].predictions.p;
    CHECK_EQ(((struct predict_result *)r.results.p)->predictions.n, 3);
    CHECK(fabs(one[0].confidence + one[1].confidence + one[2].confidence - 1) < 1e-9);
    CHECK(one[0].confidence >= one[1].confidence && one[1].confidence >= one[2].confidence);
    CHECK(str_eq(one[0].cls, two[0].cls) && one[0].class_id == two[0].class_id);
    CHECK(fabs(one[0].confidence - two[0].confidence) < 1e-6);
    CHECK(str_eq(one[0].cls, names[one[0].class_id]));
    for (size_t i = 0; i < N; i++)
        buf_done(&pics[i]);
    buf_done(&in);
    arena_done(&a);
}

TEST(weights_that_cannot_be_loaded_are_the_error_of_each_picture)
{
    char hex[SHA256_HEX + 1], other[SHA256_HEX + 1];
    const char *path = make_weights(5, hex);
    struct buf in, pic = picture(1);
    struct arena a;
    struct err e;
    str image = buf_view(&pic), out;

    memset(other, 'a', SHA256_HEX);
    other[SHA256_HEX] = 0;
    arena_init(&a, 32 << 20);
    buf_init(&in, 1 << 20);
    frame(&in, path, other, 1, &image, 1);
    frame(&in, "/nonexistent/weights", other, 1, &image, 1);
    frame(&in, path, hex, 1, &image, 1); /* and it goes on */
    CHECK_OK(serve(&in, &a, &out, &e), &e);
    struct predict_reply r = next_reply(&out, &a);
    CHECK(str_find(((struct predict_result *)r.results.p)->error, STR("damaged")) >= 0);
    r = next_reply(&out, &a);
    CHECK(((struct predict_result *)r.results.p)->error.n > 0);
    r = next_reply(&out, &a);
    CHECK_EQ(((struct predict_result *)r.results.p)->error.n, 0);
    buf_done(&in);
    buf_done(&pic);
    arena_done(&a);
}

TEST(the_least_recently_used_model_goes_first)
{
    struct server s = {0};
    char hex[PREDICT_MODELS_MAX + 1][SHA256_HEX + 1];
    struct model *m[PREDICT_MODELS_MAX + 1], *again;
    struct order o = {0};
    struct err e;

    arena_init(&s.arena, 1 << 20);
    for (int i = 0; i <= PREDICT_MODELS_MAX; i++) {
        o.weights = arena_str(&s.arena, str_of(make_weights(i, hex[i])));
        o.sha256 = str_of(hex[i]);
        s.frames++;
        CHECK_OK(warm_model(&s, &o, &m[i], &e), &e);
        CHECK_EQ(m[i]->seed, i);
        if (i == PREDICT_MODELS_MAX - 1) { /* the first is used again: the second is the oldest */
            o.sha256 = str_of(hex[0]);
            s.frames++;
            CHECK_OK(warm_model(&s, &o, &again, &e), &e);
            CHECK(again == m[0]);
        }
    }
    int kept = 0;
    for (int i = 0; i < PREDICT_MODELS_MAX; i++) {
        CHECK(strcmp(s.warm[i].sha256, hex[1]) != 0);
        kept += strcmp(s.warm[i].sha256, hex[0]) == 0;
    }
    CHECK_EQ(kept, 1);
    for (int i = 0; i < PREDICT_MODELS_MAX; i++)
        model_free(s.warm[i].model);
    arena_done(&s.arena);
}

TEST(a_frame_that_breaks_the_rules_ends_the_service)
{
#define DIGEST "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"nonsense\n", "first line"},
        {"{\"weights\":\"w\"}\n", "sha256"},
        {"{\"weights\":\"w\",\"sha256\":\"x\",\"images\":[]}\n", "sha256"},
        {"{\"weights\":\"w\",\"sha256\":\"" DIGEST "\",\"images\":[{\"bytes\":99999999}]}\n",
         "bytes"},
        {"{\"weights\":\"w\",\"sha256\":\"" DIGEST
         "\",\"images\":[{\"name\":\"a\",\"bytes\":9}]}\nshort",
         "'a'"},
        {"{\"weights\"", "inside a line"},
    };
    struct arena a;
    struct err e;
    str out;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf in;
        arena_init(&a, 1 << 20);
        buf_init(&in, 1 << 20);
        buf_puts(&in, bad[i].text);
        enum rc rc = serve(&in, &a, &out, &e);
        if (!rc || !strstr(e.text, bad[i].part))
            test_fail(__FILE__, __LINE__, "%s gave %s '%s'", bad[i].text, rc_name(rc), e.text);
        CHECK_EQ(out.n, 0);
        buf_done(&in);
        arena_done(&a);
    }
    struct buf in;
    arena_init(&a, 1 << 20);
    buf_init(&in, 8 << 20);
    for (int i = 0; i < PREDICT_LINE_BYTES_MAX + 100; i++)
        buf_putc(&in, ' ');
    CHECK_EQ(serve(&in, &a, &out, &e), RC_TOO_LARGE);
    buf_clear(&in);
    CHECK_OK(serve(&in, &a, &out, &e), &e); /* nothing at all is fine */
    buf_done(&in);
    arena_done(&a);
}

TEST(each_failing_allocation_is_an_error_and_nothing_leaks)
{
    char hex[SHA256_HEX + 1];
    const char *path = make_weights(5, hex);
    struct buf in, pic = picture(1);
    struct err e;
    str image = buf_view(&pic);

    buf_init(&in, 1 << 20);
    frame(&in, path, hex, 2, &image, 1);
    for (long n = 0;; n++) {
        struct arena a;
        size_t before = mem_live_bytes();
        str out;
        arena_init(&a, 1 << 20);
        int fd[2];
        char name[2][700];
        snprintf(name[0], sizeof name[0], "%s/in", test_dir());
        snprintf(name[1], sizeof name[1], "%s/out", test_dir());
        CHECK_OK(os_write_file_durable(name[0], buf_view(&in), 0600, &e), &e);
        CHECK_OK(os_open(name[0], O_RDONLY, 0, &fd[0], &e), &e);
        CHECK_OK(os_open(name[1], O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd[1], &e), &e);
        mem_fail_at(n);
        enum rc rc = predict_serve(fd[0], fd[1], &e);
        bool fired = mem_fail_disarm();
        os_close(fd[0]);
        os_close(fd[1]);
        CHECK_EQ(mem_live_bytes(), before);
        if (!rc) { /* an answer, or the reason why there is none */
            CHECK_OK(os_read_file(&a, name[1], 1 << 20, &out, &e), &e);
            struct predict_reply r = next_reply(&out, &a);
            struct predict_result *p = r.results.p;
            CHECK((p->error.n > 0) == fired && (p->predictions.n == 2) == !fired);
        }
        arena_done(&a);
        if (!fired)
            break;
    }
    buf_done(&in);
    buf_done(&pic);
}
