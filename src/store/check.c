/* check.c - is the folder what its index says?  See admin.h.
 *
 * In this order: the manifest, if the folder is a copy; the checksums of the index's rows; every
 * content, with its bytes if asked for; the counts of references; files that nothing names. */
#include "store/admin.h"

#include "base/log.h"
#include "base/mem.h"
#include "store/disk.h"
#include "store/manifest.h"
#include "store/rowsum.h"
#include <fcntl.h>

enum { BATCH = 64, NAMED_MAX = 100, READ_BYTES = 256 << 10 };

const char *const store_fault_names[STORE_FAULT_KINDS] = {"bytes", "missing", "index", "orphan",
                                                          "manifest"};

struct check {
    struct disk d;
    const struct store_check_options *o;
    struct store_check_result r;
    struct budget budget;
    const char *dir;
    char *chunk;
    unsigned named; /* faults whose object was looked for: each reads all objects */
};

static enum rc fault(struct check *c, enum store_fault_kind kind, int64_t data, const char *path,
                     const char *text, struct err *e)
{
    struct store_fault f = {
        .kind = kind, .data = data, .bucket = STR(""), .key = STR(""), .path = path, .text = text};
    struct arena a;
    struct tx *tx;
    enum rc rc = RC_OK;

    c->r.faults[kind]++;
    if (!c->o->each)
        return RC_OK;
    arena_init(&a, 64 << 10);
    if (data && c->d.db && c->named++ < NAMED_MAX) {
        rc = db_begin(c->d.db, DB_READ, &tx, e);
        if (!rc) {
            rc = data_name(tx, &a, data, &f.bucket, &f.key, e);
            tx_rollback(tx);
        }
    }
    if (!rc)
        rc = c->o->each(c->o->ud, &f, e);
    arena_done(&a);
    return rc;
}

static enum rc stopped(struct check *c, struct err *e)
{
    if (c->o->stop && event_is_set(c->o->stop))
        return err_set(e, RC_CANCELLED, "the check was stopped before its end");
    return RC_OK;
}

/* ---- manifest */

static enum rc hash_file(struct check *c, int fd, uint64_t *ret_bytes, char ret[SHA256_HEX + 1],
                         struct err *e)
{
    uint8_t digest[SHA256_BYTES];
    struct hasher h;
    uint64_t bytes = 0;
    size_t n = 1;
    enum rc rc = sha256_init(&h, e);

    while (!rc && n) {
        rc = os_read(fd, c->chunk, READ_BYTES, &n, e);
        if (!rc)
            hasher_add(&h, c->chunk, n);
        bytes += n;
        if (!rc && !budget_spend(&c->budget, n))
            rc = err_set(e, RC_CANCELLED, "the check was stopped before its end");
    }
    if (rc) {
        hasher_done(&h);
        return rc;
    }
    hasher_final(&h, digest);
    hex_of(digest, sizeof digest, ret);
    *ret_bytes = bytes;
    return RC_OK;
}

static enum rc check_file(void *ud, const struct manifest_file *f, struct err *e)
{
    struct check *c = ud;
    char path[FILES_PATH_MAX + 128], sha[SHA256_HEX + 1];
    struct err why = {0};
    uint64_t bytes = 0;
    int fd = -1;
    enum rc rc;

    snprintf(path, sizeof path, "%s/%s", c->dir, f->path);
    if (os_open(path, O_RDONLY, 0, &fd, &why))
        return fault(c, STORE_FAULT_MANIFEST, 0, f->path, why.text, e);
    rc = hash_file(c, fd, &bytes, sha, &why);
    os_close(fd);
    if (rc == RC_CANCELLED)
        return err_set(e, rc, "%s", why.text);
    if (rc)
        return fault(c, STORE_FAULT_MANIFEST, 0, f->path, why.text, e);
    if (bytes != f->bytes)
        return fault(c, STORE_FAULT_MANIFEST, 0, f->path,
                     "the file has another length than the manifest says", e);
    if (strcmp(sha, f->sha) != 0)
        return fault(c, STORE_FAULT_MANIFEST, 0, f->path,
                     "the file has another SHA-256 than the manifest says", e);
    return RC_OK;
}

static enum rc check_manifest(struct check *c, struct err *e)
{
    char path[FILES_PATH_MAX + 128];
    struct err why = {0};
    struct arena a;
    int64_t taken;
    str text;
    enum rc rc;

    snprintf(path, sizeof path, "%s/MANIFEST", c->dir);
    if (!os_exists(path))
        return RC_OK;
    c->r.manifest = true;
    arena_init(&a, MANIFEST_BYTES_MAX + (1 << 20));
    rc = os_read_file(&a, path, MANIFEST_BYTES_MAX, &text, e);
    if (!rc)
        rc = manifest_read(text, &taken, check_file, c, &why);
    if (rc == RC_CORRUPT || rc == RC_UNSUPPORTED)
        rc = fault(c, STORE_FAULT_MANIFEST, 0, "MANIFEST", why.text, e);
    else if (rc && why.text[0])
        err_set(e, rc, "%s", why.text);
    arena_done(&a);
    return rc;
}

/* ---- rows */

static enum rc wrong_row(void *ud, str bucket, str key, const char *text, struct err *e)
{
    struct check *c = ud;
    struct store_fault f = {
        .kind = STORE_FAULT_INDEX, .bucket = bucket, .key = key, .path = "store.db", .text = text};

    c->r.faults[STORE_FAULT_INDEX]++;
    return c->o->each ? c->o->each(c->o->ud, &f, e) : RC_OK;
}

/* ---- contents */

static enum rc check_place(struct check *c, const struct data_row *row, struct err *why)
{
    struct segment_row s = {0};
    struct tx *tx;
    int fd = -1;
    uint64_t size;
    enum rc rc = RC_OK;

    if (row->kind == DATA_BLOCKS || row->kind == DATA_FILE) {
        rc = files_read(c->d.files, row->place, &fd, why);
        if (!rc)
            rc = os_fd_size(fd, &size, why);
        os_close(fd);
        if (!rc && size != (row->kind == DATA_FILE ? row->bytes : blocks_file_bytes(row->bytes)))
            rc = err_set(why, RC_CORRUPT, "the file has %llu bytes, which is not its length",
                         (unsigned long long)size);
    } else if (row->kind == DATA_PACKED) {
        rc = db_begin(c->d.db, DB_READ, &tx, why);
        if (rc)
            return rc;
        rc = data_segment_next(tx, place_segment(row->place) - 1, &s, why);
        tx_rollback(tx);
        if (!rc && (s.number != place_segment(row->place) ||
                    place_at(row->place) + record_bytes((size_t)row->bytes) > s.bytes))
            rc = err_set(why, RC_NOT_FOUND, "the index has no such place in a segment");
    }
    return rc;
}

static enum rc check_bytes(struct check *c, struct reader *r, struct data_row *row, struct err *why)
{
    size_t n = 0;
    enum rc rc = RC_OK;

    reader_row(r, row);
    for (uint64_t at = 0; !rc && at < row->bytes; at += n) {
        rc = reader_read(r, at, c->chunk, READ_BYTES, &n, why);
        if (!rc && !budget_spend(&c->budget, n))
            rc = err_set(why, RC_CANCELLED, "the check was stopped before its end");
    }
    return rc;
}

static enum rc check_one(struct check *c, struct reader *r, struct data_row *row, struct err *e)
{
    char path[64] = "";
    struct err why = {0};
    enum store_fault_kind kind;
    enum rc rc = RC_OK;

    c->r.contents++;
    if (row->wrong)
        return fault(c, STORE_FAULT_INDEX, row->id, "store.db",
                     "the content's row in the index does not have its checksum", e);
    if (row->kind != DATA_PIECES)
        rc = check_place(c, row, &why);
    kind = rc == RC_NOT_FOUND ? STORE_FAULT_MISSING : STORE_FAULT_BYTES;
    c->r.bytes += row->kind == DATA_PIECES ? 0 : row->bytes;
    if (!rc && c->o->bytes && row->kind != DATA_PIECES)
        rc = check_bytes(c, r, row, &why);
    if (!rc)
        return RC_OK;
    if (rc != RC_CORRUPT && rc != RC_IO && rc != RC_NOT_FOUND)
        return err_set(e, rc, "%s", why.text);
    if (row->kind == DATA_PACKED)
        snprintf(path, sizeof path, "segments/%08x.seg", place_segment(row->place));
    else if (row->kind != DATA_INLINE)
        files_name(row->place, false, path);
    return fault(c, kind, row->id, path, why.text, e);
}

static enum rc check_contents(struct check *c, struct err *e)
{
    int64_t after = 0;
    size_t n = 1;
    enum rc rc = RC_OK;

    while (!rc && n) {
        struct data_row *rows = NULL;
        struct reader r;
        struct tx *tx;
        rc = reader_pin(&r, c->d.files, c->d.segments, e);
        if (!rc)
            rc = db_begin(c->d.db, DB_READ, &tx, e);
        if (!rc) {
            rc = data_walk(tx, &r.arena, WALK_ALL, after, BATCH, 1 << 20, &rows, &n, e);
            tx_rollback(tx);
        }
        for (size_t i = 0; !rc && i < n; i++) {
            after = rows[i].id;
            rc = check_one(c, &r, &rows[i], e);
        }
        reader_done(&r);
        if (!rc)
            rc = stopped(c, e);
    }
    return rc;
}

/* ---- references */

static enum rc wrong_refs(void *ud, int64_t data, const char *text, struct err *e)
{
    return fault(ud, STORE_FAULT_INDEX, data, "", text, e);
}

static enum rc check_refs(struct check *c, struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(c->d.db, DB_READ, &tx, e);

    if (rc)
        return rc;
    rc = data_check(tx, wrong_refs, c, e);
    tx_rollback(tx);
    return rc;
}

/* ---- orphans */

struct folder {
    struct check *c;
    struct tx *tx;
    const char *name;
};

static enum rc look_at_file(void *ud, const char *name, bool is_dir, struct err *e)
{
    struct folder *f = ud;
    char path[512];
    int64_t id;
    bool named = true;
    enum rc rc = RC_OK;

    if (!is_dir && files_id_of(str_of(name), &id))
        rc = data_place_used(f->tx, DATA_BLOCKS, id, &named, e);
    else
        named = is_dir; /* not a name of ours */
    if (rc || named)
        return rc;
    snprintf(path, sizeof path, "%s/%s", f->name, name);
    return fault(f->c, STORE_FAULT_ORPHAN, 0, path, "nothing in the index names this file", e);
}

static enum rc look_at_segment(void *ud, const char *name, bool is_dir, struct err *e)
{
    struct folder *f = ud;
    char path[512];
    uint8_t b[4];
    bool named = false;
    enum rc rc = RC_OK;

    if (str_ends(str_of(name), STR(".seg")) && strlen(name) == 12 && hex_to((str){name, 8}, b))
        rc = data_place_used(f->tx, DATA_PACKED,
                             (int64_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3], &named, e);
    if (rc || named)
        return rc;
    snprintf(path, sizeof path, "%s/%s", f->name, name);
    return fault(f->c, STORE_FAULT_ORPHAN, 0, path, "nothing in the index names this file", e);
}

static enum rc check_folder(struct check *c, const char *name, os_dir_fn look, struct err *e)
{
    char path[FILES_PATH_MAX + 64];
    struct folder f = {.c = c, .name = name};
    enum rc rc;

    snprintf(path, sizeof path, "%s/%s", c->dir, name);
    if (!os_exists(path))
        return RC_OK;
    rc = db_begin(c->d.db, DB_READ, &f.tx, e);
    if (rc)
        return rc;
    rc = os_list_dir(path, look, &f, e);
    tx_rollback(f.tx);
    return rc;
}

static enum rc check_orphans(struct check *c, struct err *e)
{
    enum rc rc = check_folder(c, "segments", look_at_segment, e);

    for (unsigned i = 0; !rc && i < 256; i++) {
        char name[16];
        snprintf(name, sizeof name, "objects/%02x", i);
        rc = check_folder(c, name, look_at_file, e);
        if (!rc)
            rc = stopped(c, e);
    }
    return rc;
}

enum rc store_check(const char *dir, const struct store_check_options *o,
                    struct store_check_result *ret, struct err *e)
{
    struct check c = {.o = o, .dir = dir, .d = {.lock_fd = -1, .keep_fd = -1}};
    enum rc rc;

    budget_init(&c.budget, o->bytes_per_s, o->stop);
    c.chunk = mem_alloc(READ_BYTES);
    rc = c.chunk ? check_manifest(&c, e) : err_set(e, RC_NOMEM, "out of memory");
    if (!rc)
        rc = disk_look(&c.d, dir, e);
    if (!rc)
        rc = rowsum_check(c.d.db, &c.budget, wrong_row, &c, e);
    if (!rc)
        rc = check_contents(&c, e);
    if (!rc)
        rc = check_refs(&c, e);
    if (!rc)
        rc = check_orphans(&c, e);
    disk_close(&c.d);
    mem_free(c.chunk);
    *ret = c.r;
    return rc;
}
