/* imports.c - see imports.h. */
#include "flow/dataset/imports.h"
#include "base/log.h"
#include "flow/dataset/draft.h"
#include "flow/dataset/ingest.h"
#include "flow/dataset/load.h"
#include "flow/dataset/sweep.h"
#include "os/os.h"
#include <pthread.h>
#include <signal.h>

enum { LINE_MAX_BYTES = 64 << 10, TIDY_MS = 3600 * 1000, RETRY_MS = 2000, ARENA_MAX = 512 << 20 };

struct imports {
    struct imports_setup s;
    pthread_t thread;
    struct event *wake, *stop;
    pthread_mutex_t lock;
    pid_t pid; /* of the running process, 0 none; under lock */
    int64_t tidy_at;
    bool stored; /* the running import has come to storing pictures, in this attempt or before */
};

/* What a process said last. */
struct outcome {
    bool done, failed, retry;
    str version, report, format;
    int64_t images, bytes, manifest_bytes, faults;
    str code, fault, text;
};

/* ---- the order */

/* The draft's edits as an object, which the process reads. */
static enum rc put_edits(struct imports *im, struct arena *a, const struct import *row,
                         str *ret_key, struct err *e)
{
    char key[BLOB_KEY_MAX];

    draft_key(row->import, key);
    *ret_key = arena_str(a, str_of(key));
    return ret_key->p ? draft_write(im->s.db, im->s.s3, row->draft, key, e) : dataset_nomem(e);
}

static enum rc read_names(struct arena *a, str text, struct strs *ret, struct err *e)
{
    const struct json *list = NULL;
    struct strs names = {0};
    enum rc rc = json_parse(a, text, NULL, &list, e);

    if (!rc)
        names.p = ARENA_ARRAY(a, str, list->list.count + 1);
    if (!rc && !names.p)
        rc = dataset_nomem(e);
    if (rc)
        return rc;
    JSON_EACH(one, list) {
        names.p[names.n++] = one->s;
    }
    *ret = names;
    return RC_OK;
}

static enum rc fill_order(struct imports *im, struct arena *a, const struct import *row,
                          struct ingest_order *ret, struct err *e)
{
    struct ingest_order o = {.import_id = row->import, .base_version = row->base_version};
    struct upload_part *parts = NULL;
    size_t n = 0;
    enum rc rc = field_read_text(split_spec_fields, row->split, &o.split, a, e);

    o.kind = str_is(row->kind, "split")     ? INGEST_SPLIT
             : str_is(row->kind, "draft")   ? INGEST_DRAFT
             : str_is(row->kind, "classes") ? INGEST_CLASSES
                                            : INGEST_ARCHIVE;
    o.endpoint = str_of(im->s.store.endpoint);
    o.region = str_of(im->s.store.region);
    o.bucket = str_of(im->s.store.bucket);
    o.access_key = str_of(im->s.store.access_key);
    o.secret_key = str_of(im->s.store.secret_key);
    o.session_token = str_of(im->s.store.session_token);
    o.virtual_host = im->s.store.virtual_host;
    o.unpacked_bytes_max = (int64_t)im->s.unpacked_bytes_max;
    o.entries_max = (int64_t)im->s.entries_max;
    if (!rc && o.kind != INGEST_ARCHIVE) {
        struct dataset_version base;
        rc = dataset_version_find(im->s.db, a, row->dataset, row->base_version, &base, e);
        if (!rc)
            o.format = base.format;
        if (!rc && o.kind == INGEST_DRAFT)
            rc = put_edits(im, a, row, &o.edits_key, e);
        if (!rc && o.kind == INGEST_CLASSES)
            rc = read_names(a, row->classes, &o.classes, e);
    } else if (!rc) {
        rc = upload_parts(im->s.db, a, row->upload, &parts, &n, e);
    }
    struct ingest_part *list = ARENA_ARRAY(a, struct ingest_part, n + 1);
    if (!rc && !list)
        rc = dataset_nomem(e);
    for (size_t i = 0; !rc && i < n; i++) {
        char key[UPLOAD_KEY_MAX];
        upload_key(row->upload, parts[i].n, key);
        list[i] = (struct ingest_part){arena_str(a, str_of(key)), parts[i].bytes};
        if (!list[i].key.p)
            rc = dataset_nomem(e);
    }
    o.parts = (struct objs){list, n};
    if (!rc)
        *ret = o;
    return rc;
}

static enum rc send_order(struct imports *im, struct arena *a, const struct import *row, int fd,
                          struct err *e)
{
    struct ingest_order order;
    struct buf line;
    struct jw w;
    enum rc rc = fill_order(im, a, row, &order, e);

    if (rc)
        return rc;
    buf_init(&line, INGEST_ORDER_BYTES_MAX);
    jw_init(&w, &line);
    field_write(ingest_order_fields, &order, &w);
    buf_putc(&line, '\n');
    rc = buf_ok(&line, e);
    if (!rc)
        rc = os_write_all(fd, line.p, line.n, e);
    buf_done(&line);
    return rc;
}

/* ---- its lines */

static void take_progress(struct imports *im, const struct import *row, const struct json *doc)
{
    struct err e = {0};
    str phase = json_str(doc, "phase", STR(""));
    bool scan = str_is(phase, "scan");
    double done = json_num(doc, "done", 0), total = json_num(doc, "total", 0);
    double part = total > 0 ? done / total : 0;
    enum rc rc =
        import_progress(im->s.db, row->import, phase, scan ? 0.2 * part : 0.2 + 0.75 * part,
                        scan ? 0 : (int64_t)done, &e);

    if (rc)
        log_warn("import %.*s: progress: %s", STR_F(row->import), e.text);
}

static enum rc take_line(struct imports *im, struct arena *a, const struct import *row, str line,
                         struct outcome *out, struct err *e)
{
    const struct json *doc = NULL;
    enum rc rc = json_parse(a, line, NULL, &doc, e);

    if (rc)
        return err_wrap(e, rc, "the import process said something strange");
    str event = json_str(doc, "event", STR(""));
    if (str_is(event, "progress")) {
        take_progress(im, row, doc);
    } else if (str_is(event, "done")) {
        out->done = true;
        out->version = json_str(doc, "version", STR(""));
        out->report = json_str(doc, "report", STR(""));
        out->format = json_str(doc, "format", STR(""));
        out->images = json_int(doc, "images", 0);
        out->bytes = json_int(doc, "bytes", 0);
        out->manifest_bytes = json_int(doc, "manifest_bytes", 0);
        out->faults = json_int(doc, "faults", 0);
        if (!is_sha256_hex(out->version))
            return err_set(e, RC_INTERNAL, "the import process named no version");
    } else if (str_is(event, "failed")) {
        out->failed = true;
        out->code = json_str(doc, "code", STR("internal"));
        out->fault = json_str(doc, "fault", STR(""));
        out->text = json_str(doc, "text", STR(""));
        out->retry = str_is(out->code, rc_code(RC_UNAVAILABLE)) ||
                     str_is(out->code, rc_code(RC_UPSTREAM)) ||
                     str_is(out->code, rc_code(RC_TIMEOUT));
    }
    return RC_OK;
}

/* Reads until the process closes its output. */
static enum rc listen(struct imports *im, struct arena *a, const struct import *row, int fd,
                      struct outcome *out, struct err *e)
{
    struct buf in;
    char chunk[4096];
    size_t n = 1;
    enum rc rc = RC_OK;

    buf_init(&in, LINE_MAX_BYTES);
    while (!rc && n) {
        rc = os_read(fd, chunk, sizeof chunk, &n, e);
        if (!rc)
            buf_add(&in, chunk, n);
        if (!rc)
            rc = buf_ok(&in, e);
        for (ptrdiff_t k; !rc && (k = str_chr(buf_view(&in), '\n')) >= 0;) {
            str line = arena_str(a, str_sub(buf_view(&in), 0, (size_t)k));
            rc = line.p ? take_line(im, a, row, line, out, e) : dataset_nomem(e);
            buf_drop_front(&in, (size_t)k + 1);
        }
    }
    buf_done(&in);
    return rc;
}

static void set_pid(struct imports *im, pid_t pid)
{
    pthread_mutex_lock(&im->lock);
    im->pid = pid;
    pthread_mutex_unlock(&im->lock);
}

/* Runs the process to its end.  RC_OK whatever it said; *ret_status its exit status. */
static enum rc run_process(struct imports *im, struct arena *a, const struct import *row,
                           struct outcome *out, int *ret_status, struct err *e)
{
    const char *argv[] = {im->s.program ? im->s.program : os_self_path(), "ingest", NULL};
    struct os_child child;
    struct err last = {0};
    enum rc rc = os_spawn(&child, argv, NULL, NULL,
                          OS_SPAWN_STDIN | OS_SPAWN_STDOUT | OS_SPAWN_DIE_WITH_US, e);

    if (rc)
        return rc;
    set_pid(im, child.pid);
    if (event_is_set(im->stop))
        os_kill(child.pid, SIGKILL);
    rc = send_order(im, a, row, child.stdin_fd, e);
    os_close(child.stdin_fd);
    if (rc)
        os_kill(child.pid, SIGKILL);
    else
        rc = listen(im, a, row, child.stdout_fd, out, e);
    if (rc)
        os_kill(child.pid, SIGKILL);
    os_close(child.stdout_fd);
    enum rc end = os_wait(child.pid, -1, ret_status, &last);
    set_pid(im, 0);
    if (!rc && end && e)
        *e = last;
    return rc ? rc : end;
}

/* ---- what becomes of it */

static void tell_ended(const struct imports *im, bool done)
{
    if (im->s.ended)
        im->s.ended(done, im->s.ud);
}

/* The split as people asked for it, without its lists of names. */
static enum rc short_split(struct arena *a, str text, str *ret, struct err *e)
{
    struct split_spec s = {0};
    struct buf b;
    struct jw w;
    enum rc rc = field_read_text(split_spec_fields, text, &s, a, e);

    if (rc)
        return rc;
    s.train_files = s.val_files = s.test_files = s.none_files = s.exclude = (struct strs){0};
    buf_init(&b, 64 << 10);
    jw_init(&w, &b);
    field_write(split_spec_fields, &s, &w);
    rc = buf_ok(&b, e);
    if (!rc) {
        *ret = arena_str(a, buf_view(&b));
        rc = ret->p ? RC_OK : dataset_nomem(e);
    }
    buf_done(&b);
    return rc;
}

static enum rc finish(struct imports *im, struct arena *a, const struct import *row,
                      const struct outcome *out, struct err *e)
{
    struct import_result r = {
        .images = out->images, .faults = out->faults, .version = out->version};
    struct import named = *row;
    struct fault_row *faults = NULL;
    const char *key = arena_cstr(a, out->report), *version = arena_cstr(a, out->version);

    if (!key || !version)
        return dataset_nomem(e);
    enum rc rc = import_progress(im->s.db, row->import, STR("rows"), 0.95, out->images, e);
    if (!rc)
        rc = short_split(a, row->split, &named.split, e);
    if (!rc)
        rc = load_report(im->s.s3, a, key, &r.stats, &faults, &r.kept_n, e);
    if (!rc)
        rc = load_manifest(im->s.db, im->s.s3, version, out->format, out->bytes,
                           out->manifest_bytes, &r.content, e);
    r.kept = faults;
    if (!rc)
        rc = import_finish(im->s.db, &named, &r, e);
    if (!rc)
        tell_ended(im, true);
    if (!rc)
        log_info("import %.*s: '%.*s' has version %.12s, %lld pictures, %lld faults",
                 STR_F(row->import), STR_F(row->dataset_name), version, (long long)out->images,
                 (long long)out->faults);
    return rc;
}

static void remove_upload(struct imports *im, struct arena *a, str id)
{
    struct upload_part *parts = NULL;
    struct err e = {0};
    size_t n = 0;
    enum rc rc = upload_parts(im->s.db, a, id, &parts, &n, &e);

    for (size_t i = 0; !rc && i < n; i++) {
        char key[UPLOAD_KEY_MAX];
        upload_key(id, parts[i].n, key);
        rc = s3_delete(im->s.s3, key, &e);
    }
    if (!rc)
        rc = upload_remove(im->s.db, id, &e);
    if (rc) /* it is stale in two days and tried again */
        log_warn("the upload %.*s could not be removed: %s", STR_F(id), e.text);
}

/* What was there for the import alone: its upload, its report, the edits of its draft. */
static void remove_scratch(struct imports *im, struct arena *a, const struct import *row)
{
    char report[BLOB_KEY_MAX], edits[BLOB_KEY_MAX];
    struct err e = {0};

    if (row->upload.n)
        remove_upload(im, a, row->upload);
    report_key(row->import, report);
    draft_key(row->import, edits);
    if (s3_delete(im->s.s3, report, &e) || (row->draft.n && s3_delete(im->s.s3, edits, &e)))
        log_warn("the report of import %.*s could not be removed: %s", STR_F(row->import), e.text);
}

/* What the failed import has stored and no version has. */
static void take_back(struct imports *im)
{
    struct err e = {0};
    int64_t n = 0;

    if (sweep_blobs(im->s.db, im->s.s3, im->stop, &n, &e))
        log_warn("pictures of a failed import could not be removed: %s", e.text);
    if (n)
        log_info("%lld pictures of a failed import removed", (long long)n);
}

static void fail(struct imports *im, struct arena *a, const struct import *row, str code, str fault,
                 str text)
{
    struct err e = {0};

    log_info("import %.*s of '%.*s' failed: %.*s", STR_F(row->import), STR_F(row->dataset_name),
             STR_F(text));
    if (import_fail(im->s.db, row, code, fault, text, &e)) {
        log_error("import %.*s: its failure could not be stored: %s", STR_F(row->import), e.text);
        return;
    }
    tell_ended(im, false);
    remove_scratch(im, a, row);
    if (im->stored || row->attempt > 1)
        take_back(im);
}

/* The process, the store or the database failed us: try again, but not for ever. */
static void again(struct imports *im, struct arena *a, const struct import *row, str code,
                  const char *why)
{
    struct err e = {0};

    if (event_is_set(im->stop))
        return; /* resumed at the next start */
    if (row->attempt >= IMPORT_ATTEMPTS_MAX) {
        fail(im, a, row, code, STR(""), str_of(why));
        return;
    }
    log_warn("import %.*s, attempt %lld: %s; it is tried again", STR_F(row->import),
             (long long)row->attempt, why);
    event_wait(im->stop, RETRY_MS * row->attempt);
    if (import_requeue(im->s.db, row->import, &e))
        log_error("import %.*s could not be queued again: %s", STR_F(row->import), e.text);
}

static void run_one(struct imports *im, struct arena *a, const struct import *row)
{
    struct outcome out = {0};
    struct err e = {0};
    int status = 0;
    char why[ERR_TEXT_MAX];

    im->stored = false;
    enum rc rc = run_process(im, a, row, &out, &status, &e);

    if (!rc && out.done)
        rc = finish(im, a, row, &out, &e);
    if (event_is_set(im->stop) && (rc || !(out.done || out.failed)))
        return;
    if (rc) {
        again(im, a, row, str_of(rc_code(rc)), e.text);
    } else if (out.failed && out.retry) {
        snprintf(why, sizeof why, "%.*s", STR_F(out.text));
        again(im, a, row, out.code, why);
    } else if (out.failed) {
        fail(im, a, row, out.code, out.fault, out.text);
    } else if (out.done) {
        remove_scratch(im, a, row);
    } else {
        snprintf(why, sizeof why, "the process that read the archive died (exit status %d%s)",
                 status, status == 128 + SIGKILL ? ", killed: perhaps for want of memory" : "");
        again(im, a, row, str_of(rc_code(RC_INTERNAL)), why);
    }
}

static void tidy(struct imports *im, struct arena *a)
{
    struct err e = {0};
    str *ids = NULL;
    size_t n = 0;
    int64_t now = os_mono_ms();

    if (im->tidy_at && now < im->tidy_at)
        return;
    im->tidy_at = now + TIDY_MS;
    if (upload_stale(im->s.db, a, os_now_ms(), &ids, &n, &e))
        log_warn("stale uploads: %s", e.text);
    for (size_t i = 0; i < n && !event_is_set(im->stop); i++)
        remove_upload(im, a, ids[i]);
}

/* False: nothing is left of deleted datasets, or it could not be removed now. */
static bool free_deleted(struct imports *im)
{
    struct err e = {0};
    int64_t n = 0;
    bool more = false;
    enum rc rc = sweep_deleted(im->s.db, im->s.s3, im->stop, &n, &more, &e);

    if (rc && rc != RC_CANCELLED)
        log_warn("pictures of deleted datasets could not be removed: %s", e.text);
    if (n)
        log_info("%lld pictures of deleted datasets removed", (long long)n);
    return more;
}

static void *main_loop(void *ud)
{
    struct imports *im = ud;

    while (!event_is_set(im->stop)) {
        struct arena a;
        struct import row = {0};
        struct err e = {0};
        arena_init(&a, ARENA_MAX);
        event_clear(im->wake);
        tidy(im, &a);
        if (import_take(im->s.db, &a, &row, &e)) {
            log_error("the queue of imports: %s", e.text);
            event_wait(im->stop, RETRY_MS);
        } else if (row.import.n) {
            run_one(im, &a, &row);
        } else if (!event_is_set(im->stop) && !free_deleted(im)) {
            event_wait(im->wake, TIDY_MS);
        }
        arena_done(&a);
    }
    return NULL;
}

/* ---- life */

enum rc imports_new(struct imports **ret, const struct imports_setup *s, struct err *e)
{
    struct imports *im = mem_zalloc(sizeof *im);
    enum rc rc = RC_OK;

    if (!im)
        return err_set(e, RC_NOMEM, "no memory to run imports");
    im->s = *s;
    im->wake = event_new();
    im->stop = event_new();
    if (!im->wake || !im->stop)
        rc = err_set(e, RC_NOMEM, "no memory to run imports");
    if (!rc)
        rc = import_requeue_all(s->db, e);
    pthread_mutex_init(&im->lock, NULL);
    if (!rc && pthread_create(&im->thread, NULL, main_loop, im))
        rc = err_set(e, RC_IO, "no thread to run imports");
    if (!rc) {
        *ret = im;
        return RC_OK;
    }
    pthread_mutex_destroy(&im->lock);
    event_free(im->wake);
    event_free(im->stop);
    mem_free(im);
    return rc;
}

void imports_poke(struct imports *im)
{
    event_set(im->wake);
}

void imports_free(struct imports *im)
{
    if (!im)
        return;
    event_set(im->stop);
    event_set(im->wake);
    pthread_mutex_lock(&im->lock);
    if (im->pid)
        os_kill(im->pid, SIGKILL);
    pthread_mutex_unlock(&im->lock);
    pthread_join(im->thread, NULL);
    pthread_mutex_destroy(&im->lock);
    event_free(im->wake);
    event_free(im->stop);
    mem_free(im);
}
