/* loader.c - see loader.h.
 *
 * A slot goes  free -> being made (its event clear) -> ready (event set) -> lent -> free.  Batch
 * number b always uses slot b % slots, and is submitted when batch b - slots has been given back,
 * so the consumer waits for one event and the pool's queue is never longer than the slots.
 *
 * Cache entries need no lock: in an epoch a sample belongs to one batch and so to one thread, and
 * loader_start waits for the last epoch's tasks (the events order the memory between threads).
 */
#include "engine/feed/loader.h"

#include "base/mem.h"
#include "os/os.h"
#include <stdatomic.h>

struct slot {
    struct loader *loader;
    struct event *ready;
    int64_t number; /* of the batch; -1: free */
    float *x, *target;
    uint32_t *index;
    struct arena bytes; /* a picture's file */
    struct batch view;
    enum rc rc;
    struct err err;
};

struct loader {
    struct loader_config c;
    struct pool *pool;
    struct slot *slots;
    size_t slots_n;
    uint32_t *order;     /* of the epoch */
    struct image *cache; /* working pictures by sample, or NULL */
    int64_t epoch, batches, next, submitted;
    struct slot *lent;
    _Atomic bool stop;
};

static size_t row_floats(const struct loader *l)
{
    return 3 * (size_t)l->c.frame.size * (size_t)l->c.frame.size;
}

/* ---- in the pool's threads */

static enum rc read_blob(struct slot *s, const struct sample_ref *r, str *ret, struct err *e)
{
    char hex[SHA256_HEX + 1];
    struct buf path;
    enum rc rc;

    buf_init(&path, 8192);
    buf_printf(&path, "%s/%.2s/%s", s->loader->c.blobs_dir, r->sha256, r->sha256);
    rc = buf_ok(&path, e);
    arena_reset(&s->bytes);
    if (!rc)
        rc = os_read_file(&s->bytes, path.p, LOADER_BLOB_BYTES_MAX, ret, e);
    buf_done(&path);
    if (rc)
        return rc;
    sha256_hex(*ret, hex);
    if (strcmp(hex, r->sha256) != 0)
        return err_set(e, RC_CORRUPT, "its content is not what was imported (SHA-256 %s, not %s)",
                       hex, r->sha256);
    return RC_OK;
}

static enum rc open_sample(struct slot *s, uint32_t i, struct image *ret, struct err *e)
{
    struct loader *l = s->loader;
    str bytes;
    enum rc rc;

    if (l->cache && l->cache[i].rgb) {
        *ret = l->cache[i];
        return RC_OK;
    }
    rc = read_blob(s, &l->c.samples[i], &bytes, e);
    if (!rc)
        rc = frame_open(&l->c.frame, bytes, NULL, ret, e);
    if (!rc && l->cache)
        l->cache[i] = *ret;
    return rc;
}

static void target_row(const struct loader *l, int32_t label, float *ret)
{
    double smooth = l->c.train ? l->c.label_smoothing : 0;
    float off = (float)(smooth / l->c.classes);

    for (int32_t k = 0; k < l->c.classes; k++)
        ret[k] = off;
    ret[label] = (float)(1 - smooth + smooth / l->c.classes);
}

static enum rc make_row(struct slot *s, int32_t k, uint32_t i, struct err *e)
{
    struct loader *l = s->loader;
    const struct sample_ref *r = &l->c.samples[i];
    float *x = s->x + (size_t)k * row_floats(l);
    struct image work = {0};
    enum rc rc = open_sample(s, i, &work, e);

    if (!rc && l->c.train)
        rc = augment_apply(&l->c.augment, &l->c.frame, &work, l->c.seed, l->epoch, i, x, e);
    else if (!rc)
        rc = frame_eval(&l->c.frame, &work, x, e);
    if (!l->cache)
        image_done(&work);
    if (rc)
        return err_wrap(e, rc, "the picture '%.*s'", STR_F(r->name));
    target_row(l, r->label, s->target + (size_t)k * (size_t)l->c.classes);
    s->index[k] = i;
    return RC_OK;
}

static void make_batch(void *ud)
{
    struct slot *s = ud;
    struct loader *l = s->loader;
    int64_t first = s->number * l->c.batch;
    int32_t n =
        (int32_t)((int64_t)l->c.n - first < l->c.batch ? (int64_t)l->c.n - first : l->c.batch);
    size_t classes = (size_t)l->c.classes;

    s->rc = RC_OK;
    for (int32_t k = 0; k < n && !s->rc; k++) {
        if (atomic_load(&l->stop))
            s->rc = err_set(&s->err, RC_CANCELLED, "the loader is being stopped");
        else
            s->rc =
                make_row(s, k, l->c.train ? l->order[first + k] : (uint32_t)(first + k), &s->err);
    }
    if (!s->rc && l->c.train && l->c.augment.mixup > 0) {
        double w =
            augment_mixup_weight(l->c.augment.mixup, l->c.seed, l->epoch, (uint32_t)s->number);
        augment_blend(s->x, (size_t)n, row_floats(l), w);
        augment_blend(s->target, (size_t)n, classes, w);
    }
    s->view = (struct batch){.x = s->x,
                             .target = {.rows = s->target},
                             .index = s->index,
                             .n = n,
                             .size = l->c.frame.size};
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

int32_t loader_size_max(const struct loader *l)
{
    return l->c.frame.size;
}

bool loader_is_cached(const struct loader *l)
{
    return l->cache != NULL;
}

/* ---- life */

static enum rc check_samples(const struct loader_config *c, struct err *e)
{
    if (c->task != NET_CLASSIFICATION)
        return err_set(e, RC_UNSUPPORTED, "this task has no batches yet");
    if (c->n == 0)
        return err_set(e, RC_INVALID, "there are no pictures to read");
    if (c->n > UINT32_MAX)
        return err_set(e, RC_TOO_LARGE, "%zu pictures; the limit is %u", c->n, UINT32_MAX);
    for (size_t i = 0; i < c->n; i++)
        if (c->samples[i].label < 0 || c->samples[i].label >= c->classes)
            return err_set(e, RC_INVALID, "the picture '%.*s' has no class of the dataset",
                           STR_F(c->samples[i].name));
    return RC_OK;
}

static bool fits_cache(const struct loader_config *c)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < c->n && sum <= c->cache_bytes_max; i++) {
        int32_t w, h;
        frame_work_size(&c->frame, c->samples[i].width, c->samples[i].height, &w, &h);
        sum += 3 * (uint64_t)w * (uint64_t)h;
    }
    return sum <= c->cache_bytes_max;
}

static bool slot_init(struct loader *l, struct slot *s)
{
    size_t batch = (size_t)l->c.batch;

    s->loader = l;
    s->number = -1;
    arena_init(&s->bytes, LOADER_BLOB_BYTES_MAX + 4096);
    s->ready = event_new();
    s->x = mem_alloc_array(batch * row_floats(l), sizeof *s->x);
    s->target = mem_alloc_array(batch * (size_t)l->c.classes, sizeof *s->target);
    s->index = mem_alloc_array(batch, sizeof *s->index);
    return s->ready && s->x && s->target && s->index;
}

static size_t slots_for(const struct loader *l)
{
    size_t bytes = (size_t)l->c.batch * (row_floats(l) + (size_t)l->c.classes) * sizeof(float);
    size_t n = l->c.threads + 1, most = LOADER_SLOT_BYTES_MAX / bytes;

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
    if (ok && l->c.cache_bytes_max && fits_cache(&l->c))
        ok = (l->cache = mem_alloc_array(n, sizeof *l->cache)) != NULL;
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
    if (rc)
        return rc;
    l = mem_zalloc(sizeof *l);
    if (!l)
        return err_set(e, RC_NOMEM, "no memory for the loader");
    l->c = *c;
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
        mem_free(s->target);
        mem_free(s->index);
    }
    mem_free(l->slots);
    for (size_t i = 0; l->cache && i < l->c.n; i++)
        image_done(&l->cache[i]);
    mem_free(l->cache);
    mem_free(l->order);
    mem_free(l);
}
