/* yaml_fuzz.c - data.yaml of any bytes: alone, and as what names the classes of a YOLO set. */
#include "flow/dataset/fuzzing.h"
#include "flow/dataset/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct yaml y;

    arena_init(&a, 64 << 20);
    if (!yaml_read(&y, &a, (str){(const char *)data, size}, NULL)) {
        for (size_t i = 0; i < y.items.n; i++)
            ASSERT(y.items.p[i].line >= 1 && y.items.p[i].key.p);
        yaml_done(&y);
    }
    arena_done(&a);
    fuzzing_run("data.yaml", "images/a.png", data, size, yolo_read);
    return 0;
}
