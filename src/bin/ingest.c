/* ingest.c - `anneal ingest`: one import, started by serve; see flow/dataset/ingest.h. */
#include "flow/dataset/ingest.h"

#include "base/log.h"
#include "bin/command.h"

#include <unistd.h>

static int run(int argc, char **argv)
{
    struct err e = {0};

    (void)argv;
    log_setup(LOG_INFO, false, "ingest");
    if (argc > 1)
        return command_usage(&ingest_command, "ingest takes no arguments");
    return ingest_run(STDIN_FILENO, STDOUT_FILENO, &e) ? command_fail(&e) : EXIT_OK;
}

const struct command ingest_command = {
    "ingest", "< ORDER",
    "Import one uploaded archive (serve starts this; people use `anneal dataset import`).",
    "Reads one line of JSON from standard input, the order, and writes lines of progress and one\n"
    "of result to standard output.  A crash of a decoder ends this process and one import.\n",
    run};
