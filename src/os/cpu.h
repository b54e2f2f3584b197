/* cpu.h - which processors there are for a thread, and keeping one off a processor.  (Apart from
 * os.h, which is also read where there are no threads: WebAssembly.) */
#ifndef ANNEAL_OS_CPU_H
#define ANNEAL_OS_CPU_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* The processors that this process may use: its affinity, not the container's quota. */
struct os_cpus {
    uint64_t bits[16];
    int count;
};
int os_cpu_now(void);                      /* where the calling thread runs; -1: unknown */
bool os_cpus_allowed(struct os_cpus *ret); /* false: unknown, and nothing is in the set */
/* From now on `thread` runs on any of `allowed` but `cpu`.  False, and nothing changed: no other is
 * left, or the system refuses. */
bool os_thread_avoid(pthread_t thread, const struct os_cpus *allowed, int cpu);

#endif
