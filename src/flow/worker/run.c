/* run.c - what training and testing share: reports, cancelling, scoring. */
#include "flow/worker/run.h"

#include "base/mem.h"
#include "flow/worker/worker.h"
#include "os/os.h"
#include <fcntl.h>
#include <stdatomic.h>

enum { REPORT_BYTES_MAX = 1 << 20, VALIDATION_BYTES_MAX = 1 << 20 };

static _Atomic bool cancelled;

void worker_cancel(void)
{
    atomic_store(&cancelled, true);
}

bool worker_cancelled(void)
{
    return atomic_load(&cancelled);
}

enum rc run_check_cancel(struct err *e)
{
    return worker_cancelled() ? err_set(e, RC_CANCELLED, "the job was cancelled") : RC_OK;
}

/* ---- reports */

enum rc run_report(struct run *r, struct report *what, struct err *e)
{
    struct buf line;
    struct jw w;
    enum rc rc;

    what->time = os_now_ms();
    what->epochs = r->epochs;
    if (what->progress < r->progress)
        what->progress = r->progress;
    r->progress = what->progress;
    buf_init(&line, REPORT_BYTES_MAX);
    jw_init(&w, &line);
    field_write(report_fields, what, &w);
    buf_putc(&line, '\n');
    rc = buf_ok(&line, e);
    if (!rc)
        rc = os_write_all(r->out_fd, line.p, line.n, e);
    buf_done(&line);
    return rc ? err_wrap(e, rc, "writing a report") : RC_OK;
}

enum rc run_report_failed(struct run *r, enum rc rc, const char *code, const char *text,
                          struct err *e)
{
    struct report out = {.kind = REPORT_FAILED,
                         .error_code = str_of(code),
                         .error = str_of(text),
                         .retryable = rc == RC_NOMEM || rc == RC_IO || rc == RC_FULL ||
                                      rc == RC_NOT_FOUND || rc == RC_LIMIT || rc == RC_INTERNAL};
    return run_report(r, &out, e);
}

/* ---- scoring */

enum rc run_score(struct run *r, struct loader *l, const struct sample_ref *samples, size_t n,
                  struct score *score, struct err *e)
{
    int32_t classes = (int32_t)r->model->classes_n;
    const struct batch *b;
    struct net_info info;
    float *logits;
    enum rc rc = score_init(score, n, classes, e);

    if (rc)
        return rc;
    net_get_info(r->model->net, &info);
    logits = mem_alloc_array((size_t)info.batch_max * (size_t)classes, sizeof *logits);
    rc = logits ? loader_start(l, 0, e) : err_set(e, RC_NOMEM, "no memory for the scores");
    while (!rc) {
        rc = run_check_cancel(e);
        if (!rc)
            rc = loader_next(l, &b, e);
        if (rc || !b)
            break;
        rc = net_infer(r->model->net, b->x, b->n, logits, e);
        for (int32_t i = 0; !rc && i < b->n; i++)
            score_add(score, logits + (size_t)i * (size_t)classes, samples[b->index[i]].label);
    }
    mem_free(logits);
    if (!rc)
        score_finish(score);
    return rc;
}

struct sink {
    int fd;
    struct hasher hash;
    int64_t bytes;
};

static enum rc flush(struct sink *s, struct buf *b, struct err *e)
{
    enum rc rc = buf_ok(b, e);

    if (!rc)
        rc = os_write_all(s->fd, b->p, b->n, e);
    hasher_add(&s->hash, b->p, b->n);
    s->bytes += (int64_t)b->n;
    buf_clear(b);
    return rc;
}

static enum rc write_lines(struct run *r, const struct score *score,
                           const struct sample_ref *samples, int64_t epoch, const char *split,
                           struct sink *s, struct err *e)
{
    struct buf b;
    enum rc rc;

    buf_init(&b, 64 << 20); /* the confusion matrix, and 10,000 names */
    score_write_head(score, epoch, split, r->model->classes, &b);
    rc = flush(s, &b, e);
    for (size_t i = 0; i < score->n && !rc; i++) {
        score_write_row(score, i, &samples[i], &b);
        if (b.n > VALIDATION_BYTES_MAX)
            rc = flush(s, &b, e);
    }
    if (!rc)
        rc = flush(s, &b, e);
    buf_done(&b);
    return rc;
}

enum rc run_write_validation(struct run *r, const struct score *score,
                             const struct sample_ref *samples, int64_t epoch, const char *split,
                             struct validation *ret, struct err *e)
{
    char *path = arena_printf(&r->arena, "%.*s/validation-%lld.jsonl", STR_F(r->work.work_dir),
                              (long long)epoch);
    struct sink s = {.fd = -1};
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX + 1];
    enum rc rc = path ? sha256_init(&s.hash, e) : err_set(e, RC_NOMEM, "no memory for a path");

    if (rc)
        return rc;
    rc = os_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600, &s.fd, e);
    if (!rc)
        rc = write_lines(r, score, samples, epoch, split, &s, e);
    os_close(s.fd);
    hasher_final(&s.hash, digest);
    if (rc)
        return err_wrap(e, rc, "writing %s", path);
    hex_of(digest, sizeof digest, hex);
    *ret = (struct validation){.epoch = epoch,
                               .split = str_of(split),
                               .path = str_of(path),
                               .sha256 = arena_str(&r->arena, str_of(hex)),
                               .bytes = s.bytes};
    return ret->sha256.p ? RC_OK : err_set(e, RC_NOMEM, "no memory for a digest");
}
