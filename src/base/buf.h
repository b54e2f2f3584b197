/* buf.h - growing output, born with a ceiling, sticky on error, checked once at the end.
 *
 *     struct buf b;
 *     buf_init(&b, REPLY_BYTES_MAX);
 *     buf_puts(&b, "hello "); buf_printf(&b, "%d", 7);
 *     rc = buf_ok(&b, e);           // RC_TOO_LARGE or RC_NOMEM if any append failed
 *     buf_done(&b);
 * After an error every append is a no-op.  The content is always NUL-terminated.
 */
#ifndef ANNEAL_BASE_BUF_H
#define ANNEAL_BASE_BUF_H

#include "base/str.h"

struct buf {
    char *p; /* NUL-terminated; "" when empty, never NULL after init */
    size_t n;
    size_t cap;
    size_t max_bytes;
    enum rc rc;
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_done(struct buf *b);
void buf_clear(struct buf *b); /* length and error to zero, memory kept */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, str s);
void buf_puts(struct buf *b, const char *cstr);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) printf_like(2, 3);
void buf_hex(struct buf *b, const void *p, size_t n); /* lower case */
void *buf_grow(struct buf *b, size_t n);              /* n bytes to fill in place; NULL on error */
void buf_drop_front(struct buf *b, size_t n);
str buf_view(const struct buf *b);
enum rc buf_ok(const struct buf *b, struct err *e) must_check;
char *buf_take(struct buf *b, size_t *ret_n); /* gives the memory away (mem_free); NULL on error */

#endif
