/* yolo.c - YOLO: a .txt beside each picture or under labels/, a line for each object, as fractions
 * of the picture's sides:
 *
 *   class cx cy w h              a box
 *   class x1 y1 x2 y2 x3 y3 ..   a polygon (seven numbers or more, an odd count)
 *
 * Class names come from data.yaml (names, nc), or classes.txt / *.names with one on each line.
 * Splits come from data.yaml (train, val, test: folders or lists of files), else from folders'
 * names. Source: the dataset pages of Ultralytics' documentation and Darknet's train.c.
 */
#include "flow/dataset/harvest.h"
#include "flow/dataset/yaml.h"

enum { YOLO_NUMBERS_MAX = 1 + 2 * 10000 };

struct yolo {
    struct harvest *p;
    bool named; /* the classes are known by name */
    bool any_polygon;
    int32_t id_max;   /* seen */
    struct map texts; /* label files, by path and by "split:stem" of those under labels/ */
    bool *used;       /* of p->files */
    struct err *e;
};

/* ---- lines */

static bool read_id(str *rest, int64_t *ret)
{
    double v;
    if (!number_next(rest, " \t", &v) || v < 0 || v > 1e9 || v != (double)(int64_t)v)
        return false;
    *ret = (int64_t)v;
    return true;
}

static bool is_yolo_line(str line)
{
    int64_t id;
    double v;
    str rest = line;
    int n = 0;

    if (!read_id(&rest, &id))
        return false;
    while (number_next(&rest, " \t", &v))
        n++;
    return n >= 4 && !str_trim(rest).n;
}

static bool is_label(const struct file *f)
{
    str rest = f->text, line;

    if (!str_iends(f->path, STR(".txt")) || !f->text.p)
        return false;
    while (str_line(&rest, &line))
        if (str_trim(line).n)
            return is_yolo_line(line);
    return false;
}

/* Class names by their files' usual names. */
static bool is_names_file(str path)
{
    str base = path_base(path);
    return str_ieq(base, STR("classes.txt")) || str_ieq(base, STR("labels.txt")) ||
           str_iends(base, STR(".names"));
}

static bool is_yaml(str path)
{
    return str_iends(path, STR(".yaml")) || str_iends(path, STR(".yml"));
}

static bool names_classes(const struct file *f)
{
    return is_yaml(f->path) &&
           (str_starts(f->text, STR("names:")) || str_find(f->text, STR("\nnames:")) >= 0);
}

/* A label file that is called like a picture; or data.yaml and a labels folder, if all are empty.
 */
bool yolo_fits(const struct harvest *p)
{
    struct map stems;
    bool fits = false, yaml = false, folder = false;
    enum rc rc = RC_OK;

    map_init(&stems);
    for (size_t i = 0; !rc && i < p->files.n; i++)
        if (p->files.p[i].is_image)
            rc = map_put(&stems, path_stem(p->files.p[i].path), &stems, NULL);
    for (size_t i = 0; !rc && !fits && i < p->files.n; i++) {
        const struct file *f = &p->files.p[i];
        fits = map_has(&stems, path_stem(f->path)) && is_label(f);
        yaml |= names_classes(f);
        folder |= path_has_part(path_dir(f->path), "labels");
    }
    map_done(&stems);
    return fits || (yaml && folder);
}

static enum rc add_box(struct yolo *y, struct picture *pic, int32_t cls, int32_t line,
                       const double *v)
{
    struct mark *m = mark_add(y->p, pic, MARK_BOX, cls, line, 4);

    if (!m)
        return harvest_nomem(y->p, y->e);
    m->xy[0] = (float)(v[0] - v[2] / 2);
    m->xy[1] = (float)(v[1] - v[3] / 2);
    m->xy[2] = (float)v[2];
    m->xy[3] = (float)v[3];
    return RC_OK;
}

static enum rc add_polygon(struct yolo *y, struct picture *pic, int32_t cls, int32_t line,
                           str numbers, size_t n)
{
    struct mark *m = mark_add(y->p, pic, MARK_POLYGON, cls, line, (uint32_t)n);
    double v;

    if (!m)
        return harvest_nomem(y->p, y->e);
    for (size_t i = 0; i < n && number_next(&numbers, " \t", &v); i++)
        m->xy[i] = (float)v;
    y->any_polygon = true;
    return RC_OK;
}

static enum rc read_line(struct yolo *y, struct picture *pic, str line, int32_t n)
{
    struct faults *f = &y->p->faults;
    double v, first[4] = {0};
    int64_t id;
    str rest = line;
    size_t count = 0;
    int64_t ids = y->named ? (int64_t)y->p->classes.n : DATASET_CLASSES_MAX;

    if (!str_trim(line).n)
        return RC_OK;
    bool fine = read_id(&rest, &id);
    str numbers = rest;
    for (; fine && count < YOLO_NUMBERS_MAX && number_next(&rest, " \t", &v); count++)
        if (count < 4)
            first[count] = v;
    if (!fine || str_trim(rest).n || (count != 4 && (count < 6 || count % 2))) {
        faults_add(f, FAULT_CODE_BAD_LINE, pic->marks_file, n, pic->name, "dropped",
                   "not 'class cx cy w h' nor 'class x1 y1 x2 y2 x3 y3 ..': '%.*s'",
                   STR_F(str_sub(line, 0, 80)));
        return RC_OK;
    }
    if (id >= ids) {
        faults_add(f, FAULT_CODE_CLASS_OUT_OF_RANGE, pic->marks_file, n, pic->name, "dropped",
                   "class %lld, but there are %lld", (long long)id, (long long)ids);
        return RC_OK;
    }
    if (id > y->id_max)
        y->id_max = (int32_t)id;
    return count == 4 ? add_box(y, pic, (int32_t)id, n, first)
                      : add_polygon(y, pic, (int32_t)id, n, numbers, count);
}

static enum rc read_labels(struct yolo *y, struct picture *pic, str text)
{
    str rest = skip_bom(text), line;
    enum rc rc = RC_OK;

    for (int32_t n = 1; !rc && str_line(&rest, &line); n++)
        rc = read_line(y, pic, line, n);
    return rc;
}

/* ---- which label file belongs to a picture */

/* "images" of the path replaced by "labels" (the last one), and the extension by .txt. */
static str labels_path(str path, char *to, size_t cap)
{
    str base = path_base(path), stem = path_stem(path), rest = path_dir(path), one;
    size_t n = 0, last = SIZE_MAX;

    while (str_next(&rest, '/', &one)) {
        if (n + one.n + 2 > cap)
            return STR_NONE;
        if (str_ieq(one, STR("images")))
            last = n;
        memcpy(to + n, one.p, one.n);
        n += one.n;
        to[n++] = '/';
    }
    if (last != SIZE_MAX)
        memcpy(to + last, "labels", 6); /* of the same length */
    if (n + base.n + 5 > cap)
        return STR_NONE;
    memcpy(to + n, stem.p, stem.n);
    memcpy(to + n + stem.n, ".txt", 4);
    return (str){to, n + stem.n + 4};
}

static str stem_key(enum split s, str stem, char *to, size_t cap)
{
    int n = snprintf(to, cap, "%d:%.*s", (int)s, STR_F(stem));
    return (str){to, n > 0 && (size_t)n < cap ? (size_t)n : 0};
}

static enum rc index_labels(struct yolo *y)
{
    char key[1200];
    enum rc rc = RC_OK;

    for (size_t i = 0; !rc && i < y->p->files.n; i++) {
        struct file *f = &y->p->files.p[i];
        if (!str_iends(f->path, STR(".txt")) || !f->text.p || is_names_file(f->path))
            continue;
        rc = map_put(&y->texts, f->path, f, y->e);
        str k = stem_key(split_of_path(f->path), path_stem(f->path), key, sizeof key);
        if (!rc && path_has_part(path_dir(f->path), "labels")) /* two of one key mean neither */
            rc = map_put(&y->texts, k, map_has(&y->texts, k) ? NULL : f, y->e);
    }
    return rc;
}

static struct file *label_of(struct yolo *y, const struct picture *pic)
{
    char path[1200];
    str k = labels_path(pic->path, path, sizeof path);
    struct file *f = k.p ? map_get(&y->texts, k) : NULL;

    if (!f) {
        int n =
            snprintf(path, sizeof path, "%.*s.txt",
                     STR_F(str_sub(pic->path, 0,
                                   pic->path.n - path_base(pic->path).n + path_stem(pic->path).n)));
        f = n > 0 && n < (int)sizeof path ? map_get(&y->texts, (str){path, (size_t)n}) : NULL;
    }
    enum split splits[] = {split_of_path(pic->path), SPLIT_NONE};
    for (int i = 0; !f && i < 2; i++) {
        f = map_get(&y->texts, stem_key(splits[i], path_stem(pic->path), path, sizeof path));
        if (f && y->used[f - y->p->files.p])
            f = NULL; /* another picture's, of the same name */
    }
    return f;
}

static enum rc read_pictures(struct yolo *y)
{
    enum rc rc = RC_OK;

    for (size_t i = 0; !rc && i < y->p->pictures.n; i++) {
        struct picture *pic = &y->p->pictures.p[i];
        struct file *f = label_of(y, pic);
        pic->keep = true;
        pic->fractions = true;
        if (!f) {
            faults_add(&y->p->faults, FAULT_CODE_MISSING_ANNOTATION, pic->path, 0, pic->name,
                       "kept as a picture without objects",
                       "there is no label file for this picture");
            continue;
        }
        y->used[f - y->p->files.p] = true;
        pic->marks_file = f->path;
        rc = read_labels(y, pic, f->text);
    }
    for (size_t i = 0; !rc && i < y->p->files.n; i++)
        if (!y->used[i] && is_label(&y->p->files.p[i]))
            faults_add(&y->p->faults, FAULT_CODE_MISSING_IMAGE, y->p->files.p[i].path, 0, STR_NONE,
                       "left out", "the archive has no picture for this label file");
    return rc;
}

/* ---- names */

static enum rc add_name(struct yolo *y, str name)
{
    int32_t ignored;
    str copy = arena_str(y->p->a, name);

    if (!copy.p)
        return harvest_nomem(y->p, y->e);
    y->named = true;
    return harvest_add_class(y->p, copy, &ignored, y->e);
}

static enum rc names_of_yaml(struct yolo *y, const struct yaml *doc, str file)
{
    int64_t nc = -1, index;
    enum rc rc = RC_OK;

    for (size_t i = 0; !rc && i < doc->items.n; i++) {
        const struct yaml_item *it = &doc->items.p[i];
        if (str_is(it->key, "nc") && !str_i64(it->value, &nc))
            nc = -1;
        if (!str_is(it->key, "names"))
            continue;
        if (it->index.n && (!str_i64(it->index, &index) || index != (int64_t)y->p->classes.n))
            return err_set(y->e, RC_CORRUPT,
                           "%.*s, line %d: class '%.*s' where %zu was expected; number them from 0 "
                           "without gaps",
                           STR_F(file), it->line, STR_F(it->index), y->p->classes.n);
        if (!str_utf8_ok(it->value))
            return err_set(y->e, RC_CORRUPT, "%.*s, line %d: the name is not valid UTF-8",
                           STR_F(file), it->line);
        rc = add_name(y, it->value);
    }
    if (!rc && nc >= 0 && y->named && nc != (int64_t)y->p->classes.n)
        faults_add(&y->p->faults, FAULT_CODE_BAD_LINE, file, 0, STR_NONE, "the names were counted",
                   "nc is %lld, but there are %zu names", (long long)nc, y->p->classes.n);
    return rc;
}

static enum rc names_of_lines(struct yolo *y, const struct file *f)
{
    str rest = skip_bom(f->text), line;
    enum rc rc = RC_OK;

    while (!rc && str_line(&rest, &line))
        if (str_trim(line).n && str_utf8_ok(line))
            rc = add_name(y, str_trim(line));
    return rc;
}

/* Ids without names become "0", "1", ...: said, not invented. */
static enum rc number_classes(struct yolo *y)
{
    enum rc rc = RC_OK;

    if (y->named)
        return RC_OK;
    for (int32_t i = 0; !rc && i <= y->id_max; i++) {
        char name[16];
        int n = snprintf(name, sizeof name, "%d", i);
        rc = add_name(y, (str){name, (size_t)n});
    }
    faults_add(&y->p->faults, FAULT_CODE_MISSING_NAMES, STR_NONE, 0, STR_NONE,
               "the classes are called by their numbers",
               "neither data.yaml nor classes.txt names the classes");
    return rc;
}

/* ---- splits */

static str plain_path(str v)
{
    for (;;) {
        if (str_starts(v, STR("./")))
            v = str_sub(v, 2, v.n);
        else if (str_starts(v, STR("../")))
            v = str_sub(v, 3, v.n);
        else if (str_starts(v, STR("/")))
            v = str_sub(v, 1, v.n);
        else
            break;
    }
    while (str_ends(v, STR("/")))
        v.n--;
    return v;
}

static void set_split(struct yolo *y, struct picture *pic, enum split s, const struct yaml_item *it,
                      str file, bool *told)
{
    if (pic->split != SPLIT_NONE && pic->split != s) {
        if (!*told)
            faults_add(&y->p->faults, FAULT_CODE_SPLIT_CONFLICT, file, it->line, pic->name,
                       "they stay in the first one", "'%.*s' holds pictures of another split",
                       STR_F(str_sub(it->value, 0, 100)));
        *told = true;
        return;
    }
    pic->split = s;
    y->p->splits_given = true;
}

static bool ends_with_path(str path, str end)
{
    return str_eq(path, end) ||
           (path.n > end.n && str_ends(path, end) && path.p[path.n - end.n - 1] == '/');
}

static void split_by_list(struct yolo *y, const struct map *pics, const struct file *list,
                          enum split s, const struct yaml_item *it, str file)
{
    str rest = list->text, line;
    bool told = false;

    for (int32_t n = 1; str_line(&rest, &line); n++) {
        str path = plain_path(str_trim(line));
        struct picture *pic = path.n ? picture_of_label(pics, path, path_stem(path)) : NULL;
        if (pic)
            set_split(y, pic, s, it, file, &told);
        else if (path.n)
            faults_add(&y->p->faults, FAULT_CODE_MISSING_IMAGE, list->path, n, STR_NONE, "ignored",
                       "the list names '%.*s', which is not in the archive",
                       STR_F(str_sub(path, 0, 100)));
    }
}

static bool lies_under(str dir, str part)
{
    for (;;) {
        if (ends_with_path(dir, part))
            return true;
        ptrdiff_t k = str_rchr(dir, '/');
        if (k < 0)
            return false;
        dir = str_sub(dir, 0, (size_t)k);
    }
}

static void split_by_item(struct yolo *y, const struct map *pics, enum split s,
                          const struct yaml_item *it, str file)
{
    str v = plain_path(it->value);
    bool told = false;

    if (!v.n)
        return;
    if (str_iends(v, STR(".txt"))) {
        for (size_t i = 0; i < y->p->files.n; i++)
            if (y->p->files.p[i].text.p && ends_with_path(y->p->files.p[i].path, v)) {
                y->used[i] = true;
                split_by_list(y, pics, &y->p->files.p[i], s, it, file);
            }
        return;
    }
    for (size_t i = 0; i < y->p->pictures.n; i++)
        if (lies_under(path_dir(y->p->pictures.p[i].path), v))
            set_split(y, &y->p->pictures.p[i], s, it, file, &told);
}

static enum rc splits_of_yaml(struct yolo *y, const struct yaml *doc, str file)
{
    struct map pics;

    map_init(&pics);
    enum rc rc = pictures_by_stem(y->p, &pics, y->e);
    for (size_t i = 0; !rc && i < doc->items.n; i++) {
        enum split s = split_of_word(doc->items.p[i].key);
        if (s != SPLIT_NONE)
            split_by_item(y, &pics, s, &doc->items.p[i], file);
    }
    map_done(&pics);
    return rc;
}

static void splits_of_folders(struct harvest *p)
{
    if (p->splits_given)
        return;
    for (size_t i = 0; i < p->pictures.n; i++)
        if ((p->pictures.p[i].split = split_of_path(p->pictures.p[i].path)) != SPLIT_NONE)
            p->splits_given = true;
}

/* ---- the whole */

static enum rc read_yaml(struct yolo *y, const struct file *f)
{
    struct yaml doc = {0};
    struct err why = {0};
    enum rc rc = yaml_read(&doc, y->p->a, f->text, &why);

    if (rc == RC_CORRUPT) {
        faults_add(&y->p->faults, FAULT_CODE_BAD_FILE, f->path, 0, STR_NONE, "ignored", "%s",
                   why.text);
        return RC_OK;
    }
    if (rc)
        return err_set(y->e, rc, "%s", why.text);
    rc = names_of_yaml(y, &doc, f->path);
    if (!rc)
        rc = splits_of_yaml(y, &doc, f->path);
    yaml_done(&doc);
    return rc;
}

static enum rc read_names(struct yolo *y)
{
    enum rc rc = RC_OK;

    for (size_t i = 0; !rc && !y->named && i < y->p->files.n; i++)
        if (is_yaml(y->p->files.p[i].path) && y->p->files.p[i].text.p)
            rc = read_yaml(y, &y->p->files.p[i]);
    for (size_t i = 0; !rc && !y->named && i < y->p->files.n; i++)
        if (is_names_file(y->p->files.p[i].path) && y->p->files.p[i].text.p)
            rc = names_of_lines(y, &y->p->files.p[i]);
    return rc;
}

enum rc yolo_read(struct harvest *p, struct err *e)
{
    struct yolo y = {.p = p, .id_max = -1, .e = e};

    y.used = ARENA_ARRAY(p->a, bool, p->files.n + 1);
    if (!y.used)
        return harvest_nomem(p, e);
    map_init(&y.texts);
    enum rc rc = read_names(&y);
    if (!rc)
        rc = index_labels(&y);
    if (!rc)
        rc = read_pictures(&y);
    if (!rc)
        rc = number_classes(&y);
    map_done(&y.texts);
    splits_of_folders(p);
    p->task = y.any_polygon ? TASK_SEGMENTATION : TASK_DETECTION;
    return rc;
}
