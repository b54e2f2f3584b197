/* sigv4.c - see sigv4.h.
 *
 * Canonical form.  The path and the query are decoded and encoded again, so that two spellings of
 * one request ("~" and "%7E") sign alike, and so that what is checked is what the server acts on.
 * Parameters are ordered by their encoded name, then value.
 *
 * Order of checks: form, time, key, signature.  The caller who does not hold the key learns nothing
 * that depends on it.
 */
#include "s3/sigv4.h"

#include "base/utc.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

/* ---- URI text */

/* A-Z a-z 0-9 - . _ ~, a bit for each character. */
static bool unreserved(unsigned char c)
{
    static const uint64_t bits[] = {0x03ff600000000000, 0x47fffffe87fffffe};

    return c < 128 && (bits[c >> 6] >> (c & 63) & 1);
}

void sigv4_encode(struct buf *out, str s, bool keep_slash)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t from = 0;

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (unreserved(c) || (keep_slash && c == '/'))
            continue;
        buf_add(out, s.p + from, i - from);
        buf_add(out, (const char[]){'%', hex[c >> 4], hex[c & 15]}, 3);
        from = i + 1;
    }
    if (s.n > from)
        buf_add(out, s.p + from, s.n - from);
}

enum rc sigv4_decode(struct arena *a, str s, bool plus_is_space, str *ret, struct err *e)
{
    char *p = arena_cstr(a, s);
    const char *first = p && s.n ? memchr(p, '%', s.n) : NULL;
    size_t n = first ? (size_t)(first - p) : s.n;

    if (!p)
        return err_set(e, RC_NOMEM, "out of memory");
    first = plus_is_space && n ? memchr(p, '+', n) : NULL;
    if (first) /* what stands before is as it should be, in most cases all */
        n = (size_t)(first - p);
    for (size_t i = n; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            uint8_t byte;
            if (s.n - i < 3 || !hex_to((str){s.p + i + 1, 2}, &byte))
                return err_set(e, RC_INVALID, "a broken %%XX escape at byte %zu of the URI", i);
            c = (char)byte;
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        p[n++] = c;
    }
    p[n] = 0;
    *ret = (str){p, n};
    return RC_OK;
}

enum rc sigv4_query(struct arena *a, str raw, struct sigv4_pair **ret, size_t *ret_n, struct err *e)
{
    struct sigv4_pair *list;
    size_t max = 1, n = 0;
    str piece;

    for (size_t i = 0; i < raw.n; i++)
        max += raw.p[i] == '&';
    if (max > SIGV4_PARAMS_MAX)
        return err_set(e, RC_LIMIT, "more than %d query parameters", SIGV4_PARAMS_MAX);
    list = ARENA_ARRAY(a, struct sigv4_pair, max);
    if (!list)
        return err_set(e, RC_NOMEM, "out of memory");
    while (n < max && str_next(&raw, '&', &piece)) {
        ptrdiff_t eq = str_chr(piece, '=');
        size_t cut = eq < 0 ? piece.n : (size_t)eq;
        enum rc rc;
        if (!piece.n)
            continue;
        rc = sigv4_decode(a, str_sub(piece, 0, cut), true, &list[n].name, e);
        if (!rc)
            rc = sigv4_decode(a, str_sub(piece, cut + 1, piece.n), true, &list[n].value, e);
        if (rc)
            return rc;
        n++;
    }
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

str sigv4_find(const struct sigv4_pair *p, size_t n, const char *name)
{
    str wanted = str_of(name);

    for (size_t i = 0; i < n; i++)
        if (str_eq(p[i].name, wanted))
            return p[i].value;
    return STR_NONE;
}

str sigv4_header(const struct sigv4_request *q, const char *name)
{
    str wanted = str_of(name);

    for (size_t i = 0; i < q->header_count; i++)
        if (str_ieq(q->headers[i].name, wanted))
            return str_trim(q->headers[i].value);
    return STR_NONE;
}

/* ---- time */

void sigv4_time_text(int64_t unix_s, char ret[SIGV4_TIME_TEXT])
{
    struct utc u = utc_of(unix_s);

    memcpy(ret, "yyyymmddThhmmssZ", SIGV4_TIME_TEXT);
    utc_digits(ret, (uint64_t)u.year, 4);
    utc_digits(ret + 4, u.month, 2);
    utc_digits(ret + 6, u.day, 2);
    utc_digits(ret + 9, u.hour, 2);
    utc_digits(ret + 11, u.minute, 2);
    utc_digits(ret + 13, u.second, 2);
}

bool sigv4_time_parse(str s, int64_t *ret_unix_s)
{
    static const char form[] = "ddddddddTddddddZ";
    unsigned v[14], n = 0;
    struct utc u;

    if (s.n != sizeof form - 1)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (form[i] != 'd' && s.p[i] != form[i])
            return false;
        if (form[i] == 'd' && (s.p[i] < '0' || s.p[i] > '9'))
            return false;
        if (form[i] == 'd')
            v[n++] = (unsigned)(s.p[i] - '0');
    }
    u = (struct utc){.year = v[0] * 1000 + v[1] * 100 + v[2] * 10 + v[3],
                     .month = v[4] * 10 + v[5],
                     .day = v[6] * 10 + v[7],
                     .hour = v[8] * 10 + v[9],
                     .minute = v[10] * 10 + v[11],
                     .second = v[12] * 10 + v[13]};
    if (u.year < 1900 || !utc_ok(&u))
        return false;
    *ret_unix_s = utc_seconds(&u);
    return true;
}

/* ---- signing */

void sigv4_signing_key(str secret, str date8, str region, uint8_t ret[SHA256_BYTES])
{
    uint8_t k[SHA256_BYTES];
    char first[4 + 256];
    size_t n = secret.n < 256 ? secret.n : 256; /* s3_open and store_open refuse longer ones */

    memcpy(first, "AWS4", 4);
    memcpy(first + 4, n ? secret.p : "", n);
    hmac_sha256((str){first, 4 + n}, date8, k);
    hmac_sha256((str){(char *)k, sizeof k}, region, k);
    hmac_sha256((str){(char *)k, sizeof k}, STR("s3"), k);
    hmac_sha256((str){(char *)k, sizeof k}, STR("aws4_request"), ret);
}

struct encoded {
    str name, value;
};

static int encoded_cmp(const void *pa, const void *pb)
{
    const struct encoded *a = pa, *b = pb;
    int c = str_cmp(a->name, b->name);

    return c ? c : str_cmp(a->value, b->value);
}

/* sigv4_encode into the arena, or as it is where that is the same: no heap for a request's
 * parameters. */
static enum rc encode_in(struct arena *a, str s, str *ret, struct err *e)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t n = 0;
    char *p;

    while (n < s.n && unreserved((unsigned char)s.p[n]))
        n++;
    if (n == s.n) {
        *ret = s;
        return RC_OK;
    }
    p = arena_alloc(a, 3 * s.n + 1);
    if (!p)
        return err_set(e, RC_NOMEM, "out of memory");
    n = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (unreserved(c)) {
            p[n++] = (char)c;
        } else {
            p[n++] = '%';
            p[n++] = hex[c >> 4];
            p[n++] = hex[c & 15];
        }
    }
    *ret = (str){p, n};
    return RC_OK;
}

static enum rc canonical_query(struct arena *a, struct buf *out, const struct sigv4_pair *p,
                               size_t n, struct err *e)
{
    struct encoded enc[SIGV4_PARAMS_MAX];
    size_t kept = 0;
    bool sorted = true;
    enum rc rc = RC_OK;

    for (size_t i = 0; !rc && i < n; i++) {
        if (str_eq(p[i].name, STR("X-Amz-Signature")))
            continue;
        rc = encode_in(a, p[i].name, &enc[kept].name, e);
        if (!rc)
            rc = encode_in(a, p[i].value, &enc[kept].value, e);
        if (!rc && kept)
            sorted = sorted && encoded_cmp(&enc[kept - 1], &enc[kept]) <= 0;
        kept++;
    }
    if (rc)
        return rc;
    if (!sorted)
        qsort(enc, kept, sizeof *enc, encoded_cmp);
    for (size_t i = 0; i < kept; i++) {
        if (i)
            buf_putc(out, '&');
        buf_str(out, enc[i].name);
        buf_putc(out, '=');
        buf_str(out, enc[i].value);
    }
    return RC_OK;
}

/* Appends a header's value with runs of blanks folded to one. */
static void fold_value(struct buf *out, str v)
{
    bool blank = false;

    v = str_trim(v);
    for (size_t i = 0; i < v.n; i++) {
        bool is_blank = v.p[i] == ' ' || v.p[i] == '\t';
        if (!is_blank)
            buf_putc(out, v.p[i]);
        else if (!blank)
            buf_putc(out, ' ');
        blank = is_blank;
    }
}

static enum rc canonical_header(struct buf *out, const struct sigv4_request *q, str name,
                                struct err *e)
{
    bool found = false;

    buf_str(out, name);
    for (size_t i = 0; i < q->header_count; i++) {
        if (!str_ieq(q->headers[i].name, name))
            continue;
        buf_putc(out, found ? ',' : ':');
        fold_value(out, q->headers[i].value);
        found = true;
    }
    buf_putc(out, '\n');
    if (!found)
        return err_set(e, RC_INVALID, "the signed header '%.*s' is not in the request",
                       STR_F(str_sub(name, 0, 64)));
    return RC_OK;
}

/* The target of a request, decoded. */
struct target {
    str path;
    struct sigv4_pair *p;
    size_t n;
};

static enum rc target_of(struct arena *a, const struct sigv4_request *q, struct target *ret,
                         struct err *e)
{
    enum rc rc = sigv4_query(a, q->query, &ret->p, &ret->n, e);

    return rc ? rc : sigv4_decode(a, q->path, false, &ret->path, e);
}

static enum rc put_canonical(struct arena *a, struct buf *out, const struct sigv4_request *q,
                             const struct target *t, str signed_headers, str payload_hash,
                             struct err *e)
{
    str name, rest = signed_headers;
    enum rc rc;

    buf_str(out, q->method);
    buf_putc(out, '\n');
    sigv4_encode(out, t->path, true);
    buf_putc(out, '\n');
    rc = canonical_query(a, out, t->p, t->n, e);
    buf_putc(out, '\n');
    while (!rc && str_next(&rest, ';', &name))
        rc = canonical_header(out, q, name, e);
    buf_putc(out, '\n');
    buf_str(out, signed_headers);
    buf_putc(out, '\n');
    buf_str(out, payload_hash);
    return rc ? rc : buf_ok(out, e);
}

enum rc sigv4_canonical(struct arena *a, struct buf *out, const struct sigv4_request *q,
                        str signed_headers, str payload_hash, struct err *e)
{
    struct target t;
    enum rc rc = target_of(a, q, &t, e);

    return rc ? rc : put_canonical(a, out, q, &t, signed_headers, payload_hash, e);
}

static char *put(char *to, str s)
{
    if (s.n)
        memcpy(to, s.p, s.n);
    return to + s.n;
}

void sigv4_sign(const uint8_t key[SHA256_BYTES], str amz_time, str region, str canonical,
                char ret[SHA256_HEX + 1])
{
    char hash[SHA256_HEX + 1];
    uint8_t mac[SHA256_BYTES];
    char text[256]; /* on the stack: this must not fail */
    char *end = text;

    sha256_hex(canonical, hash);
    end = put(end, STR(ALGORITHM "\n"));
    end = put(end, str_sub(amz_time, 0, 16));
    end = put(end, STR("\n"));
    end = put(end, str_sub(amz_time, 0, 8));
    end = put(end, STR("/"));
    end = put(end, str_sub(region, 0, 64));
    end = put(end, STR("/s3/aws4_request\n"));
    end = put(end, (str){hash, SHA256_HEX});
    hmac_sha256((str){(const char *)key, SHA256_BYTES}, (str){text, (size_t)(end - text)}, mac);
    hex_of(mac, sizeof mac, ret);
}

/* ---- presigned URLs */

enum rc sigv4_presign(struct arena *a, struct buf *out, const struct sigv4_keys *k,
                      const struct sigv4_url *u, struct err *e)
{
    struct sigv4_pair host = {STR("host"), u->host};
    struct sigv4_request q = {u->method, u->path, STR_NONE, &host, 1};
    char when[SIGV4_TIME_TEXT], signature[SHA256_HEX + 1];
    uint8_t key[SHA256_BYTES];
    struct buf query, canonical;
    enum rc rc;

    if (u->seconds < 1 || u->seconds > SIGV4_EXPIRES_S_MAX)
        return err_set(e, RC_INVALID, "a presigned URL lives 1 to %d seconds, not %lld",
                       SIGV4_EXPIRES_S_MAX, (long long)u->seconds);
    sigv4_time_text(u->now_ms / 1000, when);
    buf_init(&query, SIGV4_CANONICAL_MAX);
    buf_init(&canonical, SIGV4_CANONICAL_MAX);
    if (u->query.n) {
        buf_str(&query, u->query);
        buf_putc(&query, '&');
    }
    buf_puts(&query, "X-Amz-Algorithm=" ALGORITHM "&X-Amz-Credential=");
    sigv4_encode(&query, k->access_key, false);
    buf_printf(&query, "%%2F%.8s%%2F", when);
    sigv4_encode(&query, k->region, false);
    buf_printf(&query,
               "%%2Fs3%%2Faws4_request&X-Amz-Date=%s&X-Amz-Expires=%lld&X-Amz-SignedHeaders=host",
               when, (long long)u->seconds);
    if (k->session_token.n) {
        buf_puts(&query, "&X-Amz-Security-Token=");
        sigv4_encode(&query, k->session_token, false);
    }
    q.query = buf_view(&query);
    rc = buf_ok(&query, e);
    if (!rc)
        rc = sigv4_canonical(a, &canonical, &q, STR("host"), STR("UNSIGNED-PAYLOAD"), e);
    if (!rc) {
        sigv4_signing_key(k->secret_key, (str){when, 8}, k->region, key);
        sigv4_sign(key, str_of(when), k->region, buf_view(&canonical), signature);
        buf_str(out, u->origin);
        buf_str(out, u->path);
        buf_putc(out, '?');
        buf_str(out, buf_view(&query));
        buf_printf(out, "&X-Amz-Signature=%s", signature);
        rc = buf_ok(out, e);
    }
    buf_done(&query);
    buf_done(&canonical);
    return rc;
}

/* ---- checking */

/* The parts of either form, borrowed. */
struct claim {
    bool presigned;
    str credential, signed_headers, signature, time, payload;
    str access_key; /* of the credential; set by check_scope */
    int64_t expires_s;
};

static enum sigv4_fault claim_of_header(const struct sigv4_request *q, str auth, struct claim *c,
                                        struct err *e)
{
    str rest, piece;

    if (!str_starts(auth, STR(ALGORITHM))) {
        err_set(e, RC_INVALID, "only " ALGORITHM " signatures are accepted");
        return SIGV4_BAD_VERSION;
    }
    rest = str_trim(str_sub(auth, sizeof ALGORITHM - 1, auth.n));
    while (str_next(&rest, ',', &piece)) {
        piece = str_trim(piece);
        if (str_starts(piece, STR("Credential=")))
            c->credential = str_sub(piece, 11, piece.n);
        else if (str_starts(piece, STR("SignedHeaders=")))
            c->signed_headers = str_sub(piece, 14, piece.n);
        else if (str_starts(piece, STR("Signature=")))
            c->signature = str_sub(piece, 10, piece.n);
    }
    if (!c->credential.n || !c->signed_headers.n || !c->signature.n) {
        err_set(e, RC_INVALID,
                "the Authorization header needs Credential, SignedHeaders, Signature");
        return SIGV4_BAD_HEADER;
    }
    c->time = sigv4_header(q, "x-amz-date");
    c->payload = sigv4_header(q, "x-amz-content-sha256");
    if (!c->time.n) {
        err_set(e, RC_INVALID, "the x-amz-date header is missing");
        return SIGV4_BAD_DATE;
    }
    if (!c->payload.n) {
        err_set(e, RC_INVALID, "the x-amz-content-sha256 header is missing");
        return SIGV4_NO_PAYLOAD;
    }
    return SIGV4_VALID;
}

static enum sigv4_fault claim_of_query(const struct sigv4_pair *p, size_t n, struct claim *c,
                                       struct err *e)
{
    const str names[] = {STR("X-Amz-Algorithm"),     STR("X-Amz-Credential"),
                         STR("X-Amz-SignedHeaders"), STR("X-Amz-Signature"),
                         STR("X-Amz-Date"),          STR("X-Amz-Expires")};
    str v[6] = {0};

    for (size_t k = 0; k < 6; k++) {
        size_t seen = 0;
        for (size_t i = 0; i < n; i++)
            if (str_eq(p[i].name, names[k])) {
                v[k] = p[i].value;
                seen++;
            }
        if (seen != 1 || !v[k].n) {
            err_set(e, RC_INVALID, "the query needs exactly one %s", names[k].p);
            return SIGV4_BAD_QUERY;
        }
    }
    if (!str_is(v[0], ALGORITHM)) {
        err_set(e, RC_INVALID, "X-Amz-Algorithm must be " ALGORITHM);
        return SIGV4_BAD_QUERY;
    }
    if (!str_i64(v[5], &c->expires_s) || c->expires_s < 1 || c->expires_s > SIGV4_EXPIRES_S_MAX) {
        err_set(e, RC_INVALID, "X-Amz-Expires must be 1 to %d seconds", SIGV4_EXPIRES_S_MAX);
        return SIGV4_BAD_QUERY;
    }
    c->presigned = true;
    c->credential = v[1];
    c->signed_headers = v[2];
    c->signature = v[3];
    c->time = v[4];
    c->payload = STR("UNSIGNED-PAYLOAD");
    return SIGV4_VALID;
}

/* Credential: KEY/YYYYMMDD/REGION/s3/aws4_request.  The key may hold '/', so it is read from the
 * right. */
static enum sigv4_fault check_scope(struct claim *c, str region, struct err *e)
{
    enum sigv4_fault bad = c->presigned ? SIGV4_BAD_QUERY : SIGV4_BAD_HEADER;
    str part[4], key = c->credential;

    for (int i = 3; i >= 0; i--) {
        ptrdiff_t at = str_rchr(key, '/');
        if (at < 0) {
            err_set(e, RC_INVALID, "the credential must read KEY/DATE/REGION/s3/aws4_request");
            return bad;
        }
        part[i] = str_sub(key, (size_t)at + 1, key.n);
        key = str_sub(key, 0, (size_t)at);
    }
    if (!str_is(part[2], "s3") || !str_is(part[3], "aws4_request")) {
        err_set(e, RC_INVALID, "the credential's service must be s3/aws4_request");
        return bad;
    }
    if (!str_eq(part[1], region)) {
        err_set(e, RC_INVALID, "the region '%.*s' is wrong; expecting '%.*s'",
                STR_F(str_sub(part[1], 0, 64)), STR_F(region));
        return bad;
    }
    if (!str_eq(part[0], str_sub(c->time, 0, 8))) {
        err_set(e, RC_INVALID, "the credential's date is not that of the request");
        return bad;
    }
    c->access_key = key;
    return SIGV4_VALID;
}

static enum sigv4_fault check_time(const struct claim *c, int64_t now_ms, struct err *e)
{
    int64_t now = now_ms / 1000, t;

    if (!sigv4_time_parse(c->time, &t)) {
        err_set(e, RC_INVALID, "the time must read YYYYMMDDTHHMMSSZ");
        return SIGV4_BAD_DATE;
    }
    if (!c->presigned && (t < now - SIGV4_SKEW_S || t > now + SIGV4_SKEW_S)) {
        err_set(e, RC_FORBIDDEN,
                "the request's time and the server's differ by %lld s, more than %d",
                (long long)(t > now ? t - now : now - t), SIGV4_SKEW_S);
        return SIGV4_SKEWED;
    }
    if (c->presigned && t > now + SIGV4_SKEW_S) {
        err_set(e, RC_FORBIDDEN, "the URL is not valid yet");
        return SIGV4_EXPIRED;
    }
    if (c->presigned && now > t + c->expires_s) {
        err_set(e, RC_FORBIDDEN, "the URL has expired");
        return SIGV4_EXPIRED;
    }
    return SIGV4_VALID;
}

static bool list_has(str list, str name)
{
    str piece;

    while (str_next(&list, ';', &piece))
        if (str_ieq(piece, name))
            return true;
    return false;
}

/* host, and every x-amz-* header, must be inside the signature: otherwise a finder of the URL could
 * add, say, a copy source. */
static enum sigv4_fault check_signed(const struct claim *c, const struct sigv4_request *q,
                                     struct err *e)
{
    if (!list_has(c->signed_headers, STR("host"))) {
        err_set(e, RC_FORBIDDEN, "the host header must be signed");
        return SIGV4_NOT_SIGNED;
    }
    for (size_t i = 0; i < q->header_count; i++) {
        str name = q->headers[i].name;
        if (name.n < 6 || !str_ieq(str_sub(name, 0, 6), STR("x-amz-")))
            continue;
        if (c->presigned && str_ieq(name, STR("x-amz-content-sha256")))
            continue; /* clients send UNSIGNED-PAYLOAD along; the query form does not read it */
        if (!list_has(c->signed_headers, name)) {
            err_set(e, RC_FORBIDDEN, "the header '%.*s' is not signed",
                    STR_F(str_sub(name, 0, 64)));
            return SIGV4_NOT_SIGNED;
        }
    }
    return SIGV4_VALID;
}

static enum sigv4_fault check_signature(struct arena *a, const struct claim *c,
                                        const struct sigv4_request *q, const struct target *t,
                                        const struct sigv4_keyring *ring, struct sigv4_auth *ret,
                                        struct err *e)
{
    struct sigv4_auth out = {
        .presigned = c->presigned, .access_key = c->access_key, .payload = c->payload};
    struct buf text;
    enum rc rc;

    if (!ring->find(ring->ud, c->access_key, str_sub(c->time, 0, 8), out.key)) {
        err_set(e, RC_FORBIDDEN, "the access key is not known here");
        return SIGV4_UNKNOWN_KEY;
    }
    buf_init(&text, SIGV4_CANONICAL_MAX);
    rc = put_canonical(a, &text, q, t, c->signed_headers, c->payload, e);
    if (!rc) {
        ASSERT(c->time.n == sizeof out.time - 1); /* check_time; out.time ends with NUL already */
        memcpy(out.time, c->time.p, c->time.n);
        sigv4_sign(out.key, str_of(out.time), ring->region, buf_view(&text), out.signature);
    }
    buf_done(&text);
    if (rc == RC_NOMEM)
        return SIGV4_NOMEM;
    if (rc)
        return SIGV4_NOT_SIGNED; /* a header that the signature names is missing, or it is too long
                                  */
    if (c->signature.n != SHA256_HEX || !same_bytes(c->signature.p, out.signature, SHA256_HEX)) {
        err_set(e, RC_FORBIDDEN,
                "the signature does not match; check the secret key and the method");
        return SIGV4_MISMATCH;
    }
    *ret = out;
    return SIGV4_VALID;
}

static bool find_one(void *ud, str access_key, str date8, uint8_t ret[SHA256_BYTES])
{
    const struct sigv4_keys *k = ud;

    if (access_key.n != k->access_key.n || !same_bytes(access_key.p, k->access_key.p, access_key.n))
        return false;
    sigv4_signing_key(k->secret_key, date8, k->region, ret);
    return true;
}

struct sigv4_keyring sigv4_ring_of(const struct sigv4_keys *k)
{
    return (struct sigv4_keyring){k->region, find_one, (void *)(uintptr_t)k};
}

enum sigv4_fault sigv4_verify(struct arena *a, const struct sigv4_request *q,
                              const struct sigv4_keyring *ring, int64_t now_ms,
                              struct sigv4_auth *ret, struct err *e)
{
    str auth = sigv4_header(q, "authorization");
    struct claim c = {0};
    struct target t;
    enum sigv4_fault f;
    enum rc rc = target_of(a, q, &t, e);

    if (rc)
        return rc == RC_NOMEM ? SIGV4_NOMEM : SIGV4_BAD_URI;
    if (auth.p)
        f = claim_of_header(q, auth, &c, e);
    else if (sigv4_find(t.p, t.n, "X-Amz-Algorithm").p || sigv4_find(t.p, t.n, "X-Amz-Signature").p)
        f = claim_of_query(t.p, t.n, &c, e);
    else {
        err_set(e, RC_FORBIDDEN, "the request is not signed");
        return SIGV4_ABSENT;
    }
    if (!f)
        f = check_scope(&c, ring->region, e);
    if (!f)
        f = check_time(&c, now_ms, e);
    if (!f)
        f = check_signed(&c, q, e);
    if (!f)
        f = check_signature(a, &c, q, &t, ring, ret, e);
    return f;
}
