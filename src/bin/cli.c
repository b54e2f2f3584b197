/* cli.c - runs a verb: finds it, reads its flags, says how it ended. */
#include "bin/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define S struct cli_common
const struct field cli_common_fields[] = {
    F_BOOL(S, json, .help = "The last line of output is one JSON object; nothing else is printed."),
    F_BOOL(S, quiet, .help = "No progress and no remarks."), FIELD_END};
#undef S
#define S struct cli_server
const struct field cli_server_fields[] = {
    F_STR(S, url, .help = "Address of the server; else ANNEAL_URL, else http://127.0.0.1:8000."),
    F_STR(S, token, .flags = FIELD_SECRET,
          .help = "API token; else ANNEAL_TOKEN, else the file admin.token of the data directory."),
    F_STR(S, data,
          .help =
              "Data directory of a server on this machine; else ANNEAL_DATA, else its default."),
    FIELD_END};
#undef S

const char *verb_second_word(const struct verb *v)
{
    const char *blank = strchr(v->name, ' ');

    return blank ? blank + 1 : "";
}

static size_t first_word(const struct verb *v)
{
    return strcspn(v->name, " ");
}

bool verb_opens_group(const struct command *command, const struct verb *v)
{
    for (const struct verb *w = command->verbs; w < v; w++)
        if (first_word(w) == first_word(v) && !strncmp(w->name, v->name, first_word(v)))
            return false;
    return true;
}

static bool verb_is(const struct verb *v, const char *first, const char *second)
{
    return first_word(v) == strlen(first) && !strncmp(v->name, first, strlen(first)) &&
           !strcmp(verb_second_word(v), second);
}

const struct verb *cli_verb_find(const struct command *command, int argc, char **argv,
                                 int *ret_words)
{
    for (int words = argc > 2 ? 2 : argc - 1; words > 0; words--)
        for (const struct verb *v = command->verbs; v && v->name; v++)
            if (verb_is(v, argv[1], words == 2 ? argv[2] : "")) {
                *ret_words = words;
                return v;
            }
    return NULL;
}

static int wrong_verb(const struct command *command, const char *word)
{
    const char *names[32] = {0}, *near;
    size_t n = 0;

    for (const struct verb *v = command->verbs; v->name && n < 31; v++) {
        names[n++] = v->name;
        if (*verb_second_word(v) && strlen(word) == first_word(v) &&
            !strncmp(v->name, word, first_word(v)))
            return command_usage(command, "`anneal %s %s` needs to know what to do", command->name,
                                 word);
    }
    near = nearest_name(names, str_of(word));
    if (!*word)
        return command_usage(command, "`anneal %s` needs to know what to do", command->name);
    if (near)
        return command_usage(command, "there is no `anneal %s %s`; did you mean `%s`?",
                             command->name, word, near);
    return command_usage(command, "there is no `anneal %s %s`", command->name, word);
}

static enum rc read_line(struct cli *c, int argc, char **argv, struct err *e)
{
    const struct verb *v = c->verb;
    enum rc rc = flags_add(&c->given, cli_common_fields, &c->common, e);

    c->flags = arena_alloc(c->a, v->flags_size + 1);
    c->more = arena_alloc(c->a, v->more_size + 1);
    if (!c->flags || !c->more)
        return cli_nomem(e);
    if (!rc && v->flags)
        rc = flags_add(&c->given, v->flags, c->flags, e);
    if (!rc && v->more)
        rc = flags_add(&c->given, v->more, c->more, e);
    if (!rc && !v->local)
        rc = flags_add(&c->given, cli_server_fields, &c->server, e);
    if (!rc)
        rc = flags_read(&c->given, argc, argv, e);
    c->json = c->common.json;
    c->quiet = c->common.quiet;
    c->args = c->given.words.p;
    c->args_n = c->given.words.n;
    c->colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    c->bar = isatty(STDERR_FILENO) && !c->quiet;
    if (rc)
        return rc;
    for (const struct field *f = v->flags; f && f->name; f++)
        if ((f->flags & FIELD_REQUIRED) && !flags_given(&c->given, f->name)) {
            char flag[FLAG_TEXT_MAX];

            flag_text(f->name, flag);
            return err_set(e, RC_INVALID, "%s %s is needed", flag, flag_value_text(f, c->a));
        }
    if (c->args_n < (size_t)v->args_min)
        return err_set(e, RC_INVALID, "%s is missing", v->args);
    if (v->args_max >= 0 && c->args_n > (size_t)v->args_max)
        return err_set(e, RC_INVALID, "'%.*s' is one word too many", STR_F(c->args[v->args_max]));
    return RC_OK;
}

static void say_failure(struct cli *c, const struct err *e)
{
    struct buf b;
    struct jw w;

    buf_init(&b, 64 << 10);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kobj(&w, "error");
    jw_kcstr(&w, "code", rc_code(e->rc));
    jw_kcstr(&w, "text", e->text);
    jw_kcstr(&w, "field", *e->field ? e->field : NULL);
    jw_obj_end(&w);
    jw_obj_end(&w);
    cli_json_buf(c, &b);
}

enum rc cli_misuse(struct cli *c, struct err *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    err_setv(e, RC_INVALID, fmt, ap);
    va_end(ap);
    c->status = EXIT_USAGE;
    return RC_INVALID;
}

static int say_misuse(struct cli *c, const struct err *e)
{
    struct command shown = *c->command; /* the verb's own usage */
    const struct verb *v = c->verb;

    say_failure(c, e);
    fflush(stdout);
    shown.name = arena_printf(c->a, "%s%s%s", shown.name, *v->name ? " " : "", v->name);
    shown.usage = arena_printf(c->a, "%s%s[FLAGS]", v->args, *v->args ? " " : "");
    return shown.usage && shown.name ? command_usage(&shown, "%s", e->text) : EXIT_USAGE;
}

static int run_verb(struct cli *c, int argc, char **argv)
{
    struct err e = {0};
    enum rc rc = read_line(c, argc, argv, &e);

    if (rc)
        return rc == RC_NOMEM ? command_fail(&e) : say_misuse(c, &e);
    rc = c->verb->run(c, &e);
    if (!rc)
        return c->status;
    if (c->status == EXIT_USAGE)
        return say_misuse(c, &e);
    say_failure(c, &e);
    fflush(stdout);
    return command_fail(&e);
}

int cli_run(const struct command *command, int argc, char **argv)
{
    struct cli c = {.command = command};
    int status, words = 0;

    c.verb = *command->verbs[0].name ? cli_verb_find(command, argc, argv, &words) : command->verbs;
    for (const struct verb *v = command->verbs; !c.verb && v->name; v++)
        if (v->alone && (argc < 2 || argv[1][0] == '-'))
            c.verb = v;
    if (!c.verb)
        return wrong_verb(command, argc > 1 ? argv[1] : "");
    arena_init(&c.arena, CLI_MEMORY_MAX);
    c.a = &c.arena;
    flags_init(&c.given, c.a);
    status = run_verb(&c, argc - words, argv + words);
    flags_done(&c.given);
    arena_done(&c.arena);
    return status;
}
