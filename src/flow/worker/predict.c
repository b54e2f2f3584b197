/* predict.c - see predict.h. */
#include "flow/worker/predict.h"

#include "base/mem.h"
#include "engine/bundle/model.h"
#include "flow/worker/answer.h"
#include "os/os.h"
#include "spec/contract.h"

enum { REPLY_BYTES_MAX = 64 << 20, FRAME_ARENA_BYTES_MAX = 256 << 20 };

struct picture {
    str name;
    int64_t bytes;
};
struct order {
    str weights, sha256;
    struct predict_options options;
    struct objs images;
};
#define S struct picture
static const struct field picture_fields[] = {
    F_STR(S, name, .max = 4096),
    F_INT(S, bytes, .min = 0, .max = PREDICT_IMAGE_BYTES_MAX, .flags = FIELD_REQUIRED), FIELD_END};
#undef S
#define S struct order
static const struct field order_fields[] = {
    F_STR(S, weights, .min = 1, .max = 4096, .flags = FIELD_REQUIRED),
    F_STR(S, sha256, .min = 64, .max = 64, .flags = FIELD_REQUIRED), PREDICT_OPTIONS(S, options.),
    F_OBJS(S, images, picture_fields, sizeof(struct picture), .max = PREDICT_IMAGES_MAX,
           .flags = FIELD_REQUIRED),
    FIELD_END};
#undef S

struct warm {
    char sha256[SHA256_HEX + 1];
    struct model *model; /* NULL: empty */
    uint64_t used;
};
struct server {
    int in_fd, out_fd;
    struct buf in; /* read and not yet used */
    struct warm warm[PREDICT_MODELS_MAX];
    uint64_t frames;
    struct arena arena; /* of the frame */
    char *picture;      /* PREDICT_IMAGE_BYTES_MAX */
};
/* ---- input */

/* Line without its end, lent until the next read; *ret_end: the input ended before a line began. */
static enum rc read_line(struct server *s, str *ret, bool *ret_end, struct err *e)
{
    ptrdiff_t end;

    while ((end = str_chr(buf_view(&s->in), '\n')) < 0) {
        char chunk[16384];
        size_t got;
        enum rc rc = os_read(s->in_fd, chunk, sizeof chunk, &got, e);
        if (rc)
            return rc;
        if (got == 0 && s->in.n > 0)
            return err_set(e, RC_INVALID, "the input ended inside a line");
        if (got == 0) {
            *ret_end = true;
            return RC_OK;
        }
        buf_add(&s->in, chunk, got);
        if (s->in.n > PREDICT_LINE_BYTES_MAX && str_chr(buf_view(&s->in), '\n') < 0)
            return err_set(e, RC_TOO_LARGE, "a line of more than %d bytes", PREDICT_LINE_BYTES_MAX);
        if ((rc = buf_ok(&s->in, e)) != RC_OK)
            return rc;
    }
    *ret = arena_str(&s->arena, str_sub(buf_view(&s->in), 0, (size_t)end));
    buf_drop_front(&s->in, (size_t)end + 1);
    return ret->p ? RC_OK : err_set(e, RC_NOMEM, "no memory for a frame");
}

static enum rc read_bytes(struct server *s, size_t n, struct err *e)
{
    size_t have = s->in.n < n ? s->in.n : n;

    memcpy(s->picture, s->in.p, have);
    buf_drop_front(&s->in, have);
    return have == n ? RC_OK : os_read_full(s->in_fd, s->picture + have, n - have, e);
}

/* ---- models */

static enum rc warm_model(struct server *s, const struct order *o, struct model **ret,
                          struct err *e)
{
    struct model_plan how = {.batch_max = ANSWER_BATCH};
    struct warm *to = &s->warm[0];
    char *path = arena_cstr(&s->arena, o->weights);
    enum rc rc;

    for (int i = 0; i < PREDICT_MODELS_MAX; i++) {
        struct warm *w = &s->warm[i];
        if (w->model && str_is(o->sha256, w->sha256)) {
            w->used = s->frames;
            *ret = w->model;
            return RC_OK;
        }
        if (!w->model || (to->model && w->used < to->used))
            to = w;
    }
    if (!path)
        return err_set(e, RC_NOMEM, "no memory for a path");
    rc = model_check_file(path, o->sha256, e);
    if (rc)
        return rc;
    model_free(to->model); /* before, so that there are never more than the limit */
    to->model = NULL;
    rc = model_load(&to->model, path, &how, e);
    if (rc)
        return rc;
    memcpy(to->sha256, o->sha256.p, SHA256_HEX);
    to->used = s->frames;
    *ret = to->model;
    return RC_OK;
}

/* ---- frames */

static enum rc reply(struct server *s, const struct model *m, struct predict_result *results,
                     size_t n, struct err *e)
{
    struct predict_reply out = {.model = m ? str_of(m->name) : STR(""),
                                .task = m ? str_of(net_task_names[m->task]) : STR(""),
                                .results = {results, n}};
    struct buf line;
    struct jw w;
    enum rc rc;

    buf_init(&line, REPLY_BYTES_MAX);
    jw_init(&w, &line);
    field_write(predict_reply_fields, &out, &w);
    buf_putc(&line, '\n');
    rc = buf_ok(&line, e);
    if (!rc)
        rc = os_write_all(s->out_fd, line.p, line.n, e);
    buf_done(&line);
    return rc;
}

/* Reads all of the pictures, whatever becomes of each. */
static enum rc answer_all(struct server *s, struct answerer *w, const struct order *o,
                          struct predict_result *results, const struct err *refused, struct err *e)
{
    const struct picture *pictures = o->images.p;

    for (size_t i = 0; i < o->images.n; i++) {
        enum rc rc = read_bytes(s, (size_t)pictures[i].bytes, e);
        if (rc)
            return err_wrap(e, rc, "the bytes of '%.*s'", STR_F(pictures[i].name));
        results[i].file = pictures[i].name;
        if (refused)
            answer_failed(&s->arena, &results[i], refused);
        else
            answerer_add(w, (str){s->picture, (size_t)pictures[i].bytes}, &results[i]);
    }
    if (!refused)
        answerer_flush(w);
    return RC_OK;
}

static enum rc serve_frame(struct server *s, str line, struct err *e)
{
    struct order o;
    struct predict_result *results;
    struct answerer w = {0};
    struct model *m = NULL;
    struct err why = {0};
    enum rc rc = field_read_text(order_fields, line, &o, &s->arena, e), ready = RC_OK;

    if (rc)
        return rc == RC_NOMEM ? rc : err_wrap(e, RC_INVALID, "a frame's first line");
    s->frames++;
    results = ARENA_ARRAY(&s->arena, struct predict_result, o.images.n + 1);
    if (!results)
        return err_set(e, RC_NOMEM, "no memory for a frame");
    if (o.options.draw && o.images.n > PREDICT_DRAW_IMAGES_MAX)
        ready = err_set(&why, RC_TOO_LARGE, "at most %d pictures are drawn at once",
                        PREDICT_DRAW_IMAGES_MAX);
    if (!ready)
        ready = warm_model(s, &o, &m, &why);
    if (!ready)
        ready = answerer_init(&w, m, &o.options, &s->arena, &why);
    rc = answer_all(s, &w, &o, results, ready ? &why : NULL, e);
    answerer_done(&w);
    return rc ? rc : reply(s, m, results, o.images.n, e);
}

static enum rc serve_all(struct server *s, struct err *e)
{
    bool end = false;
    str line = STR_NONE;
    enum rc rc;

    for (;;) {
        arena_reset(&s->arena);
        rc = read_line(s, &line, &end, e);
        if (rc || end)
            return rc;
        rc = serve_frame(s, line, e);
        if (rc)
            return rc;
    }
}

enum rc predict_serve(int in_fd, int out_fd, struct err *e)
{
    struct server s = {.in_fd = in_fd, .out_fd = out_fd};
    enum rc rc;

    s.picture = mem_alloc(PREDICT_IMAGE_BYTES_MAX);
    if (!s.picture)
        return err_set(e, RC_NOMEM, "no memory for pictures");
    buf_init(&s.in, PREDICT_LINE_BYTES_MAX + (1 << 16));
    arena_init(&s.arena, FRAME_ARENA_BYTES_MAX);
    rc = serve_all(&s, e);
    for (int i = 0; i < PREDICT_MODELS_MAX; i++)
        model_free(s.warm[i].model);
    arena_done(&s.arena);
    buf_done(&s.in);
    mem_free(s.picture);
    return rc;
}
