/* harvest.h - what the first pass over an archive makes of it: its pictures and their labels.
 *
 *   pack --files--> survey.c --struct files--> one of folder, yolo, voc, coco, icdar --> pictures
 *
 * The first pass reads every byte of the archive once (so that damage and bombs show before
 * anything is stored) and keeps the names, the text files (bounded), and the COCO files as they are
 * parsed. A reader then turns text into marks.  The second pass decodes the pictures; only then are
 * their sizes known, and marks_finish scales, clips and drops marks.
 *
 * All of a harvest lives in its arena; one owner thread, but the second pass writes `checked`
 * of different pictures from several threads.
 */
#ifndef ANNEAL_FLOW_DATASET_HARVEST_H
#define ANNEAL_FLOW_DATASET_HARVEST_H

#include "base/map.h"
#include "flow/dataset/fault.h"
#include "spec/dataset.h"

enum dataset_format {
    FORMAT_FOLDER,
    FORMAT_YOLO,
    FORMAT_COCO,
    FORMAT_VOC,
    FORMAT_ICDAR,
    FORMAT_PICTURES,
    FORMAT_COUNT
};
extern const char *const dataset_format_names[]; /* "folder", .. "pictures": no labels */

enum {
    HARVEST_BYTES_MAX = 1 << 30,        /* of the arena */
    HARVEST_TEXT_BYTES_MAX = 256 << 20, /* of all text files together */
    HARVEST_TEXT_FILE_BYTES_MAX = 16 << 20,
    HARVEST_IMAGE_BYTES_MAX = 256 << 20, /* of one picture's file */
};

struct file { /* of the archive, in its order */
    str path; /* whole */
    uint32_t ordinal;
    uint64_t bytes;
    bool is_image;   /* begins like a JPEG, PNG or WebP, or is called so */
    bool is_foreign; /* begins like, or is called, a picture of another kind */
    bool damaged;
    str text; /* .txt .csv .xml .yaml .yml: the content; .p NULL otherwise */
};

enum mark_kind { MARK_BOX, MARK_POLYGON, MARK_QUAD };
struct mark { /* one annotated shape, in the order of its file */
    enum mark_kind kind;
    int32_t cls;
    int32_t line; /* of its file, for faults */
    uint32_t points;
    float *xy; /* box: x, y, w, h; polygon, quad: 2 * points */
    str text;  /* quad */
    struct mark *next;
};

struct checked { /* by the second pass */
    bool done;
    enum rc rc;  /* RC_OK: decoded and stored; else the picture is left out */
    str trouble; /* why */
    char sha256[SHA256_HEX + 1];
    uint64_t bytes;
    enum image_type type;
    int32_t width, height;
};

struct picture {
    str path; /* in the archive */
    str name; /* in the manifest: the path without the common top folder */
    uint32_t ordinal;
    int32_t label; /* -1: none */
    enum split split;
    bool keep;                       /* false: left out (a fault says why) */
    bool unlabelled;                 /* nobody has said yet what it shows */
    bool fractions;                  /* the marks are fractions of the picture's sides */
    int32_t said_width, said_height; /* 0: nothing was said */
    str marks_file;
    struct mark *marks, *last;
    struct checked got;
};

struct coco;
struct harvest {
    struct arena *a;
    struct faults faults;
    VEC(struct file) files;
    VEC(str) dirs;
    uint64_t text_bytes;
    str top;                      /* common folder that was taken off, with "/"; may be "" */
    VEC(struct picture) pictures; /* in the order of the archive */
    enum dataset_format format;
    enum task task;
    VEC(str) classes;
    bool splits_given;
    struct coco *coco; /* the JSON files seen; coco.h */
};

void harvest_init(struct harvest *p, struct arena *a);
void harvest_done(struct harvest *p);

/* ---- text (survey.c) */
str path_base(str path); /* "a/b.txt" -> "b.txt" */
str path_stem(str path); /* "a/b.txt" -> "b" */
str path_dir(str path);  /* "a/b.txt" -> "a", "b" -> "" */
bool path_has_part(str path, const char *part);
enum split split_of_word(str word); /* "valid" -> SPLIT_VAL; SPLIT_NONE if it is none */
enum split split_of_path(str path); /* of its first folder that names one */
bool path_is_junk(str path);        /* __MACOSX, .DS_Store, Thumbs.db, hidden files */
/* Reads "1.5 2,3": the next number, after any of the `seps`; false if there is none. */
bool number_next(str *rest, const char *seps, double *ret);
str skip_bom(str text);

/* ---- for the readers */
/* The pictures of the archive, split and label unset, keep false. */
enum rc harvest_take_pictures(struct harvest *p, struct err *e) must_check;
/* Label files find their picture by path without extension (the same folder), else by split and
 * stem. map values are pictures; the pictures must not be added to any more. */
enum rc pictures_by_stem(struct harvest *p, struct map *m, struct err *e) must_check;
struct picture *picture_of_label(const struct map *m, str label_path, str stem); /* NULL: none */
/* Reports the pictures that no label file was found for, as left out. */
void report_unlabelled(struct harvest *p, const char *what);
/* Appends a mark with `floats` zeroed numbers; NULL when memory is out. */
struct mark *mark_add(struct harvest *p, struct picture *pic, enum mark_kind kind, int32_t cls,
                      int32_t line, uint32_t floats) must_check;
enum rc harvest_add_class(struct harvest *p, str name, int32_t *ret, struct err *e) must_check;
/* Sorts the classes bytewise and renumbers labels and marks. */
enum rc harvest_sort_classes(struct harvest *p, struct err *e) must_check;
enum rc harvest_nomem(struct harvest *p, struct err *e); /* which limit it was */

/* Each format: does the archive look like it, and read it.  Reading fails only for want of memory
 * or when the format's central file is unusable; all else becomes faults. */
bool folder_fits(const struct harvest *p);
enum rc folder_read(struct harvest *p, struct err *e) must_check;
bool yolo_fits(const struct harvest *p);
enum rc yolo_read(struct harvest *p, struct err *e) must_check;
bool voc_fits(const struct harvest *p);
enum rc voc_read(struct harvest *p, struct err *e) must_check;
bool icdar_fits(const struct harvest *p);
enum rc icdar_read(struct harvest *p, struct err *e) must_check;
bool pictures_fit(const struct harvest *p);
enum rc pictures_read(struct harvest *p, struct err *e) must_check;
bool coco_fits(const struct harvest *p);
enum rc coco_read(struct harvest *p, struct err *e) must_check;

/* After the second pass, for one picture: scales fractions, drops what has no area, clips what
 * stands out, and says so. */
void marks_finish(struct harvest *p, struct picture *pic);

#endif
