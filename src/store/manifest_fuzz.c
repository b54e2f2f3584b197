/* manifest_fuzz.c - any text as a manifest; with its right digest, too, or little would be reached.
 */
#include "store/manifest.h"

#include <stdlib.h>
#include <string.h>

static enum rc each(void *ud, const struct manifest_file *f, struct err *e)
{
    if (strstr(f->path, "..") || f->path[0] == '/' || strlen(f->sha) != SHA256_HEX)
        abort();
    return RC_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf b;
    int64_t taken;

    (void)!manifest_read((str){(const char *)data, size}, &taken, each, NULL, NULL);
    buf_init(&b, MANIFEST_BYTES_MAX);
    buf_add(&b, data, size);
    manifest_end(&b);
    (void)!manifest_read(buf_view(&b), &taken, each, NULL, NULL);
    buf_done(&b);
    return 0;
}
