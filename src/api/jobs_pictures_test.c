/* jobs_pictures_test.c - pages of the results: filtered, hardest first, without a gap; and counts.
 * What is a mistake: mistakes_test.c. */
#include "api/jobs_pictures.c"
#include "base/test.h"

static const char head[] = "{\"task\":\"classification\",\"classes\":[\"a\",\"b\",\"c\"]}\n";

/* A page of `results` (without the head) as JSON in `a`: {"images":[..],..}. */
static enum rc page(struct arena *a, str results, struct images_query q, const struct json **ret,
                    struct err *e)
{
    struct images_out o;
    struct lines l = {.line = take_image, .ud = &o};
    struct buf out;
    struct jw w;

    buf_init(&l.rest, 1 << 16);
    buf_init(&out, 1 << 20);
    jw_init(&w, &out);
    jw_obj(&w);
    jw_karr(&w, "images");
    enum rc rc = images_begin(&o, &q, &w, e);
    if (!rc)
        rc = take_lines(&l, head, strlen(head), e);
    if (!rc)
        rc = take_lines(&l, results.p, results.n, e);
    if (!rc || rc == RC_GONE)
        rc = write_rank(&o, e);
    jw_arr_end(&w);
    write_place(&o, &w);
    jw_obj_end(&w);
    images_end(&o);
    if (!rc)
        rc = json_parse(a, arena_str(a, buf_view(&out)), NULL, ret, e);
    buf_done(&l.rest);
    buf_done(&out);
    return rc;
}

static struct images_query all_of(int order, int64_t limit)
{
    return (struct images_query){
        .label = -1, .predicted = -1, .cls = -1, .threshold = -1, .order = order, .limit = limit};
}

static int64_t index_of(const struct json *images, int at)
{
    JSON_EACH(one, images) {
        if (at-- == 0)
            return json_int(one, "index", -1);
    }
    return -1;
}

static uint32_t below(uint32_t *r, uint32_t n)
{
    *r = *r * 1664525 + 1013904223;
    return (*r >> 16) % n;
}

TEST(the_hardest_of_all_come_first_by_page_and_each_comes_once)
{
    enum { N = 257, PAGE = 10 };
    uint32_t r = 7;
    struct buf lines;
    struct arena a;
    struct err e = {0};
    bool seen[N + 1] = {0};
    double last = 3;
    int64_t n = 0, pages = 0;
    char after[64] = "";

    buf_init(&lines, 1 << 20);
    arena_init(&a, 8 << 20);
    for (int i = 0; i < N; i++) /* few confidences, so that many are as hard */
        buf_printf(&lines, "{\"name\":\"%d\",\"label\":%u,\"predicted\":%u,\"confidence\":0.%u}\n",
                   i, below(&r, 3), below(&r, 3), 3 + below(&r, 5));
    for (bool more = true; more; pages++) {
        struct images_query q = all_of(ORDER_HARDEST, PAGE);
        const struct json *v = NULL, *images;
        q.after = str_of(after);
        CHECK_OK(page(&a, buf_view(&lines), q, &v, &e), &e);
        CHECK_EQ(json_int(v, "total", 0), N);
        images = json_get(v, "images");
        JSON_EACH(one, images) {
            int64_t index = json_int(one, "index", -1);
            double score = json_num(one, "score", -1);
            CHECK(index >= 1 && index <= N && !seen[index] && score <= last);
            seen[index] = true;
            last = score;
            n++;
        }
        str next = json_str(v, "next", STR(""));
        more = next.n > 0;
        snprintf(after, sizeof after, "%.*s", STR_F(next));
    }
    CHECK_EQ(n, N);
    CHECK_EQ(pages, (N + PAGE - 1) / PAGE);
    arena_done(&a);
    buf_done(&lines);
}

TEST(their_own_order_stops_when_a_page_is_full)
{
    str lines = STR("{\"name\":\"x\",\"label\":0,\"predicted\":0}\n\n"
                    "{\"name\":\"y\",\"label\":0,\"predicted\":1}\n"
                    "{\"name\":\"z\",\"label\":1,\"predicted\":1}\n");
    struct images_query q = all_of(ORDER_INDEX, 2);
    struct arena a;
    const struct json *v = NULL;
    struct err e = {0};

    arena_init(&a, 1 << 20);
    CHECK_OK(page(&a, lines, q, &v, &e), &e);
    CHECK_EQ(index_of(json_get(v, "images"), 1), 3);
    CHECK_EQ(json_int(v, "next", -1), 3);
    q.after = STR("3");
    CHECK_OK(page(&a, lines, q, &v, &e), &e);
    CHECK_EQ(json_get(v, "images")->list.count, 1);
    CHECK(json_get(v, "next")->type == JSON_NULL);
    arena_done(&a);
}

TEST(a_place_of_another_order_is_refused)
{
    static const char *const bad[] = {"x", "-1", "1,2", "1,", ",1", "9999999999999999999"};
    static const char *const bad_hardest[] = {"7", "1,0", "1,x", "x,1", "1,-2", ","};
    struct images_query q = all_of(ORDER_INDEX, 2);
    struct arena a;
    const struct json *v;
    struct err e = {0};

    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        q.after = str_of(bad[i]);
        CHECK(page(&a, STR(""), q, &v, &e) == RC_INVALID);
    }
    q.order = ORDER_HARDEST;
    for (size_t i = 0; i < sizeof bad_hardest / sizeof *bad_hardest; i++) {
        q.after = str_of(bad_hardest[i]);
        CHECK(page(&a, STR(""), q, &v, &e) == RC_INVALID);
    }
    q.after = STR("0");
    CHECK_OK(page(&a, STR(""), q, &v, &e), &e);
    arena_done(&a);
}

TEST(a_broken_line_is_named)
{
    struct arena a;
    const struct json *v;
    struct err e = {0};

    arena_init(&a, 1 << 20);
    CHECK(page(&a, STR("{}\n{\"name\":}\n"), all_of(ORDER_HARDEST, 5), &v, &e) == RC_UPSTREAM);
    CHECK(str_find(str_of(e.text), STR("line 3")) >= 0);
    arena_done(&a);
}

TEST(large_lines_make_a_page_shorter_and_lose_none)
{
    enum { BIG = 12 << 20 };
    struct rank r = {0};
    struct err e = {0};
    char *text = mem_zalloc(BIG);

    CHECK(text != NULL);
    CHECK_OK(rank_init(&r, 5, &e), &e);
    for (int64_t i = 1; i <= 4; i++)
        CHECK_OK(rank_add(&r, i == 4 ? 9 : 5, i, (str){text, BIG}, &e), &e);
    /* 4 is harder than all; what was dropped for it, and what is as hard, is on the next page */
    CHECK_EQ(r.n, 2);
    CHECK_EQ(r.p[0].index, 4);
    CHECK_EQ(r.p[1].index, 1);
    CHECK_OK(rank_add(&r, 5, 5, STR("small"), &e), &e);
    CHECK_EQ(r.n, 2);
    CHECK(r.more);
    rank_done(&r);
    mem_free(text);
}

TEST(no_memory_for_a_line_is_told)
{
    struct rank r = {0};
    struct err e = {0};

    mem_fail_at(0);
    CHECK(rank_init(&r, 5, &e) == RC_NOMEM);
    CHECK_OK(rank_init(&r, 5, &e), &e);
    mem_fail_at(0);
    CHECK(rank_add(&r, 1, 1, STR("x"), &e) == RC_NOMEM);
    CHECK_EQ(r.n, 0);
    rank_done(&r);
}

TEST(a_threshold_counts_all_lines_and_is_none_of_pixels)
{
    const char *text = "{\"task\":\"classification\",\"classes\":[\"a\"]}\n"
                       "{\"label\":0,\"predicted\":0,\"confidence\":0.5}\n\n"
                       "{\"label\":0,\"predicted\":1,\"confidence\":0.25}\n";
    const char *pixels = "{\"task\":\"semantic\",\"classes\":[\"a\"]}\n{\"miou\":0.5}\n";
    struct counts_out o = {0};
    struct lines l = {.line = take_count, .ud = &o};
    struct err e = {0};

    arena_init(&o.a, 1 << 20);
    buf_init(&l.rest, 1 << 16);
    CHECK_OK(take_lines(&l, text, strlen(text), &e), &e);
    result_counts_end(&o.counts);
    CHECK_EQ(o.counts.images, 2);
    CHECK_EQ(o.counts.hits[50], 1);
    CHECK_EQ(o.counts.hits[51], 0);
    CHECK_EQ(o.counts.wrong[25], 1);
    l.number = 0;
    CHECK(take_lines(&l, pixels, strlen(pixels), &e) == RC_NOT_FOUND);
    buf_done(&l.rest);
    arena_done(&o.a);
}
