/* ws.h - one server-side WebSocket (RFC 6455) without its socket: bytes in, bytes out, so that the
 * fuzzer and the tests need no network.  One owner thread. */
#ifndef ANNEAL_NET_WS_H
#define ANNEAL_NET_WS_H

#include "base/buf.h"

enum {
    WS_MESSAGE_MAX = 4 * 1024,   /* inbound; more is closed with 1009 */
    WS_REPLIES_MAX = 64 * 1024,  /* of unsent output past which pings are no longer answered */
    WS_KEY_TEXT = 24, WS_ACCEPT_TEXT = 29,
};
enum ws_code { WS_NORMAL = 1000, WS_GOING_AWAY = 1001, WS_PROTOCOL = 1002, WS_BAD_DATA = 1007,
               WS_TOO_BIG = 1009, WS_INTERNAL = 1011, WS_TRY_LATER = 1013 };

struct ws;
/* A whole message; text is valid UTF-8.  May be NULL. */
typedef void (*ws_message_fn)(void *ud, bool text, str message);

enum rc ws_new(struct ws **ret, struct buf *out, ws_message_fn message, void *ud, struct err *e)
    must_check; /* out: the caller's, where frames for the peer are appended */
void ws_free(struct ws *w);
/* Takes all bytes, answers pings and closes.  False when nothing more is to be read: the closing
 * handshake is done or the peer broke the protocol (then a close frame is in `out`). */
bool ws_feed(struct ws *w, const void *p, size_t n);
bool ws_heard(struct ws *w); /* has a frame come since the last call */
void ws_send_text(struct ws *w, str text);
void ws_send_ping(struct ws *w);
void ws_send_close(struct ws *w, enum ws_code code); /* once; later ones do nothing */
bool ws_close_sent(const struct ws *w);

/* Sec-WebSocket-Accept for a Sec-WebSocket-Key; false if that is not base64 of 16 bytes. */
bool ws_accept(str key, char ret[WS_ACCEPT_TEXT]);
/* The browser's Origin names the host of the Host header (default ports apart). */
bool ws_origin_ok(str origin, str host);

#endif
