/* err_system.c - the part of errors that needs an operating system: its own error numbers, and the
 * end of a process that has found a bug of ours in itself.  A browser has neither
 * (wasm/platform.c). */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum rc rc_of_errno(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
        return RC_FULL;
    case ENOENT:
    case ENOTDIR:
        return RC_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY:
        return RC_CONFLICT;
    case ENOMEM:
        return RC_NOMEM;
    case EFBIG:
        return RC_TOO_LARGE;
    case ETIMEDOUT:
        return RC_TIMEOUT;
    case ECANCELED:
        return RC_CANCELLED;
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case EBUSY:
    case EROFS: /* a file system that has had an error takes no writes until somebody looks */
        return RC_UNAVAILABLE;
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return RC_UPSTREAM;
    default:
        return RC_IO; /* EACCES too: the fault is the installation's, not the caller's credential */
    }
}

enum rc err_errno(struct err *e, int errnum, const char *fmt, ...)
{
    enum rc rc = rc_of_errno(errnum);
    char why[128];
    va_list ap;

    if (!e)
        return rc;
    va_start(ap, fmt);
    err_setv(e, rc, fmt, ap);
    va_end(ap);
    return err_set(e, rc, "%s: %s", e->text, strerror_r(errnum, why, sizeof why));
}

_Noreturn void assert_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: assertion failed: %s (this is a defect of Anneal)\n", file, line, what);
    abort();
}
