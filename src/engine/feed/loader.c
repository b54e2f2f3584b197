/* loader.c - see loader.h.
 *
 * A slot goes  free -> being made (its event clear) -> ready (event set) -> lent -> free.  Batch
 * number b always uses slot b % slots, and is submitted when batch b - slots has been given back,
 * so the consumer waits for one event and the pool's queue is never longer than the slots.
 */
#include "engine/feed/loader.h"

#include "base/mem.h"
#include "engine/feed/pictures.h"
#include "engine/feed/targets.h"
#include "os/os.h"
#include <stdatomic.h>

struct slot {
    struct loader *loader;
    struct event *ready;
    int64_t number; /* of the batch; -1: free */
    float *x, *rows;
    uint32_t *index;
    struct targets targets;
    struct frame_map *map; /* evaluation */
    float *scratch;        /* of scene_draw */
    struct arena bytes;    /* a picture's file */
    struct batch view;
    enum rc rc;
    struct err err;
};

struct loader {
    struct loader_config c;
    struct pool *pool;
    struct slot *slots;
    size_t slots_n;
    uint32_t *order; /* of the epoch */
    struct pictures pictures;
    int64_t epoch, batches, next, submitted;
    struct slot *lent;
    _Atomic bool stop;
};

static size_t row_floats(int32_t size)
{
    return 3 * (size_t)size * (size_t)size;
}

static bool has_scenes(const struct loader *l)
{
    return l->c.train && l->c.task != NET_CLASSIFICATION;
}

int32_t loader_size_max(const struct loader *l)
{
    return has_scenes(l) ? scene_size_max(&l->c.scene, l->c.frame.size) : l->c.frame.size;
}

/* ---- in the pool's threads */

static void target_row(const struct loader *l, int32_t label, float *ret)
{
    double smooth = l->c.train ? l->c.label_smoothing : 0;
    float off = (float)(smooth / l->c.classes);

    for (int32_t k = 0; k < l->c.classes; k++)
        ret[k] = off;
    ret[label] = (float)(1 - smooth + smooth / l->c.classes);
}

static enum rc no_memory_for_targets(struct err *e)
{
    return err_set(e, RC_NOMEM, "no memory for the objects of a batch");
}

static enum rc make_variant(struct slot *s, uint32_t i, float *x, struct err *e)
{
    struct loader *l = s->loader;
    struct picture work;
    enum rc rc = picture_open(&l->pictures, &s->bytes, i, &work, e);

    if (rc)
        return rc;
    rc = augment_apply(&l->c.augment, &l->c.frame, &work.im, l->c.seed, l->epoch, i, x, e);
    picture_close(&work);
    return rc ? err_wrap(e, rc, "the picture '%.*s'", STR_F(l->c.samples[i].name)) : RC_OK;
}

/* One picture as it is, or as augment.h varies it. */
static enum rc make_plain(struct slot *s, int32_t k, uint32_t i, float *x, struct err *e)
{
    struct loader *l = s->loader;
    const struct sample_ref *r = &l->c.samples[i];
    enum rc rc =
        l->c.train ? make_variant(s, i, x, e) : picture_input(&l->pictures, &s->bytes, i, x, e);

    if (rc)
        return rc;
    if (!l->c.train)
        s->map[k] = frame_map_of(&l->c.frame, r->width, r->height);
    if (l->c.task == NET_CLASSIFICATION) {
        target_row(l, r->label, s->rows + (size_t)k * (size_t)l->c.classes);
        return RC_OK;
    }
    const struct frame_map *m = &s->map[k];
    struct affine to = {m->sx, 0, m->x0, 0, m->sy, m->y0};
    return targets_add(&s->targets, &r, &to, 1) ? RC_OK : no_memory_for_targets(e);
}

static enum rc make_scene(struct slot *s, uint32_t i, int32_t size, float *x, struct err *e)
{
    struct loader *l = s->loader;
    const struct sample_ref *refs[SCENE_PICTURES_MAX];
    struct affine maps[SCENE_PICTURES_MAX];
    struct image work[SCENE_PICTURES_MAX];
    struct picture open[SCENE_PICTURES_MAX];
    struct scene_plan p;
    enum rc rc = RC_OK;
    int n = 0;

    scene_plan_of(&l->c.scene, &l->c.frame, l->c.task, size, l->c.samples, (uint32_t)l->c.n,
                  l->c.seed, l->epoch, i, &p);
    for (; n < p.tiles_n; n++) {
        refs[n] = &l->c.samples[p.tile[n].index];
        maps[n] = p.tile[n].objects;
        rc = picture_open(&l->pictures, &s->bytes, p.tile[n].index, &open[n], e);
        if (rc)
            break;
        work[n] = open[n].im;
    }
    if (!rc)
        scene_draw(&p, &l->c.frame, work, s->scratch, x);
    if (!rc && !targets_add(&s->targets, refs, maps, n))
        rc = no_memory_for_targets(e);
    while (n > 0)
        picture_close(&open[--n]);
    return rc;
}

static void mix_rows(struct slot *s, int32_t n)
{
    struct loader *l = s->loader;
    double alpha = l->c.augment.mixup, w;

    if (!l->c.train || l->c.task != NET_CLASSIFICATION || alpha <= 0)
        return;
    w = augment_mixup_weight(alpha, l->c.seed, l->epoch, (uint32_t)s->number);
    augment_blend(s->x, (size_t)n, row_floats(l->c.frame.size), w);
    augment_blend(s->rows, (size_t)n, (size_t)l->c.classes, w);
}

static struct batch view_of(const struct slot *s, int32_t n, int32_t size)
{
    const struct targets *t = &s->targets;
    bool boxes = t->task == NET_DETECTION || t->task == NET_SEGMENTATION;

    return (struct batch){
        .x = s->x,
        .target = {.rows = s->rows,
                   .boxes = boxes ? t->boxes.p : NULL,
                   .first = boxes ? t->first : NULL,
                   .instances = t->instances,
                   .labels = t->labels},
        .index = s->index,
        .n = n,
        .size = size,
        .map = s->map,
    };
}

static void make_batch(void *ud)
{
    struct slot *s = ud;
    struct loader *l = s->loader;
    int64_t first = s->number * l->c.batch, rest = (int64_t)l->c.n - first;
    int32_t n = (int32_t)(rest < l->c.batch ? rest : l->c.batch), size = l->c.frame.size;

    if (has_scenes(l))
        size = scene_size(&l->c.scene, size, l->c.seed, l->epoch, s->number);
    targets_begin(&s->targets, size);
    s->rc = RC_OK;
    for (int32_t k = 0; k < n && !s->rc; k++) {
        float *x = s->x + (size_t)k * row_floats(size);
        uint32_t i = s->index[k] = l->c.train ? l->order[first + k] : (uint32_t)(first + k);
        if (atomic_load(&l->stop))
            s->rc = err_set(&s->err, RC_CANCELLED, "the loader is being stopped");
        else if (has_scenes(l))
            s->rc = make_scene(s, i, size, x, &s->err);
        else
            s->rc = make_plain(s, k, i, x, &s->err);
    }
    if (!s->rc)
        mix_rows(s, n);
    s->view = view_of(s, n, size);
    arena_reset(&s->bytes);
    event_set(s->ready);
}

/* ---- in the owner's thread */

static enum rc submit_more(struct loader *l, struct err *e)
{
    enum rc rc = RC_OK;

    while (!rc && l->submitted < l->batches && l->submitted < l->next + (int64_t)l->slots_n) {
        struct slot *s = &l->slots[(size_t)l->submitted % l->slots_n];
        if (s->number >= 0)
            break; /* lent */
        s->number = l->submitted;
        event_clear(s->ready);
        rc = pool_submit(l->pool, make_batch, s, e);
        if (rc)
            s->number = -1;
        else
            l->submitted++;
    }
    return rc;
}

static void wait_for_all(struct loader *l)
{
    for (size_t i = 0; i < l->slots_n; i++) {
        if (l->slots[i].number >= 0 && &l->slots[i] != l->lent)
            (void)event_wait(l->slots[i].ready, -1);
        l->slots[i].number = -1;
    }
    l->lent = NULL;
}

enum rc loader_start(struct loader *l, int64_t epoch, struct err *e)
{
    atomic_store(&l->stop, true); /* of an epoch that was left early */
    wait_for_all(l);
    atomic_store(&l->stop, false);
    l->epoch = epoch;
    l->next = l->submitted = 0;
    if (l->c.train)
        augment_order(l->c.seed, epoch, l->order, (uint32_t)l->c.n);
    return submit_more(l, e);
}

enum rc loader_next(struct loader *l, const struct batch **ret, struct err *e)
{
    struct slot *s;
    enum rc rc;

    if (l->lent) {
        l->lent->number = -1;
        l->lent = NULL;
        rc = submit_more(l, e);
        if (rc)
            return rc;
    }
    if (l->next >= l->batches) {
        *ret = NULL;
        return RC_OK;
    }
    s = &l->slots[(size_t)l->next % l->slots_n];
    ASSERT(s->number == l->next);
    (void)event_wait(s->ready, -1);
    l->lent = s;
    l->next++;
    if (s->rc)
        return err_set(e, s->rc, "%s", s->err.text);
    *ret = &s->view;
    return RC_OK;
}

int64_t loader_batches(const struct loader *l)
{
    return l->batches;
}

bool loader_is_cached(const struct loader *l)
{
    return l->pictures.cache != NULL;
}

/* ---- life */

static bool class_is_known(const struct loader_config *c, const struct sample_ref *r)
{
    if (c->task == NET_CLASSIFICATION)
        return r->label >= 0 && r->label < c->classes;
    int32_t shift = c->task == NET_SEMANTIC ? c->semantic.shift : 0;
    for (uint32_t i = 0; c->task == NET_DETECTION && i < r->boxes_n; i++)
        if (r->boxes[i].cls < 0 || r->boxes[i].cls >= c->classes)
            return false;
    for (uint32_t i = 0; c->task != NET_DETECTION && i < r->shapes_n; i++)
        if (r->shapes[i].cls < 0 || r->shapes[i].cls + shift >= c->classes)
            return false;
    return true;
}

static enum rc check_samples(const struct loader_config *c, struct err *e)
{
    enum rc rc;

    if (c->n == 0)
        return err_set(e, RC_INVALID, "there are no pictures to read");
    if (c->n > UINT32_MAX)
        return err_set(e, RC_TOO_LARGE, "%zu pictures; the limit is %u", c->n, UINT32_MAX);
    for (size_t i = 0; i < c->n; i++)
        if (!class_is_known(c, &c->samples[i]))
            return err_set(e, RC_INVALID, "the picture '%.*s' has no class of the dataset",
                           STR_F(c->samples[i].name));
    rc = c->train ? samples_check(c->samples, c->n, c->task, NULL, e) : RC_OK;
    return rc;
}

static bool slot_init(struct loader *l, struct slot *s)
{
    size_t batch = (size_t)l->c.batch, classes = (size_t)l->c.classes;
    int32_t size = loader_size_max(l);
    bool ok;

    s->loader = l;
    s->number = -1;
    arena_init(&s->bytes, PICTURE_FILE_BYTES_MAX + 4096);
    s->ready = event_new();
    s->x = mem_alloc_array(batch * row_floats(size), sizeof *s->x);
    s->index = mem_alloc_array(batch, sizeof *s->index);
    ok = s->ready && s->x && s->index &&
         targets_init(&s->targets, l->c.task, l->c.train, l->c.semantic, l->c.batch, size);
    if (ok && l->c.task == NET_CLASSIFICATION)
        ok = (s->rows = mem_alloc_array(batch * classes, sizeof *s->rows)) != NULL;
    if (ok && !l->c.train)
        ok = (s->map = mem_alloc_array(batch, sizeof *s->map)) != NULL;
    if (ok && has_scenes(l))
        ok = (s->scratch = mem_alloc_array(SCENE_SCRATCH_FLOATS(size), sizeof *s->scratch)) != NULL;
    return ok;
}

static size_t slots_for(const struct loader *l)
{
    int32_t size = loader_size_max(l);
    size_t image = row_floats(size) * sizeof(float) + targets_bytes(l->c.task, size);
    size_t n = l->c.threads + 1;

    if (l->c.task == NET_CLASSIFICATION)
        image += (size_t)l->c.classes * sizeof(float);
    size_t most = LOADER_SLOT_BYTES_MAX / ((size_t)l->c.batch * image);
    n = n < most ? n : most;
    n = n < (size_t)l->batches ? n : (size_t)l->batches;
    return n < 2 ? 2 : n; /* one is lent while the next is made */
}

static enum rc loader_init(struct loader *l, struct err *e)
{
    size_t n = l->c.n, batch = (size_t)l->c.batch;

    l->batches = (int64_t)((n + batch - 1) / batch);
    if (l->c.train && l->batches > 1 && n % batch == 1)
        l->batches--;
    l->slots_n = slots_for(l);
    l->slots = mem_alloc_array(l->slots_n, sizeof *l->slots);
    bool ok = l->slots != NULL;
    for (size_t i = 0; ok && i < l->slots_n; i++)
        ok = slot_init(l, &l->slots[i]);
    if (ok && l->c.train)
        ok = (l->order = mem_alloc_array(n, sizeof *l->order)) != NULL;
    ok = ok && pictures_init(&l->pictures, l->c.samples, n, l->c.blobs_dir, &l->c.frame,
                             l->c.cache_bytes_max);
    if (!ok)
        return err_set(e, RC_NOMEM,
                       "no memory for batches of %d pictures of %dx%d; lower the "
                       "batch size",
                       l->c.batch, l->c.frame.size, l->c.frame.size);
    return pool_new(&l->pool, "feed", l->c.threads, l->slots_n, e);
}

enum rc loader_new(struct loader **ret, const struct loader_config *c, struct err *e)
{
    struct loader *l;
    enum rc rc = check_samples(c, e);

    ASSERT(c->batch > 0 && c->classes > 0 && c->threads > 0 && c->threads <= LOADER_THREADS_MAX);
    ASSERT(c->frame.size >= 8 && c->frame.work_side >= c->frame.size);
    ASSERT(c->task == NET_CLASSIFICATION ||
           (c->frame.fit == FRAME_LETTERBOX && c->frame.size % NET_MASK_STRIDE == 0 &&
            c->frame.work_side <= SCENE_WORK_SIDE_MAX));
    if (rc)
        return rc;
    l = mem_zalloc(sizeof *l);
    if (!l)
        return err_set(e, RC_NOMEM, "no memory for the loader");
    l->c = *c;
    if (!c->train)
        l->c.frame = frame_for_eval(&c->frame);
    rc = loader_init(l, e);
    if (rc)
        loader_free(l);
    else
        *ret = l;
    return rc;
}

void loader_free(struct loader *l)
{
    if (!l)
        return;
    atomic_store(&l->stop, true);
    pool_free(l->pool);
    for (size_t i = 0; l->slots && i < l->slots_n; i++) {
        struct slot *s = &l->slots[i];
        event_free(s->ready);
        if (s->loader)
            arena_done(&s->bytes);
        mem_free(s->x);
        mem_free(s->rows);
        mem_free(s->index);
        mem_free(s->map);
        mem_free(s->scratch);
        targets_done(&s->targets);
    }
    mem_free(l->slots);
    pictures_done(&l->pictures);
    mem_free(l->order);
    mem_free(l);
}
