/* postman.c - see postman.h. */
#include "flow/job/postman.h"

#include "base/log.h"
#include "net/client.h"
#include "spec/contract.h"

enum {
    TIMEOUT_MS = 10000,
    CONNECT_MS = 2000,
    PAGE_BYTES_MAX = 3 * LETTER_BYTES_MAX, /* the largest letter, every byte of it escaped */
    URL_MAX = 700,
    TOKEN_MAX = 300,
};

static enum rc exchange(enum http_method method, const char *url, str token, str body,
                        struct buf *reply, int *ret_status, struct err *e)
{
    char auth[TOKEN_MAX + 32];
    const char *headers[] = {auth, "Content-Type: application/json", NULL};
    const struct client_call call = {.method = method,
                                     .url = url,
                                     .headers = headers,
                                     .body = body,
                                     .reply = reply,
                                     .timeout_ms = TIMEOUT_MS,
                                     .connect_ms = CONNECT_MS};
    struct client_reply r;

    snprintf(auth, sizeof auth, "Authorization: Bearer %.*s",
             (int)(token.n < TOKEN_MAX ? token.n : 0), token.p);
    buf_clear(reply);
    enum rc rc = client_do(&call, &r, e);
    if (!rc)
        *ret_status = r.status;
    return rc;
}

/* The routes a trainer may post to; anything else is not carried. */
static bool is_route(str route)
{
    return str_is(route, "callback") || str_is(route, "uploads") || str_is(route, "downloads");
}

static enum rc send_answer(const struct site *site, const char *url, int64_t id, int status,
                           str body, struct err *e)
{
    const struct letter_answer answer = {id, status, body};
    struct buf text, reply;
    struct jw w;
    int taken = 0;

    buf_init(&text, PAGE_BYTES_MAX);
    buf_init(&reply, PAGE_BYTES_MAX);
    jw_init(&w, &text);
    field_write(letter_answer_fields, &answer, &w);
    enum rc rc = buf_ok(&text, e);
    if (!rc)
        rc = exchange(HTTP_POST, url, str_of(site->token), buf_view(&text), &reply, &taken, e);
    if (!rc && taken != 200 && taken != 404) /* 404: nobody waits for it any more */
        rc = err_set(e, RC_UPSTREAM, "the trainer answered %d to POST %s", taken, url);
    buf_done(&text);
    buf_done(&reply);
    return rc;
}

static enum rc carry_one(const struct site *site, const char *url, str job, const struct letter *l,
                         const char *own_url, struct err *e)
{
    char own[URL_MAX];
    struct buf reply;
    int status = 0;

    if (!is_route(l->route))
        return err_set(e, RC_UPSTREAM, "the trainer wants '%.*s' asked; it may not",
                       STR_F(str_sub(l->route, 0, 32)));
    snprintf(own, sizeof own, "%s/training/jobs/%.*s/%.*s", own_url, STR_F(job), STR_F(l->route));
    buf_init(&reply, LETTER_BYTES_MAX);
    enum rc rc = exchange(HTTP_POST, own, l->token, l->body, &reply, &status, e);
    if (!rc)
        rc = send_answer(site, url, l->id, status, buf_view(&reply), e);
    buf_done(&reply);
    return rc;
}

enum rc carry_letters(const struct site *site, str job, const char *own_url, int *ret_carried,
                      struct err *e)
{
    struct letters_reply page = {0};
    struct arena a;
    struct buf reply;
    char url[URL_MAX];
    int status = 0;

    snprintf(url, sizeof url, "%s/letters/%.*s", site->url, STR_F(job));
    arena_init(&a, 3 * (size_t)PAGE_BYTES_MAX);
    buf_init(&reply, PAGE_BYTES_MAX);
    *ret_carried = 0;
    enum rc rc = exchange(HTTP_GET, url, str_of(site->token), STR_NONE, &reply, &status, e);
    if (!rc && status != 200)
        rc = err_set(e, RC_UPSTREAM, "the trainer answered %d to GET %s", status, url);
    if (!rc)
        rc = field_read_text(letters_reply_fields, buf_view(&reply), &page, &a, e);
    const struct letter *list = page.letters.p;
    for (size_t i = 0; !rc && i < page.letters.n; i++) {
        rc = carry_one(site, url, job, &list[i], own_url, e);
        *ret_carried += !rc;
    }
    buf_done(&reply);
    arena_done(&a);
    return rc;
}
