/* test.c - scores given weights on a split of a dataset: the work of kind "test".
 *
 * The dataset may be another than the one that was trained on.  Its classes are matched by name; a
 * class that the model does not know is an error as soon as a picture of it is there, since no
 * answer could be right. */
#include "flow/worker/task.h"

enum { TEST_BATCH = 64, TEST_BATCH_OBJECTS = 8 /* larger inputs */ };

/* The model's number of each class of the dataset; -1: none. */
static enum rc match_classes(struct run *r, struct sample_ref *samples, size_t n, struct err *e)
{
    const struct model *m = r->model;
    str *classes = NULL;
    size_t classes_n = 0;
    int32_t *to;
    enum rc rc =
        samples_classes(&r->samples.header, NET_DETECTION, &r->arena, &classes, &classes_n, e);

    if (rc)
        return rc;
    to = ARENA_ARRAY(&r->arena, int32_t, classes_n + 1);
    if (!to)
        return err_set(e, RC_NOMEM, "no memory for the classes");
    for (size_t c = 0; c < classes_n; c++) {
        to[c] = -1;
        for (size_t k = 0; k < m->classes_n && to[c] < 0; k++)
            if (str_eq(m->classes[k], classes[c]))
                to[c] = (int32_t)k;
    }
    return task_ops_of(m->task)->match(r, samples, n, to, e);
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
    if (train_task_of(r->spec.model) != TRAIN_CLASSIFICATION)
        how.batch_max = TEST_BATCH_OBJECTS;
    rc = model_check_file(path, r->work.resume.weights_sha256, e);
    if (!rc)
        rc = model_load(&r->model, path, &how, e);
    if (!rc)
        r->card = net_card_find(r->model->name);
    return rc;
}

static enum rc say_started(struct run *r, size_t n, int split, struct err *e)
{
    struct report out = {.kind = REPORT_STARTED};
    char *text = arena_printf(&r->arena, "scoring %zu pictures of split '%s' with %s", n,
                              split_names[split], r->model->name);

    out.message = str_of(text);
    out.engine = run_engine(r->model->net, NET_F32);
    return run_report(r, &out, e);
}

static enum rc say_completed(struct run *r, const struct judge *judge, int split, struct err *e)
{
    struct report out = {.kind = REPORT_COMPLETED,
                         .progress = 1,
                         .message = STR("tested"),
                         .weights_sha256 = r->work.resume.weights_sha256};
    struct buf metrics;
    struct jw w;
    enum rc rc = task_write_validation(r, judge, r->samples.of[split], r->samples.n[split], 0,
                                       split_names[split], &out.validation, e);

    if (rc)
        return rc;
    buf_init(&metrics, 4096);
    jw_init(&w, &metrics);
    jw_obj(&w);
    task_ops_of(r->model->task)->judge_metrics(judge, &w);
    jw_obj_end(&w);
    out.metrics = buf_view(&metrics);
    rc = run_report(r, &out, e);
    buf_done(&metrics);
    return rc;
}

static enum rc test_split(struct run *r, int split, struct err *e)
{
    struct loader_config c = {.samples = r->samples.of[split],
                              .n = r->samples.n[split],
                              .blobs_dir = arena_cstr(&r->arena, r->work.blobs_dir),
                              .task = r->model->task,
                              .classes = (int32_t)r->model->classes_n,
                              .semantic = r->semantic,
                              .threads = r->loaders,
                              .frame = r->model->frame};
    struct judge *judge = NULL;
    struct loader *l = NULL;
    struct net_info info;
    enum rc rc = c.blobs_dir ? RC_OK : err_set(e, RC_NOMEM, "no memory for a path");

    net_get_info(r->model->net, &info);
    c.batch = info.batch_max;
    if (!rc)
        rc = say_started(r, c.n, split, e);
    if (!rc)
        rc = loader_new(&l, &c, e);
    if (!rc)
        rc = task_judge(r, l, c.samples, c.n, &judge, e);
    if (!rc)
        rc = say_completed(r, judge, split, e);
    task_ops_of(r->model->task)->judge_free(judge);
    loader_free(l);
    return rc;
}

enum rc run_test(struct run *r, struct err *e)
{
    int split = SPLIT_TEST;
    enum rc rc = choose_split(r, &split, e);

    if (!rc)
        rc = load(r, e);
    if (!rc)
        rc = task_check_dataset(r, e);
    if (!rc)
        rc = match_classes(r, r->samples.of[split], r->samples.n[split], e);
    return rc ? rc : test_split(r, split, e);
}
