/* disk_test.c - the folder below HTTP: packing, sharing, compaction, scrubbing, faults, the copy,
 * the older layout, and what a start looks at. */
#include "store/disk.c"

#include "base/mem.h"
#include "base/test.h"
#include "store/admin.h"
#include "store/test_disk.h"
#include <pthread.h>
#include <unistd.h>

static char big[PACK_BYTES_MAX];

static char *fill(char *p, uint64_t seed, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        uint64_t v = splitmix64(&seed);
        memcpy(p + i, &v, n - i < 8 ? n - i : 8);
    }
    return p;
}

static void open_shelf(struct shelf *s)
{
    char dir[512];

    snprintf(dir, sizeof dir, "%s/store", test_dir());
    CHECK_OK(shelf_open(s, dir, &s->e), &s->e);
}

static void put(struct shelf *s, const char *key, uint64_t seed, size_t n)
{
    static char p[PACK_BYTES_MAX];

    CHECK_OK(shelf_put(s, key, (str){fill(p, seed, n), n}, &s->e), &s->e);
}

static enum rc get(struct shelf *s, const char *key, uint64_t seed, size_t n)
{
    static char p[PACK_BYTES_MAX];
    size_t got = 0;
    enum rc rc = shelf_get(s, key, p, sizeof p, &got, &s->e);

    if (rc)
        return rc;
    CHECK_EQ(got, n);
    CHECK(!memcmp(p, fill(big, seed, n), n));
    return RC_OK;
}

static void pack(struct shelf *s)
{
    struct event *stop = event_new();
    uint64_t n;

    CHECK(stop);
    CHECK_OK(disk_pack(&s->d, stop, &n, &s->e), &s->e);
    event_free(stop);
}

static struct store_stat stat_of(struct shelf *s)
{
    struct store_stat st;

    CHECK_OK(store_stat(s->dir, &st, &s->e), &s->e);
    return st;
}

static enum rc print_fault(void *ud, const struct store_fault *f, struct err *e)
{
    printf("%s: %s %lld %.*s/%.*s: %s\n", store_fault_names[f->kind], f->path, (long long)f->data,
           STR_F(f->bucket), STR_F(f->key), f->text);
    return RC_OK;
}

static struct store_check_result check(const char *dir)
{
    struct store_check_options o = {.bytes = true, .each = print_fault};
    struct store_check_result r;
    struct err e = {0};

    CHECK_OK(store_check(dir, &o, &r, &e), &e);
    return r;
}

static uint64_t faults(const struct store_check_result *r)
{
    uint64_t n = 0;

    for (int i = 0; i < STORE_FAULT_KINDS; i++)
        n += r->faults[i];
    return n;
}

static void expect_sound(struct shelf *s)
{
    struct store_check_result r = check(s->dir);

    CHECK_EQ(faults(&r), 0);
}

/* The segment of the one content of these bytes. */
static struct data_row row_of(struct shelf *s, int64_t after)
{
    struct data_row *rows, row;
    struct arena a;
    struct tx *tx;
    size_t n;

    arena_init(&a, 1 << 20);
    CHECK_OK(db_begin(s->d.db, DB_READ, &tx, &s->e), &s->e);
    CHECK_OK(data_walk(tx, &a, WALK_ALL, after, 1, 1 << 20, &rows, &n, &s->e), &s->e);
    tx_rollback(tx);
    CHECK_EQ(n, 1);
    row = rows[0];
    row.body = STR_NONE;
    arena_done(&a);
    return row;
}

TEST(small_bodies_move_into_segments_and_stay_readable_all_the_way)
{
    struct shelf s;
    struct store_stat st;

    open_shelf(&s);
    put(&s, "empty", 1, 0);
    put(&s, "one", 2, 1);
    put(&s, "edge", 3, INLINE_BYTES_MAX);
    put(&s, "packed", 4, INLINE_BYTES_MAX + 1);
    put(&s, "most", 5, PACK_BYTES_MAX);
    st = stat_of(&s);
    CHECK_EQ(st.fresh, 3);
    CHECK_EQ(st.packed, 2);
    pack(&s);
    st = stat_of(&s);
    CHECK_EQ(st.fresh, 1); /* nothing to pack in an empty one */
    CHECK_EQ(st.packed, 4);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(get(&s, "empty", 1, 0), &s.e);
        CHECK_OK(get(&s, "one", 2, 1), &s.e);
        CHECK_OK(get(&s, "edge", 3, INLINE_BYTES_MAX), &s.e);
        CHECK_OK(get(&s, "packed", 4, INLINE_BYTES_MAX + 1), &s.e);
        CHECK_OK(get(&s, "most", 5, PACK_BYTES_MAX), &s.e);
        disk_close(&s.d);
        CHECK_OK(shelf_open(&s, s.dir, &s.e), &s.e);
    }
    expect_sound(&s);
    disk_close(&s.d);
}

TEST(the_same_content_is_stored_once_and_goes_with_its_last_name)
{
    struct shelf s;
    struct store_stat st;
    uint64_t bytes;

    open_shelf(&s);
    put(&s, "a", 7, 50000);
    bytes = stat_of(&s).segment_bytes;
    put(&s, "b", 7, 50000);
    put(&s, "a", 7, 50000); /* over itself */
    st = stat_of(&s);
    CHECK_EQ(st.objects, 2);
    CHECK_EQ(st.contents, 1);
    CHECK_EQ(st.segment_bytes, bytes);
    CHECK_OK(shelf_delete(&s, "a", &s.e), &s.e);
    CHECK_OK(get(&s, "b", 7, 50000), &s.e);
    CHECK_EQ(stat_of(&s).segment_dead_bytes, 0);
    CHECK_OK(shelf_delete(&s, "b", &s.e), &s.e);
    CHECK_EQ(stat_of(&s).segment_dead_bytes, record_bytes(50000));
    CHECK_OK(shelf_delete(&s, "b", &s.e), &s.e); /* nothing there: fine */
    expect_sound(&s);
    disk_close(&s.d);
}

struct twin {
    struct shelf *s;
    pthread_t thread;
    int id;
};

static void *put_twins(void *ud)
{
    struct twin *w = ud;
    char key[32], *p = mem_alloc(9000);
    struct err e = {0};

    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof key, "t/%d/%d", w->id, i);
        CHECK_OK(shelf_put(w->s, key, (str){fill(p, (uint64_t)i, 9000), 9000}, &e), &e);
        if (i % 3 == 0)
            CHECK_OK(shelf_delete(w->s, key, &e), &e);
    }
    mem_free(p);
    return NULL;
}

TEST(the_same_content_from_many_at_once_is_counted_right)
{
    struct shelf s;
    struct twin w[6];

    open_shelf(&s);
    for (int i = 0; i < 6; i++) {
        w[i] = (struct twin){.s = &s, .id = i};
        CHECK(!pthread_create(&w[i].thread, NULL, put_twins, &w[i]));
    }
    for (int i = 0; i < 6; i++)
        pthread_join(w[i].thread, NULL);
    CHECK_EQ(stat_of(&s).objects, 6 * 26);
    CHECK_EQ(stat_of(&s).contents, 26);
    expect_sound(&s);
    disk_close(&s.d);
}

/* ---- damage */

static void flip(struct shelf *s, uint32_t segment, uint64_t at)
{
    char path[600], byte;
    int fd = -1;

    snprintf(path, sizeof path, "%s/segments/%08x.seg", s->dir, segment);
    CHECK_OK(os_open(path, O_RDWR, 0, &fd, &s->e), &s->e);
    CHECK_OK(os_pread_full(fd, &byte, 1, at, &s->e), &s->e);
    byte ^= 4;
    CHECK_OK(os_pwrite_all(fd, &byte, 1, at, &s->e), &s->e);
    os_close(fd);
}

static struct scrubbed scrub(struct shelf *s)
{
    struct scrubbed done;
    struct budget b;

    budget_init(&b, 0, NULL);
    CHECK_OK(disk_scrub(&s->d, &b, NULL, NULL, &done, &s->e), &s->e);
    return done;
}

TEST(a_wrong_block_is_an_error_is_found_and_is_not_shared)
{
    struct shelf s;
    struct data_row row;
    struct store_check_result r;

    open_shelf(&s);
    put(&s, "k", 8, 100000);
    put(&s, "other", 9, 100000);
    row = row_of(&s, 0);
    CHECK_EQ(row.kind, DATA_PACKED);
    flip(&s, place_segment(row.place), place_at(row.place) + 90000);
    CHECK_EQ(get(&s, "k", 8, 100000), RC_CORRUPT);
    CHECK_OK(get(&s, "other", 9, 100000), &s.e);
    r = check(s.dir);
    CHECK_EQ(r.faults[STORE_FAULT_BYTES], 1);
    CHECK_EQ(faults(&r), 1);
    CHECK_EQ(scrub(&s).damaged, 1);
    CHECK_EQ(stat_of(&s).damaged, 1);
    put(&s, "again", 8, 100000); /* the same bytes: written anew */
    CHECK_OK(get(&s, "again", 8, 100000), &s.e);
    CHECK_EQ(get(&s, "k", 8, 100000), RC_CORRUPT);
    flip(&s, place_segment(row.place), place_at(row.place) + 90000);
    CHECK_EQ(scrub(&s).healed, 1);
    CHECK_EQ(stat_of(&s).damaged, 0);
    CHECK_OK(get(&s, "k", 8, 100000), &s.e);
    disk_close(&s.d);
}

TEST(rot_that_nobody_has_found_does_not_swallow_what_comes_anew)
{
    struct shelf s;
    struct data_row row;

    open_shelf(&s);
    put(&s, "k", 8, 100000);
    row = row_of(&s, 0);
    flip(&s, place_segment(row.place), place_at(row.place) + 90000);
    put(&s, "again", 8, 100000);
    put(&s, "third", 8, 100000);
    CHECK_OK(get(&s, "again", 8, 100000), &s.e);
    CHECK_OK(get(&s, "third", 8, 100000), &s.e);
    CHECK_EQ(get(&s, "k", 8, 100000), RC_CORRUPT);
    CHECK_EQ(stat_of(&s).damaged, 1);
    CHECK_EQ(stat_of(&s).contents, 2); /* the second and the third share theirs */
    disk_close(&s.d);
}

TEST(a_scrub_goes_on_where_it_was_stopped)
{
    struct shelf s;
    struct scrubbed done;
    struct budget b;
    struct event *stop = event_new();
    char key[32];

    CHECK(stop);
    open_shelf(&s);
    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof key, "k%d", i);
        put(&s, key, (uint64_t)i, 10000);
    }
    event_set(stop);
    budget_init(&b, 0, stop);
    CHECK_EQ(disk_scrub(&s.d, &b, NULL, NULL, &done, &s.e), RC_CANCELLED);
    CHECK(done.contents < 40);
    CHECK_EQ(stat_of(&s).scrub_ended_ms, 0);
    CHECK_EQ(scrub(&s).contents + done.contents, 40);
    CHECK(stat_of(&s).scrub_ended_ms > 0);
    event_free(stop);
    disk_close(&s.d);
}

/* ---- compaction */

TEST(dead_space_is_given_back_and_what_lives_is_moved)
{
    struct shelf s;
    struct compacted done;
    struct budget b;
    char key[32];
    uint64_t before;

    open_shelf(&s);
    for (int i = 0; i < 320; i++) { /* more than one segment */
        snprintf(key, sizeof key, "k%d", i);
        put(&s, key, (uint64_t)i, PACK_BYTES_MAX - 100);
    }
    for (int i = 0; i < 320; i++) {
        snprintf(key, sizeof key, "k%d", i);
        if (i % 3)
            CHECK_OK(shelf_delete(&s, key, &s.e), &s.e);
    }
    before = stat_of(&s).segment_bytes;
    budget_init(&b, 0, NULL);
    CHECK_OK(disk_compact(&s.d, 25, &b, &done, &s.e), &s.e);
    CHECK_EQ(done.segments, 1);
    CHECK(done.bytes_after < done.bytes_before / 2);
    CHECK(stat_of(&s).segment_bytes < before);
    for (int i = 0; i < 320; i += 3) {
        snprintf(key, sizeof key, "k%d", i);
        CHECK_OK(get(&s, key, (uint64_t)i, PACK_BYTES_MAX - 100), &s.e);
    }
    expect_sound(&s);
    disk_close(&s.d);
}

static enum rc seal_current(struct shelf *s)
{
    struct segment_end end = {.number = segments_current(s->d.segments), .end = 1 << 20};
    struct tx *tx;
    enum rc rc = db_begin(s->d.db, DB_WRITE, &tx, &s->e);

    end.sealed = true;
    if (!rc)
        rc = data_segment_set(tx, &end, &s->e);
    segments_told(s->d.segments, &end, 1);
    return tx_end(tx, rc, &s->e);
}

TEST(a_put_whose_segment_was_compacted_away_is_refused_not_lost)
{
    struct shelf s;
    struct shelf_op late = {.put = true, .key = STR("late")};
    struct freed_list freed = {0};
    struct tx *tx;
    static char p[9000];

    open_shelf(&s);
    put(&s, "k", 1, 9000);
    CHECK_OK(disk_take(&s.d, (str){fill(p, 2, sizeof p), sizeof p}, NULL, &late.n, &s.e), &s.e);
    CHECK_OK(shelf_delete(&s, "k", &s.e), &s.e);
    CHECK_OK(seal_current(&s), &s.e); /* others have filled it */
    CHECK_OK(db_begin(s.d.db, DB_WRITE, &tx, &s.e), &s.e);
    CHECK_OK(data_segment_drop(tx, place_segment(late.n.place), &freed, &s.e), &s.e);
    CHECK_OK(tx_commit(tx, &s.e), &s.e);
    VEC_DONE(&freed);
    CHECK_EQ(shelf_run(&s, &late, &s.e), RC_UNAVAILABLE);
    CHECK_EQ(get(&s, "late", 2, sizeof p), RC_NOT_FOUND);
    disk_close(&s.d);
}

/* ---- faults of the disk */

static struct os_sys real;
static _Atomic int fails; /* how many more */

static int bad_fdatasync(int fd)
{
    if (fails > 0) {
        fails--;
        errno = EIO;
        return -1;
    }
    return real.fdatasync(fd);
}

static ssize_t full_pwrite(int fd, const void *p, size_t n, off_t at)
{
    if (fails > 0) {
        fails--;
        errno = ENOSPC;
        return -1;
    }
    return real.pwrite(fd, p, n > 5000 ? 5000 : n, at); /* short, too */
}

static int full_fallocate(int fd, int mode, off_t at, off_t bytes)
{
    if (fails > 0) {
        fails--;
        errno = ENOSPC;
        return -1;
    }
    return real.fallocate(fd, mode, at, bytes);
}

static ssize_t bad_pread(int fd, void *p, size_t n, off_t at)
{
    if (fails > 0) {
        fails--;
        errno = EIO;
        return -1;
    }
    return real.pread(fd, p, n > 777 ? 777 : n, at);
}

TEST(a_failed_sync_is_an_error_and_its_segment_takes_no_more)
{
    struct shelf s;
    struct data_row first;
    static char p[20000];

    open_shelf(&s);
    real = os_sys;
    put(&s, "old", 1, 20000);
    first = row_of(&s, 0);
    fails = 1;
    os_sys.fdatasync = bad_fdatasync;
    CHECK_EQ(shelf_put(&s, "new", (str){fill(p, 2, sizeof p), sizeof p}, &s.e), RC_IO);
    os_sys = real;
    CHECK(!segments_usable(s.d.segments, first.place));
    CHECK_EQ(get(&s, "new", 2, sizeof p), RC_NOT_FOUND);
    CHECK_OK(get(&s, "old", 1, 20000), &s.e);
    put(&s, "new", 2, sizeof p);
    CHECK(place_segment(row_of(&s, first.id).place) != place_segment(first.place));
    put(&s, "more", 3, 500);
    disk_close(&s.d);
    CHECK_OK(shelf_open(&s, s.dir, &s.e), &s.e);
    CHECK_OK(get(&s, "old", 1, 20000), &s.e);
    CHECK_OK(get(&s, "new", 2, sizeof p), &s.e);
    expect_sound(&s);
    disk_close(&s.d);
}

TEST(a_full_disk_refuses_reads_on_and_recovers)
{
    struct shelf s;
    static char p[20000];

    open_shelf(&s);
    real = os_sys;
    fails = 1;
    os_sys.fallocate = full_fallocate; /* there is no segment yet */
    CHECK_EQ(shelf_put(&s, "a", (str){fill(p, 1, sizeof p), sizeof p}, &s.e), RC_FULL);
    CHECK_OK(shelf_put(&s, "a", (str){p, sizeof p}, &s.e), &s.e);
    fails = 1;
    os_sys.pwrite = full_pwrite;
    CHECK_EQ(shelf_put(&s, "b", (str){fill(p, 2, sizeof p), sizeof p}, &s.e), RC_FULL);
    CHECK_OK(get(&s, "a", 1, sizeof p), &s.e);
    CHECK_OK(shelf_put(&s, "b", (str){p, sizeof p}, &s.e), &s.e);
    os_sys = real;
    CHECK_OK(get(&s, "b", 2, sizeof p), &s.e);
    expect_sound(&s);
    disk_close(&s.d);
}

TEST(a_read_that_fails_is_an_error_and_short_reads_are_none)
{
    struct shelf s;

    open_shelf(&s);
    put(&s, "k", 1, 200000);
    real = os_sys;
    fails = 1;
    os_sys.pread = bad_pread;
    CHECK_EQ(get(&s, "k", 1, 200000), RC_IO);
    CHECK_OK(get(&s, "k", 1, 200000), &s.e);
    os_sys = real;
    disk_close(&s.d);
}

/* ---- starting */

static _Atomic uint64_t bytes_read;

static ssize_t counting_pread(int fd, void *p, size_t n, off_t at)
{
    bytes_read += n;
    return real.pread(fd, p, n, at);
}

TEST(a_start_reads_the_same_few_bytes_whatever_there_is)
{
    uint64_t read[2];
    struct shelf s;
    char key[32];

    open_shelf(&s);
    real = os_sys;
    put(&s, "first", 99, 5000);
    for (int round = 0; round < 2; round++) {
        disk_close(&s.d);
        bytes_read = 0;
        os_sys.pread = counting_pread;
        CHECK_OK(disk_open(&s.d, s.dir, &s.e), &s.e);
        os_sys = real;
        read[round] = bytes_read;
        for (int i = 0; !round && i < 400; i++) {
            snprintf(key, sizeof key, "k%d", i);
            put(&s, key, (uint64_t)i, 5000 + (size_t)i);
        }
    }
    CHECK_EQ(read[0], read[1]);
    CHECK(read[1] < 1 << 20);
    disk_close(&s.d);
}

TEST(what_lies_behind_the_last_commit_is_counted_and_written_over)
{
    struct shelf s;
    int64_t place, id;

    open_shelf(&s);
    put(&s, "k", 1, 9000);
    id = files_new_id(s.d.files);
    CHECK_OK(segments_append(s.d.segments, id, (str){fill(big, 5, 7000), 7000}, &place, &s.e),
             &s.e);
    disk_close(&s.d); /* a crash before the commit */
    CHECK_OK(disk_open(&s.d, s.dir, &s.e), &s.e);
    CHECK_EQ(s.d.found.tail_records, 1);
    CHECK_EQ(s.d.found.tail_bytes, record_bytes(7000));
    put(&s, "next", 6, 9000);
    CHECK_EQ(row_of(&s, row_of(&s, 0).id).place, place);
    CHECK_OK(get(&s, "k", 1, 9000), &s.e);
    CHECK_OK(get(&s, "next", 6, 9000), &s.e);
    expect_sound(&s);
    disk_close(&s.d);
}

/* ---- the older layout */

static const char *const layout_1[] = {
    "CREATE TABLE counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    "CREATE TABLE bucket(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " created_ms INTEGER NOT NULL)",
    "CREATE TABLE data(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL,"
    " refs INTEGER NOT NULL, bytes INTEGER NOT NULL, body BLOB)",
    "CREATE TABLE piece(owner INTEGER NOT NULL, n INTEGER NOT NULL,"
    " data INTEGER NOT NULL, PRIMARY KEY(owner, n)) WITHOUT ROWID",
    "CREATE TABLE object(bucket INTEGER NOT NULL, key BLOB NOT NULL,"
    " data INTEGER NOT NULL, bytes INTEGER NOT NULL, modified_ms INTEGER NOT NULL,"
    " etag TEXT NOT NULL, type TEXT NOT NULL, meta TEXT NOT NULL,"
    " PRIMARY KEY(bucket, key)) WITHOUT ROWID",
    "CREATE TABLE upload(id INTEGER PRIMARY KEY, bucket INTEGER NOT NULL,"
    " key BLOB NOT NULL, type TEXT NOT NULL, meta TEXT NOT NULL, created_ms INTEGER NOT NULL)",
    "CREATE INDEX upload_created ON upload(created_ms)",
    "CREATE TABLE part(upload INTEGER NOT NULL, number INTEGER NOT NULL,"
    " data INTEGER NOT NULL, bytes INTEGER NOT NULL, modified_ms INTEGER NOT NULL,"
    " etag TEXT NOT NULL, PRIMARY KEY(upload, number)) WITHOUT ROWID",
    "INSERT INTO counter(name, value) VALUES ('generation', 1)",
    "INSERT INTO bucket(id, name, created_ms) VALUES (1, 'shelf', 1)",
    "INSERT INTO data(id, kind, refs, bytes, body) VALUES (1099511627777, 0, 1, 150000, NULL)",
    "INSERT INTO object VALUES (1, CAST('file' AS BLOB), 1099511627777, 150000, 1, 'e', 't', '')",
    "INSERT INTO object VALUES (1, CAST('row' AS BLOB), 1099511627778, 60000, 1, 'e', 't', '')",
    "PRAGMA user_version = 1",
};

static void make_layout_1(const char *dir)
{
    char path[700], *p = mem_alloc(150000);
    struct err e = {0};
    struct db *db;
    struct tx *tx;

    CHECK(p);
    snprintf(path, sizeof path, "%s/objects/01", dir);
    CHECK_OK(os_mkdirs(path, 0700, &e), &e);
    snprintf(path, sizeof path, "%s/objects/01/0000010000000001", dir);
    CHECK_OK(os_write_file_durable(path, (str){fill(p, 31, 150000), 150000}, 0600, &e), &e);
    snprintf(path, sizeof path, "%s/store.db", dir);
    CHECK_OK(db_open(&db, path, &e), &e);
    CHECK_OK(db_begin(db, DB_WRITE, &tx, &e), &e);
    for (size_t i = 0; i < sizeof layout_1 / sizeof *layout_1; i++)
        CHECK_OK(tx_exec(tx, &e, layout_1[i]), &e);
    CHECK_OK(tx_exec(tx, &e,
                     "INSERT INTO data(id, kind, refs, bytes, body)"
                     " VALUES (1099511627778, 1, 1, 60000, ?)",
                     db_b((str){fill(p, 32, 60000), 60000})),
             &e);
    CHECK_OK(tx_commit(tx, &e), &e);
    db_close(db);
    mem_free(p);
}

TEST(a_folder_of_the_first_layout_is_upgraded_in_place)
{
    struct shelf s;
    struct store_stat st;
    char dir[512];

    snprintf(dir, sizeof dir, "%s/store", test_dir());
    CHECK_OK(os_mkdirs(dir, 0700, &s.e), &s.e);
    make_layout_1(dir);
    CHECK_EQ(store_stat(dir, &st, &s.e), RC_CONFLICT);
    CHECK(str_find(str_of(s.e.text), STR("start `anneal store` on it once")) >= 0);
    CHECK_OK(shelf_open(&s, dir, &s.e), &s.e);
    CHECK_OK(get(&s, "file", 31, 150000), &s.e);
    CHECK_OK(get(&s, "row", 32, 60000), &s.e);
    CHECK_EQ(stat_of(&s).unverified, 1);
    pack(&s);
    st = stat_of(&s);
    CHECK(st.unverified == 0 && st.packed == 1 && st.filed == 1 && st.fresh == 0);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(get(&s, "file", 31, 150000), &s.e);
        CHECK_OK(get(&s, "row", 32, 60000), &s.e);
        disk_close(&s.d);
        CHECK_OK(shelf_open(&s, dir, &s.e), &s.e);
    }
    expect_sound(&s);
    disk_close(&s.d);
}

/* ---- the copy */

TEST(a_copy_of_a_live_store_proves_itself_and_is_a_store)
{
    struct store_check_options o = {.each = print_fault};
    struct store_backup_result done;
    struct store_check_result r;
    struct shelf s, copy;
    char to[600], path[700], key[32];

    open_shelf(&s);
    for (int i = 0; i < 60; i++) {
        snprintf(key, sizeof key, "k%d", i);
        put(&s, key, (uint64_t)i, (size_t)i * 1000);
    }
    snprintf(to, sizeof to, "%s/copy", test_dir());
    CHECK_OK(store_backup(s.dir, to, &o, &done, &s.e), &s.e);
    CHECK_EQ(done.contents, 60);
    CHECK_EQ(done.faults, 0);
    CHECK_EQ(store_backup(s.dir, to, &o, &done, &s.e), RC_CONFLICT); /* not over another */
    r = check(to);
    CHECK(r.manifest);
    CHECK_EQ(faults(&r), 0);
    put(&s, "later", 1000, 9000);
    snprintf(path, sizeof path, "%s/segments/00000001.seg", to);
    CHECK(!truncate(path, 70000));
    r = check(to);
    CHECK(r.faults[STORE_FAULT_MANIFEST] == 1 && r.faults[STORE_FAULT_BYTES] > 0);
    CHECK_OK(os_remove_tree(to, &s.e), &s.e);
    CHECK_OK(store_backup(s.dir, to, &o, &done, &s.e), &s.e);
    disk_close(&s.d);
    CHECK_OK(shelf_open(&copy, to, &copy.e), &copy.e);
    CHECK_OK(get(&copy, "later", 1000, 9000), &copy.e);
    put(&copy, "new", 2000, 9000);
    r = check(to);
    CHECK(!r.manifest); /* a store again, and no copy */
    CHECK_EQ(faults(&r), 0);
    disk_close(&copy.d);
}

TEST(a_running_store_is_not_compacted_by_another)
{
    struct store_compact_options o = {0};
    struct store_compact_result r;
    struct shelf s;

    open_shelf(&s);
    CHECK_EQ(store_compact(s.dir, &o, &r, &s.e), RC_CONFLICT);
    CHECK(str_find(str_of(s.e.text), STR("a running store compacts by itself")) >= 0);
    disk_close(&s.d);
    CHECK_OK(store_compact(s.dir, &o, &r, &s.e), &s.e);
    CHECK_EQ(store_stat("/nonexistent", &(struct store_stat){0}, &s.e), RC_NOT_FOUND);
}
