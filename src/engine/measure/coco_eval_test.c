/* coco_eval_test.c - AP and AR against COCO's own evaluator (golden cases), and what its rules say
 * about scores, boxes and pictures that are not as they should be. */
#include "base/test.h"
#include "engine/measure/coco_eval.c"
#include "engine/measure/coco_match.c"
#include "engine/measure/coco_sum.c"
#include "engine/measure/test_case.h"
#include "os/os.h"
#include <string.h>

#define NEAR(a, b) CHECK(fabs((a) - (b)) < 1e-9)

static struct coco_truth truth(int32_t cls, double x, double y, double w, double h)
{
    return (struct coco_truth){.cls = cls, .box = {x, y, w, h}, .area = -1};
}

static struct coco_detection det(int32_t cls, double score, double x, double y, double w, double h)
{
    return (struct coco_detection){.cls = cls, .score = score, .box = {x, y, w, h}};
}

static struct coco_eval *eval_of(uint32_t classes)
{
    struct coco_eval *ev;
    struct err e;
    CHECK_OK(coco_eval_new(&ev, classes, NULL, &e), &e);
    return ev;
}

static void add(struct coco_eval *ev, const struct coco_truth *t, size_t tn,
                const struct coco_detection *d, size_t dn)
{
    struct err e;
    CHECK_OK(coco_eval_add(ev, &(struct coco_image){t, tn, d, dn}, &e), &e);
}

static const double *finished(struct coco_eval *ev)
{
    struct err e;
    CHECK_OK(coco_eval_finish(ev, &e), &e);
    return coco_eval_summary(ev)->v;
}

static void check_case(const struct json *j)
{
    struct coco_options o = coco_options_default(
        str_is(json_str(j, "kind", STR("")), "masks") ? COCO_MASKS : COCO_BOXES);
    const struct json *want = json_get(j, "summary")->list.first;
    const struct json *ap = json_get(j, "ap")->list.first;
    const struct json *recall = json_get(j, "recall")->list.first;
    struct coco_eval *ev;
    struct err e;

    o.classless = json_bool(j, "classless", false);
    CHECK_OK(coco_eval_new(&ev, (uint32_t)json_int(j, "classes", 0), &o, &e), &e);
    JSON_EACH(p, json_get(j, "pictures")) {
        struct coco_image im = read_image(p);
        CHECK_OK(coco_eval_add(ev, &im, &e), &e);
        free_image(&im);
        finished(ev); /* in between, as a page would: changes nothing */
    }
    for (int i = 0; i < COCO_MEASURES; i++, want = want->next)
        NEAR(finished(ev)[i], number(want));
    for (uint32_t t = 0; t < o.ious_n; t++)
        for (uint32_t k = 0; k < coco_eval_classes(ev); k++)
            for (int a = 0; a < COCO_AREAS; a++) {
                const struct json *r = recall->list.first;
                NEAR(coco_eval_ap(ev, t, k, (enum coco_area)a), number(ap));
                for (uint32_t m = 0; m < 3; m++, r = r->next)
                    NEAR(coco_eval_recall(ev, t, k, (enum coco_area)a, m), number(r));
                ap = ap->next;
                recall = recall->next;
            }
    CHECK(!want && !ap && !recall);
    coco_eval_free(ev);
}

TEST(golden_cases_give_what_cocos_evaluator_gives)
{
    struct arena a, one;
    struct err e;
    str text, line;
    int cases = 0;
    const struct json *j;

    arena_init(&a, 64 << 20);
    arena_init(&one, 64 << 20);
    CHECK_OK(os_read_file(&a, "tests/golden/measure/coco.jsonl", 1 << 20, &text, &e), &e);
    for (; str_line(&text, &line); cases++, arena_reset(&one)) {
        CHECK_OK(json_parse(&one, line, NULL, &j, &e), &e);
        check_case(j);
    }
    CHECK_EQ(cases, 32);
    arena_done(&one);
    arena_done(&a);
}

TEST(with_nothing_to_measure_there_is_no_value)
{
    struct coco_eval *ev = eval_of(3);
    double p[COCO_RECALLS];

    for (int i = 0; i < COCO_MEASURES; i++)
        CHECK(coco_eval_summary(ev)->v[i] == COCO_NONE);
    add(ev, NULL, 0, NULL, 0);
    add(ev, NULL, 0, (struct coco_detection[]){det(1, .5, 0, 0, 9, 9)}, 1);
    for (int i = 0; i < COCO_MEASURES; i++)
        CHECK(finished(ev)[i] == COCO_NONE);
    CHECK(coco_eval_class(ev, 1).ap == COCO_NONE && coco_eval_class(ev, 1).ar == COCO_NONE);
    CHECK_EQ(coco_eval_class(ev, 1).detections, 1);
    CHECK(!coco_eval_precision(ev, 0, 1, COCO_ALL, p));
    CHECK_EQ(coco_eval_images(ev), 2);
    coco_eval_free(ev);
}

TEST(objects_without_detections_count_zero)
{
    struct coco_eval *ev = eval_of(2);

    add(ev, (struct coco_truth[]){truth(0, 0, 0, 50, 50)}, 1, NULL, 0);
    CHECK(finished(ev)[COCO_AP] == 0 && finished(ev)[COCO_AR100] == 0);
    CHECK(finished(ev)[COCO_AP_SMALL] == COCO_NONE && finished(ev)[COCO_AP_MEDIUM] == 0);
    coco_eval_free(ev);
}

TEST(a_perfect_detector_scores_one_and_a_class_without_objects_stays_out)
{
    struct coco_eval *ev = eval_of(3);
    struct coco_truth t[] = {truth(0, 0, 0, 50, 50), truth(2, 60, 0, 10, 10)};
    struct coco_detection d[] = {det(0, .9, 0, 0, 50, 50), det(2, .8, 60, 0, 10, 10),
                                 det(1, .7, 0, 0, 50, 50)};

    add(ev, t, 2, d, 3);
    NEAR(finished(ev)[COCO_AP], 1);
    NEAR(finished(ev)[COCO_AP_SMALL], 1);
    NEAR(coco_eval_class(ev, 0).ap50, 1);
    CHECK(coco_eval_class(ev, 1).ap50 == COCO_NONE);
    coco_eval_free(ev);
}

TEST(broken_scores_are_ranked_by_a_rule)
{
    struct coco_eval *ev = eval_of(1);
    const double want[] = {INFINITY, 1, 0, -INFINITY, NAN};
    struct coco_detection d[] = {det(0, NAN, 0, 0, 9, 9), det(0, 0, 0, 0, 9, 9),
                                 det(0, -INFINITY, 0, 0, 9, 9), det(0, INFINITY, 0, 0, 9, 9),
                                 det(0, 1, 0, 0, 9, 9)};

    add(ev, (struct coco_truth[]){truth(0, 0, 0, 9, 9)}, 1, d, 5);
    finished(ev);
    CHECK_EQ(coco_eval_ranked_count(ev, 0), 5);
    for (size_t i = 0; i < 5; i++) {
        struct coco_ranked r = coco_eval_ranked(ev, 0, 0, i);
        CHECK(r.score == want[i] || (isnan(r.score) && isnan(want[i])));
        CHECK_EQ(r.matched, i == 0);
    }
    NEAR(finished(ev)[COCO_AP], 1);
    coco_eval_free(ev);
}

TEST(broken_boxes_are_false_positives)
{
    struct coco_eval *ev = eval_of(1);
    struct coco_truth t[] = {truth(0, 0, 0, 9, 9), truth(0, 3, 3, 0, 0)};
    struct coco_detection d[] = {det(0, .9, NAN, 0, 9, 9), det(0, .8, 0, 0, INFINITY, 9),
                                 det(0, .7, 3, 3, 0, 0), det(0, .6, 0, 0, 9, 9)};

    add(ev, t, 2, d, 4);
    NEAR(finished(ev)[COCO_AP50], 51 * .25 / 101); /* recall .5 at precision 1 / 4 */
    coco_eval_free(ev);
}

TEST(only_the_best_detections_of_a_picture_are_kept)
{
    struct coco_eval *ev = eval_of(1);
    struct coco_detection d[101];
    struct coco_truth t = truth(0, 0, 0, 9, 9);

    for (int i = 0; i < 101; i++)
        d[i] = det(0, .5, 50, 50, 9, 9);
    d[100] = det(0, .4, 0, 0, 9, 9);
    add(ev, &t, 1, d, 101);
    CHECK(finished(ev)[COCO_AR100] == 0);
    CHECK_EQ(coco_eval_ranked_count(ev, 0), 100);
    d[100].score = .6;
    add(ev, &t, 1, d, 101);
    CHECK(finished(ev)[COCO_AR1] == .5 && finished(ev)[COCO_AR100] == .5);
    coco_eval_free(ev);
}

TEST(a_picture_that_is_refused_leaves_nothing)
{
    struct coco_eval *ev = eval_of(2);
    struct coco_options masks = coco_options_default(COCO_MASKS);
    struct coco_truth t[] = {truth(0, 0, 0, 9, 9), truth(2, 0, 0, 9, 9)};
    struct coco_detection d[] = {det(0, .5, 0, 0, 9, 9), det(-1, .5, 0, 0, 9, 9)};
    struct err e;

    CHECK_EQ(coco_eval_add(ev, &(struct coco_image){t, 2, d, 1}, &e), RC_INVALID);
    CHECK(strstr(e.text, "object 1 is of class 2"));
    CHECK_EQ(coco_eval_add(ev, &(struct coco_image){t, 1, d, 2}, &e), RC_INVALID);
    CHECK(strstr(e.text, "detection 1 is of class -1"));
    CHECK_EQ(coco_eval_add(ev, &(struct coco_image){t, COCO_IMAGE_TRUTHS_MAX + 1, d, 0}, &e),
             RC_TOO_LARGE);
    CHECK_EQ(coco_eval_images(ev), 0);
    CHECK(finished(ev)[COCO_AP] == COCO_NONE);
    coco_eval_free(ev);
    CHECK_OK(coco_eval_new(&ev, 2, &masks, &e), &e);
    CHECK_EQ(coco_eval_add(ev, &(struct coco_image){t, 1, d, 0}, &e), RC_INVALID);
    CHECK(strstr(e.text, "no mask"));
    coco_eval_free(ev);
}

TEST(too_many_pairs_in_a_later_class_take_the_earlier_back)
{
    enum { MANY = 9000 }; /* with 1000 detections: over COCO_PAIRS_MAX */
    struct coco_options o = coco_options_default(COCO_BOXES);
    struct coco_truth *t = mem_alloc_array(MANY + 1, sizeof *t);
    struct coco_detection *d = mem_alloc_array(COCO_MAX_DETS_MAX + 1, sizeof *d);
    struct coco_eval *ev;
    struct err e;

    o.max_dets[2] = COCO_MAX_DETS_MAX;
    CHECK_OK(coco_eval_new(&ev, 2, &o, &e), &e);
    t[0] = truth(0, 0, 0, 9, 9);
    d[0] = det(0, .5, 0, 0, 9, 9);
    for (int i = 1; i <= MANY; i++)
        t[i] = truth(1, i, 0, 1, 1);
    for (int i = 1; i <= COCO_MAX_DETS_MAX; i++)
        d[i] = det(1, .5, i, 0, 1, 1);
    CHECK_EQ(coco_eval_add(ev, &(struct coco_image){t, MANY + 1, d, COCO_MAX_DETS_MAX + 1}, &e),
             RC_TOO_LARGE);
    CHECK(finished(ev)[COCO_AP] == COCO_NONE);
    CHECK_EQ(coco_eval_class(ev, 0).detections, 0);
    add(ev, t, 1, d, 1);
    NEAR(finished(ev)[COCO_AP], 1);
    coco_eval_free(ev);
    mem_free(t);
    mem_free(d);
}

TEST(options_out_of_range_are_refused)
{
    struct coco_options o = coco_options_default(COCO_BOXES), bad;
    struct coco_eval *ev = NULL;
    struct err e;

    CHECK_EQ(coco_eval_new(&ev, 0, &o, &e), RC_INVALID);
    CHECK_EQ(coco_eval_new(&ev, COCO_CLASSES_MAX + 1, &o, &e), RC_INVALID);
    bad = o, bad.ious_n = 0;
    CHECK_EQ(coco_eval_new(&ev, 1, &bad, &e), RC_INVALID);
    bad = o, bad.ious_n = COCO_IOUS_MAX + 1;
    CHECK_EQ(coco_eval_new(&ev, 1, &bad, &e), RC_INVALID);
    bad = o, bad.ious[0] = 0;
    CHECK_EQ(coco_eval_new(&ev, 1, &bad, &e), RC_INVALID);
    bad = o, bad.ious[1] = NAN;
    CHECK_EQ(coco_eval_new(&ev, 1, &bad, &e), RC_INVALID);
    bad = o, bad.max_dets[0] = 0;
    CHECK_EQ(coco_eval_new(&ev, 1, &bad, &e), RC_INVALID);
    bad = o, bad.max_dets[2] = COCO_MAX_DETS_MAX + 1;
    CHECK_EQ(coco_eval_new(&ev, 1, &bad, &e), RC_INVALID);
    bad = o, bad.areas[2][0] = NAN;
    CHECK_EQ(coco_eval_new(&ev, 1, &bad, &e), RC_INVALID);
    CHECK(!ev);
}

TEST(thresholds_of_ones_own)
{
    struct coco_options o = coco_options_default(COCO_BOXES);
    struct coco_eval *ev;
    struct err e;

    o.ious_n = 2;
    o.ious[0] = .3;
    o.ious[1] = 1;
    CHECK_OK(coco_eval_new(&ev, 1, &o, &e), &e);
    add(ev, (struct coco_truth[]){truth(0, 0, 0, 10, 10), truth(0, 50, 0, 10, 10)}, 2,
        (struct coco_detection[]){det(0, .9, 0, 0, 10, 4), det(0, .8, 50, 0, 10, 10)}, 2);
    CHECK(finished(ev)[COCO_AP50] == COCO_NONE);
    CHECK(coco_eval_class(ev, 0).ap50 == COCO_NONE);
    NEAR(coco_eval_ap(ev, 0, 0, COCO_ALL), 1);
    NEAR(coco_eval_ap(ev, 1, 0, COCO_ALL), 51 * .5 / 101);
    coco_eval_free(ev);
}

TEST(a_page_learns_who_met_whom)
{
    struct coco_truth t[] = {truth(5, 0, 0, 10, 10), truth(5, 40, 0, 10, 10),
                             truth(5, 100, 0, 50, 50), truth(7, 0, 0, 10, 10)};
    struct coco_detection d[] = {det(5, .5, 0, 0, 10, 10), /* second on truth 0 */
                                 det(5, .9, 0, 0, 10, 8),  /* first on it */
                                 det(5, .8, 100, 0, 5, 5),  det(5, .7, 110, 0, 5, 5), /* crowd */
                                 det(9, .6, 40, 0, 10, 10), det(5, .1, 40, 0, 10, 4)};
    struct coco_match dm[6], tm[4];
    struct err e;

    t[2].crowd = true;
    CHECK_OK(coco_match_image(&(struct coco_image){t, 4, d, 6}, COCO_BOXES, .5, dm, tm, &e), &e);
    CHECK(dm[1].other == 0 && dm[1].iou == .8 && !dm[1].ignored);
    CHECK(dm[0].other == -1 && dm[0].iou == 1 && !dm[0].ignored);
    CHECK(dm[2].other == 2 && dm[2].ignored && dm[2].iou == 1);
    CHECK(dm[3].other == 2 && dm[3].ignored);
    CHECK(dm[4].other == -1 && dm[4].iou == 0);
    CHECK(dm[5].other == -1);
    NEAR(dm[5].iou, .4);
    CHECK(tm[0].other == 1 && tm[0].iou == .8 && !tm[0].ignored);
    CHECK(tm[1].other == -1 && !tm[1].ignored && tm[3].other == -1);
    CHECK(tm[2].other == 2 && tm[2].ignored);
}

TEST(each_allocation_may_fail_and_nothing_counts_then)
{
    struct coco_truth t[] = {truth(0, 0, 0, 9, 9), truth(1, 0, 0, 9, 9), truth(2, 0, 0, 9, 9)};
    struct coco_detection d[] = {det(0, .5, 0, 0, 9, 9), det(1, .5, 0, 0, 9, 9),
                                 det(2, .5, 0, 0, 9, 9)};
    size_t live = mem_live_bytes();
    struct err e;

    for (long n = 0;; n++) {
        struct coco_eval *ev = NULL;
        CHECK(n < 100);
        mem_fail_at(n);
        enum rc rc = coco_eval_new(&ev, 3, NULL, &e);
        bool made = !rc;
        if (!rc)
            rc = coco_eval_add(ev, &(struct coco_image){t, 3, d, 3}, &e);
        bool fired = mem_fail_disarm();
        CHECK(fired ? rc == RC_NOMEM : !rc);
        if (made && rc) {
            for (uint32_t k = 0; k < 3; k++)
                CHECK(!ev->of[k].kept.n && !ev->of[k].truths[COCO_ALL]);
            CHECK_OK(coco_eval_add(ev, &(struct coco_image){t, 3, d, 3}, &e), &e);
        }
        if (made) {
            NEAR(finished(ev)[COCO_AP], 1);
            CHECK_EQ(coco_eval_images(ev), 1);
        }
        coco_eval_free(ev);
        CHECK_EQ(mem_live_bytes(), live);
        if (!fired)
            break;
    }
}

TEST(measures_have_keys)
{
    CHECK_STR(str_of(coco_measure_key(COCO_AP50)), "map50");
    CHECK_STR(str_of(coco_measure_key(COCO_AR_LARGE)), "ar_large");
    CHECK_STR(str_of(coco_measure_text(COCO_AP75)), "AP at IoU .75");
}
