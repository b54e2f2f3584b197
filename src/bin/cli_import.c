/* cli_import.c - `anneal dataset import`: sends an archive or a folder, waits, tells what came of
 * it.
 *
 * Up to UPLOAD_WHOLE_MAX bytes go as one request, more in parts of which each is sent again when
 * its connection breaks; the server says which parts it has. */
#include "bin/cli_dataset.h"
#include "bin/cli_source.h"
#include "os/os.h"

#include <stdio.h>
#include <string.h>

enum {
    UPLOAD_WHOLE_MAX = 64 << 20,
    TRIES_MAX = 6,
    RETRY_MS = 1000, /* doubled at each try */
    POLL_MS = 200,
    LOST_MS_MAX = 120000, /* without the server, while an import runs */
};

struct sending {
    struct cli *c;
    struct source *s;
    struct progress bar;
    int64_t left;     /* of the part */
    int64_t sent;     /* in all */
    int64_t begun;    /* clock */
    struct err local; /* the source failed, not the connection */
};

static enum rc pull(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    struct sending *u = ud;
    double total = (double)source_bytes(u->s), seconds, speed;
    char text[128];
    struct arena a;
    enum rc rc;

    if (!u->left) {
        *ret_n = 0;
        return RC_OK;
    }
    rc = source_read(u->s, p, (uint64_t)u->left < cap ? (size_t)u->left : cap, ret_n, &u->local);
    if (!rc && !*ret_n)
        rc = err_set(&u->local, RC_CORRUPT, "the file became shorter while it was sent");
    if (rc) {
        *e = u->local;
        return rc;
    }
    u->left -= (int64_t)*ret_n;
    u->sent += (int64_t)*ret_n;
    arena_init(&a, 1 << 16);
    seconds = (double)(os_mono_ms() - u->begun) / 1000;
    speed = seconds > 0.05 ? (double)u->sent / seconds : 0;
    snprintf(text, sizeof text, "%s of %s%s%s%s%s", cli_bytes(&a, (double)u->sent),
             cli_bytes(&a, total), speed > 0 ? ", " : "", speed > 0 ? cli_bytes(&a, speed) : "",
             speed > 0 ? "/s, " : "",
             speed > 0 ? cli_seconds(&a, (total - (double)u->sent) / speed) : "");
    progress_show(&u->bar, "uploading", (double)u->sent / total, text);
    arena_done(&a);
    return RC_OK;
}

static bool may_help(const struct sending *u, enum rc rc)
{
    return !u->local.rc && (rc == RC_UNAVAILABLE || rc == RC_TIMEOUT || rc == RC_UPSTREAM);
}

/* Sends n bytes from `at`, again and again while the connection is what fails. */
static enum rc send_bytes(struct sending *u, enum http_method m, const char *path, int64_t at,
                          int64_t n, const struct json **ret, struct err *e)
{
    int64_t before = u->sent;
    enum rc rc = RC_OK;

    for (int64_t attempt = 0, wait = RETRY_MS; attempt < TRIES_MAX; attempt++, wait *= 2) {
        struct client_call call = {
            .method = m, .source = pull, .source_ud = u, .source_bytes = n, .timeout_ms = -1};
        struct client_reply reply = {0};
        struct buf b;

        u->left = n;
        u->sent = before;
        rc = source_seek(u->s, at, e);
        if (rc)
            return rc;
        buf_init(&b, CLI_REPLY_MAX);
        call.reply = &b;
        rc = cli_do(u->c, &call, path, "application/octet-stream", &reply, e);
        if (!rc && reply.status >= 300)
            rc = cli_problem(u->c->a, reply.status, buf_view(&b), e);
        else if (!rc)
            rc = json_parse(u->c->a, arena_str(u->c->a, buf_view(&b)), NULL, ret, e);
        buf_done(&b);
        if (!may_help(u, rc) || (rc == RC_UNAVAILABLE && !u->sent && !attempt))
            break;
        if (attempt + 1 < TRIES_MAX) {
            progress_line(&u->bar, "%s; again in %lld s", e->text, (long long)wait / 1000);
            os_sleep_ms(wait);
        }
    }
    if (rc && u->local.rc)
        *e = u->local;
    return rc;
}

/* ---- one request, or parts */

static enum rc send_whole(struct sending *u, const struct import_flags *f, const struct json **ret,
                          struct err *e)
{
    struct arena *a = u->c->a;
    const char *path = arena_printf(a, "/datasets/upload?name=%s&split=%s&project=%s&seed=%lld",
                                    cli_url_text(a, f->name), cli_url_text(a, f->split),
                                    cli_url_text(a, f->project), (long long)f->seed);

    return path ? send_bytes(u, HTTP_POST, path, 0, source_bytes(u->s), ret, e) : cli_nomem(e);
}

static bool received(const struct json *upload, int64_t n)
{
    JSON_EACH(p, json_get(upload, "received"))
        if (p->type == JSON_INT && p->i == n)
            return true;
    return false;
}

static enum rc send_parts(struct sending *u, const struct import_flags *f, const struct json **ret,
                          struct err *e)
{
    struct cli *c = u->c;
    int64_t size = source_bytes(u->s), part, parts;
    const struct json *upload = NULL;
    const char *id, *path;
    struct buf b;
    struct jw w;
    enum rc rc;

    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kstr(&w, "name", f->name);
    jw_kstr(&w, "project", f->project);
    jw_kint(&w, "size", size);
    rc = write_split(&w, f->split, f->seed, e);
    jw_obj_end(&w);
    if (!rc)
        rc = cli_call(c, c->a, HTTP_POST, "/datasets/uploads", &b, &upload, e);
    buf_done(&b);
    if (rc)
        return rc;
    id = cli_cstr(c, json_str(upload, "upload", STR("")));
    part = json_int(upload, "part_bytes", size);
    parts = json_int(upload, "parts", 1);
    for (int64_t n = 1; !rc && n <= parts; n++) {
        int64_t at = (n - 1) * part, bytes = size - at < part ? size - at : part;

        path = arena_printf(c->a, "/datasets/uploads/%s/parts/%lld", id, (long long)n);
        if (!received(upload, n))
            rc = path ? send_bytes(u, HTTP_PUT, path, at, bytes, &upload, e) : cli_nomem(e);
    }
    if (rc) {
        struct err ignored;

        (void)!cli_call(c, c->a, HTTP_DELETE, cli_path(c->a, "/datasets/uploads/%s", id), NULL,
                        NULL, &ignored);
        return rc;
    }
    return cli_call(c, c->a, HTTP_POST, cli_path(c->a, "/datasets/uploads/%s/complete", id), NULL,
                    ret, e);
}

/* ---- the import */

enum rc wait_import(struct cli *c, const char *id, const struct json **ret, struct err *e)
{
    const char *path = cli_path(c->a, "/datasets/imports/%s", id);
    struct progress bar = {.c = c};
    const struct json *im = NULL;
    int64_t heard_ms = os_mono_ms();
    struct arena a;
    enum rc rc = RC_OK;
    str state = STR_NONE, phase;

    arena_init(&a, CLI_REPLY_MAX);
    for (;;) {
        char text[96], name[32];
        int64_t images;

        arena_reset(&a);
        rc = cli_call(c, &a, HTTP_GET, path, NULL, &im, e);
        if ((rc == RC_UNAVAILABLE || rc == RC_UPSTREAM || rc == RC_TIMEOUT) &&
            os_mono_ms() - heard_ms < LOST_MS_MAX) { /* the import goes on at its next start */
            progress_show(&bar, "the server does not answer", -1, "trying again");
            os_sleep_ms(RETRY_MS);
            continue;
        }
        if (rc)
            break;
        heard_ms = os_mono_ms();
        state = json_str(im, "state", STR(""));
        if (!str_is(state, "queued") && !str_is(state, "running"))
            break;
        phase = json_str(im, "phase", STR(""));
        images = json_int(im, "images", 0);
        snprintf(name, sizeof name, "%s",
                 str_is(phase, "scan")     ? "reading"
                 : str_is(phase, "images") ? "checking"
                 : str_is(phase, "rows")   ? "storing"
                                           : "waiting");
        text[0] = 0;
        if (images)
            snprintf(text, sizeof text, "%lld pictures", (long long)images);
        progress_show(&bar, name, *name == 'w' ? -1 : json_num(im, "progress", 0), text);
        os_sleep_ms(POLL_MS);
    }
    progress_end(&bar);
    if (!rc && str_is(state, "failed"))
        rc = err_set(e, RC_CORRUPT, "the import failed: %.*s",
                     STR_F(json_str(im, "error", STR("no reason was given"))));
    if (!rc) /* once more, into the memory that lasts */
        rc = cli_call(c, c->a, HTTP_GET, path, NULL, ret, e);
    arena_done(&a);
    return rc;
}

/* ---- what came of it */

static void say_version(struct cli *c, const struct json *im, const struct json *v)
{
    const char *bold = cli_style(c, STYLE_BOLD), *plain = cli_style(c, STYLE_NONE);
    const struct json *classes = json_get(v, "classes");

    cli_say(c, "%s%s%s version %lld (%.8s): %lld pictures, %zu classes, %s, %s\n", bold,
            cli_cstr(c, json_str(im, "dataset_name", STR(""))), plain,
            (long long)json_int(v, "number", 0), cli_cstr(c, json_str(v, "version", STR(""))),
            (long long)json_int(v, "images", 0),
            classes && classes->type == JSON_ARR ? classes->list.count : 0,
            cli_cstr(c, json_str(v, "task", STR(""))),
            cli_bytes(c->a, (double)json_int(v, "bytes", 0)));
    cli_say(c, "  train %lld, val %lld, test %lld%s\n", (long long)json_int(v, "train", 0),
            (long long)json_int(v, "val", 0), (long long)json_int(v, "test", 0),
            json_int(v, "none", 0) ? ", the rest in no split" : "");
}

static void write_result(struct jw *w, const struct json *im, const struct json *v)
{
    static const char *const numbers[] = {"number", "images", "faults", "train",
                                          "val",    "test",   "bytes"};
    const struct json *counts = json_get(json_get(v, "stats"), "fault_counts");
    const struct json *classes = json_get(v, "classes");

    jw_obj(w);
    jw_kstr(w, "dataset", json_str(im, "dataset_name", STR("")));
    jw_kstr(w, "dataset_id", json_str(im, "dataset", STR("")));
    jw_kstr(w, "version", json_str(v, "version", STR("")));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        jw_kint(w, numbers[i], json_int(v, numbers[i], 0));
    jw_kint(w, "classes", classes && classes->type == JSON_ARR ? (int64_t)classes->list.count : 0);
    jw_kstr(w, "task", json_str(v, "task", STR("")));
    jw_kstr(w, "format", json_str(v, "format", STR("")));
    jw_kraw(w, "fault_counts", counts ? counts->raw : STR("{}"));
    jw_kstr(w, "import", json_str(im, "import", STR("")));
    jw_obj_end(w);
}

enum rc tell_import(struct cli *c, const struct json *im, struct err *e)
{
    const char *dataset = cli_cstr(c, json_str(im, "dataset", STR("")));
    const char *version = cli_cstr(c, json_str(im, "version", STR("")));
    const struct json *v = NULL;
    struct buf b;
    struct jw w;
    enum rc rc =
        cli_call(c, c->a, HTTP_GET, cli_path(c->a, "/datasets/%s/versions/%s", dataset, version),
                 NULL, &v, e);

    if (rc)
        return rc;
    say_version(c, im, v);
    if (json_int(v, "faults", 0) && !c->json)
        rc = show_faults(c, cli_cstr(c, json_str(im, "dataset_name", STR(""))), dataset, version,
                         "", FAULTS_SHOWN, e);
    if (rc)
        return rc;
    buf_init(&b, CLI_REPLY_MAX);
    jw_init(&w, &b);
    write_result(&w, im, v);
    cli_json_buf(c, &b);
    return RC_OK;
}

enum rc run_import(struct cli *c, struct err *e)
{
    struct sending u = {.c = c, .bar = {.c = c}, .begun = os_mono_ms()};
    const struct json *queued = NULL, *im = NULL;
    const char *path = arena_cstr(c->a, c->args[0]);
    enum rc rc = path ? source_open(&u.s, path, e) : cli_nomem(e);

    if (rc)
        return rc;
    if (source_files(u.s) && !c->json)
        cli_note(c, "packing %lld files, %s\n", (long long)source_files(u.s),
                 cli_bytes(c->a, (double)source_bytes(u.s)));
    u.begun = os_mono_ms();
    rc = source_bytes(u.s) <= UPLOAD_WHOLE_MAX ? send_whole(&u, c->flags, &queued, e)
                                               : send_parts(&u, c->flags, &queued, e);
    progress_end(&u.bar);
    source_close(u.s);
    if (!rc)
        rc = wait_import(c, cli_cstr(c, json_str(queued, "import", STR(""))), &im, e);
    return rc ? rc : tell_import(c, im, e);
}
