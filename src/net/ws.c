/* ws.c - see ws.h.  wslay takes the frames apart; the rules above frames (RFC 6455, 5.4, 5.5, 7.4)
 * are here, because its own message layer accepts unmasked frames, which a server must not. */
#include "net/ws.h"
#include "base/mem.h"
#include <openssl/evp.h>
#include <string.h>
#include <wslay/wslay.h>

struct ws {
    wslay_frame_context_ptr frames;
    struct buf *out;
    ws_message_fn message;
    void *ud;
    const uint8_t *in; /* the bytes being fed */
    size_t in_n;
    bool heard, close_sent, closed;
    uint64_t left;     /* payload bytes of the current frame still to come */
    bool in_frame, fin;
    uint8_t opcode;    /* of the current frame */
    uint8_t kind;      /* of the message under way; 0: none */
    size_t control_n, message_n;
    uint8_t control[125];
    char *text; /* WS_MESSAGE_MAX bytes while a message is under way: most peers send none */
};

static ssize_t take_in(uint8_t *p, size_t cap, int flags, void *ud)
{
    struct ws *w = ud;
    size_t n = cap < w->in_n ? cap : w->in_n;

    if (!n)
        return -1; /* wslay then wants to read */
    memcpy(p, w->in, n);
    w->in += n;
    w->in_n -= n;
    return (ssize_t)n;
}

enum rc ws_new(struct ws **ret, struct buf *out, ws_message_fn message, void *ud, struct err *e)
{
    struct wslay_frame_callbacks calls = {.recv_callback = take_in};
    struct ws *w = mem_zalloc(sizeof *w);

    if (!w || wslay_frame_context_init(&w->frames, &calls, w)) {
        mem_free(w);
        return err_set(e, RC_NOMEM, "no memory for a WebSocket");
    }
    w->out = out;
    w->message = message;
    w->ud = ud;
    *ret = w;
    return RC_OK;
}

void ws_free(struct ws *w)
{
    if (!w)
        return;
    wslay_frame_context_free(w->frames);
    mem_free(w->text);
    mem_free(w);
}

/* A frame of ours: never masked, never fragmented. */
static void put_frame(struct ws *w, uint8_t opcode, const void *p, size_t n)
{
    buf_putc(w->out, (char)(0x80 | opcode));
    if (n < 126) {
        buf_putc(w->out, (char)n);
    } else {
        int bytes = n < 65536 ? 2 : 8;
        buf_putc(w->out, bytes == 2 ? 126 : 127);
        for (int i = bytes - 1; i >= 0; i--)
            buf_putc(w->out, (char)((uint64_t)n >> (8 * i)));
    }
    buf_add(w->out, p, n);
}

void ws_send_text(struct ws *w, str text)
{
    if (!w->close_sent)
        put_frame(w, WSLAY_TEXT_FRAME, text.p, text.n);
}

void ws_send_ping(struct ws *w)
{
    if (!w->close_sent)
        put_frame(w, WSLAY_PING, "", 0);
}

void ws_send_close(struct ws *w, enum ws_code code)
{
    uint8_t p[2] = {(uint8_t)((unsigned)code >> 8), (uint8_t)code};

    if (w->close_sent)
        return;
    put_frame(w, WSLAY_CONNECTION_CLOSE, p, code ? sizeof p : 0);
    w->close_sent = true;
}

bool ws_close_sent(const struct ws *w)
{
    return w->close_sent;
}

bool ws_heard(struct ws *w)
{
    bool heard = w->heard;
    w->heard = false;
    return heard;
}

static bool broken(struct ws *w, enum ws_code code)
{
    ws_send_close(w, code);
    w->closed = true;
    return false;
}

/* Unlike our own texts, a message may hold NUL. */
static bool utf8_ok(const char *p, size_t n)
{
    str rest = {p, n}, piece;

    while (n && str_next(&rest, 0, &piece))
        if (!str_utf8_ok(piece))
            return false;
    return true;
}

static bool close_code_ok(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static bool take_close(struct ws *w)
{
    unsigned code = 0;

    if (w->control_n == 1)
        return broken(w, WS_PROTOCOL);
    if (w->control_n >= 2) {
        code = (unsigned)w->control[0] << 8 | w->control[1];
        if (!close_code_ok(code))
            return broken(w, WS_PROTOCOL);
        if (!utf8_ok((const char *)w->control + 2, w->control_n - 2))
            return broken(w, WS_BAD_DATA);
    }
    ws_send_close(w, (enum ws_code)code);
    w->closed = true;
    return false;
}

static bool end_frame(struct ws *w)
{
    w->in_frame = false;
    if (w->opcode == WSLAY_CONNECTION_CLOSE)
        return take_close(w);
    if (w->opcode == WSLAY_PING) {
        if (!w->close_sent && w->out->n < WS_REPLIES_MAX)
            put_frame(w, WSLAY_PONG, w->control, w->control_n);
    } else if (w->opcode != WSLAY_PONG && w->fin) {
        bool text = w->kind == WSLAY_TEXT_FRAME;
        if (text && !utf8_ok(w->text, w->message_n))
            return broken(w, WS_BAD_DATA);
        if (w->message)
            w->message(w->ud, text, (str){w->text, w->message_n});
        w->kind = 0;
        mem_free(w->text);
        w->text = NULL;
    }
    return true;
}

static bool begin_frame(struct ws *w, const struct wslay_frame_iocb *io)
{
    bool control = io->opcode & 8;

    w->heard = true;
    w->in_frame = true;
    w->opcode = io->opcode;
    w->fin = io->fin;
    w->left = io->payload_length;
    if (!io->mask || io->rsv)
        return broken(w, WS_PROTOCOL);
    if (control) {
        if (io->opcode > WSLAY_PONG || !io->fin || io->payload_length > sizeof w->control)
            return broken(w, WS_PROTOCOL);
        w->control_n = 0;
        return true;
    }
    if (io->opcode > WSLAY_BINARY_FRAME || (io->opcode == WSLAY_CONTINUATION_FRAME) != !!w->kind)
        return broken(w, WS_PROTOCOL);
    if (!w->kind) {
        w->text = mem_alloc(WS_MESSAGE_MAX);
        if (!w->text)
            return broken(w, WS_INTERNAL);
        w->kind = io->opcode;
        w->message_n = 0;
    }
    if (io->payload_length > WS_MESSAGE_MAX - w->message_n)
        return broken(w, WS_TOO_BIG);
    return true;
}

bool ws_feed(struct ws *w, const void *p, size_t n)
{
    w->in = p;
    w->in_n = n;
    while (!w->closed) {
        struct wslay_frame_iocb io = {0};
        ssize_t got = wslay_frame_recv(w->frames, &io);

        if (got == WSLAY_ERR_WANT_READ)
            break;
        if (got < 0)
            return broken(w, WS_PROTOCOL);
        if (!w->in_frame && !begin_frame(w, &io))
            return false;
        ASSERT((uint64_t)got <= w->left); /* and so within control[] or text[] */
        if (w->opcode & 8) {
            memcpy(w->control + w->control_n, io.data, (size_t)got);
            w->control_n += (size_t)got;
        } else {
            memcpy(w->text + w->message_n, io.data, (size_t)got);
            w->message_n += (size_t)got;
        }
        w->left -= (uint64_t)got;
        if (!w->left && !end_frame(w))
            return false;
    }
    return !w->closed;
}

/* ---- handshake */

bool ws_accept(str key, char ret[WS_ACCEPT_TEXT])
{
    char text[WS_KEY_TEXT + 36 + 1];
    unsigned char raw[24], digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (key.n != WS_KEY_TEXT || key.p[22] != '=' || key.p[23] != '=' || key.p[21] == '=')
        return false;
    if (EVP_DecodeBlock(raw, (const unsigned char *)key.p, WS_KEY_TEXT) != 18)
        return false;
    snprintf(text, sizeof text, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", STR_F(key));
    if (!EVP_Digest(text, strlen(text), digest, &n, EVP_sha1(), NULL) || n != 20)
        return false;
    EVP_EncodeBlock((unsigned char *)ret, digest, 20);
    return true;
}

static str without_port(str host, const char *port)
{
    return str_ends(host, str_of(port)) ? str_sub(host, 0, host.n - strlen(port)) : host;
}

bool ws_origin_ok(str origin, str host)
{
    const char *port = str_starts(origin, STR("https://")) ? ":443" : ":80";
    ptrdiff_t at = str_find(origin, STR("://"));

    if (at < 0)
        return false;
    origin = str_sub(origin, (size_t)at + 3, origin.n);
    return host.n && str_ieq(without_port(origin, port), without_port(host, port));
}
