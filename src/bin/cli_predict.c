/* cli_predict.c - `anneal predict`: which class is it, for one picture or for thousands.
 *
 * Pictures go in batches, in their order; one that cannot be read here or there has its own error
 * beside the others' answers, and makes the exit status 1. */
#include "bin/cli_jobs.h"
#include "bin/cli_pictures.h"
#include "os/os.h"
#include "spec/contract.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    BATCH_IMAGES_MAX = 64,
    BATCH_BYTES_MAX = 32 << 20,
    BODY_BYTES_MAX = BATCH_BYTES_MAX + PREDICT_IMAGE_BYTES_MAX + (1 << 20),
    PREDICT_TIMEOUT_MS = 180000,
    NAME_SHOWN = 200,
};

struct predict_flags {
    str job, checkpoint;
    int64_t top;
};
#define S struct predict_flags
static const struct field predict_fields[] = {
    F_STR(S, job, .flags = FIELD_REQUIRED, .min = 1, .max = 64,
          .help = "Job whose model is asked; `last` is the newest."),
    F_STR(S, checkpoint, .dflt = "\"best\"", .max = 20, .help = "best, last or an epoch."),
    F_INT(S, top, .dflt = "5", .min = 1, .max = 1000, .help = "Classes to tell for each picture."),
    FIELD_END};
#undef S

struct predict {
    struct cli *c;
    const char *path; /* of the request */
    struct picture_files files;
    struct progress bar;
    struct buf out; /* the JSON object */
    struct jw w;
    bool begun; /* "results" is open */
    size_t failed;
};
/* A picture of the batch under way. */
struct one {
    const char *file, *error; /* error NULL: it was sent */
};

/* ---- results */

static void begin_results(struct predict *p, const struct json *doc)
{
    static const char *const keys[] = {"job", "epoch", "weights_sha256", "model"};

    if (p->begun)
        return;
    p->begun = true;
    jw_obj(&p->w);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct json *v = json_get(doc, keys[i]);

        if (v)
            jw_kraw(&p->w, keys[i], v->raw);
    }
    jw_karr(&p->w, "results");
}

static void say_failed(struct predict *p, const char *file, const char *why)
{
    p->failed++;
    jw_obj(&p->w);
    jw_kcstr(&p->w, "file", file);
    jw_karr(&p->w, "predictions");
    jw_arr_end(&p->w);
    jw_kcstr(&p->w, "error", why);
    jw_obj_end(&p->w);
    if (p->c->quiet)
        fprintf(stderr, "%s: %s\n", file, why);
    else
        progress_line(&p->bar, "%s: %s", file, why);
}

static void say_result(struct predict *p, const char *file, const struct json *r)
{
    struct cli *c = p->c;
    const char *error = text_in(c, r, "error");
    const struct json *list = json_get(r, "predictions"), *first;
    size_t rank = 0;

    if (*error || !list || list->type != JSON_ARR) {
        say_failed(p, file, *error ? error : "no prediction came");
        return;
    }
    jw_obj(&p->w);
    jw_kcstr(&p->w, "file", file);
    jw_kraw(&p->w, "predictions", list->raw);
    jw_kraw(&p->w, "ms", json_get(r, "ms") ? json_get(r, "ms")->raw : STR("null"));
    jw_obj_end(&p->w);
    first = list->list.first;
    cli_say(c, "%s: %s%s%s %.1f %%", file, cli_style(c, STYLE_BOLD), text_in(c, first, "class"),
            cli_style(c, STYLE_NONE), json_num(first, "confidence", NAN) * 100);
    JSON_EACH(k, list)
        if (rank++)
            cli_say(c, "%s %s %.1f %%", rank == 2 ? "   then" : ",", text_in(c, k, "class"),
                    json_num(k, "confidence", NAN) * 100);
    cli_say(c, "\n");
}

/* ---- a batch */

#define BOUNDARY "anneal-cli-8d1f0c6e5b7a49328e64"

static void add_picture(struct buf *body, const char *name, str bytes)
{
    buf_puts(body, "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"image\"; filename=\"");
    for (const char *s = name; *s; s++) /* as the HTML standard escapes names */
        if (*s == '"')
            buf_puts(body, "%22");
        else
            buf_putc(body, (unsigned char)*s < 32 ? '_' : *s);
    buf_puts(body, "\"\r\nContent-Type: application/octet-stream\r\n\r\n");
    buf_str(body, bytes);
    buf_puts(body, "\r\n");
}

/* Reads pictures into the body until a limit is met; those that cannot be read are marked. */
static enum rc fill_batch(struct predict *p, size_t from, struct one *batch, size_t *ret_n,
                          size_t *ret_sent, struct arena *a, struct buf *body, struct err *e)
{
    size_t n = 0, bytes = 0, sent = 0;

    while (from + n < p->files.n && n < BATCH_IMAGES_MAX && bytes < BATCH_BYTES_MAX) {
        struct one *o = &batch[n];
        struct err why = {0};
        struct arena file;
        str text = STR_NONE;

        *o = (struct one){.file = p->files.p[from + n++]};
        arena_init(&file, PREDICT_IMAGE_BYTES_MAX + (1 << 20));
        if (os_read_file(&file, o->file, PREDICT_IMAGE_BYTES_MAX, &text, &why) || !text.n) {
            o->error = arena_cstr(a, str_of(why.text[0] ? why.text : "the file is empty"));
        } else {
            str tail = str_of(o->file);

            if (tail.n > NAME_SHOWN)
                tail = str_sub(tail, tail.n - NAME_SHOWN, tail.n);
            add_picture(body, tail.p, text);
            bytes += text.n;
            sent++;
        }
        arena_done(&file);
    }
    buf_puts(body, "--" BOUNDARY "--\r\n");
    *ret_n = n;
    *ret_sent = sent;
    return buf_ok(body, e);
}

static enum rc ask(struct predict *p, struct arena *a, const struct buf *body,
                   const struct json **ret, struct err *e)
{
    struct client_call call = {
        .method = HTTP_POST, .body = buf_view(body), .timeout_ms = PREDICT_TIMEOUT_MS};
    struct client_reply reply = {0};
    struct buf b;
    str text;
    enum rc rc;

    buf_init(&b, CLI_REPLY_MAX);
    call.reply = &b;
    rc = cli_do(p->c, &call, p->path, "multipart/form-data; boundary=" BOUNDARY, &reply, e);
    if (!rc && reply.status >= 300)
        rc = cli_problem(a, reply.status, buf_view(&b), e);
    else if (!rc) {
        text = arena_str(a, buf_view(&b));
        rc = text.p ? json_parse(a, text, NULL, ret, e) : cli_nomem(e);
    }
    buf_done(&b);
    return rc;
}

static enum rc one_batch(struct predict *p, size_t from, size_t *ret_n, struct err *e)
{
    struct one batch[BATCH_IMAGES_MAX];
    const struct json *doc = NULL, *list, *r;
    struct arena a, *whole = p->c->a;
    struct buf body;
    size_t n = 0, sent = 0;
    enum rc rc;

    arena_init(&a, CLI_REPLY_MAX + (64 << 20));
    buf_init(&body, BODY_BYTES_MAX);
    rc = fill_batch(p, from, batch, &n, &sent, &a, &body, e);
    if (!rc && sent)
        rc = ask(p, &a, &body, &doc, e);
    buf_done(&body);
    if (!rc) {
        list = json_get(doc, "results");
        r = list && list->type == JSON_ARR ? list->list.first : NULL;
        begin_results(p, doc);
        p->c->a = &a; /* what is printed need not last */
        for (size_t i = 0; i < n; i++) {
            if (batch[i].error) {
                say_failed(p, batch[i].file, batch[i].error);
                continue;
            }
            say_result(p, batch[i].file, r);
            r = r ? r->next : NULL;
        }
        p->c->a = whole;
    }
    arena_done(&a);
    *ret_n = n;
    return rc;
}

static enum rc run_predict(struct cli *c, struct err *e)
{
    const struct predict_flags *f = c->flags;
    struct predict p = {.c = c, .bar = {.c = c}};
    const char *id = NULL;
    size_t n = 0;
    enum rc rc = cli_pictures(c, &p.files, e);

    if (!rc)
        rc = job_id_of(c, f->job, &id, e);
    if (!rc) {
        p.path = arena_printf(c->a, "%s?checkpoint=%s&top_k=%lld",
                              cli_path(c->a, "/training/jobs/%s/predict", id),
                              cli_url_text(c->a, f->checkpoint), (long long)f->top);
        rc = p.path ? RC_OK : cli_nomem(e);
    }
    buf_init(&p.out, CLI_MEMORY_MAX);
    jw_init(&p.w, &p.out);
    for (size_t at = 0; !rc && at < p.files.n; at += n) {
        char text[64];

        rc = one_batch(&p, at, &n, e);
        snprintf(text, sizeof text, "%zu of %zu pictures", at + n, p.files.n);
        if (!rc && p.files.n > BATCH_IMAGES_MAX)
            progress_show(&p.bar, "predicting", (double)(at + n) / (double)p.files.n, text);
    }
    progress_end(&p.bar);
    jw_arr_end(&p.w);
    jw_kint(&p.w, "failed", (int64_t)p.failed);
    jw_obj_end(&p.w);
    if (!rc)
        rc = buf_ok(&p.out, e);
    if (!rc)
        cli_json_text(c, buf_view(&p.out));
    if (!rc && p.failed)
        c->status = EXIT_FAILED;
    buf_done(&p.out);
    VEC_DONE(&p.files);
    return rc;
}

static const struct verb verbs[] = {
    {.name = "",
     .args = "FILE...",
     .args_min = 1,
     .args_max = -1,
     .flags = predict_fields,
     .flags_size = sizeof(struct predict_flags),
     .summary = "Tell with a job's model what pictures show.",
     .help =
         "JPEG, PNG and WebP; of a folder all its pictures.  One that cannot be read is reported\n"
         "beside the others, and makes the exit status 1.\n",
     .examples = "  anneal predict --job JOB photo.jpg\n"
                 "  anneal predict --job last --checkpoint 3 --top 1 holiday/ --json\n",
     .run = run_predict},
    {.name = NULL}};
const struct command predict_command = {
    "predict", "--job JOB FILE...", "Tell what pictures show.", "", NULL, verbs};
