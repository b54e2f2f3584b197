/* segments.c - see segments.h.
 *
 * A segment's space is reserved when it is made (fallocate to its full length): an append changes
 * no length, and the sync need not write the inode.  Measured on the machine of docs/store.md: 2 ms
 * instead of 4 to 9.
 */
#include "store/segments.h"

#include "base/log.h"
#include "base/mem.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

enum { READERS = 32, PATH_MAX_ = 1024, STACK_RECORD = 16 << 10 };

struct tail { /* a segment that has been appended to by this process */
    uint32_t number, end;
    int fd;
    unsigned writers;         /* between reserving and having written */
    uint64_t written, synced; /* appends */
    uint32_t told;            /* end, as the index knows it; 0: not at all */
    bool open, failed, told_sealed;
};
struct open_file {
    uint32_t number; /* 0: free */
    int fd;
    unsigned users;
    uint64_t used_at;
    bool gone;
};
struct segments {
    char dir[PATH_MAX_ - 64];
    pthread_mutex_t mu;
    uint32_t next;
    struct tail tails[SEGMENTS_AT_ONCE];
    size_t tail_n; /* the last one may be open */
    struct open_file files[READERS];
    uint64_t tick;
    uint32_t failed[SEGMENTS_AT_ONCE * 4]; /* numbers, a ring; small: a disk that fails, fails */
    size_t failed_n;
};

void segments_path(const struct segments *s, uint32_t number, char *ret, size_t cap)
{
    snprintf(ret, cap, "%s/%08x.seg", s->dir, number);
}

enum rc segments_open(struct segments **ret, const char *dir, uint32_t first_free, struct err *e)
{
    struct segments *s;
    enum rc rc;

    if (strlen(dir) > sizeof s->dir - sizeof "/segments")
        return err_field(e, RC_INVALID, "dir", "the store's path is too long");
    s = mem_zalloc(sizeof *s);
    if (!s)
        return err_set(e, RC_NOMEM, "out of memory");
    snprintf(s->dir, sizeof s->dir, "%s/segments", dir);
    s->next = first_free ? first_free : 1;
    pthread_mutex_init(&s->mu, NULL);
    if (!os_exists(s->dir)) {
        rc = os_mkdirs(s->dir, 0700, e);
        if (!rc)
            rc = os_fsync_dir(dir, e);
    } else {
        rc = RC_OK;
    }
    if (rc) {
        segments_close(s);
        return rc;
    }
    *ret = s;
    return RC_OK;
}

void segments_close(struct segments *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->tail_n; i++) {
        ASSERT(!s->tails[i].writers);
        os_close(s->tails[i].fd);
    }
    for (size_t i = 0; i < READERS; i++)
        if (s->files[i].number) {
            ASSERT(!s->files[i].users);
            os_close(s->files[i].fd);
        }
    pthread_mutex_destroy(&s->mu);
    mem_free(s);
}

/* ---- appending */

/* Under mu, on the committer's thread, which alone uses descriptors without it.  Drops tails that
 * nobody will write to or must hear of. */
static void drop_finished(struct segments *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->tail_n; i++) {
        struct tail *t = &s->tails[i];
        bool heard = t->told_sealed || !t->told;
        bool whole = t->failed || (t->written == t->synced && t->told == t->end && t->told_sealed);
        if (!t->open && !t->writers && heard && whole)
            os_close(t->fd);
        else
            s->tails[n++] = *t;
    }
    s->tail_n = n;
}

static enum rc make_file(struct segments *s, uint32_t number, int *ret_fd, struct err *e)
{
    char path[PATH_MAX_], head[SEGMENT_HEAD_BYTES];
    int fd = -1;
    enum rc rc;

    segments_path(s, number, path, sizeof path);
    rc = os_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600, &fd, e);
    if (rc)
        return rc;
    segment_head_put(number, head);
    rc = os_reserve(fd, SEGMENT_BYTES_MAX, e);
    if (!rc)
        rc = os_pwrite_all(fd, head, sizeof head, 0, e);
    if (!rc)
        rc = os_fsync(fd, e);
    if (!rc)
        rc = os_fsync_dir(s->dir, e);
    if (rc) {
        os_close(fd);
        (void)os_sys.unlink(path); /* no row names it: the next start would remove it, too */
        return err_wrap(e, rc, "making segment %08x", number);
    }
    *ret_fd = fd;
    return RC_OK;
}

/* Under mu: others wait while a segment is made, once in SEGMENT_BYTES_MAX. */
static enum rc open_tail(struct segments *s, struct err *e)
{
    int fd = -1;
    enum rc rc;

    if (s->tail_n == SEGMENTS_AT_ONCE)
        return err_set(e, RC_UNAVAILABLE, "the disk does not keep up with the segments");
    if (s->next == UINT32_MAX >> 1)
        return err_set(e, RC_LIMIT, "all numbers of segments are used up");
    rc = make_file(s, s->next, &fd, e);
    if (rc)
        return rc;
    s->tails[s->tail_n++] =
        (struct tail){.number = s->next++, .end = SEGMENT_HEAD_BYTES, .fd = fd, .open = true};
    return RC_OK;
}

static struct tail *tail_of(struct segments *s, uint32_t number)
{
    for (size_t i = 0; i < s->tail_n; i++)
        if (s->tails[i].number == number)
            return &s->tails[i];
    return NULL;
}

static enum rc reserve(struct segments *s, size_t n, struct tail *ret, uint32_t *ret_at,
                       struct err *e)
{
    struct tail *t;
    enum rc rc = RC_OK;

    pthread_mutex_lock(&s->mu);
    t = s->tail_n ? &s->tails[s->tail_n - 1] : NULL;
    if (t && t->open && t->end + n > SEGMENT_BYTES_MAX)
        t->open = false;
    if (!t || !t->open)
        rc = open_tail(s, e);
    if (!rc) {
        t = &s->tails[s->tail_n - 1];
        *ret_at = t->end;
        t->end += (uint32_t)n;
        t->writers++;
        *ret = *t;
    }
    pthread_mutex_unlock(&s->mu);
    return rc;
}

/* Under mu. */
static void fail_tail(struct segments *s, struct tail *t)
{
    if (!t->failed)
        s->failed[s->failed_n++ % (sizeof s->failed / sizeof *s->failed)] = t->number;
    t->failed = true;
    t->open = false;
}

enum rc segments_append(struct segments *s, int64_t id, str body, int64_t *ret_place, struct err *e)
{
    char small[STACK_RECORD], *record = small;
    size_t n = record_bytes(body.n);
    struct tail at_file;
    uint32_t at;
    enum rc rc;

    ASSERT(body.n && body.n <= PACK_BYTES_MAX);
    if (n > sizeof small) {
        record = mem_alloc(n);
        if (!record)
            return err_set(e, RC_NOMEM, "out of memory");
    }
    rc = reserve(s, n, &at_file, &at, e);
    if (!rc) {
        struct tail *t;
        record_put(at_file.number, at, id, body, record);
        rc = os_pwrite_all(at_file.fd, record, n, at, e);
        pthread_mutex_lock(&s->mu);
        t = tail_of(s, at_file.number);
        t->writers--;
        t->written += !rc;
        if (rc && rc != RC_FULL) /* no more there, whatever the sync will say */
            fail_tail(s, t);
        pthread_mutex_unlock(&s->mu);
    }
    if (record != small)
        mem_free(record);
    if (rc)
        return err_wrap(e, rc, "appending to a segment");
    *ret_place = place_of(at_file.number, at);
    return RC_OK;
}

bool segments_usable(const struct segments *s, int64_t place)
{
    struct segments *m = (struct segments *)(uintptr_t)s;
    bool ok = true;

    pthread_mutex_lock(&m->mu);
    for (size_t i = 0; i < s->failed_n && i < sizeof s->failed / sizeof *s->failed; i++)
        ok = ok && s->failed[i] != place_segment(place);
    pthread_mutex_unlock(&m->mu);
    return ok;
}

bool segments_growing(const struct segments *s, int64_t place)
{
    struct segments *m = (struct segments *)(uintptr_t)s;
    const struct tail *t;
    bool growing;

    pthread_mutex_lock(&m->mu);
    t = tail_of(m, place_segment(place));
    growing = t && !t->told_sealed;
    pthread_mutex_unlock(&m->mu);
    return growing;
}

enum rc segments_sync(struct segments *s, struct segment_end ret[SEGMENTS_AT_ONCE], size_t *ret_n,
                      struct err *e)
{
    struct tail now[SEGMENTS_AT_ONCE];
    size_t n;
    enum rc rc = RC_OK;

    pthread_mutex_lock(&s->mu);
    drop_finished(s);
    n = s->tail_n;
    memcpy(now, s->tails, n * sizeof *now);
    pthread_mutex_unlock(&s->mu);
    *ret_n = 0;
    for (size_t i = 0; !rc && i < n; i++) {
        struct tail *w = &now[i], *t;
        if (!w->failed && w->written != w->synced)
            rc = os_fdatasync(w->fd, e);
        pthread_mutex_lock(&s->mu);
        t = tail_of(s, w->number);
        if (rc)
            fail_tail(s, t);
        else
            t->synced = w->written;
        pthread_mutex_unlock(&s->mu);
        if (rc)
            break;
        if (w->failed)
            w->end = w->told; /* what came later has no row and gets none */
        if (w->end != w->told || (w->told && !w->open && !w->told_sealed))
            ret[(*ret_n)++] = (struct segment_end){w->number, w->end, !w->open};
    }
    return rc ? err_wrap(e, rc, "a segment") : RC_OK;
}

void segments_told(struct segments *s, const struct segment_end *ends, size_t n)
{
    pthread_mutex_lock(&s->mu);
    for (size_t i = 0; i < n; i++) {
        struct tail *t = tail_of(s, ends[i].number);
        t->told = ends[i].end;
        t->told_sealed = ends[i].sealed;
    }
    pthread_mutex_unlock(&s->mu);
}

uint32_t segments_current(struct segments *s)
{
    uint32_t number = 0;

    pthread_mutex_lock(&s->mu);
    if (s->tail_n && s->tails[s->tail_n - 1].open)
        number = s->tails[s->tail_n - 1].number;
    pthread_mutex_unlock(&s->mu);
    return number;
}

/* ---- after a crash */

/* Records one behind the other from `end` on, until something is none. */
static enum rc count_tail(int fd, uint32_t number, uint32_t end, uint64_t *ret_records,
                          uint64_t *ret_bytes, struct err *e)
{
    char *p = mem_alloc(RECORD_BYTES_MAX);
    uint32_t at = end;
    uint64_t records = 0;
    enum rc rc = p ? RC_OK : err_set(e, RC_NOMEM, "out of memory");

    while (!rc && at < SEGMENT_BYTES_MAX) {
        size_t n =
            SEGMENT_BYTES_MAX - at < RECORD_BYTES_MAX ? SEGMENT_BYTES_MAX - at : RECORD_BYTES_MAX;
        int64_t id;
        str body;
        rc = os_pread_full(fd, p, n, at, e);
        if (rc || record_check(number, at, (str){p, n}, &id, &body, NULL))
            break;
        at += (uint32_t)record_bytes(body.n);
        records++;
    }
    mem_free(p);
    if (rc)
        return rc;
    *ret_records = records;
    *ret_bytes = at - end;
    return RC_OK;
}

enum rc segments_resume(struct segments *s, uint32_t number, uint32_t end, uint64_t *ret_records,
                        uint64_t *ret_bytes, struct err *e)
{
    char path[PATH_MAX_], head[SEGMENT_HEAD_BYTES];
    uint64_t size;
    int fd = -1;
    enum rc rc;

    segments_path(s, number, path, sizeof path);
    rc = os_open(path, O_RDWR, 0, &fd, e);
    if (rc)
        return rc;
    rc = os_fd_size(fd, &size, e);
    if (!rc && (size < end || end < SEGMENT_HEAD_BYTES || end > SEGMENT_BYTES_MAX))
        rc = err_set(e, RC_CORRUPT,
                     "segment %08x has %llu bytes, the index knows of %u: the folder is not as the "
                     "store left it; `anneal store check` names what is missing",
                     number, (unsigned long long)size, end);
    if (!rc)
        rc = os_pread_full(fd, head, sizeof head, 0, e);
    if (!rc)
        rc = segment_head_check((str){head, sizeof head}, number, e);
    if (!rc && size < SEGMENT_BYTES_MAX)
        rc = os_reserve(fd, SEGMENT_BYTES_MAX, e);
    if (!rc)
        rc = count_tail(fd, number, end, ret_records, ret_bytes, e);
    if (rc) {
        os_close(fd);
        return rc;
    }
    s->tails[s->tail_n++] =
        (struct tail){.number = number, .end = end, .told = end, .fd = fd, .open = true};
    return RC_OK;
}

/* ---- reading */

/* Under mu. */
static struct open_file *file_of(struct segments *s, uint32_t number)
{
    for (size_t i = 0; i < READERS; i++)
        if (s->files[i].number == number)
            return &s->files[i];
    return NULL;
}

static enum rc file_take(struct segments *s, uint32_t number, int *ret_fd, bool *ret_cached,
                         struct err *e)
{
    char path[PATH_MAX_];
    struct open_file *f, *slot = NULL;
    int fd = -1;
    enum rc rc = RC_OK;

    pthread_mutex_lock(&s->mu);
    f = file_of(s, number);
    for (size_t i = 0; !f && i < READERS; i++)
        if (!s->files[i].users && (!slot || s->files[i].used_at < slot->used_at))
            slot = &s->files[i];
    if (!f) {
        segments_path(s, number, path, sizeof path);
        rc = os_open(path, O_RDONLY, 0, &fd, e);
        if (!rc && slot) {
            if (slot->number)
                os_close(slot->fd);
            *slot = (struct open_file){.number = number, .fd = fd};
            f = slot;
        }
    }
    if (f) {
        f->users++;
        f->used_at = ++s->tick;
        fd = f->fd;
    }
    pthread_mutex_unlock(&s->mu);
    if (rc)
        return rc;
    *ret_cached = f;
    *ret_fd = fd;
    return RC_OK;
}

static void file_give(struct segments *s, uint32_t number, int fd, bool cached)
{
    if (!cached) {
        os_close(fd);
        return;
    }
    pthread_mutex_lock(&s->mu);
    for (size_t i = 0; i < READERS; i++) {
        struct open_file *f = &s->files[i];
        if (f->fd != fd || (f->number != number && !f->gone) || !f->users)
            continue;
        if (!--f->users && f->gone) {
            os_close(f->fd);
            *f = (struct open_file){.fd = -1};
        }
        break;
    }
    pthread_mutex_unlock(&s->mu);
}

enum rc segments_read(struct segments *s, int64_t place, int64_t id, size_t bytes, char *p,
                      str *ret_body, struct err *e)
{
    uint32_t number = place_segment(place);
    int64_t found = 0;
    bool cached;
    str body = STR_NONE;
    int fd;
    enum rc rc;

    if (!bytes || bytes > PACK_BYTES_MAX || !number)
        return err_set(e, RC_CORRUPT, "the index has an impossible place for content %lld",
                       (long long)id);
    rc = file_take(s, number, &fd, &cached, e);
    if (rc)
        return rc;
    rc = os_pread_full(fd, p, record_bytes(bytes), place_at(place), e);
    file_give(s, number, fd, cached);
    if (rc)
        return err_wrap(e, rc, "segment %08x at %u", number, place_at(place));
    rc = record_check(number, place_at(place), (str){p, record_bytes(bytes)}, &found, &body, e);
    if (!rc && (found != id || body.n != bytes))
        rc = err_set(e, RC_CORRUPT,
                     "segment %08x: at %u lies content %lld of %zu bytes, not %lld of %zu", number,
                     place_at(place), (long long)found, body.n, (long long)id, bytes);
    if (!rc)
        *ret_body = body;
    return rc;
}

void segments_remove(struct segments *s, uint32_t number)
{
    char path[PATH_MAX_];
    struct open_file *f;

    pthread_mutex_lock(&s->mu);
    f = file_of(s, number);
    if (f && !f->users) {
        os_close(f->fd);
        *f = (struct open_file){.fd = -1};
    } else if (f) {
        f->gone = true;
        f->number = UINT32_MAX;
    }
    pthread_mutex_unlock(&s->mu);
    segments_path(s, number, path, sizeof path);
    if (os_sys.unlink(path) && os_exists(path))
        log_warn("store: '%s' could not be removed; the next start tries again", path);
}
