/* settings.c - what is set for a bucket: documents (policy, CORS, lifecycle, tags), versioning, and
 * the settings of Amazon's that have one answer here. */
#include "base/mem.h"
#include "s3/xml.h"
#include "store/lifecycle.h"
#include "store/store_int.h"
#include "store/tags.h"

/* A document is checked when it is put and kept as it came (tags: as tags.h keeps them). */
static enum s3_code check_policy(struct call *c, str *body), check_cors(struct call *c, str *body),
    check_lifecycle(struct call *c, str *body), check_tags(struct call *c, str *body);

static const struct setting {
    const char *name;
    enum s3_code absent;
    int put_status;
    enum s3_code (*check)(struct call *c, str *body);
} settings[] = {
    {"policy", S3_NO_SUCH_POLICY, 204, check_policy},
    {"cors", S3_NO_SUCH_CORS, 200, check_cors},
    {"lifecycle", S3_NO_LIFECYCLE, 200, check_lifecycle},
    {"tagging", S3_NO_TAGS, 204, check_tags},
};

static const struct setting *setting_of(struct call *c)
{
    size_t i = 0;

    while (!call_query(c, settings[i].name).p) /* the route saw one of them */
        ASSERT(++i < sizeof settings / sizeof *settings);
    return &settings[i];
}

static enum s3_code code_of(struct call *c, enum rc rc, enum s3_code invalid)
{
    return rc == RC_INVALID || rc == RC_LIMIT ? invalid : rc ? s3_code_of(c, rc) : S3_OK;
}

static enum s3_code check_policy(struct call *c, str *body)
{
    struct policy *p = NULL;
    enum s3_code code = code_of(c, policy_new(&p, *body, c->bucket, &c->err), S3_MALFORMED_POLICY);

    policy_free(p);
    return code;
}

static enum s3_code check_cors(struct call *c, str *body)
{
    struct cors *p = NULL;
    enum s3_code code = code_of(c, cors_new(&p, *body, &c->err), S3_MALFORMED_XML);

    cors_free(p);
    return code;
}

static enum s3_code check_lifecycle(struct call *c, str *body)
{
    struct lifecycle l;

    return code_of(c, lifecycle_read(c->a, *body, &l, &c->err), S3_MALFORMED_XML);
}

static enum s3_code check_tags(struct call *c, str *body)
{
    bool xml;
    enum rc rc = tags_of_xml(c->a, *body, TAGS_BUCKET_MAX, body, &xml, &c->err);

    return code_of(c, rc, xml ? S3_MALFORMED_XML : S3_BAD_TAG);
}

/* ---- changing */

struct set_op {
    struct commit_op op;
    struct call *c;
    const struct setting *s; /* NULL: versioning or acl */
    str body;
    bool is_acl;
    enum versioning versioning;
    enum canned_acl acl;
    enum s3_code refused;
};

static enum rc apply_set(struct commit_op *op, struct tx *tx, struct err *e)
{
    struct set_op *p = (struct set_op *)op;
    struct bucket b;
    enum rc rc = index_bucket(tx, p->c->bucket, &b, e);

    if (rc == RC_NOT_FOUND)
        return refuse(op, &p->refused, S3_NO_SUCH_BUCKET);
    if (rc)
        return rc;
    if (p->s)
        return index_setting_put(tx, b.id, p->s->name, p->body, e);
    if (p->is_acl)
        return index_bucket_acl(tx, b.id, p->acl, e);
    return index_bucket_versioning(tx, b.id, p->versioning, e);
}

static enum s3_code set(struct call *c, struct set_op *p, int status)
{
    enum s3_code code = call_commit(c, &p->op, &p->refused);

    if (code)
        return code;
    bucket_info_forget(c->s, c->bucket);
    reply_empty(c, status);
    return S3_OK;
}

enum s3_code op_put_setting(struct call *c)
{
    struct set_op p = {.op.apply = apply_set, .c = c, .s = setting_of(c)};
    enum s3_code code = body_xml(c, &p.body);

    if (!code)
        code = p.s->check(c, &p.body);
    return code ? code : set(c, &p, p.s->put_status);
}

enum s3_code op_delete_setting(struct call *c)
{
    struct set_op p = {.op.apply = apply_set, .c = c, .s = setting_of(c)};

    return set(c, &p, 204);
}

enum s3_code bucket_acl_set(struct call *c, enum canned_acl acl)
{
    struct set_op p = {.op.apply = apply_set, .c = c, .is_acl = true, .acl = acl};

    return set(c, &p, 200);
}

/* ---- looking */

static enum s3_code get_setting(struct call *c, const struct setting *s, str *ret)
{
    struct tx *tx;
    struct bucket b;
    enum s3_code code = call_begin_read(c, &tx, &b);
    enum rc rc;

    if (code)
        return code;
    rc = index_setting(tx, c->a, b.id, s->name, ret, &c->err);
    tx_rollback(tx);
    if (rc == RC_NOT_FOUND)
        c->err.text[0] = 0;
    return rc == RC_NOT_FOUND ? s->absent : s3_code_of(c, rc);
}

enum s3_code op_get_setting(struct call *c)
{
    const struct setting *s = setting_of(c);
    struct buf b;
    str body;
    enum s3_code code = get_setting(c, s, &body);

    if (code)
        return code;
    buf_init(&b, 1 << 20);
    if (s->check == check_tags) {
        xml_begin(&b, "Tagging");
        tags_xml(c->a, body, &b);
        buf_puts(&b, "</Tagging>");
    } else {
        buf_str(&b, body);
    }
    if (s->check == check_policy) {
        http_add_header(c->r, "x-amz-request-id", http_request_id(c->r));
        http_reply_buf(c->r, 200, "application/json", &b);
    } else {
        reply_xml(c, &b);
    }
    return S3_OK;
}

enum s3_code op_policy_status(struct call *c)
{
    struct buf b;
    str body;
    enum s3_code code = get_setting(c, &settings[0], &body);

    if (code)
        return code;
    buf_init(&b, 1024);
    xml_begin(&b, "PolicyStatus");
    xml_text(&b, "IsPublic",
             c->info && policy_is_public(c->info->policy) ? STR("TRUE") : STR("FALSE"));
    buf_puts(&b, "</PolicyStatus>");
    reply_xml(c, &b);
    return S3_OK;
}

/* ---- versioning */

enum s3_code op_get_versioning(struct call *c)
{
    struct tx *tx;
    struct bucket k;
    struct buf b;
    enum s3_code code = call_begin_read(c, &tx, &k);

    if (code)
        return code;
    tx_rollback(tx);
    buf_init(&b, 1024);
    xml_begin(&b, "VersioningConfiguration");
    if (k.versioning != VERSIONING_OFF)
        xml_text(&b, "Status", k.versioning == VERSIONING_ON ? STR("Enabled") : STR("Suspended"));
    buf_puts(&b, "</VersioningConfiguration>");
    reply_xml(c, &b);
    return S3_OK;
}

static enum rc read_versioning(str body, enum versioning *ret, bool *mfa, struct err *e)
{
    struct xml x;
    enum xml_event ev;
    str s;
    enum rc rc;

    xml_init(&x, body);
    rc = xml_next(&x, &ev, e);
    if (!rc && !str_is(x.name, "VersioningConfiguration"))
        rc = err_set(e, RC_INVALID, "<VersioningConfiguration> was expected");
    while (!rc && !(rc = xml_next(&x, &ev, e)) && ev != XML_END) {
        if (ev != XML_OPEN)
            continue;
        if (str_is(x.name, "Status")) {
            rc = xml_leaf(&x, &s, e);
            *ret = rc                       ? VERSIONING_OFF
                   : str_is(s, "Enabled")   ? VERSIONING_ON
                   : str_is(s, "Suspended") ? VERSIONING_SUSPENDED
                                            : VERSIONING_OFF;
        } else if (str_is(x.name, "MfaDelete") || str_is(x.name, "MFADelete")) {
            rc = xml_leaf(&x, &s, e);
            *mfa = !rc && str_is(s, "Enabled");
        } else {
            rc = err_set(e, RC_INVALID, "an element of the configuration is unknown");
        }
    }
    xml_done(&x);
    return rc;
}

enum s3_code op_put_versioning(struct call *c)
{
    struct set_op p = {.op.apply = apply_set, .c = c};
    bool mfa = false;
    str body;
    enum s3_code code = body_xml(c, &body);

    if (code)
        return code;
    code = code_of(c, read_versioning(body, &p.versioning, &mfa, &c->err), S3_MALFORMED_XML);
    if (!code && mfa) {
        err_set(&c->err, RC_UNIMPLEMENTED, "MFA delete");
        code = S3_NOT_IMPLEMENTED;
    }
    if (!code && p.versioning == VERSIONING_OFF)
        code = S3_ILLEGAL_VERSIONING;
    return code ? code : set(c, &p, 200);
}

/* ---- settings with one answer */

enum s3_code op_fixed(struct call *c)
{
    static const struct {
        const char *name;
        enum s3_code absent; /* or: */
        const char *root, *inside;
    } rows[] = {
        {"accelerate", S3_OK, "AccelerateConfiguration", ""},
        {"encryption", S3_NO_ENCRYPTION, NULL, NULL},
        {"logging", S3_OK, "BucketLoggingStatus", ""},
        {"notification", S3_OK, "NotificationConfiguration", ""},
        {"object-lock", S3_NO_OBJECT_LOCK, NULL, NULL},
        {"ownershipControls", S3_NO_OWNERSHIP, NULL, NULL},
        {"publicAccessBlock", S3_NO_PUBLIC_BLOCK, NULL, NULL},
        {"replication", S3_NO_REPLICATION, NULL, NULL},
        {"requestPayment", S3_OK, "RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>"},
        {"website", S3_NO_WEBSITE, NULL, NULL},
    };
    struct buf b;
    size_t i = 0;

    if (!c->info)
        return S3_NO_SUCH_BUCKET;
    while (!call_query(c, rows[i].name).p) /* the route saw one of them */
        ASSERT(++i < sizeof rows / sizeof *rows);
    if (rows[i].absent)
        return rows[i].absent;
    buf_init(&b, 1024);
    xml_begin(&b, rows[i].root);
    buf_printf(&b, "%s</%s>", rows[i].inside, rows[i].root);
    reply_xml(c, &b);
    return S3_OK;
}
