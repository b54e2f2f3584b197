/* objects_test.c - whole jobs of detection and segmentation on pictures of coloured squares. */
#include "flow/worker/testbed.h"

#include "base/hash.h"
#include "engine/measure/rle.h"
#include "engine/model/net.h"
#include "spec/train.h"
#include <math.h>

enum { SIDE = 32, CLASSES = 2, TRAIN = 24, VAL = 6 };
static const str class_names[CLASSES] = {STR("blue"), STR("red")};

/* One or two squares on noise; each is a box and a polygon. */
struct scene_data {
    struct box boxes[2];
    struct polygon polygons[2];
    float xy[2][8];
};

static void square(struct image *im, const struct box *b)
{
    for (int y = (int)b->y; y < (int)(b->y + b->h); y++)
        for (int x = (int)b->x; x < (int)(b->x + b->w); x++) {
            uint8_t *p = im->rgb + (y * SIDE + x) * 3;
            p[0] = b->cls ? 230 : 20;
            p[1] = 30;
            p[2] = b->cls ? 20 : 230;
        }
}

static void put_scene(uint64_t n, enum task task, struct scene_data *d, struct sample *s)
{
    struct image im;
    struct err e;
    size_t count = 1 + n % 2;

    CHECK_OK(image_alloc(SIDE, SIDE, &im, &e), &e);
    for (int i = 0; i < SIDE * SIDE * 3; i++)
        im.rgb[i] = (uint8_t)(90 + rand_at(n, (uint64_t)i, 0, 0) % 40);
    for (size_t k = 0; k < count; k++) {
        float w = (float)(9 + rand_at(n, k, 1, 0) % 5), x = (float)(k * 16 + 1),
              y = (float)(rand_at(n, k, 2, 0) % 16);
        d->boxes[k] = (struct box){(int32_t)((n + k) % CLASSES), x, y, w, w};
        const float xy[8] = {x, y, x + w, y, x + w, y + w, x, y + w};
        memcpy(d->xy[k], xy, sizeof xy);
        d->polygons[k] = (struct polygon){d->boxes[k].cls, d->xy[k], 4};
        square(&im, &d->boxes[k]);
    }
    put_image(&im, s);
    image_done(&im);
    s->label = -1;
    s->boxes = d->boxes;
    s->boxes_n = task == TASK_DETECTION ? count : 0;
    s->polygons = d->polygons;
    s->polygons_n = task == TASK_SEGMENTATION ? count : 0;
}

static void make_scenes(enum task task, int train, int val)
{
    struct dataset_header h = {.task = task,
                               .classes = (str *)(uintptr_t)class_names,
                               .classes_n = CLASSES,
                               .images = (uint64_t)(train + val)};
    struct buf out;
    struct err e;

    place_dataset();
    h.splits[SPLIT_TRAIN] = (uint64_t)train;
    h.splits[SPLIT_VAL] = (uint64_t)val;
    buf_init(&out, 1 << 20);
    dataset_header_write(&h, &out);
    for (int i = 0; i < train + val; i++) {
        struct sample s = {.split = i < train ? SPLIT_TRAIN : SPLIT_VAL};
        struct scene_data d;
        char name[40];
        put_scene((uint64_t)i, task, &d, &s);
        snprintf(name, sizeof name, "%04d", i);
        s.name = str_of(name);
        sample_write(&s, &out);
    }
    CHECK_OK(os_write_file_durable(bed_manifest, buf_view(&out), 0600, &e), &e);
    buf_done(&out);
}

#define DETECT                                                                                     \
    "\"model\":\"detect-tiny\",\"image_size\":32,\"batch_size\":4,\"backend\":\"portable\","       \
    "\"threads\":1"

static const struct json *results_line(struct outcome *o, const struct report *r, int line)
{
    const struct json *j = NULL;
    str text = STR_NONE, rest, one = STR_NONE;
    struct err e;

    CHECK_OK(os_read_file(&o->a, arena_cstr(&o->a, r->validation.path), 16 << 20, &text, &e), &e);
    rest = text;
    for (int i = 0; i <= line; i++)
        CHECK(str_line(&rest, &one));
    CHECK_OK(json_parse(&o->a, one, NULL, &j, &e), &e);
    return j;
}

/* Of three epochs: one alone moves by a tenth with its random crops, more than ten epochs of so few
 * pictures bring. */
static double mean_loss(const struct outcome *o, int from)
{
    double sum = 0;

    for (int k = from; k < from + 3; k++)
        sum += metric(nth(o, REPORT_EPOCH, k), "train/loss");
    return sum / 3;
}

TEST(a_detector_learns_and_its_results_hold_truths_matches_and_curves)
{
    struct outcome o;
    const struct report *last;
    const struct json *head, *row;
    int64_t matched = 0, missed = 0;

    make_scenes(TASK_DETECTION, TRAIN, VAL);
    run_here("train",
             "{" DETECT ",\"epochs\":12,\"mosaic\":0,\"scale\":0.1,\"optimizer\":\"sgd\","
             "\"learning_rate\":0.02}",
             "a", NULL, &o);
    CHECK_EQ(o.last->kind, REPORT_COMPLETED);
    CHECK_STR(o.last->best.metric, "map50");
    last = nth(&o, REPORT_EPOCH, o.last->best.epoch - 1);
    CHECK(metric(last, "train/box_loss") > 0 && metric(last, "train/dfl_loss") > 0);
    CHECK(mean_loss(&o, 9) < mean_loss(&o, 0));
    CHECK(metric(last, "val/map50") == o.last->best.value);
    head = results_line(&o, last, 0);
    CHECK_STR(json_str(head, "task", STR("")), "detection");
    CHECK_EQ(json_get(head, "confusion")->list.count, CLASSES + 1);
    CHECK_EQ(json_get(json_get(head, "curves"), "f1")->list.count, 101);
    CHECK_EQ(json_get(head, "per_class")->list.count, CLASSES);
    for (int i = 0; i < VAL; i++) {
        row = results_line(&o, last, 1 + i);
        matched += json_int(row, "matched", -100);
        missed += json_int(row, "missed", -100);
        CHECK_EQ(json_get(row, "truths")->list.count, 1 + (TRAIN + i) % 2);
    }
    CHECK_EQ(matched + missed, VAL + VAL / 2);
    outcome_done(&o);
}

static const char *const resumable[] = {
    "{" DETECT ",\"epochs\":3,\"mosaic\":1,\"close_mosaic\":1}",
    "{" DETECT ",\"epochs\":3,\"multi_scale\":0.5,\"accumulate\":2,\"mixup\":0.5,\"optimizer\":"
    "\"adamw\",\"learning_rate\":0.001}"};

TEST(a_detector_resumed_from_any_checkpoint_gives_the_same_bytes)
{
    make_scenes(TASK_DETECTION, 10, 4);
    for (int k = 0; k < (int)(sizeof resumable / sizeof *resumable); k++) {
        struct outcome whole, part;
        char name[40];
        snprintf(name, sizeof name, "whole%d", k);
        run_here("train", resumable[k], name, NULL, &whole);
        CHECK_EQ(whole.last->kind, REPORT_COMPLETED);
        for (int i = 0; i < 2; i++) {
            snprintf(name, sizeof name, "part%d-%d", k, i);
            run_here("train", resumable[k], name, &nth(&whole, REPORT_CHECKPOINT, i)->checkpoint,
                     &part);
            same_end(&whole, &part);
            CHECK(str_eq(nth(&whole, REPORT_CHECKPOINT, 2)->checkpoint.state_sha256,
                         nth(&part, REPORT_CHECKPOINT, 1 - i)->checkpoint.state_sha256));
            CHECK(str_eq(nth(&whole, REPORT_EPOCH, 2)->validation.sha256,
                         nth(&part, REPORT_EPOCH, 1 - i)->validation.sha256));
            outcome_done(&part);
        }
        outcome_done(&whole);
    }
}

TEST(a_detector_is_the_same_on_any_number_of_threads)
{
    struct outcome one, three;

    make_scenes(TASK_DETECTION, 10, 4);
    run_here("train", "{" DETECT ",\"epochs\":1}", "one", NULL, &one);
    run_here("train",
             "{\"model\":\"detect-tiny\",\"image_size\":32,\"batch_size\":4,\"backend\":"
             "\"portable\",\"threads\":3,\"epochs\":1}",
             "three", NULL, &three);
    same_end(&one, &three);
    outcome_done(&one);
    outcome_done(&three);
}

TEST(testing_a_detector_repeats_the_validation_of_its_checkpoint)
{
    struct outcome o, t;
    struct checkpoint c;
    const struct report *last;

    make_scenes(TASK_DETECTION, 12, 4);
    run_here("train", "{" DETECT ",\"epochs\":2,\"mosaic\":0}", "a", NULL, &o);
    last = nth(&o, REPORT_EPOCH, 1);
    c = nth(&o, REPORT_CHECKPOINT, 1)->checkpoint;
    run_here("test", "{" DETECT ",\"epochs\":2}", "t", &c, &t);
    CHECK_EQ(t.last->kind, REPORT_COMPLETED);
    CHECK(fabs(metric(t.last, "val/map50") - metric(last, "val/map50")) < 1e-6);
    CHECK(t.last->validation.bytes > 0);
    outcome_done(&o);
    outcome_done(&t);
}

TEST(datasets_and_settings_that_cannot_teach_a_detector_are_refused)
{
    make_scenes(TASK_DETECTION, 10, 0);
    expect_failure("train", "{" DETECT "}", "a", "invalid_request", "'val'");
    make_scenes(TASK_DETECTION, 1, 2);
    expect_failure("train", "{" DETECT "}", "b", "invalid_request", "'red' has no example");
    make_scenes(TASK_DETECTION, 10, 2);
    expect_failure("train", "{\"model\":\"tiny\",\"epochs\":1}", "c", "invalid_request",
                   "the dataset is for detection");
    expect_failure("train", "{\"model\":\"detect-tiny\",\"image_size\":100,\"epochs\":1}", "d",
                   "invalid_request", "use 128");
    expect_failure("train", "{" DETECT ",\"epochs\":1,\"goal\":\"accuracy\"}", "e",
                   "invalid_request", "map50");
}

TEST(a_detector_whose_loss_explodes_fails_with_advice)
{
    make_scenes(TASK_DETECTION, 10, 2);
    expect_failure("train",
                   "{" DETECT
                   ",\"optimizer\":\"sgd\",\"epochs\":30,\"learning_rate\":10,\"weight_decay\":1,"
                   "\"warmup_epochs\":0,\"clip_norm\":0}",
                   "a", "diverged", "training loss is no longer");
}

/* ---- masks and areas */

TEST(a_name_of_a_network_says_its_task)
{
    size_t n;
    const struct net_card *cards = net_cards(&n);

    for (size_t i = 0; i < n; i++)
        CHECK_EQ((int)train_task_of(str_of(cards[i].name)), (int)cards[i].task);
}

#define SEGMENT                                                                                    \
    "\"model\":\"segment-tiny\",\"image_size\":32,\"batch_size\":4,\"backend\":"                   \
    "\"portable\",\"threads\":1"
#define SEMANTIC                                                                                   \
    "\"model\":\"semseg-tiny\",\"image_size\":32,\"batch_size\":4,\"backend\":"                    \
    "\"portable\",\"threads\":1"

TEST(instances_are_scored_by_box_and_mask_and_resume_exactly)
{
    static const char config[] = "{" SEGMENT ",\"epochs\":2,\"mosaic\":0.5}";
    struct outcome o, part;
    const struct report *last;
    const struct json *head, *row;

    make_scenes(TASK_SEGMENTATION, 12, 4);
    run_here("train", config, "a", NULL, &o);
    CHECK_EQ(o.last->kind, REPORT_COMPLETED);
    CHECK_STR(o.last->best.metric, "mask_map50");
    last = nth(&o, REPORT_EPOCH, 1);
    CHECK(metric(last, "train/mask_loss") > 0 && metric(last, "val/mask_map50") >= 0);
    head = results_line(&o, last, 0);
    CHECK(json_get(head, "mask_map75") && json_get(head, "map50"));
    row = results_line(&o, last, 1);
    CHECK(json_get(row, "truths")->list.count > 0);
    run_here("train", config, "b", &nth(&o, REPORT_CHECKPOINT, 0)->checkpoint, &part);
    same_end(&o, &part);
    CHECK(str_eq(last->validation.sha256, nth(&part, REPORT_EPOCH, 0)->validation.sha256));
    outcome_done(&part);
    outcome_done(&o);
}

/* The cells that a picture keeps are those of its pixels, the largest first; what was said of a
 * class has a mask over the picture. */
static void check_areas(const struct json *row)
{
    int64_t pixels = 0, last = INT64_MAX, right = 0, all = json_int(row, "pixels", 0);
    const struct json *list = json_get(row, "confused");

    JSON_EACH(cell, list) {
        const struct json *truth = cell->list.first, *said = truth->next;
        CHECK(said->next->i <= last && said->next->i > 0);
        last = said->next->i;
        pixels += last;
        right += truth->i == said->i ? last : 0;
    }
    CHECK(all > 0 && pixels == all);
    CHECK(fabs(json_num(row, "accuracy", -1) - (double)right / (double)all) < 1e-6);
    list = json_get(row, "areas");
    CHECK(list->list.count > 0);
    JSON_EACH(area, list) {
        const struct json *mask = json_get(area, "mask");
        struct rle drawn = {0};
        struct err e;
        if (!mask)
            continue;
        const struct json *h = json_get(mask, "size")->list.first;
        CHECK_OK(rle_from_text(json_str(mask, "counts", STR_NONE), (uint32_t)h->i,
                               (uint32_t)h->next->i, &drawn, &e),
                 &e);
        CHECK(rle_area(&drawn) > 0);
        rle_done(&drawn);
    }
}

TEST(areas_are_learned_scored_and_tested)
{
    struct outcome o, t;
    const struct report *last;
    const struct json *head;
    struct checkpoint c;

    make_scenes(TASK_SEGMENTATION, TRAIN, 4);
    run_here("train",
             "{" SEMANTIC ",\"epochs\":12,\"mosaic\":0,\"scale\":0.1,\"learning_rate\":0.05}", "a",
             NULL, &o);
    CHECK_EQ(o.last->kind, REPORT_COMPLETED);
    CHECK_STR(o.last->best.metric, "miou");
    last = nth(&o, REPORT_EPOCH, 11);
    if (metric(last, "val/accuracy") < 0.7)
        test_fail(__FILE__, __LINE__, "accuracy %g", metric(last, "val/accuracy"));
    head = results_line(&o, last, 0);
    CHECK_EQ(json_get(head, "classes")->list.count, CLASSES + 1); /* and background */
    CHECK_EQ(json_get(head, "confusion")->list.count, CLASSES + 1);
    for (int line = 1; line <= 4; line++)
        check_areas(results_line(&o, last, line));
    c = nth(&o, REPORT_CHECKPOINT, 11)->checkpoint;
    run_here("test", "{" SEMANTIC "}", "t", &c, &t);
    CHECK_EQ(t.last->kind, REPORT_COMPLETED);
    CHECK(fabs(metric(t.last, "val/miou") - metric(last, "val/miou")) < 1e-3);
    outcome_done(&t);
    outcome_done(&o);
}

TEST(boxes_are_never_taken_for_masks)
{
    make_scenes(TASK_DETECTION, 10, 2);
    expect_failure("train", "{" SEGMENT "}", "a", "invalid_request", "outlines");
    expect_failure("train", "{" SEMANTIC "}", "b", "invalid_request", "outlines");
}
