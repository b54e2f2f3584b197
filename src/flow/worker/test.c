/* test.c - scores given weights on a split of a dataset: the work of kind "test".
 *
 * The dataset may be another than the one that was trained on.  Its classes are matched by name; a
 * class that the model does not know is an error as soon as a picture of it is there, since no
 * answer could be right. */
#include "flow/worker/run.h"

enum { TEST_BATCH = 64 };

static enum rc match_classes(const struct run *r, struct sample_ref *samples, size_t n,
                             struct err *e)
{
    const struct dataset_header *h = &r->samples.header;
    const struct model *m = r->model;
    int32_t to;

    for (size_t i = 0; i < n; i++) {
        if (samples[i].label < 0 || (size_t)samples[i].label >= h->classes_n)
            return err_set(e, RC_INVALID, "the picture '%.*s' has no class",
                           STR_F(samples[i].name));
        str name = h->classes[samples[i].label];
        for (to = 0; (size_t)to < m->classes_n && !str_eq(m->classes[to], name); to++)
            ;
        if ((size_t)to == m->classes_n)
            return err_set(e, RC_INVALID,
                           "the class '%.*s' of the dataset is not known to the model",
                           STR_F(name));
        samples[i].label = to;
    }
    return RC_OK;
}

static enum rc choose_split(const struct run *r, int *ret, struct err *e)
{
    str name = r->work.split.n ? r->work.split : STR("test");

    for (int i = 0; i < SPLIT_COUNT; i++) {
        if (!str_is(name, split_names[i]))
            continue;
        if (r->samples.n[i] == 0)
            return err_field(e, RC_INVALID, "split",
                             "the dataset has no pictures in its split '%s'", split_names[i]);
        *ret = i;
        return RC_OK;
    }
    return err_field(e, RC_INVALID, "split", "there is no split '%.*s'; use train, val or test",
                     STR_F(name));
}

static enum rc load(struct run *r, struct err *e)
{
    char *path = arena_cstr(&r->arena, r->work.resume.weights_path);
    struct model_plan how = {.batch_max = TEST_BATCH,
                             .threads = (int)r->threads,
                             .backend = (enum net_backend)r->spec.backend};
    enum rc rc;

    if (!path)
        return err_set(e, RC_NOMEM, "no memory for a path");
    if (!*path)
        return err_set(e, RC_INVALID, "there are no weights to test");
    rc = model_check_file(path, r->work.resume.weights_sha256, e);
    return rc ? rc : model_load(&r->model, path, &how, e);
}

static enum rc say_started(struct run *r, size_t n, int split, struct err *e)
{
    struct report out = {.kind = REPORT_STARTED};
    char *text = arena_printf(&r->arena, "scoring %zu pictures of split '%s' with %s", n,
                              split_names[split], r->model->name);

    out.message = str_of(text);
    return run_report(r, &out, e);
}

static enum rc say_completed(struct run *r, const struct score *score, int split, struct err *e)
{
    struct report out = {.kind = REPORT_COMPLETED,
                         .progress = 1,
                         .message = STR("tested"),
                         .weights_sha256 = r->work.resume.weights_sha256};
    struct buf metrics;
    struct jw w;
    enum rc rc = run_write_validation(r, score, r->samples.of[split], 0, split_names[split],
                                      &out.validation, e);

    if (rc)
        return rc;
    buf_init(&metrics, 4096);
    jw_init(&w, &metrics);
    jw_obj(&w);
    score_write_metrics(score, &w);
    jw_obj_end(&w);
    out.metrics = buf_view(&metrics);
    rc = run_report(r, &out, e);
    buf_done(&metrics);
    return rc;
}

enum rc run_test(struct run *r, struct err *e)
{
    struct loader_config c = {.batch = TEST_BATCH, .threads = r->loaders};
    struct score score = {0};
    struct loader *l = NULL;
    int split = SPLIT_TEST;
    enum rc rc = choose_split(r, &split, e);

    if (!rc)
        rc = load(r, e);
    if (rc)
        return rc;
    rc = match_classes(r, r->samples.of[split], r->samples.n[split], e);
    c.samples = r->samples.of[split];
    c.n = r->samples.n[split];
    c.classes = (int32_t)r->model->classes_n;
    c.frame = r->model->frame;
    c.blobs_dir = arena_cstr(&r->arena, r->work.blobs_dir);
    if (!rc && !c.blobs_dir)
        rc = err_set(e, RC_NOMEM, "no memory for a path");
    if (!rc)
        rc = say_started(r, c.n, split, e);
    if (!rc)
        rc = loader_new(&l, &c, e);
    if (!rc)
        rc = run_score(r, l, c.samples, c.n, &score, e);
    if (!rc)
        rc = say_completed(r, &score, split, e);
    score_done(&score);
    loader_free(l);
    return rc;
}
