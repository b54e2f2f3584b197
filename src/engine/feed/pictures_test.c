/* pictures_test.c - the cache: when there is one, and one picture wanted by many threads at once.
 */
#include "base/test.h"
#include "engine/feed/pictures.c"

enum { SIDE = 40, TASKS = 24 };

static struct sample_ref ref;
static const struct frame frame = {
    .size = 16, .fit = FRAME_LETTERBOX, .work_side = 16, .std = {1, 1, 1}};

static const char *make_one(void)
{
    static char dir[600];
    char path[800];
    struct image im;
    struct buf b;
    struct err e;

    snprintf(dir, sizeof dir, "%s/blobs", test_dir());
    CHECK_OK(image_alloc(SIDE, SIDE, &im, &e), &e);
    for (int32_t k = 0; k < SIDE * SIDE * 3; k++)
        im.rgb[k] = (uint8_t)rand_at(1, (uint64_t)k, 0, 0);
    buf_init(&b, 1 << 20);
    CHECK_OK(image_encode_png(&im, &b, &e), &e);
    ref = (struct sample_ref){.width = SIDE, .height = SIDE, .name = STR("one")};
    sha256_hex(buf_view(&b), ref.sha256);
    snprintf(path, sizeof path, "%s/%.2s", dir, ref.sha256);
    CHECK_OK(os_mkdirs(path, 0700, &e), &e);
    snprintf(path, sizeof path, "%s/%.2s/%s", dir, ref.sha256, ref.sha256);
    CHECK_OK(os_write_file_durable(path, buf_view(&b), 0600, &e), &e);
    image_done(&im);
    buf_done(&b);
    return dir;
}

TEST(there_is_a_cache_where_all_pictures_fit)
{
    const size_t need = 3 * 16 * 16 + sizeof(struct image);
    static const struct {
        int over;
        bool cached;
    } budgets[] = {{-1, false}, {0, true}, {1, true}};
    const char *dir = make_one();
    struct pictures p;

    for (size_t i = 0; i < 3; i++) {
        size_t budget = (size_t)((ptrdiff_t)need + budgets[i].over);
        CHECK(pictures_init(&p, &ref, 1, dir, &frame, budget));
        CHECK_EQ(p.cache != NULL, budgets[i].cached);
        pictures_done(&p);
    }
    CHECK(pictures_init(&p, &ref, 1, dir, &frame, 0) && !p.cache);
    pictures_done(&p);
    pictures_done(&p); /* of zeroed memory */
}

struct opening {
    struct pictures *p;
    struct event *done;
    struct picture got;
    enum rc rc;
};

static void open_it(void *ud)
{
    struct opening *t = ud;
    struct arena file;
    struct err e;

    arena_init(&file, 1 << 20);
    t->rc = picture_open(t->p, &file, 0, &t->got, &e);
    arena_done(&file);
    event_set(t->done);
}

TEST(many_threads_that_want_one_picture_share_it)
{
    struct opening tasks[TASKS];
    struct pictures p;
    struct pool *pool;
    struct err e;

    CHECK(pictures_init(&p, &ref, 1, make_one(), &frame, 1 << 20));
    CHECK_OK(pool_new(&pool, "test", 4, TASKS, &e), &e);
    for (int i = 0; i < TASKS; i++) {
        tasks[i] = (struct opening){.p = &p, .done = event_new()};
        CHECK(tasks[i].done != NULL);
        CHECK_OK(pool_submit(pool, open_it, &tasks[i], &e), &e);
    }
    for (int i = 0; i < TASKS; i++) {
        (void)event_wait(tasks[i].done, -1);
        event_free(tasks[i].done);
        CHECK(tasks[i].rc == RC_OK && tasks[i].got.cached);
        CHECK(tasks[i].got.im.rgb == tasks[0].got.im.rgb); /* the very same pixels */
    }
    pool_free(pool);
    for (int i = 0; i < TASKS; i++)
        picture_close(&tasks[i].got); /* lent: nothing is freed */
    pictures_done(&p);
}

TEST(an_input_is_the_same_with_and_without_the_cache)
{
    const char *dir = make_one();
    float a[3 * 16 * 16], b[3 * 16 * 16];
    struct pictures p;
    struct arena file;
    struct err e;

    arena_init(&file, 1 << 20);
    for (int cached = 0; cached < 2; cached++) {
        CHECK(pictures_init(&p, &ref, 1, dir, &frame, cached ? 1 << 20 : 0));
        CHECK_OK(picture_input(&p, &file, 0, cached ? b : a, &e), &e);
        pictures_done(&p);
    }
    CHECK(memcmp(a, b, sizeof a) == 0);
    ref.height++; /* the manifest's word against the file's */
    CHECK(pictures_init(&p, &ref, 1, dir, &frame, 0));
    CHECK_EQ(picture_input(&p, &file, 0, a, &e), RC_CORRUPT);
    CHECK(strstr(e.text, "the picture 'one'") && strstr(e.text, "40x41"));
    pictures_done(&p);
    arena_done(&file);
}
