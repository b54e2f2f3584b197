/* score.c - see score.h. */
#include "flow/worker/score.h"

#include "base/mem.h"
#include <math.h>

enum rc score_init(struct score *s, size_t n, int32_t classes, struct err *e)
{
    size_t c = (size_t)classes;

    ASSERT(classes > 0);
    *s = (struct score){.classes = classes, .cap = n};
    s->rows = mem_alloc_array(n ? n : 1, sizeof *s->rows);
    s->hits = mem_alloc_array(c, sizeof *s->hits);
    s->support = mem_alloc_array(c, sizeof *s->support);
    s->predicted = mem_alloc_array(c, sizeof *s->predicted);
    s->p = mem_alloc_array(c, sizeof *s->p);
    if (classes <= SCORE_CONFUSION_CLASSES_MAX)
        s->confusion = mem_alloc_array(c * c, sizeof *s->confusion);
    if (s->rows && s->hits && s->support && s->predicted && s->p &&
        (s->confusion || classes > SCORE_CONFUSION_CLASSES_MAX))
        return RC_OK;
    score_done(s);
    return err_set(e, RC_NOMEM, "no memory for the results of %zu pictures", n);
}

void score_done(struct score *s)
{
    mem_free(s->rows);
    mem_free(s->hits);
    mem_free(s->support);
    mem_free(s->predicted);
    mem_free(s->confusion);
    mem_free(s->p);
    *s = (struct score){0};
}

void score_add(struct score *s, const float *logits, int32_t label)
{
    struct score_row *r = &s->rows[s->n];
    double max = logits[0], sum = 0;

    ASSERT(s->n < s->cap && label >= 0 && label < s->classes);
    softmax(logits, s->classes, s->p);
    top_k(s->p, s->classes, SCORE_TOP, r->top);
    r->label = label;
    for (int i = 0; i < SCORE_TOP; i++)
        r->confidence[i] = r->top[i] < 0 ? 0 : (float)s->p[r->top[i]];
    /* log sum exp, which unlike the log of a probability of 0 is finite */
    for (int32_t i = 1; i < s->classes; i++)
        max = logits[i] > max ? logits[i] : max;
    for (int32_t i = 0; i < s->classes; i++)
        sum += exp(logits[i] - max);
    s->loss_sum += max + log(sum) - logits[label];
    s->hits1 += r->top[0] == label;
    for (int i = 0; i < SCORE_TOP; i++)
        s->hits5 += r->top[i] == label;
    s->hits[label] += r->top[0] == label;
    s->support[label]++;
    s->predicted[r->top[0]]++;
    if (s->confusion)
        s->confusion[(size_t)label * (size_t)s->classes + (size_t)r->top[0]]++;
    s->n++;
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static void of_class(const struct score *s, int32_t c, double *precision, double *recall,
                     double *f1)
{
    *precision = ratio(s->hits[c], s->predicted[c]);
    *recall = ratio(s->hits[c], s->support[c]);
    *f1 = ratio(2.0 * s->hits[c], (double)s->predicted[c] + s->support[c]);
}

void score_finish(struct score *s)
{
    double n = (double)s->n, occur = 0, precision = 0, recall = 0, f1 = 0;

    for (int32_t c = 0; c < s->classes; c++) {
        double p, r, f;
        if (!s->support[c] && !s->predicted[c])
            continue;
        of_class(s, c, &p, &r, &f);
        precision += p;
        recall += r;
        f1 += f;
        occur++;
    }
    s->loss = ratio(s->loss_sum, n);
    s->accuracy = ratio((double)s->hits1, n);
    s->top5 = ratio((double)s->hits5, n);
    s->precision = ratio(precision, occur);
    s->recall = ratio(recall, occur);
    s->f1 = ratio(f1, occur);
}

void score_write_metrics(const struct score *s, struct jw *w)
{
    jw_knum(w, "val/loss", s->loss);
    jw_knum(w, "val/accuracy", s->accuracy);
    jw_knum(w, "val/top5", s->top5);
    jw_knum(w, "val/precision", s->precision);
    jw_knum(w, "val/recall", s->recall);
    jw_knum(w, "val/f1", s->f1);
}

void score_write_head(const struct score *s, const str *classes, struct jw *w)
{
    jw_knum(w, "loss", s->loss);
    jw_knum(w, "accuracy", s->accuracy);
    jw_knum(w, "top5", s->top5);
    jw_knum(w, "precision", s->precision);
    jw_knum(w, "recall", s->recall);
    jw_knum(w, "f1", s->f1);
    jw_karr(w, "per_class");
    for (int32_t c = 0; c < s->classes; c++) {
        double p, r, f;
        of_class(s, c, &p, &r, &f);
        jw_obj(w);
        jw_kstr(w, "class", classes[c]);
        jw_knum(w, "precision", p);
        jw_knum(w, "recall", r);
        jw_knum(w, "f1", f);
        jw_kint(w, "support", s->support[c]);
        jw_obj_end(w);
    }
    jw_arr_end(w);
    jw_karr(w, "confusion");
    for (int32_t c = 0; s->confusion && c < s->classes; c++) {
        jw_arr(w);
        for (int32_t k = 0; k < s->classes; k++)
            jw_int(w, s->confusion[(size_t)c * (size_t)s->classes + (size_t)k]);
        jw_arr_end(w);
    }
    jw_arr_end(w);
}

void score_write_row(const struct score *s, size_t i, struct jw *w)
{
    const struct score_row *r = &s->rows[i];

    jw_kint(w, "label", r->label);
    jw_kint(w, "predicted", r->top[0]);
    jw_knum(w, "confidence", round_to((double)r->confidence[0], 1e6));
    jw_karr(w, "top");
    for (int k = 0; k < SCORE_TOP && r->top[k] >= 0; k++) {
        jw_arr(w);
        jw_int(w, r->top[k]);
        jw_num(w, round_to((double)r->confidence[k], 1e6));
        jw_arr_end(w);
    }
    jw_arr_end(w);
}
