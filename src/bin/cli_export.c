/* cli_export.c - `anneal export`: a job's model, or a weights file, as a file for other programs.
 *
 * The server is asked for the weights and, where no pictures are given, for pictures of the job's
 * dataset (of the validation split if it has one); the export itself and its verification run here.
 */
#include "bin/cli_jobs.h"
#include "bin/cli_pictures.h"
#include "engine/bundle/export_file.h"
#include "os/os.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PICTURE_BYTES_MAX = 64 << 20, PICTURES_BYTES_MAX = 1 << 30 };

struct export_flags {
    str job, weights, checkpoint, out;
    int format;
    int64_t verify;
    bool pixels;
};
#define S struct export_flags
static const struct field export_fields[] = {
    F_STR(S, job, .max = 64, .help = "Job whose model is exported; `last` is the newest."),
    F_STR(S, weights, .max = 4000, .help = "Or a weights file, without a server."),
    F_STR(S, checkpoint, .dflt = "\"best\"", .max = 20, .help = "best, last or an epoch."),
    F_ENUM(S, format, export_format_names, .dflt = "\"onnx\"", .help = "What is written."),
    F_STR(S, out, .max = 4000,
          .help = "File; else the network's name and .onnx, .c, .safetensors."),
    F_INT(S, verify, .dflt = "8", .min = 1, .max = EXPORT_PICTURES_MAX,
          .help = "Pictures that the export is run on."),
    F_BOOL(S, pixels,
           .help = "Its input is pixels, 0 to 255: the normalisation becomes part of the network."),
    FIELD_END};
#undef S

struct export
{
    struct cli *c;
    const struct export_flags *f;
    const char *weights, *downloaded; /* downloaded: removed at the end; NULL: the user's own */
    const char *network;              /* of the job; NULL: none */
    struct picture_files files;
    VEC(str) pictures;
    size_t picture_bytes;
    struct arena bytes;
};

/* ---- weights */

static enum rc to_file(void *ud, const void *p, size_t n, struct err *e)
{
    return os_write_all(*(int *)ud, p, n, e);
}

static enum rc download(struct export *x, const char *url, struct err *e)
{
    const char *folder = getenv("TMPDIR");
    struct client_call call = {.method = HTTP_GET, .url = url, .timeout_ms = -1, .sink = to_file};
    struct client_reply reply = {0};
    char id[OS_ID_TEXT];
    int fd = -1;
    enum rc rc;

    os_id(id);
    const char *path =
        arena_printf(x->c->a, "%s/anneal-weights-%s", folder && *folder ? folder : "/tmp", id);
    if (!path)
        return cli_nomem(e);
    rc = os_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, e);
    if (rc)
        return rc;
    x->weights = x->downloaded = path;
    call.sink_ud = &fd;
    rc = client_do(&call, &reply, e);
    os_close(fd);
    if (!rc && reply.status != 200)
        rc = err_set(e, RC_UPSTREAM, "the store answered %d for the weights", reply.status);
    return rc ? err_wrap(e, rc, "fetching the weights") : RC_OK;
}

static enum rc fetch_weights(struct export *x, const struct json **ret_job, struct err *e)
{
    struct cli *c = x->c;
    const struct json *checkpoint = NULL;
    const char *id = NULL, *path;
    enum rc rc = job_id_of(c, x->f->job, &id, e);

    if (!rc)
        rc = job_get_json(c, id, ret_job, e);
    if (rc)
        return rc;
    path = arena_printf(c->a, "%s/%s", cli_path(c->a, "/training/jobs/%s/checkpoints", id),
                        cli_url_text(c->a, x->f->checkpoint));
    rc = path ? cli_call(c, c->a, HTTP_GET, path, NULL, &checkpoint, e) : cli_nomem(e);
    if (!rc)
        rc = download(x, text_in(c, checkpoint, "weights_url"), e);
    if (!rc)
        rc = model_check_file(x->weights, json_str(checkpoint, "weights_sha256", STR("")), e);
    x->network = text_in(c, *ret_job, "model");
    return rc;
}

/* ---- pictures */

static enum rc add_picture(struct export *x, str bytes, struct err *e)
{
    x->picture_bytes += bytes.n;
    if (x->picture_bytes > PICTURES_BYTES_MAX)
        return err_set(e, RC_TOO_LARGE, "the pictures of the comparison have more than %d bytes",
                       PICTURES_BYTES_MAX);
    return VEC_PUSH(&x->pictures, bytes) ? RC_OK : cli_nomem(e);
}

static enum rc read_files(struct export *x, struct err *e)
{
    enum rc rc = cli_pictures(x->c, &x->files, e);

    for (size_t i = 0; i < x->files.n && i < (size_t)x->f->verify && !rc; i++) {
        str bytes;
        rc = os_read_file(&x->bytes, x->files.p[i], PICTURE_BYTES_MAX, &bytes, e);
        if (!rc)
            rc = add_picture(x, bytes, e);
    }
    return rc;
}

static enum rc fetch_picture(struct export *x, const char *path, struct err *e)
{
    struct client_call call = {.method = HTTP_GET, .timeout_ms = 60000};
    struct client_reply reply;
    struct buf b;
    str bytes = STR_NONE;

    buf_init(&b, PICTURE_BYTES_MAX);
    call.reply = &b;
    enum rc rc = cli_do(x->c, &call, path, NULL, &reply, e);
    if (!rc && reply.status >= 300)
        rc = cli_problem(x->c->a, reply.status, buf_view(&b), e);
    if (!rc) {
        bytes = arena_str(&x->bytes, buf_view(&b));
        rc = bytes.p ? add_picture(x, bytes, e) : cli_nomem(e);
    }
    buf_done(&b);
    return rc ? err_wrap(e, rc, "a picture of the dataset") : RC_OK;
}

/* Of the job's own dataset: of the validation split, or where that is empty of any. */
static enum rc fetch_pictures(struct export *x, const struct json *job, struct err *e)
{
    static const char *const splits[] = {"val", "test", "train"};
    struct cli *c = x->c;
    const char *images = cli_path(c->a, "/datasets/%s/versions/%s/images",
                                  text_in(c, job, "dataset"), text_in(c, job, "dataset_version"));
    enum rc rc = RC_OK;

    for (size_t i = 0; i < sizeof splits / sizeof *splits && !x->pictures.n && !rc; i++) {
        const struct json *page = NULL;
        const char *path = arena_printf(c->a, "%s?split=%s&limit=%lld", images, splits[i],
                                        (long long)(x->f->verify < 200 ? x->f->verify : 200));
        rc = path ? cli_call(c, c->a, HTTP_GET, path, NULL, &page, e) : cli_nomem(e);
        if (rc)
            break;
        JSON_EACH(image, json_get(page, "images"))
            if (!rc)
                rc = fetch_picture(x, text_in(c, image, "url"), e);
    }
    return rc;
}

/* ---- telling */

static void tell_json(struct export *x, const struct export_order *o, const struct export_report *r)
{
    struct buf b;
    struct jw w;

    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kcstr(&w, "format", export_format_names[o->format]);
    jw_kcstr(&w, "file", o->out);
    jw_kint(&w, "bytes", r->file.bytes);
    jw_kcstr(&w, "sha256", r->file.sha256);
    if (r->header.bytes) {
        jw_kcstr(&w, "header", r->header_path);
        jw_kcstr(&w, "header_sha256", r->header.sha256);
    }
    jw_kcstr(&w, "model", r->network);
    jw_kcstr(&w, "task", r->task);
    jw_kint(&w, "image_size", r->image_size);
    jw_kint(&w, "classes", (int64_t)r->classes);
    jw_kcstr(&w, "input", o->pixels ? "pixels" : "normalised");
    jw_kcstr(&w, "verified_by", r->verified_by);
    jw_kint(&w, "pictures", (int64_t)r->pictures);
    jw_kbool(&w, "pictures_generated", r->generated);
    jw_knum(&w, "max_difference", r->difference);
    jw_knum(&w, "allowed_difference", EXPORT_DIFFERENCE_MAX);
    jw_obj_end(&w);
    cli_json_buf(x->c, &b);
}

static void tell(struct export *x, const struct export_order *o, const struct export_report *r)
{
    static const char *const by[][2] = {{"interpreter", "read back and run"},
                                        {"compiler", "compiled with cc and run"},
                                        {"engine", "read back and run"}};
    struct cli *c = x->c;
    const char *how = "run";

    for (size_t i = 0; i < sizeof by / sizeof *by; i++)
        if (strcmp(r->verified_by, by[i][0]) == 0)
            how = by[i][1];
    cli_say(c, "%s%s%s  %s, %s\n", cli_style(c, STYLE_BOLD), o->out, cli_style(c, STYLE_NONE),
            r->network, cli_bytes(c->a, (double)r->file.bytes));
    if (r->header.bytes)
        cli_say(c, "%s\n", r->header_path);
    cli_say(c, "  sha256   %s\n", r->file.sha256);
    cli_say(c, "  verified %s on %zu %spictures: largest difference %.2g (allowed %.0g)\n", how,
            r->pictures, r->generated ? "generated " : "", r->difference, EXPORT_DIFFERENCE_MAX);
    if (o->format == EXPORT_C && strcmp(r->verified_by, "compiler") != 0)
        cli_note(c, "there is no cc on this machine: the operators were run, not the C file\n");
    if (r->generated)
        cli_note(c, "no pictures were given: name some, or a folder, to verify on real ones\n");
    tell_json(x, o, r);
}

/* ---- the whole */

static enum rc export_it(struct export *x, struct err *e)
{
    const struct export_flags *f = x->f;
    struct export_report report;
    struct export_order o = {.format = (enum export_format)f->format,
                             .weights = x->weights,
                             .pixels = f->pixels,
                             .pictures = x->pictures.p,
                             .pictures_n = x->pictures.n};
    char name[64];

    (void)snprintf(name, sizeof name, "%s", x->network ? x->network : "model");
    for (char *s = name; *s && o.format == EXPORT_C; s++) /* also the name of C functions */
        if (*s == '-')
            *s = '_';
    o.out = f->out.n ? arena_cstr(x->c->a, f->out)
                     : arena_printf(x->c->a, "%s%s", name, export_format_ending[f->format]);
    if (!o.out)
        return cli_nomem(e);
    enum rc rc = export_file(&o, &report, e);
    if (!rc)
        tell(x, &o, &report);
    return rc;
}

static enum rc run_export(struct cli *c, struct err *e)
{
    struct export x = {.c = c, .f = c->flags};
    const struct json *job = NULL;
    enum rc rc = RC_OK;

    if (!x.f->job.n == !x.f->weights.n)
        return cli_misuse(c, e, "one of --job JOB and --weights FILE is needed");
    arena_init(&x.bytes, (size_t)PICTURES_BYTES_MAX + (64 << 20));
    if (x.f->weights.n)
        x.weights = arena_cstr(c->a, x.f->weights);
    else
        rc = fetch_weights(&x, &job, e);
    if (!rc && !x.weights)
        rc = cli_nomem(e);
    if (!rc && c->args_n)
        rc = read_files(&x, e);
    else if (!rc && job)
        rc = fetch_pictures(&x, job, e);
    if (!rc)
        rc = export_it(&x, e);
    if (x.downloaded)
        (void)os_sys.unlink(x.downloaded);
    VEC_DONE(&x.pictures);
    VEC_DONE(&x.files);
    arena_done(&x.bytes);
    return rc;
}

static const struct verb verbs[] = {
    {.name = "",
     .args = "PICTURE...",
     .args_min = 0,
     .args_max = -1,
     .flags = export_fields,
     .flags_size = sizeof(struct export_flags),
     .summary = "Write a trained model as ONNX, as a C file or as safetensors.",
     .help =
         "The file is run before it gets its name: ONNX by an interpreter, C by compiling it with\n"
         "cc, on the pictures that are named, else on pictures of the job's dataset.  An output\n"
         "that differs from the checkpoint's by more than 1e-4 (of numbers above 1: relative;\n"
         "boxes: of the picture's side) fails, and nothing is written.  ONNX has opset 17, a free\n"
         "batch, and metadata that say how to prepare pictures; detectors give decoded boxes,\n"
         "before non-maximum suppression.\n"
         "A C file needs nothing but libm: NAME_run(const float *in, float *out), no heap.\n",
     .examples = "  anneal export --job JOB                      # resnet18.onnx\n"
                 "  anneal export --job last --format c --out net.c\n"
                 "  anneal export --weights best.safetensors --out net.onnx photos/ --json\n",
     .run = run_export},
    {.name = NULL}};
const struct command export_command = {"export",
                                       "--job JOB [--format onnx|c|safetensors]",
                                       "Write a model for other programs.",
                                       "",
                                       NULL,
                                       verbs};
