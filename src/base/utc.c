/* utc.c - see utc.h.  An era is 400 years, 146,097 days; years begin in March inside, so that the
 * day that is not always there is the last. */
#include "base/utc.h"

enum { DAY_S = 86400, ERA_DAYS = 146097, TO_1970 = 719468 /* days from 0000-03-01 */ };

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

struct utc utc_of(int64_t unix_s)
{
    int64_t day = floor_div(unix_s, DAY_S), era = floor_div(day + TO_1970, ERA_DAYS);
    unsigned s = (unsigned)(unix_s - day * DAY_S);
    unsigned doe = (unsigned)(day + TO_1970 - era * ERA_DAYS); /* of the era */
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100); /* from the 1st of March */
    unsigned month = (5 * doy + 2) / 153;                   /* 0: March */
    struct utc u = {.day = doy - (153 * month + 2) / 5 + 1,
                    .hour = s / 3600,
                    .minute = s / 60 % 60,
                    .second = s % 60};

    u.month = month < 10 ? month + 3 : month - 9;
    u.year = (int64_t)yoe + era * 400 + (u.month <= 2);
    u.weekday = (unsigned)(day - floor_div(day + 4, 7) * 7 + 4); /* 1970-01-01: a Thursday */
    return u;
}

bool utc_ok(const struct utc *u)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = u->year % 4 == 0 && (u->year % 100 != 0 || u->year % 400 == 0);

    if (u->month < 1 || u->month > 12 || u->hour > 23 || u->minute > 59 || u->second > 59)
        return false;
    return u->day >= 1 && u->day <= days[u->month - 1] + (unsigned)(leap && u->month == 2);
}

int64_t utc_seconds(const struct utc *u)
{
    int64_t year = u->year - (u->month <= 2), era = floor_div(year, 400);
    unsigned yoe = (unsigned)(year - era * 400);
    unsigned doy = (153 * (u->month > 2 ? u->month - 3 : u->month + 9) + 2) / 5 + u->day - 1;
    unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    int64_t day = era * ERA_DAYS + doe - TO_1970;

    return day * DAY_S + u->hour * 3600 + u->minute * 60 + u->second;
}

void utc_digits(char *to, uint64_t v, unsigned digits)
{
    while (digits--) {
        to[digits] = (char)('0' + v % 10);
        v /= 10;
    }
}

/* Letters of the form are digits where it has a 'd'. */
static bool fits(str s, const char *form)
{
    for (size_t i = 0; form[i]; i++)
        if (i >= s.n || (form[i] == 'd' ? s.p[i] < '0' || s.p[i] > '9' : s.p[i] != form[i]))
            return false;
    return true;
}

static unsigned number(str s, size_t at, size_t n)
{
    unsigned v = 0;

    for (size_t i = at; i < at + n; i++)
        v = 10 * v + (unsigned)(s.p[i] - '0');
    return v;
}

bool utc_read(str s, struct utc *ret, bool *ret_time)
{
    struct utc u = {0};
    bool time = s.n > 10;
    size_t end = 19;

    if (!fits(s, time ? "dddd-dd-ddTdd:dd:dd" : "dddd-dd-dd"))
        return false;
    u.year = number(s, 0, 4);
    u.month = number(s, 5, 2);
    u.day = number(s, 8, 2);
    if (time) {
        u.hour = number(s, 11, 2);
        u.minute = number(s, 14, 2);
        u.second = number(s, 17, 2);
        if (end + 2 < s.n && s.p[end] == '.')
            for (end++; end < s.n && end < 29 && s.p[end] >= '0' && s.p[end] <= '9';)
                end++;
        if (end + 1 != s.n || s.p[end] != 'Z')
            return false;
    }
    if (!utc_ok(&u))
        return false;
    *ret = u;
    *ret_time = time;
    return true;
}
