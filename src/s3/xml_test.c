/* xml_test.c - what S3 sends, and what nobody should. */
#include "s3/xml.c"

#include "base/mem.h"
#include "base/test.h"

/* The events of a document as text: "<a>", "'text'", "</a>", "." at the end, "!" for an error. */
static const char *events(const char *doc)
{
    static char out[4096];
    struct xml x;
    enum xml_event ev;
    struct err e;
    struct buf b;
    enum rc rc;

    buf_init(&b, sizeof out - 1);
    xml_init(&x, str_of(doc));
    while (!(rc = xml_next(&x, &ev, &e)) && ev != XML_END) {
        if (ev == XML_TEXT)
            buf_printf(&b, "'%.*s'", STR_F(buf_view(&x.text)));
        else
            buf_printf(&b, "<%s%.*s>", ev == XML_CLOSE ? "/" : "", STR_F(x.name));
    }
    buf_putc(&b, rc ? '!' : '.');
    xml_done(&x);
    memcpy(out, b.p, b.n + 1);
    buf_done(&b);
    return out;
}

TEST(elements_text_and_entities_come_in_order)
{
    CHECK_STR(
        str_of(events("<?xml version=\"1.0\"?>\n<a x='1>2'><b>q&amp;&#x41;&#66;</b><c/></a>\n")),
        "<a><b>'q&AB'</b><c></c></a>.");
    CHECK_STR(str_of(events("<s:a xmlns:s=\"u\">x<!-- no -->y<![CDATA[<&>]]></s:a><!-- end -->")),
              "<a>'xy<&>'</a>.");
    CHECK_STR(str_of(events("<a>&#xD55C;</a>")), "<a>'\xed\x95\x9c'</a>.");
}

TEST(broken_documents_are_refused)
{
    static const char *const bad[] = {
        "",
        "   ",
        "text",
        "<a>",
        "<a></b>",
        "<a></a><b/>",
        "<a/>x",
        "</a>",
        "<a",
        "<a b='>",
        "<a>&nope;</a>",
        "<a>&</a>",
        "<a>&#0;</a>",
        "<a>&#xD800;</a>",
        "<a>&#x110000;</a>",
        "<a><!-- </a>",
        "<a><![CDATA[</a>",
        "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        "<a><!ENTITY x 'y'></a>",
        "< a/>",
        "<a <b/>",
        "<>",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!str_ends(str_of(events(bad[i])), STR("!")))
            test_fail(__FILE__, __LINE__, "'%s' was taken: %s", bad[i], events(bad[i]));
}

TEST(depth_and_text_have_limits)
{
    struct xml x;
    struct buf b;
    struct err e;
    enum xml_event ev;
    enum rc rc;

    buf_init(&b, 1 << 20);
    for (int i = 0; i < XML_DEPTH_MAX + 1; i++)
        buf_puts(&b, "<a>");
    xml_init(&x, buf_view(&b));
    while (!(rc = xml_next(&x, &ev, &e)) && ev != XML_END)
        continue;
    CHECK_EQ(rc, RC_LIMIT);
    xml_done(&x);
    buf_clear(&b);
    buf_puts(&b, "<a>");
    for (int i = 0; i < XML_TEXT_MAX + 1; i++)
        buf_putc(&b, 'x');
    buf_puts(&b, "</a>");
    xml_init(&x, buf_view(&b));
    while (!(rc = xml_next(&x, &ev, &e)) && ev != XML_END)
        continue;
    CHECK_EQ(rc, RC_LIMIT);
    xml_done(&x);
    buf_done(&b);
}

TEST(a_leaf_is_text_alone_and_skip_takes_the_whole_element)
{
    struct xml x;
    enum xml_event ev;
    struct err e;
    str s;

    xml_init(&x, STR("<r><a>one</a><b/><c><d>deep</d>x</c><f>5</f><g>t<h/></g></r>"));
    CHECK_OK(xml_next(&x, &ev, &e), &e);
    CHECK_OK(xml_next(&x, &ev, &e), &e);
    CHECK_OK(xml_leaf(&x, &s, &e), &e);
    CHECK_STR(s, "one");
    CHECK_OK(xml_next(&x, &ev, &e), &e);
    CHECK_STR(x.name, "b");
    CHECK_OK(xml_leaf(&x, &s, &e), &e);
    CHECK_EQ(s.n, 0);
    CHECK_OK(xml_next(&x, &ev, &e), &e);
    CHECK_STR(x.name, "c");
    CHECK_OK(xml_skip(&x, &e), &e);
    CHECK_OK(xml_next(&x, &ev, &e), &e);
    CHECK_STR(x.name, "f");
    CHECK_OK(xml_leaf(&x, &s, &e), &e);
    CHECK_STR(s, "5");
    CHECK_OK(xml_next(&x, &ev, &e), &e);
    CHECK_EQ(xml_leaf(&x, &s, &e), RC_INVALID);
    xml_done(&x);
}

TEST(escaped_text_reads_back)
{
    struct xml x;
    struct buf b;
    struct err e;
    enum xml_event ev;
    str s;

    buf_init(&b, 256);
    buf_puts(&b, "<k>");
    xml_escape(&b, STR("a<b>&\"c'\n\x01]]>"));
    buf_puts(&b, "</k>");
    xml_init(&x, buf_view(&b));
    CHECK_OK(xml_next(&x, &ev, &e), &e);
    CHECK_OK(xml_leaf(&x, &s, &e), &e);
    CHECK_STR(s, "a<b>&\"c'\n\x01]]>");
    CHECK_OK(xml_next(&x, &ev, &e), &e);
    CHECK_EQ(ev, XML_END);
    xml_done(&x);
    buf_done(&b);
}
