/* sample_out.c - see sample_out.h.  The archive stores (pictures do not shrink) and its times are
 * fixed, so that equal content gives equal bytes. */
#include "lab/vision/sample_out.h"

#include "base/mem.h"
#include "os/os.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 4096 };
static const int64_t FILE_TIME = 315619200; /* 1980-01-02 UTC: zip knows nothing before 1980 */

struct sample_out {
    char target[PATH_BYTES], made[PATH_BYTES]; /* made: the folder last made sure of */
    struct archive *zip;
    int fd;
    int64_t bytes;
    bool finished;
};

static enum rc seen_entry(void *ud, const char *name, bool is_dir, struct err *e)
{
    return err_set(e, RC_CONFLICT, "'%s' is not empty; name a new folder", (const char *)ud);
}

static enum rc zip_failed(struct sample_out *o, struct err *e)
{
    const char *text = archive_error_string(o->zip);

    return err_set(e, RC_IO, "writing '%s': %s", o->target, text ? text : "libarchive failed");
}

static enum rc open_zip(struct sample_out *o, struct err *e)
{
    enum rc rc = os_open(o->target, O_WRONLY | O_CREAT | O_EXCL, 0644, &o->fd, e);

    if (rc)
        return os_exists(o->target)
                   ? err_set(e, RC_CONFLICT, "'%s' exists; name another file", o->target)
                   : rc;
    o->zip = archive_write_new();
    if (!o->zip)
        return err_set(e, RC_NOMEM, "out of memory");
    if (archive_write_set_format_zip(o->zip) != ARCHIVE_OK ||
        archive_write_set_options(o->zip, "zip:compression=store,zip:!experimental") !=
            ARCHIVE_OK ||
        archive_write_open_fd(o->zip, o->fd) != ARCHIVE_OK)
        return zip_failed(o, e);
    return RC_OK;
}

enum rc sample_out_open(struct sample_out **ret, const char *target, bool zip, struct err *e)
{
    struct sample_out *o = mem_zalloc(sizeof *o);
    size_t n = strlen(target);
    enum rc rc = RC_OK;

    if (!o)
        return err_set(e, RC_NOMEM, "out of memory");
    o->fd = -1;
    while (n > 1 && target[n - 1] == '/')
        n--;
    if (!n || n >= PATH_BYTES / 2)
        rc = err_set(e, RC_INVALID, "the name of the target must have 1 to %d bytes",
                     PATH_BYTES / 2);
    else
        memcpy(o->target, target, n);
    if (!rc && zip)
        rc = open_zip(o, e);
    else if (!rc && os_exists(o->target))
        rc = os_list_dir(o->target, seen_entry, o->target, e);
    else if (!rc)
        rc = os_mkdirs(o->target, 0755, e);
    if (rc)
        sample_out_free(o);
    else
        *ret = o;
    return rc;
}

static enum rc put_zip(struct sample_out *o, const char *path, str bytes, struct err *e)
{
    struct archive_entry *entry = archive_entry_new();
    enum rc rc = RC_OK;

    if (!entry)
        return err_set(e, RC_NOMEM, "out of memory");
    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (int64_t)bytes.n);
    archive_entry_set_mtime(entry, FILE_TIME, 0);
    if (archive_write_header(o->zip, entry) != ARCHIVE_OK ||
        (bytes.n && archive_write_data(o->zip, bytes.p, bytes.n) != (la_ssize_t)bytes.n))
        rc = zip_failed(o, e);
    archive_entry_free(entry);
    return rc;
}

static enum rc put_file(struct sample_out *o, const char *path, str bytes, struct err *e)
{
    char whole[PATH_BYTES + 64], dir[PATH_BYTES];
    ptrdiff_t slash;
    int fd = -1;
    enum rc rc = RC_OK;

    snprintf(whole, sizeof whole, "%s/%s", o->target, path);
    slash = str_rchr(str_of(whole), '/');
    snprintf(dir, sizeof dir, "%.*s", (int)slash, whole);
    if (strcmp(dir, o->made)) {
        rc = os_mkdirs(dir, 0755, e);
        memcpy(o->made, dir, sizeof dir);
    }
    if (!rc)
        rc = os_open(whole, O_WRONLY | O_CREAT | O_EXCL, 0644, &fd, e);
    if (!rc)
        rc = os_write_all(fd, bytes.p, bytes.n, e);
    os_close(fd);
    return rc;
}

enum rc sample_out_put(struct sample_out *o, const char *path, str bytes, struct err *e)
{
    o->bytes += (int64_t)bytes.n;
    return o->zip ? put_zip(o, path, bytes, e) : put_file(o, path, bytes, e);
}

enum rc sample_out_finish(struct sample_out *o, int64_t *ret_bytes, struct err *e)
{
    if (o->zip && archive_write_close(o->zip) != ARCHIVE_OK)
        return zip_failed(o, e);
    o->finished = true;
    *ret_bytes = o->bytes;
    return RC_OK;
}

void sample_out_free(struct sample_out *o)
{
    if (!o)
        return;
    if (o->zip)
        archive_write_free(o->zip);
    if (o->fd >= 0) {
        os_close(o->fd);
        if (!o->finished)
            os_sys.unlink(o->target);
    }
    mem_free(o);
}
