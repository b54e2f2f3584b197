/* worker_test.c - whole jobs on a set of small pictures, through the door that the trainer uses. */
#include "base/test.h"
#include "flow/worker/run.c"
#include "flow/worker/testbed.h"
#include "flow/worker/worker.c"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PER_CLASS = 12, VAL_PER_CLASS = 5, CLASSES = 3, SIDE = 16 };
static const str class_names[CLASSES] = {STR("blue"), STR("green"), STR("red")};

/* A square of noise with one strong colour. */
static void put_picture(int32_t label, uint64_t n, struct sample *s)
{
    struct image im;
    struct err e;

    CHECK_OK(image_alloc(SIDE, SIDE, &im, &e), &e);
    for (int i = 0; i < SIDE * SIDE; i++)
        for (int c = 0; c < 3; c++)
            im.rgb[i * 3 + c] = (uint8_t)(rand_at(n, (uint64_t)i, (uint64_t)c, 0) % 100 +
                                          (c == 2 - label ? 120 : 0));
    put_image(&im, s);
    image_done(&im);
    s->label = label;
}

/* Pictures of the first `classes` of `named` classes. */
static void make_dataset_of(enum task task, int per_class, int val_per_class, size_t classes,
                            size_t named)
{
    struct dataset_header h = {
        .task = task, .classes = (str *)(uintptr_t)class_names, .classes_n = named};
    struct buf out;
    struct err e;
    uint64_t n = 0;

    place_dataset();
    h.splits[SPLIT_TRAIN] = (uint64_t)per_class * classes;
    h.splits[SPLIT_VAL] = (uint64_t)val_per_class * classes;
    h.images = h.splits[SPLIT_TRAIN] + h.splits[SPLIT_VAL];
    buf_init(&out, 1 << 20);
    dataset_header_write(&h, &out);
    for (int split = SPLIT_TRAIN; split <= SPLIT_VAL; split++)
        for (int32_t c = 0; c < (int32_t)classes; c++)
            for (int i = 0; i < (split == SPLIT_TRAIN ? per_class : val_per_class); i++) {
                struct sample s = {.split = (enum split)split};
                char name[40];
                put_picture(c, n++, &s);
                snprintf(name, sizeof name, "%d-%d-%d", split, (int)c, i);
                s.name = str_of(name);
                sample_write(&s, &out);
            }
    CHECK_OK(os_write_file_durable(bed_manifest, buf_view(&out), 0600, &e), &e);
    buf_done(&out);
}

static void make_dataset(int per_class, int val_per_class, size_t classes)
{
    make_dataset_of(TASK_CLASSIFICATION, per_class, val_per_class, classes, classes);
}

#define CONFIG                                                                                     \
    "\"model\":\"tiny\",\"batch_size\":8,\"image_size\":16,\"learning_rate\":0.02,"                \
    "\"crop_padding\":2,\"backend\":\"portable\""

TEST(training_learns_and_says_so_in_order)
{
    static const int want[] = {REPORT_STARTED,    REPORT_EPOCH,    REPORT_CHECKPOINT, REPORT_EPOCH,
                               REPORT_CHECKPOINT, REPORT_EPOCH,    REPORT_CHECKPOINT, REPORT_EPOCH,
                               REPORT_CHECKPOINT, REPORT_COMPLETED};
    struct outcome o;
    size_t at = 0;

    make_dataset(PER_CLASS, VAL_PER_CLASS, CLASSES);
    run_here("train", "{" CONFIG ",\"epochs\":4,\"checkpoint_every\":2}", "a", NULL, &o);
    for (size_t i = 0; i < o.n; i++) {
        if (o.reports[i].kind == REPORT_PROGRESS)
            continue;
        CHECK(at < sizeof want / sizeof *want);
        CHECK_EQ(o.reports[i].kind, want[at++]);
        CHECK(i == 0 || o.reports[i].progress >= o.reports[i - 1].progress);
    }
    CHECK_EQ(at, sizeof want / sizeof *want);
    CHECK(o.last->progress == 1);
    CHECK_EQ(o.last->epoch, 4);
    const struct report *e4 = nth(&o, REPORT_EPOCH, 3);
    CHECK(metric(e4, "val/accuracy") > 0.9);
    CHECK(metric(e4, "train/loss") < metric(nth(&o, REPORT_EPOCH, 0), "train/loss"));
    CHECK(metric(e4, "val/top5") == 1);
    CHECK(nth(&o, REPORT_CHECKPOINT, 1)->checkpoint.is_periodic);
    CHECK(!nth(&o, REPORT_CHECKPOINT, 2)->checkpoint.is_periodic);
    CHECK(nth(&o, REPORT_CHECKPOINT, 0)->checkpoint.is_best);
    CHECK(o.last->weights_sha256.n == SHA256_HEX);
    for (int i = 0; i < 4; i++) {
        const struct checkpoint *c = &nth(&o, REPORT_CHECKPOINT, i)->checkpoint;
        struct err e;
        CHECK(c->is_last);
        CHECK_OK(model_check_file(arena_cstr(&o.a, c->weights_path), c->weights_sha256, &e), &e);
        CHECK_OK(model_check_file(arena_cstr(&o.a, c->state_path), c->state_sha256, &e), &e);
        if (c->epoch == o.last->best.epoch)
            CHECK(str_eq(c->weights_sha256, o.last->weights_sha256));
    }
    outcome_done(&o);
}

static const char *const resumable[] = {
    "{" CONFIG ",\"epochs\":3,\"ema\":0.9,\"accumulate\":3,\"threads\":1}",
    "{" CONFIG ",\"epochs\":4,\"mixup\":0.3,\"threads\":1}",
    "{" CONFIG ",\"epochs\":4,\"optimizer\":\"adamw\",\"early_stop\":2,"
    "\"schedule\":\"step\",\"step_epochs\":2,\"class_weights\":\"balanced\",\"threads\":1}"};

TEST(a_resume_from_any_checkpoint_gives_the_same_bytes)
{
    make_dataset(PER_CLASS, VAL_PER_CLASS, CLASSES);
    for (int k = 0; k < (int)(sizeof resumable / sizeof *resumable); k++) {
        struct outcome whole, part;
        char name[40];
        snprintf(name, sizeof name, "whole%d", k);
        run_here("train", resumable[k], name, NULL, &whole);
        int epochs = count(&whole, REPORT_EPOCH);
        CHECK(epochs >= 3);
        for (int i = 0; i < epochs; i++) { /* the last one has nothing left to do */
            snprintf(name, sizeof name, "part%d-%d", k, i);
            run_here("train", resumable[k], name, &nth(&whole, REPORT_CHECKPOINT, i)->checkpoint,
                     &part);
            same_end(&whole, &part);
            CHECK_EQ(count(&part, REPORT_EPOCH), epochs - 1 - i);
            for (int n = 0; n < epochs - 1 - i; n++) {
                same_epoch(nth(&whole, REPORT_EPOCH, i + 1 + n), nth(&part, REPORT_EPOCH, n));
                CHECK(str_eq(nth(&whole, REPORT_CHECKPOINT, i + 1 + n)->checkpoint.state_sha256,
                             nth(&part, REPORT_CHECKPOINT, n)->checkpoint.state_sha256));
            }
            outcome_done(&part);
        }
        outcome_done(&whole);
    }
}

TEST(threads_change_nothing_and_the_seed_does)
{
    struct outcome one, two, other;

    make_dataset(PER_CLASS, VAL_PER_CLASS, CLASSES);
    run_here("train", "{" CONFIG ",\"epochs\":2,\"threads\":1}", "one", NULL, &one);
    run_here("train", "{" CONFIG ",\"epochs\":2,\"threads\":3}", "two", NULL, &two);
    run_here("train", "{" CONFIG ",\"epochs\":2,\"seed\":43}", "other", NULL, &other);
    same_end(&one, &two);
    CHECK(!str_eq(one.last->weights_sha256, other.last->weights_sha256));
    outcome_done(&one);
    outcome_done(&two);
    outcome_done(&other);
}

/* The sheet of what a run learns from, decoded. */
static struct image sheet_of(const struct outcome *o)
{
    const struct artifact *f = &nth(o, REPORT_STARTED, 0)->samples;
    char hex[SHA256_HEX + 1];
    struct image im = {0};
    struct arena a;
    struct err e;
    str bytes;

    arena_init(&a, 16 << 20);
    CHECK_OK(os_read_file(&a, arena_cstr(&a, f->path), 8 << 20, &bytes, &e), &e);
    sha256_hex(bytes, hex);
    CHECK(str_is(f->sha256, hex));
    CHECK_EQ(f->bytes, bytes.n);
    CHECK(str_is(f->type, "image/jpeg"));
    CHECK_OK(image_decode(bytes, NULL, 0, &im, &e), &e);
    arena_done(&a);
    return im;
}

TEST(a_run_shows_what_it_learns_from_and_shows_the_same_again)
{
    struct outcome one, two, other;
    const struct json *info, *pictures;
    struct arena a;
    struct err e;
    struct image im;

    make_dataset(PER_CLASS, VAL_PER_CLASS, CLASSES);
    run_here("train", "{" CONFIG ",\"epochs\":1,\"threads\":1}", "one", NULL, &one);
    run_here("train", "{" CONFIG ",\"epochs\":2,\"threads\":3}", "two", NULL, &two);
    run_here("train", "{" CONFIG ",\"epochs\":1,\"seed\":7}", "other", NULL, &other);
    im = sheet_of(&one);
    CHECK(str_eq(nth(&one, REPORT_STARTED, 0)->samples.sha256,
                 nth(&two, REPORT_STARTED, 0)->samples.sha256));
    CHECK(!str_eq(nth(&one, REPORT_STARTED, 0)->samples.sha256,
                  nth(&other, REPORT_STARTED, 0)->samples.sha256));
    arena_init(&a, 4 << 20);
    CHECK_OK(json_parse(&a, nth(&one, REPORT_STARTED, 0)->samples.info, NULL, &info, &e), &e);
    pictures = json_get(info, "pictures");
    CHECK(pictures && pictures->list.count > 0 && pictures->list.count <= 16);
    CHECK_EQ(im.width, 4 * json_int(info, "cell", 0) + 3 * json_int(info, "gap", -1));
    JSON_EACH(p, pictures) {
        double sum = 0;
        JSON_EACH(l, json_get(p, "labels"))
            sum += l->list.first->next->type == JSON_INT ? (double)l->list.first->next->i
                                                         : l->list.first->next->f;
        CHECK(sum > 0.5 && sum <= 1.01);
    }
    arena_done(&a);
    image_done(&im);
    outcome_done(&one);
    outcome_done(&two);
    outcome_done(&other);
}

TEST(a_run_says_what_its_process_uses)
{
    const struct report *r;
    struct outcome o;

    make_dataset(PER_CLASS, VAL_PER_CLASS, CLASSES);
    run_here("train", "{" CONFIG ",\"epochs\":2}", "a", NULL, &o);
    r = nth(&o, REPORT_EPOCH, 1);
    CHECK(metric(r, "system/cpu") > 0);
    CHECK(metric(r, "system/memory") > 1e6);
    CHECK(metric(r, "system/read") >= 0);
    CHECK(metric(r, "system/wait") >= 0 && metric(r, "system/wait") <= 1);
    outcome_done(&o);
}

TEST(early_stop_ends_a_run_that_learns_nothing)
{
    struct outcome o;

    make_dataset(PER_CLASS, VAL_PER_CLASS, CLASSES);
    run_here("train", "{" CONFIG ",\"epochs\":50,\"early_stop\":2,\"early_stop_delta\":1}", "a",
             NULL, &o);
    CHECK_EQ(o.last->kind, REPORT_COMPLETED);
    CHECK_EQ(o.last->epoch, 3);
    CHECK(str_find(o.last->message, STR("stopped early")) >= 0);
    outcome_done(&o);
}

TEST(a_checkpoint_of_another_job_or_damaged_is_refused)
{
    struct outcome o, again;
    struct checkpoint c;

    make_dataset(PER_CLASS, VAL_PER_CLASS, CLASSES);
    run_here("train", "{" CONFIG ",\"epochs\":2}", "a", NULL, &o);
    c = nth(&o, REPORT_CHECKPOINT, 0)->checkpoint;
    run_here("train", "{" CONFIG ",\"epochs\":2,\"seed\":9}", "b", &c, &again);
    CHECK_STR(again.last->error_code, "conflict");
    CHECK(str_find(again.last->error, STR("seed")) >= 0);
    outcome_done(&again);
    c.state_path = nth(&o, REPORT_CHECKPOINT, 1)->checkpoint.state_path;
    c.state_sha256 = STR("");
    run_here("train", "{" CONFIG ",\"epochs\":2}", "c", &c, &again);
    CHECK_STR(again.last->error_code, "corrupt_data");
    CHECK(str_find(again.last->error, STR("belong together")) >= 0);
    outcome_done(&again);
    c = nth(&o, REPORT_CHECKPOINT, 0)->checkpoint;
    c.weights_sha256 = c.state_sha256;
    run_here("train", "{" CONFIG ",\"epochs\":2}", "d", &c, &again);
    CHECK_STR(again.last->error_code, "corrupt_data");
    outcome_done(&again);
    outcome_done(&o);
}

static const struct log_line *first_log(const struct outcome *o)
{
    const struct report *r = nth(o, REPORT_STARTED, 0);

    CHECK(r->logs.n > 0);
    return r->logs.p;
}

TEST(a_network_that_memory_cannot_hold_is_refused_with_advice)
{
    make_dataset(400, 2, CLASSES);
    expect_failure("train",
                   "{\"model\":\"resnet18\",\"image_size\":1024,\"batch_size\":1024,\"epochs\":1}",
                   "a", "too_large_for_memory", "batch_size");
}

TEST(another_training_lends_its_weights_but_for_the_layer_of_the_classes)
{
    struct outcome o, tuned, plain;
    struct checkpoint c;

    make_dataset(PER_CLASS, VAL_PER_CLASS, CLASSES);
    run_here("train", "{" CONFIG ",\"epochs\":2}", "a", NULL, &o);
    c = nth(&o, REPORT_CHECKPOINT, 1)->checkpoint;
    c.epoch = 0; /* begin with its weights, rather than go on from it */
    c.state_path = STR("");
    run_here("train", "{" CONFIG ",\"epochs\":1,\"seed\":5}", "b", &c, &tuned);
    CHECK_EQ(tuned.last->kind, REPORT_COMPLETED);
    CHECK(str_find(first_log(&tuned)->message, STR("all tensors")) == 0);
    run_here("train", "{" CONFIG ",\"epochs\":1,\"seed\":5}", "c", NULL, &plain);
    CHECK(metric(nth(&tuned, REPORT_EPOCH, 0), "train/loss") <
          metric(nth(&plain, REPORT_EPOCH, 0), "train/loss"));
    outcome_done(&tuned);
    make_dataset(PER_CLASS, VAL_PER_CLASS, 2);
    run_here("train", "{" CONFIG ",\"epochs\":1,\"freeze\":\"backbone\"}", "d", &c, &tuned);
    CHECK_EQ(tuned.last->kind, REPORT_COMPLETED);
    CHECK(str_find(first_log(&tuned)->message, STR("layer of the classes (2 tensors)")) > 0);
    outcome_done(&tuned);
    outcome_done(&plain);
    outcome_done(&o);
}

static void ones(void *ud, size_t i, float *ret)
{
    (void)ud;
    (void)i;
    ret[0] = 1;
}

static void expect_weights_refused(const char *path, const char *name, const char *code,
                                   const char *part)
{
    struct checkpoint c = {.weights_path = str_of(path)};
    struct outcome o;

    run_here("train", "{" CONFIG ",\"epochs\":1}", name, &c, &o);
    CHECK_EQ(o.last->kind, REPORT_FAILED);
    CHECK_STR(o.last->error_code, code);
    if (str_find(o.last->error, str_of(part)) < 0)
        test_fail(__FILE__, __LINE__, "%.*s", STR_F(o.last->error));
    CHECK(!o.last->retryable);
    outcome_done(&o);
}

TEST(first_weights_that_fit_nowhere_or_are_damaged_are_refused)
{
    static const int64_t one[] = {1};
    static const struct safetensors_entry x = {"x", 1, one};
    struct safetensors_written w;
    char path[800];
    struct err e;

    make_dataset(4, 2, CLASSES);
    snprintf(path, sizeof path, "%s/x.safetensors", test_dir());
    CHECK_OK(safetensors_write(path, NULL, 0, &x, 1, false, ones, NULL, &w, &e), &e);
    expect_weights_refused(path, "a", "conflict", "'conv1.weight', is missing");
    CHECK_EQ(truncate(path, w.bytes - 1), 0);
    expect_weights_refused(path, "b", "corrupt_data", "the first weights");
    expect_failure("train", "{" CONFIG ",\"epochs\":1,\"weights\":\"job:x\"}", "c",
                   "invalid_request", "job:x");
}

TEST(what_cannot_be_trained_is_said_clearly)
{
    make_dataset(4, 2, CLASSES);
    expect_failure("train", "{\"model\":\"tiny\",\"learning_rate\":\"much\"}", "a",
                   "invalid_request", "learning_rate");
    expect_failure("train", "{\"model\":\"resnet9000\",\"epochs\":1}", "b", "invalid_request",
                   "resnet9000");
    make_dataset(4, 2, 1);
    expect_failure("train", "{" CONFIG ",\"epochs\":1}", "c", "invalid_request", "at least two");
    make_dataset(0, 2, CLASSES);
    expect_failure("train", "{" CONFIG ",\"epochs\":1}", "d", "invalid_request", "'train'");
    make_dataset(4, 0, CLASSES);
    expect_failure("train", "{" CONFIG ",\"epochs\":1}", "e", "invalid_request", "'val'");
    expect_failure("test", "{" CONFIG "}", "f", "invalid_request", "'val'");
    make_dataset_of(TASK_TEXT, 4, 2, CLASSES, CLASSES);
    expect_failure("train", "{" CONFIG ",\"epochs\":1}", "g", "invalid_request",
                   "the dataset is for text");
    make_dataset_of(TASK_CLASSIFICATION, 4, 2, 2, CLASSES);
    expect_failure("train", "{" CONFIG ",\"epochs\":1}", "h", "invalid_request",
                   "'red' has no example");
}

static void spoil_first(bool remove)
{
    struct samples s;
    struct arena a;
    struct err e;
    char path[800];

    arena_init(&a, 1 << 20);
    CHECK_OK(samples_read(bed_manifest, &a, &s, &e), &e);
    snprintf(path, sizeof path, "%s/%.2s/%s", bed_blobs, s.of[SPLIT_TRAIN][3].sha256,
             s.of[SPLIT_TRAIN][3].sha256);
    if (remove)
        CHECK_EQ(os_sys.unlink(path), 0);
    else
        CHECK_OK(os_write_file_durable(path, STR("rust"), 0600, &e), &e);
    arena_done(&a);
}

TEST(a_picture_that_is_gone_or_damaged_is_named)
{
    make_dataset(4, 2, CLASSES);
    spoil_first(false);
    expect_failure("train", "{" CONFIG ",\"epochs\":1}", "a", "corrupt_data", "'0-0-3'");
    spoil_first(true);
    expect_failure("train", "{" CONFIG ",\"epochs\":1}", "b", "not_found", "'0-0-3'");
}

TEST(a_loss_that_explodes_is_a_failure_with_advice)
{
    make_dataset(PER_CLASS, 2, CLASSES);
    expect_failure("train",
                   "{\"model\":\"tiny\",\"image_size\":16,\"batch_size\":8,\"epochs\":40,"
                   "\"learning_rate\":10,\"weight_decay\":1,\"warmup_epochs\":0,"
                   "\"backend\":\"portable\"}",
                   "a", "diverged", "training loss is no longer");
    /* one step an epoch: the validation is the first to see what it did */
    expect_failure("train",
                   "{\"model\":\"tiny\",\"image_size\":16,\"batch_size\":100,\"epochs\":100,"
                   "\"learning_rate\":10,\"weight_decay\":1,\"warmup_epochs\":0,"
                   "\"backend\":\"portable\"}",
                   "b", "diverged", "validation loss is no longer");
}

TEST(testing_repeats_the_validation_of_the_checkpoint)
{
    struct outcome o, t;
    const struct report *last;
    struct checkpoint c;

    make_dataset(PER_CLASS, VAL_PER_CLASS, CLASSES);
    run_here("train", "{" CONFIG ",\"epochs\":2}", "a", NULL, &o);
    last = nth(&o, REPORT_EPOCH, 1);
    c = nth(&o, REPORT_CHECKPOINT, 1)->checkpoint;
    run_here("test", "{" CONFIG ",\"epochs\":2}", "t", &c, &t);
    CHECK_EQ(t.last->kind, REPORT_COMPLETED);
    CHECK(metric(t.last, "val/accuracy") == metric(last, "val/accuracy"));
    CHECK(fabs(metric(t.last, "val/loss") - metric(last, "val/loss")) < 1e-4);
    CHECK(t.last->validation.bytes > 0);
    CHECK_STR(t.last->validation.split, "val");
    outcome_done(&o);
    outcome_done(&t);
}

/* ---- as a process */

static pid_t start(const char *config, const char *name, const struct checkpoint *resume,
                   int *ret_out)
{
    char dir[700];
    int in[2], out[2];
    struct buf order;
    struct err e;
    pid_t pid;

    snprintf(dir, sizeof dir, "%s/%s", test_dir(), name);
    CHECK_OK(os_mkdirs(dir, 0700, &e), &e);
    CHECK(pipe(in) == 0 && pipe(out) == 0);
    order_text("train", config, dir, resume, &order);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(in[1]);
        close(out[0]);
        _exit(worker_run(in[0], out[1], &e) ? 1 : 0);
    }
    close(in[0]);
    close(out[1]);
    CHECK_OK(os_write_all(in[1], order.p, order.n, &e), &e);
    close(in[1]);
    buf_done(&order);
    *ret_out = out[0];
    return pid;
}

/* Reads until `n` lines have come. */
static void read_lines(int fd, int n)
{
    struct err e;
    size_t got = 1;
    while (n > 0 && got > 0) {
        char c;
        CHECK_OK(os_read(fd, &c, 1, &got, &e), &e);
        n -= c == '\n';
    }
}

TEST(sigterm_cancels_within_two_seconds)
{
    struct outcome o;
    int out, status;
    int64_t asked;
    pid_t pid;

    make_dataset(PER_CLASS, VAL_PER_CLASS, CLASSES);
    pid = start("{" CONFIG ",\"epochs\":1000}", "a", NULL, &out);
    read_lines(out, 3); /* it is at work */
    asked = os_mono_ms();
    os_kill(pid, SIGTERM);
    read_reports(out, &o);
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(os_mono_ms() - asked < 2000);
    CHECK_EQ(o.last->kind, REPORT_CANCELLED);
    for (size_t i = 0; i + 1 < o.n; i++)
        CHECK(o.reports[i].kind != REPORT_CANCELLED);
    outcome_done(&o);
    close(out);
}

TEST(kill_and_resume_equals_an_undisturbed_run)
{
    static const char config[] = "{" CONFIG ",\"epochs\":4,\"threads\":2}";
    struct outcome whole, cut, rest;
    int64_t at;

    make_dataset(PER_CLASS, VAL_PER_CLASS, CLASSES);
    run_here("train", config, "whole", NULL, &whole);
    at = (int64_t)whole.n;
    for (int lines = 2; lines < at; lines += 4) {
        const struct checkpoint *from = NULL;
        char name[40];
        int out, status;
        snprintf(name, sizeof name, "cut%d", lines);
        pid_t pid = start(config, name, NULL, &out);
        int copy[2];
        CHECK(pipe(copy) == 0);
        for (int n = 0; n < lines;) { /* what was delivered before the kill */
            char c;
            size_t got;
            struct err e;
            CHECK_OK(os_read(out, &c, 1, &got, &e), &e);
            CHECK(got == 1);
            CHECK_OK(os_write_all(copy[1], &c, 1, &e), &e);
            n += c == '\n';
        }
        os_kill(pid, SIGKILL);
        CHECK(waitpid(pid, &status, 0) == pid);
        close(out);
        close(copy[1]);
        read_reports(copy[0], &cut);
        close(copy[0]);
        for (size_t i = 0; i < cut.n; i++)
            if (cut.reports[i].kind == REPORT_CHECKPOINT)
                from = &cut.reports[i].checkpoint;
        snprintf(name, sizeof name, "rest%d", lines);
        run_here("train", config, name, from, &rest);
        same_end(&whole, &rest);
        outcome_done(&cut);
        outcome_done(&rest);
    }
    outcome_done(&whole);
}

TEST(input_that_is_no_work_is_a_failed_report)
{
    struct outcome o;
    struct err e;
    char path[700];
    int in, out;

    snprintf(path, sizeof path, "%s/in", test_dir());
    CHECK_OK(os_write_file_durable(path, STR("{\"kind\":\"dance\"}\n"), 0600, &e), &e);
    CHECK_OK(os_open(path, O_RDONLY, 0, &in, &e), &e);
    snprintf(path, sizeof path, "%s/out", test_dir());
    CHECK_OK(os_open(path, O_RDWR | O_CREAT, 0600, &out, &e), &e);
    CHECK_OK(worker_run(in, out, &e), &e);
    CHECK(lseek(out, 0, SEEK_SET) == 0);
    read_reports(out, &o);
    CHECK_EQ(o.n, 1);
    CHECK_EQ(o.last->kind, REPORT_FAILED);
    CHECK(!o.last->retryable);
    outcome_done(&o);
    CHECK(ftruncate(out, 0) == 0 && lseek(out, 0, SEEK_SET) == 0);
    CHECK_OK(worker_run(in, out, &e), &e); /* the input is at its end now */
    CHECK(lseek(out, 0, SEEK_SET) == 0);
    read_reports(out, &o);
    CHECK(str_find(o.last->error, STR("ended before")) >= 0);
    outcome_done(&o);
    os_close(in);
    os_close(out);
}
