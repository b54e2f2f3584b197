/* pulse.c - one thread for all attempts: escalates signals, lets held reports out, buries the dead.
 *
 * An attempt's own thread may be busy for minutes (an upload to a slow store); what must not wait
 * for it happens here, every PULSE_MS while there is anything to watch.  Only this thread frees
 * attempts, so it may look at them without the table's lock.
 */
#include "flow/trainer/job_int.h"

#include <signal.h>

enum { PULSE_MS = 200, PULSE_JOBS_MAX = JOBS_KEPT + 256 };

void job_push_out(struct job *j, int64_t now)
{
    if (!j->pid || (!j->stop && !j->expel))
        return;
    if (j->expel || j->stop >= STOP_OVER || (j->term_ms && now - j->term_ms >= STOP_GRACE_MS)) {
        os_kill(j->pid, SIGKILL);
    } else if (!j->term_ms) {
        os_kill(j->pid, SIGTERM);
        j->term_ms = now;
    }
}

static void pulse_job(struct job *j, int64_t now)
{
    enum job_phase phase;

    pthread_mutex_lock(&j->mu);
    job_push_out(j, now);
    phase = j->phase;
    pthread_mutex_unlock(&j->mu);
    if (phase == PHASE_CONCLUDED) {
        if (j->has_thread) {
            pthread_join(j->thread, NULL); /* it has nothing left to do */
            j->has_thread = false;
        }
        return;
    }
    job_read_errors(j);
    job_speak(j, now);
}

bool job_ended(struct job *j)
{
    bool ended;

    pthread_mutex_lock(&j->mu);
    ended = j->phase == PHASE_CONCLUDED && j->box_ended;
    pthread_mutex_unlock(&j->mu);
    return ended;
}

/* Takes out of the list what has ended and is superseded, or older than JOBS_KEPT others; jobs.mu
 * is held.  Returns them as a list. */
static struct job *take_dead(struct jobs *js)
{
    struct job *dead = NULL, **at = &js->list, *j;
    unsigned kept = 0;

    while ((j = *at)) {
        bool ended = !j->has_thread && job_ended(j);

        if (ended && (j->superseded || ++kept > JOBS_KEPT)) {
            *at = j->next;
            j->next = dead;
            dead = j;
        } else {
            at = &j->next;
        }
    }
    return dead;
}

static bool all_quiet(const struct jobs *js)
{
    for (const struct job *j = js->list; j; j = j->next)
        if (j->has_thread)
            return false;
    return true;
}

void *pulse_main(void *ud)
{
    struct jobs *js = ud;
    struct job *now_here[PULSE_JOBS_MAX], *dead;
    size_t n;

    pthread_mutex_lock(&js->mu);
    while (!js->closing) {
        n = 0;
        for (struct job *j = js->list; j && n < PULSE_JOBS_MAX; j = j->next)
            now_here[n++] = j;
        pthread_mutex_unlock(&js->mu);
        for (size_t i = 0; i < n; i++)
            pulse_job(now_here[i], os_mono_ms());
        pthread_mutex_lock(&js->mu);
        dead = take_dead(js);
        while (dead) {
            struct job *j = dead;

            dead = j->next;
            pthread_mutex_unlock(&js->mu);
            job_free(j);
            pthread_mutex_lock(&js->mu);
        }
        if (!js->closing)
            cond_wait(&js->changed, &js->mu, all_quiet(js) ? INT64_MAX : os_mono_ms() + PULSE_MS);
    }
    pthread_mutex_unlock(&js->mu);
    return NULL;
}
