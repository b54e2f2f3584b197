/* task.c - the table of tasks, and what is done with every one alike: score a split, write down
 * what came out. */
#include "flow/worker/task.h"

#include "os/os.h"
#include <fcntl.h>

enum {
    RESULT_FLUSH_BYTES = 1 << 20,
    RESULT_LINE_BYTES_MAX = 64 << 20, /* the confusion matrix, and 10,000 names */
};

static const struct task_ops *const tasks[NET_TASKS] = {
    [NET_CLASSIFICATION] = &task_classification,
    [NET_DETECTION] = &task_detection,
    [NET_SEGMENTATION] = &task_segmentation,
    [NET_SEMANTIC] = &task_semantic,
};

void task_write_mask(uint32_t h, uint32_t w, str counts, struct jw *to)
{
    if (!counts.n)
        return;
    jw_kobj(to, "mask");
    jw_karr(to, "size");
    jw_int(to, h);
    jw_int(to, w);
    jw_arr_end(to);
    jw_kstr(to, "counts", counts);
    jw_obj_end(to);
}

const struct task_ops *task_ops_of(enum net_task task)
{
    return tasks[task];
}

_Static_assert((int)TRAIN_SEMANTIC == (int)NET_SEMANTIC && (int)TRAIN_TASKS == (int)NET_TASKS,
               "the tasks of settings and of networks are the same");

enum rc task_check_dataset(const struct run *r, struct err *e)
{
    const struct dataset_header *h = &r->samples.header;
    enum train_task task = (enum train_task)r->card->task;

    if (train_task_fits(task, h->task))
        return RC_OK;
    return err_set(e, RC_INVALID,
                   "the dataset is for %s; %s learns %s and needs %s.  Choose a model of the "
                   "dataset's task (`anneal models`)",
                   task_names[h->task], r->card->name, net_task_names[r->card->task],
                   train_task_needs(task));
}

static enum rc judge_all(const struct task_ops *ops, struct loader *l, struct judge *j,
                         struct err *e)
{
    const struct batch *b;
    enum rc rc = loader_start(l, 0, e);

    while (!rc) {
        rc = run_check_cancel(e);
        if (!rc)
            rc = loader_next(l, &b, e);
        if (rc || !b)
            break;
        rc = ops->judge_batch(j, b, e);
    }
    return rc ? rc : ops->judge_finish(j, e);
}

enum rc task_judge(struct run *r, struct loader *l, const struct sample_ref *samples, size_t n,
                   struct judge **ret, struct err *e)
{
    const struct task_ops *ops = task_ops_of(r->model->task);
    struct judge *j = NULL;
    enum rc rc = ops->judge_new(&j, r, samples, n, e);

    if (!rc)
        rc = judge_all(ops, l, j, e);
    if (rc) {
        ops->judge_free(j);
        return rc;
    }
    *ret = j;
    return RC_OK;
}

/* ---- results */

struct sink {
    int fd;
    struct hasher hash;
    int64_t bytes;
};

static enum rc flush(struct sink *s, struct buf *b, struct err *e)
{
    enum rc rc = buf_ok(b, e);

    if (!rc)
        rc = os_write_all(s->fd, b->p, b->n, e);
    hasher_add(&s->hash, b->p, b->n);
    s->bytes += (int64_t)b->n;
    buf_clear(b);
    return rc;
}

static void write_head(const struct run *r, const struct judge *j, size_t n, int64_t epoch,
                       const char *split, struct buf *out)
{
    struct jw w;

    jw_init(&w, out);
    jw_obj(&w);
    jw_kint(&w, "epoch", epoch);
    jw_kcstr(&w, "split", split);
    jw_kcstr(&w, "task", net_task_names[r->model->task]);
    jw_karr(&w, "classes");
    for (size_t c = 0; c < r->model->classes_n; c++)
        jw_str(&w, r->model->classes[c]);
    jw_arr_end(&w);
    jw_kint(&w, "images", (int64_t)n);
    task_ops_of(r->model->task)->judge_head(j, &w);
    jw_obj_end(&w);
    buf_putc(out, '\n');
}

static void write_row(const struct run *r, const struct judge *j, size_t i,
                      const struct sample_ref *sample, struct buf *out)
{
    struct jw w;

    jw_init(&w, out);
    jw_obj(&w);
    jw_kstr(&w, "name", sample->name);
    jw_kcstr(&w, "sha256", sample->sha256);
    task_ops_of(r->model->task)->judge_row(j, i, &w);
    jw_obj_end(&w);
    buf_putc(out, '\n');
}

static enum rc write_lines(struct run *r, const struct judge *j, const struct sample_ref *samples,
                           size_t n, int64_t epoch, const char *split, struct sink *s,
                           struct err *e)
{
    struct buf b;
    enum rc rc;

    buf_init(&b, RESULT_LINE_BYTES_MAX);
    write_head(r, j, n, epoch, split, &b);
    rc = flush(s, &b, e);
    for (size_t i = 0; i < n && !rc; i++) {
        write_row(r, j, i, &samples[i], &b);
        if (b.n > RESULT_FLUSH_BYTES)
            rc = flush(s, &b, e);
    }
    if (!rc)
        rc = flush(s, &b, e);
    buf_done(&b);
    return rc;
}

enum rc task_write_validation(struct run *r, const struct judge *j,
                              const struct sample_ref *samples, size_t n, int64_t epoch,
                              const char *split, struct validation *ret, struct err *e)
{
    char *path = arena_printf(&r->arena, "%.*s/validation-%lld.jsonl", STR_F(r->work.work_dir),
                              (long long)epoch);
    struct sink s = {.fd = -1};
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX + 1];
    enum rc rc = path ? sha256_init(&s.hash, e) : err_set(e, RC_NOMEM, "no memory for a path");

    if (rc)
        return rc;
    rc = os_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600, &s.fd, e);
    if (!rc)
        rc = write_lines(r, j, samples, n, epoch, split, &s, e);
    os_close(s.fd);
    hasher_final(&s.hash, digest);
    if (rc)
        return err_wrap(e, rc, "writing %s", path);
    hex_of(digest, sizeof digest, hex);
    *ret = (struct validation){.epoch = epoch,
                               .split = str_of(split),
                               .path = str_of(path),
                               .sha256 = arena_str(&r->arena, str_of(hex)),
                               .bytes = s.bytes};
    return ret->sha256.p ? RC_OK : err_set(e, RC_NOMEM, "no memory for a digest");
}
