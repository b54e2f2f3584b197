/* cli_man.c - `anneal man`: the man page in roff, made from the same tables as help. */
#include "bin/cli.h"
#include "spec/config.h"

#include <stdio.h>
#include <string.h>

/* Text of a paragraph: backslashes, dashes and a leading dot would be requests. */
static void text(const char *s)
{
    bool start = true;

    for (; *s; s++) {
        if (start && (*s == '.' || *s == '\''))
            printf("\\&");
        if (*s == '\\')
            printf("\\e");
        else if (*s == '-')
            printf("\\-");
        else
            putchar(*s);
        start = *s == '\n';
    }
}

static void flag_item(const struct field *f, struct arena *a)
{
    char flag[FLAG_TEXT_MAX];
    const char *value = flag_value_text(f, a);

    flag_text(f->name, flag);
    printf(".TP\n.B ");
    text(flag);
    if (*value) {
        printf(" \\fI");
        text(value);
        printf("\\fR");
    }
    putchar('\n');
    text(f->help);
    if (f->dflt && f->type != FIELD_BOOL) {
        printf(" Default ");
        text(f->dflt);
        putchar('.');
    }
    putchar('\n');
}

static void flag_items(const struct field *t, struct arena *a)
{
    for (; t && t->name; t++)
        flag_item(t, a);
}

static void example(const char *lines)
{
    printf(".PP\n.nf\n");
    text(lines);
    printf(".fi\n");
}

static void verb_section(const struct command *c, const struct verb *v, struct arena *a)
{
    printf(".SS \"anneal %s%s%s%s", c->name, *v->name ? " " : "", v->name, *v->args ? " " : "");
    text(v->args);
    printf("\"\n");
    text(v->summary);
    putchar('\n');
    if (v->help) {
        printf(".PP\n");
        text(v->help);
    }
    flag_items(v->flags, a);
    flag_items(v->more, a);
    example(v->examples);
}

static void command_section(const struct command *c, struct arena *a)
{
    for (const struct verb *v = c->verbs; v && v->name; v++)
        verb_section(c, v, a);
    if (!c->run)
        return;
    printf(".SS \"anneal %s ", c->name);
    text(c->usage);
    printf("\"\n");
    text(c->summary);
    putchar('\n');
    example(c->help);
}

static void settings_section(void)
{
    printf(".SH SETTINGS\nOf `anneal serve` and its parts: a flag, else the environment, else a "
           "line `name = value` of DATA/anneal.conf, else the default.\n");
    for (const struct config_row *r = config_rows; r->name; r++) {
        char flag[FLAG_TEXT_MAX];

        flag_text(r->name, flag);
        printf(".TP\n.B ");
        text(flag);
        if (r->env)
            printf(" \\fR(%s)", r->env);
        putchar('\n');
        text(r->help);
        printf(" Default ");
        text(*r->dflt ? r->dflt : "empty");
        printf(".\n");
    }
}

static enum rc run_man(struct cli *c, struct err *e)
{
    printf(".\\\" made by `anneal man`\n.TH ANNEAL 1 \"\" \"anneal %s\" \"User Commands\"\n"
           ".SH NAME\nanneal \\- from a folder of images to a model that anyone can try\n"
           ".SH SYNOPSIS\n.B anneal\n.I COMMAND\n[\\fIVERB\\fR] [\\fIFLAGS\\fR] [\\fIWORDS\\fR]\n"
           ".SH DESCRIPTION\nAnneal imports pictures, trains a model on them, scores it, and tells "
           "with it what a picture shows. `anneal serve` is the whole product in one process: web "
           "app, API, database, object store and trainer. The other commands ask that server.\n"
           ".PP\nFlags and words come in any order; `\\-\\-flag value` and `\\-\\-flag=value` are "
           "the same; `\\-\\-` ends the flags.\n.SH COMMANDS\n",
           ANNEAL_VERSION);
    for (int i = 0; commands[i]; i++)
        command_section(commands[i], c->a);
    printf(".SH \"FLAGS OF EVERY COMMAND\"\n");
    flag_items(cli_common_fields, c->a);
    printf(".SH \"FLAGS OF COMMANDS THAT ASK THE SERVER\"\n");
    flag_items(cli_server_fields, c->a);
    settings_section();
    printf(".SH \"EXIT STATUS\"\n.TP\n.B 0\nIt is done.\n.TP\n.B 1\nIt failed.\n.TP\n.B 2\n"
           "The command line is wrong.\n.TP\n.B 3\nThe server cannot be reached.\n.TP\n.B 130\n"
           "Ctrl\\-C ended the waiting for a job, which goes on.\n"
           ".SH ENVIRONMENT\n.TP\n.B ANNEAL_URL\nAddress of the server.\n.TP\n.B ANNEAL_TOKEN\n"
           "API token.\n.TP\n.B ANNEAL_DATA\nData directory.\n.TP\n.B NO_COLOR\nNo colours.\n"
           ".SH FILES\n.TP\n.I DATA/admin.token\nAPI token of the administrator, readable by its "
           "owner alone.\n.TP\n.I DATA/anneal.conf\nSettings.\n");
    return RC_OK;
}

static const struct verb man_verbs[] = {
    {.name = "",
     .args = "",
     .local = true,
     .summary = "Print the man page, made from the tables of this program.",
     .examples = "  anneal man > /usr/local/share/man/man1/anneal.1\n"
                 "  anneal man | man -l -\n",
     .run = run_man},
    {.name = NULL}};
const struct command man_command = {"man", "", "Print the man page (roff).", "", NULL, man_verbs};
