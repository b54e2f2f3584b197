/* config.h - every setting of the program, from one table.
 *
 * Precedence: flag, then environment, then file (DATA/anneal.conf or --config FILE: `name = value`
 * lines, # comments), then default.  `anneal config` prints each value with where it came from.
 * An unknown name or a bad value is an error that names its source.  Immutable once loaded.
 */
#ifndef ANNEAL_SPEC_CONFIG_H
#define ANNEAL_SPEC_CONFIG_H

#include "base/arena.h"

enum config_type { CONFIG_STR, CONFIG_INT, CONFIG_BOOL, CONFIG_BYTES, CONFIG_CHOICE, CONFIG_ADDR };
struct config_row {
    const char *name; /* in the file and after `--` (with - for _) */
    const char *env;  /* NULL: none */
    enum config_type type;
    const char *dflt; /* "" is empty; {data} stands for the data directory */
    double min, max;  /* CONFIG_INT, CONFIG_BYTES */
    const char *const *choices;
    bool secret; /* shown as ***** */
    const char *group;
    const char *help;
};
extern const struct config_row config_rows[]; /* ends with name NULL */

struct config;
/* flags: "name=value" texts in order, e.g. from `--listen 127.0.0.1:0`; file NULL: DATA/anneal.conf
 * if it exists.  env: environ. */
enum rc config_load(struct config **ret, const char *const *flags, size_t flags_n, const char *file,
                    char *const *env, struct err *e) must_check;
void config_free(struct config *c);
/* The name must be a row (ASSERT). */
const char *config_str(const struct config *c, const char *name);
int64_t config_int(const struct config *c, const char *name);
uint64_t config_u64(const struct config *c, const char *name); /* CONFIG_BYTES and CONFIG_INT */
bool config_bool(const struct config *c, const char *name);
const char *
config_source(const struct config *c,
              const char *name); /* "flag", "environment NAME", "file PATH:LINE", "default" */
/* <FRAMEWORK>_SERVICE_URL; NULL if that framework is not configured. */
const char *config_service_url(const struct config *c, str framework);
const char *config_default_data_dir(struct arena *a, char *const *env);

#endif
