/* people.h - roles, as they are ordered and named everywhere. */
#ifndef ANNEAL_SPEC_PEOPLE_H
#define ANNEAL_SPEC_PEOPLE_H

/* A higher role may do what a lower one may. */
enum role { ROLE_NONE, ROLE_VIEWER, ROLE_ENGINEER, ROLE_MANAGER, ROLE_ADMIN };
extern const char *const role_names[]; /* "none", "viewer", "engineer", "manager", "admin" */

#endif
