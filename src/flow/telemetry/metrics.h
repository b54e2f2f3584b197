/* metrics.h - counters, gauges and histograms in Prometheus text format 0.0.4.
 *
 * Families are rows of one table (name, kind, help), so a name that is not declared does not
 * compile. Labels are text of the form  framework="anneal",status="failed"  made by the caller from
 * values that it controls (bounded: METRICS_SERIES_MAX a family; past it the series "overflow"
 * counts). Thread-safe.
 */
#ifndef ANNEAL_FLOW_TELEMETRY_METRICS_H
#define ANNEAL_FLOW_TELEMETRY_METRICS_H

#include "base/buf.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
#define METRIC_TABLE(X)                                                                            \
    X(TRAINING_JOBS_TOTAL, COUNTER, "training_jobs_total",                                         \
      "Jobs that ended, by framework and status.")                                                 \
    X(TRAINING_DURATION, HISTOGRAM, "training_duration_seconds",                                   \
      "Time from first start to end of a job.")                                                    \
    X(ACTIVE_TRAINING_JOBS, GAUGE, "active_training_jobs", "Jobs that run now.")                   \
    X(QUEUED_TRAINING_JOBS, GAUGE, "queued_training_jobs", "Jobs that wait in the queue.")         \
    X(CALLBACKS_APPLIED, COUNTER, "callbacks_applied_total",                                       \
      "Trainer reports that changed a job.")                                                       \
    X(CALLBACKS_REFUSED, COUNTER, "callbacks_refused_total",                                       \
      "Trainer reports refused, by reason.")                                                       \
    X(CALLBACK_LAG, HISTOGRAM, "callback_lag_seconds", "Trainer event to stored state.")           \
    X(HTTP_REQUESTS, COUNTER, "http_requests_total", "Requests by method, route and status.")      \
    X(HTTP_DURATION, HISTOGRAM, "http_request_duration_seconds", "Time to answer, by route.")      \
    X(DATASET_IMPORTS, COUNTER, "dataset_imports_total", "Dataset imports by result.")             \
    X(LIVE_SUBSCRIBERS, GAUGE, "live_subscribers", "Open WebSocket and event streams.")            \
    X(RESIDENT_BYTES, GAUGE, "process_resident_memory_bytes", "Resident memory of serve.")         \
    X(TRAINER_UP, GAUGE, "trainer_up", "1 if the trainer answers, by framework.")

enum metric_id {
#define X(id, kind, name, help) METRIC_##id,
    METRIC_TABLE(X)
#undef X
        METRIC_COUNT
};
enum { METRICS_SERIES_MAX = 1000 };

struct metrics;
enum rc metrics_new(struct metrics **ret, struct err *e) must_check;
void metrics_free(struct metrics *m);
/* labels "" for none.  Never fails: without memory the sample is dropped. */
void metrics_add(struct metrics *m, enum metric_id id, const char *labels, double by);
void metrics_set(struct metrics *m, enum metric_id id, const char *labels, double value);
void metrics_observe(struct metrics *m, enum metric_id id, const char *labels, double seconds);
double metrics_value(struct metrics *m, enum metric_id id, const char *labels); /* tests, /health */
void metrics_write(struct metrics *m, struct buf *out);

#endif
