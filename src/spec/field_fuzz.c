/* field_fuzz.c - outside bytes as each message of the contract: no crash, and what is accepted can
 * be written and read again to the same bytes. */
#include "base/mem.h"
#include "spec/contract.h"
#include "spec/train.h"

#include <string.h>

static const struct {
    const struct field *fields;
    size_t size;
} messages[] = {
    {report_fields, sizeof(struct report)},
    {start_order_fields, sizeof(struct start_order)},
    {work_fields, sizeof(struct work)},
    {train_spec_fields, sizeof(struct train_spec)},
    {grant_request_fields, sizeof(struct grant_request)},
    {predict_reply_fields, sizeof(struct predict_reply)},
};

static void write(const struct field *f, const void *obj, struct buf *out)
{
    struct jw w;

    jw_init(&w, out);
    field_write(f, obj, &w);
}

static void round_trip(const struct field *f, size_t size, str text, struct arena *a)
{
    void *first = arena_alloc(a, size), *second = arena_alloc(a, size);
    struct buf one, two;

    if (!first || !second || field_read_text(f, text, first, a, NULL))
        return;
    buf_init(&one, 1 << 20);
    buf_init(&two, 1 << 20);
    write(f, first, &one);
    if (!one.rc) {
        ASSERT(field_read_text(f, buf_view(&one), second, a, NULL) == RC_OK);
        write(f, second, &two);
        ASSERT(str_eq(buf_view(&one), buf_view(&two)));
    }
    buf_done(&one);
    buf_done(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena a;

    if (n < 2 || n > 1 << 16)
        return 0;
    arena_init(&a, 16 << 20);
    round_trip(messages[data[0] % 6].fields, messages[data[0] % 6].size,
               (str){(const char *)data + 1, n - 1}, &a);
    arena_done(&a);
    return 0;
}
