/* policy_cond.h - the conditions of a bucket policy: OPERATOR {KEY: [VALUES]}.  Private to
 * policy.c.
 *
 * Source: "IAM JSON policy elements: Condition operators", AWS IAM user guide.  Operators: String*,
 * Numeric*, Date*, Bool, IpAddress, NotIpAddress, Null, each with IfExists (but Null). */
#ifndef ANNEAL_STORE_POLICY_COND_H
#define ANNEAL_STORE_POLICY_COND_H

#include "store/policy.h"

struct values {
    str *p;
    size_t n;
};
struct cond {
    unsigned op, key; /* rows of the tables */
    bool if_exists;
    struct values values; /* set by the caller, before cond_make */
};
/* Finds operator and key and checks the values.  RC_INVALID. */
enum rc cond_make(struct cond *c, str op, str key, struct err *e) must_check;
bool cond_holds(const struct cond *c, const struct access_request *q);

#endif
