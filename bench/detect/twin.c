/* twin.c - one step of a detector or segmenter, written down for torch_twin.py to repeat.
 *
 *     build/bench/detect/twin OUT MODEL SIZE [sums]    sums: no Winograd
 *
 * OUT: records of u32 name length, name, u64 count, float32 values: "init/TENSOR", "x", "boxes"
 * (class, x0, y0, x1, y1), "first", "classes", "loss" (total, box, cls, dfl), "grad/TENSOR".
 */
#include "base/hash.h"
#include "base/mem.h"
#include "engine/model/net_int.h"
#include <string.h>

enum { CLASSES = 5, BATCH = 4, BOXES = 6 };

static FILE *out;

static void record(const char *kind, const char *name, const float *v, size_t count)
{
    char full[128];
    const uint32_t length = (uint32_t)snprintf(full, sizeof full, "%s%s", kind, name);
    const uint64_t n = count;

    fwrite(&length, sizeof length, 1, out);
    fwrite(full, 1, length, out);
    fwrite(&n, sizeof n, 1, out);
    fwrite(v, sizeof *v, count, out);
}

/* Values, or gradients from their arena. */
static void record_tensors(const char *kind, const struct net *n, const float *arena)
{
    for (size_t i = 0; i < net_tensor_count(n); i++) {
        const struct net_tensor *t = net_tensor_at(n, i);
        float *v = mem_alloc_array(t->count, sizeof *v);
        if (arena && !t->trained)
            memset(v, 0, t->count * sizeof *v);
        else
            graph_param_read(n->graph, graph_param_at(n->graph, i), arena, v);
        record(kind, t->name, v, t->count);
        mem_free(v);
    }
}

static double uniform(uint64_t a, uint64_t b)
{
    return rand_unit(rand_at(5, a, b, 0));
}

/* Image 1 has no boxes. */
static int make_boxes(int size, struct net_box *boxes, int32_t first[BATCH + 1])
{
    int n = 0;

    for (int image = 0; image < BATCH; image++) {
        first[image] = n;
        for (uint64_t i = 0; i < BOXES && image != 1; i++, n++) {
            const uint64_t at = (uint64_t)image * 100 + i;
            const double w = size * (0.1 + 0.6 * uniform(at, 0));
            const double h = size * (0.1 + 0.6 * uniform(at, 1));
            const double x = (size - w) * uniform(at, 2), y = (size - h) * uniform(at, 3);
            boxes[n] =
                (struct net_box){n % CLASSES, (float)x, (float)y, (float)(x + w), (float)(y + h)};
        }
    }
    first[BATCH] = n;
    return n;
}

/* Masks are the boxes without every third cell; labels come in runs, some of them ignored. */
static void make_maps(int size, const struct net_box *boxes, const int32_t *first,
                      uint16_t *instances, uint8_t *labels)
{
    const int side = size / NET_MASK_STRIDE;

    for (int image = 0; image < BATCH; image++)
        for (int p = 0; p < side * side; p++) {
            uint16_t *to = instances + image * side * side + p;
            const float x = (float)(p % side * 4 + 2), y = (float)(p / side * 4 + 2);
            for (int i = first[image]; i < first[image + 1]; i++)
                if (x >= boxes[i].x0 && x < boxes[i].x1 && y >= boxes[i].y0 && y < boxes[i].y1)
                    *to = (uint16_t)(p % 3 ? i - first[image] + 1 : 0);
        }
    for (int p = 0; p < BATCH * size * size; p++) {
        const uint64_t r = rand_at(5, 8, (uint64_t)(p / 7), 0);
        labels[p] = r % 6 == 0 ? NET_LABEL_IGNORE : (uint8_t)(r % CLASSES);
    }
}

static void record_bytes(const char *kind, const uint8_t *bytes, const uint16_t *words, size_t n)
{
    float *v = mem_alloc_array(n, sizeof *v);

    for (size_t i = 0; i < n; i++)
        v[i] = bytes ? (float)bytes[i] : (float)words[i];
    record(kind, "", v, n);
    mem_free(v);
}

static enum rc step(struct net *n, int size, struct err *e)
{
    const size_t floats = (size_t)(BATCH * 3 * size * size);
    float *x = mem_alloc_array(floats, sizeof *x), rows[BATCH * BOXES * 5], starts[BATCH + 1];
    struct net_box boxes[BATCH * BOXES];
    int32_t first[BATCH + 1];
    struct net_loss loss;
    const int count = make_boxes(size, boxes, first);

    for (size_t i = 0; i < floats; i++)
        x[i] = (float)(4 * uniform(7, i) - 2);
    for (int i = 0; i < count; i++) {
        const struct net_box *b = &boxes[i];
        memcpy(rows + 5 * i, (float[5]){(float)b->cls, b->x0, b->y0, b->x1, b->y1},
               5 * sizeof *rows);
    }
    for (int i = 0; i <= BATCH; i++)
        starts[i] = (float)first[i];
    const size_t pixels = (size_t)(BATCH * size * size);
    uint16_t *instances = mem_alloc_array(pixels / 16, sizeof *instances);
    uint8_t *labels = mem_alloc_array(pixels, 1);
    make_maps(size, boxes, first, instances, labels);
    record_bytes("instances", NULL, instances, pixels / 16);
    record_bytes("labels", labels, NULL, pixels);
    const struct net_target t = {
        .boxes = boxes, .first = first, .instances = instances, .labels = labels};
    const struct net_update u = {.gains = net_gains_default};
    record("x", "", x, floats);
    record("boxes", "", rows, (size_t)count * 5);
    record("first", "", starts, BATCH + 1);
    enum rc rc = net_train_step(n, x, &t, BATCH, &u, &loss, e);
    mem_free(x);
    mem_free(instances);
    mem_free(labels);
    if (rc)
        return rc;
    const float parts[5] = {(float)loss.total, (float)loss.box, (float)loss.cls, (float)loss.dfl,
                            (float)loss.mask};
    record("loss", "", parts, 5);
    record_tensors("grad/", n, graph_grads(n->graph));
    return RC_OK;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct net *n = NULL;
    int64_t size = 0;

    const bool sums = argc == 5 && strcmp(argv[4], "sums") == 0;
    if (argc != 4 + sums || !str_i64(str_of(argv[3]), &size) || !(out = fopen(argv[1], "wb"))) {
        fprintf(stderr, "usage: twin OUT MODEL SIZE [sums]\n");
        return 2;
    }
    const struct net_config c = {.model = argv[2],
                                 .classes = CLASSES,
                                 .image_size = (int)size,
                                 .batch_max = BATCH,
                                 .train = true,
                                 .no_winograd = sums,
                                 .threads = 2};
    enum rc rc = net_new(&n, &c, &e);
    if (!rc) {
        net_init_weights(n, 1);
        record("classes", "", &(float){CLASSES}, 1);
        record_tensors("init/", n, NULL);
        rc = step(n, (int)size, &e);
    }
    net_free(n);
    if (rc)
        fprintf(stderr, "twin: %s\n", e.text);
    return fclose(out) != 0 || rc;
}
