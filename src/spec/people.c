/* people.c - the names of roles. */
#include "spec/people.h"

#include <stddef.h>

const char *const role_names[] = {"none", "viewer", "engineer", "manager", "admin", NULL};
