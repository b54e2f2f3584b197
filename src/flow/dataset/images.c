/* images.c - see images.h. */
#include "flow/dataset/images.h"
#include "engine/feed/image.h"
#include "os/os.h"
#include <pthread.h>

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    uint64_t in_flight, max; /* bytes */
    size_t jobs;
    size_t done;
    struct err failed; /* of the store or for want of memory: ends the pass */
};

struct images {
    struct harvest *p;
    struct gate gate;
    const struct image_sink *to;
};

struct task_one {
    struct images *im;
    struct picture *pic;
    uint64_t cost;
    struct buf bytes;
};

/* ---- one picture, on a worker */

static enum rc store_preview(struct images *im, const struct picture *pic, const struct image *full,
                             struct err *e)
{
    struct image small = {0};
    struct buf jpeg;
    char key[BLOB_KEY_MAX];

    if (full->width <= THUMB_SIDE && full->height <= THUMB_SIDE)
        return RC_OK;
    buf_init(&jpeg, 4 << 20);
    enum rc rc = image_fit(full, THUMB_SIDE, &small, e);
    if (!rc)
        rc = image_encode_jpeg(&small, THUMB_QUALITY, &jpeg, e);
    thumb_key(pic->got.sha256, key);
    if (!rc)
        rc = im->to->put(im->to->ud, key, buf_view(&jpeg), "image/jpeg", e);
    image_done(&small);
    buf_done(&jpeg);
    return rc;
}

static bool is_pictures_fault(enum rc rc)
{
    return rc == RC_CORRUPT || rc == RC_UNSUPPORTED || rc == RC_TOO_LARGE || rc == RC_INVALID;
}

/* RC_OK: stored, or refused as the picture's own fault (got.rc and *ret_why). */
static enum rc check_one(struct images *im, struct picture *pic, str bytes, struct err *ret_why,
                         struct err *e)
{
    struct image_info info;
    struct image full = {0};
    char key[BLOB_KEY_MAX];
    enum rc rc = image_probe(bytes, NULL, &info, ret_why);

    if (!rc)
        rc = image_decode(bytes, NULL, 0, &full, ret_why);
    if (is_pictures_fault(rc)) {
        pic->got.rc = rc;
        return RC_OK;
    }
    if (rc) {
        if (e)
            *e = *ret_why;
        return rc;
    }
    sha256_hex(bytes, pic->got.sha256);
    pic->got.bytes = bytes.n;
    pic->got.type = info.type;
    pic->got.width = full.width;
    pic->got.height = full.height;
    rc = store_preview(im, pic, &full, e);
    image_done(&full);
    blob_key(pic->got.sha256, key);
    if (!rc)
        rc = im->to->put(im->to->ud, key, bytes, image_media_type(info.type), e);
    return rc;
}

static void finish(struct task_one *t, const struct err *why, const struct err *failed)
{
    struct gate *g = &t->im->gate;

    pthread_mutex_lock(&g->lock);
    if (failed->rc && !g->failed.rc)
        g->failed = *failed;
    if (t->pic->got.rc) {
        t->pic->got.trouble =
            arena_str(t->im->p->a, str_of(why->text)); /* the lock owns the arena */
        if (!t->pic->got.trouble.p && !g->failed.rc)
            err_set(&g->failed, RC_NOMEM, "not enough memory to note a fault");
    }
    t->pic->got.done = true;
    g->in_flight -= t->cost;
    g->jobs--;
    g->done++;
    pthread_cond_broadcast(&g->freed);
    pthread_mutex_unlock(&g->lock);
    buf_done(&t->bytes);
    mem_free(t);
}

static void work(void *ud)
{
    struct task_one *t = ud;
    struct err why = {0}, failed = {0};

    if (check_one(t->im, t->pic, buf_view(&t->bytes), &why, &failed) == RC_OK)
        failed.rc = RC_OK;
    finish(t, &why, &failed);
}

/* ---- the reading thread */

static enum rc enter(struct gate *g, uint64_t cost, size_t jobs_max, struct err *e)
{
    enum rc rc;

    pthread_mutex_lock(&g->lock);
    while (!g->failed.rc && g->jobs && (g->in_flight + cost > g->max || g->jobs >= jobs_max))
        pthread_cond_wait(&g->freed, &g->lock);
    rc = g->failed.rc;
    if (rc && e)
        *e = g->failed;
    if (!rc) {
        g->in_flight += cost;
        g->jobs++;
    }
    pthread_mutex_unlock(&g->lock);
    return rc;
}

static void drain(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    while (g->jobs)
        pthread_cond_wait(&g->freed, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void refuse(struct picture *pic, enum rc rc, const char *literal)
{
    pic->got.rc = rc;
    pic->got.trouble = str_of(literal);
    pic->got.done = true;
}

/* The entry's bytes; false in *ret_whole if the archive's copy is damaged. */
static enum rc read_entry(struct pack *in, struct buf *to, bool *ret_whole, struct err *e)
{
    char chunk[64 << 10];
    size_t n = 1;
    bool damaged = false;
    enum rc rc = RC_OK;

    while (!rc && n) {
        rc = pack_read(in, chunk, sizeof chunk, &n, &damaged, e);
        if (damaged) {
            *ret_whole = false;
            return RC_OK;
        }
        if (!rc)
            buf_add(to, chunk, n);
    }
    *ret_whole = true;
    return rc ? rc : buf_ok(to, e);
}

static enum rc submit(struct images *im, struct pool *pool, struct picture *pic, struct buf *bytes,
                      struct err *e)
{
    struct image_info info = {0};
    struct task_one *t = mem_zalloc(sizeof *t);
    uint64_t cost = bytes->n;

    if (!t)
        return err_set(e, RC_NOMEM, "no memory to check a picture");
    if (!image_probe(buf_view(bytes), NULL, &info, NULL))
        cost += (uint64_t)info.width * (uint64_t)info.height * 6;
    enum rc rc = enter(&im->gate, cost, IMAGES_QUEUE, e);
    if (rc) {
        mem_free(t);
        return rc;
    }
    *t = (struct task_one){im, pic, cost, *bytes};
    buf_init(bytes, HARVEST_IMAGE_BYTES_MAX);
    rc = pool_submit(pool, work, t, e);
    if (rc) {
        struct err none = {0}, failed = {.rc = rc};
        finish(t, &none, &failed);
    }
    return rc;
}

static enum rc one_entry(struct images *im, struct pool *pool, struct pack *in, struct picture *pic,
                         struct err *e)
{
    struct buf bytes;
    bool whole = true;
    enum rc rc;

    if (pic->got.bytes > HARVEST_IMAGE_BYTES_MAX) {
        refuse(pic, RC_TOO_LARGE, "a file of more than 256 MB");
        return RC_OK;
    }
    buf_init(&bytes, HARVEST_IMAGE_BYTES_MAX);
    rc = read_entry(in, &bytes, &whole, e);
    if (!rc && !whole)
        refuse(pic, RC_CORRUPT, "the archive's copy is damaged (wrong checksum)");
    else if (!rc)
        rc = submit(im, pool, pic, &bytes, e);
    buf_done(&bytes);
    return rc;
}

static enum rc all_entries(struct images *im, struct pool *pool, struct pack *in, size_t *ret_done,
                           survey_tick_fn tick, void *ud, struct err *e)
{
    struct harvest *p = im->p;
    struct pack_entry en;
    bool more = true;
    enum rc rc = RC_OK;

    for (size_t k = 0; !rc && k < p->pictures.n;) { /* pictures are in the archive's order */
        struct picture *pic = &p->pictures.p[k];
        if (!pic->keep) {
            k++;
            continue;
        }
        rc = pack_next(in, &more, &en, e);
        if (!rc && !more)
            rc = err_set(e, RC_CORRUPT, "the archive changed while it was read");
        if (rc || en.ordinal < pic->ordinal)
            continue;
        rc = one_entry(im, pool, in, pic, e);
        k++;
        pthread_mutex_lock(&im->gate.lock);
        *ret_done = im->gate.done;
        pthread_mutex_unlock(&im->gate.lock);
        if (!rc && tick)
            rc = tick(ud, e);
    }
    return rc;
}

enum rc images_store(struct harvest *p, struct pack *in, const struct image_sink *to,
                     unsigned threads, uint64_t memory_bytes, size_t *ret_done, survey_tick_fn tick,
                     void *ud, struct err *e)
{
    struct images im = {.p = p, .to = to, .gate = {.max = memory_bytes}};
    struct pool *pool = NULL;
    enum rc rc = pool_new(&pool, "images", threads, IMAGES_QUEUE, e);

    if (rc)
        return rc;
    pthread_mutex_init(&im.gate.lock, NULL);
    pthread_cond_init(&im.gate.freed, NULL);
    rc = all_entries(&im, pool, in, ret_done, tick, ud, e);
    drain(&im.gate);
    pool_free(pool);
    if (!rc && im.gate.failed.rc) {
        rc = im.gate.failed.rc;
        if (e)
            *e = im.gate.failed;
    }
    *ret_done = im.gate.done;
    pthread_cond_destroy(&im.gate.freed);
    pthread_mutex_destroy(&im.gate.lock);
    return rc;
}
