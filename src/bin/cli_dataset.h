/* cli_dataset.h - what the verbs of `anneal dataset` share. */
#ifndef ANNEAL_BIN_CLI_DATASET_H
#define ANNEAL_BIN_CLI_DATASET_H

#include "bin/cli.h"

enum { FAULTS_SHOWN = 20 };

struct import_flags {
    str name, project, split;
    int64_t seed;
};
enum rc run_import(struct cli *c, struct err *e) must_check;
/* Waits for its end; *ret is the import, done.  A failed one is an error. */
enum rc wait_import(struct cli *c, const char *id, const struct json **ret,
                    struct err *e) must_check;
/* The version that an import made: a summary, its first faults; or the JSON object. */
enum rc tell_import(struct cli *c, const struct json *im, struct err *e) must_check;
/* The counts by code and the first `limit` faults as file:line.  name: for people. */
enum rc show_faults(struct cli *c, const char *name, const char *dataset, const char *version,
                    const char *code, int limit, struct err *e) must_check;
/* "split": {..} of "given", "auto", "0.8,0.1,0.1" into an open object. */
enum rc write_split(struct jw *w, str text, int64_t seed, struct err *e) must_check;

#endif
