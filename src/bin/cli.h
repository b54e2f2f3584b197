/* cli.h - what the commands of the command line share: the tables that describe them, talking to
 * the server, and output.
 *
 * A command is a row of verbs (`anneal jobs list`), or one verb without a name (`anneal train`).
 * From the rows come parsing, help, shell completion and the man page.
 *
 * Output.  Results go to stdout; progress and remarks go to stderr.  With --json the last line of
 * stdout is one JSON object, also on failure: {"error":{"code","text","field"}}. */
#ifndef ANNEAL_BIN_CLI_H
#define ANNEAL_BIN_CLI_H

#include "bin/cli_flags.h"
#include "bin/command.h"
#include "net/client.h"

enum { CLI_MEMORY_MAX = 512 << 20, CLI_REPLY_MAX = 64 << 20 };

struct cli;
struct verb {
    const char *name; /* "import", or two words "user add"; "" where the command has one verb only;
                         NULL ends the table */
    const char *args; /* "PATH", "FILE...", "" */
    int args_min, args_max;    /* args_max -1: any number */
    const char *summary;       /* one line */
    const char *help;          /* further sentences; may be NULL */
    const char *examples;      /* lines "  anneal ... # what it does" */
    bool local;                /* asks no server: no --url, --token, --data */
    bool alone;                /* what the command does without a verb's name */
    const struct field *flags; /* NULL: none but the common ones */
    size_t flags_size;
    const struct field *more; /* a second table: the train settings */
    size_t more_size;
    enum rc (*run)(struct cli *c, struct err *e);
};

struct cli_common { /* the flags of every verb */
    bool json, quiet;
};
struct cli_server { /* of those that ask a server */
    str url, token, data;
};
extern const struct field cli_common_fields[], cli_server_fields[];

struct cli {
    const struct command *command;
    const struct verb *verb;
    struct arena arena, *a; /* a is the arena: it lives as long as the run */
    struct cli_common common;
    struct cli_server server;
    struct flags given;
    void *flags, *more; /* the verb's structs, filled */
    str *args;          /* the words behind the flags */
    size_t args_n;
    bool json, quiet;
    bool colour;       /* of stdout */
    bool bar;          /* progress bars on stderr */
    int status;        /* exit status when there is no error */
    const char *token; /* found at the first call; "" none */
};

/* Runs a command by its verbs; the exit status. */
int cli_run(const struct command *command, int argc, char **argv);

/* ---- help, completion, man page (cli_help.c) */
void cli_help(const struct command *command); /* all of it */
void cli_help_verb(const struct command *command, const struct verb *v);
/* The verb of argv[1], or of argv[1] and argv[2]; NULL: none.  *ret_words: how many it took. */
const struct verb *cli_verb_find(const struct command *command, int argc, char **argv,
                                 int *ret_words);
/* Does the first word of the verb's name stand alone, and what follows it ("" for one word)? */
const char *verb_second_word(const struct verb *v);
bool verb_opens_group(const struct command *command, const struct verb *v); /* first of its word */

/* ---- the server (cli_call.c) */
/* Sends `body` (JSON; NULL none) and reads the JSON reply into `a`; a 204 gives an empty object.
 * A problem document becomes an error with its code and field.  RC_UNAVAILABLE: nobody answers. */
enum rc cli_call(struct cli *c, struct arena *a, enum http_method m, const char *path,
                 const struct buf *body, const struct json **ret, struct err *e) must_check;
/* The same for a call that the caller has filled but for url and headers. */
enum rc cli_do(struct cli *c, struct client_call *call, const char *path, const char *type,
               struct client_reply *ret, struct err *e) must_check;
/* Turns a reply of status >= 400 with its body into an error. */
enum rc cli_problem(struct arena *a, int status, str body, struct err *e) must_check;
/* printf into the arena where each %s is percent-encoded; "" when memory is out. */
const char *cli_path(struct arena *a, const char *fmt, ...) printf_like(2, 3);
const char *cli_url_text(struct arena *a, str s);
enum rc cli_nomem(struct err *e);
/* A command line that a verb itself finds wrong: RC_INVALID, and exit status 2. */
enum rc cli_misuse(struct cli *c, struct err *e, const char *fmt, ...) printf_like(3, 4);

/* ---- output (cli_out.c) */
void cli_say(struct cli *c, const char *fmt, ...) printf_like(2, 3);  /* result; not with --json */
void cli_note(struct cli *c, const char *fmt, ...) printf_like(2, 3); /* stderr; not with --quiet */
/* The object that ends the output with --json; a no-op without. */
void cli_json_text(struct cli *c, str json);
void cli_json_buf(struct cli *c, struct buf *b); /* takes b */
const char *cli_cstr(struct cli *c, str s);      /* printable: control bytes become '?' */

enum cli_style { STYLE_NONE, STYLE_GOOD, STYLE_BAD, STYLE_DIM, STYLE_BOLD };
const char *cli_style(const struct cli *c, enum cli_style s); /* "" without colours */
enum cli_style cli_status_style(str status);                  /* of a job or an import */

/* "1.5 GB", "3 min 20 s"; in the arena. */
const char *cli_bytes(struct arena *a, double bytes);
const char *cli_seconds(struct arena *a, double s);
const char *cli_when(struct arena *a, str rfc3339); /* "5 min ago", "2026-11-20 10:00" */

struct table {
    struct cli *c;
    const char *const *heads; /* NULL-ended; a head that begins with '>' aligns to the right */
    size_t columns;
    VEC(const char *) cells;
};
void table_init(struct table *t, struct cli *c, const char *const *heads);
void table_cell(struct table *t, const char *fmt, ...) printf_like(2, 3);
void table_print(struct table *t, const char *none); /* and frees; `none` where there is no row */
/* Bytes of text that are shown as so many columns: UTF-8 characters. */
size_t text_width(const char *s);

/* A bar on a terminal; else a line at most every 10 s and at each new phase.  Zeroed memory and c
 * are a fresh one. */
struct progress {
    struct cli *c;
    int64_t started_ms, drawn_ms, line_ms;
    bool shown;
    char phase[64];
};
/* part < 0: unknown.  detail: what stands behind the bar. */
void progress_show(struct progress *p, const char *phase, double part, const char *detail);
void progress_line(struct progress *p, const char *fmt, ...) printf_like(2, 3); /* above the bar */
void progress_end(struct progress *p);

#endif
