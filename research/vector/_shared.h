/* What the compiled parts of the vector engine share: the records of outcome.py, and the memory of arrays. */

#ifndef ATRADER_VECTOR_SHARED_H
#define ATRADER_VECTOR_SHARED_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "atrader/headers/_vectorised.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define MAY_HAVE_AVX2 /* for loops that are written for it */
static inline bool has_avx2(void) { return __builtin_cpu_supports("avx2"); }
#else
static inline bool has_avx2(void) { return false; }
#endif

typedef struct { /* outcome.FILLS */
    int32_t trade, bar, price;
    int8_t phase, reason;
    int16_t unused;
    int64_t steps, profit, commission, balance;
} Fill;

typedef struct { /* outcome.TRADES */
    int32_t decision, entry_bar, exit_bar, entry_price, stop, target;
    int8_t side, entry_phase, exit_phase, reason;
    int32_t unused;
    int64_t steps, left, closed_value, profit, commission, swap;
} TradeRow;

typedef struct {
    Py_buffer views[32];
    int count;
} Views;

static inline void release(Views *views) {
    while (views->count) PyBuffer_Release(&views->views[--views->count]);
}

/* Return the memory of an array of so many items of a size; count < 0: of as many as there are, which is told. */
static inline void *memory(Views *views, PyObject *array, Py_ssize_t size, int64_t *count, int flags) {
    Py_buffer *view = &views->views[views->count];
    if (PyObject_GetBuffer(array, view, flags | PyBUF_C_CONTIGUOUS) < 0) return NULL;
    views->count++;
    if (view->itemsize != size || (*count >= 0 && view->len != size * *count)) {
        PyErr_Format(PyExc_ValueError, "expected %lld items of %zd bytes, was %zd bytes of %zd", (long long)*count, size,
                     view->len, view->itemsize);
        return NULL;
    }
    *count = view->len / size;
    return view->buf;
}

#endif
