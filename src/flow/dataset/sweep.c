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

enum { SWEEP_AT_ONCE = 1000 }; /* keys listed before they are removed */

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
    char key[BLOB_KEY_MAX];
    enum rc rc = RC_OK;

    for (size_t i = 0; !rc && i < s->unused.n; i++) {
        thumb_key(s->unused.p[i].text, key);
        rc = s3_delete(s->s3, key, e);
        blob_key(s->unused.p[i].text, key);
        if (!rc)
            rc = s3_delete(s->s3, key, e);
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
