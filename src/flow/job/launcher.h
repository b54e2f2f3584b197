/* launcher.h - where trainers run, and nothing else.
 *
 *   service      a trainer that is already running, at TRAINER_SERVICE_URL or
 * <FRAMEWORK>_SERVICE_URL subprocess   `anneal trainer` on a free port of the loopback interface,
 * started by us, started again with growing pauses when it dies, and dying with us
 *
 * Either way the rest speaks HTTP to a URL with a service token.  The framework of the native
 * trainer is "anneal"; a framework without a trainer is RC_INVALID, naming those that there are.
 */
#ifndef ANNEAL_FLOW_JOB_LAUNCHER_H
#define ANNEAL_FLOW_JOB_LAUNCHER_H

#include "base/str.h"
#include "spec/config.h"

enum { SITE_NAME_MAX = 32, SITE_URL_MAX = 256, SITE_TOKEN_MAX = 256, SITES_MAX = 8 };
struct site { /* one trainer */
    char framework[SITE_NAME_MAX];
    char url[SITE_URL_MAX]; /* without a slash at the end */
    char token[SITE_TOKEN_MAX];
};

struct launcher;
/* c is lent for the launcher's life. */
enum rc launcher_new(struct launcher **ret, const struct config *c, struct err *e) must_check;
/* Starts what should run and looks after it.  Always by the same thread, which must live as long as
 * the children: they die with it. */
void launcher_tick(struct launcher *l, int64_t now_mono_ms);
/* Any thread: from now on no child is started again.  A terminal's Ctrl-C reaches them too. */
void launcher_drain(struct launcher *l);
/* The thread of launcher_tick: stops the children (SIGTERM, up to wait_ms, SIGKILL). */
void launcher_stop(struct launcher *l, int64_t wait_ms);
void launcher_free(struct launcher *l);

/* Any thread.  RC_INVALID: no trainer has that framework.  RC_UNAVAILABLE: it is not up yet; why.
 */
enum rc launcher_find(struct launcher *l, str framework, struct site *ret,
                      struct err *e) must_check;
/* Names of all frameworks; returns how many. */
size_t launcher_frameworks(struct launcher *l, const char *ret[SITES_MAX]);

#endif
