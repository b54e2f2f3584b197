/* survey.h - the first pass over an archive, and the choice of its format by content. */
#ifndef ANNEAL_FLOW_DATASET_SURVEY_H
#define ANNEAL_FLOW_DATASET_SURVEY_H

#include "flow/dataset/pack.h"
#include "flow/dataset/harvest.h"

/* Called now and then; an error ends the pass. */
typedef enum rc (*survey_tick_fn)(void *ud, struct err *e);

/* Reads every entry to its end and fills files and dirs. */
enum rc survey_read(struct harvest *p, struct pack *in, survey_tick_fn tick, void *ud,
                    struct err *e) must_check;
/* Recognises the format and reads the annotations: format, task, classes, pictures.  RC_CORRUPT
 * with what was looked for, if there is nothing to be recognised. */
enum rc survey_recognise(struct harvest *p, struct err *e) must_check;

#endif
