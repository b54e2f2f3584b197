/* imports.h - runs queued imports, one at a time, each in a process of its own (ingest.h).
 *
 * One thread owns the queue's head.  The process is ours to kill: it dies with us, and an import
 * that was running when we died is queued again at the next start.  A process that dies without a
 * last word (a crash in a decoder) is run again, IMPORT_ATTEMPTS_MAX times in all; then the import
 * has failed.
 */
#ifndef ANNEAL_FLOW_DATASET_IMPORTS_H
#define ANNEAL_FLOW_DATASET_IMPORTS_H

#include "flow/dataset/dataset.h"
#include "s3/s3.h"

struct imports;
struct imports_setup { /* all lent for the life of struct imports */
    struct db *db;
    struct s3 *s3;
    struct s3_config store; /* what the process is told; never in its argv */
    uint64_t unpacked_bytes_max, entries_max;
    const char *program; /* NULL: this binary */
    /* After the commit that ended an import, on our thread; for counters.  May be NULL. */
    void (*ended)(bool done, void *ud);
    void *ud;
};
enum rc imports_new(struct imports **ret, const struct imports_setup *s, struct err *e) must_check;
void imports_poke(struct imports *im); /* any thread: something was queued or deleted */
void imports_free(
    struct imports *im); /* kills a running process; its import resumes later.  NULL is fine */

#endif
