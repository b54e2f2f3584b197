/* cli_sse_fuzz.c - any bytes, cut anywhere, give the same events as in one piece. */
#include "bin/cli_sse.c"

#include "base/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static enum rc add(void *ud, str id, str name, str data, struct err *e)
{
    struct buf *all = ud;

    buf_printf(all, "%zu/%zu/%zu ", id.n, name.n, data.n);
    buf_str(all, id);
    buf_str(all, name);
    buf_str(all, data);
    return RC_OK;
}

static enum rc run(const uint8_t *p, size_t n, size_t piece, struct buf *all)
{
    struct sse s;
    enum rc rc = RC_OK;

    sse_init(&s, add, all);
    for (size_t at = 0; !rc && at < n; at += piece)
        rc = sse_feed(&s, p + at, n - at < piece ? n - at : piece, NULL);
    sse_done(&s);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct buf whole, cut;

    if (n < 1)
        return 0;
    buf_init(&whole, 64 << 20);
    buf_init(&cut, 64 << 20);
    ASSERT(run(p + 1, n - 1, n, &whole) == run(p + 1, n - 1, p[0] + 1u, &cut));
    ASSERT(str_eq(buf_view(&whole), buf_view(&cut)));
    buf_done(&whole);
    buf_done(&cut);
    return 0;
}
