/* draw_test.c - colours, places and letters, by looking at pixels. */
#include "engine/draw/draw.c"

#include "base/test.h"

static struct image im;
static struct err e;

static void blank(int32_t w, int32_t h)
{
    CHECK_OK(image_alloc(w, h, &im, &e), &e);
    memset(im.rgb, 100, (size_t)w * (size_t)h * 3);
}

static bool is(int32_t x, int32_t y, const uint8_t rgb[3])
{
    return memcmp(im.rgb + ((size_t)y * (size_t)im.width + (size_t)x) * 3, rgb, 3) == 0;
}

static const uint8_t grey[3] = {100, 100, 100};

TEST(classes_have_colours_of_their_own_that_stay)
{
    uint8_t a[3], b[3], again[3];

    for (int32_t i = 0; i < 40; i++)
        for (int32_t k = 0; k < i; k++) {
            int far = 0;
            draw_colour(i, a);
            draw_colour(k, b);
            for (int c = 0; c < 3; c++)
                far += a[c] > b[c] ? a[c] - b[c] : b[c] - a[c];
            if (far < 6)
                test_fail(__FILE__, __LINE__, "classes %d and %d look alike", i, k);
        }
    draw_colour(7, a);
    draw_colour(7, again);
    CHECK(memcmp(a, again, 3) == 0);
}

TEST(a_box_is_a_frame_and_its_label_stands_above)
{
    struct draw_object o = {
        .cls = 2, .name = STR("I"), .confidence = NAN, .boxed = true, .box = {20, 30, 40, 20}};
    uint8_t rgb[3], ink[3];

    blank(100, 100);
    draw_colour(2, rgb);
    memset(ink, ink_on(rgb), 3);
    CHECK_OK(draw_objects(&im, &o, 1, &e), &e);
    CHECK(is(20, 30, rgb) && is(59, 49, rgb) && is(20, 40, rgb) && is(40, 49, rgb));
    CHECK(is(40, 40, grey) && is(19, 40, grey) && is(60, 40, grey) && is(40, 50, grey));
    CHECK(is(20, 29, rgb) && is(20, 21, rgb) && is(20, 20, grey)); /* 9 pixels of label */
    CHECK(is(23, 25, ink) && is(21, 25, rgb));                     /* the stem of the I */
    image_done(&im);
}

TEST(masks_are_half_transparent_and_must_fit)
{
    uint8_t px[64 * 48] = {0}, rgb[3];
    struct rle m = {0};
    struct draw_object o = {.cls = 0,
                            .name = STR("x"),
                            .confidence = 1,
                            .boxed = true,
                            .box = {10, 40, 4, 4},
                            .mask = &m};

    px[20 * 64 + 30] = 1;
    blank(64, 48);
    CHECK_OK(rle_from_bitmap(px, 64, 48, 64, &m, &e), &e);
    CHECK_OK(draw_objects(&im, &o, 1, &e), &e);
    draw_colour(0, rgb);
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)((rgb[c] + 101) / 2);
    CHECK(is(30, 20, rgb) && is(31, 20, grey) && is(30, 21, grey));
    m.w--;
    CHECK_EQ(draw_objects(&im, &o, 1, &e), RC_INVALID);
    rle_done(&m);
    image_done(&im);
}

TEST(whatever_lies_outside_is_cut_off_and_other_scripts_have_numbers)
{
    struct draw_object o[3] = {
        {.cls = 1,
         .name = STR("a long name of a class at the edge of a small picture, and more"),
         .confidence = 0.5,
         .boxed = true,
         .box = {-50, -50, 500, 500}},
        {.cls = 12,
         .name = STR("\xea\xbd\x83"),
         .confidence = NAN,
         .boxed = true,
         .box = {NAN, 1e30, -5, 1e30}},
        {.cls = 3, .name = STR(""), .confidence = NAN}};
    char text[LABEL_TEXT];

    label_text(&o[1], text);
    CHECK_STR(str_of(text), "#12");
    label_text(&o[0], text);
    CHECK(strlen(text) < LABEL_TEXT && strstr(text, "0.50"));
    for (int32_t side = 1; side < 40; side += 19) {
        blank(side, side);
        CHECK_OK(draw_objects(&im, o, 3, &e), &e);
        image_done(&im);
    }
    CHECK_OK(image_alloc(2000, 10, &im, &e), &e);
    CHECK_OK(draw_objects(&im, o, 3, &e), &e);
    image_done(&im);
}
