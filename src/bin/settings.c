/* settings.c - the configuration from the command line, and `anneal config`, which shows it. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "bin/cli_flags.h"
#include "bin/command.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Flags are the rows of the configuration, and behind them --config. */
struct taken {
    struct arena a;
    VEC(const char *) flags; /* "name=value" */
    const char *file;
};

static size_t rows(void)
{
    size_t n = 0;

    while (config_rows[n].name)
        n++;
    return n;
}

static const char *row_name(void *ud, size_t i)
{
    return i < rows() ? config_rows[i].name : i == rows() ? "config" : NULL;
}

static bool row_is_switch(void *ud, size_t i)
{
    return i < rows() && config_rows[i].type == CONFIG_BOOL;
}

static enum rc take_row(void *ud, size_t i, str value, struct err *e)
{
    struct taken *t = ud;
    const char *text;

    if (i == rows()) {
        t->file = arena_cstr(&t->a, value);
        return t->file ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
    }
    text = arena_printf(&t->a, "%s=%.*s", config_rows[i].name, STR_F(value));
    return text && VEC_PUSH(&t->flags, text) ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
}

enum rc settings_load(struct config **ret, int argc, char **argv, struct err *e)
{
    static const struct flag_set set = {row_name, row_is_switch, take_row, NULL};
    struct taken t = {0};
    enum rc rc;

    arena_init(&t.a, 1 << 20);
    rc = flags_walk(&set, &t, argc, argv, e);
    if (rc == RC_INVALID) {
        struct err cause = *e;

        err_set(e, rc, "%s (`anneal config --list` shows the settings)", cause.text);
    }
    if (!rc)
        rc = config_load(ret, t.flags.p, t.flags.n, t.file, environ, e);
    VEC_DONE(&t.flags);
    arena_done(&t.a);
    return rc;
}

void settings_log(const struct config *c, const char *who)
{
    static const char *const levels[] = {"debug", "info", "warning", "error"};
    enum log_level level = LOG_INFO;

    for (int i = 0; i < 4; i++)
        if (!strcmp(config_str(c, "log_level"), levels[i]))
            level = (enum log_level)i;
    log_setup(level, !strcmp(config_str(c, "log_format"), "json"), who);
}

/* ---- anneal config */

static const char *shown(const struct config *c, const struct config_row *r)
{
    const char *v = config_str(c, r->name);

    return r->secret && *v ? "*****" : v;
}

static void print_json(const struct config *c)
{
    struct buf b;
    struct jw w;

    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    jw_obj(&w);
    for (const struct config_row *r = config_rows; r->name; r++) {
        jw_kobj(&w, r->name);
        jw_kcstr(&w, "value", shown(c, r));
        jw_kcstr(&w, "source", config_source(c, r->name));
        jw_obj_end(&w);
    }
    jw_obj_end(&w);
    puts(b.p);
    buf_done(&b);
}

static void print_text(const struct config *c)
{
    const char *group = "";

    for (const struct config_row *r = config_rows; r->name; r++) {
        if (strcmp(group, r->group))
            printf("%s%s\n", *group ? "\n" : "", r->group);
        group = r->group;
        printf("  %-24s %-36s %s\n", r->name, *shown(c, r) ? shown(c, r) : "(empty)",
               config_source(c, r->name));
    }
}

static void print_rows(void)
{
    const char *group = "";

    for (const struct config_row *r = config_rows; r->name; r++) {
        if (strcmp(group, r->group))
            printf("\n%s\n", r->group);
        group = r->group;
        printf("  %-24s %s\n  %24s default %s%s%s\n", r->name, r->help, "",
               *r->dflt ? r->dflt : "(empty)", r->env ? "; environment " : "",
               r->env ? r->env : "");
    }
}

static int run(int argc, char **argv)
{
    struct config *c = NULL;
    struct err e = {0};
    bool json = false, rows = false;
    int n = 1;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--json"))
            json = true;
        else if (!strcmp(argv[i], "--list"))
            rows = true;
        else
            argv[n++] = argv[i];
    }
    if (rows) {
        print_rows();
        return EXIT_OK;
    }
    if (settings_load(&c, n, argv, &e))
        return command_refuse(&e);
    if (json)
        print_json(c);
    else
        print_text(c);
    config_free(c);
    return EXIT_OK;
}

const struct command config_command = {
    "config", "[--list] [--json] [SETTING FLAGS]",
    "Show every setting and where its value came from.",
    "A setting is a flag (--store-listen), an environment variable, a line `name = value` of\n"
    "DATA/anneal.conf (or --config FILE), or its default, in this order.\n\n"
    "  anneal config                      what `anneal serve` would use here\n"
    "  anneal config --list               what each setting means\n"
    "  anneal config --data /srv/anneal   with another data directory\n",
    run};

void settings_store(const struct config *c, struct store_config *to)
{
    to->scrub_bytes_per_s = config_u64(c, "store_scrub_bytes_per_s");
    to->scrub_days = (unsigned)config_int(c, "store_scrub_days");
    to->compact_bytes_per_s = config_u64(c, "store_compact_bytes_per_s");
    to->dead_percent = (unsigned)config_int(c, "store_dead_percent");
}
