/* task_classification.c - one class for a picture: what the worker does for classifiers. */
#include "flow/worker/task.h"

#include "base/mem.h"
#include "flow/worker/score.h"
#include <math.h>

static enum rc input(struct run *r, struct loader_config *c, int *ret_size_max, struct err *e)
{
    const struct net_card *card = r->card;
    int64_t size = r->spec.image_size;

    (void)e;
    if (size == 0) {
        size = frame_size_auto(samples_median_side(c->samples, c->n, &r->arena));
        size = size < card->image_size_min ? card->image_size_min : size;
    }
    augment_setup(&r->spec, (int32_t)size, &c->augment, &c->frame);
    c->label_smoothing = r->spec.label_smoothing;
    *ret_size_max = c->frame.size;
    return RC_OK;
}

static int32_t largest(const float *p, int32_t n)
{
    int32_t at = 0;

    for (int32_t i = 1; i < n; i++)
        at = p[i] > p[at] ? i : at;
    return at;
}

/* With mixup and smoothing, the target's largest class is the one to hit. */
static void count(const struct run *r, const struct batch *b, struct tally *t)
{
    int32_t classes = (int32_t)r->model->classes_n;
    const float *logits = net_train_logits(r->model->net);

    for (int32_t i = 0; i < b->n; i++) {
        size_t at = (size_t)i * (size_t)classes;
        t->hits += largest(logits + at, classes) == largest(b->target.rows + at, classes);
    }
}

static void train_metrics(const struct tally *t, struct jw *w)
{
    jw_knum(w, "train/accuracy", (double)t->hits / (double)(t->images ? t->images : 1));
}

/* ---- the judge */

struct judge {
    struct run *r;
    const struct sample_ref *samples;
    struct score score;
    float *logits; /* [batch_max][classes] */
};

static void judge_free(struct judge *j)
{
    if (!j)
        return;
    score_done(&j->score);
    mem_free(j->logits);
    mem_free(j);
}

static enum rc judge_new(struct judge **ret, struct run *r, const struct sample_ref *samples,
                         size_t n, struct err *e)
{
    struct judge *j = mem_zalloc(sizeof *j);
    struct net_info info;
    enum rc rc;

    if (!j)
        return err_set(e, RC_NOMEM, "no memory for the scores");
    net_get_info(r->model->net, &info);
    j->r = r;
    j->samples = samples;
    rc = score_init(&j->score, n, (int32_t)r->model->classes_n, e);
    if (!rc) {
        j->logits =
            mem_alloc_array((size_t)info.batch_max * r->model->classes_n, sizeof *j->logits);
        rc = j->logits ? RC_OK : err_set(e, RC_NOMEM, "no memory for the scores");
    }
    if (rc)
        judge_free(j);
    else
        *ret = j;
    return rc;
}

static enum rc judge_batch(struct judge *j, const struct batch *b, struct err *e)
{
    size_t classes = j->r->model->classes_n;
    enum rc rc = net_infer(j->r->model->net, b->x, b->n, j->logits, e);

    for (int32_t i = 0; !rc && i < b->n; i++)
        score_add(&j->score, j->logits + (size_t)i * classes, j->samples[b->index[i]].label);
    return rc;
}

static enum rc judge_finish(struct judge *j, struct err *e)
{
    score_finish(&j->score);
    if (isfinite(j->score.loss))
        return RC_OK;
    j->r->fail_code = "diverged";
    return err_set(e, RC_INVALID, "the validation loss is no longer a number");
}

static double judge_goal(const struct judge *j, enum goal_kind goal)
{
    return goal == GOAL_TOP5   ? j->score.top5
           : goal == GOAL_F1   ? j->score.f1
           : goal == GOAL_LOSS ? j->score.loss
                               : j->score.accuracy;
}

static void judge_metrics(const struct judge *j, struct jw *w)
{
    score_write_metrics(&j->score, w);
}

static void judge_head(const struct judge *j, struct jw *w)
{
    score_write_head(&j->score, j->r->model->classes, w);
}

static void judge_row(const struct judge *j, size_t i, struct jw *w)
{
    score_write_row(&j->score, i, w);
}

static enum rc match(struct run *r, struct sample_ref *samples, size_t n, const int32_t *to,
                     struct err *e)
{
    const struct dataset_header *h = &r->samples.header;

    for (size_t i = 0; i < n; i++) {
        if (samples[i].label < 0 || (size_t)samples[i].label >= h->classes_n)
            return err_set(e, RC_INVALID, "the picture '%.*s' has no class",
                           STR_F(samples[i].name));
        if (to[samples[i].label] < 0)
            return err_set(e, RC_INVALID,
                           "the class '%.*s' of the dataset is not known to the model",
                           STR_F(h->classes[samples[i].label]));
        samples[i].label = to[samples[i].label];
    }
    return RC_OK;
}

const struct task_ops task_classification = {
    .input = input,
    .count = count,
    .train_metrics = train_metrics,
    .judge_new = judge_new,
    .judge_batch = judge_batch,
    .judge_finish = judge_finish,
    .judge_free = judge_free,
    .judge_goal = judge_goal,
    .judge_metrics = judge_metrics,
    .judge_head = judge_head,
    .judge_row = judge_row,
    .match = match,
};
