/* predict.c - POST /predict: pictures from a multipart body into a spool file, then to the
 * predictor.
 *
 * The child must be told each picture's size before its bytes, and a multipart part does not state
 * it; so the bytes go to disk first and memory stays small, whatever is uploaded.
 */
#include "flow/trainer/service.h"

#include "base/vec.h"

#include <fcntl.h>

enum { PIECE_BYTES = 64 << 10, REQUEST_BYTES_MAX = 16 << 10, ANSWER_BYTES_MAX = 64 << 20 };

struct intake {
    struct trainer *t;
    struct arena *a;
    int fd;
    uint64_t total;
    bool has_request;
    struct predict_request request;
    struct predict_image images[PREDICT_IMAGES_MAX];
    size_t n;
    char piece[PIECE_BYTES];
};

static enum rc take_request(struct intake *in, struct multipart *m, struct err *e)
{
    struct buf text;
    size_t n;
    enum rc rc;

    buf_init(&text, REQUEST_BYTES_MAX);
    while (!(rc = multipart_read(m, in->piece, sizeof in->piece, &n, e)) && n)
        buf_add(&text, in->piece, n);
    if (!rc)
        rc = buf_ok(&text, e);
    if (!rc)
        rc = field_read_text(predict_request_fields, buf_view(&text), &in->request, in->a, e);
    buf_done(&text);
    in->has_request = !rc;
    return rc ? err_wrap(e, rc, "the part 'request'") : RC_OK;
}

static enum rc take_image(struct intake *in, struct multipart *m, str filename, struct err *e)
{
    struct predict_image *im = &in->images[in->n];
    size_t n;
    enum rc rc;

    if (in->n == PREDICT_IMAGES_MAX)
        return err_set(e, RC_TOO_LARGE, "at most %d pictures a request", PREDICT_IMAGES_MAX);
    im->name = filename.n ? arena_str(in->a, str_sub(filename, 0, 1024))
                          : str_of(arena_printf(in->a, "image-%zu", in->n + 1));
    im->bytes = 0;
    while (!(rc = multipart_read(m, in->piece, sizeof in->piece, &n, e)) && n) {
        im->bytes += n;
        in->total += n;
        if (im->bytes > PREDICT_IMAGE_BYTES_MAX)
            return err_set(e, RC_TOO_LARGE, "picture '%.*s' has more than %d bytes",
                           STR_F(im->name), PREDICT_IMAGE_BYTES_MAX);
        if (in->total > PREDICT_TOTAL_BYTES_MAX)
            return err_set(e, RC_TOO_LARGE, "the pictures have more than %d bytes together",
                           PREDICT_TOTAL_BYTES_MAX);
        rc = os_write_all(in->fd, in->piece, n, e);
        if (rc)
            return rc;
    }
    in->n++;
    return rc;
}

static enum rc take_parts(struct intake *in, struct http_req *r, struct err *e)
{
    struct multipart *m = NULL;
    str name, filename, type;
    bool more = true;
    enum rc rc = multipart_open(&m, r, e);

    while (!rc && more) {
        rc = multipart_next(m, &more, &name, &filename, &type, e);
        if (rc || !more)
            break;
        if (str_is(name, "request") && !in->has_request)
            rc = take_request(in, m, e);
        else if (str_is(name, "image"))
            rc = take_image(in, m, filename, e);
        else
            rc = err_field(e, RC_INVALID, "part",
                           "there is no part '%.*s'; one 'request' and any "
                           "number of 'image' are expected",
                           STR_F(str_sub(name, 0, 60)));
    }
    if (!rc && !in->has_request)
        rc = err_field(e, RC_INVALID, "request", "the part 'request' is missing");
    if (!rc && !in->n)
        rc = err_field(e, RC_INVALID, "image", "there is no picture: send each as a part 'image'");
    return rc;
}

static enum rc spool_open(struct trainer *t, int *ret_fd, struct err *e)
{
    char path[700];
    enum rc rc;

    snprintf(path, sizeof path, "%s/%llu", t->spool_dir,
             (unsigned long long)atomic_fetch_add(&t->spooled, 1));
    rc = os_open(path, O_RDWR | O_CREAT | O_EXCL, 0600, ret_fd, e);
    if (!rc)
        (void)os_sys.unlink(path); /* it lives as long as the descriptor */
    return rc;
}

enum rc route_predict(struct trainer *t, struct http_req *r, str id, struct err *e)
{
    struct intake *in = mem_zalloc(sizeof *in);
    struct buf out;
    enum rc rc;

    if (!in)
        return err_set(e, RC_NOMEM, "out of memory for a request");
    in->t = t;
    in->a = http_arena(r);
    in->fd = -1;
    http_body_limit(r, (uint64_t)PREDICT_TOTAL_BYTES_MAX + (1 << 20));
    buf_init(&out, ANSWER_BYTES_MAX);
    rc = spool_open(t, &in->fd, e);
    if (!rc)
        rc = take_parts(in, r, e);
    if (!rc)
        rc = predictor_run(t->predictor, &in->request, in->images, in->n, in->fd, &out, e);
    os_close(in->fd);
    mem_free(in);
    if (rc)
        buf_done(&out);
    else
        trainer_reply(r, 200, &out);
    return rc;
}
