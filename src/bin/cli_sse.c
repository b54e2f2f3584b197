/* cli_sse.c - see cli_sse.h. */
#include "bin/cli_sse.h"

#include <string.h>

void sse_init(struct sse *s, sse_event_fn event, void *ud)
{
    *s = (struct sse){.event = event, .ud = ud};
    buf_init(&s->line, SSE_EVENT_BYTES_MAX);
    buf_init(&s->data, SSE_EVENT_BYTES_MAX);
    buf_init(&s->name, SSE_FIELD_BYTES_MAX);
    buf_init(&s->id, SSE_FIELD_BYTES_MAX);
}

void sse_done(struct sse *s)
{
    buf_done(&s->line);
    buf_done(&s->data);
    buf_done(&s->name);
    buf_done(&s->id);
}

void sse_restart(struct sse *s)
{
    buf_clear(&s->line);
    buf_clear(&s->data);
    buf_clear(&s->name);
    s->after_cr = s->begun = s->has_data = false;
}

static enum rc dispatch(struct sse *s, struct err *e)
{
    str name = s->name.n ? buf_view(&s->name) : STR("message");
    enum rc rc = RC_OK;

    if (s->has_data)
        rc = s->event(s->ud, buf_view(&s->id), name, buf_view(&s->data), e);
    buf_clear(&s->data);
    buf_clear(&s->name);
    s->has_data = false;
    return rc;
}

static enum rc take_line(struct sse *s, struct err *e)
{
    str line = buf_view(&s->line), field = line, value = STR("");
    ptrdiff_t colon = str_chr(line, ':');
    enum rc rc = buf_ok(&s->line, e);

    if (!rc && !line.n)
        return dispatch(s, e);
    if (colon >= 0) {
        field = str_sub(line, 0, (size_t)colon);
        value = str_sub(line, (size_t)colon + 1, line.n);
        if (value.n && value.p[0] == ' ')
            value = str_sub(value, 1, value.n);
    }
    if (!rc && str_is(field, "data")) {
        if (s->has_data)
            buf_putc(&s->data, '\n');
        buf_str(&s->data, value);
        s->has_data = true;
        rc = buf_ok(&s->data, e);
    } else if (!rc && str_is(field, "event")) {
        buf_clear(&s->name);
        buf_str(&s->name, value);
        rc = buf_ok(&s->name, e);
    } else if (!rc && str_is(field, "id") && (!value.n || !memchr(value.p, 0, value.n))) {
        buf_clear(&s->id);
        buf_str(&s->id, value);
        rc = buf_ok(&s->id, e);
    }
    buf_clear(&s->line); /* a comment, retry, or a field of the future: nothing */
    return rc;
}

enum rc sse_feed(struct sse *s, const void *p, size_t n, struct err *e)
{
    const char *c = p, *end = c + n;
    enum rc rc = RC_OK;

    for (; !rc && c < end; c++) {
        bool lf_of_crlf = s->after_cr && *c == '\n';

        s->after_cr = *c == '\r';
        if (lf_of_crlf)
            continue;
        if (*c != '\r' && *c != '\n') {
            buf_putc(&s->line, *c);
            rc = buf_ok(&s->line, e);
            continue;
        }
        if (!s->begun && str_starts(buf_view(&s->line), STR("\xEF\xBB\xBF")))
            buf_drop_front(&s->line, 3);
        s->begun = true;
        rc = take_line(s, e);
    }
    return rc;
}
