/* xml.h - the little XML that S3 speaks: a bounded pull reader over text in memory, and escaping.
 *
 * Elements, text, CDATA, comments, processing instructions, the five named entities and character
 * references of XML 1.0.  Attributes are skipped and namespace prefixes dropped, because S3 puts no
 * meaning in them.  A DOCTYPE is refused: no entity of the sender's is ever expanded.
 *
 *     struct xml x;
 *     xml_init(&x, body);
 *     while (!(rc = xml_next(&x, &ev, e)) && ev != XML_END) ...
 *     xml_done(&x);
 * One owner.
 */
#ifndef ANNEAL_S3_XML_H
#define ANNEAL_S3_XML_H

#include "base/buf.h"

enum { XML_DEPTH_MAX = 16, XML_TEXT_MAX = 16 << 10, XML_NAME_MAX = 256 };
enum xml_event { XML_END, XML_OPEN, XML_TEXT, XML_CLOSE };

struct xml {
    str name;        /* XML_OPEN, XML_CLOSE: local name, lent by the input */
    struct buf text; /* XML_TEXT: decoded; until the next call */
    /* private */
    str in;
    size_t at;
    unsigned depth;
    bool seen_root, empty_element;
    str open[XML_DEPTH_MAX];
};

void xml_init(struct xml *x, str in); /* `in` is lent until xml_done */
void xml_done(struct xml *x);
/* RC_INVALID with the line for broken XML, RC_LIMIT past a limit.  XML_END comes once the root has
 * closed and nothing but blanks and comments followed. */
enum rc xml_next(struct xml *x, enum xml_event *ret, struct err *e) must_check;
/* After XML_OPEN: the text up to the element's end, which is consumed; a child element is
 * RC_INVALID.  The text is lent until the next call. */
enum rc xml_leaf(struct xml *x, str *ret, struct err *e) must_check;
/* After XML_OPEN: skips to the element's end. */
enum rc xml_skip(struct xml *x, struct err *e) must_check;

/* Appends s with & < > " escaped and control characters as references. */
void xml_escape(struct buf *out, str s);

#endif
