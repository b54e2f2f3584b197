/* form_policy_fuzz.c - policies of forms, of outside bytes: checked or refused without a fault. */
#include "store/form_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sigv4_pair fields[] = {{STR("bucket"), STR("b")},
                                               {STR("key"), STR("user/pic.jpg")},
                                               {STR("content-type"), STR("image/jpeg")},
                                               {STR("x-ignore-me"), STR("1")}};
    uint64_t min = 1, max = 0;
    struct arena a;
    struct err e;

    arena_init(&a, 8 << 20);
    if (!form_policy_check(&a, (str){(const char *)data, size}, fields, 4, 0, &min, &max, &e) &&
        min > max)
        __builtin_trap();
    arena_done(&a);
    return 0;
}
