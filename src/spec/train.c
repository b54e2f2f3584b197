/* train.c - the table of train settings and the checks between them. */
#include "spec/train.h"

#include <math.h>
#include <stdio.h>

static const char *const optimizer_names[] = {"sgd", "adamw", NULL};
static const char *const schedule_names[] = {"cosine", "constant", "step", NULL};
static const char *const crop_names[] = {"auto", "none", "pad", "resized", NULL};
static const char *const stem_names[] = {"auto", "small", "large", NULL};
static const char *const class_weight_names[] = {"none", "balanced", NULL};
static const char *const backend_names[] = {"auto", "onednn", "portable", NULL};
static const char *const precision_names[] = {"float32", "bfloat16", NULL};
static const char *const freeze_names[] = {"none", "backbone", NULL};
const char *const train_goal_names[] = {"accuracy", "top5",       "f1",       "loss", "map50",
                                        "map",      "mask_map50", "mask_map", "miou", NULL};

#define S   struct train_spec
#define ADV .flags = FIELD_ADVANCED
const struct field train_spec_fields[] = {
    F_STR(S, model, .dflt = "\"resnet18\"", .min = 1, .max = 64, .group = "Model",
          .help = "Name of the network; `anneal models` lists them."),
    F_INT(S, epochs, .dflt = "20", .min = 1, .max = 1000, .group = "Training",
          .help = "Passes over the training split."),
    F_INT(S, batch_size, .dflt = "64", .min = 1, .max = 1024, .group = "Training",
          .help = "Images in one optimiser step."),
    F_INT(S, image_size, .dflt = "0", .min = 0, .max = 1024, .group = "Training",
          .help = "Side of the square input in pixels; 0 chooses by the data."),
    F_INT(S, seed, .dflt = "42", .min = 0, .max = 9007199254740991.0, .group = "Training",
          .help = "Same data, settings and seed give the same weights, byte for byte."),
    F_INT(S, threads, .dflt = "0", .min = 0, .max = 256, .group = "Training", ADV,
          .help = "Threads of the worker; 0 is one for each core. Never changes the result."),
    F_ENUM(S, stem, stem_names, .dflt = "\"auto\"", .group = "Model", ADV,
           .help = "First layers: small keeps the resolution (pictures below 96 pixels), large "
                   "halves it twice."),
    F_ENUM(S, backend, backend_names, .dflt = "\"auto\"", .group = "Model", ADV,
           .help = "Kernels: onednn is fast, portable is the plain C reference."),
    F_ENUM(S, precision, precision_names, .dflt = "\"float32\"", .group = "Model", ADV,
           .help = "bfloat16 stores the outputs of convolutions in half the memory; weights, sums "
                   "and gradients stay float32."),
    F_STR(S, weights, .dflt = "\"\"", .max = 160, .group = "Model",
          .help = "First weights: empty for random ones, job:ID or job:ID:best of another job, "
                  "sha256:HEX of an uploaded safetensors file."),
    F_ENUM(S, freeze, freeze_names, .dflt = "\"none\"", .group = "Model", ADV,
           .help = "backbone: only what is behind the backbone learns."),
    F_ENUM(S, optimizer, optimizer_names, .dflt = "\"sgd\"", .group = "Optimiser",
           .help = "SGD with momentum, or AdamW (Loshchilov and Hutter 2019)."),
    F_NUM(S, learning_rate, .dflt = "0.05", .min = 1e-8, .max = 10, .group = "Optimiser",
          .help = "Peak learning rate, after warm-up."),
    F_NUM(S, momentum, .dflt = "0.9", .min = 0, .max = 0.9999, .group = "Optimiser", ADV,
          .help = "Momentum of SGD."),
    F_BOOL(S, nesterov, .dflt = "true", .group = "Optimiser", ADV,
           .help = "Nesterov momentum (SGD)."),
    F_NUM(S, weight_decay, .dflt = "0.0005", .min = 0, .max = 1, .group = "Optimiser",
          .help = "Weight decay; not applied to biases and normalisation."),
    F_NUM(S, beta1, .dflt = "0.9", .min = 0, .max = 0.9999, .group = "Optimiser", ADV,
          .help = "First moment decay of AdamW."),
    F_NUM(S, beta2, .dflt = "0.999", .min = 0, .max = 0.999999, .group = "Optimiser", ADV,
          .help = "Second moment decay of AdamW."),
    F_NUM(S, clip_norm, .dflt = "0", .min = 0, .max = 1e6, .group = "Optimiser", ADV,
          .help = "Largest norm of the whole gradient; 0 does not clip."),
    F_NUM(S, ema, .dflt = "0", .min = 0, .max = 0.99999, .group = "Optimiser", ADV,
          .help = "Decay of a moving average of the weights, which is what is validated and kept; "
                  "0 is off."),
    F_INT(S, accumulate, .dflt = "1", .min = 1, .max = 64, .group = "Optimiser", ADV,
          .help = "Batches whose mean gradient makes one update."),
    F_NUM(S, box_gain, .dflt = "7.5", .min = 0, .max = 100, .group = "Loss", ADV,
          .help = "Weight of the loss of the boxes' places."),
    F_NUM(S, cls_gain, .dflt = "0.5", .min = 0, .max = 100, .group = "Loss", ADV,
          .help = "Weight of the loss of the boxes' classes."),
    F_NUM(S, dfl_gain, .dflt = "1.5", .min = 0, .max = 100, .group = "Loss", ADV,
          .help = "Weight of the distribution focal loss of the boxes' edges."),
    F_NUM(S, mask_gain, .dflt = "7.5", .min = 0, .max = 100, .group = "Loss", ADV,
          .help = "Weight of the loss of the masks."),
    F_ENUM(
        S,
        schedule, schedule_names, .dflt = "\"cosine\"", .group = "Schedule",
        .help =
            "How the learning rate falls (cosine: Loshchilov and Hutter 2017, without restarts)."),
    F_NUM(S, warmup_epochs, .dflt = "1", .min = 0, .max = 100, .group = "Schedule",
          .help = "Epochs of linear rise to the peak learning rate."),
    F_NUM(S, final_lr_factor, .dflt = "0.01", .min = 0, .max = 1, .group = "Schedule", ADV,
          .help = "Learning rate at the end, as a factor of the peak (cosine)."),
    F_NUM(S, step_gamma, .dflt = "0.1", .min = 1e-6, .max = 1, .group = "Schedule", ADV,
          .help = "Factor at each step of the step schedule."),
    F_INT(S, step_epochs, .dflt = "10", .min = 1, .max = 1000, .group = "Schedule", ADV,
          .help = "Epochs between the steps of the step schedule."),
    F_NUM(S, flip, .dflt = "0.5", .min = 0, .max = 1, .group = "Augmentation",
          .help = "Probability of a horizontal flip."),
    F_NUM(S, vertical_flip, .dflt = "0", .min = 0, .max = 1, .group = "Augmentation", ADV,
          .help = "Probability of a vertical flip."),
    F_ENUM(S, crop, crop_names, .dflt = "\"auto\"", .group = "Augmentation",
           .help = "pad: random crop of the padded picture; resized: random area and aspect; auto: "
                   "by the input size."),
    F_INT(S, crop_padding, .dflt = "4", .min = 0, .max = 128, .group = "Augmentation", ADV,
          .help = "Pixels added on each side before a pad crop."),
    F_NUM(S, crop_scale_min, .dflt = "0.35", .min = 0.01, .max = 1, .group = "Augmentation", ADV,
          .help = "Smallest area of a resized crop, as a part of the picture."),
    F_NUM(S, brightness, .dflt = "0.1", .min = 0, .max = 1, .group = "Augmentation", ADV,
          .help = "Random change of brightness, as a factor of 1 +- this."),
    F_NUM(S, contrast, .dflt = "0.1", .min = 0, .max = 1, .group = "Augmentation", ADV,
          .help = "Random change of contrast, as a factor of 1 +- this."),
    F_NUM(S, saturation, .dflt = "0.1", .min = 0, .max = 1, .group = "Augmentation", ADV,
          .help = "Random change of saturation, as a factor of 1 +- this."),
    F_NUM(S, hue, .dflt = "0", .min = 0, .max = 0.5, .group = "Augmentation", ADV,
          .help = "Random shift of hue, in turns."),
    F_NUM(S, mixup, .dflt = "0", .min = 0, .max = 4, .group = "Augmentation",
          .help = "Alpha of mixup (Zhang et al. 2018); 0 is off."),
    F_NUM(S, mixup_probability, .dflt = "0.1", .min = 0, .max = 1, .group = "Augmentation", ADV,
          .help = "Objects: part of the pictures that mixup blends with another."),
    F_NUM(S, mosaic, .dflt = "1", .min = 0, .max = 1, .group = "Augmentation",
          .help = "Objects: probability that four pictures are joined into one."),
    F_INT(S, close_mosaic, .dflt = "10", .min = 0, .max = 1000, .group = "Augmentation",
          .help = "Objects: epochs at the end without mosaic and mixup."),
    F_NUM(S, hsv_h, .dflt = "0.015", .min = 0, .max = 0.5, .group = "Augmentation", ADV,
          .help = "Objects: random shift of hue, in turns."),
    F_NUM(S, hsv_s, .dflt = "0.7", .min = 0, .max = 1, .group = "Augmentation", ADV,
          .help = "Objects: random change of saturation, as a factor of 1 +- this."),
    F_NUM(S, hsv_v, .dflt = "0.4", .min = 0, .max = 1, .group = "Augmentation", ADV,
          .help = "Objects: random change of brightness, as a factor of 1 +- this."),
    F_NUM(S, rotate, .dflt = "0", .min = 0, .max = 180, .group = "Augmentation",
          .help = "Objects: random turn by up to so many degrees either way."),
    F_NUM(S, translate, .dflt = "0.1", .min = 0, .max = 0.9, .group = "Augmentation", ADV,
          .help = "Objects: random shift, as a part of the side."),
    F_NUM(S, scale, .dflt = "0.5", .min = 0, .max = 0.9, .group = "Augmentation",
          .help = "Objects: random zoom, as a factor of 1 +- this."),
    F_NUM(S, shear, .dflt = "0", .min = 0, .max = 45, .group = "Augmentation", ADV,
          .help = "Objects: random shear by up to so many degrees either way."),
    F_NUM(S, multi_scale, .dflt = "0", .min = 0, .max = 0.5, .group = "Augmentation",
          .help = "Objects: each batch has a size of its own, a factor of 1 +- this."),
    F_NUM(S, label_smoothing, .dflt = "0.1", .min = 0, .max = 0.5, .group = "Regularisation",
          .help = "Part of the target that is spread over all classes (Szegedy et al. 2016)."),
    F_ENUM(S, class_weights, class_weight_names, .dflt = "\"none\"", .group = "Regularisation",
           .help = "balanced weights each class by the inverse of its frequency."),
    F_INT(S, early_stop, .dflt = "0", .min = 0, .max = 1000, .group = "Stopping",
          .help = "Stop after so many epochs without a better score; 0 never."),
    F_NUM(S, early_stop_delta, .dflt = "0", .min = 0, .max = 1, .group = "Stopping", ADV,
          .help = "A better score must be better by this much."),
    F_ENUM(S, goal, train_goal_names, .dflt = "\"accuracy\"", .group = "Stopping",
           .help = "The validation score that makes a checkpoint the best."),
    F_INT(S, checkpoint_every, .dflt = "0", .min = 0, .max = 1000, .group = "Stopping", ADV,
          .help = "Keep a checkpoint every so many epochs, besides best and last; 0 keeps none."),
    F_NUM(S, confidence, .dflt = "0.001", .min = 0.001, .max = 1, .group = "Validation", ADV,
          .help = "Least confidence of a box that is scored."),
    F_NUM(S, iou, .dflt = "0.7", .min = 0.01, .max = 1, .group = "Validation", ADV,
          .help = "Boxes of a class that overlap by more than this are one."),
    FIELD_END};
#undef ADV
#undef S

bool train_goal_better(int goal, double value, double than)
{
    if (isnan(value))
        return false;
    if (isnan(than))
        return true;
    return goal == GOAL_LOSS ? value < than : value > than;
}

static void warn(struct jw *w, const char *field, const char *message)
{
    if (!w)
        return;
    jw_obj(w);
    jw_kcstr(w, "field", field);
    jw_kcstr(w, "message", message);
    jw_obj_end(w);
}

/* A setting that was changed and has no effect is told, lest its user wonder. */
static enum rc warn_idle(const struct train_spec *s, enum train_task task, struct jw *w,
                         struct err *e)
{
    const struct field *fields;
    struct train_spec plain = {0};
    struct arena a;
    enum rc rc;

    arena_init(&a, 1 << 20);
    rc = train_fields_of(s->model, &a, &fields, e);
    if (!rc)
        rc = field_defaults(fields, &plain, &a, e);
    for (const struct field *f = fields; !rc && f->name; f++)
        if (!train_field_applies(f, task) && !field_same(f, s, &plain)) {
            char text[120];
            snprintf(text, sizeof text, "it has no effect on %s", train_task_names[task]);
            warn(w, f->name, text);
        }
    arena_done(&a);
    return rc;
}

/* Goals by task. */
static const unsigned goals[TRAIN_TASKS] = {
    [TRAIN_CLASSIFICATION] =
        1u << GOAL_ACCURACY | 1u << GOAL_TOP5 | 1u << GOAL_F1 | 1u << GOAL_LOSS,
    [TRAIN_DETECTION] = 1u << GOAL_MAP50 | 1u << GOAL_MAP | 1u << GOAL_F1,
    [TRAIN_SEGMENTATION] = 1u << GOAL_MAP50 | 1u << GOAL_MAP | 1u << GOAL_F1 |
                           1u << GOAL_MASK_MAP50 | 1u << GOAL_MASK_MAP,
    [TRAIN_SEMANTIC] = 1u << GOAL_MIOU | 1u << GOAL_ACCURACY | 1u << GOAL_LOSS,
};

static enum rc check_goal(const struct train_spec *s, enum train_task task, struct err *e)
{
    char names[160] = "";

    if (goals[task] >> s->goal & 1)
        return RC_OK;
    for (int i = 0; train_goal_names[i]; i++) {
        size_t n = strlen(names);
        if (goals[task] >> i & 1)
            snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "", train_goal_names[i]);
    }
    return err_field(e, RC_INVALID, "goal",
                     "'%s' is not measured for %s, the task of '%.*s'; use one of %s",
                     train_goal_names[s->goal], train_task_names[task], STR_F(s->model), names);
}

enum rc train_spec_check(const struct train_spec *s, struct jw *w, struct err *e)
{
    double peak = s->optimizer == OPTIM_ADAMW ? 0.01 : 0.5;
    enum train_task task = train_task_of(s->model);
    enum rc rc = check_goal(s, task, e);

    if (!rc && w)
        rc = warn_idle(s, task, w, e);
    if (rc)
        return rc;

    if (s->warmup_epochs >= (double)s->epochs && s->warmup_epochs > 0 && s->epochs > 1)
        return err_field(e, RC_INVALID, "warmup_epochs",
                         "warm-up takes %g epochs but training has only %lld; lower warmup_epochs",
                         s->warmup_epochs, (long long)s->epochs);
    if (s->image_size && s->image_size < 16)
        return err_field(
            e, RC_INVALID, "image_size",
            "an input of %lld pixels is too small; use at least 16, or 0 for automatic",
            (long long)s->image_size);
    if (s->learning_rate > peak)
        warn(w, "learning_rate", "a learning rate this high often makes the loss diverge");
    if (s->learning_rate < 1e-6)
        warn(w, "learning_rate", "a learning rate this low hardly changes the weights");
    if (s->early_stop > 0 && s->early_stop < 3)
        warn(w, "early_stop", "fewer than 3 epochs of patience often stop too early");
    if (s->mixup > 0 && s->class_weights == CLASS_WEIGHTS_BALANCED)
        warn(w, "mixup", "mixup blends the classes that class weights tell apart");
    if (s->batch_size < 8)
        warn(w, "batch_size", "batch normalisation is noisy with fewer than 8 images a batch");
    return RC_OK;
}
