/* keep.c - what a worker made, into storage: weights, state, results.
 *
 * A checkpoint exists only when its manifest is durable, so the manifest goes last and the report
 * after it.  Objects are named by content: what this attempt has uploaded is not uploaded again,
 * and the local file goes as soon as the object is there, so the worker's folder stays small.
 */
#include "base/log.h"
#include "flow/trainer/job_int.h"

static enum rc broke(struct err *e, const char *what)
{
    return err_set(e, RC_INVALID, "%s", what);
}

/* A worker may only name files of its own folder. */
static bool own_path(const struct job *j, str path)
{
    size_t n = strlen(j->work_dir);

    return path.n > n + 1 && path.n < JOB_PATH_MAX && !memcmp(path.p, j->work_dir, n) &&
           path.p[n] == '/' && str_find(path, STR("/../")) < 0 && !memchr(path.p, 0, path.n);
}

static enum rc remember(struct job *j, const char *sha256, const char *key, struct err *e)
{
    char *copy = mem_strndup(key, strlen(key));
    enum rc rc = copy ? map_put(&j->uploaded, str_of(sha256), copy, e)
                      : err_set(e, RC_NOMEM, "out of memory for an object's key");

    if (rc)
        mem_free(copy);
    return rc;
}

static enum rc upload_patiently(struct job *j, struct upload_item *items, size_t n, struct err *e)
{
    int64_t until = 0;
    unsigned tries = 0;
    struct transfer t = job_transfer(j);
    enum rc rc;

    do
        rc = transfer_upload(&t, items, n, e);
    while (rc && job_sit_out(j, rc, e, &until, &tries));
    for (size_t i = 0; i < n && !rc; i++)
        rc = remember(j, items[i].sha256, items[i].key, e);
    return rc;
}

/* One file that a report names: what has to be uploaded is put into *u, and *ret_need set. */
static enum rc plan(struct job *j, const char *name, const char *type, str path, str sha256,
                    struct arena *a, struct upload_item *u, bool *ret_need, struct err *e)
{
    *ret_need = false;
    if (!is_sha256_hex(sha256))
        return err_set(e, RC_INVALID, "the report names %s without their SHA-256", name);
    if (map_has(&j->uploaded, sha256))
        return RC_OK;
    if (!own_path(j, path))
        return err_set(e, RC_INVALID,
                       "the report names '%.*s', which is not in the worker's folder",
                       STR_F(str_sub(path, 0, 300)));
    *u = (struct upload_item){.name = name, .type = type, .path = arena_cstr(a, path)};
    memcpy(u->sha256, sha256.p, SHA256_HEX);
    if (!u->path)
        return err_set(e, RC_NOMEM, "out of memory for a path");
    *ret_need = true;
    return RC_OK;
}

static str key_of(struct job *j, str sha256, struct arena *a)
{
    return arena_str(a, str_of(map_get(&j->uploaded, sha256)));
}

static void remove_local(const struct job *j, str path, struct arena *a)
{
    const char *p = own_path(j, path) ? arena_cstr(a, path) : NULL;

    if (p)
        (void)os_sys.unlink(p); /* twice, if two reports named it: fine */
}

/* The manifest: the checkpoint's own record, with keys and without paths. */
static enum rc keep_manifest(struct job *j, struct checkpoint *c, struct arena *a, struct err *e)
{
    struct upload_item u = {.name = "manifest", .type = "application/json"};
    struct buf text;
    struct jw w;
    enum rc rc;

    buf_init(&text, 64 << 10);
    jw_init(&w, &text);
    field_write(checkpoint_fields, c, &w);
    buf_putc(&text, '\n');
    rc = buf_ok(&text, e);
    if (!rc) {
        u.data = buf_view(&text);
        u.bytes = (int64_t)text.n;
        sha256_hex(u.data, u.sha256);
        if (!map_has(&j->uploaded, str_of(u.sha256)))
            rc = upload_patiently(j, &u, 1, e);
    }
    if (!rc)
        c->manifest_key = key_of(j, str_of(u.sha256), a);
    buf_done(&text);
    return rc;
}

enum rc job_keep_checkpoint(struct job *j, struct checkpoint *c, struct arena *a, struct err *e)
{
    struct upload_item items[2];
    size_t n = 0;
    bool need = false;
    str weights = c->weights_path, state = c->state_path;
    enum rc rc;

    if (!weights.n)
        return broke(e, "a checkpoint report without weights_path");
    rc = plan(j, "weights", NULL, weights, c->weights_sha256, a, &items[n], &need, e);
    n += need;
    if (!rc && state.n) {
        rc = plan(j, "state", NULL, state, c->state_sha256, a, &items[n], &need, e);
        n += need;
    }
    if (!rc && n)
        rc = upload_patiently(j, items, n, e);
    if (rc)
        return err_wrap(e, rc, "checkpoint of epoch %lld", (long long)c->epoch);
    c->weights_key = key_of(j, c->weights_sha256, a);
    if (state.n)
        c->state_key = key_of(j, c->state_sha256, a);
    c->weights_path = c->state_path = c->manifest_key = STR("");
    rc = keep_manifest(j, c, a, e);
    if (rc)
        return err_wrap(e, rc, "checkpoint of epoch %lld", (long long)c->epoch);
    remove_local(j, weights, a);
    remove_local(j, state, a);
    return RC_OK;
}

enum rc job_keep_validation(struct job *j, struct validation *v, struct arena *a, struct err *e)
{
    struct upload_item item;
    bool need = false;
    enum rc rc;

    if (!v->path.n)
        return RC_OK;
    rc = plan(j, "validation", "application/jsonl", v->path, v->sha256, a, &item, &need, e);
    if (!rc && need)
        rc = upload_patiently(j, &item, 1, e);
    if (rc)
        return err_wrap(e, rc, "results of epoch %lld", (long long)v->epoch);
    v->key = key_of(j, v->sha256, a);
    remove_local(j, v->path, a);
    v->path = STR("");
    return RC_OK;
}

enum rc job_keep_samples(struct job *j, struct artifact *f, struct arena *a, struct err *e)
{
    struct upload_item item;
    bool need = false, png = str_is(f->type, "image/png");
    enum rc rc;

    if (!f->path.n)
        return RC_OK;
    if (!png && !str_is(f->type, "image/jpeg"))
        return broke(e, "samples must be image/png or image/jpeg");
    rc = plan(j, "samples", png ? "image/png" : "image/jpeg", f->path, f->sha256, a, &item, &need,
              e);
    if (!rc && need)
        rc = upload_patiently(j, &item, 1, e);
    if (rc)
        return err_wrap(e, rc, "the sheet of samples");
    f->key = key_of(j, f->sha256, a);
    remove_local(j, f->path, a);
    f->path = STR("");
    return RC_OK;
}
