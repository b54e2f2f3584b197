/* prepare.c - everything a worker needs, into the cache: manifest, images, checkpoint.
 *
 * The manifest is read line by line and images are fetched in batches of one grant, so memory does
 * not grow with the dataset.  Only the splits that the work uses are fetched.
 */
#include "base/log.h"
#include "flow/trainer/job_int.h"
#include "spec/dataset.h"

#include <fcntl.h>

struct transfer job_transfer(struct job *j)
{
    const struct jobs_config *c = &j->js->c;

    return (struct transfer){.cache = c->cache,
                             .letters = c->letters,
                             .pool = c->pool,
                             .connections = c->connections,
                             .token = j->order.token,
                             .uploads_url = j->order.uploads_url,
                             .downloads_url = j->order.downloads_url,
                             .cancel = &j->cancel,
                             .cancel_event = j->stop_event,
                             .retry_ms = c->retry_min_ms / 4 + 1,
                             .pins = &j->pins};
}

bool job_sit_out(struct job *j, enum rc rc, const struct err *e, int64_t *until, unsigned *tries)
{
    int64_t now = os_mono_ms(), wait = j->js->c.retry_min_ms;

    if (atomic_load(&j->cancel))
        return false;
    if (rc != RC_UNAVAILABLE && rc != RC_TIMEOUT && rc != RC_UPSTREAM && rc != RC_FORBIDDEN)
        return false;
    if (!*until)
        *until = now + STORAGE_PATIENCE_MS;
    if (now >= *until)
        return false;
    for (unsigned i = 0; i < *tries && wait < 30000; i++)
        wait *= 2;
    ++*tries;
    log_warn("job %s: %s; trying again", j->id, e->text);
    (void)event_wait(j->stop_event, wait < 30000 ? wait : 30000);
    return true;
}

static enum rc fetch_patiently(struct job *j, struct fetch_item *items, size_t n, struct err *e)
{
    struct transfer t = job_transfer(j);
    uint64_t bytes = 0;
    int64_t until = 0;
    unsigned tries = 0;
    enum rc rc;

    do
        rc = transfer_fetch(&t, items, n, &bytes, e);
    while (rc && job_sit_out(j, rc, e, &until, &tries));
    if (!rc && atomic_load(&j->cancel))
        rc = err_set(e, RC_CANCELLED, "the attempt is being stopped");
    return rc;
}

static enum rc item_set(struct fetch_item *item, str sha256, str key, int64_t bytes,
                        const char *what, struct err *e)
{
    if (!is_sha256_hex(sha256) || !key.n || key.n >= sizeof item->key)
        return err_field(e, RC_INVALID, what,
                         "the order names no usable key and SHA-256 for the %s", what);
    *item = (struct fetch_item){.bytes = bytes > 0 ? bytes : -1};
    memcpy(item->sha256, sha256.p, SHA256_HEX);
    snprintf(item->key, sizeof item->key, "%.*s", STR_F(key));
    snprintf(item->name, sizeof item->name, "%s", what);
    return RC_OK;
}

/* ---- images */

struct images {
    struct job *j;
    struct fetch_item *items; /* [GRANT_KEYS_MAX] */
    size_t n;
    uint64_t done, total;
};

static bool wanted(const struct start_order *o, enum split s)
{
    if (o->kind == WORK_TRAIN)
        return s == SPLIT_TRAIN || s == SPLIT_VAL;
    return !o->split.n || str_is(o->split, split_names[s]);
}

static enum rc images_flush(struct images *im, struct err *e)
{
    char text[120];
    struct report r = {.kind = REPORT_PROGRESS};
    enum rc rc = im->n ? fetch_patiently(im->j, im->items, im->n, e) : RC_OK;

    im->done += im->n;
    im->n = 0;
    if (rc)
        return rc;
    snprintf(text, sizeof text, "fetching the dataset: %llu of %llu images",
             (unsigned long long)im->done, (unsigned long long)im->total);
    r.message = str_of(text);
    job_note_progress(im->j, &r);
    return RC_OK;
}

static enum rc images_add(struct images *im, const struct sample *s, struct err *e)
{
    struct fetch_item *item = &im->items[im->n++];

    *item = (struct fetch_item){.bytes = (int64_t)s->bytes};
    memcpy(item->sha256, s->sha256, SHA256_HEX);
    blob_key(s->sha256, item->key);
    snprintf(item->name, sizeof item->name, "%.*s", STR_F(str_sub(s->name, 0, FETCH_NAME_MAX - 1)));
    return im->n == GRANT_KEYS_MAX ? images_flush(im, e) : RC_OK;
}

static enum rc read_manifest(struct images *im, struct lines *in, struct err *e)
{
    struct dataset_header header = {0};
    struct arena fixed, each;
    enum line_kind kind;
    struct buf line;
    int64_t n = 0;
    enum rc rc = RC_OK;

    arena_init(&fixed, 64 << 20);
    arena_init(&each, 256 << 20);
    buf_init(&line, DATASET_LINE_BYTES_MAX + 1);
    while (!rc && (kind = lines_next(in, -1, &line, e)) != LINE_END) {
        struct sample s = {0};

        n++;
        arena_reset(&each);
        if (kind != LINE_TEXT)
            rc = err_set(e, RC_CORRUPT, "it is cut off, or longer than %d bytes",
                         DATASET_LINE_BYTES_MAX);
        else if (n == 1)
            rc = dataset_header_read(buf_view(&line), &fixed, &header, e);
        else
            rc = sample_read(buf_view(&line), &header, &each, &s, e);
        im->total = header.images;
        if (rc)
            err_wrap(e, rc = RC_CORRUPT, "the dataset's manifest, line %lld", (long long)n);
        else if (n > 1 && wanted(&im->j->order, s.split))
            rc = images_add(im, &s, e);
        else if (n > 1)
            im->done++;
    }
    if (!rc && (n == 0 || (uint64_t)n - 1 != header.images))
        rc = err_set(e, RC_CORRUPT, "the dataset's manifest lists %lld images and states %llu",
                     (long long)n - 1, (unsigned long long)header.images);
    buf_done(&line);
    arena_done(&each);
    arena_done(&fixed);
    return rc ? rc : images_flush(im, e);
}

static enum rc fetch_images(struct job *j, const char *manifest, struct err *e)
{
    struct images im = {.j = j};
    struct lines *in = NULL;
    int fd = -1;
    enum rc rc;

    im.items = mem_alloc_array(GRANT_KEYS_MAX, sizeof *im.items);
    if (!im.items)
        return err_set(e, RC_NOMEM, "out of memory for a batch of images");
    rc = os_open(manifest, O_RDONLY, 0, &fd, e);
    if (!rc)
        rc = lines_open(&in, fd, DATASET_LINE_BYTES_MAX, 1 << 20, 0, e);
    if (!rc)
        rc = read_manifest(&im, in, e);
    lines_close(in);
    mem_free(im.items);
    return rc;
}

/* ---- checkpoint */

static enum rc fetch_checkpoint(struct job *j, struct arena *a, struct checkpoint *c, struct err *e)
{
    struct fetch_item items[2];
    char path[CACHE_PATH_MAX];
    size_t n = 1;
    enum rc rc =
        item_set(&items[0], c->weights_sha256, c->weights_key, c->weights_bytes, "weights", e);

    if (!rc && c->state_key.n)
        rc = item_set(&items[n++], c->state_sha256, c->state_key, c->state_bytes, "state", e);
    if (!rc)
        rc = fetch_patiently(j, items, n, e);
    if (rc)
        return err_wrap(e, rc, "the checkpoint of epoch %lld", (long long)c->epoch);
    cache_path(j->js->c.cache, items[0].sha256, path);
    c->weights_path = arena_str(a, str_of(path));
    if (n == 2) {
        cache_path(j->js->c.cache, items[1].sha256, path);
        c->state_path = arena_str(a, str_of(path));
    }
    return RC_OK;
}

enum rc job_prepare(struct job *j, struct arena *a, struct work *ret, struct err *e)
{
    const struct start_order *o = &j->order;
    struct fetch_item manifest;
    char path[CACHE_PATH_MAX], key[192];
    struct work w = {.kind = o->kind,
                     .job_id = o->job_id,
                     .config = o->config,
                     .blobs_dir = str_of(cache_dir(j->js->c.cache)),
                     .work_dir = str_of(j->work_dir),
                     .split = o->split,
                     .resume = o->resume};
    enum rc rc = os_mkdirs(j->work_dir, 0700, e);

    if (!rc)
        rc = s3_uri_key(o->dataset_s3_uri, key, sizeof key, e);
    if (!rc)
        rc = item_set(&manifest, o->dataset_version, str_of(key), -1, "manifest", e);
    if (!rc)
        rc = fetch_patiently(j, &manifest, 1, e);
    if (!rc) {
        cache_path(j->js->c.cache, manifest.sha256, path);
        w.manifest_path = arena_str(a, str_of(path));
        rc = fetch_images(j, path, e);
    }
    if (!rc && (o->resume.epoch > 0 || o->resume.weights_key.n))
        rc = fetch_checkpoint(j, a, &w.resume, e);
    if (!rc)
        *ret = w;
    return rc;
}
