/* list_versions.c - ListObjectVersions and ListMultipartUploads: lists in which one key has several
 * entries, so a marker is a key and one of its entries. */
#include "s3/xml.h"
#include "store/page.h"

/* ---- versions */

static enum rc put_version(struct page *g, str key, const struct object *o, struct err *e)
{
    struct buf *b = &g->out;
    const char *tag = o->marker ? "DeleteMarker" : "Version";
    char id[INDEX_VERSION_TEXT];

    version_text(o, id);
    buf_printf(b, "<%s>", tag);
    page_name(g, b, "Key", key);
    buf_printf(b, "<VersionId>%s</VersionId><IsLatest>%s</IsLatest><LastModified>", id,
               o->newest ? "true" : "false");
    page_time(g, b, o->modified_ms);
    buf_puts(b, "</LastModified>");
    if (!o->marker) {
        xml_etag(b, str_of(o->etag));
        xml_u64(b, "Size", o->bytes);
        if (o->sum.kind != CHECKSUM_NONE)
            xml_text(b, "ChecksumAlgorithm", str_of(checksum_name(o->sum.kind)));
        buf_puts(b, "<StorageClass>STANDARD</StorageClass>");
    }
    xml_owner(b, "Owner");
    buf_printf(b, "</%s>", tag);
    return buf_ok(b, e);
}

static enum rc each_version(void *ud, str key, const struct object *o, bool *stop, struct err *e)
{
    struct page *g = ud;
    bool put;
    enum rc rc = page_take(g, key, o->seq, &put, stop, e);

    return rc || !put ? rc : put_version(g, key, o, e);
}

static enum rc walk_versions(struct page *g, struct tx *tx, int64_t bucket, size_t max)
{
    return index_list_versions(tx, bucket, g->from, g->tie, g->to, max, each_version, g,
                               &g->c->err);
}

/* Behind one version of a key: the marker is its number in the order of versions, for "null" says
 * nothing of that. */
static enum s3_code after_version(struct page *g, str key, str version)
{
    struct version_id v;

    if (!version.n)
        return page_after(g, key);
    if (!key.n || !version_parse(version, &v)) {
        err_set(&g->c->err, RC_INVALID, "version-id-marker needs a key-marker and is none of ours");
        return S3_BAD_ARGUMENT;
    }
    if (str_cmp(key, g->prefix) < 0)
        return S3_OK;
    g->from = key;
    g->tie = v.seq;
    if (v.null_version || !v.seq) /* nothing is older than a version from before versioning */
        return page_after(g, key);
    return S3_OK;
}

enum s3_code op_list_versions(struct call *c)
{
    str key = call_query(c, "key-marker"), version = call_query(c, "version-id-marker");
    struct page g;
    struct buf head;
    enum s3_code code = page_begin(&g, c, "max-keys");

    if (!code)
        code = after_version(&g, key, version);
    if (!code)
        code = page_run(&g, walk_versions);
    if (!code) {
        page_head(&g, &head, "ListVersionsResult", "MaxKeys");
        page_name(&g, &head, "KeyMarker", key);
        xml_text(&head, "VersionIdMarker", version);
        if (g.truncated) {
            page_name(&g, &head, "NextKeyMarker", g.last);
            buf_puts(&head, "<NextVersionIdMarker>");
            if (!g.last_common)
                buf_printf(&head, "%016llx", (unsigned long long)g.last_tie);
            buf_puts(&head, "</NextVersionIdMarker>");
        }
        page_reply(&g, &head, "ListVersionsResult");
    }
    page_done(&g);
    return code;
}

/* ---- uploads */

static enum rc each_upload(void *ud, const struct upload *u, bool *stop, struct err *e)
{
    struct page *g = ud;
    struct buf *b = &g->out;
    bool put;
    enum rc rc = page_take(g, u->key, u->id, &put, stop, e);

    if (rc || !put)
        return rc;
    buf_puts(b, "<Upload>");
    page_name(g, b, "Key", u->key);
    buf_printf(b, "<UploadId>%016llx</UploadId>", (unsigned long long)u->id);
    xml_owner(b, "Initiator");
    xml_owner(b, "Owner");
    buf_puts(b, "<StorageClass>STANDARD</StorageClass>");
    xml_time(b, "Initiated", u->created_ms);
    if (u->sum_asked) {
        xml_text(b, "ChecksumAlgorithm", str_of(checksum_name(u->sum_kind)));
        xml_text(b, "ChecksumType", u->sum_composite ? STR("COMPOSITE") : STR("FULL_OBJECT"));
    }
    buf_puts(b, "</Upload>");
    return buf_ok(b, e);
}

static enum rc walk_uploads(struct page *g, struct tx *tx, int64_t bucket, size_t max)
{
    return index_uploads(tx, bucket, g->from, g->tie, g->to, max, each_upload, g, &g->c->err);
}

static enum s3_code after_upload(struct page *g, str key, str upload)
{
    struct version_id id; /* the same form: 16 hexadecimal digits */

    if (!key.n || !upload.n)
        return page_after(g, key);
    if (!version_parse(upload, &id) || id.null_version) {
        err_set(&g->c->err, RC_INVALID, "upload-id-marker is no upload id");
        return S3_BAD_ARGUMENT;
    }
    if (str_cmp(key, g->prefix) < 0)
        return S3_OK;
    g->from = key;
    g->tie = id.seq;
    return S3_OK;
}

enum s3_code op_list_uploads(struct call *c)
{
    str key = call_query(c, "key-marker"), upload = call_query(c, "upload-id-marker");
    struct page g;
    struct buf head;
    enum s3_code code = page_begin(&g, c, "max-uploads");

    if (!code)
        code = after_upload(&g, key, upload);
    if (!code)
        code = page_run(&g, walk_uploads);
    if (!code) {
        page_head(&g, &head, "ListMultipartUploadsResult", "MaxUploads");
        page_name(&g, &head, "KeyMarker", key);
        xml_text(&head, "UploadIdMarker", upload);
        if (g.truncated) {
            page_name(&g, &head, "NextKeyMarker", g.last);
            buf_puts(&head, "<NextUploadIdMarker>");
            if (!g.last_common)
                buf_printf(&head, "%016llx", (unsigned long long)g.last_tie);
            buf_puts(&head, "</NextUploadIdMarker>");
        }
        page_reply(&g, &head, "ListMultipartUploadsResult");
    }
    page_done(&g);
    return code;
}
