/* icdar.c - quadrangles of text: beside each picture a .txt or .csv, a line for each text.
 *
 *   x1,y1,x2,y2,x3,y3,x4,y4,the text, commas and all
 *
 * Source: ICDAR 2015 Robust Reading, task 4.1 (there the files are called gt_NAME.txt; "###" marks
 * an illegible text and is kept).
 */
#include "flow/dataset/harvest.h"

enum { QUAD_TEXT_MAX = 4096 };

static bool is_label(str path)
{
    return str_iends(path, STR(".txt")) || str_iends(path, STR(".csv"));
}

/* Eight numbers and what follows the comma. */
static bool read_quad(str line, double *ret_xy, str *ret_text)
{
    str rest = line, one;

    for (int i = 0; i < 8; i++)
        if (!str_next(&rest, ',', &one) || !str_f64(str_trim(one), &ret_xy[i]))
            return false;
    *ret_text = rest.p ? rest : STR("");
    return true;
}

static bool begins_as_quad(str text)
{
    double xy[8];
    str rest = skip_bom(text), line, said;

    for (int i = 0; i < 5 && str_line(&rest, &line); i++)
        if (str_trim(line).n)
            return read_quad(line, xy, &said);
    return false;
}

bool icdar_fits(const struct harvest *p)
{
    for (size_t i = 0; i < p->files.n; i++)
        if (is_label(p->files.p[i].path) && begins_as_quad(p->files.p[i].text))
            return true;
    return false;
}

static enum rc read_file(struct harvest *p, struct picture *pic, str text, struct err *e)
{
    str rest = skip_bom(text), line, said;
    double xy[8];

    for (int32_t n = 1; str_line(&rest, &line); n++) {
        if (!str_trim(line).n)
            continue;
        if (!read_quad(line, xy, &said)) {
            faults_add(&p->faults, FAULT_CODE_BAD_LINE, pic->marks_file, n, pic->name, "dropped",
                       "not x1,y1,x2,y2,x3,y3,x4,y4,text: '%.*s'", STR_F(str_sub(line, 0, 80)));
            continue;
        }
        if (said.n > QUAD_TEXT_MAX || !str_utf8_ok(said)) {
            faults_add(&p->faults, FAULT_CODE_BAD_LINE, pic->marks_file, n, pic->name,
                       "the quadrangle was kept without its text", "the text is %s",
                       said.n > QUAD_TEXT_MAX ? "longer than 4096 bytes" : "not valid UTF-8");
            said = STR("");
        }
        struct mark *m = mark_add(p, pic, MARK_QUAD, 0, n, 8);
        if (!m)
            return harvest_nomem(p, e);
        for (int i = 0; i < 8; i++)
            m->xy[i] = (float)xy[i];
        m->text = said;
    }
    return RC_OK;
}

static enum rc read_files(struct harvest *p, const struct map *pics, struct err *e)
{
    enum rc rc = RC_OK;

    for (size_t i = 0; !rc && i < p->files.n; i++) {
        const struct file *f = &p->files.p[i];
        str stem = path_stem(f->path);
        if (!is_label(f->path) || !f->text.p)
            continue;
        struct picture *pic = picture_of_label(pics, f->path, stem);
        if (!pic && str_starts(stem, STR("gt_")))
            pic = picture_of_label(pics, f->path, str_sub(stem, 3, stem.n));
        if (!pic && begins_as_quad(f->text)) {
            faults_add(&p->faults, FAULT_CODE_MISSING_IMAGE, f->path, 0, STR_NONE, "left out",
                       "the archive has no picture for this annotation, or several");
        } else if (pic && pic->keep) {
            faults_add(&p->faults, FAULT_CODE_DUPLICATE_NAME, f->path, 0, pic->name, "left out",
                       "a second annotation of the same picture, after %.*s",
                       STR_F(pic->marks_file));
        } else if (pic) {
            pic->keep = true;
            pic->marks_file = f->path;
            rc = read_file(p, pic, f->text, e);
        }
    }
    return rc;
}

enum rc icdar_read(struct harvest *p, struct err *e)
{
    struct map pics;
    int32_t cls;

    p->task = TASK_TEXT;
    map_init(&pics);
    enum rc rc = harvest_add_class(p, STR("text"), &cls, e);
    if (!rc)
        rc = pictures_by_stem(p, &pics, e);
    if (!rc)
        rc = read_files(p, &pics, e);
    for (size_t i = 0; i < p->pictures.n; i++) {
        struct picture *pic = &p->pictures.p[i];
        if ((pic->split = split_of_path(pic->path)) != SPLIT_NONE)
            p->splits_given = true;
    }
    if (!rc)
        report_unlabelled(p, ".txt or .csv file");
    map_done(&pics);
    return rc;
}
