/* model.c - see model.h. */
#include "engine/bundle/model.h"

#include "base/json.h"
#include "base/mem.h"

enum { META_MAX = 12, MODEL_ARENA_BYTES_MAX = 64 << 20 };

static const char *const stem_names[] = {"auto", "small", "large"};

static enum rc no_memory(struct err *e)
{
    return err_set(e, RC_NOMEM, "no memory for the model");
}

static enum rc copy_plan(struct model *m, const struct model_plan *p, struct err *e)
{
    m->name = arena_cstr(&m->arena, str_of(p->name));
    m->classes = ARENA_ARRAY(&m->arena, str, p->classes_n);
    if (!m->name || !m->classes)
        return no_memory(e);
    for (size_t i = 0; i < p->classes_n; i++) {
        m->classes[i] = arena_str(&m->arena, p->classes[i]);
        if (!m->classes[i].p)
            return no_memory(e);
    }
    m->classes_n = p->classes_n;
    m->frame = frame_for_eval(&p->frame);
    m->seed = p->seed;
    return RC_OK;
}

enum rc model_new(struct model **ret, const struct model_plan *p, struct err *e)
{
    struct net_config c = {.model = p->name,
                           .classes = (int)p->classes_n,
                           .image_size = p->size_max ? p->size_max : p->frame.size,
                           .batch_max = p->batch_max,
                           .train = p->train,
                           .average = p->average,
                           .accumulate = p->accumulate,
                           .backend = p->backend,
                           .stem = p->stem,
                           .optimizer = p->optimizer,
                           .precision = p->precision,
                           .threads = p->threads,
                           .isa = p->isa};
    struct model *m = mem_zalloc(sizeof *m);
    struct net_info info;
    enum rc rc;

    if (!m)
        return no_memory(e);
    arena_init(&m->arena, MODEL_ARENA_BYTES_MAX);
    rc = copy_plan(m, p, e);
    if (!rc)
        rc = net_new(&m->net, &c, e);
    if (rc) {
        model_free(m);
        return rc;
    }
    net_get_info(m->net, &info);
    m->stem = info.stem;
    m->task = info.card->task;
    *ret = m;
    return RC_OK;
}

void model_free(struct model *m)
{
    if (!m)
        return;
    net_free(m->net);
    arena_done(&m->arena);
    mem_free(m);
}

/* ---- saving */

struct save {
    const struct model *m;
    struct arena a;
    struct safetensors_meta meta[META_MAX];
    size_t n;
    bool failed;
};

static void put(struct save *s, const char *key, str value)
{
    ASSERT(s->n < META_MAX);
    s->meta[s->n++] = (struct safetensors_meta){str_of(key), value};
    s->failed = s->failed || !value.p;
}

static void put_int(struct save *s, const char *key, int64_t v)
{
    put(s, key, str_of(arena_printf(&s->a, "%lld", (long long)v)));
}

static void put_three(struct save *s, const char *key, const float v[3])
{
    put(s, key, str_of(arena_printf(&s->a, "%.9g,%.9g,%.9g", v[0], v[1], v[2])));
}

static void put_classes(struct save *s)
{
    struct buf b;
    struct jw w;

    buf_init(&b, SAFETENSORS_HEADER_BYTES_MAX);
    jw_init(&w, &b);
    jw_arr(&w);
    for (size_t i = 0; i < s->m->classes_n; i++)
        jw_str(&w, s->m->classes[i]);
    jw_arr_end(&w);
    put(s, "classes", b.rc ? STR_NONE : arena_str(&s->a, buf_view(&b)));
    buf_done(&b);
}

static void get_tensor(void *ud, size_t i, float *ret)
{
    const struct model *m = ud;
    net_tensor_get(m->net, i, ret);
}

static enum rc save_all(struct save *s, int64_t epoch, const char *path,
                        struct safetensors_written *ret, struct err *e)
{
    const struct model *m = s->m;
    size_t n = net_tensor_count(m->net);
    struct safetensors_entry *entries = ARENA_ARRAY(&s->a, struct safetensors_entry, n);

    put(s, "anneal", STR("1"));
    put(s, "model", str_of(m->name));
    put(s, "task", str_of(net_task_names[m->task]));
    put_classes(s);
    put_int(s, "image_size", m->frame.size);
    put(s, "stem", str_of(stem_names[m->stem]));
    put(s, "fit", str_of(frame_fit_names[m->frame.fit]));
    put_int(s, "work_side", m->frame.work_side);
    put_three(s, "mean", m->frame.mean);
    put_three(s, "std", m->frame.std);
    put_int(s, "seed", m->seed);
    put_int(s, "epoch", epoch);
    if (s->failed || !entries)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        const struct net_tensor *t = net_tensor_at(m->net, i);
        entries[i] = (struct safetensors_entry){t->name, t->dims, t->shape};
    }
    return safetensors_write(path, s->meta, s->n, entries, n, false, get_tensor,
                             (void *)(uintptr_t)m, ret, e);
}

enum rc model_save(const struct model *m, int64_t epoch, const char *path,
                   struct safetensors_written *ret, struct err *e)
{
    struct save s = {.m = m};
    enum rc rc;

    arena_init(&s.a, MODEL_ARENA_BYTES_MAX);
    rc = save_all(&s, epoch, path, ret, e);
    arena_done(&s.a);
    return rc;
}

/* ---- loading */

static enum rc bad_meta(const char *key, struct err *e)
{
    return err_set(
        e, RC_CORRUPT,
        "its metadata '%s' are missing or not what Anneal writes; only weights that Anneal "
        "trained can be used",
        key);
}

static bool meta_int(const struct safetensors *s, const char *key, int64_t min, int64_t max,
                     int64_t *ret)
{
    return str_i64(safetensors_meta(s, key), ret) && *ret >= min && *ret <= max;
}

static bool meta_three(const struct safetensors *s, const char *key, float ret[3])
{
    str rest = safetensors_meta(s, key), piece;
    double v;

    for (int i = 0; i < 3; i++) {
        if (!str_next(&rest, ',', &piece) || !str_f64(piece, &v))
            return false;
        ret[i] = (float)v;
    }
    return rest.p == NULL;
}

static int meta_choice(const struct safetensors *s, const char *key, const char *const *names,
                       int n)
{
    for (int i = 0; i < n; i++)
        if (str_is(safetensors_meta(s, key), names[i]))
            return i;
    return -1;
}

static enum rc read_classes(const struct safetensors *s, struct arena *a, struct model_plan *p,
                            struct err *e)
{
    const struct json *list;
    str *classes;
    size_t n = 0;
    enum rc rc = json_parse(a, safetensors_meta(s, "classes"), NULL, &list, e);

    if (rc == RC_NOMEM)
        return rc;
    if (rc || list->type != JSON_ARR || list->list.count < 1 ||
        list->list.count > DATASET_CLASSES_MAX)
        return bad_meta("classes", e);
    classes = ARENA_ARRAY(a, str, list->list.count);
    if (!classes)
        return no_memory(e);
    JSON_EACH(c, list) {
        if (c->type != JSON_STR)
            return bad_meta("classes", e);
        classes[n++] = c->s;
    }
    p->classes = classes;
    p->classes_n = n;
    return RC_OK;
}

static enum rc read_plan(const struct safetensors *s, struct arena *a, struct model_plan *p,
                         struct err *e)
{
    const struct net_card *card;
    int64_t size, side;
    int stem, fit;

    if (!str_is(safetensors_meta(s, "anneal"), "1"))
        return bad_meta("anneal", e);
    if (!(p->name = arena_cstr(a, safetensors_meta(s, "model"))))
        return no_memory(e);
    card = net_card_find(p->name);
    if (!card)
        return err_set(e, RC_UNSUPPORTED, "the model '%s' is not known to this version of Anneal",
                       p->name);
    if (!str_is(safetensors_meta(s, "task"), net_task_names[card->task]))
        return bad_meta("task", e);
    if (!meta_int(s, "image_size", NET_IMAGE_SIZE_MIN, NET_IMAGE_SIZE_MAX, &size))
        return bad_meta("image_size", e);
    if (!meta_int(s, "work_side", size, 4 * size, &side))
        return bad_meta("work_side", e);
    if (!meta_int(s, "seed", 0, INT64_MAX, &p->seed))
        return bad_meta("seed", e);
    if ((stem = meta_choice(s, "stem", stem_names, 3)) < 1)
        return bad_meta("stem", e);
    if ((fit = meta_choice(s, "fit", frame_fit_names, FRAME_FITS)) < 0)
        return bad_meta("fit", e);
    p->stem = (enum net_stem)stem;
    p->frame = (struct frame){
        .size = (int32_t)size, .fit = (enum frame_fit)fit, .work_side = (int32_t)side};
    p->frame = frame_for_eval(&p->frame);
    if (!meta_three(s, "mean", p->frame.mean))
        return bad_meta("mean", e);
    if (!meta_three(s, "std", p->frame.std) || p->frame.std[0] <= 0 || p->frame.std[1] <= 0 ||
        p->frame.std[2] <= 0)
        return bad_meta("std", e);
    return read_classes(s, a, p, e);
}

static enum rc same_shape(const struct safetensors_tensor *have, const struct net_tensor *want,
                          struct err *e)
{
    bool same = have->dims == want->dims;

    for (int d = 0; same && d < want->dims; d++)
        same = have->shape[d] == want->shape[d];
    return same ? RC_OK
                : err_set(e, RC_CORRUPT, "tensor '%s' has another shape than the network's",
                          want->name);
}

static enum rc fill_from(struct model *m, struct safetensors *s, struct err *e)
{
    size_t largest = 0, n = net_tensor_count(m->net);
    float *data;
    enum rc rc = RC_OK;

    for (size_t i = 0; i < n; i++)
        largest =
            net_tensor_at(m->net, i)->count > largest ? net_tensor_at(m->net, i)->count : largest;
    data = mem_alloc_array(largest, sizeof *data);
    if (!data)
        return no_memory(e);
    for (size_t i = 0; i < n && !rc; i++) {
        const struct net_tensor *t = net_tensor_at(m->net, i);
        ptrdiff_t k = safetensors_find(s, str_of(t->name));
        if (k < 0) {
            rc = err_set(e, RC_CORRUPT, "tensor '%s' is missing", t->name);
            break;
        }
        rc = same_shape(safetensors_at(s, (size_t)k), t, e);
        if (!rc)
            rc = safetensors_read(s, (size_t)k, data, e);
        if (!rc)
            net_tensor_set(m->net, i, data);
    }
    mem_free(data);
    return rc;
}

enum rc model_load_from(struct model **ret, struct safetensors *s, const struct model_plan *how,
                        struct err *e)
{
    struct model_plan p = *how;
    struct model *m = NULL;
    struct arena a;
    enum rc rc;

    arena_init(&a, MODEL_ARENA_BYTES_MAX);
    rc = read_plan(s, &a, &p, e);
    if (!rc)
        rc = model_new(&m, &p, e);
    if (!rc)
        rc = fill_from(m, s, e);
    arena_done(&a);
    if (rc) {
        model_free(m);
        return rc;
    }
    *ret = m;
    return RC_OK;
}

static enum rc same_model(const struct model *m, const struct model_plan *p, struct err *e)
{
    const char *what = NULL;

    if (strcmp(m->name, p->name) != 0)
        what = "the model";
    else if (m->frame.size != p->frame.size || m->frame.fit != p->frame.fit ||
             m->frame.work_side != p->frame.work_side)
        what = "the input size or crop";
    else if (m->stem != p->stem)
        what = "the stem";
    else if (m->seed != p->seed)
        what = "the seed";
    else if (m->classes_n != p->classes_n)
        what = "the number of classes";
    for (size_t i = 0; !what && i < m->classes_n; i++)
        if (!str_eq(m->classes[i], p->classes[i]))
            what = "the classes";
    return what ? err_set(e, RC_CONFLICT, "%s of the checkpoint differs from that of the job", what)
                : RC_OK;
}

enum rc model_fill_from(struct model *m, struct safetensors *s, struct err *e)
{
    struct model_plan p = {0};
    struct arena a;
    enum rc rc;

    arena_init(&a, MODEL_ARENA_BYTES_MAX);
    rc = read_plan(s, &a, &p, e);
    if (!rc)
        rc = same_model(m, &p, e);
    if (!rc)
        rc = fill_from(m, s, e);
    arena_done(&a);
    return rc;
}
