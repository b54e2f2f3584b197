/* train_preset.c - the presets: what each changes of a task's defaults, one table.
 *
 * A preset is a starting point, not a mode: it fills the settings before the job is made, the job
 * stores every setting, and nothing later asks which preset it was.  "standard" is the defaults.
 */
#include "spec/train.h"

const struct train_preset train_presets[] = {
    {"quick", "Quick", "A first look in a few epochs: does it learn at all?"},
    {"standard", "Standard", "Balanced settings that suit most data."},
    {"thorough", "Thorough",
     "Several times the epochs, stronger variation and an average of the weights; ends early when "
     "nothing improves."},
    {"fine-tune", "Fine-tune",
     "Gentle steps from the weights of another job or file (choose them in `weights`); good with "
     "few pictures."},
    {NULL}};

/* JSON text by task; NULL: the default stays. */
static const struct setting {
    const char *preset, *field;
    const char *value[TRAIN_TASKS]; /* classification, detection, segmentation, semantic */
} settings[] = {
    {"quick", "epochs", {"5", "15", "15", "15"}},
    {"quick", "warmup_epochs", {"0.5", "1", "1", "1"}},
    {"quick", "close_mosaic", {NULL, "3", "3", "3"}},
    {"thorough", "epochs", {"80", "150", "150", "150"}},
    {"thorough", "early_stop", {"20", "40", "40", "40"}},
    {"thorough", "ema", {"0.999", NULL, NULL, NULL}},
    {"thorough", "mixup", {"0.2", NULL, NULL, NULL}},
    {"thorough", "close_mosaic", {NULL, "15", "15", "15"}},
    {"fine-tune", "epochs", {"10", "30", "30", "30"}},
    {"fine-tune", "learning_rate", {"0.005", "0.0005", "0.0005", "0.005"}},
    {"fine-tune", "warmup_epochs", {"0.5", "1", "1", "1"}},
    {"fine-tune", "close_mosaic", {NULL, "5", "5", "5"}},
    {"fine-tune", "early_stop", {"5", "10", "10", "10"}},
};

void train_preset_write(const struct train_preset *p, enum train_task task, struct jw *w)
{
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const struct setting *s = &settings[i];

        if (s->value[task] && str_is(str_of(s->preset), p->name))
            jw_kraw(w, s->field, str_of(s->value[task]));
    }
}

static enum rc find(str name, const struct train_preset **ret, struct err *e)
{
    char names[120] = "";

    for (const struct train_preset *p = train_presets; p->name; p++) {
        size_t n = strlen(names);

        if (str_is(name, p->name)) {
            *ret = p;
            return RC_OK;
        }
        snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "", p->name);
    }
    return err_field(e, RC_INVALID, "preset", "there is no preset '%.*s'; use one of %s",
                     (int)(name.n > 40 ? 40 : name.n), name.p, names);
}

/* Both as text, the second over the first; parsed again, so that its lines are the merged ones. */
static void write_merged(const struct json *preset, const struct json *config, struct jw *w)
{
    jw_obj(w);
    JSON_EACH(v, preset) {
        bool set = false;

        JSON_EACH(own, config)
            set |= str_eq(own->key, v->key);
        if (!set) {
            jw_key_str(w, v->key);
            jw_raw(w, v->raw);
        }
    }
    JSON_EACH(own, config) {
        jw_key_str(w, own->key);
        jw_raw(w, own->raw);
    }
    jw_obj_end(w);
}

static enum rc parse(struct buf *b, struct arena *a, const struct json **ret, struct err *e)
{
    enum rc rc = buf_ok(b, e);
    str text = rc ? STR_NONE : arena_str(a, buf_view(b));

    if (!rc && !text.p)
        rc = err_set(e, RC_NOMEM, "no memory for the settings");
    buf_clear(b);
    return rc ? rc : json_parse(a, text, NULL, ret, e);
}

enum rc train_preset_merge(str preset, const struct json *config, str model, struct arena *a,
                           const struct json **ret, struct err *e)
{
    const struct train_preset *p = NULL;
    const struct json *own = config && config->type == JSON_OBJ ? config : NULL, *of = NULL;
    struct buf b;
    struct jw w;
    enum rc rc = find(preset, &p, e);

    if (rc)
        return rc;
    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    jw_obj(&w);
    train_preset_write(p, train_task_of(own ? json_str(own, "model", model) : model), &w);
    jw_obj_end(&w);
    rc = parse(&b, a, &of, e);
    if (!rc) {
        jw_init(&w, &b);
        write_merged(of, own, &w);
        rc = parse(&b, a, ret, e);
    }
    buf_done(&b);
    return rc;
}
