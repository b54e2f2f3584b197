/* settings.c - the configuration from the command line, and `anneal config`, which shows it. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/vec.h"
#include "bin/command.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 64 };

/* "--store-listen" -> "store_listen"; false if it is not the name of a row. */
static bool row_name(str flag, char ret[NAME_MAX_BYTES])
{
    if (!str_starts(flag, STR("--")) || flag.n - 2 >= NAME_MAX_BYTES)
        return false;
    for (size_t i = 2; i < flag.n; i++)
        ret[i - 2] = flag.p[i] == '-' ? '_' : flag.p[i];
    ret[flag.n - 2] = 0;
    for (const struct config_row *r = config_rows; r->name; r++)
        if (!strcmp(r->name, ret))
            return true;
    return false;
}

static bool is_bool_row(const char *name)
{
    for (const struct config_row *r = config_rows; r->name; r++)
        if (!strcmp(r->name, name))
            return r->type == CONFIG_BOOL;
    return false;
}

/* One flag of argv at *i into "name=value". */
static enum rc one_flag(struct arena *a, int argc, char **argv, int *i, const char **ret_file,
                        const char **ret_text, struct err *e)
{
    str word = str_of(argv[*i]), flag = word, value = STR_NONE;
    ptrdiff_t eq = str_chr(word, '=');
    char name[NAME_MAX_BYTES];
    bool is_file;

    if (eq > 0) {
        flag = str_sub(word, 0, (size_t)eq);
        value = str_sub(word, (size_t)eq + 1, word.n);
    }
    is_file = str_is(flag, "--config");
    if (!is_file && !row_name(flag, name))
        return err_set(e, RC_INVALID,
                       "there is no flag '%s'; `anneal config --help` lists the settings",
                       argv[*i]);
    if (eq <= 0 && !is_file && is_bool_row(name))
        value = STR("true");
    else if (eq <= 0 && *i + 1 < argc)
        value = str_of(argv[++*i]);
    else if (eq <= 0)
        return err_set(e, RC_INVALID, "'%s' needs a value", argv[*i]);
    if (is_file)
        *ret_file = arena_cstr(a, value);
    else
        *ret_text = arena_printf(a, "%s=%.*s", name, STR_F(value));
    return *ret_file || *ret_text ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
}

enum rc settings_load(struct config **ret, int argc, char **argv, struct err *e)
{
    VEC(const char *) flags = {0};
    const char *file = NULL;
    struct arena a;
    enum rc rc = RC_OK;

    arena_init(&a, 1 << 20);
    for (int i = 1; !rc && i < argc; i++) {
        const char *text = NULL;
        rc = one_flag(&a, argc, argv, &i, &file, &text, e);
        if (!rc && text && !VEC_PUSH(&flags, text))
            rc = err_set(e, RC_NOMEM, "out of memory");
    }
    if (!rc)
        rc = config_load(ret, flags.p, flags.n, file, environ, e);
    VEC_DONE(&flags);
    arena_done(&a);
    return rc;
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
        return command_fail(&e);
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
