/* split.h - which pictures train, which validate, which test: by what is given, by ratio, by lists.
 *
 * A picture without labels stays in no split; when it has some, `fill` gives it a place by ratio
 * and leaves the others where they are.
 *
 * A ratio is stratified: each class (for shapes: the rarest class in the picture) is divided on its
 * own.  A picture's place in its class's order is a random word of the seed and of its content's
 * hash, so the same content and seed give the same split on every machine, whatever the archive's
 * order, and adding pictures moves few others.  Pictures of equal content stay together.
 */
#ifndef ANNEAL_FLOW_DATASET_SPLIT_H
#define ANNEAL_FLOW_DATASET_SPLIT_H

#include "flow/dataset/fault.h"
#include "spec/dataset.h"
#include "spec/field.h"

enum split_method { SPLIT_AUTO, SPLIT_GIVEN, SPLIT_RATIO, SPLIT_LISTS, SPLIT_MOVES, SPLIT_FILL };
extern const char *const split_method_names[]; /* "auto", "given", "ratio", "lists", .. */

enum { SPLIT_NAMES_MAX = 1000000 };

struct split_spec {
    /* auto: as given, with val taken from train if there is none; else by ratio.  lists: who is in
     * no list is in no split.  moves: as given, but the named ones move.  fill: as given, but
     * labelled pictures in no split are divided by ratio. */
    int method;
    double train, val, test; /* sum 1 */
    int64_t seed;
    struct strs train_files, val_files, test_files, none_files; /* names as in the manifest */
    struct strs exclude; /* names to leave out, with any method */
};
extern const struct field split_spec_fields[];
enum rc split_spec_check(const struct split_spec *s, struct err *e) must_check;
/* "given", "auto", "0.8/0.2", "0.7/0.2/0.1": the form of a query parameter or a flag. */
enum rc split_spec_read(str text, struct split_spec *ret, struct err *e) must_check;

struct split_item {
    const char *sha256;
    str name;
    int32_t stratum;
    enum split split; /* in: as given, SPLIT_NONE if it is not; out: the result */
    bool excluded;    /* out */
    bool unlabelled;  /* in: no method puts it into a split */
};
/* `given`: the data itself names splits.  Names of lists that do not exist become faults. */
enum rc split_apply(const struct split_spec *s, struct split_item *items, size_t n, bool given,
                    struct faults *faults, struct err *e) must_check;

#endif
