/* jobs_control.c - what is asked of a job under way: pause it, or stop it early and keep its best
 * (flow/job/job.h 8).  Going on is `resume`, beside that of ended jobs (jobs_new.c).
 */
#include "api/jobs.h"
#include "os/os.h"

struct ask_body {
    bool now;
};
static const struct field ask_fields[] = {
    F_BOOL(struct ask_body, now,
           .help = "Do not wait for the end of the epoch under way: what it has done is lost."),
    FIELD_END};

static enum rc post_pause(struct ctx *c, struct err *e)
{
    const struct ask_body *b = c->body;
    struct job j;
    enum rc rc = job_of(c, ROLE_ENGINEER, &j, e);

    if (!rc)
        rc = job_pause(c->app->jobs, c->a, j.id, b->now, os_now_ms(), &j, e);
    return rc ? rc : reply_job(c, 202, &j, e);
}

static enum rc post_stop(struct ctx *c, struct err *e)
{
    const struct ask_body *b = c->body;
    struct job j;
    enum rc rc = job_of(c, ROLE_ENGINEER, &j, e);

    if (!rc)
        rc = job_finish(c->app->jobs, c->a, j.id, b->now, os_now_ms(), &j, e);
    return rc ? rc : reply_job(c, 202, &j, e);
}

#define ASK .body = ask_fields, .body_size = sizeof(struct ask_body), .reply = job_view_fields
extern const struct route job_control_routes[];
const struct route job_control_routes[] = {
    {HTTP_POST, "/training/jobs/{id}/pause", ACCESS_ENGINEER, "jobs:write", ASK, .tag = "Jobs",
     .summary = "Pause a job: its place on the trainer becomes free at the end of the epoch.",
     .help = "202; again is fine.  A running job's `wish` is pause until the epoch has ended; then "
             "it is queued and `paused`, for as long as it takes, restarts included.  `resume` "
             "takes the wish back or queues it again; it goes on from its last checkpoint and ends "
             "with the same bytes as if it had never stopped.  409: not started, or ended.",
     .fn = post_pause},
    {HTTP_POST, "/training/jobs/{id}/stop", ACCESS_ENGINEER, "jobs:write", ASK, .tag = "Jobs",
     .summary = "Stop a training early and keep the best that it has so far.",
     .help = "202; again is fine.  The job completes at the end of the epoch under way, a paused "
             "or queued one at once, with the weights of its best checkpoint; `message` says that "
             "it was stopped.  409: a test, not started, ended, or nothing to keep yet.",
     .fn = post_stop},
    ROUTE_END};
