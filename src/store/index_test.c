/* index_test.c - the index alone: an older layout is brought up, and what versions do to rows. */
#include "store/index_sql.c"

#include "base/test.h"

/* What the first release wrote (layout 1), with one object of three bytes. */
static const char *const first_layout[] = {
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
    "INSERT INTO counter(name, value) VALUES ('generation', 7)",
    "INSERT INTO bucket VALUES (1, 'old', 1000)",
    "INSERT INTO data VALUES (5, 1, 1, 3, x'616263')",
    "INSERT INTO object VALUES (1, x'6b', 5, 3, 2000, '900150983cd24fb0d6963f7d28e17f72',"
    " 'text/plain', 'x-amz-meta-a: b' || char(10))",
    "INSERT INTO upload VALUES (9, 1, x'75', 't', '', 3000)",
    "INSERT INTO part VALUES (9, 1, 6, 1, 3000, '0cc175b9c0f1b6a831c399e269772661')",
    "INSERT INTO data VALUES (6, 1, 1, 1, x'61')",
    "PRAGMA user_version = 1",
};

struct rig {
    struct db *db;
    struct tx *tx;
    struct arena a;
    struct bucket b;
    struct freed_list freed;
    int64_t generation, next_data;
    struct err e;
};

static void begin(struct rig *g, enum versioning v)
{
    char path[600];

    *g = (struct rig){.next_data = 100};
    arena_init(&g->a, 1 << 20);
    snprintf(path, sizeof path, "%s/store.db", test_dir());
    CHECK_OK(db_open(&g->db, path, &g->e), &g->e);
    CHECK_OK(index_setup(g->db, &g->generation, &g->e), &g->e);
    CHECK_OK(db_begin(g->db, DB_WRITE, &g->tx, &g->e), &g->e);
    CHECK_OK(index_bucket_add(g->tx, STR("b"), STR("root"), ACL_PRIVATE, 1, &g->e), &g->e);
    CHECK_OK(index_bucket(g->tx, STR("b"), &g->b, &g->e), &g->e);
    g->b.versioning = v;
}

static void end(struct rig *g)
{
    tx_rollback(g->tx);
    VEC_DONE(&g->freed);
    arena_done(&g->a);
    db_close(g->db);
}

static struct object put(struct rig *g, const char *key)
{
    struct object o = {
        .bytes = 1, .modified_ms = 5, .type = STR("t"), .meta = STR(""), .tags = STR("")};
    struct data_new d = {.id = ++g->next_data, .kind = DATA_FILE, .bytes = 1};

    CHECK_OK(index_put(g->tx, &g->b, str_of(key), &o, &d, &g->freed, &g->e), &g->e);
    return o;
}

static struct object erase(struct rig *g, const char *key)
{
    struct object m;

    CHECK_OK(index_delete(g->tx, &g->b, str_of(key), 6, &m, &g->freed, &g->e), &g->e);
    return m;
}

static enum rc erase_version(struct rig *g, const char *key, const struct object *o)
{
    struct version_id v = {o->seq, o->null_version};
    struct object gone;

    return index_delete_version(g->tx, &g->b, str_of(key), &v, &gone, &g->freed, &g->e);
}

/* The data of the current version; 0: there is none. */
static int64_t current(struct rig *g, const char *key)
{
    struct object o;
    enum rc rc = index_get(g->tx, &g->a, g->b.id, str_of(key), NULL, &o, &g->e);

    CHECK(!rc || rc == RC_NOT_FOUND);
    return rc ? 0 : o.data;
}

struct listed {
    char text[400];
};

static enum rc list_one(void *ud, str key, const struct object *o, bool *stop, struct err *e)
{
    struct listed *l = ud;
    size_t n = strlen(l->text);

    snprintf(l->text + n, sizeof l->text - n, "%.*s:%s%s%s ", STR_F(key), o->marker ? "m" : "v",
             o->null_version ? "n" : "", o->newest ? "*" : "");
    return RC_OK;
}

static struct listed versions(struct rig *g)
{
    struct listed l = {""};

    CHECK_OK(index_list_versions(g->tx, g->b.id, STR(""), 0, STR("\xff"), 100, list_one, &l, &g->e),
             &g->e);
    return l;
}

TEST(an_index_of_the_first_layout_is_brought_up_whole)
{
    struct rig g = {0};
    struct object o;
    struct upload u;
    struct part *parts;
    size_t n;
    char path[600];

    arena_init(&g.a, 1 << 20);
    snprintf(path, sizeof path, "%s/store.db", test_dir());
    CHECK_OK(db_open(&g.db, path, &g.e), &g.e);
    CHECK_OK(db_begin(g.db, DB_WRITE, &g.tx, &g.e), &g.e);
    for (size_t i = 0; i < sizeof first_layout / sizeof *first_layout; i++)
        CHECK_OK(tx_exec(g.tx, &g.e, first_layout[i]), &g.e);
    CHECK_OK(tx_commit(g.tx, &g.e), &g.e);
    for (int start = 0; start < 2; start++) { /* and a second time it changes nothing */
        CHECK_OK(index_setup(g.db, &g.generation, &g.e), &g.e);
        CHECK_EQ(g.generation, 8 + start);
    }
    CHECK_OK(db_begin(g.db, DB_WRITE, &g.tx, &g.e), &g.e);
    CHECK_OK(index_bucket(g.tx, STR("old"), &g.b, &g.e), &g.e);
    CHECK_EQ(g.b.versioning, VERSIONING_OFF);
    CHECK_STR(str_of(g.b.owner), "root");
    CHECK_OK(index_get(g.tx, &g.a, g.b.id, STR("k"), NULL, &o, &g.e), &g.e);
    CHECK_EQ(o.bytes, 3);
    CHECK_STR(o.meta, "x-amz-meta-a: b\n");
    CHECK(o.null_version && !o.marker && !o.tags.n && o.sum.kind == CHECKSUM_NONE);
    CHECK_OK(index_upload(g.tx, &g.a, 9, &u, &g.e), &g.e);
    CHECK_EQ(u.sum_kind, CHECKSUM_NONE);
    CHECK_OK(index_parts(g.tx, &g.a, 9, 0, 10, &parts, &n, &g.e), &g.e);
    CHECK_EQ(n, 1);
    g.b.versioning = VERSIONING_ON; /* what was there before becomes the null version */
    put(&g, "k");
    CHECK_STR(str_of(versions(&g).text), "k:v* k:vn ");
    end(&g);
}

TEST(a_counter_that_is_gone_is_an_error_and_never_begins_anew)
{
    struct rig g;
    int64_t v = 7;

    begin(&g, VERSIONING_ON);
    CHECK_OK(data_counter_next(g.tx, "version", &v, &g.e), &g.e);
    CHECK_EQ(v, 1);
    CHECK_OK(tx_exec(g.tx, &g.e, "DELETE FROM counter WHERE name = 'version'"), &g.e);
    CHECK_EQ(data_counter_next(g.tx, "version", &v, &g.e), RC_NOT_FOUND);
    CHECK_EQ(v, 1);
    end(&g);
}

TEST(a_newer_layout_is_refused)
{
    struct rig g;

    begin(&g, VERSIONING_OFF);
    CHECK_OK(tx_exec(g.tx, &g.e, "PRAGMA user_version = 99"), &g.e);
    CHECK_OK(tx_commit(g.tx, &g.e), &g.e);
    CHECK_EQ(index_setup(g.db, &g.generation, &g.e), RC_CONFLICT);
    CHECK_OK(db_begin(g.db, DB_WRITE, &g.tx, &g.e), &g.e);
    end(&g);
}

TEST(without_versioning_there_is_one_row_and_it_is_freed)
{
    struct rig g;

    begin(&g, VERSIONING_OFF);
    put(&g, "k");
    put(&g, "k");
    CHECK_EQ(g.freed.n, 1);
    CHECK_STR(str_of(versions(&g).text), "k:vn* ");
    CHECK(!erase(&g, "k").marker);
    CHECK_EQ(g.freed.n, 2);
    CHECK_EQ(current(&g, "k"), 0);
    CHECK(!erase(&g, "never").marker);
    CHECK_STR(str_of(versions(&g).text), "");
    end(&g);
}

TEST(versions_stay_and_a_marker_hides_them)
{
    struct rig g;
    struct object one, two, m, got;

    begin(&g, VERSIONING_ON);
    put(&g, "j");
    one = put(&g, "k");
    two = put(&g, "k");
    put(&g, "l");
    CHECK(two.seq > one.seq && g.freed.n == 0);
    m = erase(&g, "k");
    CHECK(m.marker && m.seq > two.seq);
    CHECK_EQ(current(&g, "k"), 0);
    CHECK_OK(index_marker(g.tx, &g.a, g.b.id, STR("k"), &got, &g.e), &g.e);
    CHECK_EQ(got.seq, m.seq);
    CHECK_STR(str_of(versions(&g).text), "j:v* k:m* k:v k:v l:v* ");
    CHECK_OK(
        index_get(g.tx, &g.a, g.b.id, STR("k"), &(struct version_id){one.seq, false}, &got, &g.e),
        &g.e);
    CHECK_EQ(got.data, one.data);
    CHECK_OK(erase_version(&g, "k", &m), &g.e); /* without the marker it is back */
    CHECK_EQ(current(&g, "k"), two.data);
    CHECK_STR(str_of(versions(&g).text), "j:v* k:v* k:v l:v* ");
    CHECK_OK(erase_version(&g, "k", &two), &g.e); /* and without it the older one */
    CHECK_EQ(current(&g, "k"), one.data);
    CHECK_EQ(g.freed.n, 1);
    CHECK_EQ(erase_version(&g, "k", &two), RC_NOT_FOUND);
    CHECK_OK(erase_version(&g, "k", &one), &g.e);
    CHECK_EQ(current(&g, "k"), 0);
    CHECK_STR(str_of(versions(&g).text), "j:v* l:v* ");
    CHECK_EQ(g.freed.n, 2);
    end(&g);
}

TEST(two_markers_and_the_older_one_is_newest_again)
{
    struct rig g;
    struct object second;

    begin(&g, VERSIONING_ON);
    erase(&g, "k");
    second = erase(&g, "k");
    CHECK_STR(str_of(versions(&g).text), "k:m* k:m ");
    CHECK_OK(erase_version(&g, "k", &second), &g.e);
    CHECK_STR(str_of(versions(&g).text), "k:m* ");
    put(&g, "k");
    CHECK_STR(str_of(versions(&g).text), "k:v* k:m ");
    end(&g);
}

TEST(suspended_there_is_one_null_version_at_most)
{
    struct rig g;
    struct object kept, m;

    begin(&g, VERSIONING_OFF);
    put(&g, "k");
    g.b.versioning = VERSIONING_ON;
    kept = put(&g, "k");
    CHECK_STR(str_of(versions(&g).text), "k:v* k:vn ");
    g.b.versioning = VERSIONING_SUSPENDED;
    put(&g, "k"); /* the null version of before goes, the other stays */
    CHECK_STR(str_of(versions(&g).text), "k:vn* k:v ");
    CHECK_EQ(g.freed.n, 1);
    put(&g, "k");
    CHECK_STR(str_of(versions(&g).text), "k:vn* k:v ");
    CHECK_EQ(g.freed.n, 2);
    m = erase(&g, "k");
    CHECK(m.marker && m.null_version);
    CHECK_STR(str_of(versions(&g).text), "k:mn* k:v ");
    CHECK_EQ(g.freed.n, 3);
    CHECK_OK(erase_version(&g, "k", &m), &g.e);
    CHECK_EQ(current(&g, "k"), kept.data);
    end(&g);
}

TEST(lists_of_versions_go_on_behind_any_of_them)
{
    struct rig g;
    struct object v[4];
    struct listed l = {""};

    begin(&g, VERSIONING_ON);
    for (int i = 0; i < 4; i++)
        v[i] = put(&g, "k");
    put(&g, "l");
    CHECK_OK(
        index_list_versions(g.tx, g.b.id, STR("k"), v[2].seq, STR("\xff"), 2, list_one, &l, &g.e),
        &g.e);
    CHECK_STR(str_of(l.text), "k:v k:v ");
    l.text[0] = 0;
    CHECK_OK(
        index_list_versions(g.tx, g.b.id, STR("k"), v[0].seq, STR("\xff"), 9, list_one, &l, &g.e),
        &g.e);
    CHECK_STR(str_of(l.text), "l:v* ");
    end(&g);
}

TEST(a_list_of_versions_is_merged_not_sorted)
{
    struct rig g;
    struct rows *r;
    struct buf plan;

    begin(&g, VERSIONING_ON);
    buf_init(&plan, 8192);
    CHECK_OK(tx_query(g.tx, &r, &g.e,
                      "EXPLAIN QUERY PLAN SELECT key, seq FROM object WHERE bucket = 1"
                      " AND key >= x'00' AND key < x'ff' UNION ALL SELECT key, seq FROM version"
                      " WHERE bucket = 1 AND key >= x'00' AND key < x'ff' ORDER BY 1, 2 DESC"),
             &g.e);
    while (rows_next(r)) {
        buf_str(&plan, rows_text(r, 3));
        buf_putc(&plan, '\n');
    }
    CHECK_OK(rows_done(r, &g.e), &g.e);
    if (str_find(buf_view(&plan), STR("TEMP B-TREE FOR ORDER BY")) >= 0)
        printf("%s", plan.p);
    CHECK(str_find(buf_view(&plan), STR("USE TEMP B-TREE FOR ORDER BY")) < 0);
    buf_done(&plan);
    end(&g);
}

TEST(version_ids_go_and_come_back)
{
    struct object o = {.seq = 0x1234};
    struct version_id v;
    char text[INDEX_VERSION_TEXT];

    version_text(&o, text);
    CHECK(version_parse(str_of(text), &v) && v.seq == 0x1234 && !v.null_version);
    o.null_version = true;
    version_text(&o, text);
    CHECK(version_parse(str_of(text), &v) && v.null_version);
    CHECK(!version_parse(STR(""), &v) && !version_parse(STR("1234"), &v));
    CHECK(!version_parse(STR("ffffffffffffffff"), &v) && !version_parse(STR("zz"), &v));
}
