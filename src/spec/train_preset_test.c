/* train_preset_test.c - every preset is valid for every task, own settings win, wrong names are
 * told.
 */
#include "base/test.h"
#include "spec/train_preset.c"

static const char *const models[TRAIN_TASKS] = {"resnet18", "detect-n", "segment-n", "semseg-n"};

static struct train_spec spec_of(const char *preset, const char *config, const char *model,
                                 struct arena *a)
{
    const struct json *own = NULL, *all = NULL;
    struct train_spec s = {0};
    struct err e;

    if (config)
        CHECK_OK(json_parse(a, str_of(config), NULL, &own, &e), &e);
    CHECK_OK(train_preset_merge(str_of(preset), own, str_of(model), a, &all, &e), &e);
    CHECK_OK(train_spec_read(all, str_of(model), &s, a, &e), &e);
    return s;
}

TEST(each_preset_gives_valid_settings_for_each_task)
{
    struct arena a;
    struct err e;

    arena_init(&a, 16 << 20);
    for (const struct train_preset *p = train_presets; p->name; p++)
        for (int t = 0; t < TRAIN_TASKS; t++) {
            struct train_spec s = spec_of(p->name, NULL, models[t], &a);

            CHECK_OK(train_spec_check(&s, NULL, &e), &e);
            CHECK(p->title[0] && p->help[0]);
        }
    arena_done(&a);
}

TEST(every_setting_of_the_table_exists_and_applies)
{
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const struct field *f = field_find(train_spec_fields, str_of(settings[i].field));
        const struct train_preset *p = NULL;
        struct err e;

        CHECK(f != NULL);
        CHECK_OK(find(str_of(settings[i].preset), &p, &e), &e);
        for (int t = 0; t < TRAIN_TASKS; t++)
            CHECK(!settings[i].value[t] || train_field_applies(f, (enum train_task)t));
    }
}

TEST(own_settings_win_over_the_preset_and_the_preset_over_the_default)
{
    struct arena a;
    struct train_spec s;

    arena_init(&a, 16 << 20);
    s = spec_of("quick", "{\"epochs\":7,\"batch_size\":4}", "resnet18", &a);
    CHECK_EQ(s.epochs, 7);
    CHECK_EQ(s.batch_size, 4);
    CHECK(s.warmup_epochs == 0.5);
    CHECK_EQ(spec_of("thorough", "{\"model\":\"detect-n\"}", "", &a).epochs, 150);
    CHECK_EQ(spec_of("standard", NULL, "detect-n", &a).epochs, 50);
    CHECK_EQ(spec_of("quick", NULL, "", &a).epochs, 5);
    arena_done(&a);
}

TEST(an_unknown_preset_is_refused_with_those_there_are)
{
    const struct json *all;
    struct arena a;
    struct err e;

    arena_init(&a, 1 << 20);
    CHECK(train_preset_merge(STR("fast"), NULL, STR(""), &a, &all, &e) == RC_INVALID);
    CHECK_STR(str_of(e.field), "preset");
    CHECK(strstr(e.text, "quick, standard, thorough, fine-tune"));
    CHECK(train_preset_merge(STR(""), NULL, STR(""), &a, &all, &e) == RC_INVALID);
    arena_done(&a);
}
