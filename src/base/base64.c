/* base64.c - see base64.h. */
#include "base/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(const void *p, size_t n, struct buf *out)
{
    const uint8_t *b = p;

    for (size_t i = 0; i < n; i += 3) {
        size_t have = n - i < 3 ? n - i : 3;
        uint32_t v = (uint32_t)b[i] << 16 | (have > 1 ? (uint32_t)b[i + 1] << 8 : 0) |
                     (have > 2 ? b[i + 2] : 0);
        char four[4] = {letters[v >> 18], letters[v >> 12 & 63], letters[v >> 6 & 63],
                        letters[v & 63]};
        for (size_t k = have + 1; k < 4; k++)
            four[k] = '=';
        buf_add(out, four, 4);
    }
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

enum rc base64_read(str text, struct buf *out, struct err *e)
{
    size_t pad = 0;

    while (pad < 2 && text.n > pad && text.p[text.n - 1 - pad] == '=')
        pad++;
    if (text.n % 4)
        return err_set(e, RC_INVALID, "base64 text of %zu letters is cut off", text.n);
    for (size_t i = 0; i < text.n; i += 4) {
        size_t have = i + 4 == text.n ? 4 - pad : 4;
        uint32_t v = 0;
        for (size_t k = 0; k < 4; k++) {
            int d = k < have ? value_of(text.p[i + k]) : 0;
            if (d < 0)
                return err_set(e, RC_INVALID, "letter %zu is not of base64", i + k + 1);
            v = v << 6 | (uint32_t)d;
        }
        if ((have == 2 && (v & 0xffff)) || (have == 3 && (v & 0xff)))
            return err_set(e, RC_INVALID, "base64 text with bits behind its end");
        const uint8_t three[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
        buf_add(out, three, have - 1);
    }
    return buf_ok(out, e);
}
