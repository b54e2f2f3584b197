/* train.c - trains a detector or a semantic segmenter on a dataset version outside of the platform,
 * to look for settings.
 *
 *     build/bench/detect/train --data DIR [--spec '{"model":"detect-n","epochs":50}'] [--threads 2]
 *         [--every 5] [--minutes 15]
 *
 * DIR has manifest.jsonl and blobs/, as a dataset version does.  --spec: settings as of `anneal
 * train`, the rest by their defaults.  Every --every epochs and at the end one line: epoch,
 * minutes, learning rate, losses, and on the validation split map50 and map of the moving average.
 */
#include "spec/train.h"
#include "base/mem.h"
#include "engine/feed/loader.h"
#include "engine/measure/coco_eval.h"
#include "engine/model/net.h"
#include "os/os.h"
#include <math.h>

struct bench {
    struct train_spec spec;
    struct samples samples;
    struct arena arena;
    struct loader_config feed, val;
    struct loader *loader, *val_loader;
    enum net_task task;
    struct net *net;
    int64_t updates, began_ns;
    struct net_loss sum;
    int64_t sums;
};

static void must(enum rc rc, const struct err *e)
{
    if (!rc)
        return;
    fprintf(stderr, "train: %s\n", e->text);
    exit(1);
}

static const char *text(int argc, char **argv, const char *name, const char *dflt)
{
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return dflt;
}

static int64_t number(int argc, char **argv, const char *name, int64_t dflt)
{
    const char *t = text(argc, argv, name, NULL);
    const struct err e = {.text = "an option is not a number"};

    must(t && !str_i64(str_of(t), &dflt) ? RC_INVALID : RC_OK, &e);
    return dflt;
}

static void open_all(struct bench *b, const char *dir, const char *spec, int threads)
{
    static char blobs[600];
    char path[600];
    struct err e;
    str *names;
    size_t classes;

    arena_init(&b->arena, (size_t)1 << 30);
    must(train_spec_read_text(str_of(spec), &b->spec, &b->arena, &e), &e);
    if (!b->spec.image_size)
        b->spec.image_size = 320;
    snprintf(path, sizeof path, "%s/manifest.jsonl", dir);
    must(samples_read(path, &b->arena, &b->samples, &e), &e);
    char model[64];
    snprintf(model, sizeof model, "%.*s", STR_F(b->spec.model));
    b->task = net_card_find(model) ? net_card_find(model)->task : NET_DETECTION;
    must(samples_classes(&b->samples.header, b->task, &b->arena, &names, &classes, &e), &e);
    snprintf(blobs, sizeof blobs, "%s/blobs", dir);
    b->feed = (struct loader_config){.samples = b->samples.of[SPLIT_TRAIN],
                                     .n = b->samples.n[SPLIT_TRAIN],
                                     .blobs_dir = blobs,
                                     .task = b->task,
                                     .classes = (int32_t)classes,
                                     .semantic = samples_semantic_map(&b->samples.header),
                                     .batch = (int32_t)b->spec.batch_size,
                                     .threads = (unsigned)threads,
                                     .train = true,
                                     .seed = (uint64_t)b->spec.seed,
                                     .cache_bytes_max = LOADER_CACHE_BYTES};
    scene_setup(&b->spec, (int32_t)b->spec.image_size, &b->feed.scene, &b->feed.frame);
    b->val = b->feed;
    b->val.samples = b->samples.of[SPLIT_VAL];
    b->val.n = b->samples.n[SPLIT_VAL];
    b->val.train = false;
    must(loader_new(&b->loader, &b->feed, &e), &e);
    must(loader_new(&b->val_loader, &b->val, &e), &e);
    const struct net_config c = {.model = model,
                                 .classes = (int)classes,
                                 .image_size = (int)b->spec.image_size,
                                 .batch_max = (int)b->spec.batch_size,
                                 .train = true,
                                 .optimizer =
                                     b->spec.optimizer == OPTIM_ADAMW ? NET_ADAMW : NET_SGD,
                                 .average = b->spec.ema > 0,
                                 .threads = threads};
    must(net_new(&b->net, &c, &e), &e);
    net_init_weights(b->net, (uint64_t)b->spec.seed);
}

/* As flow/worker/train.c. */
static double learning_rate(const struct train_spec *s, int64_t step, int64_t steps)
{
    const double peak = s->learning_rate, final = peak * s->final_lr_factor;
    const int64_t all = s->epochs * steps;
    int64_t warm = (int64_t)(s->warmup_epochs * (double)steps + 0.5);

    warm = warm > all / 2 ? all / 2 : warm;
    if (step < warm)
        return peak * (double)(step + 1) / (double)warm;
    return final +
           (peak - final) * (1 + cos(M_PI * (double)(step - warm) / (double)(all - warm))) / 2;
}

static void train_epoch(struct bench *b, int64_t epoch)
{
    const struct train_spec *s = &b->spec;
    const int64_t steps = loader_batches(b->loader);
    const struct batch *batch;
    struct err e;

    b->sum = (struct net_loss){0};
    b->sums = 0;
    must(loader_start(b->loader, epoch, &e), &e);
    for (int64_t i = 0;; i++) {
        struct net_loss loss;
        must(loader_next(b->loader, &batch, &e), &e);
        if (!batch)
            return;
        const double t = (double)++b->updates;
        const struct net_update u = {
            .lr = learning_rate(s, epoch * steps + i, steps),
            .weight_decay = s->weight_decay,
            .momentum = s->momentum,
            .nesterov = s->nesterov,
            .beta1 = s->beta1,
            .beta2 = s->beta2,
            .eps = 1e-8,
            .step = b->updates,
            .clip_norm = s->clip_norm,
            .average = s->ema > 0 ? fmin(s->ema, (t - 1) / (t + 9)) : 0,
            .gains = {s->box_gain, s->cls_gain, s->dfl_gain, s->mask_gain}};
        must(net_train_step(b->net, batch->x, &batch->target, batch->n, &u, &loss, &e), &e);
        b->sum.total += loss.total;
        b->sum.box += loss.box;
        b->sum.cls += loss.cls;
        b->sum.dfl += loss.dfl;
        b->sum.mask += loss.mask;
        b->sums++;
    }
}

enum { TRUTHS_MAX = 4096 };

static void add_image(struct coco_eval *ev, const struct net_target *t, int image,
                      const struct net_detection *found, int found_n)
{
    static struct coco_truth truths[TRUTHS_MAX];
    static struct coco_detection detections[NET_DETECTIONS_MAX];
    struct coco_image im = {truths, 0, detections, (size_t)found_n};
    struct err e;

    for (int i = t->first[image]; i < t->first[image + 1] && im.truths_n < TRUTHS_MAX; i++) {
        const struct net_box *q = &t->boxes[i];
        truths[im.truths_n++] = (struct coco_truth){
            .cls = q->cls,
            .box = {(double)q->x0, (double)q->y0, (double)(q->x1 - q->x0), (double)(q->y1 - q->y0)},
            .area = -1};
    }
    for (int i = 0; i < found_n; i++) {
        const struct net_box *q = &found[i].box;
        detections[i] =
            (struct coco_detection){.cls = q->cls,
                                    .score = (double)found[i].confidence,
                                    .box = {(double)q->x0, (double)q->y0, (double)(q->x1 - q->x0),
                                            (double)(q->y1 - q->y0)}};
    }
    must(coco_eval_add(ev, &im, &e), &e);
}

static void print_head(const struct bench *b, int64_t epoch)
{
    const double n = (double)b->sums;

    printf("epoch %3lld  %5.2f min  loss %.3f (box %.3f cls %.3f dfl %.3f mask %.3f)  ",
           (long long)epoch + 1, (double)(os_mono_ns() - b->began_ns) / 60e9, b->sum.total / n,
           b->sum.box / n, b->sum.cls / n, b->sum.dfl / n, b->sum.mask / n);
}

static const struct batch *next_batch(struct bench *b)
{
    const struct batch *batch;
    struct err e;

    must(loader_next(b->val_loader, &batch, &e), &e);
    return batch;
}

static void validate_boxes(struct bench *b)
{
    const struct net_detect d = {0.001f, (float)b->spec.iou, NET_DETECTIONS_MAX};
    struct net_detection *found =
        mem_alloc_array((size_t)b->spec.batch_size * NET_DETECTIONS_MAX, sizeof *found);
    int32_t *found_n = mem_alloc_array((size_t)b->spec.batch_size, sizeof *found_n);
    const struct batch *batch;
    struct coco_eval *ev;
    struct err e;

    must(coco_eval_new(&ev, (uint32_t)b->val.classes, NULL, &e), &e);
    while ((batch = next_batch(b))) {
        must(net_detect(b->net, batch->x, batch->n, &d, found, found_n, &e), &e);
        for (int i = 0; i < batch->n; i++)
            add_image(ev, &batch->target, i, found + i * NET_DETECTIONS_MAX, found_n[i]);
    }
    must(coco_eval_finish(ev, &e), &e);
    const struct coco_summary *s = coco_eval_summary(ev);
    printf("map50 %.4f map %.4f |", s->v[COCO_AP50], s->v[COCO_AP]);
    for (uint32_t c = 0; c < (uint32_t)b->val.classes; c++)
        printf(" %.3f", coco_eval_class(ev, c).ap50);
    coco_eval_free(ev);
    mem_free(found);
    mem_free(found_n);
}

static void validate_labels(struct bench *b)
{
    const size_t pixels = (size_t)(b->spec.image_size * b->spec.image_size);
    uint8_t *found = mem_alloc_array((size_t)b->spec.batch_size, pixels);
    double both[256] = {0}, any[256] = {0};
    const struct batch *batch;
    struct err e;

    while ((batch = next_batch(b))) {
        must(net_label(b->net, batch->x, batch->n, found, &e), &e);
        for (size_t i = 0; i < (size_t)batch->n * pixels; i++) {
            const int truth = batch->target.labels[i];
            if (truth == NET_LABEL_IGNORE)
                continue;
            both[truth] += truth == found[i];
            any[truth]++;
            any[found[i]] += truth != found[i];
        }
    }
    printf("IoU |");
    for (int c = 0; c < b->val.classes; c++)
        printf(" %.4f", both[c] / any[c]);
    mem_free(found);
}

static void validate(struct bench *b, int64_t epoch)
{
    struct err e;

    print_head(b, epoch);
    net_use_average(b->net, b->spec.ema > 0);
    must(loader_start(b->val_loader, 0, &e), &e);
    if (b->task == NET_SEMANTIC)
        validate_labels(b);
    else
        validate_boxes(b);
    net_use_average(b->net, false);
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct bench b;
    const int64_t every = number(argc, argv, "--every", 5);
    const double minutes = (double)number(argc, argv, "--minutes", 1000000);

    open_all(&b, text(argc, argv, "--data", "."),
             text(argc, argv, "--spec", "{\"model\":\"detect-n\"}"),
             (int)number(argc, argv, "--threads", 2));
    b.began_ns = os_mono_ns();
    for (int64_t epoch = 0; epoch < b.spec.epochs; epoch++) {
        train_epoch(&b, epoch);
        const bool late = (double)(os_mono_ns() - b.began_ns) / 60e9 > minutes;
        if ((epoch + 1) % every == 0 || epoch + 1 == b.spec.epochs || late)
            validate(&b, epoch);
        if (late)
            break;
    }
    net_free(b.net);
    loader_free(b.loader);
    loader_free(b.val_loader);
    arena_done(&b.arena);
    return 0;
}
