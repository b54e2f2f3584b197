/* assemble.c - see assemble.h. */
#include "flow/dataset/assemble.h"

/* ---- what the second pass said */

static void report_refused(struct harvest *p, const struct picture *pic)
{
    enum fault_code code = pic->got.rc == RC_UNSUPPORTED ? FAULT_CODE_UNSUPPORTED_FORMAT
                           : pic->got.rc == RC_TOO_LARGE ? FAULT_CODE_TOO_LARGE
                                                         : FAULT_CODE_CORRUPT_IMAGE;

    faults_add(&p->faults, code, pic->path, 0, pic->name, "left out", "%.*s",
               STR_F(pic->got.trouble));
}

static int by_name(const void *a, const void *b)
{
    return str_cmp((*(struct picture *const *)a)->name, (*(struct picture *const *)b)->name);
}

/* The pictures that stay, by name: so that all that follows does not depend on the archive's order.
 */
static enum rc collect(struct harvest *p, bool finished, struct assembly *as, struct err *e)
{
    as->order = ARENA_ARRAY(p->a, struct picture *, p->pictures.n + 1);
    if (!as->order)
        return harvest_nomem(p, e);
    for (size_t i = 0; i < p->pictures.n; i++)
        if (p->pictures.p[i].keep)
            as->order[as->n++] = &p->pictures.p[i];
    qsort(as->order, as->n, sizeof *as->order, by_name);
    size_t n = 0;
    for (size_t i = 0; i < as->n; i++) {
        struct picture *pic = as->order[i];
        if (!pic->got.done)
            return err_set(e, RC_INTERNAL, "'%.*s' was never checked", STR_F(pic->name));
        if (pic->got.rc) {
            report_refused(p, pic);
            continue;
        }
        if (!finished)
            marks_finish(p, pic);
        as->order[n++] = pic;
    }
    as->n = n;
    if (!n)
        return err_field(e, RC_CORRUPT, "empty",
                         "no usable picture is left in the archive: %llu faults, the first: %.*s",
                         (unsigned long long)p->faults.total,
                         STR_F(p->faults.list.n ? p->faults.list.p[0].message : STR("none")));
    return RC_OK;
}

/* ---- equal content */

static bool same_marks(const struct picture *a, const struct picture *b)
{
    const struct mark *x = a->marks, *y = b->marks;

    for (; x && y; x = x->next, y = y->next) {
        size_t floats = x->kind == MARK_BOX ? 4 : 2 * x->points;
        if (x->kind != y->kind || x->cls != y->cls || x->points != y->points ||
            memcmp(x->xy, y->xy, floats * sizeof *x->xy) || !str_eq(x->text, y->text))
            return false;
    }
    return !x && !y && a->label == b->label;
}

static enum rc report_duplicates(struct assembly *as, struct err *e)
{
    struct map seen;
    enum rc rc = RC_OK;

    map_init(&seen);
    for (size_t i = 0; !rc && i < as->n; i++) {
        struct picture *pic = as->order[i];
        str key = {pic->got.sha256, SHA256_HEX};
        const struct picture *first = map_get(&seen, key);
        if (!first) {
            rc = map_put(&seen, key, pic, e);
            continue;
        }
        as->duplicates++;
        const char *what = !same_marks(first, pic)      ? "with different labels"
                           : first->split != pic->split ? "in another split (it leaks between them)"
                                                        : "with the same labels";
        faults_add(&as->harvest->faults, FAULT_CODE_DUPLICATE_IMAGE, pic->path, 0, pic->name,
                   "both were kept", "the same picture as '%.*s', %s", STR_F(first->name), what);
    }
    map_done(&seen);
    return rc;
}

/* ---- the split */

/* What a picture is divided by: its label, or the rarest class among its marks. */
static enum rc strata(struct assembly *as, struct split_item *items, struct err *e)
{
    struct harvest *p = as->harvest;
    uint64_t *counts = ARENA_ARRAY(p->a, uint64_t, p->classes.n + 1);

    if (!counts)
        return harvest_nomem(p, e);
    for (size_t i = 0; i < as->n; i++)
        for (const struct mark *m = as->order[i]->marks; m; m = m->next)
            counts[m->cls]++;
    for (size_t i = 0; i < as->n; i++) {
        const struct picture *pic = as->order[i];
        int32_t s = pic->label;
        for (const struct mark *m = pic->label < 0 ? pic->marks : NULL; m; m = m->next)
            if (s < 0 || counts[m->cls] < counts[s] || (counts[m->cls] == counts[s] && m->cls < s))
                s = m->cls;
        items[i] =
            (struct split_item){pic->got.sha256, pic->name, s, pic->split, false, pic->unlabelled};
    }
    return RC_OK;
}

static int by_split_name(const void *a, const void *b)
{
    const struct picture *x = *(struct picture *const *)a, *y = *(struct picture *const *)b;

    if (x->split != y->split)
        return strcmp(split_names[x->split], split_names[y->split]);
    return str_cmp(x->name, y->name);
}

static enum rc split_pictures(struct assembly *as, const struct split_spec *spec, struct err *e)
{
    struct harvest *p = as->harvest;
    struct split_item *items = ARENA_ARRAY(p->a, struct split_item, as->n + 1);
    size_t n = 0;

    if (!items)
        return harvest_nomem(p, e);
    enum rc rc = strata(as, items, e);
    if (!rc)
        rc = split_apply(spec, items, as->n, p->splits_given, &p->faults, e);
    if (rc)
        return rc;
    for (size_t i = 0; i < as->n; i++) {
        as->order[i]->split = items[i].split;
        if (!items[i].excluded)
            as->order[n++] = as->order[i];
    }
    as->n = n;
    if (!n)
        return err_field(e, RC_INVALID, "exclude", "no picture is left: all were excluded");
    qsort(as->order, n, sizeof *as->order, by_split_name);
    return RC_OK;
}

/* ---- classes */

struct tally {
    uint64_t images, shapes, split[SPLIT_COUNT];
    size_t last; /* picture counted last, + 1 */
};

static struct tally *tally_classes(const struct assembly *as)
{
    struct tally *t = mem_alloc_array(as->harvest->classes.n + 1, sizeof *t);

    for (size_t i = 0; t && i < as->n; i++) {
        const struct picture *pic = as->order[i];
        if (pic->label >= 0) {
            t[pic->label].images++;
            t[pic->label].split[pic->split]++;
        }
        for (const struct mark *m = pic->marks; m; m = m->next) {
            t[m->cls].shapes++;
            if (t[m->cls].last != i + 1) {
                t[m->cls].last = i + 1;
                t[m->cls].images++;
                t[m->cls].split[pic->split]++;
            }
        }
    }
    return t;
}

static enum rc report_classes(struct assembly *as, struct err *e)
{
    struct harvest *p = as->harvest;
    struct tally *t = tally_classes(as);
    size_t most = 0, least = SIZE_MAX;

    if (!t)
        return harvest_nomem(p, e);
    for (size_t i = 0; i < p->classes.n; i++) {
        uint64_t n = t[i].split[SPLIT_TRAIN];
        str name = p->classes.p[i];
        if (!t[i].images)
            faults_add(&p->faults, FAULT_CODE_EMPTY_CLASS, STR_NONE, 0, STR_NONE,
                       "it keeps its number", "class '%.*s' occurs in no picture", STR_F(name));
        else if (n < FEW_SAMPLES)
            faults_add(&p->faults, FAULT_CODE_FEW_SAMPLES, STR_NONE, 0, STR_NONE, "nothing",
                       "class '%.*s' has %llu training pictures; %d or more are advisable",
                       STR_F(name), (unsigned long long)n, FEW_SAMPLES);
        if (!n)
            continue;
        if (n > t[most].split[SPLIT_TRAIN])
            most = i;
        if (least == SIZE_MAX || n < t[least].split[SPLIT_TRAIN])
            least = i;
    }
    if (least != SIZE_MAX &&
        t[most].split[SPLIT_TRAIN] > IMBALANCE_RATIO * t[least].split[SPLIT_TRAIN])
        faults_add(&p->faults, FAULT_CODE_CLASS_IMBALANCE, STR_NONE, 0, STR_NONE,
                   "nothing; balanced class weights can help",
                   "class '%.*s' has %llu training pictures, class '%.*s' only %llu",
                   STR_F(p->classes.p[most]), (unsigned long long)t[most].split[SPLIT_TRAIN],
                   STR_F(p->classes.p[least]), (unsigned long long)t[least].split[SPLIT_TRAIN]);
    mem_free(t);
    return RC_OK;
}

/* ---- the manifest */

static enum rc shapes_of(const struct picture *pic, struct arena *a, struct sample *s,
                         struct err *e)
{
    size_t n = 0;

    for (const struct mark *m = pic->marks; m; m = m->next)
        n++;
    s->boxes = ARENA_ARRAY(a, struct box, n + 1);
    s->polygons = ARENA_ARRAY(a, struct polygon, n + 1);
    s->quads = ARENA_ARRAY(a, struct quad, n + 1);
    if (!s->boxes || !s->polygons || !s->quads)
        return err_set(e, RC_NOMEM, "no memory to write a manifest");
    for (const struct mark *m = pic->marks; m; m = m->next) {
        if (m->kind == MARK_BOX)
            s->boxes[s->boxes_n++] = (struct box){m->cls, m->xy[0], m->xy[1], m->xy[2], m->xy[3]};
        else if (m->kind == MARK_POLYGON)
            s->polygons[s->polygons_n++] = (struct polygon){m->cls, m->xy, m->points};
        else {
            struct quad *q = &s->quads[s->quads_n++];
            memcpy(q->xy, m->xy, sizeof q->xy);
            q->text = m->text;
        }
    }
    return RC_OK;
}

static enum rc write_picture(const struct picture *pic, struct arena *a, struct buf *line,
                             struct err *e)
{
    struct sample s = {.bytes = pic->got.bytes,
                       .width = pic->got.width,
                       .height = pic->got.height,
                       .type = pic->got.type,
                       .split = pic->split,
                       .name = pic->name,
                       .label = pic->label};

    memcpy(s.sha256, pic->got.sha256, sizeof s.sha256);
    enum rc rc = pic->marks ? shapes_of(pic, a, &s, e) : RC_OK;
    if (rc)
        return rc;
    sample_write(&s, line);
    rc = buf_ok(line, e);
    return rc ? err_wrap(e, rc, "the annotations of '%.*s'", STR_F(pic->name)) : RC_OK;
}

enum rc assembly_write(const struct assembly *as, assembly_sink_fn sink, void *ud, struct err *e)
{
    struct buf line;
    struct arena a;

    buf_init(&line, DATASET_LINE_BYTES_MAX);
    arena_init(&a, 64 << 20);
    dataset_header_write(&as->header, &line);
    enum rc rc = buf_ok(&line, e);
    if (!rc)
        rc = sink(ud, line.p, line.n, e);
    for (size_t i = 0; !rc && i < as->n; i++) {
        buf_clear(&line);
        arena_reset(&a);
        rc = write_picture(as->order[i], &a, &line, e);
        if (!rc)
            rc = sink(ud, line.p, line.n, e);
    }
    buf_done(&line);
    arena_done(&a);
    return rc;
}

struct naming {
    struct hasher h;
    uint64_t bytes;
};

static enum rc hash_sink(void *ud, const void *p, size_t n, struct err *e)
{
    struct naming *to = ud;

    (void)e;
    hasher_add(&to->h, p, n);
    to->bytes += n;
    return RC_OK;
}

static enum rc name_version(struct assembly *as, struct err *e)
{
    struct naming to = {0};
    uint8_t digest[SHA256_BYTES];
    enum rc rc = sha256_init(&to.h, e);

    if (rc)
        return rc;
    rc = assembly_write(as, hash_sink, &to, e);
    if (rc) {
        hasher_done(&to.h);
        return rc;
    }
    hasher_final(&to.h, digest);
    hex_of(digest, sizeof digest, as->version);
    as->manifest_bytes = to.bytes;
    return RC_OK;
}

enum rc assemble(struct harvest *p, const struct split_spec *split, bool finished,
                 struct assembly *ret, struct err *e)
{
    struct assembly as = {.harvest = p};
    enum rc rc = collect(p, finished, &as, e);

    if (!rc)
        rc = split_pictures(&as, split, e);
    if (!rc)
        rc = report_duplicates(&as, e);
    if (!rc)
        rc = report_classes(&as, e);
    if (rc)
        return rc;
    as.header = (struct dataset_header){
        .task = p->task, .classes = p->classes.p, .classes_n = p->classes.n, .images = as.n};
    for (size_t i = 0; i < as.n; i++) {
        as.header.splits[as.order[i]->split]++;
        as.images_bytes += as.order[i]->got.bytes;
    }
    rc = name_version(&as, e);
    if (!rc && p->faults.nomem)
        rc = harvest_nomem(p, e);
    if (!rc)
        *ret = as;
    return rc;
}

/* ---- statistics */

static void write_classes(const struct assembly *as, struct jw *w)
{
    struct tally *t = tally_classes(as);

    jw_karr(w, "classes");
    for (size_t i = 0; t && i < as->harvest->classes.n; i++) {
        jw_obj(w);
        jw_kstr(w, "name", as->harvest->classes.p[i]);
        jw_kint(w, "images", (int64_t)t[i].images);
        jw_kint(w, "shapes", (int64_t)t[i].shapes);
        for (int s = 0; s < SPLIT_COUNT; s++)
            jw_kint(w, split_names[s], (int64_t)t[i].split[s]);
        jw_obj_end(w);
    }
    jw_arr_end(w);
    mem_free(t);
}

static void write_range(struct jw *w, const char *key, int32_t min, int32_t max)
{
    jw_kobj(w, key);
    jw_kint(w, "min", min);
    jw_kint(w, "max", max);
    jw_obj_end(w);
}

/* Pictures by their longer side: at most 16, 32, 64, ... pixels. */
static void write_sizes(const struct assembly *as, struct jw *w)
{
    uint64_t buckets[SIZE_BUCKETS] = {0}, types[IMAGE_TYPE_COUNT] = {0};
    int32_t w_min = INT32_MAX, w_max = 0, h_min = INT32_MAX, h_max = 0;

    for (size_t i = 0; i < as->n; i++) {
        const struct checked *c = &as->order[i]->got;
        int32_t side = c->width > c->height ? c->width : c->height;
        int b = 0;
        while (b < SIZE_BUCKETS - 1 && side > 16 << b)
            b++;
        buckets[b]++;
        types[c->type]++;
        w_min = c->width < w_min ? c->width : w_min;
        w_max = c->width > w_max ? c->width : w_max;
        h_min = c->height < h_min ? c->height : h_min;
        h_max = c->height > h_max ? c->height : h_max;
    }
    write_range(w, "width", w_min, w_max);
    write_range(w, "height", h_min, h_max);
    jw_karr(w, "sizes");
    for (int b = 0; b < SIZE_BUCKETS; b++) {
        if (!buckets[b])
            continue;
        jw_obj(w);
        jw_kint(w, "side_max", b == SIZE_BUCKETS - 1 ? 0 : 16 << b); /* 0: larger than all */
        jw_kint(w, "images", (int64_t)buckets[b]);
        jw_obj_end(w);
    }
    jw_arr_end(w);
    jw_kobj(w, "types");
    for (int t = 0; t < IMAGE_TYPE_COUNT; t++)
        if (types[t])
            jw_kint(w, image_type_names[t], (int64_t)types[t]);
    jw_obj_end(w);
}

void assembly_stats(const struct assembly *as, struct jw *w)
{
    const struct harvest *p = as->harvest;
    size_t others = 0;

    for (size_t i = 0; i < p->files.n; i++)
        others += !p->files.p[i].is_image;
    jw_obj(w);
    jw_kcstr(w, "task", task_names[p->task]);
    jw_kcstr(w, "format", dataset_format_names[p->format]);
    jw_kint(w, "images", (int64_t)as->n);
    jw_kint(w, "bytes", (int64_t)as->images_bytes);
    jw_kobj(w, "splits");
    for (int s = 0; s < SPLIT_COUNT; s++)
        jw_kint(w, split_names[s], (int64_t)as->header.splits[s]);
    jw_obj_end(w);
    write_classes(as, w);
    write_sizes(as, w);
    jw_kint(w, "duplicates", (int64_t)as->duplicates);
    jw_kint(w, "other_files", (int64_t)others);
    jw_kint(w, "faults", (int64_t)p->faults.total);
    jw_key(w, "fault_counts");
    faults_counts_write(&p->faults, w);
    jw_obj_end(w);
}
