/* store.c - `anneal store`: the object store alone, and the identities that may use it. */
#include "store/store.h"

#include "base/log.h"
#include "bin/store_verbs.h"
#include "os/os.h"

#include <stdio.h>
#include <string.h>

enum { DIR_BYTES = 4200 };

/* --listen is the store's address here; --store-listen, as of `serve`, is understood too. */
static const char *listen_at(const struct config *c)
{
    bool own = !strcmp(config_source(c, "listen"), "default");

    return config_str(c, own ? "store_listen" : "listen");
}

static int run_store(int argc, char **argv)
{
    struct store *s = NULL;
    struct config *c = NULL;
    struct err e = {0};
    char dir[DIR_BYTES];

    os_stop_block();
    if (settings_load(&c, argc, argv, &e))
        return command_refuse(&e);
    settings_log(c, "store");
    os_memory_few_heaps();
    snprintf(dir, sizeof dir, "%s/store", config_str(c, "data"));
    struct store_config setup = {.dir = dir,
                                 .listen = listen_at(c),
                                 .access_key = config_str(c, "aws_access_key_id"),
                                 .secret_key = config_str(c, "aws_secret_access_key"),
                                 .master = config_str(c, "store_master"),
                                 .domain = config_str(c, "store_domain"),
                                 .region = config_str(c, "s3_region")};
    settings_store(c, &setup);
    if (!*setup.access_key != !*setup.secret_key)
        err_set(&e, RC_INVALID, "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither");
    else if (!os_mkdirs(config_str(c, "data"), 0700, &e) && !store_open(&s, &setup, &e)) {
        log_info("store listens on %.*s port %d, data in %s",
                 (int)str_rchr(str_of(setup.listen), ':'), setup.listen, store_port(s), dir);
        os_stop_wait();
        store_drain(s, config_int(c, "drain_seconds") * 1000);
        store_close(s);
        config_free(c);
        return EXIT_OK;
    }
    config_free(c);
    return command_fail(&e);
}

#define FLAGS(f, s) .flags = f, .flags_size = sizeof(struct s)
#define LOCAL       .local = true, FLAGS(store_data_fields, store_data_flags)
#define ONE         .args = "NAME", .args_min = 1, .args_max = 1, .local = true
static const struct verb verbs[] = {
    {.name = "user add",
     .args = "NAME [BUCKET=RIGHTS..]",
     .args_min = 1,
     .args_max = 1 + IDENTITY_GRANTS_MAX,
     LOCAL,
     .summary = "Make an identity; prints its access key and secret key, the latter this once.",
     .help =
         "Rights: read, write, list, admin, create, all; a bucket may end with '*'. Without any, "
         "it may make\nbuckets, and do all in those that it has made.\n",
     .examples = "  anneal store user add alice --data /srv/store --json\n"
                 "  anneal store user add backup 'backup-*=read,write,list,create'\n",
     .run = store_user_add},
    {.name = "user list",
     .args = "",
     LOCAL,
     .summary = "List the identities with their keys and rights; never a secret.",
     .examples = "  anneal store user list --data /srv/store\n",
     .run = store_user_list},
    {.name = "user grant",
     .args = "NAME BUCKET RIGHTS",
     .args_min = 3,
     .args_max = 3,
     LOCAL,
     .summary = "Give rights in a bucket, in place of those it had there; `none` takes them away.",
     .examples = "  anneal store user grant alice photos read,list\n"
                 "  anneal store user grant alice 'photos-*' none\n",
     .run = store_user_grant},
    {.name = "user rotate",
     ONE,
     FLAGS(store_rotate_fields, store_rotate_flags),
     .summary = "Make a new key; the old one works on for --grace.",
     .examples = "  anneal store user rotate alice --grace 24h --json\n"
                 "  anneal store user rotate alice --grace 0s # a key that has leaked ends now\n",
     .run = store_user_rotate},
    {.name = "user disable",
     ONE,
     FLAGS(store_data_fields, store_data_flags),
     .summary = "Let an identity in no more; it keeps keys, rights and buckets.",
     .examples = "  anneal store user disable alice\n",
     .run = store_user_disable},
    {.name = "user enable",
     ONE,
     FLAGS(store_data_fields, store_data_flags),
     .summary = "Let a disabled identity in again.",
     .examples = "  anneal store user enable alice\n",
     .run = store_user_enable},
    {.name = "user remove",
     ONE,
     FLAGS(store_data_fields, store_data_flags),
     .summary = "Remove an identity, its keys and rights; its buckets stay.",
     .help = "Buckets belong to a name: a new identity of the same name owns them again.\n",
     .examples = "  anneal store user remove alice\n",
     .run = store_user_remove},
    {.name = "stat",
     .args = "",
     .local = true,
     FLAGS(store_data_fields, store_data_flags),
     .summary = "Show what lies in the store and on its disk, beside a running store too.",
     .examples = "  anneal store stat --data /srv/store --json\n",
     .run = store_run_stat},
    {.name = "check",
     .args = "",
     .local = true,
     FLAGS(store_walk_fields, store_walk_flags),
     .summary = "Verify index, files and every byte; exit status 1 if something is wrong.",
     .help = "Changes nothing. Of a copy it verifies the manifest first.\n",
     .examples = "  anneal store check --data /srv/store --rate 50MB\n"
                 "  anneal store check --data /backup/monday --quick\n",
     .run = store_run_check},
    {.name = "scrub",
     .args = "",
     .local = true,
     FLAGS(store_scrub_fields, store_walk_flags),
     .summary = "Verify every byte and mark what is damaged; goes on where the last one ended.",
     .help = "A running store does it by itself all the time.\n",
     .examples = "  anneal store scrub --data /srv/store\n",
     .run = store_run_scrub},
    {.name = "compact",
     .args = "",
     .local = true,
     FLAGS(store_compact_fields, store_compact_flags),
     .summary = "Rewrite segments with much dead space; a running store does it by itself.",
     .examples = "  anneal store compact --data /srv/store --dead-percent 10\n",
     .run = store_run_compact},
    {.name = "backup",
     .args = "TO",
     .args_min = 1,
     .args_max = 1,
     .local = true,
     FLAGS(store_scrub_fields, store_walk_flags),
     .summary = "Copy the store as of one moment, while it runs too, with a manifest.",
     .help = "TO is absent or empty; the copy is TO/store, which `--data TO` serves and checks.\n",
     .examples = "  anneal store backup /backup/monday --data /srv/store\n"
                 "  anneal store check --data /backup/monday\n",
     .run = store_run_backup},
    {.name = NULL}};
const struct command store_command = {
    "store",
    "[--data DIR] [--listen HOST:PORT]",
    "Run the S3-compatible object store alone, or manage one.",
    "Without a verb it serves DIR/store until SIGTERM. The first identity comes from\n"
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY and may do all; `anneal store user add` makes\n"
    "others, while the store runs or not. The region is us-east-1 (AWS_REGION). /_health answers\n"
    "anybody, /_metrics (Prometheus) this machine and every identity.\n\n"
    "  AWS_ACCESS_KEY_ID=me AWS_SECRET_ACCESS_KEY=.. anneal store --data /srv/store --listen "
    "127.0.0.1:9000\n",
    run_store,
    verbs};
