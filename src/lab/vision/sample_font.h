/* sample_font.h - private to the samples: the machine's fonts, drawn by FreeType on a canvas. */
#ifndef ANNEAL_LAB_VISION_SAMPLE_FONT_H
#define ANNEAL_LAB_VISION_SAMPLE_FONT_H

#include "lab/vision/sample_draw.h"

struct fonts;
/* Scans /usr/share/fonts, /usr/local/share/fonts and ~/.fonts for outline fonts that can write
 * ASCII's printable characters, in the order of their paths.  RC_UNAVAILABLE: there is none. */
enum rc fonts_open(struct fonts **ret, struct err *e) must_check;
void fonts_close(struct fonts *f);
size_t fonts_count(const struct fonts *f);
const char *fonts_name(const struct fonts *f, size_t i); /* "DejaVu Sans Bold" */
/* The fonts whose letters all have one width: what tills print with.  *ret_n may be 0. */
const size_t *fonts_mono(const struct fonts *f, size_t *ret_n);

struct pen {
    size_t font;
    double px;            /* size: pixels of an em */
    double rotate, shear; /* radians; of the letter about its origin */
    struct rgb colour;
    double alpha;
};
struct extent {
    double x0, y0, x1, y1, advance;
}; /* of the ink, y down, from the origin on the baseline */
enum rc font_extent(struct fonts *f, const struct pen *p, uint32_t letter, struct extent *ret,
                    struct err *e) must_check;
enum rc font_draw(struct fonts *f, const struct pen *p, uint32_t letter, struct canvas *to,
                  double x, double y, struct err *e) must_check;

#endif
