/* yolo_fuzz.c - label lines of any bytes. */
#include "flow/dataset/fuzzing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzzing_run("labels/a.txt", "images/a.png", data, size, yolo_read);
    return 0;
}
