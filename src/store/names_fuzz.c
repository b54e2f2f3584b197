/* names_fuzz.c - ranges, tags and dates from outside: results stay within the object. */
#include "store/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str rest = {(const char *)data, size}, line;
    uint64_t at = 0, n = 0, object = size ? (uint64_t)data[0] * data[0] : 0;
    char back[HTTP_DATE_TEXT];
    int64_t t;

    while (str_line(&rest, &line)) {
        if (range_parse(line, object, &at, &n) == RANGE_PART &&
            (!n || at + n > object || at + n < at))
            __builtin_trap();
        if (http_date_parse(line, &t)) {
            http_date_text(t, back);
            if (!str_is(line, back))
                __builtin_trap();
        }
        (void)etag_listed(line, STR("d41d8cd98f00b204e9800998ecf8427e"));
        if (bucket_name_ok(line) && (line.n < 3 || line.n > 63))
            __builtin_trap();
        (void)key_ok(line);
    }
    return 0;
}
