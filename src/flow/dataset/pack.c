/* pack.c - see pack.h.
 *
 * libarchive is asked for data through three callbacks over one window of PACK_WINDOW_BYTES, so a
 * sequential pass costs one ranged read a window, whatever the sizes of the entries.  The central
 * directory of a zip is walked here before libarchive sees it: libarchive reads all of it into
 * memory at once, and a million entries would be there before the first could be refused.
 */
#include "flow/dataset/pack.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>

enum { ZIP_TAIL = 16 << 10, ZIP_EOCD = 22, ZIP64_LOCATOR = 20, ZIP64_EOCD = 56, ZIP_CENTRAL = 46 };

struct pack {
    struct archive *ar;
    struct pack_source src;
    struct pack_limits lim;
    struct buf window;
    uint64_t window_at, pos;
    struct buf path;
    uint32_t entries;
    uint64_t unpacked;
    bool is_zip;
    struct err io; /* of the source, which libarchive cannot carry; io.rc RC_OK: none */
    locale_t utf8, before;
};

static enum rc refuse(enum fault_code code, enum rc rc, struct err *e, const char *fmt, ...)
    printf_like(4, 5);
static enum rc refuse(enum fault_code code, enum rc rc, struct err *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    err_setv(e, rc, fmt, ap);
    va_end(ap);
    if (e)
        snprintf(e->field, sizeof e->field, "%s", fault_code_name(code));
    return rc;
}

/* ---- the source, through one window */

static enum rc window_load(struct pack *p, uint64_t at, struct err *e)
{
    uint64_t left = p->src.bytes - at;
    size_t n = left < PACK_WINDOW_BYTES ? (size_t)left : PACK_WINDOW_BYTES;

    buf_clear(&p->window);
    enum rc rc = p->src.read(p->src.ud, at, n, &p->window, e);
    if (!rc)
        rc = buf_ok(&p->window, e);
    if (!rc && p->window.n != n)
        rc = err_set(e, RC_UPSTREAM,
                     "the store gave %zu bytes of the archive where %zu were asked for",
                     p->window.n, n);
    if (rc)
        buf_clear(&p->window);
    p->window_at = at;
    return rc;
}

/* What the window holds from `at` on, loading it if it holds nothing of that. */
static enum rc window_at(struct pack *p, uint64_t at, str *ret, struct err *e)
{
    if (at < p->window_at || at >= p->window_at + p->window.n) {
        enum rc rc = window_load(p, at, e);
        if (rc)
            return rc;
    }
    size_t skip = (size_t)(at - p->window_at);
    *ret = (str){p->window.p + skip, p->window.n - skip};
    return RC_OK;
}

/* Copies exactly n bytes. */
static enum rc bytes_at(struct pack *p, uint64_t at, void *to, size_t n, struct err *e)
{
    for (size_t done = 0; done < n;) {
        str have;
        enum rc rc = window_at(p, at + done, &have, e);
        if (rc)
            return rc;
        size_t k = have.n < n - done ? have.n : n - done;
        memcpy((char *)to + done, have.p, k);
        done += k;
    }
    return RC_OK;
}

static la_ssize_t on_read(struct archive *ar, void *ud, const void **ret)
{
    struct pack *p = ud;
    str have;

    if (p->pos >= p->src.bytes)
        return 0;
    if (window_at(p, p->pos, &have, &p->io)) {
        archive_set_error(ar, EIO, "the store failed");
        return -1;
    }
    *ret = have.p;
    p->pos += have.n;
    return (la_ssize_t)have.n;
}

static la_int64_t on_skip(struct archive *ar, void *ud, la_int64_t n)
{
    struct pack *p = ud;
    uint64_t left = p->src.bytes - p->pos;
    uint64_t k = n < 0 ? 0 : (uint64_t)n < left ? (uint64_t)n : left;

    (void)ar;
    p->pos += k;
    return (la_int64_t)k;
}

static la_int64_t on_seek(struct archive *ar, void *ud, la_int64_t off, int whence)
{
    struct pack *p = ud;
    int64_t base = whence == SEEK_SET   ? 0
                   : whence == SEEK_CUR ? (int64_t)p->pos
                                        : (int64_t)p->src.bytes;

    (void)ar;
    if (off < -base || off > (int64_t)p->src.bytes - base)
        return ARCHIVE_FATAL;
    p->pos = (uint64_t)(base + off);
    return (la_int64_t)p->pos;
}

/* ---- zip: the central directory before libarchive */

static uint64_t le(const uint8_t *p, int n)
{
    uint64_t v = 0;
    for (int i = n; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

struct zip_dir {
    uint64_t entries, bytes, at, end; /* end: where the directory has to end */
};

static enum rc zip_broken(struct err *e, const char *what)
{
    return refuse(
        FAULT_CODE_TRUNCATED, RC_CORRUPT, e,
        "the zip file is damaged or its end is missing (%s); make it again, or upload it again",
        what);
}

/* APPNOTE 4.3.14 to 4.3.16 */
static enum rc zip_find_dir(struct pack *p, struct zip_dir *ret, struct err *e)
{
    static uint8_t none[1];
    uint8_t tail[ZIP_TAIL], big[ZIP64_EOCD], *d = none;
    size_t n = p->src.bytes < sizeof tail ? (size_t)p->src.bytes : sizeof tail;
    uint64_t from = p->src.bytes - n, at = 0;
    enum rc rc = bytes_at(p, from, tail, n, e);

    if (rc)
        return rc;
    for (size_t i = n < ZIP_EOCD ? 0 : n - ZIP_EOCD + 1; i-- > 0 && d == none;)
        if (!memcmp(tail + i, "PK\5\6", 4))
            d = tail + i, at = from + i;
    if (d == none)
        return zip_broken(e, "no end-of-directory record");
    struct zip_dir z = {le(d + 10, 2), le(d + 12, 4), le(d + 16, 4), at};
    bool wants_64 = z.entries == 0xffff || z.bytes == 0xffffffff || z.at == 0xffffffff;
    size_t i = (size_t)(d - tail);
    if (wants_64 && i >= ZIP64_LOCATOR && !memcmp(d - ZIP64_LOCATOR, "PK\6\7", 4)) {
        uint64_t at64 = le(d - ZIP64_LOCATOR + 8, 8);
        if (at64 > p->src.bytes || p->src.bytes - at64 < sizeof big)
            return zip_broken(e, "the 64-bit record lies outside");
        rc = bytes_at(p, at64, big, sizeof big, e);
        if (rc)
            return rc;
        if (memcmp(big, "PK\6\6", 4))
            return zip_broken(e, "no 64-bit record where one is said to be");
        z = (struct zip_dir){le(big + 32, 8), le(big + 40, 8), le(big + 48, 8), at64};
    }
    if (z.at > z.end || z.end - z.at != z.bytes)
        return zip_broken(e, "the directory is not where the end record says");
    *ret = z;
    return RC_OK;
}

static enum rc zip_check(struct pack *p, struct err *e)
{
    struct zip_dir z;
    uint64_t n = 0;
    enum rc rc = zip_find_dir(p, &z, e);

    for (uint64_t at = rc ? 0 : z.at; !rc && at < z.end && n <= p->lim.entries_max; n++) {
        uint8_t h[ZIP_CENTRAL];
        if (z.end - at < sizeof h)
            return zip_broken(e, "the directory ends inside an entry");
        rc = bytes_at(p, at, h, sizeof h, e);
        if (!rc && memcmp(h, "PK\1\2", 4))
            return zip_broken(e, "the directory holds something else than entries");
        if (!rc && (h[8] & 1))
            return refuse(FAULT_CODE_ENCRYPTED, RC_INVALID, e,
                          "the zip file is encrypted; upload one without a password");
        at += sizeof h + le(h + 28, 2) + le(h + 30, 2) + le(h + 32, 2);
    }
    if (!rc && (n > p->lim.entries_max || z.entries > p->lim.entries_max))
        return refuse(FAULT_CODE_TOO_MANY_ENTRIES, RC_TOO_LARGE, e,
                      "the archive has more than %llu entries, the configured limit",
                      (unsigned long long)p->lim.entries_max);
    if (!rc && !n)
        return refuse(FAULT_CODE_UNKNOWN_LAYOUT, RC_CORRUPT, e, "the zip file is empty: no files");
    return rc;
}

/* ---- open, close */

static enum rc libarchive_failed(struct pack *p, struct err *e)
{
    const char *why = archive_error_string(p->ar);

    if (p->io.rc) {
        if (e)
            *e = p->io;
        return p->io.rc;
    }
    if (archive_errno(p->ar) == ENOMEM)
        return err_set(e, RC_NOMEM, "not enough memory to unpack the archive");
    /* EILSEQ is how libarchive says on Linux that no format fits */
    if (!p->entries && !p->is_zip && archive_errno(p->ar) == EILSEQ)
        return refuse(FAULT_CODE_UNSUPPORTED_FORMAT, RC_UNSUPPORTED, e,
                      "this is neither a zip nor a tar file (.tar, .tar.gz, .tar.xz, .tar.zst)");
    return refuse(
        FAULT_CODE_TRUNCATED, RC_CORRUPT, e,
        "the archive is damaged or ends early (%s, after %llu of %llu bytes); make it again, or "
        "upload it again",
        why ? why : "no reason given", (unsigned long long)p->pos,
        (unsigned long long)p->src.bytes);
}

static void choose_formats(struct pack *p)
{
    if (p->is_zip) {
        archive_read_support_format_zip_seekable(p->ar);
        return;
    }
    archive_read_support_format_tar(p->ar);
    archive_read_support_filter_gzip(p->ar);
    archive_read_support_filter_bzip2(p->ar);
    archive_read_support_filter_xz(p->ar);
    archive_read_support_filter_zstd(p->ar);
}

static enum rc open_archive(struct pack *p, struct err *e)
{
    str head;
    enum rc rc = RC_OK;

    if (!p->src.bytes)
        return refuse(FAULT_CODE_TRUNCATED, RC_CORRUPT, e, "the archive is empty: 0 bytes");
    rc = window_at(p, 0, &head, e);
    if (rc)
        return rc;
    p->is_zip = head.n >= 4 && (!memcmp(head.p, "PK\3\4", 4) || !memcmp(head.p, "PK\5\6", 4));
    if (p->is_zip)
        rc = zip_check(p, e);
    if (rc)
        return rc;
    choose_formats(p);
    archive_read_set_callback_data(p->ar, p);
    archive_read_set_read_callback(p->ar, on_read);
    archive_read_set_skip_callback(p->ar, on_skip);
    archive_read_set_seek_callback(p->ar, on_seek);
    if (archive_read_open1(p->ar) == ARCHIVE_OK)
        return RC_OK;
    return libarchive_failed(p, e);
}

enum rc pack_open(struct pack **ret, const struct pack_source *s, const struct pack_limits *l,
                  struct err *e)
{
    struct pack *p = mem_zalloc(sizeof *p);

    if (!p)
        return err_set(e, RC_NOMEM, "no memory to open an archive");
    p->src = *s;
    p->lim = *l;
    buf_init(&p->window, PACK_WINDOW_BYTES);
    buf_init(&p->path, 4 * PACK_PATH_MAX);
    /* libarchive converts names to the thread's character set: make that one lossless */
    p->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    p->before = p->utf8 ? uselocale(p->utf8) : (locale_t)0;
    p->ar = archive_read_new();
    enum rc rc = p->ar ? open_archive(p, e) : err_set(e, RC_NOMEM, "no memory to open an archive");
    if (rc)
        pack_close(p);
    else
        *ret = p;
    return rc;
}

void pack_close(struct pack *p)
{
    if (!p)
        return;
    archive_read_free(p->ar);
    if (p->utf8) {
        uselocale(p->before);
        freelocale(p->utf8);
    }
    buf_done(&p->window);
    buf_done(&p->path);
    mem_free(p);
}

/* ---- entries */

/* Bytes of the well-formed character at p, 0 if it is none or a control character. */
static size_t character(const char *p, size_t n)
{
    unsigned char c = (unsigned char)*p;
    size_t k = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    if (k > n || c < 0x20 || c == 0x7f || !str_utf8_ok((str){p, k}))
        return 0;
    return k;
}

static void add_repaired(struct buf *to, str part, bool *repaired)
{
    for (size_t i = 0; i < part.n;) {
        size_t k = character(part.p + i, part.n - i);
        if (k) {
            buf_add(to, part.p + i, k);
        } else {
            buf_printf(to, "%%%02X", (unsigned char)part.p[i]);
            *repaired = true;
            k = 1;
        }
        i += k;
    }
}

static enum rc unsafe(const char *raw, const char *why, struct err *e)
{
    struct buf shown;
    bool ignored;

    buf_init(&shown, 4 * PACK_PATH_MAX);
    add_repaired(&shown, str_sub(str_of(raw), 0, 200), &ignored);
    enum rc rc =
        refuse(FAULT_CODE_UNSAFE_PATH, RC_INVALID, e,
               "the archive holds the path '%s', which %s; nothing was imported", shown.p, why);
    buf_done(&shown);
    return rc;
}

/* p->path from the raw name: separators unified, "." and empty parts dropped, the rest refused. */
static enum rc clean_path(struct pack *p, const char *raw, bool *ret_repaired, struct err *e)
{
    char text[PACK_PATH_MAX + 1];
    str rest = str_of(raw), part;

    if (!raw || !*raw)
        return unsafe("", "is empty", e);
    if (rest.n > PACK_PATH_MAX)
        return unsafe(raw, "is longer than 1024 bytes", e);
    for (size_t i = 0; i < rest.n; i++)
        text[i] = raw[i] == '\\' ? '/' : raw[i];
    rest.p = text;
    if (text[0] == '/')
        return unsafe(raw, "is absolute", e);
    if (rest.n >= 2 && text[1] == ':' && ((text[0] | 32) >= 'a' && (text[0] | 32) <= 'z'))
        return unsafe(raw, "names a drive", e);
    buf_clear(&p->path);
    *ret_repaired = false;
    while (str_next(&rest, '/', &part)) {
        if (str_is(part, ".."))
            return unsafe(raw, "leads out of the archive", e);
        if (!part.n || str_is(part, "."))
            continue;
        if (p->path.n)
            buf_putc(&p->path, '/');
        add_repaired(&p->path, part, ret_repaired);
    }
    if (p->path.n > PACK_PATH_MAX)
        return unsafe(raw, "is longer than 1024 bytes", e);
    return buf_ok(&p->path, e);
}

static enum rc check_kind(struct pack *p, struct archive_entry *en, const char *raw, struct err *e)
{
    str shown = str_sub(buf_view(&p->path), 0, 200);
    __LA_MODE_T type = archive_entry_filetype(en);

    (void)raw;
    if (archive_entry_is_encrypted(en))
        return refuse(FAULT_CODE_ENCRYPTED, RC_INVALID, e,
                      "'%.*s' is encrypted; upload an archive without a password", STR_F(shown));
    if (archive_entry_hardlink(en) || archive_entry_symlink(en) || type == AE_IFLNK)
        return refuse(FAULT_CODE_LINK, RC_INVALID, e,
                      "'%.*s' is a link; pack the file itself (tar --dereference, zip without -y)",
                      STR_F(shown));
    if (type != AE_IFREG && type != AE_IFDIR)
        return refuse(FAULT_CODE_LINK, RC_INVALID, e, "'%.*s' is not a file but a device or a pipe",
                      STR_F(shown));
    if (type == AE_IFREG && archive_entry_size_is_set(en) &&
        (uint64_t)archive_entry_size(en) > p->lim.bytes_max - p->unpacked)
        return refuse(FAULT_CODE_BOMB, RC_TOO_LARGE, e,
                      "the archive unpacks to more than %llu bytes, the configured limit",
                      (unsigned long long)p->lim.bytes_max);
    return RC_OK;
}

enum rc pack_next(struct pack *p, bool *ret_more, struct pack_entry *ret, struct err *e)
{
    struct archive_entry *en;
    bool repaired;
    int k = archive_read_next_header(p->ar, &en);

    if (k == ARCHIVE_EOF && !p->io.rc) {
        *ret_more = false;
        return RC_OK;
    }
    if (k != ARCHIVE_OK && k != ARCHIVE_WARN)
        return libarchive_failed(p, e);
    if (p->entries >= p->lim.entries_max)
        return refuse(FAULT_CODE_TOO_MANY_ENTRIES, RC_TOO_LARGE, e,
                      "the archive has more than %llu entries, the configured limit",
                      (unsigned long long)p->lim.entries_max);
    const char *raw = archive_entry_pathname(en);
    if (!raw)
        raw = archive_entry_pathname_utf8(en);
    enum rc rc = clean_path(p, raw, &repaired, e);
    if (!rc)
        rc = check_kind(p, en, raw, e);
    if (rc)
        return rc;
    *ret = (struct pack_entry){p->entries++, archive_entry_filetype(en) == AE_IFDIR,
                               buf_view(&p->path), repaired};
    *ret_more = true;
    return RC_OK;
}

enum rc pack_read(struct pack *p, void *to, size_t cap, size_t *ret_n, bool *ret_damaged,
                  struct err *e)
{
    la_ssize_t n = archive_read_data(p->ar, to, cap);

    *ret_damaged = false;
    if (n < 0) {
        if ((n == ARCHIVE_FAILED || n == ARCHIVE_WARN) && !p->io.rc) {
            *ret_damaged = true;
            return err_set(e, RC_CORRUPT, "%s", archive_error_string(p->ar));
        }
        return libarchive_failed(p, e);
    }
    p->unpacked += (uint64_t)n;
    if (p->unpacked > p->lim.bytes_max)
        return refuse(FAULT_CODE_BOMB, RC_TOO_LARGE, e,
                      "the archive unpacks to more than %llu bytes, the configured limit",
                      (unsigned long long)p->lim.bytes_max);
    if (p->unpacked > PACK_RATIO_FLOOR_BYTES && p->unpacked / PACK_RATIO_MAX > p->src.bytes)
        return refuse(
            FAULT_CODE_BOMB, RC_TOO_LARGE, e,
            "the archive unpacks to more than %d times its own size; that is no set of pictures",
            PACK_RATIO_MAX);
    *ret_n = (size_t)n;
    return RC_OK;
}

uint64_t pack_position(const struct pack *p)
{
    return p->pos;
}
