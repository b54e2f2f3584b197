/* worker.c - `anneal worker`: one job, or warm models, for a trainer. */
#include "flow/worker/worker.h"

#include "bin/command.h"
#include "flow/worker/measure.h"
#include "flow/worker/predict.h"

#include <string.h>

static int run_worker(int argc, char **argv)
{
    struct err e = {0};
    bool predict = argc > 1 && !strcmp(argv[1], "--predict");
    bool measure = argc > 1 && !strcmp(argv[1], "--measure");
    enum rc rc = predict   ? predict_serve(0, 1, &e)
                 : measure ? measure_run(0, 1, &e)
                           : worker_run(0, 1, &e);

    return rc ? command_fail(&e) : EXIT_OK;
}

const struct command worker_command = {
    "worker", "[--predict|--measure]", "Run one job for a trainer (it starts this itself).",
    "Reads one line of work on standard input and writes reports on standard output, as\n"
    "src/spec/contract.h says.  --predict keeps models warm and answers pictures instead;\n"
    "--measure tells how fast a model trains here.\n",
    run_worker};
