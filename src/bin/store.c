/* store.c - `anneal store`: the object store alone. */
#include "store/store.h"

#include "base/log.h"
#include "bin/command.h"
#include "os/os.h"

#include <stdio.h>

enum { DIR_BYTES = 4200 };

static int run_store(int argc, char **argv)
{
    struct store *s = NULL;
    struct config *c = NULL;
    struct err e = {0};
    char dir[DIR_BYTES];

    os_stop_block();
    if (settings_load(&c, argc, argv, &e))
        return command_refuse(&e);
    snprintf(dir, sizeof dir, "%s/store", config_str(c, "data"));
    struct store_config setup = {.dir = dir,
                                 .listen = config_str(c, "store_listen"),
                                 .access_key = config_str(c, "aws_access_key_id"),
                                 .secret_key = config_str(c, "aws_secret_access_key"),
                                 .region = config_str(c, "s3_region")};
    if (!*setup.access_key || !*setup.secret_key)
        err_set(&e, RC_INVALID,
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to the keys that clients "
                "of this store will use");
    else if (!os_mkdirs(config_str(c, "data"), 0700, &e) && !store_open(&s, &setup, &e)) {
        log_info("store listens on port %d, data in %s", store_port(s), dir);
        os_stop_wait();
        store_drain(s, config_int(c, "drain_seconds") * 1000);
        store_close(s);
        config_free(c);
        return EXIT_OK;
    }
    config_free(c);
    return command_fail(&e);
}

const struct command store_command = {
    "store", "[--data DIR] [--store-listen HOST:PORT]", "Run the S3-compatible object store alone.",
    "Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.\n\n"
    "  AWS_ACCESS_KEY_ID=me AWS_SECRET_ACCESS_KEY=... anneal store --data /srv/anneal\n",
    run_store};
