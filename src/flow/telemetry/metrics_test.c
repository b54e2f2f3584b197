/* metrics_test.c */
#include "flow/telemetry/metrics.c"

#include "base/test.h"

TEST(text_holds_every_family_and_cumulative_buckets)
{
    struct metrics *m = NULL;
    struct buf b;

    CHECK(metrics_new(&m, NULL) == RC_OK);
    buf_init(&b, 1 << 20);
    metrics_add(m, METRIC_TRAINING_JOBS_TOTAL, "framework=\"anneal\",status=\"failed\"", 2);
    metrics_observe(m, METRIC_CALLBACK_LAG, "", 0.3);
    metrics_observe(m, METRIC_CALLBACK_LAG, "", 3);
    metrics_write(m, &b);
    str s = buf_view(&b);
    CHECK(str_find(s, STR("training_jobs_total{framework=\"anneal\",status=\"failed\"} 2\n")) >= 0);
    CHECK(str_find(s, STR("active_training_jobs 0\n")) >= 0);
    CHECK(str_find(s, STR("callback_lag_seconds_bucket{le=\"0.1\"} 0\n")) >= 0);
    CHECK(str_find(s, STR("callback_lag_seconds_bucket{le=\"0.5\"} 1\n")) >= 0);
    CHECK(str_find(s, STR("callback_lag_seconds_bucket{le=\"+Inf\"} 2\n")) >= 0);
    CHECK(str_find(s, STR("# TYPE http_request_duration_seconds histogram\n")) >= 0);
    buf_done(&b);
    metrics_free(m);
}

TEST(series_are_bounded)
{
    struct metrics *m = NULL;

    CHECK(metrics_new(&m, NULL) == RC_OK);
    for (int i = 0; i < METRICS_SERIES_MAX + 50; i++) {
        char labels[32];
        snprintf(labels, sizeof labels, "n=\"%d\"", i);
        metrics_add(m, METRIC_HTTP_REQUESTS, labels, 1);
    }
    CHECK(map_count(&m->series[METRIC_HTTP_REQUESTS]) == METRICS_SERIES_MAX + 1);
    CHECK_EQ(metrics_value(m, METRIC_HTTP_REQUESTS, "series=\"overflow\""), 50);
    metrics_free(m);
}
