/* policy_fuzz.c - bucket policies of outside bytes: made or refused, and then evaluated for every
 * action without a fault. */
#include "store/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy *p;
    struct err e;

    if (policy_new(&p, (str){(const char *)data, size}, STR("bucket"), &e))
        return 0;
    for (int a = 0; a < ACTION_COUNT; a++) {
        struct access_request q = {.action = (enum access_action)a,
                                   .bucket = STR("bucket"),
                                   .key = STR("folder/key"),
                                   .who = a % 2 ? STR("ann") : STR_NONE,
                                   .peer = STR("10.1.2.3"),
                                   .prefix = STR("folder/"),
                                   .max_keys = STR("100"),
                                   .now_ms = 1700000000000};
        if (policy_eval(p, &q) > VERDICT_DENY)
            __builtin_trap();
    }
    (void)policy_is_public(p);
    policy_free(p);
    return 0;
}
