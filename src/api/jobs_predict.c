/* jobs_predict.c - try a model on pictures: a job's, or whatever has weights (predict.h); passed
 * through to its trainer.
 *
 * The pictures stream from the caller's request into the trainer's, re-framed as the contract wants
 * (spec/contract.h, /predict): nothing is stored here and memory does not grow with them.  The
 * trainer gets the weights by a presigned URL and keeps the model warm.
 */
#include "api/jobs.h"
#include "api/predict.h"
#include "api/trainer_ask.h"
#include "base/base64.h"
#include "flow/job/scheduler.h"
#include "s3/s3.h"

enum {
    BOUNDARY_TEXT = 48,
    PREDICT_TIMEOUT_MS = 120000,
    URL_SECONDS = 600,
    BODY_BYTES_MAX = 512 << 20,
};

struct predict_query {
    str checkpoint, file;
    struct predict_options options;
};
#define S struct predict_query
static const struct field predict_query_fields[] = {
    F_STR(S, checkpoint, .dflt = "\"best\"", .max = 20, .help = "best, last or an epoch."),
    PREDICT_OPTIONS(S, options.),
    F_STR(S, file, .max = 255, .help = "Name of a picture that is sent as the plain body."),
    FIELD_END};
#undef S

/* A source of the trainer's request body: frames between, pieces of pictures within. */
enum stage { STAGE_NEXT, STAGE_PART, STAGE_RAW, STAGE_LAST, STAGE_END };
struct forward {
    struct http_req *req;
    struct multipart *m; /* NULL: the body is one picture */
    enum stage stage;
    char boundary[BOUNDARY_TEXT];
    struct buf frame; /* to be sent first */
    size_t images, images_max;
    uint64_t bytes; /* of the picture under way */
    struct err err; /* of the caller's own body, rather than of the trainer */
};

static void frame_image(struct forward *f, str name)
{
    buf_printf(&f->frame, "\r\n--%s\r\nContent-Disposition: form-data; name=\"image\"; filename=\"",
               f->boundary);
    for (size_t i = 0; i < name.n; i++) { /* as the HTML standard escapes names */
        if (name.p[i] == '"')
            buf_puts(&f->frame, "%22");
        else if (name.p[i] == '\r' || name.p[i] == '\n' || (unsigned char)name.p[i] < 32)
            buf_puts(&f->frame, "_");
        else
            buf_putc(&f->frame, name.p[i]);
    }
    buf_puts(&f->frame, "\"\r\nContent-Type: application/octet-stream\r\n\r\n");
}

static enum rc next_part(struct forward *f, struct err *e)
{
    str name, filename, type;
    bool more = true;
    enum rc rc = multipart_next(f->m, &more, &name, &filename, &type, e);

    if (rc)
        return rc;
    if (!more) {
        f->stage = STAGE_LAST;
        return RC_OK;
    }
    if (!filename.n && !str_is(name, "image") && !str_is(name, "images") && !str_is(name, "file"))
        return err_field(e, RC_INVALID, "image", "send pictures as parts named 'image', not '%.*s'",
                         (int)(name.n > 40 ? 40 : name.n), name.p);
    if (++f->images > f->images_max)
        return err_set(e, RC_TOO_LARGE, "at most %zu pictures in one request", f->images_max);
    f->bytes = 0;
    f->stage = STAGE_PART;
    frame_image(f, filename);
    return RC_OK;
}

static enum rc read_picture(struct forward *f, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    size_t n = 0;
    enum rc rc = f->stage == STAGE_PART ? multipart_read(f->m, p, cap, &n, e)
                                        : http_body_read(f->req, p, cap, &n, e);

    if (rc)
        return rc;
    f->bytes += n;
    if (f->bytes > PREDICT_IMAGE_BYTES_MAX)
        return err_set(e, RC_TOO_LARGE, "a picture has more than %d MiB",
                       PREDICT_IMAGE_BYTES_MAX >> 20);
    if (!n && f->stage == STAGE_RAW && !f->bytes)
        return err_set(e, RC_INVALID, "the body is empty; send a picture");
    if (!n)
        f->stage = f->stage == STAGE_PART ? STAGE_NEXT : STAGE_LAST;
    *ret_n = n;
    return RC_OK;
}

static enum rc pull_piece(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    struct forward *f = ud;
    enum rc rc = RC_OK;

    for (;;) {
        size_t n = f->frame.n < cap ? f->frame.n : cap;

        if (n) {
            memcpy(p, f->frame.p, n);
            buf_drop_front(&f->frame, n);
            *ret_n = n;
            return RC_OK;
        }
        *ret_n = 0;
        if (f->stage == STAGE_END)
            return RC_OK;
        if (f->stage == STAGE_LAST) {
            if (!f->images)
                return err_set(e, RC_INVALID, "no picture was sent");
            buf_printf(&f->frame, "\r\n--%s--\r\n", f->boundary);
            f->stage = STAGE_END;
        } else if (f->stage == STAGE_NEXT) {
            rc = next_part(f, e);
        } else {
            rc = read_picture(f, p, cap, ret_n, e);
            if (!rc && *ret_n)
                return RC_OK;
        }
        if (!rc)
            rc = buf_ok(&f->frame, e);
        if (rc)
            return rc;
    }
}

static enum rc pull(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    struct forward *f = ud;
    enum rc rc = pull_piece(f, p, cap, ret_n, &f->err);

    if (rc && e)
        *e = f->err;
    f->err.rc = rc;
    return rc;
}

static enum rc open_forward(struct ctx *c, struct forward *f, const struct predict_request *pr,
                            const struct predict_ask *p, struct err *e)
{
    str type = http_header(c->req, "Content-Type");
    struct jw w;
    enum rc rc = RC_OK;

    f->req = c->req;
    snprintf(f->boundary, sizeof f->boundary, "anneal-%s", http_request_id(c->req));
    http_body_limit(c->req, p->bytes_max ? p->bytes_max : BODY_BYTES_MAX);
    f->images_max = p->images_max ? p->images_max : PREDICT_IMAGES_MAX;
    buf_init(&f->frame, 64 << 10);
    buf_printf(&f->frame,
               "--%s\r\nContent-Disposition: form-data; name=\"request\"\r\n"
               "Content-Type: application/json\r\n\r\n",
               f->boundary);
    jw_init(&w, &f->frame);
    field_write(predict_request_fields, pr, &w);
    if (str_starts(type, STR("multipart/form-data"))) {
        f->stage = STAGE_NEXT;
        rc = multipart_open(&f->m, c->req, e);
    } else {
        f->stage = STAGE_RAW;
        f->images = 1;
        frame_image(f, p->file.n ? p->file : STR("image"));
    }
    return rc;
}

static bool wants_png(struct ctx *c, const struct predict_ask *p)
{
    return p->options.draw && str_find(http_header(c->req, "Accept"), STR("image/png")) >= 0;
}

/* The drawn picture itself, for who asks for one picture and accepts image/png. */
static enum rc answer_png(struct ctx *c, const struct buf *body, struct err *e)
{
    const struct json *doc = NULL, *list, *first;
    str error;
    struct buf b;
    enum rc rc = json_parse(c->a, buf_view(body), NULL, &doc, e);

    list = rc ? NULL : json_get(doc, "results");
    if (!list || list->type != JSON_ARR || list->list.count != 1)
        return err_set(e, RC_INVALID, "send one picture to be answered as image/png");
    first = list->list.first;
    error = json_str(first, "error", STR(""));
    if (error.n)
        return err_set(e, RC_INVALID, "%.*s", (int)(error.n > 600 ? 600 : error.n), error.p);
    buf_init(&b, TRAINER_BODY_MAX);
    rc = base64_read(json_str(first, "drawn", STR("")), &b, e);
    if (rc) {
        buf_done(&b);
        return err_wrap(e, RC_UPSTREAM, "the trainer's drawn picture");
    }
    http_reply_buf(c->req, 200, "image/png", &b);
    return RC_OK;
}

/* The trainer's answer, with what was asked before it. */
static enum rc answer(struct ctx *c, const struct predict_ask *p, const struct buf *body,
                      struct err *e)
{
    const struct json *doc = NULL;
    struct buf b;
    struct jw w;
    enum rc rc = json_parse(c->a, buf_view(body), NULL, &doc, e);

    if (rc || doc->type != JSON_OBJ)
        return err_set(e, RC_UPSTREAM, "the trainer's answer is not a JSON object");
    reply_begin(&b, &w);
    jw_obj(&w);
    p->head(p->ud, &w);
    jw_kstr(&w, "weights_sha256", p->weights_sha256);
    JSON_EACH(v, doc) {
        if (!str_is(v->key, "model") && !str_is(v->key, "task") && !str_is(v->key, "results"))
            continue;
        jw_key_str(&w, v->key);
        jw_raw(&w, v->raw);
    }
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

static enum rc ask(struct ctx *c, const struct predict_ask *p, struct buf *ret, struct err *e)
{
    struct predict_request pr = {.options = p->options, .weights_sha256 = p->weights_sha256};
    struct client_call call = {
        .method = HTTP_POST, .source = pull, .source_bytes = -1, .timeout_ms = PREDICT_TIMEOUT_MS};
    struct forward f = {0};
    struct site site;
    const char *key = arena_cstr(c->a, p->weights_key), *url, *type;
    enum rc rc = launcher_find(scheduler_launcher(c->app->scheduler), p->framework, &site, e);

    if (!rc)
        rc = key ? s3_presign(c->app->s3, c->a, HTTP_GET, key, NULL, URL_SECONDS, &url, e)
                 : err_set(e, RC_NOMEM, "out of memory");
    if (rc)
        return rc;
    pr.weights_url = str_of(url);
    rc = open_forward(c, &f, &pr, p, e);
    type = arena_printf(c->a, "multipart/form-data; boundary=%s", f.boundary);
    if (!rc && !type)
        rc = err_set(e, RC_NOMEM, "out of memory");
    if (!rc) {
        call.source_ud = &f;
        rc = trainer_ask(&site, "/predict", type, &call, ret, e);
    }
    buf_done(&f.frame);
    if (rc && f.err.rc) {
        rc = f.err.rc;
        *e = f.err;
    }
    return rc;
}

enum rc predict_pass(struct ctx *c, const struct predict_ask *p, struct err *e)
{
    struct buf body;
    enum rc rc = ask(c, p, &body, e);

    if (rc)
        return rc;
    rc = wants_png(c, p) ? answer_png(c, &body, e) : answer(c, p, &body, e);
    buf_done(&body);
    return rc;
}

/* ---- of a job */

struct of_job {
    str job;
    int64_t epoch;
};

static void head_of_job(void *ud, struct jw *w)
{
    const struct of_job *o = ud;

    jw_kstr(w, "job", o->job);
    jw_kint(w, "epoch", o->epoch);
}

static enum rc post_predict(struct ctx *c, struct err *e)
{
    const struct predict_query *q = c->query;
    struct predict_ask ask = {.file = q->file, .options = q->options, .head = head_of_job};
    struct job_checkpoint k;
    struct of_job of;
    struct job j;
    enum rc rc = job_of(c, ROLE_VIEWER, &j, e);

    if (!rc)
        rc = job_checkpoint_find(c->app->jobs, c->a, j.kind == WORK_TEST ? j.base_job_id : j.id,
                                 q->checkpoint, &k, e);
    if (rc)
        return rc;
    of = (struct of_job){j.id, k.c.epoch};
    ask.ud = &of;
    ask.framework = j.framework;
    ask.weights_key = k.c.weights_key;
    ask.weights_sha256 = k.c.weights_sha256;
    return predict_pass(c, &ask, e);
}

extern const struct route job_predict_routes[];
const struct route job_predict_routes[] = {
    {HTTP_POST, "/training/jobs/{id}/predict", ACCESS_VIEWER, "jobs:read", predict_query_fields,
     sizeof(struct predict_query), .reply = predict_reply_fields, .tag = "Results",
     .summary = "What pictures show, said by a checkpoint of the job.",
     .help =
         "multipart/form-data with parts `image`, or one picture as the plain body.  A picture "
         "that cannot be read has its own `error`; the others are answered.  Classes, boxes or "
         "masks, as the model has learned.  With `draw=true` and `Accept: image/png` one picture "
         "is answered by itself with the objects drawn on it.",
     .unaudited = true, .fn = post_predict},
    ROUTE_END};
