/* registry_int.h - private to flow/registry: rows, and the event that every change writes. */
#ifndef ANNEAL_FLOW_REGISTRY_INT_H
#define ANNEAL_FLOW_REGISTRY_INT_H

#include "db/cols.h"
#include "flow/registry/registry.h"

enum rc registry_nomem(struct err *e);

/* registry.c: where a verb leads from a state, or RC_CONFLICT with what is possible. */
enum rc verb_target(enum version_verb verb, enum version_state from, bool scored,
                    enum version_state *ret, struct err *e) must_check;
int version_state_of(str name);

struct event_new {
    str model_id;
    int64_t number; /* 0: of the model */
    const char *kind;
    str alias;
    const char *from, *to; /* states; "" none */
    int64_t other;         /* 0: none */
    str note;
};
enum rc event_add(struct tx *tx, const struct event_new *v, const struct registry_who *who,
                  int64_t now, struct err *e) must_check;

/* What decides about a version. */
struct standing {
    int state;
    int64_t live;   /* aliases that name it */
    bool scored;    /* it has a completed evaluation */
    str created_by; /* in the arena */
    bool by_other;  /* the project asks that somebody else approves */
};
enum rc standing_load(struct tx *tx, struct arena *a, str model_id, int64_t number,
                      struct standing *ret, struct err *e) must_check;
enum rc version_set_state(struct tx *tx, str model_id, int64_t number, int from, int to,
                          int64_t now, struct err *e) must_check;
/* Newest first; which is bound to the one `?` of the condition. */
enum rc version_load(struct tx *tx, struct arena *a, str model_id, int64_t number,
                     struct registry_version *ret, struct err *e) must_check;
enum rc model_load_by_id(struct tx *tx, struct arena *a, str id, struct registry_model *ret,
                         struct err *e) must_check;

#endif
