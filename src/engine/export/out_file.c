/* out_file.c - see out_file.h. */
#include "engine/export/out_file.h"

#include "base/mem.h"
#include "os/os.h"
#include <fcntl.h>
#include <string.h>

void out_file_open(struct out_file *f, const char *path)
{
    struct buf b;

    *f = (struct out_file){.fd = -1};
    f->path = mem_strndup(path, strlen(path));
    buf_init(&b, 8192);
    buf_printf(&b, "%s.tmp", path);
    f->temporary = buf_take(&b, NULL);
    buf_done(&b);
    if (!f->path || !f->temporary)
        f->rc = err_set(&f->err, RC_NOMEM, "no memory to write %s", path);
    if (!f->rc)
        f->rc = sha256_init(&f->hash, &f->err);
    if (f->rc)
        return;
    f->rc = os_open(f->temporary, O_WRONLY | O_CREAT | O_TRUNC, 0666, &f->fd, &f->err);
    if (f->rc)
        hasher_done(&f->hash);
}

void out_file_put(struct out_file *f, const void *p, size_t n)
{
    if (f->rc)
        return;
    hasher_add(&f->hash, p, n);
    f->bytes += (int64_t)n;
    f->rc = os_write_all(f->fd, p, n, &f->err);
}

enum rc out_file_close(struct out_file *f, bool keep, struct out_file_done *ret, struct err *e)
{
    const bool opened = f->fd >= 0;
    uint8_t digest[SHA256_BYTES];

    if (opened) {
        hasher_final(&f->hash, digest);
        if (!f->rc && keep)
            f->rc = os_fsync(f->fd, &f->err);
        os_close(f->fd);
        if (!f->rc && keep)
            f->rc = os_rename_durable(f->temporary, f->path, &f->err);
        if (f->rc || !keep)
            (void)os_sys.unlink(f->temporary);
    }
    if (f->rc)
        (void)err_wrap(&f->err, f->rc, "cannot write %s", f->path ? f->path : "the export");
    if (f->rc && e)
        *e = f->err;
    mem_free(f->path);
    mem_free(f->temporary);
    f->path = f->temporary = NULL;
    f->fd = -1;
    if (f->rc || !keep)
        return f->rc;
    hex_of(digest, SHA256_BYTES, ret->sha256);
    ret->bytes = f->bytes;
    return RC_OK;
}
