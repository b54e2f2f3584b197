/* sigv4_fuzz.c - a request of outside bytes: lines method, path, query, then headers. */
#include "s3/sigv4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct sigv4_keys keys = {STR("AKIAIOSFODNN7EXAMPLE"), STR("secret"), STR("us-east-1")};
    struct sigv4_pair h[16];
    struct sigv4_keyring ring = sigv4_ring_of(&keys);
    str rest = {(const char *)data, size}, line;
    struct sigv4_request q = {.method = STR("GET"), .path = STR("/"), .headers = h};
    struct sigv4_auth auth;
    struct arena a;
    struct buf out;
    struct err e;

    arena_init(&a, 1 << 20);
    if (str_line(&rest, &line))
        q.path = line;
    if (str_line(&rest, &line))
        q.query = line;
    while (q.header_count < 16 && str_line(&rest, &line)) {
        ptrdiff_t at = str_chr(line, ':');
        if (at > 0)
            h[q.header_count++] = (struct sigv4_pair){str_sub(line, 0, (size_t)at),
                                                      str_sub(line, (size_t)at + 1, line.n)};
    }
    if (sigv4_verify(&a, &q, &ring, 1369353600000, &auth, &e) == SIGV4_VALID)
        __builtin_trap(); /* nobody guesses a signature */
    buf_init(&out, SIGV4_CANONICAL_MAX);
    if (sigv4_canonical(&a, &out, &q, STR("host"), STR("UNSIGNED-PAYLOAD"), &e)) {
        /* refused */
    }
    buf_done(&out);
    arena_done(&a);
    return 0;
}
