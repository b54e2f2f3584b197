/* png.c - PNG through libpng, with its memory from base/mem.h.
 *
 * Every kind (grey, palette, 1 to 16 bits, with tRNS or alpha, interlaced) is expanded to RGB or
 * RGBA of 8 bits by the library; transparency is laid on white here.  Colour profiles and gamma are
 * ignored, as the training world does.  Errors come by longjmp: what is needed after one lives in
 * struct job.
 */
#include "engine/feed/codec.h"

#include "base/mem.h"
#include <png.h>
#include <setjmp.h>

enum {
    PNG_CHUNKS_MAX = 4096,         /* ancillary chunks that libpng keeps */
    PNG_CHUNK_BYTES_MAX = 8 << 20, /* of one (text, profile), unpacked */
    PNG_DEFLATE_RATIO = 1032,      /* what deflate reaches at most (258 bytes for 2 bits) */
};

struct job {
    jmp_buf fail;
    char text[256];
    bool no_memory;
    png_structp png;
    png_infop info;
    str in;
    uint8_t *rgba; /* one row, or all of them where interlaced */
    struct image im;
    struct buf *out;
};

enum rc png_probe(str b, struct image_info *in, struct err *e)
{
    static const uint8_t channels_of[] = {1, 0, 3, 3, 2, 0, 4}; /* by colour type */
    uint8_t colour;

    if (b.n < 33 || be32(b.p + 8) != 13 || memcmp(b.p + 12, "IHDR", 4) != 0)
        return err_set(e, RC_CORRUPT, "corrupt PNG: no image header at its start");
    colour = (uint8_t)b.p[25];
    if (be32(b.p + 16) > INT32_MAX || be32(b.p + 20) > INT32_MAX || colour > 6 ||
        !channels_of[colour])
        return err_set(e, RC_CORRUPT, "corrupt PNG: its header contradicts itself");
    in->type = IMAGE_PNG;
    in->width = (int32_t)be32(b.p + 16);
    in->height = (int32_t)be32(b.p + 20);
    in->bits = colour == 3 ? 8 : (uint8_t)b.p[24];
    in->channels = channels_of[colour];

    uint64_t row_bits = (uint64_t)in->width * (colour == 3 ? 1 : in->channels) * (uint8_t)b.p[24];
    if (b.n * PNG_DEFLATE_RATIO < (row_bits + 7) / 8 * (uint64_t)in->height)
        return err_set(e, RC_CORRUPT,
                       "corrupt PNG: says it is %dx%d pixels, but %zu bytes cannot hold them",
                       in->width, in->height, b.n);
    for (size_t at = 8; at < b.n && b.n - at >= 12;) {
        size_t len = be32(b.p + at);
        if (len > b.n - at - 12)
            break;
        if (memcmp(b.p + at + 4, "eXIf", 4) == 0)
            in->orientation = exif_orientation((str){b.p + at + 8, len});
        at += 12 + len;
    }
    return RC_OK;
}

static _Noreturn void on_error(png_structp png, png_const_charp text)
{
    struct job *j = png_get_error_ptr(png);
    snprintf(j->text, sizeof j->text, "%s", text);
    longjmp(j->fail, 1);
}

/* Left-over pixels mean that the size in the header is a lie; the library only warns. */
static void on_warning(png_structp png, png_const_charp text)
{
    if (strstr(text, "Too much image data") || strstr(text, "Extra compressed data"))
        png_error(png, "it holds more data than the size it states");
}

static png_voidp on_malloc(png_structp png, png_alloc_size_t n)
{
    struct job *j = png_get_mem_ptr(png);
    void *p = mem_alloc(n);

    j->no_memory |= !p; /* libpng would call the picture corrupt */
    return p;
}

static void on_free(png_structp png, png_voidp p)
{
    (void)png;
    mem_free(p);
}

static void on_read(png_structp png, png_bytep to, size_t n)
{
    struct job *j = png_get_io_ptr(png);

    if (n > j->in.n)
        png_error(png, "it ends early");
    memcpy(to, j->in.p, n);
    j->in = str_sub(j->in, n, j->in.n);
}

static void on_write(png_structp png, png_bytep from, size_t n)
{
    struct job *j = png_get_io_ptr(png);
    buf_add(j->out, from, n);
}

static void on_flush(png_structp png)
{
    (void)png;
}

/* libpng allocates what a chunk says it holds before it reads that; so every length is compared
 * with the file first. */
static enum rc check_chunks(str b, struct err *e)
{
    size_t at = 8;

    while (b.n - at >= 12) {
        size_t len = be32(b.p + at);
        bool end = memcmp(b.p + at + 4, "IEND", 4) == 0;
        if (len > b.n - at - 12)
            break;
        at += 12 + len;
        if (end)
            return RC_OK;
    }
    return err_set(e, RC_CORRUPT, "corrupt PNG: it ends early");
}

/* Sets the conversions and reads the rows; j->im is allocated. */
static enum rc decode_rows(struct job *j, struct err *e)
{
    size_t w = (size_t)j->im.width, h = (size_t)j->im.height;
    bool alpha = (png_get_color_type(j->png, j->info) & PNG_COLOR_MASK_ALPHA) ||
                 png_get_valid(j->png, j->info, PNG_INFO_tRNS);
    int passes;

    png_set_expand(j->png);
    png_set_scale_16(j->png);
    png_set_gray_to_rgb(j->png);
    passes = png_set_interlace_handling(j->png);
    png_read_update_info(j->png, j->info);
    if (png_get_rowbytes(j->png, j->info) != w * (alpha ? 4 : 3))
        return err_set(e, RC_CORRUPT, "corrupt PNG: its header contradicts itself");
    if (alpha) {
        j->rgba = mem_alloc(w * 4 * (passes > 1 ? h : 1));
        if (!j->rgba)
            return err_set(e, RC_NOMEM, "no memory to decode a PNG of %zux%zu pixels", w, h);
    }
    for (int pass = 0; pass < passes; pass++) {
        for (size_t y = 0; y < h; y++) {
            uint8_t *rgb = j->im.rgb + y * w * 3;
            uint8_t *row = !alpha ? rgb : passes > 1 ? j->rgba + y * w * 4 : j->rgba;
            png_read_row(j->png, row, NULL);
            if (alpha && pass == passes - 1)
                rgba_on_white(row, w, rgb);
        }
    }
    png_read_end(j->png, NULL);
    return RC_OK;
}

static enum rc decode_job(struct job *j, const struct image_info *info, struct err *e)
{
    enum rc rc;

    if (setjmp(j->fail))
        return j->no_memory ? err_set(e, RC_NOMEM, "no memory to decode a PNG")
                            : err_set(e, RC_CORRUPT, "corrupt PNG: %s", j->text);
    j->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, j, on_error, on_warning, j,
                                      on_malloc, on_free);
    j->info = j->png ? png_create_info_struct(j->png) : NULL;
    if (!j->info)
        return err_set(e, RC_NOMEM, "no memory to decode a PNG");
    png_set_user_limits(j->png, (png_uint_32)info->width, (png_uint_32)info->height);
    png_set_chunk_cache_max(j->png, PNG_CHUNKS_MAX);
    png_set_chunk_malloc_max(j->png, PNG_CHUNK_BYTES_MAX);
    png_set_read_fn(j->png, j, on_read);
    png_read_info(j->png, j->info);
    rc = image_alloc(info->width, info->height, &j->im, e);
    return rc ? rc : decode_rows(j, e);
}

enum rc png_decode(str bytes, const struct image_info *info, struct image *ret, struct err *e)
{
    struct job j = {.in = bytes};
    enum rc rc = check_chunks(bytes, e);

    if (!rc)
        rc = decode_job(&j, info, e);
    png_destroy_read_struct(&j.png, &j.info, NULL);
    mem_free(j.rgba);
    if (rc)
        image_done(&j.im);
    else
        *ret = j.im;
    return rc;
}

static enum rc encode_job(struct job *j, const struct image *im, struct err *e)
{
    if (setjmp(j->fail))
        return j->no_memory ? err_set(e, RC_NOMEM, "no memory to encode a PNG")
                            : err_set(e, RC_INTERNAL, "encoding a PNG: %s", j->text);
    j->png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, j, on_error, on_warning, j,
                                       on_malloc, on_free);
    j->info = j->png ? png_create_info_struct(j->png) : NULL;
    if (!j->info)
        return err_set(e, RC_NOMEM, "no memory to encode a PNG");
    png_set_write_fn(j->png, j, on_write, on_flush);
    png_set_IHDR(j->png, j->info, (png_uint_32)im->width, (png_uint_32)im->height, 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(j->png, j->info);
    for (int32_t y = 0; y < im->height; y++)
        png_write_row(j->png, im->rgb + (size_t)y * (size_t)im->width * 3);
    png_write_end(j->png, NULL);
    return buf_ok(j->out, e);
}

enum rc image_encode_png(const struct image *im, struct buf *out, struct err *e)
{
    struct job j = {.out = out};
    enum rc rc = encode_job(&j, im, e);

    png_destroy_write_struct(&j.png, &j.info);
    return rc;
}
