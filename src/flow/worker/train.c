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
 * The moving average of the weights has at update t (from 1) the decay min(ema, (t - 1) / (t + 9)),
 * so that the first steps, which are far off, are soon forgotten.  It is what is validated, kept in
 * the weights file and predicted with.
 */
#include "flow/worker/sheet.h"

#include "base/log.h"
#include "os/os.h"
#include <math.h>

enum { PROGRESS_MS = 1000, METRICS_BYTES_MAX = 4096 };

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

/* ---- the start */

/* What train_spec_check warns of, as log lines. */
static enum rc spec_warnings(struct train *t, struct err *e)
{
    struct run *r = t->r;
    const struct json *list = NULL;
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
    if (!rc)
        JSON_EACH(warning, list)
            if ((rc = train_warn(t, json_str(warning, "message", STR("")), e)) != RC_OK)
                break;
    return rc;
}

static enum rc say_started(struct train *t, struct err *e)
{
    struct run *r = t->r;
    struct report out = {.kind = REPORT_STARTED, .epoch = t->at.epoch, .steps = t->steps};
    struct net_info i;
    struct err why = {0};
    char *text;
    enum rc rc = spec_warnings(t, e);

    if (rc)
        return rc;
    out.logs = t->logs;
    rc = sheet_make(t, &out.samples, &why);
    if (rc == RC_CANCELLED) {
        *e = why;
        return rc;
    }
    if (rc) /* whatever it is: training will meet it and say so, or do without */
        log_debug("no sheet of samples: %s", why.text);
    load_begin(&t->load);
    net_get_info(r->model->net, &i);
    text = arena_printf(
        &r->arena,
        "%s with %.1f million parameters, input %dx%d%s, on %s (%s) with %d "
        "threads; %zu training and %zu validation pictures%s",
        i.card->title, (double)i.params / 1e6, r->model->frame.size, r->model->frame.size,
        i.card->task != NET_CLASSIFICATION ? ""
        : i.stem == NET_STEM_SMALL         ? ", small stem"
                                           : ", large stem",
        net_backend_name(i.backend), i.isa, i.threads, r->samples.n[SPLIT_TRAIN],
        r->samples.n[SPLIT_VAL], loader_is_cached(t->train) ? ", kept in memory" : "");
    if (text && t->at.epoch)
        text = arena_printf(&r->arena, "%s; continuing after epoch %lld", text,
                            (long long)t->at.epoch);
    if (!text)
        return err_set(e, RC_NOMEM, "no memory for the log");
    out.message = str_of(text);
    out.engine = run_engine(r->model->net, (enum net_precision)r->spec.precision);
    out.progress = (double)t->at.epoch / (double)r->epochs;
    return run_report(r, &out, e);
}

/* ---- steps */

static double per_second(const struct train *t)
{
    int64_t ms = os_mono_ms() - t->began_ms;
    return ms > 0 ? (double)t->tally.images * 1000 / (double)ms : 0;
}

/* An object; v NULL inside an epoch. */
static void write_metrics(struct train *t, double images_per_second, const struct judge *v,
                          struct buf *out)
{
    double n = t->tally.images ? (double)t->tally.images : 1;
    struct jw w;

    buf_init(out, METRICS_BYTES_MAX);
    jw_init(&w, out);
    jw_obj(&w);
    jw_knum(&w, "train/loss", t->tally.sums.total / n);
    t->ops->train_metrics(&t->tally, &w);
    if (v)
        t->ops->judge_metrics(v, &w);
    jw_knum(&w, "learning_rate", t->lr);
    jw_knum(&w, "images_per_second", round(images_per_second * 10) / 10);
    load_say(&t->load, &w);
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

/* The update that batch number `step` of the epoch belongs to.  The last group may be smaller. */
static struct net_update update_of(const struct train *t, int64_t step)
{
    const struct train_spec *s = &t->r->spec;
    int64_t number = t->at.steps + 1, first = step - step % s->accumulate,
            group = t->steps - first < s->accumulate ? t->steps - first : s->accumulate;
    double warm = (double)(number - 1) / (double)(number + 9);
    struct net_update u = {.lr = t->lr,
                           .weight_decay = s->weight_decay,
                           .momentum = s->momentum,
                           .nesterov = s->nesterov,
                           .beta1 = s->beta1,
                           .beta2 = s->beta2,
                           .eps = 1e-8,
                           .seed = (uint64_t)s->seed,
                           .step = number,
                           .clip_norm = s->clip_norm,
                           .class_weights = t->class_weights,
                           .average = s->ema < warm ? s->ema : warm,
                           .gains = {s->box_gain, s->cls_gain, s->dfl_gain, s->mask_gain}};

    if (s->accumulate > 1) {
        u.micro = (int)(step - first);
        u.micros = (int)group;
    }
    return u;
}

static void add_loss(struct tally *t, const struct net_loss *l, int32_t n)
{
    t->images += n;
    t->sums.total += l->total * n;
    t->sums.box += l->box * n;
    t->sums.cls += l->cls * n;
    t->sums.dfl += l->dfl * n;
    t->sums.mask += l->mask * n;
}

/* Multi-scale training has batches of different sizes. */
static enum rc resize(struct train *t, int32_t size, struct err *e)
{
    if (size == t->size)
        return RC_OK;
    t->size = size;
    return net_resize(t->r->model->net, size, e);
}

static enum rc one_step(struct train *t, const struct batch *b, int64_t step, struct err *e)
{
    struct net_update u;
    struct net_loss loss;
    enum rc rc;

    t->lr = learning_rate(&t->r->spec, t->epoch * t->steps + step, t->steps);
    u = update_of(t, step);
    rc = resize(t, b->size, e);
    if (!rc)
        rc = net_train_step(t->r->model->net, b->x, &b->target, b->n, &u, &loss, e);
    if (rc)
        return rc;
    if (!isfinite(loss.total))
        return not_finite(t, "training", step + 1, e);
    t->at.steps += u.micros <= 1 || u.micro == u.micros - 1;
    add_loss(&t->tally, &loss, b->n);
    if (t->ops->count)
        t->ops->count(t->r, b, &t->tally);
    return say_progress(t, step + 1, e);
}

static enum rc next_batch(struct train *t, const struct batch **ret, struct err *e)
{
    int64_t before = os_mono_ns();
    enum rc rc = loader_next(t->train, ret, e);

    t->load.waited_ns += os_mono_ns() - before;
    return rc;
}

static enum rc train_epoch(struct train *t, struct err *e)
{
    const struct batch *b;
    enum rc rc;

    t->epoch = t->at.epoch;
    t->began_ms = os_mono_ms();
    t->tally = (struct tally){0};
    rc = loader_start(t->train, t->epoch, e);
    for (int64_t step = 0; !rc; step++) {
        rc = run_check_cancel(e);
        if (!rc)
            rc = next_batch(t, &b, e);
        if (rc || !b)
            break;
        rc = one_step(t, b, step, e);
    }
    return rc;
}

/* ---- after an epoch */

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

static enum rc say_epoch(struct train *t, const struct judge *judge, double images_per_second,
                         struct err *e)
{
    struct run *r = t->r;
    struct report out = {
        .kind = REPORT_EPOCH, .epoch = t->at.epoch, .step = t->steps, .steps = t->steps};
    struct buf metrics;
    enum rc rc = task_write_validation(r, judge, r->samples.of[SPLIT_VAL], r->samples.n[SPLIT_VAL],
                                       t->at.epoch, "val", &out.validation, e);

    if (rc)
        return rc;
    write_metrics(t, images_per_second, judge, &metrics);
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

static enum rc judge_epoch(struct train *t, double images_per_second, struct err *e)
{
    struct run *r = t->r;
    struct judge *judge = NULL;
    double value;
    bool best;
    enum rc rc =
        task_judge(r, t->val, r->samples.of[SPLIT_VAL], r->samples.n[SPLIT_VAL], &judge, e);

    if (rc && r->fail_code) /* the judge saw numbers that are none */
        rc = not_finite(t, "validation", t->steps, e);
    if (!rc) {
        value = t->ops->judge_goal(judge, (enum goal_kind)r->spec.goal);
        best = advance(t, value);
        rc = say_epoch(t, judge, images_per_second, e);
        if (!rc)
            rc = say_checkpoint(t, best, value, e);
    }
    t->ops->judge_free(judge);
    return rc;
}

static enum rc finish_epoch(struct train *t, struct err *e)
{
    struct net *net = t->r->model->net;
    double speed = per_second(t);
    enum rc rc = resize(t, t->r->model->frame.size, e);

    net_use_average(net, t->r->spec.ema > 0);
    if (!rc)
        rc = judge_epoch(t, speed, e);
    net_use_average(net, false);
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
    struct net_info info;
    enum rc rc = train_setup(t, e);

    if (rc)
        return rc;
    net_get_info(r->model->net, &info);
    t->size = info.image_size;
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
