/* ingest.h - one import, in a process of its own (`anneal ingest`).
 *
 *   serve --one line, struct ingest_order--> stdin    stdout --lines, JSON--> serve
 *     {"event":"progress","phase":"scan","done":1048576,"total":7000000}      at most two a second
 *     {"event":"progress","phase":"images","done":300,"total":6000}
 *     {"event":"done","version":"<sha256>","report":"reports/<import>.jsonl",
 *      "task":"classification","format":"folder","images":6000,
 *      "bytes":5400000,"manifest_bytes":1300000,"faults":2}
 *     {"event":"failed","code":"corrupt_data","fault":"truncated","text":".."}
 *
 * The process reads the uploaded archive by ranges from the object store, twice: once to judge it,
 * once to check and store its pictures.  Everything that it writes is named by content (blobs,
 * previews, manifest) or by the import (report), so it may be killed at any instruction and run
 * again. The report: a first line of statistics (assemble.h), then a line for each fault (fault.h).
 */
#ifndef ANNEAL_FLOW_DATASET_INGEST_H
#define ANNEAL_FLOW_DATASET_INGEST_H

#include "flow/dataset/split.h"

enum ingest_kind { INGEST_ARCHIVE, INGEST_SPLIT, INGEST_DRAFT, INGEST_CLASSES };
extern const char *const ingest_kind_names[]; /* "archive", "split", "draft", "classes" */

enum {
    INGEST_ORDER_BYTES_MAX = 256 << 20, /* lists of names can be long */
    INGEST_PARTS_MAX = 10000,
    INGEST_THREADS = 16,             /* they mostly wait for the store */
    INGEST_MEMORY_BYTES = 768 << 20, /* of pictures being decoded at once */
};

struct ingest_part {
    str key;
    int64_t bytes;
}; /* the archive is the parts one after the other */
extern const struct field ingest_part_fields[];

struct ingest_order {
    int kind;
    str import_id;
    struct objs parts;   /* archive */
    str base_version;    /* all but an archive */
    str format;          /* the same: as the base's report says */
    str edits_key;       /* draft: the object of its edits (draft.h) */
    struct strs classes; /* classes: what each is called from now on (reclass.h) */
    struct split_spec split;
    str endpoint, region, bucket, access_key, secret_key, session_token;
    bool virtual_host;
    int64_t unpacked_bytes_max, entries_max;
    int64_t threads; /* 0: INGEST_THREADS */
};
extern const struct field ingest_order_fields[];

/* Reads the order from in_fd, works, and reports on out_fd.  RC_OK too when the import has failed
 * and that was reported; an error is for the exit status. */
enum rc ingest_run(int in_fd, int out_fd, struct err *e) must_check;

void report_key(str import_id, char ret[BLOB_KEY_MAX]);

#endif
