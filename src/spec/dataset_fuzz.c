/* dataset_fuzz.c - a manifest from outside, line by line. */
#include "base/mem.h"
#include "spec/dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    str rest = {(const char *)data, n}, line;
    struct dataset_header h;
    struct arena a;

    if (n > 1 << 16)
        return 0;
    arena_init(&a, 16 << 20);
    if (str_line(&rest, &line) && !dataset_header_read(line, &a, &h, NULL)) {
        while (str_line(&rest, &line)) {
            struct sample s;
            if (!sample_read(line, &h, &a, &s, NULL))
                ASSERT(s.label < (int32_t)h.classes_n && s.width > 0 &&
                       is_sha256_hex(str_of(s.sha256)));
        }
    }
    arena_done(&a);
    return 0;
}
