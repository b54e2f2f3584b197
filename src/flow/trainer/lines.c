/* lines.c - lines from a pipe with a deadline, a length limit and a wake-up.
 *
 * One buffer, two threads: the pump appends raw bytes, the taker cuts lines off the front.  Cutting
 * is left to the taker, so the pump never parses and a line is copied once.  `head` marks what was
 * taken; the front is given back when it is more than half of the buffer, so taking is O(1) a byte.
 *
 * Both threads hold a reference.  read(2) on a pipe cannot be interrupted from outside, so the
 * taker may leave first; the pump then drops what still comes until the pipe ends.
 */
#include "flow/trainer/lines.h"

#include "base/mem.h"
#include "flow/trainer/thread.h"
#include "os/os.h"

enum { PUMP_BYTES = 32 << 10 };

struct lines {
    pthread_mutex_t mu;
    pthread_cond_t came;  /* for the taker: bytes, the end, a wake-up */
    pthread_cond_t taken; /* for the pump: room, or the taker has left */
    struct buf window;
    size_t head;    /* bytes of the window already taken */
    size_t scanned; /* bytes behind head known to hold no "\n" */
    size_t line_max, window_max;
    unsigned flags;
    int fd;
    int refs;
    bool ended, left, woken;
    uint64_t dropped_bytes;
    struct err err;
};

static void lines_unref(struct lines *l) /* enters locked, leaves unlocked */
{
    bool last = --l->refs == 0;
    pthread_mutex_unlock(&l->mu);
    if (!last)
        return;
    os_close(l->fd);
    buf_done(&l->window);
    pthread_cond_destroy(&l->came);
    pthread_cond_destroy(&l->taken);
    pthread_mutex_destroy(&l->mu);
    mem_free(l);
}

static size_t lines_held(const struct lines *l)
{
    return l->window.n - l->head;
}

static void pump_add(struct lines *l, const char *p, size_t n)
{
    while (!l->left && !(l->flags & LINES_DROP) && lines_held(l) + n > l->window_max)
        pthread_cond_wait(&l->taken, &l->mu);
    if (l->left || lines_held(l) + n > l->window_max) {
        l->dropped_bytes += n;
        return;
    }
    if (l->head > l->window.n / 2) {
        buf_drop_front(&l->window, l->head);
        l->head = 0;
    }
    buf_add(&l->window, p, n);
    if (l->window.rc) { /* only the heap can fail here: the ceiling is twice the window */
        err_set(&l->err, RC_NOMEM, "out of memory while reading a worker's output");
        l->dropped_bytes += n;
    }
    pthread_cond_broadcast(&l->came);
}

static void *lines_pump(void *ud)
{
    struct lines *l = ud;
    char chunk[PUMP_BYTES];
    size_t n = 0;
    struct err e = {0};
    enum rc rc;

    while (!(rc = os_read(l->fd, chunk, sizeof chunk, &n, &e)) && n) {
        pthread_mutex_lock(&l->mu);
        pump_add(l, chunk, n);
        pthread_mutex_unlock(&l->mu);
    }
    pthread_mutex_lock(&l->mu);
    if (rc)
        l->err = e;
    l->ended = true;
    pthread_cond_broadcast(&l->came);
    lines_unref(l);
    return NULL;
}

enum rc lines_open(struct lines **ret, int fd, size_t line_max, size_t window_bytes, unsigned flags,
                   struct err *e)
{
    struct lines *l = mem_zalloc(sizeof *l);
    pthread_t thread;
    enum rc rc;

    if (!l) {
        os_close(fd);
        return err_set(e, RC_NOMEM, "out of memory for a worker's pipe");
    }
    pthread_mutex_init(&l->mu, NULL);
    cond_init(&l->came);
    cond_init(&l->taken);
    l->line_max = line_max;
    l->window_max = line_max + window_bytes;
    l->flags = flags;
    l->fd = fd;
    l->refs = 2;
    buf_init(&l->window, 2 * l->window_max + 2 * PUMP_BYTES);
    rc = thread_start(&thread, lines_pump, l, "a worker's pipe", e);
    if (rc) {
        l->refs = 1;
        pthread_mutex_lock(&l->mu);
        lines_unref(l);
        return rc;
    }
    pthread_detach(thread);
    *ret = l;
    return RC_OK;
}

static void take(struct lines *l, size_t n, size_t skip, struct buf *ret)
{
    buf_add(ret, l->window.p + l->head, n);
    l->head += n + skip;
    l->scanned = 0;
    if (l->head == l->window.n) {
        buf_clear(&l->window);
        l->head = 0;
    }
    pthread_cond_signal(&l->taken);
}

/* What can be had without waiting; LINE_TIMEOUT: nothing yet. */
static enum line_kind lines_take(struct lines *l, struct buf *ret, struct err *e)
{
    const char *from = l->window.p + l->head + l->scanned;
    size_t held = lines_held(l);
    const char *nl = held > l->scanned ? memchr(from, '\n', held - l->scanned) : NULL;

    if (nl && (size_t)(nl - l->window.p) - l->head <= l->line_max) {
        size_t n = (size_t)(nl - l->window.p) - l->head;

        take(l, n, 1, ret);
        if (ret->n && ret->p[ret->n - 1] == '\r')
            ret->p[--ret->n] = '\0';
        return LINE_TEXT;
    }
    if (nl || held > l->line_max) {
        take(l, l->line_max, 0, ret);
        return LINE_TOO_LONG;
    }
    l->scanned = held;
    if (l->woken) {
        l->woken = false;
        return LINE_WOKEN;
    }
    if (!l->ended)
        return LINE_TIMEOUT;
    if (held) {
        take(l, held, 0, ret);
        return LINE_CUT;
    }
    if (e && l->err.rc)
        *e = l->err;
    return LINE_END;
}

enum line_kind lines_next(struct lines *l, int64_t timeout_ms, struct buf *ret, struct err *e)
{
    int64_t until = timeout_ms < 0 ? INT64_MAX : os_mono_ms() + timeout_ms;
    enum line_kind kind;
    bool in_time = timeout_ms != 0;

    buf_clear(ret);
    pthread_mutex_lock(&l->mu);
    while ((kind = lines_take(l, ret, e)) == LINE_TIMEOUT && in_time)
        in_time = cond_wait(&l->came, &l->mu, until);
    pthread_mutex_unlock(&l->mu);
    return kind;
}

void lines_wake(struct lines *l)
{
    pthread_mutex_lock(&l->mu);
    l->woken = true;
    pthread_cond_broadcast(&l->came);
    pthread_mutex_unlock(&l->mu);
}

bool lines_await_end(struct lines *l, int64_t timeout_ms)
{
    int64_t until = os_mono_ms() + timeout_ms;
    bool ended;

    pthread_mutex_lock(&l->mu);
    while (!(ended = l->ended) && cond_wait(&l->came, &l->mu, until)) {
    }
    pthread_mutex_unlock(&l->mu);
    return ended;
}

uint64_t lines_dropped_bytes(struct lines *l)
{
    uint64_t n;

    pthread_mutex_lock(&l->mu);
    n = l->dropped_bytes;
    l->dropped_bytes = 0;
    pthread_mutex_unlock(&l->mu);
    return n;
}

void lines_close(struct lines *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->mu);
    l->left = true;
    pthread_cond_signal(&l->taken);
    lines_unref(l);
}
