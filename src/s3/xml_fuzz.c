/* xml_fuzz.c - the pull reader over outside bytes: it ends, and opens and closes balance. */
#include "s3/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct xml x;
    enum xml_event ev = XML_OPEN;
    int depth = 0;
    struct err e;

    for (int mode = 0; mode < 2; mode++) {
        enum rc rc = RC_OK;
        str leaf;
        xml_init(&x, (str){(const char *)data, size});
        while (!(rc = xml_next(&x, &ev, &e)) && ev != XML_END) {
            depth += ev == XML_OPEN ? 1 : ev == XML_CLOSE ? -1 : 0;
            if (depth < 0 || depth > XML_DEPTH_MAX)
                __builtin_trap();
            if (mode && ev == XML_OPEN && x.name.n == 1) {
                rc = xml_leaf(&x, &leaf, &e);
                depth--;
            } else if (mode && ev == XML_OPEN && x.name.n == 2) {
                rc = xml_skip(&x, &e);
                depth--;
            }
            if (rc)
                break;
        }
        if (!rc && depth)
            __builtin_trap();
        depth = 0;
        xml_done(&x);
    }
    return 0;
}
