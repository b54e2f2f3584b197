/* route.h - the table of routes, and what turns a row into a served request.
 *
 * A row states the method, the path with its {parameters}, who may call it, the fields of query,
 * body and reply, and the handler.  Routing, authentication, the access check, parsing and its
 * checks, OpenAPI (/openapi.json, /docs), the Prometheus counts and the test that walks every route
 * for its access rule all come from the row.
 */
#ifndef ANNEAL_API_ROUTE_H
#define ANNEAL_API_ROUTE_H

#include "net/http.h"
#include "spec/field.h"
#include "spec/people.h"

/* Who may call.  Roles are ordered; a higher role may do what a lower one may. */
enum access {
    ACCESS_PUBLIC,   /* anyone */
    ACCESS_VIEWER,   /* any account */
    ACCESS_ENGINEER, /* engineer and up: creates datasets and jobs */
    ACCESS_MANAGER,
    ACCESS_ADMIN,
    ACCESS_JOB,     /* the token of one attempt of the job in {id}, nothing else */
    ACCESS_METRICS, /* a loopback peer, or a viewer */
};

/* The caller after authentication; lives in the request's arena. */
struct caller {
    str user_id; /* "" for a public call or a job */
    str user_name;
    enum role role;
    str scopes;      /* space separated; "": all that the role may (a session) */
    str session_id;  /* "" for an API token */
    str job_id;      /* ACCESS_JOB */
    int64_t attempt; /* ACCESS_JOB */
};

struct app; /* the composed parts: app.h */
struct route;
struct ctx {
    struct app *app;
    struct http_req *req;
    struct arena *a;
    struct caller who;
    const struct route *route;
    str param[4]; /* {parameters} of the path, in order, decoded */
    void *query;  /* the struct of route->query, filled; or NULL */
    void *body;   /* the struct of route->body, filled; or NULL */
};
/* Replies itself on success; on failure returns the code and text, and the framework answers with
 * the problem document. */
typedef enum rc (*route_fn)(struct ctx *c, struct err *e);

struct route {
    enum http_method method;
    const char *path; /* "/training/jobs/{id}" */
    enum access access;
    const char *scope; /* what an API token needs, e.g. "jobs:write"; NULL: nothing */
    const struct field *query;
    size_t query_size;
    const struct field *body; /* NULL: the handler reads the body itself, if any */
    size_t body_size;
    const struct field *reply; /* of the 2xx JSON; NULL: help tells */
    const char *tag;           /* section of the documentation */
    const char *summary;       /* one line */
    const char *help;          /* further sentences; may be NULL */
    bool unaudited;            /* changes nothing that the audit log should tell (audit.c) */
    route_fn fn;
};
/* One table a resource: `extern const struct route NAME_routes[]`, closed by ROUTE_END. */
#define ROUTE_END                                                                                  \
    {                                                                                              \
        .fn = NULL                                                                                 \
    }

/* struct buf b; struct jw w; reply_begin(&b, &w); jw_obj(&w) ...; return reply_json(c, 200, &b, e);
 */
void reply_begin(struct buf *b, struct jw *w);
enum rc reply_json(struct ctx *c, int status, struct buf *b,
                   struct err *e) must_check; /* takes b */
/* {"NAME": [...]}: begin, write the elements, end.  The end replies, or after a failure of theirs
 * (rc) frees what was written and returns it. */
void reply_list_begin(struct buf *b, struct jw *w, const char *name);
enum rc reply_list_end(struct ctx *c, enum rc rc, struct buf *b, struct jw *w,
                       struct err *e) must_check;
/* field_write of one struct. */
enum rc reply_fields(struct ctx *c, int status, const struct field *t, const void *obj,
                     struct err *e) must_check;
void reply_problem(struct http_req *r, const struct err *e); /* RFC 9457 */

/* Keyset cursors: base64url of the sort key and the id of the last row shown. */
enum rc cursor_read(struct arena *a, str text, str *ret_key, str *ret_id, struct err *e) must_check;
const char *cursor_make(struct arena *a, str key, str id);

#endif
