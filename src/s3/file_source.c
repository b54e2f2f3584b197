/* file_source.c - see file_source.h. */
#include "s3/file_source.h"

#include "os/os.h"
#include <fcntl.h>

enum rc file_source_open(struct file_source *f, const char *path, struct err *e)
{
    struct file_source out = {.path = path, .fd = -1};
    enum rc rc = os_open(path, O_RDONLY | O_CLOEXEC, 0, &out.fd, e);

    if (!rc)
        rc = os_file_size(path, &out.bytes, e);
    if (rc) {
        os_close(out.fd);
        return rc;
    }
    out.left = out.bytes;
    *f = out;
    return RC_OK;
}

void file_source_close(struct file_source *f)
{
    os_close(f->fd);
    f->fd = -1;
}

enum rc file_source_pull(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    struct file_source *f = ud;
    size_t n = 0;
    enum rc rc;

    if (cap > f->left)
        cap = (size_t)f->left;
    rc = cap ? os_read(f->fd, p, cap, &n, e) : RC_OK;
    if (!rc && cap && !n)
        rc = err_set(e, RC_CORRUPT, "'%s' became shorter while it was sent", f->path);
    if (rc)
        return rc;
    f->left -= n;
    *ret_n = n;
    return RC_OK;
}

enum rc file_source_rewind(void *ud, struct err *e)
{
    struct file_source *f = ud;
    int fd;
    enum rc rc = os_open(f->path, O_RDONLY | O_CLOEXEC, 0, &fd, e);

    if (rc)
        return rc;
    os_close(f->fd);
    f->fd = fd;
    f->left = f->bytes;
    return RC_OK;
}
