/* pictures.c - pictures of which nobody has said yet what they show: an archive without labels of
 * any known layout becomes a version without classes, to be labelled (draft.h).
 *
 * Somebody may have meant labels that we do not know, so the report says what was looked for.
 */
#include "flow/dataset/harvest.h"

bool pictures_fit(const struct harvest *p)
{
    for (size_t i = 0; i < p->files.n; i++)
        if (p->files.p[i].is_image && !p->files.p[i].damaged)
            return true;
    return false;
}

enum rc pictures_read(struct harvest *p, struct err *e)
{
    size_t others = 0;

    (void)e;
    p->task = TASK_CLASSIFICATION;
    for (size_t i = 0; i < p->files.n; i++)
        others += !p->files.p[i].is_image;
    for (size_t i = 0; i < p->pictures.n; i++) {
        p->pictures.p[i].keep = true;
        p->pictures.p[i].unlabelled = true;
    }
    faults_add(
        &p->faults, FAULT_CODE_UNLABELLED, STR_NONE, 0, STR_NONE,
        "the pictures were kept, to be labelled",
        "no labels were found for %zu pictures (%zu other files).  Looked for: a folder for "
        "each of two or more classes, YOLO (images/1.jpg, labels/1.txt), COCO (.json), Pascal "
        "VOC (1.jpg, 1.xml), ICDAR (1.jpg, 1.txt)",
        p->pictures.n, others);
    return RC_OK;
}
