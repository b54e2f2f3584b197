/* manifest.c - see manifest.h. */
#include "store/manifest.h"

#include <inttypes.h>
#include <string.h>

#define FIRST "anneal-store-backup 1"

void manifest_begin(struct buf *b, int64_t taken_ms)
{
    buf_printf(b, FIRST "\ntaken %" PRId64 "\n", taken_ms);
}

void manifest_add(struct buf *b, const uint8_t sha[SHA256_BYTES], uint64_t bytes, const char *path)
{
    buf_hex(b, sha, SHA256_BYTES);
    buf_printf(b, " %" PRIu64 " %s\n", bytes, path);
}

void manifest_end(struct buf *b)
{
    char sha[SHA256_HEX + 1];

    sha256_hex(buf_view(b), sha);
    buf_printf(b, "end %s\n", sha);
}

static bool hex_name(str s, size_t digits)
{
    uint8_t b[8];

    return s.n == digits && hex_to(s, b);
}

/* Only the names that a store gives: a manifest never leads out of its folder. */
static bool path_ok(str s)
{
    if (str_is(s, "store.db") || str_is(s, "identity.db"))
        return true;
    if (str_starts(s, STR("segments/")) && str_ends(s, STR(".seg")))
        return hex_name(str_sub(s, 9, s.n - 13), 8);
    return s.n == 27 && str_starts(s, STR("objects/")) && s.p[10] == '/' &&
           hex_name(str_sub(s, 8, 2), 2) && hex_name(str_sub(s, 11, 16), 16);
}

static bool read_file(str line, struct manifest_file *ret)
{
    str sha, bytes;

    memset(ret, 0, sizeof *ret);
    if (!str_next(&line, ' ', &sha) || !str_next(&line, ' ', &bytes) || !is_sha256_hex(sha) ||
        !str_u64(bytes, &ret->bytes) || line.n >= MANIFEST_PATH_MAX || !path_ok(line))
        return false;
    memcpy(ret->sha, sha.p, SHA256_HEX);
    memcpy(ret->path, line.p, line.n);
    return true;
}

static enum rc check_digest(str text, str *ret_body, struct err *e)
{
    enum { TAIL = 4 + SHA256_HEX + 1 };
    char sha[SHA256_HEX + 1];
    str tail;

    if (text.n < TAIL)
        return err_set(e, RC_CORRUPT, "the manifest is cut off");
    tail = str_sub(text, text.n - TAIL, TAIL);
    *ret_body = str_sub(text, 0, text.n - TAIL);
    if (!str_starts(tail, STR("end ")) || tail.p[TAIL - 1] != '\n')
        return err_set(e, RC_CORRUPT, "the manifest is cut off: it has no last line");
    sha256_hex(*ret_body, sha);
    if (!str_eq(str_sub(tail, 4, SHA256_HEX), str_of(sha)))
        return err_set(e, RC_CORRUPT, "the manifest itself has been changed");
    return RC_OK;
}

enum rc manifest_read(str text, int64_t *ret_taken_ms, manifest_fn each, void *ud, struct err *e)
{
    struct manifest_file f;
    uint64_t number = 2;
    int64_t taken;
    str rest, line;
    enum rc rc = check_digest(text, &rest, e);

    if (rc)
        return rc;
    if (!str_line(&rest, &line) || !str_is(line, FIRST))
        return err_set(e, RC_UNSUPPORTED, "the manifest does not begin with '" FIRST "'");
    if (!str_line(&rest, &line) || !str_starts(line, STR("taken ")) ||
        !str_i64(str_sub(line, 6, line.n), &taken))
        return err_set(e, RC_CORRUPT, "MANIFEST:2: 'taken' and a time were expected");
    while (!rc && str_line(&rest, &line)) {
        number++;
        if (!read_file(line, &f))
            return err_set(
                e, RC_CORRUPT,
                "MANIFEST:%" PRIu64 ": a digest, a length and a file's name were expected", number);
        rc = each(ud, &f, e);
    }
    if (!rc)
        *ret_taken_ms = taken;
    return rc;
}
