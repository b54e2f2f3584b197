/* app.h - the parts that `anneal serve` composes, as the API's handlers see them. */
#ifndef ANNEAL_API_APP_H
#define ANNEAL_API_APP_H

#include "api/route.h"
#include <stdatomic.h>

struct db;
struct s3;
struct hub;
struct config;

struct app {
    struct db *db;
    struct s3 *s3;
    struct hub *hub;             /* topics: "job/<id>" */
    const struct config *config; /* spec/config.h */
    struct imports *imports;     /* api/datasets: running ingest processes */
    struct jobs *jobs;           /* flow/job: state of jobs */
    struct scheduler *scheduler; /* flow/job: dispatch, leases, trainers */
    struct metrics *metrics;     /* flow/telemetry */
    const char *public_url;      /* http://HOST:PORT under which browsers and trainers reach us */
    atomic_bool draining;
};

/* Routes requests by the tables below; installs 404, 405, problem documents, security headers. */
extern const struct route *const app_routes[]; /* NULL-ended list of the resources' tables */
struct api;
enum rc api_new(struct api **ret, struct app *app, struct err *e) must_check;
void api_handle(struct http_req *r, void *api); /* the http_handler */
void api_done(struct http_req *r, int status, double seconds, void *api);
void api_free(struct api *api);
/* audit.c: an http_before_reply_fn that writes a row of the audit log if the request (ud: struct
 * ctx) deserves one. */
void audit_request(void *ctx, int status);

#endif
