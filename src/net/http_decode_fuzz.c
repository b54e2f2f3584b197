/* Target, query, cookies and header parameters from any bytes. */
#include "net/http_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct arena a;
    struct http_pairs pairs = {0};
    str s = {(const char *)p, n}, path = STR_NONE, query = STR_NONE, v = STR_NONE;

    if (n > 40000)
        return 0;
    arena_init(&a, 8 << 20);
    if (!http_split_target(&a, s, &path, &query, NULL)) {
        ASSERT(path.n && path.n <= n && query.n <= n);
        ASSERT(!memchr(path.p, 0, path.n) || memchr(p, 0, n));
    }
    if (!http_parse_query(&a, s, &pairs, NULL))
        ASSERT(pairs.n <= HTTP_PAIRS_MAX);
    if (!http_parse_cookies(&a, s, &pairs, NULL))
        for (size_t i = 0; i < pairs.n; i++)
            ASSERT(http_token_ok(pairs.p[i].name));
    if (!http_header_param(&a, s, "a", &v, NULL))
        ASSERT(v.n <= n);
    (void)http_list_has(s, "upgrade");
    arena_done(&a);
    return 0;
}
