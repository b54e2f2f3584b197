/* rowsum_test.c - a bit that flips in the index is an error where a reader would have seen it, is
 * told by check and scrub, and never gives a wrong byte: in each column of each table, and anywhere
 * in the file. */
#include "store/rowsum_sql.c"

#include "base/mem.h"
#include "base/test.h"
#include "store/admin.h"
#include "store/test_disk.h"
#include <fcntl.h>

enum { PART_BYTES = 9000, OBJECTS = 24 };

static char *fill(char *p, uint64_t seed, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (char)splitmix64(&seed);
    return p;
}

/* ---- sums alone */

TEST(a_sum_depends_on_every_value_its_kind_and_its_place)
{
    const struct db_val v[] = {db_i(1), db_i(2), db_c("ab"), db_c("c"), db_null(), db_i(0)};
    const struct db_val w[] = {db_i(2), db_i(1), db_c("a"), db_c("bc"), db_i(0), db_null()};
    const uint32_t a = rowsum_vals(0, v, 6);

    for (size_t i = 0; i < 6; i += 2) { /* pairs of which only the order or the border differs */
        struct db_val x[6];
        memcpy(x, v, sizeof v);
        x[i] = w[i];
        x[i + 1] = w[i + 1];
        CHECK(rowsum_vals(0, x, 6) != a);
    }
    CHECK_EQ(rowsum_aside(ASIDE_REFS, 0), 0);
    CHECK(rowsum_aside(ASIDE_REFS, 1) != rowsum_aside(ASIDE_LEFT, 1));
    for (int bit = 0; bit < 64; bit++) {
        CHECK(rowsum_int(0, (int64_t)(UINT64_C(1) << bit)) != rowsum_int(0, 0));
        CHECK(rowsum_aside(ASIDE_LEFT, (int64_t)(UINT64_C(1) << bit)) != 0);
    }
}

/* ---- a folder that has rows in every table */

static void begin(struct shelf *s, struct tx **tx)
{
    CHECK_OK(db_begin(s->d.db, DB_WRITE, tx, &s->e), &s->e);
}

static void commit(struct shelf *s, struct tx *tx)
{
    CHECK_OK(tx_commit(tx, &s->e), &s->e);
}

static struct object named(const char *etag, uint64_t bytes)
{
    struct object o = {.bytes = bytes,
                       .modified_ms = 7,
                       .type = STR("text/x"),
                       .meta = STR("x-amz-meta-a: b\n"),
                       .tags = STR("k=v"),
                       .acl = ACL_PUBLIC_READ,
                       .sum = {.kind = CHECKSUM_CRC32C, .text = "AAAAAA=="}};

    snprintf(o.etag, sizeof o.etag, "%s", etag);
    return o;
}

static void put_part(struct shelf *s, struct tx *tx, int64_t upload, unsigned number, bool packed)
{
    static char p[PART_BYTES];
    struct freed_list freed = {0};
    struct object o = named("part", PART_BYTES);
    struct data_new n = {.id = files_new_id(s->d.files),
                         .kind = packed ? DATA_PACKED : DATA_INLINE,
                         .bytes = PART_BYTES,
                         .body = {fill(p, 1000 + number, PART_BYTES), PART_BYTES},
                         .segments = s->d.segments};

    if (packed)
        CHECK_OK(segments_append(s->d.segments, n.id, n.body, &n.place, &s->e), &s->e);
    CHECK_OK(index_part_put(tx, upload, number, &o, &n, &freed, &s->e), &s->e);
    CHECK_EQ(freed.n, 0);
}

/* An object in three pieces, whose parts are INLINE, PACKED and INLINE, and an unfinished upload.
 */
static void put_pieces(struct shelf *s)
{
    struct upload u = {.id = 77,
                       .bucket = s->bucket.id,
                       .created_ms = 5,
                       .key = STR("pieces"),
                       .type = STR("text/x"),
                       .meta = STR(""),
                       .tags = STR("")};
    struct object o = named("whole-3", 3 * PART_BYTES);
    struct freed_list freed = {0};
    struct part *parts;
    struct arena a;
    struct tx *tx;
    size_t n;

    arena_init(&a, 1 << 20);
    o.data = files_new_id(s->d.files);
    begin(s, &tx);
    CHECK_OK(index_upload_add(tx, &u, &s->e), &s->e);
    for (unsigned i = 1; i <= 3; i++)
        put_part(s, tx, u.id, i, i == 2);
    CHECK_OK(index_parts(tx, &a, u.id, 0, 10, &parts, &n, &s->e), &s->e);
    CHECK_OK(index_complete(tx, &s->bucket, &u, &o, parts, n, &freed, &s->e), &s->e);
    u.id = 78;
    u.key = STR("unfinished");
    CHECK_OK(index_upload_add(tx, &u, &s->e), &s->e);
    put_part(s, tx, u.id, 4, false);
    CHECK_OK(index_setting_put(tx, s->bucket.id, "policy", STR("{}"), &s->e), &s->e);
    commit(s, tx);
    arena_done(&a);
    VEC_DONE(&freed);
}

/* Two versions, a marker between them, and one that a marker hides. */
static void put_versions(struct shelf *s)
{
    static char p[PART_BYTES];
    struct freed_list freed = {0};
    struct object marker;
    struct tx *tx;

    s->bucket.versioning = VERSIONING_ON;
    begin(s, &tx);
    for (int i = 0; i < 3; i++) {
        struct object o = named("v", 100);
        struct data_new n = {.id = files_new_id(s->d.files),
                             .kind = DATA_INLINE,
                             .bytes = 100,
                             .body = {fill(p, 2000, 100), 100}};
        const char *key = i < 2 ? "versions" : "hidden";
        CHECK_OK(index_put(tx, &s->bucket, str_of(key), &o, &n, &freed, &s->e), &s->e);
        if (i != 1)
            CHECK_OK(index_delete(tx, &s->bucket, str_of(key), 9, &marker, &freed, &s->e), &s->e);
    }
    CHECK_OK(data_free(tx, DATA_BLOCKS, 12345, &freed, &s->e), &s->e);
    commit(s, tx);
    s->bucket.versioning = VERSIONING_OFF;
    VEC_DONE(&freed);
}

static size_t bytes_of(int i)
{
    return (size_t)i * 700; /* in the rows, and from the sixth on in a segment */
}

static void open_full(struct shelf *s)
{
    static char p[OBJECTS * 700];
    char dir[512], key[32];

    snprintf(dir, sizeof dir, "%s/store", test_dir());
    CHECK_OK(shelf_open(s, dir, &s->e), &s->e);
    put_pieces(s); /* whose segment is synced with the puts that follow */
    for (int i = 0; i < OBJECTS; i++) {
        snprintf(key, sizeof key, "object-%d", i);
        CHECK_OK(shelf_put(s, key, (str){fill(p, (uint64_t)i, bytes_of(i)), bytes_of(i)}, &s->e),
                 &s->e);
    }
    put_versions(s);
}

/* ---- what a reader sees */

/* All of the bucket: each answer is either an error or what was put.  The errors. */
static unsigned read_one(struct shelf *s, const char *key, const struct version_id *v,
                         const char *want, size_t n)
{
    static char got[3 * PART_BYTES + 1];
    struct object o = {0};
    struct reader r;
    struct bucket b;
    struct tx *tx;
    size_t done = 0, some = 0;
    enum rc rc = reader_pin(&r, s->d.files, s->d.segments, &s->e);

    if (!rc)
        rc = db_begin(s->d.db, DB_READ, &tx, &s->e);
    if (rc) {
        reader_done(&r);
        return 1;
    }
    rc = index_bucket(tx, STR("shelf"), &b, &s->e);
    if (!rc)
        rc = index_get(tx, &r.arena, b.id, str_of(key), v, &o, &s->e);
    if (!rc)
        rc = reader_find(&r, tx, o.data, &s->e);
    tx_rollback(tx);
    for (; !rc && done < r.bytes && done < sizeof got; done += some)
        rc = reader_read(&r, done, got + done, sizeof got - done, &some, &s->e);
    if (!rc) {
        CHECK_EQ(done, n);
        CHECK_EQ(o.bytes, n);
        CHECK(!memcmp(got, want, n));
        CHECK(!strcmp(o.etag, !strncmp(key, "object", 6) ? "e" : n > PART_BYTES ? "whole-3" : "v"));
        CHECK(str_is(o.type, !strncmp(key, "object", 6) ? "t" : "text/x"));
        CHECK(str_is(o.tags, !strncmp(key, "object", 6) ? "" : "k=v"));
    }
    reader_done(&r);
    return rc != RC_OK;
}

static enum rc count_one(void *ud, str key, const struct object *o, bool *stop, struct err *e)
{
    unsigned *n = ud;

    CHECK(str_starts(key, STR("object-")) || str_is(key, "pieces") || str_is(key, "versions") ||
          str_is(key, "hidden"));
    CHECK(o->marker || !strcmp(o->etag, "e") || !strcmp(o->etag, "v") ||
          !strcmp(o->etag, "whole-3"));
    ++*n;
    return RC_OK;
}

static unsigned read_lists(struct shelf *s)
{
    unsigned now = 0, all = 0, errors = 0;
    struct arena a;
    struct tx *tx;
    str policy;

    if (db_begin(s->d.db, DB_READ, &tx, &s->e))
        return 1;
    arena_init(&a, 1 << 20);
    if (index_list(tx, s->bucket.id, STR(""), STR("\xff"), 1000, count_one, &now, &s->e))
        errors++;
    if (index_list_versions(tx, s->bucket.id, STR(""), 0, STR("\xff"), 1000, count_one, &all,
                            &s->e))
        errors++;
    if (index_setting(tx, &a, s->bucket.id, "policy", &policy, &s->e))
        errors++;
    else
        CHECK(str_is(policy, "{}"));
    tx_rollback(tx);
    arena_done(&a);
    return errors + (now != OBJECTS + 2) + (all != OBJECTS + 6);
}

static unsigned read_uploads(struct shelf *s)
{
    struct upload u;
    struct part *parts;
    struct arena a;
    struct tx *tx;
    size_t n = 0;
    enum rc rc = db_begin(s->d.db, DB_READ, &tx, &s->e);

    if (rc)
        return 1;
    arena_init(&a, 1 << 20);
    rc = index_upload(tx, &a, 78, &u, &s->e);
    if (!rc)
        CHECK(str_is(u.key, "unfinished") && str_is(u.type, "text/x") && u.created_ms == 5);
    if (!rc)
        rc = index_parts(tx, &a, 78, 0, 10, &parts, &n, &s->e);
    if (!rc && n)
        CHECK(n == 1 && parts->number == 4 && !strcmp(parts->etag, "part"));
    tx_rollback(tx);
    arena_done(&a);
    return rc || n != 1;
}

static unsigned read_all(struct shelf *s)
{
    static char want[3 * PART_BYTES];
    unsigned errors = read_lists(s) + read_uploads(s);
    char key[32];

    for (int i = 0; i < OBJECTS; i++) {
        snprintf(key, sizeof key, "object-%d", i);
        errors += read_one(s, key, NULL, fill(want, (uint64_t)i, bytes_of(i)), bytes_of(i));
    }
    for (unsigned i = 0; i < 3; i++)
        fill(want + i * PART_BYTES, 1001 + i, PART_BYTES);
    errors += read_one(s, "pieces", NULL, want, sizeof want);
    fill(want, 2000, 100);
    errors += read_one(s, "versions", NULL, want, 100);
    for (int64_t seq = 1; seq <= 4; seq += 3)
        errors += read_one(s, seq == 1 ? "versions" : "hidden", &(struct version_id){.seq = seq},
                           want, 100);
    return errors;
}

/* ---- flips in rows */

static uint64_t check_faults(struct shelf *s)
{
    struct store_check_options o = {.bytes = true};
    struct store_check_result r;
    uint64_t n = 0;

    if (store_check(s->dir, &o, &r, &s->e)) /* SQLite itself has seen it */
        return 1;
    for (int i = 0; i < STORE_FAULT_KINDS; i++)
        n += r.faults[i];
    return n;
}

struct flip {
    const char *table, *column;
    bool seen; /* by a reader; else by check alone */
};
/* Every column that a sum covers. */
static const struct flip flips[] = {
    {"bucket", "owner", true},
    {"bucket", "created_ms", true},
    {"bucket", "versioning", true},
    {"bucket", "acl", true},
    {"setting", "body", true},
    {"object", "seq", true},
    {"object", "nullv", true},
    {"object", "data", true},
    {"object", "bytes", true},
    {"object", "modified_ms", true},
    {"object", "etag", true},
    {"object", "type", true},
    {"object", "meta", true},
    {"object", "acl", true},
    {"object", "tags", true},
    {"object", "sum", true},
    {"object", "key", true},
    {"object", "crc", true},
    {"version", "seq", true},
    {"version", "nullv", true},
    {"version", "marker", true},
    {"version", "data", true},
    {"version", "bytes", true},
    {"version", "modified_ms", true},
    {"version", "left_ms", true},
    {"version", "etag", true},
    {"version", "type", true},
    {"version", "meta", true},
    {"version", "acl", true},
    {"version", "tags", true},
    {"version", "sum", true},
    {"version", "crc", true},
    {"upload", "bucket", true},
    {"upload", "key", true},
    {"upload", "type", true},
    {"upload", "created_ms", true},
    {"upload", "sum_kind", true},
    {"part", "number", true},
    {"part", "data", true},
    {"part", "bytes", true},
    {"part", "etag", true},
    {"piece", "n", true},
    {"piece", "data", true},
    {"piece", "sum", true},
    {"piece", "crc", true},
    {"data", "kind", true},
    {"data", "bytes", true},
    {"data", "place", true},
    {"data", "sha", true},
    {"data", "refs", true},
    {"data", "sum", true},
    {"data", "crc", true},
    {"segment", "bytes"},
    {"segment", "sealed"},
    {"freed", "place"},
};

/* A bit of an integer, or the end of a text: in the last row by number, or else in all. */
static void flip_row(struct shelf *s, const struct flip *f)
{
    char sql[512];
    struct tx *tx;
    const bool rowid = !strcmp(f->table, "bucket") || !strcmp(f->table, "upload") ||
                       !strcmp(f->table, "data") || !strcmp(f->table, "segment");

    snprintf(sql, sizeof sql,
             "UPDATE %s SET %s = CASE typeof(%s) WHEN 'integer' THEN (%s | 4) - (%s & 4)"
             " WHEN 'null' THEN 4 WHEN 'blob' THEN CAST(%s || '~' AS BLOB) ELSE %s || '~' END%s",
             f->table, f->column, f->column, f->column, f->column, f->column, f->column,
             rowid ? " WHERE rowid = (SELECT max(rowid) FROM " : "");
    if (rowid)
        snprintf(sql + strlen(sql), sizeof sql - strlen(sql), "%s)", f->table);
    begin(s, &tx);
    CHECK_OK(tx_exec(tx, &s->e, sql), &s->e);
    CHECK(tx_changes(tx) > 0);
    commit(s, tx);
}

static void keep(struct shelf *s, bool back)
{
    char from[600], to[600];
    struct arena a;
    str bytes;

    snprintf(from, sizeof from, "%s/%s", s->dir, back ? "kept.db" : "store.db");
    snprintf(to, sizeof to, "%s/%s", s->dir, back ? "store.db" : "kept.db");
    arena_init(&a, 8 << 20);
    CHECK_OK(os_read_file(&a, from, 4 << 20, &bytes, &s->e), &s->e);
    CHECK_OK(os_write_file_durable(to, bytes, 0600, &s->e), &s->e);
    arena_done(&a);
}

TEST(a_bit_that_flips_in_any_column_is_an_error_and_never_a_wrong_byte)
{
    struct shelf s;

    open_full(&s);
    CHECK_EQ(read_all(&s), 0);
    CHECK_EQ(check_faults(&s), 0);
    disk_close(&s.d);
    keep(&s, false);
    for (size_t i = 0; i < sizeof flips / sizeof *flips; i++) {
        const struct flip *f = &flips[i];
        keep(&s, true);
        CHECK_OK(disk_open(&s.d, s.dir, &s.e), &s.e);
        flip_row(&s, f);
        if ((read_all(&s) != 0) != f->seen || !check_faults(&s))
            test_fail(__FILE__, __LINE__, "a flip in %s.%s was not seen", f->table, f->column);
        disk_close(&s.d);
    }
}

TEST(a_wrong_row_can_be_put_over_and_deleted_and_frees_nothing)
{
    static const struct flip data = {"object", "data", true};
    struct shelf s;
    struct scrubbed done;
    struct store_stat st;
    struct budget b;
    struct bucket on;
    struct object o;
    struct freed_list freed = {0};
    struct tx *tx;
    char p[300];

    open_full(&s);
    flip_row(&s, &data);
    budget_init(&b, 0, NULL);
    CHECK_OK(disk_scrub(&s.d, &b, NULL, NULL, &done, &s.e), &s.e);
    CHECK(done.damaged >= OBJECTS);
    CHECK_OK(store_stat(s.dir, &st, &s.e), &s.e);
    CHECK_EQ(st.damaged, done.damaged);
    CHECK_OK(shelf_put(&s, "object-3", (str){fill(p, 3, 300), 300}, &s.e), &s.e);
    CHECK_EQ(read_one(&s, "object-4", NULL, p, 0), 1);
    CHECK_OK(shelf_delete(&s, "object-4", &s.e), &s.e);
    begin(&s, &tx);
    CHECK_OK(index_bucket(tx, STR("shelf"), &on, &s.e), &s.e);
    CHECK_OK(index_delete_version(tx, &on, STR("object-5"),
                                  &(struct version_id){.null_version = true}, &o, &freed, &s.e),
             &s.e);
    commit(&s, tx);
    CHECK_EQ(freed.n, 0);
    begin(&s, &tx);
    CHECK_OK(tx_exec(tx, &s.e, "UPDATE object SET data = (data | 4) - (data & 4)"), &s.e);
    commit(&s, tx);
    for (int i = 6; i < OBJECTS; i++) { /* what they name is all there */
        static char want[OBJECTS * 700];
        char key[32];
        snprintf(key, sizeof key, "object-%d", i);
        CHECK_EQ(read_one(&s, key, NULL, fill(want, (uint64_t)i, bytes_of(i)), bytes_of(i)), 0);
    }
    disk_close(&s.d);
}

TEST(rows_from_before_there_were_sums_get_them_at_the_first_start)
{
    struct shelf s;
    char sql[128];
    struct tx *tx;

    open_full(&s);
    begin(&s, &tx);
    for (int k = 0; k < ROWSUM_KINDS; k++) {
        snprintf(sql, sizeof sql, "ALTER TABLE %s DROP COLUMN crc", tables[k].name);
        CHECK_OK(tx_exec(tx, &s.e, sql), &s.e);
    }
    CHECK_OK(tx_exec(tx, &s.e, "ALTER TABLE piece DROP COLUMN sum"), &s.e);
    CHECK_OK(tx_exec(tx, &s.e, "PRAGMA user_version = 3"), &s.e);
    CHECK_OK(data_counter_set(tx, "data_layout", 2, &s.e), &s.e);
    commit(&s, tx);
    disk_close(&s.d);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(disk_open(&s.d, s.dir, &s.e), &s.e);
        CHECK_EQ(read_all(&s), 0);
        CHECK_EQ(check_faults(&s), 0);
        disk_close(&s.d);
    }
}

/* ---- flips in the file */

TEST(a_bit_that_flips_anywhere_in_the_file_never_gives_a_wrong_byte)
{
    struct shelf s;
    uint64_t seed = 20261120, seen = 0;
    char path[600];

    open_full(&s);
    disk_close(&s.d);
    keep(&s, false);
    for (int i = 0; i < 150; i++) {
        uint64_t size;
        uint8_t byte;
        int fd;
        keep(&s, true);
        snprintf(path, sizeof path, "%s/store.db", s.dir);
        CHECK_OK(os_open(path, O_RDWR, 0, &fd, &s.e), &s.e);
        CHECK_OK(os_fd_size(fd, &size, &s.e), &s.e);
        uint64_t at = splitmix64(&seed) % size;
        CHECK_OK(os_pread_full(fd, &byte, 1, at, &s.e), &s.e);
        byte ^= (uint8_t)(1 << splitmix64(&seed) % 8);
        CHECK_OK(os_pwrite_all(fd, &byte, 1, at, &s.e), &s.e);
        os_close(fd);
        seen += disk_open(&s.d, s.dir, &s.e) || read_all(&s);
        disk_close(&s.d);
    }
    CHECK(seen > 0); /* a row or a page of the tree was among them */
}
