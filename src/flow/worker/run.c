/* run.c - what training and testing share: reports and cancelling. */
#include "flow/worker/run.h"

#include "flow/worker/worker.h"
#include "os/os.h"
#include <stdatomic.h>

enum { REPORT_BYTES_MAX = 1 << 20 };

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

struct engine run_engine(const struct net *n, enum net_precision precision)
{
    struct net_info i;

    net_get_info(n, &i);
    return (struct engine){.version = STR(ANNEAL_VERSION),
                           .backend = str_of(net_backend_name(i.backend)),
                           .isa = str_of(i.isa),
                           .onednn = str_of(i.backend == NET_ONEDNN ? net_onednn_version() : ""),
                           .precision = precision == NET_BF16 ? STR("bfloat16") : STR("float32")};
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
