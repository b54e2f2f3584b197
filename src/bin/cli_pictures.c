/* cli_pictures.c - see cli_pictures.h. */
#include "bin/cli_pictures.h"
#include "os/os.h"

#include <string.h>

enum { DEPTH_MAX = 32 };

struct scan {
    struct cli *c;
    struct picture_files *to;
    const char *dir;
    int depth;
};

static bool is_picture_name(str s)
{
    static const char *const ends[] = {".jpg", ".jpeg", ".png", ".webp"};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (str_iends(s, str_of(ends[i])))
            return true;
    return false;
}

static enum rc scan_entry(void *ud, const char *name, bool is_dir, struct err *e)
{
    struct scan *s = ud, below = {s->c, s->to, NULL, s->depth + 1};
    const char *path = arena_printf(s->c->a, "%s/%s", s->dir, name);

    if (!path)
        return cli_nomem(e);
    if (name[0] == '.' || below.depth > DEPTH_MAX)
        return RC_OK;
    below.dir = path;
    if (is_dir)
        return os_list_dir(path, scan_entry, &below, e);
    return !is_picture_name(str_of(name)) || VEC_PUSH(s->to, path) ? RC_OK : cli_nomem(e);
}

static enum rc nothing(void *ud, const char *name, bool is_dir, struct err *e)
{
    return RC_OK;
}

enum rc cli_pictures(struct cli *c, struct picture_files *to, struct err *e)
{
    enum rc rc = RC_OK;

    for (size_t i = 0; !rc && i < c->args_n; i++) {
        const char *path = arena_cstr(c->a, c->args[i]);
        struct scan s = {c, to, path, 0};
        size_t n = to->n, len = c->args[i].n;

        if (!path)
            return cli_nomem(e);
        if (os_list_dir(path, nothing, NULL, NULL)) { /* a file, or nothing: told when it is read */
            rc = VEC_PUSH(to, path) ? RC_OK : cli_nomem(e);
            continue;
        }
        if (len > 1 && path[len - 1] == '/')
            s.dir = arena_printf(c->a, "%.*s", (int)len - 1, path);
        rc = s.dir ? os_list_dir(path, scan_entry, &s, e) : cli_nomem(e);
        if (!rc && to->n == n)
            rc = err_set(e, RC_INVALID, "the folder '%s' holds no .jpg, .png or .webp", path);
    }
    return rc;
}
