/* weights.c - first weights for a training: those of another job, or a file that a user has.
 *
 * An uploaded file is named by its content: weights/<sha256> in the store, once whoever sends it.
 * It is taken only as the safetensors file that it says it is; whether it fits the network is told
 * by the worker, which knows the network (flow/worker/finetune.c).
 */
#include "api/jobs.h"
#include "engine/format/safetensors.h"
#include "flow/people/people.h"
#include "s3/s3.h"

enum { KEY_TEXT = 16 + SHA256_HEX, PIECE_BYTES = 64 << 10, LENGTH_BYTES = 8 };
static const uint64_t WEIGHTS_BYTES_MAX = (uint64_t)4 << 30;

static void key_of(str sha256, char ret[KEY_TEXT])
{
    snprintf(ret, KEY_TEXT, "weights/%.*s", STR_F(sha256));
}

/* ---- upload */

struct intake {
    struct s3_upload *to;
    struct hasher hash;
    struct buf head; /* the length and the header */
    size_t want;     /* bytes of the head */
    uint64_t bytes;
};

static void take_head(struct intake *in, const char *p, size_t n)
{
    while (n && in->head.n < in->want) {
        size_t part = in->want - in->head.n < n ? in->want - in->head.n : n;

        buf_add(&in->head, p, part);
        p += part;
        n -= part;
        if (in->head.n == LENGTH_BYTES && in->want == LENGTH_BYTES) {
            uint64_t length = 0;
            for (int i = LENGTH_BYTES - 1; i >= 0; i--)
                length = length << 8 | (uint8_t)in->head.p[i];
            if (length <= SAFETENSORS_HEADER_BYTES_MAX)
                in->want += (size_t)length;
        }
    }
}

static enum rc take_body(struct ctx *c, struct intake *in, struct err *e)
{
    char *piece = arena_alloc(c->a, PIECE_BYTES);
    size_t n = 1;
    enum rc rc = piece ? RC_OK : err_set(e, RC_NOMEM, "out of memory");

    while (!rc && n) {
        rc = http_body_read(c->req, piece, PIECE_BYTES, &n, e);
        if (rc || !n)
            break;
        take_head(in, piece, n);
        hasher_add(&in->hash, piece, n);
        in->bytes += n;
        rc = s3_upload_write(in->to, piece, n, e);
    }
    return rc ? rc : buf_ok(&in->head, e);
}

static enum rc check_file(struct ctx *c, struct intake *in, struct err *e)
{
    str sha256 = c->param[0], head = buf_view(&in->head);
    struct safetensors_header parsed;
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX + 1];
    enum rc rc;

    hasher_final(&in->hash, digest);
    hex_of(digest, sizeof digest, hex);
    if (!str_is(sha256, hex))
        return err_set(e, RC_INVALID, "the SHA-256 of what came is %s", hex);
    if (in->want <= LENGTH_BYTES)
        return err_set(
            e, RC_INVALID,
            "this is no safetensors file: it does not begin with the length of a header");
    if (head.n < in->want)
        return err_set(
            e, RC_INVALID,
            "this safetensors file was cut off: its header alone takes %zu bytes, all of "
            "it are %llu",
            in->want, (unsigned long long)in->bytes);
    rc = safetensors_parse(str_sub(head, LENGTH_BYTES, head.n), in->bytes, c->a, &parsed, e);
    return rc && rc != RC_NOMEM ? err_wrap(e, RC_INVALID, "this is no safetensors file") : rc;
}

static enum rc put_weights(struct ctx *c, struct err *e)
{
    struct intake in = {.want = LENGTH_BYTES};
    struct s3_stat stat = {0};
    char key[KEY_TEXT];
    struct buf b;
    struct jw w;
    enum rc rc;

    if (!is_sha256_hex(c->param[0]))
        return err_field(e, RC_INVALID, "sha256", "the path must end with the file's SHA-256");
    key_of(c->param[0], key);
    http_body_limit(c->req, WEIGHTS_BYTES_MAX);
    buf_init(&in.head, SAFETENSORS_HEADER_BYTES_MAX + LENGTH_BYTES);
    rc = sha256_init(&in.hash, e);
    if (!rc) {
        rc = s3_upload_open(&in.to, c->app->s3, key, "application/octet-stream", e);
        if (!rc)
            rc = take_body(c, &in, e);
        if (!rc)
            rc = check_file(c, &in, e);
        if (!rc)
            rc = s3_upload_commit(in.to, &stat, e);
        s3_upload_free(in.to);
    }
    buf_done(&in.head);
    if (rc)
        return rc;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_kstr(&w, "sha256", c->param[0]);
    jw_kint(&w, "bytes", (int64_t)in.bytes);
    jw_obj_end(&w);
    return reply_json(c, 201, &b, e);
}

/* ---- use */

static enum rc of_file(struct ctx *c, str sha256, struct checkpoint *ret, struct err *e)
{
    char key[KEY_TEXT];
    struct s3_stat stat;
    enum rc rc;

    if (!is_sha256_hex(sha256))
        return err_field(e, RC_INVALID, "config.weights", "'%.*s' is not a SHA-256",
                         STR_F(str_sub(sha256, 0, 80)));
    key_of(sha256, key);
    rc = s3_head(c->app->s3, key, &stat, e);
    if (rc == RC_NOT_FOUND)
        return err_field(e, RC_INVALID, "config.weights",
                         "no weights file of this SHA-256 was uploaded "
                         "(PUT /training/weights/{sha256})");
    if (rc)
        return rc;
    *ret = (struct checkpoint){.weights_key = arena_str(c->a, str_of(key)),
                               .weights_sha256 = sha256,
                               .weights_bytes = (int64_t)stat.bytes};
    return ret->weights_key.p ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
}

static enum rc of_job(struct ctx *c, str text, struct job_new *n, struct checkpoint *ret,
                      struct err *e)
{
    ptrdiff_t colon = str_chr(text, ':');
    str id = colon < 0 ? text : str_sub(text, 0, (size_t)colon);
    str which = colon < 0 ? STR("best") : str_sub(text, (size_t)colon + 1, text.n);
    struct job_checkpoint k;
    struct job from;
    enum rc rc = job_get(c->app->jobs, c->a, id, &from, e);

    if (!rc)
        rc = project_may(c, from.project_id, ROLE_VIEWER, e);
    if (rc)
        return err_field(e, RC_INVALID, "config.weights", "there is no job '%.*s'",
                         STR_F(str_sub(id, 0, 80)));
    rc = job_checkpoint_find(c->app->jobs, c->a, from.id, which, &k, e);
    if (rc)
        return err_field(e, rc, "config.weights", "the job has no checkpoint '%.*s'",
                         STR_F(str_sub(which, 0, 80)));
    *ret = (struct checkpoint){.weights_key = k.c.weights_key,
                               .weights_sha256 = k.c.weights_sha256,
                               .weights_bytes = k.c.weights_bytes};
    n->base_job_id = from.id;
    return RC_OK;
}

enum rc weights_choose(struct ctx *c, str weights, struct job_new *n, struct err *e)
{
    str of_a_job = STR("job:"), of_a_file = STR("sha256:");
    struct checkpoint k = {0};
    enum rc rc;

    if (n->base_checkpoint.n)
        return err_field(e, RC_INVALID, "config.weights",
                         "from_checkpoint goes on with a training and weights begin another; give "
                         "one of them");
    if (str_starts(weights, of_a_job))
        rc = of_job(c, str_sub(weights, of_a_job.n, weights.n), n, &k, e);
    else if (str_starts(weights, of_a_file))
        rc = of_file(c, str_sub(weights, of_a_file.n, weights.n), &k, e);
    else
        rc = err_field(e, RC_INVALID, "config.weights",
                       "weights are named job:ID, job:ID:CHECKPOINT or sha256:HEX");
    return rc ? rc : checkpoint_text(c, &k, &n->base_checkpoint, e);
}

extern const struct route weights_routes[];
const struct route weights_routes[] = {
    {HTTP_PUT, "/training/weights/{sha256}", ACCESS_ENGINEER, "jobs:write", .tag = "Jobs",
     .summary = "Upload a safetensors file of first weights: {sha256, bytes}.",
     .help = "The body is the file and the path its SHA-256.  A job then begins with it by "
             "config.weights = `sha256:HEX`; tensors are matched by torchvision's names and "
             "shapes.",
     .fn = put_weights},
    ROUTE_END};
