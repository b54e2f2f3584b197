/* route.c - from a request to its operation: address, signature, CORS, route table, access.
 *
 * A stranger whom no policy lets in learns neither which buckets exist nor what this store can do.
 */
#include "base/log.h"
#include "store/chunked.h"
#include "store/names.h"
#include "store/store_int.h"

enum level { SERVICE, BUCKET, OBJECT };

/* The operation asks itself, for what it does stands in its body. */
#define ASKS ACTION_COUNT

/* A row with a sub-resource is meant when that parameter is in the query; they stand first. */
static const struct route {
    enum http_method method;
    enum level level;
    const char *sub;
    enum s3_code (*run)(struct call *c);
    enum counter counter;
    enum access_action action;
} routes[] = {
    {HTTP_GET, SERVICE, NULL, op_list_buckets, COUNT_LISTS, ACTION_LIST_ALL},
    {HTTP_GET, BUCKET, "location", op_get_location, COUNT_GETS, ACTION_GET_LOCATION},
    {HTTP_GET, BUCKET, "versions", op_list_versions, COUNT_LISTS, ACTION_LIST_VERSIONS},
    {HTTP_GET, BUCKET, "uploads", op_list_uploads, COUNT_LISTS, ACTION_LIST_UPLOADS},
    {HTTP_GET, BUCKET, "versioning", op_get_versioning, COUNT_GETS, ACTION_GET_VERSIONING},
    {HTTP_PUT, BUCKET, "versioning", op_put_versioning, COUNT_PUTS, ACTION_PUT_VERSIONING},
    {HTTP_GET, BUCKET, "policyStatus", op_policy_status, COUNT_GETS, ACTION_GET_POLICY_STATUS},
    {HTTP_GET, BUCKET, "policy", op_get_setting, COUNT_GETS, ACTION_GET_POLICY},
    {HTTP_PUT, BUCKET, "policy", op_put_setting, COUNT_PUTS, ACTION_PUT_POLICY},
    {HTTP_DELETE, BUCKET, "policy", op_delete_setting, COUNT_DELETES, ACTION_DELETE_POLICY},
    {HTTP_GET, BUCKET, "cors", op_get_setting, COUNT_GETS, ACTION_GET_CORS},
    {HTTP_PUT, BUCKET, "cors", op_put_setting, COUNT_PUTS, ACTION_PUT_CORS},
    {HTTP_DELETE, BUCKET, "cors", op_delete_setting, COUNT_DELETES, ACTION_PUT_CORS},
    {HTTP_GET, BUCKET, "lifecycle", op_get_setting, COUNT_GETS, ACTION_GET_LIFECYCLE},
    {HTTP_PUT, BUCKET, "lifecycle", op_put_setting, COUNT_PUTS, ACTION_PUT_LIFECYCLE},
    {HTTP_DELETE, BUCKET, "lifecycle", op_delete_setting, COUNT_DELETES, ACTION_PUT_LIFECYCLE},
    {HTTP_GET, BUCKET, "tagging", op_get_setting, COUNT_GETS, ACTION_GET_BUCKET_TAGGING},
    {HTTP_PUT, BUCKET, "tagging", op_put_setting, COUNT_PUTS, ACTION_PUT_BUCKET_TAGGING},
    {HTTP_DELETE, BUCKET, "tagging", op_delete_setting, COUNT_DELETES, ACTION_PUT_BUCKET_TAGGING},
    {HTTP_GET, BUCKET, "acl", op_get_acl, COUNT_GETS, ACTION_GET_BUCKET_ACL},
    {HTTP_PUT, BUCKET, "acl", op_put_acl, COUNT_PUTS, ACTION_PUT_BUCKET_ACL},
    {HTTP_GET, BUCKET, "accelerate", op_fixed, COUNT_GETS, ACTION_GET_BUCKET_SETTING},
    {HTTP_GET, BUCKET, "encryption", op_fixed, COUNT_GETS, ACTION_GET_BUCKET_SETTING},
    {HTTP_GET, BUCKET, "logging", op_fixed, COUNT_GETS, ACTION_GET_BUCKET_SETTING},
    {HTTP_GET, BUCKET, "notification", op_fixed, COUNT_GETS, ACTION_GET_BUCKET_SETTING},
    {HTTP_GET, BUCKET, "object-lock", op_fixed, COUNT_GETS, ACTION_GET_BUCKET_SETTING},
    {HTTP_GET, BUCKET, "ownershipControls", op_fixed, COUNT_GETS, ACTION_GET_BUCKET_SETTING},
    {HTTP_GET, BUCKET, "publicAccessBlock", op_fixed, COUNT_GETS, ACTION_GET_BUCKET_SETTING},
    {HTTP_GET, BUCKET, "replication", op_fixed, COUNT_GETS, ACTION_GET_BUCKET_SETTING},
    {HTTP_GET, BUCKET, "requestPayment", op_fixed, COUNT_GETS, ACTION_GET_BUCKET_SETTING},
    {HTTP_GET, BUCKET, "website", op_fixed, COUNT_GETS, ACTION_GET_BUCKET_SETTING},
    {HTTP_POST, BUCKET, "delete", op_delete_objects, COUNT_DELETES, ASKS},
    {HTTP_GET, BUCKET, NULL, op_list_objects, COUNT_LISTS, ACTION_LIST_BUCKET},
    {HTTP_PUT, BUCKET, NULL, op_create_bucket, COUNT_PUTS, ACTION_CREATE_BUCKET},
    {HTTP_HEAD, BUCKET, NULL, op_head_bucket, COUNT_HEADS, ACTION_HEAD_BUCKET},
    {HTTP_DELETE, BUCKET, NULL, op_delete_bucket, COUNT_DELETES, ACTION_DELETE_BUCKET},
    {HTTP_PUT, OBJECT, "uploadId", op_upload_part, COUNT_PUTS, ACTION_PUT_OBJECT},
    {HTTP_GET, OBJECT, "uploadId", op_list_parts, COUNT_LISTS, ACTION_LIST_PARTS},
    {HTTP_DELETE, OBJECT, "uploadId", op_upload_abort, COUNT_DELETES, ACTION_ABORT_UPLOAD},
    {HTTP_POST, OBJECT, "uploadId", op_upload_complete, COUNT_PUTS, ACTION_PUT_OBJECT},
    {HTTP_POST, OBJECT, "uploads", op_upload_create, COUNT_PUTS, ACTION_PUT_OBJECT},
    {HTTP_GET, OBJECT, "attributes", op_attributes, COUNT_GETS, ACTION_GET_OBJECT_ATTRIBUTES},
    {HTTP_GET, OBJECT, "tagging", op_get_tags, COUNT_GETS, ACTION_GET_OBJECT_TAGGING},
    {HTTP_PUT, OBJECT, "tagging", op_put_tags, COUNT_PUTS, ACTION_PUT_OBJECT_TAGGING},
    {HTTP_DELETE, OBJECT, "tagging", op_delete_tags, COUNT_DELETES, ACTION_DELETE_OBJECT_TAGGING},
    {HTTP_GET, OBJECT, "acl", op_get_acl, COUNT_GETS, ACTION_GET_OBJECT_ACL},
    {HTTP_PUT, OBJECT, "acl", op_put_acl, COUNT_PUTS, ACTION_PUT_OBJECT_ACL},
    {HTTP_GET, OBJECT, "partNumber", op_get, COUNT_GETS, ACTION_GET_OBJECT},
    {HTTP_HEAD, OBJECT, "partNumber", op_get, COUNT_HEADS, ACTION_GET_OBJECT},
    {HTTP_PUT, OBJECT, NULL, op_put, COUNT_PUTS, ACTION_PUT_OBJECT},
    {HTTP_GET, OBJECT, NULL, op_get, COUNT_GETS, ACTION_GET_OBJECT},
    {HTTP_HEAD, OBJECT, NULL, op_get, COUNT_HEADS, ACTION_GET_OBJECT},
    {HTTP_DELETE, OBJECT, NULL, op_delete, COUNT_DELETES, ACTION_DELETE_OBJECT},
};

/* Sub-resources that change the meaning of a request and that we do not have: to take the request
 * without them would do something else than was asked. */
static const char *const unknown_subs[] = {
    "accelerate",   "acl",
    "analytics",    "attributes",
    "cors",         "delete",
    "encryption",   "intelligent-tiering",
    "inventory",    "legal-hold",
    "lifecycle",    "location",
    "logging",      "metadataTable",
    "metrics",      "notification",
    "object-lock",  "ownershipControls",
    "partNumber",   "policy",
    "policyStatus", "publicAccessBlock",
    "replication",  "requestPayment",
    "restore",      "retention",
    "select",       "session",
    "tagging",      "torrent",
    "uploads",      "versioning",
    "versions",     "website",
};

str call_query(const struct call *c, const char *name)
{
    return sigv4_find(c->query, c->query_n, name);
}

enum s3_code call_number(struct call *c, const char *name, uint64_t max, uint64_t *ret)
{
    str text = call_query(c, name);
    uint64_t v;

    if (!text.n)
        return S3_OK;
    if (!str_u64(text, &v) || v > INT32_MAX) {
        err_set(&c->err, RC_INVALID, "%s is not a number", name);
        return S3_BAD_ARGUMENT;
    }
    *ret = v < max ? v : max;
    return S3_OK;
}

/* ---- address */

/* "BUCKET.DOMAIN" or "BUCKET.DOMAIN:PORT": virtual-host style. */
static str host_bucket(struct call *c)
{
    str host = http_header(c->r, "host"), domain = str_of(c->s->domain);
    ptrdiff_t colon = str_rchr(host, ':');
    char *p;

    if (!domain.n)
        return STR_NONE;
    if (colon >= 0)
        host = str_sub(host, 0, (size_t)colon);
    if (host.n < domain.n + 2 || host.p[host.n - domain.n - 1] != '.' || !str_iends(host, domain))
        return STR_NONE;
    host = str_sub(host, 0, host.n - domain.n - 1);
    p = arena_cstr(c->a, host);
    for (size_t i = 0; p && i < host.n; i++)
        p[i] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] + 32 : p[i]);
    return p ? (str){p, host.n} : STR_NONE;
}

static enum s3_code split_path(struct call *c, str path)
{
    ptrdiff_t slash = -1;
    enum rc rc = RC_OK;

    if (!str_starts(path, STR("/")))
        return S3_BAD_URI;
    path = str_sub(path, 1, path.n);
    c->bucket = host_bucket(c);
    c->virtual_host = c->bucket.n > 0;
    if (!c->virtual_host) {
        slash = str_chr(path, '/');
        rc = sigv4_decode(c->a, slash < 0 ? path : str_sub(path, 0, (size_t)slash), false,
                          &c->bucket, &c->err);
    }
    if (!rc && (slash >= 0 || c->virtual_host))
        rc =
            sigv4_decode(c->a, str_sub(path, (size_t)(slash + 1), path.n), false, &c->key, &c->err);
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
    if (c->key.n && call_query(c, "versionId").p) {
        c->has_version = true;
        if (!version_parse(call_query(c, "versionId"), &c->version)) {
            err_set(&c->err, RC_INVALID, "the version id is none of this store's");
            return S3_BAD_ARGUMENT;
        }
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

/* A request without a signature is anybody's: what he may do, policies and ACLs say. */
static void anonymous(struct call *c)
{
    str payload = http_header(c->r, "x-amz-content-sha256");
    bool is_signed = true, trailer;

    c->err.text[0] = 0;
    c->auth.payload = STR("UNSIGNED-PAYLOAD");
    if (is_sha256_hex(payload) || (chunked_form(payload, &is_signed, &trailer) && !is_signed))
        c->auth.payload = payload;
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
    if (f == SIGV4_ABSENT) {
        anonymous(c);
        return S3_OK;
    }
    if (f)
        store_count(c->s, COUNT_DENIED, 1);
    return code_of_fault(f);
}

/* ---- CORS */

static void cors_headers(struct call *c, str origin, const struct cors_answer *a)
{
    const char *o = a->any_origin ? "*" : arena_cstr(c->a, origin);
    char age[24];

    if (!o)
        return;
    http_add_header(c->r, "Access-Control-Allow-Origin", o);
    http_add_header(c->r, "Access-Control-Allow-Methods", arena_cstr(c->a, a->methods));
    http_add_header(c->r, "Vary",
                    "Origin, Access-Control-Request-Headers, "
                    "Access-Control-Request-Method");
    if (!a->any_origin)
        http_add_header(c->r, "Access-Control-Allow-Credentials", "true");
    if (a->headers.n)
        http_add_header(c->r, "Access-Control-Expose-Headers", arena_cstr(c->a, a->headers));
    if (a->max_age_s >= 0) {
        snprintf(age, sizeof age, "%lld", (long long)a->max_age_s);
        http_add_header(c->r, "Access-Control-Max-Age", age);
    }
}

/* A page of another origin reads the reply: the headers say whether its browser may let it. */
static void cors_reply(struct call *c)
{
    str origin = http_header(c->r, "origin");
    struct cors_answer a;

    if (!origin.p || !c->bucket.n || bucket_info_get(c, c->bucket, &c->info))
        return;
    if (cors_match(c->info->cors, origin, str_of(http_method_name(http_method_of(c->r))), STR_NONE,
                   &a))
        cors_headers(c, origin, &a);
}

/* OPTIONS: a browser asks, without a signature, whether a page may send a request. */
static enum s3_code preflight(struct call *c)
{
    str origin = http_header(c->r, "origin");
    str method = http_header(c->r, "access-control-request-method");
    str headers = http_header(c->r, "access-control-request-headers");
    struct cors_answer a;

    if (!origin.p || !method.p) {
        err_set(&c->err, RC_INVALID, "a preflight has Origin and Access-Control-Request-Method");
        return S3_BAD_REQUEST;
    }
    if (!c->bucket.n || bucket_info_get(c, c->bucket, &c->info) ||
        !cors_match(c->info->cors, origin, method, headers.p ? headers : STR(""), &a))
        return S3_CORS_FORBIDDEN;
    cors_headers(c, origin, &a);
    if (headers.n)
        http_add_header(c->r, "Access-Control-Allow-Headers", arena_cstr(c->a, headers));
    reply_empty(c, 200);
    return S3_OK;
}

/* ---- dispatch */

static enum s3_code run_route(struct call *c, const struct route *t)
{
    enum access_action a = t->action;
    enum s3_code code = S3_OK;

    if (c->has_version && a == ACTION_GET_OBJECT)
        a = ACTION_GET_OBJECT_VERSION;
    if (c->has_version && a == ACTION_DELETE_OBJECT)
        a = ACTION_DELETE_OBJECT_VERSION;
    if (a != ASKS)
        code = call_may(c, a, c->bucket, c->key);
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
        if (t->sub && c->query_n && call_query(c, t->sub).p)
            return run_route(c, t);
        if (!t->sub)
            plain = t;
    }
    for (size_t i = 0; c->query_n && c->who && i < sizeof unknown_subs / sizeof *unknown_subs; i++)
        if (call_query(c, unknown_subs[i]).p) {
            err_set(&c->err, RC_UNIMPLEMENTED, "?%s with %s", unknown_subs[i], http_method_name(m));
            return S3_NOT_IMPLEMENTED;
        }
    if (plain)
        return run_route(c, plain);
    if (c->who)
        return S3_METHOD_NOT_ALLOWED;
    store_count(c->s, COUNT_DENIED, 1);
    return S3_ACCESS_DENIED;
}

/* A form of a browser carries its signature in its fields. */
static bool is_form(const struct call *c)
{
    str type = http_header(c->r, "content-type"), form = STR("multipart/form-data");

    return http_method_of(c->r) == HTTP_POST && c->bucket.n && !c->key.n &&
           str_ieq(str_sub(type, 0, form.n), form) && !http_header(c->r, "authorization").p;
}

/* What is a presigned URL's own is no operation's: without it most queries are empty. */
static bool of_signature(str name)
{
    static const char *const names[] = {"Algorithm", "Credential",    "Date",          "Expires",
                                        "Signature", "SignedHeaders", "Security-Token"};
    str rest = str_sub(name, 6, name.n);

    if (!str_starts(name, STR("X-Amz-")))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_is(rest, names[i]))
            return true;
    return false;
}

static enum s3_code handle(struct call *c, str path, str query)
{
    struct sigv4_pair *pairs = NULL;
    size_t n = 0;
    enum s3_code code = split_path(c, path);

    if (!code && sigv4_query(c->a, query, &pairs, &n, &c->err))
        code = S3_BAD_URI;
    if (code)
        return code;
    for (size_t i = 0; i < n; i++)
        if (!of_signature(pairs[i].name))
            pairs[c->query_n++] = pairs[i];
    c->query = pairs;
    if (http_method_of(c->r) == HTTP_OPTIONS)
        return preflight(c);
    cors_reply(c);
    if (is_form(c)) {
        store_count(c->s, COUNT_PUTS, 1);
        return op_form(c);
    }
    code = authenticate(c, path, query);
    if (!code)
        code = check_names(c);
    return code ? code : dispatch(c);
}

static enum s3_code metrics(struct call *c, str path, str query)
{
    enum s3_code code = authenticate(c, path, query);

    return code ? code : op_metrics(c);
}

bool store_quick(const struct http_req *r, void *ud)
{
    enum http_method m = http_method_of(r);
    str target = http_raw_target(r), rest;
    ptrdiff_t slash;

    if (m != HTTP_GET && m != HTTP_HEAD)
        return false;
    rest = str_sub(target, 1, target.n);
    slash = str_chr(rest, '/');
    return slash >= 0 && (size_t)slash + 1 < rest.n && rest.p[slash + 1] != '?';
}

void store_handle(struct http_req *r, void *ud)
{
    struct call c = {.s = ud, .r = r, .a = http_arena(r)};
    str target = http_raw_target(r);
    ptrdiff_t mark = str_chr(target, '?');
    str path = mark < 0 ? target : str_sub(target, 0, (size_t)mark);
    str query = mark < 0 ? STR_NONE : str_sub(target, (size_t)mark + 1, target.n);
    enum s3_code code;

    if (str_is(path, "/_health")) {
        http_reply(r, 200, "text/plain", STR("ok\n"));
        return;
    }
    code = str_is(path, "/_metrics") ? metrics(&c, path, query) : handle(&c, path, query);
    if (code)
        reply_error(&c, code);
    bucket_info_unref(c.info);
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

enum s3_code call_begin_read(struct call *c, struct tx **ret, struct bucket *ret_bucket)
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
