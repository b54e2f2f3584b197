/* form_policy.h - the policy of an upload by a browser's form: what the form may say.  Private to
 * store/.  Pure.
 *
 * Source: "POST policy", Amazon S3 API reference (Browser-based uploads using POST). */
#ifndef ANNEAL_STORE_FORM_POLICY_H
#define ANNEAL_STORE_FORM_POLICY_H

#include "base/arena.h"
#include "s3/sigv4.h"
#include <stdint.h>

enum { FORM_POLICY_BYTES_MAX = 20 << 10, FORM_CONDITIONS_MAX = 256 };

/* {"expiration": "2026-01-31T12:00:00.000Z", "conditions": [{"bucket": "b"},
 *  ["eq" | "starts-with", "$key", "v"], ["content-length-range", 1, 100]]}
 * fields: as the form has them (names in lower case); each has to be named by a condition, but
 * those of the signature and x-ignore-*.  *ret_min, *ret_max: the range of the file's bytes.
 * RC_INVALID: the policy is broken; RC_FORBIDDEN: it has expired, or does not allow this form. */
enum rc form_policy_check(struct arena *a, str json, const struct sigv4_pair *fields, size_t n,
                          int64_t now_ms, uint64_t *ret_min, uint64_t *ret_max,
                          struct err *e) must_check;

#endif
