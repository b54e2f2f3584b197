/* time_text.c - the one text form of time (RFC 3339, UTC).  Needs no clock: it serves the browser
 * too. */
#include "os/os.h"

#include "base/utc.h"

#include <string.h>

void os_time_text(int64_t unix_ms, char ret[OS_TIME_TEXT])
{
    static const int64_t FIRST = INT64_C(-62167219200000); /* year 0 */
    static const int64_t LAST = INT64_C(253402300799999);  /* the end of year 9999 */
    struct utc u;
    int64_t sec;
    int ms;

    if (unix_ms < FIRST || unix_ms > LAST)
        unix_ms = unix_ms < FIRST ? FIRST : LAST;
    ms = (int)(unix_ms % 1000);
    sec = unix_ms / 1000;
    if (ms < 0) {
        ms += 1000;
        sec--;
    }
    u = utc_of(sec);
    memcpy(ret, "yyyy-mm-ddThh:mm:ss.mmmZ", OS_TIME_TEXT);
    utc_digits(ret, (uint64_t)u.year, 4);
    utc_digits(ret + 5, u.month, 2);
    utc_digits(ret + 8, u.day, 2);
    utc_digits(ret + 11, u.hour, 2);
    utc_digits(ret + 14, u.minute, 2);
    utc_digits(ret + 17, u.second, 2);
    utc_digits(ret + 20, (uint64_t)ms, 3);
}
