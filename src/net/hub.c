/* hub.c - live subscribers: Server-Sent Events and WebSockets over numbered feeds.
 *
 * One thread owns every subscriber.  It pulls events behind a subscriber's cursor only when all
 * that was sent before has been taken by its socket, so a slow client costs one bounded buffer and
 * an old cursor.  Other threads hand over new subscribers and poked topics under `mu` and wake the
 * loop by an eventfd.
 *
 *   WATCHING ── feed ended, all sent ──▶ CLOSING ── peer's close or CLOSE_MS ──▶ gone
 *       └────── stalled, no pong, hub_free ──▶┘
 *
 * A WebSocket's descriptor is a duplicate of MHD's; MHD closes its own and forgets the connection
 * at once, which saves its buffers (about 100 KB of address space each).  An event stream stays
 * with MHD; the hub writes to its bounded window without blocking.
 */
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/vec.h"
#include "net/http_int.h"
#include "net/ws.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HUB_SUBSCRIBERS_MAX = 10000,
    HUB_STALL_MS = 30000, /* nothing taken for so long: dropped, WebSocket close code 1013 */
    HUB_PING_MS = 20000,
    HUB_CLOSE_MS = 5000,  /* for the closing handshake, as long as nothing moves ... */
    HUB_CLOSE_MAX_MS = 60000, /* ... and in all */
    HUB_RETRY_MS = 1000,  /* after a failed pull */
    HUB_PULL_EVENTS = 64,
    HUB_PULL_BYTES = 256 * 1024, /* of one pull, and the largest event */
    HUB_OUT_MAX = 2 * 1024 * 1024,
    HUB_TICK_MS = 1000,
    HUB_READS = 8, /* of one socket before the others have their turn */
};

/* Variables only so that the test need not wait that long. */
static _Atomic int64_t stall_ms = HUB_STALL_MS, ping_ms = HUB_PING_MS, tick_ms = HUB_TICK_MS;

struct topic {
    struct sub *first;
    char *name;
};

struct sub {
    struct hub *hub;
    struct sub *prev, *next;   /* hub.subs, or next in hub.incoming */
    struct sub *tprev, *tnext; /* topic.first */
    struct topic *topic;
    char *topic_name;
    int64_t cursor;
    bool dirty, ended, closing;
    int64_t progress_ms, pinged_ms, retry_at_ms, close_by_ms;
    bool ping_open; /* sent and nothing heard since */
    struct buf out;
    size_t out_at;
    /* an event stream: */
    struct http_req *r;
    atomic_bool blocked; /* its window is full */
    atomic_bool ready;   /* it has room again, or the peer has gone */
    /* a WebSocket: */
    struct ws *ws;
    int fd;
    bool want_out;
};

struct hub {
    hub_pull_fn pull;
    void *ud;
    pthread_t thread;
    int ep, wake_fd;
    atomic_int refs; /* the owner's and each subscriber's: a handshake may outlive hub_free() */
    atomic_size_t count;
    atomic_bool any_ready;

    pthread_mutex_t mu;
    bool stop, poked_all;
    struct map poked;     /* topic names */
    struct sub *incoming;

    /* the thread's */
    struct sub *subs;
    struct map topics; /* struct topic */
    struct hub_out *last; /* the last pull of this turn: subscribers of a topic mostly stand at
                           * the same cursor */
};

/* ---- events of one pull */

struct hub_item {
    int64_t id;
    size_t name_at, name_n, data_at, data_n;
    bool skip; /* larger than a pull may be */
};
struct hub_out {
    VEC(struct hub_item) items;
    struct buf text;
    unsigned max;
    bool full, valid, ended;
    const struct topic *topic;
    int64_t after;
};

void hub_event(struct hub_out *o, int64_t id, const char *name, str data_json)
{
    struct hub_item item = {.id = id, .name_n = strlen(name), .data_n = data_json.n};
    int64_t last = o->items.n ? o->items.p[o->items.n - 1].id : o->after;

    if (o->full || id <= last)
        return;
    if (o->items.n == o->max || !VEC_ROOM(&o->items)) {
        o->full = true;
        return;
    }
    if (item.name_n + item.data_n > HUB_PULL_BYTES) {
        log_error("event %lld '%s' is %zu bytes long and is left out: the limit is %d",
                  (long long)id, name, data_json.n, HUB_PULL_BYTES);
        item = (struct hub_item){.id = id, .skip = true};
    } else if (item.name_n + item.data_n > HUB_PULL_BYTES - o->text.n) {
        o->full = true;
        return;
    }
    item.name_at = o->text.n;
    item.data_at = o->text.n + item.name_n;
    if (!item.skip) {
        buf_add(&o->text, name, item.name_n);
        buf_str(&o->text, data_json);
    }
    if (o->text.rc)
        o->full = true;
    else
        o->items.p[o->items.n++] = item;
}

static void render_sse(struct buf *out, int64_t id, str name, str data)
{
    str rest = data, line;

    buf_printf(out, "id: %lld\nevent: %.*s\n", (long long)id, STR_F(name));
    while (str_line(&rest, &line))
        buf_printf(out, "data: %.*s\n", STR_F(line));
    buf_puts(out, "\n");
}

static void render_ws(struct sub *s, int64_t id, str name, str data)
{
    struct buf text;
    struct jw w;

    buf_init(&text, 2 * HUB_PULL_BYTES);
    jw_init(&w, &text);
    jw_obj(&w);
    jw_kint(&w, "id", id);
    jw_kstr(&w, "event", name);
    jw_kraw(&w, "data", data);
    jw_obj_end(&w);
    if (!text.rc)
        ws_send_text(s->ws, buf_view(&text));
    else
        s->out.rc = text.rc;
    buf_done(&text);
}

static void render(struct sub *s, const struct hub_out *o)
{
    for (size_t i = 0; i < o->items.n; i++) {
        const struct hub_item *it = &o->items.p[i];
        str name = {o->text.p + it->name_at, it->name_n}, data = {o->text.p + it->data_at,
                                                                  it->data_n};
        if (it->skip)
            continue;
        if (s->r)
            render_sse(&s->out, it->id, name, data);
        else
            render_ws(s, it->id, name, data);
    }
}

/* ---- subscribers */

static void wake(struct hub *h)
{
    uint64_t one = 1;
    (void)!write(h->wake_fd, &one, sizeof one);
}

static void hub_unref(struct hub *h)
{
    if (atomic_fetch_sub(&h->refs, 1) != 1)
        return;
    close(h->wake_fd);
    map_done(&h->poked);
    pthread_mutex_destroy(&h->mu);
    mem_free(h);
}

/* By io, under req.mu: the stream's window has room, or its peer has gone. */
static void sub_wake(void *ud)
{
    struct sub *s = ud;

    if (!atomic_exchange(&s->blocked, false) && !s->r->gone && !s->r->closing)
        return;
    atomic_store(&s->ready, true);
    atomic_store(&s->hub->any_ready, true);
    wake(s->hub);
}

static struct sub *sub_new(struct hub *h, str topic, int64_t after)
{
    struct sub *s = mem_zalloc(sizeof *s);

    if (!s)
        return NULL;
    s->hub = h;
    s->fd = -1;
    s->cursor = after;
    s->topic_name = mem_strndup(topic.p, topic.n);
    buf_init(&s->out, HUB_OUT_MAX);
    if (!s->topic_name) {
        buf_done(&s->out);
        mem_free(s);
        return NULL;
    }
    atomic_fetch_add(&h->count, 1);
    atomic_fetch_add(&h->refs, 1);
    return s;
}

/* Not in any list. */
static void sub_free(void *ud)
{
    struct sub *s = ud;
    struct hub *h = s->hub;

    if (s->r) {
        pthread_mutex_lock(&s->r->mu);
        s->r->stream.wake = NULL;
        pthread_mutex_unlock(&s->r->mu);
        http_stream_end(s->r);
        http_req_unref(s->r);
    }
    ws_free(s->ws);
    if (s->fd >= 0)
        close(s->fd);
    buf_done(&s->out);
    mem_free(s->topic_name);
    mem_free(s);
    atomic_fetch_sub(&h->count, 1);
    hub_unref(h);
}

static void sub_hand_over(struct sub *s)
{
    struct hub *h = s->hub;

    pthread_mutex_lock(&h->mu);
    bool late = h->stop;
    if (!late) {
        s->next = h->incoming;
        h->incoming = s;
        wake(h);
    }
    pthread_mutex_unlock(&h->mu);
    if (late)
        sub_free(s);
}

static void sub_remove(struct sub *s)
{
    struct hub *h = s->hub;

    /* Closing alone would leave it there as long as MHD's own descriptor lives. */
    if (s->fd >= 0)
        epoll_ctl(h->ep, EPOLL_CTL_DEL, s->fd, NULL);
    if (s->next)
        s->next->prev = s->prev;
    *(s->prev ? &s->prev->next : &h->subs) = s->next;
    if (s->topic) {
        if (s->tnext)
            s->tnext->tprev = s->tprev;
        *(s->tprev ? &s->tprev->tnext : &s->topic->first) = s->tnext;
        if (!s->topic->first) {
            h->last->valid = false;
            map_remove(&h->topics, str_of(s->topic->name));
            mem_free(s->topic->name);
            mem_free(s->topic);
        }
    }
    sub_free(s);
}

static bool join_topic(struct hub *h, struct sub *s)
{
    struct topic *t = map_get(&h->topics, str_of(s->topic_name));

    if (!t) {
        t = mem_zalloc(sizeof *t);
        if (t)
            t->name = mem_strndup(s->topic_name, strlen(s->topic_name));
        if (!t || !t->name || map_put(&h->topics, str_of(t->name), t, NULL)) {
            if (t)
                mem_free(t->name);
            mem_free(t);
            return false;
        }
    }
    s->topic = t;
    s->tnext = t->first;
    if (t->first)
        t->first->tprev = s;
    t->first = s;
    return true;
}

static void sub_begin(struct hub *h, struct sub *s)
{
    int64_t now = os_mono_ms();
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = s};
    bool ok;

    s->prev = NULL;
    s->next = h->subs;
    if (h->subs)
        h->subs->prev = s;
    h->subs = s;
    s->dirty = true;
    s->progress_ms = now;
    s->pinged_ms = now;
    ok = join_topic(h, s);
    if (ok && s->fd >= 0)
        ok = !epoll_ctl(h->ep, EPOLL_CTL_ADD, s->fd, &ev);
    if (ok && s->r)
        buf_puts(&s->out, "retry: 2000\n\n");
    if (!ok)
        sub_remove(s);
}

/* ---- sending.  False: the subscriber is to be removed. */

static bool flush_socket(struct sub *s)
{
    while (s->out_at < s->out.n) {
        ssize_t n = send(s->fd, s->out.p + s->out_at, s->out.n - s->out_at,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        s->out_at += (size_t)n;
        s->progress_ms = os_mono_ms();
    }
    return true;
}

static bool flush_stream(struct sub *s)
{
    size_t taken = 0;
    bool alive = true;

    atomic_store(&s->blocked, true); /* before the try, so that no wake is missed */
    while (alive && s->out_at < s->out.n) {
        alive = http_stream_try(s->r, s->out.p + s->out_at, s->out.n - s->out_at, &taken);
        s->out_at += taken;
        if (!taken)
            return alive;
        s->progress_ms = os_mono_ms();
    }
    atomic_store(&s->blocked, false);
    return alive;
}

static bool sub_flush(struct sub *s)
{
    if (s->out.rc) {
        log_error("a live subscriber of '%s' is dropped: %s", s->topic_name, rc_title(s->out.rc));
        return false;
    }
    if (!(s->r ? flush_stream(s) : flush_socket(s)))
        return false;
    bool pending = s->out_at < s->out.n;
    if (!pending && s->out.n) {
        bool big = s->out.cap > 4096;
        if (big) { /* an idle subscriber keeps no memory */
            buf_done(&s->out);
            buf_init(&s->out, HUB_OUT_MAX);
        }
        buf_clear(&s->out);
        s->out_at = 0;
    }
    if (s->fd >= 0 && pending != s->want_out) {
        struct epoll_event ev = {.events = EPOLLIN | (pending ? EPOLLOUT : 0), .data.ptr = s};
        s->want_out = pending;
        epoll_ctl(s->hub->ep, EPOLL_CTL_MOD, s->fd, &ev);
    }
    return true;
}

static void sub_close(struct sub *s, enum ws_code code)
{
    if (s->closing)
        return;
    s->closing = true;
    s->progress_ms = os_mono_ms();
    s->close_by_ms = s->progress_ms + HUB_CLOSE_MAX_MS;
    if (s->ws)
        ws_send_close(s->ws, code);
    else if (code == WS_NORMAL)
        buf_puts(&s->out, "event: end\ndata: {}\n\n");
}

/* What lies behind the cursor, from the last pull if it fits. */
static const struct hub_out *pull(struct hub *h, struct sub *s)
{
    struct hub_out *o = h->last;
    struct err e = {0};

    if (o->valid && o->topic == s->topic && o->after == s->cursor)
        return o;
    o->items.n = 0;
    buf_clear(&o->text);
    o->full = o->ended = false;
    o->max = HUB_PULL_EVENTS;
    o->topic = s->topic;
    o->after = s->cursor;
    o->valid = !h->pull(h->ud, str_of(s->topic_name), s->cursor, o->max, o, &o->ended, &e);
    if (o->valid)
        return o;
    log_warn("live events of '%s' cannot be read and are tried again: %s", s->topic_name, e.text);
    s->retry_at_ms = os_mono_ms() + HUB_RETRY_MS;
    return NULL;
}

/* Moves a subscriber on as far as its socket allows. */
static bool sub_serve(struct hub *h, struct sub *s)
{
    for (;;) {
        if (!sub_flush(s))
            return false;
        if (s->out_at < s->out.n)
            return true; /* the socket's turn */
        if (s->closing)
            return s->ws != NULL; /* a WebSocket waits for the peer's close */
        if (s->ended) {
            sub_close(s, WS_NORMAL);
            continue;
        }
        if (!s->dirty)
            return true;
        const struct hub_out *o = pull(h, s);
        if (!o) {
            s->dirty = false; /* until retry_at_ms */
            return true;
        }
        bool more = o->full || o->items.n == o->max;
        s->dirty = more && o->items.n;
        if (more && !o->items.n) /* out of memory */
            s->retry_at_ms = os_mono_ms() + HUB_RETRY_MS;
        s->ended = o->ended && !more;
        render(s, o);
        if (o->items.n)
            s->cursor = o->items.p[o->items.n - 1].id;
    }
}

static bool sub_read(struct sub *s)
{
    char p[4096];

    for (int i = 0; i < HUB_READS; i++) {
        ssize_t n = recv(s->fd, p, sizeof p, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        if (!n)
            return false;
        if (ws_feed(s->ws, p, (size_t)n))
            continue;
        /* The closing handshake is through, or the peer broke the rules: say so and go. */
        flush_socket(s);
        shutdown(s->fd, SHUT_WR);
        return false;
    }
    return true;
}

/* ---- the loop */

static void serve(struct hub *h, struct sub *s)
{
    if (!sub_serve(h, s))
        sub_remove(s);
}

static bool tick_one(struct sub *s, int64_t now)
{
    bool pending = s->out_at < s->out.n;

    if (s->closing)
        return now < s->close_by_ms && now - s->progress_ms < HUB_CLOSE_MS;
    if (s->r && atomic_load(&s->r->server->draining))
        return false; /* the browser comes back to the next process */
    if (pending && now - s->progress_ms >= stall_ms) {
        sub_close(s, WS_TRY_LATER);
        return s->ws != NULL;
    }
    if (s->retry_at_ms && now >= s->retry_at_ms) {
        s->retry_at_ms = 0;
        s->dirty = true;
    }
    if (s->ws && ws_heard(s->ws))
        s->ping_open = false;
    if (now - s->pinged_ms < ping_ms || pending)
        return true;
    if (s->ping_open) { /* no pong: the peer has gone without a word */
        sub_close(s, WS_GOING_AWAY);
        return true;
    }
    s->pinged_ms = now;
    if (s->ws) {
        ws_send_ping(s->ws);
        s->ping_open = true;
    } else {
        buf_puts(&s->out, ": ping\n\n");
    }
    return true;
}

static void tick(struct hub *h, int64_t now)
{
    for (struct sub *s = h->subs, *next; s; s = next) {
        next = s->next;
        if (tick_one(s, now))
            serve(h, s);
        else
            sub_remove(s);
    }
}

static void take_ready(struct hub *h)
{
    if (!atomic_exchange(&h->any_ready, false))
        return;
    for (struct sub *s = h->subs, *next; s; s = next) {
        next = s->next;
        if (atomic_exchange(&s->ready, false)) {
            bool alive = true;
            if (s->r) {
                pthread_mutex_lock(&s->r->mu);
                alive = !s->r->gone && !s->r->closing;
                pthread_mutex_unlock(&s->r->mu);
            }
            if (alive)
                serve(h, s);
            else
                sub_remove(s);
        }
    }
}

static void poke_topic(struct hub *h, struct topic *t)
{
    for (struct sub *s = t->first, *next; s; s = next) {
        next = s->tnext;
        s->dirty = true;
        serve(h, s); /* with its last subscriber the topic may go */
    }
}

/* Takes over what other threads left; true to stop. */
static bool take_mail(struct hub *h)
{
    struct map poked;
    struct sub *incoming;
    bool all, stop;
    str name;
    void *value;

    pthread_mutex_lock(&h->mu);
    incoming = h->incoming;
    h->incoming = NULL;
    poked = h->poked;
    map_init(&h->poked);
    all = h->poked_all;
    h->poked_all = false;
    stop = h->stop;
    pthread_mutex_unlock(&h->mu);

    h->last->valid = false; /* older than the pokes */
    for (struct sub *s = incoming, *next; s; s = next) {
        next = s->next;
        s->next = NULL;
        sub_begin(h, s);
    }
    for (struct sub *s = h->subs, *next; s && (all || incoming); s = next) {
        next = s->next;
        s->dirty |= all;
        if (s->dirty)
            serve(h, s);
    }
    for (size_t i = 0; map_next(&poked, &i, &name, &value);) {
        struct topic *t = map_get(&h->topics, name);
        if (t)
            poke_topic(h, t);
    }
    map_done(&poked);
    return stop;
}

static void *hub_main(void *ud)
{
    struct hub *h = ud;
    struct epoll_event ev[64];
    int64_t next_tick = 0;
    uint64_t sink;
    bool stop = false;

    while (!stop) {
        int n = epoll_wait(h->ep, ev, 64, h->subs ? (int)tick_ms : -1);
        h->last->valid = false;
        for (int i = 0; i < n; i++) {
            struct sub *s = ev[i].data.ptr;
            if (!s) {
                (void)!read(h->wake_fd, &sink, sizeof sink);
                continue;
            }
            if ((ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !sub_read(s))
                sub_remove(s); /* each descriptor is in ev once, so no later entry names it */
            else
                serve(h, s);
        }
        stop = take_mail(h);
        take_ready(h);
        int64_t now = os_mono_ms();
        if (now >= next_tick) {
            tick(h, now);
            next_tick = now + tick_ms;
        }
    }
    while (h->subs) {
        sub_close(h->subs, WS_GOING_AWAY);
        sub_flush(h->subs);
        sub_remove(h->subs);
    }
    return NULL;
}

/* ---- front door */

enum rc hub_new(struct hub **ret, hub_pull_fn pull_fn, void *ud, struct err *e)
{
    struct hub *h = mem_zalloc(sizeof *h);
    struct epoll_event ev = {.events = EPOLLIN};
    int code = 0;

    if (!h || !(h->last = mem_zalloc(sizeof *h->last))) {
        mem_free(h);
        return err_set(e, RC_NOMEM, "no memory for live events");
    }
    h->refs = 1;
    h->pull = pull_fn;
    h->ud = ud;
    buf_init(&h->last->text, HUB_PULL_BYTES + 1);
    map_init(&h->poked);
    map_init(&h->topics);
    pthread_mutex_init(&h->mu, NULL);
    h->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    h->ep = epoll_create1(EPOLL_CLOEXEC);
    if (h->wake_fd < 0 || h->ep < 0 || epoll_ctl(h->ep, EPOLL_CTL_ADD, h->wake_fd, &ev))
        code = errno;
    else
        code = pthread_create(&h->thread, NULL, hub_main, h);
    if (!code) {
        pthread_setname_np(h->thread, "hub");
        *ret = h;
        return RC_OK;
    }
    if (h->wake_fd >= 0)
        close(h->wake_fd);
    if (h->ep >= 0)
        close(h->ep);
    pthread_mutex_destroy(&h->mu);
    buf_done(&h->last->text);
    mem_free(h->last);
    mem_free(h);
    return err_errno(e, code, "starting the thread of live events");
}

void hub_free(struct hub *h)
{
    if (!h)
        return;
    pthread_mutex_lock(&h->mu);
    h->stop = true;
    pthread_mutex_unlock(&h->mu);
    wake(h);
    pthread_join(h->thread, NULL);
    for (struct sub *s = h->incoming, *next; s; s = next) {
        next = s->next;
        sub_free(s);
    }
    close(h->ep);
    map_done(&h->topics);
    VEC_DONE(&h->last->items);
    buf_done(&h->last->text);
    mem_free(h->last);
    hub_unref(h);
}

size_t hub_subscribers(struct hub *h)
{
    return atomic_load(&h->count);
}

void hub_poke(struct hub *h, str topic)
{
    bool first;

    if (!atomic_load(&h->count))
        return; /* who comes later pulls first */
    pthread_mutex_lock(&h->mu);
    first = !map_has(&h->poked, topic);
    if (first && map_put(&h->poked, topic, h, NULL))
        h->poked_all = true;
    pthread_mutex_unlock(&h->mu);
    if (first)
        wake(h);
}

static struct sub *admit(struct hub *h, struct http_req *r, str topic, int64_t after)
{
    struct sub *s = NULL;

    if (atomic_load(&h->count) < HUB_SUBSCRIBERS_MAX &&
        (s = sub_new(h, topic, after)) != NULL)
        return s;
    http_add_header(r, "Retry-After", "5");
    http_reply_problem(r, 503, rc_code(RC_UNAVAILABLE), rc_title(RC_UNAVAILABLE),
                       "too many live subscribers; try again", NULL);
    return NULL;
}

void hub_reply_sse(struct hub *h, struct http_req *r, str topic, int64_t after)
{
    struct err e = {0};
    int64_t seen;
    struct sub *s;

    /* What the browser sends by itself when it reconnects. */
    if (str_i64(http_header(r, "Last-Event-ID"), &seen) && seen > after)
        after = seen;
    http_add_header(r, "Cache-Control", "no-store");
    http_add_header(r, "X-Accel-Buffering", "no"); /* nginx would hold events back */
    if (http_method_of(r) == HTTP_HEAD) {
        http_reply(r, 200, "text/event-stream", STR(""));
        return;
    }
    s = admit(h, r, topic, after);
    if (!s)
        return;
    s->r = r;
    atomic_fetch_add(&r->refs, 1);
    if (http_stream_start(r, 200, "text/event-stream", -1, sub_wake, s, &e))
        sub_hand_over(s);
    else
        sub_free(s);
}

/* By io: the 101 is sent; `extra` are bytes the peer sent behind its handshake. */
static void on_upgrade(void *ud, struct MHD_Connection *c, void *context, const char *extra,
                       size_t extra_n, MHD_socket sock, struct MHD_UpgradeResponseHandle *urh)
{
    struct http_req *r = ud;
    struct sub *s = r->upgrade_ud;
    int one = 1;

    r->upgrade_ud = NULL;
    http_req_upgraded(r);
    s->fd = fcntl(sock, F_DUPFD_CLOEXEC, 0);
    MHD_upgrade_action(urh, MHD_UPGRADE_ACTION_CLOSE);
    if (s->fd < 0 || !ws_feed(s->ws, extra, extra_n)) {
        sub_free(s);
        return;
    }
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    sub_hand_over(s);
}

/* The status to refuse the handshake with, or 0. */
static int check_handshake(struct http_req *r, char accept[WS_ACCEPT_TEXT], struct err *e)
{
    str origin = http_header(r, "Origin");

    if (http_method_of(r) != HTTP_GET ||
        !http_list_has(http_header(r, "Connection"), "upgrade") ||
        !http_list_has(http_header(r, "Upgrade"), "websocket")) {
        err_set(e, RC_INVALID, "this address speaks WebSocket: send 'Upgrade: websocket'");
        http_add_header(r, "Upgrade", "websocket");
        return 426;
    }
    if (!str_is(http_header(r, "Sec-WebSocket-Version"), "13")) {
        err_set(e, RC_INVALID, "the WebSocket version has to be 13");
        http_add_header(r, "Sec-WebSocket-Version", "13");
        return 426;
    }
    if (!ws_accept(http_header(r, "Sec-WebSocket-Key"), accept)) {
        err_set(e, RC_INVALID, "Sec-WebSocket-Key is not base64 of 16 bytes");
        return 400;
    }
    if (origin.p && !ws_origin_ok(origin, http_header(r, "Host"))) {
        err_set(e, RC_FORBIDDEN, "the Origin '%.*s' is not this server", STR_F(origin));
        return 403;
    }
    if (atomic_load(&r->server->draining)) {
        err_set(e, RC_UNAVAILABLE, "the server is shutting down");
        return 503;
    }
    return 0;
}

void hub_reply_ws(struct hub *h, struct http_req *r, str topic, int64_t after)
{
    char accept[WS_ACCEPT_TEXT];
    struct err e = {0};
    struct MHD_Response *resp;
    struct sub *s;
    int status = check_handshake(r, accept, &e);

    if (status) {
        http_reply_problem(r, status, rc_code(e.rc), rc_title(e.rc), e.text, NULL);
        return;
    }
    s = admit(h, r, topic, after);
    if (!s)
        return;
    resp = MHD_create_response_for_upgrade(on_upgrade, r);
    if (!resp || ws_new(&s->ws, &s->out, NULL, NULL, &e)) {
        if (resp)
            MHD_destroy_response(resp);
        sub_free(s);
        http_reply_problem(r, 503, rc_code(RC_UNAVAILABLE), rc_title(RC_UNAVAILABLE),
                           "out of memory; try again", NULL);
        return;
    }
    MHD_add_response_header(resp, "Upgrade", "websocket");
    MHD_add_response_header(resp, "Sec-WebSocket-Accept", accept);
    r->upgrade_drop = sub_free;
    r->upgrade_ud = s; /* dropped with r if it never comes to the upgrade */
    http_reply_ready(r, 101, NULL, resp, STR_NONE);
}
