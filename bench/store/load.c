/* load.c - requests to a store, or to a file server, from keep-alive connections that one epoll
 * loop drives; prints one JSON object.
 *
 *     build/bench/store/load put|get|list --port P [--pid SERVER] [--connections 64] [--seconds 5]
 *         [--keys 1000] [--size 1024] [--bucket bench] [--plain] [--once]
 *
 * put writes key 0, 1, .. (again from 0 behind --keys); --once ends when each was written.  get
 * reads them in an order of chance.  list walks over the whole bucket, page by page, once.  All
 * requests are presigned before the clock starts, each with a signature of its own, which the
 * server checks each time: what is measured is the server, not how fast a client library signs.
 * --plain leaves the signature out (nginx).  What of a body comes with its head, of 1 KB all, is
 * compared with what was put (not with --plain); the rest of a large one is counted and thrown away
 * by the kernel (MSG_TRUNC), so that the client takes as little of the machine as it can.
 * server_cpu_s is the server's processor time, from /proc.
 */
#include "base/arena.h"
#include "base/mem.h"
#include "os/os.h"
#include "s3/sigv4.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 256, HEAD_MAX = 4096, DROP = 1 << 20, URL_SECONDS = 86400 };

static struct {
    const char *mode, *bucket;
    int port, connections;
    long pid, keys, size;
    double seconds;
    bool plain, once;
    struct arena a;
    str *requests;
    char *body;
} b = {.bucket = "bench", .connections = 64, .keys = 1000, .size = 1024, .seconds = 5};

struct conn {
    int fd;
    long key; /* that it has asked for; -1: none */
    size_t head_n;
    uint64_t left; /* of the body */
    bool in_body;
    char head[HEAD_MAX];
};

static void die(const char *what)
{
    fprintf(stderr, "load: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

/* ---- requests */

static str make_request(const char *method, const char *path, const char *query, size_t body_n)
{
    const struct sigv4_keys keys = {STR("bench-key"), STR("bench-secret"), STR("us-east-1")};
    char host[64];
    struct buf url, text;
    struct err e;
    str kept;

    snprintf(host, sizeof host, "127.0.0.1:%d", b.port);
    struct sigv4_url u = {str_of(method), STR(""),     str_of(host), str_of(path),
                          str_of(query),  URL_SECONDS, os_now_ms()};
    buf_init(&url, 1 << 16);
    buf_init(&text, body_n + (1 << 16));
    if (b.plain)
        buf_puts(&url, path);
    else if (sigv4_presign(&b.a, &url, &keys, &u, &e))
        die(e.text);
    buf_printf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, url.p, host);
    if (body_n)
        buf_printf(&text, "Content-Length: %zu\r\n", body_n);
    buf_puts(&text, "\r\n");
    if (body_n)
        buf_add(&text, b.body, body_n);
    kept = arena_str(&b.a, buf_view(&text));
    if (buf_ok(&text, &e) || !kept.p)
        die("out of memory");
    buf_done(&url);
    buf_done(&text);
    return kept;
}

/* A body begins with a word of its own, so that no two are alike, and goes on with zeros. */
static uint64_t word_of(long key)
{
    uint64_t seed = (uint64_t)key + 1;

    return splitmix64(&seed);
}

static void make_requests(void)
{
    bool put = !strcmp(b.mode, "put");
    char path[128];

    b.requests = mem_zalloc((size_t)b.keys * sizeof *b.requests);
    b.body = mem_zalloc((size_t)b.size + 1);
    if (!b.requests || !b.body)
        die("out of memory");
    for (long i = 0; i < b.keys; i++) {
        uint64_t word = word_of(i);
        snprintf(path, sizeof path, "/%s/k%08ld", b.bucket, i);
        memcpy(b.body, &word, b.size < 8 ? (size_t)b.size : 8);
        b.requests[i] = make_request(put ? "PUT" : "GET", path, "", put ? (size_t)b.size : 0);
    }
}

/* ---- connections */

static int dial(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)b.port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at))
        die("connecting");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void send_request(struct conn *c, str r, long key)
{
    c->key = key;
    c->head_n = 0;
    c->in_body = false;
    for (size_t at = 0; at < r.n;) { /* a request of ours fits the socket's buffer, or we wait */
        ssize_t n = send(c->fd, r.p + at, r.n - at, MSG_NOSIGNAL);
        if (n <= 0)
            die("sending");
        at += (size_t)n;
    }
}

static uint64_t length_of(const char *head)
{
    const char *at = strcasestr(head, "\r\ncontent-length:");
    uint64_t n = 0;

    if (!at)
        return 0;
    for (at += 17; *at == ' '; at++)
        continue;
    for (; *at >= '0' && *at <= '9'; at++)
        n = n * 10 + (uint64_t)(*at - '0');
    return n;
}

static void check_body(const struct conn *c, const char *p, uint64_t n)
{
    static const char zeros[HEAD_MAX];
    uint64_t word = word_of(c->key), first = n < 8 ? n : 8;

    if (memcmp(p, &word, first) || memcmp(p + first, zeros, n - first)) {
        errno = 0;
        die("a body is not what was put");
    }
}

/* Reads what is there; true at the end of a reply.  *ret_bytes: of bodies, added. */
static bool receive(struct conn *c, uint64_t *ret_bytes)
{
    static char drop[DROP];
    ssize_t n;

    if (!c->in_body) {
        char *end;
        n = recv(c->fd, c->head + c->head_n, HEAD_MAX - 1 - c->head_n, 0);
        if (n <= 0)
            die("the server has closed a connection");
        c->head_n += (size_t)n;
        c->head[c->head_n] = 0;
        end = strstr(c->head, "\r\n\r\n");
        if (!end) {
            if (c->head_n == HEAD_MAX - 1)
                die("a reply's headers are too long");
            return false;
        }
        if (memcmp(c->head + 9, "200", 3)) {
            errno = 0;
            die(c->head);
        }
        c->in_body = true;
        c->left = length_of(c->head);
        uint64_t had = c->head_n - (size_t)(end + 4 - c->head);
        if (had > c->left)
            die("more than a reply");
        if (c->key >= 0)
            check_body(c, end + 4, had);
        c->left -= had;
        *ret_bytes += had;
    } else {
        n = recv(c->fd, drop, c->left < DROP ? (size_t)c->left : DROP, MSG_TRUNC);
        if (n <= 0)
            die("the server has closed a connection");
        c->left -= (uint64_t)n;
        *ret_bytes += (uint64_t)n;
    }
    return !c->left;
}

/* ---- measuring */

static double server_cpu(void)
{
    char path[64], text[1024];
    unsigned long user = 0, sys = 0;
    FILE *f;

    if (!b.pid)
        return 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", b.pid);
    f = fopen(path, "r");
    if (!f || !fgets(text, sizeof text, f))
        die("the server's /proc entry");
    fclose(f);
    char *at = strrchr(text, ')');
    if (!at ||
        sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) != 2)
        die("the server's /proc entry");
    return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
}

struct result {
    long requests, items;
    uint64_t bytes;
    double seconds, cpu, server_cpu;
};

static void print(const struct result *r)
{
    printf("{\"mode\":\"%s\",\"requests\":%ld,\"items\":%ld,\"bytes\":%llu,\"seconds\":%.4f,"
           "\"client_cpu_s\":%.4f,\"server_cpu_s\":%.4f}\n",
           b.mode, r->requests, r->items, (unsigned long long)r->bytes, r->seconds, r->cpu,
           r->server_cpu);
}

static long next_request(uint64_t *state, long *sent)
{
    long n = (*sent)++;

    if (!strcmp(b.mode, "put"))
        return b.once && n >= b.keys ? -1 : n % b.keys;
    return (long)(splitmix64(state) % (uint64_t)b.keys);
}

static struct result drive(void)
{
    static struct conn conns[CONNECTIONS_MAX];
    struct epoll_event ev = {.events = EPOLLIN}, evs[64];
    bool check = !strcmp(b.mode, "get") && !b.plain;
    int ep = epoll_create1(0), busy = 0;
    struct result r = {0};
    uint64_t state = 7;
    long sent = 0;
    double server = server_cpu();
    int64_t cpu = os_cpu_ns(), begun = os_mono_ns(), end = begun + (int64_t)(b.seconds * 1e9);

    for (int i = 0; i < b.connections; i++) {
        long k = next_request(&state, &sent);
        if (k < 0)
            break;
        conns[i].fd = dial();
        ev.data.ptr = &conns[i];
        epoll_ctl(ep, EPOLL_CTL_ADD, conns[i].fd, &ev);
        send_request(&conns[i], b.requests[k], check ? k : -1);
        busy++;
    }
    while (busy) {
        int n = epoll_wait(ep, evs, 64, 30000);
        bool over = os_mono_ns() >= end && !b.once;
        if (n <= 0)
            die("no reply for 30 s");
        for (int i = 0; i < n; i++) {
            struct conn *c = evs[i].data.ptr;
            long k;
            if (!receive(c, &r.bytes)) {
                if (over && c->left > DROP) { /* the rest of a large one is not waited for */
                    close(c->fd);
                    busy--;
                }
                continue;
            }
            r.requests++;
            k = over ? -1 : next_request(&state, &sent);
            if (k >= 0) {
                send_request(c, b.requests[k], check ? k : -1);
            } else {
                close(c->fd);
                busy--;
            }
        }
    }
    r.seconds = (double)(os_mono_ns() - begun) / 1e9;
    r.cpu = (double)(os_cpu_ns() - cpu) / 1e9;
    r.server_cpu = server_cpu() - server;
    close(ep);
    return r;
}

/* ---- list */

static str read_page(struct conn *c, struct buf *page)
{
    char piece[65536];
    str view;

    buf_clear(page);
    for (;;) {
        ssize_t n = recv(c->fd, piece, sizeof piece, 0);
        ptrdiff_t end;
        if (n <= 0)
            die("the server has closed a connection");
        buf_add(page, piece, (size_t)n);
        view = buf_view(page);
        end = str_find(view, STR("\r\n\r\n"));
        if (end < 0)
            continue;
        if (!str_is(str_sub(view, 9, 3), "200"))
            die(page->p);
        if (view.n - (size_t)end - 4 >= length_of(page->p))
            return str_sub(view, (size_t)end + 4, view.n);
    }
}

static struct result list(void)
{
    struct result r = {0};
    struct conn c = {.fd = dial()};
    struct buf page;
    char query[2048] = "list-type=2", token[1024], path[100];
    double server = server_cpu();
    int64_t cpu = os_cpu_ns(), begun = os_mono_ns();

    snprintf(path, sizeof path, "/%s", b.bucket);
    buf_init(&page, 16 << 20);
    for (;;) {
        ptrdiff_t from, to;
        str text;
        send_request(&c, make_request("GET", path, query, 0), -1);
        text = read_page(&c, &page);
        r.requests++;
        r.bytes += text.n;
        for (str rest = text; (from = str_find(rest, STR("<Key>"))) >= 0;
             rest = str_sub(rest, (size_t)from + 5, rest.n))
            r.items++;
        from = str_find(text, STR("<NextContinuationToken>"));
        to = str_find(text, STR("</NextContinuationToken>"));
        if (from < 0 || to < 0)
            break;
        from += 23;
        snprintf(token, sizeof token, "%.*s", (int)(to - from), text.p + from);
        struct buf q;
        buf_init(&q, sizeof query);
        buf_puts(&q, "continuation-token=");
        sigv4_encode(&q, str_of(token), false);
        buf_puts(&q, "&list-type=2");
        snprintf(query, sizeof query, "%s", q.p);
        buf_done(&q);
    }
    r.seconds = (double)(os_mono_ns() - begun) / 1e9;
    r.cpu = (double)(os_cpu_ns() - cpu) / 1e9;
    r.server_cpu = server_cpu() - server;
    return r;
}

static long number(const char *text)
{
    int64_t v;

    if (!text || !str_i64(str_of(text), &v))
        die("a flag wants a number");
    return (long)v;
}

int main(int argc, char **argv)
{
    struct result r;

    b.mode = argc > 1 ? argv[1] : "";
    for (int i = 2; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(argv[i], "--plain") && (b.plain = true))
            continue;
        if (!strcmp(argv[i], "--once") && (b.once = true))
            continue;
        if (!strcmp(argv[i], "--bucket") && value)
            b.bucket = value;
        else if (!strcmp(argv[i], "--port"))
            b.port = (int)number(value);
        else if (!strcmp(argv[i], "--pid"))
            b.pid = number(value);
        else if (!strcmp(argv[i], "--connections"))
            b.connections = (int)number(value);
        else if (!strcmp(argv[i], "--seconds"))
            b.seconds = (double)number(value);
        else if (!strcmp(argv[i], "--keys"))
            b.keys = number(value);
        else if (!strcmp(argv[i], "--size"))
            b.size = number(value);
        else
            die("the head of load.c says how it is called");
        i++;
    }
    if (b.connections < 1 || b.connections > CONNECTIONS_MAX || !b.port)
        die("--port is needed; at most 256 connections");
    arena_init(&b.a, (size_t)4 << 30);
    if (!strcmp(b.mode, "list")) {
        r = list();
    } else {
        make_requests();
        r = drive();
    }
    print(&r);
    return 0;
}
