/* form_test.c - an upload by a browser's form, from outside: what a signed policy allows is stored
 * as the fields say, and a form that is broken, unsigned, late or too long is refused by the right
 * code.  (What a policy may say: form_policy_test.c.) */
#include "store/form.c"

#include "base/base64.h"
#include "store/test_store.h"

#define BORDER "----of-the-tests"

struct post {
    struct rig g;
    struct buf body;
    char policy[8 << 10], signature[SHA256_HEX + 1], credential[128], day[9];
    bool with_file; /* has it been added? */
};

static void add(struct post *p, const char *name, str value)
{
    buf_printf(&p->body, "--" BORDER "\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n",
               name);
    buf_str(&p->body, value);
    buf_puts(&p->body, "\r\n");
}

static void add_file(struct post *p, const char *filename, const char *type, str value)
{
    buf_printf(&p->body,
               "--" BORDER "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\n",
               filename);
    if (type)
        buf_printf(&p->body, "Content-Type: %s\r\n", type);
    buf_puts(&p->body, "\r\n");
    buf_str(&p->body, value);
    buf_puts(&p->body, "\r\n--" BORDER "--\r\n");
}

/* The policy with these conditions besides the bucket, and its signature. */
static void sign(struct post *p, const char *conditions)
{
    char json[4096], when[SIGV4_TIME_TEXT], later[OS_TIME_TEXT];
    uint8_t key[SHA256_BYTES], mac[SHA256_BYTES];
    struct buf text;

    os_time_text(os_now_ms() + 600000, later);
    sigv4_time_text(os_now_ms() / 1000, when);
    snprintf(p->day, sizeof p->day, "%.8s", when);
    snprintf(p->credential, sizeof p->credential, TEST_ACCESS "/%s/us-east-1/s3/aws4_request",
             p->day);
    snprintf(json, sizeof json,
             "{\"expiration\":\"%s\",\"conditions\":[{\"bucket\":\"tests\"},"
             "[\"starts-with\",\"$x-amz-credential\",\"\"],"
             "{\"x-amz-algorithm\":\"AWS4-HMAC-SHA256\"}%s]}",
             later, conditions);
    buf_init(&text, sizeof p->policy);
    base64_write(json, strlen(json), &text);
    snprintf(p->policy, sizeof p->policy, "%.*s", STR_F(buf_view(&text)));
    buf_done(&text);
    sigv4_signing_key(STR(TEST_SECRET), str_of(p->day), STR("us-east-1"), key);
    hmac_sha256((str){(char *)key, sizeof key}, str_of(p->policy), mac);
    hex_of(mac, sizeof mac, p->signature);
}

static void add_signature(struct post *p)
{
    add(p, "policy", str_of(p->policy));
    add(p, "x-amz-algorithm", STR("AWS4-HMAC-SHA256"));
    add(p, "x-amz-credential", str_of(p->credential));
    add(p, "x-amz-signature", str_of(p->signature));
}

static void open_post(struct post *p)
{
    memset(p, 0, sizeof *p);
    rig_open(&p->g);
    buf_init(&p->body, 8 << 20);
}

static void close_post(struct post *p)
{
    buf_done(&p->body);
    rig_close(&p->g);
}

/* The status; the form begins anew. */
static int send(struct post *p)
{
    const char *headers[] = {"Content-Type: multipart/form-data; boundary=" BORDER, NULL};
    char url[128];
    struct client_call c = {.method = HTTP_POST,
                            .url = url,
                            .headers = headers,
                            .body = buf_view(&p->body),
                            .reply = &p->g.body};

    snprintf(url, sizeof url, "%s/tests", p->g.endpoint);
    buf_clear(&p->g.body);
    CHECK_OK(client_do(&c, &p->g.reply, &p->g.e), &p->g.e);
    buf_clear(&p->body);
    return p->g.reply.status;
}

static void expect(struct post *p, int status, const char *code)
{
    char want[64];

    snprintf(want, sizeof want, "<Code>%s</Code>", code);
    if (send(p) != status || !rig_says(&p->g, want))
        test_fail(__FILE__, __LINE__, "not %d %s: %d %.*s", status, code, p->g.reply.status,
                  STR_F(buf_view(&p->g.body)));
}

static void expect_object(struct post *p, const char *key, const char *body)
{
    CHECK_EQ(rig_call(&p->g, HTTP_GET, key, NULL, NULL, STR("")), 200);
    CHECK_STR(buf_view(&p->g.body), body);
}

#define KEY ",[\"starts-with\",\"$key\",\"\"]"

TEST(what_the_policy_allows_is_stored_as_the_fields_say)
{
    static const struct {
        const char *status;
        int want;
    } rows[] = {{"200", 200}, {"201", 201}, {"204", 204}, {"500", 204}};
    struct post p;

    open_post(&p);
    sign(&p, KEY ",[\"starts-with\",\"$Content-Type\",\"text/\"],[\"eq\",\"$x-amz-meta-a\",\"b\"],"
                 "[\"starts-with\",\"$success_action_status\",\"\"],"
                 "[\"content-length-range\",1,10]");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        add(&p, "Key", STR("in/${filename}"));
        add_signature(&p);
        add(&p, "Content-Type", STR("text/x"));
        add(&p, "x-amz-meta-a", STR("b"));
        add(&p, "success_action_status", str_of(rows[i].status));
        add_file(&p, "C:\\folder/one.txt", "image/png", STR("by form"));
        CHECK_EQ(send(&p), rows[i].want);
        CHECK(rows[i].want != 201 || rig_says(&p.g, "<Key>in/one.txt</Key>"));
        expect_object(&p, "in/one.txt", "by form");
        CHECK_STR(str_of(p.g.reply.type), "text/x");
        CHECK_OK(s3_delete(p.g.c, "in/one.txt", &p.g.e), &p.g.e);
    }
    close_post(&p);
}

TEST(the_browser_is_sent_on_where_the_form_says)
{
    struct post p;

    open_post(&p);
    sign(&p, KEY ",[\"starts-with\",\"$success_action_redirect\",\"http\"]");
    add(&p, "key", STR("k"));
    add_signature(&p);
    add(&p, "success_action_redirect", STR("http://127.0.0.1:9/next?x=1"));
    add_file(&p, "f", NULL, STR("x"));
    CHECK_EQ(send(&p), 303);
    expect_object(&p, "k", "x");
    close_post(&p);
}

TEST(the_sizes_of_the_policy_are_held_while_the_file_comes)
{
    struct post p;

    open_post(&p);
    sign(&p, KEY ",[\"content-length-range\",2,10]");
    for (int i = 0; i < 2; i++) {
        add(&p, "key", STR("k"));
        add_signature(&p);
        add_file(&p, "f", NULL, i ? STR("12345678901") : STR("1"));
        expect(&p, 400, i ? "EntityTooLarge" : "EntityTooSmall");
    }
    CHECK_EQ(rig_call(&p.g, HTTP_GET, "k", NULL, NULL, STR("")), 404);
    CHECK_EQ(rig_files(&p.g), 0);
    close_post(&p);
}

TEST(a_signature_that_is_not_right_lets_nothing_in)
{
    struct post p;
    char good[SHA256_HEX + 1], credential[128];

    open_post(&p);
    sign(&p, KEY);
    memcpy(good, p.signature, sizeof good);
    memcpy(credential, p.credential, sizeof credential);
    for (int i = 0; i < 7; i++) {
        const char *code[] = {"SignatureDoesNotMatch", "SignatureDoesNotMatch",
                              "InvalidAccessKeyId",    "MalformedPOSTRequest",
                              "MalformedPOSTRequest",  "InvalidPolicyDocument",
                              "AccessDenied"};
        int status[] = {403, 403, 403, 400, 400, 400, 403};
        memcpy(p.signature, good, sizeof good);
        memcpy(p.credential, credential, sizeof credential);
        sign(&p, KEY);
        if (i == 0)
            p.signature[5] ^= 1;
        if (i == 1)
            p.signature[10] = 0; /* shorter */
        if (i == 2)
            p.credential[0] = 'X';
        if (i == 3)
            snprintf(p.credential, sizeof p.credential, TEST_ACCESS "/us-east-1/s3/aws4_request");
        if (i == 4)
            snprintf(p.credential, sizeof p.credential, TEST_ACCESS "/%s/eu-west-1/s3/aws4_request",
                     p.day);
        if (i == 5) { /* signed, and no base64 */
            uint8_t key[SHA256_BYTES], mac[SHA256_BYTES];
            snprintf(p.policy, sizeof p.policy, "not base64");
            sigv4_signing_key(STR(TEST_SECRET), str_of(p.day), STR("us-east-1"), key);
            hmac_sha256((str){(char *)key, sizeof key}, str_of(p.policy), mac);
            hex_of(mac, sizeof mac, p.signature);
        }
        add(&p, "key", STR("k"));
        if (i < 6) /* nobody's form, then */
            add_signature(&p);
        add_file(&p, "f", NULL, STR("x"));
        expect(&p, status[i], code[i]);
    }
    CHECK_EQ(rig_call(&p.g, HTTP_GET, "k", NULL, NULL, STR("")), 404);
    close_post(&p);
}

TEST(anybody_may_send_a_form_into_a_bucket_that_is_open_to_all)
{
    static const char open[] =
        "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\","
        "\"Action\":\"s3:PutObject\",\"Resource\":\"arn:aws:s3:::tests/in/*\"}]}";
    struct post p;

    open_post(&p);
    CHECK_EQ(rig_signed(&p.g, HTTP_PUT, "/tests?policy=", NULL, NULL, str_of(open)), 204);
    add(&p, "key", STR("in/k"));
    add_file(&p, "f", NULL, STR("x"));
    CHECK_EQ(send(&p), 204);
    expect_object(&p, "in/k", "x");
    add(&p, "key", STR("out/k"));
    add_file(&p, "f", NULL, STR("x"));
    expect(&p, 403, "AccessDenied");
    close_post(&p);
}

TEST(a_form_that_is_broken_is_refused)
{
    static char much[21 << 10];
    struct post p;
    char name[32];

    open_post(&p);
    add(&p, "key", STR("k"));
    buf_puts(&p.body, "--" BORDER "--\r\n");
    expect(&p, 400, "MalformedPOSTRequest"); /* no file */
    add_file(&p, "f", NULL, STR("x"));
    expect(&p, 400, "MalformedPOSTRequest"); /* no key */
    add(&p, "key", STR("k"));
    add(&p, "KEY", STR("l"));
    add_file(&p, "f", NULL, STR("x"));
    expect(&p, 400, "MalformedPOSTRequest"); /* twice */
    memset(much, 'x', sizeof much);
    add(&p, "key", STR("k"));
    add(&p, "x-amz-meta-a", (str){much, sizeof much});
    add_file(&p, "f", NULL, STR("x"));
    expect(&p, 400, "MalformedPOSTRequest");
    for (int i = 0; i < FIELDS_MAX + 1; i++) {
        snprintf(name, sizeof name, "x-ignore-%d", i);
        add(&p, name, STR(""));
    }
    add_file(&p, "f", NULL, STR("x"));
    expect(&p, 400, "MalformedPOSTRequest");
    add(&p, "key", (str){much, STORE_KEY_BYTES_MAX + 1});
    add_file(&p, "f", NULL, STR("x"));
    expect(&p, 400, "KeyTooLongError");
    sign(&p, KEY ",[\"starts-with\",\"$x-amz-meta-a\",\"\"]");
    add(&p, "key", STR("k"));
    add_signature(&p);
    add(&p, "x-amz-meta-a", STR("a\r\nSet-Cookie: b"));
    add_file(&p, "f", NULL, STR("x"));
    expect(&p, 400, "MalformedPOSTRequest"); /* it would become a header */
    buf_puts(&p.body, "--another\r\n\r\n");
    expect(&p, 400, "MalformedPOSTRequest");
    CHECK_EQ(rig_call(&p.g, HTTP_GET, "k", NULL, NULL, STR("")), 404);
    close_post(&p);
}
