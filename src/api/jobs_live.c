/* jobs_live.c - a job as it happens: the feed of its events and log lines (flow/job/job.h 6), as
 * Server-Sent Events or over a WebSocket.  Whoever reconnects says what he saw last and misses
 * nothing.
 */
#include "api/jobs.h"

struct live_query {
    int64_t after;
};
static const struct field live_query_fields[] = {
    F_INT(struct live_query, after, .min = 0, .max = 9007199254740991.0,
          .help = "Number of the last event seen; a Last-Event-ID header counts more."),
    FIELD_END};

static enum rc begin(struct ctx *c, const char **ret_topic, int64_t *ret_after, struct err *e)
{
    const struct live_query *q = c->query;
    str last = http_header(c->req, "Last-Event-ID");
    int64_t after = q->after;
    struct job j;
    const char *topic;
    enum rc rc = job_of(c, ROLE_VIEWER, &j, e);

    if (rc)
        return rc;
    if (last.n && (!str_i64(last, &after) || after < 0))
        return err_field(e, RC_INVALID, "Last-Event-ID", "Last-Event-ID must be an event's number");
    topic = arena_printf(c->a, "job/%.*s", STR_F(j.id));
    if (!topic)
        return err_set(e, RC_NOMEM, "out of memory");
    *ret_topic = topic;
    *ret_after = after;
    return RC_OK;
}

static enum rc get_events(struct ctx *c, struct err *e)
{
    const char *topic;
    int64_t after;
    enum rc rc = begin(c, &topic, &after, e);

    if (!rc)
        hub_reply_sse(c->app->hub, c->req, str_of(topic), after);
    return rc;
}

static enum rc get_socket(struct ctx *c, struct err *e)
{
    const char *topic;
    int64_t after;
    enum rc rc = begin(c, &topic, &after, e);

    if (!rc && !str_ieq(http_header(c->req, "Upgrade"), STR("websocket")))
        rc =
            err_set(e, RC_INVALID, "this is a WebSocket; /training/jobs/{id}/events is plain HTTP");
    if (!rc)
        hub_reply_ws(c->app->hub, c->req, str_of(topic), after);
    return rc;
}

#define QUERY live_query_fields, sizeof(struct live_query)
#define EVENTS                                                                                     \
    "Events: state, started, progress (the newest of each epoch), epoch, checkpoint, log; each "   \
    "has a rising number.  The stream ends after the last event of a job that has ended."
extern const struct route job_live_routes[];
const struct route job_live_routes[] = {
    {HTTP_GET, "/training/jobs/{id}/events", ACCESS_VIEWER, "jobs:read", QUERY, .tag = "Live",
     .summary = "A job's events as Server-Sent Events.", .help = EVENTS, .fn = get_events},
    {HTTP_GET, "/ws/training/{id}", ACCESS_VIEWER, "jobs:read", QUERY, .tag = "Live",
     .summary = "A job's events over a WebSocket: {id, event, data} in text frames.",
     .help = EVENTS, .fn = get_socket},
    ROUTE_END};
