/* command.h - the subcommands.  Each is one file with one `struct command`; main.c lists them.
 *
 * Exit status: 0 done, 1 it failed, 2 the command line is wrong, 3 the server cannot be reached,
 * 4 a replay gave other weights. */
#ifndef ANNEAL_BIN_COMMAND_H
#define ANNEAL_BIN_COMMAND_H

#include "base/err.h"
#include "spec/config.h"

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_UNREACHABLE };

struct verb;
struct command {
    const char *name;
    const char *usage;                 /* behind the name: "[--seed N] DIR" */
    const char *summary;               /* one line */
    const char *help;                  /* paragraphs and examples */
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand; NULL: by its verbs */
    const struct verb *verbs;          /* cli.h; NULL: its flags are settings.  With run and verbs,
                                          no verb means run. */
};
extern const struct command *const commands[]; /* NULL-ended, in the order of `anneal help` */
const struct command *command_find(const char *name);
void command_help(const struct command *c); /* to stdout */

/* Prints "anneal: text" (red on a terminal) and gives the exit status that fits. */
int command_fail(const struct err *e);
/* The same for a command line that is wrong. */
int command_refuse(const struct err *e);
int command_usage(const struct command *c, const char *fmt, ...) printf_like(2, 3);

/* Every row of the configuration is a flag: --store-listen ADDR or --store-listen=ADDR; also
 * --config FILE.  Takes all of argv; an unknown word is RC_INVALID. */
enum rc settings_load(struct config **ret, int argc, char **argv, struct err *e) must_check;

/* Sets the log up as log_level and log_format say; `who` stands in each line. */
void settings_log(const struct config *c, const char *who);
/* What a store does in the background. */
struct store_config;
void settings_store(const struct config *c, struct store_config *to);

extern const struct command serve_command, trainer_command, worker_command, ingest_command,
    store_command, config_command;
extern const struct command dataset_command, train_command, jobs_command, test_command,
    predict_command, export_command, models_command, user_command, token_command, sample_command,
    doctor_command, version_command, completion_command, man_command, debug_command;

#endif
