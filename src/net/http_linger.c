/* http_linger.c - one thread for the two things MHD does not do.
 *
 * Deadlines: MHD's time-out counts from the last byte, so a peer that sends one byte now and then
 * holds a connection for ever.  Each connection has a deadline for its next header block (or its
 * small body); past it the peer gets a 408 and the socket is shut, which MHD sees as its end.
 *
 * Lingering: closing a socket with unread bytes resets the connection and may destroy the reply on
 * its way.  A duplicate of such a socket is read and dropped here for a while before it is closed.
 */
#include "base/log.h"
#include "net/http_int.h"
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINGER_MAX = 256, LINGER_MS = 2000, LINGER_BYTES_MAX = 64 * 1024 * 1024, TICK_MS = 500 };

struct lingering {
    int fd;
    int64_t until_ms;
    uint64_t left;
};
struct http_linger {
    struct http_server *server;
    pthread_t thread;
    int wake_fd;
    pthread_mutex_t mu;
    bool stop;
    size_t n;
    struct lingering socks[LINGER_MAX];
};

/* Under server.mu, so that the descriptor is not closed under our hands. */
static void expire(struct http_server *s, struct http_conn *c)
{
    struct buf body, b;

    buf_init(&body, HTTP_PROBLEM_MAX);
    buf_init(&b, HTTP_PROBLEM_MAX);
    http_problem_json(&body, 408, "request_timeout", "The request came too slowly",
                      "the request was not complete in time", NULL, NULL);
    buf_printf(&b,
               "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
               "Content-Type: application/problem+json\r\nContent-Length: %zu\r\n\r\n",
               body.n);
    buf_str(&b, buf_view(&body));
    if (!body.rc && !b.rc && send(c->fd, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        log_debug("408 could not be sent: %s", strerror(errno));
    shutdown(c->fd, SHUT_RDWR);
    buf_done(&body);
    buf_done(&b);
}

static void check_deadlines(struct http_server *s)
{
    int64_t now = os_mono_ms();

    pthread_mutex_lock(&s->mu);
    for (struct http_conn *c = s->conns; c; c = c->next) {
        int64_t at = atomic_load(&c->deadline_ms);
        if (at && now >= at && atomic_compare_exchange_strong(&c->deadline_ms, &at, 0))
            expire(s, c);
    }
    pthread_mutex_unlock(&s->mu);
}

/* True when this one is over. */
static bool drop_bytes(struct lingering *g, int64_t now)
{
    static char sink[64 * 1024]; /* one thread only; nobody reads it */
    ssize_t n;

    for (int i = 0; i < 16 && g->left; i++) {
        n = recv(g->fd, sink, sizeof sink, MSG_DONTWAIT);
        if (!n || (n < 0 && errno != EAGAIN && errno != EINTR))
            return true;
        if (n < 0)
            break;
        g->left -= (uint64_t)n < g->left ? (uint64_t)n : g->left;
    }
    return !g->left || now >= g->until_ms;
}

static void *linger_main(void *ud)
{
    struct http_linger *l = ud;
    struct pollfd p[LINGER_MAX + 1];
    int64_t next_check = 0;
    uint64_t sink;
    bool stop = false;

    while (!stop) {
        pthread_mutex_lock(&l->mu);
        size_t n = l->n;
        p[0] = (struct pollfd){.fd = l->wake_fd, .events = POLLIN};
        for (size_t i = 0; i < n; i++)
            p[i + 1] = (struct pollfd){.fd = l->socks[i].fd, .events = POLLIN};
        pthread_mutex_unlock(&l->mu);
        if (poll(p, n + 1, TICK_MS) > 0 && (p[0].revents & POLLIN))
            (void)!read(l->wake_fd, &sink, sizeof sink);
        int64_t now = os_mono_ms();
        if (now >= next_check) {
            check_deadlines(l->server);
            next_check = now + TICK_MS;
        }
        pthread_mutex_lock(&l->mu);
        for (size_t i = 0; i < l->n;)
            if (l->stop || drop_bytes(&l->socks[i], now)) {
                close(l->socks[i].fd);
                l->socks[i] = l->socks[--l->n];
            } else {
                i++;
            }
        stop = l->stop;
        pthread_mutex_unlock(&l->mu);
    }
    return NULL;
}

enum rc linger_new(struct http_linger **ret, struct http_server *s, struct err *e)
{
    struct http_linger *l = mem_zalloc(sizeof *l);
    int code;

    if (!l)
        return err_set(e, RC_NOMEM, "no memory for the HTTP server");
    l->server = s;
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->wake_fd < 0) {
        code = errno;
        mem_free(l);
        return err_errno(e, code, "eventfd");
    }
    pthread_mutex_init(&l->mu, NULL);
    code = pthread_create(&l->thread, NULL, linger_main, l);
    if (code) {
        close(l->wake_fd);
        pthread_mutex_destroy(&l->mu);
        mem_free(l);
        return err_errno(e, code, "starting a thread");
    }
    pthread_setname_np(l->thread, "http-linger");
    *ret = l;
    return RC_OK;
}

static void linger_wake(struct http_linger *l)
{
    uint64_t one = 1;
    (void)!write(l->wake_fd, &one, sizeof one);
}

void linger_free(struct http_linger *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->mu);
    l->stop = true;
    pthread_mutex_unlock(&l->mu);
    linger_wake(l);
    pthread_join(l->thread, NULL);
    close(l->wake_fd);
    pthread_mutex_destroy(&l->mu);
    mem_free(l);
}

void linger_add(struct http_linger *l, int fd)
{
    pthread_mutex_lock(&l->mu);
    bool room = l->n < LINGER_MAX && !l->stop;
    if (room)
        l->socks[l->n++] = (struct lingering){fd, os_mono_ms() + LINGER_MS, LINGER_BYTES_MAX};
    pthread_mutex_unlock(&l->mu);
    if (room)
        linger_wake(l);
    else
        close(fd);
}
