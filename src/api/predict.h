/* predict.h - private to api/: asks the trainer what the pictures of this request show. */
#ifndef ANNEAL_API_PREDICT_H
#define ANNEAL_API_PREDICT_H

#include "api/route.h"
#include "spec/contract.h"

struct predict_ask {
    str framework; /* whose trainer; it keeps the model warm */
    str weights_key, weights_sha256;
    str file;           /* name of a picture that is the plain body; "": image */
    size_t images_max;  /* 0: PREDICT_IMAGES_MAX */
    uint64_t bytes_max; /* of the whole body; 0: 512 MiB */
    struct predict_options options;
    void (*head)(void *ud, struct jw *w); /* members of the reply that say what was asked */
    void *ud;
};
/* Streams the body's pictures to the trainer and replies with its answer: JSON, or a PNG where one
 * drawn picture is accepted as that. */
enum rc predict_pass(struct ctx *c, const struct predict_ask *p, struct err *e) must_check;

#endif
