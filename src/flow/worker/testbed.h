/* testbed.h - for the tests of this folder: a dataset on disk, and whole jobs in this process with
 * the reports that they gave. */
#ifndef ANNEAL_FLOW_WORKER_TESTBED_H
#define ANNEAL_FLOW_WORKER_TESTBED_H

#include "base/test.h"
#include "engine/feed/image.h"
#include "flow/worker/worker.h"
#include "os/os.h"
#include "spec/contract.h"
#include <fcntl.h>

#define BED __attribute__((unused)) static

BED char bed_blobs[600], bed_manifest[600]; /* where the dataset lies */

/* A picture into the blobs; the rest of *s is the caller's. */
BED void put_image(const struct image *im, struct sample *s)
{
    char path[800];
    struct buf b;
    struct err e;

    buf_init(&b, 1 << 20);
    CHECK_OK(image_encode_png(im, &b, &e), &e);
    sha256_hex(buf_view(&b), s->sha256);
    snprintf(path, sizeof path, "%s/%.2s", bed_blobs, s->sha256);
    CHECK_OK(os_mkdirs(path, 0700, &e), &e);
    snprintf(path, sizeof path, "%s/%.2s/%s", bed_blobs, s->sha256, s->sha256);
    CHECK_OK(os_write_file_durable(path, buf_view(&b), 0600, &e), &e);
    s->bytes = b.n;
    s->width = im->width;
    s->height = im->height;
    s->type = IMAGE_PNG;
    buf_done(&b);
}

BED void place_dataset(void)
{
    snprintf(bed_blobs, sizeof bed_blobs, "%s/blobs", test_dir());
    snprintf(bed_manifest, sizeof bed_manifest, "%s/manifest.jsonl", test_dir());
}

/* ---- running */

struct outcome {
    struct arena a;
    struct report *reports;
    size_t n;
    struct report *last;
};

BED void outcome_done(struct outcome *o)
{
    arena_done(&o->a);
}

BED void read_reports(int fd, struct outcome *ret)
{
    struct buf all;
    struct err e;
    size_t got;
    str rest, line;

    arena_init(&ret->a, 64 << 20);
    ret->reports = ARENA_ARRAY(&ret->a, struct report, 1000);
    ret->n = 0;
    buf_init(&all, 16 << 20);
    do {
        char chunk[4096];
        CHECK_OK(os_read(fd, chunk, sizeof chunk, &got, &e), &e);
        buf_add(&all, chunk, got);
    } while (got);
    rest = arena_str(&ret->a, buf_view(&all));
    buf_done(&all);
    while (str_line(&rest, &line) && line.n)
        CHECK_OK(field_read_text(report_fields, line, &ret->reports[ret->n++], &ret->a, &e), &e);
    CHECK(ret->n > 0);
    ret->last = &ret->reports[ret->n - 1];
}

BED void order_text(const char *kind, const char *config, const char *work_dir,
                    const struct checkpoint *resume, struct buf *out)
{
    struct work w = {.config = str_of(config),
                     .job_id = STR("job"),
                     .manifest_path = str_of(bed_manifest),
                     .blobs_dir = str_of(bed_blobs),
                     .work_dir = str_of(work_dir),
                     .split = STR("val")};
    struct jw j;

    w.kind = strcmp(kind, "test") == 0 ? WORK_TEST : WORK_TRAIN;
    if (resume)
        w.resume = *resume;
    buf_init(out, 1 << 16);
    jw_init(&j, out);
    field_write(work_fields, &w, &j);
    buf_putc(out, '\n');
}

/* In this process: input and output are files, so nobody has to read along. */
BED void run_here(const char *kind, const char *config, const char *name,
                  const struct checkpoint *resume, struct outcome *ret)
{
    char dir[700], in[800], out[800];
    struct buf order;
    struct err e;
    int in_fd, out_fd;

    snprintf(dir, sizeof dir, "%s/%s", test_dir(), name);
    snprintf(in, sizeof in, "%s.in", dir);
    snprintf(out, sizeof out, "%s.out", dir);
    CHECK_OK(os_mkdirs(dir, 0700, &e), &e);
    order_text(kind, config, dir, resume, &order);
    CHECK_OK(os_write_file_durable(in, buf_view(&order), 0600, &e), &e);
    buf_done(&order);
    CHECK_OK(os_open(in, O_RDONLY, 0, &in_fd, &e), &e);
    CHECK_OK(os_open(out, O_RDWR | O_CREAT | O_TRUNC, 0600, &out_fd, &e), &e);
    CHECK_OK(worker_run(in_fd, out_fd, &e), &e);
    os_close(in_fd);
    os_close(out_fd);
    CHECK_OK(os_open(out, O_RDONLY, 0, &out_fd, &e), &e);
    read_reports(out_fd, ret);
    os_close(out_fd);
}

BED const struct report *nth(const struct outcome *o, int kind, int n)
{
    for (size_t i = 0; i < o->n; i++)
        if (o->reports[i].kind == kind && n-- == 0)
            return &o->reports[i];
    test_fail(__FILE__, __LINE__, "there is no such report of kind '%s'", report_kind_names[kind]);
}

BED double metric(const struct report *r, const char *name)
{
    const struct json *j;
    struct arena a;
    struct err e;
    double v;
    arena_init(&a, 1 << 16);
    CHECK_OK(json_parse(&a, r->metrics, NULL, &j, &e), &e);
    v = json_num(j, name, -1);
    arena_done(&a);
    return v;
}

BED void expect_failure(const char *kind, const char *config, const char *name, const char *code,
                        const char *part)
{
    struct outcome o;
    run_here(kind, config, name, NULL, &o);
    if (o.last->kind != REPORT_FAILED || !str_is(o.last->error_code, code) ||
        str_find(o.last->error, str_of(part)) < 0)
        test_fail(__FILE__, __LINE__, "%s: '%.*s' %.*s", report_kind_names[o.last->kind],
                  STR_F(o.last->error_code), STR_F(o.last->error));
    outcome_done(&o);
}

BED void same_end(const struct outcome *a, const struct outcome *b)
{
    CHECK_EQ(a->last->kind, REPORT_COMPLETED);
    CHECK_EQ(b->last->kind, REPORT_COMPLETED);
    CHECK(str_eq(a->last->weights_sha256, b->last->weights_sha256));
    CHECK_EQ(a->last->best.epoch, b->last->best.epoch);
    CHECK(a->last->best.value == b->last->best.value);
}

BED int count(const struct outcome *o, int kind)
{
    int n = 0;
    for (size_t i = 0; i < o->n; i++)
        n += o->reports[i].kind == kind;
    return n;
}

BED void same_epoch(const struct report *a, const struct report *b)
{
    static const char *const names[] = {"train/loss", "train/accuracy", "val/loss", "val/f1",
                                        "learning_rate"};
    CHECK_EQ(a->epoch, b->epoch);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK(metric(a, names[i]) == metric(b, names[i]));
    CHECK(str_eq(a->validation.sha256, b->validation.sha256));
}

#endif
