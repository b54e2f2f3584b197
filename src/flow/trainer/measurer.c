/* measurer.c - see measurer.h.
 *
 * The answer depends on the order alone (and on what else the machine does, which no cache can
 * know), so it is kept for the trainer's life, KEPT at most, the oldest forgotten first. */
#include "flow/trainer/measurer.h"

#include "base/hash.h"
#include "base/mem.h"
#include "flow/trainer/lines.h"
#include "flow/trainer/thread.h"

#include <signal.h>
#include <string.h>

enum { KEPT = 64, LINE_MAX_BYTES = 16 << 10, REAP_MS = 2000 };

struct kept {
    char order[SHA256_HEX + 1];
    char model[65];
    char *text; /* JSON: struct measure */
    uint64_t number;
};
struct measurer {
    struct measurer_config c;
    pthread_mutex_t turn; /* who measures */
    pthread_mutex_t mu;   /* below */
    struct kept kept[KEPT];
    uint64_t number;
};

enum rc measurer_new(struct measurer **ret, const struct measurer_config *c, struct err *e)
{
    struct measurer *m = mem_zalloc(sizeof *m);

    if (!m)
        return err_set(e, RC_NOMEM, "out of memory for measurements");
    m->c = *c;
    pthread_mutex_init(&m->turn, NULL);
    pthread_mutex_init(&m->mu, NULL);
    *ret = m;
    return RC_OK;
}

void measurer_free(struct measurer *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < KEPT; i++)
        mem_free(m->kept[i].text);
    pthread_mutex_destroy(&m->turn);
    pthread_mutex_destroy(&m->mu);
    mem_free(m);
}

/* ---- what is known */

/* The text of the newest that fits, in `a`; order or model NULL: any. */
static str recall(struct measurer *m, const char *order, const char *model, struct arena *a)
{
    const struct kept *best = NULL;
    str text = STR_NONE;

    pthread_mutex_lock(&m->mu);
    for (size_t i = 0; i < KEPT; i++) {
        const struct kept *k = &m->kept[i];

        if (!k->text || (order && strcmp(k->order, order)) || (model && strcmp(k->model, model)))
            continue;
        if (!best || k->number > best->number)
            best = k;
    }
    if (best)
        text = arena_str(a, str_of(best->text));
    pthread_mutex_unlock(&m->mu);
    return text;
}

static void remember(struct measurer *m, const char *order, str model, str text)
{
    struct kept *k = &m->kept[0];
    char *copy = mem_strndup(text.p, text.n);

    if (!copy)
        return;
    pthread_mutex_lock(&m->mu);
    for (size_t i = 0; i < KEPT && k->text; i++)
        if (!m->kept[i].text || m->kept[i].number < k->number)
            k = &m->kept[i];
    mem_free(k->text);
    *k = (struct kept){.text = copy, .number = ++m->number};
    snprintf(k->order, sizeof k->order, "%s", order);
    snprintf(k->model, sizeof k->model, "%.*s", STR_F(str_sub(model, 0, 64)));
    pthread_mutex_unlock(&m->mu);
}

bool measurer_known(struct measurer *m, const char *model, struct arena *a, struct measure *ret)
{
    str text = recall(m, NULL, model, a);

    return text.n && !field_read_text(measure_fields, text, ret, a, NULL);
}

/* ---- the child */

static enum rc refusal(const struct json *doc, struct err *e)
{
    static const enum rc same[] = {RC_INVALID, RC_TOO_LARGE, RC_UNSUPPORTED, RC_UNAVAILABLE};
    str code = json_str(doc, "error_code", STR("")), text = json_str(doc, "error", STR(""));
    enum rc rc = RC_UPSTREAM;

    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (str_is(code, rc_code(same[i])))
            rc = same[i];
    if (str_is(code, rc_code(RC_NOMEM)))
        rc = RC_TOO_LARGE;
    return err_set(e, rc, "%.*s", STR_F(str_sub(text, 0, 600)));
}

static enum rc read_answer(str line, struct arena *a, struct measure *ret, struct err *e)
{
    const struct json *doc = NULL;
    str text = arena_str(a, line);
    enum rc rc = text.p ? json_parse(a, text, NULL, &doc, e)
                        : err_set(e, RC_NOMEM, "out of memory for a measurement");

    if (!rc && json_get(doc, "error"))
        return refusal(doc, e);
    if (!rc)
        rc = field_read(measure_fields, doc, ret, a, e);
    return rc ? err_wrap(e, RC_UPSTREAM, "the worker's answer") : RC_OK;
}

static enum rc talk(struct measurer *m, struct os_child *child, str order, struct buf *ret_line,
                    struct err *e)
{
    struct lines *out = NULL;
    enum line_kind kind = LINE_END;
    enum rc rc = lines_open(&out, child->stdout_fd, LINE_MAX_BYTES, LINE_MAX_BYTES, 0, e);

    if (!rc)
        rc = os_write_all(child->stdin_fd, order.p, order.n, e);
    os_close(child->stdin_fd);
    if (!rc)
        kind = lines_next(out, m->c.deadline_ms, ret_line, NULL);
    if (!rc && kind == LINE_TIMEOUT)
        rc = err_set(e, RC_TIMEOUT, "the model was not measured within %lld ms",
                     (long long)m->c.deadline_ms);
    else if (!rc && kind != LINE_TEXT)
        rc = err_set(e, RC_UPSTREAM, "the worker that measures ended without an answer");
    lines_close(out);
    return rc;
}

static enum rc run_child(struct measurer *m, str order, struct buf *ret_line, struct err *e)
{
    struct os_child child;
    int status;
    enum rc rc = spawner_run(m->c.spawner, &child, m->c.argv, OS_SPAWN_STDIN | OS_SPAWN_STDOUT, e);

    if (rc)
        return err_wrap(e, rc, "starting the worker '%s'", m->c.argv[0]);
    rc = talk(m, &child, order, ret_line, e);
    if (os_wait(child.pid, rc ? 0 : REAP_MS, &status, NULL) == RC_TIMEOUT) {
        os_kill(child.pid, SIGKILL);
        (void)!os_wait(child.pid, REAP_MS, &status, NULL);
    }
    return rc;
}

enum rc measurer_ask(struct measurer *m, const struct measure_order *o, struct arena *a,
                     struct measure *ret, struct err *e)
{
    struct measure got = {0};
    char hash[SHA256_HEX + 1];
    struct buf order, line;
    struct jw w;
    str known;
    enum rc rc;

    buf_init(&order, LINE_MAX_BYTES);
    buf_init(&line, LINE_MAX_BYTES + 1);
    jw_init(&w, &order);
    field_write(measure_order_fields, o, &w);
    buf_putc(&order, '\n');
    rc = buf_ok(&order, e);
    sha256_hex(buf_view(&order), hash);
    pthread_mutex_lock(&m->turn);
    known = recall(m, hash, NULL, a);
    if (!rc && !known.n)
        rc = run_child(m, buf_view(&order), &line, e);
    if (!rc)
        rc = read_answer(known.n ? known : buf_view(&line), a, &got, e);
    if (!rc && !known.n)
        remember(m, hash, o->model, buf_view(&line));
    pthread_mutex_unlock(&m->turn);
    buf_done(&order);
    buf_done(&line);
    if (!rc)
        *ret = got;
    return rc;
}
