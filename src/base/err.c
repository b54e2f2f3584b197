/* err.c - the table of result codes made into look-ups, and the writers of struct err.
 *
 * The text is composed on the stack first and copied after, so that a caller may pass e->text
 * itself as an argument.  What does not fit ends in "..." (cut between UTF-8 characters).
 */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

static const struct {
    int status;
    const char *name, *code, *title;
} rc_rows[RC_COUNT] = {
#define X(name, status, code, title) {status, "RC_" #name, code, title},
    RC_TABLE(X)
#undef X
};

static unsigned rc_row(enum rc rc)
{
    return (unsigned)rc < RC_COUNT ? (unsigned)rc : (unsigned)RC_INTERNAL;
}

int rc_status(enum rc rc)
{
    return rc_rows[rc_row(rc)].status;
}

const char *rc_code(enum rc rc)
{
    return rc_rows[rc_row(rc)].code;
}

const char *rc_title(enum rc rc)
{
    return rc_rows[rc_row(rc)].title;
}

const char *rc_name(enum rc rc)
{
    return rc_rows[rc_row(rc)].name;
}

/* Ends a text that was cut off at the end of its array with "...", not inside a character. */
static void mark_cut(char *text, size_t cap)
{
    size_t n = cap - 4;

    while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--;
    memcpy(text + n, "...", 4);
}

static void compose(char text[ERR_TEXT_MAX], const char *fmt, va_list ap)
{
    int n = vsnprintf(text, ERR_TEXT_MAX, fmt, ap);

    if (n < 0)
        text[0] = 0;
    else if (n >= ERR_TEXT_MAX)
        mark_cut(text, ERR_TEXT_MAX);
}

enum rc err_setv(struct err *e, enum rc rc, const char *fmt, va_list ap)
{
    char text[ERR_TEXT_MAX];

    if (!e)
        return rc;
    compose(text, fmt, ap);
    e->rc = rc;
    e->field[0] = 0;
    memcpy(e->text, text, sizeof e->text);
    return rc;
}

enum rc err_set(struct err *e, enum rc rc, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    err_setv(e, rc, fmt, ap);
    va_end(ap);
    return rc;
}

enum rc err_field(struct err *e, enum rc rc, const char *field, const char *fmt, ...)
{
    char name[ERR_FIELD_MAX];
    va_list ap;

    if (!e)
        return rc;
    if (snprintf(name, sizeof name, "%s", field ? field : "") >= (int)sizeof name)
        mark_cut(name, sizeof name);
    va_start(ap, fmt);
    err_setv(e, rc, fmt, ap);
    va_end(ap);
    memcpy(e->field, name, sizeof e->field);
    return rc;
}

enum rc err_wrap(struct err *e, enum rc rc, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;
    size_t n, old;

    if (!e || rc == RC_OK)
        return rc;
    va_start(ap, fmt);
    compose(text, fmt, ap);
    va_end(ap);
    n = strlen(text);
    old = strlen(e->text);
    if (old) {
        int m = snprintf(text + n, sizeof text - n, ": %s", e->text);
        if (m >= (int)(sizeof text - n))
            mark_cut(text, sizeof text);
    }
    e->rc = rc;
    memcpy(e->text, text, sizeof e->text);
    return rc;
}
