/* jobs_pictures_fuzz.c - the results that a trainer has put into the store are outside bytes: lines
 * of any content, cut anywhere.  The first byte chooses the pieces, the second the filter. */
#include "api/jobs_pictures.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum rc feed(line_fn line, void *ud, size_t piece, const uint8_t *data, size_t size)
{
    struct lines l = {.line = line, .ud = ud};
    struct err e = {0};
    enum rc rc = RC_OK;

    buf_init(&l.rest, 1 << 16);
    for (size_t at = 0; !rc && at < size; at += piece)
        rc = take_lines(&l, data + at, size - at < piece ? size - at : piece, &e);
    buf_done(&l.rest);
    return rc;
}

static void count_all(size_t piece, const uint8_t *data, size_t size)
{
    struct counts_out o = {0};

    arena_init(&o.a, 1 << 20);
    (void)feed(take_count, &o, piece, data, size);
    arena_done(&o.a);
    result_counts_end(&o.counts);
    for (int i = 1; i < RESULT_THRESHOLDS; i++)
        ASSERT(o.counts.hits[i] <= o.counts.hits[i - 1] &&
               o.counts.wrong[i] <= o.counts.wrong[i - 1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct images_query q = {.limit = 10, .predicted = -1, .cls = -1, .threshold = -1};
    struct images_out o;
    struct buf out;
    struct jw w;
    struct err e = {0};
    size_t piece;

    if (size < 2)
        return 0;
    piece = data[0] + 1u;
    q.correct = data[1] % 3;
    q.label = data[1] / 3 % 3 - 1;
    q.mistake = data[1] / 9 % 4;
    q.order = data[1] / 36 % 2;
    data += 2;
    size -= 2;
    buf_init(&out, 1 << 20);
    jw_init(&w, &out);
    ASSERT(!images_begin(&o, &q, &w, &e));
    jw_arr(&w);
    (void)feed(take_image, &o, piece, data, size);
    ASSERT(!write_rank(&o, &e));
    jw_arr_end(&w);
    for (size_t i = 1; i < o.rank.n; i++)
        ASSERT(o.rank.p[i].score <= o.rank.p[i - 1].score);
    images_end(&o);
    /* What was let through is JSON again. */
    if (!buf_ok(&out, NULL)) {
        const struct json *v;

        arena_init(&o.a, 64 << 20);
        ASSERT(!json_parse(&o.a, buf_view(&out), NULL, &v, &e));
        ASSERT(v->list.count <= 10);
        arena_done(&o.a);
    }
    buf_done(&out);
    count_all(piece, data, size);
    return 0;
}
