/* audit_sql.c - see audit.h. */
#include "flow/audit/audit.h"

const char *const audit_credential_names[] = {"none", "session", "token", NULL};

#define S struct audit_entry
const struct field audit_fields[] = {
    F_INT(S, id, .help = "Number of the row; grows."),
    F_TIME(S, at, .help = "When it was done."),
    F_STR(S, actor_id, .flags = FIELD_NULLABLE, .help = "Id of the account; null: none."),
    F_STR(S, actor, .help = "Its name then; of a failed log-in, empty."),
    F_ENUM(S, credential, audit_credential_names, .help = "session, token (of the API) or none."),
    F_STR(S, action, .help = "Method and route."),
    F_STR(S, object, .help = "The path that was asked for."),
    F_INT(S, status, .help = "Status of the reply: 400 and up, nothing was done."),
    F_STR(S, address, .help = "Address of the peer."),
    FIELD_END};
#undef S

static str cut(str s, size_t most)
{
    if (s.n <= most)
        return s.p ? s : STR("");
    while (most && ((unsigned char)s.p[most] & 0xc0) == 0x80) /* whole characters of UTF-8 */
        most--;
    return str_sub(s, 0, most);
}

enum rc audit_add(struct db *db, const struct audit_entry *one, int64_t keep_ms, struct err *e)
{
    struct tx *tx = NULL;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = tx_exec(tx, e,
                 "INSERT INTO audit (at, actor_id, actor, credential, action, object, status,"
                 " address) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                 db_i(one->at), db_s(cut(one->actor_id, 64)), db_s(cut(one->actor, 254)),
                 db_c(audit_credential_names[one->credential]), db_s(cut(one->action, 128)),
                 db_s(cut(one->object, AUDIT_OBJECT_MAX)), db_i(one->status),
                 db_s(cut(one->address, 64)));
    if (!rc && tx_last_id(tx) % AUDIT_TRIM_EVERY == 0)
        rc = tx_exec(tx, e, "DELETE FROM audit WHERE at < ?", db_i(one->at - keep_ms));
    return tx_end(tx, rc, e);
}

static struct audit_entry entry_of(struct rows *r)
{
    int credential = AUDIT_NONE;

    for (int i = 0; audit_credential_names[i]; i++)
        if (str_is(rows_text(r, 4), audit_credential_names[i]))
            credential = i;
    return (struct audit_entry){rows_int(r, 0),  rows_int(r, 1), rows_text(r, 2),
                                rows_text(r, 3), credential,     rows_text(r, 5),
                                rows_text(r, 6), rows_int(r, 7), rows_text(r, 8)};
}

enum rc audit_list(struct db *db, const struct audit_query *q, audit_each_fn each, void *ud,
                   struct err *e)
{
    struct tx *tx = NULL;
    struct rows *r = NULL;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (!rc) /* instr, not LIKE: % and _ of a query mean themselves */
        rc = tx_query(
            tx, &r, e,
            "SELECT id, at, actor_id, actor, credential, action, object, status, address"
            " FROM audit WHERE (?1 = '' OR actor_id = ?1 OR instr(lower(actor), lower(?1)) > 0)"
            " AND (?2 = '' OR instr(lower(action), lower(?2)) > 0"
            " OR instr(lower(object), lower(?2)) > 0)"
            " AND (NOT ?3 OR status >= 400)"
            " AND at >= ?4 AND (?5 = 0 OR id < ?5) ORDER BY id DESC LIMIT ?6",
            db_s(q->actor), db_s(q->q), db_i(q->refused), db_i(q->since), db_i(q->before),
            db_i(q->limit));
    while (!rc && rows_next(r)) {
        const struct audit_entry one = entry_of(r);
        each(ud, &one);
    }
    if (!rc)
        rc = rows_done(r, e);
    tx_rollback(tx);
    return rc;
}
