/* finetune.c - first weights that another training has learned (train.h). */
#include "flow/worker/train.h"

#include "base/mem.h"

struct fit {
    const struct model *model;
    struct safetensors *file;
    float *data;            /* of the largest tensor */
    size_t taken;           /* tensors */
    size_t head;            /* of the classes, left random */
    size_t left;            /* others left random */
    const char *first_left; /* the first of them, and why */
    bool first_is_missing;
};

static bool same_shape(const struct safetensors_tensor *have, const struct net_tensor *want)
{
    bool same = have->dims == want->dims;

    for (int d = 0; same && d < want->dims; d++)
        same = have->shape[d] == want->shape[d];
    return same;
}

static enum rc take(struct fit *f, size_t i, struct err *e)
{
    const struct net_tensor *t = net_tensor_at(f->model->net, i);
    ptrdiff_t k = safetensors_find(f->file, str_of(t->name));
    enum rc rc;

    if (k < 0 || !same_shape(safetensors_at(f->file, (size_t)k), t)) {
        if (str_starts(str_of(t->name), str_of(net_head_prefix(f->model->net)))) {
            f->head++;
        } else if (f->left++ == 0) {
            f->first_left = t->name;
            f->first_is_missing = k < 0;
        }
        return RC_OK;
    }
    rc = safetensors_read(f->file, (size_t)k, f->data, e);
    if (!rc)
        net_tensor_set(f->model->net, i, f->data);
    f->taken += !rc;
    return rc;
}

static enum rc take_all(struct fit *f, struct err *e)
{
    struct net *net = f->model->net;
    size_t n = net_tensor_count(net), largest = 1;
    enum rc rc = RC_OK;

    for (size_t i = 0; i < n; i++)
        largest = net_tensor_at(net, i)->count > largest ? net_tensor_at(net, i)->count : largest;
    f->data = mem_alloc_array(largest, sizeof *f->data);
    if (!f->data)
        return err_set(e, RC_NOMEM, "no memory for the first weights");
    for (size_t i = 0; i < n && !rc; i++)
        rc = take(f, i, e);
    mem_free(f->data);
    return rc;
}

static enum rc tell(struct train *t, const struct fit *f, struct err *e)
{
    struct arena *a = &t->r->arena;
    const char *text;

    if (f->taken == 0)
        return err_set(e, RC_CONFLICT,
                       "nothing in it fits %s: the first tensor of the network, '%s', %s",
                       f->model->name, f->first_left ? f->first_left : "",
                       f->first_is_missing ? "is missing" : "has another shape");
    text = f->left
               ? arena_printf(a,
                              "%zu tensors of the first weights fit; %zu keep random weights, the "
                              "first of them '%s', which %s",
                              f->taken, f->left + f->head, f->first_left,
                              f->first_is_missing ? "is missing" : "has another shape")
           : f->head
               ? arena_printf(a,
                              "%zu tensors of the first weights fit; the layer of the classes (%zu "
                              "tensors) begins with random weights",
                              f->taken, f->head)
               : "all tensors of the first weights fit";
    return text ? train_warn(t, str_of(text), e) : err_set(e, RC_NOMEM, "no memory for the log");
}

enum rc finetune(struct train *t, str path, str sha256, struct err *e)
{
    struct fit f = {.model = t->r->model};
    char *file = arena_cstr(&t->r->arena, path);
    enum rc rc = file ? model_check_file(file, sha256, e)
                      : err_set(e, RC_NOMEM, "no memory for the first weights");

    if (!rc)
        rc = safetensors_open(&f.file, file, e);
    if (!rc)
        rc = take_all(&f, e);
    if (!rc)
        rc = tell(t, &f, e);
    safetensors_close(f.file);
    return rc ? err_wrap(e, rc, "the first weights") : RC_OK;
}
