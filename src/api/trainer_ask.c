/* trainer_ask.c - see trainer_ask.h. */
#include "api/trainer_ask.h"
#include "base/json.h"

static enum rc refusal(int status, str body, struct err *e)
{
    static const enum rc same[] = {RC_INVALID, RC_NOT_FOUND, RC_CONFLICT,    RC_TOO_LARGE,
                                   RC_LIMIT,   RC_CORRUPT,   RC_UNSUPPORTED, RC_UNAVAILABLE};
    const struct json *doc = NULL;
    struct arena a;
    str text = STR_NONE;
    enum rc rc = RC_UPSTREAM;

    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (rc_status(same[i]) == status)
            rc = same[i];
    arena_init(&a, 1 << 20);
    if (!json_parse(&a, body, NULL, &doc, NULL))
        text = json_str(doc, "detail", STR_NONE);
    if (!text.n)
        text = str_sub(body, 0, 200);
    if (rc == RC_UPSTREAM)
        err_set(e, rc, "the trainer answered %d: %.*s", status, (int)(text.n > 500 ? 500 : text.n),
                text.p ? text.p : "");
    else
        err_set(e, rc, "%.*s", (int)(text.n > 600 ? 600 : text.n), text.p ? text.p : "");
    arena_done(&a);
    return rc;
}

enum rc trainer_ask(const struct site *site, const char *path, const char *type,
                    struct client_call *call, struct buf *body, struct err *e)
{
    char auth[SITE_TOKEN_MAX + 32], url[SITE_URL_MAX + 256], content[128];
    const char *headers[] = {auth, type ? content : NULL, NULL};
    struct client_reply reply;
    struct buf b;
    enum rc rc;

    snprintf(auth, sizeof auth, "Authorization: Bearer %s", site->token);
    snprintf(content, sizeof content, "Content-Type: %s", type ? type : "");
    if ((size_t)snprintf(url, sizeof url, "%s%s", site->url, path) >= sizeof url)
        return err_set(e, RC_INVALID, "the trainer's URL is too long");
    call->url = url;
    call->headers = headers;
    buf_init(&b, TRAINER_BODY_MAX);
    call->reply = &b;
    rc = client_do(call, &reply, e);
    if (rc == RC_UNAVAILABLE || rc == RC_TIMEOUT || rc == RC_UPSTREAM)
        rc = err_wrap(e, rc, "asking the trainer %s", site->framework);
    else if (rc)
        ; /* of the source: the caller's own body */
    else if (reply.status >= 300)
        rc = refusal(reply.status, buf_view(&b), e);
    if (rc) {
        buf_done(&b);
        return rc;
    }
    *body = b;
    return RC_OK;
}
