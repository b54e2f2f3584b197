/* coco.c - see coco.h.
 *
 * An annotation file may name its parts in any order and is often several hundred MB in one line,
 * so it is read as a stream into compact lists, and joined (annotation - image - category) once the
 * whole archive has been seen.  Source: cocodataset.org, "Data format".
 */
#include "flow/dataset/coco.h"

struct coco_image {
    int64_t id;
    str name;
    int32_t width, height, line;
    struct picture *pic; /* found later */
    struct coco_image *next;
};
struct coco_category {
    int64_t id;
    str name;
    int32_t line, cls;
    struct coco_category *next;
};
struct coco_polygon {
    float *xy;
    uint32_t points;
    struct coco_polygon *next;
};
struct coco_note { /* an annotation */
    int64_t id, image, category;
    double box[4];
    bool has_box, has_image, has_category, run_length, bad_polygon;
    int32_t line;
    struct coco_polygon *polygons, **polygons_end;
    struct coco_note *next;
};
struct coco_file {
    str path;
    bool seen_images, seen_categories, seen_notes;
    struct coco_image *images, **images_end;
    struct coco_category *categories, **categories_end;
    struct coco_note *notes, **notes_end;
    size_t category_count;
    char *broken; /* why it could not be read; NULL: it could */
    struct coco_file *next;
};
struct coco {
    struct coco_file *files, **end;
};

struct coco_in {
    struct harvest *p;
    struct coco_file *f;
    struct jr *r;
    jr_fill_fn fill;
    void *ud;
    enum rc fill_rc;
    VEC(float) numbers;
    struct err *e;
};

static enum rc fill_watched(void *ud, void *to, size_t cap, size_t *ret_n, struct err *e)
{
    struct coco_in *in = ud;
    in->fill_rc = in->fill(in->ud, to, cap, ret_n, e);
    return in->fill_rc;
}

/* ---- values */

static enum rc next(struct coco_in *in, enum jr_event *ev)
{
    return jr_next(in->r, ev, in->e);
}

/* Skips the rest of a value whose first event was ev. */
static enum rc skip_from(struct coco_in *in, enum jr_event ev)
{
    unsigned depth = ev == JR_OBJ || ev == JR_ARR;
    enum rc rc = RC_OK;

    while (!rc && depth) {
        rc = next(in, &ev);
        if (ev == JR_OBJ || ev == JR_ARR)
            depth++;
        else if (ev == JR_OBJ_END || ev == JR_ARR_END)
            depth--;
        else if (ev == JR_END)
            break;
    }
    return rc;
}

static enum rc take_int(struct coco_in *in, int64_t *ret, bool *ret_have)
{
    enum jr_event ev;
    enum rc rc = next(in, &ev);

    if (rc)
        return rc;
    if (ev == JR_INT) {
        *ret = jr_int(in->r);
        *ret_have = true;
    }
    return skip_from(in, ev);
}

static enum rc take_side(struct coco_in *in, int32_t *ret)
{
    enum jr_event ev;
    enum rc rc = next(in, &ev);

    if (rc)
        return rc;
    if ((ev == JR_INT || ev == JR_NUM) && jr_num(in->r) > 0 && jr_num(in->r) < 1e6)
        *ret = (int32_t)jr_num(in->r);
    return skip_from(in, ev);
}

static enum rc take_str(struct coco_in *in, str *ret)
{
    enum jr_event ev;
    enum rc rc = next(in, &ev);

    if (rc)
        return rc;
    if (ev == JR_STR) {
        *ret = arena_str(in->p->a, jr_text(in->r));
        if (!ret->p)
            return harvest_nomem(in->p, in->e);
    }
    return skip_from(in, ev);
}

static enum rc take_box(struct coco_in *in, struct coco_note *n)
{
    enum jr_event ev;
    enum rc rc = next(in, &ev);
    int k = 0;

    if (rc || ev != JR_ARR)
        return rc ? rc : skip_from(in, ev);
    while (!(rc = next(in, &ev)) && ev != JR_ARR_END) {
        if ((ev == JR_INT || ev == JR_NUM) && k < 4)
            n->box[k++] = jr_num(in->r);
        else if ((rc = skip_from(in, ev)))
            return rc;
    }
    n->has_box = k == 4;
    return rc;
}

/* Inside the outer array: numbers up to the inner "]". */
static enum rc take_polygon(struct coco_in *in, struct coco_note *n)
{
    enum jr_event ev;
    enum rc rc;

    in->numbers.n = 0;
    while (!(rc = next(in, &ev)) && ev != JR_ARR_END) {
        if (ev != JR_INT && ev != JR_NUM) {
            n->bad_polygon = true;
            if ((rc = skip_from(in, ev)))
                return rc;
        } else if (in->numbers.n < 2 * COCO_POLYGON_POINTS_MAX &&
                   !VEC_PUSH(&in->numbers, (float)jr_num(in->r))) {
            return harvest_nomem(in->p, in->e);
        }
    }
    if (rc)
        return rc;
    if (in->numbers.n < 6 || in->numbers.n % 2) {
        n->bad_polygon = true;
        return RC_OK;
    }
    struct coco_polygon *g = ARENA_NEW(in->p->a, struct coco_polygon);
    if (!g || !(g->xy = ARENA_ARRAY(in->p->a, float, in->numbers.n)))
        return harvest_nomem(in->p, in->e);
    memcpy(g->xy, in->numbers.p, in->numbers.n * sizeof(float));
    g->points = (uint32_t)(in->numbers.n / 2);
    *n->polygons_end = g;
    n->polygons_end = &g->next;
    return RC_OK;
}

static enum rc take_segmentation(struct coco_in *in, struct coco_note *n)
{
    enum jr_event ev;
    enum rc rc = next(in, &ev);

    if (rc)
        return rc;
    n->run_length = ev == JR_OBJ;
    if (ev != JR_ARR)
        return skip_from(in, ev);
    while (!(rc = next(in, &ev)) && ev != JR_ARR_END) {
        if (ev == JR_ARR) {
            rc = take_polygon(in, n);
        } else {
            n->bad_polygon = true;
            rc = skip_from(in, ev);
        }
        if (rc)
            return rc;
    }
    return rc;
}

/* ---- the three lists */

static enum rc image_member(struct coco_in *in, void *to, str key)
{
    struct coco_image *im = to;
    bool have;

    if (str_is(key, "id"))
        return take_int(in, &im->id, &have);
    if (str_is(key, "file_name"))
        return take_str(in, &im->name);
    if (str_is(key, "width"))
        return take_side(in, &im->width);
    if (str_is(key, "height"))
        return take_side(in, &im->height);
    return jr_skip(in->r, in->e);
}

static enum rc category_member(struct coco_in *in, void *to, str key)
{
    struct coco_category *c = to;
    bool have;

    if (str_is(key, "id"))
        return take_int(in, &c->id, &have);
    if (str_is(key, "name"))
        return take_str(in, &c->name);
    return jr_skip(in->r, in->e);
}

static enum rc note_member(struct coco_in *in, void *to, str key)
{
    struct coco_note *n = to;
    bool have;

    if (str_is(key, "id"))
        return take_int(in, &n->id, &have);
    if (str_is(key, "image_id"))
        return take_int(in, &n->image, &n->has_image);
    if (str_is(key, "category_id"))
        return take_int(in, &n->category, &n->has_category);
    if (str_is(key, "bbox"))
        return take_box(in, n);
    if (str_is(key, "segmentation"))
        return take_segmentation(in, n);
    return jr_skip(in->r, in->e);
}

typedef enum rc (*member_fn)(struct coco_in *in, void *to, str key);

static enum rc members(struct coco_in *in, member_fn each, void *to)
{
    enum jr_event ev;
    enum rc rc;

    while (!(rc = next(in, &ev)) && ev == JR_KEY) {
        char key[32];
        str k = jr_text(in->r);
        size_t n = k.n < sizeof key ? k.n : 0; /* the text is gone after the next event */
        memcpy(key, k.p, n);
        if ((rc = each(in, to, (str){key, n})))
            return rc;
    }
    return rc;
}

static enum rc read_image(struct coco_in *in)
{
    struct coco_image *im = ARENA_NEW(in->p->a, struct coco_image);

    if (!im)
        return harvest_nomem(in->p, in->e);
    im->line = jr_line(in->r);
    *in->f->images_end = im;
    in->f->images_end = &im->next;
    return members(in, image_member, im);
}

static enum rc read_category(struct coco_in *in)
{
    struct coco_category *c = ARENA_NEW(in->p->a, struct coco_category);

    if (!c)
        return harvest_nomem(in->p, in->e);
    c->line = jr_line(in->r);
    c->cls = -1;
    *in->f->categories_end = c;
    in->f->categories_end = &c->next;
    if (++in->f->category_count > DATASET_CLASSES_MAX)
        return err_set(in->e, RC_TOO_LARGE, "more than %d categories", DATASET_CLASSES_MAX);
    return members(in, category_member, c);
}

static enum rc read_note(struct coco_in *in)
{
    struct coco_note *n = ARENA_NEW(in->p->a, struct coco_note);

    if (!n)
        return harvest_nomem(in->p, in->e);
    n->line = jr_line(in->r);
    n->polygons_end = &n->polygons;
    *in->f->notes_end = n;
    in->f->notes_end = &n->next;
    return members(in, note_member, n);
}

static enum rc read_list(struct coco_in *in, enum rc (*each)(struct coco_in *in), bool *seen)
{
    enum jr_event ev;
    enum rc rc = next(in, &ev);

    if (rc || ev != JR_ARR)
        return rc ? rc : skip_from(in, ev);
    *seen = true;
    while (!(rc = next(in, &ev)) && ev != JR_ARR_END) {
        rc = ev == JR_OBJ ? each(in) : skip_from(in, ev);
        if (rc)
            return rc;
    }
    return rc;
}

static enum rc top_member(struct coco_in *in, void *to, str key)
{
    (void)to;
    if (str_is(key, "images"))
        return read_list(in, read_image, &in->f->seen_images);
    if (str_is(key, "categories"))
        return read_list(in, read_category, &in->f->seen_categories);
    if (str_is(key, "annotations"))
        return read_list(in, read_note, &in->f->seen_notes);
    return jr_skip(in->r, in->e);
}

static enum rc read_document(struct coco_in *in)
{
    enum jr_event ev;
    enum rc rc = next(in, &ev);

    if (!rc && ev == JR_OBJ)
        rc = members(in, top_member, NULL);
    else if (!rc)
        rc = skip_from(in, ev);
    if (!rc)
        rc = next(in, &ev); /* nothing but blanks may follow */
    return rc;
}

static struct coco_file *new_file(struct harvest *p, str path)
{
    struct coco_file *f = ARENA_NEW(p->a, struct coco_file);

    if (!p->coco && (p->coco = ARENA_NEW(p->a, struct coco)))
        p->coco->end = &p->coco->files;
    if (!f || !p->coco)
        return NULL;
    f->path = path;
    f->images_end = &f->images;
    f->categories_end = &f->categories;
    f->notes_end = &f->notes;
    *p->coco->end = f;
    p->coco->end = &f->next;
    return f;
}

enum rc coco_add_file(struct harvest *p, str path, jr_fill_fn fill, void *ud, struct err *e)
{
    struct err why = {0};
    struct coco_in in = {.p = p, .f = new_file(p, path), .fill = fill, .ud = ud, .e = &why};

    if (!in.f)
        return harvest_nomem(p, e);
    enum rc rc = jr_new(&in.r, COCO_STRING_MAX, fill_watched, &in, e);
    if (rc)
        return rc;
    rc = read_document(&in);
    jr_free(in.r);
    VEC_DONE(&in.numbers);
    if (rc && !in.fill_rc && rc != RC_NOMEM && why.rc != RC_TOO_LARGE) {
        in.f->broken = arena_cstr(p->a, str_of(why.text)); /* told if it turns out to matter */
        return in.f->broken ? RC_OK : harvest_nomem(p, e);
    }
    if (rc && e)
        *e = why;
    return rc;
}

/* ---- joining */

static bool is_coco(const struct coco_file *f)
{
    return f->seen_images && (f->seen_categories || f->broken);
}

bool coco_fits(const struct harvest *p)
{
    for (const struct coco_file *f = p->coco ? p->coco->files : NULL; f; f = f->next)
        if (is_coco(f))
            return true;
    return false;
}

void coco_report_broken(struct harvest *p)
{
    for (const struct coco_file *f = p->coco ? p->coco->files : NULL; f; f = f->next)
        if (f->broken && !is_coco(f))
            faults_add(&p->faults, FAULT_CODE_BAD_FILE, f->path, 0, STR_NONE, "ignored", "%s",
                       f->broken);
}

static str id_key(const int64_t *id)
{
    return (str){(const char *)id, sizeof *id};
}

/* "instances_train2017.json", "train/_annotations.coco.json" */
static enum split split_of_file(str path)
{
    str rest = path_stem(path), one;

    for (size_t i = 0, from = 0; i <= rest.n; i++) {
        if (i < rest.n && !strchr("_-. ", rest.p[i]))
            continue;
        one = str_sub(rest, from, i - from);
        if (split_of_word(one) != SPLIT_NONE)
            return split_of_word(one);
        from = i + 1;
    }
    return split_of_path(path);
}

struct joiner {
    struct harvest *p;
    struct map by_base;  /* base name -> its first picture */
    uint32_t *next_same; /* picture -> the next one of the same base name, + 1; 0 none */
    struct map classes;  /* name -> id + 1 */
    struct err *e;
};

enum { SAME_BASE_MAX = 1000 };

static enum rc index_pictures(struct joiner *j)
{
    struct harvest *p = j->p;
    enum rc rc = RC_OK;

    j->next_same = ARENA_ARRAY(p->a, uint32_t, p->pictures.n + 1);
    if (!j->next_same)
        return harvest_nomem(p, j->e);
    for (size_t i = p->pictures.n; !rc && i-- > 0;) {
        struct picture *same = map_get(&j->by_base, path_base(p->pictures.p[i].path));
        j->next_same[i] = same ? (uint32_t)(same - p->pictures.p) + 1 : 0;
        rc = map_put(&j->by_base, path_base(p->pictures.p[i].path), &p->pictures.p[i], j->e);
    }
    return rc;
}

/* Of the pictures of this base name: the one whose path ends as said, in the file's split. */
static struct picture *find_picture(struct joiner *j, str name, enum split s)
{
    struct picture *pic = map_get(&j->by_base, path_base(name)), *best = NULL;
    int best_score = -1, n = 0;

    while (pic && n++ < SAME_BASE_MAX) {
        bool whole =
            str_eq(pic->path, name) || (pic->path.n > name.n && str_ends(pic->path, name) &&
                                        pic->path.p[pic->path.n - name.n - 1] == '/');
        int score = 2 * whole + (split_of_path(pic->path) == s);
        if (score > best_score) {
            best = pic;
            best_score = score;
        }
        uint32_t k = j->next_same[pic - j->p->pictures.p];
        pic = k ? &j->p->pictures.p[k - 1] : NULL;
    }
    return best;
}

static int by_id(const void *a, const void *b)
{
    const struct coco_category *x = *(struct coco_category *const *)a;
    const struct coco_category *y = *(struct coco_category *const *)b;
    return (x->id > y->id) - (x->id < y->id);
}

static enum rc add_category(struct joiner *j, const struct coco_file *f, struct coco_category *c)
{
    void *have = c->name.n ? map_get(&j->classes, c->name) : NULL;
    enum rc rc = RC_OK;

    if (!c->name.n) {
        faults_add(&j->p->faults, FAULT_CODE_BAD_LINE, f->path, c->line, STR_NONE, "ignored",
                   "category %lld has no name", (long long)c->id);
    } else if (have) {
        c->cls = (int32_t)(intptr_t)have - 1;
    } else {
        rc = harvest_add_class(j->p, c->name, &c->cls, j->e);
        if (!rc)
            rc = map_put(&j->classes, c->name, (void *)(intptr_t)(c->cls + 1), j->e);
    }
    return rc;
}

/* Classes in the order of their ids; ret maps id -> category. */
static enum rc join_categories(struct joiner *j, struct coco_file *f, struct map *ret)
{
    struct coco_category **order =
        ARENA_ARRAY(j->p->a, struct coco_category *, f->category_count + 1);
    enum rc rc = RC_OK;
    size_t n = 0;

    if (!order)
        return harvest_nomem(j->p, j->e);
    for (struct coco_category *c = f->categories; c; c = c->next)
        order[n++] = c;
    qsort(order, n, sizeof *order, by_id);
    for (size_t i = 0; !rc && i < n; i++) {
        rc = add_category(j, f, order[i]);
        if (!rc && order[i]->cls >= 0)
            rc = map_put(ret, id_key(&order[i]->id), order[i], j->e);
    }
    return rc;
}

static enum rc join_images(struct joiner *j, struct coco_file *f, struct map *ret)
{
    enum split s = split_of_file(f->path);
    struct faults *faults = &j->p->faults;
    enum rc rc = RC_OK;
    bool told = false;

    for (struct coco_image *im = f->images; !rc && im; im = im->next) {
        struct picture *pic = im->name.n ? find_picture(j, im->name, s) : NULL;
        rc = map_put(ret, id_key(&im->id), im, j->e);
        if (!pic) {
            faults_add(faults, FAULT_CODE_MISSING_IMAGE, f->path, im->line, STR_NONE, "ignored",
                       "image %lld, '%.*s', is not in the archive", (long long)im->id,
                       STR_F(str_sub(im->name, 0, 100)));
        } else if (pic->keep) {
            if (!told)
                faults_add(faults, FAULT_CODE_DUPLICATE_NAME, f->path, im->line, pic->name,
                           "the later annotations were ignored",
                           "pictures of this file were annotated before, in %.*s",
                           STR_F(pic->marks_file));
            told = true;
        } else {
            pic->keep = true;
            pic->marks_file = f->path;
            pic->said_width = im->width;
            pic->said_height = im->height;
            pic->split = s != SPLIT_NONE ? s : split_of_path(pic->path);
            j->p->splits_given |= pic->split != SPLIT_NONE;
            im->pic = pic;
        }
    }
    return rc;
}

static enum rc add_note_marks(struct joiner *j, struct picture *pic, const struct coco_note *n,
                              int32_t cls)
{
    struct mark *m;

    if (n->has_box) {
        m = mark_add(j->p, pic, MARK_BOX, cls, n->line, 4);
        if (!m)
            return harvest_nomem(j->p, j->e);
        for (int i = 0; i < 4; i++)
            m->xy[i] = (float)n->box[i];
    }
    for (const struct coco_polygon *g = n->polygons; g; g = g->next) {
        m = mark_add(j->p, pic, MARK_POLYGON, cls, n->line, 2 * g->points);
        if (!m)
            return harvest_nomem(j->p, j->e);
        memcpy(m->xy, g->xy, 2 * g->points * sizeof(float));
        j->p->task = TASK_SEGMENTATION;
    }
    return RC_OK;
}

static enum rc join_note(struct joiner *j, const struct coco_file *f, const struct coco_note *n,
                         const struct map *images, const struct map *categories)
{
    const struct coco_image *im = n->has_image ? map_get(images, id_key(&n->image)) : NULL;
    const struct coco_category *c =
        n->has_category ? map_get(categories, id_key(&n->category)) : NULL;
    struct faults *faults = &j->p->faults;
    long long id = n->id;

    if (!im) {
        faults_add(faults, FAULT_CODE_MISSING_IMAGE, f->path, n->line, STR_NONE, "dropped",
                   "annotation %lld belongs to image %lld, which is not listed", id,
                   (long long)n->image);
        return RC_OK;
    }
    if (!im->pic)
        return RC_OK; /* told with the image */
    if (!c) {
        faults_add(faults, FAULT_CODE_CLASS_OUT_OF_RANGE, f->path, n->line, im->pic->name,
                   "dropped", "annotation %lld has category %lld, which is not listed", id,
                   (long long)n->category);
        return RC_OK;
    }
    if (n->run_length)
        faults_add(faults, FAULT_CODE_UNSUPPORTED_SHAPE, f->path, n->line, im->pic->name,
                   n->has_box ? "its box was kept" : "dropped",
                   "annotation %lld is a run-length mask (iscrowd)", id);
    if (n->bad_polygon)
        faults_add(faults, FAULT_CODE_BAD_LINE, f->path, n->line, im->pic->name, "dropped",
                   "annotation %lld has a polygon that is not 3 or more pairs of numbers", id);
    if (!n->has_box && !n->polygons && !n->run_length)
        faults_add(faults, FAULT_CODE_BAD_LINE, f->path, n->line, im->pic->name, "dropped",
                   "annotation %lld has neither a bbox nor a polygon", id);
    return add_note_marks(j, im->pic, n, c->cls);
}

static enum rc join_file(struct joiner *j, struct coco_file *f)
{
    struct map images, categories;

    if (f->broken)
        return err_field(j->e, RC_CORRUPT, "bad_file", "%.*s cannot be read: %s", STR_F(f->path),
                         f->broken);
    map_init(&images);
    map_init(&categories);
    enum rc rc = join_categories(j, f, &categories);
    if (!rc)
        rc = join_images(j, f, &images);
    for (const struct coco_note *n = f->notes; !rc && n; n = n->next)
        rc = join_note(j, f, n, &images, &categories);
    map_done(&images);
    map_done(&categories);
    return rc;
}

enum rc coco_read(struct harvest *p, struct err *e)
{
    struct joiner j = {.p = p, .e = e};

    p->task = TASK_DETECTION;
    map_init(&j.by_base);
    map_init(&j.classes);
    enum rc rc = index_pictures(&j);
    for (struct coco_file *f = p->coco->files; !rc && f; f = f->next)
        if (is_coco(f))
            rc = join_file(&j, f);
    if (!rc)
        report_unlabelled(p, "entry in the COCO files");
    map_done(&j.by_base);
    map_done(&j.classes);
    return rc;
}
