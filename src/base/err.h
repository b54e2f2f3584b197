/* err.h - one table of result codes and the error text that travels with them.
 *
 * Every fallible function returns `enum rc` and takes a trailing `struct err *e`.  Whoever fails
 * first writes the text (err_set), callers may prefix it (err_wrap), the boundary (an HTTP handler,
 * a subcommand) reports it once.  Reporting never allocates.  `ret_` outputs stay untouched on
 * failure.  `e` may be NULL where the caller only wants the code.
 */
#ifndef ANNEAL_BASE_ERR_H
#define ANNEAL_BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

/* name, HTTP status, stable code (the `code` of RFC 9457 problem documents), title */
#define RC_TABLE(X)                                                                                \
    X(OK, 200, "ok", "OK")                                                                         \
    X(INVALID, 400, "invalid_request", "The request is not valid")                                 \
    X(UNAUTHENTICATED, 401, "unauthenticated", "No valid credential was sent")                     \
    X(FORBIDDEN, 403, "forbidden", "The credential does not allow this")                           \
    X(NOT_FOUND, 404, "not_found", "There is no such thing")                                       \
    X(METHOD, 405, "method_not_allowed", "The method is not allowed here")                         \
    X(CONFLICT, 409, "conflict", "The state does not allow this")                                  \
    X(GONE, 410, "gone", "It existed and is gone")                                                 \
    X(LENGTH, 411, "length_required", "The length must be stated")                                 \
    X(PRECONDITION, 412, "precondition_failed", "A condition of the request does not hold")        \
    X(TOO_LARGE, 413, "too_large", "Larger than the configured limit")                             \
    X(UNSUPPORTED, 415, "unsupported_media", "The format is not supported")                        \
    X(RANGE, 416, "range_not_satisfiable", "The range lies outside the object")                    \
    X(CORRUPT, 422, "corrupt_data", "The data is damaged or contradicts itself")                   \
    X(LIMIT, 429, "limit_reached", "A limit is reached")                                           \
    X(HEADERS, 431, "headers_too_large", "The request headers are too large")                      \
    X(CANCELLED, 499, "cancelled", "Cancelled")                                                    \
    X(INTERNAL, 500, "internal", "An internal error; this is a defect")                            \
    X(NOMEM, 500, "out_of_memory", "Out of memory")                                                \
    X(IO, 500, "io_error", "A system call failed")                                                 \
    X(UNIMPLEMENTED, 501, "not_implemented", "Not implemented")                                    \
    X(UPSTREAM, 502, "upstream_failed", "A service that is needed failed")                         \
    X(UNAVAILABLE, 503, "unavailable", "Not available now")                                        \
    X(TIMEOUT, 504, "timeout", "A deadline passed")                                                \
    X(FULL, 507, "storage_full", "No space is left")

enum rc {
#define X(name, status, code, title) RC_##name,
    RC_TABLE(X)
#undef X
        RC_COUNT
};

enum { ERR_TEXT_MAX = 768, ERR_FIELD_MAX = 96 };

struct err {
    enum rc rc;
    char field[ERR_FIELD_MAX]; /* the JSON field, flag or file at fault; "" if none */
    char text[ERR_TEXT_MAX];   /* what happened and what to do, without a trailing newline */
};

#define must_check        __attribute__((warn_unused_result))
#define printf_like(f, a) __attribute__((format(printf, f, a)))

int rc_status(enum rc rc);        /* HTTP status */
const char *rc_code(enum rc rc);  /* stable code, e.g. "not_found" */
const char *rc_title(enum rc rc); /* one line for people */
const char *rc_name(enum rc rc);  /* "RC_NOT_FOUND", for logs and tests */

/* Write the error and return rc, so that `return err_set(e, RC_X, ...)` reads well. */
enum rc err_set(struct err *e, enum rc rc, const char *fmt, ...) printf_like(3, 4);
enum rc err_setv(struct err *e, enum rc rc, const char *fmt, va_list ap);
/* The same for a fault in one named input. */
enum rc err_field(struct err *e, enum rc rc, const char *field, const char *fmt, ...)
    printf_like(4, 5);
/* "importing 'x': <old text>"; returns rc unchanged. */
enum rc err_wrap(struct err *e, enum rc rc, const char *fmt, ...) printf_like(3, 4);
/* "<what>: <strerror(errnum)>", with the code that fits (ENOSPC: FULL, ENOENT: NOT_FOUND, ...). */
enum rc err_errno(struct err *e, int errnum, const char *fmt, ...) printf_like(3, 4);

/* A bug of ours.  Kept in release.  Never for outside data. */
_Noreturn void assert_failed(const char *file, int line, const char *what);
#define ASSERT(x) ((x) ? (void)0 : assert_failed(__FILE__, __LINE__, #x))

#endif
