/* time_text.c - the one text form of time (RFC 3339, UTC).  Needs no clock: it serves the browser
 * too. */
#include "os/os.h"

#include <stdio.h>
#include <time.h>

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
