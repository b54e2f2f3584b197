/* tags_fuzz.c - tags of outside bytes, as XML and as a query: what is taken comes back the same. */
#include "store/tags.h"

static void comes_back(struct arena *a, str kept)
{
    struct buf b;
    struct err e;
    str again = STR_NONE;
    bool xml;

    buf_init(&b, 1 << 20);
    buf_puts(&b, "<Tagging>");
    tags_xml(a, kept, &b);
    buf_puts(&b, "</Tagging>");
    if (!b.rc &&
        (tags_of_xml(a, buf_view(&b), TAGS_BUCKET_MAX, &again, &xml, &e) || !str_eq(again, kept)))
        __builtin_trap();
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str in = {(const char *)data, size}, kept;
    struct arena a;
    struct err e;
    bool xml;

    arena_init(&a, 8 << 20);
    if (!tags_of_xml(&a, in, TAGS_BUCKET_MAX, &kept, &xml, &e))
        comes_back(&a, kept);
    if (!tags_of_query(&a, in, &kept, &e)) {
        if (tags_count(kept) > TAGS_OBJECT_MAX)
            __builtin_trap();
        comes_back(&a, kept);
    }
    arena_done(&a);
    return 0;
}
