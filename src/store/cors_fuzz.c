/* cors_fuzz.c - CORS configurations of outside bytes: made or refused, and what is made answers. */
#include "store/cors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"};
    struct cors_answer a;
    struct cors *c;
    struct err e;

    if (cors_new(&c, (str){(const char *)data, size}, &e))
        return 0;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (cors_match(c, STR("https://www.example.org"), str_of(methods[i]),
                       i % 2 ? STR("x-amz-date, content-type") : STR_NONE, &a) &&
            (!a.methods.n || a.max_age_s < -1))
            __builtin_trap();
    cors_free(c);
    return 0;
}
