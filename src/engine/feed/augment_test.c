/* augment_test.c - frames and random variants: ranges, edges, and that they depend on nothing else.
 */
#include "base/test.h"
#include "engine/feed/augment.c"
#include "engine/feed/frame.c"

static struct image dots(int32_t w, int32_t h)
{
    struct image im;
    struct err e;
    CHECK_OK(image_alloc(w, h, &im, &e), &e);
    for (int32_t i = 0; i < w * h * 3; i++)
        im.rgb[i] = (uint8_t)(1 + rand_at(1, 2, 3, (uint64_t)i) % 255);
    return im;
}

static const struct frame raw8 = {.size = 8, .work_side = 8, .std = {1, 1, 1}}; /* v / 255 */

TEST(an_epoch_is_a_permutation_and_each_is_another)
{
    enum { N = 1000 };
    uint32_t a[N], b[N];
    uint8_t seen[N] = {0};
    size_t same = 0;

    augment_order(7, 3, a, N);
    for (int i = 0; i < N; i++) {
        CHECK(a[i] < N);
        CHECK(!seen[a[i]]++);
    }
    augment_order(7, 3, b, N);
    CHECK(memcmp(a, b, sizeof a) == 0);
    augment_order(7, 4, b, N);
    for (int i = 0; i < N; i++)
        same += a[i] == b[i];
    CHECK(same < 20);
    augment_order(8, 3, b, N);
    CHECK(memcmp(a, b, sizeof a) != 0);
    augment_order(7, 3, a, 1);
    CHECK_EQ(a[0], 0);
    augment_order(7, 3, a, 0);
}

TEST(every_place_is_as_likely_in_an_order)
{
    uint32_t order[5], count[5] = {0};
    for (int epoch = 0; epoch < 5000; epoch++) {
        augment_order(1, epoch, order, 5);
        count[order[0]]++;
    }
    for (int i = 0; i < 5; i++)
        CHECK(count[i] > 850 && count[i] < 1150); /* 1000 +- 5 sigma */
}

TEST(pad_crop_moves_by_at_most_the_padding_over_black)
{
    struct image im = dots(8, 8);
    struct augment a = {.crop = CROP_PAD, .padding = 2};
    bool seen[5][5] = {{false}};
    struct err e;
    float out[3 * 64];

    for (uint32_t i = 0; i < 400; i++) {
        int hits = 0;
        CHECK_OK(augment_apply(&a, &raw8, &im, 5, 0, i, out, &e), &e);
        for (int dy = -2; dy <= 2; dy++)
            for (int dx = -2; dx <= 2; dx++) {
                bool same = true;
                for (int y = 0; y < 8 && same; y++)
                    for (int x = 0; x < 8 && same; x++) {
                        int sx = x + dx, sy = y + dy;
                        bool in = sx >= 0 && sx < 8 && sy >= 0 && sy < 8;
                        float want = in ? (float)im.rgb[(sy * 8 + sx) * 3 + 1] / 255.0f : 0;
                        same = out[64 + y * 8 + x] == want;
                    }
                if (same) {
                    seen[dy + 2][dx + 2] = true;
                    hits++;
                }
            }
        CHECK_EQ(hits, 1);
    }
    for (int i = 0; i < 25; i++)
        CHECK(seen[i / 5][i % 5]);
    image_done(&im);
}

TEST(flips_come_as_often_as_asked)
{
    struct image im = dots(8, 8);
    struct augment a = {.crop = CROP_NONE, .flip = 0.25, .vertical_flip = 0};
    struct err e;
    float out[3 * 64];
    int flipped = 0;

    for (uint32_t i = 0; i < 2000; i++) {
        CHECK_OK(augment_apply(&a, &raw8, &im, 5, 1, i, out, &e), &e);
        bool is = out[0] == (float)im.rgb[7 * 3] / 255.0f;
        CHECK(is || out[0] == (float)im.rgb[0] / 255.0f);
        CHECK(out[7] == (float)im.rgb[is ? 0 : 7 * 3] / 255.0f);
        flipped += is;
    }
    CHECK(flipped > 400 && flipped < 600); /* 500 +- 5 sigma */
    a = (struct augment){.crop = CROP_NONE, .vertical_flip = 1};
    CHECK_OK(augment_apply(&a, &raw8, &im, 5, 1, 0, out, &e), &e);
    CHECK(out[0] == (float)im.rgb[7 * 8 * 3] / 255.0f);
    image_done(&im);
}

TEST(resized_crops_stay_inside_and_keep_their_area)
{
    struct augment a = {.crop = CROP_RESIZED, .scale_min = 0.2};
    static const int32_t sides[][2] = {{100, 80}, {3, 200}, {1, 1}, {64, 64}};

    for (size_t s = 0; s < 4; s++) {
        struct image im = {sides[s][0], sides[s][1], NULL};
        double all = (double)im.width * im.height, lo = 1;
        for (uint32_t i = 0; i < 2000; i++) {
            struct dice d = {3, 0, i};
            struct image_rect r = random_area(&a, &d, &im);
            CHECK(r.x >= 0 && r.y >= 0 && r.w >= 1 && r.h >= 1);
            CHECK(r.x + r.w <= im.width && r.y + r.h <= im.height);
            lo = r.w * r.h / all < lo ? r.w * r.h / all : lo;
            if (s == 3)
                CHECK(r.w / r.h < 1.4 && r.h / r.w < 1.4);
        }
        if (s == 3)
            CHECK(lo > 0.18 && lo < 0.25);
    }
}

TEST(colours_stay_in_range_and_neutral_settings_change_nothing)
{
    struct image im = dots(8, 8);
    struct augment wild = {
        .crop = CROP_NONE, .brightness = 1, .contrast = 1, .saturation = 1, .hue = 0.5};
    struct err e;
    float out[3 * 64], px[3 * 64];

    for (uint32_t i = 0; i < 200; i++) {
        CHECK_OK(augment_apply(&wild, &raw8, &im, 9, 0, i, out, &e), &e);
        for (int k = 0; k < 3 * 64; k++)
            CHECK(out[k] >= 0 && out[k] <= 1);
    }
    for (int k = 0; k < 3 * 64; k++)
        px[k] = out[k] = (float)rand_unit(rand_at(1, 1, 1, (uint64_t)k));
    turn_hue(px, 64, 0);
    for (int k = 0; k < 3 * 64; k++)
        CHECK(fabsf(px[k] - out[k]) < 1e-5f);
    turn_hue(px, 64, 0.5f);
    turn_hue(px, 64, 0.5f);
    for (int k = 0; k < 3 * 64; k++)
        CHECK(fabsf(px[k] - out[k]) < 1e-4f);
    float red[3] = {1, 0, 0};
    turn_hue(red, 1, 1 / 3.0f); /* a third of a turn: red becomes green */
    CHECK(red[0] < 1e-5f && red[1] > 0.9999f && red[2] < 1e-5f);
    saturate(px, 64, 0);
    CHECK(fabsf(px[5] - px[64 + 5]) < 1e-6f);
    image_done(&im);
}

TEST(mixup_weights_are_of_the_beta_distribution)
{
    static const double alphas[] = {0.2, 1, 4};
    double last = 1;

    CHECK(augment_mixup_weight(0, 1, 1, 1) == 1);
    for (size_t k = 0; k < 3; k++) {
        double sum = 0, square = 0;
        for (uint32_t i = 0; i < 4000; i++) {
            double w = augment_mixup_weight(alphas[k], 1, 2, i);
            CHECK(w >= 0 && w <= 1);
            sum += w;
            square += (w - 0.5) * (w - 0.5);
        }
        double want = 1 / (4 * (2 * alphas[k] + 1)); /* variance of Beta(a, a) */
        CHECK(fabs(sum / 4000 - 0.5) < 0.04);
        CHECK(fabs(square / 4000 - want) < want * 0.1);
        CHECK(square < last * 4000);
        last = square / 4000;
    }
}

TEST(blending_pairs_the_first_with_the_last)
{
    float x[5 * 2] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    augment_blend(x, 5, 2, 0.75);
    CHECK(x[0] == 2 && x[8] == 6); /* 0 and 8 */
    CHECK(x[2] == 3 && x[6] == 5); /* 2 and 6 */
    CHECK(x[4] == 4 && x[5] == 5); /* the middle one stays */
}

TEST(settings_choose_crop_and_frame_by_size)
{
    struct train_spec s = {.crop = CROP_AUTO, .crop_scale_min = 0.35};
    struct augment a;
    struct frame f;

    augment_setup(&s, 32, &a, &f);
    CHECK(a.crop == CROP_PAD && f.fit == FRAME_SQUASH && f.work_side == 32);
    augment_setup(&s, 96, &a, &f);
    CHECK(a.crop == CROP_RESIZED && f.fit == FRAME_CENTER_CROP && f.work_side == 163);
    s.crop_scale_min = 1;
    augment_setup(&s, 224, &a, &f);
    CHECK_EQ(f.work_side, 256);
    s.crop = CROP_NONE;
    augment_setup(&s, 224, &a, &f);
    CHECK(f.fit == FRAME_SQUASH && f.work_side == 224);
    CHECK_EQ(frame_size_auto(32), 32);
    CHECK_EQ(frame_size_auto(48), 64);
    CHECK_EQ(frame_size_auto(480), 224);
    CHECK_EQ(frame_size_auto(0), 32);
}

TEST(a_frame_never_enlarges_and_predicts_its_size)
{
    struct frame f = {.size = 32, .fit = FRAME_CENTER_CROP, .work_side = 48, .std = {1, 1, 1}};
    static const int32_t sides[][2] = {{200, 100}, {40, 300}, {48, 48}, {10, 5}, {49, 1000}};
    struct image work;
    struct err e;
    float out[3 * 32 * 32];

    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        struct image im = dots(sides[i][0], sides[i][1]);
        struct buf b;
        int32_t w, h;
        buf_init(&b, 8 << 20);
        CHECK_OK(image_encode_jpeg(&im, 90, &b, &e), &e);
        frame_work_size(&f, im.width, im.height, &w, &h);
        CHECK(w <= im.width && h <= im.height && (w <= h ? w : h) <= 48);
        CHECK_OK(frame_open(&f, buf_view(&b), NULL, &work, &e), &e);
        CHECK(work.width == w && work.height == h);
        CHECK_OK(frame_eval(&f, &work, out, &e), &e);
        image_done(&work);
        image_done(&im);
        buf_done(&b);
    }
}

TEST(evaluation_normalises_and_takes_the_centre)
{
    struct frame f = {.size = 14,
                      .fit = FRAME_CENTER_CROP,
                      .work_side = 16,
                      .mean = {0.5f, 0, 0},
                      .std = {0.25f, 1, 1}};
    struct image im;
    struct err e;
    float out[3 * 14 * 14];

    CHECK_OK(image_alloc(16, 16, &im, &e), &e); /* 7/8 of 16 is 14: the centre without scaling */
    for (int i = 0; i < 16 * 16; i++)
        im.rgb[i * 3] = im.rgb[i * 3 + 1] = im.rgb[i * 3 + 2] = (uint8_t)i;
    CHECK_OK(frame_eval(&f, &im, out, &e), &e);
    CHECK(fabsf(out[0] - (17 / 255.0f - 0.5f) / 0.25f) < 1e-6f);
    CHECK(fabsf(out[14 * 14] - 17 / 255.0f) < 1e-6f);
    CHECK(fabsf(out[14 * 14 + 13] - 30 / 255.0f) < 1e-6f);
    image_done(&im);
}

TEST(a_letterbox_keeps_the_aspect_and_knows_the_way_back)
{
    static const int32_t sides[][2] = {{64, 48}, {640, 480}, {333, 1000}, {3000, 2}, {10, 7}};
    struct frame f = {.size = 32, .fit = FRAME_LETTERBOX, .work_side = 48, .std = {1, 1, 1}};
    static float out[3 * 32 * 32];
    struct err e;

    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        struct image im = dots(sides[i][0], sides[i][1]), work;
        struct frame_map m = frame_map_of(&f, im.width, im.height);
        struct net_box b = {3, 1, 0.5f, (float)im.width - 1, (float)im.height - 0.5f}, in, back;
        struct buf png;
        int32_t w, h;
        buf_init(&png, 8 << 20);
        CHECK_OK(image_encode_png(&im, &png, &e), &e);
        CHECK_OK(frame_open(&f, buf_view(&png), NULL, &work, &e), &e);
        frame_work_size(&f, im.width, im.height, &w, &h);
        CHECK(work.width == w && work.height == h && (w > h ? w : h) <= 48);
        CHECK_OK(frame_eval(&f, &work, out, &e), &e);
        in = frame_map_to(&m, b);
        CHECK(in.x0 >= 0 && in.y0 >= 0 && in.x1 <= 32 && in.y1 <= 32);
        back = frame_map_back(&m, in);
        CHECK(back.cls == 3 && fabsf(back.x0 - b.x0) < 1e-2f && fabsf(back.y1 - b.y1) < 1e-2f);
        back = frame_map_back(&m, (struct net_box){0, -9, -9, 99, NAN});
        CHECK(back.x0 == 0 && back.x1 == (float)im.width && back.y1 == 0);
        /* grey exactly where the map says that no picture is */
        int32_t left = (int32_t)m.x0, right = left + (int32_t)(m.sx * im.width + 0.5);
        int32_t top = (int32_t)m.y0, below = top + (int32_t)(m.sy * im.height + 0.5);
        int other = 0;
        for (int32_t p = 0; p < 32 * 32; p++) {
            bool inside = p % 32 >= left && p % 32 < right && p / 32 >= top && p / 32 < below;
            bool grey = out[p] == 114 / 255.0f && out[1024 + p] == 114 / 255.0f;
            CHECK(inside || grey);
            other += inside && !grey;
        }
        CHECK(other >= (right - left) * (below - top) * 8 / 10 && right > left && below > top);
        image_done(&work);
        image_done(&im);
        buf_done(&png);
    }
    struct frame_map m = frame_map_of(&f, 10, 7); /* not enlarged */
    CHECK(m.sx == 1 && m.x0 == 11 && m.y0 == 12);
    CHECK_EQ(frame_size_auto_objects(640), 320);
    CHECK_EQ(frame_size_auto_objects(200), 224);
    CHECK_EQ(frame_size_auto_objects(0), 160);
}

TEST(maps_of_the_other_frames_say_where_points_went)
{
    struct frame f = {.size = 28, .fit = FRAME_CENTER_CROP, .work_side = 32};
    struct frame_map m = frame_map_of(&f, 64, 32); /* 7/8 of 32 becomes 28: scale 1, centre stays */

    CHECK(m.sx == 1 && m.sy == 1 && m.x0 == (28 - 64) / 2 && m.y0 == -2);
    m = frame_map_of(&f, 65, 32); /* whole pixels where nothing is scaled */
    CHECK(m.sx == 1 && m.x0 == -18);
    f.fit = FRAME_SQUASH;
    m = frame_map_of(&f, 56, 14);
    CHECK(m.sx == 0.5 && m.sy == 2 && m.x0 == 0 && m.y0 == 0);
}

TEST(an_input_from_bytes_is_the_one_from_the_working_picture)
{
    /* shorter sides above, at and below 8/7 of the input, scaled decoding among them */
    static const int32_t sides[][2] = {{640, 480},  {300, 700}, {130, 128}, {257, 129},
                                       {1500, 128}, {100, 90},  {90, 400},  {1100, 1030}};
    static float a[3 * 112 * 112], b[3 * 112 * 112];
    struct err e;

    for (int fit = 0; fit < FRAME_FITS; fit++)
        for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
            struct frame f = {.size = 112,
                              .fit = (enum frame_fit)fit,
                              .work_side = 200,
                              .mean = {0.4f, 0.5f, 0.6f},
                              .std = {0.2f, 0.3f, 0.4f}};
            struct frame g = frame_for_eval(&f);
            struct image im = dots(sides[i][0], sides[i][1]), work;
            struct buf file;
            buf_init(&file, 8 << 20);
            CHECK_OK(i % 4 == 3 ? image_encode_png(&im, &file, &e)
                                : image_encode_jpeg(&im, 80, &file, &e),
                     &e);
            CHECK(g.work_side == (fit == FRAME_CENTER_CROP ? 128 : 112));
            CHECK_OK(frame_open(&g, buf_view(&file), NULL, &work, &e), &e);
            CHECK_OK(frame_eval(&g, &work, a, &e), &e);
            CHECK_OK(frame_input(&f, buf_view(&file), NULL, b, &e), &e);
            CHECK(memcmp(a, b, sizeof a) == 0);
            CHECK(frame_input(&f, str_sub(buf_view(&file), 0, file.n / 2), NULL, b, &e) != RC_OK);
            image_done(&work);
            image_done(&im);
            buf_done(&file);
        }
}
