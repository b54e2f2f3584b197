/* cli_source.c - see cli_source.h.
 *
 * libarchive pushes, an upload pulls: source_read drives the archive one chunk at a time and hands
 * out what it has pushed into a buffer.  The size of the tar is known beforehand by packing it once
 * without reading the files. */
#include "bin/cli_source.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/vec.h"
#include "os/os.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum {
    NAMES_BYTES_MAX = 1 << 30,
    DEPTH_MAX = 32,
    CHUNK = 256 << 10,
    OUT_BYTES_MAX = 4 << 20, /* one chunk and the headers before it */
    TAR_BLOCK = 10240,
};

struct member {
    const char *path; /* below the folder */
    uint64_t bytes;
};
struct source {
    struct arena a;
    const char *path;
    int64_t bytes, at;
    int fd; /* of the archive, or of the file that is being packed */
    /* a folder */
    bool is_folder, hollow; /* hollow: zeros in place of the files, to learn the size */
    VEC(struct member) list;
    struct archive *tar;
    struct buf out;    /* pushed, not yet read */
    size_t next;       /* the file to be begun */
    uint64_t rest;     /* bytes of the one under way */
    bool open, closed; /* a file is under way; the tar is at its end */
    char *chunk;
};

/* ---- the list of files */

struct scan {
    struct source *s;
    const char *below; /* "" or "train/cat/" */
    int depth;
};

static enum rc scan_entry(void *ud, const char *name, bool is_dir, struct err *e)
{
    struct scan *in = ud, deeper = {in->s, NULL, in->depth + 1};
    struct source *s = in->s;
    const char *path = arena_printf(&s->a, "%s%s", in->below, name), *whole;
    struct member m = {path, 0};
    enum rc rc = RC_OK;

    whole = arena_printf(&s->a, "%s/%s", s->path, path ? path : "");
    if (!path || !whole)
        return err_set(e, RC_NOMEM, "the folder has too many files to list");
    if (name[0] == '.')
        return RC_OK; /* .git, .DS_Store: not data */
    if (is_dir) {
        deeper.below = arena_printf(&s->a, "%s/", path);
        if (deeper.depth > DEPTH_MAX)
            return err_set(e, RC_INVALID, "'%s' lies more than %d folders deep", whole, DEPTH_MAX);
        return deeper.below ? os_list_dir(whole, scan_entry, &deeper, e)
                            : err_set(e, RC_NOMEM, "out of memory");
    }
    rc = os_file_size(whole, &m.bytes, e);
    if (!rc && !VEC_PUSH(&s->list, m))
        rc = err_set(e, RC_NOMEM, "out of memory");
    return rc;
}

/* ---- the tar */

static la_ssize_t on_write(struct archive *tar, void *ud, const void *p, size_t n)
{
    struct source *s = ud;

    buf_add(&s->out, p, n);
    if (buf_ok(&s->out, NULL)) {
        archive_set_error(tar, ENOMEM, "out of memory");
        return -1;
    }
    return (la_ssize_t)n;
}

static enum rc tar_failed(struct source *s, struct err *e)
{
    const char *text = s->tar ? archive_error_string(s->tar) : NULL;

    return err_set(e, RC_IO, "packing '%s': %s", s->path, text ? text : "libarchive failed");
}

static void end_tar(struct source *s)
{
    if (s->tar)
        archive_write_free(s->tar);
    s->tar = NULL;
    os_close(s->fd);
    s->fd = -1;
}

static enum rc begin_tar(struct source *s, struct err *e)
{
    end_tar(s);
    buf_clear(&s->out);
    s->next = 0;
    s->rest = 0;
    s->at = 0;
    s->open = s->closed = false;
    s->tar = archive_write_new();
    if (!s->tar)
        return err_set(e, RC_NOMEM, "out of memory");
    if (archive_write_set_format_pax_restricted(s->tar) != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(s->tar, TAR_BLOCK) != ARCHIVE_OK ||
        archive_write_open(s->tar, s, NULL, on_write, NULL) != ARCHIVE_OK)
        return tar_failed(s, e);
    return RC_OK;
}

static enum rc begin_file(struct source *s, struct err *e)
{
    const struct member *m = &s->list.p[s->next++];
    struct archive_entry *entry = archive_entry_new();
    const char *whole = arena_printf(&s->a, "%s/%s", s->path, m->path);
    enum rc rc = RC_OK;

    if (!entry || !whole) {
        archive_entry_free(entry);
        return err_set(e, RC_NOMEM, "out of memory");
    }
    archive_entry_set_pathname(entry, m->path);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (int64_t)m->bytes);
    archive_entry_set_mtime(entry, 0, 0);
    if (archive_write_header(s->tar, entry) < ARCHIVE_WARN)
        rc = tar_failed(s, e);
    archive_entry_free(entry);
    if (!rc && !s->hollow)
        rc = os_open(whole, O_RDONLY, 0, &s->fd, e);
    s->rest = m->bytes;
    s->open = true;
    return rc;
}

static enum rc changed(struct source *s, struct err *e)
{
    return err_set(e, RC_CORRUPT, "'%s/%s' has changed while it was sent; import again", s->path,
                   s->list.p[s->next - 1].path);
}

static enum rc pack_chunk(struct source *s, struct err *e)
{
    size_t n = s->rest < CHUNK ? (size_t)s->rest : CHUNK, got = n;
    enum rc rc = RC_OK;

    if (!n) {
        if (!s->hollow) /* not a byte more than there was */
            rc = os_read(s->fd, s->chunk, 1, &got, e);
        os_close(s->fd);
        s->fd = -1;
        s->open = false;
        return rc ? rc : got ? changed(s, e) : RC_OK;
    }
    if (!s->hollow) {
        rc = os_read(s->fd, s->chunk, n, &got, e);
        if (!rc && !got)
            return changed(s, e);
    }
    if (!rc && archive_write_data(s->tar, s->chunk, got) != (la_ssize_t)got)
        rc = tar_failed(s, e);
    s->rest -= got;
    return rc;
}

/* One step of packing; something may or may not come out. */
static enum rc step(struct source *s, struct err *e)
{
    if (s->open)
        return pack_chunk(s, e);
    if (s->next < s->list.n)
        return begin_file(s, e);
    s->closed = true;
    return archive_write_close(s->tar) == ARCHIVE_OK ? RC_OK : tar_failed(s, e);
}

static enum rc fill(struct source *s, struct err *e)
{
    enum rc rc = RC_OK;

    while (!rc && !s->out.n && !s->closed)
        rc = step(s, e);
    return rc;
}

static enum rc measure(struct source *s, struct err *e)
{
    enum rc rc;

    s->hollow = true;
    rc = begin_tar(s, e);
    s->bytes = 0;
    while (!rc && !(rc = fill(s, e)) && s->out.n) {
        s->bytes += (int64_t)s->out.n;
        buf_clear(&s->out);
    }
    s->hollow = false;
    return rc ? rc : begin_tar(s, e);
}

static enum rc open_folder(struct source *s, struct err *e)
{
    struct scan top = {s, "", 0};
    enum rc rc;

    s->chunk = mem_zalloc(CHUNK);
    if (!s->chunk)
        return err_set(e, RC_NOMEM, "out of memory");
    rc = os_list_dir(s->path, scan_entry, &top, e);
    if (!rc && !s->list.n)
        rc = err_set(e, RC_INVALID, "the folder '%s' holds no files", s->path);
    return rc ? rc : measure(s, e);
}

/* ---- the front */

static enum rc nothing(void *ud, const char *name, bool is_dir, struct err *e)
{
    return RC_OK;
}

enum rc source_open(struct source **ret, const char *path, struct err *e)
{
    struct source *s = mem_zalloc(sizeof *s);
    uint64_t bytes = 0;
    size_t n = strlen(path);
    enum rc rc = RC_OK;

    if (!s)
        return err_set(e, RC_NOMEM, "out of memory");
    s->fd = -1;
    arena_init(&s->a, NAMES_BYTES_MAX);
    buf_init(&s->out, OUT_BYTES_MAX);
    while (n > 1 && path[n - 1] == '/')
        n--;
    s->path = arena_cstr(&s->a, (str){path, n});
    if (!s->path)
        rc = err_set(e, RC_NOMEM, "out of memory");
    else if (!os_exists(path))
        rc = err_set(e, RC_NOT_FOUND, "there is no file or folder '%s'", path);
    else if (!os_list_dir(path, nothing, NULL, NULL))
        s->is_folder = true;
    if (!rc && s->is_folder)
        rc = open_folder(s, e);
    else if (!rc)
        rc = os_file_size(path, &bytes, e);
    if (!rc && !s->is_folder) {
        s->bytes = (int64_t)bytes;
        rc = bytes ? os_open(path, O_RDONLY, 0, &s->fd, e)
                   : err_set(e, RC_INVALID, "'%s' is empty", path);
    }
    if (rc)
        source_close(s);
    else
        *ret = s;
    return rc;
}

void source_close(struct source *s)
{
    if (!s)
        return;
    end_tar(s);
    VEC_DONE(&s->list);
    buf_done(&s->out);
    mem_free(s->chunk);
    arena_done(&s->a);
    mem_free(s);
}

int64_t source_bytes(const struct source *s)
{
    return s->bytes;
}

int64_t source_files(const struct source *s)
{
    return (int64_t)s->list.n;
}

enum rc source_seek(struct source *s, int64_t at, struct err *e)
{
    size_t n = 1;
    enum rc rc = RC_OK;

    if (!s->is_folder) {
        s->at = at;
        return RC_OK;
    }
    if (at < s->at)
        rc = begin_tar(s, e);
    while (!rc && s->at < at && n) { /* pack, and throw away */
        rc = fill(s, e);
        n = s->out.n < (uint64_t)(at - s->at) ? s->out.n : (size_t)(at - s->at);
        buf_drop_front(&s->out, n);
        s->at += (int64_t)n;
    }
    return rc;
}

enum rc source_read(struct source *s, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    size_t n;
    enum rc rc = RC_OK;

    if (!s->is_folder) {
        ssize_t got = os_sys.pread(s->fd, p, cap, s->at);

        if (got < 0)
            return err_errno(e, errno, "reading '%s'", s->path);
        s->at += got;
        *ret_n = (size_t)got;
        return RC_OK;
    }
    rc = fill(s, e);
    if (rc)
        return rc;
    n = s->out.n < cap ? s->out.n : cap;
    if (n)
        memcpy(p, s->out.p, n);
    buf_drop_front(&s->out, n);
    s->at += (int64_t)n;
    *ret_n = n;
    return RC_OK;
}
