/* signal.c - a long-running role waits for its end in one place: no handler, no flag. */
#include "os/os.h"

#include <signal.h>

static void stop_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

void os_stop_block(void)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    stop_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int os_stop_wait(void)
{
    sigset_t set;
    int sig = 0;

    stop_set(&set);
    while (sigwait(&set, &sig) != 0)
        ;
    return sig;
}
