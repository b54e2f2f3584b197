/* utc.h - seconds of Unix time to and from the calendar (proleptic Gregorian, UTC).
 *
 * gmtime_r and timegm do the same behind the process-wide lock of libc's time zones, at several
 * times the cost; a request of the store needs both more than once.  Any thread.
 * Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" (days_from_civil and
 * civil_from_days). */
#ifndef ANNEAL_BASE_UTC_H
#define ANNEAL_BASE_UTC_H

#include "base/str.h"
#include <stdbool.h>
#include <stdint.h>

struct utc {
    int64_t year;
    unsigned month, day; /* from 1 */
    unsigned hour, minute, second;
    unsigned weekday; /* 0: Sunday; utc_seconds does not look at it */
};
struct utc utc_of(int64_t unix_s);
/* Is there such a day and such a time of day?  (A leap second is not.) */
bool utc_ok(const struct utc *u);
int64_t utc_seconds(const struct utc *u); /* utc_ok(u); year within 100,000 of 1970 */
/* "2026-01-31", or "2026-01-31T12:00:00Z" with or without up to nine digits of a fraction, which is
 * left out (RFC 3339, in UTC alone).  *ret_time: it has a time of day. */
bool utc_read(str s, struct utc *ret, bool *ret_time);
/* `digits` decimal digits of v, the lowest ones, without NUL. */
void utc_digits(char *to, uint64_t v, unsigned digits);

#endif
