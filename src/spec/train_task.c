/* train_task.c - what a model makes of the table of train settings.
 *
 * There is one table of settings, and here, in one row a field, how it differs by the model's task:
 * where it means nothing, and where the default is another; a network that needs another one yet
 * has a row after that.  The detector's defaults are those commonly used
 * for one-stage detectors (SGD with momentum 0.937, three epochs of warm-up, an average of the
 * weights, mosaic but for the last epochs).
 */
#include "spec/train.h"

#include <string.h>

const char *const train_task_names[] = {"classification", "detection", "segmentation", "semantic",
                                        NULL};

enum train_task train_task_of(str model)
{
    static const struct {
        const char *prefix;
        enum train_task task;
    } families[] = {{"detect-", TRAIN_DETECTION},
                    {"segment-", TRAIN_SEGMENTATION},
                    {"semseg-", TRAIN_SEMANTIC}};

    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (str_starts(model, str_of(families[i].prefix)))
            return families[i].task;
    return TRAIN_CLASSIFICATION;
}

bool train_task_fits(enum train_task task, enum task dataset)
{
    static const unsigned fits[TRAIN_TASKS] = {
        [TRAIN_CLASSIFICATION] = 1u << TASK_CLASSIFICATION,
        [TRAIN_DETECTION] = 1u << TASK_DETECTION | 1u << TASK_SEGMENTATION | 1u << TASK_TEXT,
        [TRAIN_SEGMENTATION] = 1u << TASK_SEGMENTATION | 1u << TASK_TEXT,
        [TRAIN_SEMANTIC] = 1u << TASK_SEGMENTATION | 1u << TASK_TEXT};

    return fits[task] >> dataset & 1;
}

const char *train_task_needs(enum train_task task)
{
    return task == TRAIN_CLASSIFICATION ? "a class for each picture"
           : task == TRAIN_DETECTION    ? "boxes"
                                        : "outlines (polygons, or quadrangles of text)";
}

enum {
    CLS = 1 << TRAIN_CLASSIFICATION,
    DET = 1 << TRAIN_DETECTION,
    SEG = 1 << TRAIN_SEGMENTATION,
    SEM = 1 << TRAIN_SEMANTIC,
    BOXES = DET | SEG,
    OBJECTS = DET | SEG | SEM,
    ALL = CLS | DET | SEG | SEM,
};
static const struct variant {
    const char *field;
    unsigned tasks;                /* those to which it means something */
    const char *dflt[TRAIN_TASKS]; /* JSON text; NULL: as in the table */
} variants[] = {
    {"epochs", ALL, {NULL, "50", "50", "50"}},
    {"batch_size", ALL, {NULL, "8", "8", "8"}},
    {"optimizer", ALL, {NULL, "\"adamw\"", "\"adamw\"", NULL}},
    {"learning_rate", ALL, {NULL, "0.002", "0.002", "0.02"}},
    {"weight_decay", ALL, {NULL, "0.01", "0.01", NULL}},
    {"momentum", ALL, {NULL, "0.937", "0.937", NULL}},
    {"clip_norm", ALL, {NULL, "10", "10", NULL}},
    {"ema", ALL, {NULL, "0.999", "0.999", "0.999"}},
    {"goal", ALL, {NULL, "\"map50\"", "\"mask_map50\"", "\"miou\""}},
    {"stem", CLS, {NULL}},
    {"crop", CLS, {NULL}},
    {"crop_padding", CLS, {NULL}},
    {"crop_scale_min", CLS, {NULL}},
    {"brightness", CLS, {NULL}},
    {"contrast", CLS, {NULL}},
    {"saturation", CLS, {NULL}},
    {"hue", CLS, {NULL}},
    {"mixup", CLS | BOXES, {NULL}},
    {"mixup_probability", BOXES, {NULL}},
    {"mosaic", OBJECTS, {NULL}},
    {"close_mosaic", OBJECTS, {NULL}},
    {"hsv_h", OBJECTS, {NULL}},
    {"hsv_s", OBJECTS, {NULL}},
    {"hsv_v", OBJECTS, {NULL}},
    {"rotate", OBJECTS, {NULL}},
    {"translate", OBJECTS, {NULL}},
    {"scale", OBJECTS, {NULL}},
    {"shear", OBJECTS, {NULL}},
    {"multi_scale", OBJECTS, {NULL}},
    {"label_smoothing", CLS, {NULL, "0", "0", "0"}},
    {"class_weights", CLS, {NULL}},
    {"box_gain", BOXES, {NULL}},
    {"cls_gain", BOXES, {NULL}},
    {"dfl_gain", BOXES, {NULL}},
    {"mask_gain", SEG, {NULL}},
    {"confidence", BOXES, {NULL}},
    {"iou", BOXES, {NULL}},
};

/* From random weights these two begin chaotically at 0.05, here and in PyTorch (figures:
 * docs/engine-accuracy.md). */
static const struct {
    const char *model, *field, *dflt;
} own_defaults[] = {{"resnet50", "learning_rate", "0.01"},
                    {"efficientnet-b0", "learning_rate", "0.01"}};

static const struct variant *variant_of(const struct field *f)
{
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (strcmp(variants[i].field, f->name) == 0)
            return &variants[i];
    return NULL;
}

bool train_field_applies(const struct field *f, enum train_task task)
{
    const struct variant *v = variant_of(f);

    return !v || v->tasks >> task & 1;
}

static const char *default_of(const struct field *f, str model, enum train_task task)
{
    const struct variant *v = variant_of(f);

    for (size_t i = 0; i < sizeof own_defaults / sizeof *own_defaults; i++)
        if (str_is(model, own_defaults[i].model) && strcmp(f->name, own_defaults[i].field) == 0)
            return own_defaults[i].dflt;
    return v && v->dflt[task] ? v->dflt[task] : f->dflt;
}

/* A copy with the model's defaults; without what does not apply, where asked. */
static enum rc copy_fields(str model, bool all, struct arena *a, const struct field **ret,
                           struct err *e)
{
    enum train_task task = train_task_of(model);
    size_t n = 0;
    struct field *to;

    while (train_spec_fields[n].name)
        n++;
    to = ARENA_ARRAY(a, struct field, n + 1);
    if (!to)
        return err_set(e, RC_NOMEM, "no memory for the table of settings");
    *ret = to;
    for (const struct field *f = train_spec_fields; f->name; f++) {
        if (!all && !train_field_applies(f, task))
            continue;
        *to = *f;
        to++->dflt = default_of(f, model, task);
    }
    *to = (struct field){.name = NULL};
    return RC_OK;
}

enum rc train_fields_of(str model, struct arena *a, const struct field **ret, struct err *e)
{
    return copy_fields(model, true, a, ret, e);
}

enum rc train_form(str model, struct arena *a, struct jw *w, struct err *e)
{
    const struct field *fields;
    enum rc rc = copy_fields(model, false, a, &fields, e);

    if (!rc)
        field_form(fields, w);
    return rc;
}

void train_fit_warmup(struct train_spec *s)
{
    if (s->warmup_epochs > (double)s->epochs / 2)
        s->warmup_epochs = (double)s->epochs / 2;
}

enum rc train_spec_read(const struct json *obj, str model, struct train_spec *ret, struct arena *a,
                        struct err *e)
{
    str named = obj && obj->type == JSON_OBJ ? json_str(obj, "model", model) : model;
    const struct field *fields;
    enum rc rc = train_fields_of(named, a, &fields, e);

    if (!rc)
        rc = obj ? field_read(fields, obj, ret, a, e) : field_defaults(fields, ret, a, e);
    if (!rc && model.n && !(obj && json_get(obj, "model")))
        ret->model = model;
    if (!rc && !(obj && json_get(obj, "warmup_epochs")))
        train_fit_warmup(ret);
    return rc;
}

enum rc train_spec_read_text(str json, struct train_spec *ret, struct arena *a, struct err *e)
{
    const struct json *obj;
    enum rc rc = json_parse(a, json, NULL, &obj, e);

    return rc ? rc : train_spec_read(obj, STR(""), ret, a, e);
}
