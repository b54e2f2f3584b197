/* trainer_calls.c - what a trainer may ask of us, with the token of one attempt: to take its
 * reports, and to sign URLs for the objects of its job.  It never sees the store's keys
 * (spec/contract.h).
 */
#include "api/jobs.h"
#include "flow/dataset/grant.h"
#include "flow/telemetry/metrics.h"
#include "os/os.h"
#include "s3/s3.h"
#include "spec/dataset.h"

/* ---- reports */

static void count(struct ctx *c, const struct report *r, const struct report_reply *y, int64_t now)
{
    char labels[64];

    if (y->applied) {
        metrics_add(c->app->metrics, METRIC_CALLBACKS_APPLIED, "", 1);
        if (r->time > 0 && now >= r->time)
            metrics_observe(c->app->metrics, METRIC_CALLBACK_LAG, "",
                            (double)(now - r->time) / 1000);
    } else {
        snprintf(labels, sizeof labels, "reason=\"%.*s\"", STR_F(y->reason));
        metrics_add(c->app->metrics, METRIC_CALLBACKS_REFUSED, labels, 1);
    }
}

static enum rc post_callback(struct ctx *c, struct err *e)
{
    const struct report *r = c->body;
    struct report_reply y;
    enum rc rc =
        job_apply_report(c->app->jobs, c->a, c->who.job_id, c->who.attempt, r, os_now_ms(), &y, e);

    if (rc) {
        if (rc_status(rc) < 500)
            metrics_add(c->app->metrics, METRIC_CALLBACKS_REFUSED,
                        rc == RC_FORBIDDEN ? "reason=\"foreign_attempt\"" : "reason=\"invalid\"",
                        1);
        return rc;
    }
    count(c, r, &y, os_now_ms()); /* after the commit: the lag includes it */
    return reply_fields(c, str_is(y.reason, "gap") ? 409 : 200, report_reply_fields, &y, e);
}

/* ---- grants */

static enum rc sign(struct ctx *c, enum http_method m, const char *key, struct grant_url *ret,
                    struct err *e)
{
    const char *url, *copy = arena_cstr(c->a, str_of(key));
    enum rc rc;

    if (!copy)
        return err_set(e, RC_NOMEM, "out of memory");
    rc = s3_presign(c->app->s3, c->a, m, copy, NULL, GRANT_SECONDS, &url, e);
    if (!rc)
        *ret = (struct grant_url){str_of(copy), str_of(url)};
    return rc;
}

static enum rc reply_grants(struct ctx *c, struct grant_url *urls, size_t n, struct err *e)
{
    struct grant_reply y = {.urls = {urls, n},
                            .expires_at = os_now_ms() + (int64_t)GRANT_SECONDS * 1000};

    return reply_fields(c, 200, grant_reply_fields, &y, e);
}

static enum rc too_many(size_t n, struct err *e)
{
    if (n <= GRANT_KEYS_MAX)
        return RC_OK;
    return err_set(e, RC_INVALID, "at most %d objects in one request", GRANT_KEYS_MAX);
}

static enum rc post_uploads(struct ctx *c, struct err *e)
{
    const struct grant_request *q = c->body;
    const struct grant_object *o = q->objects.p;
    struct grant_url *urls = ARENA_ARRAY(c->a, struct grant_url, q->objects.n + 1);
    char key[256];
    enum rc rc = urls ? too_many(q->objects.n, e) : err_set(e, RC_NOMEM, "out of memory");

    if (!rc)
        rc = job_attempt_is_current(c->app->jobs, c->who.job_id, c->who.attempt, e);
    for (size_t i = 0; !rc && i < q->objects.n; i++) {
        if (!is_sha256_hex(o[i].sha256))
            return err_field(e, RC_INVALID, "objects", "'sha256' must be 64 lower-case hex digits");
        snprintf(key, sizeof key, "jobs/%.*s/%.*s", STR_F(c->who.job_id), STR_F(o[i].sha256));
        rc = sign(c, HTTP_PUT, key, &urls[i], e);
    }
    return rc ? rc : reply_grants(c, urls, q->objects.n, e);
}

static bool is_of(const struct checkpoint *k, str key)
{
    return str_eq(key, k->weights_key) || str_eq(key, k->state_key) || str_eq(key, k->manifest_key);
}

/* A key that is neither the manifest nor an image: a checkpoint of the job or of what it starts
 * from. */
static enum rc may_read_checkpoint(struct ctx *c, const struct job *j, str key, bool *ret,
                                   struct err *e)
{
    struct checkpoint base = {0};
    enum rc rc = RC_OK;

    *ret = false;
    if (!key.n) /* a checkpoint without a state has an empty key */
        return RC_OK;
    if (j->base_checkpoint.n)
        rc = field_read_text(checkpoint_fields, j->base_checkpoint, &base, c->a, e);
    if (!rc && is_of(&base, key)) {
        *ret = true;
        return RC_OK;
    }
    return rc ? rc : job_owns_key(c->app->jobs, j->id, key, ret, e);
}

/* "blobs/ab/ab.." -> its digest, or nothing. */
static str blob_of(str key)
{
    char same[BLOB_KEY_MAX], sha[SHA256_HEX + 1];
    str hex = str_sub(key, 9, key.n);

    if (!str_starts(key, STR("blobs/")) || hex.n != SHA256_HEX || !is_sha256_hex(hex))
        return STR_NONE;
    snprintf(sha, sizeof sha, "%.*s", STR_F(hex));
    blob_key(sha, same);
    return str_is(key, same) ? hex : STR_NONE;
}

static enum rc check_downloads(struct ctx *c, const struct job *j, const struct strs *keys,
                               struct err *e)
{
    str *images = ARENA_ARRAY(c->a, str, keys->n + 1);
    char version[SHA256_HEX + 1], manifest[BLOB_KEY_MAX + 16];
    size_t n = 0, missing = 0;
    enum rc rc = images ? RC_OK : err_set(e, RC_NOMEM, "out of memory");

    snprintf(version, sizeof version, "%.*s", STR_F(j->dataset_version));
    manifest_key(version, manifest);
    for (size_t i = 0; !rc && i < keys->n; i++) {
        str sha = blob_of(keys->p[i]);
        bool fine = str_is(keys->p[i], manifest);

        if (sha.n) {
            images[n++] = sha;
            continue;
        }
        if (!fine)
            rc = may_read_checkpoint(c, j, keys->p[i], &fine, e);
        if (!rc && !fine)
            rc = err_field(e, RC_FORBIDDEN, "keys", "the job may not read '%.*s'",
                           (int)(keys->p[i].n > 120 ? 120 : keys->p[i].n), keys->p[i].p);
    }
    if (!rc && n)
        rc = dataset_version_lacks(c->app->db, j->dataset_version, images, n, &missing, e);
    if (!rc && missing < n)
        rc =
            err_field(e, RC_FORBIDDEN, "keys", "the image %.*s is not in the job's dataset version",
                      STR_F(images[missing]));
    return rc;
}

static enum rc post_downloads(struct ctx *c, struct err *e)
{
    const struct grant_request *q = c->body;
    struct grant_url *urls = ARENA_ARRAY(c->a, struct grant_url, q->keys.n + 1);
    struct job j;
    enum rc rc = urls ? too_many(q->keys.n, e) : err_set(e, RC_NOMEM, "out of memory");

    if (!rc)
        rc = job_attempt_is_current(c->app->jobs, c->who.job_id, c->who.attempt, e);
    if (!rc)
        rc = job_get(c->app->jobs, c->a, c->who.job_id, &j, e);
    if (!rc)
        rc = check_downloads(c, &j, &q->keys, e);
    for (size_t i = 0; !rc && i < q->keys.n; i++) {
        const char *key = arena_cstr(c->a, q->keys.p[i]);

        rc = key ? sign(c, HTTP_GET, key, &urls[i], e) : err_set(e, RC_NOMEM, "out of memory");
    }
    return rc ? rc : reply_grants(c, urls, q->keys.n, e);
}

#define BODY(f, s) .body = f, .body_size = sizeof(struct s)
extern const struct route trainer_call_routes[];
const struct route trainer_call_routes[] = {
    {HTTP_POST, "/training/jobs/{id}/callback", ACCESS_JOB, BODY(report_fields, report),
     .reply = report_reply_fields, .tag = "Trainer",
     .summary = "A trainer reports; applied exactly once, in order.",
     .help =
         "2xx: done with, whether applied or refused (duplicate, stale_attempt, terminal).  409: "
         "send from expected_seq.  Anything else: send it again.",
     .fn = post_callback},
    {HTTP_POST, "/training/jobs/{id}/uploads", ACCESS_JOB,
     BODY(grant_request_fields, grant_request), .reply = grant_reply_fields, .tag = "Trainer",
     .summary = "URLs to put checkpoints and results of the job.", .fn = post_uploads},
    {HTTP_POST, "/training/jobs/{id}/downloads", ACCESS_JOB,
     BODY(grant_request_fields, grant_request), .reply = grant_reply_fields, .tag = "Trainer",
     .summary = "URLs to get the job's manifest, images and checkpoints.", .fn = post_downloads},
    ROUTE_END};
