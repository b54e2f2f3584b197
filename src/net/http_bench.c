/* http_bench.c - requests a second of the server on loopback, from keep-alive connections driven by
 * one epoll loop on the same machine: a small static JSON reply (what /health costs without its
 * queries), the same through a POST of 1 KB, and a body of 256 MB.
 *
 *     cc -O2 ... src/net/http_bench.c build/libanneal.a   (bench/http does it) */
#include "net/http.h"
#include "base/mem.h"
#include "os/os.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 512, SECONDS = 3, REPLY_MAX = 4096, UPLOAD_MB = 256 };

static void handle(struct http_req *r, void *ud)
{
    struct err e;
    str body;
    char piece[65536];
    size_t n = 1;

    if (http_content_length(r) > 1 << 20) {
        http_body_limit(r, UINT64_MAX);
        while (!http_body_read(r, piece, sizeof piece, &n, &e) && n)
            continue;
    } else if (http_content_length(r)) {
        if (http_body_all(r, 1 << 20, &body, &e))
            return;
    }
    http_reply_static(r, 200, "application/json",
                      STR("{\"status\":\"ok\",\"database\":\"ok\",\"store\":\"ok\"}"));
}

static int dial(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at)) {
        perror("connect");
        exit(1);
    }
    return fd;
}

/* Each connection sends its next request when it has its reply. */
static double rate(int port, int connections, const char *request, size_t request_n)
{
    struct epoll_event ev = {.events = EPOLLIN}, evs[64];
    int fds[CONNECTIONS_MAX], ep = epoll_create1(0);
    char reply[REPLY_MAX];
    int64_t begun = os_mono_ns(), end = begun + SECONDS * 1000000000LL, now = begun;
    long done = 0;

    for (int i = 0; i < connections; i++) {
        fds[i] = ev.data.fd = dial(port);
        epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &ev);
        if (send(fds[i], request, request_n, 0) != (ssize_t)request_n)
            exit(1);
    }
    while (now < end) {
        int n = epoll_wait(ep, evs, 64, 1000);
        for (int i = 0; i < n; i++) {
            if (recv(evs[i].data.fd, reply, sizeof reply, 0) <= 0 || memcmp(reply + 9, "200", 3)) {
                fprintf(stderr, "a reply is not 200\n");
                exit(1);
            }
            done++;
            if (send(evs[i].data.fd, request, request_n, 0) != (ssize_t)request_n)
                exit(1);
        }
        now = os_mono_ns();
    }
    for (int i = 0; i < connections; i++)
        close(fds[i]);
    close(ep);
    return (double)done / ((double)(now - begun) / 1e9);
}

static double upload_mb_s(int port)
{
    static char piece[1 << 20];
    char head[200], reply[REPLY_MAX];
    int64_t begun = os_mono_ns();
    int fd = dial(port);

    snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: b\r\nContent-Length: %d\r\n\r\n",
             UPLOAD_MB << 20);
    if (send(fd, head, strlen(head), 0) < 0)
        exit(1);
    for (int i = 0; i < UPLOAD_MB; i++)
        for (size_t at = 0; at < sizeof piece;) {
            ssize_t n = send(fd, piece + at, sizeof piece - at, 0);
            if (n <= 0)
                exit(1);
            at += (size_t)n;
        }
    if (recv(fd, reply, sizeof reply, 0) <= 0)
        exit(1);
    close(fd);
    return UPLOAD_MB / ((double)(os_mono_ns() - begun) / 1e9);
}

int main(void)
{
    static char post[1200];
    const char *get = "GET /health HTTP/1.1\r\nHost: b\r\n\r\n";
    struct http_server *s = NULL;
    struct err e = {0};
    size_t n;

    if (http_server_new(&s, "127.0.0.1:0", NULL, handle, NULL, NULL, &e)) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    n = (size_t)snprintf(post, sizeof post,
                         "POST /x HTTP/1.1\r\nHost: b\r\nContent-Length: 1024\r\n\r\n%01024d", 0);
    double idle_mb = (double)os_rss_bytes() / 1e6;
    double speed = upload_mb_s(http_server_port(s));
    printf("upload: %.0f MB/s; resident %.1f MB idle, %.1f MB after it\n", speed, idle_mb,
           (double)os_rss_bytes() / 1e6);
    int counts[] = {1, 64, 512};
    for (int i = 0; i < 3; i++) {
        double a = rate(http_server_port(s), counts[i], get, strlen(get));
        double b = rate(http_server_port(s), counts[i], post, n);
        printf("%4d connections: GET %8.0f/s  POST 1 KB %8.0f/s\n", counts[i], a, b);
    }
    printf("resident after 512 connections: %.1f MB\n", (double)os_rss_bytes() / 1e6);
    http_server_free(s);
    return 0;
}
