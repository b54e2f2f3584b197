/* budget.c - see budget.h.  What was not spent is not saved: after a rest there is no burst. */
#include "store/budget.h"

enum { SLEEP_MS_MIN = 5 };

void budget_init(struct budget *b, uint64_t bytes_per_s, struct event *stop)
{
    *b = (struct budget){.bytes_per_s = bytes_per_s, .stop = stop};
}

bool budget_spend(struct budget *b, uint64_t bytes)
{
    int64_t now;

    if (b->stop && event_is_set(b->stop))
        return false;
    if (!b->bytes_per_s)
        return true;
    now = os_mono_ns();
    if (b->due_ns < now)
        b->due_ns = now;
    b->due_ns += (int64_t)((double)bytes * 1e9 / (double)b->bytes_per_s);
    if (b->due_ns - now < SLEEP_MS_MIN * 1000000)
        return true;
    if (b->stop)
        return !event_wait(b->stop, (b->due_ns - now) / 1000000);
    os_sleep_ms((b->due_ns - now) / 1000000);
    return true;
}
