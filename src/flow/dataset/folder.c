/* folder.c - image folders: a directory for each class, under train|val|test directories or not.
 *
 *   cat/1.jpg  dog/2.jpg          train/cat/1.jpg  val/cat/2.jpg
 *
 * A class is the first directory (after the split's); deeper ones only group its pictures.
 */
#include "flow/dataset/harvest.h"

/* The directory of path without the words that name a split. */
static size_t class_dir(str path, char *to, size_t cap)
{
    str rest = path_dir(path), one;
    size_t n = 0;

    while (str_next(&rest, '/', &one)) {
        if (split_of_word(one) != SPLIT_NONE || n + one.n + 1 > cap)
            continue;
        memcpy(to + n, one.p, one.n);
        n += one.n;
        to[n++] = '/';
    }
    return n;
}

/* At least two directories with pictures, not counting train/ and val/ as different. */
bool folder_fits(const struct harvest *p)
{
    char first[1100], other[1100];
    size_t first_n = 0, n;

    for (size_t i = 0; i < p->files.n; i++) {
        if (!p->files.p[i].is_image)
            continue;
        n = class_dir(p->files.p[i].path, other, sizeof other);
        if (n && !first_n)
            memcpy(first, other, first_n = n);
        else if (n && !str_eq((str){first, first_n}, (str){other, n}))
            return true;
    }
    return false;
}

static enum rc class_of(struct harvest *p, struct map *ids, str name, int32_t *ret, struct err *e)
{
    /* ids holds index + 1, since NULL means absent */
    void *have = map_get(ids, name);
    enum rc rc = RC_OK;

    if (have) {
        *ret = (int32_t)(intptr_t)have - 1;
        return RC_OK;
    }
    rc = harvest_add_class(p, name, ret, e);
    if (!rc)
        rc = map_put(ids, name, (void *)(intptr_t)(*ret + 1), e);
    return rc;
}

/* The class part of a name or directory below the top folder; .n 0 if there is none. */
static str class_part(str below, bool splits, enum split *ret_split)
{
    str rest = below, one;

    *ret_split = SPLIT_NONE;
    if (splits) {
        if (!str_next(&rest, '/', &one))
            return STR_NONE;
        *ret_split = split_of_word(one);
        if (*ret_split == SPLIT_NONE)
            return STR_NONE;
    }
    ptrdiff_t k = str_chr(rest, '/');
    return k < 0 ? STR_NONE : str_sub(rest, 0, (size_t)k);
}

static enum rc label_picture(struct harvest *p, struct picture *pic, struct map *ids, struct err *e)
{
    str cls = class_part(pic->name, p->splits_given, &pic->split);

    if (cls.n) {
        pic->keep = true;
        return class_of(p, ids, cls, &pic->label, e);
    }
    if (p->splits_given && pic->split == SPLIT_NONE)
        faults_add(&p->faults, FAULT_CODE_STRAY_FILE, pic->path, 0, pic->name, "left out",
                   "a picture outside of the train, val and test directories");
    else
        faults_add(&p->faults, FAULT_CODE_MISSING_ANNOTATION, pic->path, 0, pic->name, "left out",
                   "a picture in no class's directory");
    return RC_OK;
}

/* A directory entry without pictures is a class that someone meant to fill. */
static void report_empty(struct harvest *p, const struct map *ids)
{
    for (size_t i = 0; i < p->dirs.n; i++) {
        char slashed[1100];
        enum split s;
        str dir = p->dirs.p[i];
        if (!str_starts(dir, p->top) || dir.n >= sizeof slashed)
            continue;
        dir = str_sub(dir, p->top.n, dir.n);
        memcpy(slashed, dir.p, dir.n);
        slashed[dir.n] = '/';
        str cls = class_part((str){slashed, dir.n + 1}, p->splits_given, &s);
        if (cls.n && cls.p + cls.n == slashed + dir.n && !map_has(ids, cls))
            faults_add(&p->faults, FAULT_CODE_EMPTY_CLASS, p->dirs.p[i], 0, STR_NONE, "left out",
                       "the directory of this class holds no picture");
    }
}

enum rc folder_read(struct harvest *p, struct err *e)
{
    struct map ids;
    enum rc rc = RC_OK;

    p->task = TASK_CLASSIFICATION;
    for (size_t i = 0; i < p->pictures.n && !p->splits_given; i++) {
        str rest = p->pictures.p[i].name, one;
        p->splits_given = str_next(&rest, '/', &one) && rest.p && split_of_word(one) != SPLIT_NONE;
    }
    map_init(&ids);
    for (size_t i = 0; !rc && i < p->pictures.n; i++)
        rc = label_picture(p, &p->pictures.p[i], &ids, e);
    if (!rc)
        report_empty(p, &ids);
    map_done(&ids);
    if (!rc)
        rc = harvest_sort_classes(p, e);
    return rc;
}
