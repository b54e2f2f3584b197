/* jobs_results_fuzz.c - the results that a trainer has put into the store are outside bytes: lines
 * of any content, cut anywhere.  The first byte chooses the pieces, the second the filter. */
#include "api/jobs_results.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct images_query q = {.label = -1, .predicted = -1, .limit = 10};
    struct images_out o = {.q = &q};
    struct lines l = {.line = take_image, .ud = &o};
    struct buf out;
    struct jw w;
    struct err e = {0};
    size_t piece;
    enum rc rc = RC_OK;

    if (size < 2)
        return 0;
    piece = data[0] + 1u;
    q.correct = data[1] % 3;
    q.label = data[1] / 3 % 3 - 1;
    data += 2;
    size -= 2;
    buf_init(&out, 1 << 20);
    buf_init(&l.rest, 1 << 16);
    arena_init(&o.a, 1 << 20);
    jw_init(&w, &out);
    o.w = &w;
    jw_arr(&w);
    for (size_t at = 0; !rc && at < size; at += piece)
        rc = take_lines(&l, data + at, size - at < piece ? size - at : piece, &e);
    jw_arr_end(&w);
    arena_done(&o.a);
    buf_done(&l.rest);
    /* What was let through is JSON again. */
    if (!buf_ok(&out, NULL)) {
        const struct json *v;

        arena_init(&o.a, 64 << 20);
        ASSERT(!json_parse(&o.a, buf_view(&out), NULL, &v, &e));
        ASSERT(v->list.count <= 10);
        arena_done(&o.a);
    }
    buf_done(&out);
    return 0;
}
