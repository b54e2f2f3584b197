/* cli_flags.c - see cli_flags.h. */
#include "bin/cli_flags.h"

#include "base/arena.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* ---- how near two names are */

enum { NEAR_BYTES_MAX = 40 };

/* Damerau-Levenshtein distance (optimal string alignment); names too long are far from all. */
static size_t distance(str a, str b)
{
    size_t row[3][NEAR_BYTES_MAX + 1];

    if (a.n > NEAR_BYTES_MAX || b.n > NEAR_BYTES_MAX)
        return NEAR_BYTES_MAX;
    for (size_t j = 0; j <= b.n; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t d = up[j - 1] + (a.p[i - 1] != b.p[j - 1]);

            d = up[j] + 1 < d ? up[j] + 1 : d;
            d = now[j - 1] + 1 < d ? now[j - 1] + 1 : d;
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
                d = up2[j - 2] + 1 < d ? up2[j - 2] + 1 : d;
            now[j] = d;
        }
    }
    return row[a.n % 3][b.n];
}

/* Is it near enough to be what was meant?  A third of the letters may differ; a beginning counts.
 */
static bool is_near(str word, str name, size_t d)
{
    return d <= 1 + word.n / 3 || (word.n >= 3 && str_starts(name, word)) ||
           (name.n >= 3 && str_starts(word, name));
}

static void consider(str word, const char *name, const char **best, size_t *best_d)
{
    size_t d = distance(word, str_of(name));

    if (is_near(word, str_of(name), d) && d < *best_d) {
        *best_d = d;
        *best = name;
    }
}

const char *nearest_name(const char *const *names, str word)
{
    const char *best = NULL;
    size_t d = NEAR_BYTES_MAX;

    for (; *names; names++)
        consider(word, *names, &best, &d);
    return best;
}

void flag_text(const char *name, char ret[FLAG_TEXT_MAX])
{
    size_t n = 0;

    ret[n++] = '-';
    ret[n++] = '-';
    for (; *name && n < FLAG_TEXT_MAX - 1; name++)
        ret[n++] = *name == '_' ? '-' : *name;
    ret[n] = 0;
}

/* ---- the walk */

struct walk {
    const struct flag_set *s;
    void *ud;
    int argc, at;
    char **argv;
};

static bool same_name(str flag, const char *name)
{
    size_t n = strlen(name);

    if (flag.n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (flag.p[i] != (name[i] == '_' ? '-' : name[i]) && flag.p[i] != name[i])
            return false;
    return true;
}

static bool find(const struct walk *w, str flag, size_t *ret_i, bool *ret_not)
{
    str rest = str_starts(flag, STR("no-")) ? str_sub(flag, 3, flag.n) : STR_NONE;
    const char *name;

    *ret_not = false;
    for (size_t i = 0; (name = w->s->name(w->ud, i)); i++)
        if (same_name(flag, name)) {
            *ret_i = i;
            return true;
        }
    for (size_t i = 0; rest.n && (name = w->s->name(w->ud, i)); i++)
        if (same_name(rest, name) && w->s->is_switch(w->ud, i)) {
            *ret_i = i;
            *ret_not = true;
            return true;
        }
    return false;
}

static enum rc unknown(const struct walk *w, str flag, struct err *e)
{
    char text[FLAG_TEXT_MAX], plain[FLAG_TEXT_MAX];
    const char *best = NULL, *name;
    size_t d = NEAR_BYTES_MAX, n = flag.n < FLAG_TEXT_MAX - 1 ? flag.n : FLAG_TEXT_MAX - 1;

    for (size_t i = 0; i < n; i++)
        plain[i] = flag.p[i] == '-' ? '_' : flag.p[i];
    for (size_t i = 0; (name = w->s->name(w->ud, i)); i++)
        consider((str){plain, n}, name, &best, &d);
    if (!best)
        return err_set(e, RC_INVALID, "there is no flag '--%.*s'", (int)n, flag.p);
    flag_text(best, text);
    return err_set(e, RC_INVALID, "there is no flag '--%.*s'; did you mean '%s'?", (int)n, flag.p,
                   text);
}

static enum rc one_flag(struct walk *w, str word, struct err *e)
{
    ptrdiff_t eq = str_chr(word, '=');
    str flag = str_sub(word, 2, eq < 0 ? word.n : (size_t)eq - 2), value = STR_NONE;
    bool is_not;
    size_t i;

    if (!find(w, flag, &i, &is_not))
        return unknown(w, flag, e);
    if (eq >= 0)
        value = str_sub(word, (size_t)eq + 1, word.n);
    if (is_not && eq >= 0)
        return err_set(e, RC_INVALID, "'--%.*s' takes no value", STR_F(flag));
    if (is_not)
        value = STR("false");
    else if (eq < 0 && w->s->is_switch(w->ud, i))
        value = STR("true");
    else if (eq < 0) {
        str next = w->at + 1 < w->argc ? str_of(w->argv[w->at + 1]) : STR_NONE;

        if (!next.p || (str_starts(next, STR("--")) && next.n > 2))
            return err_set(e, RC_INVALID, "'--%.*s' needs a value", STR_F(flag));
        value = next;
        w->at++;
    }
    return w->s->set(w->ud, i, value, e);
}

enum rc flags_walk(const struct flag_set *s, void *ud, int argc, char **argv, struct err *e)
{
    struct walk w = {s, ud, argc, 1, argv};
    bool words_only = false;
    enum rc rc = RC_OK;

    for (; !rc && w.at < argc; w.at++) {
        str word = str_of(argv[w.at]);

        if (!words_only && str_is(word, "--"))
            words_only = true;
        else if (!words_only && str_starts(word, STR("--")))
            rc = one_flag(&w, word, e);
        else if (!words_only && word.n > 1 && word.p[0] == '-' &&
                 !isdigit((unsigned char)word.p[1]))
            rc = err_set(e, RC_INVALID, "there is no flag '%.*s'; flags are written --name",
                         STR_F(word));
        else if (s->word)
            rc = s->word(ud, word, e);
        else
            rc = err_set(e, RC_INVALID, "'%.*s' is not understood here", STR_F(word));
    }
    return rc;
}

/* ---- fields as flags */

static const struct field *field_at(const struct flags *f, size_t i, void **ret_to)
{
    for (size_t t = 0; t < f->tables; t++) {
        size_t n = 0;

        while (f->table[t].fields[n].name)
            n++;
        if (i < n) {
            *ret_to = f->table[t].to;
            return &f->table[t].fields[i];
        }
        i -= n;
    }
    return NULL;
}

static const char *name_of(void *ud, size_t i)
{
    void *to;
    const struct field *f = field_at(ud, i, &to);

    return f ? f->name : NULL;
}

static bool is_switch_of(void *ud, size_t i)
{
    void *to;
    const struct field *f = field_at(ud, i, &to);

    return f && f->type == FIELD_BOOL;
}

static enum rc set_one(void *ud, size_t i, str value, struct err *e)
{
    struct flags *f = ud;
    char flag[FLAG_TEXT_MAX];
    void *to;
    const struct field *field = field_at(f, i, &to);
    enum rc rc = field_read_one(field, value, to, f->a, e);

    flag_text(field->name, flag);
    if (rc)
        return err_wrap(e, rc, "%s", flag);
    if (flags_given(f, field->name) && field->type != FIELD_BOOL)
        return err_set(e, RC_INVALID, "'%s' is given twice", flag);
    return VEC_PUSH(&f->given, field) ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
}

static enum rc add_word(void *ud, str word, struct err *e)
{
    struct flags *f = ud;

    return VEC_PUSH(&f->words, word) ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
}

void flags_init(struct flags *f, struct arena *a)
{
    *f = (struct flags){.a = a};
}

void flags_done(struct flags *f)
{
    VEC_DONE(&f->given);
    VEC_DONE(&f->words);
}

enum rc flags_add(struct flags *f, const struct field *fields, void *to, struct err *e)
{
    ASSERT(f->tables < FLAG_TABLES_MAX);
    f->table[f->tables].fields = fields;
    f->table[f->tables++].to = to;
    return field_defaults(fields, to, f->a, e);
}

enum rc flags_read(struct flags *f, int argc, char **argv, struct err *e)
{
    static const struct flag_set set = {name_of, is_switch_of, set_one, add_word};

    return flags_walk(&set, f, argc, argv, e);
}

bool flags_given(const struct flags *f, const char *name)
{
    for (size_t i = 0; i < f->given.n; i++)
        if (!strcmp(f->given.p[i]->name, name))
            return true;
    return false;
}

const char *flag_value_text(const struct field *f, struct arena *a)
{
    struct buf b;
    const char *text = "";

    if (f->type == FIELD_BOOL)
        return "";
    if (f->type == FIELD_INT)
        return "N";
    if (f->type == FIELD_NUM)
        return "X";
    buf_init(&b, 4096);
    if (f->type == FIELD_ENUM)
        for (size_t i = 0; f->choices[i]; i++)
            buf_printf(&b, "%s%s", i ? "|" : "", f->choices[i]);
    else
        for (const char *p = f->name; *p; p++)
            buf_putc(&b, (char)toupper((unsigned char)*p));
    if (!buf_ok(&b, NULL))
        text = arena_cstr(a, buf_view(&b));
    buf_done(&b);
    return text ? text : "";
}
