/* scene_test.c - pixels and objects go the same way, and everything follows from the numbers. */
#include "base/test.h"
#include "engine/feed/scene.c"

enum { SIZE = 64, N = 6 };

static const int32_t sides[N][2] = {{64, 48}, {200, 100}, {30, 90}, {64, 64}, {500, 20}, {9, 9}};
static struct sample_ref refs[N];
static struct image works[N];

static struct frame frame_of(int32_t size)
{
    return (struct frame){
        .size = size, .fit = FRAME_LETTERBOX, .work_side = size, .std = {1, 1, 1}};
}

/* Working pictures whose colour says where a pixel is: red and green grow along x and y. */
static void make_set(const struct frame *f)
{
    struct err e;
    for (int i = 0; i < N; i++) {
        int32_t w, h;
        refs[i] = (struct sample_ref){.width = sides[i][0], .height = sides[i][1]};
        frame_work_size(f, sides[i][0], sides[i][1], &w, &h);
        image_done(&works[i]);
        CHECK_OK(image_alloc(w, h, &works[i], &e), &e);
        for (int32_t p = 0; p < w * h; p++) {
            works[i].rgb[3 * p] = (uint8_t)(p % w);
            works[i].rgb[3 * p + 1] = (uint8_t)(p / w);
            works[i].rgb[3 * p + 2] = (uint8_t)(200 + i);
        }
    }
}

static void drop_set(void)
{
    for (int i = 0; i < N; i++)
        image_done(&works[i]);
}

static void draw_plan(const struct scene_plan *p, const struct frame *f, float *ret)
{
    float *scratch = mem_alloc_array(SCENE_SCRATCH_FLOATS(p->size), sizeof *scratch);
    struct image work[SCENE_PICTURES_MAX];

    CHECK(scratch != NULL);
    for (int i = 0; i < p->tiles_n; i++)
        work[i] = works[p->tile[i].index];
    scene_draw(p, f, work, scratch, ret);
    mem_free(scratch);
}

TEST(without_settings_a_scene_is_the_evaluation_input)
{
    struct frame f = frame_of(SIZE);
    struct scene s = {0};
    static float a[3 * SIZE * SIZE], b[3 * SIZE * SIZE];
    struct err e;

    make_set(&f);
    for (uint32_t i = 0; i < N; i++) {
        struct scene_plan p;
        scene_plan_of(&s, &f, NET_DETECTION, SIZE, refs, N, 1, 0, i, &p);
        CHECK(p.tiles_n == 1 && p.layers == 1 && p.tile[0].index == i);
        draw_plan(&p, &f, a);
        CHECK_OK(frame_eval(&f, &works[i], b, &e), &e);
        for (int k = 0; k < 3 * SIZE * SIZE; k++)
            CHECK(fabsf(a[k] - b[k]) < 1e-6f);
        struct frame_map m = frame_map_of(&f, refs[i].width, refs[i].height);
        CHECK(fabs(p.tile[0].objects.xx - m.sx) < 1e-12 && p.tile[0].objects.x0 == m.x0);
        CHECK(fabs(p.tile[0].objects.yy - m.sy) < 1e-12 && p.tile[0].objects.y0 == m.y0);
    }
    drop_set();
}

static const struct scene wild = {.mosaic = 0.7,
                                  .mosaic_until = 5,
                                  .rotate = 40,
                                  .translate = 0.3,
                                  .scale = 0.5,
                                  .shear = 10,
                                  .flip = 0.5,
                                  .vertical_flip = 0.5};

/* Where a pixel shows picture k, its colour says which of its points that is, and the map of the
 * objects must bring that point to that pixel. */
static int check_pixels(const struct scene_plan *p, const float *x)
{
    int seen = 0;

    for (int t = 0; t < p->tiles_n; t++) {
        const struct scene_tile *tile = &p->tile[t];
        const struct image *w = &works[tile->index];
        const struct sample_ref *r = &refs[tile->index];
        for (int32_t k = 0; k < p->size * p->size; k++) {
            double px = x[k] * 255, py = x[p->size * p->size + k] * 255, u, v;
            double id = x[2 * p->size * p->size + k] * 255;
            if (fabs(id - 200 - tile->index) > 0.01 || px < 0.5 || py < 0.5 ||
                px > w->width - 1.5 || py > w->height - 1.5)
                continue;
            affine_apply(tile->objects, (px + 0.5) * r->width / w->width,
                         (py + 0.5) * r->height / w->height, &u, &v);
            bool fits = fabs(u - (k % p->size + 0.5)) < 0.1 && fabs(v - (k / p->size + 0.5)) < 0.1;
            for (int o = 0; !fits && o < p->tiles_n; o++) /* the same picture twice in a mosaic */
                fits = o != t && p->tile[o].index == tile->index;
            CHECK(fits);
            seen++;
        }
    }
    return seen;
}

TEST(objects_go_where_their_pixels_go)
{
    struct frame f = frame_of(SIZE);
    static float x[3 * SIZE * SIZE];
    int seen = 0, mosaics = 0;

    for (int turned = 0; turned < 2; turned++) {
        struct scene s = wild;
        if (!turned)
            s.rotate = s.shear = 0;
        make_set(&f);
        for (uint32_t i = 0; i < 60; i++) {
            struct scene_plan p;
            scene_plan_of(&s, &f, NET_DETECTION, SIZE, refs, N, 1, i, i % N, &p);
            CHECK(i < 5 || p.tiles_n == 1); /* closed */
            mosaics += p.tiles_n == 4;
            draw_plan(&p, &f, x);
            seen += check_pixels(&p, x);
        }
    }
    CHECK(mosaics > 2 && seen > 10000);
    drop_set();
}

TEST(a_mosaic_leaves_no_gap_between_its_pictures)
{
    struct frame f = frame_of(SIZE);
    struct scene s = {.mosaic = 1, .mosaic_until = 1000};
    static float x[3 * SIZE * SIZE];

    make_set(&f);
    for (int i = 0; i < N; i++) {
        refs[i] = (struct sample_ref){.width = SIZE, .height = SIZE};
        works[i].width = works[i].height = SIZE;
        mem_free(works[i].rgb);
        works[i].rgb = mem_alloc(3 * SIZE * SIZE);
        memset(works[i].rgb, 255, 3 * SIZE * SIZE);
    }
    for (int64_t epoch = 0; epoch < 100; epoch++) {
        struct scene_plan p;
        s.rotate = epoch % 2 ? 3 : 0;
        s.scale = epoch % 4 > 1 ? 0.2 : 0;
        scene_plan_of(&s, &f, NET_DETECTION, SIZE, refs, N, 1, epoch, 0, &p);
        CHECK_EQ(p.tiles_n, 4);
        draw_plan(&p, &f, x);
        /* squares of the input's size in a square of twice that: inside of the middle half of the
         * input there is always a picture */
        for (int y = SIZE / 4; y < 3 * SIZE / 4; y++)
            for (int k = SIZE / 4; k < 3 * SIZE / 4; k++)
                CHECK(fabsf(x[y * SIZE + k] - 1) < 1e-5f);
    }
    drop_set();
}

TEST(mixup_blends_and_has_the_pictures_of_both)
{
    struct frame f = frame_of(SIZE);
    struct scene s = {.mixup = 1, .mixup_alpha = 8, .mosaic_until = 10};
    static float x[3 * SIZE * SIZE];
    struct scene_plan p;
    int two = 0;

    make_set(&f);
    for (uint32_t i = 0; i < N; i++) {
        scene_plan_of(&s, &f, NET_DETECTION, SIZE, refs, N, 1, 0, i, &p);
        CHECK(p.layers == 2 && p.tiles_n == 2 && p.tile[1].layer == 1 && p.weight < 1);
        draw_plan(&p, &f, x);
        size_t at = (size_t)(2 * SIZE + SIZE / 2) * SIZE + SIZE / 2; /* blue, in both pictures */
        double want = p.weight * (200 + i) + (1 - p.weight) * (200 + p.tile[1].index);
        CHECK(fabs(x[at] * 255 - want) < 0.02);
        two += p.tile[1].index != i;
        scene_plan_of(&s, &f, NET_SEMANTIC, SIZE, refs, N, 1, 0, i, &p);
        CHECK_EQ(p.layers, 1);
        scene_plan_of(&s, &f, NET_DETECTION, SIZE, refs, N, 1, 10, i, &p);
        CHECK_EQ(p.layers, 1);
    }
    CHECK(two > 0);
    drop_set();
}

TEST(sizes_are_multiples_of_32_and_each_comes)
{
    struct scene s = {.multi_scale = 0.5};
    int seen[16] = {0};

    CHECK_EQ(scene_size_max(&s, 320), 480);
    for (int b = 0; b < 2000; b++) {
        int32_t size = scene_size(&s, 320, 1, b / 100, b % 100);
        CHECK(size % 32 == 0 && size >= 160 && size <= 480);
        CHECK_EQ(size, scene_size(&s, 320, 1, b / 100, b % 100));
        seen[size / 32]++;
    }
    for (int k = 5; k <= 15; k++)
        CHECK(seen[k] > 120 && seen[k] < 250); /* 182 +- 5 sigma */
    s.multi_scale = 0;
    CHECK(scene_size(&s, 300, 1, 0, 0) == 300 && scene_size_max(&s, 300) == 300);
    s.multi_scale = 0.01; /* no multiple in reach */
    CHECK(scene_size(&s, 300, 1, 0, 0) % 32 == 0);
    CHECK(scene_size(&s, 300, 1, 0, 0) <= scene_size_max(&s, 300));
}

TEST(colours_change_as_hsv_says)
{
    float px[3][8] = {{255, 100, 10, 0, 90, 7, 250, 1},
                      {0, 100, 200, 0, 80, 9, 249, 2},
                      {0, 100, 30, 0, 250, 9, 1, 1}};
    struct row row = {px[0], px[1], px[2], NULL};
    struct scene_plan p = {.saturation = 1, .value = 1};
    float was[3][8];

    memcpy(was, px, sizeof px);
    colour_row(&p, &row, 8);
    for (int i = 0; i < 24; i++)
        CHECK(fabsf(px[i / 8][i % 8] - was[i / 8][i % 8]) < 1e-3f);
    p.hue = 1 / 3.0; /* a third of a turn: red to green, grey stays */
    colour_row(&p, &row, 8);
    CHECK(px[0][0] < 1e-2f && px[1][0] > 254.9f && px[2][0] < 1e-2f);
    CHECK(fabsf(px[0][1] - 100) < 1e-3f && fabsf(px[2][1] - 100) < 1e-3f);
    for (int i = 0; i < 8; i++)
        CHECK(fabsf(px[1][i] - was[0][i]) < 1e-2f);
    p = (struct scene_plan){.saturation = 0, .value = 0.5};
    memcpy(px, was, sizeof px);
    colour_row(&p, &row, 8);
    for (int i = 0; i < 8; i++) { /* half of the value, no colour */
        float max = was[0][i] > was[1][i] ? was[0][i] : was[1][i];
        max = max > was[2][i] ? max : was[2][i];
        CHECK(fabsf(px[0][i] - max / 2) < 1e-3f && fabsf(px[1][i] - px[2][i]) < 1e-3f);
    }
    for (int k = 0; k < 500; k++) { /* any settings, any colour: in range */
        p = (struct scene_plan){.hue = rand_unit(rand_at(1, (uint64_t)k, 0, 0)) - 0.5,
                                .saturation = 2 * rand_unit(rand_at(1, (uint64_t)k, 1, 0)),
                                .value = 2 * rand_unit(rand_at(1, (uint64_t)k, 2, 0))};
        for (int i = 0; i < 24; i++)
            px[i / 8][i % 8] = (float)(rand_at(2, (uint64_t)k, (uint64_t)i, 0) % 256);
        colour_row(&p, &row, 8);
        for (int i = 0; i < 24; i++)
            CHECK(px[i / 8][i % 8] >= -1e-3f && px[i / 8][i % 8] <= 255.001f);
    }
}

TEST(settings_become_a_scene_and_its_frame)
{
    struct train_spec spec = {.epochs = 20,
                              .close_mosaic = 5,
                              .mosaic = 1,
                              .mixup_probability = 0.3,
                              .multi_scale = 0.25,
                              .hsv_h = 0.1};
    struct scene s;
    struct frame f;

    scene_setup(&spec, 256, &s, &f);
    CHECK(s.mosaic == 1 && s.mosaic_until == 15 && s.mixup == 0 && s.hsv_h == 0.1);
    CHECK(f.fit == FRAME_LETTERBOX && f.size == 256 && f.work_side == 320);
    spec.mixup = 8;
    spec.close_mosaic = 30;
    scene_setup(&spec, 256, &s, &f);
    CHECK(s.mixup == 0.3 && s.mosaic_until == 0);
}
