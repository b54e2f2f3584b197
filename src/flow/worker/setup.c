/* setup.c - everything that training needs, made and checked before the first step (train.h). */
#include "flow/worker/train.h"

#include "base/log.h"
#include "os/os.h"

enum { WARNINGS_MAX = 32 };

enum rc train_warn(struct train *t, str text, struct err *e)
{
    struct log_line *lines = t->logs.p;

    if (!lines) {
        lines = t->logs.p = ARENA_ARRAY(&t->r->arena, struct log_line, WARNINGS_MAX);
        if (!lines)
            return err_set(e, RC_NOMEM, "no memory for the log");
    }
    if (t->logs.n < WARNINGS_MAX)
        lines[t->logs.n++] =
            (struct log_line){.time = os_now_ms(), .level = LOG_WARN, .message = text};
    return RC_OK;
}

/* ---- the dataset */

static enum rc check_splits(const struct run *r, struct err *e)
{
    const struct samples *s = &r->samples;

    if (s->n[SPLIT_TRAIN] == 0)
        return err_set(e, RC_INVALID, "the dataset has no pictures in its split 'train'");
    if (s->n[SPLIT_VAL] == 0)
        return err_set(e, RC_INVALID,
                       "the dataset has no pictures in its split 'val', so nothing "
                       "can be scored; import it with a split, e.g. --split 0.8,0.1,0.1");
    return RC_OK;
}

/* Examples of each class in a split, by what the task learns from. */
static void count_examples(const struct run *r, enum split split, size_t *count)
{
    const struct samples *s = &r->samples;
    enum net_task task = r->card->task;

    for (size_t i = 0; i < s->n[split]; i++) {
        const struct sample_ref *p = &s->of[split][i];
        if (task == NET_CLASSIFICATION && p->label >= 0)
            count[p->label]++;
        for (uint32_t k = 0; task == NET_DETECTION && k < p->boxes_n; k++)
            count[p->boxes[k].cls]++;
        for (uint32_t k = 0; task >= NET_SEGMENTATION && k < p->shapes_n; k++)
            count[p->shapes[k].cls]++;
    }
}

/* A class that nothing shows cannot be learned: a mistake of the dataset more often than not. */
static enum rc check_classes(struct run *r, const str *classes, size_t n, struct err *e)
{
    size_t *count = ARENA_ARRAY(&r->arena, size_t, n);

    if (!count)
        return err_set(e, RC_NOMEM, "no memory for the classes");
    count_examples(r, SPLIT_TRAIN, count);
    for (size_t c = 0; c < n; c++)
        if (count[c] == 0)
            return err_set(e, RC_INVALID,
                           "the class '%.*s' has no example in the split 'train', so it cannot be "
                           "learned; add pictures of it, or import the dataset without it",
                           STR_F(classes[c]));
    return RC_OK;
}

static enum rc check_dataset(struct train *t, struct err *e)
{
    struct run *r = t->r;
    const struct dataset_header *h = &r->samples.header;
    uint64_t boxes_only = 0;
    str *classes = NULL;
    size_t n = 0;
    enum rc rc = task_check_dataset(r, e);

    if (!rc)
        rc = check_splits(r, e);
    if (!rc)
        rc = samples_check(r->samples.of[SPLIT_TRAIN], r->samples.n[SPLIT_TRAIN], r->card->task,
                           &boxes_only, e);
    if (!rc) {
        rc = samples_check(r->samples.of[SPLIT_VAL], r->samples.n[SPLIT_VAL], r->card->task, NULL,
                           e);
        rc = rc ? err_wrap(e, rc, "the split 'val'") : RC_OK;
    }
    if (!rc && r->card->task == NET_CLASSIFICATION && h->classes_n < 2)
        rc = err_set(e, RC_INVALID, "the dataset has %zu class; a classifier needs at least two",
                     h->classes_n);
    if (!rc)
        rc = samples_classes(h, NET_DETECTION, &r->arena, &classes, &n, e);
    if (!rc)
        rc = check_classes(r, classes, n, e);
    if (!rc && boxes_only && r->card->task >= NET_SEGMENTATION) {
        char *text =
            arena_printf(&r->arena,
                         "%llu pictures have boxes without outlines; their objects are taken for "
                         "background",
                         (unsigned long long)boxes_only);
        rc = text ? train_warn(t, str_of(text), e) : err_set(e, RC_NOMEM, "no memory for the log");
    }
    return rc;
}

/* ---- network and loaders */

static enum rc find_card(struct run *r, struct err *e)
{
    char *name = arena_cstr(&r->arena, r->spec.model);

    if (!name)
        return err_set(e, RC_NOMEM, "no memory for the model");
    r->card = net_card_find(name);
    if (!r->card)
        return err_field(e, RC_INVALID, "model",
                         "there is no model '%s'; `anneal models` lists them", name);
    return RC_OK;
}

static enum rc make_model(struct run *r, const struct loader_config *c, int size_max, struct err *e)
{
    const struct train_spec *s = &r->spec;
    size_t n = c->n;
    struct model_plan p = {.name = r->card->name,
                           .frame = c->frame,
                           .stem = (enum net_stem)s->stem,
                           .seed = s->seed,
                           .batch_max =
                               (int)((size_t)s->batch_size < n ? s->batch_size : (int64_t)n),
                           .threads = (int)r->threads,
                           .size_max = size_max,
                           .train = true,
                           .average = s->ema > 0,
                           .accumulate = s->accumulate > 1,
                           .backend = (enum net_backend)s->backend,
                           .precision = (enum net_precision)s->precision,
                           .optimizer = s->optimizer == OPTIM_ADAMW ? NET_ADAMW : NET_SGD};
    str *classes;
    enum rc rc =
        samples_classes(&r->samples.header, r->card->task, &r->arena, &classes, &p.classes_n, e);

    if (rc)
        return rc;
    p.classes = classes;
    rc = model_new(&r->model, &p, e);
    if (rc == RC_NOMEM) { /* it would not fit the next time either */
        r->fail_code = "too_large_for_memory";
        rc = err_wrap(e, RC_TOO_LARGE, "lower batch_size (%lld) or image_size (%d)",
                      (long long)s->batch_size, (int)c->frame.size);
    }
    return rc;
}

static enum rc make_loaders(struct train *t, struct loader_config *c, struct err *e)
{
    struct run *r = t->r;
    struct net_info info;
    enum rc rc;

    c->blobs_dir = arena_cstr(&r->arena, r->work.blobs_dir);
    if (!c->blobs_dir)
        return err_set(e, RC_NOMEM, "no memory for the loaders");
    net_get_info(r->model->net, &info);
    c->classes = (int32_t)r->model->classes_n;
    c->semantic = r->semantic = samples_semantic_map(&r->samples.header);
    c->batch = info.batch_max;
    c->train = true;
    c->cache_bytes_max = LOADER_CACHE_BYTES / 4 * 3;
    rc = loader_new(&t->train, c, e);
    c->samples = r->samples.of[SPLIT_VAL];
    c->n = r->samples.n[SPLIT_VAL];
    c->train = false;
    c->cache_bytes_max = LOADER_CACHE_BYTES / 4;
    if (!rc)
        rc = loader_new(&t->val, c, e);
    if (!rc)
        t->steps = loader_batches(t->train);
    return rc;
}

/* n / (classes * n of the class) */
static enum rc balance_classes(struct train *t, struct err *e)
{
    struct run *r = t->r;
    size_t classes = r->model->classes_n, n = r->samples.n[SPLIT_TRAIN], *count;

    if (r->spec.class_weights == CLASS_WEIGHTS_NONE || r->card->task != NET_CLASSIFICATION)
        return RC_OK;
    t->class_weights = ARENA_ARRAY(&r->arena, float, classes);
    count = ARENA_ARRAY(&r->arena, size_t, classes);
    if (!t->class_weights || !count)
        return err_set(e, RC_NOMEM, "no memory for the class weights");
    count_examples(r, SPLIT_TRAIN, count);
    for (size_t c = 0; c < classes; c++) /* check_classes: none is 0 */
        t->class_weights[c] = (float)((double)n / ((double)classes * (double)count[c]));
    return RC_OK;
}

/* ---- the first weights */

/* Where the network names a backbone that, else everything but the layer of the classes. */
static void freeze_backbone(struct net *net)
{
    const char *head = net_head_prefix(net);

    if (net_freeze(net, "backbone.") > 0)
        return;
    for (size_t i = 0; i < net_tensor_count(net); i++) {
        const struct net_tensor *t = net_tensor_at(net, i);
        if (t->trained && !str_starts(str_of(t->name), str_of(head)))
            (void)net_freeze(net, t->name);
    }
}

static enum rc first_weights(struct train *t, struct err *e)
{
    struct run *r = t->r;
    const struct checkpoint *from = &r->work.resume;
    enum rc rc;

    if (r->spec.freeze == FREEZE_BACKBONE)
        freeze_backbone(r->model->net);
    if (from->epoch > 0)
        return cursor_load(r, from, &t->at, e);
    net_init_weights(r->model->net, (uint64_t)r->spec.seed);
    rc = from->weights_path.n ? finetune(t, from->weights_path, from->weights_sha256, e) : RC_OK;
    if (!rc && r->spec.weights.n && !from->weights_path.n)
        rc = err_field(e, RC_INVALID, "weights", "the first weights '%.*s' were not sent along",
                       STR_F(r->spec.weights));
    return rc;
}

enum rc train_setup(struct train *t, struct err *e)
{
    struct run *r = t->r;
    struct loader_config c = {.samples = r->samples.of[SPLIT_TRAIN],
                              .n = r->samples.n[SPLIT_TRAIN],
                              .threads = r->loaders,
                              .seed = (uint64_t)r->spec.seed};
    int size_max = 0;
    enum rc rc = find_card(r, e);

    if (!rc)
        rc = check_dataset(t, e);
    if (rc)
        return rc;
    t->ops = task_ops_of(r->card->task);
    c.task = r->card->task;
    rc = t->ops->input(r, &c, &size_max, e);
    if (!rc)
        rc = make_model(r, &c, size_max, e);
    if (!rc)
        rc = make_loaders(t, &c, e);
    if (!rc)
        rc = balance_classes(t, e);
    return rc ? rc : first_weights(t, e);
}
