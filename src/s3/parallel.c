/* parallel.c - a large file as a multipart upload: several parts at a time, resumable.
 *
 * Each worker takes the next part that the store has not, hashes it, and sends it from the file:
 * memory does not grow with parts.  What is lost with the connection stays in the store as an
 * unfinished upload; the next call for the same key finds it (ListMultipartUploads), asks for its
 * parts (ListParts) and takes those whose length and MD5 are the file's.  A part is sent again
 * rather than trusted. */
#include "s3/client_int.h"

#include "base/mem.h"
#include "os/os.h"
#include "s3/file_source.h"
#include "s3/xml.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { PIECE = 64 << 10, REPLY_BYTES_MAX = 8 << 20 };

struct parts {
    struct s3 *s;
    const char *key, *path;
    uint64_t bytes, part_bytes;
    size_t n;
    char id[S3_UPLOAD_ID_MAX + 1]; /* encoded */
    struct s3_etag *stored;        /* what the store says that it has; "" nothing */
    struct s3_etag *etags;
    uint8_t (*md5)[MD5_BYTES];
    pthread_mutex_t lock; /* guards what follows */
    size_t next;
    enum rc rc; /* the first failure; ends all */
    struct err err;
};

/* ---- one part, read from its place in the file */

struct slice {
    int fd;
    uint64_t from, at, end;
};

static enum rc slice_pull(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    struct slice *f = ud;
    size_t n = f->end - f->at < cap ? (size_t)(f->end - f->at) : cap;
    enum rc rc = n ? os_pread_full(f->fd, p, n, f->at, e) : RC_OK;

    if (rc)
        return rc;
    f->at += n;
    *ret_n = n;
    return RC_OK;
}

static enum rc slice_rewind(void *ud, struct err *e)
{
    struct slice *f = ud;

    f->at = f->from;
    return RC_OK;
}

static enum rc slice_md5(struct slice *f, uint8_t ret[MD5_BYTES], struct err *e)
{
    char *piece = mem_alloc(PIECE);
    struct hasher h = {0};
    size_t n = 1;
    enum rc rc = piece ? md5_init(&h, e) : err_set(e, RC_NOMEM, "out of memory");

    while (!rc && n) {
        rc = slice_pull(f, piece, PIECE, &n, e);
        if (!rc)
            hasher_add(&h, piece, n);
    }
    if (!rc)
        hasher_final(&h, ret);
    hasher_done(&h);
    mem_free(piece);
    return rc ? rc : slice_rewind(f, e);
}

static enum rc send_slice(struct parts *p, size_t i, struct slice *f, struct err *e)
{
    char query[S3_UPLOAD_ID_MAX + 64], sum[S3_MD5_HEADER];
    struct transfer t = {.method = HTTP_PUT,
                         .headers = {sum},
                         .source = slice_pull,
                         .source_ud = f,
                         .source_bytes = (int64_t)(f->end - f->from),
                         .rewind = slice_rewind,
                         .timeout_ms = -1};
    struct client_reply r;
    enum rc rc;

    s3_md5_header(p->md5[i], sum);
    snprintf(query, sizeof query, "partNumber=%zu&uploadId=%s", i + 1, p->id);
    rc = s3_do(p->s, &t, p->key, query, &r, e);
    if (!rc && !r.etag[0])
        rc = err_set(e, RC_UPSTREAM, "object store: %s: a part was taken without an ETag", p->key);
    if (!rc)
        rc = s3_check_put(p->s, p->key, p->md5[i], r.etag, e);
    if (!rc)
        memcpy(p->etags[i].text, r.etag, sizeof r.etag);
    return rc;
}

static enum rc do_part(struct parts *p, size_t i, int fd, struct err *e)
{
    struct slice f = {.fd = fd, .from = (uint64_t)i * p->part_bytes};
    char hex[MD5_HEX + 1];
    enum rc rc;

    f.at = f.from;
    f.end = f.from + p->part_bytes < p->bytes ? f.from + p->part_bytes : p->bytes;
    rc = slice_md5(&f, p->md5[i], e);
    if (rc)
        return rc;
    hex_of(p->md5[i], MD5_BYTES, hex);
    if (!strcmp(hex, p->stored[i].text)) {
        p->etags[i] = p->stored[i];
        return RC_OK;
    }
    return send_slice(p, i, &f, e);
}

static void *worker(void *ud)
{
    struct parts *p = ud;
    struct err e = {0};
    int fd = -1;
    enum rc rc = os_open(p->path, O_RDONLY | O_CLOEXEC, 0, &fd, &e);

    for (;;) {
        size_t i;
        pthread_mutex_lock(&p->lock);
        if (rc && !p->rc) {
            p->rc = rc;
            p->err = e;
        }
        rc = p->rc;
        i = p->next++;
        pthread_mutex_unlock(&p->lock);
        if (rc || i >= p->n)
            break;
        rc = do_part(p, i, fd, &e);
    }
    os_close(fd);
    return NULL;
}

/* This thread is one of the workers; that fewer others start than wanted is no failure. */
static enum rc send_all(struct parts *p, struct err *e)
{
    pthread_t thread[S3_PARALLEL];
    size_t started = 0;

    while (started + 1 < S3_PARALLEL && started + 1 < p->n &&
           !pthread_create(&thread[started], NULL, worker, p))
        started++;
    worker(p);
    while (started)
        pthread_join(thread[--started], NULL);
    if (p->rc && e)
        *e = p->err;
    return p->rc;
}

/* ---- an upload that was left */

/* Reads the leaves `names[0..n)` of an element into texts. */
static enum rc read_leaves(struct xml *x, const char *const *names, struct buf *texts, size_t n,
                           struct err *e)
{
    enum xml_event ev;
    enum rc rc;
    str s;

    while (!(rc = xml_next(x, &ev, e)) && ev != XML_CLOSE) {
        size_t i = 0;
        if (ev != XML_OPEN)
            continue;
        while (i < n && !str_is(x->name, names[i]))
            i++;
        if (i == n) {
            rc = xml_skip(x, e);
        } else {
            rc = xml_leaf(x, &s, e);
            buf_clear(&texts[i]);
            if (!rc)
                buf_str(&texts[i], s);
        }
        if (rc)
            return rc;
    }
    return rc;
}

typedef void (*row_fn)(struct parts *p, const struct buf *texts);

/* Calls `each` for every element `row` of the reply to a GET; *ret_more, the texts of top-level
 * elements IsTruncated and NextPartNumberMarker. */
static enum rc get_rows(struct parts *p, const char *key, const char *query, const char *row,
                        const char *const names[3], row_fn each, bool *ret_more,
                        uint64_t *ret_marker, struct err *e)
{
    struct buf reply, texts[3];
    struct transfer t = {.method = HTTP_GET, .out = &reply};
    struct client_reply r;
    struct xml x;
    enum xml_event ev;
    enum rc rc;
    str s;

    buf_init(&reply, REPLY_BYTES_MAX);
    for (size_t i = 0; i < 3; i++)
        buf_init(&texts[i], 4096);
    rc = s3_do(p->s, &t, key, query, &r, e);
    xml_init(&x, buf_view(&reply));
    if (!rc)
        rc = xml_next(&x, &ev, e); /* the root */
    while (!rc && !(rc = xml_next(&x, &ev, e)) && ev != XML_END) {
        if (ev != XML_OPEN)
            continue;
        if (str_is(x.name, row)) {
            for (size_t i = 0; i < 3; i++)
                buf_clear(&texts[i]);
            rc = read_leaves(&x, names, texts, 3, e);
            if (!rc)
                each(p, texts);
        } else if (str_is(x.name, "IsTruncated")) {
            rc = xml_leaf(&x, &s, e);
            *ret_more = !rc && str_is(s, "true");
        } else if (str_is(x.name, "NextPartNumberMarker")) {
            rc = xml_leaf(&x, &s, e);
            if (!rc && !str_u64(str_trim(s), ret_marker))
                *ret_marker = 0;
        } else {
            rc = xml_skip(&x, e);
        }
    }
    xml_done(&x);
    buf_done(&reply);
    for (size_t i = 0; i < 3; i++)
        buf_done(&texts[i]);
    return rc;
}

/* Key, UploadId: the last of our key is the youngest. */
static void take_upload(struct parts *p, const struct buf *texts)
{
    struct buf id;

    if (!str_is(buf_view(&texts[0]), p->key))
        return;
    buf_init(&id, S3_UPLOAD_ID_MAX);
    sigv4_encode(&id, buf_view(&texts[1]), false);
    if (!id.rc && id.n)
        memcpy(p->id, id.p, id.n + 1);
    buf_done(&id);
}

/* PartNumber, ETag, Size. */
static void take_part(struct parts *p, const struct buf *texts)
{
    str tag = str_trim(buf_view(&texts[1]));
    uint64_t number, size, i;

    if (!str_u64(str_trim(buf_view(&texts[0])), &number) || !number || number > p->n ||
        !str_u64(str_trim(buf_view(&texts[2])), &size))
        return;
    i = number - 1;
    if (size != (number == p->n ? p->bytes - i * p->part_bytes : p->part_bytes))
        return;
    if (tag.n >= 2 && tag.p[0] == '"' && tag.p[tag.n - 1] == '"')
        tag = str_sub(tag, 1, tag.n - 2);
    snprintf(p->stored[i].text, sizeof p->stored[i].text, "%.*s", STR_F(tag));
}

/* Whatever cannot be found out about an old upload only costs a new one. */
static void find_left(struct parts *p)
{
    static const char *const upload[] = {"Key", "UploadId", ""};
    static const char *const part[] = {"PartNumber", "ETag", "Size"};
    struct buf query;
    struct err ignored;
    uint64_t marker = 0;
    bool more = false;
    enum rc rc;

    buf_init(&query, S3_URL_BYTES_MAX);
    buf_puts(&query, "uploads=&prefix=");
    sigv4_encode(&query, str_of(p->key), false);
    rc = buf_ok(&query, &ignored);
    if (!rc)
        rc = get_rows(p, NULL, query.p, "Upload", upload, take_upload, &more, &marker, &ignored);
    for (more = !rc && p->id[0]; more && !rc;) {
        uint64_t after = marker;
        more = false;
        buf_clear(&query);
        buf_printf(&query, "max-parts=1000&part-number-marker=%llu&uploadId=%s",
                   (unsigned long long)after, p->id);
        rc = get_rows(p, p->key, query.p, "Part", part, take_part, &more, &marker, &ignored);
        more = more && marker > after;
    }
    buf_done(&query);
    if (rc)
        p->id[0] = 0;
}

/* ---- the whole */

static enum rc check_whole(struct parts *p, const struct s3_stat *st, struct err *e)
{
    char text[MD5_HEX + 16], hex[MD5_HEX + 1];
    uint8_t md5[MD5_BYTES];
    enum rc rc = s3_md5((str){(const char *)p->md5, p->n * MD5_BYTES}, md5, e);

    if (rc || !atomic_load(&p->s->etag_is_md5))
        return rc;
    hex_of(md5, sizeof md5, hex);
    snprintf(text, sizeof text, "%s-%zu", hex, p->n);
    return !strcmp(text, st->etag) ? RC_OK
                                   : err_set(e, RC_CORRUPT,
                                             "object store: %s: the store made another object "
                                             "(ETag %s) of the parts than was sent (%s)",
                                             p->key, st->etag, text);
}

static bool worth_keeping(enum rc rc)
{
    return rc == RC_UNAVAILABLE || rc == RC_TIMEOUT || rc == RC_UPSTREAM || rc == RC_CANCELLED;
}

static enum rc run(struct parts *p, const char *type, struct err *e)
{
    struct s3_stat st = {0};
    enum rc rc = RC_OK;

    find_left(p);
    if (!p->id[0])
        rc = s3_upload_begin(p->s, p->key, type, p->id, e);
    if (rc)
        return rc;
    rc = send_all(p, e);
    if (!rc)
        rc = s3_upload_end(p->s, p->key, p->id, p->etags, p->n, p->bytes, &st, e);
    if (!rc)
        return check_whole(p, &st, e);
    if (!worth_keeping(rc))
        s3_upload_abort(p->s, p->key, p->id);
    return rc;
}

enum rc s3_put_parts(struct s3 *s, const char *key, const char *path, uint64_t bytes,
                     const char *type, struct err *e)
{
    struct parts p = {
        .s = s, .key = key, .path = path, .bytes = bytes, .part_bytes = S3_PART_BYTES};
    enum rc rc;

    while ((bytes + p.part_bytes - 1) / p.part_bytes > S3_PARTS_MAX)
        p.part_bytes *= 2;
    p.n = (size_t)((bytes + p.part_bytes - 1) / p.part_bytes);
    p.stored = mem_zalloc(p.n * sizeof *p.stored);
    p.etags = mem_zalloc(p.n * sizeof *p.etags);
    p.md5 = mem_zalloc(p.n * sizeof *p.md5);
    pthread_mutex_init(&p.lock, NULL);
    rc = p.stored && p.etags && p.md5 ? run(&p, type, e) : err_set(e, RC_NOMEM, "out of memory");
    pthread_mutex_destroy(&p.lock);
    mem_free(p.stored);
    mem_free(p.etags);
    mem_free(p.md5);
    return rc;
}
