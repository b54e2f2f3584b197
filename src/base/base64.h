/* base64.h - bytes as text (RFC 4648, section 4: with padding). */
#ifndef ANNEAL_BASE_BASE64_H
#define ANNEAL_BASE_BASE64_H

#include "base/buf.h"

/* Appends the text of n bytes. */
void base64_write(const void *p, size_t n, struct buf *out);
/* Appends the bytes of a text; RC_INVALID: not base64 without white space, of whole groups of four,
 * with zero bits where a byte ends. */
enum rc base64_read(str text, struct buf *out, struct err *e) must_check;

#endif
