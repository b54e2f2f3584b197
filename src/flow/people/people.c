/* people.c - accounts, log-ins and tokens, over people_sql.c. */
#include "flow/people/people_int.h"

#include <string.h>

#define S struct account
const struct field account_fields[] = {
    F_STR(S, id, .help = "Id of the account."),
    F_STR(S, email, .help = "E-mail address, lower case."),
    F_STR(S, name, .help = "Name to show."),
    F_ENUM(S, role, role_names, .help = "admin, manager, engineer or viewer."),
    F_BOOL(S, active, .help = "May log in."),
    F_TIME(S, created_at, .help = "When it was made."),
    F_TIME(S, last_login_at, .help = "Last log-in."),
    FIELD_END};
#undef S
#define S struct api_token
const struct field api_token_fields[] = {
    F_STR(S, id, .help = "Id of the token."),
    F_STR(S, name, .help = "What it is for."),
    F_STR(S, scopes, .help = "What it may do, separated by spaces; * is all that its owner may."),
    F_TIME(S, created_at, .help = "When it was made."),
    F_TIME(S, expires_at, .help = "When it ends; null: does not."),
    F_TIME(S, last_used_at, .help = "Last use, to the minute."),
    FIELD_END};
#undef S

const char *const people_scopes[] = {
    "*",           "datasets:read", "datasets:write", "jobs:read",  "jobs:write",
    "models:read", "models:write",  "projects:read",  "projects:write", "users:read", "users:write",
    NULL};

enum { TOUCH_MS = 60000 };

static str hash_of(str secret, char hex[SHA256_HEX + 1])
{
    sha256_hex(secret, hex);
    return str_of(hex);
}

/* ---- accounts */

static enum rc check_email(str email, struct err *e)
{
    ptrdiff_t at = str_chr(email, '@');

    for (size_t i = 0; i < email.n; i++)
        if ((unsigned char)email.p[i] <= ' ' || email.p[i] == 127)
            at = -1;
    if (at <= 0 || (size_t)at + 1 >= email.n || email.n > 254 || str_rchr(email, '@') != at)
        return err_field(e, RC_INVALID, "email", "'%.*s' is not an e-mail address",
                         (int)(email.n < 80 ? email.n : 80), email.p);
    return RC_OK;
}

static enum rc new_account(struct tx *tx, struct arena *a, str email, str name, str hash,
                           enum role role, struct account *ret, struct err *e)
{
    char id[OS_ID_TEXT];
    char *lower = arena_cstr(a, email);
    struct account who = {.name = name, .role = role, .active = true, .created_at = os_now_ms()};
    enum rc rc;

    os_id(id);
    who.id = arena_str(a, str_of(id));
    if (!lower || !who.id.p)
        return err_set(e, RC_NOMEM, "out of memory while making an account");
    for (char *p = lower; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p | 32);
    who.email = str_of(lower);
    rc = account_insert(tx, &who, hash, who.created_at, e);
    if (!rc)
        *ret = who;
    return rc;
}

enum rc people_admin(struct db *db, struct arena *a, struct account *ret, struct err *e)
{
    struct tx *tx = NULL;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = first_admin(tx, a, ret, e);
    if (rc == RC_NOT_FOUND)
        rc = new_account(tx, a, STR("admin@localhost"), STR("Administrator"), STR(""), ROLE_ADMIN,
                         ret, e);
    return tx_end(tx, rc, e);
}

enum rc people_create(struct db *db, struct arena *a, str email, str name, str password,
                      enum role role, struct account *ret, struct err *e)
{
    char hash[PASSWORD_HASH_TEXT] = "";
    struct tx *tx = NULL;
    enum rc rc = check_email(email, e);

    if (!rc && name.n > 200)
        rc = err_field(e, RC_INVALID, "name", "a name has at most 200 bytes");
    if (!rc && password.n)
        rc = password_hash(password, hash, e);
    if (!rc)
        rc = db_begin(db, DB_WRITE, &tx, e);
    if (rc)
        return rc;
    return tx_end(tx, new_account(tx, a, email, name, str_of(hash), role, ret, e), e);
}

enum rc people_get(struct db *db, struct arena *a, str key, struct account *ret, struct err *e)
{
    struct tx *tx = NULL;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (!rc)
        rc = account_find(tx, a, key, ret, NULL, e);
    tx_rollback(tx);
    return rc;
}

enum rc people_list(struct db *db, str after, int limit, people_each_fn each, void *ud,
                    struct err *e)
{
    struct tx *tx = NULL;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (!rc)
        rc = account_page(tx, after, limit, each, ud, e);
    tx_rollback(tx);
    return rc;
}

enum rc people_update(struct db *db, str id, const struct people_change *c, struct err *e)
{
    struct tx *tx = NULL;
    int64_t others = 0, now = os_now_ms();
    bool may_lose_admin = (c->set_role && c->role != ROLE_ADMIN) || (c->set_active && !c->active);
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    if (may_lose_admin)
        rc = admins_active(tx, id, &others, e);
    if (!rc && may_lose_admin && !others)
        rc = err_set(e, RC_CONFLICT,
                     "this is the last active administrator; make another one first");
    if (!rc)
        rc = account_update(tx, id, c, now, e);
    if (!rc && c->set_active && !c->active)
        rc = account_end_credentials(tx, id, now, e);
    return tx_end(tx, rc, e);
}

enum rc people_set_password(struct db *db, str id, str old, str new_password, struct err *e)
{
    char hash[PASSWORD_HASH_TEXT] = "";
    struct arena a;
    struct account who;
    struct tx *tx = NULL;
    str known = STR_NONE;
    enum rc rc;

    arena_init(&a, 1 << 16);
    rc = db_begin(db, DB_READ, &tx, e);
    if (!rc)
        rc = account_find(tx, &a, id, &who, &known, e);
    tx_rollback(tx);
    tx = NULL;
    if (!rc && known.n && !password_ok(known, old))
        rc = err_field(e, RC_FORBIDDEN, "old_password", "the old password is not right");
    if (!rc)
        rc = password_hash(new_password, hash, e);
    if (!rc)
        rc = db_begin(db, DB_WRITE, &tx, e);
    if (!rc)
        rc = tx_end(tx, account_set_hash(tx, id, str_of(hash), os_now_ms(), e), e);
    arena_done(&a);
    return rc;
}

/* ---- sessions */

/* New tokens into row and ret; the row's hashes live in `a`. */
static enum rc make_tokens(struct arena *a, const struct login_from *from, int64_t now,
                           struct session_row *row, struct session_tokens *ret, struct err *e)
{
    char access_hash[SHA256_HEX + 1], refresh_hash[SHA256_HEX + 1];

    secret_new("ses_", ret->access, access_hash);
    secret_new("ref_", ret->refresh, refresh_hash);
    ret->access_expires_at = now + from->access_minutes * 60000;
    ret->refresh_expires_at = now + from->refresh_days * 86400000;
    row->access_hash = arena_str(a, str_of(access_hash));
    row->refresh_hash = arena_str(a, str_of(refresh_hash));
    row->access_expires_at = ret->access_expires_at;
    row->refresh_expires_at = ret->refresh_expires_at;
    return row->access_hash.p && row->refresh_hash.p
               ? RC_OK
               : err_set(e, RC_NOMEM, "out of memory while making a session");
}

static enum rc open_session(struct tx *tx, struct arena *a, str user_id,
                            const struct login_from *from, struct session_tokens *ret,
                            struct err *e)
{
    char id[OS_ID_TEXT];
    int64_t now = os_now_ms();
    struct session_row row = {.user_id = user_id};
    enum rc rc = make_tokens(a, from, now, &row, ret, e);

    os_id(id);
    row.id = str_of(id);
    return rc ? rc : session_insert(tx, &row, from, now, e);
}

static enum rc inactive(struct err *e)
{
    return err_set(e, RC_FORBIDDEN, "this account is deactivated; ask an administrator");
}

enum rc people_login(struct db *db, struct arena *a, str email, str password,
                     const struct login_from *from, struct account *ret,
                     struct session_tokens *ret_t, struct err *e)
{
    int64_t now = os_now_ms();
    struct account who = {0};
    struct tx *tx = NULL;
    str hash = STR("");
    enum rc rc = throttle_check(email, now, e);

    if (!rc)
        rc = throttle_check(from->address, now, e);
    if (!rc)
        rc = db_begin(db, DB_READ, &tx, e);
    if (rc)
        return rc;
    rc = account_find(tx, a, email, &who, &hash, e);
    tx_rollback(tx);
    tx = NULL;
    if (rc && rc != RC_NOT_FOUND)
        return rc;
    if (!password_ok(hash, password)) {
        throttle_failed(email, now);
        throttle_failed(from->address, now);
        return err_set(e, RC_UNAUTHENTICATED, "e-mail or password is not right");
    }
    if (!who.active)
        return inactive(e);
    throttle_clear(email);
    rc = db_begin(db, DB_WRITE, &tx, e);
    if (!rc)
        rc = tx_end(tx, open_session(tx, a, who.id, from, ret_t, e), e);
    if (!rc)
        *ret = who;
    return rc;
}

enum rc people_login_link_new(struct db *db, str user_id, char ret[SECRET_TEXT], struct err *e)
{
    char id[OS_ID_TEXT], text[SECRET_TEXT], hash[SHA256_HEX + 1];
    int64_t now = os_now_ms();
    struct tx *tx = NULL;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    os_id(id);
    secret_new("lnk_", text, hash);
    rc = tx_end(
        tx,
        link_insert(tx, str_of(id), user_id, str_of(hash), now, now + LINK_MINUTES * 60000LL, e),
        e);
    if (!rc)
        memcpy(ret, text, SECRET_TEXT);
    return rc;
}

enum rc people_login_by_link(struct db *db, struct arena *a, str link,
                             const struct login_from *from, struct account *ret,
                             struct session_tokens *ret_t, struct err *e)
{
    char hex[SHA256_HEX + 1];
    struct account who = {0};
    struct tx *tx = NULL;
    str user = STR_NONE;
    int64_t now = os_now_ms();
    enum rc rc = throttle_check(from->address, now, e);

    if (!rc)
        rc = db_begin(db, DB_WRITE, &tx, e);
    if (rc)
        return rc;
    rc = link_use(tx, a, hash_of(link, hex), now, &user, e);
    if (rc == RC_UNAUTHENTICATED)
        throttle_failed(from->address, now);
    if (!rc)
        rc = account_find(tx, a, user, &who, NULL, e);
    if (!rc && !who.active)
        rc = inactive(e);
    if (!rc)
        rc = open_session(tx, a, user, from, ret_t, e);
    rc = tx_end(tx, rc, e);
    if (!rc)
        *ret = who;
    return rc;
}

enum rc people_refresh(struct db *db, struct arena *a, str refresh, const struct login_from *from,
                       struct account *ret, struct session_tokens *ret_t, struct err *e)
{
    char hex[SHA256_HEX + 1];
    int64_t now = os_now_ms();
    struct session_row row = {0};
    struct account who = {0};
    struct tx *tx = NULL;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = session_by_refresh(tx, a, hash_of(refresh, hex), &row, e);
    if (!rc && row.replaced) {
        /* Two parties hold this session's tokens: end it, durably, before saying no. */
        rc = tx_end(tx, session_end(tx, row.id, now, e), e);
        return rc ? rc
                  : err_set(
                        e, RC_UNAUTHENTICATED,
                        "this refresh token was used already; the session is ended, log in again");
    }
    if (!rc && row.refresh_expires_at <= now)
        rc = err_set(e, RC_UNAUTHENTICATED, "the session has expired; log in again");
    if (!rc)
        rc = account_find(tx, a, row.user_id, &who, NULL, e);
    if (!rc && !who.active)
        rc = inactive(e);
    if (!rc)
        rc = make_tokens(a, from, now, &row, ret_t, e);
    if (!rc)
        rc = session_rotate(tx, &row, now, e);
    rc = tx_end(tx, rc, e);
    if (!rc)
        *ret = who;
    return rc;
}

enum rc people_logout(struct db *db, str session_id, struct err *e)
{
    struct tx *tx = NULL;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    return rc ? rc : tx_end(tx, session_end(tx, session_id, os_now_ms(), e), e);
}

/* ---- who is it */

static void touch(struct db *db, str token_id, int64_t now)
{
    struct tx *tx = NULL;

    if (db_begin(db, DB_WRITE, &tx, NULL) == RC_OK)
        (void)!tx_end(tx, token_touch(tx, token_id, now, NULL), NULL);
}

enum rc people_identify(struct db *db, struct arena *a, str secret, struct identity *ret,
                        struct err *e)
{
    char hex[SHA256_HEX + 1];
    int64_t now = os_now_ms();
    struct session_row s = {0};
    struct token_row t = {0};
    struct identity id = {.scopes = STR(""), .session_id = STR("")};
    bool key = str_starts(secret, STR("key_"));
    struct tx *tx = NULL;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (rc)
        return rc;
    hash_of(secret, hex);
    rc = key ? token_by_hash(tx, a, str_of(hex), &t, e)
             : session_by_access(tx, a, str_of(hex), &s, e);
    if (!rc && !key && s.access_expires_at <= now)
        rc = err_set(e, RC_UNAUTHENTICATED,
                     "the access token has expired; refresh it at POST /auth/refresh");
    if (!rc && key && t.t.expires_at && t.t.expires_at <= now)
        rc = err_set(e, RC_UNAUTHENTICATED, "the API token has expired; make a new one");
    if (!rc)
        rc = account_find(tx, a, key ? t.user_id : s.user_id, &id.who, NULL, e);
    tx_rollback(tx);
    if (rc)
        return rc == RC_NOT_FOUND ? err_set(e, RC_UNAUTHENTICATED, "the account is gone") : rc;
    if (!id.who.active)
        return inactive(e);
    if (key && now - t.t.last_used_at > TOUCH_MS)
        touch(db, t.t.id, now);
    id.scopes = key ? t.t.scopes : STR("");
    id.session_id = key ? STR("") : s.id;
    *ret = id;
    return RC_OK;
}

/* ---- API tokens */

static enum rc check_scopes(str scopes, struct err *e)
{
    str rest = scopes, one;

    if (!str_trim(scopes).n)
        return err_field(e, RC_INVALID, "scopes", "name at least one scope, or *");
    while (rest.n && str_next(&rest, ' ', &one)) {
        bool known = !one.n;
        for (int i = 0; !known && people_scopes[i]; i++)
            known = str_is(one, people_scopes[i]);
        if (!known)
            return err_field(
                e, RC_INVALID, "scopes",
                "there is no scope '%.*s'; there are * datasets:read datasets:write "
                "jobs:read jobs:write models:read projects:read projects:write users:read "
                "users:write",
                (int)(one.n < 60 ? one.n : 60), one.p);
    }
    return RC_OK;
}

enum rc people_token_new(struct db *db, struct arena *a, str user_id, str name, str scopes,
                         int64_t expires_at, struct api_token *ret, char ret_secret[SECRET_TEXT],
                         struct err *e)
{
    char id[OS_ID_TEXT], secret[SECRET_TEXT], hash[SHA256_HEX + 1];
    struct token_row row = {.user_id = user_id};
    struct tx *tx = NULL;
    enum rc rc = check_scopes(scopes, e);

    if (!rc && expires_at && expires_at <= os_now_ms())
        rc = err_field(e, RC_INVALID, "expires_at", "expires_at lies in the past");
    if (rc)
        return rc;
    os_id(id);
    secret_new("key_", secret, hash);
    row.t = (struct api_token){arena_str(a, str_of(id)), name, scopes, os_now_ms(), expires_at, 0};
    if (!row.t.id.p)
        return err_set(e, RC_NOMEM, "out of memory while making a token");
    rc = db_begin(db, DB_WRITE, &tx, e);
    if (!rc)
        rc = tx_end(tx, token_insert(tx, &row, str_of(hash), e), e);
    if (!rc) {
        *ret = row.t;
        memcpy(ret_secret, secret, SECRET_TEXT);
    }
    return rc;
}

enum rc people_tokens(struct db *db, str user_id, token_each_fn each, void *ud, struct err *e)
{
    struct tx *tx = NULL;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (!rc)
        rc = token_page(tx, user_id, each, ud, e);
    tx_rollback(tx);
    return rc;
}

enum rc people_token_revoke(struct db *db, str user_id, str id, struct err *e)
{
    struct tx *tx = NULL;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    return rc ? rc : tx_end(tx, token_revoke(tx, user_id, id, os_now_ms(), e), e);
}
