/* durable.c - file operations that survive a power cut.
 *
 * Order on disk: the bytes (fsync of the file), then the name (rename), then the folder (fsync of
 * the folder).  A reader sees the old file or the new one, whole.
 */
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES_MAX = 4096, TMP_TAIL = 24 };

/* "a/b" gives "a", "/b" gives "/", "b" gives ".". */
static bool folder_of(const char *path, char ret[PATH_BYTES_MAX])
{
    str s = str_of(path);
    ptrdiff_t at = str_rchr(s, '/');

    s = at < 0 ? STR(".") : str_sub(s, 0, at ? (size_t)at : 1);
    if (s.n >= PATH_BYTES_MAX)
        return false;
    memcpy(ret, s.p, s.n);
    ret[s.n] = 0;
    return true;
}

static enum rc path_too_long(struct err *e)
{
    return err_set(e, RC_INVALID, "a path has more than %d bytes", PATH_BYTES_MAX - TMP_TAIL);
}

enum rc os_fsync_dir(const char *path, struct err *e)
{
    int fd = -1;
    enum rc rc = os_open(path, O_RDONLY | O_DIRECTORY, 0, &fd, e);

    if (rc)
        return rc;
    rc = err_wrap(e, os_fsync(fd, e), "the folder '%s'", path);
    os_close(fd);
    return rc;
}

enum rc os_rename_durable(const char *from, const char *to, struct err *e)
{
    char from_dir[PATH_BYTES_MAX], to_dir[PATH_BYTES_MAX];
    enum rc rc;

    if (!folder_of(from, from_dir) || !folder_of(to, to_dir))
        return path_too_long(e);
    if (os_sys.rename(from, to) != 0)
        return err_errno(e, errno, "cannot rename '%s' to '%s'", from, to);
    rc = os_fsync_dir(to_dir, e);
    if (!rc && strcmp(from_dir, to_dir) != 0)
        rc = os_fsync_dir(from_dir, e);
    return rc;
}

static enum rc write_new(const char *path, str data, mode_t mode, struct err *e)
{
    int fd = -1;
    enum rc rc = os_open(path, O_WRONLY | O_CREAT | O_EXCL, mode, &fd, e);

    if (rc)
        return rc;
    rc = os_write_all(fd, data.p, data.n, e);
    if (!rc)
        rc = os_fsync(fd, e);
    if (os_sys.close(fd) != 0 && !rc) /* network file systems report late errors here */
        rc = err_errno(e, errno, "cannot close");
    return err_wrap(e, rc, "'%s'", path);
}

enum rc os_write_file_durable(const char *path, str data, mode_t mode, struct err *e)
{
    char tmp[PATH_BYTES_MAX];
    uint64_t chance;
    enum rc rc;

    if (strlen(path) > PATH_BYTES_MAX - TMP_TAIL)
        return path_too_long(e);
    os_random(&chance, sizeof chance);
    snprintf(tmp, sizeof tmp, "%s.%016llx.tmp", path, (unsigned long long)chance);
    rc = write_new(tmp, data, mode, e);
    if (!rc)
        rc = os_rename_durable(tmp, path, e);
    if (rc)
        (void)os_sys.unlink(tmp); /* gone already if only the folder's fsync failed */
    return rc;
}
