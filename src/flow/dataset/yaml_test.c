/* yaml_test.c - the YAML of data.yaml, in the spellings that tools write. */
#include "base/buf.h"
#include "base/test.h"
#include "flow/dataset/yaml.c"

static struct arena arena;
static struct yaml doc;
static struct err err;

static enum rc read_text(const char *text)
{
    arena_init(&arena, 1 << 20);
    return yaml_read(&doc, &arena, str_of(text), &err);
}

static void done(void)
{
    yaml_done(&doc);
    arena_done(&arena);
}

static void check_item(size_t i, const char *key, const char *index, const char *value, int line)
{
    CHECK(i < doc.items.n);
    CHECK_STR(doc.items.p[i].key, key);
    CHECK_STR(doc.items.p[i].index, index);
    CHECK_STR(doc.items.p[i].value, value);
    CHECK_EQ(doc.items.p[i].line, line);
}

TEST(scalars_quotes_and_comments)
{
    CHECK_OK(
        read_text(
            "---\n# x\npath: ../a b/c  # tail\n\n'q k': \"x\\\"#y\" # z\nn: 'it''s'\nu: a#b\n"),
        &err);
    CHECK_EQ(doc.items.n, 4);
    check_item(0, "path", "", "../a b/c", 3);
    check_item(1, "q k", "", "x\"#y", 5);
    check_item(2, "n", "", "it's", 6);
    check_item(3, "u", "", "a#b", 7);
    done();
}

TEST(lists_inline_block_and_numbered)
{
    CHECK_OK(
        read_text("a: [x, 'y, z',\n  \"w\" ,\n]\nb:\n- p q\n-  r # c\nc:\n  0: one\n  1: 'two'\n"
                  "d: {0: k, 1: l}\n"),
        &err);
    CHECK_EQ(doc.items.n, 9);
    check_item(1, "a", "", "y, z", 1);
    check_item(2, "a", "", "w", 2);
    check_item(3, "b", "", "p q", 5);
    check_item(4, "b", "", "r", 6);
    check_item(5, "c", "0", "one", 8);
    check_item(6, "c", "1", "two", 9);
    check_item(8, "d", "1", "l", 10);
    done();
}

TEST(errors_name_the_line)
{
    static const struct {
        const char *text, *line;
    } bad[] = {{"a: 1\nb: \"x\n", "line 2"},
               {"a: [1, 2\n", "line 1"},
               {"- x\n", "line 1"},
               {"a: 1\njust text\n", "line 2"}};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ(read_text(bad[i].text), RC_CORRUPT);
        CHECK(str_find(str_of(err.text), str_of(bad[i].line)) >= 0);
        arena_done(&arena);
    }
}

TEST(more_entries_than_the_limit_are_refused)
{
    struct buf b;

    buf_init(&b, 1 << 20);
    buf_puts(&b, "names: [");
    for (int i = 0; i <= YAML_ITEMS_MAX; i++)
        buf_puts(&b, "a,");
    buf_puts(&b, "]\n");
    CHECK_EQ(read_text(b.p), RC_CORRUPT);
    arena_done(&arena);
    buf_done(&b);
}
