/* cli_help.c - help, shell completion and the man page, all from the tables of the commands. */
#include "bin/cli.h"
#include "spec/config.h"

#include <stdio.h>
#include <string.h>

/* ---- help */

static void print_flag(const struct field *f, struct arena *a)
{
    char flag[FLAG_TEXT_MAX], left[160];
    const char *value = flag_value_text(f, a);
    str dflt = str_of(f->dflt);

    flag_text(f->name, flag);
    if (dflt.n > 1 && dflt.p[0] == '"')
        dflt = str_sub(dflt, 1, dflt.n - 2);
    snprintf(left, sizeof left, "%s%s%s", flag, *value ? " " : "", value);
    if (strlen(left) > 26)
        printf("  %s\n  %-26s", left, "");
    else
        printf("  %-26s", left);
    printf("  %s", f->help);
    if (dflt.n && f->type != FIELD_BOOL)
        printf(" [%.*s]", STR_F(dflt));
    else if (str_is(dflt, "true"))
        printf(" [on; --no-%s]", flag + 2);
    putchar('\n');
}

static void print_flags(const char *title, const struct field *t, struct arena *a)
{
    const char *group = "";

    if (!t || !t->name)
        return;
    printf("\n%s\n", title);
    for (; t->name; t++) {
        if (t->group && strcmp(group, t->group))
            printf(" %s\n", t->group);
        group = t->group ? t->group : "";
        print_flag(t, a);
    }
}

void cli_help_verb(const struct command *command, const struct verb *v)
{
    struct arena a;

    arena_init(&a, 1 << 20);
    printf("anneal %s%s%s%s%s [FLAGS]\n\n%s\n", command->name, *v->name ? " " : "", v->name,
           *v->args ? " " : "", v->args, v->summary);
    if (v->help)
        printf("\n%s", v->help);
    print_flags("Flags", v->flags, &a);
    print_flags("Settings", v->more, &a);
    if (!v->local)
        print_flags("Server", cli_server_fields, &a);
    print_flags("Output", cli_common_fields, &a);
    printf("\nExamples\n%s", v->examples);
    arena_done(&a);
}

void cli_help(const struct command *command)
{
    if (!*command->verbs[0].name) {
        cli_help_verb(command, command->verbs);
        return;
    }
    printf("anneal %s %s\n\n%s\n\n", command->name, command->usage, command->summary);
    if (command->run)
        printf("%s\n", command->help);
    for (const struct verb *v = command->verbs; v->name; v++) {
        char left[80];

        snprintf(left, sizeof left, "%s %s", v->name, v->args);
        printf("  %-24s%s%s\n", left, strlen(left) > 24 ? "\n                           " : " ",
               v->summary);
    }
    printf("\nExamples\n");
    for (const struct verb *v = command->verbs; v->name; v++)
        fputs(v->examples, stdout);
    printf("\n`anneal %s VERB --help` lists the flags of one.\n", command->name);
}

/* ---- completion */

typedef void (*flag_each_fn)(const struct field *f, void *ud);

static void each_flag(const struct verb *v, flag_each_fn each, void *ud)
{
    const struct field *tables[] = {v->flags, v->more, v->local ? NULL : cli_server_fields,
                                    cli_common_fields};

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct field *f = tables[i]; f && f->name; f++)
            each(f, ud);
}

static void word_flag(const struct field *f, void *ud)
{
    char flag[FLAG_TEXT_MAX];

    flag_text(f->name, flag);
    printf(" %s", flag);
}

static void setting_words(void)
{
    char flag[FLAG_TEXT_MAX];

    for (const struct config_row *r = config_rows; r->name; r++) {
        flag_text(r->name, flag);
        printf(" %s", flag);
    }
    printf(" --config");
}

struct seen {
    const char *names[512];
    size_t n;
};

/* Each flag with choices once: what may stand behind it. */
static void choice_case(const struct field *f, void *ud)
{
    struct seen *s = ud;
    char flag[FLAG_TEXT_MAX];

    if (f->type != FIELD_ENUM || s->n == 512)
        return;
    for (size_t i = 0; i < s->n; i++)
        if (!strcmp(s->names[i], f->name))
            return;
    s->names[s->n++] = f->name;
    flag_text(f->name, flag);
    printf("    %s) words=\"", flag);
    for (size_t i = 0; f->choices[i]; i++)
        printf("%s%s", i ? " " : "", f->choices[i]);
    printf("\" ;;\n");
}

static void bash_words(const struct command *c, const struct verb *v)
{
    if (*v->name)
        printf("    \"%s %s \"*) words=\"", c->name, v->name);
    else
        printf("    \"%s \"*) words=\"", c->name);
    each_flag(v, word_flag, NULL);
    printf(" --help\" ;;\n");
}

/* What may stand behind the command itself, and behind the first of two words. */
static void bash_verbs(const struct command *c)
{
    for (const struct verb *v = c->verbs; v->name; v++) {
        if (!*verb_second_word(v) || !verb_opens_group(c, v))
            continue;
        printf("    \"%s %.*s \"*) [ \"$COMP_CWORD\" -eq 3 ] && words=\"", c->name,
               (int)strcspn(v->name, " "), v->name);
        for (const struct verb *w = v; w->name && !strncmp(w->name, v->name, strcspn(v->name, " "));
             w++)
            printf("%s ", verb_second_word(w));
        printf("\" ;;\n");
    }
    printf("    \"%s \"*) words=\"", c->name);
    if (c->run)
        setting_words();
    printf("\"\n      [ \"$COMP_CWORD\" -eq 2 ] && words=\"$words ");
    for (const struct verb *v = c->verbs; v->name; v++)
        if (verb_opens_group(c, v))
            printf("%.*s ", (int)strcspn(v->name, " "), v->name);
    printf("\" ;;\n");
}

static void completion_bash(void)
{
    struct seen seen = {0};

    printf("# bash completion of anneal; made by `anneal completion bash`\n"
           "_anneal() {\n"
           "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=\n"
           "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    words=\"");
    for (int i = 0; commands[i]; i++)
        printf("%s ", commands[i]->name);
    printf("help\"\n  else\n    case $prev in\n");
    for (int i = 0; commands[i]; i++)
        for (const struct verb *v = commands[i]->verbs; v && v->name; v++)
            each_flag(v, choice_case, &seen);
    printf("    *) case \"${COMP_WORDS[*]:1:3} \" in\n");
    for (int i = 0; commands[i]; i++) {
        const struct command *c = commands[i];

        for (const struct verb *v = c->verbs; v && v->name; v++)
            bash_words(c, v);
        if (c->verbs && *c->verbs[0].name) {
            bash_verbs(c);
        } else if (!c->verbs) {
            printf("    \"%s \"*) words=\"", c->name);
            setting_words();
            printf(" --help\" ;;\n");
        }
    }
    printf("    esac ;;\n    esac\n  fi\n"
           "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
           "}\ncomplete -o bashdefault -o default -F _anneal anneal\n");
}

/* Text inside '...' of a shell, with what zsh and fish read specially left out. */
static void quoted(const char *s)
{
    for (; *s; s++)
        if (*s == '\'')
            printf("'\\''");
        else if (*s == '[' || *s == ']' || *s == ':')
            putchar(' ');
        else
            putchar(*s);
}

static void zsh_flag(const struct field *f, void *ud)
{
    char flag[FLAG_TEXT_MAX];

    flag_text(f->name, flag);
    printf(" \\\n        '%s[", flag);
    quoted(f->help);
    printf("]");
    if (f->type == FIELD_ENUM) {
        printf(":value:(");
        for (size_t i = 0; f->choices[i]; i++)
            printf("%s%s", i ? " " : "", f->choices[i]);
        printf(")");
    } else if (f->type != FIELD_BOOL) {
        printf(":%s:_files", f->name);
    }
    printf("'");
}

static void zsh_verbs(const struct command *c)
{
    printf("    %s)\n", c->name);
    if (!*c->verbs[0].name) {
        printf("      _arguments");
        each_flag(c->verbs, zsh_flag, NULL);
        printf(" \\\n        '*:file:_files' ;;\n");
        return;
    }
    printf("      if (( CURRENT == 3 )); then\n        local -a verbs=(");
    for (const struct verb *v = c->verbs; v->name; v++) {
        if (!verb_opens_group(c, v))
            continue;
        printf("\n          '%.*s:", (int)strcspn(v->name, " "), v->name);
        quoted(v->summary);
        printf("'");
    }
    printf(")\n        _describe verb verbs; return\n      fi\n");
    for (const struct verb *v = c->verbs; v->name; v++)
        if (*verb_second_word(v))
            printf("      [[ $CURRENT == 4 && $words[3] == %.*s ]] && compadd -- %s\n",
                   (int)strcspn(v->name, " "), v->name, verb_second_word(v));
    printf("      case \"$words[3] $words[4] \" in\n");
    for (const struct verb *v = c->verbs; v->name; v++) {
        printf("      '%s '*) shift words; (( CURRENT-- )); _arguments", v->name);
        each_flag(v, zsh_flag, NULL);
        printf(" \\\n        '*:file:_files' ;;\n");
    }
    printf("      esac ;;\n");
}

static void completion_zsh(void)
{
    printf("#compdef anneal\n# zsh completion of anneal; made by `anneal completion zsh`\n"
           "_anneal() {\n  if (( CURRENT == 2 )); then\n    local -a names=(");
    for (int i = 0; commands[i]; i++) {
        printf("\n      '%s:", commands[i]->name);
        quoted(commands[i]->summary);
        printf("'");
    }
    printf(")\n    _describe command names; return\n  fi\n  case $words[2] in\n");
    for (int i = 0; commands[i]; i++) {
        if (commands[i]->verbs) {
            zsh_verbs(commands[i]);
            continue;
        }
        printf("    %s) local -a flags=(", commands[i]->name);
        setting_words();
        printf(" --help); compadd -- $flags ;;\n");
    }
    printf("  esac\n}\nif [ \"$funcstack[1]\" = _anneal ]; then _anneal \"$@\"; "
           "else compdef _anneal anneal; fi\n");
}

static void fish_flag(const struct field *f, void *ud)
{
    char flag[FLAG_TEXT_MAX];

    flag_text(f->name, flag);
    printf("complete -c anneal %s -l %s", (const char *)ud, flag + 2);
    if (f->type == FIELD_ENUM) {
        printf(" -x -a '");
        for (size_t i = 0; f->choices[i]; i++)
            printf("%s%s", i ? " " : "", f->choices[i]);
        printf("'");
    } else if (f->type != FIELD_BOOL) {
        printf(" -r");
    }
    printf(" -d '");
    quoted(f->help);
    printf("'\n");
}

static void fish_verb(const struct command *c, const struct verb *v)
{
    int first = (int)strcspn(v->name, " ");

    if (*v->name && verb_opens_group(c, v)) {
        printf("complete -c anneal -f -n '__fish_seen_subcommand_from %s; and test (count "
               "(commandline -opc)) -eq 2' -a %.*s -d '",
               c->name, first, v->name);
        quoted(v->summary);
        printf("'\n");
    }
    if (*verb_second_word(v)) {
        printf("complete -c anneal -f -n '__fish_seen_subcommand_from %s; and "
               "__fish_seen_subcommand_from %.*s; and test (count (commandline -opc)) -eq 3' -a %s "
               "-d '",
               c->name, first, v->name, verb_second_word(v));
        quoted(v->summary);
        printf("'\n");
    }
}

static void completion_fish(void)
{
    char when[256];

    printf("# fish completion of anneal; made by `anneal completion fish`\n");
    for (int i = 0; commands[i]; i++) {
        const struct command *c = commands[i];

        printf("complete -c anneal -n __fish_use_subcommand -a %s -d '", c->name);
        quoted(c->summary);
        printf("'\n");
        for (const struct verb *v = c->verbs; v && v->name; v++) {
            fish_verb(c, v);
            snprintf(when, sizeof when, "-n '__fish_seen_subcommand_from %s%s%.*s%s%s'", c->name,
                     *v->name ? "; and __fish_seen_subcommand_from " : "",
                     (int)strcspn(v->name, " "), v->name,
                     *verb_second_word(v) ? "; and __fish_seen_subcommand_from " : "",
                     verb_second_word(v));
            each_flag(v, fish_flag, when);
        }
        for (const struct config_row *r = config_rows; c->run && r->name; r++) {
            char flag[FLAG_TEXT_MAX];

            flag_text(r->name, flag);
            printf("complete -c anneal -n '__fish_seen_subcommand_from %s' -l %s -r -d '", c->name,
                   flag + 2);
            quoted(r->help);
            printf("'\n");
        }
    }
}

static enum rc run_completion(struct cli *c, struct err *e)
{
    if (str_is(c->args[0], "bash"))
        completion_bash();
    else if (str_is(c->args[0], "zsh"))
        completion_zsh();
    else if (str_is(c->args[0], "fish"))
        completion_fish();
    else
        return cli_misuse(c, e, "there is completion for bash, zsh and fish, not for '%.*s'",
                          STR_F(c->args[0]));
    return RC_OK;
}

static const struct verb completion_verbs[] = {
    {.name = "",
     .args = "bash|zsh|fish",
     .args_min = 1,
     .args_max = 1,
     .local = true,
     .summary = "Print shell completion, made from the tables of this program.",
     .examples = "  anneal completion bash > ~/.local/share/bash-completion/completions/anneal\n"
                 "  anneal completion zsh > ~/.zfunc/_anneal\n"
                 "  anneal completion fish > ~/.config/fish/completions/anneal.fish\n",
     .run = run_completion},
    {.name = NULL}};
const struct command completion_command = {
    "completion", "bash|zsh|fish", "Print completion for a shell.", "", NULL, completion_verbs};
