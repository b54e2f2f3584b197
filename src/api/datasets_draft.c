/* datasets_draft.c - labelling: the draft of a dataset, its pictures, and the commit that makes a
 * version of it.  Rules stand in flow/dataset/draft.h. */
#include "api/datasets.h"
#include "flow/dataset/draft.h"
#include "flow/dataset/imports.h"

enum { EDITS_MAX = 10000 };

/* The draft of the dataset in {id}; for a change it must be open. */
static enum rc draft_of(struct ctx *c, enum role needed, struct dataset *ret_d, struct draft *ret,
                        struct err *e)
{
    enum rc rc = dataset_of(c, needed, ret_d, e);

    return rc ? rc : draft_get(c->app->db, c->a, ret_d->id, ret, e);
}

static enum rc reply_draft(struct ctx *c, int status, str dataset_id, struct err *e)
{
    struct draft d;
    enum rc rc = draft_get(c->app->db, c->a, dataset_id, &d, e);

    return rc ? rc : reply_fields(c, status, draft_fields, &d, e);
}

static enum rc get_draft(struct ctx *c, struct err *e)
{
    struct dataset d;
    enum rc rc = dataset_of(c, ROLE_VIEWER, &d, e);

    return rc ? rc : reply_draft(c, 200, d.id, e);
}

struct open_body {
    str version, task;
};
#define S struct open_body
static const struct field open_body_fields[] = {
    F_STR(S, version, .max = SHA256_HEX, .help = "The version to change; the newest unless told."),
    F_STR(S, task, .max = 20,
          .help =
              "What is labelled: classification or detection; as the version says unless told."),
    FIELD_END};
#undef S

static enum rc post_draft(struct ctx *c, struct err *e)
{
    const struct open_body *in = c->body;
    struct dataset d;
    struct dataset_version v;
    struct draft draft;
    bool opened = false;
    enum rc rc = dataset_of(c, ROLE_ENGINEER, &d, e);

    if (!rc)
        rc = dataset_version_find(c->app->db, c->a, d.id, in->version, &v, e);
    if (!rc)
        rc = draft_open(c->app->db, c->a, &v, in->task, c->who.user_id, &opened, &draft, e);
    return rc ? rc : reply_fields(c, opened ? 201 : 200, draft_fields, &draft, e);
}

#define S struct class_change
static const struct field class_change_fields[] = {
    F_INT(S, revision, .flags = FIELD_REQUIRED, .min = 1, .max = 1e15,
          .help = "The draft's revision that this changes; 412 if it has another by now."),
    F_STR(S, task, .max = 20, .help = "classification, detection, segmentation or text."),
    F_STRS(S, classes, .flags = FIELD_REQUIRED, .max = DATASET_CLASSES_MAX,
           .help = "All names, in the order of their numbers: renamed in place, new ones last."),
    F_JSON(S, colours, .help = "Object: name of a class to a number of the palette, 0 to 63."),
    FIELD_END};
#undef S

static enum rc put_draft(struct ctx *c, struct err *e)
{
    struct dataset d;
    struct draft draft;
    enum rc rc = draft_of(c, ROLE_ENGINEER, &d, &draft, e);

    if (!rc)
        rc = draft_describe(c->app->db, c->a, &draft, c->body, e);
    return rc ? rc : reply_draft(c, 200, d.id, e);
}

static enum rc delete_draft(struct ctx *c, struct err *e)
{
    struct dataset d;
    struct draft draft;
    enum rc rc = draft_of(c, ROLE_ENGINEER, &d, &draft, e);

    if (!rc)
        rc = draft_discard(c->app->db, &draft, e);
    if (!rc)
        http_reply(c->req, 204, NULL, STR_NONE);
    return rc;
}

struct commit_body {
    str message;
    double val, test;
    int64_t seed;
};
#define S struct commit_body
static const struct field commit_body_fields[] = {
    F_STR(S, message, .max = DRAFT_MESSAGE_MAX, .help = "What the version brings, in words."),
    F_NUM(S, val, .min = 0, .max = 1, .dflt = "0.2",
          .help = "Share of validation among the pictures that get their first labels."),
    F_NUM(S, test, .min = 0, .max = 1, .dflt = "0", .help = "Share of test among them."),
    F_INT(S, seed, .min = 0, .max = 9007199254740991.0, .dflt = "42",
          .help = "The same seed and content give the same split."),
    FIELD_END};
#undef S

static enum rc post_commit(struct ctx *c, struct err *e)
{
    const struct commit_body *in = c->body;
    struct split_spec split = {.method = SPLIT_FILL,
                               .train = 1 - in->val - in->test,
                               .val = in->val,
                               .test = in->test,
                               .seed = in->seed};
    struct dataset d;
    struct draft draft;
    struct import im;
    enum rc rc = draft_of(c, ROLE_ENGINEER, &d, &draft, e);

    if (!rc)
        rc = draft_commit(c->app->db, c->a, &draft, &split, str_trim(in->message), c->who.user_id,
                          &im, e);
    if (rc)
        return rc;
    imports_poke(c->app->imports);
    return reply_import(c, 202, &im, e);
}

/* ---- edits */

struct edits_query {
    str state, cursor;
    int64_t limit;
};
#define S struct edits_query
static const struct field edits_query_fields[] = {
    F_STR(S, state, .max = 10, .help = "edited or suggested; both unless told."),
    F_STR(S, cursor, .max = 1024, .help = "`next` of the page before."),
    F_INT(S, limit, .min = 1, .max = EDITS_MAX, .dflt = "10000", .help = "Rows a page."),
    FIELD_END};
#undef S

static enum rc get_edits(struct ctx *c, struct err *e)
{
    const struct edits_query *in = c->query;
    struct dataset d;
    struct draft draft;
    struct edit_query q = {&draft, in->state, -1, in->limit + 1};
    struct draft_edit *list = NULL;
    struct buf b;
    struct jw w;
    size_t n = 0;
    enum rc rc = draft_of(c, ROLE_VIEWER, &d, &draft, e);

    if (!rc)
        rc = read_after(c, in->cursor, &q.after, e);
    if (!rc)
        rc = draft_edits(c->app->db, c->a, &q, &list, &n, e);
    if (rc)
        return rc;
    bool more = n > (size_t)in->limit;
    n -= more;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_karr(&w, "edits");
    for (size_t i = 0; i < n; i++) {
        jw_obj(&w);
        jw_kint(&w, "index", list[i].index);
        jw_kint(&w, "revision", list[i].revision);
        jw_kstr(&w, "state", list[i].state);
        jw_kint(&w, "label_id", list[i].label);
        jw_obj_end(&w);
    }
    jw_arr_end(&w);
    write_next(c, &w, more, n ? list[n - 1].index : 0);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

/* ---- one picture */

/* The picture of {index} in the draft's base. */
static enum rc picture_of(struct ctx *c, const struct dataset *d, const struct draft *draft,
                          struct dataset_image *ret, struct err *e)
{
    struct dataset_version base;
    int64_t index;
    enum rc rc = dataset_version_find(c->app->db, c->a, d->id, draft->base_version, &base, e);

    if (!rc && !str_i64(c->param[1], &index))
        rc = err_set(e, RC_NOT_FOUND, "a picture's index is a number");
    return rc ? rc : dataset_image_get(c->app->db, c->a, &base, index, ret, e);
}

/* The labels as they stand in the draft; `base` keeps those of the version. */
static enum rc reply_edit(struct ctx *c, const struct dataset *d, const struct draft *draft,
                          struct dataset_image *pic, struct err *e)
{
    const struct json *classes = NULL;
    struct draft_edit edit = {.state = STR("base"), .scores = STR(""), .updated_by_name = STR("")};
    bool found = false;
    struct dataset_image now = *pic;
    struct buf b;
    struct jw w;
    enum rc rc = draft_edit_get(c->app->db, c->a, draft, pic->index, &found, &edit, e);

    if (!rc)
        rc = json_parse(c->a, draft->classes, NULL, &classes, e);
    if (rc)
        return rc;
    if (found && !str_is(edit.state, "reverted")) {
        now.label = edit.label;
        now.shapes = edit.shapes;
    }
    reply_begin(&b, &w);
    jw_obj(&w);
    write_image_members(c, d, classes, &now, &w);
    jw_kint(&w, "revision", edit.revision);
    jw_kstr(&w, "state", str_is(edit.state, "reverted") ? STR("base") : edit.state);
    jw_kraw(&w, "scores", edit.scores.n ? edit.scores : STR("[]"));
    jw_kobj(&w, "base");
    jw_kint(&w, "label_id", pic->label);
    jw_kraw(&w, "shapes", pic->shapes.n ? pic->shapes : STR("{}"));
    jw_obj_end(&w);
    jw_kstr(&w, "updated_by", edit.updated_by_name);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

static enum rc get_edit(struct ctx *c, struct err *e)
{
    struct dataset d;
    struct draft draft;
    struct dataset_image pic;
    enum rc rc = draft_of(c, ROLE_VIEWER, &d, &draft, e);

    if (!rc)
        rc = picture_of(c, &d, &draft, &pic, e);
    return rc ? rc : reply_edit(c, &d, &draft, &pic, e);
}

static const char *const edit_states[] = {"edited", "suggested", NULL};
struct edit_body {
    int64_t revision, label;
    int state;
    str shapes, scores;
};
#define S struct edit_body
static const struct field edit_body_fields[] = {
    F_INT(S, revision, .flags = FIELD_REQUIRED, .min = 0, .max = 1e15,
          .help = "The picture's revision that this replaces, 0 for none; 412 if it has another."),
    F_ENUM(S, state, edit_states, .dflt = "\"edited\"",
           .help = "edited, or suggested: a model's labels that nobody has confirmed."),
    F_INT(S, label, .min = -1, .max = DATASET_CLASSES_MAX, .dflt = "-1",
          .help = "Number of the class; -1: none."),
    F_JSON(S, shapes,
           .help = "{boxes: [[class,x,y,w,h]], polygons: [[class,x1,y1,..]], quads: ..} "
                   "in pixels."),
    F_JSON(S, scores, .help = "suggested: the model's certainty of the label, or of each box."),
    FIELD_END};
#undef S

static enum rc put_edit(struct ctx *c, struct err *e)
{
    const struct edit_body *in = c->body;
    struct dataset d;
    struct draft draft;
    struct dataset_image pic;
    enum rc rc = draft_of(c, ROLE_ENGINEER, &d, &draft, e);

    if (!rc)
        rc = picture_of(c, &d, &draft, &pic, e);
    if (rc)
        return rc;
    struct draft_edit edit = {.index = pic.index,
                              .revision = in->revision,
                              .state = str_of(edit_states[in->state]),
                              .label = in->label,
                              .shapes = in->shapes,
                              .scores = in->state ? in->scores : STR("")};
    rc = draft_edit_check(c->a, &draft, &pic, &edit, e);
    if (!rc)
        rc = draft_edit_put(c->app->db, &draft, &edit, c->who.user_id, e);
    return rc ? rc : reply_edit(c, &d, &draft, &pic, e);
}

struct revert_query {
    int64_t revision;
};
static const struct field revert_query_fields[] = {
    F_INT(struct revert_query, revision, .flags = FIELD_REQUIRED, .min = 1, .max = 1e15,
          .help = "The picture's revision that this takes back; 412 if it has another."),
    FIELD_END};

static enum rc delete_edit(struct ctx *c, struct err *e)
{
    const struct revert_query *in = c->query;
    struct dataset d;
    struct draft draft;
    struct dataset_image pic;
    enum rc rc = draft_of(c, ROLE_ENGINEER, &d, &draft, e);

    if (!rc)
        rc = picture_of(c, &d, &draft, &pic, e);
    if (rc)
        return rc;
    struct draft_edit edit = {.index = pic.index,
                              .revision = in->revision,
                              .state = STR("reverted"),
                              .label = pic.label,
                              .shapes = pic.shapes,
                              .scores = STR("")};
    rc = draft_edit_put(c->app->db, &draft, &edit, c->who.user_id, e);
    return rc ? rc : reply_edit(c, &d, &draft, &pic, e);
}

#define BODY(f, s)  .body = f, .body_size = sizeof(struct s)
#define QUERY(f, s) .query = f, .query_size = sizeof(struct s)
#define READ        ACCESS_VIEWER, "datasets:read"
#define WRITE       ACCESS_ENGINEER, "datasets:write"
extern const struct route draft_routes[];
const struct route draft_routes[] = {
    {HTTP_GET, "/datasets/{id}/draft", READ, .reply = draft_fields, .tag = "Labelling",
     .summary = "The dataset's open draft; 404 if there is none.", .fn = get_draft},
    {HTTP_POST, "/datasets/{id}/draft", WRITE, BODY(open_body_fields, open_body),
     .reply = draft_fields, .tag = "Labelling",
     .summary = "Open a draft on top of a version, or join the one that is open.",
     .fn = post_draft},
    {HTTP_PUT, "/datasets/{id}/draft", WRITE, BODY(class_change_fields, class_change),
     .reply = draft_fields, .tag = "Labelling", .summary = "Change the draft's task or classes.",
     .fn = put_draft},
    {HTTP_DELETE, "/datasets/{id}/draft", WRITE, .tag = "Labelling",
     .summary = "Discard the draft with all its labels.", .fn = delete_draft},
    {HTTP_POST, "/datasets/{id}/draft/commit", WRITE, BODY(commit_body_fields, commit_body),
     .reply = import_fields, .tag = "Labelling",
     .summary = "Make a version of the draft; its import says when it is there.",
     .help = "Suggested labels are left out.  Pictures that have labels for the first time get "
             "their place in a split by ratio; those without stay out.",
     .fn = post_commit},
    {HTTP_GET, "/datasets/{id}/draft/edits", READ, QUERY(edits_query_fields, edits_query),
     .tag = "Labelling", .summary = "Which pictures the draft changes: {edits, next}.",
     .help = "edits: [{index, revision, state, label_id}]; index is that of the base version.",
     .fn = get_edits},
    {HTTP_GET, "/datasets/{id}/draft/images/{index}", READ, .tag = "Labelling",
     .summary = "A picture with its labels as they stand in the draft.",
     .help = "A picture of the base version, and revision, state (base, edited or suggested), "
             "scores, base {label_id, shapes}, updated_by.",
     .fn = get_edit},
    {HTTP_PUT, "/datasets/{id}/draft/images/{index}", WRITE, BODY(edit_body_fields, edit_body),
     .tag = "Labelling", .summary = "Set a picture's labels in the draft.", .unaudited = true,
     .fn = put_edit},
    {HTTP_DELETE, "/datasets/{id}/draft/images/{index}", WRITE,
     QUERY(revert_query_fields, revert_query), .tag = "Labelling",
     .summary = "Take a picture's labels back to those of the base version.", .unaudited = true,
     .fn = delete_edit},
    ROUTE_END};
