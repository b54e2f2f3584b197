/* access.h - who is calling, and may they.
 *
 * Credentials, in this order: `Authorization: Bearer TOKEN` (an access token of a session, an API
 * token, or the token of a job's attempt, told apart by their prefix ses_, key_, job_), then the
 * cookie anneal_session (browsers; then a request that changes something must not be cross-origin:
 * its Origin or Sec-Fetch-Site is checked).  Tokens never stand in a URL.
 */
#ifndef ANNEAL_API_ACCESS_H
#define ANNEAL_API_ACCESS_H

#include "api/route.h"

/* Fills c->who from the request and enforces c->route's access rule and scope.
 * RC_UNAUTHENTICATED without a valid credential, RC_FORBIDDEN with one that does not suffice. */
enum rc access_check(struct ctx *c, struct err *e) must_check;

/* May the caller act in a project as `needed`?  Admins and managers always may; others by their
 * membership ("" is the default project, of which everybody is a member with their own role). */
enum rc project_may(struct ctx *c, str project_id, enum role needed, struct err *e) must_check;
/* SQL-free filter for lists: true if the caller sees every project. */
bool sees_all_projects(const struct ctx *c);

#endif
