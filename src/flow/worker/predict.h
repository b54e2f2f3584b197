/* predict.h - warm models behind a pipe (`anneal worker --predict`): pictures in, answers out.
 *
 * A frame on the input is one line of JSON and then the bytes of the pictures, one behind the
 * other:
 *
 *   {"weights":"/path","sha256":"..","top_k":5,..,"images":[{"name":"a.jpg","bytes":812},..]}
 *
 * with the members of struct predict_options (spec/contract.h).
 *
 * Each is answered by one line, struct predict_reply (spec/contract.h), in the order of the
 * pictures.  A picture that cannot be read has an `error` that says why, and no predictions; the
 * others are not affected.  Weights that cannot be loaded are the error of every picture of the
 * frame.
 *
 * The last PREDICT_MODELS_MAX models stay loaded, by their SHA-256; the least recently used goes
 * first.  Memory: those, one batch, and one picture at a time.
 */
#ifndef ANNEAL_FLOW_WORKER_PREDICT_H
#define ANNEAL_FLOW_WORKER_PREDICT_H

#include "base/err.h"

enum { PREDICT_MODELS_MAX = 4, PREDICT_LINE_BYTES_MAX = 1 << 20 };

/* Serves until the input ends (RC_OK).  RC_INVALID or RC_TOO_LARGE: a frame that breaks the rules
 * above, after which nothing on the pipe can be trusted. */
enum rc predict_serve(int in_fd, int out_fd, struct err *e) must_check;

#endif
