/* clock.c - wall time, monotonic time, and the one text form of time (RFC 3339, UTC). */
#include "os/os.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;

    ASSERT(clock_gettime(id, &t) == 0);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t os_now_ms(void)
{
    return clock_ns(CLOCK_REALTIME) / 1000000;
}

int64_t os_cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t os_mono_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t os_mono_ms(void)
{
    return os_mono_ns() / 1000000;
}

void os_sleep_ms(int64_t ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    if (ms <= 0)
        return;
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR) {
    }
}

void os_time_text(int64_t unix_ms, char ret[OS_TIME_TEXT])
{
    static const int64_t FIRST = INT64_C(-62167219200000); /* year 0 */
    static const int64_t LAST = INT64_C(253402300799999);  /* the end of year 9999 */
    char text[96];
    struct tm t;
    time_t sec;
    int ms;

    if (unix_ms < FIRST || unix_ms > LAST)
        unix_ms = unix_ms < FIRST ? FIRST : LAST;
    ms = (int)(unix_ms % 1000);
    sec = (time_t)(unix_ms / 1000);
    if (ms < 0) {
        ms += 1000;
        sec--;
    }
    gmtime_r(&sec, &t);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.tm_year + 1900,
             t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, ms);
    memcpy(ret, text, OS_TIME_TEXT);
    ret[OS_TIME_TEXT - 1] = 0;
}
