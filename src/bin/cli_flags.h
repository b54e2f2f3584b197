/* cli_flags.h - the command line, read by tables.
 *
 *     --learning-rate 0.1   --learning-rate=0.1   --wait   --no-nesterov   -- PATH
 *
 * Flags and words come in any order; `--` ends the flags.  A dash in a flag's name is an underscore
 * in its table.  What starts with "--" is no value of the flag before it, unless written with "=".
 * An unknown flag is RC_INVALID, and the text names the nearest that there is. */
#ifndef ANNEAL_BIN_CLI_FLAGS_H
#define ANNEAL_BIN_CLI_FLAGS_H

#include "base/vec.h"
#include "spec/field.h"

/* What the walk asks of whoever knows the flags; ud is the caller's. */
struct flag_set {
    const char *(*name)(void *ud, size_t i); /* of the i-th flag; NULL behind the last */
    bool (*is_switch)(void *ud, size_t i);   /* takes a value only with "=" */
    enum rc (*set)(void *ud, size_t i, str value, struct err *e);
    enum rc (*word)(void *ud, str word, struct err *e); /* what is no flag; NULL: refused */
};
/* argv[0] is skipped. */
enum rc flags_walk(const struct flag_set *s, void *ud, int argc, char **argv,
                   struct err *e) must_check;

/* ---- flags that are the fields of structs */
enum { FLAG_TABLES_MAX = 4 };
struct flags {
    struct arena *a; /* lent; holds the texts */
    struct {
        const struct field *fields;
        void *to;
    } table[FLAG_TABLES_MAX];
    size_t tables;
    VEC(const struct field *) given; /* in the order of the command line */
    VEC(str) words;
};
void flags_init(struct flags *f, struct arena *a);
void flags_done(struct flags *f);
/* Adds a table and gives its struct (zeroed memory, lent) the defaults. */
enum rc flags_add(struct flags *f, const struct field *fields, void *to, struct err *e) must_check;
enum rc flags_read(struct flags *f, int argc, char **argv, struct err *e) must_check;
bool flags_given(const struct flags *f, const char *name);

/* "learning_rate" -> "--learning-rate". */
enum { FLAG_TEXT_MAX = 64 };
void flag_text(const char *name, char ret[FLAG_TEXT_MAX]);
/* "N", "X", "sgd|adamw", "" for a switch: what stands behind the flag in help. */
const char *flag_value_text(const struct field *f, struct arena *a);

/* The name of `names` that is nearest to `word` (NULL-ended); NULL if none is near. */
const char *nearest_name(const char *const *names, str word);

#endif
