/* detect_assign_test.c - task-aligned assignment against a plain reading of its rules, and at its
 * edges: ties, conflicts, truths that hold no centre. */
#include "engine/model/detect_assign.c"

#include "engine/model/detect_fixture.h"

enum { ANCHORS = 256 + 64 + 16 }; /* of 128 pixels */

static int32_t owner[ANCHORS];
static float target[ANCHORS], box[ANCHORS][4], iou[ANCHORS];
static double alignment[ANCHORS], room[2 * 64];
static uint8_t decoded[ANCHORS];

static struct detect_match match = {.owner = owner,
                                    .target = target,
                                    .box = box,
                                    .alignment = alignment,
                                    .iou = iou,
                                    .decoded = decoded};

static void assign(struct fixture *f, const struct net_box *boxes, int n)
{
    detect_assign(&f->maps, kernels_get(NULL), f->images - 1, boxes, n, &match, room);
}

static struct net_box random_box(uint64_t seed, uint64_t i, int classes)
{
    const double most = i % 3 == 0 ? 8 : 70; /* some hold no centre */
    const double w = 4 + most * rand_unit(rand_at(seed, i, 0, 0));
    const double h = 4 + most * rand_unit(rand_at(seed, i, 1, 0));
    const double x = (128 - w) * rand_unit(rand_at(seed, i, 2, 0));
    const double y = (128 - h) * rand_unit(rand_at(seed, i, 3, 0));

    return (struct net_box){(int32_t)(rand_at(seed, i, 4, 0) % (uint64_t)classes), (float)x,
                            (float)y, (float)(x + w), (float)(y + h)};
}

/* The rules, read aloud: whole matrices, no shortcuts. */
struct matrices {
    double alignment[64][ANCHORS], iou[64][ANCHORS];
    bool claimed[64][ANCHORS];
    int owner[ANCHORS];
    double target[ANCHORS];
};

static bool holds(const struct net_box *b, double x, double y)
{
    return x > (double)b->x0 && x < (double)b->x1 && y > (double)b->y0 && y < (double)b->y1;
}

static void plain_measures(struct matrices *p, struct fixture *f, const struct net_box *b, int i)
{
    const double t[4] = {(double)b->x0, (double)b->y0, (double)b->x1, (double)b->y1};
    const int middle = (int)((t[1] + t[3]) / 16) * 16 + (int)((t[0] + t[2]) / 16);
    bool alone = true;

    for (int a = 0; a < ANCHORS; a++) {
        const struct detect_anchor at = detect_anchor_at(&f->maps, a);
        alone = alone && !holds(b, at.cx, at.cy);
    }
    for (int a = 0; a < ANCHORS; a++) {
        const struct detect_anchor at = detect_anchor_at(&f->maps, a);
        double d[4], q[4];
        for (int side = 0; side < 4; side++) {
            double sum = 0, moment = 0;
            for (int k = 0; k < DETECT_BINS; k++) {
                const double e = exp((double)fixture_bins(f, f->images - 1, a, side)[k]);
                sum += e;
                moment += k * e;
            }
            d[side] = moment / sum;
        }
        detect_decode(&at, d, q);
        const double w = fmin(q[2], t[2]) - fmax(q[0], t[0]),
                     h = fmin(q[3], t[3]) - fmax(q[1], t[1]);
        const double inter = fmax(w, 0) * fmax(h, 0);
        p->iou[i][a] =
            inter / ((q[2] - q[0]) * (q[3] - q[1]) + (t[2] - t[0]) * (t[3] - t[1]) - inter);
        const double x = (double)*fixture_logit(f, f->images - 1, a, b->cls);
        const bool inside = holds(b, at.cx, at.cy) || (alone && a == middle);
        p->alignment[i][a] = inside ? sqrt(1 / (1 + exp(-x))) * pow(p->iou[i][a], 6) : 0;
    }
    for (int n = 0; n < DETECT_TOP; n++) {
        int best = -1;
        for (int a = 0; a < ANCHORS; a++)
            if (!p->claimed[i][a] && p->alignment[i][a] > 0 &&
                (best < 0 || p->alignment[i][a] > p->alignment[i][best]))
                best = a;
        if (best >= 0)
            p->claimed[i][best] = true;
    }
}

static void matrices_assign(struct matrices *p, struct fixture *f, const struct net_box *boxes,
                            int n)
{
    memset(p, 0, sizeof *p);
    for (int i = 0; i < n; i++)
        plain_measures(p, f, &boxes[i], i);
    for (int a = 0; a < ANCHORS; a++) {
        p->owner[a] = -1;
        for (int i = 0; i < n; i++)
            if (p->claimed[i][a] && (p->owner[a] < 0 || p->iou[i][a] > p->iou[p->owner[a]][a]))
                p->owner[a] = i;
    }
    for (int a = 0; a < ANCHORS; a++) {
        const int i = p->owner[a];
        double most = 0, most_iou = 0;
        for (int b = 0; i >= 0 && b < ANCHORS; b++)
            if (p->owner[b] == i) {
                most = fmax(most, p->alignment[i][b]);
                most_iou = fmax(most_iou, p->iou[i][b]);
            }
        p->target[a] = i < 0 ? 0 : p->alignment[i][a] / most * most_iou;
    }
}

TEST(assignment_follows_the_rules)
{
    struct matrices *p = mem_zalloc(sizeof *p);

    for (uint64_t trial = 0; trial < 8; trial++) {
        struct fixture f = fixture_new(2, 20, 128, 50 + trial);
        struct net_box boxes[40];
        const int n = trial == 0 ? 0 : 5 * (int)trial;
        for (int i = 0; i < n; i++)
            boxes[i] = random_box(trial, (uint64_t)i, 20);
        matrices_assign(p, &f, boxes, n);
        assign(&f, boxes, n);
        double sum = 0;
        int positives = 0;
        for (int a = 0; a < ANCHORS; a++) {
            CHECK_EQ(owner[a], p->owner[a]);
            CHECK(fabs((double)target[a] - p->target[a]) < 1e-5);
            sum += p->target[a];
            positives += p->owner[a] >= 0;
        }
        CHECK_EQ(match.positives, positives);
        CHECK(fabs(match.target_sum - sum) < 1e-4);
        CHECK(n == 0 || positives > 0);
        fixture_done(&f);
    }
    mem_free(p);
}

TEST(equal_alignment_goes_to_the_lower_anchors)
{
    struct fixture f = fixture_new(1, 1, 128, 1);
    const struct net_box all = {0, 0, 0, 128, 128};

    fixture_clear(&f, 0);
    for (int a = 0; a < 256; a++) /* one IoU for all but the outermost cells */
        fixture_predict(&f, 0, a, 1);
    for (int a = 256; a < ANCHORS; a++)
        fixture_predict(&f, 0, a, 0);
    assign(&f, &all, 1);
    for (int a = 0; a < ANCHORS; a++)
        CHECK_EQ(owner[a], a >= 17 && a < 27 ? 0 : -1);
    fixture_done(&f);
}

TEST(an_anchor_of_two_truths_learns_the_one_it_overlaps_most)
{
    struct fixture f = fixture_new(1, 2, 128, 1);
    const struct net_box both[2] = {{0, 40, 40, 80, 80}, {1, 44, 44, 76, 76}};
    const struct net_box same[2] = {{0, 40, 40, 80, 80}, {1, 40, 40, 80, 80}};

    fixture_clear(&f, 0);
    fixture_predict(&f, 0, 7 * 16 + 7, 2); /* 44..76: exactly the second */
    assign(&f, both, 2);
    CHECK_EQ(owner[7 * 16 + 7], 1);
    CHECK(fabs((double)target[7 * 16 + 7] - 1) < 1e-6);
    assign(&f, same, 2);
    for (int a = 0; a < ANCHORS; a++)
        CHECK(owner[a] <= 0); /* of equal ones the first */
    fixture_done(&f);
}

TEST(a_truth_between_the_centres_has_the_cell_of_its_middle)
{
    struct fixture f = fixture_new(1, 1, 128, 3);
    const struct net_box small = {0, 45, 21, 51, 23}; /* cell (6, 2) of stride 8: centre (52, 20) */

    fixture_clear(&f, 0);
    assign(&f, &small, 1);
    CHECK_EQ(match.positives, 1);
    CHECK_EQ(owner[2 * 16 + 6], 0);
    CHECK(target[2 * 16 + 6] > 0);
    fixture_done(&f);
}

TEST(truths_without_area_or_outside_teach_nothing)
{
    struct fixture f = fixture_new(1, 1, 128, 3);
    const struct net_box none[4] = {
        {0, 50, 50, 50, 90}, {0, 60, 60, 40, 40}, {0, 127, 130, 128, 131}, {0, -90, -90, -20, -20}};

    assign(&f, none, 4);
    CHECK_EQ(match.positives, 0);
    CHECK(match.target_sum == 0);
    fixture_done(&f);
}

TEST(predictions_that_are_not_numbers_are_nobodys)
{
    struct fixture f = fixture_new(1, 1, 128, 3);
    const struct net_box all = {0, 0, 0, 128, 128};

    for (int a = 0; a < ANCHORS; a++)
        if (a != 70)
            fixture_bins(&f, 0, a, a % 4)[a % 16] = NAN;
    assign(&f, &all, 1);
    CHECK_EQ(match.positives, 1);
    CHECK_EQ(owner[70], 0);
    fixture_done(&f);
}
