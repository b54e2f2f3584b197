/* cli_predict.c - `anneal predict`: what is to be seen, for one picture or for thousands.
 *
 * Pictures go in batches, in their order; one that cannot be read here or there has its own error
 * beside the others' answers, and makes the exit status 1. */
#include "base/base64.h"
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
    SHOWN_MAX = 20, /* lines for people */
};

struct predict_flags {
    str job, model, checkpoint, draw;
    int64_t top, max;
    double confidence, iou;
    bool masks;
};
#define S struct predict_flags
static const struct field predict_fields[] = {
    F_STR(S, job, .max = 64, .help = "Job whose model is asked; `last` is the newest."),
    F_STR(S, model, .max = 140,
          .help = "Or a registered model: NAME (live as production), NAME@ALIAS, NAME@VERSION."),
    F_STR(S, checkpoint, .dflt = "\"best\"", .max = 20, .help = "best, last or an epoch."),
    F_INT(S, top, .dflt = "5", .min = 1, .max = 1000, .help = "Classes to tell for each picture."),
    F_NUM(S, confidence, .dflt = "0.25", .min = 0.001, .max = 1,
          .help = "Least confidence of a box."),
    F_NUM(S, iou, .dflt = "0.7", .min = 0.01, .max = 1,
          .help = "Boxes of a class that overlap by more than this are one."),
    F_INT(S, max, .dflt = "100", .min = 1, .max = PREDICT_BOXES_MAX,
          .help = "Boxes to tell of a picture."),
    F_BOOL(S, masks, .dflt = "true", .help = "Masks, with --json."),
    F_STR(S, draw, .max = 4000,
          .help =
              "Write the picture with the answer drawn on it: a .png, or a folder for several."),
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
    bool classifies;
    size_t batch_max; /* pictures */
    size_t failed;
};
/* A picture of the batch under way. */
struct one {
    const char *file, *error; /* error NULL: it was sent */
};

/* ---- results */

static void begin_results(struct predict *p, const struct json *doc)
{
    static const char *const keys[] = {"job",   "epoch", "registered", "version", "weights_sha256",
                                       "model", "task"};

    if (p->begun)
        return;
    p->begun = true;
    p->classifies = str_is(json_str(doc, "task", STR("classification")), "classification");
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

/* A classifier's answer in one line. */
static void say_classes(struct predict *p, const char *file, const struct json *list)
{
    struct cli *c = p->c;
    const struct json *first = list->list.first;
    size_t rank = 0;

    cli_say(c, "%s: %s%s%s %.1f %%", file, cli_style(c, STYLE_BOLD), text_in(c, first, "class"),
            cli_style(c, STYLE_NONE), json_num(first, "confidence", NAN) * 100);
    JSON_EACH(k, list)
        if (rank++)
            cli_say(c, "%s %s %.1f %%", rank == 2 ? "   then" : ",", text_in(c, k, "class"),
                    json_num(k, "confidence", NAN) * 100);
    cli_say(c, "\n");
}

/* Boxes, or areas: a line each. */
static void say_objects(struct predict *p, const char *file, const struct json *list)
{
    struct cli *c = p->c;
    size_t n = list->list.count, rank = 0;

    cli_say(c, "%s: %s%zu%s found\n", file, cli_style(c, STYLE_BOLD), n, cli_style(c, STYLE_NONE));
    JSON_EACH(k, list) {
        const struct json *box = json_get(k, "box");

        if (rank++ == SHOWN_MAX) {
            cli_say(c, "  and %zu more; --json tells all\n", n - SHOWN_MAX);
            break;
        }
        if (box)
            cli_say(c, "  %-20s %5.1f %%  %.*s\n", text_in(c, k, "class"),
                    json_num(k, "confidence", NAN) * 100, STR_F(box->raw));
        else
            cli_say(c, "  %-20s %5.1f %% of the picture\n", text_in(c, k, "class"),
                    json_num(k, "share", NAN) * 100);
    }
}

/* The drawn picture into the file that was asked for, or the folder, under its own name. */
static enum rc write_drawn(struct predict *p, const char *file, const struct json *r,
                           const char **ret, struct err *e)
{
    const struct predict_flags *f = p->c->flags;
    const char *name = strrchr(file, '/'), *dot, *path;
    struct buf png;
    enum rc rc;

    name = name ? name + 1 : file;
    dot = strrchr(name, '.');
    path = str_iends(f->draw, STR(".png"))
               ? arena_cstr(p->c->a, f->draw)
               : arena_printf(p->c->a, "%.*s/%.*s.png", STR_F(f->draw),
                              (int)(dot ? (size_t)(dot - name) : strlen(name)), name);
    if (!path)
        return cli_nomem(e);
    buf_init(&png, CLI_REPLY_MAX);
    rc = base64_read(json_str(r, "drawn", STR("")), &png, e);
    if (!rc && !str_iends(f->draw, STR(".png")))
        rc = os_mkdirs(arena_cstr(p->c->a, f->draw), 0777, e);
    if (!rc)
        rc = os_write_file_durable(path, buf_view(&png), 0666, e);
    buf_done(&png);
    if (!rc)
        *ret = path;
    return rc ? err_wrap(e, rc, "drawing to %s", path) : RC_OK;
}

static enum rc say_result(struct predict *p, const char *file, const struct json *r, struct err *e)
{
    static const char *const keys[] = {"width", "height", "ms"};
    const struct predict_flags *f = p->c->flags;
    const char *error = text_in(p->c, r, "error"), *drawn = NULL;
    const struct json *list = json_get(r, "predictions");
    enum rc rc;

    if (*error || !list || list->type != JSON_ARR) {
        say_failed(p, file, *error ? error : "no prediction came");
        return RC_OK;
    }
    if (f->draw.n && (rc = write_drawn(p, file, r, &drawn, e)) != RC_OK)
        return rc;
    jw_obj(&p->w);
    jw_kcstr(&p->w, "file", file);
    jw_kraw(&p->w, "predictions", list->raw);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        jw_kraw(&p->w, keys[i], json_get(r, keys[i]) ? json_get(r, keys[i])->raw : STR("null"));
    if (drawn)
        jw_kcstr(&p->w, "drawn", drawn);
    jw_obj_end(&p->w);
    if (p->classifies)
        say_classes(p, file, list);
    else
        say_objects(p, file, list);
    if (drawn)
        cli_say(p->c, "  drawn: %s\n", drawn);
    return RC_OK;
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

    while (from + n < p->files.n && n < p->batch_max && bytes < BATCH_BYTES_MAX) {
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
        for (size_t i = 0; i < n && !rc; i++) {
            if (batch[i].error) {
                say_failed(p, batch[i].file, batch[i].error);
                continue;
            }
            rc = say_result(p, batch[i].file, r, e);
            r = r ? r->next : NULL;
        }
        p->c->a = whole;
    }
    arena_done(&a);
    *ret_n = n;
    return rc;
}

/* Whom to ask: a job's checkpoint, or a registered model. */
static enum rc whom(struct cli *c, const char **ret, struct err *e)
{
    const struct predict_flags *f = c->flags;
    ptrdiff_t at = str_rchr(f->model, '@');
    str name = at < 0 ? f->model : str_sub(f->model, 0, (size_t)at);
    str version = at < 0 ? STR("production") : str_sub(f->model, (size_t)at + 1, f->model.n);
    const char *id = NULL;
    enum rc rc;

    if (!f->job.n == !f->model.n)
        return cli_misuse(c, e, "one of --job JOB and --model NAME is needed");
    if (f->model.n) {
        *ret = arena_printf(c->a, "%s?version=%s",
                            cli_path(c->a, "/models/%s/predict", cli_cstr(c, name)),
                            cli_url_text(c->a, version));
        return *ret ? RC_OK : cli_nomem(e);
    }
    rc = job_id_of(c, f->job, &id, e);
    if (rc)
        return rc;
    *ret = arena_printf(c->a, "%s?checkpoint=%s", cli_path(c->a, "/training/jobs/%s/predict", id),
                        cli_url_text(c->a, f->checkpoint));
    return *ret ? RC_OK : cli_nomem(e);
}

static enum rc run_predict(struct cli *c, struct err *e)
{
    const struct predict_flags *f = c->flags;
    struct predict p = {.c = c, .bar = {.c = c}, .batch_max = BATCH_IMAGES_MAX};
    const char *path = NULL;
    size_t n = 0;
    enum rc rc = cli_pictures(c, &p.files, e);

    if (f->draw.n)
        p.batch_max = PREDICT_DRAW_IMAGES_MAX;
    if (!rc && p.files.n > 1 && str_iends(f->draw, STR(".png")))
        rc = cli_misuse(c, e, "--draw takes a folder for %zu pictures, not one .png", p.files.n);
    if (!rc)
        rc = whom(c, &path, e);
    if (!rc) {
        p.path = arena_printf(
            c->a, "%s&top_k=%lld&confidence=%.9g&iou=%.9g&max=%lld&masks=%d&draw=%d", path,
            (long long)f->top, f->confidence, f->iou, (long long)f->max, f->masks, f->draw.n > 0);
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
    if (p.begun) { /* else nobody answered, and the error says why */
        jw_arr_end(&p.w);
        jw_kint(&p.w, "failed", (int64_t)p.failed);
        jw_obj_end(&p.w);
    }
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
     .summary = "Tell with a model what pictures show.",
     .help =
         "JPEG, PNG and WebP; of a folder all its pictures.  One that cannot be read is reported\n"
         "beside the others, and makes the exit status 1.  A detector tells boxes [x, y, width,\n"
         "height] in pixels; --draw writes them, or masks, onto the picture.\n",
     .examples = "  anneal predict --job JOB photo.jpg\n"
                 "  anneal predict --job last --checkpoint 3 --top 1 holiday/ --json\n"
                 "  anneal predict --model flowers@staging photo.jpg\n"
                 "  anneal predict --job last --confidence 0.4 --draw found.png street.jpg\n",
     .run = run_predict},
    {.name = NULL}};
const struct command predict_command = {
    "predict", "--job JOB | --model NAME FILE...", "Tell what pictures show.", "", NULL, verbs};
