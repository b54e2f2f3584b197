/* samples.c - see samples.h. */
#include "engine/feed/samples.h"

#include "base/mem.h"
#include "os/os.h"
#include <fcntl.h>

enum { READ_BYTES = 1 << 18, LINE_ARENA_BYTES_MAX = 256 << 20 };

struct reader {
    struct samples *out;
    struct arena *keep; /* what stays */
    struct arena line;  /* what one line needs */
    uint64_t lines;
};

static enum rc take_header(struct reader *r, str line, struct err *e)
{
    struct samples *s = r->out;
    uint64_t sum = 0;
    enum rc rc = dataset_header_read(line, r->keep, &s->header, e);

    for (int i = 0; !rc && i < SPLIT_COUNT; i++) {
        uint64_t n = s->header.splits[i];
        sum += n;
        if (n > UINT32_MAX || sum > s->header.images)
            return err_set(e, RC_CORRUPT, "the splits hold more images than the header states");
        s->of[i] = ARENA_ARRAY(r->keep, struct sample_ref, n ? (size_t)n : 1);
        if (!s->of[i])
            rc = err_set(e, RC_NOMEM, "no memory for the list of %llu images",
                         (unsigned long long)n);
    }
    return rc;
}

static enum rc take_sample(struct reader *r, str line, struct err *e)
{
    struct samples *s = r->out;
    struct sample in;
    enum rc rc = sample_read(line, &s->header, &r->line, &in, e);

    if (rc)
        return rc;
    if (s->n[in.split] == s->header.splits[in.split])
        return err_set(e, RC_CORRUPT, "more images in split '%s' than the header states",
                       split_names[in.split]);
    struct sample_ref *to = &s->of[in.split][s->n[in.split]++];
    memcpy(to->sha256, in.sha256, sizeof to->sha256);
    to->width = in.width;
    to->height = in.height;
    to->label = in.label;
    to->name = arena_str(r->keep, in.name);
    return to->name.p ? RC_OK : err_set(e, RC_NOMEM, "no memory for the names of the images");
}

static enum rc take_line(struct reader *r, str line, struct err *e)
{
    enum rc rc;

    r->lines++;
    rc = r->lines == 1 ? take_header(r, line, e) : take_sample(r, line, e);
    arena_reset(&r->line);
    return rc ? err_wrap(e, rc, "line %llu", (unsigned long long)r->lines) : RC_OK;
}

/* Takes the whole lines off `b`. */
static enum rc take_lines(struct reader *r, struct buf *b, struct err *e)
{
    str rest = buf_view(b);
    ptrdiff_t at;
    enum rc rc = RC_OK;

    while (!rc && (at = str_chr(rest, '\n')) >= 0) {
        rc = take_line(r, str_sub(rest, 0, (size_t)at), e);
        rest = str_sub(rest, (size_t)at + 1, rest.n);
    }
    buf_drop_front(b, b->n - rest.n);
    return rc;
}

static enum rc take_file(struct reader *r, int fd, struct err *e)
{
    struct buf b;
    size_t got = 1;
    enum rc rc = RC_OK;

    buf_init(&b, DATASET_LINE_BYTES_MAX + READ_BYTES);
    while (!rc && got > 0) {
        void *to = buf_grow(&b, READ_BYTES);
        rc = to ? os_read(fd, to, READ_BYTES, &got, e) : buf_ok(&b, e);
        if (rc)
            break;
        b.n -= READ_BYTES - got;
        rc = take_lines(r, &b, e);
    }
    if (!rc && b.n > 0)
        rc = err_set(e, RC_CORRUPT, "the file ends inside line %llu",
                     (unsigned long long)r->lines + 1);
    buf_done(&b);
    return rc;
}

enum rc samples_read(const char *path, struct arena *a, struct samples *ret, struct err *e)
{
    struct samples s = {0};
    struct reader r = {.out = &s, .keep = a};
    int fd = -1;
    enum rc rc = os_open(path, O_RDONLY, 0, &fd, e);

    if (rc)
        return rc;
    arena_init(&r.line, LINE_ARENA_BYTES_MAX);
    rc = take_file(&r, fd, e);
    if (!rc && r.lines == 0)
        rc = err_set(e, RC_CORRUPT, "the file is empty");
    for (int i = 0; !rc && i < SPLIT_COUNT; i++)
        if (s.n[i] != s.header.splits[i])
            rc = err_set(e, RC_CORRUPT, "split '%s' has %zu images, but the header states %llu",
                         split_names[i], s.n[i], (unsigned long long)s.header.splits[i]);
    arena_done(&r.line);
    os_close(fd);
    if (rc)
        return err_wrap(e, rc, "the manifest %s", path);
    *ret = s;
    return RC_OK;
}

static int by_value(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return x < y ? -1 : x > y;
}

int32_t samples_median_side(const struct sample_ref *s, size_t n, struct arena *a)
{
    int32_t *side = ARENA_ARRAY(a, int32_t, n ? n : 1);

    if (!side || !n)
        return 0;
    for (size_t i = 0; i < n; i++)
        side[i] = s[i].width < s[i].height ? s[i].width : s[i].height;
    qsort(side, n, sizeof *side, by_value);
    return side[n / 2];
}
