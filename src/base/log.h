/* log.h - one line a message on stderr: text for a terminal, JSON when told.  Thread-safe.
 * Library code logs at debug only; boundaries log errors once.  Never pass a secret. */
#ifndef ANNEAL_BASE_LOG_H
#define ANNEAL_BASE_LOG_H

#include "base/err.h"
#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
void log_setup(enum log_level min, bool json, const char *service);
void log_at(enum log_level level, const char *fmt, ...) printf_like(2, 3);
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)

#endif
