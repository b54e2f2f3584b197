/* harvest.c - see harvest.h: the texts of paths and numbers, pictures, marks and classes. */
#include "flow/dataset/harvest.h"
#include <math.h>

const char *const dataset_format_names[] = {"folder", "yolo",     "coco", "voc",
                                            "icdar",  "pictures", NULL};

void harvest_init(struct harvest *p, struct arena *a)
{
    *p = (struct harvest){.a = a};
    faults_init(&p->faults, a);
}

void harvest_done(struct harvest *p)
{
    faults_done(&p->faults);
    VEC_DONE(&p->files);
    VEC_DONE(&p->dirs);
    VEC_DONE(&p->pictures);
    VEC_DONE(&p->classes);
}

enum rc harvest_nomem(struct harvest *p, struct err *e)
{
    if (p->a->used_bytes > p->a->max_bytes / 2)
        return err_set(
            e, RC_TOO_LARGE,
            "the archive's names and annotations need more than %zu MB of memory; import it "
            "in several parts",
            p->a->max_bytes >> 20);
    return err_set(e, RC_NOMEM, "not enough memory to read the annotations");
}

/* ---- text */

str path_base(str path)
{
    ptrdiff_t i = str_rchr(path, '/');
    return i < 0 ? path : str_sub(path, (size_t)i + 1, path.n);
}

str path_stem(str path)
{
    str base = path_base(path);
    ptrdiff_t i = str_rchr(base, '.');
    return i <= 0 ? base : str_sub(base, 0, (size_t)i);
}

str path_dir(str path)
{
    ptrdiff_t i = str_rchr(path, '/');
    return i < 0 ? str_sub(path, 0, 0) : str_sub(path, 0, (size_t)i);
}

bool path_has_part(str path, const char *part)
{
    str rest = path, one;
    while (str_next(&rest, '/', &one))
        if (str_ieq(one, str_of(part)))
            return true;
    return false;
}

enum split split_of_word(str word)
{
    static const struct {
        const char *word;
        enum split split;
    } words[] = {{"train", SPLIT_TRAIN}, {"training", SPLIT_TRAIN}, {"val", SPLIT_VAL},
                 {"valid", SPLIT_VAL},   {"validation", SPLIT_VAL}, {"test", SPLIT_TEST},
                 {"testing", SPLIT_TEST}};

    while (word.n && word.p[word.n - 1] >= '0' && word.p[word.n - 1] <= '9')
        word.n--; /* train2017 */
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_ieq(word, str_of(words[i].word)))
            return words[i].split;
    return SPLIT_NONE;
}

enum split split_of_path(str path)
{
    str rest = path_dir(path), one;
    while (str_next(&rest, '/', &one)) {
        enum split s = split_of_word(one);
        if (s != SPLIT_NONE)
            return s;
    }
    return SPLIT_NONE;
}

bool path_is_junk(str path)
{
    str rest = path, one;
    while (str_next(&rest, '/', &one))
        if ((one.n && one.p[0] == '.') || str_is(one, "__MACOSX") || str_is(one, "@eaDir") ||
            str_ieq(one, STR("thumbs.db")) || str_ieq(one, STR("desktop.ini")))
            return true;
    return false;
}

static bool one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

bool number_next(str *rest, const char *seps, double *ret)
{
    size_t i = 0, from;

    while (i < rest->n && one_of(rest->p[i], seps))
        i++;
    from = i;
    while (i < rest->n && !one_of(rest->p[i], seps))
        i++;
    if (i == from || !str_f64(str_sub(*rest, from, i - from), ret))
        return false;
    *rest = str_sub(*rest, i, rest->n);
    return true;
}

str skip_bom(str text)
{
    return str_starts(text, STR("\xef\xbb\xbf")) ? str_sub(text, 3, text.n) : text;
}

/* ---- pictures and marks */

enum rc harvest_take_pictures(struct harvest *p, struct err *e)
{
    for (size_t i = 0; i < p->files.n; i++) {
        const struct file *f = &p->files.p[i];
        if (!f->is_image || f->damaged)
            continue;
        struct picture pic = {.path = f->path,
                              .name = str_sub(f->path, p->top.n, f->path.n),
                              .ordinal = f->ordinal,
                              .label = -1,
                              .split = SPLIT_NONE};
        pic.got.bytes = f->bytes;
        if (!VEC_PUSH(&p->pictures, pic))
            return harvest_nomem(p, e);
    }
    return RC_OK;
}

static size_t stem_key(enum split s, str stem, char *to, size_t cap)
{
    int n = snprintf(to, cap, "%d:%.*s", (int)s, STR_F(stem));
    return n < 0 ? 0 : (size_t)n < cap ? (size_t)n : cap - 1;
}

static str without_extension(str path)
{
    str base = path_base(path);
    return str_sub(path, 0, path.n - base.n + path_stem(path).n);
}

/* Masks and previews of pictures carry their names too. */
static bool is_companion(str path)
{
    static const char *const parts[] = {
        "SegmentationClass", "SegmentationObject", "masks", "mask", "thumbs", "thumbnails"};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (path_has_part(path_dir(path), parts[i]))
            return true;
    return false;
}

/* Two pictures of one key make it mean neither: a guess would label the wrong one. */
static enum rc put_unique(struct map *m, str key, struct picture *pic, struct err *e)
{
    return map_put(m, key, map_has(m, key) ? NULL : pic, e);
}

enum rc pictures_by_stem(struct harvest *p, struct map *m, struct err *e)
{
    char key[1200];
    enum rc rc = RC_OK;

    for (size_t i = 0; !rc && i < p->pictures.n; i++) {
        struct picture *pic = &p->pictures.p[i];
        str stem = path_stem(pic->path), own = without_extension(pic->path);
        if (is_companion(pic->path))
            continue;
        enum split s = split_of_path(pic->path);
        rc = put_unique(m, (str){key, stem_key(s, stem, key, sizeof key)}, pic, e);
        if (!rc)
            rc = put_unique(m, (str){key, stem_key(SPLIT_COUNT, stem, key, sizeof key)}, pic, e);
        if (!rc && !map_has(m, own))
            rc = map_put(m, own, pic, e);
    }
    return rc;
}

struct picture *picture_of_label(const struct map *m, str label_path, str stem)
{
    char key[2400];
    str dir = path_dir(label_path);
    enum split s = split_of_path(label_path);
    int n = snprintf(key, sizeof key, "%.*s%s%.*s", STR_F(dir), dir.n ? "/" : "", STR_F(stem));
    struct picture *pic = n > 0 && n < (int)sizeof key ? map_get(m, (str){key, (size_t)n}) : NULL;

    if (!pic)
        pic = map_get(m, (str){key, stem_key(s, stem, key, sizeof key)});
    if (!pic) /* only one of the two lies in a split's folder */
        pic = map_get(m, (str){key, stem_key(s == SPLIT_NONE ? SPLIT_COUNT : SPLIT_NONE, stem, key,
                                             sizeof key)});
    return pic;
}

void report_unlabelled(struct harvest *p, const char *what)
{
    for (size_t i = 0; i < p->pictures.n; i++) {
        struct picture *pic = &p->pictures.p[i];
        if (!pic->keep)
            faults_add(&p->faults, FAULT_CODE_MISSING_ANNOTATION, pic->path, 0, pic->name,
                       "left out", "there is no %s for this picture", what);
    }
}

struct mark *mark_add(struct harvest *p, struct picture *pic, enum mark_kind kind, int32_t cls,
                      int32_t line, uint32_t floats)
{
    struct mark *m = ARENA_NEW(p->a, struct mark);

    if (!m || !(m->xy = ARENA_ARRAY(p->a, float, floats)))
        return NULL;
    m->kind = kind;
    m->cls = cls;
    m->line = line;
    m->points = floats / 2;
    if (pic->last)
        pic->last->next = m;
    else
        pic->marks = m;
    pic->last = m;
    return m;
}

enum rc harvest_add_class(struct harvest *p, str name, int32_t *ret, struct err *e)
{
    if (p->classes.n >= DATASET_CLASSES_MAX)
        return err_set(e, RC_TOO_LARGE, "more than %d classes", DATASET_CLASSES_MAX);
    if (!VEC_PUSH(&p->classes, name))
        return harvest_nomem(p, e);
    *ret = (int32_t)p->classes.n - 1;
    return RC_OK;
}

struct named {
    str name;
    int32_t old;
};

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

enum rc harvest_sort_classes(struct harvest *p, struct err *e)
{
    size_t n = p->classes.n;
    struct named *order = ARENA_ARRAY(p->a, struct named, n + 1);
    int32_t *to = ARENA_ARRAY(p->a, int32_t, n + 1);

    if (!order || !to)
        return harvest_nomem(p, e);
    for (size_t i = 0; i < n; i++)
        order[i] = (struct named){p->classes.p[i], (int32_t)i};
    qsort(order, n, sizeof *order, by_name);
    for (size_t i = 0; i < n; i++) {
        p->classes.p[i] = order[i].name;
        to[order[i].old] = (int32_t)i;
    }
    for (size_t i = 0; i < p->pictures.n; i++) {
        struct picture *pic = &p->pictures.p[i];
        if (pic->label >= 0)
            pic->label = to[pic->label];
        for (struct mark *m = pic->marks; m; m = m->next)
            if (m->cls >= 0)
                m->cls = to[m->cls];
    }
    return RC_OK;
}

/* ---- marks against the picture's true size */

static float clip(float v, float max)
{
    return v < 0 ? 0 : v > max ? max : v;
}

enum verdict { MARK_FINE, MARK_CLIPPED, MARK_EMPTY, MARK_OUTSIDE };

static enum verdict fit_box(struct mark *m, float w, float h)
{
    float x1 = m->xy[0], y1 = m->xy[1], x2 = x1 + m->xy[2], y2 = y1 + m->xy[3];

    if (!(m->xy[2] > 0 && m->xy[3] > 0))
        return MARK_EMPTY;
    float cx1 = clip(x1, w), cy1 = clip(y1, h), cx2 = clip(x2, w), cy2 = clip(y2, h);
    if (!(cx2 > cx1 && cy2 > cy1))
        return MARK_OUTSIDE;
    /* rounding of fractions to six digits is not standing out */
    float slack = 1e-3f * (w > h ? w : h) + 0.5f;
    bool out = x1 < -slack || y1 < -slack || x2 > w + slack || y2 > h + slack;
    m->xy[0] = cx1;
    m->xy[1] = cy1;
    m->xy[2] = cx2 - cx1;
    m->xy[3] = cy2 - cy1;
    return out ? MARK_CLIPPED : MARK_FINE;
}

static enum verdict fit_points(struct mark *m, float w, float h)
{
    float slack = 1e-3f * (w > h ? w : h) + 0.5f, x1 = w, y1 = h, x2 = 0, y2 = 0;
    double area = 0;
    bool out = false;

    for (uint32_t i = 0; i < m->points; i++) {
        uint32_t k = (i + 1) % m->points;
        area += (double)m->xy[2 * i] * m->xy[2 * k + 1] - (double)m->xy[2 * k] * m->xy[2 * i + 1];
    }
    for (uint32_t i = 0; i < m->points; i++) {
        float x = m->xy[2 * i], y = m->xy[2 * i + 1];
        out |= x < -slack || y < -slack || x > w + slack || y > h + slack;
        m->xy[2 * i] = clip(x, w);
        m->xy[2 * i + 1] = clip(y, h);
        x1 = fminf(x1, m->xy[2 * i]), x2 = fmaxf(x2, m->xy[2 * i]);
        y1 = fminf(y1, m->xy[2 * i + 1]), y2 = fmaxf(y2, m->xy[2 * i + 1]);
    }
    if (fabs(area) < 1e-9)
        return MARK_EMPTY;
    if (!(x2 > x1 && y2 > y1))
        return MARK_OUTSIDE;
    return out ? MARK_CLIPPED : MARK_FINE;
}

/* 1/256 of a pixel: finer than any annotator, and short to write. */
static float snap(float v)
{
    return roundf(v * 256) / 256;
}

static enum verdict fit_mark(struct mark *m, const struct picture *pic)
{
    float w = (float)pic->got.width, h = (float)pic->got.height;

    for (uint32_t i = 0; i < 2 * m->points; i++) /* a box has two "points": x y, w h */
        m->xy[i] = snap(pic->fractions ? m->xy[i] * (i % 2 ? h : w) : m->xy[i]);
    return m->kind == MARK_BOX ? fit_box(m, w, h) : fit_points(m, w, h);
}

void marks_finish(struct harvest *p, struct picture *pic)
{
    static const char *const kinds[] = {"box", "polygon", "quadrangle"};
    struct mark **at = &pic->marks;
    size_t n = 0;

    if (pic->said_width > 0 && pic->said_height > 0 &&
        (pic->said_width != pic->got.width || pic->said_height != pic->got.height))
        faults_add(&p->faults, FAULT_CODE_SIZE_MISMATCH, pic->marks_file, 0, pic->name,
                   "the picture's own size was used",
                   "annotated as %dx%d, but the picture is %dx%d", pic->said_width,
                   pic->said_height, pic->got.width, pic->got.height);
    for (struct mark *m; (m = *at);) {
        const char *kind = kinds[m->kind];
        enum verdict v = fit_mark(m, pic);
        bool drop = v == MARK_EMPTY || v == MARK_OUTSIDE || n >= DATASET_SHAPES_MAX;
        if (v == MARK_EMPTY)
            faults_add(&p->faults, FAULT_CODE_ZERO_AREA_BOX, pic->marks_file, m->line, pic->name,
                       "dropped", "a %s without area (%g x %g)", kind,
                       m->kind == MARK_BOX ? (double)m->xy[2] : 0.0,
                       m->kind == MARK_BOX ? (double)m->xy[3] : 0.0);
        else if (v == MARK_OUTSIDE)
            faults_add(&p->faults, FAULT_CODE_BOX_OUTSIDE_IMAGE, pic->marks_file, m->line,
                       pic->name, "dropped", "a %s that lies wholly outside of the picture (%dx%d)",
                       kind, pic->got.width, pic->got.height);
        else if (v == MARK_CLIPPED)
            faults_add(&p->faults, FAULT_CODE_BOX_OUTSIDE_IMAGE, pic->marks_file, m->line,
                       pic->name, "clipped", "a %s that stands out of the picture (%dx%d)", kind,
                       pic->got.width, pic->got.height);
        else if (drop)
            faults_add(&p->faults, FAULT_CODE_TOO_LARGE, pic->marks_file, m->line, pic->name,
                       "dropped", "more than %d shapes in one picture", DATASET_SHAPES_MAX);
        if (drop) {
            *at = m->next;
        } else {
            at = &m->next;
            n++;
        }
    }
}
