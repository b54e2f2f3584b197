/* train.h - the train spec: every setting of a training run, as one table.
 *
 * The same table checks `POST /training/jobs`, fills the trainer's settings form (GET /models), the
 * CLI's flags (`anneal train --epochs 5`) and the worker's input, so a setting cannot be lost on
 * the way. A spec with a dataset version and a seed determines the weights, byte for byte.
 *
 * The model decides the task, and the task the defaults: a detector's learning rate is not a
 * classifier's (train_task.c).  So settings are read with train_spec_read, never with the bare
 * table.
 */
#ifndef ANNEAL_SPEC_TRAIN_H
#define ANNEAL_SPEC_TRAIN_H

#include "spec/dataset.h"
#include "spec/field.h"

enum optimizer_kind { OPTIM_SGD, OPTIM_ADAMW };
enum schedule_kind { SCHEDULE_COSINE, SCHEDULE_CONSTANT, SCHEDULE_STEP };
enum crop_kind { CROP_AUTO, CROP_NONE, CROP_PAD, CROP_RESIZED };
enum stem_kind { STEM_AUTO, STEM_SMALL, STEM_LARGE };
enum class_weight_kind { CLASS_WEIGHTS_NONE, CLASS_WEIGHTS_BALANCED };
enum backend_kind { BACKEND_AUTO, BACKEND_ONEDNN, BACKEND_PORTABLE };
enum precision_kind { PRECISION_FLOAT32, PRECISION_BFLOAT16 }; /* as enum net_precision */
enum freeze_kind { FREEZE_NONE, FREEZE_BACKBONE };
enum goal_kind { /* loss is minimised, the rest maximised */
                 GOAL_ACCURACY,
                 GOAL_TOP5,
                 GOAL_F1,
                 GOAL_LOSS,
                 GOAL_MAP50,
                 GOAL_MAP,
                 GOAL_MASK_MAP50,
                 GOAL_MASK_MAP,
                 GOAL_MIOU
};

/* What a network answers; the same order as enum net_task (engine/model/target.h). */
enum train_task {
    TRAIN_CLASSIFICATION,
    TRAIN_DETECTION,    /* boxes */
    TRAIN_SEGMENTATION, /* instances: boxes, each with its mask */
    TRAIN_SEMANTIC,     /* a class for each pixel */
    TRAIN_TASKS
};
extern const char *const train_task_names[];
/* Whether a dataset for `dataset` can teach it: boxes come from outlines, masks never from boxes;
 * lines of text are outlines. */
bool train_task_fits(enum train_task task, enum task dataset);
/* What it needs, for an error: "boxes". */
const char *train_task_needs(enum train_task task);
/* By the name's first part: "detect-", "segment-", "semseg-", else classification. */
enum train_task train_task_of(str model);

struct train_spec {
    str model;
    int64_t epochs, batch_size, image_size; /* image_size 0: by the data (32 or 64 .. 224) */
    int64_t seed, threads;                  /* threads 0: one a core; never changes the result */
    int stem, backend, precision;
    str weights; /* where the first weights are from: "" random, "job:ID[:WHICH]", "sha256:HEX" */
    int freeze;
    /* optimiser */
    int optimizer;
    double learning_rate, momentum, weight_decay, beta1, beta2, clip_norm;
    bool nesterov;
    double ema;         /* decay of the moving average of the weights; 0: none */
    int64_t accumulate; /* batches whose mean gradient makes one update */
    double box_gain, cls_gain, dfl_gain, mask_gain; /* of the parts of the loss */
    int schedule;
    double warmup_epochs, final_lr_factor, step_gamma;
    int64_t step_epochs;
    /* augmentation */
    double flip, vertical_flip; /* probability */
    int crop;
    int64_t crop_padding; /* pixels at the training size */
    double crop_scale_min, brightness, contrast, saturation, hue, mixup;
    /* of pictures with objects: detection and both segmentations */
    double mosaic, mixup_probability; /* probabilities */
    int64_t close_mosaic;             /* epochs at the end without them */
    double hsv_h, hsv_s, hsv_v, rotate, translate, scale, shear, multi_scale;
    /* regularisation and stopping */
    double label_smoothing;
    int class_weights;
    int64_t early_stop; /* epochs without a better score; 0: never */
    double early_stop_delta;
    int goal;
    int64_t checkpoint_every; /* epochs; besides best and last; 0: none */
    /* validation of boxes and masks */
    double confidence, iou; /* least confidence; overlap above which two boxes are one */
};
/* All fields, with the defaults of classification. */
extern const struct field train_spec_fields[];
extern const char *const train_goal_names[]; /* as in metrics: "accuracy", "map50", .. */
bool train_goal_better(int goal, double value, double than); /* NaN is never better */

/* The table with the defaults of a model, in `a`; a name that no network has counts by its task. */
enum rc train_fields_of(str model, struct arena *a, const struct field **ret,
                        struct err *e) must_check;
/* False: the field means nothing to the task (`crop` to a detector). */
bool train_field_applies(const struct field *f, enum train_task task);
/* Settings from an object (NULL: none given), the rest by the defaults of its model.
 * `model` names the model where the object does not; "" leaves it to the default. */
enum rc train_spec_read(const struct json *obj, str model, struct train_spec *ret, struct arena *a,
                        struct err *e) must_check;
enum rc train_spec_read_text(str json, struct train_spec *ret, struct arena *a,
                             struct err *e) must_check;
/* The default warm-up of a run that is too short for it: half of the epochs. */
void train_fit_warmup(struct train_spec *s);
/* The settings form of a model (field_form): what applies to its task, with its own defaults. */
enum rc train_form(str model, struct arena *a, struct jw *w, struct err *e) must_check;

/* Settings under one name, for people who know what they want and not how: a row each. */
struct train_preset {
    const char *name, *title, *help;
};
extern const struct train_preset train_presets[]; /* closed by a NULL name */
/* The settings that a preset changes for a task: members of an open object. */
void train_preset_write(const struct train_preset *p, enum train_task task, struct jw *w);
/* `config` (NULL: none) over the preset's settings for its model's task, in `a`; `model` as in
 * train_spec_read.  RC_INVALID, field "preset": no such name, with those there are. */
enum rc train_preset_merge(str preset, const struct json *config, str model, struct arena *a,
                           const struct json **ret, struct err *e) must_check;

/* What a table cannot say: a goal of another task, warm-up longer than training, a setting that
 * means nothing to the task, ... Appends {field, message} warnings to w (an open array); errors are
 * returned. */
enum rc train_spec_check(const struct train_spec *s, struct jw *w, struct err *e) must_check;

#endif
