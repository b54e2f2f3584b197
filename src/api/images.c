/* images.c - the pictures of a version: lists with labels, and their bytes. */
#include "api/datasets.h"

enum { IMAGES_MAX = 500, EVERY_MAX = 10000 };

struct images_query {
    str split, class, fault, q, labelled, cursor;
    int64_t limit, from, every;
};
#define S struct images_query
#define FILTER_FIELDS                                                                              \
    F_STR(S, split, .max = 8, .help = "train, val, test or none."),                                \
        F_STR(S, class, .max = 1024, .help = "Only pictures with this class, by name."),           \
        F_STR(S, fault, .max = 64,                                                                 \
              .help = "Only pictures with a fault of this code; any: with a fault."),              \
        F_STR(S, q, .max = 200, .help = "Part of the name."),                                      \
        F_STR(S, labelled, .max = 3, .help = "yes or no: only with or without labels.")
static const struct field anchors_query_fields[] = {FILTER_FIELDS,
                                                    F_INT(S, every, .min = 1, .max = EVERY_MAX,
                                                          .dflt = "100",
                                                          .help = "Pictures from one to the next."),
                                                    FIELD_END};
static const struct field images_query_fields[] = {
    FILTER_FIELDS, F_STR(S, cursor, .max = 1024, .help = "`next` of the page before."),
    F_INT(S, from, .min = 0, .max = 1e15,
          .help = "Without a cursor: the first index that may come."),
    F_INT(S, limit, .min = 1, .max = IMAGES_MAX, .dflt = "60", .help = "Rows a page."), FIELD_END};
#undef S
struct blob_query {
    bool thumb;
};
static const struct field blob_query_fields[] = {
    F_BOOL(struct blob_query, thumb, .help = "A preview of at most 256 pixels a side."), FIELD_END};

static str class_name(const struct json *classes, int64_t id)
{
    JSON_EACH(one, classes) {
        if (id-- == 0)
            return one->s;
    }
    return STR_NONE;
}

static enum rc class_id(const struct json *classes, str name, int64_t *ret, struct err *e)
{
    int64_t i = 0;

    *ret = -1;
    if (!name.n)
        return RC_OK;
    JSON_EACH(one, classes) {
        if (str_eq(one->s, name)) {
            *ret = i;
            return RC_OK;
        }
        i++;
    }
    return err_field(e, RC_INVALID, "class", "the version has no class '%.*s'",
                     STR_F(str_sub(name, 0, 100)));
}

void write_image_members(struct ctx *c, const struct dataset *d, const struct json *classes,
                         const struct dataset_image *i, struct jw *w)
{
    const char *url =
        arena_printf(c->a, "/datasets/%.*s/blobs/%.*s", STR_F(d->id), STR_F(i->sha256));
    str label = i->label >= 0 ? class_name(classes, i->label) : STR_NONE;

    jw_kint(w, "index", i->index);
    jw_kstr(w, "name", i->name);
    jw_kstr(w, "split", i->split);
    jw_kstr(w, "sha256", i->sha256);
    jw_kint(w, "bytes", i->bytes);
    jw_kint(w, "width", i->width);
    jw_kint(w, "height", i->height);
    jw_kstr(w, "type", i->type);
    jw_key(w, "label");
    if (label.p)
        jw_str(w, label);
    else
        jw_null(w);
    jw_kint(w, "label_id", i->label);
    jw_kraw(w, "shapes", i->shapes.n ? i->shapes : STR("{}"));
    jw_kcstr(w, "url", url);
    jw_kcstr(w, "thumb_url", url ? arena_printf(c->a, "%s?thumb=1", url) : NULL);
}

void write_image(struct ctx *c, const struct dataset *d, const struct json *classes,
                 const struct dataset_image *i, struct jw *w)
{
    jw_obj(w);
    write_image_members(c, d, classes, i, w);
    jw_obj_end(w);
}

/* The version and the filter on it; classes are the version's. */
static enum rc read_filter(struct ctx *c, struct dataset *ret_d, struct dataset_version *v,
                           const struct json **ret_classes, struct image_query *ret, struct err *e)
{
    const struct images_query *in = c->query;
    struct image_query q = {.v = v,
                            .split = in->split,
                            .fault = in->fault,
                            .q = in->q,
                            .labelled = in->labelled,
                            .after = in->from - 1,
                            .limit = in->limit + 1};
    enum rc rc = version_of(c, ROLE_VIEWER, ret_d, v, e);

    if (!rc && in->labelled.n && !str_is(in->labelled, "yes") && !str_is(in->labelled, "no"))
        rc = err_field(e, RC_INVALID, "labelled", "labelled is yes or no");
    if (!rc)
        rc = json_parse(c->a, v->classes, NULL, ret_classes, e);
    if (!rc)
        rc = class_id(*ret_classes, in->class, &q.cls, e);
    if (!rc)
        *ret = q;
    return rc;
}

/* A filter's pictures as a list of places, so that a gallery of any size asks only for what it
 * shows. */
static enum rc get_anchors(struct ctx *c, struct err *e)
{
    const struct images_query *in = c->query;
    struct dataset d;
    struct dataset_version v;
    struct image_query q;
    struct image_anchors at = {0};
    const struct json *classes = NULL;
    struct buf b;
    struct jw w;
    enum rc rc = read_filter(c, &d, &v, &classes, &q, e);

    if (!rc)
        rc = dataset_anchors(c->app->db, c->a, &q, in->every, &at, e);
    if (rc)
        return rc;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_kint(&w, "count", at.count);
    jw_kint(&w, "every", in->every);
    jw_karr(&w, "anchors");
    for (size_t i = 0; i < at.n; i++)
        jw_int(&w, at.at[i]);
    jw_arr_end(&w);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

static enum rc get_images(struct ctx *c, struct err *e)
{
    const struct images_query *in = c->query;
    struct dataset d;
    struct dataset_version v;
    struct image_query q;
    struct dataset_image *list = NULL;
    const struct json *classes = NULL;
    struct buf b;
    struct jw w;
    size_t n = 0;
    enum rc rc = read_filter(c, &d, &v, &classes, &q, e);

    if (!rc && in->cursor.n)
        rc = read_after(c, in->cursor, &q.after, e);
    if (!rc)
        rc = dataset_images(c->app->db, c->a, &q, &list, &n, e);
    if (rc)
        return rc;
    bool more = n > (size_t)in->limit;
    n -= more;
    reply_begin(&b, &w);
    jw_obj(&w);
    jw_karr(&w, "images");
    for (size_t i = 0; i < n; i++)
        write_image(c, &d, classes, &list[i], &w);
    jw_arr_end(&w);
    write_next(c, &w, more, n ? list[n - 1].index : 0);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

static enum rc get_image(struct ctx *c, struct err *e)
{
    struct dataset d;
    struct dataset_version v;
    struct dataset_image i;
    const struct json *classes = NULL;
    struct buf b;
    struct jw w;
    int64_t index;
    enum rc rc = version_of(c, ROLE_VIEWER, &d, &v, e);

    if (!rc && !str_i64(c->param[2], &index))
        rc = err_set(e, RC_NOT_FOUND, "a picture's index is a number");
    if (!rc)
        rc = dataset_image_get(c->app->db, c->a, &v, index, &i, e);
    if (!rc)
        rc = json_parse(c->a, v.classes, NULL, &classes, e);
    if (rc)
        return rc;
    reply_begin(&b, &w);
    write_image(c, &d, classes, &i, &w);
    return reply_json(c, 200, &b, e);
}

static enum image_type type_of(str name)
{
    for (int t = 0; t < IMAGE_TYPE_COUNT; t++)
        if (str_is(name, image_type_names[t]))
            return (enum image_type)t;
    return IMAGE_JPEG; /* the loader writes no other */
}

static enum rc get_blob(struct ctx *c, struct err *e)
{
    const struct blob_query *q = c->query;
    struct dataset d;
    struct dataset_image i;
    char sha256[SHA256_HEX + 1] = {0}, key[BLOB_KEY_MAX];
    enum rc rc = dataset_of(c, ROLE_VIEWER, &d, e);

    if (!rc && !is_sha256_hex(c->param[1]))
        rc = err_set(e, RC_NOT_FOUND, "a picture's name is the SHA-256 of its bytes");
    if (!rc)
        rc = dataset_owns_blob(c->app->db, c->a, d.id, c->param[1], &i, e);
    if (rc)
        return rc;
    bool small = q->thumb && (i.width > THUMB_SIDE || i.height > THUMB_SIDE);
    memcpy(sha256, i.sha256.p, SHA256_HEX);
    if (small)
        thumb_key(sha256, key);
    else
        blob_key(sha256, key);
    return reply_immutable(c, str_of(small ? arena_printf(c->a, "t-%s", sha256) : sha256), key,
                           small ? "image/jpeg" : image_media_type(type_of(i.type)),
                           small ? -1 : i.bytes, e);
}

#define READ ACCESS_VIEWER, "datasets:read"
extern const struct route image_routes[];
const struct route image_routes[] = {
    {HTTP_GET, "/datasets/{id}/versions/{v}/images", READ, images_query_fields,
     sizeof(struct images_query), .tag = "Datasets",
     .summary = "Pictures with their labels, in the manifest's order: {images, next}.",
     .help = "shapes holds boxes [class,x,y,w,h], polygons [class,x1,y1,..] and quads "
             "[x1,y1,..,x4,y4,text] in pixels.",
     .fn = get_images},
    {HTTP_GET, "/datasets/{id}/versions/{v}/anchors", READ, anchors_query_fields,
     sizeof(struct images_query), .tag = "Datasets",
     .summary =
         "How many pictures a filter has, and the index of every n-th: {count, every, anchors}.",
     .help = "The pictures from the k-th anchor on: images?from=ANCHOR with the same filter.",
     .fn = get_anchors},
    {HTTP_GET, "/datasets/{id}/versions/{v}/images/{index}", READ, .tag = "Datasets",
     .summary = "One picture with its labels.", .fn = get_image},
    {HTTP_GET, "/datasets/{id}/blobs/{sha256}", READ, blob_query_fields, sizeof(struct blob_query),
     .tag = "Datasets", .summary = "The bytes of a picture of the dataset, or its preview.",
     .fn = get_blob},
    ROUTE_END};
