/* cli_debug.c - `anneal debug`: what the engine has decided, for people who work on it. */
#include "bin/cli.h"
#include "engine/model/net.h"

#include <stdio.h>

static const char *const backends[] = {"auto", "onednn", "portable", NULL};

struct plan_flags {
    int64_t batch, size, classes, threads;
    bool train, average;
    int backend;
};
#define S struct plan_flags
static const struct field plan_fields[] = {
    F_INT(S, batch, .dflt = "1", .min = 1, .max = NET_BATCH_MAX, .help = "Images at a time."),
    F_INT(S, size, .min = 0, .max = NET_IMAGE_SIZE_MAX,
          .help = "Pixels a side; else the model's own size."),
    F_INT(S, classes, .min = 0, .max = NET_CLASSES_MAX, .help = "Classes; else 80."),
    F_INT(S, threads, .min = 0, .max = NET_THREADS_MAX, .help = "Threads; else one a processor."),
    F_BOOL(S, train, .help = "Plan for training with AdamW, not for inference."),
    F_BOOL(S, average, .help = "With --train: keep a moving average of the weights."),
    F_ENUM(S, backend, backends, .dflt = "\"auto\"", .help = "Kernels to choose from."),
    FIELD_END};
#undef S

enum { PLAN_TEXT_MAX = 1 << 20, CLASSES_DEFAULT = 80 };

static void say_plan(struct cli *c, const struct net *n)
{
    struct net_info info;
    struct buf text, json;
    struct jw w;

    net_get_info(n, &info);
    buf_init(&text, PLAN_TEXT_MAX);
    net_plan_describe(n, &text);
    cli_say(c, "%.*s", STR_F(buf_view(&text)));
    buf_done(&text);
    buf_init(&json, PLAN_TEXT_MAX);
    jw_init(&w, &json);
    jw_obj(&w);
    jw_kcstr(&w, "model", info.card->name);
    jw_kcstr(&w, "task", net_task_names[info.card->task]);
    jw_kint(&w, "image_size", info.image_size);
    jw_kint(&w, "batch", info.batch_max);
    jw_kint(&w, "classes", info.classes);
    jw_kbool(&w, "train", info.train);
    jw_kcstr(&w, "backend", net_backend_name(info.backend));
    jw_kcstr(&w, "instructions", info.isa);
    jw_kint(&w, "threads", info.threads);
    jw_kint(&w, "params", (int64_t)info.params);
    jw_kint(&w, "bytes", (int64_t)info.bytes);
    jw_knum(&w, "gflop", info.flops / 1e9);
    jw_obj_end(&w);
    cli_json_buf(c, &json);
}

static enum rc run_plan(struct cli *c, struct err *e)
{
    const struct plan_flags *f = c->flags;
    const char *model = arena_printf(c->a, "%.*s", STR_F(c->args[0]));
    const struct net_card *card = model ? net_card_find(model) : NULL;
    struct net *n = NULL;
    const struct net_config config = {.model = model,
                                      .classes = f->classes ? (int)f->classes : CLASSES_DEFAULT,
                                      .image_size = f->size ? (int)f->size
                                                    : card  ? card->image_size_default
                                                            : 0,
                                      .batch_max = (int)f->batch,
                                      .train = f->train,
                                      .backend = (enum net_backend)f->backend,
                                      .optimizer = NET_ADAMW,
                                      .average = f->average,
                                      .threads = (int)f->threads};

    if (!model)
        return cli_nomem(e);
    enum rc rc = net_new(&n, &config, e);
    if (rc)
        return rc;
    say_plan(c, n);
    net_free(n);
    return RC_OK;
}

static const struct verb verbs[] = {
    {.name = "plan",
     .args = "MODEL",
     .args_min = 1,
     .args_max = 1,
     .local = true,
     .flags = plan_fields,
     .flags_size = sizeof(struct plan_flags),
     .summary = "A network's nodes, the kernel chosen for each, and its memory.",
     .help = "Nothing is computed.  For each node: where its input comes from, what is added, its\n"
             "channels and pixels, and the algorithms of the forward pass, of the gradient of the\n"
             "input and of the gradient of the weights.  Algorithms follow from the shapes, the\n"
             "batch and the machine's instructions, never from a measurement.  At the end the\n"
             "memory, which is all that training or inference will take.\n",
     .examples = "  anneal debug plan resnet18\n"
                 "  anneal debug plan resnet18 --size 32 --batch 128 --train\n"
                 "  anneal debug plan mobilenetv2 --backend portable --json\n",
     .run = run_plan},
    {.name = NULL}};
const struct command debug_command = {
    "debug", "plan MODEL [FLAGS]", "Look into the training engine.", "", NULL, verbs};
