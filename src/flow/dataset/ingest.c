/* ingest.c - see ingest.h. */
#include "flow/dataset/ingest.h"
#include "flow/dataset/assemble.h"
#include "flow/dataset/images.h"
#include "flow/dataset/reclass.h"
#include "os/os.h"
#include "s3/s3.h"

enum { PROGRESS_MS = 500, REPORT_LINE_MAX = 64 << 20 };

const char *const ingest_kind_names[] = {"archive", "split", "draft", "classes", NULL};

#define P struct ingest_part
const struct field ingest_part_fields[] = {
    F_STR(P, key, .flags = FIELD_REQUIRED, .min = 1, .max = 1024, .help = "Key of an object."),
    F_INT(P, bytes, .flags = FIELD_REQUIRED, .min = 0, .max = 1e18, .help = "Its size."),
    FIELD_END};
#undef P
/* The keys are not FIELD_SECRET, which is never written: this pipe is what they are for. */
#define S struct ingest_order
const struct field ingest_order_fields[] = {
    F_ENUM(S, kind, ingest_kind_names, .flags = FIELD_REQUIRED,
           .help = "What to make a version of."),
    F_STR(S, import_id, .flags = FIELD_REQUIRED, .min = 1, .max = 64, .help = "Id of the import."),
    F_OBJS(S, parts, ingest_part_fields, sizeof(struct ingest_part), .max = INGEST_PARTS_MAX,
           .help = "The uploaded archive."),
    F_STR(S, base_version, .max = SHA256_HEX, .help = "Version to split anew."),
    F_STR(S, format, .max = 16, .help = "Format of the base version's archive."),
    F_STR(S, edits_key, .max = BLOB_KEY_MAX, .help = "draft: object of the edited labels."),
    F_STRS(S, classes, .max = DATASET_CLASSES_MAX, .help = "classes: their names from now on."),
    F_OBJ(S, split, split_spec_fields, .help = "How to split."),
    F_STR(S, endpoint, .flags = FIELD_REQUIRED, .help = "Of the object store."),
    F_STR(S, region, .flags = FIELD_REQUIRED, .help = "Of the object store."),
    F_STR(S, bucket, .flags = FIELD_REQUIRED, .help = "Of the object store."),
    F_STR(S, access_key, .help = "Of the object store."),
    F_STR(S, secret_key, .help = "Of the object store."),
    F_STR(S, session_token, .help = "Of temporary keys."),
    F_BOOL(S, virtual_host, .help = "The bucket stands in the host's name."),
    F_INT(S, unpacked_bytes_max, .flags = FIELD_REQUIRED, .min = 1, .max = 1e18,
          .help = "Limit of all files, unpacked."),
    F_INT(S, entries_max, .flags = FIELD_REQUIRED, .min = 1, .max = 1e9,
          .help = "Limit of entries."),
    F_INT(S, threads, .min = 0, .max = 256, .help = "0: 16."),
    FIELD_END};
#undef S

void report_key(str import_id, char ret[BLOB_KEY_MAX])
{
    snprintf(ret, BLOB_KEY_MAX, "reports/%.*s.jsonl", STR_F(import_id));
}

struct ingest {
    const struct ingest_order *order;
    int out_fd;
    struct arena *a;
    struct s3 *s3;
    struct harvest harvest;
    struct pack *pack; /* of the running pass */
    uint64_t archive_bytes;
    const char *phase;
    size_t images_done, images_total;
    int64_t told_ms;
};

/* ---- lines to serve */

static enum rc tell(struct ingest *in, struct buf *line, struct err *e)
{
    buf_putc(line, '\n');
    enum rc rc = buf_ok(line, e);
    if (!rc)
        rc = os_write_all(in->out_fd, line->p, line->n, e);
    buf_done(line);
    return rc;
}

static void line_begin(struct buf *b, struct jw *w, const char *event)
{
    buf_init(b, 64 << 10);
    jw_init(w, b);
    jw_obj(w);
    jw_kcstr(w, "event", event);
}

static enum rc tell_progress(struct ingest *in, bool force, struct err *e)
{
    struct buf b;
    struct jw w;
    int64_t now = os_mono_ms();

    if (!force && now - in->told_ms < PROGRESS_MS)
        return RC_OK;
    in->told_ms = now;
    bool scan = str_is(str_of(in->phase), "scan");
    line_begin(&b, &w, "progress");
    jw_kcstr(&w, "phase", in->phase);
    jw_kint(&w, "done", scan ? (int64_t)pack_position(in->pack) : (int64_t)in->images_done);
    jw_kint(&w, "total", scan ? (int64_t)in->archive_bytes : (int64_t)in->images_total);
    jw_obj_end(&w);
    return tell(in, &b, e);
}

static enum rc tick(void *ud, struct err *e)
{
    return tell_progress(ud, false, e);
}

static enum rc tell_failed(struct ingest *in, const struct err *why, struct err *e)
{
    struct buf b;
    struct jw w;

    line_begin(&b, &w, "failed");
    jw_kcstr(&w, "code", rc_code(why->rc));
    jw_kcstr(&w, "fault", why->field);
    jw_kcstr(&w, "text", why->text);
    jw_obj_end(&w);
    return tell(in, &b, e);
}

static enum rc tell_done(struct ingest *in, const struct assembly *as, struct err *e)
{
    struct buf b;
    struct jw w;
    char key[BLOB_KEY_MAX];

    report_key(in->order->import_id, key);
    line_begin(&b, &w, "done");
    jw_kcstr(&w, "version", as->version);
    jw_kcstr(&w, "report", key);
    jw_kcstr(&w, "task", task_names[in->harvest.task]);
    jw_kcstr(&w, "format", dataset_format_names[in->harvest.format]);
    jw_kint(&w, "images", (int64_t)as->n);
    jw_kint(&w, "bytes", (int64_t)as->images_bytes);
    jw_kint(&w, "manifest_bytes", (int64_t)as->manifest_bytes);
    jw_kint(&w, "faults", (int64_t)in->harvest.faults.total);
    jw_obj_end(&w);
    return tell(in, &b, e);
}

/* ---- the archive in the object store */

/* A piece of one part, appended to out (s3_get_range replaces what its buffer holds). */
static enum rc read_piece(struct ingest *in, str name, uint64_t at, size_t n, struct buf *out,
                          struct err *e)
{
    char key[128];
    struct buf piece;

    if (name.n >= sizeof key)
        return err_set(e, RC_INVALID, "the key of an uploaded part is too long");
    memcpy(key, name.p, name.n);
    key[name.n] = 0;
    buf_init(&piece, n);
    enum rc rc = s3_get_range(in->s3, key, at, n, &piece, e);
    if (!rc)
        buf_str(out, buf_view(&piece));
    buf_done(&piece);
    return rc;
}

/* One read may reach over the end of a part. */
static enum rc source_read(void *ud, uint64_t at, size_t n, struct buf *out, struct err *e)
{
    struct ingest *in = ud;
    const struct ingest_part *parts = in->order->parts.p;
    enum rc rc = RC_OK;

    for (size_t i = 0; !rc && n && i < in->order->parts.n; i++) {
        uint64_t size = (uint64_t)parts[i].bytes;
        if (at >= size) {
            at -= size;
            continue;
        }
        size_t k = size - at < n ? (size_t)(size - at) : n;
        rc = read_piece(in, parts[i].key, at, k, out, e);
        at = 0;
        n -= k;
    }
    return rc;
}

static enum rc open_pass(struct ingest *in, const char *phase, struct err *e)
{
    const struct ingest_part *parts = in->order->parts.p;
    struct pack_source src = {.read = source_read, .ud = in};
    struct pack_limits lim = {(uint64_t)in->order->unpacked_bytes_max,
                              (uint64_t)in->order->entries_max};

    for (size_t i = 0; i < in->order->parts.n; i++)
        src.bytes += (uint64_t)parts[i].bytes;
    in->archive_bytes = src.bytes;
    in->phase = phase;
    return pack_open(&in->pack, &src, &lim, e);
}

static void close_pass(struct ingest *in)
{
    pack_close(in->pack);
    in->pack = NULL;
}

static enum rc put_picture(void *ud, const char *key, str data, const char *type, struct err *e)
{
    struct ingest *in = ud;
    bool existed;

    return s3_put_new(in->s3, key, data, type, &existed, e);
}

static enum rc read_archive(struct ingest *in, struct err *e)
{
    struct image_sink to = {put_picture, in};
    unsigned threads = in->order->threads ? (unsigned)in->order->threads : INGEST_THREADS;
    enum rc rc = open_pass(in, "scan", e);

    if (!rc)
        rc = survey_read(&in->harvest, in->pack, tick, in, e);
    close_pass(in);
    if (!rc)
        rc = survey_recognise(&in->harvest, e);
    for (size_t i = 0; !rc && i < in->harvest.pictures.n; i++)
        in->images_total += in->harvest.pictures.p[i].keep;
    if (!rc)
        rc = open_pass(in, "images", e);
    if (!rc)
        rc = images_store(&in->harvest, in->pack, &to, threads, INGEST_MEMORY_BYTES,
                          &in->images_done, tick, in, e);
    if (!rc)
        rc = tell_progress(in, true, e);
    close_pass(in);
    return rc;
}

/* ---- a version as the source of another */

struct lines {
    struct ingest *in;
    struct buf partial;
    struct dataset_header header;
    bool have_header;
    bool edits;          /* they replace pictures of the base */
    struct map pictures; /* edits: by name, index + 1 */
};

static enum rc add_mark(struct harvest *p, struct picture *pic, enum mark_kind kind, int32_t cls,
                        const float *xy, size_t floats, str text, struct err *e)
{
    struct mark *m = mark_add(p, pic, kind, cls, 0, (uint32_t)floats);

    if (!m)
        return harvest_nomem(p, e);
    memcpy(m->xy, xy, floats * sizeof *xy);
    m->text = text;
    return RC_OK;
}

static bool has_shapes(const struct sample *s)
{
    return s->boxes_n || s->polygons_n || s->quads_n;
}

/* What somebody has looked at is labelled even if it shows nothing, unless it needs a class. */
static enum rc picture_of_sample(struct harvest *p, const struct sample *s, bool edited,
                                 struct picture *ret, struct err *e)
{
    struct picture pic = {
        .path = s->name, .name = s->name, .label = s->label, .split = s->split, .keep = true};
    enum rc rc = RC_OK;

    pic.unlabelled = p->task == TASK_CLASSIFICATION
                         ? s->label < 0
                         : !edited && s->split == SPLIT_NONE && !has_shapes(s);

    pic.got = (struct checked){
        .done = true, .bytes = s->bytes, .type = s->type, .width = s->width, .height = s->height};
    memcpy(pic.got.sha256, s->sha256, sizeof pic.got.sha256);
    for (size_t i = 0; !rc && i < s->boxes_n; i++)
        rc = add_mark(p, &pic, MARK_BOX, s->boxes[i].cls, &s->boxes[i].x, 4, STR_NONE, e);
    for (size_t i = 0; !rc && i < s->polygons_n; i++)
        rc = add_mark(p, &pic, MARK_POLYGON, s->polygons[i].cls, s->polygons[i].xy,
                      2 * s->polygons[i].points, STR_NONE, e);
    for (size_t i = 0; !rc && i < s->quads_n; i++)
        rc = add_mark(p, &pic, MARK_QUAD, 0, s->quads[i].xy, 8, s->quads[i].text, e);
    if (!rc)
        *ret = pic;
    return rc;
}

/* A line of the draft: in place of the base's picture of that name. */
static enum rc take_edit(struct lines *l, const struct sample *s, struct err *e)
{
    struct harvest *p = &l->in->harvest;
    size_t at = (size_t)(intptr_t)map_get(&l->pictures, s->name);

    if (!at)
        return err_set(e, RC_CORRUPT, "the draft edits '%.*s', which its base has not",
                       STR_F(s->name));
    return picture_of_sample(p, s, true, &p->pictures.p[at - 1], e);
}

/* With another task other pictures are unlabelled: a class is no box. */
static void judge_anew(struct harvest *p, enum task task)
{
    for (size_t i = 0; i < p->pictures.n; i++) {
        struct picture *pic = &p->pictures.p[i];
        pic->unlabelled = task == TASK_CLASSIFICATION ? pic->label < 0 : !pic->marks;
    }
}

static enum rc take_line(struct lines *l, str line, struct err *e)
{
    struct harvest *p = &l->in->harvest;
    struct picture pic;
    struct sample s;
    enum rc rc;

    if (!l->have_header) {
        p->classes.n = 0;
        l->have_header = true;
        rc = dataset_header_read(line, p->a, &l->header, e);
        for (size_t i = 0; !rc && i < l->header.classes_n; i++)
            rc = VEC_PUSH(&p->classes, l->header.classes[i]) ? RC_OK : harvest_nomem(p, e);
        if (l->edits && p->task != l->header.task)
            judge_anew(p, l->header.task);
        p->task = l->header.task;
        return rc;
    }
    rc = sample_read(line, &l->header, p->a, &s, e);
    if (!rc && l->edits)
        return take_edit(l, &s, e);
    if (!rc)
        rc = picture_of_sample(p, &s, false, &pic, e);
    p->splits_given |= !rc && s.split != SPLIT_NONE;
    return rc || VEC_PUSH(&p->pictures, pic) ? rc : harvest_nomem(p, e);
}

static enum rc lines_sink(void *ud, const void *bytes, size_t n, struct err *e)
{
    struct lines *l = ud;
    str rest = {bytes, n};
    ptrdiff_t k;
    enum rc rc = RC_OK;

    while (!rc && (k = str_chr(rest, '\n')) >= 0) {
        buf_add(&l->partial, rest.p, (size_t)k);
        rc = buf_ok(&l->partial, e);
        if (!rc)
            rc = take_line(l, buf_view(&l->partial), e);
        buf_clear(&l->partial);
        rest = str_sub(rest, (size_t)k + 1, rest.n);
    }
    buf_add(&l->partial, rest.p, rest.n);
    return rc ? rc : buf_ok(&l->partial, e);
}

static enum rc read_lines(struct lines *l, const char *key, struct err *e)
{
    buf_init(&l->partial, DATASET_LINE_BYTES_MAX);
    enum rc rc = s3_get_stream(l->in->s3, key, lines_sink, l, e);
    buf_done(&l->partial);
    return rc;
}

static enum rc read_edits(struct ingest *in, struct err *e)
{
    struct lines l = {.in = in, .edits = true};
    struct harvest *p = &in->harvest;
    const char *key = arena_cstr(in->a, in->order->edits_key);
    enum rc rc = key ? RC_OK : harvest_nomem(p, e);

    map_init(&l.pictures);
    for (size_t i = 0; !rc && i < p->pictures.n; i++)
        rc = map_put(&l.pictures, p->pictures.p[i].name, (void *)(intptr_t)(i + 1), e);
    if (!rc)
        rc = read_lines(&l, key, e);
    map_done(&l.pictures);
    return rc;
}

static enum rc change_classes(struct ingest *in, struct err *e)
{
    struct harvest *p = &in->harvest;
    struct reclass r;
    enum rc rc = reclass_read(p->a, p->classes.p, p->classes.n, &in->order->classes, &r, e);

    p->splits_given = true; /* by the base, even if it puts no picture into one */
    return rc ? rc : reclass_apply(&r, p, e);
}

static enum rc read_version(struct ingest *in, struct err *e)
{
    struct lines l = {.in = in};
    char version[SHA256_HEX + 1], key[BLOB_KEY_MAX + 16];

    if (!is_sha256_hex(in->order->base_version))
        return err_field(e, RC_INVALID, "base_version", "not a version");
    memcpy(version, in->order->base_version.p, SHA256_HEX);
    version[SHA256_HEX] = 0;
    for (int i = 0; i < FORMAT_COUNT; i++)
        if (str_is(in->order->format, dataset_format_names[i]))
            in->harvest.format = (enum dataset_format)i;
    manifest_key(version, key);
    enum rc rc = read_lines(&l, key, e);
    if (!rc && in->order->kind == INGEST_DRAFT)
        rc = read_edits(in, e);
    if (!rc && in->order->kind == INGEST_CLASSES)
        rc = change_classes(in, e);
    return rc;
}

/* ---- results */

static enum rc upload_sink(void *ud, const void *p, size_t n, struct err *e)
{
    return s3_upload_write(ud, p, n, e);
}

static enum rc put_manifest(struct ingest *in, const struct assembly *as, struct err *e)
{
    struct s3_upload *u = NULL;
    struct s3_stat st;
    char key[BLOB_KEY_MAX + 16];

    manifest_key(as->version, key);
    enum rc rc = s3_upload_open(&u, in->s3, key, "application/jsonl", e);
    if (!rc)
        rc = assembly_write(as, upload_sink, u, e);
    if (!rc)
        rc = s3_upload_commit(u, &st, e);
    s3_upload_free(u);
    return rc;
}

static enum rc put_report(struct ingest *in, const struct assembly *as, struct err *e)
{
    struct s3_upload *u = NULL;
    struct s3_stat st;
    struct buf line;
    struct jw w;
    char key[BLOB_KEY_MAX];

    report_key(in->order->import_id, key);
    buf_init(&line, REPORT_LINE_MAX);
    enum rc rc = s3_upload_open(&u, in->s3, key, "application/jsonl", e);
    for (size_t i = 0; !rc && i <= in->harvest.faults.list.n; i++) {
        buf_clear(&line);
        jw_init(&w, &line);
        if (i)
            fault_write(&in->harvest.faults.list.p[i - 1], &w);
        else
            assembly_stats(as, &w);
        buf_putc(&line, '\n');
        rc = buf_ok(&line, e);
        if (!rc)
            rc = s3_upload_write(u, line.p, line.n, e);
    }
    if (!rc)
        rc = s3_upload_commit(u, &st, e);
    s3_upload_free(u);
    buf_done(&line);
    return rc;
}

static enum rc work(struct ingest *in, struct err *e)
{
    struct assembly as;
    bool anew = in->order->kind != INGEST_ARCHIVE;
    enum rc rc = anew ? read_version(in, e) : read_archive(in, e);

    if (!rc)
        rc = assemble(&in->harvest, &in->order->split, anew, &as, e);
    if (!rc)
        rc = put_manifest(in, &as, e);
    if (!rc)
        rc = put_report(in, &as, e);
    if (!rc)
        rc = tell_done(in, &as, e);
    return rc;
}

static enum rc open_store(struct ingest *in, struct err *e)
{
    const struct ingest_order *o = in->order;
    struct s3_config c = {arena_cstr(in->a, o->endpoint),
                          arena_cstr(in->a, o->region),
                          arena_cstr(in->a, o->bucket),
                          arena_cstr(in->a, o->access_key),
                          arena_cstr(in->a, o->secret_key),
                          arena_cstr(in->a, o->session_token),
                          o->virtual_host};

    if (!c.endpoint || !c.region || !c.bucket || !c.access_key || !c.secret_key || !c.session_token)
        return err_set(e, RC_NOMEM, "no memory to start an import");
    return s3_open(&in->s3, &c, e);
}

static enum rc read_order(int fd, struct arena *a, struct ingest_order *ret, struct err *e)
{
    struct buf line;
    enum rc rc = RC_OK;
    size_t n = 1;

    buf_init(&line, INGEST_ORDER_BYTES_MAX);
    while (!rc && n && (!line.n || line.p[line.n - 1] != '\n')) {
        char chunk[4096];
        rc = os_read(fd, chunk, sizeof chunk, &n, e);
        if (!rc)
            buf_add(&line, chunk, n);
    }
    if (!rc)
        rc = buf_ok(&line, e);
    if (!rc)
        rc = field_read_text(ingest_order_fields, str_trim(buf_view(&line)), ret, a, e);
    if (rc)
        rc = err_wrap(e, rc, "the import's order");
    if (!rc)
        rc = split_spec_check(&ret->split, e);
    buf_done(&line);
    return rc;
}

enum rc ingest_run(int in_fd, int out_fd, struct err *e)
{
    struct ingest_order order = {0};
    struct arena a;
    struct ingest in = {.order = &order, .out_fd = out_fd, .a = &a, .phase = "scan"};
    struct err why = {0};

    arena_init(&a, HARVEST_BYTES_MAX);
    harvest_init(&in.harvest, &a);
    enum rc rc = read_order(in_fd, &a, &order, &why);
    if (!rc)
        rc = open_store(&in, &why);
    if (!rc)
        rc = work(&in, &why);
    s3_close(in.s3);
    harvest_done(&in.harvest);
    arena_done(&a);
    return rc ? tell_failed(&in, &why, e) : RC_OK;
}
