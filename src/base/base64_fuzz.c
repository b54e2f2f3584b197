/* base64_fuzz.c - what is taken as base64 is exactly what would be written for its bytes. */
#include "base/base64.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    str text = {(const char *)data, n};
    struct buf bytes, again;
    struct err e;

    buf_init(&bytes, 1 << 20);
    buf_init(&again, 1 << 20);
    if (!base64_read(text, &bytes, &e)) {
        base64_write(bytes.p, bytes.n, &again);
        ASSERT(str_eq(buf_view(&again), text));
    }
    buf_clear(&again);
    base64_write(data, n, &again);
    buf_clear(&bytes);
    ASSERT(!base64_read(buf_view(&again), &bytes, &e));
    ASSERT(bytes.n == n && (n == 0 || memcmp(bytes.p, data, n) == 0));
    buf_done(&bytes);
    buf_done(&again);
    return 0;
}
