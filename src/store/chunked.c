/* chunked.c - see chunked.h. */
#include "store/chunked.h"

enum { SIZE_LINE, DATA, DATA_END, TRAILER, ENDED };

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

bool chunked_form(str payload, bool *ret_signed, bool *ret_trailer)
{
    static const struct {
        const char *name;
        bool is_signed, trailer;
    } rows[] = {{"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", true, false},
                {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", true, true},
                {"STREAMING-UNSIGNED-PAYLOAD-TRAILER", false, true}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_is(payload, rows[i].name)) {
            *ret_signed = rows[i].is_signed;
            *ret_trailer = rows[i].trailer;
            return true;
        }
    return false;
}

enum rc chunked_init(struct chunked *c, const struct sigv4_auth *auth, str region, struct err *e)
{
    *c = (struct chunked){.auth = *auth, .region = region, .state = SIZE_LINE};
    buf_init(&c->trailers, CHUNKED_TRAILERS_BYTES_MAX);
    if (!chunked_form(auth->payload, &c->is_signed, &c->has_trailer))
        return err_set(e, RC_UNIMPLEMENTED, "the payload form '%.*s' is not supported",
                       STR_F(str_sub(auth->payload, 0, 80)));
    return RC_OK;
}

void chunked_done(struct chunked *c)
{
    hasher_done(&c->sha);
    buf_done(&c->trailers);
}

bool chunked_ended(const struct chunked *c)
{
    return c->state == ENDED;
}

/* The signature over what follows the one before; `tail` is the last part of the string to sign. */
static enum rc check_link(struct chunked *c, const char *algorithm, const char *tail,
                          const char *claimed, struct err *e)
{
    char text[512]; /* on the stack: this must not fail */
    uint8_t mac[SHA256_BYTES];
    char got[SHA256_HEX + 1];

    snprintf(text, sizeof text, "%s\n%s\n%.8s/%.*s/s3/aws4_request\n%s\n%s", algorithm,
             c->auth.time, c->auth.time, STR_F(str_sub(c->region, 0, 64)), c->auth.signature, tail);
    hmac_sha256((str){(const char *)c->auth.key, SHA256_BYTES}, str_of(text), mac);
    hex_of(mac, sizeof mac, got);
    if (!same_bytes(got, claimed, SHA256_HEX))
        return err_set(e, RC_FORBIDDEN, "the signature of a chunk of the body does not match");
    memcpy(c->auth.signature, got, sizeof got);
    return RC_OK;
}

static enum rc end_chunk(struct chunked *c, struct err *e)
{
    uint8_t digest[SHA256_BYTES];
    char tail[2 * SHA256_HEX + 2];

    if (!c->is_signed)
        return RC_OK;
    hasher_final(&c->sha, digest);
    memcpy(tail, EMPTY_SHA256 "\n", SHA256_HEX + 1);
    hex_of(digest, sizeof digest, tail + SHA256_HEX + 1);
    return check_link(c, "AWS4-HMAC-SHA256-PAYLOAD", tail, c->signature, e);
}

static bool hex_u64(str s, uint64_t *ret)
{
    uint64_t v = 0;

    if (!s.n || s.n > 15)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                            : 16;
        if (d > 15)
            return false;
        v = v << 4 | d;
    }
    *ret = v;
    return true;
}

static enum rc size_line(struct chunked *c, str line, struct err *e)
{
    ptrdiff_t semicolon = str_chr(line, ';');
    str size = semicolon < 0 ? line : str_sub(line, 0, (size_t)semicolon);
    str ext = semicolon < 0 ? STR_NONE : str_sub(line, (size_t)semicolon + 1, line.n);
    enum rc rc = RC_OK;

    if (!hex_u64(size, &c->left))
        return err_set(e, RC_INVALID, "a chunk of the body has no valid size");
    if (c->is_signed) {
        if (!str_starts(ext, STR("chunk-signature=")) || ext.n != 16 + SHA256_HEX)
            return err_set(e, RC_INVALID, "a chunk of the body has no chunk-signature");
        memcpy(c->signature, ext.p + 16, SHA256_HEX);
        rc = sha256_init(&c->sha, e);
    }
    c->state = DATA;
    if (!rc && !c->left) {
        rc = end_chunk(c, e);
        c->state = TRAILER;
    }
    return rc;
}

str chunked_trailer(const struct chunked *c, const char *name)
{
    str rest = buf_view(&c->trailers), line, want = str_of(name);

    while (str_line(&rest, &line))
        if (line.n > want.n && line.p[want.n] == ':' && str_starts(line, want))
            return str_sub(line, want.n + 1, line.n);
    return STR_NONE;
}

static enum rc end_trailers(struct chunked *c, struct err *e)
{
    str claimed = chunked_trailer(c, "x-amz-trailer-signature");
    char hash[SHA256_HEX + 1];
    str signed_part = buf_view(&c->trailers);
    ptrdiff_t at;

    c->state = ENDED;
    if (!c->has_trailer && signed_part.n)
        return err_set(e, RC_INVALID, "trailers follow a body that announced none");
    if (!c->is_signed || !c->has_trailer)
        return RC_OK;
    at = str_find(signed_part, STR("x-amz-trailer-signature:"));
    if (claimed.n != SHA256_HEX || at < 0)
        return err_set(e, RC_INVALID, "the trailers have no x-amz-trailer-signature");
    sha256_hex(str_sub(signed_part, 0, (size_t)at), hash); /* it stands last */
    return check_link(c, "AWS4-HMAC-SHA256-TRAILER", hash, claimed.p, e);
}

static enum rc trailer_line(struct chunked *c, str line, struct err *e)
{
    ptrdiff_t colon = str_chr(line, ':');

    if (!line.n)
        return end_trailers(c, e);
    if (colon < 1)
        return err_set(e, RC_INVALID, "a trailer of the body is not NAME:VALUE");
    for (ptrdiff_t i = 0; i < colon; i++) {
        char ch = line.p[i];
        buf_putc(&c->trailers, (char)(ch >= 'A' && ch <= 'Z' ? ch + 32 : ch));
    }
    buf_putc(&c->trailers, ':');
    buf_str(&c->trailers, str_trim(str_sub(line, (size_t)colon + 1, line.n)));
    buf_putc(&c->trailers, '\n');
    if (c->trailers.rc)
        return err_set(e, RC_INVALID, "the trailers of the body are too long");
    return RC_OK;
}

/* Gathers a line; true when it is whole. */
static enum rc take_line(struct chunked *c, const char *p, size_t n, size_t *used, bool *whole,
                         struct err *e)
{
    while (*used < n) {
        char ch = p[(*used)++];
        if (ch == '\n') {
            if (!c->line_n || c->line[c->line_n - 1] != '\r')
                return err_set(e, RC_INVALID, "a line of the chunked body does not end in CRLF");
            c->line_n--;
            *whole = true;
            return RC_OK;
        }
        if (c->line_n == CHUNKED_LINE_MAX)
            return err_set(e, RC_INVALID, "a line of the chunked body is longer than %d bytes",
                           CHUNKED_LINE_MAX);
        c->line[c->line_n++] = ch;
    }
    return RC_OK;
}

static enum rc run_line(struct chunked *c, struct err *e)
{
    str line = {c->line, c->line_n};

    c->line_n = 0;
    if (c->state == SIZE_LINE)
        return size_line(c, line, e);
    if (c->state == TRAILER)
        return trailer_line(c, line, e);
    if (line.n)
        return err_set(e, RC_INVALID, "a chunk of the body is longer than its size");
    c->state = SIZE_LINE;
    return RC_OK;
}

enum rc chunked_feed(struct chunked *c, const char *p, size_t n, size_t *ret_used, str *ret_data,
                     struct err *e)
{
    size_t used = 0;
    str data = {p, 0};
    enum rc rc = RC_OK;

    if (c->state == ENDED && n)
        return err_set(e, RC_INVALID, "bytes follow the end of the chunked body");
    while (!rc && used < n && c->state != DATA && c->state != ENDED) {
        bool whole = false;
        rc = take_line(c, p, n, &used, &whole, e);
        if (!rc && whole)
            rc = run_line(c, e);
    }
    if (!rc && c->state == DATA && used < n) {
        data.p = p + used;
        data.n = n - used < c->left ? n - used : (size_t)c->left;
        if (c->is_signed)
            hasher_add(&c->sha, data.p, data.n);
        used += data.n;
        c->left -= data.n;
        if (!c->left) {
            rc = end_chunk(c, e);
            c->state = DATA_END;
        }
    }
    if (rc)
        return rc;
    *ret_used = used;
    *ret_data = data;
    return RC_OK;
}
