/* cpu.c - which processor a thread is on, and shall not be on. */
#include "os/cpu.h"
#include <sched.h>

static cpu_set_t *set_of(struct os_cpus *c)
{
    _Static_assert(sizeof(cpu_set_t) <= sizeof c->bits, "room for every processor");
    return (cpu_set_t *)(void *)c->bits;
}

int os_cpu_now(void)
{
    return sched_getcpu();
}

bool os_cpus_allowed(struct os_cpus *ret)
{
    *ret = (struct os_cpus){0};
    if (sched_getaffinity(0, sizeof(cpu_set_t), set_of(ret)) != 0)
        return false; /* more processors than the set has room for */
    ret->count = CPU_COUNT(set_of(ret));
    return true;
}

bool os_thread_avoid(pthread_t thread, const struct os_cpus *allowed, int cpu)
{
    struct os_cpus left = *allowed;
    cpu_set_t *set = set_of(&left);

    if (cpu < 0 || cpu >= CPU_SETSIZE)
        return false;
    CPU_CLR((size_t)cpu, set);
    return CPU_COUNT(set) > 0 && pthread_setaffinity_np(thread, sizeof *set, set) == 0;
}
