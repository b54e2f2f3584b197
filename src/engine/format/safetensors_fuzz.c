/* safetensors_fuzz.c - the input is a whole file: length, header, data. */
#include "engine/format/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct safetensors_header h;
    struct arena a;
    struct err e;
    uint64_t len;

    if (n < 8)
        return 0;
    memcpy(&len, p, 8);
    if (len > n - 8)
        len = n - 8;
    arena_init(&a, 16 << 20);
    if (safetensors_parse((str){(const char *)p + 8, (size_t)len}, n, &a, &h, &e) == RC_OK) {
        uint64_t bytes = 0;
        for (size_t i = 0; i < h.n; i++) {
            ASSERT(h.tensors[i].at >= 8 + len && h.tensors[i].at + h.tensors[i].bytes <= n);
            bytes += h.tensors[i].bytes;
        }
        ASSERT(bytes == n - 8 - len);
    }
    arena_done(&a);
    return 0;
}
