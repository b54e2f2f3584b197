/* spawner.h - one long-lived thread that starts all child processes.
 *
 * The kernel ties "kill the child when its parent dies" (PR_SET_PDEATHSIG) to the thread that
 * forked, not to the process.  A job's thread ends while other children live, so none of them may
 * fork.
 */
#ifndef ANNEAL_FLOW_TRAINER_SPAWNER_H
#define ANNEAL_FLOW_TRAINER_SPAWNER_H

#include "os/os.h"

struct spawner;
enum rc spawner_new(struct spawner **ret, struct err *e) must_check;
void spawner_free(struct spawner *s); /* kills what still lives; NULL is fine */
/* os_spawn with OS_SPAWN_DIE_WITH_US, on the spawner's thread.  Any thread may call. */
enum rc spawner_run(struct spawner *s, struct os_child *ret, const char *const *argv,
                    unsigned flags, struct err *e) must_check;

#endif
