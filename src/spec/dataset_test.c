/* dataset_test.c - manifest lines: round trips, and what a forged one cannot do. */
#include "spec/dataset.c"

#include "base/test.h"

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct arena arena;
static struct err err;

static struct dataset_header header(const char *line)
{
    struct dataset_header h = {0};

    arena_init(&arena, 1 << 20);
    CHECK_OK(dataset_header_read(str_of(line), &arena, &h, &err), &err);
    return h;
}

static const char HEAD[] =
    "{\"anneal_dataset\":1,\"task\":\"detection\",\"classes\":[\"a\",\"b\"],"
    "\"images\":1,\"splits\":{\"train\":1,\"val\":0,\"test\":0,\"none\":0}}\n";

TEST(header_and_samples_write_what_they_read)
{
    struct dataset_header h = header(HEAD);
    const char *lines[] = {
        "{\"sha256\":\"" HASH
        "\",\"bytes\":12,\"width\":3,\"height\":4,\"type\":\"png\",\"name\":\"x/y.png\","
        "\"split\":\"val\",\"label\":1}\n",
        "{\"sha256\":\"" HASH
        "\",\"bytes\":12,\"width\":3,\"height\":4,\"type\":\"jpeg\",\"name\":\"q\","
        "\"split\":\"train\",\"boxes\":[[1,0.5,1,2,3]],\"polygons\":[[0,1,1,2,2,3,3.25]],"
        "\"quads\":[[1,2,3,4,5,6,7,8,\"tax, 5 %\"]]}\n"};
    struct buf b;

    buf_init(&b, 1 << 16);
    dataset_header_write(&h, &b);
    CHECK_STR(buf_view(&b), HEAD);
    for (int i = 0; i < 2; i++) {
        struct sample s;
        str line = str_of(lines[i]);
        CHECK_OK(sample_read(str_sub(line, 0, line.n - 1), &h, &arena, &s, &err), &err);
        buf_clear(&b);
        sample_write(&s, &b);
        CHECK_STR(buf_view(&b), lines[i]);
    }
    buf_done(&b);
    arena_done(&arena);
}

TEST(forged_lines_are_refused)
{
    struct dataset_header h = header(HEAD);
    const char *ok =
        "\"bytes\":1,\"width\":1,\"height\":1,\"type\":\"png\",\"name\":\"n\",\"split\":\"val\"";
    const char *bad[] = {"{\"sha256\":\"../../etc\",%s}",
                         "{\"sha256\":\"" HASH "\",%s,\"label\":2}",
                         "{\"sha256\":\"" HASH "\",%s,\"label\":-2}",
                         "{\"sha256\":\"" HASH "\",%s,\"boxes\":[[2,0,0,1,1]]}",
                         "{\"sha256\":\"" HASH "\",%s,\"boxes\":[[0,0,0,1]]}",
                         "{\"sha256\":\"" HASH "\",%s,\"boxes\":[[0,0,0,1,\"1\"]]}",
                         "{\"sha256\":\"" HASH "\",%s,\"boxes\":3}",
                         "{\"sha256\":\"" HASH "\",%s,\"polygons\":[[0,1,1,2,2]]}",
                         "{\"sha256\":\"" HASH "\",%s,\"quads\":[[1,2,3,4,5,6,7,8,9]]}",
                         "{\"sha256\":\"" HASH "\"}",
                         "[]",
                         "{"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char line[512];
        struct sample s;
        const char *hole = strstr(bad[i], "%s");
        snprintf(line, sizeof line, "%.*s%s%s", hole ? (int)(hole - bad[i]) : (int)strlen(bad[i]),
                 bad[i], hole ? ok : "", hole ? hole + 2 : "");
        if (sample_read(str_of(line), &h, &arena, &s, &err) == RC_OK)
            test_fail(__FILE__, __LINE__, "taken: %s", line);
    }
    arena_done(&arena);
}
