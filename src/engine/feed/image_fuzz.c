/* image_fuzz.c - any bytes as a picture: first byte chooses side_min, the rest is the file. */
#include "engine/feed/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct image_limits lim = {.pixels_max = 1 << 18, .side_max = 4096};
    struct image_info in;
    struct image im = {0};
    struct err e;

    if (n < 1)
        return 0;
    str bytes = {(const char *)p + 1, n - 1};
    enum rc probed = image_probe(bytes, &lim, &in, &e);
    if (image_decode(bytes, &lim, p[0] & 1 ? p[0] : 0, &im, &e) == RC_OK) {
        ASSERT(probed == RC_OK);
        ASSERT((p[0] & 1) || (im.width == in.width && im.height == in.height));
        struct image out;
        if (image_resize(&im, 7, 5, &out, &e) == RC_OK)
            image_done(&out);
        image_done(&im);
    }
    struct image_columns c;
    if (image_decode_columns(bytes, &lim, p[0] & 1 ? p[0] : 0, p[0] / 512.0, p[0] / 512.0 + 0.5, &c,
                             &e) == RC_OK) {
        ASSERT(c.left >= 0 && c.left + c.im.width <= c.full);
        image_done(&c.im);
    }
    return 0;
}
