/* cli_sample.c - `anneal sample`: pictures to try everything with, drawn by the program. */
#include "bin/cli.h"
#include "lab/vision/sample.h"

#include <stdio.h>
#include <string.h>

struct sample_flags {
    int64_t count, size, seed;
    bool zip;
    int layout;
};
#define S struct sample_flags
#define COMMON(count_text, size_text)                                                              \
    F_INT(S, count, .min = 0, .max = SAMPLE_COUNT_MAX,                                             \
          .help = "Pictures in all; " count_text "."),                                             \
        F_INT(S, size, .min = 0, .max = SAMPLE_SIZE_MAX, .help = size_text "."),                   \
        F_INT(S, seed, .dflt = "1", .min = 0, .max = 9007199254740991.0,                           \
              .help = "The same seed gives the same bytes."),                                      \
        F_BOOL(S, zip, .help = "Write one archive, DIR.zip, in place of a folder.")
static const struct field glyph_fields[] = {COMMON("else 3600", "Pixels of a side; else 32"),
                                            FIELD_END};
static const struct field shape_fields[] = {COMMON("else 500", "Pixels of a side; else 320"),
                                            F_ENUM(S, layout, sample_layout_names,
                                                   .dflt = "\"yolo\"",
                                                   .help = "YOLO with data.yaml, or Pascal VOC."),
                                            FIELD_END};
static const struct field receipt_fields[] = {
    COMMON("else 200", "Pixels of the longer side; else 960"), FIELD_END};
#undef S

static enum rc tick(void *ud, int64_t done, int64_t total, struct err *e)
{
    struct progress *p = ud;
    char text[64];

    snprintf(text, sizeof text, "%lld of %lld pictures", (long long)done, (long long)total);
    progress_show(p, "drawing", (double)done / (double)total, text);
    return RC_OK;
}

static void say_done(struct cli *c, const struct sample_spec *s, const struct sample_done *d)
{
    struct buf b;
    struct jw w;

    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kcstr(&w, "kind", sample_kind_names[s->kind]);
    jw_kcstr(&w, "path", s->dir);
    jw_kint(&w, "images", d->images);
    jw_kint(&w, "train", d->train);
    jw_kint(&w, "val", d->val);
    jw_kint(&w, "classes", d->classes);
    jw_kint(&w, "bytes", d->bytes);
    jw_kint(&w, "seed", s->seed);
    jw_obj_end(&w);
    cli_json_buf(c, &b);
    cli_say(c,
            "%s: %lld pictures (%lld train, %lld val), %s\n"
            "next: anneal dataset import %s --name %s\n",
            s->dir, (long long)d->images, (long long)d->train, (long long)d->val,
            cli_bytes(c->a, (double)d->bytes), s->dir, sample_kind_names[s->kind]);
}

static enum rc run_kind(struct cli *c, enum sample_kind kind, struct err *e)
{
    const struct sample_flags *f = c->flags;
    struct progress p = {.c = c};
    struct sample_done done;
    str dir = c->args[0];
    struct sample_spec s = {.kind = kind,
                            .zip = f->zip || str_iends(dir, STR(".zip")),
                            .layout = (enum sample_layout)f->layout,
                            .count = f->count,
                            .size = f->size,
                            .seed = f->seed};
    enum rc rc;

    while (s.zip && dir.n > 1 && dir.p[dir.n - 1] == '/')
        dir.n--;
    s.dir = arena_printf(c->a, "%.*s%s", STR_F(dir),
                         s.zip && !str_iends(dir, STR(".zip")) ? ".zip" : "");
    if (!s.dir)
        return cli_nomem(e);
    rc = sample_make(&s, tick, &p, &done, e);
    progress_end(&p);
    if (!rc)
        say_done(c, &s, &done);
    return rc;
}

static enum rc run_glyphs(struct cli *c, struct err *e)
{
    return run_kind(c, SAMPLE_GLYPHS, e);
}

static enum rc run_shapes(struct cli *c, struct err *e)
{
    return run_kind(c, SAMPLE_SHAPES, e);
}

static enum rc run_receipts(struct cli *c, struct err *e)
{
    return run_kind(c, SAMPLE_RECEIPTS, e);
}

#define ROW      .args = "DIR", .args_min = 1, .args_max = 1, .local = true
#define FLAGS(f) .flags = f, .flags_size = sizeof(struct sample_flags)
static const struct verb verbs[] = {
    {.name = "glyphs",
     ROW,
     FLAGS(glyph_fields),
     .summary = "Letters and digits in this machine's fonts, to classify.",
     .help =
         "An image folder of 36 classes: train/A/00001.png, val/A/00005.png.  Turned, slanted,\n"
         "shifted, coloured, blurred and noisy.  Needs an outline font (fonts-dejavu-core).\n",
     .examples = "  anneal sample glyphs letters                     # 3600 pictures, 32 pixels\n"
                 "  anneal sample glyphs letters --count 720 --size 64 --seed 7 --zip\n",
     .run = run_glyphs},
    {.name = "shapes",
     ROW,
     FLAGS(shape_fields),
     .summary = "Objects on textured ground with their boxes, to detect.",
     .help = "Circles, squares, triangles, stars, hexagons, hearts, crosses and crescents.\n",
     .examples = "  anneal sample shapes shapes                      # YOLO, with data.yaml\n"
                 "  anneal sample shapes shapes --layout voc --count 100 --size 640\n",
     .run = run_shapes},
    {.name = "receipts",
     ROW,
     FLAGS(receipt_fields),
     .summary = "Till receipts with the quadrangle and text of each line, to read.",
     .help = "train/receipt_00001.jpg with train/gt_receipt_00001.txt\n"
             "(ICDAR 2015).  The sums are right.\n",
     .examples = "  anneal sample receipts receipts --count 50\n",
     .run = run_receipts},
    {.name = NULL}};
const struct command sample_command = {"sample",
                                       "glyphs|shapes|receipts DIR [FLAGS]",
                                       "Draw sample data: letters, shapes, receipts.",
                                       "",
                                       NULL,
                                       verbs};
