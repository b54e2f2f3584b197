/* registry.h - models that are kept: versions with their origin, who approved what, what is live.
 *
 *               evaluation completed      approve             publish under an alias
 *         draft ──────────────▶ evaluated ──────▶ approved ◀──────────────────────▶ live
 *           ▲ ▲                   │   ▲   withdraw   │         its last alias goes
 *   restore │ └── (scored: evaluated) └──────────────┤
 *           └──────── archived ◀──── archive ────────┘ (draft, evaluated, approved)
 *
 * 1. Every arrow is a row of one table (registry.c) and is drawn in one transaction with the event
 *    that tells of it.  live is never asked for: it follows from the aliases.
 * 2. A model has versions 1, 2, ..; a number is never given again.  Nothing is ever deleted: what
 *    is not wanted is archived.
 * 3. An alias ("production") names one version, which is approved.  Each publication is a row that
 *    ends when the next begins; it knows the one before, so that a roll back undoes publications
 *    one by one, skipping versions that were archived.
 * 4. A publication may state which version the caller believes to be live; another one is
 *    RC_CONFLICT, so that of two people who publish at once the second is told.
 * 5. The weights are an object of the registry's own, models/<sha256>: it lives as long as the
 *    registry, whatever becomes of the job.
 * 6. A project may ask that whoever registered a version is not who approves it.
 * 7. A visitor's link names an alias.  Its token is stored as its SHA-256 only, has an end, can be
 *    revoked, and is limited in its rate (rate.h).
 *
 * Any thread.  `now` is Unix time in ms.  Text that is returned lives in the arena given.
 */
#ifndef ANNEAL_FLOW_REGISTRY_REGISTRY_H
#define ANNEAL_FLOW_REGISTRY_REGISTRY_H

#include "base/hash.h"
#include "db/db.h"
#include "spec/field.h"

enum {
    REGISTRY_NAME_MAX = 64,
    REGISTRY_NOTE_MAX = 4096,
    REGISTRY_LINK_DAYS_MAX = 366,
    REGISTRY_LINKS_MAX = 100, /* of a model, that are open */
    REGISTRY_KEY_MAX = 8 + SHA256_HEX,
};

enum version_state {
    VERSION_DRAFT,
    VERSION_EVALUATED,
    VERSION_APPROVED,
    VERSION_LIVE,
    VERSION_ARCHIVED
};
extern const char *const version_state_names[]; /* "draft", .. NULL */

struct registry_who { /* who does it, as the history will say */
    str id, name;
};

struct registry_model {
    str id, project_id, name, task, description;
    str created_by, created_by_name;
    int64_t version_last, versions;
    str aliases; /* JSON: [{"alias","version","since"}] of what is live */
    int64_t created_at, updated_at;
};
extern const struct field registry_model_fields[];

struct registry_version {
    str model_id, model; /* id and name */
    int64_t number;
    int state; /* enum version_state */
    str notes;
    str job_id, job_name, framework, network, goal;
    int64_t epoch;
    str metric;
    double value;
    str dataset_id, dataset_name, dataset_version;
    str config, engine; /* JSON */
    str weights_sha256;
    int64_t weights_bytes;
    str created_by, created_by_name, approved_by, approved_by_name;
    int64_t created_at, approved_at, updated_at;
    str aliases;    /* JSON: names */
    str evaluation; /* JSON: the newest, or "" */
};
extern const struct field registry_version_fields[];

/* "production": lower-case letters, digits, '.', '_', '-'; 1 to REGISTRY_NAME_MAX, and no number.
 * field names the input at fault. */
enum rc registry_name_check(str name, const char *field, struct err *e) must_check;
void registry_weights_key(str sha256, char ret[REGISTRY_KEY_MAX]);

/* ---- models and versions */
/* The model with its first version.  RC_CONFLICT: the project has a model of that name. */
enum rc registry_model_add(struct db *db, struct arena *a, const struct registry_model *m,
                           const struct registry_version *first, const struct registry_who *who,
                           int64_t now, struct registry_model *ret, struct err *e) must_check;
/* The next version.  RC_CONFLICT: a version has these weights already. */
enum rc registry_version_add(struct db *db, struct arena *a, str model_id,
                             const struct registry_version *v, const struct registry_who *who,
                             int64_t now, struct registry_version *ret, struct err *e) must_check;
/* seen_by: an account, whose projects are looked at; "" sees all.  A name that several of them
 * have: RC_CONFLICT. */
enum rc registry_model_find(struct db *db, struct arena *a, str id_or_name, str seen_by,
                            struct registry_model *ret, struct err *e) must_check;
struct registry_query {
    str seen_by, project, q; /* project: id or "default"; "" any.  q: part of the name */
    str after_key, after_id; /* the last row seen: its name and id */
    int64_t limit;
};
enum rc registry_model_list(struct db *db, struct arena *a, const struct registry_query *q,
                            struct registry_model **ret, size_t *ret_n, struct err *e) must_check;
enum rc registry_model_describe(struct db *db, str id, str description,
                                const struct registry_who *who, int64_t now,
                                struct err *e) must_check;
/* Newest first. */
enum rc registry_versions(struct db *db, struct arena *a, str model_id, int64_t before,
                          int64_t limit, struct registry_version **ret, size_t *ret_n,
                          struct err *e) must_check;
/* which: a number, an alias, or "latest". */
enum rc registry_version_find(struct db *db, struct arena *a, const struct registry_model *m,
                              str which, struct registry_version *ret, struct err *e) must_check;
/* How many versions came from this job. */
enum rc registry_versions_of_job(struct db *db, struct arena *a, str job_id, str seen_by,
                                 struct registry_version **ret, size_t *ret_n,
                                 struct err *e) must_check;

/* ---- states */
enum version_verb { VERB_APPROVE, VERB_WITHDRAW, VERB_ARCHIVE, VERB_RESTORE, VERB_COUNT };
extern const char *const version_verb_names[]; /* "approve", .. NULL */
/* RC_CONFLICT: no such arrow; RC_FORBIDDEN: the project asks for somebody else. */
enum rc registry_version_move(struct db *db, str model_id, int64_t number, enum version_verb verb,
                              str note, const struct registry_who *who, int64_t now,
                              struct err *e) must_check;

/* ---- evaluations */
struct registry_evaluation {
    str id, model_id;
    int64_t number;
    str job_id, dataset_id, dataset_name, dataset_version, split, status, scores, error;
    str created_by, created_by_name;
    int64_t created_at, ended_at;
};
extern const struct field registry_evaluation_fields[];
enum rc registry_evaluation_add(struct db *db, const struct registry_evaluation *v,
                                const struct registry_who *who, int64_t now,
                                struct err *e) must_check;
/* Of a version (number > 0), newest first; or all that are running (model_id ""). */
enum rc registry_evaluations(struct db *db, struct arena *a, str model_id, int64_t number,
                             struct registry_evaluation **ret, size_t *ret_n,
                             struct err *e) must_check;
/* The job has ended: once for each evaluation, else nothing happens.  completed makes a draft
 * evaluated.  A job that is no evaluation is fine. */
enum rc registry_evaluation_end(struct db *db, struct arena *a, str job_id, const char *status,
                                str scores, str error, int64_t now, struct err *e) must_check;

/* ---- aliases */
enum { PUBLISH_UNSEEN = -1 }; /* the caller does not say what is live */
struct registry_publish {
    str model_id, alias, note;
    int64_t number;   /* publish: which */
    int64_t expected; /* the version that the caller sees live; 0 none; PUBLISH_UNSEEN */
};
enum rc registry_publish(struct db *db, const struct registry_publish *p,
                         const struct registry_who *who, int64_t now, struct err *e) must_check;
/* To the publication before.  *ret: the version that is live now. */
enum rc registry_rollback(struct db *db, const struct registry_publish *p,
                          const struct registry_who *who, int64_t now, int64_t *ret,
                          struct err *e) must_check;
/* Nothing is live under the alias any more. */
enum rc registry_unpublish(struct db *db, const struct registry_publish *p,
                           const struct registry_who *who, int64_t now, struct err *e) must_check;

struct registry_publication {
    str alias;
    int64_t version;
    int64_t back; /* the version to which a roll back would go; 0: none */
    bool rollback;
    str by_name;
    int64_t at, ended_at;
};
extern const struct field registry_publication_fields[];
/* Newest first; live_only: what the aliases name now. */
enum rc registry_publications(struct db *db, struct arena *a, str model_id, bool live_only,
                              struct registry_publication **ret, size_t *ret_n,
                              struct err *e) must_check;
struct registry_event {
    int64_t id, version, other;
    str kind, alias, from, to, note, by, by_name;
    int64_t at;
};
extern const struct field registry_event_fields[];
/* Newest first, those before the event `before` (0: from the newest). */
enum rc registry_events(struct db *db, struct arena *a, str model_id, int64_t before, int64_t limit,
                        struct registry_event **ret, size_t *ret_n, struct err *e) must_check;

/* ---- policy of a project ("" the default one) */
enum rc registry_policy_get(struct db *db, str project_id, bool *ret_by_other,
                            struct err *e) must_check;
enum rc registry_policy_set(struct db *db, str project_id, bool by_other, struct err *e) must_check;

/* ---- visitors' links */
struct registry_link {
    str id, model_id, alias, title;
    bool server;
    str created_by, created_by_name;
    int64_t created_at, expires_at, revoked_at, visits, last_used_at;
};
extern const struct field registry_link_fields[];
/* hash: of the token.  Fills id and created_at. */
enum rc registry_link_add(struct db *db, struct arena *a, struct registry_link *l, str hash,
                          const struct registry_who *who, int64_t now, struct err *e) must_check;
enum rc registry_links(struct db *db, struct arena *a, str model_id, struct registry_link **ret,
                       size_t *ret_n, struct err *e) must_check;
enum rc registry_link_revoke(struct db *db, str model_id, str id, const struct registry_who *who,
                             int64_t now, struct err *e) must_check;
/* Who holds it may see: the model and the version that its alias names now.  RC_UNAUTHENTICATED:
 * unknown; RC_GONE: expired, revoked, or nothing is live.  visit counts it. */
enum rc registry_link_open(struct db *db, struct arena *a, str hash, bool visit, int64_t now,
                           struct registry_link *ret, struct registry_model *ret_m,
                           struct registry_version *ret_v, struct err *e) must_check;

#endif
