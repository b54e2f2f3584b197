/* datasets.h - what the resources of datasets share, and how `anneal serve` starts imports. */
#ifndef ANNEAL_API_DATASETS_H
#define ANNEAL_API_DATASETS_H

#include "api/access.h"
#include "api/app.h"
#include "flow/dataset/dataset.h"
#include "s3/s3.h"

/* After the store answers; resumes what an earlier life left unfinished.  store is lent. */
enum rc imports_start(struct app *app, const struct s3_config *store, struct err *e) must_check;
void imports_stop(struct app *app); /* what runs is resumed at the next start */

/* The dataset of {id} (id or name), if the caller may act in its project as `needed`. */
enum rc dataset_of(struct ctx *c, enum role needed, struct dataset *ret, struct err *e) must_check;
/* And its version of {v}: a hash or 8 digits of it, a number, or "latest". */
enum rc version_of(struct ctx *c, enum role needed, struct dataset *ret,
                   struct dataset_version *ret_v, struct err *e) must_check;
/* Id of a project by id or name, "" for the default one, if the caller may act there as `needed`.
 */
enum rc project_id_of(struct ctx *c, str project, enum role needed, str *ret,
                      struct err *e) must_check;
/* uploads.c: what an upload is called and how it is split. */
struct upload_query {
    str name, split, project;
    int64_t seed;
};
/* Gives the next bytes; *ret_n 0 at the end. */
typedef enum rc (*pull_fn)(void *ud, void *p, size_t cap, size_t *ret_n, struct err *e);
/* Stores what pull gives (`bytes` of it; -1: not known) as an upload of the caller, queues its
 * import and replies 202; leaves nothing behind on failure. */
enum rc upload_pulled(struct ctx *c, const struct upload_query *q, pull_fn pull, void *ud,
                      int64_t bytes, struct err *e) must_check;
/* 202 with the import. */
enum rc reply_import(struct ctx *c, int status, const struct import *im, struct err *e) must_check;
/* Streams an object that never changes and is called `name` (its ETag); 304 if the peer has it.
 * length -1: unknown. */
enum rc reply_immutable(struct ctx *c, str name, const char *key, const char *type, int64_t length,
                        struct err *e) must_check;
/* `next` of a list: null, or a cursor that holds one number. */
void write_next(struct ctx *c, struct jw *w, bool more, int64_t last);
/* The number in a cursor; -1 without one. */
enum rc read_after(struct ctx *c, str cursor, int64_t *ret, struct err *e) must_check;

/* images.c: a picture as the API shows it; or its members, into an object that is open. */
void write_image(struct ctx *c, const struct dataset *d, const struct json *classes,
                 const struct dataset_image *i, struct jw *w);
void write_image_members(struct ctx *c, const struct dataset *d, const struct json *classes,
                         const struct dataset_image *i, struct jw *w);

#endif
