/* model_file.c - weights files on a disk, and whether they are the ones that were meant. */
#include "engine/bundle/model.h"

#include "base/mem.h"
#include "os/os.h"
#include <fcntl.h>

enum rc model_load(struct model **ret, const char *path, const struct model_plan *how,
                   struct err *e)
{
    struct safetensors *s;
    enum rc rc = safetensors_open(&s, path, e);

    if (rc)
        return err_wrap(e, rc, "loading weights");
    rc = model_load_from(ret, s, how, e);
    safetensors_close(s);
    return rc ? err_wrap(e, rc, "the weights %s", path) : RC_OK;
}

enum rc model_fill(struct model *m, const char *path, struct err *e)
{
    struct safetensors *s;
    enum rc rc = safetensors_open(&s, path, e);

    if (rc)
        return rc;
    rc = model_fill_from(m, s, e);
    safetensors_close(s);
    return rc ? err_wrap(e, rc, "the weights %s", path) : RC_OK;
}

enum rc model_check_file(const char *path, str sha256, struct err *e)
{
    enum { CHUNK = 1 << 16 };
    char *chunk, hex[SHA256_HEX + 1];
    uint8_t digest[SHA256_BYTES];
    struct hasher h;
    size_t got = 1;
    int fd = -1;
    enum rc rc;

    if (!sha256.n)
        return RC_OK;
    if (!(chunk = mem_alloc(CHUNK)))
        return err_set(e, RC_NOMEM, "no memory to check %s", path);
    rc = os_open(path, O_RDONLY, 0, &fd, e);
    if (!rc && !(rc = sha256_init(&h, e))) {
        while (!rc && got > 0) {
            rc = os_read(fd, chunk, CHUNK, &got, e);
            if (!rc)
                hasher_add(&h, chunk, got);
        }
        hasher_final(&h, digest);
    }
    os_close(fd);
    mem_free(chunk);
    if (rc)
        return rc;
    hex_of(digest, sizeof digest, hex);
    return str_is(sha256, hex)
               ? RC_OK
               : err_set(e, RC_CORRUPT, "%s is damaged: its SHA-256 is %s", path, hex);
}
