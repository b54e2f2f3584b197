/* load.c - see load.h. */
#include "flow/dataset/load.h"

/* ---- lines out of a stream */

struct lines {
    struct buf partial;
    enum rc (*each)(void *ud, str line, struct err *e);
    void *ud;
};

static enum rc lines_sink(void *ud, const void *p, size_t n, struct err *e)
{
    struct lines *l = ud;
    str rest = {p, n};
    ptrdiff_t k;
    enum rc rc = RC_OK;

    while (!rc && (k = str_chr(rest, '\n')) >= 0) {
        str line = str_sub(rest, 0, (size_t)k);
        if (l->partial.n) {
            buf_str(&l->partial, line);
            rc = buf_ok(&l->partial, e);
            line = buf_view(&l->partial);
        }
        if (!rc)
            rc = l->each(l->ud, line, e);
        buf_clear(&l->partial);
        rest = str_sub(rest, (size_t)k + 1, rest.n);
    }
    buf_str(&l->partial, rest);
    return rc ? rc : buf_ok(&l->partial, e);
}

static enum rc each_line(struct s3 *s3, const char *key, size_t line_max,
                         enum rc (*each)(void *ud, str line, struct err *e), void *ud,
                         struct err *e)
{
    struct lines l = {.each = each, .ud = ud};

    buf_init(&l.partial, line_max);
    enum rc rc = s3_get_stream(s3, key, lines_sink, &l, e);
    buf_done(&l.partial);
    return rc;
}

/* ---- the manifest */

struct loading {
    struct db *db;
    struct arena head, batch; /* of the whole; of the rows not yet written */
    const char *version;
    str format;
    int64_t bytes, manifest_bytes;
    struct dataset_header header;
    bool begun, ready;
    int64_t content, index;
    struct content_row *rows; /* LOAD_ROWS */
    size_t n;
};

static enum rc flush(struct loading *l, struct err *e)
{
    enum rc rc = l->n ? content_add(l->db, l->content, l->rows, l->n, e) : RC_OK;

    l->n = 0;
    arena_reset(&l->batch);
    return rc;
}

static int by_value(const void *a, const void *b)
{
    return (*(const int32_t *)a > *(const int32_t *)b) -
           (*(const int32_t *)a < *(const int32_t *)b);
}

static enum rc classes_of(struct loading *l, const struct sample *s, struct content_row *row,
                          struct err *e)
{
    size_t n = 0, k = 0;
    int32_t *cls = ARENA_ARRAY(&l->batch, int32_t, 1 + s->boxes_n + s->polygons_n);

    if (!cls)
        return dataset_nomem(e);
    if (s->label >= 0)
        cls[n++] = s->label;
    for (size_t i = 0; i < s->boxes_n; i++)
        cls[n++] = s->boxes[i].cls;
    for (size_t i = 0; i < s->polygons_n; i++)
        cls[n++] = s->polygons[i].cls;
    if (s->quads_n && !n)
        cls[n++] = 0; /* text has one class */
    qsort(cls, n, sizeof *cls, by_value);
    for (size_t i = 0; i < n; i++)
        if (!k || cls[k - 1] != cls[i])
            cls[k++] = cls[i];
    row->classes = cls;
    row->classes_n = k;
    return RC_OK;
}

/* {"boxes":[..]} as it stands in the line. */
static enum rc shapes_of(struct loading *l, str line, str *ret, struct err *e)
{
    static const char *const names[] = {"boxes", "polygons", "quads"};
    const struct json *doc = NULL;
    struct buf b;
    struct jw w;
    enum rc rc = json_parse(&l->batch, line, NULL, &doc, e);

    if (rc)
        return rc;
    buf_init(&b, DATASET_LINE_BYTES_MAX);
    jw_init(&w, &b);
    jw_obj(&w);
    for (int i = 0; i < 3; i++)
        if (json_get(doc, names[i]))
            jw_kraw(&w, names[i], json_get(doc, names[i])->raw);
    jw_obj_end(&w);
    rc = buf_ok(&b, e);
    if (!rc) {
        *ret = arena_str(&l->batch, buf_view(&b));
        rc = ret->p ? RC_OK : dataset_nomem(e);
    }
    buf_done(&b);
    return rc;
}

static enum rc take_sample(struct loading *l, str line, struct err *e)
{
    struct sample *s = ARENA_NEW(&l->batch, struct sample);
    struct content_row *row = &l->rows[l->n];
    str shapes = STR("");

    if (!s)
        return dataset_nomem(e);
    enum rc rc = sample_read(line, &l->header, &l->batch, s, e);
    if (!rc && (s->boxes_n || s->polygons_n || s->quads_n))
        rc = shapes_of(l, line, &shapes, e);
    if (!rc)
        rc = classes_of(l, s, row, e);
    if (rc)
        return rc;
    row->image = (struct dataset_image){.index = l->index++,
                                        .name = arena_str(&l->batch, s->name),
                                        .split = str_of(split_names[s->split]),
                                        .sha256 = {s->sha256, SHA256_HEX},
                                        .type = str_of(image_type_names[s->type]),
                                        .bytes = (int64_t)s->bytes,
                                        .width = s->width,
                                        .height = s->height,
                                        .label = s->label,
                                        .shapes = shapes};
    if (!row->image.name.p)
        return dataset_nomem(e);
    l->n++;
    return l->n == LOAD_ROWS || l->batch.used_bytes > LOAD_BATCH_BYTES ? flush(l, e) : RC_OK;
}

static enum rc manifest_line(void *ud, str line, struct err *e)
{
    struct loading *l = ud;
    enum rc rc;

    if (l->begun)
        return l->ready ? RC_OK : take_sample(l, line, e);
    l->begun = true;
    rc = dataset_header_read(line, &l->head, &l->header, e);
    if (!rc)
        rc = content_begin(l->db, str_of(l->version), &l->header, l->format, l->bytes,
                           l->manifest_bytes, &l->content, &l->ready, e);
    return rc;
}

enum rc load_manifest(struct db *db, struct s3 *s3, const char *version, str format, int64_t bytes,
                      int64_t manifest_bytes, int64_t *ret_content, struct err *e)
{
    struct loading l = {.db = db,
                        .version = version,
                        .format = format,
                        .bytes = bytes,
                        .manifest_bytes = manifest_bytes};
    char key[BLOB_KEY_MAX + 16];

    manifest_key(version, key);
    arena_init(&l.head, 64 << 20);
    arena_init(&l.batch, (size_t)LOAD_BATCH_BYTES + ((size_t)16 * DATASET_LINE_BYTES_MAX));
    l.rows = mem_alloc_array(LOAD_ROWS, sizeof *l.rows);
    enum rc rc = l.rows ? each_line(s3, key, DATASET_LINE_BYTES_MAX, manifest_line, &l, e)
                        : dataset_nomem(e);
    if (!rc)
        rc = flush(&l, e);
    if (!rc && !l.ready && l.index != (int64_t)l.header.images)
        rc = err_set(e, RC_CORRUPT, "the manifest of %.8s lists %lld pictures of %lld", version,
                     (long long)l.index, (long long)l.header.images);
    if (!rc)
        *ret_content = l.content;
    mem_free(l.rows);
    arena_done(&l.head);
    arena_done(&l.batch);
    return rc ? err_wrap(e, rc, "loading version %.8s", version) : RC_OK;
}

/* ---- the report */

struct report {
    struct arena *a;
    str stats;
    struct fault_row *faults;
    size_t n;
};

static enum rc report_line(void *ud, str line, struct err *e)
{
    struct report *r = ud;
    const struct json *doc = NULL;
    str copy = arena_str(r->a, line);

    if (!copy.p)
        return dataset_nomem(e);
    if (!r->stats.p) {
        r->stats = copy;
        return RC_OK;
    }
    if (r->n >= FAULTS_KEPT_MAX)
        return RC_OK;
    enum rc rc = json_parse(r->a, copy, NULL, &doc, e);
    if (rc)
        return rc;
    r->faults[r->n++] = (struct fault_row){.line = json_int(doc, "line", 0),
                                           .severity = json_str(doc, "severity", STR("error")),
                                           .code = json_str(doc, "code", STR("")),
                                           .file = json_str(doc, "file", STR("")),
                                           .image = json_str(doc, "image", STR("")),
                                           .message = json_str(doc, "message", STR("")),
                                           .action = json_str(doc, "action", STR(""))};
    return RC_OK;
}

enum rc load_report(struct s3 *s3, struct arena *a, const char *key, str *ret_stats,
                    struct fault_row **ret, size_t *ret_n, struct err *e)
{
    struct report r = {.a = a, .faults = ARENA_ARRAY(a, struct fault_row, FAULTS_KEPT_MAX)};

    if (!r.faults)
        return dataset_nomem(e);
    enum rc rc = each_line(s3, key, 64 << 20, report_line, &r, e);
    if (!rc && !r.stats.p)
        rc = err_set(e, RC_CORRUPT, "the report '%s' is empty", key);
    if (rc)
        return err_wrap(e, rc, "reading the report");
    *ret_stats = r.stats;
    *ret = r.faults;
    *ret_n = r.n;
    return RC_OK;
}
