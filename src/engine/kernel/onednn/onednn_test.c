/* onednn_test.c - oneDNN's slow reference implementation is refused, never used. */
#include "engine/kernel/onednn/onednn.c"

#include "base/test.h"

static struct onednn *library(void)
{
    struct onednn *o = NULL;
    struct err e;

    if (onednn_check(&e) == RC_UNAVAILABLE) {
        CHECK(e.text[0]); /* the reason */
        return NULL;
    }
    CHECK_OK(onednn_new(&o, 2, &e), &e);
    return o;
}

TEST(an_optimised_convolution_is_made_and_named)
{
    const struct conv_shape s = {
        .ic = 32, .oc = 64, .ih = 8, .iw = 8, .oh = 8, .ow = 8, .k = 1, .stride = 1};
    struct onednn *o = library();
    struct onednn_conv *c = NULL;
    struct err e;

    if (!o)
        return;
    CHECK_OK(onednn_conv_new(&c, o, &s, 2, true, ACT_NONE, false, &e), &e);
    CHECK(strstr(onednn_conv_name(c), "jit"));
    onednn_conv_free(c);
    onednn_free(o);
}

/* A 9x9 depthwise kernel over one pixel: nobody has optimised that. */
TEST(the_reference_implementation_is_refused_and_the_shape_named)
{
    const struct conv_shape s = {.ic = 32,
                                 .oc = 32,
                                 .ih = 1,
                                 .iw = 1,
                                 .oh = 1,
                                 .ow = 1,
                                 .k = 9,
                                 .stride = 1,
                                 .pad = 4,
                                 .depthwise = true};
    struct onednn *o = library();
    struct onednn_conv *c = NULL;
    struct err e = {0};

    if (!o)
        return;
    const enum rc rc = onednn_conv_new(&c, o, &s, 2, true, ACT_NONE, false, &e);
    if (rc == RC_OK) { /* a later oneDNN may have learnt it: then it must not be the reference */
        CHECK(!strstr(onednn_conv_name(c), "ref"));
        onednn_conv_free(c);
    } else {
        CHECK(rc == RC_UNAVAILABLE && c == NULL);
        CHECK(strstr(e.text, "depthwise 9x9 convolution"));
    }
    onednn_free(o);
}
