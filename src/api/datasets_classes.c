/* datasets_classes.c - other classes for a version: what it would cost, and doing it. */
#include "api/datasets.h"
#include "flow/dataset/draft.h"
#include "flow/dataset/imports.h"
#include "flow/dataset/reclass.h"

struct classes_body {
    struct strs to;
    str message;
};
#define S struct classes_body
#define TO_FIELD                                                                                   \
    F_STRS(S, to, .flags = FIELD_REQUIRED, .max = DATASET_CLASSES_MAX,                             \
           .help = "For each class, in the order of their numbers, its name from now on; \"\": "   \
                   "remove it with its labels.  Classes of one name are merged.")
static const struct field check_body_fields[] = {TO_FIELD, FIELD_END};
static const struct field classes_body_fields[] = {
    TO_FIELD, F_STR(S, message, .max = DRAFT_MESSAGE_MAX, .help = "What it brings, in words."),
    FIELD_END};
#undef S

static enum rc post_check(struct ctx *c, struct err *e)
{
    const struct classes_body *in = c->body;
    struct dataset d;
    struct dataset_version v;
    struct reclass r;
    struct reclass_loss loss;
    struct buf b;
    struct jw w;
    enum rc rc = version_of(c, ROLE_VIEWER, &d, &v, e);

    if (!rc)
        rc = reclass_check(c->app->db, c->a, &v, &in->to, &r, &loss, e);
    if (rc)
        return rc;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_karr(&w, "classes");
    for (size_t i = 0; i < r.names_n; i++)
        jw_str(&w, r.names[i]);
    jw_arr_end(&w);
    jw_kint(&w, "labels", loss.labels);
    jw_kint(&w, "pictures", loss.pictures);
    jw_kint(&w, "emptied", loss.emptied);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

static enum rc post_classes(struct ctx *c, struct err *e)
{
    const struct classes_body *in = c->body;
    struct dataset d;
    struct dataset_version v;
    struct import im;
    enum rc rc = version_of(c, ROLE_ENGINEER, &d, &v, e);

    if (!rc)
        rc = reclass_queue(c->app->db, c->a, &v, &in->to, in->message, c->who.user_id, &im, e);
    if (rc)
        return rc;
    imports_poke(c->app->imports);
    return reply_import(c, 202, &im, e);
}

extern const struct route dataset_classes_routes[];
const struct route dataset_classes_routes[] = {
    {HTTP_POST, "/datasets/{id}/versions/{v}/classes/check", ACCESS_VIEWER, "datasets:read",
     .body = check_body_fields, .body_size = sizeof(struct classes_body), .tag = "Datasets",
     .summary = "What a change of classes costs: {classes, labels, pictures, emptied}.",
     .help = "labels are those of removed classes, pictures had some of them, emptied have none "
             "afterwards.",
     .unaudited = true, .fn = post_check},
    {HTTP_POST, "/datasets/{id}/versions/{v}/classes", ACCESS_ENGINEER, "datasets:write",
     .body = classes_body_fields, .body_size = sizeof(struct classes_body), .reply = import_fields,
     .tag = "Datasets",
     .summary = "Make a version with classes renamed, merged or removed; 409 while a draft is "
                "open.",
     .help = "No picture is copied or left out.  A picture whose class is removed is without a "
             "label and in no split; one whose last object is removed shows nothing.",
     .fn = post_classes},
    ROUTE_END};
