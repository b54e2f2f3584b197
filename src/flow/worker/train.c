/* train.c - a training run, epoch by epoch, and where the learning rate and the best score stand.
 *
 *   set up -> [resume] -> started -> (steps, validation, epoch, checkpoint)* -> completed
 *
 * Everything that decides the weights is a function of spec, dataset and cursor.  Learning rate at
 * step t of T (from 0), with W warm-up steps (at most half of all):
 *   t < W     peak * (t + 1) / W
 *   cosine    final + (peak - final) * (1 + cos(pi * (t - W) / (T - W))) / 2
 *   step      peak * gamma ^ (epochs done / step_epochs)
 *   constant  peak
 */
#include "flow/worker/cursor.h"

#include "base/log.h"
#include "os/os.h"
#include <math.h>

enum { PROGRESS_MS = 1000, METRICS_BYTES_MAX = 4096 };

struct train {
    struct run *r;
    struct loader *train, *val;
    struct cursor at;
    float *class_weights; /* or NULL */
    int64_t steps;        /* of an epoch */
    int64_t said_ms;      /* last progress */
    /* of the epoch under way */
    int64_t epoch; /* from 0 */
    int64_t began_ms, images, hits;
    double loss_sum, lr;
};

static double learning_rate(const struct train_spec *s, int64_t step, int64_t steps)
{
    double peak = s->learning_rate, final = peak * s->final_lr_factor;
    int64_t all = s->epochs * steps, warm = (int64_t)(s->warmup_epochs * (double)steps + 0.5);

    warm = warm > all / 2 ? all / 2 : warm;
    if (step < warm)
        return peak * (double)(step + 1) / (double)warm;
    if (s->schedule == SCHEDULE_COSINE)
        return final +
               (peak - final) * (1 + cos(M_PI * (double)(step - warm) / (double)(all - warm))) / 2;
    if (s->schedule == SCHEDULE_STEP)
        for (int64_t k = step / steps / s->step_epochs; k > 0; k--)
            peak *= s->step_gamma;
    return peak;
}

/* ---- set up */

static enum rc check_dataset(const struct run *r, struct err *e)
{
    const struct samples *s = &r->samples;

    if (s->header.task != TASK_CLASSIFICATION)
        return err_set(e, RC_INVALID,
                       "the dataset is for %s; the native engine trains classification",
                       task_names[s->header.task]);
    if (s->header.classes_n < 2)
        return err_set(e, RC_INVALID, "the dataset has %zu class; a classifier needs at least two",
                       s->header.classes_n);
    if (s->n[SPLIT_TRAIN] == 0)
        return err_set(e, RC_INVALID, "the dataset has no pictures in its split 'train'");
    if (s->n[SPLIT_VAL] == 0)
        return err_set(e, RC_INVALID,
                       "the dataset has no pictures in its split 'val', so nothing "
                       "can be scored; import it with a split, e.g. --split 0.8,0.1,0.1");
    return RC_OK;
}

static enum rc make_model(struct run *r, struct augment *aug, struct err *e)
{
    const struct train_spec *s = &r->spec;
    const struct net_card *card;
    size_t n = r->samples.n[SPLIT_TRAIN];
    int64_t size = s->image_size;
    char *name = arena_cstr(&r->arena, s->model);
    struct model_plan p = {.name = name,
                           .classes = r->samples.header.classes,
                           .classes_n = r->samples.header.classes_n,
                           .stem = (enum net_stem)s->stem,
                           .seed = s->seed,
                           .batch_max =
                               (int)((size_t)s->batch_size < n ? s->batch_size : (int64_t)n),
                           .threads = (int)r->threads,
                           .train = true,
                           .backend = (enum net_backend)s->backend,
                           .optimizer = s->optimizer == OPTIM_ADAMW ? NET_ADAMW : NET_SGD};

    if (!name)
        return err_set(e, RC_NOMEM, "no memory for the model");
    card = net_card_find(name);
    if (!card)
        return err_field(e, RC_INVALID, "model",
                         "there is no model '%s'; `anneal models` lists them", name);
    if (size == 0) {
        size = frame_size_auto(samples_median_side(r->samples.of[SPLIT_TRAIN], n, &r->arena));
        size = size < card->image_size_min ? card->image_size_min : size;
    }
    augment_setup(s, (int32_t)size, aug, &p.frame);
    return model_new(&r->model, &p, e);
}

static enum rc make_loaders(struct train *t, const struct augment *aug, struct err *e)
{
    struct run *r = t->r;
    struct net_info info;
    char *blobs = arena_cstr(&r->arena, r->work.blobs_dir);
    struct loader_config c = {.samples = r->samples.of[SPLIT_TRAIN],
                              .n = r->samples.n[SPLIT_TRAIN],
                              .blobs_dir = blobs,
                              .classes = (int32_t)r->samples.header.classes_n,
                              .threads = r->loaders,
                              .frame = r->model->frame,
                              .train = true,
                              .augment = *aug,
                              .label_smoothing = r->spec.label_smoothing,
                              .seed = (uint64_t)r->spec.seed,
                              .cache_bytes_max = LOADER_CACHE_BYTES / 4 * 3};
    enum rc rc;

    if (!blobs)
        return err_set(e, RC_NOMEM, "no memory for the loaders");
    net_get_info(r->model->net, &info);
    c.batch = info.batch_max;
    rc = loader_new(&t->train, &c, e);
    c.samples = r->samples.of[SPLIT_VAL];
    c.n = r->samples.n[SPLIT_VAL];
    c.train = false;
    c.cache_bytes_max = LOADER_CACHE_BYTES / 4;
    if (!rc)
        rc = loader_new(&t->val, &c, e);
    if (!rc)
        t->steps = loader_batches(t->train);
    return rc;
}

/* n / (classes * n of the class): a class that never occurs weighs 1 and matters nowhere. */
static enum rc balance_classes(struct train *t, struct err *e)
{
    const struct samples *s = &t->r->samples;
    size_t n = s->n[SPLIT_TRAIN], classes = s->header.classes_n;
    size_t *count;

    if (t->r->spec.class_weights == CLASS_WEIGHTS_NONE)
        return RC_OK;
    t->class_weights = ARENA_ARRAY(&t->r->arena, float, classes);
    count = ARENA_ARRAY(&t->r->arena, size_t, classes);
    if (!t->class_weights || !count)
        return err_set(e, RC_NOMEM, "no memory for the class weights");
    for (size_t i = 0; i < n; i++)
        count[s->of[SPLIT_TRAIN][i].label]++;
    for (size_t c = 0; c < classes; c++)
        t->class_weights[c] =
            count[c] ? (float)((double)n / ((double)classes * (double)count[c])) : 1;
    return RC_OK;
}

/* What train_spec_check warns of, as log lines. */
static enum rc spec_warnings(struct run *r, struct report *out, struct err *e)
{
    const struct json *list;
    struct log_line *lines;
    struct buf b;
    struct jw w;
    str text;
    enum rc rc;

    buf_init(&b, 64 << 10);
    jw_init(&w, &b);
    jw_arr(&w);
    rc = train_spec_check(&r->spec, &w, e);
    jw_arr_end(&w);
    text = arena_str(&r->arena, buf_view(&b));
    buf_done(&b);
    if (!rc)
        rc = json_parse(&r->arena, text, NULL, &list, e);
    if (rc)
        return rc;
    lines = ARENA_ARRAY(&r->arena, struct log_line, list->list.count + 1);
    if (!lines)
        return err_set(e, RC_NOMEM, "no memory for the log");
    out->logs.p = lines;
    JSON_EACH(warning, list)
        lines[out->logs.n++] = (struct log_line){.time = os_now_ms(),
                                                 .level = LOG_WARN,
                                                 .message = json_str(warning, "message", STR(""))};
    return RC_OK;
}

static enum rc say_started(struct train *t, struct err *e)
{
    struct run *r = t->r;
    struct report out = {.kind = REPORT_STARTED, .epoch = t->at.epoch, .steps = t->steps};
    struct net_info i;
    char *text;
    enum rc rc = spec_warnings(r, &out, e);

    if (rc)
        return rc;
    net_get_info(r->model->net, &i);
    text = arena_printf(&r->arena,
                        "%s with %.1f million parameters, input %dx%d, %s stem, on %s (%s) with %d "
                        "threads; %zu training and %zu validation pictures%s",
                        i.card->title, (double)i.params / 1e6, i.image_size, i.image_size,
                        i.stem == NET_STEM_SMALL ? "small" : "large", net_backend_name(i.backend),
                        i.isa, i.threads, r->samples.n[SPLIT_TRAIN], r->samples.n[SPLIT_VAL],
                        loader_is_cached(t->train) ? ", kept in memory" : "");
    if (text && t->at.epoch)
        text = arena_printf(&r->arena, "%s; continuing after epoch %lld", text,
                            (long long)t->at.epoch);
    if (!text)
        return err_set(e, RC_NOMEM, "no memory for the log");
    out.message = str_of(text);
    out.progress = (double)t->at.epoch / (double)r->epochs;
    return run_report(r, &out, e);
}

/* ---- steps */

static double per_second(const struct train *t)
{
    int64_t ms = os_mono_ms() - t->began_ms;
    return ms > 0 ? (double)t->images * 1000 / (double)ms : 0;
}

/* An object; v NULL inside an epoch. */
static void write_metrics(const struct train *t, double images_per_second, const struct score *v,
                          struct buf *out)
{
    double n = t->images ? (double)t->images : 1;
    struct jw w;

    buf_init(out, METRICS_BYTES_MAX);
    jw_init(&w, out);
    jw_obj(&w);
    jw_knum(&w, "train/loss", t->loss_sum / n);
    jw_knum(&w, "train/accuracy", (double)t->hits / n);
    if (v)
        score_write_metrics(v, &w);
    jw_knum(&w, "learning_rate", t->lr);
    jw_knum(&w, "images_per_second", round(images_per_second * 10) / 10);
    jw_obj_end(&w);
}

static enum rc say_progress(struct train *t, int64_t step, struct err *e)
{
    struct report out = {
        .kind = REPORT_PROGRESS, .epoch = t->epoch + 1, .step = step, .steps = t->steps};
    struct buf metrics;
    enum rc rc;

    if (os_mono_ms() - t->said_ms < PROGRESS_MS)
        return RC_OK;
    t->said_ms = os_mono_ms();
    write_metrics(t, per_second(t), NULL, &metrics);
    out.metrics = buf_view(&metrics);
    out.progress = ((double)t->epoch + (double)step / (double)t->steps) / (double)t->r->spec.epochs;
    rc = run_report(t->r, &out, e);
    buf_done(&metrics);
    return rc;
}

static int32_t largest(const float *p, int32_t n)
{
    int32_t at = 0;

    for (int32_t i = 1; i < n; i++)
        at = p[i] > p[at] ? i : at;
    return at;
}

/* With mixup and smoothing, the target's largest class is the one to hit. */
static void count_hits(struct train *t, const struct batch *b)
{
    int32_t classes = (int32_t)t->r->model->classes_n;
    const float *logits = net_train_logits(t->r->model->net);

    for (int32_t i = 0; i < b->n; i++) {
        size_t at = (size_t)i * (size_t)classes;
        t->hits += largest(logits + at, classes) == largest(b->target.rows + at, classes);
    }
}

static enum rc not_finite(struct train *t, const char *which, int64_t step, struct err *e)
{
    t->r->fail_code = "diverged";
    return err_set(e, RC_INVALID,
                   "the %s loss is no longer a number at epoch %lld, step %lld (learning rate "
                   "%.3g): training diverged.  Lower learning_rate (%g), lengthen warmup_epochs "
                   "(%g) or set clip_norm",
                   which, (long long)t->epoch + 1, (long long)step, t->lr, t->r->spec.learning_rate,
                   t->r->spec.warmup_epochs);
}

static enum rc one_step(struct train *t, const struct batch *b, int64_t step, struct err *e)
{
    const struct train_spec *s = &t->r->spec;
    struct net_update u = {.weight_decay = s->weight_decay,
                           .momentum = s->momentum,
                           .nesterov = s->nesterov,
                           .beta1 = s->beta1,
                           .beta2 = s->beta2,
                           .eps = 1e-8,
                           .step = t->at.steps + 1,
                           .clip_norm = s->clip_norm,
                           .class_weights = t->class_weights};
    struct net_loss loss;
    enum rc rc;

    u.lr = t->lr = learning_rate(s, t->epoch * t->steps + step, t->steps);
    rc = net_train_step(t->r->model->net, b->x, &b->target, b->n, &u, &loss, e);
    if (rc)
        return rc;
    if (!isfinite(loss.total))
        return not_finite(t, "training", step + 1, e);
    t->at.steps++;
    t->images += b->n;
    t->loss_sum += loss.total * b->n;
    count_hits(t, b);
    return say_progress(t, step + 1, e);
}

static enum rc train_epoch(struct train *t, struct err *e)
{
    const struct batch *b;
    enum rc rc;

    t->epoch = t->at.epoch;
    t->began_ms = os_mono_ms();
    t->images = t->hits = 0;
    t->loss_sum = 0;
    rc = loader_start(t->train, t->epoch, e);
    for (int64_t step = 0; !rc; step++) {
        rc = run_check_cancel(e);
        if (!rc)
            rc = loader_next(t->train, &b, e);
        if (rc || !b)
            break;
        rc = one_step(t, b, step, e);
    }
    return rc;
}

/* ---- after an epoch */

static double goal_of(const struct train_spec *s, const struct score *score)
{
    const double of[] = {[GOAL_ACCURACY] = score->accuracy,
                         [GOAL_TOP5] = score->top5,
                         [GOAL_F1] = score->f1,
                         [GOAL_LOSS] = score->loss};
    return of[s->goal];
}

static str goal_name(struct run *r)
{
    return str_of(train_goal_names[r->spec.goal]);
}

/* Moves the cursor behind the epoch; true if its score is the best. */
static bool advance(struct train *t, double value)
{
    const struct train_spec *s = &t->r->spec;
    struct cursor *c = &t->at;
    double by = s->goal == GOAL_LOSS ? -s->early_stop_delta : s->early_stop_delta;
    bool first = c->epoch == 0, best = first || train_goal_better(s->goal, value, c->best_value);

    c->epoch++;
    if (best) {
        c->best_epoch = c->epoch;
        c->best_value = value;
    }
    if (first || train_goal_better(s->goal, value, c->stop_value + by)) {
        c->stop_value = value;
        c->stale = 0;
    } else {
        c->stale++;
    }
    return best;
}

static enum rc say_epoch(struct train *t, const struct score *score, double images_per_second,
                         struct err *e)
{
    struct run *r = t->r;
    struct report out = {
        .kind = REPORT_EPOCH, .epoch = t->at.epoch, .step = t->steps, .steps = t->steps};
    struct buf metrics;
    enum rc rc = run_write_validation(r, score, r->samples.of[SPLIT_VAL], t->at.epoch, "val",
                                      &out.validation, e);

    if (rc)
        return rc;
    write_metrics(t, images_per_second, score, &metrics);
    out.metrics = buf_view(&metrics);
    out.progress = (double)t->at.epoch / (double)r->epochs;
    out.best = (struct best){t->at.best_epoch, goal_name(r), t->at.best_value};
    rc = run_report(r, &out, e);
    buf_done(&metrics);
    return rc;
}

static enum rc say_checkpoint(struct train *t, bool best, double value, struct err *e)
{
    struct run *r = t->r;
    struct report out = {.kind = REPORT_CHECKPOINT, .epoch = t->at.epoch};
    int64_t every = r->spec.checkpoint_every;
    enum rc rc = cursor_save(r, &t->at, best, &out.checkpoint, e);

    if (rc)
        return rc;
    out.checkpoint.is_last = true;
    out.checkpoint.is_best = best;
    out.checkpoint.is_periodic = every > 0 && t->at.epoch % every == 0;
    out.checkpoint.metric = goal_name(r);
    out.checkpoint.value = value;
    out.best = (struct best){t->at.best_epoch, goal_name(r), t->at.best_value};
    return run_report(r, &out, e);
}

static enum rc finish_epoch(struct train *t, struct err *e)
{
    struct run *r = t->r;
    double speed = per_second(t), value;
    struct score score = {0};
    bool best;
    enum rc rc = run_score(r, t->val, r->samples.of[SPLIT_VAL], r->samples.n[SPLIT_VAL], &score, e);

    if (!rc && !isfinite(score.loss))
        rc = not_finite(t, "validation", t->steps, e);
    if (!rc) {
        value = goal_of(&r->spec, &score);
        best = advance(t, value);
        rc = say_epoch(t, &score, speed, e);
        if (!rc)
            rc = say_checkpoint(t, best, value, e);
    }
    score_done(&score);
    return rc;
}

static bool stopped_early(const struct train *t)
{
    return t->r->spec.early_stop > 0 && t->at.stale >= t->r->spec.early_stop;
}

static enum rc say_completed(struct train *t, struct err *e)
{
    struct run *r = t->r;
    struct report out = {.kind = REPORT_COMPLETED,
                         .progress = 1,
                         .epoch = t->at.epoch,
                         .best = {t->at.best_epoch, goal_name(r), t->at.best_value},
                         .weights_sha256 = t->at.best_sha256};
    char *text;

    if (stopped_early(t) && t->at.epoch < r->spec.epochs)
        text = arena_printf(&r->arena, "stopped early: no better %s for %lld epochs",
                            train_goal_names[r->spec.goal], (long long)t->at.stale);
    else
        text = arena_printf(&r->arena, "%lld epochs done", (long long)t->at.epoch);
    out.message = str_of(text);
    return run_report(r, &out, e);
}

static enum rc train_all(struct train *t, struct err *e)
{
    struct run *r = t->r;
    struct augment aug;
    enum rc rc = check_dataset(r, e);

    if (!rc)
        rc = make_model(r, &aug, e);
    if (!rc)
        rc = make_loaders(t, &aug, e);
    if (!rc)
        rc = balance_classes(t, e);
    if (!rc && r->work.resume.epoch > 0)
        rc = cursor_load(r, &r->work.resume, &t->at, e);
    else if (!rc)
        net_init_weights(r->model->net, (uint64_t)r->spec.seed);
    if (!rc)
        rc = say_started(t, e);
    while (!rc && t->at.epoch < r->spec.epochs && !stopped_early(t)) {
        rc = train_epoch(t, e);
        if (!rc)
            rc = finish_epoch(t, e);
    }
    return rc ? rc : say_completed(t, e);
}

enum rc run_train(struct run *r, struct err *e)
{
    struct train t = {.r = r, .at = {.best_value = NAN, .stop_value = NAN}};
    enum rc rc;

    r->epochs = r->spec.epochs;
    rc = train_all(&t, e);
    loader_free(t.train);
    loader_free(t.val);
    return rc;
}
