/* sweep.c - see sweep.h. */
#include "flow/dataset/sweep.h"
#include "flow/dataset/dataset_int.h"
#include "os/os.h"

struct sweep {
    struct db *db;
    struct s3 *s3;
    struct event *stop;
    int64_t removed;
    VEC(struct hash { char text[SHA256_HEX + 1]; }) unused;
};

enum { SWEEP_AT_ONCE = 1000 /* pictures */, SWEEP_ARENA_MAX = 1 << 20 };

static enum rc remove_picture(struct s3 *s3, const char *sha256, struct err *e)
{
    char key[BLOB_KEY_MAX];

    thumb_key(sha256, key);
    enum rc rc = s3_delete(s3, key, e);
    blob_key(sha256, key);
    return rc ? rc : s3_delete(s3, key, e);
}

/* "blobs/ab/abcd..": is its content in no version? */
static enum rc look(void *ud, str key, uint64_t bytes, struct err *e)
{
    struct sweep *s = ud;
    struct hash one = {{0}};
    str sha = str_sub(key, (size_t)str_rchr(key, '/') + 1, key.n);
    bool used = true;

    (void)bytes;
    if (event_is_set(s->stop))
        return err_set(e, RC_CANCELLED, "stopping");
    if (!is_sha256_hex(sha) || s->unused.n >= SWEEP_AT_ONCE)
        return RC_OK;
    enum rc rc = content_has_blob(s->db, sha, &used, e);
    memcpy(one.text, sha.p, SHA256_HEX);
    if (!rc && !used && !VEC_PUSH(&s->unused, one))
        rc = dataset_nomem(e);
    return rc;
}

static enum rc remove_unused(struct sweep *s, struct err *e)
{
    enum rc rc = RC_OK;

    for (size_t i = 0; !rc && i < s->unused.n; i++) {
        rc = remove_picture(s->s3, s->unused.p[i].text, e);
        s->removed += !rc;
    }
    return rc;
}

enum rc sweep_blobs(struct db *db, struct s3 *s3, struct event *stop, int64_t *ret_removed,
                    struct err *e)
{
    struct sweep s = {.db = db, .s3 = s3, .stop = stop};
    bool busy = false;
    size_t found = 1;
    enum rc rc = import_is_running(db, &busy, e);

    while (!rc && !busy && found) { /* a list must not change under its reader: find, then remove */
        s.unused.n = 0;
        rc = s3_list(s3, "blobs/", look, &s, e);
        if (!rc)
            rc = remove_unused(&s, e);
        found = s.unused.n;
    }
    VEC_DONE(&s.unused);
    *ret_removed = s.removed;
    return rc;
}

/* ---- deleted datasets */

/* Objects before rows (garbage_sql.c), the manifest last of all. */
static enum rc remove_piece(struct sweep *s, struct arena *a, int64_t content, str version,
                            struct err *e)
{
    char key[BLOB_KEY_MAX + 16];
    struct dead_image *list = NULL;
    size_t n = 0;
    enum rc rc = content_dead_images(s->db, a, content, SWEEP_AT_ONCE, &list, &n, e);

    for (size_t i = 0; !rc && i < n; i++) {
        if (event_is_set(s->stop))
            return err_set(e, RC_CANCELLED, "stopping");
        if (list[i].shared)
            continue;
        rc = remove_picture(s->s3, list[i].sha256.p, e);
        s->removed += !rc;
    }
    if (rc)
        return rc;
    if (n)
        return content_forget_images(s->db, content, list[n - 1].index, e);
    manifest_key(version.p, key);
    rc = s3_delete(s->s3, key, e);
    return rc ? rc : content_forget(s->db, content, e);
}

enum rc sweep_deleted(struct db *db, struct s3 *s3, struct event *stop, int64_t *ret_removed,
                      bool *ret_more, struct err *e)
{
    struct sweep s = {.db = db, .s3 = s3, .stop = stop};
    struct arena a;
    int64_t content = 0;
    str version = STR("");
    bool busy = false;
    enum rc rc = import_is_running(db, &busy, e);

    arena_init(&a, SWEEP_ARENA_MAX);
    if (!rc && !busy)
        rc = content_condemn(db, &a, &content, &version, e);
    if (!rc && content)
        rc = remove_piece(&s, &a, content, version, e);
    arena_done(&a);
    *ret_removed = s.removed;
    *ret_more = !rc && content != 0;
    return rc;
}
