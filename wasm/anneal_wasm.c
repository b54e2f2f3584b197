/* anneal_wasm.c - the exports; see anneal_wasm.h. */
#include "wasm/anneal_wasm.h"

#include "base/json.h"
#include "base/mem.h"
#include "engine/bundle/model.h"
#include "engine/model/net_int.h" /* anneal_debug_time looks into the graph */
#include "engine/model/rank.h"

enum {
    TEXT_BYTES_MAX = 16 << 20,
    BOX_FLOATS = 6, /* x0, y0, x1, y1, confidence, class */
    LABELS = 256,   /* classes of a semantic network */
};

struct anneal_model {
    struct model *model;
    struct buf about;  /* what anneal_describe gives */
    struct buf result; /* of the last run */
    float *input, *output;
    size_t inputs, outputs; /* floats; outputs of the last run */
    struct frame_map map;   /* of the last picture */
    int32_t top;
    struct net_detect how;
    double *p;                   /* classification: by class */
    int32_t *order;              /* classification: the most likely, [ANNEAL_TOP_MAX] */
    struct net_detection *found; /* detection, segmentation: [NET_DETECTIONS_MAX] */
    int32_t found_n;
    uint8_t *pixels; /* segmentation: a mask; semantic: the labels; [size][size] */
};

static struct err last;

int32_t anneal_abi(void)
{
    return ANNEAL_ABI;
}

void *anneal_alloc(size_t n)
{
    return mem_alloc(n);
}

void anneal_free(void *p)
{
    mem_free(p);
}

const char *anneal_error_code(void)
{
    return rc_code(last.rc);
}

const char *anneal_error_text(void)
{
    return last.text;
}

void anneal_debug_fail_at(int32_t n)
{
    mem_fail_at(n);
}

size_t anneal_debug_live_bytes(void)
{
    return mem_live_bytes();
}

const char *anneal_debug_time(struct anneal_model *m)
{
    struct graph *g = m->model->net->graph;

    buf_clear(&m->result);
    graph_time_describe(g, &m->result);
    return graph_time(g, &last) == RC_OK ? m->result.p : NULL;
}

/* ---- models */

static enum rc describe(struct anneal_model *m, struct err *e)
{
    struct net_info info;
    struct jw w;

    net_get_info(m->model->net, &info);
    jw_init(&w, &m->about);
    jw_obj(&w);
    jw_kstr(&w, "model", str_of(info.card->name));
    jw_kstr(&w, "title", str_of(info.card->title));
    jw_kstr(&w, "task", str_of(net_task_names[info.card->task]));
    jw_karr(&w, "classes");
    for (size_t i = 0; i < m->model->classes_n; i++)
        jw_str(&w, m->model->classes[i]);
    jw_arr_end(&w);
    jw_kint(&w, "image_size", info.image_size);
    jw_kstr(&w, "fit", str_of(frame_fit_names[m->model->frame.fit]));
    jw_kint(&w, "params", (int64_t)info.params);
    jw_kint(&w, "bytes", (int64_t)info.bytes);
    jw_knum(&w, "flops", info.flops);
    jw_kstr(&w, "isa", str_of(info.isa));
    jw_obj_end(&w);
    return buf_ok(&m->about, e);
}

static enum rc make_room(struct anneal_model *m, struct err *e)
{
    const size_t side = (size_t)m->model->frame.size, classes = m->model->classes_n;
    const enum net_task task = m->model->task;
    const bool boxes = task == NET_DETECTION || task == NET_SEGMENTATION;
    bool ok;

    m->inputs = 3 * side * side;
    m->input = mem_alloc_aligned(64, m->inputs * sizeof *m->input);
    m->output = mem_alloc_array(boxes ? (size_t)NET_DETECTIONS_MAX * BOX_FLOATS : classes,
                                sizeof *m->output);
    ok = m->input && m->output;
    if (ok && task == NET_CLASSIFICATION) {
        m->p = mem_alloc_array(classes, sizeof *m->p);
        m->order = mem_alloc_array(ANNEAL_TOP_MAX, sizeof *m->order);
        ok = m->p && m->order;
    }
    if (ok && boxes)
        ok = (m->found = mem_alloc_array(NET_DETECTIONS_MAX, sizeof *m->found)) != NULL;
    if (ok && (task == NET_SEGMENTATION || task == NET_SEMANTIC))
        ok = (m->pixels = mem_alloc(side * side)) != NULL;
    return ok ? RC_OK : err_set(e, RC_NOMEM, "no memory for a picture of %zu pixels a side", side);
}

static enum rc load(struct anneal_model *m, str bytes, struct err *e)
{
    const struct model_plan how = {
        .batch_max = 1, .threads = 1, .backend = NET_PORTABLE, .isa = "base"};
    struct safetensors *s;
    enum rc rc = safetensors_view(&s, "the weights file", bytes, e);

    if (rc)
        return rc;
    rc = model_load_from(&m->model, s, &how, e);
    safetensors_close(s);
    if (rc)
        return rc;
    rc = make_room(m, e);
    if (rc)
        return rc;
    return describe(m, e);
}

struct anneal_model *anneal_load(const void *bytes, size_t n)
{
    struct anneal_model *m = mem_zalloc(sizeof *m);

    if (!m) {
        err_set(&last, RC_NOMEM, "no memory for a model");
        return NULL;
    }
    buf_init(&m->about, TEXT_BYTES_MAX);
    buf_init(&m->result, TEXT_BYTES_MAX);
    m->top = 5;
    m->how = (struct net_detect){.confidence = 0.25f, .iou = 0.7f, .most = 100};
    if (load(m, (str){bytes, n}, &last) != RC_OK) {
        anneal_unload(m);
        return NULL;
    }
    return m;
}

void anneal_unload(struct anneal_model *m)
{
    if (!m)
        return;
    model_free(m->model);
    buf_done(&m->about);
    buf_done(&m->result);
    mem_free(m->input);
    mem_free(m->output);
    mem_free(m->p);
    mem_free(m->order);
    mem_free(m->found);
    mem_free(m->pixels);
    mem_free(m);
}

const char *anneal_describe(const struct anneal_model *m)
{
    return m->about.p;
}

/* ---- results */

static void put_class(const struct anneal_model *m, struct jw *w, int32_t cls)
{
    jw_obj(w);
    jw_kstr(w, "class", m->model->classes[cls]);
    jw_kint(w, "class_id", cls);
}

static enum rc run_classes(struct anneal_model *m, struct jw *w, struct err *e)
{
    const int32_t classes = (int32_t)m->model->classes_n;
    const int32_t k = m->top < classes ? m->top : classes;
    enum rc rc = net_infer(m->model->net, m->input, 1, m->output, e);

    if (rc)
        return rc;
    m->outputs = m->model->classes_n;
    softmax(m->output, classes, m->p);
    top_k(m->p, classes, k, m->order);
    for (int32_t i = 0; i < k; i++) {
        put_class(m, w, m->order[i]);
        jw_knum(w, "confidence", m->p[m->order[i]]);
        jw_obj_end(w);
    }
    return RC_OK;
}

static enum rc run_boxes(struct anneal_model *m, struct jw *w, struct err *e)
{
    enum rc rc = net_detect(m->model->net, m->input, 1, &m->how, m->found, &m->found_n, e);

    if (rc)
        return rc;
    m->outputs = (size_t)m->found_n * BOX_FLOATS;
    for (int32_t i = 0; i < m->found_n; i++) {
        const struct net_detection *d = &m->found[i];
        const float raw[BOX_FLOATS] = {d->box.x0, d->box.y0,     d->box.x1,
                                       d->box.y1, d->confidence, (float)d->box.cls};
        const struct net_box b = frame_map_back(&m->map, d->box);
        memcpy(m->output + (size_t)i * BOX_FLOATS, raw, sizeof raw);
        put_class(m, w, b.cls);
        jw_knum(w, "confidence", (double)d->confidence);
        jw_karr(w, "box");
        jw_num(w, (double)b.x0);
        jw_num(w, (double)b.y0);
        jw_num(w, (double)b.x1 - (double)b.x0);
        jw_num(w, (double)b.y1 - (double)b.y0);
        jw_arr_end(w);
        jw_obj_end(w);
    }
    return RC_OK;
}

/* Pixels of each class where the picture lies in the input. */
static int64_t count_labels(const struct anneal_model *m, int64_t ret[LABELS])
{
    const int32_t side = m->model->frame.size;
    int64_t all = 0;

    memset(ret, 0, LABELS * sizeof *ret);
    for (int32_t y = 0; y < side; y++)
        for (int32_t x = 0; x < side; x++) {
            const double px = (x + 0.5 - m->map.x0) / m->map.sx;
            const double py = (y + 0.5 - m->map.y0) / m->map.sy;
            if (px < 0 || py < 0 || px >= m->map.width || py >= m->map.height)
                continue;
            ret[m->pixels[(size_t)y * (size_t)side + (size_t)x]]++;
            all++;
        }
    return all;
}

static enum rc run_labels(struct anneal_model *m, struct jw *w, struct err *e)
{
    int64_t counts[LABELS], all;
    enum rc rc = net_label(m->model->net, m->input, 1, m->pixels, e);

    if (rc)
        return rc;
    m->outputs = 0;
    all = count_labels(m, counts);
    for (;;) { /* the most frequent that is left */
        int32_t most = 0;
        for (int32_t c = 1; c < LABELS; c++)
            most = counts[c] > counts[most] ? c : most;
        if (counts[most] == 0 || most >= (int32_t)m->model->classes_n)
            return RC_OK;
        put_class(m, w, most);
        jw_knum(w, "share", (double)counts[most] / (double)all);
        jw_obj_end(w);
        counts[most] = 0;
    }
}

static enum rc run(struct anneal_model *m, struct err *e)
{
    struct jw w;
    enum rc rc;

    buf_clear(&m->result);
    m->outputs = 0;
    m->found_n = 0;
    jw_init(&w, &m->result);
    jw_obj(&w);
    jw_karr(&w, "predictions");
    switch (m->model->task) {
    case NET_CLASSIFICATION:
        rc = run_classes(m, &w, e);
        break;
    case NET_SEMANTIC:
        rc = run_labels(m, &w, e);
        break;
    default:
        rc = run_boxes(m, &w, e);
    }
    if (rc)
        return rc;
    jw_arr_end(&w);
    jw_kobj(&w, "map");
    jw_knum(&w, "sx", m->map.sx);
    jw_knum(&w, "sy", m->map.sy);
    jw_knum(&w, "x0", m->map.x0);
    jw_knum(&w, "y0", m->map.y0);
    jw_obj_end(&w);
    jw_obj_end(&w);
    return buf_ok(&m->result, e);
}

/* ---- running */

static enum rc out_of_range(const char *field, double value, double least, double most)
{
    return err_field(&last, RC_INVALID, field, "%s is %g; it must be between %g and %g", field,
                     value, least, most);
}

int32_t anneal_options(struct anneal_model *m, int32_t top, int32_t most, double confidence,
                       double iou)
{
    if (top < 1 || top > ANNEAL_TOP_MAX)
        return (int32_t)out_of_range("top", top, 1, ANNEAL_TOP_MAX);
    if (most < 1 || most > NET_DETECTIONS_MAX)
        return (int32_t)out_of_range("most", most, 1, NET_DETECTIONS_MAX);
    if (!(confidence >= 0.001 && confidence <= 1))
        return (int32_t)out_of_range("confidence", confidence, 0.001, 1);
    if (!(iou >= 0.01 && iou <= 1))
        return (int32_t)out_of_range("iou", iou, 0.01, 1);
    m->top = top;
    m->how = (struct net_detect){(float)confidence, (float)iou, most};
    return 0;
}

int32_t anneal_run_rgba(struct anneal_model *m, const uint8_t *rgba, int32_t width, int32_t height)
{
    const struct image_limits lim = {.pixels_max = ANNEAL_PICTURE_PIXELS_MAX};
    const struct frame f = frame_for_eval(&m->model->frame);
    struct image full, work = {0};
    enum rc rc = image_of_rgba(rgba, width, height, &lim, &full, &last);

    if (!rc)
        rc = frame_take(&f, width, height, &full, &work, &last);
    if (!rc)
        rc = frame_eval(&f, &work, m->input, &last);
    image_done(&work);
    if (rc)
        return (int32_t)rc;
    m->map = frame_map_of(&m->model->frame, width, height);
    return (int32_t)run(m, &last);
}

int32_t anneal_run_tensor(struct anneal_model *m, const float *x, size_t floats)
{
    const int32_t side = m->model->frame.size;

    if (floats != m->inputs)
        return (int32_t)err_set(&last, RC_INVALID, "an input of %zu numbers; the model takes %zu",
                                floats, m->inputs);
    memcpy(m->input, x, floats * sizeof *x);
    m->map = (struct frame_map){1, 1, 0, 0, side, side};
    return (int32_t)run(m, &last);
}

const uint8_t *anneal_mask(struct anneal_model *m, int32_t k)
{
    if (m->model->task == NET_SEGMENTATION && k >= 0 && k < m->found_n)
        net_detection_mask(m->model->net, 0, &m->found[k], m->pixels);
    else if (m->model->task != NET_SEMANTIC)
        return NULL;
    return m->pixels;
}

const char *anneal_result(const struct anneal_model *m)
{
    return m->result.p;
}

const float *anneal_output(const struct anneal_model *m)
{
    return m->output;
}

size_t anneal_output_floats(const struct anneal_model *m)
{
    return m->outputs;
}

const float *anneal_input(const struct anneal_model *m)
{
    return m->input;
}

size_t anneal_input_floats(const struct anneal_model *m)
{
    return m->inputs;
}
