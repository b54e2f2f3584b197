/* chunked_fuzz.c - aws-chunked framing of outside bytes, fed in two different steps: same result.
 */
#include "store/chunked.h"

static uint64_t run(const uint8_t *data, size_t size, size_t step, const char *payload)
{
    struct sigv4_auth auth = {.payload = str_of(payload), .time = "20130524T000000Z"};
    struct chunked c;
    struct err e;
    uint64_t total = 0;
    enum rc rc = chunked_init(&c, &auth, STR("us-east-1"), &e);

    for (size_t at = 0; !rc && at < size;) {
        size_t used = 0, n = size - at < step ? size - at : step;
        str out = {0};
        rc = chunked_feed(&c, (const char *)data + at, n, &used, &out, &e);
        if (!rc && (used > n || out.n > used || !used))
            __builtin_trap();
        total += out.n;
        at += used;
    }
    if (!rc)
        (void)chunked_trailer(&c, "x-amz-checksum-crc32");
    total = rc ? UINT64_MAX : total * 2 + chunked_ended(&c);
    chunked_done(&c);
    return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (run(data, size, 1, "STREAMING-UNSIGNED-PAYLOAD-TRAILER") !=
        run(data, size, 4096, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"))
        __builtin_trap();
    (void)run(data, size, 64, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER");
    return 0;
}
