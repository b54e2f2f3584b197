/* test_peer.h - for the tests of net/: a peer at the other end of a socket, as rude as needed. */
#ifndef ANNEAL_NET_TEST_PEER_H
#define ANNEAL_NET_TEST_PEER_H

#include "base/mem.h"
#include "base/str.h"
#include "base/test.h"
#include "os/os.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
    int fd;
    char *p; /* what came, NUL-terminated */
    size_t n, cap;
    bool ended;
};

__attribute__((unused)) static void peer_open(struct peer *k, int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    *k = (struct peer){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(k->fd >= 0);
    CHECK(!connect(k->fd, (struct sockaddr *)&at, sizeof at));
    k->cap = 4096;
    k->p = mem_zalloc(k->cap);
    CHECK(k->p != NULL);
}

__attribute__((unused)) static void peer_close(struct peer *k)
{
    close(k->fd);
    mem_free(k->p);
    *k = (struct peer){.fd = -1};
}

/* Resets instead of ending politely. */
__attribute__((unused)) static void peer_vanish(struct peer *k)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    setsockopt(k->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    peer_close(k);
}

/* False when the other side no longer takes it. */
__attribute__((unused)) static bool peer_send(struct peer *k, const void *p, size_t n)
{
    while (n) {
        ssize_t put = send(k->fd, p, n, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        p = (const char *)p + put;
        n -= (size_t)put;
    }
    return true;
}

__attribute__((unused)) static bool peer_puts(struct peer *k, const char *s)
{
    return peer_send(k, s, strlen(s));
}

/* Takes what comes within ms; false at the end of the stream or when nothing came. */
__attribute__((unused)) static bool peer_more(struct peer *k, int ms)
{
    struct pollfd p = {.fd = k->fd, .events = POLLIN};

    if (k->ended || poll(&p, 1, ms) != 1)
        return false;
    if (k->cap - k->n < 2048) {
        char *bigger = mem_realloc(k->p, k->cap * 2);
        CHECK(bigger != NULL);
        k->p = bigger;
        k->cap *= 2;
    }
    ssize_t got = recv(k->fd, k->p + k->n, k->cap - k->n - 1, 0);
    if (got <= 0) {
        k->ended = true;
        return false;
    }
    k->n += (size_t)got;
    k->p[k->n] = 0;
    return true;
}

/* Until the text has come. */
__attribute__((unused)) static bool peer_until(struct peer *k, const char *text, int ms)
{
    int64_t end = os_mono_ms() + ms;

    while (str_find((str){k->p, k->n}, str_of(text)) < 0)
        if (os_mono_ms() >= end || !peer_more(k, (int)(end - os_mono_ms())))
            return str_find((str){k->p, k->n}, str_of(text)) >= 0;
    return true;
}

__attribute__((unused)) static bool peer_until_end(struct peer *k, int ms)
{
    int64_t end = os_mono_ms() + ms;

    while (!k->ended && os_mono_ms() < end)
        peer_more(k, (int)(end - os_mono_ms()));
    return k->ended;
}

/* One whole reply with a Content-Length off the front of what came: the status, or 0.  The body is
 * left in *ret_body, lent until the next call. */
struct peer_reply {
    int status;
    size_t head_n, body_n;
};
__attribute__((unused)) static struct peer_reply peer_reply(struct peer *k, int ms)
{
    struct peer_reply r = {0};
    int64_t end = os_mono_ms() + ms;

    for (;;) {
        ptrdiff_t gap = str_find((str){k->p, k->n}, STR("\r\n\r\n"));
        if (gap >= 0) {
            const char *len = strcasestr(k->p, "content-length:");
            r.head_n = (size_t)gap + 4;
            r.body_n = len && len < k->p + gap ? strtoul(len + 15, NULL, 10) : 0;
            r.status = k->n > 12 ? (int)strtol(k->p + 9, NULL, 10) : 0;
            if (r.status == 100) { /* an interim reply */
                memmove(k->p, k->p + r.head_n, k->n - r.head_n + 1);
                k->n -= r.head_n;
                continue;
            }
            if (k->n >= r.head_n + r.body_n)
                return r;
        }
        if (os_mono_ms() >= end || !peer_more(k, (int)(end - os_mono_ms())))
            return (struct peer_reply){0};
    }
}

/* Forgets the reply. */
__attribute__((unused)) static void peer_next(struct peer *k, struct peer_reply r)
{
    size_t n = r.head_n + r.body_n;
    memmove(k->p, k->p + n, k->n - n + 1);
    k->n -= n;
}

/* Waits for a condition that another thread makes true. */
#define EVENTUALLY(cond)                                                                           \
    do {                                                                                           \
        int64_t until_ = os_mono_ms() + 8000;                                                      \
        while (!(cond) && os_mono_ms() < until_)                                                   \
            os_sleep_ms(2);                                                                        \
        CHECK(cond);                                                                               \
    } while (0)

#endif
