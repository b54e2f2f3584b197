/* losses_test.c - every loss and its gradient, all of it, against double precision, with each of
 * this machine's instruction sets: as graph/operators_test.c has the operators.
 *
 * A row is a part of a task's loss.  The reference is written here by the formulas of target.h,
 * detect.h, segment.h and semantic.h, in plain loops over plain numbers; CIoU alone goes through
 * detect_fixture.h's, and its gradient is a finite difference in double.  Who learns what (the
 * assignment, its targets and CIoU's alpha) is a constant to the gradient and taken as given:
 * detect_assign_test.c has it.  Relative L2 below 1e-5; printed by -v.
 */
#include "engine/model/loss.c"

#include "engine/model/detect_fixture.h"
#include "engine/model/segment.h"
#include "engine/model/semantic.h"

#define BOUND 1e-5

enum { IMAGES = 3, CLASSES = 19, SIZE = 64, SIDE = SIZE / 4, ANCHORS = 84, BATCH = 6 };

struct distance {
    double loss, square, of; /* loss: relative */
};

static void add(struct distance *d, double got, double want)
{
    d->square += (got - want) * (got - want);
    d->of += want * want;
}

static double uniform(uint64_t a, uint64_t b)
{
    return rand_unit(rand_at(21, a, b, 0));
}

static const float *class_weights(void)
{
    static float w[CLASSES];

    for (int c = 0; c < CLASSES; c++)
        w[c] = 0.4f + (float)(c % 5) / 3;
    return w;
}

/* p = softmax(x); returns log of the sum of e^x. */
static double softmax(const double *x, int n, double *p)
{
    double most = x[0], sum = 0;

    for (int i = 0; i < n; i++)
        most = fmax(most, x[i]);
    for (int i = 0; i < n; i++)
        sum += exp(x[i] - most);
    for (int i = 0; i < n; i++)
        p[i] = exp(x[i] - most) / sum;
    return log(sum) + most;
}

/* ---- classification: through a network's step, which is where its logits come from */

static struct distance classification(const char *isa, const float *weights)
{
    static float image[BATCH * 3 * 16 * 16], rows[BATCH * CLASSES];
    const struct net_config c = {.model = "tiny",
                                 .classes = CLASSES,
                                 .image_size = 16,
                                 .batch_max = BATCH,
                                 .train = true,
                                 .backend = NET_PORTABLE,
                                 .threads = 1,
                                 .isa = isa};
    const struct net_update u = {.lr = 0, .step = 1, .class_weights = weights};
    const struct net_target target = {.rows = rows};
    struct distance d = {0};
    struct net *n = NULL;
    struct net_loss loss;
    struct err e;
    double total = 0, sum = 0;

    for (size_t i = 0; i < sizeof image / sizeof image[0]; i++)
        image[i] = (float)(3 * uniform(1, i) - 1.5);
    for (size_t i = 0; i < BATCH * CLASSES; i++) /* mixed labels */
        rows[i] = i % CLASSES == i / CLASSES * 3 ? 0.7f : i % CLASSES == 2 ? 0.3f : 0.0f;
    CHECK_OK(net_new(&n, &c, &e), &e);
    net_init_weights(n, 4);
    CHECK_OK(net_train_step(n, image, &target, BATCH, &u, &loss, &e), &e);
    for (int i = 0; i < BATCH * CLASSES; i++)
        total += (weights ? (double)weights[i % CLASSES] : 1) * (double)rows[i];
    for (int i = 0; i < BATCH; i++) {
        const float *got =
            graph_logits_grad(n->graph) + (size_t)i * (size_t)graph_logits_row(n->graph);
        double x[CLASSES], p[CLASSES], mass = 0;
        for (int k = 0; k < CLASSES; k++)
            x[k] = (double)net_train_logits(n)[i * CLASSES + k];
        const double log_sum = softmax(x, CLASSES, p);
        for (int k = 0; k < CLASSES; k++) {
            const double w = (weights ? (double)weights[k] : 1) * (double)rows[i * CLASSES + k];
            mass += w;
            sum += w * (log_sum - x[k]);
        }
        for (int k = 0; k < CLASSES; k++) {
            const double w = (weights ? (double)weights[k] : 1) * (double)rows[i * CLASSES + k];
            add(&d, (double)got[k], (p[k] * mass - w) / total);
        }
    }
    d.loss = fabs(loss.total / (sum / total) - 1);
    net_free(n);
    return d;
}

static struct distance cross_entropy(const char *isa)
{
    return classification(isa, NULL);
}

static struct distance weighted_cross_entropy(const char *isa)
{
    return classification(isa, class_weights());
}

/* ---- detection: one part at a time, by its gain */

static const struct net_box BOXES_OF[] = {
    {3, 4, 4, 40, 30},  {18, 20, 10, 60, 60}, {0, 30, 30, 44, 47},
    {3, 0, 0, 64, 64},  {7, 5, 33, 25, 60},   {3, 4, 5, 41, 31},
    {11, 1, 1, 63, 20}, {16, 40, 2, 62, 62},  {2, 10, 10, 26, 26},
};
static const int32_t FIRST[IMAGES + 1] = {0, 5, 5, 9};
static const struct net_target TARGET = {.boxes = BOXES_OF, .first = FIRST};

/* What one anchor adds to the loss, unscaled, and the gradient by its bins and its classes. */
struct anchor_loss {
    double bins[4][DETECT_BINS], logits[CLASSES];
    double by_bin[4][DETECT_BINS], by_logit[CLASSES];
    double loss;
};

static void classes_of(struct anchor_loss *a, const struct net_box *b, double target)
{
    for (int c = 0; c < CLASSES; c++) {
        const double t = b && b->cls == c ? target : 0;
        a->loss += plain_softplus(a->logits[c]) - t * a->logits[c];
        a->by_logit[c] = 1 / (1 + exp(-a->logits[c])) - t;
    }
}

static void focal_of(struct anchor_loss *a, const struct detect_anchor *at, const double t[4],
                     double target)
{
    const double ends[4] = {at->cx - t[0], at->cy - t[1], t[2] - at->cx, t[3] - at->cy};

    for (int side = 0; side < 4; side++) {
        const double distance = fmin(fmax(ends[side] / at->stride, 0), 14.99);
        double p[DETECT_BINS];
        const double log_sum = softmax(a->bins[side], DETECT_BINS, p);
        for (int i = 0; i < DETECT_BINS; i++) {
            const double share = fmax(0, 1 - fabs(distance - i)); /* of the bins beside it */
            a->loss += target / 4 * share * (log_sum - a->bins[side][i]);
            a->by_bin[side][i] = target / 4 * (p[i] - share);
        }
    }
}

static double ciou_loss(const double bins[4][DETECT_BINS], const struct detect_anchor *at,
                        const double t[4], double *alpha, bool fill)
{
    double distance[4] = {0}, p[DETECT_BINS], box[4];

    for (int side = 0; side < 4; side++) {
        softmax(bins[side], DETECT_BINS, p);
        for (int i = 0; i < DETECT_BINS; i++)
            distance[side] += i * p[i];
    }
    detect_decode(at, distance, box);
    return plain_ciou_loss(box, t, alpha, fill);
}

static void ciou_of(struct anchor_loss *a, const struct detect_anchor *at, const double t[4],
                    double target)
{
    const double h = 1e-5;
    double alpha = 0;

    a->loss = target * ciou_loss(a->bins, at, t, &alpha, true);
    for (int side = 0; side < 4; side++)
        for (int i = 0; i < DETECT_BINS; i++) {
            double *x = &a->bins[side][i];
            const double before = *x;
            *x = before + h;
            const double up = ciou_loss(a->bins, at, t, &alpha, false);
            *x = before - h;
            a->by_bin[side][i] = target * (up - ciou_loss(a->bins, at, t, &alpha, false)) / (2 * h);
            *x = before;
        }
}

static void anchor_loss(struct fixture *f, const struct detect_match *match, int image, int anchor,
                        const struct net_gains *part, struct anchor_loss *a)
{
    const struct detect_anchor at = detect_anchor_at(&f->maps, anchor);
    const int owner = match->owner[anchor];
    const struct net_box *b = owner < 0 ? NULL : &BOXES_OF[FIRST[image] + owner];
    const double target = b ? (double)match->target[anchor] : 0;

    *a = (struct anchor_loss){0};
    for (int side = 0; side < 4; side++)
        for (int i = 0; i < DETECT_BINS; i++)
            a->bins[side][i] = (double)fixture_bins(f, image, anchor, side)[i];
    for (int c = 0; c < CLASSES; c++)
        a->logits[c] = (double)*fixture_logit(f, image, anchor, c);
    if (part->cls > 0)
        classes_of(a, b, target);
    if (!b)
        return;
    const double t[4] = {(double)b->x0, (double)b->y0, (double)b->x1, (double)b->y1};
    if (part->dfl > 0)
        focal_of(a, &at, t, target);
    if (part->box > 0)
        ciou_of(a, &at, t, target);
}

/* The engine's gradient at the place of a logit that the fixture lends. */
static double grad_at_logit(const struct fixture *f, int anchor, const float *logit, bool cls)
{
    const struct detect_level *l = &f->maps.level[detect_anchor_at(&f->maps, anchor).level];

    return (double)(cls ? l->cls_grad + (logit - l->cls) : l->box_grad + (logit - l->box))[0];
}

static struct distance detection(const char *isa, struct net_gains part)
{
    struct fixture f = fixture_new(IMAGES, CLASSES, SIZE, 4);
    struct distance d = {0};
    struct detect_loss *l = NULL;
    struct crew *crew = NULL;
    struct net_loss loss;
    struct err e;
    double all = 0, sum = 0;

    CHECK_OK(detect_loss_new(&l, IMAGES, ANCHORS, 1, &e), &e);
    CHECK_OK(crew_new(&crew, 1, NULL, &e), &e);
    detect_loss_run(l, crew, kernels_get(isa), &f.maps, &TARGET, IMAGES, &part, &loss);
    for (int image = 0; image < IMAGES; image++)
        for (int a = 0; a < ANCHORS; a++)
            if (detect_loss_match(l, image)->owner[a] >= 0)
                all += (double)detect_loss_match(l, image)->target[a];
    ASSERT(all > 1); /* the normaliser */
    for (int image = 0; image < IMAGES; image++)
        for (int a = 0; a < ANCHORS; a++) {
            struct anchor_loss want;
            anchor_loss(&f, detect_loss_match(l, image), image, a, &part, &want);
            sum += want.loss;
            for (int i = 0; i < 4 * DETECT_BINS; i++)
                add(&d,
                    grad_at_logit(&f, a,
                                  fixture_bins(&f, image, a, i / DETECT_BINS) + i % DETECT_BINS,
                                  false),
                    want.by_bin[i / DETECT_BINS][i % DETECT_BINS] / all);
            for (int c = 0; c < CLASSES; c++)
                add(&d, grad_at_logit(&f, a, fixture_logit(&f, image, a, c), true),
                    want.by_logit[c] / all);
        }
    d.loss = fabs(loss.total / (sum / all) - 1);
    crew_free(crew);
    detect_loss_free(l);
    fixture_done(&f);
    return d;
}

static struct distance classes(const char *isa)
{
    return detection(isa, (struct net_gains){.cls = 1});
}

static struct distance ciou(const char *isa)
{
    return detection(isa, (struct net_gains){.box = 1});
}

static struct distance focal(const char *isa)
{
    return detection(isa, (struct net_gains){.dfl = 1});
}

/* ---- masks: every seventh anchor has a box; 0.5 is what the gradient is multiplied by */

enum { PROTOTYPE_FLOATS = SEGMENT_PROTOTYPES * SIDE * SIDE };

struct masks {
    struct fixture fixture;
    struct segment_maps maps;
    uint16_t instances[SIDE * SIDE];
    int32_t owners[ANCHORS];
    double by_prototype[PROTOTYPE_FLOATS];
};

static float *random_floats(size_t n, uint64_t seed)
{
    float *v = mem_alloc_aligned(64, n * sizeof *v);

    ASSERT(v);
    fixture_fill(v, n, seed, 1, 0);
    return v;
}

static struct masks *masks_new(void)
{
    struct masks *k = mem_zalloc(sizeof *k);

    ASSERT(k);
    k->fixture = fixture_new(1, 1, SIZE, 1);
    k->maps = (struct segment_maps){.boxes = k->fixture.maps, .side = SIDE};
    for (int i = 0; i < DETECT_LEVELS; i++) {
        const size_t n = (size_t)PROTOTYPE_FLOATS / 4 >> (2 * i);
        k->maps.coefficients[i] = random_floats(n, 30 + (uint64_t)i);
        k->maps.coefficients_grad[i] = random_floats(n, 3);
    }
    k->maps.prototypes = random_floats(PROTOTYPE_FLOATS, 40);
    k->maps.prototypes_grad = random_floats(PROTOTYPE_FLOATS, 2);
    for (size_t i = 0; i < SIDE * SIDE; i++)
        k->instances[i] = (uint16_t)(rand_at(6, i, 0, 0) % 6);
    for (int a = 0; a < ANCHORS; a++)
        k->owners[a] = a % 7 ? -1 : a % 5;
    return k;
}

static void masks_free(struct masks *k)
{
    for (int i = 0; i < DETECT_LEVELS; i++) {
        mem_free((void *)(uintptr_t)k->maps.coefficients[i]);
        mem_free(k->maps.coefficients_grad[i]);
    }
    mem_free((void *)(uintptr_t)k->maps.prototypes);
    mem_free(k->maps.prototypes_grad);
    fixture_done(&k->fixture);
    mem_free(k);
}

/* Where coefficient or channel i of a prototype's cell lies. */
static size_t prototype_place(int i, int cell)
{
    return (size_t)((i / CH * SIDE * SIDE + cell) * CH + i % CH);
}

/* One anchor: mean cross-entropy of its box's cells. */
static double mask_of(struct masks *k, int anchor, struct distance *d)
{
    const struct net_box *b = &BOXES_OF[k->owners[anchor]];
    float c[SEGMENT_PROTOTYPES], *got[SEGMENT_BLOCKS];
    double by[SEGMENT_PROTOTYPES] = {0}, loss = 0;
    int cells[SIDE * SIDE], n = 0;

    segment_coefficients(&k->maps, 0, anchor, c, got);
    for (int i = 0; i < SIDE * SIDE; i++) {
        const double x = (i % SIDE + 0.5) * 4, y = (i / SIDE + 0.5) * 4;
        if (x >= (double)b->x0 && x < (double)b->x1 && y >= (double)b->y0 && y < (double)b->y1)
            cells[n++] = i;
    }
    for (int i = 0; i < n; i++) {
        const int truth = k->instances[cells[i]] == k->owners[anchor] + 1;
        double v = 0;
        for (int p = 0; p < SEGMENT_PROTOTYPES; p++)
            v += (double)c[p] * (double)k->maps.prototypes[prototype_place(p, cells[i])];
        const double slope = 0.5 * (1 / (1 + exp(-v)) - truth) / n;
        loss += (plain_softplus(v) - truth * v) / n;
        for (int p = 0; p < SEGMENT_PROTOTYPES; p++) {
            by[p] += slope * (double)k->maps.prototypes[prototype_place(p, cells[i])];
            k->by_prototype[prototype_place(p, cells[i])] += slope * (double)c[p];
        }
    }
    for (int p = 0; p < SEGMENT_PROTOTYPES; p++)
        add(d, (double)got[p / CH][p % CH], by[p]);
    return loss;
}

static struct distance masks(const char *isa)
{
    struct masks *k = masks_new();
    const struct detect_match match = {.owner = k->owners};
    const struct net_target t = {.boxes = BOXES_OF, .first = FIRST, .instances = k->instances};
    const double got = segment_loss_image(&k->maps, kernels_get(isa), 0, &match, &t, 0.5);
    struct distance d = {0};
    double want = 0;

    for (int a = 0; a < ANCHORS; a++)
        if (k->owners[a] >= 0)
            want += mask_of(k, a, &d);
    for (int i = 0; i < PROTOTYPE_FLOATS; i++)
        add(&d, (double)k->maps.prototypes_grad[i], k->by_prototype[i]);
    d.loss = fabs(got / want - 1);
    masks_free(k);
    return d;
}

/* ---- pixels */

static struct distance pixels(const char *isa, const float *weights)
{
    enum { PADDED = 32, PLANE = SIDE * SIDE * CH, FLOATS = PADDED * SIDE * SIDE };
    static float logits[FLOATS] __attribute__((aligned(64)));
    static float grad[FLOATS] __attribute__((aligned(64)));
    static uint8_t labels[SIZE * SIZE];
    const struct semantic_maps m = {CLASSES, SIDE, SIZE, logits, grad};
    static double by[FLOATS];
    struct distance d = {0};
    double want = 0;

    fixture_fill(logits, FLOATS, 50, 3, 0);
    memset(by, 0, sizeof by);
    for (size_t i = 0; i < sizeof labels; i++) {
        const uint64_t r = rand_at(22, i / 3, 0, 0);
        labels[i] = r % 5 == 0 ? NET_LABEL_IGNORE : (uint8_t)(r % CLASSES);
    }
    const double all = semantic_weight(&m, labels, weights);
    const double got = semantic_loss_image(&m, kernels_get(isa), 0, labels, weights, 1 / all) / all;
    for (int i = 0; i < SIZE * SIZE; i++) {
        const int cell = i / SIZE / 4 * SIDE + i % SIZE / 4, label = labels[i];
        double x[CLASSES], p[CLASSES];
        if (label == NET_LABEL_IGNORE)
            continue;
        const double w = (weights ? (double)weights[label] : 1) / all;
        for (int c = 0; c < CLASSES; c++)
            x[c] = (double)logits[c / CH * PLANE + cell * CH + c % CH];
        want += w * (softmax(x, CLASSES, p) - x[label]);
        for (int c = 0; c < CLASSES; c++)
            by[c / CH * PLANE + cell * CH + c % CH] += w * (p[c] - (c == label));
    }
    for (int i = 0; i < FLOATS; i++) /* padding too: zero */
        add(&d, (double)grad[i], by[i]);
    d.loss = fabs(got / want - 1);
    return d;
}

static struct distance pixels_alike(const char *isa)
{
    return pixels(isa, NULL);
}

static struct distance pixels_weighted(const char *isa)
{
    return pixels(isa, class_weights());
}

/* ---- the table */

static const struct row {
    const char *name;
    enum net_task task;
    struct distance (*run)(const char *isa);
} rows[] = {
    {"softmax cross-entropy, mixed labels", NET_CLASSIFICATION, cross_entropy},
    {"the same with class weights", NET_CLASSIFICATION, weighted_cross_entropy},
    {"classes of anchors, cross-entropy", NET_DETECTION, classes},
    {"boxes, CIoU", NET_DETECTION, ciou},
    {"boxes, distribution focal loss", NET_DETECTION, focal},
    {"masks, cross-entropy", NET_SEGMENTATION, masks},
    {"pixels, softmax cross-entropy", NET_SEMANTIC, pixels_alike},
    {"the same with class weights", NET_SEMANTIC, pixels_weighted},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

TEST(every_loss_agrees_with_double_precision_on_every_instruction_set)
{
    static const char *const isas[] = {"base", "avx2", "avx512"};

    printf("%-38s  %-11s  %-11s  %-11s\n%-38s", "relative: loss, gradient (L2)", isas[0], isas[1],
           isas[2], "");
    for (int i = 0; i < ROWS; i++) {
        printf("\n%-38s", rows[i].name);
        for (int k = 0; k < 3; k++) {
            if (!kernels_get(isas[k])) {
                printf("  %11s", "-");
                continue;
            }
            const struct distance d = rows[i].run(isas[k]);
            const double gradient = d.of > 0 ? sqrt(d.square / d.of) : HUGE_VAL;
            printf("  %.0e %.0e", d.loss, gradient);
            if (!(d.loss < BOUND && gradient < BOUND))
                test_fail(__FILE__, __LINE__, "%s, %s: loss %.1e, gradient %.1e apart",
                          rows[i].name, isas[k], d.loss, gradient);
        }
    }
    printf("\n");
}

TEST(every_task_s_loss_has_a_row)
{
    for (int task = 0; task < NET_TASKS; task++) {
        int n = 0;
        for (int i = 0; i < ROWS; i++)
            n += (int)rows[i].task == task;
        if (n == 0)
            test_fail(__FILE__, __LINE__, "no row of losses_test.c has the loss of %s",
                      net_task_names[task]);
    }
}
