/* rle_test.c - masks against COCO's own tools (golden cases), edges, hostile text, full memory. */
#include "base/test.h"
#include "engine/measure/rle.c"
#include "engine/measure/test_case.h"
#include "os/os.h"
#include <string.h>

static struct rle bitmap(const char *rows, uint32_t h, uint32_t w)
{
    uint8_t px[256];
    struct rle m;
    struct err e;

    for (uint32_t i = 0; i < h * w; i++)
        px[i] = rows[i] == '#';
    CHECK_OK(rle_from_bitmap(px, w, h, w, &m, &e), &e);
    return m;
}

static void check_text(const struct rle *m, str want)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    rle_to_text(m, &b);
    CHECK(!b.rc && str_eq(buf_view(&b), want));
    buf_done(&b);
}

TEST(golden_masks_are_those_of_cocos_tools)
{
    struct arena a;
    struct err e;
    str text, line;
    size_t cases = 0, n;

    arena_init(&a, 64 << 20);
    CHECK_OK(os_read_file(&a, "tests/golden/measure/rle.jsonl", 1 << 20, &text, &e), &e);
    for (; str_line(&text, &line); cases++) {
        const struct json *j, *rows;
        struct rle m[8], u;
        const struct rle *p[8];
        CHECK_OK(json_parse(&a, line, NULL, &j, &e), &e);
        uint32_t h = (uint32_t)json_int(j, "h", 0), w = (uint32_t)json_int(j, "w", 0);
        const struct json *want = json_get(j, "want"), *got;
        rows = json_get(want, "masks")->list.first;
        n = 0;
        JSON_EACH(v, json_get(j, "masks")) {
            double box[4];
            CHECK(n < 8);
            read_mask(v, h, w, &m[n]);
            p[n] = &m[n];
            got = rows->list.first;
            check_text(&m[n], got->s);
            got = got->next;
            CHECK_EQ(rle_area(&m[n]), got->i);
            rle_box(&m[n], box);
            for (int i = 0; i < 4; i++)
                CHECK(box[i] == number(got = got->next));
            double iou = rle_iou(&m[0], &m[n], json_bool(j, "crowd", false));
            CHECK(fabs(iou - number(got->next)) < 1e-12);
            rows = rows->next;
            n++;
        }
        for (int both = 0; both < 2; both++) {
            CHECK_OK(rle_merge(p, n, both, &u, &e), &e);
            check_text(&u, json_str(want, both ? "intersection" : "union", STR("?")));
            rle_done(&u);
        }
        while (n)
            rle_done(&m[--n]);
    }
    CHECK_EQ(cases, 50);
    arena_done(&a);
}

TEST(forms_go_round)
{
    uint8_t px[5 * 7], back[5 * 9];
    struct err e;

    for (int turn = 0; turn < 300; turn++) {
        struct rle m, t, r;
        struct buf b;
        for (int i = 0; i < 35; i++)
            px[i] = (uint8_t)((unsigned)(turn * 2654435761u + i * 40503u * (unsigned)turn) >> 13 &
                              (turn % 3 ? 1 : 7)) != 0;
        CHECK_OK(rle_from_bitmap(px, 7, 5, 7, &m, &e), &e);
        buf_init(&b, 1000);
        rle_to_text(&m, &b);
        CHECK_OK(rle_from_text(buf_view(&b), 5, 7, &t, &e), &e);
        CHECK_OK(rle_from_runs(m.runs, m.n, 5, 7, &r, &e), &e);
        CHECK(t.n == m.n && !memcmp(t.runs, m.runs, m.n * sizeof *m.runs));
        CHECK(r.n == m.n && !memcmp(r.runs, m.runs, m.n * sizeof *m.runs));
        memset(back, 9, sizeof back);
        rle_to_bitmap(&m, back, 9);
        for (int y = 0; y < 5; y++) {
            CHECK(!memcmp(back + y * 9, px + y * 7, 7));
            CHECK(back[y * 9 + 7] == 9 && back[y * 9 + 8] == 9);
        }
        buf_done(&b);
        rle_done(&m);
        rle_done(&t);
        rle_done(&r);
    }
}

TEST(columns_come_first_and_a_full_mask_starts_with_an_empty_run)
{
    struct rle m = bitmap("#.."
                          "#.#",
                          2, 3);
    const uint32_t want[] = {0, 2, 3, 1};

    CHECK_EQ(m.n, 4);
    CHECK(!memcmp(m.runs, want, sizeof want));
    rle_done(&m);
    m = bitmap("##"
               "##",
               2, 2);
    CHECK(m.n == 2 && m.runs[0] == 0 && m.runs[1] == 4);
    rle_done(&m);
}

TEST(empty_runs_are_dropped)
{
    const uint32_t runs[] = {2, 0, 3, 1, 0, 2, 1, 0};
    const uint32_t want[] = {5, 3, 1};
    struct rle m;
    struct err e;

    CHECK_OK(rle_from_runs(runs, 8, 3, 3, &m, &e), &e);
    CHECK(m.n == 3 && !memcmp(m.runs, want, sizeof want));
    rle_done(&m);
}

TEST(text_that_is_not_a_mask_is_refused)
{
    static const struct {
        const char *text, *why;
        uint32_t h, w;
    } bad[] = {
        {"", "add up to 0", 2, 2},          {"4", "", 2, 2},
        {"5", "does not fit", 2, 2},        {"3", "add up to 3", 2, 2},
        {"~", "character 1", 2, 2},         {"2/", "character 2", 2, 2},
        {"4T", "character 2", 2, 2},        {"O", "does not fit", 2, 2},
        {"oooooooo0", "character 1", 2, 2}, {"1111O", "does not fit", 2, 2},
        {"4", "each side", 0, 4},           {"4", "each side", 1 << 20, 1 << 20},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct rle m = {7, 7, NULL, 7};
        struct err e = {0};
        enum rc rc = rle_from_text(str_of(bad[i].text), bad[i].h, bad[i].w, &m, &e);
        if (!*bad[i].why) {
            CHECK_OK(rc, &e);
            rle_done(&m);
            continue;
        }
        CHECK_EQ(rc, RC_INVALID);
        CHECK(strstr(e.text, bad[i].why));
        CHECK(m.n == 7);
    }
}

TEST(runs_that_do_not_fill_the_picture_are_refused)
{
    struct rle m;
    struct err e;

    CHECK_EQ(rle_from_runs((uint32_t[]){3}, 1, 2, 2, &m, &e), RC_INVALID);
    CHECK_EQ(rle_from_runs((uint32_t[]){3, 2}, 2, 2, 2, &m, &e), RC_INVALID);
    CHECK_EQ(rle_from_runs((uint32_t[]){UINT32_MAX, UINT32_MAX, 6}, 3, 2, 2, &m, &e), RC_INVALID);
    CHECK_EQ(rle_from_runs(NULL, 0, 2, 2, &m, &e), RC_INVALID);
}

TEST(polygons_that_cannot_be_drawn_are_refused)
{
    double xy[] = {0, 0, 4, 0, 4, 4, 0, 4};
    struct rle m;
    struct err e;
    struct rle_polygon p = {xy, 4};

    CHECK_EQ(rle_from_polygons(&p, 0, 8, 8, &m, &e), RC_INVALID);
    p.points = 2;
    CHECK_EQ(rle_from_polygons(&p, 1, 8, 8, &m, &e), RC_INVALID);
    p.points = 4;
    CHECK_EQ(rle_from_polygons(&p, 1, 0, 8, &m, &e), RC_INVALID);
    xy[3] = NAN;
    CHECK_EQ(rle_from_polygons(&p, 1, 8, 8, &m, &e), RC_INVALID);
    xy[3] = -INFINITY;
    CHECK_EQ(rle_from_polygons(&p, 1, 8, 8, &m, &e), RC_INVALID);
    xy[3] = RLE_COORD_MAX + 1.;
    CHECK_EQ(rle_from_polygons(&p, 1, 8, 8, &m, &e), RC_INVALID);
}

TEST(an_outline_that_takes_too_long_is_refused)
{
    enum { POINTS = 60 };
    double xy[2 * POINTS];
    struct rle m;
    struct err e;

    for (int i = 0; i < 2 * POINTS; i++)
        xy[i] = i / 2 % 2 ? RLE_COORD_MAX : -RLE_COORD_MAX;
    CHECK_EQ(rle_from_polygons(&(struct rle_polygon){xy, POINTS}, 1, 8, 8, &m, &e), RC_TOO_LARGE);
    CHECK(strstr(e.text, "pixels long"));
}

TEST(a_square_covers_its_pixels_and_one_outside_covers_none)
{
    double in[] = {2, 1, 6, 1, 6, 4, 2, 4}, out[] = {20, 20, 30, 20, 30, 30};
    struct rle m;
    struct err e;
    double box[4];

    CHECK_OK(rle_from_polygons(&(struct rle_polygon){in, 4}, 1, 8, 9, &m, &e), &e);
    rle_box(&m, box);
    CHECK_EQ(rle_area(&m), 12);
    CHECK(box[0] == 2 && box[1] == 1 && box[2] == 4 && box[3] == 3);
    rle_done(&m);
    CHECK_OK(rle_from_polygons(&(struct rle_polygon){out, 3}, 1, 8, 9, &m, &e), &e);
    rle_box(&m, box);
    CHECK_EQ(rle_area(&m), 0);
    CHECK(box[2] == 0 && box[3] == 0);
    rle_done(&m);
}

TEST(masks_of_different_sizes_neither_merge_nor_overlap)
{
    struct rle a = bitmap("####", 2, 2), b = bitmap("######", 2, 3), m;
    struct err e;

    CHECK_EQ(rle_merge((const struct rle *[]){&a, &b}, 2, false, &m, &e), RC_INVALID);
    CHECK_EQ(rle_merge(NULL, 0, false, &m, &e), RC_INVALID);
    CHECK(rle_iou(&a, &b, false) == 0);
    rle_done(&a);
    rle_done(&b);
}

TEST(a_crowd_divides_by_the_detection)
{
    struct rle d = bitmap("#..."
                          "#...",
                          2, 4),
               t = bitmap("###."
                          "....",
                          2, 4);
    double a[] = {0, 0, 1, 2}, b[] = {0, 0, 3, 1};

    CHECK(rle_iou(&d, &t, true) == .5 && rle_iou(&d, &t, false) == .25);
    CHECK(rle_box_iou(a, b, true) == .5 && rle_box_iou(a, b, false) == .25);
    rle_done(&d);
    rle_done(&t);
}

TEST(boxes_without_area_or_number_overlap_nothing)
{
    const double ok[] = {0, 0, 10, 10};
    const double bad[][4] = {{5, 5, 0, 5},          {5, 5, -1, 5},   {NAN, 0, 10, 10},
                             {0, 0, INFINITY, 10},  {0, 0, 10, NAN}, {-INFINITY, 0, 10, 10},
                             {0, 0, 1e-200, 1e-200}};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (int crowd = 0; crowd < 2; crowd++) {
            CHECK(rle_box_iou(bad[i], ok, crowd) == 0);
            CHECK(rle_box_iou(ok, bad[i], crowd) == 0);
            CHECK(rle_box_iou(bad[i], bad[i], crowd) == 0);
        }
    CHECK(rle_box_iou(ok, ok, false) == 1);
}

TEST(each_allocation_may_fail)
{
    double xy[] = {0, 0, 7, 1, 4, 7, 1, 3, 5, 2}, in[] = {2, 1, 6, 1, 6, 4};
    struct rle_polygon parts[] = {{xy, 5}, {in, 3}};
    struct err e;
    size_t live = mem_live_bytes();

    for (long n = 0;; n++) {
        struct rle m = {0};
        CHECK(n < 100);
        mem_fail_at(n);
        enum rc rc = rle_from_polygons(parts, 2, 8, 8, &m, &e);
        bool fired = mem_fail_disarm();
        CHECK(!rc || (fired && rc == RC_NOMEM && !m.runs));
        rle_done(&m);
        CHECK_EQ(mem_live_bytes(), live);
        if (!fired)
            break;
    }
}
