/* letters.h - what the trainer asks of the backend, by either way.
 *
 * Reports and requests for URLs are POSTed to the backend.  Where it cannot be reached from here (a
 * firewall, a wrong public_url), the request becomes a letter: it lies here until the backend,
 * which polls the attempt anyway, fetches it (GET /letters/{job}), does what it asks as if it had
 * been posted, and brings the answer (POST /letters/{job}).  So either direction alone is enough
 * for an attempt to complete.
 *
 * Any thread.  At most LETTERS_MAX wait at a time; each is waited for LETTER_WAIT_MS at most, and
 * who posted it decides whether to post it again: a letter is done at most once more than it was
 * answered, which the backend's numbering of reports allows for.
 */
#ifndef ANNEAL_FLOW_TRAINER_LETTERS_H
#define ANNEAL_FLOW_TRAINER_LETTERS_H

#include "net/client.h"
#include "spec/contract.h"

enum {
    LETTERS_MAX = 64,
    LETTER_WAIT_MS = 30000,
    LETTER_DIRECT_MS = 30000, /* after a failure: for so long the direct way is not tried first */
};

struct letters;
/* wait_ms 0: LETTER_WAIT_MS. */
enum rc letters_new(struct letters **ret, int64_t wait_ms, struct err *e) must_check;
void letters_free(struct letters *l); /* nobody waits any more; NULL is fine */

/* client_do, or by letter where there is no connection and the URL is
 * .../training/jobs/{job}/{route} (the path the backend gives in its orders).  c->reply is set,
 * c->headers[0] is the Authorization. Errors are client_do's.  l NULL: client_do. */
enum rc letters_post(struct letters *l, const struct client_call *c, struct client_reply *ret,
                     struct err *e) must_check;

int64_t letters_waiting(struct letters *l, str job);
/* Those of the job that wait, text in `a`; at most LETTERS_BYTES_MAX of bodies at a time, so some
 * may be left for the next look. */
enum rc letters_fetch(struct letters *l, str job, struct arena *a, struct letter **ret,
                      size_t *ret_n, struct err *e) must_check;
/* RC_NOT_FOUND: nobody waits for it any more. */
enum rc letters_answer(struct letters *l, str job, const struct letter_answer *answer,
                       struct err *e) must_check;

#endif
