/* routes.c - the tables of all resources, in the order of the documentation. */
#include "api/app.h"

extern const struct route people_routes[], project_routes[], openapi_routes[], web_routes[];

const struct route *const app_routes[] = {people_routes, project_routes, openapi_routes, web_routes,
                                          NULL};
