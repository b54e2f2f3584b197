/* train.h - the train spec: every setting of a training run, as one table.
 *
 * The same table checks `POST /training/jobs`, fills the trainer's settings form (GET /models), the
 * CLI's flags (`anneal train --epochs 5`) and the worker's input, so a setting cannot be lost on
 * the way. A spec with a dataset version and a seed determines the weights, byte for byte.
 */
#ifndef ANNEAL_SPEC_TRAIN_H
#define ANNEAL_SPEC_TRAIN_H

#include "spec/field.h"

enum optimizer_kind { OPTIM_SGD, OPTIM_ADAMW };
enum schedule_kind { SCHEDULE_COSINE, SCHEDULE_CONSTANT, SCHEDULE_STEP };
enum crop_kind { CROP_AUTO, CROP_NONE, CROP_PAD, CROP_RESIZED };
enum stem_kind { STEM_AUTO, STEM_SMALL, STEM_LARGE };
enum class_weight_kind { CLASS_WEIGHTS_NONE, CLASS_WEIGHTS_BALANCED };
enum backend_kind { BACKEND_AUTO, BACKEND_ONEDNN, BACKEND_PORTABLE };
enum goal_kind {
    GOAL_ACCURACY,
    GOAL_TOP5,
    GOAL_F1,
    GOAL_LOSS
}; /* loss is minimised, the rest maximised */

struct train_spec {
    str model;
    int64_t epochs, batch_size, image_size; /* image_size 0: by the data (32 or 64 .. 224) */
    int64_t seed, threads;                  /* threads 0: one a core; never changes the result */
    int stem, backend;
    /* optimiser */
    int optimizer;
    double learning_rate, momentum, weight_decay, beta1, beta2, clip_norm;
    bool nesterov;
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
};
extern const struct field train_spec_fields[];
extern const char *const train_goal_names[]; /* as in metrics: "accuracy", "top5", "f1", "loss" */
bool train_goal_better(int goal, double value, double than); /* NaN is never better */
/* What a table cannot say: warm-up longer than training, mixup with hard class weights, ...
 * Appends {field, message} warnings to w (an open array); errors are returned. */
enum rc train_spec_check(const struct train_spec *s, struct jw *w, struct err *e) must_check;

#endif
