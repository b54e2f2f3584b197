/* buf.c - growing output.  Invariants: p[n] is NUL; n <= max_bytes; once rc is set nothing changes
 * but by buf_clear, buf_done and buf_drop_front.  A buffer that never grew owns no memory. */
#include "base/buf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static char buf_empty[1]; /* never written */

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.p = buf_empty, .max_bytes = max_bytes};
}

void buf_done(struct buf *b)
{
    if (b->cap)
        mem_free(b->p);
    buf_init(b, b->max_bytes);
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->rc = RC_OK;
    if (b->cap)
        b->p[0] = 0;
}

/* Room for n more bytes and the NUL. */
static bool buf_room(struct buf *b, size_t n)
{
    size_t want, cap;
    char *p;

    if (b->rc)
        return false;
    if (n > b->max_bytes - b->n) {
        b->rc = RC_TOO_LARGE;
        return false;
    }
    want = b->n + n;
    if (want < b->cap)
        return true;
    cap = b->cap ? b->cap : 64;
    while (cap <= want && cap <= SIZE_MAX / 4)
        cap *= 2;
    if (cap > b->max_bytes && want < b->max_bytes)
        cap = b->max_bytes < SIZE_MAX ? b->max_bytes + 1 : b->max_bytes;
    if (cap <= want)
        cap = want < SIZE_MAX ? want + 1 : 0;
    p = cap ? mem_realloc(b->cap ? b->p : NULL, cap) : NULL;
    if (!p) {
        b->rc = RC_NOMEM;
        return false;
    }
    b->p = p;
    b->cap = cap;
    b->p[b->n] = 0;
    return true;
}

void *buf_grow(struct buf *b, size_t n)
{
    char *at;

    if (!buf_room(b, n))
        return NULL;
    at = b->p + b->n;
    b->n += n;
    b->p[b->n] = 0;
    return at;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    char *at = n ? buf_grow(b, n) : NULL;

    if (at)
        memcpy(at, p, n);
}

void buf_str(struct buf *b, str s)
{
    buf_add(b, s.p, s.n);
}

void buf_puts(struct buf *b, const char *cstr)
{
    buf_add(b, cstr, strlen(cstr));
}

void buf_putc(struct buf *b, char c)
{
    if (b->rc == RC_OK && b->n + 1 < b->cap && b->n < b->max_bytes) {
        b->p[b->n++] = c;
        b->p[b->n] = 0;
    } else {
        buf_add(b, &c, 1);
    }
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    int n;

    if (b->rc)
        return;
    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    if (n < 0)
        b->rc = RC_INTERNAL;
    else if (n > 0 && buf_room(b, (size_t)n)) {
        vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
    va_end(ap);
}

void buf_hex(struct buf *b, const void *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *in = p;
    char *at;

    if (n > SIZE_MAX / 2) {
        b->rc = b->rc ? b->rc : RC_TOO_LARGE;
        return;
    }
    at = n ? buf_grow(b, 2 * n) : NULL;
    for (size_t i = 0; at && i < n; i++) {
        at[2 * i] = digits[in[i] >> 4];
        at[2 * i + 1] = digits[in[i] & 15];
    }
}

void buf_drop_front(struct buf *b, size_t n)
{
    if (n > b->n)
        n = b->n;
    if (!n)
        return;
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
    b->p[b->n] = 0;
}

str buf_view(const struct buf *b)
{
    return (str){b->p, b->n};
}

enum rc buf_ok(const struct buf *b, struct err *e)
{
    switch (b->rc) {
    case RC_OK:
        return RC_OK;
    case RC_TOO_LARGE:
        return err_set(e, RC_TOO_LARGE, "the text would be larger than its limit of %zu bytes",
                       b->max_bytes);
    case RC_NOMEM:
        return err_set(e, RC_NOMEM, "out of memory after %zu bytes of text", b->n);
    default:
        return err_set(e, b->rc, "the text could not be composed");
    }
}

char *buf_take(struct buf *b, size_t *ret_n)
{
    char *p;
    size_t n = b->n;

    if (b->rc || !buf_room(b, 0))
        return NULL;
    p = b->p;
    buf_init(b, b->max_bytes);
    if (ret_n)
        *ret_n = n;
    return p;
}
