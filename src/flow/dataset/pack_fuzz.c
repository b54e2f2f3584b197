/* pack_fuzz.c - archives of any bytes through the first pass and the choice of format. */
#include "flow/dataset/pack.h"
#include "flow/dataset/survey.h"

static enum rc read_memory(void *ud, uint64_t at, size_t n, struct buf *out, struct err *e)
{
    const str *s = ud;

    ASSERT(at <= s->n && n <= s->n - at);
    buf_add(out, s->p + at, n);
    return buf_ok(out, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str bytes = {(const char *)data, size};
    struct pack_source src = {size, read_memory, &bytes};
    struct pack *in = NULL;
    struct arena a;
    struct harvest h;
    struct err e = {0};

    arena_init(&a, 256 << 20);
    harvest_init(&h, &a);
    if (!pack_open(&in, &src, &(struct pack_limits){8 << 20, 200}, &e)) {
        if (!survey_read(&h, in, NULL, NULL, &e) && survey_recognise(&h, &e) == RC_OK)
            for (size_t i = 0; i < h.pictures.n; i++)
                ASSERT(str_utf8_ok(h.pictures.p[i].name) &&
                       !path_has_part(h.pictures.p[i].name, ".."));
    }
    pack_close(in);
    harvest_done(&h);
    arena_done(&a);
    return 0;
}
