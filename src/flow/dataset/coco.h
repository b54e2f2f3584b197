/* coco.h - COCO annotation files (instances_*.json), read as a stream in the first pass. */
#ifndef ANNEAL_FLOW_DATASET_COCO_H
#define ANNEAL_FLOW_DATASET_COCO_H

#include "flow/dataset/harvest.h"

enum { COCO_STRING_MAX = 64 << 10, COCO_POLYGON_POINTS_MAX = 20000 };

/* Reads one JSON file through `fill` to its end.  A file that is not COCO, or not JSON, is
 * remembered as such and costs nothing; only failures of `fill` and of memory are returned. */
enum rc coco_add_file(struct harvest *p, str path, jr_fill_fn fill, void *ud,
                      struct err *e) must_check;
/* Says which JSON files could not be read, once it is clear that they do not matter. */
void coco_report_broken(struct harvest *p);

#endif
