/* sqlite.c - the embedded database behind db.h.
 *
 * One connection writes; who writes waits his turn in a queue of our own, first come first served,
 * because SQLite's busy handler sleeps and retries and so can starve a waiter.  Reading happens on
 * further connections, opened on demand: WAL lets them see the last commit while a writer works.
 *
 * 1. A writing transaction begins with BEGIN IMMEDIATE: it never has to be upgraded half-way.
 * 2. synchronous=FULL: a commit returns after the fsync of the log.  Acknowledged is durable.
 * 3. A reader's connection has query_only set: a write in a DB_READ transaction is an error.
 * 4. Memory: no mmap, caches of WRITER_CACHE_KIB and READER_CACHE_KIB, at most READERS_IDLE idle
 *    connections kept (a connection costs about 100 KiB plus its cache).
 * 5. Prepared statements are kept per connection by text, STMTS of them, the oldest goes first.
 */
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/backend.h"
#include "os/os.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

enum {
    WRITER_CACHE_KIB = 1024,
    READER_CACHE_KIB = 256,
    READERS_MAX = 8,
    READERS_IDLE = 4,
    STMTS = 64,
    WAL_BYTES_KEPT = 8 << 20,
    INTERRUPT_STEPS = 20000, /* virtual machine steps between looks at the interrupt flag */
};

struct stmt {
    sqlite3_stmt *p;
    uint64_t hash;
    uint64_t used_at; /* of the connection's tick */
    bool busy;
};
struct conn {
    sqlite3 *p;
    struct conn *next; /* idle list */
    uint64_t tick;
    struct stmt stmts[STMTS];
    const atomic_bool *interrupted;
};
struct turn { /* one who waits; lives on the waiter's stack */
    pthread_cond_t ready;
    bool granted;
    struct turn *next;
};
struct sqlite_db {
    struct db base;
    char *path;
    atomic_bool interrupted;
    pthread_mutex_t lock; /* guards what follows */
    bool writing;
    struct turn *first, *last;   /* who waits to write */
    struct turn *rfirst, *rlast; /* who waits for a reading connection */
    struct conn *idle;
    unsigned readers, idle_n;
    struct conn writer; /* used by the one whose turn it is */
};
struct sqlite_tx {
    struct tx base;
    struct conn *conn;
    unsigned open_rows;
};
struct sqlite_rows {
    struct rows base;
    struct stmt *cached; /* NULL: p is finalised at the end */
    sqlite3_stmt *p;
    int last; /* SQLite's result code of the last step */
};

static enum rc rc_of(int code, int extended)
{
    switch (code) {
    case SQLITE_CONSTRAINT:
        return extended == SQLITE_CONSTRAINT_CHECK || extended == SQLITE_CONSTRAINT_NOTNULL
                   ? RC_INTERNAL
                   : RC_CONFLICT;
    case SQLITE_FULL:
        return RC_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return RC_UNAVAILABLE;
    case SQLITE_NOMEM:
        return RC_NOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return RC_CORRUPT;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return RC_IO;
    case SQLITE_INTERRUPT:
        return RC_CANCELLED;
    case SQLITE_TOOBIG:
        return RC_TOO_LARGE;
    default:
        return RC_INTERNAL;
    }
}

/* Did the last write of the database or of its log fail because the disk takes none?  (The errno of
 * the connection is that of whatever was called last.) */
static bool is_read_only(sqlite3 *c)
{
    sqlite3_file *log = NULL;
    int of_file = 0, of_log = 0;

    sqlite3_file_control(c, "main", SQLITE_FCNTL_LAST_ERRNO, &of_file);
    sqlite3_file_control(c, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (log && log->pMethods)
        log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &of_log);
    return of_file == EROFS || of_log == EROFS || sqlite3_system_errno(c) == EROFS;
}

static enum rc fail(struct err *e, sqlite3 *c, const char *what)
{
    int extended = c ? sqlite3_extended_errcode(c) : SQLITE_NOMEM;
    enum rc rc = rc_of(extended & 0xff, extended);
    const char *text = c ? sqlite3_errmsg(c) : "out of memory";

    if (rc == RC_IO && c && is_read_only(c))
        return err_errno(e, EROFS, "%s", what);
    if (rc == RC_FULL)
        return err_set(e, rc, "%s: the disk is full, or the database has reached its limit", what);
    if (rc == RC_UNAVAILABLE)
        return err_set(e, rc, "%s: another program holds the database", what);
    return err_set(e, rc, "%s: %s", what, text);
}

/* ---- connections */

static int progress(void *ud)
{
    const struct conn *c = ud;

    return atomic_load_explicit(c->interrupted, memory_order_relaxed);
}

static enum rc set_up(struct conn *c, bool writer, struct err *e)
{
    char pragmas[512];
    char *text = NULL;

    snprintf(pragmas, sizeof pragmas,
             "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
             "PRAGMA mmap_size=0; PRAGMA cache_size=-%d; PRAGMA journal_size_limit=%d;"
             "PRAGMA trusted_schema=OFF; PRAGMA query_only=%d;",
             writer ? WRITER_CACHE_KIB : READER_CACHE_KIB, WAL_BYTES_KEPT, !writer);
    sqlite3_extended_result_codes(c->p, 1);
    sqlite3_busy_timeout(c->p, DB_BUSY_MS);
    sqlite3_db_config(c->p, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_progress_handler(c->p, INTERRUPT_STEPS, progress, c);
    if (sqlite3_exec(c->p, pragmas, NULL, NULL, &text) != SQLITE_OK) {
        sqlite3_free(text);
        return fail(e, c->p, "setting up the database");
    }
    return RC_OK;
}

static void conn_close(struct conn *c)
{
    for (size_t i = 0; i < STMTS; i++) {
        ASSERT(!c->stmts[i].busy);
        sqlite3_finalize(c->stmts[i].p);
    }
    sqlite3_close_v2(c->p);
    memset(c, 0, sizeof *c);
}

static enum rc conn_open(struct conn *c, struct sqlite_db *d, bool writer, struct err *e)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (writer ? SQLITE_OPEN_CREATE : 0);
    enum rc rc;

    memset(c, 0, sizeof *c);
    c->interrupted = &d->interrupted;
    if (sqlite3_open_v2(d->path, &c->p, flags, NULL) != SQLITE_OK)
        rc = fail(e, c->p, "opening the database");
    else
        rc = set_up(c, writer, e);
    if (rc) {
        conn_close(c);
        return err_wrap(e, rc, "%s", d->path);
    }
    return RC_OK;
}

static uint64_t text_hash(const char *s)
{
    uint64_t h = 14695981039346656037ULL; /* FNV-1a */

    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 1099511628211ULL;
    return h;
}

/* A statement for sql, from the cache if it is not in use there. */
static enum rc stmt_get(struct conn *c, const char *sql, struct stmt **ret_cached,
                        sqlite3_stmt **ret, struct err *e)
{
    uint64_t hash = text_hash(sql);
    struct stmt *slot = NULL;
    sqlite3_stmt *p = NULL;
    const char *tail = NULL;

    for (size_t i = 0; i < STMTS; i++) {
        struct stmt *s = &c->stmts[i];

        if (s->p && s->hash == hash && !s->busy && !strcmp(sqlite3_sql(s->p), sql)) {
            s->busy = true;
            s->used_at = ++c->tick;
            *ret_cached = s;
            *ret = s->p;
            return RC_OK;
        }
        if (!s->busy && (!slot || s->used_at < slot->used_at))
            slot = s;
    }
    if (sqlite3_prepare_v3(c->p, sql, -1, slot ? SQLITE_PREPARE_PERSISTENT : 0, &p, &tail) !=
        SQLITE_OK)
        return err_wrap(e, fail(e, c->p, "preparing"), "%.80s", sql);
    ASSERT(p && "one SQL statement"); /* SQL is ours: empty text is a bug */
    ASSERT(!tail[strspn(tail, " \t\r\n;")]);
    if (slot) {
        sqlite3_finalize(slot->p);
        *slot = (struct stmt){p, hash, ++c->tick, true};
    }
    *ret_cached = slot;
    *ret = p;
    return RC_OK;
}

static void stmt_put(struct stmt *cached, sqlite3_stmt *p)
{
    sqlite3_reset(p);
    sqlite3_clear_bindings(p);
    if (cached)
        cached->busy = false;
    else
        sqlite3_finalize(p);
}

static enum rc bind_args(struct conn *c, sqlite3_stmt *p, const struct db_val *v, size_t n,
                         struct err *e)
{
    ASSERT(sqlite3_bind_parameter_count(p) == (int)n);
    for (size_t i = 0; i < n; i++) {
        int at = (int)i + 1, code = SQLITE_OK;

        switch (v[i].kind) {
        case DB_V_NULL:
            code = sqlite3_bind_null(p, at);
            break;
        case DB_V_INT:
            code = sqlite3_bind_int64(p, at, v[i].i);
            break;
        case DB_V_NUM: /* SQLite stores NaN as NULL */
            code = sqlite3_bind_double(p, at, v[i].f);
            break;
        case DB_V_TEXT:
            code = sqlite3_bind_text64(p, at, v[i].s.p ? v[i].s.p : "", v[i].s.n, SQLITE_TRANSIENT,
                                       SQLITE_UTF8);
            break;
        case DB_V_BLOB:
            code = sqlite3_bind_blob64(p, at, v[i].s.p ? v[i].s.p : "", v[i].s.n, SQLITE_TRANSIENT);
            break;
        }
        if (code != SQLITE_OK)
            return fail(e, c->p, "binding an argument");
    }
    return RC_OK;
}

/* ---- open and close */

/* "/path", "rel/path", or behind "sqlite:" also "///path". */
static enum rc path_of(str target, str *ret, struct err *e)
{
    if (str_starts(target, STR("//")) && !str_starts(target, STR("///")))
        return err_set(e, RC_INVALID,
                       "sqlite:%.*s: SQLite has no host; use sqlite:/path/to/file.db",
                       STR_F(target));
    if (str_starts(target, STR("///")))
        target = str_sub(target, 2, target.n);
    if (!target.n || str_is(target, ":memory:") || memchr(target.p, 0, target.n))
        return err_set(e, RC_INVALID, "the database must be a file; use sqlite:/path/to/file.db");
    *ret = target;
    return RC_OK;
}

static enum rc sqlite_open(struct db **ret, str target, struct err *e)
{
    struct sqlite_db *d;
    str path = STR_NONE;
    int fd = -1;
    enum rc rc = path_of(target, &path, e);

    if (rc)
        return rc;
    d = mem_zalloc(sizeof *d);
    if (!d)
        return err_set(e, RC_NOMEM, "out of memory opening the database");
    d->base.ops = &sqlite_ops;
    pthread_mutex_init(&d->lock, NULL);
    d->path = mem_strndup(path.p, path.n);
    if (!d->path)
        rc = err_set(e, RC_NOMEM, "out of memory opening the database");
    /* Ours alone to read: it holds digests of tokens.  SQLite's own files take over the mode. */
    if (!rc)
        rc = os_open(d->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600, &fd, e);
    if (!rc) {
        os_close(fd);
        rc = conn_open(&d->writer, d, true, e);
    }
    if (rc) {
        pthread_mutex_destroy(&d->lock);
        mem_free(d->path);
        mem_free(d);
        return rc;
    }
    *ret = &d->base;
    return RC_OK;
}

static void sqlite_close(struct db *db)
{
    struct sqlite_db *d = (struct sqlite_db *)db;

    ASSERT(!d->writing && !d->first && d->readers == d->idle_n);
    while (d->idle) {
        struct conn *c = d->idle;

        d->idle = c->next;
        conn_close(c);
        mem_free(c);
    }
    atomic_store(&d->interrupted, false);
    if (sqlite3_wal_checkpoint_v2(d->writer.p, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) !=
        SQLITE_OK)
        log_warn("closing the database: %s", sqlite3_errmsg(d->writer.p));
    conn_close(&d->writer);
    pthread_mutex_destroy(&d->lock);
    mem_free(d->path);
    mem_free(d);
}

static void sqlite_interrupt(struct db *db)
{
    atomic_store(&((struct sqlite_db *)db)->interrupted, true);
}

/* ---- turns */

/* Called with the lock held; returns with it held.  True when granted, false at the deadline. */
static bool turn_wait(struct sqlite_db *d, struct turn **first, struct turn **last)
{
    struct turn me = {.granted = false};
    pthread_condattr_t attr;
    struct timespec until;
    int code = 0;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&me.ready, &attr);
    pthread_condattr_destroy(&attr);
    int64_t ms = os_mono_ms() + DB_BUSY_MS;
    until = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    if (*last)
        (*last)->next = &me;
    else
        *first = &me;
    *last = &me;
    while (!me.granted && code != ETIMEDOUT)
        code = pthread_cond_timedwait(&me.ready, &d->lock, &until);
    if (!me.granted) {
        struct turn *prev = NULL;

        for (struct turn *t = *first; t != &me; t = t->next)
            prev = t;
        if (prev)
            prev->next = me.next;
        else
            *first = me.next;
        if (*last == &me)
            *last = prev;
    }
    pthread_cond_destroy(&me.ready);
    return me.granted;
}

/* Called with the lock held: hands the thing to the first who waits; false if nobody does. */
static bool turn_pass(struct turn **first, struct turn **last)
{
    struct turn *t = *first;

    if (!t)
        return false;
    *first = t->next;
    if (!*first)
        *last = NULL;
    t->granted = true;
    pthread_cond_signal(&t->ready);
    return true;
}

static enum rc writer_take(struct sqlite_db *d, struct err *e)
{
    bool mine = true;

    pthread_mutex_lock(&d->lock);
    if (d->writing)
        mine = turn_wait(d, &d->first, &d->last); /* `writing` stays true: it is handed over */
    else
        d->writing = true;
    pthread_mutex_unlock(&d->lock);
    if (!mine)
        return err_set(e, RC_UNAVAILABLE, "the database is busy: no turn to write within %d s",
                       DB_BUSY_MS / 1000);
    return RC_OK;
}

static void writer_give(struct sqlite_db *d)
{
    pthread_mutex_lock(&d->lock);
    if (!turn_pass(&d->first, &d->last))
        d->writing = false;
    pthread_mutex_unlock(&d->lock);
}

static void reader_give(struct sqlite_db *d, struct conn *c)
{
    bool close = c == NULL; /* NULL: opening failed, only the place is given back */

    pthread_mutex_lock(&d->lock);
    if (c && (d->rfirst || d->idle_n < READERS_IDLE)) {
        c->next = d->idle;
        d->idle = c;
        d->idle_n++;
    } else {
        d->readers--;
        close = true;
    }
    (void)turn_pass(&d->rfirst, &d->rlast);
    pthread_mutex_unlock(&d->lock);
    if (close && c) {
        conn_close(c);
        mem_free(c);
    }
}

static enum rc reader_take(struct sqlite_db *d, struct conn **ret, struct err *e)
{
    struct conn *c = NULL;
    bool room = true;
    enum rc rc;

    pthread_mutex_lock(&d->lock);
    /* Another may take what was handed over between the signal and our waking: wait again. */
    while (room && !d->idle && d->readers >= READERS_MAX)
        room = turn_wait(d, &d->rfirst, &d->rlast);
    if (room && d->idle) {
        c = d->idle;
        d->idle = c->next;
        d->idle_n--;
    } else if (room) {
        d->readers++;
    }
    pthread_mutex_unlock(&d->lock);
    if (!room)
        return err_set(e, RC_UNAVAILABLE, "the database is busy: %d readers for %d s", READERS_MAX,
                       DB_BUSY_MS / 1000);
    if (!c) {
        c = mem_alloc(sizeof *c);
        rc = c ? conn_open(c, d, false, e) : err_set(e, RC_NOMEM, "out of memory");
        if (rc) {
            mem_free(c);
            reader_give(d, NULL);
            return rc;
        }
    }
    *ret = c;
    return RC_OK;
}

/* ---- copy */

/* All pages in one step, and so under one read transaction. */
static enum rc copy_pages(sqlite3 *from, sqlite3 *to, struct err *e)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    int code;

    if (!b)
        return fail(e, to, "copying the database");
    code = sqlite3_backup_step(b, -1);
    if (sqlite3_backup_finish(b) != SQLITE_OK || code != SQLITE_DONE)
        return fail(e, to, "copying the database");
    return RC_OK;
}

static enum rc sqlite_copy(struct db *db, const char *path, struct err *e)
{
    struct sqlite_db *d = (struct sqlite_db *)db;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXCLUSIVE;
    struct conn *c = NULL;
    sqlite3 *to = NULL;
    int fd = -1;
    enum rc rc = os_open(path, O_RDWR | O_CREAT | O_EXCL, 0600, &fd, e);

    if (rc)
        return rc;
    rc = reader_take(d, &c, e);
    if (!rc) {
        if (sqlite3_open_v2(path, &to, flags, NULL) != SQLITE_OK)
            rc = fail(e, to, "opening the copy");
        else
            rc = copy_pages(c->p, to, e);
        sqlite3_close_v2(to);
        reader_give(d, c);
    }
    if (!rc)
        rc = os_fsync(fd, e);
    os_close(fd);
    return rc ? err_wrap(e, rc, "%s", path) : RC_OK;
}

/* ---- transactions */

static enum rc run(struct conn *c, const char *sql, struct err *e)
{
    if (sqlite3_exec(c->p, sql, NULL, NULL, NULL) != SQLITE_OK)
        return fail(e, c->p, sql);
    return RC_OK;
}

/* BEGIN and its kin are kept prepared like all else: to parse them anew costs more than to run
 * them.
 */
static enum rc run_kept(struct conn *c, const char *sql, struct err *e)
{
    struct stmt *cached;
    sqlite3_stmt *p;
    enum rc rc = stmt_get(c, sql, &cached, &p, e);

    if (rc)
        return rc;
    if (sqlite3_step(p) != SQLITE_DONE)
        rc = fail(e, c->p, sql);
    stmt_put(cached, p);
    return rc;
}

static void give(struct sqlite_tx *t)
{
    struct sqlite_db *d = (struct sqlite_db *)t->base.db;

    if (t->base.mode == DB_WRITE)
        writer_give(d);
    else
        reader_give(d, t->conn);
    mem_free(t);
}

static enum rc sqlite_begin(struct db *db, enum db_mode mode, struct tx **ret, struct err *e)
{
    struct sqlite_db *d = (struct sqlite_db *)db;
    struct sqlite_tx *t = mem_zalloc(sizeof *t);
    enum rc rc;

    if (!t)
        return err_set(e, RC_NOMEM, "out of memory");
    t->base = (struct tx){db, mode};
    if (mode == DB_WRITE) {
        rc = writer_take(d, e);
        t->conn = &d->writer;
    } else {
        rc = reader_take(d, &t->conn, e);
    }
    if (rc) {
        mem_free(t);
        return rc;
    }
    rc = run_kept(t->conn, mode == DB_WRITE ? "BEGIN IMMEDIATE" : "BEGIN", e);
    if (rc) {
        give(t);
        return rc;
    }
    *ret = &t->base;
    return RC_OK;
}

static void undo(struct sqlite_tx *t)
{
    ASSERT(!t->open_rows); /* every rows is closed by rows_done */
    /* Some errors (disk full, I/O) have rolled back already. */
    if (!sqlite3_get_autocommit(t->conn->p) && run_kept(t->conn, "ROLLBACK", NULL))
        log_error("rolling back: %s", sqlite3_errmsg(t->conn->p));
}

static enum rc sqlite_commit(struct tx *tx, struct err *e)
{
    struct sqlite_tx *t = (struct sqlite_tx *)tx;
    enum rc rc;

    ASSERT(!t->open_rows);
    if (sqlite3_get_autocommit(t->conn->p))
        rc = err_set(e, RC_IO, "the transaction was rolled back by an earlier failure");
    else
        rc = run_kept(t->conn, "COMMIT", e);
    if (rc)
        undo(t);
    give(t);
    return rc;
}

static void sqlite_rollback(struct tx *tx)
{
    struct sqlite_tx *t = (struct sqlite_tx *)tx;

    undo(t);
    give(t);
}

/* ---- statements */

static enum rc sqlite_exec(struct tx *tx, struct err *e, const char *sql, const struct db_val *v,
                           size_t n)
{
    struct sqlite_tx *t = (struct sqlite_tx *)tx;
    struct stmt *cached;
    sqlite3_stmt *p;
    int code;
    enum rc rc = stmt_get(t->conn, sql, &cached, &p, e);

    if (rc)
        return rc;
    rc = bind_args(t->conn, p, v, n, e);
    if (!rc) {
        do
            code = sqlite3_step(p);
        while (code == SQLITE_ROW);
        if (code != SQLITE_DONE)
            rc = err_wrap(e, fail(e, t->conn->p, "failed"), "%.80s", sql);
    }
    stmt_put(cached, p);
    return rc;
}

static enum rc sqlite_script(struct tx *tx, const char *sql, struct err *e)
{
    return run(((struct sqlite_tx *)tx)->conn, sql, e);
}

static enum rc sqlite_query(struct tx *tx, struct rows **ret, struct err *e, const char *sql,
                            const struct db_val *v, size_t n)
{
    struct sqlite_tx *t = (struct sqlite_tx *)tx;
    struct sqlite_rows *r = mem_zalloc(sizeof *r);
    enum rc rc;

    if (!r)
        return err_set(e, RC_NOMEM, "out of memory");
    r->base.tx = tx;
    rc = stmt_get(t->conn, sql, &r->cached, &r->p, e);
    if (!rc) {
        rc = bind_args(t->conn, r->p, v, n, e);
        if (rc)
            stmt_put(r->cached, r->p);
    }
    if (rc) {
        mem_free(r);
        return rc;
    }
    r->last = SQLITE_ROW;
    t->open_rows++;
    *ret = &r->base;
    return RC_OK;
}

static int64_t sqlite_changes(struct tx *tx)
{
    return sqlite3_changes64(((struct sqlite_tx *)tx)->conn->p);
}

static int64_t sqlite_last_id(struct tx *tx)
{
    return sqlite3_last_insert_rowid(((struct sqlite_tx *)tx)->conn->p);
}

static bool sqlite_next(struct rows *rows)
{
    struct sqlite_rows *r = (struct sqlite_rows *)rows;

    if (r->last != SQLITE_ROW)
        return false;
    r->last = sqlite3_step(r->p);
    return r->last == SQLITE_ROW;
}

static enum rc sqlite_rows_done(struct rows *rows, struct err *e)
{
    struct sqlite_rows *r = (struct sqlite_rows *)rows;
    struct sqlite_tx *t = (struct sqlite_tx *)rows->tx;
    enum rc rc = RC_OK;

    if (r->last != SQLITE_ROW && r->last != SQLITE_DONE)
        rc = err_wrap(e, fail(e, t->conn->p, "failed"), "%.80s", sqlite3_sql(r->p));
    stmt_put(r->cached, r->p);
    t->open_rows--;
    mem_free(r);
    return rc;
}

static bool sqlite_is_null(struct rows *r, int col)
{
    return sqlite3_column_type(((struct sqlite_rows *)r)->p, col) == SQLITE_NULL;
}

static int64_t sqlite_int(struct rows *r, int col)
{
    return sqlite3_column_int64(((struct sqlite_rows *)r)->p, col);
}

static double sqlite_num(struct rows *r, int col)
{
    return sqlite3_column_double(((struct sqlite_rows *)r)->p, col);
}

/* Blobs too: value_blob would skip the conversion of numbers, which nobody asks for.  The value is
 * looked up once: each of the column functions does so anew, at twice the cost of a list's row.  (A
 * connection is one thread's at a time, and has no mutex that the value would need.) */
static str sqlite_text(struct rows *r, int col)
{
    sqlite3_value *v = sqlite3_column_value(((struct sqlite_rows *)r)->p, col);
    bool blob = sqlite3_value_type(v) == SQLITE_BLOB;
    const char *s = blob ? sqlite3_value_blob(v) : (const char *)sqlite3_value_text(v);

    return (str){s ? s : "", s ? (size_t)sqlite3_value_bytes(v) : 0};
}

const struct db_ops sqlite_ops = {
    .scheme = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .copy = sqlite_copy,
    .interrupt = sqlite_interrupt,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .exec = sqlite_exec,
    .script = sqlite_script,
    .query = sqlite_query,
    .changes = sqlite_changes,
    .last_id = sqlite_last_id,
    .next = sqlite_next,
    .rows_done = sqlite_rows_done,
    .is_null = sqlite_is_null,
    .get_int = sqlite_int,
    .get_num = sqlite_num,
    .get_text = sqlite_text,
};
