/* lifecycle_fuzz.c - lifecycle configurations of outside bytes: what is taken says something. */
#include "store/lifecycle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lifecycle l;
    struct arena a;
    struct err e;

    arena_init(&a, 8 << 20);
    if (!lifecycle_read(&a, (str){(const char *)data, size}, &l, &e)) {
        if (!l.n || l.n > LIFECYCLE_RULES_MAX)
            __builtin_trap();
        for (size_t i = 0; i < l.n; i++) {
            const struct lifecycle_rule *r = &l.rules[i];
            (void)lifecycle_fits(r, STR("a=b&c=d"), 100);
            if (!r->days && !r->date_ms && !r->noncurrent_days && !r->abort_days &&
                !r->expired_markers)
                __builtin_trap();
            if (r->days && lifecycle_due(1000, r->days, 1000))
                __builtin_trap(); /* nothing is due at once */
        }
    }
    arena_done(&a);
    return 0;
}
