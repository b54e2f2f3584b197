/* program_test.c - what does not fit together is refused, by name. */
#include "engine/export/program.c"

#include "engine/export/fixture.h"
#include <math.h>

/* The fixture with one thing changed, by `change`. */
static void refused(void (*change)(struct program *p), const char *why)
{
    struct program *p = fixture_program();
    struct err e = {0};

    change(p);
    CHECK_EQ(program_check(p, &e), RC_CORRUPT);
    if (str_find(str_of(e.text), str_of(why)) < 0)
        test_fail(__FILE__, __LINE__, "'%s' does not say '%s'", e.text, why);
    program_free(p);
}

static struct program_op *op_named(struct program *p, const char *name)
{
    const int v = program_find(p, str_of(name));

    for (int i = 0; i < p->op_count; i++)
        if (p->ops[i].out == v)
            return &p->ops[i];
    test_fail(__FILE__, __LINE__, "no operator %s", name);
}

#define CHANGE(id, ...)                                                                            \
    static void id(struct program *p)                                                              \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }
CHANGE(wide_window, op_named(p, "stem")->k = 5)
CHANGE(no_stride, op_named(p, "stem")->stride = 0)
CHANGE(pad_too_wide, op_named(p, "pooled")->pad = 2)
CHANGE(odd_groups, op_named(p, "deep")->group = 5)
CHANGE(self_made, op_named(p, "stem")->in[0] = program_find(p, STR("stem")))
CHANGE(later, op_named(p, "stem/relu")->in[0] = program_find(p, STR("gated")))
CHANGE(lost_axis, op_named(p, "joined")->axis = 4)
CHANGE(axis_of_batch, op_named(p, "softmax")->axis = 0)
CHANGE(other_count, op_named(p, "bins")->ints[3] = 50)
CHANGE(no_batch, op_named(p, "bins")->ints[0] = 4)
CHANGE(twice_the_same, op_named(p, "turned")->ints[1] = 1)
CHANGE(too_far, op_named(p, "cut")->to = 5)
CHANGE(backwards, op_named(p, "cut")->from = 3)
CHANGE(limits, op_named(p, "clipped")->low = 1)
CHANGE(not_a_limit, op_named(p, "clipped")->low = NAN)
CHANGE(huge, op_named(p, "doubled")->factor = PROGRAM_WINDOW_MAX + 1)
CHANGE(no_input, p->input = -1)
CHANGE(no_output, p->output_count = 0)
CHANGE(output_twice, program_output(p, p->outputs[0]))
CHANGE(constant_output, program_output(p, program_find(p, STR("half"))))
CHANGE(unfit, op_named(p, "gated")->in[1] = program_find(p, STR("stem")))


TEST(what_does_not_fit_is_refused_and_named)
{
    refused(wide_window, "its weights must be");
    refused(no_stride, "window is not sensible");
    refused(pad_too_wide, "more than half its window");
    refused(odd_groups, "groups do not fit");
    refused(self_made, "made later");
    refused(later, "made later");
    refused(lost_axis, "axis");
    refused(axis_of_batch, "axis");
    refused(other_count, "as many elements");
    refused(no_batch, "keep the batch");
    refused(twice_the_same, "permutation is none");
    refused(too_far, "range lies outside");
    refused(backwards, "range lies outside");
    refused(limits, "wrong order");
    refused(not_a_limit, "wrong order");
    refused(huge, "factor");
    refused(no_input, "no input");
    refused(no_output, "no output");
    refused(output_twice, "an output twice");
    refused(constant_output, "nothing makes");
    refused(unfit, "shapes that do not fit");
}

TEST(building_keeps_its_first_failure)
{
    const int64_t shape[1] = {4}, empty[1] = {0}, vast[2] = {1 << 20, 1 << 20};
    struct program *p = NULL;
    struct err e;
    float *data;

    CHECK_OK(program_new(&p, &e), &e);
    (void)program_constant(p, "a", 1, shape, &data);
    CHECK(data && !p->rc);
    (void)program_constant(p, "a", 1, shape, &data);
    CHECK(!data);
    (void)program_constant(p, "b", 1, empty, &data);
    (void)program_constant(p, "c", 2, vast, &data);
    CHECK_EQ(program_check(p, &e), RC_CORRUPT);
    CHECK_STR(str_of(e.text), "two values have one name: 'a'");
    program_free(p);
}
