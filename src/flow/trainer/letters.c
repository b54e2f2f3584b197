/* letters.c - see letters.h.  A letter lives on the stack of the thread that waits for its answer;
 * the list and all of its letters are under one lock. */
#include "flow/trainer/letters.h"

#include "base/log.h"
#include "base/mem.h"
#include "flow/trainer/thread.h"
#include "os/os.h"

enum { CANCEL_LOOK_MS = 200 };

struct waiting {
    struct waiting *next;
    int64_t id;
    str job, route; /* parts of the call's URL */
    const struct client_call *call;
    int status; /* 0: no answer yet */
};

struct letters {
    pthread_mutex_t mu;
    pthread_cond_t answered;
    struct waiting *list;
    int64_t wait_ms, last_id;
    size_t n;
    int64_t failed_ms,
        fetched_ms; /* when the direct way last failed; when letters were last fetched */
};

enum rc letters_new(struct letters **ret, int64_t wait_ms, struct err *e)
{
    struct letters *l = mem_zalloc(sizeof *l);

    if (!l)
        return err_set(e, RC_NOMEM, "out of memory for the letters");
    pthread_mutex_init(&l->mu, NULL);
    cond_init(&l->answered);
    l->wait_ms = wait_ms ? wait_ms : LETTER_WAIT_MS;
    *ret = l;
    return RC_OK;
}

void letters_free(struct letters *l)
{
    if (!l)
        return;
    ASSERT(!l->list);
    pthread_cond_destroy(&l->answered);
    pthread_mutex_destroy(&l->mu);
    mem_free(l);
}

/* .../training/jobs/{job}/{route} */
static bool parts_of(const char *url, str *ret_job, str *ret_route)
{
    static const char before[] = "/training/jobs/";
    const char *at = strstr(url, before);
    const str rest = at ? str_of(at + sizeof before - 1) : STR_NONE;
    const ptrdiff_t slash = str_chr(rest, '/');

    if (slash < 1)
        return false;
    *ret_job = str_sub(rest, 0, (size_t)slash);
    *ret_route = str_sub(rest, (size_t)slash + 1, rest.n);
    return ret_route->n > 0 && str_chr(*ret_route, '/') < 0;
}

/* ---- the one who asks */

static void unlink_letter(struct letters *l, struct waiting *w)
{
    struct waiting **at = &l->list;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    l->n--;
}

static enum rc wait_for_answer(struct letters *l, struct waiting *w, struct err *e)
{
    const int64_t until = os_mono_ms() + l->wait_ms;
    const atomic_bool *cancel = w->call->cancel;

    while (!w->status) {
        const int64_t now = os_mono_ms();
        if (cancel && atomic_load(cancel))
            return err_set(e, RC_CANCELLED, "cancelled");
        if (now >= until)
            return RC_TIMEOUT;
        /* in slices: nothing signals the caller's flag */
        (void)cond_wait(&l->answered, &l->mu,
                        now + CANCEL_LOOK_MS < until ? now + CANCEL_LOOK_MS : until);
    }
    return RC_OK;
}

/* RC_TIMEOUT: nobody came for it; *e is as before. */
static enum rc post_letter(struct letters *l, struct waiting *w, struct client_reply *ret,
                           struct err *e)
{
    enum rc rc;

    pthread_mutex_lock(&l->mu);
    if (l->n == LETTERS_MAX) {
        pthread_mutex_unlock(&l->mu);
        return RC_TIMEOUT;
    }
    w->id = ++l->last_id;
    struct waiting **end = &l->list;
    while (*end)
        end = &(*end)->next;
    *end = w;
    l->n++;
    rc = wait_for_answer(l, w, e);
    unlink_letter(l, w);
    pthread_mutex_unlock(&l->mu);
    if (!rc)
        *ret = (struct client_reply){.status = w->status, .length = -1, .retry_after_s = -1};
    return rc;
}

/* The direct way has just failed, and the backend comes for letters. */
static bool go_by_letter(struct letters *l)
{
    pthread_mutex_lock(&l->mu);
    const int64_t now = os_mono_ms();
    const bool yes = l->failed_ms && now - l->failed_ms < LETTER_DIRECT_MS && l->fetched_ms &&
                     now - l->fetched_ms < LETTER_DIRECT_MS;
    pthread_mutex_unlock(&l->mu);
    return yes;
}

static void direct_way(struct letters *l, const char *url, bool works)
{
    pthread_mutex_lock(&l->mu);
    const bool known = l->failed_ms > 0;
    l->failed_ms = works ? 0 : os_mono_ms();
    pthread_mutex_unlock(&l->mu);
    if (known == works)
        log_info("the backend %s reached at %s%s", works ? "is again" : "cannot be", url,
                 works ? "" : "; what is asked of it waits until it comes for it");
}

enum rc letters_post(struct letters *l, const struct client_call *c, struct client_reply *ret,
                     struct err *e)
{
    struct waiting w = {.call = c};
    const bool can = l && parts_of(c->url, &w.job, &w.route) && c->body.n <= LETTER_BYTES_MAX;
    enum rc rc;

    if (can && go_by_letter(l)) {
        rc = post_letter(l, &w, ret, e);
        if (rc != RC_TIMEOUT)
            return rc;
    }
    rc = client_do(c, ret, e);
    if (!can || rc == RC_CANCELLED)
        return rc;
    const bool no_way = rc == RC_UNAVAILABLE || (rc == RC_TIMEOUT && ret->status == 0);
    direct_way(l, c->url, !no_way);
    if (!no_way)
        return rc;
    struct err why = {0};
    const enum rc by_letter = post_letter(l, &w, ret, &why);
    if (by_letter == RC_TIMEOUT)
        return rc;
    if (by_letter && e)
        *e = why;
    return by_letter;
}

/* ---- the one who comes for them */

int64_t letters_waiting(struct letters *l, str job)
{
    int64_t n = 0;

    pthread_mutex_lock(&l->mu);
    for (const struct waiting *w = l->list; w; w = w->next)
        n += !w->status && str_eq(w->job, job);
    pthread_mutex_unlock(&l->mu);
    return n;
}

/* "Authorization: Bearer x" -> "x" */
static str token_of(const struct client_call *c)
{
    const str before = STR("Authorization: Bearer "), header = str_of(c->headers[0]);

    ASSERT(str_starts(header, before));
    return str_sub(header, before.n, header.n);
}

enum rc letters_fetch(struct letters *l, str job, struct arena *a, struct letter **ret,
                      size_t *ret_n, struct err *e)
{
    struct letter *list = ARENA_ARRAY(a, struct letter, LETTERS_MAX);
    size_t n = 0, bytes = 0;
    bool fits = list != NULL;

    pthread_mutex_lock(&l->mu);
    l->fetched_ms = os_mono_ms();
    for (const struct waiting *w = l->list; fits && w; w = w->next) {
        if (w->status || !str_eq(w->job, job))
            continue;
        if (n > 0 && bytes + w->call->body.n > LETTERS_BYTES_MAX)
            break;
        bytes += w->call->body.n;
        list[n] = (struct letter){w->id, arena_str(a, w->route), arena_str(a, token_of(w->call)),
                                  arena_str(a, w->call->body)};
        fits = list[n].route.p && list[n].token.p && (list[n].body.p || !w->call->body.n);
        n++;
    }
    pthread_mutex_unlock(&l->mu);
    if (!fits)
        return err_set(e, RC_NOMEM, "out of memory for the letters");
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

enum rc letters_answer(struct letters *l, str job, const struct letter_answer *answer,
                       struct err *e)
{
    enum rc rc = RC_NOT_FOUND;

    pthread_mutex_lock(&l->mu);
    for (struct waiting *w = l->list; w; w = w->next) {
        if (w->id != answer->id || !str_eq(w->job, job) || w->status)
            continue;
        struct buf *reply = w->call->reply;
        buf_clear(reply);
        buf_add(reply, answer->body.p, answer->body.n);
        rc = buf_ok(reply, e);
        if (!rc) {
            w->status = (int)answer->status;
            pthread_cond_broadcast(&l->answered);
        }
        pthread_mutex_unlock(&l->mu);
        return rc;
    }
    pthread_mutex_unlock(&l->mu);
    return err_set(e, rc, "nobody waits for an answer to letter %lld any more",
                   (long long)answer->id);
}
