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

/* ---- both: a marker is a key and one of its entries */

static const struct pairs {
    const char *root, *max_name, *max_tag;
    const char *marker, *marker_tag, *next_tag; /* of the entry */
    bool is_version; /* which may be "null", and needs its key; an upload without one means nothing
                      */
    page_walk_fn walk;
} versions =
    {"ListVersionsResult",  "max-keys", "MaxKeys",    "version-id-marker", "VersionIdMarker",
     "NextVersionIdMarker", true,       walk_versions},
  uploads = {"ListMultipartUploadsResult",
             "max-uploads",
             "MaxUploads",
             "upload-id-marker",
             "UploadIdMarker",
             "NextUploadIdMarker",
             false,
             walk_uploads};

/* Behind one entry of a key: the marker is its number, for "null" says nothing of the order of
 * versions. */
static enum s3_code after_entry(struct page *g, const struct pairs *p, str key, str entry)
{
    struct version_id id; /* of uploads too: 16 hexadecimal digits */

    if (!entry.n || (!key.n && !p->is_version))
        return page_after(g, key);
    if (!key.n || !version_parse(entry, &id) || (id.null_version && !p->is_version)) {
        err_set(&g->c->err, RC_INVALID, "%s needs a key-marker and is none of ours", p->marker);
        return S3_BAD_ARGUMENT;
    }
    if (str_cmp(key, g->prefix) < 0)
        return S3_OK;
    if (p->is_version && (id.null_version || !id.seq))
        return page_after(g, key); /* nothing is older than a version from before versioning */
    g->from = key;
    g->tie = id.seq;
    return S3_OK;
}

static enum s3_code list_pairs(struct call *c, const struct pairs *p)
{
    str key = call_query(c, "key-marker"), entry = call_query(c, p->marker);
    struct page g;
    struct buf head;
    enum s3_code code = page_begin(&g, c, p->max_name);

    if (!code)
        code = after_entry(&g, p, key, entry);
    if (!code)
        code = page_run(&g, p->walk);
    if (!code) {
        page_head(&g, &head, p->root, p->max_tag);
        page_name(&g, &head, "KeyMarker", key);
        xml_text(&head, p->marker_tag, entry);
        if (g.truncated) {
            page_name(&g, &head, "NextKeyMarker", g.last);
            buf_printf(&head, "<%s>", p->next_tag);
            if (!g.last_common)
                buf_printf(&head, "%016llx", (unsigned long long)g.last_tie);
            buf_printf(&head, "</%s>", p->next_tag);
        }
        page_reply(&g, &head, p->root);
    }
    page_done(&g);
    return code;
}

enum s3_code op_list_versions(struct call *c)
{
    return list_pairs(c, &versions);
}

enum s3_code op_list_uploads(struct call *c)
{
    return list_pairs(c, &uploads);
}
