/* store_verbs.h - the verbs of `anneal store` that work on a store's folder by themselves, whether
 * a store runs there or not. */
#ifndef ANNEAL_BIN_STORE_VERBS_H
#define ANNEAL_BIN_STORE_VERBS_H

#include "bin/cli.h"
#include "store/identity.h"

struct store_data_flags {
    str data;
};
struct store_rotate_flags {
    str data, grace;
};
struct store_walk_flags {
    str data, rate;
    bool quick;
};
struct store_compact_flags {
    str data, rate;
    int64_t dead_percent;
};
extern const struct field store_data_fields[], store_rotate_fields[], store_walk_fields[],
    store_scrub_fields[], store_compact_fields[];

/* The store's folder: DATA/store, where DATA is the flag's, or as for the server. */
enum rc store_dir(struct cli *c, str data, const char **ret_dir, const char **ret_master,
                  struct err *e) must_check;

enum rc store_user_add(struct cli *c, struct err *e), store_user_list(struct cli *c, struct err *e),
    store_user_grant(struct cli *c, struct err *e), store_user_rotate(struct cli *c, struct err *e),
    store_user_disable(struct cli *c, struct err *e),
    store_user_enable(struct cli *c, struct err *e),
    store_user_remove(struct cli *c, struct err *e);
enum rc store_run_stat(struct cli *c, struct err *e), store_run_check(struct cli *c, struct err *e),
    store_run_scrub(struct cli *c, struct err *e), store_run_compact(struct cli *c, struct err *e),
    store_run_backup(struct cli *c, struct err *e);

#endif
