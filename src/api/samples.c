/* samples.c - sample data as a dataset, for a first look without pictures of one's own.
 *
 * The pictures of `anneal sample` (lab/vision/sample.h), drawn into an archive in scratch space and
 * imported as if somebody had uploaded it: the same name adds a version.  Drawing holds a worker
 * for seconds, so one is drawn at a time. */
#include "api/datasets.h"
#include "base/log.h"
#include "lab/vision/sample.h"
#include "os/os.h"
#include "spec/config.h"

#include <fcntl.h>
#include <stdatomic.h>

enum { COUNT_MAX = 5000, SIDE_MAX = 960 };

struct sample_body {
    int kind;
    str name, project;
    int64_t count, size, seed;
};
#define S struct sample_body
static const struct field sample_body_fields[] = {
    F_ENUM(S, kind, sample_kind_names, .flags = FIELD_REQUIRED,
           .help = "Letters to classify, objects to detect, receipts to read."),
    F_STR(S, name, .max = DATASET_NAME_MAX, .help = "Name of the dataset; else the kind's."),
    F_STR(S, project, .max = 200, .help = "Project by id or name; default for the default one."),
    F_INT(S, count, .min = 0, .max = COUNT_MAX,
          .help = "Pictures in all; 0: 3600 glyphs, 500 shapes, 200 receipts."),
    F_INT(S, size, .min = 0, .max = SIDE_MAX,
          .help = "Pixels of a side, of a receipt the longer one; 0: 32, 320, 960."),
    F_INT(S, seed, .min = 0, .max = 9007199254740991.0, .dflt = "1",
          .help = "The same seed draws the same pictures."),
    FIELD_END};
#undef S

static enum rc pull_file(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e)
{
    return os_read(*(int *)ud, p, cap, ret_n, e);
}

static enum rc draw_and_import(struct ctx *c, const struct sample_body *b, const char *dir,
                               struct err *e)
{
    struct sample_spec spec = {.kind = (enum sample_kind)b->kind,
                               .zip = true,
                               .count = b->count,
                               .size = b->size,
                               .seed = b->seed,
                               .dir = arena_printf(c->a, "%s/sample.zip", dir)};
    struct upload_query q = {.name = b->name.n ? b->name : str_of(sample_kind_names[b->kind]),
                             .project = b->project,
                             .seed = 42};
    struct sample_done done;
    int fd = -1;
    enum rc rc = spec.dir ? os_remove_tree(dir, e) : err_set(e, RC_NOMEM, "out of memory");

    if (!rc)
        rc = os_mkdirs(dir, 0700, e);
    if (!rc)
        rc = sample_make(&spec, NULL, NULL, &done, e);
    if (!rc)
        rc = os_open(spec.dir, O_RDONLY | O_CLOEXEC, 0, &fd, e);
    if (!rc)
        rc = upload_pulled(c, &q, pull_file, &fd, done.bytes, e);
    os_close(fd);
    return rc;
}

static enum rc post_sample(struct ctx *c, struct err *e)
{
    static atomic_flag drawing = ATOMIC_FLAG_INIT;
    const char *dir = arena_printf(c->a, "%s/samples", config_str(c->app->config, "data"));
    struct err later = {0};

    if (!dir)
        return err_set(e, RC_NOMEM, "out of memory");
    if (atomic_flag_test_and_set(&drawing))
        return err_set(e, RC_LIMIT, "other sample data is being drawn; try again in a few seconds");
    enum rc rc = draw_and_import(c, c->body, dir, e);
    if (os_remove_tree(dir, &later))
        log_warn("%s", later.text);
    atomic_flag_clear(&drawing);
    return rc;
}

extern const struct route sample_routes[];
const struct route sample_routes[] = {
    {HTTP_POST, "/datasets/sample", ACCESS_ENGINEER, "datasets:write", .body = sample_body_fields,
     .body_size = sizeof(struct sample_body), .tag = "Datasets",
     .summary = "Draw sample data and import it: letters, shapes or receipts.",
     .help = "202 as for /datasets/upload; follow /datasets/imports/{import}.",
     .fn = post_sample},
    ROUTE_END};
