/* webp.c - WebP through libwebp: lossy and lossless, with or without alpha; not animated.
 *
 * A lossless picture of one colour takes no bits at all a pixel, so there is no least size that
 * could show a lie in the header; the limits of image.c are the defence.
 */
#include "engine/feed/codec.h"

#include "base/mem.h"
#include <webp/decode.h>

static const char *status_text(VP8StatusCode s)
{
    return s == VP8_STATUS_NOT_ENOUGH_DATA ? "it ends early" : "its data are damaged";
}

enum rc webp_probe(str b, struct image_info *in, struct err *e)
{
    WebPBitstreamFeatures f;
    VP8StatusCode s = WebPGetFeatures((const uint8_t *)b.p, b.n, &f);

    if (s != VP8_STATUS_OK)
        return err_set(e, RC_CORRUPT, "corrupt WebP: %s", status_text(s));
    if (f.has_animation)
        return err_set(e, RC_UNSUPPORTED, "an animated WebP is not supported");
    in->type = IMAGE_WEBP;
    in->width = f.width;
    in->height = f.height;
    in->channels = f.has_alpha ? 4 : 3;
    in->bits = 8;
    for (size_t at = 12; at < b.n && b.n - at >= 8;) { /* RIFF: tag, length, data, even */
        size_t len = le32(b.p + at + 4);
        if (len > b.n - at - 8)
            break;
        if (memcmp(b.p + at, "EXIF", 4) == 0)
            in->orientation = exif_orientation((str){b.p + at + 8, len});
        at += 8 + len + (len & 1);
    }
    return RC_OK;
}

enum rc webp_decode(str b, const struct image_info *info, struct image *ret, struct err *e)
{
    size_t w = (size_t)info->width, h = (size_t)info->height, pixel = (size_t)info->channels;
    struct image im = {0};
    uint8_t *rgba = NULL, *ok = NULL;
    enum rc rc = image_alloc(info->width, info->height, &im, e);

    if (!rc && pixel == 4 && !(rgba = mem_alloc(w * h * 4)))
        rc = err_set(e, RC_NOMEM, "no memory to decode a WebP of %zux%zu pixels", w, h);
    if (!rc && pixel == 4)
        ok = WebPDecodeRGBAInto((const uint8_t *)b.p, b.n, rgba, w * h * 4, (int)(w * 4));
    else if (!rc)
        ok = WebPDecodeRGBInto((const uint8_t *)b.p, b.n, im.rgb, w * h * 3, (int)(w * 3));
    if (!rc && !ok)
        rc = err_set(e, RC_CORRUPT, "corrupt WebP: its data end early or are damaged");
    if (!rc && pixel == 4)
        rgba_on_white(rgba, w * h, im.rgb);
    mem_free(rgba);
    if (rc)
        image_done(&im);
    else
        *ret = im;
    return rc;
}
