/* onednn.c - see onednn.h.  The only file that knows oneDNN (C API of 2.x).
 *
 * Pitfalls met, and what is done about each:
 *  - an unsupported combination silently becomes the reference implementation, hundreds of times
 *    slower: the name of every implementation is read, and "ref" is refused;
 *  - sum must come before the activation among the post-operations, or `ref` it is;
 *  - oneDNN runs OpenMP of its own: omp_set_num_threads(1) on each of our threads, before
 * primitives are made and executed, keeps it on the calling thread;
 *  - scratch memory is the caller's (dnnl_scratchpad_mode_user), so that one primitive can run on
 *    several threads at once, each with memory objects of its own.
 */
#include "engine/kernel/onednn/onednn.h"
#include "base/mem.h"
#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <string.h>

#define ONEDNN_FUNCTIONS(X)                                                                        \
    X(dnnl_version)                                                                                \
    X(dnnl_engine_create)                                                                          \
    X(dnnl_engine_destroy)                                                                         \
    X(dnnl_stream_create)                                                                          \
    X(dnnl_stream_destroy)                                                                         \
    X(dnnl_memory_desc_init_by_tag)                                                                \
    X(dnnl_memory_desc_get_size)                                                                   \
    X(dnnl_memory_create)                                                                          \
    X(dnnl_memory_destroy)                                                                         \
    X(dnnl_memory_set_data_handle)                                                                 \
    X(dnnl_convolution_forward_desc_init)                                                          \
    X(dnnl_convolution_backward_data_desc_init)                                                    \
    X(dnnl_convolution_backward_weights_desc_init)                                                 \
    X(dnnl_post_ops_create)                                                                        \
    X(dnnl_post_ops_destroy)                                                                       \
    X(dnnl_post_ops_append_sum)                                                                    \
    X(dnnl_post_ops_append_eltwise)                                                                \
    X(dnnl_primitive_attr_create)                                                                  \
    X(dnnl_primitive_attr_destroy)                                                                 \
    X(dnnl_primitive_attr_set_post_ops)                                                            \
    X(dnnl_primitive_attr_set_scratchpad_mode)                                                     \
    X(dnnl_primitive_desc_create)                                                                  \
    X(dnnl_primitive_desc_destroy)                                                                 \
    X(dnnl_primitive_desc_query)                                                                   \
    X(dnnl_primitive_desc_query_md)                                                                \
    X(dnnl_primitive_create)                                                                       \
    X(dnnl_primitive_destroy)                                                                      \
    X(dnnl_primitive_execute)

static struct {
    void *handle;
    char why_not[256]; /* "" when usable */
    char version[32];
    void (*omp_set_num_threads)(int);
#define X(name) __typeof__(name) *name;
    ONEDNN_FUNCTIONS(X)
#undef X
} lib;
static pthread_once_t lib_once = PTHREAD_ONCE_INIT;

enum { PASS_ARGS_MAX = 5 };

/* One primitive with arguments for each thread. */
struct pass {
    dnnl_primitive_t primitive;
    dnnl_primitive_desc_t desc;
    size_t scratch_bytes;
    int args;             /* data pointers, scratch last if there is any */
    dnnl_exec_arg_t *arg; /* [thread][PASS_ARGS_MAX] */
};

struct onednn {
    dnnl_engine_t engine;
    dnnl_stream_t *stream; /* of each thread */
    int threads;
};

struct onednn_conv {
    struct onednn *o;
    struct pass forward, backward_data, backward_weights;
    bool input_first;
    const char *name;
};

/* ---- the library */

static void *symbol(void *handle, const char *name)
{
    void *p = handle ? dlsym(handle, name) : NULL;

    if (!p && !lib.why_not[0])
        snprintf(lib.why_not, sizeof lib.why_not, "oneDNN lacks the function %s", name);
    return p;
}

static void lib_load(void)
{
    if (!kernels_get("avx512")) {
        snprintf(lib.why_not, sizeof lib.why_not,
                 "this processor has no AVX-512, which our use of oneDNN needs");
        return;
    }
    lib.handle = dlopen("libdnnl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!lib.handle) {
        snprintf(lib.why_not, sizeof lib.why_not,
                 "oneDNN 2 is not installed (libdnnl.so.2; Debian: apt-get install libdnnl2)");
        return;
    }
#define X(name) lib.name = (__typeof__(name) *)symbol(lib.handle, #name);
    ONEDNN_FUNCTIONS(X)
#undef X
    void *omp = dlopen("libgomp.so.1", RTLD_NOW | RTLD_LOCAL);
    lib.omp_set_num_threads = omp ? (void (*)(int))dlsym(omp, "omp_set_num_threads") : NULL;
    if (!lib.why_not[0] && !lib.omp_set_num_threads)
        snprintf(lib.why_not, sizeof lib.why_not,
                 "oneDNN's threads cannot be controlled: "
                 "libgomp.so.1 is missing");
    if (!lib.why_not[0] && lib.dnnl_version()->major != 2)
        snprintf(lib.why_not, sizeof lib.why_not, "oneDNN %d is installed; version 2 is needed",
                 lib.dnnl_version()->major);
    if (!lib.why_not[0]) {
        const dnnl_version_t *v = lib.dnnl_version();
        snprintf(lib.version, sizeof lib.version, "%d.%d.%d", v->major, v->minor, v->patch);
    }
}

enum rc onednn_check(struct err *e)
{
    pthread_once(&lib_once, lib_load);
    if (lib.why_not[0])
        return err_set(e, RC_UNAVAILABLE, "%s; the portable backend works without it", lib.why_not);
    return RC_OK;
}

const char *onednn_version(void)
{
    return onednn_check(NULL) ? "" : lib.version;
}

void onednn_enter_thread(void)
{
    lib.omp_set_num_threads(1);
}

static enum rc verdict(dnnl_status_t status, const char *what, struct err *e)
{
    if (status == dnnl_success)
        return RC_OK;
    return err_set(e, status == dnnl_out_of_memory ? RC_NOMEM : RC_UNAVAILABLE,
                   "oneDNN: %s failed with status %d", what, (int)status);
}

enum rc onednn_new(struct onednn **ret, int threads, struct err *e)
{
    enum rc rc = onednn_check(e);

    if (rc)
        return rc;
    struct onednn *o = mem_zalloc(sizeof *o);
    if (o)
        o->stream = mem_alloc_array((size_t)threads, sizeof(dnnl_stream_t));
    if (!o || !o->stream) {
        onednn_free(o);
        return err_set(e, RC_NOMEM, "out of memory for oneDNN");
    }
    onednn_enter_thread();
    rc = verdict(lib.dnnl_engine_create(&o->engine, dnnl_cpu, 0), "creating an engine", e);
    for (; !rc && o->threads < threads; o->threads += !rc)
        rc = verdict(
            lib.dnnl_stream_create(&o->stream[o->threads], o->engine, dnnl_stream_default_flags),
            "creating a stream", e);
    if (rc) {
        onednn_free(o);
        return rc;
    }
    *ret = o;
    return RC_OK;
}

void onednn_free(struct onednn *o)
{
    if (!o)
        return;
    for (int t = 0; t < o->threads; t++)
        lib.dnnl_stream_destroy(o->stream[t]);
    if (o->engine)
        lib.dnnl_engine_destroy(o->engine);
    mem_free(o->stream);
    mem_free(o);
}

/* ---- one convolution */

struct descs {
    dnnl_memory_desc_t x, w, swapped, bias, y;
    dnnl_dims_t stride, pad;
};

static void fill_descs(struct descs *d, const struct conv_shape *s, int images, bool input_first)
{
    const dnnl_dims_t x = {images, s->ic, s->ih, s->iw}, y = {images, s->oc, s->oh, s->ow};
    const dnnl_dims_t w = {s->oc, s->ic, s->k, s->k}, dw = {s->oc, 1, 1, s->k, s->k};
    const dnnl_dims_t bias = {s->oc};

    *d = (struct descs){.stride = {s->stride, s->stride}, .pad = {s->pad, s->pad}};
    lib.dnnl_memory_desc_init_by_tag(&d->x, 4, x, dnnl_f32, dnnl_nChw16c);
    lib.dnnl_memory_desc_init_by_tag(&d->y, 4, y, dnnl_f32, dnnl_nChw16c);
    lib.dnnl_memory_desc_init_by_tag(&d->bias, 1, bias, dnnl_f32, dnnl_x);
    if (s->depthwise) {
        lib.dnnl_memory_desc_init_by_tag(&d->w, 5, dw, dnnl_f32, dnnl_Goihw16g);
        d->swapped = d->w;
    } else {
        lib.dnnl_memory_desc_init_by_tag(&d->w, 4, w, dnnl_f32, dnnl_OIhw16i16o);
        lib.dnnl_memory_desc_init_by_tag(&d->swapped, 4, w, dnnl_f32,
                                         input_first ? dnnl_IOhw16o16i : dnnl_OIhw16o16i);
    }
}

static const char *implementation(dnnl_primitive_desc_t desc)
{
    const char *name = "";

    lib.dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name);
    return name;
}

/* Post-operations of inference: residual (already in y), then the activation. */
static enum rc fuse(dnnl_primitive_attr_t attr, enum act act, bool residual, struct err *e)
{
    static const struct {
        dnnl_alg_kind_t kind; /* undef: oneDNN 2 lacks it */
        float alpha, beta;
    } acts[] = {
        [ACT_NONE] = {dnnl_alg_kind_undef},        [ACT_RELU] = {dnnl_eltwise_relu},
        [ACT_RELU6] = {dnnl_eltwise_clip, 0, 6},   [ACT_SILU] = {dnnl_eltwise_swish, 1},
        [ACT_SIGMOID] = {dnnl_eltwise_logistic},   [ACT_HARD_SWISH] = {dnnl_eltwise_hardswish},
        [ACT_HARD_SIGMOID] = {dnnl_alg_kind_undef}};
    dnnl_post_ops_t ops = NULL;

    if (act == ACT_HARD_SIGMOID)
        return err_set(e, RC_UNAVAILABLE, "oneDNN 2 has no hard sigmoid");

    enum rc rc = verdict(lib.dnnl_post_ops_create(&ops), "creating post-operations", e);
    if (!rc && residual)
        rc = verdict(lib.dnnl_post_ops_append_sum(ops, 1.0f), "fusing the residual", e);
    if (!rc && act != ACT_NONE)
        rc = verdict(lib.dnnl_post_ops_append_eltwise(ops, 1, acts[act].kind, acts[act].alpha,
                                                      acts[act].beta),
                     "fusing the activation", e);
    if (!rc)
        rc = verdict(lib.dnnl_primitive_attr_set_post_ops(attr, ops), "setting post-operations", e);
    if (ops)
        lib.dnnl_post_ops_destroy(ops);
    return rc;
}

/* Primitive and argument sets from a description; refuses the reference implementation. */
static enum rc pass_new(struct pass *p, struct onednn *o, const void *op,
                        dnnl_primitive_attr_t attr, const struct pass *hint, const int *kinds,
                        const dnnl_memory_desc_t *const *descs, int args, struct err *e)
{
    dnnl_memory_desc_t const *scratch;

    enum rc rc = verdict(
        lib.dnnl_primitive_desc_create(&p->desc, op, attr, o->engine, hint ? hint->desc : NULL),
        "choosing an implementation", e);
    if (rc)
        return rc;
    if (strncmp(implementation(p->desc), "ref", 3) == 0 || strstr(implementation(p->desc), ":ref"))
        return err_set(e, RC_UNAVAILABLE, "oneDNN has only its slow reference implementation (%s)",
                       implementation(p->desc));
    rc = verdict(lib.dnnl_primitive_create(&p->primitive, p->desc), "creating a primitive", e);
    p->arg = mem_alloc_array((size_t)o->threads * PASS_ARGS_MAX, sizeof(dnnl_exec_arg_t));
    if (!rc && !p->arg)
        rc = err_set(e, RC_NOMEM, "out of memory for oneDNN's arguments");
    scratch = lib.dnnl_primitive_desc_query_md(p->desc, dnnl_query_scratchpad_md, 0);
    p->scratch_bytes = scratch ? lib.dnnl_memory_desc_get_size(scratch) : 0;
    p->args = args + (p->scratch_bytes > 0);
    for (int i = 0; !rc && i < o->threads * p->args; i++) {
        const int n = i % p->args;
        dnnl_exec_arg_t *a = &p->arg[i / p->args * PASS_ARGS_MAX + n];
        a->arg = n < args ? kinds[n] : DNNL_ARG_SCRATCHPAD;
        rc = verdict(lib.dnnl_memory_create(&a->memory, n < args ? descs[n] : scratch, o->engine,
                                            DNNL_MEMORY_NONE),
                     "creating a memory object", e);
    }
    return rc;
}

static void pass_done(struct pass *p, int threads)
{
    for (int i = 0; p->arg && i < threads * PASS_ARGS_MAX; i++)
        if (p->arg[i].memory)
            lib.dnnl_memory_destroy(p->arg[i].memory);
    mem_free(p->arg);
    if (p->primitive)
        lib.dnnl_primitive_destroy(p->primitive);
    if (p->desc)
        lib.dnnl_primitive_desc_destroy(p->desc);
    *p = (struct pass){0};
}

static enum rc make_forward(struct onednn_conv *c, const struct descs *d, bool train,
                            dnnl_primitive_attr_t attr, struct err *e)
{
    const int kinds[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS};
    const dnnl_memory_desc_t *const mds[] = {&d->x, &d->w, &d->y, &d->bias};
    dnnl_convolution_desc_t op;

    enum rc rc = verdict(lib.dnnl_convolution_forward_desc_init(
                             &op, train ? dnnl_forward_training : dnnl_forward_inference,
                             dnnl_convolution_direct, &d->x, &d->w, train ? NULL : &d->bias, &d->y,
                             d->stride, d->pad, d->pad),
                         "describing a convolution", e);
    if (!rc)
        rc = pass_new(&c->forward, c->o, &op, attr, NULL, kinds, mds, train ? 3 : 4, e);
    return rc;
}

static enum rc make_backward_weights(struct onednn_conv *c, const struct descs *d,
                                     dnnl_primitive_attr_t attr, struct err *e)
{
    const int kinds[] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS};
    const dnnl_memory_desc_t *const mds[] = {&d->x, &d->y, &d->w};
    dnnl_convolution_desc_t op;

    enum rc rc = verdict(
        lib.dnnl_convolution_backward_weights_desc_init(&op, dnnl_convolution_direct, &d->x, &d->w,
                                                        NULL, &d->y, d->stride, d->pad, d->pad),
        "describing a gradient of weights", e);
    if (!rc)
        rc = pass_new(&c->backward_weights, c->o, &op, attr, &c->forward, kinds, mds, 3, e);
    return rc;
}

static enum rc make_backward_data(struct onednn_conv *c, const struct descs *d,
                                  dnnl_primitive_attr_t attr, struct err *e)
{
    const int kinds[] = {DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC};
    const dnnl_memory_desc_t *const mds[] = {&d->y, &d->swapped, &d->x};
    dnnl_convolution_desc_t op;

    enum rc rc = verdict(lib.dnnl_convolution_backward_data_desc_init(&op, dnnl_convolution_direct,
                                                                      &d->x, &d->swapped, &d->y,
                                                                      d->stride, d->pad, d->pad),
                         "describing a gradient of the input", e);
    if (!rc)
        rc = pass_new(&c->backward_data, c->o, &op, attr, &c->forward, kinds, mds, 3, e);
    return rc;
}

static enum rc make_passes(struct onednn_conv *c, const struct conv_shape *s, int images,
                           bool train, dnnl_primitive_attr_t fused, dnnl_primitive_attr_t plain,
                           struct err *e)
{
    struct descs d;

    fill_descs(&d, s, images, false);
    enum rc rc = make_forward(c, &d, train, fused, e);
    if (!rc)
        c->name = implementation(c->forward.desc);
    if (!rc && train)
        rc = make_backward_weights(c, &d, plain, e);
    if (!rc && train && make_backward_data(c, &d, plain, NULL) != RC_OK) {
        pass_done(&c->backward_data, c->o->threads);
        fill_descs(&d, s, images, true);
        c->input_first = true;
        rc = make_backward_data(c, &d, plain, e);
    }
    return rc;
}

enum rc onednn_conv_new(struct onednn_conv **ret, struct onednn *o, const struct conv_shape *s,
                        int images, bool train, enum act act, bool residual, struct err *e)
{
    struct onednn_conv *c = mem_zalloc(sizeof *c);
    dnnl_primitive_attr_t fused = NULL, plain = NULL;

    if (!c)
        return err_set(e, RC_NOMEM, "out of memory for a convolution");
    c->o = o;
    enum rc rc = verdict(lib.dnnl_primitive_attr_create(&plain), "creating attributes", e);
    if (!rc)
        rc = verdict(lib.dnnl_primitive_attr_create(&fused), "creating attributes", e);
    if (!rc) {
        lib.dnnl_primitive_attr_set_scratchpad_mode(plain, dnnl_scratchpad_mode_user);
        lib.dnnl_primitive_attr_set_scratchpad_mode(fused, dnnl_scratchpad_mode_user);
        if (!train)
            rc = fuse(fused, act, residual, e);
    }
    if (!rc)
        rc = make_passes(c, s, images, train, fused, plain, e);
    if (plain)
        lib.dnnl_primitive_attr_destroy(plain);
    if (fused)
        lib.dnnl_primitive_attr_destroy(fused);
    if (rc) {
        onednn_conv_free(c);
        return err_wrap(e, rc, "%s%dx%d convolution, stride %d, %d to %d channels, %dx%d pixels",
                        s->depthwise ? "depthwise " : "", s->k, s->k, s->stride, s->ic, s->oc,
                        s->ih, s->iw);
    }
    *ret = c;
    return RC_OK;
}

void onednn_conv_free(struct onednn_conv *c)
{
    if (!c)
        return;
    pass_done(&c->backward_data, c->o->threads);
    pass_done(&c->backward_weights, c->o->threads);
    pass_done(&c->forward, c->o->threads);
    mem_free(c);
}

size_t onednn_conv_scratch(const struct onednn_conv *c)
{
    size_t bytes = c->forward.scratch_bytes;

    if (c->backward_data.scratch_bytes > bytes)
        bytes = c->backward_data.scratch_bytes;
    if (c->backward_weights.scratch_bytes > bytes)
        bytes = c->backward_weights.scratch_bytes;
    return (bytes + sizeof(float) - 1) / sizeof(float);
}

const char *onednn_conv_name(const struct onednn_conv *c)
{
    return c->name;
}

bool onednn_conv_input_first(const struct onednn_conv *c)
{
    return c->input_first;
}

/* ---- execution */

static bool execute(const struct onednn_conv *c, const struct pass *p, int thread,
                    const void *const *data, float *scratch)
{
    dnnl_exec_arg_t *arg = p->arg + thread * PASS_ARGS_MAX;

    for (int i = 0; i < p->args; i++) {
        const void *at = arg[i].arg == DNNL_ARG_SCRATCHPAD ? scratch : data[i];
        if (lib.dnnl_memory_set_data_handle(arg[i].memory, (void *)(uintptr_t)at) != dnnl_success)
            return false;
    }
    return lib.dnnl_primitive_execute(p->primitive, c->o->stream[thread], p->args, arg) ==
           dnnl_success;
}

bool onednn_conv_forward(struct onednn_conv *c, int thread, const float *x, const float *w,
                         const float *bias, float *y, float *scratch)
{
    return execute(c, &c->forward, thread, (const void *const[]){x, w, y, bias}, scratch);
}

bool onednn_conv_backward_data(struct onednn_conv *c, int thread, const float *dy,
                               const float *swapped, float *dx, float *scratch)
{
    return execute(c, &c->backward_data, thread, (const void *const[]){dy, swapped, dx}, scratch);
}

bool onednn_conv_backward_weights(struct onednn_conv *c, int thread, const float *x,
                                  const float *dy, float *dw, float *scratch)
{
    return execute(c, &c->backward_weights, thread, (const void *const[]){x, dy, dw}, scratch);
}
