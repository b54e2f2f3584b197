/* Any bytes, split in two ways: both parses have to end alike. */
#include "net/multipart.h"
#include "base/hash.h"
#include <string.h>

struct feed {
    const uint8_t *p;
    size_t n, step;
};

static enum rc feed(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    struct feed *f = ud;
    size_t n = f->step < cap ? f->step : cap;

    n = n < f->n ? n : f->n;
    if (n)
        memcpy(p, f->p, n);
    f->p += n;
    f->n -= n;
    *ret_n = n;
    return RC_OK;
}

static enum rc digest(const uint8_t *p, size_t n, size_t step, size_t cap, uint64_t *ret)
{
    struct feed f = {p, n, step};
    struct multipart *m = NULL;
    struct arena a;
    uint64_t h = 1;
    bool any = true;
    char piece[700];
    enum rc rc;

    arena_init(&a, 1 << 20);
    rc = multipart_new(&m, &a, STR("b"), feed, &f, NULL);
    while (!rc && any) {
        str text[3];
        size_t got = 1;
        rc = multipart_next(m, &any, &text[0], &text[1], &text[2], NULL);
        for (int i = 0; !rc && any && i < 3; i++)
            for (size_t k = 0; k <= text[i].n; k++)
                h = h * 1099511628211u + (k < text[i].n ? (uint8_t)text[i].p[k] : 256);
        while (!rc && any && got) {
            rc = multipart_read(m, piece, cap, &got, NULL);
            for (size_t k = 0; !rc && k < got; k++)
                h = h * 1099511628211u + (uint8_t)piece[k];
        }
    }
    arena_done(&a);
    *ret = h;
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    uint64_t whole, split;

    if (n < 2 || n > 100000)
        return 0;
    enum rc a = digest(p + 2, n - 2, SIZE_MAX, 700, &whole);
    enum rc b = digest(p + 2, n - 2, 1u + p[0], 1u + p[1], &split);
    ASSERT((a == RC_OK) == (b == RC_OK));
    if (!a)
        ASSERT(whole == split);
    return 0;
}
