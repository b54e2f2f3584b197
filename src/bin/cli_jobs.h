/* cli_jobs.h - what the commands about jobs share: following one to its end, and showing it. */
#ifndef ANNEAL_BIN_CLI_JOBS_H
#define ANNEAL_BIN_CLI_JOBS_H

#include "bin/cli.h"

/* Takes Ctrl-C over: from now on it ends the waiting, not the job.  Call it before the first
 * request of a command that will wait. */
enum rc follow_prepare(struct cli *c, struct err *e) must_check;
/* Follows a job's live feed to its end: a bar and a line an epoch, or (logs) its log lines alone.
 * A broken connection is made again from the last event.  *ret is the job afterwards.  After Ctrl-C
 * *ret is the job as it then is, and c->status EXIT_INTERRUPTED. */
enum { EXIT_INTERRUPTED = 130 };
enum rc follow_job(struct cli *c, const char *job, bool logs, const struct json **ret,
                   struct err *e) must_check;
/* Waits, shows the score and prints the JSON; c->status is EXIT_FAILED unless it completed. */
enum rc wait_and_tell(struct cli *c, const char *job, struct err *e) must_check;
/* A job that was just made: its id, warnings about its settings; then waits, if so asked. */
enum rc tell_new_job(struct cli *c, const struct json *job, bool wait, struct err *e) must_check;

/* Runs a completed job again, follows it, and says whether it gave the same; prints the JSON.
 * c->status: EXIT_DIFFERS if not, EXIT_FAILED if it did not complete. */
enum { EXIT_DIFFERS = 4 };
enum rc replay_job(struct cli *c, str word, str name, struct err *e) must_check;

/* What --weights names, as the server knows it: "job:WORD[:CHECKPOINT]" with the job's id,
 * "sha256:HEX" as it is, and else a safetensors file, which is uploaded. */
enum rc cli_weights(struct cli *c, str word, str *ret, struct err *e) must_check;

/* The job that a word names: an id, or `last` for the newest. */
enum rc job_id_of(struct cli *c, str word, const char **ret, struct err *e) must_check;
enum rc job_get_json(struct cli *c, const char *id, const struct json **ret,
                     struct err *e) must_check;
void show_job(struct cli *c, const struct json *job);

/* "88.1 %" of an accuracy, "0.4123" of a loss. */
const char *metric_text(struct arena *a, const char *name, double value);
const char *text_in(struct cli *c, const struct json *o, const char *key);

#endif
