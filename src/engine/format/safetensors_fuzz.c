/* safetensors_fuzz.c - the input is a whole file: length, header, data; opened where it lies, and
 * every tensor read. */
#include "base/mem.h"
#include "engine/format/safetensors.h"

enum { ELEMENTS_MAX = 1 << 20 };

static void read_all(struct safetensors *s, size_t n)
{
    uint64_t bytes = 0;
    struct err e;

    for (size_t i = 0; i < safetensors_count(s); i++) {
        const struct safetensors_tensor *t = safetensors_at(s, i);
        ASSERT(t->at >= 8 && t->at + t->bytes <= n);
        ASSERT(safetensors_find(s, t->name) >= 0);
        bytes += t->bytes;
        if (t->count > ELEMENTS_MAX)
            continue;
        float *v = mem_alloc_array(t->count + 1, sizeof *v);
        const enum rc rc = v ? safetensors_read(s, i, v, &e) : RC_NOMEM;
        ASSERT(rc == RC_OK || rc == RC_UNSUPPORTED);
        mem_free(v);
    }
    ASSERT(bytes <= n - 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct safetensors *s;
    struct err e;

    if (safetensors_view(&s, "input", (str){(const char *)p, n}, &e) == RC_OK) {
        read_all(s, n);
        safetensors_close(s);
    } else {
        ASSERT(e.text[0]);
    }
    return 0;
}
