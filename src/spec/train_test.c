/* train_test.c - the table of settings, its defaults by task, and the checks between settings. */
#include "spec/train.c"
#include "spec/train_task.c"

#include "base/test.h"

static struct arena arena;
static struct err err;

TEST(every_default_of_the_train_settings_lies_in_its_range)
{
    struct train_spec s = {0};
    struct buf b;
    struct jw w;
    struct train_spec again = {0};

    arena_init(&arena, 1 << 20);
    CHECK_OK(field_defaults(train_spec_fields, &s, &arena, &err), &err);
    CHECK_OK(train_spec_check(&s, NULL, &err), &err);
    buf_init(&b, 1 << 16);
    jw_init(&w, &b);
    field_write(train_spec_fields, &s, &w);
    CHECK_OK(field_read_text(train_spec_fields, buf_view(&b), &again, &arena, &err), &err);
    CHECK(again.epochs == s.epochs && again.learning_rate == s.learning_rate);
    for (const struct field *f = train_spec_fields; f->name; f++)
        CHECK(f->help && f->group && f->dflt);
    buf_done(&b);
    arena_done(&arena);
}

TEST(every_task_has_defaults_that_pass_its_own_checks_without_a_warning)
{
    static const char *const models[TRAIN_TASKS] = {"resnet18", "detect-n", "segment-s",
                                                    "semseg-n"};
    struct train_spec s, again;
    struct buf b;
    struct jw w;

    arena_init(&arena, 4 << 20);
    buf_init(&b, 1 << 16);
    for (int task = 0; task < TRAIN_TASKS; task++) {
        memset(&s, 0, sizeof s);
        memset(&again, 0, sizeof again);
        CHECK_EQ(train_task_of(str_of(models[task])), task);
        CHECK_OK(train_spec_read(NULL, str_of(models[task]), &s, &arena, &err), &err);
        CHECK_STR(s.model, models[task]);
        buf_clear(&b);
        jw_init(&w, &b);
        jw_arr(&w);
        CHECK_OK(train_spec_check(&s, &w, &err), &err);
        jw_arr_end(&w);
        CHECK_STR(buf_view(&b), "[]");
        buf_clear(&b);
        jw_init(&w, &b);
        field_write(train_spec_fields, &s, &w);
        CHECK_OK(train_spec_read_text(buf_view(&b), &again, &arena, &err), &err);
        for (const struct field *f = train_spec_fields; f->name; f++)
            CHECK(field_same(f, &s, &again));
    }
    buf_done(&b);
    arena_done(&arena);
}

TEST(the_model_decides_the_defaults_and_what_is_given_wins)
{
    struct train_spec s = {0};

    arena_init(&arena, 1 << 20);
    CHECK_OK(train_spec_read_text(STR("{\"learning_rate\":0.5,\"model\":\"detect-n\"}"), &s, &arena,
                                  &err),
             &err);
    CHECK(s.goal == GOAL_MAP50 && s.momentum == 0.937 && s.learning_rate == 0.5);
    CHECK_OK(train_spec_read_text(STR("{}"), &s, &arena, &err), &err);
    CHECK(s.goal == GOAL_ACCURACY && s.momentum == 0.9 && s.ema == 0 && s.learning_rate == 0.05);
    CHECK_OK(train_spec_read_text(STR("{\"model\":\"efficientnet-b0\"}"), &s, &arena, &err), &err);
    CHECK(s.learning_rate == 0.01 && s.momentum == 0.9);
    CHECK_OK(train_spec_read_text(STR("{\"model\":\"detect-n\",\"epochs\":2}"), &s, &arena, &err),
             &err);
    CHECK(s.warmup_epochs == 1 && train_spec_check(&s, NULL, &err) == RC_OK);
    CHECK(train_spec_read_text(STR("{\"model\":7}"), &s, &arena, &err) == RC_INVALID);
    CHECK(train_spec_read_text(STR("[]"), &s, &arena, &err) == RC_INVALID);
    arena_done(&arena);
}

TEST(a_goal_of_another_task_is_refused_and_an_idle_setting_is_told)
{
    struct train_spec s = {0};
    struct buf b;
    struct jw w;

    arena_init(&arena, 1 << 20);
    CHECK_OK(train_spec_read(NULL, STR("detect-n"), &s, &arena, &err), &err);
    s.goal = GOAL_ACCURACY;
    CHECK(train_spec_check(&s, NULL, &err) == RC_INVALID);
    CHECK_STR(str_of(err.field), "goal");
    CHECK(strstr(err.text, "map50, map"));
    s.goal = GOAL_MAP;
    s.crop_padding = 9;
    buf_init(&b, 1 << 16);
    jw_init(&w, &b);
    jw_arr(&w);
    CHECK_OK(train_spec_check(&s, &w, &err), &err);
    jw_arr_end(&w);
    CHECK(str_find(buf_view(&b), STR("\"crop_padding\"")) > 0);
    CHECK(str_find(buf_view(&b), STR("no effect on detection")) > 0);
    buf_done(&b);
    arena_done(&arena);
}

TEST(a_form_shows_what_applies_to_the_task_with_its_default)
{
    struct buf b;
    struct jw w;

    arena_init(&arena, 1 << 20);
    buf_init(&b, 1 << 18);
    jw_init(&w, &b);
    CHECK_OK(train_form(STR("detect-n"), &arena, &w, &err), &err);
    CHECK(str_find(buf_view(&b), STR("\"crop_padding\"")) < 0);
    CHECK(str_find(buf_view(&b), STR("\"mask_gain\"")) < 0);
    CHECK(str_find(buf_view(&b),
                   STR("\"name\":\"momentum\",\"type\":\"float\",\"default\":0.937")) > 0);
    buf_done(&b);
    arena_done(&arena);
}

TEST(every_variant_names_a_setting)
{
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        CHECK(field_find(train_spec_fields, str_of(variants[i].field)));
    for (size_t i = 0; i < sizeof own_defaults / sizeof *own_defaults; i++)
        CHECK(field_find(train_spec_fields, str_of(own_defaults[i].field)));
}

TEST(the_goal_decides_which_way_is_better)
{
    CHECK(train_goal_better(GOAL_ACCURACY, 0.9, 0.8) &&
          !train_goal_better(GOAL_ACCURACY, 0.8, 0.8));
    CHECK(train_goal_better(GOAL_LOSS, 0.1, 0.2) && !train_goal_better(GOAL_LOSS, 0.2, 0.1));
    CHECK(train_goal_better(GOAL_LOSS, 0.1, NAN) && !train_goal_better(GOAL_LOSS, NAN, 0.1));
}
