/* dataset_sql.c - the SQL of datasets and versions.  Rules stand in dataset.h. */
#include "flow/dataset/dataset_int.h"
#include "os/os.h"

#define S struct dataset
const struct field dataset_fields[] = {
    F_STR(S, id, .help = "Id of the dataset."),
    F_STR(S, project_id, .flags = FIELD_NULLABLE, .help = "Its project; null: the default one."),
    F_STR(S, name, .help = "Name, unique within the project without regard to case."),
    F_STR(S, description, .help = "What it is about."),
    F_STR(S, created_by, .flags = FIELD_NULLABLE, .help = "Id of the account that made it."),
    F_STR(S, created_by_name, .help = "That account's name."),
    F_INT(S, versions, .help = "How many versions it has."),
    F_STR(S, version, .flags = FIELD_NULLABLE, .help = "SHA-256 of the newest version's manifest."),
    F_STR(S, task, .flags = FIELD_NULLABLE,
          .help = "classification, detection, segmentation or text."),
    F_INT(S, images, .help = "Pictures of the newest version."),
    F_INT(S, classes, .help = "Classes of the newest version."),
    F_INT(S, bytes, .help = "Size of the newest version's pictures in bytes."),
    F_INT(S, faults, .help = "Faults that the newest version's import reported."),
    F_JSON(S, colours, .flags = FIELD_NULLABLE,
           .help = "Colours of classes, by name; null in lists."),
    F_TIME(S, created_at, .help = "When it was made."),
    F_TIME(S, updated_at, .help = "When it last got a version or was described."),
    FIELD_END};
#undef S
#define S struct dataset_version
const struct field dataset_version_fields[] = {
    F_STR(S, dataset, .help = "Id of the dataset."),
    F_STR(S, version, .help = "SHA-256 of the manifest: names the content."),
    F_INT(S, number, .help = "1, 2, .. within the dataset."),
    F_STR(S, s3_uri, .help = "Where the manifest lies."),
    F_STR(S, task, .help = "classification, detection, segmentation or text."),
    F_STR(S, format, .help = "As recognised: folder, yolo, coco, voc, icdar; pictures: no labels."),
    F_INT(S, images, .help = "Pictures."),
    F_INT(S, train, .help = "Training pictures."),
    F_INT(S, val, .help = "Validation pictures."),
    F_INT(S, test, .help = "Test pictures."),
    F_INT(S, none, .help = "Pictures in no split."),
    F_INT(S, bytes, .help = "Size of all pictures in bytes."),
    F_INT(S, manifest_bytes, .help = "Size of the manifest in bytes."),
    F_INT(S, faults, .help = "Faults that the import reported."),
    F_JSON(S, classes, .help = "Names of the classes, in the order of their numbers."),
    F_JSON(S, split, .help = "How it was split: method, shares, seed."),
    F_JSON(S, stats, .flags = FIELD_NULLABLE,
           .help = "Class balance for each split, sizes, types, duplicates, counts of faults."),
    F_STR(S, kind, .help = "What made it: archive, split or draft."),
    F_STR(S, base_version, .flags = FIELD_NULLABLE,
          .help = "split, draft: the version it changed."),
    F_STR(S, message, .help = "What it brings, in words."),
    F_STR(S, created_by, .flags = FIELD_NULLABLE, .help = "Id of the account that made it."),
    F_TIME(S, created_at, .help = "When it was made."),
    FIELD_END};
#undef S

enum rc dataset_nomem(struct err *e)
{
    return err_set(e, RC_NOMEM, "out of memory while reading datasets");
}

/* ---- names */

enum rc dataset_name_check(str name, str *ret_trimmed, struct err *e)
{
    str n = str_trim(name);

    if (!n.n || n.n > DATASET_NAME_MAX || !str_utf8_ok(n))
        return err_field(e, RC_INVALID, "name", "a dataset's name has 1 to %d bytes of UTF-8",
                         DATASET_NAME_MAX);
    for (size_t i = 0; i < n.n; i++)
        if ((unsigned char)n.p[i] < 0x20 || n.p[i] == 0x7f || n.p[i] == '/')
            return err_field(e, RC_INVALID, "name",
                             "a dataset's name holds no '/' and no control characters");
    *ret_trimmed = n;
    return RC_OK;
}

const char *dataset_name_key(struct arena *a, str name)
{
    char *p = arena_cstr(a, name);

    for (size_t i = 0; p && i < name.n; i++)
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] |= 32;
    return p;
}

/* ---- datasets */

/* The newest version's columns come from v (dataset_version) and c (dataset_content). */
#define DATASET                                                                                    \
    "d.id, coalesce(d.project_id, ''), d.name, d.description, coalesce(d.created_by, ''),"         \
    " coalesce(nullif(u.name, ''), u.email, ''),"                                                  \
    " (SELECT count(*) FROM dataset_version x WHERE x.dataset_id = d.id),"                         \
    " coalesce(c.version, ''), coalesce(c.task, ''), coalesce(c.images, 0),"                       \
    " coalesce(json_array_length(c.classes), 0), coalesce(c.bytes, 0), coalesce(v.faults, 0),"     \
    " d.created_at, d.updated_at "                                                                 \
    "FROM dataset d LEFT JOIN \"user\" u ON u.id = d.created_by "                                  \
    "LEFT JOIN dataset_version v ON v.dataset_id = d.id AND v.number ="                            \
    " (SELECT max(y.number) FROM dataset_version y WHERE y.dataset_id = d.id) "                    \
    "LEFT JOIN dataset_content c ON c.id = v.content_id "                                          \
    "WHERE d.deleted_at IS NULL "
/* ?, ?: the account twice; "" sees all */
#define VISIBLE                                                                                    \
    "AND (? = '' OR d.project_id IS NULL OR EXISTS (SELECT 1 FROM project_member m"                \
    " WHERE m.project_id = d.project_id AND m.user_id = ?)) "

static enum rc dataset_row(struct rows *r, struct arena *a, struct dataset *ret, struct err *e)
{
    struct cols c = {r, a, 0, false};
    struct dataset d = {0};

    d.id = col_text(&c);
    d.project_id = col_text(&c);
    d.name = col_text(&c);
    d.description = col_text(&c);
    d.created_by = col_text(&c);
    d.created_by_name = col_text(&c);
    d.versions = col_int(&c);
    d.version = col_text(&c);
    d.task = col_text(&c);
    d.images = col_int(&c);
    d.classes = col_int(&c);
    d.bytes = col_int(&c);
    d.faults = col_int(&c);
    d.colours = STR("");
    d.created_at = col_int(&c);
    d.updated_at = col_int(&c);
    if (c.no_memory)
        return dataset_nomem(e);
    *ret = d;
    return RC_OK;
}

enum rc dataset_find(struct db *db, struct arena *a, str id_or_name, str who, struct dataset *ret,
                     struct err *e)
{
    struct dataset found[2] = {0};
    struct tx *tx;
    struct rows *r = NULL;
    const char *key = dataset_name_key(a, str_trim(id_or_name));
    size_t n = 0;
    enum rc rc = key ? db_begin(db, DB_READ, &tx, e) : dataset_nomem(e);

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e,
                  "SELECT " DATASET VISIBLE "AND (d.id = ? OR d.name_key = ?)"
                  " ORDER BY d.id = ? DESC, d.project_id IS NULL DESC LIMIT 2",
                  db_s(who), db_s(who), db_s(id_or_name), db_c(key), db_s(id_or_name));
    while (!rc && n < 2 && rows_next(r))
        rc = dataset_row(r, a, &found[n++], e);
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = tx_end(tx, rc ? rc : end, e);
    if (rc)
        return rc;
    if (!n)
        return err_set(e, RC_NOT_FOUND, "there is no dataset '%.*s'",
                       STR_F(str_sub(id_or_name, 0, 100)));
    if (n == 2 && !str_eq(found[0].id, id_or_name) && found[0].project_id.n)
        return err_set(e, RC_CONFLICT, "several of your projects have a dataset '%.*s'; use its id",
                       STR_F(str_sub(id_or_name, 0, 100)));
    *ret = found[0];
    return RC_OK;
}

enum rc dataset_list(struct db *db, struct arena *a, const struct dataset_query *q,
                     struct dataset **ret, size_t *ret_n, struct err *e)
{
    struct dataset *list = ARENA_ARRAY(a, struct dataset, (size_t)q->limit + 1);
    struct tx *tx;
    struct rows *r = NULL;
    str part = db_like(a, q->q);
    size_t n = 0;
    enum rc rc = list && part.p ? db_begin(db, DB_READ, &tx, e) : dataset_nomem(e);

    if (rc)
        return rc;
    rc = tx_query(
        tx, &r, e,
        "SELECT " DATASET VISIBLE "AND (? = '' OR coalesce(d.project_id, 'default') = ?)"
        " AND (? = '' OR d.name LIKE ? ESCAPE '\\') AND (? = '' OR (d.name_key, d.id) > (?, ?))"
        " ORDER BY d.name_key, d.id LIMIT ?",
        db_s(q->who), db_s(q->who), db_s(q->project), db_s(q->project), db_s(part), db_s(part),
        db_s(q->after_id), db_s(q->after_key), db_s(q->after_id), db_i(q->limit));
    while (!rc && n < (size_t)q->limit && rows_next(r))
        rc = dataset_row(r, a, &list[n++], e);
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = tx_end(tx, rc ? rc : end, e);
    if (rc)
        return rc;
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

enum rc dataset_delete(struct db *db, str id, struct err *e)
{
    struct tx *tx;
    enum rc rc = db_begin(db, DB_WRITE, &tx, e);

    if (rc)
        return rc;
    rc = tx_exec(tx, e,
                 "UPDATE dataset SET deleted_at = ?, project_was = project_id, project_id = NULL"
                 " WHERE id = ? AND deleted_at IS NULL"
                 " AND NOT EXISTS (SELECT 1 FROM dataset_import i WHERE i.dataset_id = dataset.id"
                 " AND i.state IN ('queued', 'running'))",
                 db_i(os_now_ms()), db_s(id));
    if (!rc && !tx_changes(tx))
        rc =
            err_set(e, RC_CONFLICT, "an import of this dataset is still running; wait for its end");
    return tx_end(tx, rc, e);
}

enum rc dataset_describe(struct db *db, str id, str name, str description, struct err *e)
{
    char key[DATASET_NAME_MAX + 1];
    struct tx *tx;
    enum rc rc = dataset_name_check(name, &name, e);

    if (!rc)
        rc = db_begin(db, DB_WRITE, &tx, e);
    if (rc)
        return rc;
    for (size_t i = 0; i < name.n; i++)
        key[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] | 32) : name.p[i];
    rc = tx_exec(tx, e,
                 "UPDATE dataset SET name = ?, name_key = ?, description = ?, updated_at = ?"
                 " WHERE id = ? AND deleted_at IS NULL",
                 db_s(name), db_s((str){key, name.n}), db_s(description), db_i(os_now_ms()),
                 db_s(id));
    if (rc == RC_CONFLICT)
        err_field(e, rc, "name", "the project has a dataset of this name already");
    return tx_end(tx, rc, e);
}

/* ---- versions */

#define VERSION(stats)                                                                             \
    "v.id, c.id, v.dataset_id, c.version, v.number, c.task, c.format, c.images, c.train, c.val,"   \
    " c.test, c.none, c.bytes, c.manifest_bytes, v.faults, c.classes, v.split, " stats             \
    ", coalesce(i.kind, 'archive'), coalesce(i.base_version, ''), coalesce(i.message, ''),"        \
    " coalesce(v.created_by, ''), v.created_at "                                                   \
    "FROM dataset_version v JOIN dataset_content c ON c.id = v.content_id "                        \
    "LEFT JOIN dataset_import i ON i.id = v.import_id "                                            \
    "WHERE v.dataset_id = ? "

static enum rc version_row(struct rows *r, struct arena *a, struct dataset_version *ret,
                           struct err *e)
{
    struct cols c = {r, a, 0, false};
    struct dataset_version v = {0};

    v.row = col_int(&c);
    v.content = col_int(&c);
    v.dataset = col_text(&c);
    v.version = col_text(&c);
    v.number = col_int(&c);
    v.task = col_text(&c);
    v.format = col_text(&c);
    v.images = col_int(&c);
    v.train = col_int(&c);
    v.val = col_int(&c);
    v.test = col_int(&c);
    v.none = col_int(&c);
    v.bytes = col_int(&c);
    v.manifest_bytes = col_int(&c);
    v.faults = col_int(&c);
    v.classes = col_text(&c);
    v.split = col_text(&c);
    v.stats = col_text(&c);
    v.kind = col_text(&c);
    v.base_version = col_text(&c);
    v.message = col_text(&c);
    v.created_by = col_text(&c);
    v.created_at = col_int(&c);
    v.s3_uri = STR("");
    if (c.no_memory)
        return dataset_nomem(e);
    *ret = v;
    return RC_OK;
}

/* At least eight hexadecimal digits, or SIZE_MAX-like nonsense that matches nothing. */
static bool is_hash_start(str which)
{
    if (which.n < 8 || which.n > SHA256_HEX)
        return false;
    for (size_t i = 0; i < which.n; i++)
        if (!strchr("0123456789abcdef", which.p[i]) || !which.p[i])
            return false;
    return true;
}

enum rc dataset_version_find(struct db *db, struct arena *a, str dataset_id, str which,
                             struct dataset_version *ret, struct err *e)
{
    struct dataset_version v = {0};
    struct tx *tx;
    struct rows *r = NULL;
    int64_t number = 0;
    size_t n = 0;
    bool newest = !which.n || str_is(which, "latest");
    str start = is_hash_start(which) ? which : STR_NONE;
    enum rc rc = db_begin(db, DB_READ, &tx, e);

    if (rc)
        return rc;
    if (!newest && which.n < 8 && !str_i64(which, &number))
        number = -1;
    rc = tx_query(tx, &r, e,
                  "SELECT " VERSION(
                      "v.stats") "AND (? OR v.number = ? OR (? <> '' AND"
                                 " substr(c.version, 1, ?) = ?)) ORDER BY v.number DESC LIMIT 2",
                  db_s(dataset_id), db_i(newest), db_i(number), db_s(start), db_i((int64_t)start.n),
                  db_s(start));
    while (!rc && rows_next(r))
        if (!n++)
            rc = version_row(r, a, &v, e);
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = tx_end(tx, rc ? rc : end, e);
    if (rc)
        return rc;
    if (!n)
        return newest ? err_set(e, RC_NOT_FOUND, "the dataset has no version yet")
                      : err_set(e, RC_NOT_FOUND, "the dataset has no version '%.*s'",
                                STR_F(str_sub(which, 0, 70)));
    if (n > 1 && !newest)
        return err_set(e, RC_CONFLICT, "several versions begin with '%.*s'", STR_F(which));
    *ret = v;
    return RC_OK;
}

enum rc dataset_versions(struct db *db, struct arena *a, str dataset_id,
                         struct dataset_version **ret, size_t *ret_n, struct err *e)
{
    enum { SHOWN_MAX = 1000 };
    struct dataset_version *list = ARENA_ARRAY(a, struct dataset_version, SHOWN_MAX);
    struct tx *tx;
    struct rows *r = NULL;
    size_t n = 0;
    enum rc rc = list ? db_begin(db, DB_READ, &tx, e) : dataset_nomem(e);

    if (rc)
        return rc;
    rc = tx_query(tx, &r, e, "SELECT " VERSION("''") "ORDER BY v.number DESC LIMIT ?",
                  db_s(dataset_id), db_i(SHOWN_MAX));
    while (!rc && n < SHOWN_MAX && rows_next(r))
        rc = version_row(r, a, &list[n++], e);
    enum rc end = rows_done(r, rc ? NULL : e);
    rc = tx_end(tx, rc ? rc : end, e);
    if (rc)
        return rc;
    *ret = list;
    *ret_n = n;
    return RC_OK;
}
