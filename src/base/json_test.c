/* json_test.c - what the JSON writer, reader and tree promise. */
#include "base/json_read.c"
#include "base/json_tree.c"
#include "base/json_write.c"

#include "base/test.h"

TEST(tree_reads_what_the_writer_wrote)
{
    struct arena a;
    struct buf b;
    struct jw w;
    struct err e = {0};
    const struct json *v = NULL;

    arena_init(&a, 1 << 20);
    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kcstr(&w, "name", "a \"b\"\n\x01 \xED\x95\x9C");
    jw_kint(&w, "n", INT64_MIN);
    jw_knum(&w, "x", 0.1);
    jw_karr(&w, "list");
    jw_null(&w);
    jw_bool(&w, true);
    jw_num(&w, NAN);
    jw_arr_end(&w);
    jw_kobj(&w, "empty");
    jw_obj_end(&w);
    jw_obj_end(&w);
    CHECK_STR(buf_view(&b),
              "{\"name\":\"a \\\"b\\\"\\n\\u0001 \xED\x95\x9C\",\"n\":-9223372036854775808,"
              "\"x\":0.1,\"list\":[null,true,null],\"empty\":{}}");
    CHECK_OK(json_parse(&a, buf_view(&b), NULL, &v, &e), &e);
    CHECK_STR(json_str(v, "name", STR_NONE), "a \"b\"\n\x01 \xED\x95\x9C");
    CHECK_EQ(json_int(v, "n", 0), INT64_MIN);
    CHECK(json_num(v, "x", 0) == 0.1);
    CHECK_EQ(json_get(v, "list")->list.count, 3);
    CHECK_STR(json_get(v, "list")->raw, "[null,true,null]");
    CHECK_STR(v->raw, b.p);
    buf_done(&b);
    arena_done(&a);
}
