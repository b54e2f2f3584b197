/* found_test.c - masks read off the input onto a grid over the picture. */
#include "flow/worker/found.c"

#include "base/test.h"

static struct err e;

/* The grid's cells as text, row by row. */
static void expect(const struct found_grid *g, const char *want)
{
    uint8_t px[256];
    char have[300];
    struct rle m = {0};
    size_t n = 0;

    CHECK_OK(found_mask(g, &m, &e), &e);
    CHECK(m.w == g->w && m.h == g->h && (size_t)m.w * m.h <= sizeof px);
    rle_to_bitmap(&m, px, m.w);
    for (uint32_t y = 0; y < m.h; y++) {
        for (uint32_t x = 0; x < m.w; x++)
            have[n++] = px[y * m.w + x] ? '#' : '.';
        have[n++] = ' ';
    }
    have[n - 1] = 0;
    rle_done(&m);
    if (strcmp(have, want) != 0)
        test_fail(__FILE__, __LINE__, "'%s', not '%s'", have, want);
}

static const uint8_t input[16] = {1, 0, 0, 0, /* 4 x 4 */
                                  1, 1, 0, 2, /* */
                                  0, 1, 1, 2, /* */
                                  0, 0, 0, 2};

static struct found_grid grid_of(const struct frame_map *map, uint32_t w, uint32_t h)
{
    return (struct found_grid){
        .px = input, .size = 4, .value = 1, .map = map, .w = w, .h = h, .x1 = w, .y1 = h};
}

TEST(a_grid_as_large_as_the_input_is_the_input)
{
    struct frame_map map = {1, 1, 0, 0, 4, 4};
    struct found_grid g = grid_of(&map, 4, 4);

    expect(&g, "#... ##.. .##. ....");
    g.value = 2;
    expect(&g, ".... ...# ...# ...#");
    g.value = 9;
    expect(&g, ".... .... .... ....");
}

TEST(cells_beyond_the_box_are_outside)
{
    struct frame_map map = {1, 1, 0, 0, 4, 4};
    struct found_grid g = grid_of(&map, 4, 4);

    g.x0 = 1;
    g.y1 = 2;
    expect(&g, ".... .#.. .... ....");
    g.x1 = 1; /* nothing at all */
    expect(&g, ".... .... .... ....");
}

TEST(a_letterboxed_picture_is_read_at_its_place_and_scale)
{
    struct frame_map map = {0.5, 0.5, 0, 1, 8, 4}; /* 8 x 4 pixels in rows 1 and 2 of the input */
    struct found_grid g = grid_of(&map, 8, 4);
    uint32_t w, h;

    expect(&g, "####.... ####.... ..####.. ..####..");
    found_scale(&map, &w, &h);
    CHECK(w == 4 && h == 2);
    g = grid_of(&map, w, h);
    expect(&g, "##.. .##.");
}

TEST(boxes_touch_every_cell_that_they_reach)
{
    uint32_t a, b;

    touched(0, 10, 10, 5, &a, &b);
    CHECK(a == 0 && b == 5);
    touched(1.9f, 2.1f, 10, 5, &a, &b);
    CHECK(a == 0 && b == 2);
    touched(10, 10, 10, 5, &a, &b);
    CHECK(a == 5 && b == 5);
    touched(-3, 30, 10, 5, &a, &b);
    CHECK(a == 0 && b == 5);
}

TEST(each_failing_allocation_is_reported)
{
    struct frame_map map = {1, 1, 0, 0, 4, 4};
    struct found_grid g = grid_of(&map, 4, 4);

    for (long n = 0;; n++) {
        struct rle m = {0};
        mem_fail_at(n);
        enum rc rc = found_mask(&g, &m, &e);
        bool fired = mem_fail_disarm();
        rle_done(&m);
        CHECK(rc == RC_OK || (fired && rc == RC_NOMEM)); /* to give room back may fail in peace */
        if (!fired)
            break;
    }
}
