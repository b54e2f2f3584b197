/* icdar_fuzz.c - quadrangle files of any bytes. */
#include "flow/dataset/fuzzing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzzing_run("box/a.csv", "img/a.jpg", data, size, icdar_read);
    return 0;
}
