/* measure.c - see measure.h.
 *
 * The pictures are grey and the truth is one object in each: what a step costs hardly depends on
 * what it sees.  A backend that asks for an estimate wants it within seconds, so steps are few. */
#include "flow/worker/measure.h"

#include "base/mem.h"
#include "engine/model/net.h"
#include "os/os.h"
#include "spec/contract.h"
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES_MAX = 16 << 10 };
static const double STEP_GFLOP = 8; /* of a step's pictures, forward: a fraction of a second */

struct bench {
    struct net *net;
    struct net_info info;
    float *x, *rows, *logits;
    uint8_t *labels;
    uint16_t *instances;
    struct net_box *boxes;
    int32_t *first;
    struct net_detection *found;
    int32_t *found_n;
    int count;
};

static void bench_done(struct bench *b)
{
    net_free(b->net);
    mem_free(b->x);
    mem_free(b->rows);
    mem_free(b->logits);
    mem_free(b->labels);
    mem_free(b->instances);
    mem_free(b->boxes);
    mem_free(b->first);
    mem_free(b->found);
    mem_free(b->found_n);
}

/* One object in the middle of each picture. */
static enum rc fill(struct bench *b, struct err *e)
{
    size_t n = (size_t)b->count, side = (size_t)b->info.image_size, pixels = side * side,
           classes = (size_t)b->info.classes;
    size_t quarter = (side / NET_MASK_STRIDE) * (side / NET_MASK_STRIDE);

    b->x = mem_alloc_array(n * 3 * pixels, sizeof *b->x);
    b->rows = mem_alloc_array(n * classes, sizeof *b->rows);
    b->logits = mem_alloc_array(n * classes, sizeof *b->logits);
    b->labels = mem_alloc_array(n * pixels, 1);
    b->instances = mem_alloc_array(n * quarter + 1, sizeof *b->instances);
    b->boxes = mem_alloc_array(n, sizeof *b->boxes);
    b->first = mem_alloc_array(n + 1, sizeof *b->first);
    b->found = mem_alloc_array(n * NET_DETECTIONS_MAX, sizeof *b->found);
    b->found_n = mem_alloc_array(n, sizeof *b->found_n);
    if (!b->x || !b->rows || !b->logits || !b->labels || !b->instances || !b->boxes || !b->first ||
        !b->found || !b->found_n)
        return err_set(e, RC_NOMEM, "no memory for the pictures of a measurement");
    for (size_t i = 0; i < n * 3 * pixels; i++)
        b->x[i] = (float)(i % 7) * 0.25f - 0.75f;
    for (size_t i = 0; i < n; i++) {
        float s = (float)side;

        b->rows[i * classes + i % classes] = 1;
        b->boxes[i] = (struct net_box){(int32_t)(i % classes), s / 4, s / 4, s * 3 / 4, s * 3 / 4};
        b->first[i + 1] = (int32_t)i + 1;
        for (size_t k = quarter / 3; k < quarter / 2; k++)
            b->instances[i * quarter + k] = 1;
    }
    return RC_OK;
}

static enum rc train_step(struct bench *b, int64_t step, struct err *e)
{
    struct net_target t = {b->rows, b->boxes, b->first, b->instances, b->labels};
    struct net_update u = {.lr = 1e-6,
                           .momentum = 0.9,
                           .beta1 = 0.9,
                           .beta2 = 0.999,
                           .eps = 1e-8,
                           .step = step,
                           .gains = net_gains_default};
    struct net_loss loss;

    return net_train_step(b->net, b->x, &t, b->count, &u, &loss, e);
}

static enum rc infer(struct bench *b, int64_t step, struct err *e)
{
    (void)step;
    switch (b->info.card->task) {
    case NET_CLASSIFICATION:
        return net_infer(b->net, b->x, b->count, b->logits, e);
    case NET_DETECTION:
    case NET_SEGMENTATION:
        return net_detect(b->net, b->x, b->count,
                          &(struct net_detect){0.25f, 0.7f, NET_DETECTIONS_MAX}, b->found,
                          b->found_n, e);
    default:
        return net_label(b->net, b->x, b->count, b->labels, e);
    }
}

static int by_size(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Images a second, by the median step. */
static enum rc speed(struct bench *b, enum rc (*step)(struct bench *, int64_t, struct err *),
                     double *ret, struct err *e)
{
    int64_t ns[MEASURE_STEPS], began = os_mono_ms();
    int n = 0;
    enum rc rc = step(b, 1, e); /* the first one touches the memory */

    for (; !rc && n < MEASURE_STEPS && (!n || os_mono_ms() - began < MEASURE_MS); n++) {
        int64_t at = os_mono_ns();

        rc = step(b, n + 2, e);
        ns[n] = os_mono_ns() - at;
    }
    if (rc)
        return rc;
    qsort(ns, (size_t)n, sizeof *ns, by_size);
    *ret = ns[n / 2] > 0 ? (double)b->count * 1e9 / (double)ns[n / 2] : 0;
    return RC_OK;
}

static enum rc build(struct bench *b, const struct measure_order *o, struct arena *a, struct err *e)
{
    const char *model = arena_cstr(a, o->model);
    const struct net_card *card = model ? net_card_find(model) : NULL;
    int threads = o->threads ? (int)o->threads : os_cpu_count();
    struct net_config c = {.model = model,
                           .classes = (int)o->classes,
                           .batch_max = (int)o->batch_size,
                           .train = true,
                           .backend = (enum net_backend)o->backend,
                           .optimizer = o->optimizer ? NET_ADAMW : NET_SGD,
                           .precision = (enum net_precision)o->precision,
                           .average = o->average,
                           .accumulate = false,
                           .threads = threads > NET_THREADS_MAX ? NET_THREADS_MAX : threads};
    enum rc rc;

    if (!card)
        return err_field(e, RC_INVALID, "model", "there is no model '%.*s'", STR_F(o->model));
    c.image_size = o->image_size ? (int)o->image_size : card->image_size_default;
    rc = net_new(&b->net, &c, e);
    if (rc)
        return rc;
    net_get_info(b->net, &b->info);
    net_init_weights(b->net, 1);
    b->count = (int)(STEP_GFLOP / (b->info.flops / 1e9));
    b->count = b->count < 2 ? 2 : b->count > MEASURE_IMAGES ? MEASURE_IMAGES : b->count;
    b->count = b->count < b->info.batch_max ? b->count : b->info.batch_max;
    return fill(b, e);
}

static enum rc measure(const struct measure_order *o, struct arena *a, struct measure *ret,
                       struct err *e)
{
    struct bench b = {0};
    enum rc rc = build(&b, o, a, e);

    if (!rc)
        rc = speed(&b, train_step, &ret->train_images_per_second, e);
    if (!rc)
        rc = speed(&b, infer, &ret->images_per_second, e);
    if (!rc) {
        ret->model = o->model;
        ret->image_size = b.info.image_size;
        ret->batch_size = b.info.batch_max;
        ret->classes = b.info.classes;
        ret->threads = b.info.threads;
        ret->params = (int64_t)b.info.params;
        for (size_t i = 0; i < net_tensor_count(b.net); i++)
            ret->weights_bytes += (int64_t)(net_tensor_at(b.net, i)->count * sizeof(float));
        ret->memory_bytes = (int64_t)b.info.bytes;
        ret->gflop = b.info.flops / 1e9;
        ret->backend = str_of(net_backend_name(b.info.backend));
        ret->isa = str_of(b.info.isa);
        ret->at = os_now_ms();
    }
    bench_done(&b);
    return rc;
}

static enum rc read_order(int fd, struct arena *a, struct measure_order *ret, struct err *e)
{
    struct buf line;
    size_t got = 1;
    ptrdiff_t end = -1;
    enum rc rc = RC_OK;

    buf_init(&line, LINE_BYTES_MAX);
    while (!rc && end < 0 && got > 0) {
        char chunk[1024];

        rc = os_read(fd, chunk, sizeof chunk, &got, e);
        if (!rc) {
            buf_add(&line, chunk, got);
            rc = buf_ok(&line, e);
            end = str_chr(buf_view(&line), '\n');
        }
    }
    if (!rc && end < 0)
        rc = err_set(e, RC_INVALID, "the input ended before a whole line");
    if (!rc)
        rc = field_read_text(measure_order_fields,
                             arena_str(a, str_sub(buf_view(&line), 0, (size_t)end)), ret, a, e);
    buf_done(&line);
    return rc;
}

enum rc measure_run(int in_fd, int out_fd, struct err *e)
{
    struct measure_order o = {0};
    struct measure m = {0};
    struct err why = {0};
    struct arena a;
    struct buf b;
    struct jw w;
    enum rc rc;

    arena_init(&a, 1 << 20);
    rc = read_order(in_fd, &a, &o, &why);
    if (!rc)
        rc = measure(&o, &a, &m, &why);
    buf_init(&b, LINE_BYTES_MAX);
    jw_init(&w, &b);
    if (rc) { /* the reader of this line knows codes, not exit states */
        jw_obj(&w);
        jw_kcstr(&w, "error", why.text);
        jw_kcstr(&w, "error_code", rc_code(rc));
        jw_obj_end(&w);
    } else {
        field_write(measure_fields, &m, &w);
    }
    buf_putc(&b, '\n');
    rc = buf_ok(&b, e);
    if (!rc)
        rc = os_write_all(out_fd, b.p, b.n, e);
    buf_done(&b);
    arena_done(&a);
    return rc;
}
