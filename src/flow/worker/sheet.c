/* sheet.c - see sheet.h. */
#include "flow/worker/sheet.h"

#include "engine/draw/draw.h"
#include "os/os.h"
#include <math.h>

enum {
    CELL_MIN = 128, /* small inputs are enlarged by a whole factor */
    CELL_MAX = 256,
    GAP = 4,
    BOXES_MAX = 200,
    QUALITY = 88,
    INFO_BYTES_MAX = 256 << 10,
    JPEG_BYTES_MAX = 8 << 20,
};
static const double SHARE_MIN = 0.1;

struct sheet {
    struct train *t;
    struct image all;
    struct buf info;
    struct jw w;
    int32_t cell, n;
};

static int32_t cell_of(int32_t size)
{
    if (size >= CELL_MIN)
        return size < CELL_MAX ? size : CELL_MAX;
    return size * ((CELL_MIN + size - 1) / size);
}

/* ---- pixels */

/* The input back to bytes, upright as the network sees it. */
static enum rc picture_of(const struct frame *f, const float *x, int32_t size, struct image *ret,
                          struct err *e)
{
    size_t pixels = (size_t)size * (size_t)size;
    enum rc rc = image_alloc(size, size, ret, e);

    for (size_t i = 0; !rc && i < pixels; i++)
        for (int c = 0; c < 3; c++) {
            float v = (x[(size_t)c * pixels + i] * f->std[c] + f->mean[c]) * 255;
            ret->rgb[i * 3 + (size_t)c] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : lrintf(v));
        }
    return rc;
}

static void tint(uint8_t *rgb, int32_t cls)
{
    uint8_t colour[3];

    draw_colour(cls, colour);
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)((rgb[c] + colour[c]) / 2);
}

/* What the truth says of pixels: instances at a quarter of the size, or the class of each. */
static void tint_truth(const struct sheet *s, const struct batch *b, int32_t k, struct image *im)
{
    int32_t size = b->size, quarter = size / NET_MASK_STRIDE;
    const struct net_target *t = &b->target;

    for (int32_t y = 0; y < size; y++)
        for (int32_t x = 0; x < size; x++) {
            uint8_t *rgb = im->rgb + ((size_t)y * (size_t)size + (size_t)x) * 3;
            if (s->t->r->card->task == NET_SEGMENTATION && t->instances) {
                size_t at = ((size_t)k * (size_t)quarter + (size_t)(y / NET_MASK_STRIDE)) *
                                (size_t)quarter +
                            (size_t)(x / NET_MASK_STRIDE);
                if (t->instances[at])
                    tint(rgb, t->boxes[t->first[k] + t->instances[at] - 1].cls);
            } else if (s->t->r->card->task == NET_SEMANTIC && t->labels) {
                size_t at = ((size_t)k * (size_t)size + (size_t)y) * (size_t)size + (size_t)x;
                if (t->labels[at] != NET_LABEL_IGNORE &&
                    t->labels[at] != s->t->r->semantic.background)
                    tint(rgb, t->labels[at]);
            }
        }
}

static void paste(struct sheet *s, const struct image *im)
{
    int32_t x0 = (s->n % SHEET_COLUMNS) * (s->cell + GAP),
            y0 = (s->n / SHEET_COLUMNS) * (s->cell + GAP);

    for (int32_t y = 0; y < s->cell; y++)
        memcpy(s->all.rgb + ((size_t)(y0 + y) * (size_t)s->all.width + (size_t)x0) * 3,
               im->rgb + (size_t)y * (size_t)s->cell * 3, (size_t)s->cell * 3);
}

/* ---- labels */

static void write_labels(struct sheet *s, const struct batch *b, int32_t k)
{
    size_t classes = s->t->r->model->classes_n;

    jw_karr(&s->w, "labels");
    for (size_t c = 0; b->target.rows && c < classes; c++) {
        double share = b->target.rows[(size_t)k * classes + c];
        if (share < SHARE_MIN)
            continue;
        jw_arr(&s->w);
        jw_int(&s->w, (int64_t)c);
        jw_num(&s->w, round(share * 1000) / 1000);
        jw_arr_end(&s->w);
    }
    jw_arr_end(&s->w);
}

static void write_boxes(struct sheet *s, const struct batch *b, int32_t k)
{
    const struct net_target *t = &b->target;

    jw_karr(&s->w, "boxes");
    for (int32_t i = t->first ? t->first[k] : 0, n = 0;
         t->first && i < t->first[k + 1] && n < BOXES_MAX; i++, n++) {
        const struct net_box *box = &t->boxes[i];

        jw_arr(&s->w);
        jw_int(&s->w, box->cls);
        jw_num(&s->w, round(box->x0 * 10) / 10);
        jw_num(&s->w, round(box->y0 * 10) / 10);
        jw_num(&s->w, round((box->x1 - box->x0) * 10) / 10);
        jw_num(&s->w, round((box->y1 - box->y0) * 10) / 10);
        jw_arr_end(&s->w);
    }
    jw_arr_end(&s->w);
}

static enum rc add(struct sheet *s, const struct batch *b, int32_t k, struct err *e)
{
    size_t row = 3 * (size_t)b->size * (size_t)b->size;
    struct image im = {0}, shown = {0};
    enum rc rc = picture_of(&s->t->r->model->frame, b->x + (size_t)k * row, b->size, &im, e);

    if (!rc) {
        tint_truth(s, b, k, &im);
        rc = image_resize(&im, s->cell, s->cell, &shown, e);
    }
    if (!rc) {
        paste(s, &shown);
        jw_obj(&s->w);
        jw_kstr(&s->w, "name", s->t->r->samples.of[SPLIT_TRAIN][b->index[k]].name);
        jw_knum(&s->w, "size", b->size);
        write_labels(s, b, k);
        write_boxes(s, b, k);
        jw_obj_end(&s->w);
        s->n++;
    }
    image_done(&im);
    image_done(&shown);
    return rc;
}

static enum rc collect(struct sheet *s, struct err *e)
{
    const struct batch *b;
    enum rc rc = loader_start(s->t->train, 0, e);

    while (!rc && s->n < SHEET_PICTURES) {
        rc = run_check_cancel(e);
        if (!rc)
            rc = loader_next(s->t->train, &b, e);
        if (rc || !b)
            break;
        for (int32_t k = 0; !rc && k < b->n && s->n < SHEET_PICTURES; k++)
            rc = add(s, b, k, e);
    }
    return rc;
}

/* ---- the file */

static enum rc write_file(struct sheet *s, struct artifact *ret, struct err *e)
{
    struct arena *a = &s->t->r->arena;
    char *path = arena_printf(a, "%.*s/samples.jpg", STR_F(s->t->r->work.work_dir));
    char sha256[SHA256_HEX + 1];
    struct buf b;
    enum rc rc = path ? RC_OK : err_set(e, RC_NOMEM, "no memory for a path");

    buf_init(&b, JPEG_BYTES_MAX);
    if (!rc)
        rc = image_encode_jpeg(&s->all, QUALITY, &b, e);
    if (!rc)
        rc = os_write_file_durable(path, buf_view(&b), 0600, e);
    if (!rc) {
        sha256_hex(buf_view(&b), sha256);
        *ret = (struct artifact){.path = str_of(path),
                                 .type = STR("image/jpeg"),
                                 .bytes = (int64_t)b.n,
                                 .sha256 = arena_str(a, str_of(sha256)),
                                 .info = arena_str(a, buf_view(&s->info))};
        if (!ret->sha256.p || !ret->info.p)
            rc = err_set(e, RC_NOMEM, "no memory for the sheet of samples");
    }
    buf_done(&b);
    return rc;
}

static void write_head(struct sheet *s)
{
    const struct run *r = s->t->r;

    jw_obj(&s->w);
    jw_kint(&s->w, "columns", SHEET_COLUMNS);
    jw_kint(&s->w, "cell", s->cell);
    jw_kint(&s->w, "gap", GAP);
    jw_karr(&s->w, "classes");
    for (size_t c = 0; c < r->model->classes_n; c++)
        jw_str(&s->w, r->model->classes[c]);
    jw_arr_end(&s->w);
    jw_karr(&s->w, "pictures");
}

enum rc sheet_make(struct train *t, struct artifact *ret, struct err *e)
{
    size_t n = t->r->samples.n[SPLIT_TRAIN];
    int32_t pictures = n < SHEET_PICTURES ? (int32_t)n : SHEET_PICTURES;
    int32_t rows = (pictures + SHEET_COLUMNS - 1) / SHEET_COLUMNS;
    struct sheet s = {.t = t, .cell = cell_of(t->r->model->frame.size)};
    enum rc rc =
        image_alloc(SHEET_COLUMNS * (s.cell + GAP) - GAP, rows * (s.cell + GAP) - GAP, &s.all, e);

    if (rc)
        return rc;
    memset(s.all.rgb, 128, (size_t)s.all.width * (size_t)s.all.height * 3);
    buf_init(&s.info, INFO_BYTES_MAX);
    jw_init(&s.w, &s.info);
    write_head(&s);
    rc = collect(&s, e);
    jw_arr_end(&s.w);
    jw_obj_end(&s.w);
    if (!rc)
        rc = buf_ok(&s.info, e);
    if (!rc)
        rc = write_file(&s, ret, e);
    buf_done(&s.info);
    image_done(&s.all);
    return rc;
}
