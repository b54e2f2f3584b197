/* voc.c - Pascal VOC: an XML file for each picture; ImageSets/Main/train.txt and so on for splits.
 *
 * Source: the PASCAL VOC development kit, 2012, section 3.  Boxes are taken as written (tools
 * differ on whether the first pixel is 0 or 1; the difference is below any annotator's precision).
 */
#include "flow/dataset/harvest.h"
#include "s3/xml.h"

struct object {
    str name;
    double box[4]; /* xmin ymin xmax ymax */
    unsigned have; /* bits of box */
    int32_t line;
};

struct voc_in {
    struct harvest *p;
    struct xml x;
    str file;
    size_t counted; /* bytes whose newlines are in line */
    int32_t line;
    struct map *classes;
    struct picture *pic;
    struct err *e;
};

static int32_t line_of(struct voc_in *in)
{
    for (; in->counted < in->x.at && in->counted < in->x.in.n; in->counted++)
        in->line += in->x.in.p[in->counted] == '\n';
    return in->line;
}

static bool looks_like_voc(str text)
{
    return str_find(str_sub(text, 0, 4096), STR("<annotation")) >= 0;
}

bool voc_fits(const struct harvest *p)
{
    for (size_t i = 0; i < p->files.n; i++)
        if (str_iends(p->files.p[i].path, STR(".xml")) && looks_like_voc(p->files.p[i].text))
            return true;
    return false;
}

/* Text of a leaf as a number; a broken one is a fault of the object. */
static enum rc leaf_number(struct voc_in *in, double *ret, bool *ret_fine)
{
    str text;
    enum rc rc = xml_leaf(&in->x, &text, in->e);

    if (!rc)
        *ret_fine = str_f64(str_trim(text), ret);
    return rc;
}

typedef enum rc (*child_fn)(struct voc_in *in, str name, void *ud, bool *ret_taken);

/* Calls `each` for the children of the element just opened; those not taken are skipped. */
static enum rc children(struct voc_in *in, child_fn each, void *ud)
{
    enum xml_event ev;
    enum rc rc;

    while (!(rc = xml_next(&in->x, &ev, in->e)) && ev != XML_CLOSE && ev != XML_END) {
        bool taken = false;
        if (ev != XML_OPEN)
            continue;
        rc = each(in, in->x.name, ud, &taken);
        if (!rc && !taken)
            rc = xml_skip(&in->x, in->e);
        if (rc)
            return rc;
    }
    return rc;
}

static enum rc bndbox_child(struct voc_in *in, str name, void *ud, bool *ret_taken)
{
    static const char *const names[] = {"xmin", "ymin", "xmax", "ymax"};
    struct object *o = ud;

    for (int i = 0; i < 4; i++) {
        bool fine = false;
        if (!str_is(name, names[i]))
            continue;
        *ret_taken = true;
        enum rc rc = leaf_number(in, &o->box[i], &fine);
        if (!rc && fine)
            o->have |= 1u << i;
        return rc;
    }
    return RC_OK;
}

static enum rc object_child(struct voc_in *in, str name, void *ud, bool *ret_taken)
{
    struct object *o = ud;
    str text;

    if (str_is(name, "name")) {
        *ret_taken = true;
        enum rc rc = xml_leaf(&in->x, &text, in->e);
        if (!rc) {
            o->name = arena_str(in->p->a, str_trim(text));
            if (!o->name.p)
                return harvest_nomem(in->p, in->e);
        }
        return rc;
    }
    if (str_is(name, "bndbox")) {
        *ret_taken = true;
        o->line = line_of(in);
        return children(in, bndbox_child, o);
    }
    return RC_OK;
}

static enum rc class_id(struct voc_in *in, str name, int32_t *ret)
{
    void *have = map_get(in->classes, name);

    if (have) {
        *ret = (int32_t)(intptr_t)have - 1;
        return RC_OK;
    }
    enum rc rc = harvest_add_class(in->p, name, ret, in->e);
    return rc ? rc : map_put(in->classes, name, (void *)(intptr_t)(*ret + 1), in->e);
}

static enum rc add_object(struct voc_in *in, const struct object *o)
{
    int32_t cls;
    str name = in->pic->name;

    if (!o->name.n || !str_utf8_ok(o->name) || o->have != 15) {
        faults_add(&in->p->faults, FAULT_CODE_BAD_LINE, in->file, o->line, name, "dropped",
                   !o->name.n ? "an object without a name" : "an object without a whole bndbox");
        return RC_OK;
    }
    enum rc rc = class_id(in, o->name, &cls);
    if (rc)
        return rc;
    struct mark *m = mark_add(in->p, in->pic, MARK_BOX, cls, o->line, 4);
    if (!m)
        return harvest_nomem(in->p, in->e);
    m->xy[0] = (float)o->box[0];
    m->xy[1] = (float)o->box[1];
    m->xy[2] = (float)(o->box[2] - o->box[0]);
    m->xy[3] = (float)(o->box[3] - o->box[1]);
    return RC_OK;
}

static enum rc size_child(struct voc_in *in, str name, void *ud, bool *ret_taken)
{
    double v = 0;
    bool fine = false;

    (void)ud;
    if (!str_is(name, "width") && !str_is(name, "height"))
        return RC_OK;
    *ret_taken = true;
    bool wide = str_is(name, "width");
    enum rc rc = leaf_number(in, &v, &fine);
    if (!rc && fine && v > 0 && v < 1e6)
        *(wide ? &in->pic->said_width : &in->pic->said_height) = (int32_t)v;
    return rc;
}

static enum rc annotation_child(struct voc_in *in, str name, void *ud, bool *ret_taken)
{
    (void)ud;
    if (str_is(name, "size")) {
        *ret_taken = true;
        return children(in, size_child, NULL);
    }
    if (str_is(name, "object")) {
        struct object o = {.line = line_of(in)};
        *ret_taken = true;
        enum rc rc = children(in, object_child, &o);
        return rc ? rc : add_object(in, &o);
    }
    return RC_OK;
}

/* One file into pic.  Broken XML is a fault, and what came before it stays. */
static enum rc read_xml(struct harvest *p, str file, str text, struct picture *pic,
                        struct map *classes, struct err *e)
{
    struct err why = {0};
    struct voc_in in = {.p = p, .file = file, .line = 1, .classes = classes, .pic = pic, .e = &why};
    enum xml_event ev;
    enum rc rc;

    xml_init(&in.x, text);
    while (!(rc = xml_next(&in.x, &ev, &why)) && ev != XML_END)
        if (ev == XML_OPEN && (rc = children(&in, annotation_child, NULL)))
            break;
    if (rc == RC_INVALID || rc == RC_LIMIT || rc == RC_CORRUPT) {
        faults_add(&p->faults, FAULT_CODE_BAD_FILE, file, line_of(&in), pic->name,
                   "the objects before this point were kept", "%s", why.text);
        rc = RC_OK;
    } else if (rc && e) {
        *e = why;
    }
    xml_done(&in.x);
    return rc;
}

/* What <filename> says, for a file whose own name fits no picture. */
static str said_name(str text)
{
    ptrdiff_t a = str_find(text, STR("<filename>"));
    if (a < 0)
        return STR_NONE;
    str rest = str_sub(text, (size_t)a + 10, text.n);
    ptrdiff_t z = str_chr(rest, '<');
    return z < 0 || z > 512 ? STR_NONE : str_trim(str_sub(rest, 0, (size_t)z));
}

static enum rc read_files(struct harvest *p, struct map *pics, struct err *e)
{
    struct map classes;
    enum rc rc = RC_OK;

    map_init(&classes);
    for (size_t i = 0; !rc && i < p->files.n; i++) {
        const struct file *f = &p->files.p[i];
        if (!str_iends(f->path, STR(".xml")) || !looks_like_voc(f->text))
            continue;
        struct picture *pic = picture_of_label(pics, f->path, path_stem(f->path));
        if (!pic)
            pic = picture_of_label(pics, f->path, path_stem(said_name(f->text)));
        if (!pic) {
            faults_add(&p->faults, FAULT_CODE_MISSING_IMAGE, f->path, 0, STR_NONE, "left out",
                       "the archive has no picture for this annotation, or several");
        } else if (pic->keep) {
            faults_add(&p->faults, FAULT_CODE_DUPLICATE_NAME, f->path, 0, pic->name, "left out",
                       "a second annotation of the same picture, after %.*s",
                       STR_F(pic->marks_file));
        } else {
            pic->keep = true;
            pic->marks_file = f->path;
            rc = read_xml(p, f->path, f->text, pic, &classes, e);
        }
    }
    map_done(&classes);
    return rc;
}

/* ImageSets/Main/train.txt: a stem a line.  trainval.txt and lists of one class are not splits. */
static void read_sets(struct harvest *p, const struct map *pics)
{
    for (size_t i = 0; i < p->files.n; i++) {
        const struct file *f = &p->files.p[i];
        enum split s = split_of_word(path_stem(f->path));
        str rest = f->text, line;
        if (s == SPLIT_NONE || !path_has_part(path_dir(f->path), "ImageSets") ||
            !str_iends(f->path, STR(".txt")))
            continue;
        for (int32_t n = 1; str_line(&rest, &line); n++) {
            str stem = str_trim(line);
            struct picture *pic = stem.n ? picture_of_label(pics, path_base(f->path), stem) : NULL;
            if (pic && pic->split != SPLIT_NONE && pic->split != s) {
                faults_add(&p->faults, FAULT_CODE_SPLIT_CONFLICT, f->path, n, pic->name,
                           "it stays in the first one", "the picture is listed in two splits");
            } else if (pic) {
                pic->split = s;
                p->splits_given = true;
            } else if (stem.n) {
                faults_add(&p->faults, FAULT_CODE_MISSING_IMAGE, f->path, n, STR_NONE, "ignored",
                           "the list names '%.*s', which is not in the archive",
                           STR_F(str_sub(stem, 0, 100)));
            }
        }
    }
}

enum rc voc_read(struct harvest *p, struct err *e)
{
    struct map pics;

    p->task = TASK_DETECTION;
    map_init(&pics);
    enum rc rc = pictures_by_stem(p, &pics, e);
    if (!rc)
        rc = read_files(p, &pics, e);
    if (!rc)
        read_sets(p, &pics);
    for (size_t i = 0; i < p->pictures.n; i++) {
        struct picture *pic = &p->pictures.p[i];
        if (pic->split == SPLIT_NONE && (pic->split = split_of_path(pic->path)) != SPLIT_NONE)
            p->splits_given = true;
    }
    if (!rc)
        report_unlabelled(p, ".xml file");
    map_done(&pics);
    if (!rc)
        rc = harvest_sort_classes(p, e);
    return rc;
}
