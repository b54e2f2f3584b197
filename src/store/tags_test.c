/* tags_test.c - sets of tags go in and come back, and what is none is refused. */
#include "store/tags.c"

#include "base/mem.h"
#include "base/test.h"

static struct arena a;

static void fresh(void)
{
    arena_done(&a);
    arena_init(&a, 4 << 20);
}

TEST(tags_of_a_query_and_of_xml_are_kept_alike)
{
    str one, two;
    bool xml;
    struct err e;
    struct buf b;

    fresh();
    CHECK_OK(tags_of_query(&a, STR("a%20b=c%26&k="), &one, &e), &e);
    CHECK_OK(tags_of_xml(&a,
                         STR("<Tagging xmlns=\"x\"><TagSet><Tag><Key>a b</Key><Value>c&amp;</Value>"
                             "</Tag><Tag><Value/><Key>k</Key></Tag></TagSet></Tagging>"),
                         TAGS_OBJECT_MAX, &two, &xml, &e),
             &e);
    CHECK(str_eq(one, two));
    CHECK_STR(one, "a%20b=c%26&k=");
    CHECK_EQ(tags_count(one), 2);
    CHECK_EQ(tags_count(STR("")), 0);
    CHECK(tags_have(one, STR("a%20b"), STR("c%26")) && tags_have(one, STR("k"), STR("")));
    CHECK(!tags_have(one, STR("a%20b"), STR("c")) && !tags_have(one, STR("a"), STR("20b=c%26")));
    buf_init(&b, 4096);
    tags_xml(&a, one, &b);
    CHECK_STR(buf_view(&b),
              "<TagSet><Tag><Key>a b</Key><Value>c&amp;</Value></Tag><Tag><Key>k</Key>"
              "<Value></Value></Tag></TagSet>");
    buf_done(&b);
    arena_done(&a);
}

TEST(broken_xml_is_told_from_a_wrong_tag)
{
    static const struct {
        const char *xml;
        bool is_xml;
    } rows[] = {
        {"", true},
        {"<Tagging/>", true},
        {"<Other><TagSet/></Other>", true},
        {"<Tagging><TagSet/><TagSet/></Tagging>", true},
        {"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>", true},
        {"<Tagging><TagSet><Tag><Key>a</Key><Key>b</Key><Value/></Tag></TagSet></Tagging>", true},
        {"<Tagging><TagSet><Tag><Key></Key><Value>v</Value></Tag></TagSet></Tagging>", false},
        {"<Tagging><TagSet><Tag><Key>a</Key><Value/></Tag><Tag><Key>a</Key><Value>b</Value></Tag>"
         "</TagSet></Tagging>",
         false},
    };
    str kept;
    bool xml;
    struct err e;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fresh();
        xml = !rows[i].is_xml;
        CHECK_EQ(tags_of_xml(&a, str_of(rows[i].xml), 10, &kept, &xml, &e), RC_INVALID);
        if (xml != rows[i].is_xml)
            test_fail(__FILE__, __LINE__, "%s", rows[i].xml);
    }
    arena_done(&a);
}

TEST(limits_are_counted_in_characters)
{
    struct buf b;
    str kept;
    struct err e;

    fresh();
    buf_init(&b, 64 << 10);
    for (int i = 0; i < TAG_NAME_MAX; i++)
        buf_puts(&b, "%ED%95%9C"); /* one character of three bytes */
    buf_puts(&b, "=v");
    CHECK_OK(tags_of_query(&a, buf_view(&b), &kept, &e), &e);
    buf_clear(&b);
    for (int i = 0; i < TAG_NAME_MAX + 1; i++)
        buf_putc(&b, 'a');
    CHECK_EQ(tags_of_query(&a, buf_view(&b), &kept, &e), RC_INVALID);
    buf_clear(&b);
    for (int i = 0; i <= TAGS_OBJECT_MAX; i++)
        buf_printf(&b, "%st%d=", i ? "&" : "", i);
    CHECK_EQ(tags_of_query(&a, buf_view(&b), &kept, &e), RC_INVALID);
    CHECK_EQ(tags_of_query(&a, STR("a=%ff"), &kept, &e), RC_INVALID);
    CHECK_EQ(tags_of_query(&a, STR("a=%f"), &kept, &e), RC_INVALID);
    buf_done(&b);
    arena_done(&a);
}

TEST(any_allocation_may_fail)
{
    str kept;
    bool xml;
    struct err e;

    for (long n = 0; n < 12; n++) {
        enum rc rc;
        fresh();
        mem_fail_at(n);
        rc = tags_of_xml(&a,
                         STR("<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet>"
                             "</Tagging>"),
                         10, &kept, &xml, &e);
        mem_fail_at(-1);
        CHECK(rc == RC_OK || rc == RC_NOMEM || rc == RC_LIMIT);
    }
    arena_done(&a);
}
