/* survey.c - see survey.h. */
#include "flow/dataset/survey.h"
#include "flow/dataset/coco.h"

enum { CHUNK = 64 << 10, HEAD = 16, TICK_FILES = 64 };

/* ---- what a file is */

static bool ends_with_one_of(str path, const char *const *ends)
{
    for (; *ends; ends++)
        if (str_iends(path, str_of(*ends)))
            return true;
    return false;
}

static bool called_image(str path)
{
    static const char *const ends[] = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", NULL};
    return ends_with_one_of(path, ends);
}

static bool called_foreign(str path)
{
    static const char *const ends[] = {".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif",
                                       ".jp2", ".jxl", ".ppm", ".pgm",  ".pbm",  ".tga",  ".ico",
                                       ".raw", ".dng", ".cr2", ".nef",  ".psd",  ".svg",  NULL};
    return ends_with_one_of(path, ends);
}

static bool called_archive(str path)
{
    static const char *const ends[] = {".zip",  ".tar", ".tgz", ".tbz2", ".txz",
                                       ".tzst", ".gz",  ".bz2", ".xz",   ".zst",
                                       ".7z",   ".rar", ".lz4", ".cab",  NULL};
    return ends_with_one_of(path, ends);
}

static bool called_text(str path)
{
    static const char *const ends[] = {".txt", ".csv", ".xml", ".yaml", ".yml", ".names", NULL};
    return ends_with_one_of(path, ends);
}

static bool begins_as_image(str head)
{
    return str_starts(head, STR("\xff\xd8\xff")) || str_starts(head, STR("\x89PNG\r\n\x1a\n")) ||
           (str_starts(head, STR("RIFF")) && head.n >= 12 && !memcmp(head.p + 8, "WEBP", 4));
}

static bool begins_as_foreign(str head)
{
    return str_starts(head, STR("GIF8")) || str_starts(head, STR("II*\0")) ||
           str_starts(head, STR("MM\0*")) || (head.n >= 12 && !memcmp(head.p + 4, "ftyp", 4));
}

/* ---- reading one entry */

struct entry_in { /* the bytes of the current entry, with its first ones kept */
    struct pack *in;
    uint64_t bytes;
    char head[HEAD];
    size_t head_n;
    bool damaged;
    enum rc rc; /* of the pack, when not merely damaged */
};

static enum rc entry_fill(void *ud, void *to, size_t cap, size_t *ret_n, struct err *e)
{
    struct entry_in *in = ud;
    size_t n = 0;
    bool damaged = false;
    enum rc rc = in->damaged ? RC_OK : pack_read(in->in, to, cap, &n, &damaged, e);

    if (damaged) {
        in->damaged = true;
        rc = RC_OK;
        n = 0;
    }
    if (rc) {
        in->rc = rc;
        return rc;
    }
    size_t k = n < HEAD - in->head_n ? n : HEAD - in->head_n;
    memcpy(in->head + in->head_n, to, k);
    in->head_n += k;
    in->bytes += n;
    *ret_n = n;
    return RC_OK;
}

static enum rc drain(struct entry_in *in, struct buf *keep, struct err *e)
{
    char chunk[CHUNK];
    size_t n;

    for (;;) {
        enum rc rc = entry_fill(in, chunk, sizeof chunk, &n, e);
        if (rc || !n)
            return rc;
        if (keep)
            buf_add(keep, chunk, n);
    }
}

static enum rc keep_text(struct harvest *p, struct file *f, struct entry_in *in, struct err *e)
{
    struct buf text;

    buf_init(&text, HARVEST_TEXT_FILE_BYTES_MAX);
    enum rc rc = drain(in, &text, e);
    if (!rc && text.rc == RC_TOO_LARGE) {
        faults_add(&p->faults, FAULT_CODE_TOO_LARGE, f->path, 0, STR_NONE, "not read",
                   "a text file of more than %d MB", HARVEST_TEXT_FILE_BYTES_MAX >> 20);
    } else if (!rc) {
        rc = buf_ok(&text, e);
        p->text_bytes += text.n;
        if (!rc && p->text_bytes > HARVEST_TEXT_BYTES_MAX)
            rc = err_set(e, RC_TOO_LARGE, "the text files of the archive hold more than %d MB",
                         HARVEST_TEXT_BYTES_MAX >> 20);
        if (!rc && !in->damaged) {
            f->text = arena_str(p->a, buf_view(&text));
            if (!f->text.p)
                rc = harvest_nomem(p, e);
        }
    }
    buf_done(&text);
    return rc;
}

static void judge(struct harvest *p, struct file *f, const struct entry_in *in)
{
    str head = {in->head, in->head_n};

    f->bytes = in->bytes;
    f->damaged = in->damaged;
    f->is_image = begins_as_image(head) || (called_image(f->path) && !begins_as_foreign(head));
    f->is_foreign = !f->is_image && (begins_as_foreign(head) || called_foreign(f->path));
    if (f->damaged)
        faults_add(&p->faults, f->is_image ? FAULT_CODE_CORRUPT_IMAGE : FAULT_CODE_BAD_FILE,
                   f->path, 0, STR_NONE, "left out",
                   "the archive's copy is damaged (wrong checksum)");
    else if (f->is_foreign)
        faults_add(&p->faults, FAULT_CODE_UNSUPPORTED_FORMAT, f->path, 0, STR_NONE, "left out",
                   "not a JPEG, PNG or WebP picture");
}

static enum rc read_file(struct harvest *p, struct pack *pack, struct file *f, struct err *e)
{
    struct entry_in in = {.in = pack};
    enum rc rc = RC_OK;

    if (called_archive(f->path))
        return err_field(
            e, RC_CORRUPT, "nested_archive",
            "the archive holds another archive, '%.*s'; unpack it and upload one archive "
            "with all pictures",
            STR_F(f->path));
    if (called_text(f->path)) {
        rc = keep_text(p, f, &in, e);
    } else {
        if (str_iends(f->path, STR(".json")))
            rc = coco_add_file(p, f->path, entry_fill, &in, e);
        if (!rc && !in.rc)
            rc = drain(&in, NULL, e);
    }
    if (rc || in.rc)
        return rc ? rc : in.rc;
    judge(p, f, &in);
    return RC_OK;
}

/* ---- all entries */

static enum rc add_entry(struct harvest *p, struct map *seen, struct pack *in,
                         const struct pack_entry *en, struct err *e)
{
    struct file f = {.path = arena_str(p->a, en->path), .ordinal = en->ordinal};

    if (!f.path.p)
        return harvest_nomem(p, e);
    if (path_is_junk(f.path))
        return RC_OK;
    if (en->is_dir)
        return VEC_PUSH(&p->dirs, f.path) ? RC_OK : harvest_nomem(p, e);
    if (en->repaired)
        faults_add(&p->faults, FAULT_CODE_BAD_UTF8_NAME, f.path, 0, STR_NONE,
                   "bad bytes were written as %XX", "the file's name is not valid UTF-8");
    if (map_has(seen, f.path)) {
        faults_add(&p->faults, FAULT_CODE_DUPLICATE_NAME, f.path, 0, STR_NONE,
                   "the first one was kept", "the archive holds two files of this name");
        return RC_OK;
    }
    enum rc rc = map_put(seen, f.path, p, e);
    if (!rc)
        rc = read_file(p, in, &f, e);
    if (!rc && !VEC_PUSH(&p->files, f))
        rc = harvest_nomem(p, e);
    return rc;
}

enum rc survey_read(struct harvest *p, struct pack *in, survey_tick_fn tick, void *ud,
                    struct err *e)
{
    struct map seen;
    struct pack_entry en;
    bool more = true;
    enum rc rc = RC_OK;

    map_init(&seen);
    for (size_t n = 0; !rc; n++) {
        rc = pack_next(in, &more, &en, e);
        if (rc || !more)
            break;
        rc = add_entry(p, &seen, in, &en, e);
        if (!rc && tick && n % TICK_FILES == 0)
            rc = tick(ud, e);
    }
    map_done(&seen);
    if (!rc && p->faults.nomem)
        rc = harvest_nomem(p, e);
    return rc;
}

/* ---- which format */

/* The first folder of all files, if it is common to all; pictures must keep `depth` folders. */
static bool common_top(const struct harvest *p, size_t skip, bool keep_one, str *ret)
{
    str top = STR_NONE;

    for (size_t i = 0; i < p->files.n; i++) {
        str rest = str_sub(p->files.p[i].path, skip, PACK_PATH_MAX * 4);
        ptrdiff_t k = str_chr(rest, '/');
        if (k < 0)
            return false;
        str one = str_sub(rest, 0, (size_t)k);
        if (top.p && !str_eq(one, top))
            return false;
        top = one;
        if (keep_one && p->files.p[i].is_image &&
            str_chr(str_sub(rest, (size_t)k + 1, rest.n), '/') < 0)
            return false;
    }
    if (!top.p || split_of_word(top) != SPLIT_NONE)
        return false;
    *ret = top;
    return true;
}

static void strip_top(struct harvest *p, bool keep_one)
{
    size_t n = 0;
    str top;

    while (common_top(p, n, keep_one, &top))
        n += top.n + 1;
    p->top = p->files.n ? str_sub(p->files.p[0].path, 0, n) : STR_NONE;
}

static const struct {
    enum dataset_format format;
    bool (*fits)(const struct harvest *p);
    enum rc (*read)(struct harvest *p, struct err *e);
} formats[] = {
    /* the most specific first */
    {FORMAT_COCO, coco_fits, coco_read},       {FORMAT_VOC, voc_fits, voc_read},
    {FORMAT_YOLO, yolo_fits, yolo_read},       {FORMAT_ICDAR, icdar_fits, icdar_read},
    {FORMAT_FOLDER, folder_fits, folder_read}, {FORMAT_PICTURES, pictures_fit, pictures_read},
};

static enum rc nothing_found(const struct harvest *p, struct err *e)
{
    return err_field(e, RC_CORRUPT, "unknown_layout",
                     "the archive holds no JPEG, PNG or WebP picture (%zu other files)",
                     p->files.n);
}

enum rc survey_recognise(struct harvest *p, struct err *e)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (!formats[i].fits(p))
            continue;
        p->format = formats[i].format;
        strip_top(p, p->format == FORMAT_FOLDER || p->format == FORMAT_PICTURES);
        enum rc rc = harvest_take_pictures(p, e);
        if (!rc)
            rc = formats[i].read(p, e);
        if (!rc)
            coco_report_broken(p);
        if (!rc && p->faults.nomem)
            rc = harvest_nomem(p, e);
        return rc;
    }
    return nothing_found(p, e);
}
