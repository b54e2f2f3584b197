/* cols.h - a cursor over the columns of a row, so that a column more is one line in the list of a
 * SELECT and one where the row is read.
 *
 *     struct cols c = {rows, arena, 0, false};
 *     x.id = col_text(&c);
 *     x.at = col_int(&c);
 *     if (c.no_memory) ...                 // asked once, at the end of the row
 */
#ifndef ANNEAL_DB_COLS_H
#define ANNEAL_DB_COLS_H

#include "db/db.h"
#include <math.h>

struct cols {
    struct rows *r;
    struct arena *a; /* texts are copied into it */
    int at;
    bool no_memory;
};
static inline str col_text(struct cols *c)
{
    str s = rows_copy(c->r, c->a, c->at++);
    c->no_memory |= !s.p;
    return s;
}
static inline int64_t col_int(struct cols *c)
{
    return rows_int(c->r, c->at++);
}
/* NaN for NULL. */
static inline double col_num(struct cols *c)
{
    const int at = c->at++;
    return rows_is_null(c->r, at) ? NAN : rows_num(c->r, at);
}

#endif
