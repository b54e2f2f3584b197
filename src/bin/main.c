/* main.c - `anneal SUBCOMMAND`: finds the subcommand, runs it, exits.  The only exit. */
#include "base/mem.h"
#include "bin/cli.h"
#include "net/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* clang-format off */
const struct command *const commands[] = {
    &serve_command,
    &dataset_command,
    &train_command,
    &jobs_command,
    &test_command,
    &predict_command,
    &export_command,
    &models_command,
    &sample_command,
    &user_command,
    &token_command,
    &config_command,
    &doctor_command,
    &debug_command,
    &version_command,
    &completion_command,
    &man_command,
    &trainer_command,
    &store_command,
    &worker_command, /* the last two are run by the others */
    &ingest_command,
    NULL};
/* clang-format on */

const struct command *command_find(const char *name)
{
    for (int i = 0; commands[i]; i++)
        if (!strcmp(commands[i]->name, name))
            return commands[i];
    return NULL;
}

void command_help(const struct command *c)
{
    if (c->verbs)
        cli_help(c);
    else
        printf("anneal %s %s\n\n%s\n\n%s", c->name, c->usage, c->summary, c->help);
}

static void complain(const char *text)
{
    bool colour = isatty(STDERR_FILENO) && !getenv("NO_COLOR");

    fprintf(stderr, "%sanneal: %s%s\n", colour ? "\033[31m" : "", text, colour ? "\033[0m" : "");
}

int command_fail(const struct err *e)
{
    complain(e->text[0] ? e->text : rc_title(e->rc));
    return e->rc == RC_UNAVAILABLE ? EXIT_UNREACHABLE : EXIT_FAILED;
}

int command_refuse(const struct err *e)
{
    int status = command_fail(e);

    return e->rc == RC_INVALID ? EXIT_USAGE : status;
}

int command_usage(const struct command *c, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    complain(text);
    fprintf(stderr, "usage: anneal %s %s\n`anneal %s --help` tells more\n", c->name, c->usage,
            c->name);
    return EXIT_USAGE;
}

static int help(FILE *to)
{
    fprintf(to,
            "Anneal %s: from a folder of images to a model that anyone can try.\n\n"
            "usage: anneal SUBCOMMAND [FLAGS]\n\n",
            ANNEAL_VERSION);
    for (int i = 0; commands[i]; i++)
        fprintf(to, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(to, "\n`anneal SUBCOMMAND --help` tells more and shows examples.\n");
    return to == stdout ? EXIT_OK : EXIT_USAGE;
}

/* argv[0] is the command. */
static void help_of(const struct command *c, int argc, char **argv)
{
    int words;
    const struct verb *v = argc > 1 ? cli_verb_find(c, argc, argv, &words) : NULL;

    if (v)
        cli_help_verb(c, v);
    else
        command_help(c);
}

static int wrong_subcommand(const char *word)
{
    const char *names[64] = {0}, *near;

    for (size_t i = 0; commands[i] && i < 63; i++)
        names[i] = commands[i]->name;
    near = nearest_name(names, str_of(word));
    fprintf(stderr, "anneal: there is no subcommand '%s'%s%s%s\n\n", word,
            near ? "; did you mean `anneal " : "", near ? near : "", near ? "`?" : "");
    return help(stderr);
}

static int run(int argc, char **argv)
{
    const struct command *c;

    if (argc < 2)
        return help(stderr);
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
        return help(stdout);
    if (!strcmp(argv[1], "help")) {
        c = argc > 2 ? command_find(argv[2]) : NULL;
        if (!c)
            return help(stdout);
        help_of(c, argc - 2, argv + 2);
        return EXIT_OK;
    }
    c = command_find(strcmp(argv[1], "--version") ? argv[1] : "version");
    if (!c)
        return wrong_subcommand(argv[1]);
    for (int i = 2; i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            help_of(c, i - 1, argv + 1);
            return EXIT_OK;
        }
    if (c->run && (!c->verbs || argc < 3 || argv[2][0] == '-'))
        return c->run(argc - 1, argv + 1);
    return cli_run(c, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    int status;

    client_setup();
    status = run(argc, argv);
    client_cleanup();
    if (fflush(stdout) != 0 && status == EXIT_OK)
        status = EXIT_FAILED;
    exit(status);
}
