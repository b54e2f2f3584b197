/* multipart_test.c - uploads in parts: completed, refused, aborted, expired, read while replaced.
 */
#include "store/multipart.c"

#include "store/test_store.h"
#include <pthread.h>

enum { PART = STORE_PART_BYTES_MIN };

static void begin(struct rig *g, const char *key, char id[64])
{
    ptrdiff_t at;

    CHECK_EQ(rig_call(g, HTTP_POST, key, "uploads=", "Content-Type: text/x-test", STR("")), 200);
    at = str_find(buf_view(&g->body), STR("<UploadId>"));
    CHECK(at > 0);
    snprintf(id, 64, "%.16s", g->body.p + at + 10);
}

static void put_part(struct rig *g, const char *key, const char *id, int number, str data,
                     char etag[80])
{
    char query[128];

    snprintf(query, sizeof query, "partNumber=%d&uploadId=%s", number, id);
    CHECK_EQ(rig_call(g, HTTP_PUT, key, query, NULL, data), 200);
    memcpy(etag, g->reply.etag, 80);
}

static int finish(struct rig *g, const char *key, const char *id, const char *parts)
{
    char query[128];

    snprintf(query, sizeof query, "uploadId=%s", id);
    return rig_call(g, HTTP_POST, key, query, NULL, str_of(parts));
}

#define ROW(n) "<Part><PartNumber>" #n "</PartNumber><ETag>\"%s\"</ETag></Part>"

TEST(parts_become_one_object_in_order_and_the_rest_is_dropped)
{
    struct rig g;
    char id[64], e1[80], e2[80], e5[80], e9[80], body[2048], query[128];
    char *p = rig_bytes(1, 3 * PART);

    rig_open(&g);
    begin(&g, "k", id);
    put_part(&g, "k", id, 5, (str){p + PART, PART}, e5);
    put_part(&g, "k", id, 2, (str){p, 100000}, e2);
    put_part(&g, "k", id, 2, (str){p, PART}, e2); /* the same number again replaces */
    put_part(&g, "k", id, 9, (str){p + 2 * PART, 10}, e9);
    put_part(&g, "k", id, 1, (str){p, 300000}, e1);
    CHECK_EQ(rig_files(&g), 3);
    CHECK_EQ(rig_call(&g, HTTP_GET, "k", NULL, NULL, STR("")), 404); /* not visible yet */
    snprintf(query, sizeof query, "uploadId=%s&max-parts=2", id);
    CHECK_EQ(rig_call(&g, HTTP_GET, "k", query, NULL, STR("")), 200);
    CHECK(rig_says(&g, "<PartNumber>1</PartNumber>") && !rig_says(&g, "<PartNumber>5</"));
    CHECK(rig_says(&g, "<NextPartNumberMarker>2</NextPartNumberMarker>"));
    snprintf(query, sizeof query, "uploadId=%s&part-number-marker=2", id);
    CHECK_EQ(rig_call(&g, HTTP_GET, "k", query, NULL, STR("")), 200);
    CHECK(rig_says(&g, "<Size>10</Size>") && rig_says(&g, "<IsTruncated>false"));
    snprintf(body, sizeof body,
             "<CompleteMultipartUpload>" ROW(2) ROW(5) ROW(9) "</CompleteMultipartUpload>", e2, e5,
             e9);
    CHECK_EQ(finish(&g, "k", id, body), 200);
    CHECK(rig_says(&g, "-3\"</ETag>"));
    CHECK(rig_files_become(&g, 2)); /* part 1 is gone, part 9 is inline */
    CHECK_EQ(rig_call(&g, HTTP_GET, "k", NULL, NULL, STR("")), 200);
    CHECK_STR(str_of(g.reply.type), "text/x-test");
    CHECK(g.body.n == 2 * PART + 10 && !memcmp(g.body.p, p, g.body.n));
    CHECK_EQ(finish(&g, "k", id, body), 404);
    CHECK(rig_says(&g, "<Code>NoSuchUpload</Code>"));
    CHECK_OK(s3_put(g.c, "k", STR("small"), NULL, &g.e), &g.e);
    CHECK(rig_files_become(&g, 0));
    mem_free(p);
    rig_close(&g);
}

TEST(a_wrong_completion_is_refused_and_changes_nothing)
{
    struct rig g;
    char id[64], e1[80], e2[80], body[2048], query[128];
    char *p = rig_bytes(1, PART);

    rig_open(&g);
    begin(&g, "k", id);
    put_part(&g, "k", id, 1, (str){p, PART}, e1);
    put_part(&g, "k", id, 2, (str){p, 100}, e2);
    snprintf(body, sizeof body,
             "<CompleteMultipartUpload>" ROW(1) ROW(2) "</CompleteMultipartUpload>", e1, e1);
    CHECK_EQ(finish(&g, "k", id, body), 400);
    CHECK(rig_says(&g, "<Code>InvalidPart</Code>"));
    snprintf(body, sizeof body,
             "<CompleteMultipartUpload>" ROW(1) ROW(3) "</CompleteMultipartUpload>", e1, e2);
    CHECK_EQ(finish(&g, "k", id, body), 400);
    CHECK(rig_says(&g, "<Code>InvalidPart</Code>"));
    snprintf(body, sizeof body,
             "<CompleteMultipartUpload>" ROW(2) ROW(1) "</CompleteMultipartUpload>", e2, e1);
    CHECK_EQ(finish(&g, "k", id, body), 400);
    CHECK(rig_says(&g, "<Code>InvalidPartOrder</Code>"));
    put_part(&g, "k", id, 3, (str){p, 100}, e2);
    snprintf(body, sizeof body,
             "<CompleteMultipartUpload>" ROW(2) ROW(3) "</CompleteMultipartUpload>", e2, e2);
    CHECK_EQ(finish(&g, "k", id, body), 400);
    CHECK(rig_says(&g, "<Code>EntityTooSmall</Code>"));
    CHECK_EQ(finish(&g, "k", id, "<CompleteMultipartUpload></CompleteMultipartUpload>"), 400);
    CHECK(rig_says(&g, "<Code>MalformedXML</Code>"));
    CHECK_EQ(finish(&g, "k", id, "nonsense"), 400);
    /* an upload belongs to its key */
    snprintf(body, sizeof body, "<CompleteMultipartUpload>" ROW(1) "</CompleteMultipartUpload>",
             e1);
    CHECK_EQ(finish(&g, "other", id, body), 404);
    snprintf(query, sizeof query, "partNumber=1&uploadId=%s", id);
    CHECK_EQ(rig_call(&g, HTTP_PUT, "other", query, NULL, STR("x")), 404);
    snprintf(query, sizeof query, "partNumber=0&uploadId=%s", id);
    CHECK_EQ(rig_call(&g, HTTP_PUT, "k", query, NULL, STR("x")), 400);
    snprintf(query, sizeof query, "partNumber=10001&uploadId=%s", id);
    CHECK_EQ(rig_call(&g, HTTP_PUT, "k", query, NULL, STR("x")), 400);
    CHECK_EQ(rig_call(&g, HTTP_PUT, "k", "partNumber=1&uploadId=zz", NULL, STR("x")), 404);
    CHECK_EQ(finish(&g, "k", id, body), 200); /* and the right one still goes through */
    mem_free(p);
    rig_close(&g);
}

TEST(an_abort_leaves_no_file_and_a_client_that_goes_aborts)
{
    struct rig g;
    struct s3_upload *u;
    char id[64], etag[80], query[128];
    char *p = rig_bytes(1, S3_PART_BYTES + 1);
    struct store_usage use;

    rig_open(&g);
    begin(&g, "k", id);
    put_part(&g, "k", id, 1, (str){p, 300000}, etag);
    CHECK_EQ(rig_files(&g), 1);
    snprintf(query, sizeof query, "uploadId=%s", id);
    CHECK_EQ(rig_call(&g, HTTP_DELETE, "k", query, NULL, STR("")), 204);
    CHECK(rig_files_become(&g, 0));
    CHECK_EQ(rig_call(&g, HTTP_DELETE, "k", query, NULL, STR("")), 404);
    CHECK_OK(s3_upload_open(&u, g.c, "k", NULL, &g.e), &g.e);
    CHECK_OK(s3_upload_write(u, p, S3_PART_BYTES + 1, &g.e), &g.e);
    CHECK_EQ(rig_files(&g), 1);
    s3_upload_free(u);
    CHECK(rig_files_become(&g, 0));
    CHECK_OK(store_usage(g.s, &use, &g.e), &g.e);
    CHECK_EQ(use.uploads, 0);
    CHECK_EQ(use.objects, 0);
    mem_free(p);
    rig_close(&g);
}

/* ---- reading what is being replaced */

struct slow_read {
    struct rig *g;
    const char *want;
    uint64_t at;
    bool replaced;
};

static enum rc replace_in_the_middle(void *ud, const void *p, size_t n, struct err *e)
{
    struct slow_read *w = ud;

    CHECK(!memcmp(w->want + w->at, p, n));
    w->at += n;
    if (!w->replaced && w->at > PART / 2) {
        w->replaced = true;
        return s3_put(w->g->c, "k", STR("new"), NULL, e);
    }
    return RC_OK;
}

TEST(who_reads_pieces_reads_the_object_to_its_end_though_it_is_replaced)
{
    struct rig g;
    char *p = rig_bytes(1, 3 * S3_PART_BYTES + 5);
    struct slow_read w = {&g, p, 0, false};
    struct s3_upload *u;
    struct s3_stat st;

    rig_open(&g);
    CHECK_OK(s3_upload_open(&u, g.c, "k", NULL, &g.e), &g.e);
    CHECK_OK(s3_upload_write(u, p, 3 * S3_PART_BYTES + 5, &g.e), &g.e);
    CHECK_OK(s3_upload_commit(u, &st, &g.e), &g.e);
    s3_upload_free(u);
    CHECK_EQ(rig_files(&g), 3);
    CHECK_OK(s3_get_stream(g.c, "k", replace_in_the_middle, &w, &g.e), &g.e);
    CHECK_EQ(w.at, 3 * S3_PART_BYTES + 5);
    CHECK(w.replaced);
    buf_clear(&g.body);
    CHECK_OK(s3_get(g.c, "k", &g.body, &g.e), &g.e);
    CHECK_STR(buf_view(&g.body), "new");
    for (int i = 0; i < 500 && rig_files(&g); i++) /* the reader's handler unpins as it ends */
        os_sleep_ms(10);
    CHECK(rig_files_become(&g, 0));
    mem_free(p);
    rig_close(&g);
}
