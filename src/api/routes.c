/* routes.c - the tables of all resources, in the order of the documentation. */
#include "api/app.h"

extern const struct route people_routes[], project_routes[], dataset_routes[], upload_routes[],
    image_routes[], job_routes[], job_new_routes[], job_result_routes[], job_live_routes[],
    job_predict_routes[], model_routes[], trainer_call_routes[], system_routes[], openapi_routes[],
    weights_routes[], web_routes[], job_control_routes[], job_course_routes[];

const struct route *const app_routes[] = {people_routes,
                                          project_routes,
                                          dataset_routes,
                                          upload_routes,
                                          image_routes,
                                          job_routes,
                                          job_new_routes,
                                          job_control_routes,
                                          job_result_routes,
                                          job_course_routes,
                                          job_live_routes,
                                          job_predict_routes,
                                          trainer_call_routes,
                                          model_routes,
                                          system_routes,
                                          openapi_routes,
                                          weights_routes,
                                          web_routes,
                                          NULL};
