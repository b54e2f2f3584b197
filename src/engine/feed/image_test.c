/* image_test.c - pictures as they come: good, odd, cut short, and lying about their size. */
#include "base/test.h"
#include "engine/feed/image.c"
#include "engine/feed/jpeg.c"
#include <math.h>

#include <archive.h>
#include <archive_entry.h>
#include <png.h>
#include <webp/encode.h>

/* A smooth picture with a different ramp in each channel. */
static struct image ramp(int32_t w, int32_t h)
{
    struct image im;
    struct err e;
    CHECK_OK(image_alloc(w, h, &im, &e), &e);
    for (int32_t y = 0; y < h; y++)
        for (int32_t x = 0; x < w; x++) {
            uint8_t *p = im.rgb + ((size_t)y * (size_t)w + (size_t)x) * 3;
            p[0] = (uint8_t)(x * 255 / w);
            p[1] = (uint8_t)(y * 255 / h);
            p[2] = (uint8_t)((x + y) * 127 / (w + h));
        }
    return im;
}

static const uint8_t *at(const struct image *im, int32_t x, int32_t y)
{
    return im->rgb + ((size_t)y * (size_t)im->width + (size_t)x) * 3;
}

static bool near(const struct image *a, const struct image *b, int most)
{
    if (a->width != b->width || a->height != b->height)
        return false;
    for (size_t i = 0; i < (size_t)a->width * (size_t)a->height * 3; i++)
        if (abs(a->rgb[i] - b->rgb[i]) > most)
            return false;
    return true;
}

static struct buf jpeg_of(const struct image *im)
{
    struct buf b;
    struct err e;
    buf_init(&b, 64 << 20);
    CHECK_OK(image_encode_jpeg(im, 90, &b, &e), &e);
    return b;
}

static struct buf png_of(const struct image *im)
{
    struct buf b;
    struct err e;
    buf_init(&b, 64 << 20);
    CHECK_OK(image_encode_png(im, &b, &e), &e);
    return b;
}

static struct buf webp_of(const uint8_t *rgba, int w, int h)
{
    struct buf b;
    uint8_t *p = NULL;
    size_t n = WebPEncodeLosslessRGBA(rgba, w, h, w * 4, &p);
    CHECK(n > 0);
    buf_init(&b, 64 << 20);
    buf_add(&b, p, n);
    WebPFree(p);
    return b;
}

static void png_to_buf(png_structp png, png_bytep p, size_t n)
{
    buf_add(png_get_io_ptr(png), p, n);
}

static void png_no_flush(png_structp png)
{
    (void)png;
}

/* Any kind of PNG from raw rows of row_bytes. */
static struct buf png_kind(uint32_t w, uint32_t h, int bits, int colour, int interlace,
                           const uint8_t *rows, size_t row_bytes)
{
    static const png_color palette[2] = {{10, 20, 30}, {200, 100, 50}};
    struct buf b;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    uint8_t *row[16];

    CHECK(h <= 16);
    buf_init(&b, 1 << 20);
    png_set_write_fn(png, &b, png_to_buf, png_no_flush);
    png_set_IHDR(png, info, w, h, bits, colour, interlace, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (colour == PNG_COLOR_TYPE_PALETTE)
        png_set_PLTE(png, info, palette, 2);
    for (uint32_t y = 0; y < h; y++)
        row[y] = (uint8_t *)(uintptr_t)(rows + y * row_bytes);
    png_set_rows(png, info, row);
    png_write_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
    png_destroy_write_struct(&png, &info);
    return b;
}

static struct image decoded(const struct buf *b)
{
    struct image im;
    struct err e;
    CHECK_OK(image_decode(buf_view(b), NULL, 0, &im, &e), &e);
    return im;
}

static void expect(str bytes, enum rc want, const char *part)
{
    struct image im = {0};
    struct err e = {0};
    enum rc rc = image_decode(bytes, NULL, 0, &im, &e);
    if (rc != want || (part && !strstr(e.text, part)))
        test_fail(__FILE__, __LINE__, "%s '%s', not %s '%s'", rc_name(rc), e.text, rc_name(want),
                  part ? part : "");
    CHECK(!im.rgb);
}

TEST(png_and_jpeg_come_back)
{
    struct image im = ramp(61, 37), back;
    struct buf p = png_of(&im), j = jpeg_of(&im);
    struct image_info in;
    struct err e;

    back = decoded(&p);
    CHECK(near(&im, &back, 0));
    image_done(&back);
    back = decoded(&j);
    CHECK(near(&im, &back, 16));
    image_done(&back);
    CHECK_OK(image_probe(buf_view(&p), NULL, &in, &e), &e);
    CHECK(in.type == IMAGE_PNG && in.width == 61 && in.height == 37 && in.channels == 3);
    CHECK_OK(image_probe(buf_view(&j), NULL, &in, &e), &e);
    CHECK(in.type == IMAGE_JPEG && in.width == 61 && in.height == 37 && in.bits == 8);
    image_done(&im);
    buf_done(&p);
    buf_done(&j);
}

TEST(every_cut_of_a_file_is_an_error)
{
    struct image im = ramp(40, 24), dummy = {0};
    uint8_t rgba[40 * 24 * 4];
    struct err e;

    for (size_t i = 0; i < 40 * 24; i++) {
        memcpy(rgba + i * 4, im.rgb + i * 3, 3);
        rgba[i * 4 + 3] = (uint8_t)i;
    }
    struct buf all[3] = {jpeg_of(&im), png_of(&im), webp_of(rgba, 40, 24)};
    for (int k = 0; k < 3; k++) {
        for (size_t n = 0; n < all[k].n; n++) {
            /* A copy of exactly n bytes, so that the sanitizer sees a read behind the end.  RIFF
             * pads to even sizes: the last byte of a WebP may be padding. */
            char *cut = mem_alloc(n);
            memcpy(cut, all[k].p, n);
            enum rc rc = image_decode((str){cut, n}, NULL, 0, &dummy, &e);
            mem_free(cut);
            if (rc == RC_OK && k == 2 && n == all[k].n - 1) {
                image_done(&dummy);
                continue;
            }
            CHECK(rc == RC_CORRUPT || (rc == RC_UNSUPPORTED && n < 12));
            CHECK(!dummy.rgb);
        }
        struct image whole = decoded(&all[k]);
        image_done(&whole);
        buf_done(&all[k]);
    }
    image_done(&im);
}

TEST(a_size_that_the_bytes_cannot_hold_is_a_lie)
{
    struct image im = ramp(64, 64);
    struct buf j = jpeg_of(&im), p = png_of(&im);
    ptrdiff_t sof = str_find(buf_view(&j), STR("\xff\xc0"));

    CHECK(sof > 0);
    memcpy(j.p + sof + 5, "\xff\xff\xff\xff", 4);
    expect(buf_view(&j), RC_CORRUPT, "cannot hold");
    memcpy(j.p + sof + 5, "\x75\x30\x75\x30", 4); /* 30000 x 30000 */
    expect(buf_view(&j), RC_CORRUPT, "cannot hold");
    memcpy(j.p + sof + 5, "\x00\x80\x00\x40", 4); /* twice the height */
    expect(buf_view(&j), RC_CORRUPT, "corrupt JPEG");
    memcpy(j.p + sof + 5, "\x00\x20\x00\x40", 4); /* half of it */
    expect(buf_view(&j), RC_CORRUPT, "more data");
    memcpy(j.p + sof + 5, "\x00\x00\x00\x40", 4);
    expect(buf_view(&j), RC_CORRUPT, "64x0");
    memcpy(p.p + 16, "\x00\x00\x75\x30\x00\x00\x75\x30", 8);
    expect(buf_view(&p), RC_CORRUPT, "cannot hold");
    memcpy(p.p + 16, "\x00\x00\x00\x40\x00\x00\x00\x80", 8);
    expect(buf_view(&p), RC_CORRUPT, "CRC");
    image_done(&im);
    buf_done(&j);
    buf_done(&p);
}

static void put_be32(char *to, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        to[i] = (char)(v >> (24 - 8 * i));
}

/* The checksum of a PNG chunk (ISO 3309), over its type and data. */
static uint32_t chunk_crc(const char *p, size_t n)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < n; i++) {
        crc ^= (uint8_t)p[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

/* The header's checksum set right, so that only the data can tell. */
static void png_set_height(struct buf *p, uint32_t h)
{
    put_be32(p->p + 20, h);
    put_be32(p->p + 29, chunk_crc(p->p + 12, 17));
}

TEST(a_png_with_a_false_height_is_corrupt)
{
    struct image im = ramp(64, 64);
    struct buf p = png_of(&im);
    png_set_height(&p, 63);
    expect(buf_view(&p), RC_CORRUPT, "more data");
    png_set_height(&p, 65);
    expect(buf_view(&p), RC_CORRUPT, "corrupt PNG");
    png_set_height(&p, 64);
    struct image back = decoded(&p);
    CHECK(near(&im, &back, 0));
    image_done(&back);
    image_done(&im);
    buf_done(&p);
}

TEST(a_chunk_that_says_it_is_huge_costs_nothing)
{
    struct image im = ramp(8, 8);
    struct buf p = png_of(&im), big;

    /* behind the header (33 bytes), a chunk of 1.6 GB of which nothing is there */
    buf_init(&big, 1 << 20);
    buf_add(&big, p.p, 33);
    buf_add(&big,
            "\x60\x00\x00\x00"
            "eXIf",
            8);
    buf_add(&big, p.p + 33, p.n - 33);
    size_t before = mem_total_count();
    expect(buf_view(&big), RC_CORRUPT, "ends early");
    CHECK_EQ(mem_total_count(), before);
    image_done(&im);
    buf_done(&p);
    buf_done(&big);
}

TEST(other_formats_and_nothing_are_told_apart)
{
    expect(STR(""), RC_CORRUPT, "empty");
    expect(STR("GIF89a........................"), RC_UNSUPPORTED, "not a JPEG");
    expect(STR("<svg xmlns='http://www.w3.org/2000/svg'/>"), RC_UNSUPPORTED, "not a JPEG");
    expect(STR("\xff\xd8\xff"), RC_CORRUPT, "before its size");
    expect(STR("\xff\xd8\xff\xda\x00\x02"), RC_CORRUPT, "frame header");
    expect(STR("\x89PNG\r\n\x1a\n"), RC_CORRUPT, "header");
    expect(STR("RIFF\x04\0\0\0WEBP"), RC_CORRUPT, "corrupt WebP");
    /* 12 bits a channel, lossless */
    expect(STR("\xff\xd8\xff\xc1\x00\x0b\x0c\x00\x10\x00\x10\x01\x01\x11\x00"), RC_UNSUPPORTED,
           "12 bits");
    expect(STR("\xff\xd8\xff\xc3\x00\x0b\x08\x00\x10\x00\x10\x01\x01\x11\x00"), RC_UNSUPPORTED,
           "SOF3");
}

TEST(limits_are_the_callers)
{
    struct image im = ramp(64, 32), out = {0};
    struct buf j = jpeg_of(&im);
    struct image_info in;
    struct err e;

    CHECK_EQ(image_decode(buf_view(&j), &(struct image_limits){.side_max = 63}, 0, &out, &e),
             RC_TOO_LARGE);
    CHECK_EQ(image_probe(buf_view(&j), &(struct image_limits){.pixels_max = 2047}, &in, &e),
             RC_TOO_LARGE);
    CHECK(strstr(e.text, "64x32"));
    CHECK_OK(image_decode(buf_view(&j), &(struct image_limits){2048, 64}, 0, &out, &e), &e);
    image_done(&out);
    image_done(&im);
    buf_done(&j);
}

TEST(kinds_of_png_become_rgb)
{
    static const uint8_t grey[4] = {0, 64, 128, 255}, bits[1] = {0x40}, two[2] = {0, 1};
    static const uint8_t deep[6] = {0x80, 0x00, 0xff, 0xff, 0x00, 0x7f};
    static const uint8_t alpha[8] = {255, 0, 0, 255, 0, 0, 0, 0};
    static const uint8_t half[4] = {0, 0, 200, 128};
    struct buf b = png_kind(4, 1, 8, PNG_COLOR_TYPE_GRAY, 0, grey, 4);
    struct image im = decoded(&b);

    CHECK(memcmp(im.rgb, "\0\0\0\x40\x40\x40\x80\x80\x80\xff\xff\xff", 12) == 0);
    image_done(&im), buf_done(&b);
    b = png_kind(2, 1, 1, PNG_COLOR_TYPE_GRAY, 0, bits, 1);
    im = decoded(&b);
    CHECK(memcmp(im.rgb, "\0\0\0\xff\xff\xff", 6) == 0);
    image_done(&im), buf_done(&b);
    b = png_kind(2, 1, 8, PNG_COLOR_TYPE_PALETTE, 0, two, 2);
    im = decoded(&b);
    CHECK(im.rgb[0] == 10 && im.rgb[2] == 30 && im.rgb[3] == 200 && im.rgb[5] == 50);
    image_done(&im), buf_done(&b);
    b = png_kind(1, 1, 16, PNG_COLOR_TYPE_RGB, 0, deep, 6);
    im = decoded(&b);
    CHECK(im.rgb[0] == 128 && im.rgb[1] == 255 && im.rgb[2] == 0);
    image_done(&im), buf_done(&b);
    b = png_kind(2, 1, 8, PNG_COLOR_TYPE_RGBA, 0, alpha, 8); /* transparent is white */
    im = decoded(&b);
    CHECK(memcmp(im.rgb, "\xff\0\0\xff\xff\xff", 6) == 0);
    image_done(&im), buf_done(&b);
    b = png_kind(1, 1, 8, PNG_COLOR_TYPE_RGBA, PNG_INTERLACE_ADAM7, half, 4);
    im = decoded(&b);
    CHECK(im.rgb[0] == 127 && im.rgb[1] == 127 && im.rgb[2] == 227);
    image_done(&im), buf_done(&b);
}

TEST(grey_with_alpha_and_deep_grey_become_rgb)
{
    static const uint8_t grey_alpha[4] = {100, 255, 100, 0}, deep[4] = {0x40, 0x80, 0xff, 0x00};
    static const uint8_t deep_alpha[8] = {0x20, 0, 0xff, 0xff, 0x20, 0, 0, 0};
    struct buf b = png_kind(2, 1, 8, PNG_COLOR_TYPE_GRAY_ALPHA, 0, grey_alpha, 4);
    struct image im = decoded(&b);

    CHECK(memcmp(im.rgb, "ddd\xff\xff\xff", 6) == 0);
    image_done(&im), buf_done(&b);
    b = png_kind(2, 1, 16, PNG_COLOR_TYPE_GRAY, 0, deep, 4);
    im = decoded(&b);
    CHECK(im.rgb[0] == 0x40 && im.rgb[2] == 0x40 && im.rgb[3] == 0xfe); /* 65280 / 257 */
    image_done(&im), buf_done(&b);
    b = png_kind(2, 1, 16, PNG_COLOR_TYPE_GRAY_ALPHA, 0, deep_alpha, 8);
    im = decoded(&b);
    CHECK(im.rgb[0] == 0x20 && im.rgb[3] == 255);
    image_done(&im), buf_done(&b);
}

TEST(webp_alpha_is_laid_on_white)
{
    static const uint8_t rgba[8] = {10, 20, 30, 255, 0, 0, 0, 0};
    struct buf b = webp_of(rgba, 2, 1);
    struct image im = decoded(&b);
    CHECK(memcmp(im.rgb, "\x0a\x14\x1e\xff\xff\xff", 6) == 0);
    image_done(&im);
    buf_done(&b);
}

/* A JPEG of 16 x 16 pixels that are all alike; `space` of the pixel, `stored` in the file. */
static struct buf jpeg_kind(const uint8_t *pixel, int n, J_COLOR_SPACE space, J_COLOR_SPACE stored,
                            bool progressive)
{
    struct jpeg_compress_struct c = {0};
    struct job j = {0};
    static struct buf b;
    uint8_t row[16 * 4];
    JSAMPROW rp = row;

    buf_init(&b, 1 << 20);
    j.out = &b;
    hooks(&j);
    c.err = &j.mgr;
    if (setjmp(j.fail))
        test_fail(__FILE__, __LINE__, "%s", j.text);
    for (int i = 0; i < 16; i++)
        memcpy(row + i * n, pixel, (size_t)n);
    jpeg_create_compress(&c);
    j.dest.init_destination = dest_start;
    j.dest.empty_output_buffer = dest_full;
    j.dest.term_destination = dest_end;
    c.dest = &j.dest;
    c.image_width = c.image_height = 16;
    c.input_components = n;
    c.in_color_space = space;
    jpeg_set_defaults(&c);
    jpeg_set_colorspace(&c, stored);
    jpeg_set_quality(&c, 100, TRUE);
    if (progressive)
        jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    while (c.next_scanline < 16)
        (void)jpeg_write_scanlines(&c, &rp, 1);
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    return b;
}

TEST(kinds_of_jpeg_become_rgb)
{
    /* Adobe's CMYK is inverted: no cyan, half magenta, all yellow, no black */
    static const uint8_t cmyk[4] = {255, 128, 0, 255}, grey[1] = {77}, rgb[3] = {200, 100, 50};
    static const struct {
        const uint8_t *pixel;
        int n;
        J_COLOR_SPACE space, stored;
        bool progressive;
        uint8_t want[3];
    } kinds[] = {
        {cmyk, 4, JCS_CMYK, JCS_CMYK, false, {255, 128, 0}},
        {cmyk, 4, JCS_CMYK, JCS_YCCK, false, {255, 128, 0}},
        {cmyk, 4, JCS_CMYK, JCS_YCCK, true, {255, 128, 0}},
        {grey, 1, JCS_GRAYSCALE, JCS_GRAYSCALE, false, {77, 77, 77}},
        {rgb, 3, JCS_RGB, JCS_RGB, false, {200, 100, 50}},
        {rgb, 3, JCS_RGB, JCS_YCbCr, true, {200, 100, 50}},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct buf b = jpeg_kind(kinds[i].pixel, kinds[i].n, kinds[i].space, kinds[i].stored,
                                 kinds[i].progressive);
        struct image im = decoded(&b);
        const uint8_t *p = at(&im, 8, 8);
        for (int c = 0; c < 3; c++)
            CHECK(abs(p[c] - kinds[i].want[c]) <= 3);
        image_done(&im);
        buf_done(&b);
    }
}

TEST(columns_are_those_of_the_whole_picture)
{
    struct image im = ramp(320, 48), all;
    struct buf j = jpeg_of(&im), p = png_of(&im);
    struct image_columns c;
    struct err e;

    for (int32_t side = 0; side <= 12; side += 6) { /* at full size, a quarter and an eighth */
        CHECK_OK(image_decode(buf_view(&j), NULL, side, &all, &e), &e);
        for (int i = 0; i < 40; i++) {
            double from = i / 40.0, to = from + (1 - from) * (i % 7 + 1) / 7;
            CHECK_OK(image_decode_columns(buf_view(&j), NULL, side, from, to, &c, &e), &e);
            CHECK(c.full == all.width && c.im.height == all.height);
            CHECK(c.left <= from * all.width && c.left + c.im.width >= (int32_t)(to * all.width));
            int32_t first = (int32_t)(from * all.width), last = (int32_t)(to * all.width);
            for (int32_t y = 0; y < all.height; y++)
                CHECK(memcmp(at(&c.im, first - c.left, y), at(&all, first, y),
                             (size_t)(last - first) * 3) == 0);
            image_done(&c.im);
        }
        image_done(&all);
    }
    CHECK_OK(image_decode_columns(buf_view(&p), NULL, 0, 0.4, 0.5, &c, &e), &e);
    CHECK(c.left == 0 && c.full == 320 && c.im.width == 320); /* saves nothing in a PNG */
    image_done(&c.im);
    image_done(&im);
    buf_done(&j);
    buf_done(&p);
}

/* A JPEG with an EXIF block of one entry behind its start marker. */
static struct buf with_exif(const struct buf *jpeg, int orientation)
{
    char exif[] = "\xff\xe1\x00\x22"
                  "Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0";
    struct buf b;
    exif[4 + 6 + 8 + 2 + 9] = (char)orientation;
    buf_init(&b, 1 << 20);
    buf_add(&b, jpeg->p, 2);
    buf_add(&b, exif, 4 + 32);
    buf_add(&b, jpeg->p + 2, jpeg->n - 2);
    return b;
}

TEST(exif_orientation_turns_the_picture)
{
    /* where the stored top left corner (dark) is shown: EXIF 2.3, figure of tag 274 */
    static const struct {
        int o;
        bool right, bottom, swap;
    } want[] = {{1, 0, 0, 0}, {2, 1, 0, 0}, {3, 1, 1, 0}, {4, 0, 1, 0},
                {5, 0, 0, 1}, {6, 1, 0, 1}, {7, 1, 1, 1}, {8, 0, 1, 1}};
    struct image im;
    struct err e;

    CHECK_OK(image_alloc(32, 16, &im, &e), &e);
    memset(im.rgb, 255, 32 * 16 * 3);
    for (int y = 0; y < 8; y++)
        memset(im.rgb + y * 32 * 3, 0, 8 * 3);
    struct buf j = jpeg_of(&im);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        struct buf x = with_exif(&j, want[i].o);
        struct image_info in;
        struct image out = decoded(&x);
        CHECK_OK(image_probe(buf_view(&x), NULL, &in, &e), &e);
        CHECK_EQ(in.orientation, want[i].o);
        CHECK_EQ(out.width, want[i].swap ? 16 : 32);
        CHECK(in.width == out.width && in.height == out.height);
        for (int k = 0; k < 4; k++) {
            bool right = k & 1, bottom = k & 2;
            const uint8_t *p = at(&out, right ? out.width - 3 : 2, bottom ? out.height - 3 : 2);
            CHECK_EQ(p[0] < 60, right == want[i].right && bottom == want[i].bottom);
        }
        image_done(&out);
        buf_done(&x);
    }
    image_done(&im);
    buf_done(&j);
}

static const char tiff[] = "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";

TEST(exif_turns_png_and_webp_too)
{
    struct image im = ramp(32, 16);
    struct buf p = png_of(&im), x, w;
    uint8_t rgba[8 * 4 * 4];
    struct err e;
    struct image_info in;

    /* an eXIf chunk before the first IDAT */
    ptrdiff_t idat = str_find(buf_view(&p), STR("IDAT")) - 4;
    char chunk[8 + 26 + 4] = "\0\0\0\x1a"
                             "eXIf";
    memcpy(chunk + 8, tiff, 26);
    put_be32(chunk + 34, chunk_crc(chunk + 4, 30));
    buf_init(&x, 1 << 20);
    buf_add(&x, p.p, (size_t)idat);
    buf_add(&x, chunk, sizeof chunk);
    buf_add(&x, p.p + idat, p.n - (size_t)idat);
    struct image out = decoded(&x);
    CHECK(out.width == 16 && out.height == 32);
    CHECK(memcmp(at(&out, 15, 0), at(&im, 0, 0), 3) == 0); /* stored top left is shown top right */
    CHECK(memcmp(at(&out, 0, 31), at(&im, 31, 15), 3) == 0);
    image_done(&out);
    buf_done(&x);

    /* a WebP with a VP8X header that announces EXIF, and the block behind the picture */
    for (size_t i = 0; i < sizeof rgba; i++)
        rgba[i] = i % 4 == 3 ? 255 : (uint8_t)(i * 2);
    w = webp_of(rgba, 8, 4);
    buf_init(&x, 1 << 20);
    buf_add(&x, "RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x08\0\0\0\x07\0\0\x03\0\0", 30);
    buf_add(&x, w.p + 12, w.n - 12);
    buf_add(&x, "EXIF\x1a\0\0\0", 8);
    buf_add(&x, tiff, 26);
    for (int i = 0; i < 4; i++)
        x.p[4 + i] = (char)((x.n - 8) >> (8 * i));
    CHECK_OK(image_probe(buf_view(&x), NULL, &in, &e), &e);
    CHECK(in.orientation == 6 && in.width == 4 && in.height == 8);
    out = decoded(&x);
    CHECK(out.width == 4 && out.height == 8 && memcmp(at(&out, 3, 0), rgba, 3) == 0);
    image_done(&out);
    buf_done(&x);
    buf_done(&w);
    buf_done(&p);
    image_done(&im);
}

TEST(a_picture_of_no_pixels_is_said_to_be_one)
{
    struct image im = ramp(8, 8);
    struct buf p = png_of(&im);

    memcpy(p.p + 16, "\0\0\0\0\0\0\0\0", 8);
    expect(buf_view(&p), RC_CORRUPT, "0x0");
    expect(STR("\xff\xd8\xff\xc0\x00\x0b\x08\x00\x00\x00\x00\x01\x01\x11\x00"), RC_CORRUPT, "0x0");
    image_done(&im);
    buf_done(&p);
}

TEST(broken_exif_is_no_orientation)
{
    CHECK_EQ(exif_orientation(STR("")), 1);
    CHECK_EQ(exif_orientation(STR("II*\0\xff\xff\xff\xff")), 1);
    CHECK_EQ(exif_orientation(STR("II*\0\x08\0\0\0\xff\xff")), 1);
    CHECK_EQ(exif_orientation(STR("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x09\0\0\0")), 1);
    CHECK_EQ(exif_orientation(STR("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0")), 6);
    CHECK_EQ(exif_orientation(STR("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0")), 1);
}

TEST(scaled_decoding_keeps_the_side_that_was_asked_for)
{
    struct image im = ramp(640, 480), out;
    struct buf j = jpeg_of(&im);
    static const struct {
        int32_t min, w, h;
    } want[] = {{0, 640, 480},   {480, 640, 480}, {241, 640, 480},
                {240, 320, 240}, {100, 160, 120}, {1, 80, 60}};
    struct err e;

    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        CHECK_OK(image_decode(buf_view(&j), NULL, want[i].min, &out, &e), &e);
        CHECK_EQ(out.width, want[i].w);
        CHECK_EQ(out.height, want[i].h);
        image_done(&out);
    }
    image_done(&im);
    buf_done(&j);
}

TEST(resizing_is_the_triangle_filter)
{
    uint8_t px[4 * 3] = {0, 0, 255, 100, 0, 255, 200, 0, 255, 80, 0, 255};
    struct image im = {4, 1, px}, out;
    struct err e;

    CHECK_OK(image_resize(&im, 4, 1, &out, &e), &e);
    CHECK(memcmp(out.rgb, px, 12) == 0);
    image_done(&out);
    CHECK_OK(image_resize(&im, 2, 1, &out, &e), &e); /* weights 3 3 1 over 7, and 1 3 3 */
    CHECK_EQ(out.rgb[0], (0 * 3 + 100 * 3 + 200 + 3) / 7);
    CHECK_EQ(out.rgb[3], (100 + 200 * 3 + 80 * 3 + 3) / 7);
    CHECK(out.rgb[1] == 0 && out.rgb[2] == 255);
    image_done(&out);
    CHECK_OK(image_resize(&im, 8, 3, &out, &e), &e); /* between centres: 1/4 and 3/4 */
    CHECK_EQ(out.rgb[0], 0);
    CHECK_EQ(out.rgb[3], 25);
    CHECK_EQ(out.rgb[6], 75);
    CHECK_EQ(out.rgb[(8 * 2 + 7) * 3], 80);
    image_done(&out);
    /* only what lies in the rectangle counts */
    CHECK_OK(image_resize_rect(&im, (struct image_rect){1, 0, 2, 1}, 1, 1, &out, &e), &e);
    CHECK_EQ(out.rgb[0], 150);
    image_done(&out);
}

/* The formula of the header in double: rows first, rounded, then columns. */
static double triangle(const uint8_t *p, size_t step, int32_t size, int32_t i, int32_t n)
{
    double scale = (double)size / n, reach = scale > 1 ? scale : 1, centre = (i + 0.5) * scale;
    double sum = 0, all = 0;

    for (int32_t k = 0; k < size; k++) {
        double w = 1 - fabs(k + 0.5 - centre) / reach;
        sum += w > 0 ? w * p[(size_t)k * step] : 0;
        all += w > 0 ? w : 0;
    }
    return sum / all;
}

TEST(resizing_follows_the_formula_to_a_level_of_rounding)
{
    static const int32_t cases[][4] = {{64, 48, 23, 17}, {31, 7, 64, 20}, {17, 300, 17, 5},
                                       {5, 5, 1, 1},     {400, 3, 7, 3},  {48, 64, 47, 64}};
    struct image im, out;
    struct err e;

    for (size_t t = 0; t < sizeof cases / sizeof *cases; t++) {
        int32_t w = cases[t][0], h = cases[t][1], ow = cases[t][2], oh = cases[t][3];
        uint8_t column[400 * 3];
        CHECK_OK(image_alloc(w, h, &im, &e), &e);
        for (int32_t i = 0; i < w * h * 3; i++)
            im.rgb[i] = (uint8_t)rand_at(t, (uint64_t)i, 0, 0);
        CHECK_OK(image_resize(&im, ow, oh, &out, &e), &e);
        for (int32_t y = 0; y < oh; y++) {
            for (int32_t x = 0; x < w * 3; x++)
                column[x] = (uint8_t)(triangle(im.rgb + x, (size_t)w * 3, h, y, oh) + 0.5);
            for (int32_t x = 0; x < ow * 3; x++) {
                double want = triangle(column + x % 3, 3, w, x / 3, ow);
                CHECK(fabs(out.rgb[y * ow * 3 + x] - want) < 1.6); /* 0.5, and a row off by one */
            }
        }
        image_done(&out);
        image_done(&im);
    }
}

TEST(resizing_a_constant_changes_nothing_at_any_size)
{
    struct image im, out;
    struct err e;

    CHECK_OK(image_alloc(97, 53, &im, &e), &e);
    memset(im.rgb, 255, 97 * 53 * 3);
    for (int32_t n = 1; n < 200; n += 13) {
        CHECK_OK(image_resize_rect(&im, (struct image_rect){3.7, 2.1, 80.25, 49.5}, n, 201 - n,
                                   &out, &e),
                 &e);
        for (int32_t i = 0; i < n * (201 - n) * 3; i++)
            CHECK_EQ(out.rgb[i], 255);
        image_done(&out);
    }
    CHECK_OK(image_fit(&im, 20, &out, &e), &e);
    CHECK(out.width == 20 && out.height == 11);
    image_done(&out);
    image_done(&im);
}

TEST(each_failing_allocation_is_reported_and_nothing_leaks)
{
    struct image im = ramp(24, 24), out = {0};
    struct buf all[2] = {png_of(&im), jpeg_of(&im)};
    struct err e;

    image_done(&im);
    for (int k = 0; k < 2; k++) {
        for (long n = 0;; n++) {
            size_t before = mem_live_bytes();
            mem_fail_at(n);
            enum rc rc = image_decode(buf_view(&all[k]), NULL, 0, &out, &e);
            bool fired = mem_fail_disarm();
            if (!fired) {
                CHECK_OK(rc, &e);
                image_done(&out);
                break;
            }
            CHECK(rc != RC_OK);
            CHECK_EQ(mem_live_bytes(), before);
        }
        buf_done(&all[k]);
    }
}

/* The pictures of an archive under ../shared/data, one by one; -1 where it is not there. */
static int each_of(const char *zip, void (*fn)(str bytes))
{
    struct archive *a = archive_read_new();
    struct archive_entry *entry;
    int n = 0;

    archive_read_support_format_zip(a);
    if (archive_read_open_filename(a, zip, 1 << 16) != ARCHIVE_OK) {
        archive_read_free(a);
        printf("  skipped: %s is not there\n", zip);
        return -1;
    }
    while (archive_read_next_header(a, &entry) == ARCHIVE_OK) {
        str name = str_of(archive_entry_pathname(entry));
        size_t size = (size_t)archive_entry_size(entry);
        if (!str_ends(name, STR(".jpg")))
            continue;
        char *p = mem_alloc(size);
        CHECK(archive_read_data(a, p, size) == (la_ssize_t)size);
        fn((str){p, size});
        mem_free(p);
        n++;
    }
    archive_read_free(a);
    return n;
}

static void decode_and_probe(str b)
{
    struct image_info in;
    struct image im;
    struct err e;
    CHECK_OK(image_probe(b, NULL, &in, &e), &e);
    CHECK_OK(image_decode(b, NULL, 0, &im, &e), &e);
    CHECK(in.width == im.width && in.height == im.height);
    image_done(&im);
}

TEST(real_pictures_decode)
{
    int n = each_of("../shared/data/cifar10-small.zip", decode_and_probe);
    CHECK(n == -1 || n == 6000);
    n = each_of("../shared/data/receipts.zip", decode_and_probe);
    CHECK(n == -1 || n == 40);
}

TEST(pixels_of_a_canvas_are_laid_on_white_within_the_limits)
{
    const uint8_t rgba[] = {10, 20, 30, 255, 10, 20, 30, 0, 0, 0, 0, 51};
    const struct image_limits lim = {.side_max = 2};
    struct image im;
    struct err e;

    CHECK_OK(image_of_rgba(rgba, 3, 1, NULL, &im, &e), &e);
    CHECK(im.width == 3 && im.height == 1);
    CHECK(im.rgb[0] == 10 && im.rgb[1] == 20 && im.rgb[2] == 30);
    CHECK(im.rgb[3] == 255 && im.rgb[4] == 255 && im.rgb[5] == 255);
    CHECK(im.rgb[6] == 204 && im.rgb[8] == 204);
    image_done(&im);
    CHECK_EQ(image_of_rgba(rgba, 3, 1, &lim, &im, &e), RC_TOO_LARGE);
    CHECK_EQ(image_of_rgba(rgba, 0, 1, NULL, &im, &e), RC_CORRUPT);
    CHECK_EQ(image_of_rgba(rgba, 3, -1, NULL, &im, &e), RC_CORRUPT);
}
