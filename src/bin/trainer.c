/* trainer.c - `anneal trainer`: the native trainer service, alone or started by serve. */
#include "flow/trainer/trainer.h"

#include "base/log.h"
#include "bin/command.h"
#include "engine/model/net.h"
#include "os/os.h"

#include <stdio.h>
#include <string.h>

/* Takes `--name VALUE` or `--name=VALUE` out of argv; NULL if it is not there. */
static const char *take_flag(int *argc, char **argv, const char *name)
{
    size_t n = strlen(name);

    for (int i = 1; i < *argc; i++) {
        bool joined = !strncmp(argv[i], name, n) && argv[i][n] == '=';
        bool apart = !strcmp(argv[i], name) && i + 1 < *argc;
        const char *value = joined ? argv[i] + n + 1 : apart ? argv[i + 1] : NULL;

        if (!value)
            continue;
        *argc -= joined ? 1 : 2;
        for (int k = i; k < *argc; k++)
            argv[k] = argv[k + (joined ? 1 : 2)];
        return value;
    }
    return NULL;
}

enum { MODELS_MAX = 64, DRAIN_MS = 5000, DIR_BYTES = 4200 };

static size_t list_models(struct trainer_model *to)
{
    size_t n = 0;
    const struct net_card *cards = net_cards(&n);

    for (size_t i = 0; i < n && i < MODELS_MAX; i++)
        to[i] = (struct trainer_model){
            cards[i].name,        cards[i].title,           net_task_names[cards[i].task],
            cards[i].description, (int64_t)cards[i].params, cards[i].image_size_default};
    return n < MODELS_MAX ? n : MODELS_MAX;
}

static int run_trainer(int argc, char **argv)
{
    struct trainer_model models[MODELS_MAX];
    struct trainer_config setup = {.models = models, .framework = "anneal"};
    struct trainer *t = NULL;
    struct config *c = NULL;
    struct err e = {0};
    char dir[DIR_BYTES];

    os_stop_block();
    log_setup(LOG_INFO, false, "trainer");
    setup.listen = take_flag(&argc, argv, "--listen");
    setup.dir = take_flag(&argc, argv, "--dir");
    if (settings_load(&c, argc, argv, &e))
        return command_refuse(&e);
    if (!setup.listen)
        setup.listen = "127.0.0.1:8001";
    if (!setup.dir) {
        snprintf(dir, sizeof dir, "%s/trainer", config_str(c, "data"));
        setup.dir = dir;
    }
    setup.token = config_str(c, "trainer_token");
    setup.max_jobs = (unsigned)config_int(c, "jobs_per_trainer");
    setup.cache_bytes_max = config_u64(c, "trainer_cache_bytes_max");
    setup.models_n = list_models(models);
    if (os_mkdirs(setup.dir, 0700, &e) || trainer_open(&t, &setup, &e)) {
        config_free(c);
        return command_fail(&e);
    }
    /* The address as given, with the port that was taken: whoever started us reads this line. */
    printf("listening on http://%.*s:%d\n", (int)(strrchr(setup.listen, ':') - setup.listen),
           setup.listen, trainer_port(t));
    fflush(stdout);
    os_stop_wait();
    trainer_drain(t, DRAIN_MS);
    trainer_close(t);
    config_free(c);
    return EXIT_OK;
}

const struct command trainer_command = {
    "trainer", "[--dir DIR] [--listen HOST:PORT] [SETTING FLAGS]",
    "Run the native trainer service alone.",
    "`anneal serve` starts one by itself (training_mode subprocess).  Alone, it serves\n"
    "training_mode service; TRAINER_TOKEN in the environment is the token both sides share, and\n"
    "without one it listens on loopback only.\n\n"
    "  TRAINER_TOKEN=... anneal trainer --dir /srv/trainer --listen 0.0.0.0:8001\n",
    run_trainer};
