/* geometry_test.c - maps undo each other, clipping keeps areas, and pixels follow their centres. */
#include "base/test.h"
#include "engine/feed/geometry.c"

#include "base/hash.h"

static bool near_to(double a, double b)
{
    return fabs(a - b) < 1e-6 * (1 + fabs(b));
}

static double draw(uint64_t i, uint64_t k, double lo, double hi)
{
    return lo + (hi - lo) * rand_unit(rand_at(3, i, k, 0));
}

TEST(maps_follow_each_other_and_their_inverse_undoes_them)
{
    for (uint64_t i = 0; i < 200; i++) {
        struct affine m = affine_then(affine_turn(draw(i, 0, -180, 180)),
                                      affine_scale(draw(i, 1, 0.2, 3), -draw(i, 2, 0.2, 3))),
                      back;
        double x = draw(i, 3, -50, 50), y = draw(i, 4, -50, 50), u, v;
        m = affine_then(m, affine_shear(draw(i, 5, -40, 40), draw(i, 6, -40, 40)));
        m = affine_then(m, affine_move(draw(i, 7, -9, 9), draw(i, 8, -9, 9)));
        CHECK(affine_invert(m, &back));
        affine_apply(m, x, y, &u, &v);
        affine_apply(back, u, v, &u, &v);
        CHECK(fabs(u - x) < 1e-8 && fabs(v - y) < 1e-8);
    }
    double x, y;
    affine_apply(affine_turn(90), 1, 0, &x, &y);
    CHECK(near_to(x, 0) && near_to(y, 1)); /* y is down: right turns to below */
    affine_apply(affine_then(affine_move(1, 2), affine_scale(2, 3)), 1, 1, &x, &y);
    CHECK(near_to(x, 4) && near_to(y, 9));
    struct affine flat = affine_scale(1, 0), untouched = affine_identity;
    CHECK(!affine_invert(flat, &untouched) && untouched.xx == 1);
}

TEST(rectangles_clip_and_their_bounds_hold_the_corners)
{
    struct rect r = {2, 3, 10, 7}, out = rect_clip(r, (struct rect){0, 0, 5, 5});

    CHECK(out.x0 == 2 && out.y0 == 3 && out.x1 == 5 && out.y1 == 5);
    CHECK(rect_area(r) == 32 && rect_area(rect_clip(r, (struct rect){20, 0, 30, 9})) == 0);
    out = rect_mapped((struct rect){-1, -1, 1, 1}, affine_turn(45));
    CHECK(near_to(out.x1, sqrt(2)) && near_to(out.y0, -sqrt(2)));
    out = rect_mapped(r, affine_scale(-1, 2));
    CHECK(out.x0 == -10 && out.x1 == -2 && out.y0 == 6 && out.y1 == 14);
}

static struct outline outline_of(const float *xy, size_t points)
{
    struct outline o = {0};
    CHECK(outline_map(&o, xy, points, affine_identity));
    return o;
}

TEST(clipping_an_outline_keeps_what_is_inside)
{
    static const float triangle[] = {-4, 0, 4, 0, 0, 8};
    static const float notch[] = {0, 0, 10, 0, 10, 10, 5, 2, 0, 10}; /* concave */
    struct outline o = outline_of(triangle, 3), scratch = {0};
    struct rect r;

    CHECK(outline_area(&o) == 32);
    CHECK(outline_clip(&o, &scratch, (struct rect){0, 0, 100, 100}));
    CHECK(outline_area(&o) == 16);
    r = outline_bounds(&o);
    CHECK(r.x0 == 0 && r.x1 == 4 && r.y0 == 0 && r.y1 == 8);
    CHECK(outline_clip(&o, &scratch, (struct rect){0, 0, 100, 4}));
    CHECK(near_to(outline_area(&o), 12));
    CHECK(outline_clip(&o, &scratch, (struct rect){50, 50, 60, 60}));
    CHECK(o.n == 0 && outline_area(&o) == 0);
    VEC_DONE(&o);
    o = outline_of(notch, 5);
    double all = outline_area(&o);
    CHECK(outline_clip(&o, &scratch, (struct rect){0, 5, 10, 10}));
    /* two corners stay, each a triangle of height 5 and the width that the notch leaves */
    CHECK(near_to(outline_area(&o), 2 * 0.5 * 5 * (5.0 / 8 * 5)));
    CHECK(all > outline_area(&o));
    VEC_DONE(&o);
    VEC_DONE(&scratch);
}

struct grid {
    uint8_t px[12][16];
    uint64_t n;
};

static void fill(void *ud, int32_t y, int32_t x0, int32_t x1)
{
    struct grid *g = ud;
    CHECK(y >= 0 && y < 12 && x0 >= 0 && x1 <= 16 && x0 < x1);
    for (int32_t x = x0; x < x1; x++)
        g->px[y][x]++;
    g->n += (uint64_t)(x1 - x0);
}

static bool holds(const float *xy, size_t n, double x, double y) /* even-odd, the slow way */
{
    bool in = false;
    for (size_t i = 0, j = n - 1; i < n; j = i++) {
        double xi = xy[2 * i], yi = xy[2 * i + 1], xj = xy[2 * j], yj = xy[2 * j + 1];
        if ((yi <= y) != (yj <= y) && x >= (float)(xj + (y - yj) / (yi - yj) * (xi - xj)))
            in = !in;
    }
    return in;
}

TEST(a_clipped_outline_covers_the_pixels_of_the_whole_one)
{
    struct outline scratch = {0};

    for (uint64_t i = 0; i < 300; i++) {
        struct grid whole = {0}, part = {0};
        float xy[16];
        for (int k = 0; k < 16; k++)
            xy[k] = (float)draw(i, (uint64_t)k, -10, 30);
        CHECK(raster_outline(xy, 8, 16, 12, &scratch, fill, &whole));
        struct outline o = outline_of(xy, 8);
        CHECK(outline_clip(&o, &scratch, (struct rect){0, 0, 16, 12}));
        struct rect r = outline_bounds(&o);
        CHECK(r.x0 >= 0 && r.y0 >= 0 && r.x1 <= 16 && r.y1 <= 12);
        CHECK(raster_outline(o.p, o.n / 2, 16, 12, &scratch, fill, &part));
        CHECK(memcmp(whole.px, part.px, sizeof part.px) == 0);
        VEC_DONE(&o);
    }
    VEC_DONE(&scratch);
}

TEST(pixels_are_those_whose_centre_is_inside)
{
    struct outline scratch = {0};

    for (uint64_t i = 0; i < 500; i++) {
        size_t points = 3 + i % 6;
        struct grid g = {0};
        float xy[16];
        for (size_t k = 0; k < 2 * points; k++) {
            xy[k] = (float)draw(i, k, -6, 20);
            if (i % 2) /* many edges through centres */
                xy[k] = floorf(xy[k]) + 0.5f;
        }
        CHECK(raster_outline(xy, points, 16, 12, &scratch, fill, &g));
        for (int y = 0; y < 12; y++)
            for (int x = 0; x < 16; x++)
                CHECK_EQ(g.px[y][x], holds(xy, points, x + 0.5, y + 0.5));
    }
    VEC_DONE(&scratch);
}

TEST(neighbours_share_no_pixel_and_leave_none)
{
    static const float left[] = {0, 0, 7.5f, 0, 4.5f, 12, 0, 12};
    static const float right[] = {7.5f, 0, 16, 0, 16, 12, 4.5f, 12};
    struct outline scratch = {0};
    struct grid g = {0};

    CHECK(raster_outline(left, 4, 16, 12, &scratch, fill, &g));
    CHECK(raster_outline(right, 4, 16, 12, &scratch, fill, &g));
    for (int i = 0; i < 12 * 16; i++)
        CHECK_EQ(g.px[i / 16][i % 16], 1);
    VEC_DONE(&scratch);
}

TEST(odd_outlines_do_no_harm)
{
    static const float wild[] = {-1e6f, -1e6f, 1e6f, 3, 5, 1e6f, 1e30f, -1e30f};
    float comb[2000];
    struct outline scratch = {0}, o = {0};
    struct grid g = {0};

    CHECK(raster_outline(wild, 4, 16, 12, &scratch, fill, &g));
    CHECK(raster_outline(wild, 0, 16, 12, &scratch, fill, &g));
    CHECK(raster_outline(wild, 1, 16, 12, &scratch, fill, &g));
    for (int i = 0; i < 1000; i++) { /* more crossings than the insertion sort is for */
        comb[2 * i] = 16 * (float)rand_unit(rand_at(1, (uint64_t)i, 0, 0));
        comb[2 * i + 1] = i % 2 ? 12 : 0;
    }
    g.n = 0;
    memset(g.px, 0, sizeof g.px);
    CHECK(raster_outline(comb, 1000, 16, 12, &scratch, fill, &g));
    for (int i = 0; i < 12 * 16; i++)
        CHECK_EQ(g.px[i / 16][i % 16], holds(comb, 1000, i % 16 + 0.5, i / 16 + 0.5));
    CHECK(outline_map(&o, wild, 4, affine_scale(1e30, 1e30)));
    CHECK(outline_clip(&o, &scratch, (struct rect){0, 0, 16, 12}));
    VEC_DONE(&scratch);
    VEC_DONE(&o);
}

TEST(no_memory_is_said)
{
    static const float square[] = {0, 0, 8, 0, 8, 8, 0, 8};
    for (long n = 0; n < 4; n++) {
        struct outline o = {0}, scratch = {0};
        size_t before = mem_live_bytes();
        mem_fail_at(n);
        bool ok = outline_map(&o, square, 4, affine_identity) &&
                  outline_clip(&o, &scratch, (struct rect){1, 1, 5, 5});
        CHECK_EQ(ok, !mem_fail_disarm());
        VEC_DONE(&o);
        VEC_DONE(&scratch);
        CHECK_EQ(mem_live_bytes(), before);
    }
}
