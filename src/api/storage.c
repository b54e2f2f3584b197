/* storage.c - what the object store holds and how whole it is. */
#include "api/app.h"
#include "os/os.h"
#include "spec/config.h"
#include "store/admin.h"

struct storage {
    bool embedded;
    str endpoint, bucket;
    int64_t objects, object_bytes, contents, content_bytes, disk_free_bytes, disk_bytes;
    int64_t segments, segment_bytes, segment_dead_bytes, damaged, unverified, scrubbed_at;
    int64_t scrub_done, scrub_pending;
    str buckets; /* JSON */
};
#define S struct storage
static const struct field storage_fields[] = {
    F_BOOL(S, embedded, .help = "The store is the one in this program; else the rest is 0."),
    F_STR(S, endpoint, .help = "URL of another store; empty: the embedded one."),
    F_STR(S, bucket, .help = "Bucket of datasets, checkpoints and results."),
    F_INT(S, objects, .help = "Objects in all buckets."),
    F_INT(S, object_bytes, .help = "Their bytes, as clients count them."),
    F_INT(S, contents, .help = "Different contents, each stored once."),
    F_INT(S, content_bytes, .help = "Bytes of those."),
    F_INT(S, disk_free_bytes, .help = "Free on the store's disk."),
    F_INT(S, disk_bytes, .help = "Size of that disk."),
    F_INT(S, segments, .help = "Files in which small objects are packed."),
    F_INT(S, segment_bytes, .help = "Their bytes."),
    F_INT(S, segment_dead_bytes, .help = "Of those, what compaction will free."),
    F_INT(S, damaged, .help = "Contents known to be wrong on the disk."),
    F_INT(S, unverified, .help = "Contents that have no checksums yet."),
    F_TIME(S, scrubbed_at, .help = "End of the last whole scrub, which reads and checks all."),
    F_INT(S, scrub_done, .help = "Contents that the scrub under way has read."),
    F_INT(S, scrub_pending, .help = "Contents that it has still to read."),
    F_JSON(S, buckets,
           .help = "[{name, owner, created_at, versioned, objects, bytes, versions, "
                   "version_bytes}]"),
    FIELD_END};
#undef S

static void write_bucket(void *ud, const struct store_bucket *b)
{
    struct jw *w = ud;
    char created[OS_TIME_TEXT];

    os_time_text(b->created_ms, created);
    jw_obj(w);
    jw_kstr(w, "name", b->name);
    jw_kstr(w, "owner", b->owner);
    jw_kcstr(w, "created_at", created);
    jw_kbool(w, "versioned", b->versioned);
    jw_kint(w, "objects", (int64_t)b->objects);
    jw_kint(w, "bytes", (int64_t)b->bytes);
    jw_kint(w, "versions", (int64_t)b->versions);
    jw_kint(w, "version_bytes", (int64_t)b->version_bytes);
    jw_obj_end(w);
}

static enum rc look(struct ctx *c, struct storage *s, struct buf *b, struct err *e)
{
    const char *dir = arena_printf(c->a, "%s/store", config_str(c->app->config, "data"));
    struct store_stat t = {0};
    struct jw w;
    enum rc rc = dir ? store_stat(dir, &t, e) : err_set(e, RC_NOMEM, "out of memory");

    if (rc)
        return rc;
    s->objects = (int64_t)t.objects;
    s->object_bytes = (int64_t)t.object_bytes;
    s->contents = (int64_t)t.contents;
    s->content_bytes = (int64_t)t.content_bytes;
    s->disk_free_bytes = (int64_t)t.disk_free_bytes;
    s->disk_bytes = (int64_t)t.disk_bytes;
    s->segments = (int64_t)t.segments;
    s->segment_bytes = (int64_t)t.segment_bytes;
    s->segment_dead_bytes = (int64_t)t.segment_dead_bytes;
    s->damaged = (int64_t)t.damaged;
    s->unverified = (int64_t)t.unverified;
    s->scrubbed_at = t.scrub_ended_ms;
    s->scrub_done = (int64_t)t.scrub_done;
    s->scrub_pending = (int64_t)t.scrub_pending;
    jw_init(&w, b);
    jw_arr(&w);
    rc = store_buckets(dir, write_bucket, &w, e);
    jw_arr_end(&w);
    if (!rc)
        rc = buf_ok(b, e);
    s->buckets = buf_view(b);
    return rc;
}

static enum rc get_storage(struct ctx *c, struct err *e)
{
    const char *endpoint = config_str(c->app->config, "s3_endpoint");
    struct storage s = {.embedded = !*endpoint,
                        .endpoint = str_of(endpoint),
                        .bucket = str_of(config_str(c->app->config, "bucket_name")),
                        .buckets = STR("[]")};
    struct buf b;
    enum rc rc = RC_OK;

    buf_init(&b, 16 << 20);
    if (s.embedded)
        rc = look(c, &s, &b, e);
    if (!rc)
        rc = reply_fields(c, 200, storage_fields, &s, e);
    buf_done(&b);
    return rc;
}

extern const struct route storage_routes[];
const struct route storage_routes[] = {
    {HTTP_GET, "/storage", ACCESS_MANAGER, "users:read", .reply = storage_fields, .tag = "System",
     .summary = "What the object store holds, bucket by bucket, and how whole it is.",
     .fn = get_storage},
    ROUTE_END};
