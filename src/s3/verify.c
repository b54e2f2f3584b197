/* verify.c - MD5 on both ways: what is sent says its own, what comes is held against its ETag.
 *
 * The ETag of a plain put is the MD5 of its bytes ("Checking object integrity", Amazon S3 user
 * guide), but not where the store encrypts with keys of its own: so what ETags are is learnt from
 * the first put of ours.  That of a multipart upload depends on the sizes of its parts, which a
 * download does not tell: parallel.c compares it when it has sent them. */
#include "s3/client_int.h"

#include <stdio.h>
#include <string.h>

void s3_md5_header(const uint8_t md5[MD5_BYTES], char ret[S3_MD5_HEADER])
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *to = ret + snprintf(ret, S3_MD5_HEADER, "Content-MD5: ");

    for (size_t i = 0; i < MD5_BYTES; i += 3) {
        uint32_t v = (uint32_t)md5[i] << 16;
        bool two = i + 1 < MD5_BYTES, three = i + 2 < MD5_BYTES;
        if (two)
            v |= (uint32_t)md5[i + 1] << 8;
        if (three)
            v |= md5[i + 2];
        *to++ = alphabet[v >> 18];
        *to++ = alphabet[v >> 12 & 63];
        *to++ = two ? alphabet[v >> 6 & 63] : '=';
        *to++ = three ? alphabet[v & 63] : '=';
    }
    *to = 0;
}

enum rc s3_md5(str data, uint8_t ret[MD5_BYTES], struct err *e)
{
    struct hasher h;
    enum rc rc = md5_init(&h, e);

    if (rc)
        return rc;
    hasher_add(&h, data.p, data.n);
    hasher_final(&h, ret);
    return RC_OK;
}

/* An ETag that may be the MD5 of a plain put. */
static bool is_md5(str etag)
{
    uint8_t raw[MD5_BYTES];

    return etag.n == MD5_HEX && hex_to(etag, raw);
}

enum rc s3_check_put(struct s3 *s, const char *key, const uint8_t md5[MD5_BYTES], const char *etag,
                     struct err *e)
{
    char hex[MD5_HEX + 1];

    hex_of(md5, MD5_BYTES, hex);
    if (!strcmp(hex, etag)) {
        atomic_store(&s->etag_is_md5, true);
        return RC_OK;
    }
    if (is_md5(str_of(etag)) && atomic_load(&s->etag_is_md5))
        return err_set(e, RC_CORRUPT,
                       "object store: %s: the store has other bytes (ETag %s) than were sent (%s)",
                       key, etag, hex);
    return RC_OK;
}

enum rc s3_verify_open(struct s3_verify *v, client_sink_fn sink, void *ud, struct err *e)
{
    v->sink = sink;
    v->ud = ud;
    return md5_init(&v->hash, e);
}

enum rc s3_verify_sink(void *ud, const void *p, size_t n, struct err *e)
{
    struct s3_verify *v = ud;

    hasher_add(&v->hash, p, n);
    return v->sink(v->ud, p, n, e);
}

void s3_verify_drop(struct s3_verify *v)
{
    hasher_done(&v->hash);
}

enum rc s3_verify_end(struct s3_verify *v, struct s3 *s, const char *key, const char *etag,
                      struct err *e)
{
    uint8_t md5[MD5_BYTES];

    hasher_final(&v->hash, md5);
    return s3_check_get(s, key, md5, etag, e);
}

enum rc s3_check_get(struct s3 *s, const char *key, const uint8_t md5[MD5_BYTES], const char *etag,
                     struct err *e)
{
    char hex[MD5_HEX + 1];

    hex_of(md5, MD5_BYTES, hex);
    if (!is_md5(str_of(etag)) || !strcmp(hex, etag) || !atomic_load(&s->etag_is_md5))
        return RC_OK;
    return err_set(e, RC_CORRUPT,
                   "object store: %s: the bytes that came (MD5 %s) are not those of the object "
                   "(ETag %s)",
                   key, hex, etag);
}
