/* cursor.c - see cursor.h. */
#include "flow/worker/cursor.h"

#include "base/mem.h"
#include <math.h>

#define S struct cursor
static const struct field cursor_fields[] = {
    F_INT(S, epoch, .min = 1, .max = 1e6, .flags = FIELD_REQUIRED),
    F_INT(S, steps, .min = 1, .max = 1e15, .flags = FIELD_REQUIRED),
    F_INT(S, best_epoch, .min = 0, .max = 1e6),
    F_NUM(S, best_value, .flags = FIELD_NULLABLE),
    F_STR(S, best_sha256, .max = 64),
    F_NUM(S, stop_value, .flags = FIELD_NULLABLE),
    F_INT(S, stale, .min = 0, .max = 1e6),
    F_STR(S, weights_sha256, .min = 64, .max = 64, .flags = FIELD_REQUIRED),
    FIELD_END};
#undef S

/* What the state file holds: the optimiser's tensors and, where the weights file holds a moving
 * average, the weights being trained. */
struct state {
    struct net *net;
    size_t n, tensors; /* of the optimiser; of the network */
    size_t *at;        /* [n] of net_state */
};

static enum rc state_init(struct state *s, struct run *r, struct err *e)
{
    struct net *net = r->model->net;
    size_t n = net_state_count(net);

    *s = (struct state){.net = net, .tensors = r->spec.ema > 0 ? net_tensor_count(net) : 0};
    s->at = mem_alloc_array(n + 1, sizeof *s->at);
    if (!s->at)
        return err_set(e, RC_NOMEM, "no memory for a checkpoint");
    for (size_t i = 0; i < n; i++)
        if (!str_ends(str_of(net_state_at(net, i)->name), STR(".average")))
            s->at[s->n++] = i;
    return RC_OK;
}

static const struct net_tensor *state_at(const struct state *s, size_t i)
{
    return i < s->n ? net_state_at(s->net, s->at[i]) : net_tensor_at(s->net, i - s->n);
}

static void state_get(void *ud, size_t i, float *ret)
{
    const struct state *s = ud;

    if (i < s->n)
        net_state_get(s->net, s->at[i], ret);
    else
        net_tensor_get(s->net, i - s->n, ret);
}

static void state_set(const struct state *s, size_t i, const float *v)
{
    if (i < s->n)
        net_state_set(s->net, s->at[i], v);
    else
        net_tensor_set(s->net, i - s->n, v);
}

static enum rc write_state(struct state *s, const struct cursor *c, const char *path,
                           struct safetensors_written *ret, struct err *e)
{
    size_t n = s->n + s->tensors;
    struct safetensors_entry *entries = mem_alloc_array(n ? n : 1, sizeof *entries);
    struct safetensors_meta meta = {STR("cursor"), STR_NONE};
    struct buf text;
    struct jw w;
    enum rc rc;

    if (!entries)
        return err_set(e, RC_NOMEM, "no memory for a checkpoint");
    buf_init(&text, 4096);
    jw_init(&w, &text);
    field_write(cursor_fields, c, &w);
    rc = buf_ok(&text, e);
    meta.value = buf_view(&text);
    for (size_t i = 0; i < n; i++) {
        const struct net_tensor *t = state_at(s, i);
        entries[i] = (struct safetensors_entry){t->name, t->dims, t->shape};
    }
    if (!rc)
        rc = safetensors_write(path, &meta, 1, entries, n, false, state_get, s, ret, e);
    buf_done(&text);
    mem_free(entries);
    return rc;
}

static enum rc save_state(struct run *r, const struct cursor *c, const char *path,
                          struct safetensors_written *ret, struct err *e)
{
    struct state s;
    enum rc rc = state_init(&s, r, e);

    net_use_average(r->model->net, false);
    if (!rc)
        rc = write_state(&s, c, path, ret, e);
    mem_free(s.at);
    return rc;
}

enum rc cursor_save(struct run *r, struct cursor *c, bool best, struct checkpoint *ret,
                    struct err *e)
{
    char *weights = arena_printf(&r->arena, "%.*s/weights-%lld.safetensors",
                                 STR_F(r->work.work_dir), (long long)c->epoch);
    char *state = arena_printf(&r->arena, "%.*s/state-%lld.safetensors", STR_F(r->work.work_dir),
                               (long long)c->epoch);
    struct safetensors_written w, s;
    enum rc rc;

    if (!weights || !state)
        return err_set(e, RC_NOMEM, "no memory for a checkpoint");
    net_use_average(r->model->net, r->spec.ema > 0);
    rc = model_save(r->model, c->epoch, weights, &w, e);
    if (rc)
        return rc;
    c->weights_sha256 = arena_str(&r->arena, str_of(w.sha256));
    if (best)
        c->best_sha256 = c->weights_sha256;
    rc = c->weights_sha256.p ? save_state(r, c, state, &s, e)
                             : err_set(e, RC_NOMEM, "no memory for a checkpoint");
    if (rc)
        return rc;
    *ret = (struct checkpoint){.epoch = c->epoch,
                               .weights_path = str_of(weights),
                               .weights_sha256 = c->weights_sha256,
                               .weights_bytes = w.bytes,
                               .state_path = str_of(state),
                               .state_sha256 = arena_str(&r->arena, str_of(s.sha256)),
                               .state_bytes = s.bytes};
    return ret->state_sha256.p ? RC_OK : err_set(e, RC_NOMEM, "no memory for a checkpoint");
}

/* ---- loading */

static enum rc fill_all(const struct state *want, struct safetensors *s, struct err *e)
{
    size_t n = want->n + want->tensors, largest = 1;
    float *data;
    enum rc rc = RC_OK;

    for (size_t i = 0; i < n; i++)
        largest = state_at(want, i)->count > largest ? state_at(want, i)->count : largest;
    data = mem_alloc_array(largest, sizeof *data);
    if (!data)
        return err_set(e, RC_NOMEM, "no memory for a checkpoint");
    for (size_t i = 0; i < n && !rc; i++) {
        const struct net_tensor *t = state_at(want, i);
        ptrdiff_t k = safetensors_find(s, str_of(t->name));
        if (k < 0 || safetensors_at(s, (size_t)k)->count != t->count)
            rc = err_set(
                e, RC_CONFLICT,
                "the optimiser state has no '%s' of this size; was it another optimiser or ema?",
                t->name);
        else
            rc = safetensors_read(s, (size_t)k, data, e);
        if (!rc)
            state_set(want, i, data);
    }
    mem_free(data);
    return rc;
}

static enum rc fill_state(struct run *r, struct safetensors *s, struct err *e)
{
    struct state want;
    enum rc rc = state_init(&want, r, e);

    if (!rc)
        rc = fill_all(&want, s, e);
    mem_free(want.at);
    return rc;
}

static enum rc load_state(struct run *r, const char *path, struct cursor *c, struct err *e)
{
    struct safetensors *s;
    str text;
    enum rc rc = safetensors_open(&s, path, e);

    if (rc)
        return rc;
    text = safetensors_meta(s, "cursor");
    rc = text.n ? field_read_text(cursor_fields, text, c, &r->arena, e)
                : err_set(e, RC_CORRUPT, "it holds no cursor");
    if (rc == RC_INVALID)
        rc = err_wrap(e, RC_CORRUPT, "its cursor");
    if (!rc)
        rc = fill_state(r, s, e);
    safetensors_close(s);
    return rc;
}

enum rc cursor_load(struct run *r, const struct checkpoint *from, struct cursor *ret, struct err *e)
{
    char *weights = arena_cstr(&r->arena, from->weights_path);
    char *state = arena_cstr(&r->arena, from->state_path);
    struct cursor c = {0};
    enum rc rc;

    if (!weights || !state)
        return err_set(e, RC_NOMEM, "no memory for a checkpoint");
    if (!from->weights_path.n || !from->state_path.n)
        return err_set(e, RC_INVALID,
                       "to resume, both weights and state of a checkpoint are needed");
    rc = model_check_file(weights, from->weights_sha256, e);
    if (!rc)
        rc = model_check_file(state, from->state_sha256, e);
    net_use_average(r->model->net, r->spec.ema > 0); /* what the weights file holds */
    if (!rc)
        rc = model_fill(r->model, weights, e);
    net_use_average(r->model->net, false);
    if (!rc && (rc = load_state(r, state, &c, e)) != RC_OK)
        rc = err_wrap(e, rc, "the state %s", state);
    if (!rc && from->weights_sha256.n && !str_eq(c.weights_sha256, from->weights_sha256))
        rc = err_set(e, RC_CORRUPT, "weights and state of the checkpoint do not belong together");
    if (!rc && from->epoch && c.epoch != from->epoch)
        rc = err_set(e, RC_CORRUPT, "the checkpoint is of epoch %lld, not %lld", (long long)c.epoch,
                     (long long)from->epoch);
    if (!rc)
        *ret = c;
    return rc;
}
