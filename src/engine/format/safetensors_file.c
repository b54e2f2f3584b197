/* safetensors_file.c - a file as the source of tensors: each is read where it lies, when asked for.
 */
#include "engine/format/safetensors.h"

#include "base/mem.h"
#include "os/os.h"
#include <errno.h>
#include <fcntl.h>

struct file {
    int fd;
    char path[];
};

static enum rc read_file(void *ud, void *p, size_t n, uint64_t at, struct err *e)
{
    const struct file *f = ud;

    while (n > 0) {
        ssize_t got = os_sys.pread(f->fd, p, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(e, errno, "reading %s", f->path);
        if (got == 0)
            return err_set(e, RC_CORRUPT, "%s ends early", f->path);
        p = (char *)p + got;
        n -= (size_t)got;
        at += (uint64_t)got;
    }
    return RC_OK;
}

static void close_file(void *ud)
{
    struct file *f = ud;

    os_close(f->fd);
    mem_free(f);
}

enum rc safetensors_open(struct safetensors **ret, const char *path, struct err *e)
{
    const size_t length = strlen(path) + 1;
    struct file *f = mem_alloc(sizeof *f + length);
    struct safetensors_source from = {0, read_file, close_file, f};
    enum rc rc;

    if (!f)
        return err_set(e, RC_NOMEM, "no memory to open %s", path);
    memcpy(f->path, path, length);
    rc = os_open(path, O_RDONLY, 0, &f->fd, e);
    if (rc) {
        mem_free(f);
        return rc;
    }
    rc = os_file_size(path, &from.bytes, e);
    if (rc) {
        close_file(f);
        return rc;
    }
    return safetensors_begin(ret, path, &from, e);
}
