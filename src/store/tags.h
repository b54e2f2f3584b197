/* tags.h - sets of tags: of objects and of buckets.  Private to store/.
 *
 * Kept as one text, "name=value&name=value", encoded like a query (RFC 3986), in the order given.
 * Source: "Categorizing your storage using tags", Amazon S3 user guide.
 */
#ifndef ANNEAL_STORE_TAGS_H
#define ANNEAL_STORE_TAGS_H

#include "base/arena.h"
#include "base/buf.h"

enum { TAGS_OBJECT_MAX = 10, TAGS_BUCKET_MAX = 50, TAG_NAME_MAX = 128, TAG_VALUE_MAX = 256 };

/* x-amz-tagging: "a=b&c=d".  RC_INVALID: broken, doubled, too many, too long. */
enum rc tags_of_query(struct arena *a, str query, str *ret, struct err *e) must_check;
/* <Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag>...  *ret_xml: it is the XML that is
 * wrong, not a tag. */
enum rc tags_of_xml(struct arena *a, str xml, size_t max, str *ret, bool *ret_xml,
                    struct err *e) must_check;
/* <TagSet>...</TagSet> of kept tags. */
void tags_xml(struct arena *a, str tags, struct buf *out);
size_t tags_count(str tags);
/* Is this tag (name and value as kept, encoded) among them? */
bool tags_have(str tags, str name, str value);

#endif
