/* anneal_wasm.c - the exports; see anneal_wasm.h. */
#include "wasm/anneal_wasm.h"

#include "base/json.h"
#include "base/mem.h"
#include "engine/bundle/model.h"
#include "engine/model/net_int.h" /* anneal_debug_time looks into the graph */
#include "engine/model/rank.h"
#include "spec/contract.h"

enum { TEXT_BYTES_MAX = 16 << 20, RESULT_ARENA_BYTES_MAX = 64 << 20 };

struct anneal_model {
    struct model *model;
    struct buf about;  /* what anneal_describe gives */
    struct buf result; /* of the last run */
    float *input, *output;
    size_t inputs, outputs; /* floats */
    double *p;              /* probabilities, by class */
    struct arena arena;     /* of one result */
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
    m->inputs = 3 * (size_t)m->model->frame.size * (size_t)m->model->frame.size;
    m->outputs = m->model->classes_n;
    m->input = mem_alloc_aligned(64, m->inputs * sizeof *m->input);
    m->output = mem_alloc_array(m->outputs, sizeof *m->output);
    m->p = mem_alloc_array(m->outputs, sizeof *m->p);
    if (!m->input || !m->output || !m->p)
        return err_set(e, RC_NOMEM, "no memory for a picture of %d pixels a side",
                       (int)m->model->frame.size);
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
    arena_init(&m->arena, RESULT_ARENA_BYTES_MAX);
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
    arena_done(&m->arena);
    mem_free(m->input);
    mem_free(m->output);
    mem_free(m->p);
    mem_free(m);
}

const char *anneal_describe(const struct anneal_model *m)
{
    return m->about.p;
}

/* ---- running */

static enum rc answer(struct anneal_model *m, int32_t top_k_wanted, struct err *e)
{
    const int32_t classes = (int32_t)m->model->classes_n;
    const int32_t k = top_k_wanted < classes ? top_k_wanted : classes;
    struct predict_result out = {0};
    struct prediction *rows;
    int32_t *top;
    struct jw w;

    arena_reset(&m->arena);
    buf_clear(&m->result);
    rows = ARENA_ARRAY(&m->arena, struct prediction, (size_t)k);
    top = ARENA_ARRAY(&m->arena, int32_t, (size_t)k);
    if (!rows || !top)
        return err_set(e, RC_NOMEM, "no memory for a result");
    softmax(m->output, classes, m->p);
    top_k(m->p, classes, k, top);
    for (int32_t i = 0; i < k; i++)
        rows[i] = (struct prediction){m->model->classes[top[i]], top[i], m->p[top[i]]};
    out.predictions = (struct objs){rows, (size_t)k};
    jw_init(&w, &m->result);
    field_write(predict_result_fields, &out, &w);
    return buf_ok(&m->result, e);
}

static enum rc run(struct anneal_model *m, int32_t top_k_wanted, struct err *e)
{
    if (top_k_wanted < 1 || top_k_wanted > ANNEAL_TOP_MAX)
        return err_field(e, RC_INVALID, "top_k", "top_k is %d; it must be between 1 and %d",
                         (int)top_k_wanted, ANNEAL_TOP_MAX);
    enum rc rc = net_infer(m->model->net, m->input, 1, m->output, e);
    return rc ? rc : answer(m, top_k_wanted, e);
}

int32_t anneal_run_rgba(struct anneal_model *m, const uint8_t *rgba, int32_t width, int32_t height,
                        int32_t top_k_wanted)
{
    const struct image_limits lim = {.pixels_max = ANNEAL_PICTURE_PIXELS_MAX};
    const struct frame *f = &m->model->frame;
    struct image full, work = {0};
    enum rc rc = image_of_rgba(rgba, width, height, &lim, &full, &last);

    if (!rc)
        rc = frame_take(f, width, height, &full, &work, &last);
    if (!rc)
        rc = frame_eval(f, &work, m->input, &last);
    image_done(&work);
    return (int32_t)(rc ? rc : run(m, top_k_wanted, &last));
}

int32_t anneal_run_tensor(struct anneal_model *m, const float *x, size_t floats,
                          int32_t top_k_wanted)
{
    if (floats != m->inputs)
        return (int32_t)err_set(&last, RC_INVALID, "an input of %zu numbers; the model takes %zu",
                                floats, m->inputs);
    memcpy(m->input, x, floats * sizeof *x);
    return (int32_t)run(m, top_k_wanted, &last);
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
