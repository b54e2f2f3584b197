/* voc_fuzz.c - annotation files of any bytes. */
#include "flow/dataset/fuzzing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzzing_run("Annotations/a.xml", "JPEGImages/a.jpg", data, size, voc_read);
    return 0;
}
