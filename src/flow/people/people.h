/* people.h - accounts, sessions, API tokens, projects.
 *
 * Secrets are 32 random bytes in base64url behind a prefix that tells their kind; the database
 * holds only their SHA-256. ses_  access token of a session: minutes.  Also the browser's cookie.
 *   ref_  refresh token: days, replaced at each use; use of a replaced one ends the session,
 * because then two parties hold it. key_  API token: until revoked or its date, limited to its
 * scopes. lnk_  login link: once, within LINK_MINUTES.  It travels in the URL's fragment, which no
 * server, proxy or log sees. Passwords: Argon2id (RFC 9106) by libsodium, one at a time, so that a
 * burst of log-ins cannot exhaust memory.
 */
#ifndef ANNEAL_FLOW_PEOPLE_PEOPLE_H
#define ANNEAL_FLOW_PEOPLE_PEOPLE_H

#include "base/hash.h"
#include "db/db.h"
#include "spec/field.h"
#include "spec/people.h"

enum {
    LINK_MINUTES = 60,
    PASSWORD_BYTES_MIN = 10,
    PASSWORD_BYTES_MAX = 256,
    SECRET_TEXT = 48,        /* "key_" + 43 characters + NUL */
    LOGIN_FAILURES_MAX = 10, /* of one account or address within LOGIN_WINDOW_MS, then RC_LIMIT */
    LOGIN_WINDOW_MS = 15 * 60 * 1000,
};

struct account {
    str id, email, name;
    int role; /* enum role */
    bool active;
    int64_t created_at, last_login_at;
};
extern const struct field account_fields[];

/* A new secret and its hash. */
void secret_new(const char *prefix, char ret_text[SECRET_TEXT], char ret_hash[SHA256_HEX + 1]);

enum rc people_setup(void); /* libsodium; once */
/* The administrator exists after this: made at the first start as admin@localhost, role admin. */
enum rc people_admin(struct db *db, struct arena *a, struct account *ret, struct err *e) must_check;
enum rc people_create(struct db *db, struct arena *a, str email, str name, str password,
                      enum role role, struct account *ret,
                      struct err *e) must_check; /* password "": none */
enum rc people_get(struct db *db, struct arena *a, str id_or_email, struct account *ret,
                   struct err *e) must_check;
typedef void (*people_each_fn)(void *ud, const struct account *one);
/* In order of email, behind `after`. */
enum rc people_list(struct db *db, str after, int limit, people_each_fn each, void *ud,
                    struct err *e) must_check;
struct people_change {
    bool set_role, set_active, set_name;
    int role;
    bool active;
    str name;
};
/* The last active administrator cannot be demoted or deactivated: RC_CONFLICT.  Deactivation ends
 * all sessions and tokens. */
enum rc people_update(struct db *db, str id, const struct people_change *c,
                      struct err *e) must_check;
enum rc people_set_password(struct db *db, str id, str old, str new_password,
                            struct err *e) must_check;

/* ---- credentials */
struct session_tokens {
    char access[SECRET_TEXT], refresh[SECRET_TEXT];
    int64_t access_expires_at, refresh_expires_at;
};
struct login_from {
    str address, user_agent;
    int64_t access_minutes, refresh_days;
};
/* RC_UNAUTHENTICATED for a wrong email or password alike, in like time; RC_LIMIT after too many. */
enum rc people_login(struct db *db, struct arena *a, str email, str password,
                     const struct login_from *from, struct account *ret,
                     struct session_tokens *ret_t, struct err *e) must_check;
enum rc people_login_link_new(struct db *db, str user_id, char ret[SECRET_TEXT],
                              struct err *e) must_check;
enum rc people_login_by_link(struct db *db, struct arena *a, str link,
                             const struct login_from *from, struct account *ret,
                             struct session_tokens *ret_t, struct err *e) must_check;
enum rc people_refresh(struct db *db, struct arena *a, str refresh, const struct login_from *from,
                       struct account *ret, struct session_tokens *ret_t, struct err *e) must_check;
enum rc people_logout(struct db *db, str session_id, struct err *e) must_check;

struct identity {
    struct account who;
    str scopes;     /* "" for a session */
    str session_id; /* "" for an API token */
};
/* ses_ or key_.  RC_UNAUTHENTICATED says whether it is unknown or has expired. */
enum rc people_identify(struct db *db, struct arena *a, str secret, struct identity *ret,
                        struct err *e) must_check;

struct api_token {
    str id, name, scopes;
    int64_t created_at, expires_at, last_used_at;
};
extern const struct field api_token_fields[];
extern const char *const people_scopes[]; /* every scope that there is; "*" means all */
/* scopes: space separated, each known. */
enum rc people_token_new(struct db *db, struct arena *a, str user_id, str name, str scopes,
                         int64_t expires_at, struct api_token *ret, char ret_secret[SECRET_TEXT],
                         struct err *e) must_check;
typedef void (*token_each_fn)(void *ud, const struct api_token *one);
enum rc people_tokens(struct db *db, str user_id, token_each_fn each, void *ud,
                      struct err *e) must_check;
enum rc people_token_revoke(struct db *db, str user_id, str id, struct err *e) must_check;

/* ---- projects */
struct project {
    str id, name, description, created_by, my_role; /* my_role "": not a member */
    int64_t created_at;
};
extern const struct field project_fields[];
struct member {
    str user_id, email, name, role; /* viewer, engineer, manager, owner */
    int64_t created_at;
};
extern const struct field member_fields[];
extern const char *const member_role_names[];

enum rc project_new(struct db *db, struct arena *a, str user_id, str name, str description,
                    struct project *ret, struct err *e) must_check; /* the maker is its owner */
enum rc project_get(struct db *db, struct arena *a, str id_or_name, str user_id,
                    struct project *ret, struct err *e) must_check;
typedef void (*project_each_fn)(void *ud, const struct project *one);
/* Those of the user, or all. */
enum rc project_list(struct db *db, str user_id, bool all, project_each_fn each, void *ud,
                     struct err *e) must_check;
enum rc project_update(struct db *db, str id, str name, str description, struct err *e) must_check;
enum rc project_delete(struct db *db, str id,
                       struct err *e) must_check; /* RC_CONFLICT: not empty */
typedef void (*member_each_fn)(void *ud, const struct member *one);
enum rc project_members(struct db *db, str id, member_each_fn each, void *ud,
                        struct err *e) must_check;
enum rc project_member_set(struct db *db, str id, str email, str role, struct err *e) must_check;
enum rc project_member_remove(struct db *db, str id, str user_id, struct err *e) must_check;
/* The member's role as a system role (owner: ROLE_MANAGER); ROLE_NONE: not a member. */
enum rc project_role(struct db *db, str id, str user_id, enum role *ret, struct err *e) must_check;

#endif
