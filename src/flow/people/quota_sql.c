/* quota_sql.c - see quota.h.  Reads the tables of datasets and jobs, writes only its own. */
#include "flow/people/quota.h"

#define S struct quota
const struct field quota_fields[] = {
    F_STR(S, user_id, .help = "Id of the account."),
    F_STR(S, email, .help = "Its e-mail address."),
    F_STR(S, name, .help = "Its name."),
    F_INT(S, jobs_max, .help = "Jobs that may run at once; -1: as the setting jobs_per_user says."),
    F_INT(S, bytes_max,
          .help = "Bytes it may store, 0 no limit; -1: as the setting storage_per_user says."),
    F_INT(S, running, .help = "Jobs that run."),
    F_INT(S, waiting, .help = "Jobs that wait."),
    F_INT(S, jobs, .help = "Jobs in all."),
    F_INT(S, datasets, .help = "Dataset versions that it made."),
    F_INT(S, picture_bytes, .help = "Bytes of their pictures, each content once."),
    F_INT(S, checkpoint_bytes, .help = "Bytes of its jobs' checkpoints."),
    FIELD_END};
#undef S

#define PICTURE_BYTES(user)                                                                        \
    "(SELECT coalesce(sum(c.bytes), 0) FROM dataset_content c WHERE c.id IN"                       \
    " (SELECT v.content_id FROM dataset_version v JOIN dataset d ON d.id = v.dataset_id"           \
    "  WHERE v.created_by = " user " AND d.deleted_at IS NULL))"
#define CHECKPOINT_BYTES(user)                                                                     \
    "(SELECT coalesce(sum(k.weights_bytes + k.state_bytes), 0) FROM checkpoint k"                  \
    " JOIN job j ON j.id = k.job_id WHERE j.created_by = " user ")"
enum rc quota_set(struct db *db, str user_id, int64_t jobs_max, int64_t bytes_max, struct err *e)
{
    struct tx *tx = NULL;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = tx_exec(tx, e,
                 "INSERT OR REPLACE INTO quota (user_id, jobs_max, bytes_max)"
                 " SELECT id, ?, ? FROM \"user\" WHERE id = ?",
                 jobs_max < 0 ? db_null() : db_i(jobs_max),
                 bytes_max < 0 ? db_null() : db_i(bytes_max), db_s(user_id));
    if (!rc && !tx_changes(tx))
        rc = err_set(e, RC_NOT_FOUND, "there is no account '%.*s'",
                     (int)(user_id.n < 80 ? user_id.n : 80), user_id.p);
    return tx_end(tx, rc, e);
}

static const char list[] =
    "SELECT u.id, u.email, u.name, coalesce(q.jobs_max, -1), coalesce(q.bytes_max, -1),"
    " (SELECT count(*) FROM job j WHERE j.created_by = u.id AND j.status = 'running'),"
    " (SELECT count(*) FROM job j WHERE j.created_by = u.id"
    "  AND j.status IN ('queued', 'pending')),"
    " (SELECT count(*) FROM job j WHERE j.created_by = u.id),"
    " (SELECT count(*) FROM dataset_version v WHERE v.created_by = u.id),"
    /* clang-format off */
    PICTURE_BYTES("u.id") "," CHECKPOINT_BYTES("u.id")
    /* clang-format on */
    " FROM \"user\" u LEFT JOIN quota q ON q.user_id = u.id"
    " WHERE ?1 = '' OR u.id = ?1 ORDER BY u.email LIMIT 10000";

enum rc quota_list(struct db *db, str user_id, quota_each_fn each, void *ud, struct err *e)
{
    struct tx *tx = NULL;
    struct rows *r = NULL;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (!rc)
        rc = tx_query(tx, &r, e, list, db_s(user_id));
    while (!rc && rows_next(r)) {
        const struct quota q = {rows_text(r, 0), rows_text(r, 1), rows_text(r, 2), rows_int(r, 3),
                                rows_int(r, 4),  rows_int(r, 5),  rows_int(r, 6),  rows_int(r, 7),
                                rows_int(r, 8),  rows_int(r, 9),  rows_int(r, 10)};
        each(ud, &q);
    }
    if (!rc)
        rc = rows_done(r, e);
    tx_rollback(tx);
    return rc;
}

enum rc quota_room(struct db *db, str user_id, int64_t bytes_default, int64_t *ret, struct err *e)
{
    struct tx *tx = NULL;
    struct rows *r = NULL;
    int64_t most = bytes_default, used = 0;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (!rc)
        rc = tx_query(
            tx, &r, e,
            "SELECT coalesce((SELECT bytes_max FROM quota WHERE user_id = ?1), ?2)," PICTURE_BYTES(
                "?1") " + " CHECKPOINT_BYTES("?1"),
            db_s(user_id), db_i(bytes_default));
    if (!rc && rows_next(r)) {
        most = rows_int(r, 0);
        used = rows_int(r, 1);
    }
    if (!rc)
        rc = rows_done(r, e);
    tx_rollback(tx);
    if (!rc)
        *ret = !most ? INT64_MAX : most > used ? most - used : 0;
    return rc;
}
