/* split.c - see split.h. */
#include "flow/dataset/split.h"
#include "base/map.h"
#include <math.h>

const char *const split_method_names[] = {"auto", "given", "ratio", "lists", "moves", "fill", NULL};

#define S             struct split_spec
#define F_NAMES(m, h) F_STRS(S, m, .max = SPLIT_NAMES_MAX, .help = h)
const struct field split_spec_fields[] = {
    F_ENUM(
        S, method, split_method_names, .dflt = "\"auto\"",
        .help =
            "given: as the data say; ratio: at random by class; lists: by name; moves: as given, "
            "but the named ones move; fill: as given, and labelled pictures in no split by ratio; "
            "auto: given, else ratio."),
    F_NUM(S, train, .min = 0, .max = 1, .dflt = "0.8", .help = "Share of training pictures."),
    F_NUM(S, val, .min = 0, .max = 1, .dflt = "0.2", .help = "Share of validation pictures."),
    F_NUM(S, test, .min = 0, .max = 1, .dflt = "0", .help = "Share of test pictures."),
    F_INT(S, seed, .min = 0, .max = 9007199254740991.0, .dflt = "42",
          .help = "The same seed and content give the same split."),
    F_NAMES(train_files, "lists, moves: names of training pictures."),
    F_NAMES(val_files, "lists, moves: names of validation pictures."),
    F_NAMES(test_files, "lists, moves: names of test pictures."),
    F_NAMES(none_files, "moves: names of pictures that go into no split."),
    F_NAMES(exclude, "Names of pictures to leave out of the version."),
    FIELD_END};
#undef S

enum rc split_spec_check(const struct split_spec *s, struct err *e)
{
    double sum = s->train + s->val + s->test;

    if (!(fabs(sum - 1) <= 0.01))
        return err_field(e, RC_INVALID, "train",
                         "train, val and test add up to %g; they must add up to 1", sum);
    if (!(s->train > 0))
        return err_field(e, RC_INVALID, "train", "no picture would be left to train on");
    if (s->method == SPLIT_LISTS && !s->train_files.n)
        return err_field(e, RC_INVALID, "train_files", "a split by lists needs train_files");
    if (s->method == SPLIT_MOVES && !s->train_files.n && !s->val_files.n && !s->test_files.n &&
        !s->none_files.n && !s->exclude.n)
        return err_field(e, RC_INVALID, "train_files",
                         "name the pictures that move: train_files, val_files, test_files, "
                         "none_files or exclude");
    return RC_OK;
}

enum rc split_spec_read(str text, struct split_spec *ret, struct err *e)
{
    struct split_spec s = {.method = SPLIT_AUTO, .train = 0.8, .val = 0.2, .seed = 42};
    double *part[] = {&s.train, &s.val, &s.test};
    str rest = text, one;
    size_t n = 0;

    if (str_is(text, "given")) {
        s.method = SPLIT_GIVEN;
    } else if (text.n && !str_is(text, "auto")) {
        char sep = str_chr(text, '/') >= 0 ? '/' : ',';
        s.method = SPLIT_RATIO;
        s.val = 0;
        while (str_next(&rest, sep, &one))
            if (n >= 3 || !str_f64(str_trim(one), part[n++]) || *part[n - 1] < 0)
                return err_field(
                    e, RC_INVALID, "split",
                    "'%.*s' is not a split; write auto, given, or shares as 0.8/0.2 or "
                    "0.7/0.2/0.1",
                    STR_F(str_sub(text, 0, 60)));
    }
    enum rc rc = split_spec_check(&s, e);
    if (!rc)
        *ret = s;
    return rc;
}

/* ---- by ratio */

struct place {
    uint64_t word;
    struct split_item *item;
};

static int by_place(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->item->stratum != y->item->stratum)
        return x->item->stratum < y->item->stratum ? -1 : 1;
    if (x->word != y->word)
        return x->word < y->word ? -1 : 1;
    int k = memcmp(x->item->sha256, y->item->sha256, SHA256_HEX);
    return k ? k : str_cmp(x->item->name, y->item->name);
}

static uint64_t word_of(const char *sha256, uint64_t seed)
{
    uint8_t bytes[8] = {0};
    uint64_t v = 0;

    (void)hex_to((str){sha256, 16}, bytes);
    for (int i = 0; i < 8; i++)
        v = v << 8 | bytes[i];
    return rand_at(seed, v, 0, 0);
}

static bool same_content(const struct place *a, const struct place *b)
{
    return !memcmp(a->item->sha256, b->item->sha256, SHA256_HEX);
}

/* n places of one stratum: test first, then val, the rest train. */
static void divide(struct place *p, size_t n, double val, double test)
{
    size_t n_test = (size_t)llround((double)n * test), n_val = (size_t)llround((double)n * val);

    if (val > 0 && !n_val && n >= 2)
        n_val = 1;
    while (n_test + n_val >= n && n_test + n_val > 0) /* training keeps at least one */
        n_test > n_val ? n_test-- : n_val--;
    size_t a = n_test, b = n_test + n_val;
    while (a > 0 && a < n && same_content(&p[a - 1], &p[a]))
        a++;
    b = b < a ? a : b;
    while (b > 0 && b < n && same_content(&p[b - 1], &p[b]))
        b++;
    for (size_t i = 0; i < n; i++)
        p[i].item->split = i < a ? SPLIT_TEST : i < b ? SPLIT_VAL : SPLIT_TRAIN;
}

/* Divides the items that are in `from` now. */
static enum rc by_ratio(struct split_item *items, size_t n, enum split from, bool any,
                        uint64_t seed, double val, double test, struct err *e)
{
    struct place *p = mem_alloc_array(n + 1, sizeof *p);
    size_t k = 0;

    if (!p)
        return err_set(e, RC_NOMEM, "no memory to split %zu pictures", n);
    for (size_t i = 0; i < n; i++)
        if (!items[i].excluded && !items[i].unlabelled && (any || items[i].split == from))
            p[k++] = (struct place){word_of(items[i].sha256, seed), &items[i]};
    qsort(p, k, sizeof *p, by_place);
    for (size_t i = 0; i < k;) {
        size_t m = i + 1;
        while (m < k && p[m].item->stratum == p[i].item->stratum)
            m++;
        divide(p + i, m - i, val, test);
        i = m;
    }
    mem_free(p);
    return RC_OK;
}

/* An unlabelled picture teaches nothing and measures nothing. */
static void keep_unlabelled_out(struct split_item *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (items[i].unlabelled)
            items[i].split = SPLIT_NONE;
}

/* ---- by name */

static enum rc index_names(struct map *m, struct split_item *items, size_t n, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; !rc && i < n; i++)
        rc = map_put(m, items[i].name, &items[i], e);
    return rc;
}

enum listing { LIST_EXCLUDES, LIST_PLACES, LIST_MOVES };

static void take_list(const struct map *m, const struct strs *names, enum split s, enum listing how,
                      struct faults *f)
{
    for (size_t i = 0; i < names->n; i++) {
        struct split_item *it = map_get(m, names->p[i]);
        if (!it)
            faults_add(f, FAULT_CODE_MISSING_IMAGE, STR_NONE, 0, STR_NONE, "ignored",
                       "the %s list names '%.*s', which is not in the dataset",
                       how == LIST_EXCLUDES ? "exclude" : split_names[s],
                       STR_F(str_sub(names->p[i], 0, 200)));
        else if (how == LIST_EXCLUDES)
            it->excluded = true;
        else if (how == LIST_PLACES && it->split != SPLIT_NONE && it->split != s)
            faults_add(f, FAULT_CODE_SPLIT_CONFLICT, STR_NONE, 0, it->name,
                       "it stays in the first one", "the picture is in two lists");
        else if (it->unlabelled && s != SPLIT_NONE)
            faults_add(f, FAULT_CODE_MISSING_ANNOTATION, STR_NONE, 0, it->name,
                       "it stays in no split", "the picture has no labels yet");
        else
            it->split = s;
    }
}

static enum rc by_lists(const struct split_spec *s, struct split_item *items, size_t n,
                        struct faults *f, struct err *e)
{
    struct map m;

    bool places = s->method == SPLIT_LISTS;

    if (!places && s->method != SPLIT_MOVES && !s->exclude.n)
        return RC_OK;
    map_init(&m);
    enum rc rc = index_names(&m, items, n, e);
    if (!rc)
        take_list(&m, &s->exclude, SPLIT_NONE, LIST_EXCLUDES, f);
    if (!rc && (places || s->method == SPLIT_MOVES)) {
        enum listing how = places ? LIST_PLACES : LIST_MOVES;
        for (size_t i = 0; places && i < n; i++)
            items[i].split = SPLIT_NONE;
        take_list(&m, &s->train_files, SPLIT_TRAIN, how, f);
        take_list(&m, &s->val_files, SPLIT_VAL, how, f);
        take_list(&m, &s->test_files, SPLIT_TEST, how, f);
        take_list(&m, &s->none_files, SPLIT_NONE, how, f);
    }
    map_done(&m);
    return rc;
}

enum rc split_apply(const struct split_spec *s, struct split_item *items, size_t n, bool given,
                    struct faults *faults, struct err *e)
{
    uint64_t seed = (uint64_t)s->seed;
    bool has_val = false;
    enum rc rc = by_lists(s, items, n, faults, e);

    if (rc)
        return rc;
    keep_unlabelled_out(items, n);
    if (s->method == SPLIT_LISTS || s->method == SPLIT_MOVES)
        return RC_OK;
    if (s->method == SPLIT_FILL)
        return by_ratio(items, n, SPLIT_NONE, false, seed, s->val, s->test, e);
    if (s->method == SPLIT_GIVEN && !given)
        return err_field(
            e, RC_CORRUPT, "split",
            "the data name no split (train, val and test folders, or lists); choose auto or "
            "a ratio");
    if (s->method == SPLIT_RATIO || !given)
        return by_ratio(items, n, SPLIT_NONE, true, seed, s->val, s->test, e);
    for (size_t i = 0; i < n; i++)
        has_val |= items[i].split == SPLIT_VAL && !items[i].excluded;
    if (s->method == SPLIT_GIVEN || has_val || !(s->val > 0))
        return RC_OK;
    return by_ratio(items, n, SPLIT_TRAIN, false, seed, s->val / (s->train + s->val), 0, e);
}
