/* answer.c - see answer.h. */
#include "flow/worker/answer.h"

#include "base/base64.h"
#include "base/mem.h"
#include "engine/draw/draw.h"
#include "engine/model/rank.h"
#include "os/os.h"
#include <math.h>

enum { MASK_BYTES_MAX = 4 << 20, PNG_BYTES_MAX = 16 << 20 };

static double ms_since(int64_t ns)
{
    return (double)((os_mono_ns() - ns) / 1000) / 1000;
}

void answer_failed(struct arena *a, struct predict_result *to, const struct err *why)
{
    to->predictions = (struct objs){NULL, 0};
    to->error = arena_str(a, str_of(why->text));
    if (!to->error.n)
        to->error = STR("out of memory");
}

/* ---- a batch's memory */

static enum rc init_task(struct answerer *w, struct err *e)
{
    size_t classes = w->m->classes_n, size = (size_t)w->m->frame.size;
    struct net_detect how = {.confidence = (float)w->options.confidence,
                             .iou = (float)w->options.iou,
                             .most = (int)w->options.max};
    bool ok = true;

    switch (w->m->task) {
    case NET_CLASSIFICATION:
        w->logits = ARENA_ARRAY(w->a, float, ANSWER_BATCH *classes);
        w->p = ARENA_ARRAY(w->a, double, classes);
        ok = w->logits && w->p;
        break;
    case NET_SEMANTIC:
        w->labels = ARENA_ARRAY(w->a, uint8_t, ANSWER_BATCH * size * size);
        ok = w->labels != NULL;
        break;
    default:
        return finder_init(&w->finder, w->m, ANSWER_BATCH, how, e);
    }
    return ok ? RC_OK : err_set(e, RC_NOMEM, "no memory for a batch");
}

enum rc answerer_init(struct answerer *w, struct model *m, const struct predict_options *o,
                      struct arena *a, struct err *e)
{
    size_t size = (size_t)m->frame.size;

    *w = (struct answerer){.a = a, .m = m, .options = *o};
    w->x = ARENA_ARRAY(a, float, ANSWER_BATCH * 3 * size * size);
    return w->x ? init_task(w, e) : err_set(e, RC_NOMEM, "no memory for a batch");
}

void answerer_done(struct answerer *w)
{
    for (int i = 0; i < w->n; i++)
        image_done(&w->slot[i].shown);
    finder_done(&w->finder);
    *w = (struct answerer){0};
}

/* ---- predictions of one picture */

static struct prediction *room(struct answerer *w, size_t n, struct err *e)
{
    struct prediction *p = ARENA_ARRAY(w->a, struct prediction, n + 1);

    if (!p)
        err_set(e, RC_NOMEM, "no memory for the answers");
    return p;
}

static struct prediction prediction_of(const struct answerer *w, int32_t cls)
{
    return (struct prediction){.cls = w->m->classes[cls],
                               .class_id = cls,
                               .confidence = NAN,
                               .share = NAN,
                               .box = STR(""),
                               .mask = STR("")};
}

static enum rc say_classes(struct answerer *w, int i, struct predict_result *to, struct err *e)
{
    int32_t classes = (int32_t)w->m->classes_n, k = (int32_t)w->options.top_k;
    struct prediction *out;
    int32_t *top;

    k = k > classes ? classes : k;
    out = room(w, (size_t)k, e);
    top = ARENA_ARRAY(w->a, int32_t, (size_t)k);
    if (!out || !top)
        return err_set(e, RC_NOMEM, "no memory for the answers");
    softmax(w->logits + (size_t)i * w->m->classes_n, classes, w->p);
    top_k(w->p, classes, k, top);
    for (int32_t c = 0; c < k; c++) {
        out[c] = prediction_of(w, top[c]);
        out[c].confidence = w->p[top[c]];
    }
    to->predictions = (struct objs){out, (size_t)k};
    return RC_OK;
}

static str mask_json(struct answerer *w, const struct rle *m)
{
    struct buf b;
    struct jw j;
    str text = STR_NONE;

    buf_init(&b, MASK_BYTES_MAX);
    buf_puts(&b, "{\"size\":[");
    buf_printf(&b, "%u,%u],\"counts\":", m->h, m->w);
    struct buf counts;
    buf_init(&counts, MASK_BYTES_MAX);
    rle_to_text(m, &counts);
    jw_init(&j, &b);
    jw_str(&j, buf_view(&counts)); /* it may hold a backslash */
    buf_putc(&b, '}');
    if (!b.rc && !counts.rc)
        text = arena_str(w->a, buf_view(&b));
    buf_done(&counts);
    buf_done(&b);
    return text;
}

static double hundredths(double v)
{
    return round_to(v, 100);
}

static enum rc say_box(struct answerer *w, int i, int32_t k, struct prediction *out, struct err *e)
{
    const struct frame_map *map = &w->slot[i].map;
    struct net_box b = finder_box(&w->finder, i, k, map);
    struct rle mask = {0};
    enum rc rc = RC_OK;

    *out = prediction_of(w, b.cls);
    out->confidence = round_to((double)finder_confidence(&w->finder, i, k), 1e6);
    out->box =
        str_of(arena_printf(w->a, "[%.10g,%.10g,%.10g,%.10g]", hundredths(b.x0), hundredths(b.y0),
                            hundredths((double)b.x1 - b.x0), hundredths((double)b.y1 - b.y0)));
    if (w->m->task == NET_SEGMENTATION && w->options.masks) {
        rc = finder_mask(&w->finder, i, k, map, (uint32_t)map->width, (uint32_t)map->height, &mask,
                         e);
        if (!rc)
            out->mask = mask_json(w, &mask);
        rle_done(&mask);
    }
    if (!rc && (!out->box.p || !out->mask.p))
        rc = err_set(e, RC_NOMEM, "no memory for the answers");
    return rc;
}

static enum rc say_boxes(struct answerer *w, int i, struct predict_result *to, struct err *e)
{
    size_t n = (size_t)w->finder.n[i];
    struct prediction *out = room(w, n, e);
    enum rc rc = out ? RC_OK : RC_NOMEM;

    for (size_t k = 0; k < n && !rc; k++)
        rc = say_box(w, i, (int32_t)k, &out[k], e);
    if (!rc)
        to->predictions = (struct objs){out, n};
    return rc;
}

static const uint8_t *labels_of(const struct answerer *w, int i)
{
    size_t size = (size_t)w->m->frame.size;

    return w->labels + (size_t)i * size * size;
}

/* A class's pixels on a grid over the picture, and how many of the grid they are. */
static enum rc label_mask(struct answerer *w, int i, int32_t cls, uint32_t gw, uint32_t gh,
                          struct rle *ret, struct err *e)
{
    struct found_grid g = {.px = labels_of(w, i),
                           .size = w->m->frame.size,
                           .value = (uint8_t)cls,
                           .map = &w->slot[i].map,
                           .w = gw,
                           .h = gh,
                           .x1 = gw,
                           .y1 = gh};

    return found_mask(&g, ret, e);
}

static enum rc say_class(struct answerer *w, int i, int32_t cls, struct predict_result *to,
                         struct err *e)
{
    const struct frame_map *map = &w->slot[i].map;
    uint32_t gw, gh;
    struct prediction *out = to->predictions.p;
    struct rle mask = {0};
    enum rc rc;

    found_scale(map, &gw, &gh);
    rc = label_mask(w, i, cls, gw, gh, &mask, e);
    if (!rc && rle_area(&mask) > 0) {
        out += to->predictions.n++;
        *out = prediction_of(w, cls);
        out->share = round_to((double)rle_area(&mask) / ((double)gw * gh), 1e6);
        if (w->options.masks)
            out->mask = mask_json(w, &mask);
        if (!out->mask.p)
            rc = err_set(e, RC_NOMEM, "no memory for the answers");
    }
    rle_done(&mask);
    return rc;
}

static int by_share(const void *a, const void *b)
{
    const struct prediction *x = a, *y = b;

    if (x->share > y->share || x->share < y->share)
        return x->share > y->share ? -1 : 1;
    return x->class_id < y->class_id ? -1 : 1;
}

static enum rc say_areas(struct answerer *w, int i, struct predict_result *to, struct err *e)
{
    enum rc rc;

    to->predictions = (struct objs){room(w, w->m->classes_n, e), 0};
    rc = to->predictions.p ? RC_OK : RC_NOMEM;
    for (size_t c = 0; c < w->m->classes_n && !rc; c++)
        rc = say_class(w, i, (int32_t)c, to, e);
    if (!rc)
        qsort(to->predictions.p, to->predictions.n, sizeof(struct prediction), by_share);
    return rc;
}

/* ---- drawing */

/* The objects of an answer at the size of the picture that is drawn on; masks are made anew. */
static enum rc objects_of(struct answerer *w, int i, struct draw_object *out, struct rle *masks,
                          struct err *e)
{
    const struct answer_slot *s = &w->slot[i];
    const struct prediction *p = s->to->predictions.p;
    double scale = (double)s->shown.width / s->map.width;
    uint32_t gw = (uint32_t)s->shown.width, gh = (uint32_t)s->shown.height;
    enum rc rc = RC_OK;

    for (size_t k = 0; k < s->to->predictions.n && !rc; k++) {
        out[k] = (struct draw_object){
            .cls = (int32_t)p[k].class_id, .name = p[k].cls, .confidence = p[k].confidence};
        if (w->m->task == NET_DETECTION || w->m->task == NET_SEGMENTATION) {
            struct net_box b = finder_box(&w->finder, i, (int32_t)k, &s->map);
            out[k].boxed = true;
            out[k].box[0] = b.x0 * scale;
            out[k].box[1] = b.y0 * scale;
            out[k].box[2] = ((double)b.x1 - b.x0) * scale;
            out[k].box[3] = ((double)b.y1 - b.y0) * scale;
        }
        if (w->m->task == NET_SEGMENTATION)
            rc = finder_mask(&w->finder, i, (int32_t)k, &s->map, gw, gh, &masks[k], e);
        else if (w->m->task == NET_SEMANTIC && !str_is(p[k].cls, "background"))
            rc = label_mask(w, i, out[k].cls, gw, gh, &masks[k], e); /* the rest stays as it is */
        out[k].mask = masks[k].n ? &masks[k] : NULL;
    }
    return rc;
}

static enum rc encode(struct answerer *w, const struct image *im, str *ret, struct err *e)
{
    struct buf png, text;
    enum rc rc;

    buf_init(&png, PNG_BYTES_MAX);
    buf_init(&text, PNG_BYTES_MAX / 3 * 4 + 4);
    rc = image_encode_png(im, &png, e);
    if (!rc) {
        base64_write(png.p, png.n, &text);
        rc = buf_ok(&text, e);
    }
    if (!rc) {
        *ret = arena_str(w->a, buf_view(&text));
        rc = ret->p ? RC_OK : err_set(e, RC_NOMEM, "no memory for a drawn picture");
    }
    buf_done(&png);
    buf_done(&text);
    return rc;
}

static enum rc draw(struct answerer *w, int i, struct err *e)
{
    struct answer_slot *s = &w->slot[i];
    size_t n = s->to->predictions.n;
    struct draw_object *objects = ARENA_ARRAY(w->a, struct draw_object, n + 1);
    struct rle *masks = ARENA_ARRAY(w->a, struct rle, n + 1);
    enum rc rc;

    if (!objects || !masks)
        return err_set(e, RC_NOMEM, "no memory for a drawn picture");
    rc = objects_of(w, i, objects, masks, e);
    if (!rc)
        rc = draw_objects(&s->shown, objects, n, e);
    if (!rc)
        rc = encode(w, &s->shown, &s->to->drawn, e);
    for (size_t k = 0; k < n; k++)
        rle_done(&masks[k]);
    return rc;
}

/* ---- batches */

static enum rc run_network(struct answerer *w, struct err *e)
{
    switch (w->m->task) {
    case NET_CLASSIFICATION:
        return net_infer(w->m->net, w->x, w->n, w->logits, e);
    case NET_SEMANTIC:
        return net_label(w->m->net, w->x, w->n, w->labels, e);
    default:
        return finder_run(&w->finder, w->x, w->n, e);
    }
}

static enum rc say(struct answerer *w, int i, struct err *e)
{
    struct predict_result *to = w->slot[i].to;
    enum rc rc;

    rc = w->m->task == NET_CLASSIFICATION ? say_classes(w, i, to, e)
         : w->m->task == NET_SEMANTIC     ? say_areas(w, i, to, e)
                                          : say_boxes(w, i, to, e);
    if (!rc && w->options.draw)
        rc = draw(w, i, e);
    return rc;
}

void answerer_flush(struct answerer *w)
{
    int64_t began = os_mono_ns();
    struct err e;
    enum rc rc = w->n ? run_network(w, &e) : RC_OK;

    for (int i = 0; i < w->n; i++) {
        struct answer_slot *s = &w->slot[i];
        enum rc said = rc ? rc : say(w, i, &e);
        if (said)
            answer_failed(w->a, s->to, &e);
        image_done(&s->shown);
    }
    for (int i = 0; i < w->n; i++)
        w->slot[i].to->ms += ms_since(began) / w->n;
    w->n = 0;
}

/* For drawing the whole picture is decoded once more, as the network may see a reduced form. */
static enum rc open_shown(struct answerer *w, str bytes, struct answer_slot *s, struct err *e)
{
    struct image whole = {0};
    enum rc rc;

    if (!w->options.draw)
        return RC_OK;
    rc = image_decode(bytes, NULL, 0, &whole, e);
    if (!rc)
        rc = image_fit(&whole, PREDICT_DRAW_SIDE_MAX, &s->shown, e);
    image_done(&whole);
    return rc;
}

void answerer_add(struct answerer *w, str picture, struct predict_result *to)
{
    struct answer_slot *s = &w->slot[w->n];
    const struct frame *f = &w->m->frame;
    size_t row = 3 * (size_t)f->size * (size_t)f->size;
    int64_t began = os_mono_ns();
    struct image_info info;
    struct err e;
    enum rc rc = image_probe(picture, NULL, &info, &e);

    *s = (struct answer_slot){.to = to};
    if (!rc)
        rc = frame_input(f, picture, NULL, w->x + (size_t)w->n * row, &e);
    if (!rc)
        rc = open_shown(w, picture, s, &e);
    if (!rc) {
        to->width = info.width;
        to->height = info.height;
        s->map = frame_map_of(f, info.width, info.height);
    }
    to->ms = ms_since(began);
    if (rc) {
        image_done(&s->shown);
        answer_failed(w->a, to, &e);
    } else if (++w->n == ANSWER_BATCH) {
        answerer_flush(w);
    }
}
