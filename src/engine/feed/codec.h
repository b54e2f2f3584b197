/* codec.h - private to feed/: what the three codecs share with image.c.
 *
 * Each decoder gets bytes whose header image_probe has already checked against the limits, and
 * returns the picture as stored; image.c turns it upright. */
#ifndef ANNEAL_ENGINE_FEED_CODEC_H
#define ANNEAL_ENGINE_FEED_CODEC_H

#include "engine/feed/image.h"

/* type, width and height as stored, channels, bits; orientation stays 1 unless EXIF says otherwise
 */
enum rc jpeg_probe(str bytes, struct image_info *ret, struct err *e) must_check;
enum rc png_probe(str bytes, struct image_info *ret, struct err *e) must_check;
enum rc webp_probe(str bytes, struct image_info *ret, struct err *e) must_check;

/* from, to: image_decode_columns; 0 and 1 are all of them. */
enum rc jpeg_decode(str bytes, const struct image_info *info, int32_t side_min, double from,
                    double to, struct image_columns *ret, struct err *e) must_check;
enum rc png_decode(str bytes, const struct image_info *info, struct image *ret,
                   struct err *e) must_check;
enum rc webp_decode(str bytes, const struct image_info *info, struct image *ret,
                    struct err *e) must_check;

/* Orientation (1..8) from a TIFF structure as EXIF carries it, with or without "Exif\0\0" before;
 * 1 when there is none or it is damaged: a broken annotation does not make a picture unreadable. */
int exif_orientation(str exif);

/* n pixels of RGBA over white, into RGB. */
void rgba_on_white(const uint8_t *rgba, size_t n, uint8_t *rgb);

static inline uint32_t be16(const char *p)
{
    const uint8_t *u = (const uint8_t *)p;
    return (uint32_t)u[0] << 8 | u[1];
}
static inline uint32_t be32(const char *p)
{
    return be16(p) << 16 | be16(p + 2);
}
static inline uint32_t le32(const char *p)
{
    const uint8_t *u = (const uint8_t *)p;
    return u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

#endif
