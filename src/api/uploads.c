/* uploads.c - archives into the object store: one stream, a form, or parts that can be resumed.
 *
 * Bytes go from the socket into the store through one part's memory (S3_PART_BYTES), whatever the
 * upload's size; nothing of them is looked at here.  An upload has a row before it has bytes, so
 * what a crash leaves behind is found and removed (flow/dataset/imports.c).
 */
#include "api/datasets.h"
#include "flow/dataset/imports.h"
#include "flow/dataset/ingest.h"
#include "flow/people/quota.h"
#include "spec/config.h"
#include <stdatomic.h>

enum { CHUNK = 64 << 10, FORM_VALUE_MAX = 4096, FORM_OVERHEAD_MAX = 1 << 20 };

/* ---- what is asked for */

#define S struct upload_query
static const struct field upload_query_fields[] = {
    F_STR(S, name, .max = DATASET_NAME_MAX,
          .help = "Name of the dataset; a new one, or one that gets a further version.  In a form: "
                  "dataset_name; without either the file's name."),
    F_STR(S, split, .max = 60,
          .help = "auto, given, or shares of train, val and test: 0.8/0.2, 0.7/0.2/0.1."),
    F_STR(S, project, .max = 200, .help = "Project by id or name; default for the default one."),
    F_INT(S, seed, .min = 0, .max = 9007199254740991.0, .dflt = "42",
          .help = "Of a split by shares."),
    FIELD_END};
#undef S

static enum rc split_text(struct arena *a, const struct split_spec *s, str *ret, struct err *e)
{
    struct buf b;
    struct jw w;

    buf_init(&b, 64 << 20);
    jw_init(&w, &b);
    field_write(split_spec_fields, s, &w);
    enum rc rc = buf_ok(&b, e);
    if (!rc) {
        *ret = arena_str(a, buf_view(&b));
        rc = ret->p ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
    }
    buf_done(&b);
    return rc;
}

/* The upload's row as the query or form says. */
static enum rc describe(struct ctx *c, const struct upload_query *q, struct upload *u,
                        struct err *e)
{
    struct split_spec s;
    enum rc rc = split_spec_read(q->split, &s, e);

    if (rc)
        return rc;
    s.seed = q->seed;
    rc = split_text(c->a, &s, &u->split, e);
    if (!rc)
        rc = project_id_of(c, q->project, ROLE_ENGINEER, &u->project_id, e);
    if (!rc)
        rc = dataset_name_check(q->name, &u->name, e);
    u->created_by = c->who.user_id;
    return rc;
}

/* ---- bytes into the store */

static enum rc pull_body(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    return http_body_read(ud, p, cap, ret_n, e);
}

static enum rc pull_part(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    return multipart_read(ud, p, cap, ret_n, e);
}

/* An upload holds a worker and a part's memory as long as its client likes: half of the workers
 * stay free for everybody else. */
static atomic_int streams;

static enum rc stream_begin(struct ctx *c, struct err *e)
{
    int64_t most = config_int(c->app->config, "workers") / 2;

    if (atomic_fetch_add(&streams, 1) < (most > 1 ? most : 1))
        return RC_OK;
    atomic_fetch_sub(&streams, 1);
    return err_set(e, RC_LIMIT, "%lld uploads are running, as many as may at once; try again soon",
                   (long long)most);
}

/* At most max bytes; one more is RC_TOO_LARGE. */
static enum rc store_stream(struct ctx *c, const char *key, pull_fn pull, void *ud, uint64_t max,
                            int64_t *ret_bytes, struct err *e)
{
    struct s3_upload *to = NULL;
    struct s3_stat st;
    char *chunk = arena_alloc(c->a, CHUNK);
    uint64_t bytes = 0;
    size_t n = 1;
    enum rc rc = chunk ? stream_begin(c, e) : err_set(e, RC_NOMEM, "out of memory");

    if (rc)
        return rc;
    rc = s3_upload_open(&to, c->app->s3, key, "application/octet-stream", e);
    while (!rc && n) {
        rc = pull(ud, chunk, CHUNK, &n, e);
        bytes += rc ? 0 : n;
        if (!rc && bytes > max)
            rc = err_set(e, RC_TOO_LARGE, "more than %llu bytes came; that is the limit here",
                         (unsigned long long)max);
        if (!rc && n)
            rc = s3_upload_write(to, chunk, n, e);
    }
    if (!rc && !bytes)
        rc = err_set(e, RC_INVALID, "the body is empty; send the archive's bytes");
    if (!rc)
        rc = s3_upload_commit(to, &st, e);
    s3_upload_free(to);
    atomic_fetch_sub(&streams, 1);
    if (!rc)
        *ret_bytes = (int64_t)bytes;
    return rc;
}

/* Removes the row and the objects of an upload that did not come to an end. */
static void discard(struct ctx *c, str id)
{
    struct upload_part *parts = NULL;
    size_t n = 0;
    char key[UPLOAD_KEY_MAX];

    if (upload_parts(c->app->db, c->a, id, &parts, &n, NULL))
        return; /* removed when it is stale */
    for (size_t i = 0; i < n; i++) {
        upload_key(id, parts[i].n, key);
        if (s3_delete(c->app->s3, key, NULL))
            return;
    }
    (void)!upload_remove(c->app->db, id, NULL);
}

static enum rc reply_queued(struct ctx *c, const struct upload *u, int64_t size, struct err *e)
{
    struct import im;
    struct buf b;
    struct jw w;
    char key[UPLOAD_KEY_MAX];
    enum rc rc = import_of_upload(c->app->db, c->a, u->id, &im, e);

    if (rc)
        return rc;
    imports_poke(c->app->imports);
    if (u->part_bytes)
        snprintf(key, sizeof key, "uploads/%.*s/", STR_F(u->id));
    else
        upload_key(u->id, 1, key);
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_kstr(&w, "import", im.import);
    jw_kstr(&w, "dataset", im.dataset);
    jw_kstr(&w, "dataset_name", im.dataset_name);
    jw_kstr(&w, "state", im.state);
    jw_kstr(&w, "upload", u->id);
    jw_kcstr(&w, "s3_uri",
             arena_printf(c->a, "s3://%s/%s", config_str(c->app->config, "bucket_name"), key));
    jw_kint(&w, "size", size);
    jw_obj_end(&w);
    http_add_header(c->req, "Location",
                    arena_printf(c->a, "/datasets/imports/%.*s", STR_F(im.import)));
    return reply_json(c, 202, &b, e);
}

/* ---- how much may come */

/* Most bytes of one upload: the program's limit, and what the caller may still store.  RC_LIMIT if
 * that is less than `want` (-1: not announced), or nothing. */
static enum rc room(struct ctx *c, int64_t want, uint64_t *ret, struct err *e)
{
    const uint64_t max = config_u64(c->app->config, "upload_bytes_max");
    int64_t left = 0;
    enum rc rc = quota_room(c->app->db, c->who.user_id,
                            (int64_t)config_u64(c->app->config, "storage_per_user"), &left, e);

    if (rc)
        return rc;
    if (left < 1 || want > left)
        return err_set(e, RC_LIMIT,
                       "you may store %lld more bytes; delete datasets or jobs that you no longer "
                       "need, or ask a manager for more",
                       (long long)left);
    *ret = (uint64_t)left < max ? (uint64_t)left : max;
    return RC_OK;
}

/* ---- one stream */

/* Streams into part 1 of u, whose row exists. */
static enum rc store_whole(struct ctx *c, const struct upload *u, pull_fn pull, void *ud,
                           int64_t *ret_bytes, struct err *e)
{
    char key[UPLOAD_KEY_MAX];
    uint64_t max;
    enum rc rc = room(c, u->bytes, &max, e);

    if (rc)
        return rc;
    upload_key(u->id, 1, key);
    rc = upload_part_put(c->app->db, u->id, 1, 0, e); /* so that discard knows the key */
    if (!rc)
        rc = store_stream(c, key, pull, ud, max, ret_bytes, e);
    return rc ? rc : upload_part_put(c->app->db, u->id, 1, *ret_bytes, e);
}

enum rc upload_pulled(struct ctx *c, const struct upload_query *q, pull_fn pull, void *ud,
                      int64_t announced, struct err *e)
{
    struct upload u = {.bytes = announced};
    int64_t bytes = 0;
    enum rc rc = describe(c, q, &u, e);

    if (!rc)
        rc = upload_new(c->app->db, c->a, &u, e);
    if (rc)
        return rc;
    rc = store_whole(c, &u, pull, ud, &bytes, e);
    if (!rc)
        rc = reply_queued(c, &u, bytes, e);
    if (rc)
        discard(c, u.id);
    return rc;
}

/* A small value of a form. */
static enum rc form_value(struct ctx *c, struct multipart *m, str field, str *ret, struct err *e)
{
    char *p = arena_alloc(c->a, FORM_VALUE_MAX);
    size_t n = 1, have = 0;
    enum rc rc = p ? RC_OK : err_set(e, RC_NOMEM, "out of memory");

    while (!rc && n && have < FORM_VALUE_MAX) {
        rc = multipart_read(m, p + have, FORM_VALUE_MAX - have, &n, e);
        have += rc ? 0 : n;
    }
    if (!rc && have == FORM_VALUE_MAX)
        return err_set(e, RC_TOO_LARGE, "the form's field '%.*s' is longer than %d bytes",
                       STR_F(field), FORM_VALUE_MAX);
    if (!rc)
        *ret = str_trim((str){p, have});
    return rc;
}

/* The form's small fields go where the query's would. */
static enum rc form_field(struct ctx *c, struct multipart *m, str field, struct upload_query *q,
                          struct err *e)
{
    str value;
    const struct field *f;
    char name[64];

    snprintf(name, sizeof name, "%.*s",
             STR_F(str_sub(field, 0, 60))); /* lent until the next part */
    field = str_is(str_of(name), "dataset_name") ? STR("name") : str_of(name);
    f = field_find(upload_query_fields, field);
    if (!f)
        return err_field(
            e, RC_INVALID, name,
            "the form has a field '%s'; known are file, dataset_name, split, seed and project",
            name);
    enum rc rc = form_value(c, m, field, &value, e);
    return rc ? rc : field_read_one(f, value, q, c->a, e);
}

/* The file is stored as it comes, under an id; what it belongs to may stand behind it in the form.
 */
static enum rc upload_form(struct ctx *c, struct upload_query *q, struct err *e)
{
    struct multipart *m = NULL;
    struct upload u = {.bytes = -1};
    int64_t bytes = 0;
    bool more = true, stored = false;
    str field, file, type;

    http_body_limit(c->req, config_u64(c->app->config, "upload_bytes_max") + FORM_OVERHEAD_MAX);
    enum rc rc = multipart_open(&m, c->req, e);

    while (!rc && !(rc = multipart_next(m, &more, &field, &file, &type, e)) && more) {
        if (!str_is(field, "file")) {
            rc = form_field(c, m, field, q, e);
            continue;
        }
        if (stored) {
            rc = err_field(e, RC_INVALID, "file", "the form holds two files; send one archive");
            continue;
        }
        if (!q->name.n) {
            ptrdiff_t dot = str_chr(file, '.');
            q->name = arena_str(c->a, dot > 0 ? str_sub(file, 0, (size_t)dot) : file);
        }
        struct upload_query known = *q;
        if (!str_trim(known.name).n)
            known.name = STR("upload"); /* dataset_name may follow */
        rc = describe(c, &known, &u, e);
        if (!rc)
            rc = upload_new(c->app->db, c->a, &u, e);
        if (!rc)
            rc = store_whole(c, &u, pull_part, m, &bytes, e);
        stored = true;
    }
    if (!rc && !stored)
        rc = err_field(e, RC_INVALID, "file", "the form holds no field 'file' with the archive");
    str id = u.id;
    if (!rc)
        rc = describe(c, q, &u, e);
    if (!rc)
        rc = upload_describe(c->app->db, &u, e);
    if (!rc)
        rc = reply_queued(c, &u, bytes, e);
    if (rc && id.n)
        discard(c, id);
    return rc;
}

static enum rc post_upload(struct ctx *c, struct err *e)
{
    static const char *const types[] = {"application/zip",
                                        "application/x-zip-compressed",
                                        "application/x-tar",
                                        "application/gzip",
                                        "application/x-gzip",
                                        "application/x-gtar",
                                        "application/x-xz",
                                        "application/zstd",
                                        "application/x-compressed-tar",
                                        "application/octet-stream"};
    str type = http_header(c->req, "Content-Type"), rest = type, kind = STR("");

    http_body_limit(c->req, config_u64(c->app->config, "upload_bytes_max"));
    str_next(&rest, ';', &kind);
    kind = str_trim(kind);
    if (str_ieq(kind, STR("multipart/form-data")))
        return upload_form(c, c->query, e);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (str_ieq(kind, str_of(types[i])))
            return upload_pulled(c, c->query, pull_body, c->req, http_content_length(c->req), e);
    return err_field(
        e, RC_UNSUPPORTED, "Content-Type",
        "send the archive as application/zip, application/x-tar, application/octet-stream "
        "or multipart/form-data");
}

/* ---- parts */

struct begin_body {
    str name, project;
    int64_t size, part_bytes;
    struct split_spec split;
};
#define S struct begin_body
static const struct field begin_body_fields[] = {
    F_STR(S, name, .flags = FIELD_REQUIRED, .min = 1, .max = DATASET_NAME_MAX,
          .help = "Name of the dataset."),
    F_STR(S, project, .max = 200, .help = "Project by id or name."),
    F_INT(S, size, .flags = FIELD_REQUIRED, .min = 1, .max = 1e18,
          .help = "Of the archive, in bytes."),
    F_INT(S, part_bytes, .min = 0, .max = 1 << 30, .help = "Size of a part; 0: 64 MiB or more."),
    F_OBJ(S, split, split_spec_fields, .help = "How to split; default auto."),
    FIELD_END};
#undef S

static int64_t parts_total(const struct upload *u)
{
    return u->part_bytes ? (u->bytes + u->part_bytes - 1) / u->part_bytes : 1;
}

static int64_t part_size(const struct upload *u, int64_t n)
{
    int64_t before = (n - 1) * u->part_bytes;

    return u->bytes - before < u->part_bytes ? u->bytes - before : u->part_bytes;
}

static enum rc reply_upload(struct ctx *c, int status, const struct upload *u, struct err *e)
{
    struct upload_part *parts = NULL;
    struct buf b;
    struct jw w;
    size_t n = 0;
    enum rc rc = upload_parts(c->app->db, c->a, u->id, &parts, &n, e);

    if (rc)
        return rc;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_kstr(&w, "upload", u->id);
    jw_kstr(&w, "name", u->name);
    jw_kstr(&w, "state", u->state);
    jw_kint(&w, "size", u->bytes);
    jw_kint(&w, "part_bytes", u->part_bytes);
    jw_kint(&w, "parts", parts_total(u));
    jw_karr(&w, "received");
    for (size_t i = 0; i < n; i++)
        jw_int(&w, parts[i].n);
    jw_arr_end(&w);
    jw_obj_end(&w);
    return reply_json(c, status, &b, e);
}

static enum rc post_uploads(struct ctx *c, struct err *e)
{
    const struct begin_body *b = c->body;
    struct upload u = {.bytes = b->size, .created_by = c->who.user_id};
    uint64_t max = config_u64(c->app->config, "upload_bytes_max"), most;
    int64_t least = (b->size + INGEST_PARTS_MAX - 1) / INGEST_PARTS_MAX;
    enum rc rc = dataset_name_check(b->name, &u.name, e);

    if (!rc && (uint64_t)b->size > max)
        rc = err_field(e, RC_TOO_LARGE, "size", "larger than the limit of %llu bytes",
                       (unsigned long long)max);
    if (!rc)
        rc = room(c, b->size, &most, e);
    u.part_bytes = b->part_bytes ? b->part_bytes : UPLOAD_PART_BYTES;
    if (u.part_bytes < least)
        u.part_bytes = least;
    if (!rc)
        rc = split_spec_check(&b->split, e);
    if (!rc)
        rc = split_text(c->a, &b->split, &u.split, e);
    if (!rc)
        rc = project_id_of(c, b->project, ROLE_ENGINEER, &u.project_id, e);
    if (!rc)
        rc = upload_new(c->app->db, c->a, &u, e);
    return rc ? rc : reply_upload(c, 201, &u, e);
}

/* The upload of {id}: its maker's, or any for managers. */
static enum rc upload_of(struct ctx *c, struct upload *ret, struct err *e)
{
    enum rc rc = upload_get(c->app->db, c->a, c->param[0], ret, e);

    if (!rc && !str_eq(ret->created_by, c->who.user_id) && !sees_all_projects(c))
        return err_set(e, RC_NOT_FOUND, "there is no upload '%.*s'",
                       STR_F(str_sub(c->param[0], 0, 60)));
    return rc;
}

static enum rc get_upload(struct ctx *c, struct err *e)
{
    struct upload u;
    enum rc rc = upload_of(c, &u, e);

    return rc ? rc : reply_upload(c, 200, &u, e);
}

static enum rc put_part(struct ctx *c, struct err *e)
{
    struct upload u;
    int64_t n = 0, bytes = 0;
    char key[UPLOAD_KEY_MAX];
    enum rc rc = upload_of(c, &u, e);

    if (rc)
        return rc;
    if (!str_i64(c->param[1], &n) || n < 1 || n > parts_total(&u) || !u.part_bytes)
        return err_set(e, RC_NOT_FOUND, "this upload has the parts 1 to %lld",
                       (long long)parts_total(&u));
    if (!str_is(u.state, "open"))
        return err_set(e, RC_CONFLICT, "the upload is complete");
    http_body_limit(c->req, (uint64_t)part_size(&u, n) + 1);
    upload_key(u.id, n, key);
    rc = store_stream(c, key, pull_body, c->req, (uint64_t)part_size(&u, n), &bytes, e);
    if (!rc && bytes != part_size(&u, n)) {
        (void)!s3_delete(c->app->s3, key, NULL);
        rc = err_set(e, RC_INVALID, "part %lld has %lld bytes; %lld came", (long long)n,
                     (long long)part_size(&u, n), (long long)bytes);
    }
    if (!rc)
        rc = upload_part_put(c->app->db, u.id, n, bytes, e);
    return rc ? rc : reply_upload(c, 200, &u, e);
}

static enum rc post_complete(struct ctx *c, struct err *e)
{
    struct upload u;
    struct upload_part *parts = NULL;
    size_t n = 0;
    enum rc rc = upload_of(c, &u, e);

    if (!rc)
        rc = upload_parts(c->app->db, c->a, u.id, &parts, &n, e);
    for (int64_t k = 1; !rc && k <= parts_total(&u); k++)
        if ((size_t)k > n || parts[k - 1].n != k || parts[k - 1].bytes != part_size(&u, k))
            rc = err_set(e, RC_CONFLICT, "part %lld of %lld is missing", (long long)k,
                         (long long)parts_total(&u));
    return rc ? rc : reply_queued(c, &u, u.bytes, e);
}

static enum rc delete_upload(struct ctx *c, struct err *e)
{
    struct upload u;
    enum rc rc = upload_of(c, &u, e);

    if (!rc && !str_is(u.state, "open"))
        rc = err_set(e, RC_CONFLICT, "the upload is complete; its import removes it");
    if (rc)
        return rc;
    discard(c, u.id);
    http_reply(c->req, 204, NULL, STR_NONE);
    return RC_OK;
}

#define WRITE ACCESS_ENGINEER, "datasets:write"
extern const struct route upload_routes[];
const struct route upload_routes[] = {
    {HTTP_POST, "/datasets/upload", WRITE, .query = upload_query_fields,
     .query_size = sizeof(struct upload_query), .tag = "Datasets",
     .summary = "Upload a zip or tar: as the body, or as a form with file and dataset_name.",
     .help = "202 with {import, dataset, dataset_name, state, upload, s3_uri, size}; follow "
             "/datasets/imports/{import}.",
     .fn = post_upload},
    {HTTP_POST, "/datasets/uploads", WRITE, .body = begin_body_fields,
     .body_size = sizeof(struct begin_body), .tag = "Datasets",
     .summary = "Begin an upload in parts that can be resumed: {upload, part_bytes, parts}.",
     .fn = post_uploads},
    {HTTP_GET, "/datasets/uploads/{id}", WRITE, .tag = "Datasets",
     .summary = "Which parts have been received.", .fn = get_upload},
    {HTTP_PUT, "/datasets/uploads/{id}/parts/{n}", WRITE, .tag = "Datasets",
     .summary = "Send part n (from 1); sending it again replaces it.", .unaudited = true,
     .fn = put_part},
    {HTTP_POST, "/datasets/uploads/{id}/complete", WRITE, .tag = "Datasets",
     .summary = "All parts are there: import.", .fn = post_complete},
    {HTTP_DELETE, "/datasets/uploads/{id}", WRITE, .tag = "Datasets",
     .summary = "Give an upload up.", .fn = delete_upload},
    ROUTE_END};
