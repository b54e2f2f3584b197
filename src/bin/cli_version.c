/* cli_version.c - `anneal version`. */
#include "bin/cli.h"

#include <stdio.h>

static enum rc run_version(struct cli *c, struct err *e)
{
    struct buf b;
    struct jw w;

    buf_init(&b, 64 << 10);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kcstr(&w, "name", "anneal");
    jw_kcstr(&w, "version", ANNEAL_VERSION);
    jw_kcstr(&w, "compiler", __VERSION__);
    jw_obj_end(&w);
    cli_json_buf(c, &b);
    cli_say(c, "anneal %s\n", ANNEAL_VERSION);
    return RC_OK;
}

static const struct verb verbs[] = {{.name = "",
                                     .args = "",
                                     .local = true,
                                     .summary = "Print the version of this program.",
                                     .examples = "  anneal version\n  anneal version --json\n",
                                     .run = run_version},
                                    {.name = NULL}};
const struct command version_command = {"version", "[--json]", "Print the version.",
                                        "",        NULL,       verbs};
