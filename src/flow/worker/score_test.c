/* score_test.c - measures of a classifier on numbers that can be worked out by hand. */
#include "base/test.h"
#include "flow/worker/score.c"

static bool close_to(double a, double b)
{
    return fabs(a - b) < 1e-12;
}

TEST(softmax_stands_large_numbers_and_sums_to_one)
{
    static const float big[] = {1000, 1000, -1000};
    double p[3];
    softmax(big, 3, p);
    CHECK(p[0] == 0.5 && p[1] == 0.5 && p[2] == 0);
}

TEST(the_largest_come_first_and_the_smaller_index_wins_a_tie)
{
    static const double p[] = {0.1, 0.3, 0.3, 0.05, 0.25};
    int32_t top[7];
    top_k(p, 5, 3, top);
    CHECK(top[0] == 1 && top[1] == 2 && top[2] == 4);
    top_k(p, 5, 1, top);
    CHECK_EQ(top[0], 1);
    top_k(p, 5, 7, top);
    CHECK(top[3] == 0 && top[4] == 3 && top[5] == -1 && top[6] == -1);
}

TEST(measures_of_a_small_confusion)
{
    /* label: predicted   0: 0 0 1   1: 1   2 (of 4 classes, 3 never occurs): 0 */
    static const struct {
        int32_t label, predicted;
    } rows[] = {{0, 0}, {0, 0}, {0, 1}, {1, 1}, {2, 0}};
    struct score s;
    struct err e;

    CHECK_OK(score_init(&s, 5, 4, &e), &e);
    for (size_t i = 0; i < 5; i++) {
        float logits[4] = {0, 0, 0, 0};
        logits[rows[i].predicted] = 2;
        score_add(&s, logits, rows[i].label);
    }
    score_finish(&s);
    CHECK(close_to(s.accuracy, 3.0 / 5));
    CHECK(close_to(s.top5, 1));
    double hit = -log(exp(2) / (exp(2) + 3)), miss = -log(1 / (exp(2) + 3));
    CHECK(close_to(s.loss, (3 * hit + 2 * miss) / 5));
    CHECK(close_to(s.precision, (2.0 / 3 + 1.0 / 2 + 0) / 3)); /* over the three that occur */
    CHECK(close_to(s.recall, (2.0 / 3 + 1 + 0) / 3));
    CHECK(close_to(s.f1, (2.0 / 3 + 2.0 / 3 + 0) / 3));
    CHECK(s.confusion[0 * 4 + 1] == 1 && s.confusion[2 * 4 + 0] == 1 &&
          s.confusion[3 * 4 + 3] == 0);
    score_done(&s);
}

TEST(top5_counts_the_fifth_and_not_the_sixth)
{
    static const float logits[] = {6, 5, 4, 3, 2, 1};
    struct score s;
    struct err e;
    CHECK_OK(score_init(&s, 2, 6, &e), &e);
    score_add(&s, logits, 4);
    CHECK_EQ(s.hits5, 1);
    score_add(&s, logits, 5);
    CHECK_EQ(s.hits5, 1);
    score_done(&s);
}

TEST(a_hopeless_picture_has_a_finite_loss)
{
    static const float logits[] = {1e4f, 0};
    struct score s;
    struct err e;
    CHECK_OK(score_init(&s, 1, 2, &e), &e);
    score_add(&s, logits, 1);
    score_finish(&s);
    CHECK(close_to(s.loss, 1e4));
    score_done(&s);
}

TEST(results_are_members_of_json_objects)
{
    static const float logits[] = {1, 3};
    static const str classes[] = {STR("cat"), STR("\"dog\"")};
    const struct json *j;
    struct score s;
    struct arena a;
    struct buf b;
    struct err e;
    struct jw w;

    CHECK_OK(score_init(&s, 1, 2, &e), &e);
    score_add(&s, logits, 0);
    score_finish(&s);
    buf_init(&b, 1 << 16);
    arena_init(&a, 1 << 16);
    jw_init(&w, &b);
    jw_obj(&w);
    score_write_head(&s, classes, &w);
    jw_obj_end(&w);
    CHECK_OK(json_parse(&a, buf_view(&b), NULL, &j, &e), &e);
    CHECK_EQ(json_get(j, "confusion")->list.count, 2);
    CHECK_EQ(json_get(j, "per_class")->list.count, 2);
    CHECK(json_num(j, "accuracy", 1) == 0);
    buf_clear(&b);
    jw_init(&w, &b);
    jw_obj(&w);
    score_write_row(&s, 0, &w);
    jw_obj_end(&w);
    CHECK_OK(json_parse(&a, buf_view(&b), NULL, &j, &e), &e);
    CHECK_EQ(json_int(j, "predicted", -1), 1);
    CHECK(json_num(j, "confidence", 0) == 0.880797);
    CHECK_EQ(json_get(j, "top")->list.count, 2);
    arena_done(&a);
    buf_done(&b);
    score_done(&s);
}

TEST(many_classes_have_no_matrix)
{
    struct score s;
    struct err e;
    CHECK_OK(score_init(&s, 0, SCORE_CONFUSION_CLASSES_MAX + 1, &e), &e);
    CHECK(!s.confusion);
    score_finish(&s);
    CHECK(s.accuracy == 0);
    score_done(&s);
}
