/* reclass.c - see reclass.h: reading a change, and laying it over the labels. */
#include "flow/dataset/reclass.h"

#include "flow/dataset/draft_int.h"

static enum rc bad(struct err *e, const char *why)
{
    return err_field(e, RC_INVALID, "to", "%s", why);
}

/* The number of a name among the new classes, which it joins if it is new. */
static enum rc number_of(struct reclass *r, struct map *numbers, str name, size_t entry,
                         int32_t *ret, struct err *e)
{
    intptr_t known = (intptr_t)map_get(numbers, name);
    enum rc rc = known ? RC_OK : class_name_check(name, entry, e);

    if (!rc && !known) {
        r->names[r->names_n] = name;
        known = (intptr_t)++r->names_n;
        rc = map_put(numbers, name, (void *)known, e);
    }
    if (!rc)
        *ret = (int32_t)known - 1;
    return rc;
}

enum rc reclass_read(struct arena *a, const str *classes, size_t n, const struct strs *to,
                     struct reclass *ret, struct err *e)
{
    struct reclass r = {
        .names = ARENA_ARRAY(a, str, n + 1), .to = ARENA_ARRAY(a, int32_t, n + 1), .from_n = n};
    struct map numbers;
    bool same = true;
    enum rc rc = r.names && r.to ? RC_OK : dataset_nomem(e);

    if (!rc && to->n != n)
        return err_field(e, RC_INVALID, "to",
                         "the version has %zu classes; give each its name from now on, or \"\"", n);
    map_init(&numbers);
    for (size_t i = 0; !rc && i < n; i++) {
        r.to[i] = -1;
        if (to->p[i].n)
            rc = number_of(&r, &numbers, to->p[i], i, &r.to[i], e);
        same = same && str_eq(to->p[i], classes[i]);
    }
    map_done(&numbers);
    if (!rc && same)
        rc = bad(e, "nothing changes: every class keeps its name");
    if (!rc)
        *ret = r;
    return rc;
}

static int32_t renumbered(const struct reclass *r, int32_t cls)
{
    return cls >= 0 && (size_t)cls < r->from_n ? r->to[cls] : -1;
}

static void reclass_marks(const struct reclass *r, struct picture *pic)
{
    struct mark *kept = NULL;

    for (struct mark *m = pic->marks, *next; m; m = next) {
        next = m->next;
        m->cls = renumbered(r, m->cls);
        if (m->cls < 0)
            continue;
        if (kept)
            kept->next = m;
        else
            pic->marks = m;
        m->next = NULL;
        kept = m;
    }
    if (!kept)
        pic->marks = NULL;
    pic->last = kept;
}

enum rc reclass_apply(const struct reclass *r, struct harvest *p, struct err *e)
{
    if (p->classes.n != r->from_n)
        return err_set(e, RC_CORRUPT, "the version has %zu classes, the change is for %zu",
                       p->classes.n, r->from_n);
    for (size_t i = 0; i < p->pictures.n; i++) {
        struct picture *pic = &p->pictures.p[i];
        reclass_marks(r, pic);
        if (pic->label >= 0)
            pic->label = renumbered(r, pic->label);
        if (p->task == TASK_CLASSIFICATION)
            pic->unlabelled = pic->label < 0;
    }
    p->classes.n = 0;
    for (size_t i = 0; i < r->names_n; i++)
        if (!VEC_PUSH(&p->classes, r->names[i]))
            return harvest_nomem(p, e);
    return RC_OK;
}
