/* job_testing.h - what the tests of flow/job share: a fresh database, a job, reports, and a hub
 * that only records.  Included by tests alone. */
#ifndef ANNEAL_FLOW_JOB_JOB_TESTING_H
#define ANNEAL_FLOW_JOB_JOB_TESTING_H

#include "base/test.h"
#include "flow/job/job.h"
#include "flow/job/job_read.h"
#include <math.h>

static struct db *test_db;
static struct jobs *test_jobs;
static struct arena test_arena;
static struct err err;
static int ended_count;
static int poke_count;
static char events[8192]; /* "1:state 2:log .." */

void hub_poke(struct hub *h, str topic)
{
    poke_count++;
}
void hub_event(struct hub_out *o, int64_t id, const char *name, str data)
{
    size_t n = strlen(events);

    snprintf(events + n, sizeof events - n, "%lld:%s ", (long long)id, name);
}

static void count_end(const struct job *j, void *ud)
{
    CHECK(job_status_ended(j->status));
    ended_count++;
}

static void set_up(void)
{
    char url[300];

    ended_count = poke_count = 0;
    events[0] = 0;
    snprintf(url, sizeof url, "sqlite:%s/job.db", test_dir());
    CHECK_OK(db_open(&test_db, url, &err), &err);
    CHECK_OK(db_migrate(test_db, &err), &err);
    CHECK_OK(jobs_new(&test_jobs,
                      &(struct jobs_setup){.db = test_db,
                                           .hub = (struct hub *)&poke_count,
                                           .lease_ms = 30000,
                                           .retry_ms = 1000,
                                           .log_lines_max = 5,
                                           .ended = count_end},
                      &err),
             &err);
    arena_init(&test_arena, 64 << 20);
}

static void tear_down(void)
{
    jobs_free(test_jobs);
    db_close(test_db);
    arena_done(&test_arena);
}

static inline struct job make_job_of(str user, int64_t priority, bool start, int64_t now)
{
    struct job j;
    struct job_new n = {.framework = STR("anneal"),
                        .model = STR("tiny"),
                        .dataset_id = STR("d1"),
                        .dataset_name = STR("flowers"),
                        .dataset_version = STR("v1"),
                        .config = STR("{}"),
                        .epochs = 3,
                        .attempts_max = 3,
                        .priority = priority,
                        .created_by = user,
                        .start = start};

    CHECK_OK(job_create(test_jobs, &test_arena, &n, now, &j, &err), &err);
    return j;
}
static inline struct job make_job(bool start)
{
    return make_job_of(STR_NONE, 50, start, 1000);
}

static inline struct job get(str id)
{
    struct job j;

    CHECK_OK(job_get(test_jobs, &test_arena, id, &j, &err), &err);
    return j;
}

static inline int64_t sql_int(const char *sql)
{
    int64_t v;

    CHECK_OK(db_int(test_db, -1, &v, &err, sql), &err);
    return v;
}
static inline void sql_do(const char *sql)
{
    CHECK_OK(db_exec(test_db, &err, sql), &err);
}

/* A running job on its next attempt. */
static inline struct job run_job(str id, int64_t now)
{
    struct job j;
    char token[JOB_TOKEN_TEXT];

    CHECK_OK(job_attempt_begin(test_jobs, &test_arena, id, STR("t"), STR("http://t"), now, &j,
                               token, &err),
             &err);
    CHECK_OK(job_attempt_accepted(test_jobs, id, j.attempt, now, &err), &err);
    return get(id);
}

static inline struct report_reply report(str id, int64_t attempt, struct report r, int64_t now)
{
    struct report_reply reply;

    r.attempt = attempt;
    CHECK_OK(job_apply_report(test_jobs, &test_arena, id, attempt, &r, now, &reply, &err), &err);
    return reply;
}

#endif
