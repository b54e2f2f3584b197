/* segment_fuzz.c - any bytes as a segment's head, as records one behind the other, as a page of
 * checksums: never more than RC_CORRUPT, never a body outside the bytes. */
#include "store/blocks.h"
#include "store/segment.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str all = {(const char *)data, size};
    size_t at = 0;
    int64_t id;
    str body;

    (void)!segment_head_check(all, 1, NULL);
    (void)!blocks_page_check(all, 1, 0, NULL);
    while (at < size && !record_check(1, (uint32_t)at, str_sub(all, at, size), &id, &body, NULL)) {
        if (!body.n || body.p < all.p + at || body.p + body.n > all.p + size)
            abort();
        at += record_bytes(body.n);
    }
    return 0;
}
