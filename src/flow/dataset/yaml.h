/* yaml.h - the little YAML of YOLO's data.yaml: scalars, inline and block lists, one level of maps.
 * Anchors, tags, multi-line scalars and deeper nesting are not understood and skipped. */
#ifndef ANNEAL_FLOW_DATASET_YAML_H
#define ANNEAL_FLOW_DATASET_YAML_H

#include "base/arena.h"
#include "base/vec.h"

enum { YAML_ITEMS_MAX = 20000 };

struct yaml_item {
    str key;   /* of the top level */
    str index; /* "3: cat" inside the key's block gives "3"; else .n 0 */
    str value; /* unquoted */
    int line;
};
struct yaml {
    VEC(struct yaml_item) items; /* in order; a list gives several of the same key */
};
/* Text is lent or, where escapes had to be undone, in `a`.  RC_CORRUPT names the line. */
enum rc yaml_read(struct yaml *ret, struct arena *a, str text, struct err *e) must_check;
void yaml_done(struct yaml *y);

#endif
