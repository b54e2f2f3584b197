/* sample_font.c - see sample_font.h. */
#include "lab/vision/sample_font.h"

#include "base/arena.h"
#include "base/vec.h"
#include "os/os.h"

#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_OUTLINE_H
#include <math.h>

enum { FONTS_MAX = 512, FONT_DEPTH_MAX = 6, FONT_BYTES_MAX = 8 << 20 };

struct font {
    FT_Face face;
    const char *name;
};
struct fonts {
    struct arena a;
    FT_Library lib;
    VEC(struct font) list;
    VEC(size_t) mono;
};

static enum rc failed(FT_Error code, const char *what, struct err *e)
{
    const char *text = FT_Error_String(code);

    return err_set(e, RC_INTERNAL, "%s: FreeType says %s (%d)", what, text ? text : "error", code);
}

/* ---- scan */

struct scan {
    struct fonts *f;
    const char *dir;
    int depth;
};

static bool is_font_name(str name)
{
    return str_iends(name, STR(".ttf")) || str_iends(name, STR(".otf")) ||
           str_iends(name, STR(".pfb"));
}

/* Symbols and mathematics have shapes that no reader would call A. */
static bool is_text_face(FT_Face face)
{
    static const char *const odd[] = {"Math", "Symbol", "Emoji", "Icon", "Dingbat", "Barcode"};
    str family = str_of(face->family_name);

    if (!FT_IS_SCALABLE(face) || !family.n)
        return false;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        if (str_find(family, str_of(odd[i])) >= 0)
            return false;
    for (FT_ULong c = '!'; c <= '~'; c++)
        if (!FT_Get_Char_Index(face, c))
            return false;
    return true;
}

/* All letters as wide as each other, whatever the file claims. */
static bool is_mono(FT_Face face)
{
    FT_Pos width = 0;

    for (FT_ULong c = '!'; c <= '~'; c++) {
        if (FT_Load_Char(face, c, FT_LOAD_NO_SCALE))
            return false;
        if (width && face->glyph->metrics.horiAdvance != width)
            return false;
        width = face->glyph->metrics.horiAdvance;
    }
    return true;
}

static enum rc add_font(struct fonts *f, const char *path, struct err *e)
{
    struct font one = {0};
    bool mono;

    if (f->list.n >= FONTS_MAX || FT_New_Face(f->lib, path, 0, &one.face))
        return RC_OK; /* a file that is no font is not our business */
    if (!is_text_face(one.face) || FT_Select_Charmap(one.face, FT_ENCODING_UNICODE)) {
        FT_Done_Face(one.face);
        return RC_OK;
    }
    mono = is_mono(one.face);
    one.name = arena_printf(&f->a, "%s %s", one.face->family_name,
                            one.face->style_name ? one.face->style_name : "");
    if (!one.name || !VEC_PUSH(&f->list, one)) {
        FT_Done_Face(one.face);
        return err_set(e, RC_NOMEM, "out of memory");
    }
    if (mono && !VEC_PUSH(&f->mono, f->list.n - 1))
        return err_set(e, RC_NOMEM, "out of memory");
    return RC_OK;
}

static enum rc scan_entry(void *ud, const char *name, bool is_dir, struct err *e)
{
    struct scan *s = ud, below = {s->f, NULL, s->depth + 1};
    const char *path = arena_printf(&s->f->a, "%s/%s", s->dir, name);

    if (!path)
        return err_set(e, RC_NOMEM, "out of memory");
    if (is_dir && below.depth <= FONT_DEPTH_MAX) {
        struct err ignored = {0};
        enum rc rc;

        below.dir = path;
        rc = os_list_dir(path, scan_entry, &below, &ignored);
        return rc == RC_NOMEM ? err_set(e, rc, "%s", ignored.text) : RC_OK;
    }
    return is_font_name(str_of(name)) ? add_font(s->f, path, e) : RC_OK;
}

enum rc fonts_open(struct fonts **ret, struct err *e)
{
    static const char *const dirs[] = {"/usr/share/fonts", "/usr/local/share/fonts"};
    struct fonts *f = mem_zalloc(sizeof *f);
    struct err ignored = {0};
    FT_Error bad;
    enum rc rc = RC_OK;

    if (!f)
        return err_set(e, RC_NOMEM, "out of memory");
    arena_init(&f->a, FONT_BYTES_MAX);
    bad = FT_Init_FreeType(&f->lib);
    if (bad) {
        arena_done(&f->a);
        mem_free(f);
        return failed(bad, "starting", e);
    }
    for (size_t i = 0; !rc && i < sizeof dirs / sizeof *dirs; i++) {
        struct scan s = {f, dirs[i], 0};

        if (os_exists(dirs[i]))
            rc = os_list_dir(dirs[i], scan_entry, &s, &ignored) == RC_NOMEM
                     ? err_set(e, RC_NOMEM, "out of memory")
                     : RC_OK;
    }
    if (!rc && !f->list.n)
        rc = err_set(e, RC_UNAVAILABLE,
                     "there is no outline font under /usr/share/fonts; install one "
                     "(apt install fonts-dejavu-core)");
    if (rc)
        fonts_close(f);
    else
        *ret = f;
    return rc;
}

void fonts_close(struct fonts *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->list.n; i++)
        FT_Done_Face(f->list.p[i].face);
    FT_Done_FreeType(f->lib);
    VEC_DONE(&f->list);
    VEC_DONE(&f->mono);
    arena_done(&f->a);
    mem_free(f);
}

size_t fonts_count(const struct fonts *f)
{
    return f->list.n;
}

const char *fonts_name(const struct fonts *f, size_t i)
{
    return f->list.p[i].name;
}

const size_t *fonts_mono(const struct fonts *f, size_t *ret_n)
{
    *ret_n = f->mono.n;
    return f->mono.p;
}

/* ---- letters */

/* Loads the outline, turned and slanted, moved by the fraction of a pixel (fx, fy). */
static enum rc load(struct fonts *f, const struct pen *p, uint32_t letter, double fx, double fy,
                    FT_Face *ret, struct err *e)
{
    FT_Face face = f->list.p[p->font].face;
    double c = cos(p->rotate), s = sin(p->rotate), k = tan(p->shear);
    FT_Matrix m = {(FT_Fixed)(c * 65536), (FT_Fixed)((c * k - s) * 65536), (FT_Fixed)(s * 65536),
                   (FT_Fixed)((s * k + c) * 65536)};
    FT_Vector move = {(FT_Pos)lround(fx * 64), (FT_Pos)lround(-fy * 64)};
    FT_Error bad = FT_Set_Char_Size(face, 0, (FT_F26Dot6)lround(p->px * 64), 72, 72);

    FT_Set_Transform(face, &m, &move);
    if (!bad)
        bad = FT_Load_Char(face, letter, FT_LOAD_NO_HINTING | FT_LOAD_NO_BITMAP);
    if (bad)
        return failed(bad, "loading a letter", e);
    *ret = face;
    return RC_OK;
}

enum rc font_extent(struct fonts *f, const struct pen *p, uint32_t letter, struct extent *ret,
                    struct err *e)
{
    FT_Face face;
    FT_BBox box;
    enum rc rc = load(f, p, letter, 0, 0, &face, e);

    if (rc)
        return rc;
    FT_Outline_Get_CBox(&face->glyph->outline, &box);
    *ret = (struct extent){(double)box.xMin / 64, -(double)box.yMax / 64, (double)box.xMax / 64,
                           -(double)box.yMin / 64, (double)face->glyph->linearHoriAdvance / 65536};
    return RC_OK;
}

enum rc font_draw(struct fonts *f, const struct pen *p, uint32_t letter, struct canvas *to,
                  double x, double y, struct err *e)
{
    double ix = floor(x), iy = floor(y);
    FT_GlyphSlot slot;
    FT_Error bad;
    FT_Face face;
    enum rc rc = load(f, p, letter, x - ix, y - iy, &face, e);

    if (rc)
        return rc;
    slot = face->glyph;
    bad = FT_Render_Glyph(slot, FT_RENDER_MODE_NORMAL);
    if (bad)
        return failed(bad, "drawing a letter", e);
    for (unsigned row = 0; row < slot->bitmap.rows; row++)
        for (unsigned col = 0; col < slot->bitmap.width; col++)
            canvas_blend(
                to, (int)ix + slot->bitmap_left + (int)col, (int)iy - slot->bitmap_top + (int)row,
                p->colour,
                p->alpha * slot->bitmap.buffer[(long)row * slot->bitmap.pitch + (long)col] / 255.0);
    return RC_OK;
}
