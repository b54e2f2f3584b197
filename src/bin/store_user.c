/* store_user.c - `anneal store user ...`: identities of a store's folder.
 *
 * They change identity.db directly; a store that serves the folder sees it at its next request. */
#include "bin/store_verbs.h"
#include "os/os.h"

#include <unistd.h>

#define DATA_HELP "Data directory; else ANNEAL_DATA, else the default of `anneal serve`."
const struct field store_data_fields[] = {F_STR(struct store_data_flags, data, .help = DATA_HELP),
                                          FIELD_END};
const struct field store_rotate_fields[] = {
    F_STR(struct store_rotate_flags, data, .help = DATA_HELP),
    F_STR(struct store_rotate_flags, grace, .dflt = "\"24h\"", .max = 32,
          .help = "How long the old key works on: 24h, 10m, 0s."),
    FIELD_END};

enum rc store_dir(struct cli *c, str data, const char **ret_dir, const char **ret_master,
                  struct err *e)
{
    const char *flag = arena_printf(c->a, "data=%.*s", STR_F(data)), *dir, *master;
    struct config *config;
    enum rc rc;

    if (!flag)
        return cli_nomem(e);
    rc = config_load(&config, &flag, data.n ? 1 : 0, NULL, environ, e);
    if (rc)
        return rc;
    dir = arena_printf(c->a, "%s/store", config_str(config, "data"));
    master = arena_cstr(c->a, str_of(config_str(config, "store_master")));
    config_free(config);
    if (!dir || !master)
        return cli_nomem(e);
    *ret_dir = dir;
    *ret_master = master;
    return RC_OK;
}

/* The store's folder need not be there yet: identities may be made before the first start. */
static enum rc open_ids(struct cli *c, struct identities **ret, struct err *e)
{
    const struct store_data_flags *f = c->flags; /* the first member of each verb's flags */
    struct identities_config to = {.region = ""};
    enum rc rc = store_dir(c, f->data, &to.dir, &to.master, e);

    if (!rc)
        rc = os_mkdirs(to.dir, 0700, e);
    return rc ? rc : identities_open(ret, &to, e);
}

static void say_pair(struct cli *c, const struct key_pair *k)
{
    struct buf b;
    struct jw w;

    buf_init(&b, 1 << 16);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kstr(&w, "name", c->args[0]);
    jw_kcstr(&w, "access_key", k->access_key);
    jw_kcstr(&w, "secret_key", k->secret_key);
    jw_obj_end(&w);
    cli_json_buf(c, &b);
    cli_say(c, "access key  %s\nsecret key  %s\n", k->access_key, k->secret_key);
    cli_note(c, "the secret key is shown this once\n");
}

static void say_done(struct cli *c, const char *what)
{
    struct buf b;
    struct jw w;

    buf_init(&b, 1 << 16);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kstr(&w, "name", c->args[0]);
    jw_kbool(&w, what, true);
    jw_obj_end(&w);
    cli_json_buf(c, &b);
    cli_say(c, "%s %s\n", what, cli_cstr(c, c->args[0]));
}

/* ---- add */

static enum rc parse_grants(struct cli *c, struct grant *ret, size_t *ret_n, struct err *e)
{
    size_t n = 0;

    if (c->args_n == 1)
        ret[n++] = (struct grant){STR("*"), RIGHT_CREATE};
    for (size_t i = 1; i < c->args_n; i++, n++) {
        ptrdiff_t eq = str_chr(c->args[i], '=');
        enum rc rc;

        if (eq < 0)
            return cli_misuse(c, e, "'%.*s' does not read BUCKET=RIGHTS", STR_F(c->args[i]));
        ret[n].pattern = str_sub(c->args[i], 0, (size_t)eq);
        rc = rights_parse(str_sub(c->args[i], (size_t)eq + 1, c->args[i].n), &ret[n].rights, e);
        if (rc) {
            c->status = EXIT_USAGE;
            return rc;
        }
    }
    *ret_n = n;
    return RC_OK;
}

enum rc store_user_add(struct cli *c, struct err *e)
{
    struct grant grants[IDENTITY_GRANTS_MAX];
    struct identities *s = NULL;
    struct key_pair k;
    size_t n = 0;
    enum rc rc = parse_grants(c, grants, &n, e);

    if (!rc)
        rc = open_ids(c, &s, e);
    if (!rc)
        rc = identity_add(s, c->args[0], grants, n, &k, e);
    if (!rc)
        say_pair(c, &k);
    identities_close(s);
    return rc;
}

/* ---- list */

struct listing {
    struct cli *c;
    struct table t;
    struct jw w;
};

static void time_or_null(struct jw *w, const char *name, int64_t ms)
{
    char text[OS_TIME_TEXT];

    if (ms)
        os_time_text(ms, text);
    jw_kcstr(w, name, ms ? text : NULL);
}

static enum rc list_one(void *ud, const struct identity_row *row, struct err *e)
{
    struct listing *l = ud;
    char rights[RIGHTS_TEXT];
    const char *grants = "", *keys = "";

    jw_obj(&l->w);
    jw_kstr(&l->w, "name", row->name);
    jw_kbool(&l->w, "disabled", row->disabled);
    time_or_null(&l->w, "created_at", row->created_ms);
    jw_karr(&l->w, "keys");
    for (size_t i = 0; i < row->keys_n && keys; i++) {
        const struct key_row *k = &row->keys[i];
        jw_obj(&l->w);
        jw_kstr(&l->w, "access_key", k->access_key);
        time_or_null(&l->w, "created_at", k->created_ms);
        time_or_null(&l->w, "expires_at", k->expires_ms);
        jw_obj_end(&l->w);
        keys = arena_printf(l->c->a, "%s%s%.*s%s", keys, i ? " " : "", STR_F(k->access_key),
                            k->expires_ms ? " (ends)" : "");
    }
    jw_arr_end(&l->w);
    jw_karr(&l->w, "grants");
    for (size_t i = 0; i < row->grants_n && grants; i++) {
        rights_text(row->grants[i].rights, rights);
        jw_obj(&l->w);
        jw_kstr(&l->w, "bucket", row->grants[i].pattern);
        jw_kcstr(&l->w, "rights", rights);
        jw_obj_end(&l->w);
        grants = arena_printf(l->c->a, "%s%s%.*s=%s", grants, i ? " " : "",
                              STR_F(row->grants[i].pattern), rights);
    }
    jw_arr_end(&l->w);
    jw_obj_end(&l->w);
    if (!keys || !grants)
        return cli_nomem(e);
    table_cell(&l->t, "%s", cli_cstr(l->c, row->name));
    table_cell(&l->t, "%s", row->disabled ? "disabled" : "");
    table_cell(&l->t, "%s", keys);
    table_cell(&l->t, "%s", grants);
    return RC_OK;
}

enum rc store_user_list(struct cli *c, struct err *e)
{
    static const char *const heads[] = {"NAME", "STATE", "ACCESS KEYS", "RIGHTS", NULL};
    struct listing l = {.c = c};
    struct identities *s;
    struct buf b;
    enum rc rc = open_ids(c, &s, e);

    if (rc)
        return rc;
    table_init(&l.t, c, heads);
    buf_init(&b, CLI_REPLY_MAX);
    jw_init(&l.w, &b);
    jw_obj(&l.w);
    jw_karr(&l.w, "users");
    rc = identity_list(s, list_one, &l, e);
    jw_arr_end(&l.w);
    jw_obj_end(&l.w);
    if (!rc) {
        table_print(&l.t, "no identities; the one of AWS_ACCESS_KEY_ID is not kept here");
        cli_json_text(c, buf_view(&b));
    }
    VEC_DONE(&l.t.cells);
    buf_done(&b);
    identities_close(s);
    return rc;
}

/* ---- change */

enum rc store_user_grant(struct cli *c, struct err *e)
{
    struct grant g = {.pattern = c->args[1]};
    struct identities *s = NULL;
    enum rc rc = rights_parse(c->args[2], &g.rights, e);

    if (rc)
        c->status = EXIT_USAGE;
    if (!rc)
        rc = open_ids(c, &s, e);
    if (!rc)
        rc = identity_grant(s, c->args[0], g, e);
    if (!rc)
        say_done(c, g.rights ? "granted" : "revoked");
    identities_close(s);
    return rc;
}

enum rc store_user_rotate(struct cli *c, struct err *e)
{
    const struct store_rotate_flags *f = c->flags;
    struct identities *s = NULL;
    struct key_pair k;
    int64_t grace_ms;
    enum rc rc;

    if (!str_duration_ms(f->grace, &grace_ms) || grace_ms < 0)
        return cli_misuse(c, e, "--grace is a time such as 24h, 10m or 0s");
    rc = open_ids(c, &s, e);
    if (!rc)
        rc = identity_rotate(s, c->args[0], grace_ms, &k, e);
    if (!rc)
        say_pair(c, &k);
    identities_close(s);
    return rc;
}

static enum rc set_disabled(struct cli *c, bool disabled, struct err *e)
{
    struct identities *s;
    enum rc rc = open_ids(c, &s, e);

    if (rc)
        return rc;
    rc = identity_disable(s, c->args[0], disabled, e);
    if (!rc)
        say_done(c, disabled ? "disabled" : "enabled");
    identities_close(s);
    return rc;
}

enum rc store_user_disable(struct cli *c, struct err *e)
{
    return set_disabled(c, true, e);
}

enum rc store_user_enable(struct cli *c, struct err *e)
{
    return set_disabled(c, false, e);
}

enum rc store_user_remove(struct cli *c, struct err *e)
{
    struct identities *s;
    enum rc rc = open_ids(c, &s, e);

    if (rc)
        return rc;
    rc = identity_remove(s, c->args[0], e);
    if (!rc)
        say_done(c, "removed");
    identities_close(s);
    return rc;
}
