/* cli_dataset.c - `anneal dataset`: import, list, show, faults, versions, diff, split, delete. */
#include "bin/cli_dataset.h"

#include "flow/dataset/split.h"

#include <stdio.h>
#include <string.h>

#define S struct import_flags
#define SPLIT_FIELDS                                                                               \
    F_STR(S, split, .max = 60,                                                                     \
          .help =                                                                                  \
              "auto, given (as the data say), or shares of train, val and test: 0.8,0.1,0.1."),    \
        F_INT(S, seed, .dflt = "42", .min = 0, .max = 9007199254740991.0,                          \
              .help = "Of a split by shares: the same seed gives the same split.")
static const struct field import_fields[] = {
    F_STR(S, name, .flags = FIELD_REQUIRED, .min = 1, .max = 200,
          .help = "Name of the dataset: a new one, or one that gets a further version."),
    F_STR(S, project, .max = 200, .help = "Project, by name or id; else the default one."),
    SPLIT_FIELDS, FIELD_END};
static const struct field split_fields[] = {SPLIT_FIELDS, FIELD_END};
#undef S

struct list_flags {
    str project, q;
};
static const struct field list_fields[] = {
    F_STR(struct list_flags, project, .max = 200, .help = "Only of this project, by id."),
    F_STR(struct list_flags, q, .max = 200, .help = "Only those with this in their name."),
    FIELD_END};

struct fault_flags {
    str code, version;
    int64_t limit;
};
static const struct field fault_fields[] = {
    F_STR(struct fault_flags, code, .max = 64, .help = "Only of this code, e.g. corrupt_image."),
    F_STR(struct fault_flags, version, .dflt = "\"latest\"", .max = 64,
          .help = "Number or hash of the version."),
    F_INT(struct fault_flags, limit, .dflt = "100", .min = 1, .max = 200, .help = "So many."),
    FIELD_END};

struct diff_flags {
    str from, to;
};
static const struct field diff_fields[] = {
    F_STR(struct diff_flags, from, .flags = FIELD_REQUIRED, .min = 1, .max = 64,
          .help = "Number or hash of the version before."),
    F_STR(struct diff_flags, to, .dflt = "\"latest\"", .max = 64,
          .help = "Number or hash of the version after."),
    FIELD_END};

struct delete_flags {
    bool yes;
};
static const struct field delete_fields[] = {F_BOOL(struct delete_flags, yes, .help = "Do it."),
                                             FIELD_END};

static const char *arg(struct cli *c)
{
    const char *s = arena_cstr(c->a, c->args[0]);

    return s ? s : "";
}

static const char *text_of(struct cli *c, const struct json *o, const char *key)
{
    return cli_cstr(c, json_str(o, key, STR("")));
}

static long long number_of(const struct json *o, const char *key)
{
    return (long long)json_int(o, key, 0);
}

/* ---- split */

enum rc write_split(struct jw *w, str text, int64_t seed, struct err *e)
{
    struct split_spec s;
    char plain[64];
    size_t n = text.n < sizeof plain - 1 ? text.n : sizeof plain - 1;
    enum rc rc;

    for (size_t i = 0; i < n; i++) /* 0.8,0.1,0.1 is what a hand types */
        plain[i] = text.p[i] == ',' ? '/' : text.p[i];
    rc = split_spec_read((str){plain, n}, &s, e);
    if (rc)
        return rc;
    s.seed = seed;
    jw_key(w, "split");
    field_write(split_spec_fields, &s, w);
    return RC_OK;
}

static enum rc run_split(struct cli *c, struct err *e)
{
    const struct import_flags *f = c->flags;
    const struct json *im = NULL;
    struct split_spec s;
    struct buf b;
    struct jw w;
    char plain[64];
    size_t n = f->split.n < sizeof plain - 1 ? f->split.n : sizeof plain - 1;
    enum rc rc;

    for (size_t i = 0; i < n; i++)
        plain[i] = f->split.p[i] == ',' ? '/' : f->split.p[i];
    rc = split_spec_read((str){plain, n}, &s, e);
    if (rc)
        return rc;
    s.seed = f->seed;
    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    field_write(split_spec_fields, &s, &w);
    rc = cli_call(c, c->a, HTTP_POST, cli_path(c->a, "/datasets/%s/versions/latest/split", arg(c)),
                  &b, &im, e);
    buf_done(&b);
    if (!rc)
        rc = wait_import(c, text_of(c, im, "import"), &im, e);
    return rc ? rc : tell_import(c, im, e);
}

/* ---- faults */

static bool is_advice(const struct json *fault)
{
    return str_is(json_str(fault, "severity", STR("")), "info");
}

static void say_fault(struct cli *c, const struct json *f)
{
    str severity = json_str(f, "severity", STR("")), file = json_str(f, "file", STR(""));
    str action = json_str(f, "action", STR(""));
    bool did = action.n && !str_is(action, "nothing");
    long long line = number_of(f, "line");
    char place[1200];

    if (line)
        snprintf(place, sizeof place, "%s:%lld", cli_cstr(c, file), line);
    else
        snprintf(place, sizeof place, "%s", file.n ? cli_cstr(c, file) : "(dataset)");
    cli_say(c, "  %s: %s%s%s: %s%s%s\n", place,
            cli_style(c, str_is(severity, "error") ? STYLE_BAD : STYLE_DIM), text_of(c, f, "code"),
            cli_style(c, STYLE_NONE), text_of(c, f, "message"), did ? "; " : "",
            did ? cli_cstr(c, action) : "");
}

static void say_counts(struct cli *c, const struct json *version)
{
    const struct json *counts = json_get(json_get(version, "stats"), "fault_counts");
    const char *comma = " ";

    cli_say(c, "  faults:");
    JSON_EACH(m, counts) {
        cli_say(c, "%s%s %lld", comma, cli_cstr(c, m->key),
                (long long)(m->type == JSON_INT ? m->i : 0));
        comma = ", ";
    }
    cli_say(c, "\n");
}

enum rc show_faults(struct cli *c, const char *name, const char *dataset, const char *version,
                    const char *code, int limit, struct err *e)
{
    int advice = 0, advice_max = limit == FAULTS_SHOWN ? 3 : limit;
    const struct json *v = NULL, *page = NULL, *list;
    const char *path =
        arena_printf(c->a, "%s?limit=%d&code=%s",
                     cli_path(c->a, "/datasets/%s/versions/%s/faults", dataset, version), limit,
                     cli_url_text(c->a, str_of(code)));
    enum rc rc = path ? cli_call(c, c->a, HTTP_GET, path, NULL, &page, e) : cli_nomem(e);

    if (!rc)
        rc = cli_call(c, c->a, HTTP_GET,
                      cli_path(c->a, "/datasets/%s/versions/%s", dataset, version), NULL, &v, e);
    if (rc)
        return rc;
    list = json_get(page, "faults");
    if (number_of(page, "total"))
        say_counts(c, v);
    else
        cli_say(c, "  no faults\n");
    JSON_EACH(f, list) {
        if (!is_advice(f) || ++advice <= advice_max)
            say_fault(c, f);
    }
    if (json_str(page, "next", STR_NONE).n || advice > advice_max)
        cli_say(c, "  .. and more: anneal dataset faults %s --limit 200\n", name);
    cli_json_text(c, page->raw);
    return RC_OK;
}

static enum rc run_faults(struct cli *c, struct err *e)
{
    const struct fault_flags *f = c->flags;

    return show_faults(c, arg(c), arg(c), cli_cstr(c, f->version), cli_cstr(c, f->code),
                       (int)f->limit, e);
}

/* ---- list, show, versions, delete */

static enum rc run_list(struct cli *c, struct err *e)
{
    static const char *const heads[] = {"NAME",      "TASK",  ">IMAGES", ">CLASSES", ">FAULTS",
                                        ">VERSIONS", ">SIZE", "UPDATED", NULL};
    const struct list_flags *f = c->flags;
    const struct json *page = NULL;
    struct table t;
    str cursor = STR("");
    struct buf all;
    struct jw w;
    enum rc rc = RC_OK;

    buf_init(&all, CLI_REPLY_MAX);
    jw_init(&w, &all);
    jw_obj(&w);
    jw_karr(&w, "datasets");
    table_init(&t, c, heads);
    do {
        const char *path = arena_printf(c->a, "/datasets?limit=200&q=%s&project=%s&cursor=%s",
                                        cli_url_text(c->a, f->q), cli_url_text(c->a, f->project),
                                        cli_url_text(c->a, cursor));

        rc = path ? cli_call(c, c->a, HTTP_GET, path, NULL, &page, e) : cli_nomem(e);
        if (rc)
            break;
        JSON_EACH(d, json_get(page, "datasets")) {
            jw_raw(&w, d->raw);
            table_cell(&t, "%s", text_of(c, d, "name"));
            table_cell(&t, "%s", text_of(c, d, "task"));
            table_cell(&t, "%lld", number_of(d, "images"));
            table_cell(&t, "%lld", number_of(d, "classes"));
            table_cell(&t, "%lld", number_of(d, "faults"));
            table_cell(&t, "%lld", number_of(d, "versions"));
            table_cell(&t, "%s", cli_bytes(c->a, (double)number_of(d, "bytes")));
            table_cell(&t, "%s", cli_when(c->a, json_str(d, "updated_at", STR(""))));
        }
        cursor = json_str(page, "next", STR(""));
    } while (cursor.n);
    jw_arr_end(&w);
    jw_obj_end(&w);
    if (!rc) {
        table_print(&t, "there are no datasets; anneal dataset import PATH --name NAME");
        cli_json_text(c, buf_view(&all));
    }
    VEC_DONE(&t.cells);
    buf_done(&all);
    return rc;
}

static void say_classes(struct cli *c, const struct json *stats)
{
    static const char *const heads[] = {"CLASS", ">IMAGES", ">TRAIN", ">VAL", ">TEST", NULL};
    struct table t;

    table_init(&t, c, heads);
    JSON_EACH(k, json_get(stats, "classes")) {
        table_cell(&t, "%s", text_of(c, k, "name"));
        table_cell(&t, "%lld", number_of(k, "images"));
        table_cell(&t, "%lld", number_of(k, "train"));
        table_cell(&t, "%lld", number_of(k, "val"));
        table_cell(&t, "%lld", number_of(k, "test"));
    }
    table_print(&t, "no classes");
}

static enum rc run_show(struct cli *c, struct err *e)
{
    const struct json *d = NULL, *v = NULL;
    struct buf b;
    struct jw w;
    enum rc rc = cli_call(c, c->a, HTTP_GET, cli_path(c->a, "/datasets/%s", arg(c)), NULL, &d, e);

    if (!rc && json_str(d, "version", STR_NONE).n)
        rc = cli_call(c, c->a, HTTP_GET, cli_path(c->a, "/datasets/%s/versions/latest", arg(c)),
                      NULL, &v, e);
    if (rc)
        return rc;
    cli_say(c, "%s%s%s  %s\n", cli_style(c, STYLE_BOLD), text_of(c, d, "name"),
            cli_style(c, STYLE_NONE), text_of(c, d, "description"));
    cli_say(c, "  id       %s\n  versions %lld\n", text_of(c, d, "id"), number_of(d, "versions"));
    if (v) {
        cli_say(c, "  newest   %s\n  format   %s, %s\n  pictures %lld in %s, %lld faults\n",
                text_of(c, v, "version"), text_of(c, v, "format"), text_of(c, v, "task"),
                number_of(v, "images"), cli_bytes(c->a, (double)number_of(v, "bytes")),
                number_of(v, "faults"));
        cli_say(c, "  split    train %lld, val %lld, test %lld, none %lld\n\n",
                number_of(v, "train"), number_of(v, "val"), number_of(v, "test"),
                number_of(v, "none"));
        say_classes(c, json_get(v, "stats"));
    }
    buf_init(&b, CLI_REPLY_MAX);
    jw_init(&w, &b);
    jw_obj(&w);
    JSON_EACH(m, d) {
        jw_key_str(&w, m->key);
        jw_raw(&w, m->raw);
    }
    jw_key(&w, "newest");
    jw_raw(&w, v ? v->raw : STR("null"));
    jw_obj_end(&w);
    cli_json_buf(c, &b);
    return RC_OK;
}

static enum rc run_versions(struct cli *c, struct err *e)
{
    static const char *const heads[] = {">NO",   "VERSION", ">IMAGES", ">TRAIN", ">VAL",
                                        ">TEST", ">FAULTS", "MADE",    NULL};
    const struct json *page = NULL;
    struct table t;
    enum rc rc = cli_call(c, c->a, HTTP_GET, cli_path(c->a, "/datasets/%s/versions", arg(c)), NULL,
                          &page, e);

    if (rc)
        return rc;
    table_init(&t, c, heads);
    JSON_EACH(v, json_get(page, "versions")) {
        table_cell(&t, "%lld", number_of(v, "number"));
        table_cell(&t, "%.12s", text_of(c, v, "version"));
        table_cell(&t, "%lld", number_of(v, "images"));
        table_cell(&t, "%lld", number_of(v, "train"));
        table_cell(&t, "%lld", number_of(v, "val"));
        table_cell(&t, "%lld", number_of(v, "test"));
        table_cell(&t, "%lld", number_of(v, "faults"));
        table_cell(&t, "%s", cli_when(c->a, json_str(v, "created_at", STR(""))));
    }
    table_print(&t, "no versions");
    cli_json_text(c, page->raw);
    return RC_OK;
}

static enum rc run_diff(struct cli *c, struct err *e)
{
    static const char *const heads[] = {"DIFFERENCE", ">IMAGES", "FIRST", NULL};
    static const char *const kinds[] = {"added", "removed", "changed", "relabelled", "moved"};
    const struct diff_flags *f = c->flags;
    const struct json *d = NULL;
    struct table t;
    enum rc rc = cli_call(c, c->a, HTTP_GET,
                          cli_path(c->a, "/datasets/%s/versions/%s/diff/%s", arg(c),
                                   cli_cstr(c, f->from), cli_cstr(c, f->to)),
                          NULL, &d, e);

    if (rc)
        return rc;
    table_init(&t, c, heads);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct json *kind = json_get(d, kinds[i]), *first = json_get(kind, "first");
        str name = first && first->list.first ? first->list.first->s : STR("");
        table_cell(&t, "%s", kinds[i]);
        table_cell(&t, "%lld", number_of(kind, "count"));
        table_cell(&t, "%s", cli_cstr(c, name));
    }
    table_print(&t, "no difference");
    cli_json_text(c, d->raw);
    return RC_OK;
}

static enum rc run_delete(struct cli *c, struct err *e)
{
    const struct delete_flags *f = c->flags;
    const struct json *d = NULL;
    struct buf b;
    struct jw w;
    enum rc rc;

    if (!f->yes)
        return cli_misuse(c, e, "this deletes the dataset '%s' with all its versions; add --yes",
                          arg(c));
    rc = cli_call(c, c->a, HTTP_GET, cli_path(c->a, "/datasets/%s", arg(c)), NULL, &d, e);
    if (!rc)
        rc = cli_call(c, c->a, HTTP_DELETE, cli_path(c->a, "/datasets/%s", text_of(c, d, "id")),
                      NULL, NULL, e);
    if (rc)
        return rc;
    cli_say(c, "deleted %s\n", text_of(c, d, "name"));
    buf_init(&b, 1 << 16);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kstr(&w, "dataset", json_str(d, "name", STR("")));
    jw_kbool(&w, "deleted", true);
    jw_obj_end(&w);
    cli_json_buf(c, &b);
    return RC_OK;
}

#define FLAGS(f, s) .flags = f, .flags_size = sizeof(struct s)
#define ONE(what)   .args = what, .args_min = 1, .args_max = 1
static const struct verb verbs[] = {
    {.name = "import",
     ONE("PATH"),
     FLAGS(import_fields, import_flags),
     .summary = "Upload a zip, a tar or a folder, check every picture, make a version.",
     .help =
         "Image folders, YOLO, COCO, Pascal VOC and ICDAR are recognised by content.  A folder is\n"
         "packed while it is sent.  Large uploads go in parts and survive a broken connection.\n"
         "Faults are reported by file and line; they do not stop the import.\n",
     .examples = "  anneal dataset import pictures.zip --name flowers\n"
                 "  anneal dataset import ./pictures --name flowers --split 0.8,0.1,0.1 --seed 7\n",
     .run = run_import},
    {.name = "list",
     .args = "",
     FLAGS(list_fields, list_flags),
     .summary = "List the datasets.",
     .examples = "  anneal dataset list\n  anneal dataset list --q flow --json\n",
     .run = run_list},
    {.name = "show",
     ONE("NAME"),
     .summary = "Show a dataset, its newest version and its classes.",
     .examples = "  anneal dataset show flowers\n",
     .run = run_show},
    {.name = "faults",
     ONE("NAME"),
     FLAGS(fault_fields, fault_flags),
     .summary = "List what is wrong in the data, by file and line.",
     .examples = "  anneal dataset faults flowers --code corrupt_image\n",
     .run = run_faults},
    {.name = "versions",
     ONE("NAME"),
     .summary = "List the versions of a dataset.",
     .examples = "  anneal dataset versions flowers\n",
     .run = run_versions},
    {.name = "diff",
     ONE("NAME"),
     FLAGS(diff_fields, diff_flags),
     .summary = "Compare two versions of a dataset, picture by picture.",
     .examples = "  anneal dataset diff flowers --from 1 --to 3\n",
     .run = run_diff},
    {.name = "split",
     ONE("NAME"),
     FLAGS(split_fields, import_flags),
     .summary = "Make a version with another split; no picture is copied.",
     .examples = "  anneal dataset split flowers --split 0.7,0.2,0.1 --seed 3\n",
     .run = run_split},
    {.name = "delete",
     ONE("NAME"),
     FLAGS(delete_fields, delete_flags),
     .summary = "Delete a dataset with all its versions.",
     .examples = "  anneal dataset delete flowers --yes\n",
     .run = run_delete},
    {.name = NULL}};
const struct command dataset_command = {"dataset",
                                        "import|list|show|faults|versions|diff|split|delete",
                                        "Import pictures and look at what came of it.",
                                        "",
                                        NULL,
                                        verbs};
