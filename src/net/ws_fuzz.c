/* Any bytes from a peer, in one piece and byte by byte: the same end, bounded output. */
#include "net/ws.h"
#include <string.h>

static void count(void *ud, bool text, str message)
{
    ASSERT(message.n <= WS_MESSAGE_MAX);
    *(size_t *)ud += message.n + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct ws *w[2] = {NULL, NULL};
    struct buf out[2];
    size_t messages[2] = {0, 0};
    bool alive[2] = {true, true};
    char accept[WS_ACCEPT_TEXT];

    for (int i = 0; i < 2; i++) {
        buf_init(&out[i], 4 << 20);
        ASSERT(!ws_new(&w[i], &out[i], count, &messages[i], NULL));
    }
    alive[0] = ws_feed(w[0], p, n);
    for (size_t i = 0; alive[1] && i < n; i++)
        alive[1] = ws_feed(w[1], p + i, 1);
    ASSERT(alive[0] == alive[1] && messages[0] == messages[1]);
    ASSERT(out[0].n == out[1].n && !memcmp(out[0].p, out[1].p, out[0].n));
    ASSERT(out[0].n < WS_REPLIES_MAX + 256);
    for (int i = 0; i < 2; i++) {
        ws_free(w[i]);
        buf_done(&out[i]);
    }
    (void)ws_accept((str){(const char *)p, n}, accept);
    (void)ws_origin_ok((str){(const char *)p, n / 2}, (str){(const char *)p + n / 2, n - n / 2});
    return 0;
}
