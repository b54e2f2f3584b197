/* identity_test.c - identities, their keys and rights; what a copied folder tells. */
#include "store/identity.c"
#include "store/identity_change.c"

#include "base/test.h"

struct ids {
    struct identities *s;
    struct identities_config c;
    char dir[512];
    struct err e;
};

static void up(struct ids *g)
{
    CHECK_OK(identities_open(&g->s, &g->c, &g->e), &g->e);
}

static void begin(struct ids *g, const char *name)
{
    memset(g, 0, sizeof *g);
    snprintf(g->dir, sizeof g->dir, "%s/%s", test_dir(), name);
    CHECK_OK(os_mkdirs(g->dir, 0700, &g->e), &g->e);
    g->c = (struct identities_config){g->dir, NULL, "AKROOT", "secret-of-root", "us-east-1"};
    up(g);
}

/* The name behind an access key, "" if it is let in under none; and the key that signs for it is
 * the one that the secret gives. */
static const char *who(struct ids *g, const char *access, const char *secret)
{
    static char name[IDENTITY_NAME_MAX + 1];
    uint8_t got[SHA256_BYTES], want[SHA256_BYTES];

    name[0] = 0;
    for (int day = 0; day < 4; day++) { /* the third comes back to the first: through the cache */
        char date[] = "20261120";
        const struct identity *id;
        date[7] = (char)('0' + day % 3);
        id = identities_find(g->s, str_of(access), str_of(date), got);
        if (!id)
            return "";
        snprintf(name, sizeof name, "%.*s", STR_F(identity_name(id)));
        sigv4_signing_key(str_of(secret), str_of(date), STR("us-east-1"), want);
        CHECK(!memcmp(got, want, sizeof got));
        identity_unref(id);
    }
    return name;
}

static unsigned rights_of(struct ids *g, const char *access, const char *bucket)
{
    uint8_t key[SHA256_BYTES];
    const struct identity *id = identities_find(g->s, str_of(access), STR("20261120"), key);
    unsigned rights = id ? identity_rights(id, str_of(bucket)) : 0;

    identity_unref(id);
    return rights;
}

TEST(identities_live_until_they_are_removed)
{
    struct ids g;
    struct key_pair a, b;
    struct grant own = {STR("*"), RIGHT_CREATE};

    begin(&g, "live");
    CHECK_STR(str_of(who(&g, "AKROOT", "secret-of-root")), "root");
    CHECK_OK(identity_add(g.s, STR("alice"), &own, 1, &a, &g.e), &g.e);
    CHECK_OK(identity_add(g.s, STR("bob"), NULL, 0, &b, &g.e), &g.e);
    CHECK(strcmp(a.access_key, b.access_key) && strcmp(a.secret_key, b.secret_key));
    CHECK_EQ(strlen(a.access_key), 20);
    CHECK_EQ(strlen(a.secret_key), 40);
    CHECK_EQ(identities_count(g.s), 3);
    CHECK_STR(str_of(who(&g, a.access_key, a.secret_key)), "alice");
    CHECK_STR(str_of(who(&g, b.access_key, b.secret_key)), "bob");
    CHECK_STR(str_of(who(&g, "AKNOBODY", "x")), "");
    CHECK_EQ(identity_add(g.s, STR("alice"), NULL, 0, &b, &g.e), RC_CONFLICT);
    identities_close(g.s);
    up(&g); /* and they come back */
    CHECK_STR(str_of(who(&g, a.access_key, a.secret_key)), "alice");
    CHECK_OK(identity_disable(g.s, STR("alice"), true, &g.e), &g.e);
    CHECK_STR(str_of(who(&g, a.access_key, a.secret_key)), "");
    CHECK_OK(identity_disable(g.s, STR("alice"), false, &g.e), &g.e);
    CHECK_STR(str_of(who(&g, a.access_key, a.secret_key)), "alice");
    CHECK_OK(identity_remove(g.s, STR("alice"), &g.e), &g.e);
    CHECK_STR(str_of(who(&g, a.access_key, a.secret_key)), "");
    CHECK_EQ(identity_remove(g.s, STR("alice"), &g.e), RC_NOT_FOUND);
    CHECK_EQ(identity_disable(g.s, STR("alice"), true, &g.e), RC_NOT_FOUND);
    CHECK_EQ(identity_grant(g.s, STR("alice"), own, &g.e), RC_NOT_FOUND);
    CHECK_EQ(identity_rotate(g.s, STR("alice"), 0, &a, &g.e), RC_NOT_FOUND);
    identities_close(g.s);
}

TEST(names_and_patterns_that_cannot_be_are_refused)
{
    static const char *const names[] = {"", "root", "a b", "-a", "a/b", "a\n", "\xed\x95\x9c"};
    struct ids g;
    struct key_pair k;
    char longest[IDENTITY_NAME_MAX + 2];

    begin(&g, "names");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK_EQ(identity_add(g.s, str_of(names[i]), NULL, 0, &k, &g.e), RC_INVALID);
    memset(longest, 'a', sizeof longest);
    CHECK_EQ(identity_add(g.s, (str){longest, IDENTITY_NAME_MAX + 1}, NULL, 0, &k, &g.e),
             RC_INVALID);
    CHECK_OK(identity_add(g.s, (str){longest, IDENTITY_NAME_MAX}, NULL, 0, &k, &g.e), &g.e);
    CHECK(grant_pattern_ok(STR("*")) && grant_pattern_ok(STR("logs-*")));
    CHECK(!grant_pattern_ok(STR("")) && !grant_pattern_ok(STR("a*b")));
    CHECK(!grant_pattern_ok(STR("A")) && !grant_pattern_ok(STR("a/b")));
    identities_close(g.s);
}

TEST(rights_are_the_union_of_the_grants_that_fit)
{
    struct ids g;
    struct key_pair k;
    struct grant grants[] = {{STR("logs-*"), RIGHT_LIST}, {STR("logs-a"), RIGHT_READ}};
    unsigned rights;
    char text[RIGHTS_TEXT];

    begin(&g, "rights");
    CHECK_OK(identity_add(g.s, STR("a"), grants, 2, &k, &g.e), &g.e);
    CHECK_EQ(rights_of(&g, k.access_key, "logs-a"), RIGHT_LIST | RIGHT_READ);
    CHECK_EQ(rights_of(&g, k.access_key, "logs-ab"), RIGHT_LIST);
    CHECK_EQ(rights_of(&g, k.access_key, "logs"), 0);
    CHECK_OK(identity_grant(g.s, STR("a"), (struct grant){STR("logs-*"), RIGHT_WRITE}, &g.e), &g.e);
    CHECK_EQ(rights_of(&g, k.access_key, "logs-ab"), RIGHT_WRITE);
    CHECK_OK(identity_grant(g.s, STR("a"), (struct grant){STR("logs-*"), 0}, &g.e), &g.e);
    CHECK_EQ(rights_of(&g, k.access_key, "logs-ab"), 0);
    CHECK_EQ(rights_of(&g, "AKROOT", "any"), RIGHT_ANY | RIGHT_CREATE);
    CHECK_OK(rights_parse(STR("read, list"), &rights, &g.e), &g.e);
    rights_text(rights, text);
    CHECK_STR(str_of(text), "read,list");
    CHECK_EQ(rights_parse(STR("read,fly"), &rights, &g.e), RC_INVALID);
    CHECK_EQ(rights_parse(STR(""), &rights, &g.e), RC_INVALID);
    CHECK_OK(rights_parse(STR("all"), &rights, &g.e), &g.e);
    CHECK_EQ(rights, RIGHT_ANY | RIGHT_CREATE);
    for (size_t i = 1; i < IDENTITY_GRANTS_MAX; i++) {
        char pattern[16];
        snprintf(pattern, sizeof pattern, "b%zu", i);
        CHECK_OK(identity_grant(g.s, STR("a"), (struct grant){str_of(pattern), 1}, &g.e), &g.e);
    }
    CHECK_EQ(identity_grant(g.s, STR("a"), (struct grant){STR("more"), 1}, &g.e), RC_LIMIT);
    identities_close(g.s);
}

TEST(rotation_keeps_two_keys_and_gives_the_old_one_an_end)
{
    struct ids g;
    struct key_pair a, b, c;

    begin(&g, "rotate");
    CHECK_OK(identity_add(g.s, STR("a"), NULL, 0, &a, &g.e), &g.e);
    CHECK_OK(identity_rotate(g.s, STR("a"), 3600 * 1000, &b, &g.e), &g.e);
    CHECK_STR(str_of(who(&g, a.access_key, a.secret_key)), "a");
    CHECK_STR(str_of(who(&g, b.access_key, b.secret_key)), "a");
    CHECK_OK(identity_rotate(g.s, STR("a"), 3600 * 1000, &c, &g.e), &g.e);
    CHECK_STR(str_of(who(&g, a.access_key, a.secret_key)), ""); /* a third: the oldest goes */
    CHECK_STR(str_of(who(&g, b.access_key, b.secret_key)), "a");
    CHECK_STR(str_of(who(&g, c.access_key, c.secret_key)), "a");
    CHECK_OK(identity_rotate(g.s, STR("a"), 0, &a, &g.e), &g.e);
    CHECK_STR(str_of(who(&g, b.access_key, b.secret_key)), "");
    CHECK_STR(str_of(who(&g, c.access_key, c.secret_key)), "");
    CHECK_STR(str_of(who(&g, a.access_key, a.secret_key)), "a");
    /* A key ends by itself, in a state that was read while it lived. */
    CHECK_OK(identity_rotate(g.s, STR("a"), 30, &b, &g.e), &g.e);
    while (*who(&g, a.access_key, a.secret_key))
        os_sleep_ms(5);
    CHECK_STR(str_of(who(&g, b.access_key, b.secret_key)), "a");
    identities_close(g.s);
}

TEST(a_change_by_another_process_is_seen_at_the_next_request)
{
    struct ids g, other;
    struct key_pair k;

    begin(&g, "shared");
    other = g;
    up(&other);
    CHECK_OK(identity_add(other.s, STR("late"), NULL, 0, &k, &g.e), &g.e);
    CHECK_STR(str_of(who(&g, k.access_key, k.secret_key)), "late");
    CHECK_OK(identity_disable(other.s, STR("late"), true, &g.e), &g.e);
    CHECK_STR(str_of(who(&g, k.access_key, k.secret_key)), "");
    identities_close(other.s);
    identities_close(g.s);
}

static bool file_holds(const char *path, const char *text)
{
    struct arena a;
    struct err e;
    str all;
    bool found;

    arena_init(&a, 64 << 20);
    CHECK_OK(os_read_file(&a, path, 32 << 20, &all, &e), &e);
    found = str_find(all, str_of(text)) >= 0;
    arena_done(&a);
    return found;
}

TEST(the_folder_alone_tells_no_secret)
{
    static const char *const files[] = {"identity.db", "identity.db-wal", "identity.seq"};
    struct ids g;
    struct key_pair k;
    unsigned mode;
    bool usable;
    char path[600];

    begin(&g, "leak");
    CHECK_OK(identity_add(g.s, STR("a"), NULL, 0, &k, &g.e), &g.e);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", g.dir, files[i]);
        if (!os_exists(path))
            continue;
        CHECK(!file_holds(path, k.secret_key));
        CHECK(!file_holds(path, "secret-of-root"));
    }
    snprintf(path, sizeof path, "%s.master", g.dir);
    CHECK_OK(os_permission(path, &mode, &usable, &g.e), &g.e);
    CHECK_EQ(mode, 0600);
    identities_close(g.s);
    CHECK_OK(os_write_file_durable(path, STR("00"), 0600, &g.e), &g.e);
    CHECK_EQ(identities_open(&g.s, &g.c, &g.e), RC_INVALID); /* no master key */
    g.c.master = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    CHECK_EQ(identities_open(&g.s, &g.c, &g.e), RC_CORRUPT); /* another store's */
    g.c.master = "zz";
    CHECK_EQ(identities_open(&g.s, &g.c, &g.e), RC_INVALID);
    g.c.master = NULL;
    os_sys.unlink(path);
    CHECK_EQ(identities_open(&g.s, &g.c, &g.e), RC_NOT_FOUND); /* no new one is made over it */
    CHECK(!os_exists(path));
}

TEST(a_seal_fits_its_key_and_its_row_alone)
{
    uint8_t master[MASTER_BYTES] = {1}, other[MASTER_BYTES] = {2};
    uint8_t sealed[SEALED_BYTES_MAX];
    char got[SECRET_KEY_TEXT];
    str all = {(char *)sealed, 6 + SEAL_EXTRA_BYTES};
    struct err e;

    CHECK_OK(seal_setup(&e), &e);
    seal(master, STR("AK"), STR("secret"), sealed);
    CHECK_OK(unseal(master, STR("AK"), all, got, &e), &e);
    CHECK_STR(str_of(got), "secret");
    CHECK_EQ(unseal(other, STR("AK"), all, got, &e), RC_CORRUPT);
    CHECK_EQ(unseal(master, STR("AL"), all, got, &e), RC_CORRUPT);
    for (size_t n = 0; n < all.n; n++)
        CHECK_EQ(unseal(master, STR("AK"), (str){all.p, n}, got, &e), RC_CORRUPT);
    for (size_t i = 0; i < all.n; i++) {
        sealed[i] ^= 1;
        CHECK_EQ(unseal(master, STR("AK"), all, got, &e), RC_CORRUPT);
        sealed[i] ^= 1;
    }
    CHECK_STR(str_of(got), "secret"); /* untouched by failures */
}

TEST(rows_that_cannot_be_read_let_only_the_configured_one_in)
{
    struct ids g;
    struct key_pair k;
    struct tx *tx;
    uint8_t master[MASTER_BYTES];

    begin(&g, "broken");
    CHECK_OK(identity_add(g.s, STR("a"), NULL, 0, &k, &g.e), &g.e);
    CHECK_STR(str_of(who(&g, k.access_key, k.secret_key)), "a");
    memcpy(master, g.s->master, sizeof master);
    memset(g.s->master, 7, sizeof g.s->master);
    CHECK_OK(publish(g.s, &g.e), &g.e);
    CHECK_STR(str_of(who(&g, k.access_key, k.secret_key)), "");
    CHECK_STR(str_of(who(&g, "AKROOT", "secret-of-root")), "root");
    memcpy(g.s->master, master, sizeof master); /* without a further change */
    CHECK_STR(str_of(who(&g, k.access_key, k.secret_key)), "a");
    CHECK_OK(db_begin(g.s->db, DB_WRITE, &tx, &g.e), &g.e); /* a newer program's file */
    CHECK_OK(tx_exec(tx, &g.e, "PRAGMA user_version = 99"), &g.e);
    CHECK_OK(tx_commit(tx, &g.e), &g.e);
    identities_close(g.s);
    CHECK_EQ(identities_open(&g.s, &g.c, &g.e), RC_CONFLICT);
}
