/* vec.h - a typed growing array, in macros.
 *
 *     struct ints VEC_OF(int);  ->  struct { int *p; size_t n, cap; }
 *     VEC(int) v = {0};  if (!VEC_PUSH(&v, 7)) return nomem;  v.p[0];  VEC_DONE(&v);
 */
#ifndef ANNEAL_BASE_VEC_H
#define ANNEAL_BASE_VEC_H

#include "base/mem.h"
#include <stdbool.h>
#include <stdint.h>

#define VEC(type)                                                                                  \
    struct {                                                                                       \
        type *p;                                                                                   \
        size_t n, cap;                                                                             \
    }

/* Makes room for one more; false when memory is out (the vector is unchanged). */
bool vec_reserve_(void **p, size_t n, size_t *cap, size_t size);

#define VEC_ROOM(v)      vec_reserve_((void **)&(v)->p, (v)->n, &(v)->cap, sizeof *(v)->p)
#define VEC_PUSH(v, ...) (VEC_ROOM(v) ? ((v)->p[(v)->n++] = (__VA_ARGS__), true) : false)
#define VEC_DONE(v)      (mem_free((v)->p), (v)->p = NULL, (v)->n = 0, (v)->cap = 0)

#endif
