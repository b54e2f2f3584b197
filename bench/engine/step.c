/* step.c - our side of `make bench-engine`: one row of the table, a step at a time, when told to.
 *
 *     build/bench/engine/step --row train_resnet18_f32 [--threads 2] [--pictures DIR] [--onnx FILE]
 *                             [--nodes STEPS]
 *
 * For each line "s" on standard input it takes one step and prints "T seconds"; at the end of the
 * input it prints "R peak-resident-MiB" and ends.  So the driver (run.py) keeps both contenders
 * alive and steps them in turn: on a shared machine nothing else gives a ratio that holds.
 * --nodes takes that many steps at once and prints where their time went.
 */
#include "base/mem.h"
#include "engine/export/export.h"
#include "engine/export/onnx.h"
#include "engine/feed/frame.h"
#include "engine/graph/crew.h"
#include "engine/model/net_int.h"
#include "os/os.h"
#include <dirent.h>
#include <string.h>
#include <sys/resource.h>

enum { CLASSES = 10, BOXES = 6 /* of an image */, PICTURES_MAX = 256, PICTURE_SIZE = 224 };

struct row {
    const char *name, *model;
    int size, batch, classes;
    bool train, bf16;
};
static const struct row rows[] = {
    {"train_resnet18_f32", "resnet18", 32, 128, CLASSES, true},
    {"train_detect_n_f32", "detect-n", 320, 8, 80, true},
    {"train_detect_n_bf16", "detect-n", 320, 8, 80, true, true},
    {"train_mobilenetv2_f32", "mobilenetv2", 96, 64, CLASSES, true},
    {"infer_resnet18_b1", "resnet18", 32, 1, CLASSES, false},
    {"infer_resnet18_b8", "resnet18", 32, 8, CLASSES, false},
    {"infer_detect_n_b1", "detect-n", 320, 1, 80, false},
    {"infer_detect_n_b8", "detect-n", 320, 8, 80, false},
    {"first_step", "detect-n", 320, 1, 80, true},
};

static void fail(const struct err *e)
{
    fprintf(stderr, "step: %s\n", e->text);
    exit(1);
}

/* ---- a network and the one batch it is shown */

struct contender {
    const struct row *row;
    struct net *net;
    enum net_task task;
    float *x, *classes, *logits;
    struct net_box *boxes;
    int32_t *first;
    struct net_detection *found;
    int32_t *found_n;
};

static void fill_target(struct contender *c)
{
    const struct row *r = c->row;

    for (int i = 0; i < r->batch * r->classes; i++)
        c->classes[i] = i % r->classes == i / r->classes % r->classes;
    for (int i = 0; i < r->batch * BOXES; i++) { /* the same as in torch_step.py */
        const float side = (float)(24 + 17 * (i % 7)), room = (float)r->size - side;
        const float x = room * (float)(i * 37 % 101) / 100, y = room * (float)(i * 53 % 97) / 96;
        c->boxes[i] = (struct net_box){i % r->classes, x, y, x + side, y + side * 0.8f};
    }
    for (int i = 0; i <= r->batch; i++)
        c->first[i] = i * BOXES;
}

static struct contender contender_of(const struct row *r, int threads)
{
    const size_t batch = (size_t)r->batch, pixels = 3 * (size_t)r->size * (size_t)r->size;
    const struct net_config config = {.model = r->model,
                                      .classes = r->classes,
                                      .image_size = r->size,
                                      .batch_max = r->batch,
                                      .train = r->train,
                                      .precision = r->bf16 ? NET_BF16 : NET_F32,
                                      .threads = threads};
    struct contender c = {.row = r};
    struct err e = {0};
    const struct net_card *card = net_card_find(r->model);

    if (net_new(&c.net, &config, &e))
        fail(&e);
    net_init_weights(c.net, 1);
    c.task = card->task;
    c.x = mem_alloc_array(batch * pixels, sizeof *c.x);
    c.classes = mem_alloc_array(batch * (size_t)r->classes, sizeof *c.classes);
    c.logits = mem_alloc_array(batch * (size_t)r->classes, sizeof *c.logits);
    c.boxes = mem_alloc_array(batch * BOXES, sizeof *c.boxes);
    c.first = mem_alloc_array(batch + 1, sizeof *c.first);
    c.found = mem_alloc_array(batch * NET_DETECTIONS_MAX, sizeof *c.found);
    c.found_n = mem_alloc_array(batch, sizeof *c.found_n);
    if (!c.x || !c.classes || !c.logits || !c.boxes || !c.first || !c.found || !c.found_n)
        fail(&(struct err){.text = "out of memory"});
    for (size_t i = 0; i < batch * pixels; i++)
        c.x[i] = (float)(2 * rand_unit(rand_at(1, 0, 0, i)) - 1);
    fill_target(&c);
    return c;
}

static void net_step(struct contender *c)
{
    const struct net_target target = {.rows = c->classes, .boxes = c->boxes, .first = c->first};
    const struct net_update u = {.lr = 1e-4,
                                 .momentum = 0.9,
                                 .nesterov = true,
                                 .weight_decay = 5e-4,
                                 .gains = net_gains_default};
    struct net_loss loss;
    struct err e = {0};
    enum rc rc;

    if (c->row->train)
        rc = net_train_step(c->net, c->x, &target, c->row->batch, &u, &loss, &e);
    else if (c->task == NET_CLASSIFICATION)
        rc = net_infer(c->net, c->x, c->row->batch, c->logits, &e);
    else
        rc = net_detect(c->net, c->x, c->row->batch, &net_detect_default, c->found, c->found_n, &e);
    if (rc)
        fail(&e);
}

static void write_onnx(struct contender *c, const char *path)
{
    struct out_file_done done;
    struct out_file f;
    struct program *p;
    struct err e = {0};

    if (export_program(c->net, &(struct export_input){0}, &p, &e))
        fail(&e);
    out_file_open(&f, path);
    if (onnx_write(p, c->row->model, &f, &e) || out_file_close(&f, true, &done, &e))
        fail(&e);
    program_free(p);
}

static void print_nodes(struct contender *c, int steps)
{
    struct err e = {0};
    struct buf text;

    if (graph_time(c->net->graph, &e))
        fail(&e);
    for (int i = 0; i < steps; i++)
        net_step(c);
    buf_init(&text, 1 << 20);
    net_plan_describe(c->net, &text);
    graph_time_describe(c->net->graph, &text);
    fputs(text.p, stdout);
    buf_done(&text);
}

/* ---- JPEG files to tensors: an item is a picture */

struct pictures {
    struct arena arena;
    struct crew *crew;
    struct frame frame;
    str files[PICTURES_MAX];
    float *tensors; /* one a thread */
    int n;
};

static void open_pictures(struct pictures *p, const char *folder, int threads)
{
    struct err e = {0};
    struct dirent *entry;
    DIR *dir = opendir(folder);
    char path[4096];

    if (!dir)
        fail(&(struct err){.text = "--pictures: that folder cannot be read"});
    arena_init(&p->arena, (size_t)1 << 30);
    while ((entry = readdir(dir)) && p->n < PICTURES_MAX) {
        if (!strstr(entry->d_name, ".jpg"))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (os_read_file(&p->arena, path, 64 << 20, &p->files[p->n++], &e))
            fail(&e);
    }
    closedir(dir);
    if (crew_new(&p->crew, threads, NULL, &e))
        fail(&e);
    p->frame = (struct frame){.size = PICTURE_SIZE,
                              .fit = FRAME_CENTER_CROP,
                              .work_side = PICTURE_SIZE * 8 / 7, /* 256: the peer's resize */
                              .std = {0.229f, 0.224f, 0.225f}};
    p->tensors = mem_alloc_array((size_t)threads * 3 * PICTURE_SIZE * PICTURE_SIZE, sizeof(float));
    if (!p->tensors || p->n == 0)
        fail(&(struct err){.text = "--pictures: no .jpg there"});
}

static void read_picture(void *ud, int item, int thread)
{
    struct pictures *p = ud;
    struct err e = {0};
    enum rc rc = frame_input(&p->frame, p->files[item], NULL,
                             p->tensors + (size_t)thread * 3 * PICTURE_SIZE * PICTURE_SIZE, &e);

    if (rc)
        fail(&e);
}

/* ---- the conversation */

static const char *option(int argc, char **argv, const char *name, const char *dflt)
{
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return dflt;
}

int main(int argc, char **argv)
{
    const char *name = option(argc, argv, "--row", "");
    int64_t threads = 0, steps = 0;
    const bool jpeg = strcmp(name, "jpeg_224") == 0;
    struct contender c = {0};
    struct pictures p = {0};
    struct rusage usage;
    char line[16];

    if (!str_i64(str_of(option(argc, argv, "--threads", "2")), &threads) || threads < 1)
        fail(&(struct err){.text = "--threads: not a positive number"});
    if (!str_i64(str_of(option(argc, argv, "--nodes", "0")), &steps) || steps < 0)
        fail(&(struct err){.text = "--nodes: not a number of steps"});
    if (jpeg)
        open_pictures(&p, option(argc, argv, "--pictures", ""), (int)threads);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].name, name) == 0)
            c = contender_of(&rows[i], (int)threads);
    if (!jpeg && !c.net)
        fail(&(struct err){.text = "--row: there is no such row (see the table in the source)"});
    if (*option(argc, argv, "--onnx", ""))
        write_onnx(&c, option(argc, argv, "--onnx", ""));
    if (steps && c.net)
        print_nodes(&c, (int)steps);
    while (!steps && fgets(line, sizeof line, stdin)) {
        const int64_t began = os_mono_ns();
        if (jpeg)
            crew_run(p.crew, p.n, read_picture, &p);
        else
            net_step(&c);
        printf("T %.9f\n", (double)(os_mono_ns() - began) * 1e-9);
        fflush(stdout);
    }
    getrusage(RUSAGE_SELF, &usage);
    printf("R %.1f\n", (double)usage.ru_maxrss / 1024);
    return 0;
}
