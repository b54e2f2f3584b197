/* jobs_warn.c - see jobs_warn.h.
 *
 * A warning explains: what was found, in numbers, what will come of it, and what to do.  Its code
 * is stable, so that a page may say it in its own language. */
#include "api/jobs_warn.h"
#include "engine/feed/frame.h"
#include <stdarg.h>

enum {
    FEW_OF_A_CLASS = 10, /* training pictures below which a class is hardly learned */
    FEW_IN_VAL = 20,     /* validation pictures below which a score is mostly luck */
    NAMES_SHOWN = 5,
    NAMES_BYTES = 300,
    UNEVEN = 10,         /* times as many of one class as of another */
    SHRINKS = 8,         /* times from which on a picture's details are lost */
    SHRINKS_OBJECTS = 4, /* and its objects: below 4 pixels, half a cell of the finest map */
};

struct warner {
    struct jw *w;
    const struct job_plan *p;
    const struct json *stats;
    int64_t train, val;
};

__attribute__((format(printf, 4, 5))) static void say(struct warner *n, const char *field,
                                                      const char *code, const char *fmt, ...)
{
    char text[700];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    jw_obj(n->w);
    jw_kcstr(n->w, "field", field);
    jw_kcstr(n->w, "code", code);
    jw_kcstr(n->w, "message", text);
    jw_obj_end(n->w);
}

/* ---- the input's size */

int64_t warn_image_size(const struct job_plan *p, const struct json *stats)
{
    int64_t seen = 0, all = json_int(stats, "images", 0), side = 0;

    if (p->spec.image_size)
        return p->spec.image_size;
    JSON_EACH(s, json_get(stats, "sizes")) {
        int64_t most = json_int(s, "side_max", 0);

        seen += json_int(s, "images", 0);
        if (seen * 2 >= all) {
            side = most ? most * 3 / 4 : 4096; /* the middle of those up to a power of two */
            break;
        }
    }
    if (train_task_of(p->spec.model) == TRAIN_CLASSIFICATION)
        return frame_size_auto((int32_t)side);
    return frame_size_auto_objects((int32_t)side);
}

static void about_size(struct warner *n)
{
    const struct train_spec *s = &n->p->spec;
    int64_t w = json_int(json_get(n->stats, "width"), "max", 0),
            h = json_int(json_get(n->stats, "height"), "max", 0), largest = w > h ? w : h;
    const bool objects = train_task_of(s->model) != TRAIN_CLASSIFICATION;
    const int64_t size = objects ? warn_image_size(n->p, n->stats) : s->image_size;

    if (size && largest > (objects ? SHRINKS_OBJECTS : SHRINKS) * size)
        say(n, "image_size", "size_shrinks",
            "pictures of up to %lld pixels are shrunk to %lld: what is smaller than %lld pixels "
            "in them will hardly be seen%s",
            (long long)largest, (long long)size, (long long)(4 * largest / size),
            s->image_size ? "" : "; if objects are, set a larger image_size");
    if (!s->image_size)
        return;
    if (objects && s->image_size % 32)
        say(n, "image_size", "size_multiple",
            "this network needs a multiple of 32 pixels; %lld will be refused, use %lld or 0",
            (long long)s->image_size, (long long)(s->image_size + 31) / 32 * 32);
    if (largest && s->image_size > 2 * largest)
        say(n, "image_size", "size_enlarges",
            "the largest picture is %lld pixels wide; an input of %lld only enlarges it, which "
            "costs time and shows nothing new",
            (long long)largest, (long long)s->image_size);
}

/* ---- splits and batches */

static void about_splits(struct warner *n)
{
    const struct train_spec *s = &n->p->spec;

    if (n->val == 0)
        say(n, "dataset", "no_validation",
            "this version has no validation pictures, so nothing can be scored and the job will "
            "fail; give it a split, e.g. 80 %% to 20 %%");
    else if (n->val < FEW_IN_VAL)
        say(n, "dataset", "small_validation",
            "only %lld validation pictures: one more or less that is right moves a score by %.0f "
            "per cent",
            (long long)n->val, 100.0 / (double)n->val);
    if (s->batch_size > n->train)
        say(n, "batch_size", "batch_large",
            "the batch of %lld is larger than the %lld training pictures, so each epoch is one "
            "step; a batch of %lld gives several",
            (long long)s->batch_size, (long long)n->train,
            (long long)(n->train >= 16 ? n->train / 8 : 2));
    else if (s->batch_size * 4 > n->train && n->train > 8)
        say(n, "batch_size", "few_steps",
            "an epoch has only %lld steps; a smaller batch learns more from the same pictures",
            (long long)((n->train + s->batch_size - 1) / s->batch_size));
}

/* ---- classes */

struct names {
    char text[NAMES_BYTES];
    int64_t n;
};

static void add_name(struct names *to, const struct json *cls, int64_t count)
{
    str name = json_str(cls, "name", STR(""));
    size_t at = strlen(to->text);

    to->n++;
    if (to->n == NAMES_SHOWN + 1)
        snprintf(to->text + at, sizeof to->text - at, ", ..");
    if (to->n > NAMES_SHOWN)
        return;
    snprintf(to->text + at, sizeof to->text - at, "%s%.*s", to->n > 1 ? ", " : "",
             (int)(name.n > 40 ? 40 : name.n), name.p);
    at = strlen(to->text);
    if (count)
        snprintf(to->text + at, sizeof to->text - at, " (%lld)", (long long)count);
}

static void about_classes(struct warner *n)
{
    struct names few = {0}, none = {0};
    int64_t least = INT64_MAX, most = 0;
    bool one_each = train_task_of(n->p->spec.model) == TRAIN_CLASSIFICATION;

    JSON_EACH(c, json_get(n->stats, "classes")) {
        int64_t k = json_int(c, "train", 0); /* training pictures that show it */

        least = k < least ? k : least;
        most = k > most ? k : most;
        if (k < FEW_OF_A_CLASS)
            add_name(k ? &few : &none, c, k);
    }
    if (none.n)
        say(n, "dataset", "class_missing",
            "%lld %s no training picture, so the job will fail: %s; add pictures, or leave the "
            "class out",
            (long long)none.n, none.n == 1 ? "class has" : "classes have", none.text);
    if (few.n)
        say(n, "dataset", "class_few",
            "%lld %s fewer than %d training pictures and will hardly be learned: %s",
            (long long)few.n, few.n == 1 ? "class has" : "classes have", FEW_OF_A_CLASS, few.text);
    if (one_each && least > 0 && least < INT64_MAX && most > UNEVEN * least &&
        n->p->spec.class_weights == CLASS_WEIGHTS_NONE)
        say(n, "class_weights", "class_uneven",
            "the largest class has %lld training pictures, the smallest %lld; class_weights "
            "balanced keeps the small ones from being ignored",
            (long long)most, (long long)least);
}

static void about_start(struct warner *n)
{
    const struct job_plan *p = n->p;

    if (p->spec.freeze == FREEZE_BACKBONE && !p->spec.weights.n && !p->job.base_checkpoint.n)
        say(n, "freeze", "freeze_random",
            "the backbone is frozen but begins with random weights, so it never learns; choose "
            "first weights, or freeze nothing");
}

static void about_settings(struct warner *n, const struct json *list)
{
    JSON_EACH(one, list) {
        jw_obj(n->w);
        jw_kstr(n->w, "field", json_str(one, "field", STR("")));
        jw_kcstr(n->w, "code", "setting");
        jw_kstr(n->w, "message", json_str(one, "message", STR("")));
        jw_obj_end(n->w);
    }
}

enum rc warn_plan(struct ctx *c, const struct job_plan *p, struct jw *w, struct err *e)
{
    struct warner n = {w, p, NULL, p->version.train, p->version.val};
    const struct json *list = NULL;
    enum rc rc = json_parse(c->a, p->warnings, NULL, &list, e);

    if (!rc && p->version.stats.n)
        rc = json_parse(c->a, p->version.stats, NULL, &n.stats, e);
    if (rc)
        return rc;
    about_settings(&n, list);
    about_splits(&n);
    about_classes(&n);
    about_size(&n);
    about_start(&n);
    return RC_OK;
}
