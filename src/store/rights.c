/* rights.c - see identity.h: the words for rights, the names of identities, and which buckets a
 * grant is for. */
#include "store/identity_int.h"

#include <stdio.h>

static const struct {
    const char *word;
    unsigned rights;
} words[] = {{"read", RIGHT_READ},
             {"write", RIGHT_WRITE},
             {"list", RIGHT_LIST},
             {"admin", RIGHT_ADMIN},
             {"create", RIGHT_CREATE},
             {"all", RIGHT_ANY | RIGHT_CREATE},
             {"none", 0}};
enum { SINGLE_WORDS = 5 };

enum rc rights_parse(str text, unsigned *ret, struct err *e)
{
    unsigned rights = 0;
    str word;

    if (!text.n)
        return err_field(e, RC_INVALID, "rights",
                         "say which rights: read, write, list, admin, create, all, or none");
    while (str_next(&text, ',', &word)) {
        size_t i = 0;
        while (i < sizeof words / sizeof *words && !str_is(str_trim(word), words[i].word))
            i++;
        if (i == sizeof words / sizeof *words)
            return err_field(e, RC_INVALID, "rights",
                             "'%.*s' is no right; there are read, write, list, admin, create, all "
                             "and none",
                             STR_F(str_sub(word, 0, 40)));
        rights |= words[i].rights;
    }
    *ret = rights;
    return RC_OK;
}

void rights_text(unsigned rights, char ret[RIGHTS_TEXT])
{
    size_t at = 0;

    ret[0] = 0;
    for (size_t i = 0; i < SINGLE_WORDS; i++)
        if (rights & words[i].rights)
            at +=
                (size_t)snprintf(ret + at, RIGHTS_TEXT - at, "%s%s", at ? "," : "", words[i].word);
    if (!at)
        snprintf(ret, RIGHTS_TEXT, "none");
}

static bool name_char(char c, bool first)
{
    bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

    return alnum || (!first && (c == '.' || c == '_' || c == '-'));
}

enum rc identity_check_name(str name, struct err *e)
{
    bool good = name.n && name.n <= IDENTITY_NAME_MAX && !str_is(name, IDENTITY_ROOT);

    for (size_t i = 0; good && i < name.n; i++)
        good = name_char(name.p[i], i == 0);
    return good ? RC_OK
                : err_field(e, RC_INVALID, "name",
                            "a name has 1 to %d letters, digits, '.', '_', '-', begins with a "
                            "letter or digit, and is not '" IDENTITY_ROOT "'",
                            IDENTITY_NAME_MAX);
}

bool grant_pattern_ok(str p)
{
    if (!p.n || p.n > 64)
        return false;
    for (size_t i = 0; i < p.n; i++) {
        char c = p.p[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
        if (!fine && !(c == '*' && i == p.n - 1))
            return false;
    }
    return true;
}

enum rc grant_check(struct grant g, struct err *e)
{
    return grant_pattern_ok(g.pattern)
               ? RC_OK
               : err_field(e, RC_INVALID, "bucket",
                           "'%.*s' is no bucket's name, nor its beginning and '*'",
                           STR_F(str_sub(g.pattern, 0, 80)));
}

bool grant_fits(str pattern, str bucket)
{
    if (pattern.p[pattern.n - 1] == '*')
        return str_starts(bucket, str_sub(pattern, 0, pattern.n - 1));
    return str_eq(pattern, bucket);
}
