/* log.c - one line a message on standard error, in one write.
 *
 * Text:  2026-11-20T10:00:00.000Z INFO  the message
 * JSON:  {"time":"...","level":"info","service":"anneal","message":"..."}
 * Control characters of a message are shown escaped, so that outside text cannot forge a line.
 */
#include "base/log.h"

#include "base/json.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LOG_LINE_MAX = 4096, LOG_TIME_MAX = 96 };

static atomic_int log_min = LOG_INFO;
static atomic_bool log_json;
static char log_service[64] = "anneal"; /* written by log_setup, before there are threads */

void log_setup(enum log_level min, bool json, const char *service)
{
    atomic_store(&log_min, (int)min);
    atomic_store(&log_json, json);
    if (service)
        snprintf(log_service, sizeof log_service, "%s", service);
}

static void time_text(char ret[LOG_TIME_MAX])
{
    struct timespec now;
    struct tm t;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &t);
    snprintf(ret, LOG_TIME_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (t.tm_year + 1900) % 10000,
             t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, (int)(now.tv_nsec / 1000000));
}

/* The message with control characters as \n, \t, \xHH. */
static size_t plain(char *to, size_t cap, const char *text)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;

    for (; *text && n + 5 < cap; text++) {
        unsigned char c = (unsigned char)*text;
        if (c >= 0x20 && c != 0x7f) {
            to[n++] = (char)c;
            continue;
        }
        to[n++] = '\\';
        if (c == '\n' || c == '\t') {
            to[n++] = c == '\n' ? 'n' : 't';
        } else {
            to[n++] = 'x';
            to[n++] = digits[c >> 4];
            to[n++] = digits[c & 15];
        }
    }
    return n;
}

static bool write_json(const char *when, const char *level, const char *text)
{
    struct buf b;
    struct jw w;
    bool ok;

    buf_init(&b, 8 * LOG_LINE_MAX);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kcstr(&w, "time", when);
    jw_kcstr(&w, "level", level);
    jw_kcstr(&w, "service", log_service);
    jw_kcstr(&w, "message", text);
    jw_obj_end(&w);
    buf_putc(&b, '\n');
    ok = buf_ok(&b, NULL) == RC_OK;
    if (ok)
        fwrite(b.p, 1, b.n, stderr);
    buf_done(&b);
    return ok;
}

void log_at(enum log_level level, const char *fmt, ...)
{
    static const char *const small[] = {"debug", "info", "warn", "error"};
    static const char *const large[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
    char text[LOG_LINE_MAX], line[LOG_LINE_MAX + 128], when[LOG_TIME_MAX];
    va_list ap;
    int head;
    size_t n;

    if ((int)level < atomic_load_explicit(&log_min, memory_order_relaxed))
        return;
    va_start(ap, fmt);
    if (vsnprintf(text, sizeof text, fmt, ap) < 0)
        text[0] = 0;
    va_end(ap);
    time_text(when);
    if (atomic_load_explicit(&log_json, memory_order_relaxed) &&
        write_json(when, small[level], text))
        return;
    head = snprintf(line, sizeof line, "%s %s ", when, large[level]);
    n = (size_t)head + plain(line + head, sizeof line - (size_t)head - 1, text);
    line[n++] = '\n';
    fwrite(line, 1, n, stderr);
}
