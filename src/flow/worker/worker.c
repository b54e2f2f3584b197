/* worker.c - see worker.h. */
#include "flow/worker/worker.h"

#include "base/mem.h"
#include "flow/worker/run.h"
#include "os/os.h"

static const size_t RUN_ARENA_BYTES_MAX = (size_t)8 << 30; /* the list of millions of pictures */

static enum rc read_order(struct run *r, int fd, struct err *e)
{
    struct buf line;
    size_t got = 1;
    ptrdiff_t end = -1;
    str text;
    enum rc rc = RC_OK;

    buf_init(&line, WORKER_ORDER_BYTES_MAX);
    while (!rc && end < 0 && got > 0) {
        char chunk[4096];
        rc = os_read(fd, chunk, sizeof chunk, &got, e);
        if (!rc) {
            buf_add(&line, chunk, got);
            rc = buf_ok(&line, e);
            end = str_chr(buf_view(&line), '\n');
        }
    }
    if (!rc && end < 0)
        rc = err_set(e, RC_INVALID, "the input ended before a whole line of work");
    if (!rc) {
        text = arena_str(&r->arena, str_sub(buf_view(&line), 0, (size_t)end));
        rc = text.p ? field_read_text(work_fields, text, &r->work, &r->arena, e)
                    : err_set(e, RC_NOMEM, "no memory for the work");
    }
    buf_done(&line);
    return rc ? err_wrap(e, rc, "reading the work") : RC_OK;
}

static enum rc prepare(struct run *r, struct err *e)
{
    char *manifest = arena_cstr(&r->arena, r->work.manifest_path);
    int64_t threads;
    enum rc rc = train_spec_read_text(r->work.config, &r->spec, &r->arena, e);

    if (rc)
        return err_wrap(e, rc, "the job's settings");
    threads = r->spec.threads ? r->spec.threads : os_cpu_count();
    threads = threads > LOADER_THREADS_MAX ? LOADER_THREADS_MAX : threads;
    r->threads = (unsigned)(threads > NET_THREADS_MAX ? NET_THREADS_MAX : threads);
    r->loaders = (r->threads + 1) / 2;
    if (!manifest)
        return err_set(e, RC_NOMEM, "no memory for a path");
    return samples_read(manifest, &r->arena, &r->samples, e);
}

static enum rc do_work(struct run *r, int in_fd, struct err *e)
{
    enum rc rc = read_order(r, in_fd, e);

    if (!rc)
        rc = prepare(r, e);
    if (!rc)
        rc = run_check_cancel(e);
    if (!rc)
        rc = r->work.kind == WORK_TEST ? run_test(r, e) : run_train(r, e);
    return rc;
}

/* The last report, of a run that ended with rc. */
static enum rc say_end(struct run *r, enum rc rc, const struct err *why, struct err *e)
{
    struct report cancelled_report = {.kind = REPORT_CANCELLED, .message = STR("cancelled")};

    if (rc == RC_OK)
        return RC_OK; /* completed has been said */
    if (rc == RC_CANCELLED || worker_cancelled())
        return run_report(r, &cancelled_report, e);
    return run_report_failed(r, rc, r->fail_code ? r->fail_code : rc_code(rc), why->text, e);
}

/* One thread for the life of the process sleeps in sigwait; all others have the signals blocked, so
 * no system call is interrupted and no handler runs. */
static void watch_signals(void *ud)
{
    (void)ud;
    for (;;) {
        (void)os_stop_wait();
        worker_cancel();
    }
}

static enum rc start_watch(struct err *e)
{
    static struct pool *watch; /* never freed: it never ends */
    enum rc rc;

    if (watch)
        return RC_OK;
    os_stop_block();
    rc = pool_new(&watch, "signals", 1, 1, e);
    return rc ? rc : pool_submit(watch, watch_signals, NULL, e);
}

enum rc worker_run(int in_fd, int out_fd, struct err *e)
{
    struct run *r = mem_zalloc(sizeof *r);
    struct err why = {0};
    enum rc rc;

    if (!r)
        return err_set(e, RC_NOMEM, "no memory for a worker");
    arena_init(&r->arena, RUN_ARENA_BYTES_MAX);
    r->out_fd = out_fd;
    rc = start_watch(&why);
    if (!rc)
        rc = do_work(r, in_fd, &why);
    rc = say_end(r, rc, &why, e);
    model_free(r->model);
    arena_done(&r->arena);
    mem_free(r);
    return rc;
}
