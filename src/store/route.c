/* route.c - from a request to its operation: address, signature, route table.
 *
 * The signature is checked before anything is looked up: a stranger learns neither which buckets
 * exist nor what this store can do. */
#include "base/log.h"
#include "store/names.h"
#include "store/store_int.h"

enum level { SERVICE, BUCKET, OBJECT };

/* A row with a sub-resource is meant when that parameter is in the query; they stand first. */
static const struct route {
    enum http_method method;
    enum level level;
    const char *sub;
    enum s3_code (*run)(struct call *c);
    enum counter counter;
} routes[] = {
    {HTTP_GET, SERVICE, NULL, op_list_buckets, COUNT_LISTS},
    {HTTP_GET, BUCKET, "location", op_get_location, COUNT_GETS},
    {HTTP_POST, BUCKET, "delete", op_delete_objects, COUNT_DELETES},
    {HTTP_GET, BUCKET, NULL, op_list_objects, COUNT_LISTS},
    {HTTP_PUT, BUCKET, NULL, op_create_bucket, COUNT_PUTS},
    {HTTP_HEAD, BUCKET, NULL, op_head_bucket, COUNT_HEADS},
    {HTTP_DELETE, BUCKET, NULL, op_delete_bucket, COUNT_DELETES},
    {HTTP_PUT, OBJECT, "uploadId", op_upload_part, COUNT_PUTS},
    {HTTP_GET, OBJECT, "uploadId", op_list_parts, COUNT_LISTS},
    {HTTP_DELETE, OBJECT, "uploadId", op_upload_abort, COUNT_DELETES},
    {HTTP_POST, OBJECT, "uploadId", op_upload_complete, COUNT_PUTS},
    {HTTP_POST, OBJECT, "uploads", op_upload_create, COUNT_PUTS},
    {HTTP_PUT, OBJECT, NULL, op_put, COUNT_PUTS},
    {HTTP_GET, OBJECT, NULL, op_get, COUNT_GETS},
    {HTTP_HEAD, OBJECT, NULL, op_get, COUNT_HEADS},
    {HTTP_DELETE, OBJECT, NULL, op_delete, COUNT_DELETES},
};

/* Sub-resources that change the meaning of a request and that we do not have: to take the request
 * without them would do something else than was asked. */
static const char *const unknown_subs[] = {
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "tagging",
    "torrent",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
};

str call_query(const struct call *c, const char *name)
{
    return sigv4_find(c->query, c->query_n, name);
}

/* ---- address */

static enum s3_code split_path(struct call *c, str path)
{
    ptrdiff_t slash;
    enum rc rc;

    if (!str_starts(path, STR("/")))
        return S3_BAD_URI;
    path = str_sub(path, 1, path.n);
    slash = str_chr(path, '/');
    rc = sigv4_decode(c->a, slash < 0 ? path : str_sub(path, 0, (size_t)slash), false, &c->bucket,
                      &c->err);
    if (!rc && slash >= 0)
        rc = sigv4_decode(c->a, str_sub(path, (size_t)slash + 1, path.n), false, &c->key, &c->err);
    if (rc)
        return rc == RC_NOMEM ? S3_INTERNAL : S3_BAD_URI;
    if (!c->bucket.n && c->key.n)
        return S3_BAD_URI;
    return S3_OK;
}

static enum s3_code check_names(struct call *c)
{
    if (c->key.n > STORE_KEY_BYTES_MAX)
        return S3_KEY_TOO_LONG;
    if (c->key.n && !key_ok(c->key)) {
        err_set(&c->err, RC_INVALID, "a key is UTF-8 without NUL");
        return S3_BAD_URI;
    }
    return S3_OK;
}

/* ---- signature */

static enum s3_code code_of_fault(enum sigv4_fault f)
{
    static const enum s3_code codes[] = {
        [SIGV4_VALID] = S3_OK,
        [SIGV4_ABSENT] = S3_ACCESS_DENIED,
        [SIGV4_BAD_VERSION] = S3_BAD_REQUEST,
        [SIGV4_BAD_HEADER] = S3_BAD_AUTH_HEADER,
        [SIGV4_BAD_QUERY] = S3_BAD_AUTH_QUERY,
        [SIGV4_BAD_URI] = S3_BAD_URI,
        [SIGV4_BAD_DATE] = S3_ACCESS_DENIED,
        [SIGV4_UNKNOWN_KEY] = S3_BAD_KEY_ID,
        [SIGV4_SKEWED] = S3_TIME_TOO_SKEWED,
        [SIGV4_EXPIRED] = S3_ACCESS_DENIED,
        [SIGV4_NOT_SIGNED] = S3_ACCESS_DENIED,
        [SIGV4_NO_PAYLOAD] = S3_BAD_REQUEST,
        [SIGV4_MISMATCH] = S3_SIGNATURE_MISMATCH,
        [SIGV4_NOMEM] = S3_INTERNAL,
    };

    return codes[f];
}

static bool find_key(void *ud, str access_key, str date8, uint8_t ret[SHA256_BYTES])
{
    struct call *c = ud;

    c->who = identities_find(c->s->identities, access_key, date8, ret);
    return c->who != NULL;
}

static enum s3_code authenticate(struct call *c, str path, str query)
{
    struct sigv4_keyring ring = {str_of(c->s->region), find_key, c};
    struct sigv4_pair h[SIGV4_HEADERS_MAX];
    struct sigv4_request q = {str_of(http_method_name(http_method_of(c->r))), path, query, h, 0};
    enum sigv4_fault f;

    while (http_header_at(c->r, q.header_count, &h[q.header_count].name, &h[q.header_count].value))
        if (++q.header_count == SIGV4_HEADERS_MAX)
            return S3_BAD_REQUEST;
    f = sigv4_verify(c->a, &q, &ring, os_now_ms(), &c->auth, &c->err);
    if (f)
        store_count(c->s, COUNT_DENIED, 1);
    return code_of_fault(f);
}

/* ---- dispatch */

/* The rights of which one is needed; 0: to be known is enough. */
static unsigned rights_for(const struct route *t)
{
    bool list = t->counter == COUNT_LISTS;

    switch (t->level) {
    case SERVICE:
        return 0;
    case OBJECT:
        if (list)
            return RIGHT_LIST | RIGHT_WRITE;
        return t->method == HTTP_GET || t->method == HTTP_HEAD ? RIGHT_READ : RIGHT_WRITE;
    case BUCKET:
        if (list)
            return RIGHT_LIST;
        if (t->run == op_head_bucket || t->run == op_get_location)
            return RIGHT_ANY;
        if (t->run == op_create_bucket)
            return RIGHT_CREATE | RIGHT_ADMIN;
        return t->run == op_delete_objects ? RIGHT_WRITE : RIGHT_ADMIN;
    }
    return RIGHT_ADMIN;
}

static enum s3_code run_route(struct call *c, const struct route *t)
{
    enum s3_code code = call_may(c, c->bucket, rights_for(t));

    if (code)
        return code;
    store_count(c->s, t->counter, 1);
    return t->run(c);
}

static enum s3_code dispatch(struct call *c)
{
    enum http_method m = http_method_of(c->r);
    enum level level = c->key.n ? OBJECT : c->bucket.n ? BUCKET : SERVICE;
    const struct route *plain = NULL;

    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        const struct route *t = &routes[i];
        if (t->method != m || t->level != level)
            continue;
        if (t->sub && call_query(c, t->sub).p)
            return run_route(c, t);
        if (!t->sub)
            plain = t;
    }
    for (size_t i = 0; i < sizeof unknown_subs / sizeof *unknown_subs; i++)
        if (call_query(c, unknown_subs[i]).p) {
            err_set(&c->err, RC_UNIMPLEMENTED, "?%s with %s", unknown_subs[i], http_method_name(m));
            return S3_NOT_IMPLEMENTED;
        }
    return plain ? run_route(c, plain) : S3_METHOD_NOT_ALLOWED;
}

void store_handle(struct http_req *r, void *ud)
{
    struct call c = {.s = ud, .r = r, .a = http_arena(r)};
    str target = http_raw_target(r);
    ptrdiff_t mark = str_chr(target, '?');
    str path = mark < 0 ? target : str_sub(target, 0, (size_t)mark);
    str query = mark < 0 ? STR_NONE : str_sub(target, (size_t)mark + 1, target.n);
    struct sigv4_pair *pairs = NULL;
    enum s3_code code;

    if (str_is(path, "/_health")) {
        http_reply(r, 200, "text/plain", STR("ok\n"));
        return;
    }
    code = authenticate(&c, path, query);
    if (str_is(path, "/_metrics")) {
        code = op_metrics(&c);
        if (code)
            reply_error(&c, code);
        identity_unref(c.who);
        return;
    }
    if (!code)
        code = split_path(&c, path);
    if (!code && sigv4_query(c.a, query, &pairs, &c.query_n, &c.err))
        code = S3_BAD_URI;
    c.query = pairs;
    if (!code)
        code = check_names(&c);
    if (!code)
        code = dispatch(&c);
    if (code)
        reply_error(&c, code);
    identity_unref(c.who);
}

void store_done(struct http_req *r, int status, double seconds, void *ud)
{
    struct store *s = ud;

    store_count(s, COUNT_REQUESTS, 1);
    if (status >= 500)
        store_count(s, COUNT_5XX, 1);
    else if (status >= 400)
        store_count(s, COUNT_4XX, 1);
    log_debug("store: %s %.*s %d %.1f ms", http_method_name(http_method_of(r)),
              STR_F(str_sub(http_path(r), 0, 200)), status, seconds * 1e3);
}

/* ---- what operations share */

enum s3_code call_begin_read(struct call *c, struct tx **ret, int64_t *ret_bucket)
{
    struct tx *tx;
    enum rc rc = db_begin(c->s->db, DB_READ, &tx, &c->err);

    if (rc)
        return s3_code_of(c, rc);
    rc = index_bucket(tx, c->bucket, ret_bucket, &c->err);
    if (rc) {
        tx_rollback(tx);
        c->err.text[0] = rc == RC_NOT_FOUND ? 0 : c->err.text[0];
        return rc == RC_NOT_FOUND ? S3_NO_SUCH_BUCKET : s3_code_of(c, rc);
    }
    *ret = tx;
    return S3_OK;
}

enum rc refuse(struct commit_op *op, enum s3_code *refused, enum s3_code code)
{
    op->refused = true;
    *refused = code;
    return RC_CONFLICT;
}

enum s3_code call_commit(struct call *c, struct commit_op *op, const enum s3_code *refused)
{
    enum rc rc = committer_run(c->s->committer, op, &c->err);

    if (!rc)
        return S3_OK;
    if (!op->refused)
        return s3_code_of(c, rc);
    c->err.text[0] = 0;
    return *refused;
}
