/* jpeg.c - JPEG through libjpeg-turbo.
 *
 * The library reports errors by longjmp, and warnings ("premature end of data") by default not at
 * all: it paints the rest grey.  Warnings that mean lost pixels are errors here; those about
 * harmless oddities of cameras (a few stray bytes between segments) are not, until the stray bytes
 * are an eighth of the file: then it is the stated size that lies.  What a function needs after a
 * longjmp lives in struct job, never in a local variable.
 *
 * Progressive files are limited in the number of scans (each scan costs a pass over the whole
 * picture, so a small file could otherwise buy minutes), and in the memory of their coefficients.
 */
#include "engine/feed/codec.h"

#include "base/mem.h"
#include <jerror.h>
#include <jpeglib.h>
#include <setjmp.h>

enum { JPEG_SCANS_MAX = 500, JPEG_HEAP_BYTES_MAX = 1 << 30, OUT_BYTES = 16384, COLUMNS_SLACK = 16 };

struct job {
    struct jpeg_error_mgr mgr; /* first: the library hands a pointer to it back */
    jmp_buf fail;
    char text[JMSG_LENGTH_MAX];
    bool nomem;
    size_t in_bytes, stray_bytes;
    struct jpeg_progress_mgr progress;
    uint8_t *row;                 /* CMYK only */
    struct image_columns columns; /* decoding */
    /* encoding */
    struct jpeg_destination_mgr dest;
    struct buf *out;
    uint8_t chunk[OUT_BYTES];
};

/* ---- probe */

static enum rc probe_frame(str seg, unsigned marker, struct image_info *in, struct err *e)
{
    if (seg.n < 6)
        return err_set(e, RC_CORRUPT, "corrupt JPEG: the frame header ends early");
    in->type = IMAGE_JPEG;
    in->bits = (uint8_t)seg.p[0];
    in->height = (int32_t)be16(seg.p + 1);
    in->width = (int32_t)be16(seg.p + 3);
    in->channels = (uint8_t)seg.p[5];
    if (marker == 0xc3 || (marker >= 0xc5 && marker <= 0xc7) || marker > 0xca)
        return err_set(e, RC_UNSUPPORTED,
                       "a lossless or hierarchical JPEG (SOF%u) is not supported", marker - 0xc0);
    if (in->bits != 8)
        return err_set(e, RC_UNSUPPORTED, "a JPEG of %d bits a channel is not supported", in->bits);
    if (in->channels != 1 && in->channels != 3 && in->channels != 4)
        return err_set(e, RC_UNSUPPORTED, "a JPEG of %d channels is not supported", in->channels);
    return RC_OK;
}

/* A block of 8x8 takes at least one bit in a Huffman-coded file, in whichever order it is sent;
 * an arithmetic coder (SOF9, SOF10) has no such bound. */
static enum rc probe_plausible(str b, unsigned marker, const struct image_info *in, struct err *e)
{
    uint64_t blocks = (uint64_t)((in->width + 7) / 8) * (uint64_t)((in->height + 7) / 8);

    if (marker < 0xc8 && b.n < blocks / 8)
        return err_set(e, RC_CORRUPT,
                       "corrupt JPEG: says it is %dx%d pixels, but %zu bytes cannot hold them",
                       in->width, in->height, b.n);
    return RC_OK;
}

enum rc jpeg_probe(str b, struct image_info *in, struct err *e)
{
    size_t at = 2;

    for (;;) {
        while (at < b.n && (uint8_t)b.p[at] != 0xff)
            at++; /* stray bytes, which libjpeg skips too */
        while (at < b.n && (uint8_t)b.p[at] == 0xff)
            at++;
        if (at >= b.n)
            return err_set(e, RC_CORRUPT, "corrupt JPEG: it ends before its size is stated");
        unsigned m = (uint8_t)b.p[at++];
        if (m == 0x00 || m == 0x01 || (m >= 0xd0 && m <= 0xd8))
            continue; /* stuffing and markers without a length */
        if (m == 0xd9 || m == 0xda)
            return err_set(e, RC_CORRUPT, "corrupt JPEG: data come before the frame header");
        if (b.n - at < 2 || be16(b.p + at) < 2 || be16(b.p + at) > b.n - at)
            return err_set(e, RC_CORRUPT, "corrupt JPEG: it ends inside segment %02X", m);
        str seg = {b.p + at + 2, be16(b.p + at) - 2};
        at += 2 + seg.n;
        if (m == 0xe1 && in->orientation == 1 && str_starts(seg, STR("Exif\0\0")))
            in->orientation = exif_orientation(seg);
        if (m >= 0xc0 && m <= 0xcf && m != 0xc4 && m != 0xc8 && m != 0xcc) {
            enum rc rc = probe_frame(seg, m, in, e);
            return rc ? rc : probe_plausible(b, m, in, e);
        }
    }
}

/* ---- the library's hooks */

static struct job *job_of(j_common_ptr c)
{
    return (struct job *)c->err;
}

static _Noreturn void on_error(j_common_ptr c)
{
    struct job *j = job_of(c);
    j->mgr.format_message(c, j->text);
    j->nomem = j->mgr.msg_code == JERR_OUT_OF_MEMORY;
    longjmp(j->fail, 1);
}

static void on_message(j_common_ptr c, int level)
{
    struct job *j = job_of(c);
    int code = c->err->msg_code;

    if (level >= 0 || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR ||
        code == JWRN_BOGUS_PROGRESSION)
        return;
    if (code == JWRN_EXTRANEOUS_DATA) {
        j->stray_bytes += (size_t)c->err->msg_parm.i[0];
        if (j->stray_bytes < j->in_bytes / 8)
            return;
        snprintf(j->text, sizeof j->text, "it holds more data than the size it states");
        longjmp(j->fail, 1);
    }
    on_error(c);
}

static void on_progress(j_common_ptr c)
{
    struct job *j = job_of(c);

    if (c->is_decompressor && ((j_decompress_ptr)c)->input_scan_number > JPEG_SCANS_MAX) {
        snprintf(j->text, sizeof j->text, "more than %d scans", JPEG_SCANS_MAX);
        longjmp(j->fail, 1);
    }
}

static void hooks(struct job *j)
{
    jpeg_std_error(&j->mgr);
    j->mgr.error_exit = on_error;
    j->mgr.emit_message = on_message;
    j->progress.progress_monitor = on_progress;
}

/* ---- decode */

static unsigned scale_for(const struct image_info *info, int32_t side_min)
{
    int32_t side = info->width < info->height ? info->width : info->height;

    if (side_min > 0)
        for (unsigned d = 8; d > 1; d /= 2)
            if ((side + (int32_t)d - 1) / (int32_t)d >= side_min)
                return d;
    return 1;
}

/* Adobe writes CMYK inverted and says so by its marker. */
static void cmyk_row(const uint8_t *p, size_t n, bool inverted, uint8_t *rgb)
{
    for (size_t i = 0; i < n; i++, p += 4, rgb += 3) {
        unsigned k = inverted ? p[3] : 255u - p[3];
        for (int c = 0; c < 3; c++)
            rgb[c] = (uint8_t)(((inverted ? p[c] : 255u - p[c]) * k + 127u) / 255u);
    }
}

/* The library sends whole blocks, and its chroma is smoothed over two pixels, at the cut too: so
 * more than that is kept on both sides. */
static void cut_columns(struct jpeg_decompress_struct *d, struct job *j, double from, double to)
{
    double width = d->output_width;
    JDIMENSION left, n, right = (JDIMENSION)(to * width) + COLUMNS_SLACK;

    j->columns.full = (int32_t)d->output_width;
    left = from * width > COLUMNS_SLACK ? (JDIMENSION)(from * width) - COLUMNS_SLACK : 0;
    right = right < d->output_width ? right : d->output_width;
    n = right - left;
    if (n == d->output_width || d->out_color_space == JCS_CMYK)
        return;
    jpeg_crop_scanline(d, &left, &n);
    j->columns.left = (int32_t)left;
}

static enum rc decode_rows(struct jpeg_decompress_struct *d, struct job *j, struct err *e)
{
    bool cmyk = d->out_color_space == JCS_CMYK;
    enum rc rc;

    if (d->output_width == 0 || d->output_height == 0)
        return err_set(e, RC_CORRUPT, "corrupt JPEG: it has no pixels");
    rc = image_alloc((int32_t)d->output_width, (int32_t)d->output_height, &j->columns.im, e);
    if (rc)
        return rc;
    if (cmyk && !(j->row = mem_alloc((size_t)d->output_width * 4)))
        return err_set(e, RC_NOMEM, "no memory for a row of a picture");
    while (d->output_scanline < d->output_height) {
        uint8_t *to = j->columns.im.rgb + (size_t)d->output_scanline * d->output_width * 3;
        JSAMPROW row = cmyk ? j->row : to;
        if (jpeg_read_scanlines(d, &row, 1) != 1)
            return err_set(e, RC_CORRUPT, "corrupt JPEG: it ends early");
        if (cmyk)
            cmyk_row(j->row, d->output_width, d->saw_Adobe_marker, to);
    }
    (void)jpeg_finish_decompress(d); /* reads to the end marker */
    return RC_OK;
}

static enum rc decode_job(struct jpeg_decompress_struct *d, struct job *j, str bytes,
                          const struct image_info *info, int32_t side_min, double from, double to,
                          struct err *e)
{
    if (setjmp(j->fail)) {
        if (j->nomem)
            return err_set(e, RC_NOMEM, "no memory to decode a JPEG");
        return err_set(e, RC_CORRUPT, "corrupt JPEG: %s", j->text);
    }
    jpeg_create_decompress(d);
    d->mem->max_memory_to_use = JPEG_HEAP_BYTES_MAX;
    d->progress = &j->progress;
    jpeg_mem_src(d, (const unsigned char *)bytes.p, bytes.n);
    (void)jpeg_read_header(d, TRUE);
    if ((int32_t)d->image_width != info->width || (int32_t)d->image_height != info->height)
        return err_set(e, RC_CORRUPT, "corrupt JPEG: it states two sizes");
    d->out_color_space = d->num_components == 4 ? JCS_CMYK : JCS_RGB;
    d->scale_num = 1;
    d->scale_denom = scale_for(info, side_min);
    (void)jpeg_start_decompress(d);
    cut_columns(d, j, from, to);
    return decode_rows(d, j, e);
}

enum rc jpeg_decode(str bytes, const struct image_info *info, int32_t side_min, double from,
                    double to, struct image_columns *ret, struct err *e)
{
    struct jpeg_decompress_struct d = {0};
    struct job j = {.in_bytes = bytes.n};
    enum rc rc;

    hooks(&j);
    d.err = &j.mgr;
    rc = decode_job(&d, &j, bytes, info, side_min, from, to, e);
    jpeg_destroy_decompress(&d);
    mem_free(j.row);
    if (rc)
        image_done(&j.columns.im);
    else
        *ret = j.columns;
    return rc;
}

/* ---- encode */

static void dest_start(j_compress_ptr c)
{
    struct job *j = job_of((j_common_ptr)c);
    j->dest.next_output_byte = j->chunk;
    j->dest.free_in_buffer = OUT_BYTES;
}

static boolean dest_full(j_compress_ptr c)
{
    struct job *j = job_of((j_common_ptr)c);
    buf_add(j->out, j->chunk, OUT_BYTES);
    dest_start(c);
    return TRUE;
}

static void dest_end(j_compress_ptr c)
{
    struct job *j = job_of((j_common_ptr)c);
    buf_add(j->out, j->chunk, OUT_BYTES - j->dest.free_in_buffer);
}

static enum rc encode_job(struct jpeg_compress_struct *c, struct job *j, const struct image *im,
                          int quality, struct err *e)
{
    if (setjmp(j->fail))
        return err_set(e, j->nomem ? RC_NOMEM : RC_INTERNAL, "encoding a JPEG: %s", j->text);
    jpeg_create_compress(c);
    j->dest.init_destination = dest_start;
    j->dest.empty_output_buffer = dest_full;
    j->dest.term_destination = dest_end;
    c->dest = &j->dest;
    c->image_width = (JDIMENSION)im->width;
    c->image_height = (JDIMENSION)im->height;
    c->input_components = 3;
    c->in_color_space = JCS_RGB;
    jpeg_set_defaults(c);
    jpeg_set_quality(c, quality, TRUE);
    jpeg_start_compress(c, TRUE);
    while (c->next_scanline < c->image_height) {
        JSAMPROW row = im->rgb + (size_t)c->next_scanline * (size_t)im->width * 3;
        (void)jpeg_write_scanlines(c, &row, 1);
    }
    jpeg_finish_compress(c);
    return buf_ok(j->out, e);
}

enum rc image_encode_jpeg(const struct image *im, int quality, struct buf *out, struct err *e)
{
    struct jpeg_compress_struct c = {0};
    struct job j = {.out = out};
    enum rc rc;

    hooks(&j);
    c.err = &j.mgr;
    rc = encode_job(&c, &j, im, quality, e);
    jpeg_destroy_compress(&c);
    return rc;
}
