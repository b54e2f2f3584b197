/* jobs_pictures.c - the results of a validation picture by picture: filtered, in the order of the
 * results or the hardest first, by page; and what a threshold does to all of them.
 *
 * The results are a stream of lines (jobs_results.c).  In their own order a page ends when it is
 * full.  The hardest first needs all lines, whatever the page; kept of them are a page's, at most
 * RANK_BYTES_MAX: a page of larger ones is shorter.  Its cursor is the last picture's score and
 * place (mistakes.h), so that pages neither repeat nor skip a picture.
 */
#include "api/jobs.h"
#include "api/mistakes.h"
#include "base/mem.h"

enum { RANK_BYTES_MAX = 32 << 20, LINE_ARENA_BYTES = 64 << 20 /* hundreds of boxes and masks */ };

/* ---- the hardest */

struct ranked {
    int64_t score, index;
    char *line;
    size_t n;
};
struct rank {
    struct ranked *p; /* hardest first */
    size_t n, cap, bytes;
    int64_t after_score, after_index; /* only what comes after; after_index 0: all */
    int64_t total;                    /* that are wanted, on all pages */
    bool more;
};

static enum rc rank_init(struct rank *r, size_t cap, struct err *e)
{
    r->p = mem_alloc_array(cap, sizeof *r->p);
    r->cap = cap;
    return r->p ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
}

static void rank_done(struct rank *r)
{
    for (size_t i = 0; i < r->n; i++)
        mem_free(r->p[i].line);
    mem_free(r->p);
}

static bool harder(int64_t score, int64_t index, int64_t than_score, int64_t than_index)
{
    return score != than_score ? score > than_score : index < than_index;
}

static void rank_drop_last(struct rank *r)
{
    struct ranked *last = &r->p[--r->n];

    r->bytes -= last->n;
    mem_free(last->line);
    r->more = true;
}

static enum rc rank_add(struct rank *r, int64_t score, int64_t index, str line, struct err *e)
{
    struct ranked one = {score, index, NULL, line.n};
    size_t at = r->n;

    r->total++;
    if (r->after_index && !harder(r->after_score, r->after_index, score, index))
        return RC_OK;
    while (at && harder(score, index, r->p[at - 1].score, r->p[at - 1].index))
        at--;
    if (at == r->cap) {
        r->more = true;
        return RC_OK;
    }
    one.line = mem_strndup(line.p, line.n);
    if (!one.line)
        return err_set(e, RC_NOMEM, "out of memory for the results of %zu pictures", r->cap);
    if (r->n == r->cap)
        rank_drop_last(r);
    memmove(r->p + at + 1, r->p + at, (r->n - at) * sizeof *r->p);
    r->p[at] = one;
    r->n++;
    r->bytes += line.n;
    while (r->bytes > RANK_BYTES_MAX && r->n > 1) {
        rank_drop_last(r);
        r->cap = r->n; /* what was dropped stays before all that comes for the next page */
    }
    return RC_OK;
}

/* ---- the query */

static const char *const correct_names[] = {"any", "true", "false", NULL};
static const char *const image_order_names[] = {"index", "hardest", NULL};
enum { ORDER_INDEX, ORDER_HARDEST };
struct images_query {
    str q, after;
    int correct, mistake, order;
    int64_t label, predicted, cls, limit;
    double threshold;
};
#define S struct images_query
static const struct field images_query_fields[] = {
    F_ENUM(S, correct, correct_names, .dflt = "\"any\"", .help = "Only right or only wrong ones."),
    F_ENUM(S, mistake, mistake_names, .dflt = "\"any\"",
           .help = "Only with such a mistake: a false positive, a missed object, a wrong class."),
    F_INT(S, label, .dflt = "-1", .min = -1, .max = 1e6,
          .help = "Index of the true class; -1 any; of boxes, the number of classes: background."),
    F_INT(S, predicted, .dflt = "-1", .min = -1, .max = 1e6,
          .help = "Index of the predicted class; -1 any; of boxes, the number of classes: "
                  "background."),
    {.name = "class",
     .type = FIELD_INT,
     .offset = offsetof(S, cls),
     .dflt = "-1",
     .min = -1,
     .max = 1e6,
     .help = "Index of the true or the predicted class; -1 any."},
    F_NUM(S, threshold, .dflt = "-1", .min = -1, .max = 1,
          .help = "Of boxes: least confidence; -1: best_confidence, as in the confusion matrix."),
    F_STR(S, q, .max = 200, .help = "Part of the name."),
    F_ENUM(S, order, image_order_names, .dflt = "\"index\"",
           .help = "index: as in the results; hardest: the largest score first."),
    F_STR(S, after, .max = 48, .help = "`next` of the page before."),
    F_INT(S, limit, .dflt = "100", .min = 1, .max = 1000, .help = "Pictures of a page."),
    FIELD_END};
#undef S

/* "INDEX", or "SCORE,INDEX" of the hardest; "" begins. */
static enum rc read_place(const struct images_query *q, int64_t *ret_score, int64_t *ret_index,
                          struct err *e)
{
    ptrdiff_t comma = q->order == ORDER_HARDEST ? str_find(q->after, STR(",")) : -1;
    bool good;

    *ret_score = *ret_index = 0;
    if (!q->after.n || (q->order == ORDER_HARDEST && str_is(q->after, "0")))
        return RC_OK;
    if (q->order == ORDER_HARDEST)
        good = comma >= 0 && str_i64(str_sub(q->after, 0, (size_t)comma), ret_score) &&
               str_i64(str_sub(q->after, (size_t)comma + 1, q->after.n), ret_index) &&
               *ret_index >= 1;
    else
        good = str_i64(q->after, ret_index) && *ret_index >= 0;
    return good ? RC_OK
                : err_field(e, RC_INVALID, "after",
                            "use `next` of the page before, in the same order");
}

/* ---- a page */

struct images_out {
    const struct images_query *q;
    struct mistakes *m; /* from the first line on */
    struct jw *w;
    struct arena a; /* of one line */
    int64_t n, next, after;
    struct rank rank;
};

static void write_result(struct jw *w, const struct json *v, int64_t number, int64_t score)
{
    jw_obj(w);
    jw_kint(w, "index", number);
    jw_knum(w, "score", (double)score / 1e6);
    JSON_EACH(m, v) {
        if (str_is(m->key, "index") || str_is(m->key, "score"))
            continue;
        jw_key_str(w, m->key);
        jw_raw(w, m->raw);
    }
    jw_obj_end(w);
}

static enum rc take_head(struct images_out *o, str line, struct err *e)
{
    const struct images_query *q = o->q;
    const struct result_filter f = {.q = q->q,
                                    .correct = q->correct,
                                    .mistake = q->mistake,
                                    .label = q->label,
                                    .predicted = q->predicted,
                                    .cls = q->cls,
                                    .threshold = q->threshold};
    struct result_head h;
    enum rc rc = result_head_read(&o->a, line, &h, e);

    return rc ? rc : mistakes_new(&o->m, &h, &f, e);
}

static enum rc read_result(struct arena *a, str line, int64_t number, const struct json **ret,
                           struct err *e)
{
    enum rc rc = json_parse(a, line, NULL, ret, e);

    return rc ? err_wrap(e, rc == RC_NOMEM ? rc : RC_UPSTREAM, "line %lld of the results",
                         (long long)number + 1)
              : RC_OK;
}

static enum rc take_image(str line, int64_t number, void *ud, struct err *e)
{
    struct images_out *o = ud;
    const struct json *v;
    bool wanted = false;
    int64_t score = 0;
    enum rc rc;

    arena_reset(&o->a);
    if (number == 0)
        return take_head(o, line, e);
    if (!line.n || (o->q->order == ORDER_INDEX && number <= o->after))
        return RC_OK;
    rc = read_result(&o->a, line, number, &v, e);
    if (rc || v->type != JSON_OBJ)
        return rc;
    rc = mistakes_look(o->m, &o->a, v, &wanted, &score, e);
    if (rc || !wanted)
        return rc;
    if (o->q->order == ORDER_HARDEST)
        return rank_add(&o->rank, score, number, line, e);
    if (o->n == o->q->limit)
        return RC_GONE; /* there is one more: `next` is set */
    write_result(o->w, v, number, score);
    o->n++;
    o->next = number;
    return RC_OK;
}

static enum rc write_rank(struct images_out *o, struct err *e)
{
    enum rc rc = RC_OK;

    for (size_t i = 0; i < o->rank.n && !rc; i++) {
        const struct ranked *one = &o->rank.p[i];
        const struct json *v;
        arena_reset(&o->a);
        rc = read_result(&o->a, (str){one->line, one->n}, one->index, &v, e);
        if (!rc)
            write_result(o->w, v, one->index, one->score);
    }
    return rc;
}

static void write_place(const struct images_out *o, struct jw *w)
{
    const struct rank *r = &o->rank;
    char text[48];

    if (o->q->order == ORDER_HARDEST) {
        jw_kint(w, "total", r->total);
        jw_key(w, "next");
        if (r->more && r->n) {
            snprintf(text, sizeof text, "%lld,%lld", (long long)r->p[r->n - 1].score,
                     (long long)r->p[r->n - 1].index);
            jw_cstr(w, text);
        } else {
            jw_null(w);
        }
        return;
    }
    jw_key(w, "next");
    if (o->n == o->q->limit)
        jw_int(w, o->next);
    else
        jw_null(w);
}

static enum rc images_begin(struct images_out *o, const struct images_query *q, struct jw *w,
                            struct err *e)
{
    *o = (struct images_out){.q = q, .w = w};
    arena_init(&o->a, LINE_ARENA_BYTES);
    enum rc rc = read_place(q, &o->rank.after_score, &o->rank.after_index, e);

    o->after = o->rank.after_index;
    return rc || q->order == ORDER_INDEX ? rc : rank_init(&o->rank, (size_t)q->limit, e);
}

static void images_end(struct images_out *o)
{
    mistakes_free(o->m);
    rank_done(&o->rank);
    arena_done(&o->a);
}

static enum rc get_images(struct ctx *c, struct err *e)
{
    struct images_out o;
    struct validation v;
    struct buf b;
    struct jw w;
    enum rc rc = validation_of(c, &v, e);

    if (rc)
        return rc;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_kint(&w, "epoch", v.epoch);
    jw_kstr(&w, "split", v.split);
    jw_karr(&w, "images");
    rc = images_begin(&o, c->query, &w, e);
    if (!rc)
        rc = validation_lines(c, &v, take_image, &o, e);
    if (!rc)
        rc = write_rank(&o, e);
    jw_arr_end(&w);
    write_place(&o, &w);
    jw_obj_end(&w);
    images_end(&o);
    if (rc) {
        buf_done(&b);
        return rc;
    }
    return reply_json(c, 200, &b, e);
}

/* ---- counts by threshold */

struct counts_out {
    struct result_head head;
    struct result_counts counts;
    struct arena a;
};

static enum rc take_count(str line, int64_t number, void *ud, struct err *e)
{
    struct counts_out *o = ud;
    const struct json *v;
    enum rc rc;

    arena_reset(&o->a);
    if (number == 0)
        return result_head_read(&o->a, line, &o->head, e);
    if (o->head.task == RESULT_SEMANTIC)
        return err_set(e, RC_NOT_FOUND,
                       "a semantic segmentation gives each pixel a class; no threshold decides");
    if (!line.n)
        return RC_OK;
    rc = read_result(&o->a, line, number, &v, e);
    if (!rc && v->type == JSON_OBJ)
        result_counts_add(&o->counts, o->head.task, v);
    return rc;
}

static void write_counts(struct jw *w, const char *key, const int64_t *n)
{
    jw_karr(w, key);
    for (int i = 0; i < RESULT_THRESHOLDS; i++)
        jw_int(w, n[i]);
    jw_arr_end(w);
}

static enum rc get_counts(struct ctx *c, struct err *e)
{
    struct counts_out o = {0};
    struct validation v;
    struct buf b;
    struct jw w;
    enum rc rc = validation_of(c, &v, e);

    if (rc)
        return rc;
    arena_init(&o.a, LINE_ARENA_BYTES);
    rc = validation_lines(c, &v, take_count, &o, e);
    arena_done(&o.a);
    if (rc)
        return rc;
    result_counts_end(&o.counts);
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_kint(&w, "epoch", v.epoch);
    jw_kstr(&w, "split", v.split);
    jw_kint(&w, "images", o.counts.images);
    jw_kint(&w, "objects", o.counts.objects);
    write_counts(&w, "hits", o.counts.hits);
    write_counts(&w, "false", o.counts.wrong);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

#define GET(path_, ...)                                                                            \
    {                                                                                              \
        HTTP_GET, "/training/jobs/{id}" path_, ACCESS_VIEWER, "jobs:read", .tag = "Results",       \
                                                                           __VA_ARGS__             \
    }
extern const struct route job_picture_routes[];
const struct route job_picture_routes[] = {
    GET("/validation/{epoch}/images", .query = images_query_fields,
        .query_size = sizeof(struct images_query),
        .summary = "The result for every picture, by page: {images: [...], next}.",
        .help = "`hardest` orders all pictures that match, over all pages, and tells their "
                "`total`, by falling score, ties by index.  The score of a picture: of a "
                "classifier 1 + confidence if it is wrong, 1 - confidence if it is right; of boxes "
                "the sum over the mistakes that were asked for, 1 for a missed object, its "
                "confidence for a false positive, 1 + confidence for a wrong class; of a semantic "
                "segmentation 1 - mIoU, or the part of its pixels that are mistakes asked for.  "
                "Mistakes of boxes are those of the confusion matrix: "
                "boxes of at least the threshold are paired with the truths at IoU 0.5, whatever "
                "their class.  A classifier's wrong picture is a false positive of the predicted "
                "class and a miss of the true one.",
        .fn = get_images),
    GET("/validation/{epoch}/counts",
        .summary = "What a threshold does to the whole split: {images, objects, hits, false}.",
        .help = "hits and false are lists for the thresholds 0, .01 .. 1.  Of boxes: those of at "
                "least that confidence that found one of `objects`, and those that found none "
                "(same class, IoU 0.5).  Of a classifier: its right and its wrong decisions; "
                "what is left of `images` is below the threshold.",
        .fn = get_counts),
    ROUTE_END};
