/* export_file.c - see export_file.h. */
#include "engine/bundle/export_file.h"

#include "base/json.h"
#include "base/mem.h"
#include "engine/export/cfile.h"
#include "engine/export/onnx.h"
#include "os/os.h"
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <string.h>

const char *const export_format_names[] = {"onnx", "c", "safetensors", NULL};
const char *const export_format_ending[] = {".onnx", ".c", ".safetensors"};

enum {
    BATCH = 2, /* pictures in one call, so that the free dimension is tried */
    COMPILE_MS = 900000,
    RUN_MS = 900000,
    META_BYTES_MAX = 16 << 20,
};

struct job {
    const struct export_order *o;
    struct export_report *report;
    struct model *model;
    struct program *program;
    struct arena arena;
    size_t images, input_floats;
    float *normal; /* [images][3][size][size] as the engine takes it */
    float *input;  /* as the export takes it; may be `normal` */
};

/* ---- pictures */

static void generate(struct job *j)
{
    for (size_t i = 0; i < j->images * j->input_floats; i++) {
        const uint64_t coarse = i / 64 / (size_t)j->model->frame.size;
        const double u = rand_unit(rand_at(1, 2, i, 0)) + rand_unit(rand_at(1, 3, coarse, 0));
        const size_t c = i / (j->input_floats / 3) % 3;
        j->normal[i] =
            (float)((u / 2 - (double)j->model->frame.mean[c]) / (double)j->model->frame.std[c]);
    }
}

static enum rc read_pictures(struct job *j, struct err *e)
{
    for (size_t i = 0; i < j->o->pictures_n; i++) {
        struct image work;
        enum rc rc = frame_open(&j->model->frame, j->o->pictures[i], NULL, &work, e);
        if (!rc) {
            rc = frame_eval(&j->model->frame, &work, j->normal + i * j->input_floats, e);
            image_done(&work);
        }
        if (rc)
            return err_wrap(e, rc, "picture %zu", i + 1);
    }
    return RC_OK;
}

static enum rc prepare_pictures(struct job *j, struct err *e)
{
    const size_t size = (size_t)j->model->frame.size;
    enum rc rc = RC_OK;

    j->report->generated = j->o->pictures_n == 0;
    j->images = j->report->generated ? EXPORT_GENERATED : j->o->pictures_n;
    j->input_floats = 3 * size * size;
    j->normal = mem_alloc_array(j->images, j->input_floats * sizeof(float));
    j->input = j->normal;
    if (j->o->pixels)
        j->input = mem_alloc_array(j->images, j->input_floats * sizeof(float));
    if (!j->normal || !j->input)
        return err_set(e, RC_NOMEM, "no memory for the pictures of the comparison");
    if (j->report->generated)
        generate(j);
    else
        rc = read_pictures(j, e);
    for (size_t i = 0; j->o->pixels && i < j->images * j->input_floats; i++) {
        const size_t c = i / (size * size) % 3;
        const float mean = j->model->frame.mean[c], deviation = j->model->frame.std[c];
        j->input[i] = roundf(255 * (j->normal[i] * deviation + mean));
        j->normal[i] = (j->input[i] / 255 - mean) / deviation;
    }
    j->report->pictures = j->images;
    return rc;
}

/* ---- metadata: how to prepare a picture, and what to do with the outputs */

static void meta_three(struct job *j, const char *key, const float v[3])
{
    program_meta(j->program, key,
                 str_of(arena_printf(&j->arena, "%.9g,%.9g,%.9g", (double)v[0], (double)v[1],
                                     (double)v[2])));
}

static void meta_number(struct job *j, const char *key, double v)
{
    program_meta(j->program, key, str_of(arena_printf(&j->arena, "%.9g", v)));
}

static void meta_classes(struct job *j)
{
    struct buf b;
    struct jw w;

    buf_init(&b, META_BYTES_MAX);
    jw_init(&w, &b);
    jw_arr(&w);
    for (size_t i = 0; i < j->model->classes_n; i++)
        jw_str(&w, j->model->classes[i]);
    jw_arr_end(&w);
    program_meta(j->program, "classes", buf_view(&b));
    buf_done(&b);
}

static void add_meta(struct job *j)
{
    const struct model *m = j->model;
    struct program *p = j->program;
    const bool boxes = m->task == NET_DETECTION || m->task == NET_SEGMENTATION;

    program_meta(p, "anneal", STR("1"));
    program_meta(p, "model", str_of(m->name));
    program_meta(p, "task", str_of(net_task_names[m->task]));
    meta_classes(j);
    meta_number(j, "image_size", m->frame.size);
    program_meta(p, "channels", STR("RGB"));
    program_meta(p, "fit", str_of(frame_fit_names[m->frame.fit]));
    meta_number(j, "work_side", m->frame.work_side);
    program_meta(p, "input", j->o->pixels ? STR("0..255") : STR("(v / 255 - mean) / std"));
    meta_three(j, "mean", m->frame.mean);
    meta_three(j, "std", m->frame.std);
    if (m->frame.fit == FRAME_LETTERBOX)
        meta_number(j, "pad", FRAME_PAD);
    if (!boxes)
        return;
    program_meta(p, "boxes", STR("center x, center y, width, height, confidence of each class"));
    if (m->task == NET_SEGMENTATION)
        program_meta(p, "masks",
                     STR("the rows of boxes behind the confidences are coefficients: inside where "
                         "their sum with the prototypes is above 0, cut to the box"));
    meta_number(j, "nms_confidence", (double)net_detect_default.confidence);
    meta_number(j, "nms_iou", (double)net_detect_default.iou);
    meta_number(j, "nms_most", net_detect_default.most);
}

/* ---- comparing */

static void results_done(const struct program *p, struct program_result *r)
{
    for (int i = 0; i < p->output_count; i++) {
        mem_free(r[i].data);
        r[i] = (struct program_result){0};
    }
}

static void note_difference(struct job *j, const struct program *p,
                            const struct program_result *have, const struct program_result *want)
{
    const double d = export_difference(p, export_pixels(j->model->net), have, want);

    if (!(d <= j->report->difference))
        j->report->difference = d;
}

static enum rc verdict(const struct job *j, struct err *e)
{
    if (j->report->difference <= EXPORT_DIFFERENCE_MAX)
        return RC_OK;
    return err_set(e, RC_CORRUPT,
                   "the export computes other numbers than the checkpoint: the largest difference "
                   "over %zu pictures is %.3g, allowed is %g; nothing was written",
                   j->images, j->report->difference, EXPORT_DIFFERENCE_MAX);
}

/* Runs a program, or the network `other`, on all pictures. */
static enum rc compare(struct job *j, const struct program *p, struct net *other, struct err *e)
{
    struct program_result have[PROGRAM_OUTPUTS_MAX] = {0}, want[PROGRAM_OUTPUTS_MAX] = {0};
    enum rc rc = RC_OK;

    for (size_t i = 0; i < j->images && !rc; i += BATCH) {
        const int n = j->images - i < BATCH ? (int)(j->images - i) : BATCH;
        const float *x = j->input + i * j->input_floats;
        rc = export_reference(j->model->net, j->normal + i * j->input_floats, n, want, e);
        if (!rc)
            rc = other ? export_reference(other, x, n, have, e) : program_run(p, x, n, have, e);
        if (!rc)
            note_difference(j, j->program, have, want);
        results_done(j->program, have);
        results_done(j->program, want);
    }
    return rc ? rc : verdict(j, e);
}

/* ---- ONNX and safetensors: one file */

static enum rc verify_onnx(struct job *j, const char *path, struct err *e)
{
    struct program *read = NULL;
    enum rc rc = onnx_open(&read, path, e);

    if (rc)
        return rc;
    j->report->verified_by = "interpreter";
    rc = read->output_count == j->program->output_count
             ? compare(j, read, NULL, e)
             : err_set(e, RC_CORRUPT, "the ONNX file reads back with other outputs");
    program_free(read);
    return rc;
}

static enum rc copy_weights(struct job *j, struct out_file *to, struct err *e)
{
    enum { CHUNK = 1 << 18 };
    char *chunk = mem_alloc(CHUNK);
    size_t n = 1;
    int fd = -1;
    enum rc rc = chunk ? os_open(j->o->weights, O_RDONLY, 0, &fd, e)
                       : err_set(e, RC_NOMEM, "no memory to copy weights");

    while (!rc && n > 0) {
        rc = os_read(fd, chunk, CHUNK, &n, e);
        if (!rc)
            out_file_put(to, chunk, n);
    }
    os_close(fd);
    mem_free(chunk);
    return rc;
}

static enum rc verify_copy(struct job *j, const char *path, struct err *e)
{
    const struct model_plan how = {.batch_max = BATCH};
    struct model *copy = NULL;
    enum rc rc = model_load(&copy, path, &how, e);

    if (rc)
        return rc;
    j->report->verified_by = "engine";
    rc = compare(j, NULL, copy->net, e);
    model_free(copy);
    return rc;
}

static enum rc one_file(struct job *j, struct err *e)
{
    struct out_file f;
    enum rc rc;

    out_file_open(&f, j->o->out);
    if (j->o->format == EXPORT_ONNX)
        rc = onnx_write(j->program, j->model->name, &f, e);
    else
        rc = copy_weights(j, &f, e);
    if (!rc && !f.rc)
        rc = j->o->format == EXPORT_ONNX ? verify_onnx(j, f.temporary, e)
                                         : verify_copy(j, f.temporary, e);
    if (rc) {
        (void)!out_file_close(&f, false, NULL, NULL);
        return rc;
    }
    return out_file_close(&f, true, &j->report->file, e);
}

/* ---- C: two files, compiled in a folder of their own */

struct c_paths {
    const char *work; /* a folder beside the export, where it is made */
    char name[CFILE_NAME_MAX];
    const char *source, *header, *main_file, *in, *out, *target, *header_target;
};

static enum rc name_paths(struct job *j, struct c_paths *p, struct err *e)
{
    const str out = str_of(j->o->out);
    const ptrdiff_t slash = str_rchr(out, '/');
    str base = str_sub(out, (size_t)(slash + 1), out.n);
    struct arena *a = &j->arena;
    char id[OS_ID_TEXT]; /* nobody's folder has this name: it is removed afterwards */

    os_id(id);
    if (str_ends(base, STR(".c")))
        base.n -= 2;
    cfile_name(base, p->name);
    if (!str_is(base, p->name) || !str_ends(out, STR(".c")))
        return err_field(e, RC_INVALID, "out",
                         "a C file's name is also that of its functions: '%.*s' must be letters, "
                         "digits and '_' and end with .c, as in %s.c",
                         STR_F(str_sub(out, 0, 200)), p->name);
    p->work = arena_printf(a, "%s.%s.tmp", j->o->out, id);
    p->target = j->o->out;
    p->header_target = arena_printf(a, "%.*s.h", (int)out.n - 2, out.p);
    p->source = arena_printf(a, "%s/%s.c", p->work, p->name);
    p->header = arena_printf(a, "%s/%s.h", p->work, p->name);
    p->main_file = arena_printf(a, "%s/main.c", p->work);
    p->in = arena_printf(a, "%s/in", p->work);
    p->out = arena_printf(a, "%s/out", p->work);
    if (!p->work || !p->header_target || !p->source || !p->header || !p->main_file || !p->in ||
        !p->out)
        return err_set(e, RC_NOMEM, "no memory for an export");
    return RC_OK;
}

static enum rc write_c(struct job *j, const struct c_paths *p, struct err *e)
{
    struct out_file source, header, main_file;
    struct out_file_done done;
    char header_name[CFILE_NAME_MAX + 2];
    enum rc rc, rc_source, rc_header, rc_main;

    (void)snprintf(header_name, sizeof header_name, "%s.h", p->name);
    out_file_open(&source, p->source);
    out_file_open(&header, p->header);
    out_file_open(&main_file, p->main_file);
    rc = cfile_write(j->program, p->name, &source, &header, e);
    if (!rc)
        rc = cfile_write_main(p->name, header_name, &main_file, e);
    struct err *first = rc ? NULL : e;
    rc_source = out_file_close(&source, !rc, &j->report->file, first);
    rc_header = out_file_close(&header, !rc, &j->report->header, rc_source ? NULL : first);
    rc_main = out_file_close(&main_file, !rc, &done, rc_source || rc_header ? NULL : first);
    return rc ? rc : rc_source ? rc_source : rc_header ? rc_header : rc_main;
}

static enum rc run_child(const char *const *argv, const char *cwd, int64_t timeout_ms,
                         const char *what, struct err *e)
{
    struct os_child child;
    int status = 0;
    enum rc rc = os_spawn(&child, argv, NULL, cwd, OS_SPAWN_DIE_WITH_US, e);

    if (rc)
        return rc;
    rc = os_wait(child.pid, timeout_ms, &status, e);
    if (rc) {
        os_kill(child.pid, SIGKILL);
        (void)!os_wait(child.pid, -1, &status, NULL);
        return err_wrap(e, rc, "%s", what);
    }
    return status ? err_set(e, RC_CORRUPT, "%s ended with status %d", what, status) : RC_OK;
}

/* The outputs of the compiled program: image by image, one output behind the other. */
static enum rc compare_outputs(struct job *j, const char *path, struct err *e)
{
    struct program_result want[PROGRAM_OUTPUTS_MAX] = {0}, have[PROGRAM_OUTPUTS_MAX];
    struct arena a;
    size_t at = 0;
    str bytes;

    arena_init(&a, (size_t)4 << 30);
    enum rc rc = os_read_file(&a, path, (size_t)2 << 30, &bytes, e);
    for (size_t i = 0; i < j->images && !rc; i++) {
        rc = export_reference(j->model->net, j->normal + i * j->input_floats, 1, want, e);
        for (int k = 0; k < j->program->output_count && !rc; k++) {
            have[k] = (struct program_result){(float *)(uintptr_t)(bytes.p) + at, want[k].n};
            at += want[k].n;
            if (at * sizeof(float) > bytes.n)
                rc = err_set(e, RC_CORRUPT, "the compiled export writes too few numbers");
        }
        if (!rc)
            note_difference(j, j->program, have, want);
        results_done(j->program, want);
    }
    if (!rc && at * sizeof(float) != bytes.n)
        rc = err_set(e, RC_CORRUPT, "the compiled export writes too many numbers");
    arena_done(&a);
    return rc ? rc : verdict(j, e);
}

/* Where there is no compiler the program that the file was written from is run. */
static enum rc verify_c(struct job *j, const struct c_paths *p, struct err *e)
{
    const char *source = strrchr(p->source, '/') + 1;
    const char *const compile[] = {"cc", "-std=c99", "-O2", source, "main.c",
                                   "-o", "program",  "-lm", NULL};
    const char *const run[] = {"./program", "in", "out", NULL};
    const str input = {(const char *)j->input, j->images * j->input_floats * sizeof(float)};

    enum rc rc = os_write_file_durable(p->in, input, 0600, e);
    if (!rc)
        rc = run_child(compile, p->work, COMPILE_MS, "compiling the export with cc", e);
    if (rc == RC_NOT_FOUND) {
        j->report->verified_by = "interpreter";
        return compare(j, j->program, NULL, e);
    }
    j->report->verified_by = "compiler";
    if (!rc)
        rc = run_child(run, p->work, RUN_MS, "running the compiled export", e);
    return rc ? rc : compare_outputs(j, p->out, e);
}

static enum rc c_files(struct job *j, struct err *e)
{
    struct c_paths p;
    struct err ignored;
    enum rc rc = name_paths(j, &p, e);

    if (rc)
        return rc;
    rc = os_mkdirs(p.work, 0700, e);
    if (rc)
        return err_wrap(e, rc, "cannot write %s", j->o->out);
    rc = write_c(j, &p, e);
    if (!rc)
        rc = verify_c(j, &p, e);
    if (!rc)
        rc = os_rename_durable(p.header, p.header_target, e);
    if (!rc && (rc = os_rename_durable(p.source, p.target, e)) != RC_OK)
        (void)os_sys.unlink(p.header_target);
    (void)!os_remove_tree(p.work, &ignored);
    (void)snprintf(j->report->header_path, sizeof j->report->header_path, "%s", p.header_target);
    return rc;
}

/* ---- the whole */

static enum rc check_order(const struct export_order *o, struct err *e)
{
    if (o->pictures_n > EXPORT_PICTURES_MAX)
        return err_set(e, RC_LIMIT, "at most %d pictures are compared", EXPORT_PICTURES_MAX);
    if (o->pixels && o->format == EXPORT_SAFETENSORS)
        return err_field(e, RC_INVALID, "pixels",
                         "a safetensors file holds weights alone; --pixels "
                         "is for onnx and c");
    return RC_OK;
}

static enum rc export_model(struct job *j, struct err *e)
{
    struct export_input input = {.pixels = j->o->pixels};
    const struct model *m = j->model;
    enum rc rc;

    memcpy(input.mean, m->frame.mean, sizeof input.mean);
    memcpy(input.std, m->frame.std, sizeof input.std);
    (void)snprintf(j->report->network, sizeof j->report->network, "%s", m->name);
    (void)snprintf(j->report->task, sizeof j->report->task, "%s", net_task_names[m->task]);
    j->report->image_size = m->frame.size;
    j->report->classes = m->classes_n;
    rc = export_program(m->net, &input, &j->program, e);
    if (!rc) {
        add_meta(j);
        rc = program_check(j->program, e);
    }
    if (!rc)
        rc = prepare_pictures(j, e);
    if (rc)
        return rc;
    return j->o->format == EXPORT_C ? c_files(j, e) : one_file(j, e);
}

enum rc export_file(const struct export_order *o, struct export_report *ret, struct err *e)
{
    const struct model_plan how = {.batch_max = BATCH};
    struct export_report report = {.verified_by = ""};
    struct job j = {.o = o, .report = &report};
    enum rc rc = check_order(o, e);

    if (!rc)
        rc = model_load(&j.model, o->weights, &how, e);
    if (rc)
        return rc;
    arena_init(&j.arena, META_BYTES_MAX);
    rc = export_model(&j, e);
    if (j.input != j.normal)
        mem_free(j.input);
    mem_free(j.normal);
    program_free(j.program);
    arena_done(&j.arena);
    model_free(j.model);
    if (!rc)
        *ret = report;
    return rc;
}
