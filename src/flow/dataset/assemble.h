/* assemble.h - from checked pictures to a version: faults across pictures, the split, the
 * manifest's bytes, and the statistics that people see. */
#ifndef ANNEAL_FLOW_DATASET_ASSEMBLE_H
#define ANNEAL_FLOW_DATASET_ASSEMBLE_H

#include "flow/dataset/harvest.h"
#include "flow/dataset/split.h"

enum { FEW_SAMPLES = 10, IMBALANCE_RATIO = 10, SIZE_BUCKETS = 12 };

struct assembly {
    struct harvest *harvest;
    struct picture **order; /* those of the version, sorted by (split, name) */
    size_t n;
    struct dataset_header header;
    char version[SHA256_HEX + 1];
    uint64_t manifest_bytes;
    uint64_t images_bytes;
    uint64_t duplicates; /* pictures whose content occurred before */
};
/* Reports and drops what the second pass refused, finishes marks (unless `finished`: they come from
 * a manifest), splits, sorts, names the version.  RC_CORRUPT if nothing is left. */
enum rc assemble(struct harvest *p, const struct split_spec *split, bool finished,
                 struct assembly *ret, struct err *e) must_check;

typedef enum rc (*assembly_sink_fn)(void *ud, const void *p, size_t n, struct err *e);
enum rc assembly_write(const struct assembly *as, assembly_sink_fn sink, void *ud,
                       struct err *e) must_check;

/* {"task","format","images","bytes","splits":{},"classes":[{"name","images","shapes","train",..}],
 *  "sizes":[{"side_max","images"}],"width":{"min","max"},"height":{..},"types":{},"duplicates",
 *  "other_files","faults","fault_counts":{}} */
void assembly_stats(const struct assembly *as, struct jw *w);

#endif
