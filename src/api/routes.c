/* routes.c - the tables of all resources, in the order of the documentation. */
#include "api/app.h"

#define RESOURCES(X)                                                                               \
    X(people)                                                                                      \
    X(quota)                                                                                       \
    X(project)                                                                                     \
    X(dataset)                                                                                     \
    X(upload)                                                                                      \
    X(sample)                                                                                      \
    X(image)                                                                                       \
    X(dataset_classes)                                                                             \
    X(dataset_diff)                                                                                \
    X(draft)                                                                                       \
    X(job)                                                                                         \
    X(runs)                                                                                        \
    X(job_new)                                                                                     \
    X(job_control)                                                                                 \
    X(job_result)                                                                                  \
    X(job_picture)                                                                                 \
    X(job_course)                                                                                  \
    X(job_check)                                                                                   \
    X(job_live)                                                                                    \
    X(job_predict)                                                                                 \
    X(weights)                                                                                     \
    X(registry)                                                                                    \
    X(registry_state)                                                                              \
    X(registry_link)                                                                               \
    X(export)                                                                                      \
    X(trainer_call)                                                                                \
    X(model)                                                                                       \
    X(webhook)                                                                                     \
    X(audit)                                                                                       \
    X(storage)                                                                                     \
    X(settings)                                                                                    \
    X(system)                                                                                      \
    X(openapi)                                                                                     \
    X(web)

#define X(name) extern const struct route name##_routes[];
RESOURCES(X)
#undef X

const struct route *const app_routes[] = {
#define X(name) name##_routes,
    RESOURCES(X)
#undef X
        NULL};
