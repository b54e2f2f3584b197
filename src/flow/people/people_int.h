/* people_int.h - private to flow/people. */
#ifndef ANNEAL_FLOW_PEOPLE_INT_H
#define ANNEAL_FLOW_PEOPLE_INT_H

#include "flow/people/people.h"
#include "os/os.h"

enum { PASSWORD_HASH_TEXT = 128 };
enum rc password_hash(str password, char ret[PASSWORD_HASH_TEXT], struct err *e) must_check;
/* hash "" takes the same time and is false. */
bool password_ok(str hash, str password);

/* ---- throttle.c: failed log-ins by key (an email, an address), in memory */
enum rc throttle_check(str key, int64_t now_ms, struct err *e) must_check;
void throttle_failed(str key, int64_t now_ms);
void throttle_clear(str key);

/* ---- people_sql.c */
enum rc account_insert(struct tx *tx, const struct account *who, str password_hash_or_none,
                       int64_t now, struct err *e) must_check;
/* RC_NOT_FOUND if there is none; *ret_hash may be NULL. */
enum rc account_find(struct tx *tx, struct arena *a, str id_or_email, struct account *ret,
                     str *ret_hash, struct err *e) must_check;
enum rc account_page(struct tx *tx, str after, int limit, people_each_fn each, void *ud,
                     struct err *e) must_check;
enum rc account_update(struct tx *tx, str id, const struct people_change *c, int64_t now,
                       struct err *e) must_check;
enum rc account_set_hash(struct tx *tx, str id, str hash, int64_t now, struct err *e) must_check;
enum rc account_end_credentials(struct tx *tx, str id, int64_t now, struct err *e) must_check;
enum rc admins_active(struct tx *tx, str except_id, int64_t *ret, struct err *e) must_check;
enum rc first_admin(struct tx *tx, struct arena *a, struct account *ret, struct err *e) must_check;

struct session_row {
    str id, user_id, access_hash, refresh_hash;
    int64_t access_expires_at, refresh_expires_at;
    bool replaced; /* found by its previous refresh token */
};
enum rc session_insert(struct tx *tx, const struct session_row *s, const struct login_from *from,
                       int64_t now, struct err *e) must_check;
enum rc session_by_access(struct tx *tx, struct arena *a, str hash, struct session_row *ret,
                          struct err *e) must_check;
enum rc session_by_refresh(struct tx *tx, struct arena *a, str hash, struct session_row *ret,
                           struct err *e) must_check;
enum rc session_rotate(struct tx *tx, const struct session_row *s, int64_t now,
                       struct err *e) must_check;
enum rc session_end(struct tx *tx, str id, int64_t now, struct err *e) must_check;

enum rc link_insert(struct tx *tx, str id, str user_id, str hash, int64_t now, int64_t expires,
                    struct err *e) must_check;
/* Marks it used; RC_UNAUTHENTICATED if it is unknown, used or too old. */
enum rc link_use(struct tx *tx, struct arena *a, str hash, int64_t now, str *ret_user_id,
                 struct err *e) must_check;

struct token_row {
    struct api_token t;
    str user_id;
};
enum rc token_insert(struct tx *tx, const struct token_row *t, str hash, struct err *e) must_check;
enum rc token_by_hash(struct tx *tx, struct arena *a, str hash, struct token_row *ret,
                      struct err *e) must_check;
enum rc token_page(struct tx *tx, str user_id, token_each_fn each, void *ud,
                   struct err *e) must_check;
enum rc token_touch(struct tx *tx, str id, int64_t now, struct err *e) must_check;
enum rc token_revoke(struct tx *tx, str user_id, str id, int64_t now, struct err *e) must_check;

#endif
