/* cli_weights.c - `anneal train --weights`: first weights of another job, or of a file on this
 * machine, which is uploaded once under its SHA-256. */
#include "base/hash.h"
#include "bin/cli_jobs.h"
#include "os/os.h"

#include <fcntl.h>

enum { PIECE_BYTES = 64 << 10 };

struct upload {
    int fd;
};

static enum rc pull(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    const struct upload *u = ud;

    return os_read(u->fd, p, cap, ret_n, e);
}

static enum rc hash_file(int fd, char hex[SHA256_HEX + 1], int64_t *ret_bytes, struct err *e)
{
    char piece[PIECE_BYTES];
    uint8_t digest[SHA256_BYTES];
    struct hasher h;
    size_t n = 1;
    enum rc rc = sha256_init(&h, e);

    if (rc)
        return rc;
    *ret_bytes = 0;
    while (!rc && n) {
        rc = os_read(fd, piece, sizeof piece, &n, e);
        if (!rc)
            hasher_add(&h, piece, n);
        *ret_bytes += rc ? 0 : (int64_t)n;
    }
    hasher_final(&h, digest);
    hex_of(digest, sizeof digest, hex);
    return rc;
}

static enum rc send(struct cli *c, const char *path, const char *hex, int64_t bytes, struct err *e)
{
    struct upload u = {.fd = -1};
    struct client_call call = {.method = HTTP_PUT,
                               .source = pull,
                               .source_ud = &u,
                               .source_bytes = bytes,
                               .timeout_ms = -1};
    struct client_reply reply = {0};
    struct buf b;
    enum rc rc = os_open(path, O_RDONLY, 0, &u.fd, e);

    if (rc)
        return rc;
    buf_init(&b, 1 << 20);
    call.reply = &b;
    rc = cli_do(c, &call, cli_path(c->a, "/training/weights/%s", hex), "application/octet-stream",
                &reply, e);
    if (!rc && reply.status >= 300)
        rc = cli_problem(c->a, reply.status, buf_view(&b), e);
    buf_done(&b);
    os_close(u.fd);
    return rc;
}

static enum rc of_file(struct cli *c, str word, str *ret, struct err *e)
{
    const char *path = arena_cstr(c->a, word);
    char hex[SHA256_HEX + 1];
    int64_t bytes = 0;
    int fd = -1;
    enum rc rc = path ? os_open(path, O_RDONLY, 0, &fd, e) : cli_nomem(e);

    if (!rc)
        rc = hash_file(fd, hex, &bytes, e);
    os_close(fd);
    if (!rc)
        rc = send(c, path, hex, bytes, e);
    if (rc)
        return err_wrap(e, rc, "--weights %.*s", STR_F(word));
    *ret = str_of(arena_printf(c->a, "sha256:%s", hex));
    return ret->p ? RC_OK : cli_nomem(e);
}

enum rc cli_weights(struct cli *c, str word, str *ret, struct err *e)
{
    str job = STR("job:"), rest;
    ptrdiff_t colon;
    const char *id = NULL;
    enum rc rc;

    if (str_starts(word, STR("sha256:"))) {
        *ret = word;
        return RC_OK;
    }
    if (!str_starts(word, job))
        return of_file(c, word, ret, e);
    rest = str_sub(word, job.n, word.n);
    colon = str_chr(rest, ':');
    rc = job_id_of(c, colon < 0 ? rest : str_sub(rest, 0, (size_t)colon), &id, e);
    if (rc)
        return rc;
    *ret =
        str_of(arena_printf(c->a, "job:%s%.*s", id, colon < 0 ? 0 : (int)(rest.n - (size_t)colon),
                            colon < 0 ? "" : rest.p + colon));
    return ret->p ? RC_OK : cli_nomem(e);
}
