/* The recurrences of the indicators: what _smoothing.py and moving_averages.py do in Python, with the same operations in
   the same order, so that both give the same to the last bit (compiled without contraction of floating point).

   Arguments are float64 arrays, checked by the callers; the GIL is released. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "atrader/headers/_steps.h"
#include "atrader/headers/_vectorised.h"

typedef struct {
    Py_buffer series, out;
    const double *values;
    double *results;
    Py_ssize_t count, room;
} Arrays;

static bool open_arrays(Arrays *a, PyObject *series, PyObject *out) {
    if (PyObject_GetBuffer(series, &a->series, PyBUF_C_CONTIGUOUS) < 0) return false;
    if (PyObject_GetBuffer(out, &a->out, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE) < 0) {
        PyBuffer_Release(&a->series);
        return false;
    }
    a->values = a->series.buf;
    a->results = a->out.buf;
    a->count = a->series.len / (Py_ssize_t)sizeof(double);
    a->room = a->out.len / (Py_ssize_t)sizeof(double);
    return true;
}

static PyObject *close_arrays(Arrays *a, bool is_fine) {
    PyBuffer_Release(&a->series);
    PyBuffer_Release(&a->out);
    if (is_fine) Py_RETURN_NONE;
    PyErr_SetString(PyExc_ValueError, "the arrays do not fit each other");
    return NULL;
}

typedef struct {
    double n, kept, k; /* the period, one less, and 2 / (n + 1) */
} Terms;

typedef double Step(double last, double x, const Terms *terms);

/* Fill `out` with a recurrence over what comes after the first `period` values, or the first `period - 1`. */
static inline PyObject *recurrence(PyObject *args, Step *step, bool begins_with_seed) {
    PyObject *series, *out;
    Arrays a;
    Py_ssize_t period;
    double last;
    if (!PyArg_ParseTuple(args, "OndO", &series, &period, &last, &out) || !open_arrays(&a, series, out)) return NULL;
    bool is_fine = period > 0 && a.room == a.count - period + 1 && a.room > 0;
    if (is_fine) {
        const Terms terms = {(double)period, (double)(period - 1), 2.0 / (double)(period + 1)};
        const double *values = a.values + period - 1;
        Py_BEGIN_ALLOW_THREADS
        if (begins_with_seed) a.results[0] = last;
        for (Py_ssize_t i = begins_with_seed; i < a.room; i++) a.results[i] = last = step(last, values[i], &terms);
        Py_END_ALLOW_THREADS
    }
    return close_arrays(&a, is_fine);
}

static inline double step_of_exponential(double last, double x, const Terms *terms) {
    return exponential_step(last, x, terms->k);
}

static inline double step_of_sum(double last, double x, const Terms *terms) { return decayed(last, terms->n) + x; }

static inline double step_of_known(double last, double x, const Terms *terms) {
    return x == x ? wilder_step(last, x, terms->kept, terms->n) : last;
}

static PyObject *exponential(PyObject *Py_UNUSED(self), PyObject *args) { return recurrence(args, step_of_exponential, true); }

static PyObject *wilder_sums(PyObject *Py_UNUSED(self), PyObject *args) { return recurrence(args, step_of_sum, false); }

static PyObject *wilder_known(PyObject *Py_UNUSED(self), PyObject *args) { return recurrence(args, step_of_known, true); }

typedef struct {
    const double *values;
    double kept, whole; /* (last * kept + value) / whole is the next average */
    double *out;
} Averages;

static inline double value_at(const Averages *a, int64_t at) { return a->values[at]; }

#include "atrader/headers/_wilder.h"

static PyObject *wilder(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *series, *out;
    Arrays a;
    Py_ssize_t period;
    double last;
    if (!PyArg_ParseTuple(args, "OndO", &series, &period, &last, &out) || !open_arrays(&a, series, out)) return NULL;
    bool is_fine = period > 0 && a.room == a.count - period + 1 && a.room > 0;
    if (is_fine) {
        Averages averages = {a.values + period - 1, (double)(period - 1), (double)period, a.results};
        Py_BEGIN_ALLOW_THREADS
        a.results[0] = last;
        average_all(&averages, last, 1, a.room);
        Py_END_ALLOW_THREADS
    }
    return close_arrays(&a, is_fine);
}

static PyObject *window_sums(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *series, *out;
    Arrays a;
    Py_ssize_t period;
    if (!PyArg_ParseTuple(args, "OnO", &series, &period, &out) || !open_arrays(&a, series, out)) return NULL;
    double *suffixes = period > 0 ? PyMem_Malloc((size_t)period * sizeof(double)) : NULL;
    bool is_fine = suffixes && a.room == a.count - period + 1;
    if (is_fine) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t block = 0; block < a.count; block += period) {
            Py_ssize_t size = a.count - block < period ? a.count - block : period;
            double sum = -0.0; /* changes nothing, not even the sign of a zero */
            for (Py_ssize_t j = 0; j < size; j++) {
                sum += a.values[block + j];
                Py_ssize_t window = block + j - period + 1;
                if (window >= 0) a.results[window] = j + 1 < period ? sum + suffixes[j + 1] : sum;
            }
            if (size < period) break;
            sum = -0.0;
            for (Py_ssize_t j = period - 1; j >= 0; j--) {
                sum += a.values[block + j];
                suffixes[j] = sum;
            }
        }
        Py_END_ALLOW_THREADS
    }
    PyMem_Free(suffixes);
    return close_arrays(&a, is_fine);
}

enum { STRETCH = 512, GROUP = 16 };

#define EXACT 4503599627370496.0 /* 2**52 */

/* Put what has the sign of the fast average less the slow one at rows into apart, if it can be told without a division:
   whole numbers below 2**52 are exact, and quotients that differ do so by more than they are rounded by. */
VECTORISED static bool apart_by_products(const double *totals, int64_t count, int64_t fast, int64_t slow, double *apart) {
    const double *quick = totals - fast, *calm = totals - slow;
    double quick_bars = (double)fast, calm_bars = (double)slow;
    int64_t large = 0;
    for (int64_t k = 0; k < count; k++) {
        double one = (totals[k] - quick[k]) * calm_bars, other = (totals[k] - calm[k]) * quick_bars;
        apart[k] = one - other;
        large |= (int64_t)(one >= EXACT) | (int64_t)(one <= -EXACT) | (int64_t)(other >= EXACT) | (int64_t)(other <= -EXACT);
    }
    return !large;
}

VECTORISED static void apart_by_quotients(const double *totals, int64_t count, int64_t fast, int64_t slow, double *apart) {
    const double *quick = totals - fast, *calm = totals - slow;
    double quick_bars = (double)fast, calm_bars = (double)slow;
    for (int64_t k = 0; k < count; k++)
        apart[k] = (totals[k] - quick[k]) / quick_bars - (totals[k] - calm[k]) / calm_bars;
}

/* Tell whether a whole group of rows is on one side. */
static inline bool is_all(const double *apart, double side) {
    int64_t any = 0;
    for (int k = 0; k < GROUP; k++) any |= (int64_t)!(apart[k] * side > 0.0);
    return !any;
}

typedef struct {
    int64_t *rows, count, room; /* what does not fit into the room is counted only */
    int8_t *sides;
} Crossings;

static inline void note(Crossings *found, int64_t row, int side) {
    if (found->count < found->room) {
        found->rows[found->count] = row;
        found->sides[found->count] = (int8_t)side;
    }
    found->count++;
}

/* Note where a group of rows gets to another side than the row before; return the side of the last. Without branches, as
   nobody foretells in which of them it does. */
static inline int cross_group(const double *apart, int size, int was, int64_t first, Crossings *found) {
    uint32_t above = 0, below = 0;
    for (int k = 0; k < size; k++) {
        above |= (uint32_t)(apart[k] > 0.0) << k;
        below |= (uint32_t)(apart[k] < 0.0) << k;
    }
    uint32_t up = above & ~(above << 1 | (was > 0)), down = below & ~(below << 1 | (was < 0));
    for (uint32_t at = up | down; at; at &= at - 1) {
        int place = __builtin_ctz(at);
        note(found, first + place, up >> place & 1 ? 1 : -1);
    }
    return (int)(above >> (size - 1) & 1) - (int)(below >> (size - 1) & 1);
}

/* Note where a stretch of rows gets to another side; return the side of the last. */
VECTORISED static int cross_stretch(const double *apart, int64_t size, int was, int64_t first, Crossings *found) {
    for (int64_t k = 0; k < size; k += GROUP) {
        int rows = size - k < GROUP ? (int)(size - k) : GROUP;
        if (rows < GROUP || !was || !is_all(apart + k, was)) was = cross_group(apart + k, rows, was, first + k, found);
    }
    return was;
}

/* Find where the fast average gets above the slow one, or below; totals: the sum before each row. */
static void find_crossings(const double *totals, int64_t count, int64_t fast, int64_t slow, Crossings *found) {
    double apart[STRETCH];
    int was = 0;
    for (int64_t first = slow - 1; first < count; first += STRETCH) {
        int64_t size = count - first < STRETCH ? count - first : STRETCH;
        const double *ends = totals + first + 1;
        if (!apart_by_products(ends, size, fast, slow, apart)) apart_by_quotients(ends, size, fast, slow, apart);
        int passed = first == slow - 1; /* the first row crosses nothing */
        if (passed) was = (apart[0] > 0.0) - (apart[0] < 0.0);
        was = cross_stretch(apart + passed, size - passed, was, first + passed, found);
    }
}

static PyObject *average_crossings(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *of[3];
    long long fast, slow;
    if (!PyArg_ParseTuple(args, "OLLOO", &of[0], &fast, &slow, &of[1], &of[2])) return NULL;
    Py_buffer views[3];
    const Py_ssize_t sizes[3] = {sizeof(double), sizeof(int64_t), sizeof(int8_t)};
    int taken = 0;
    while (taken < 3 && !PyObject_GetBuffer(of[taken], &views[taken], PyBUF_C_CONTIGUOUS | (taken ? PyBUF_WRITABLE : 0)))
        taken++;
    bool is_fine = taken == 3 && 0 < fast && fast <= slow;
    for (int i = 0; i < 3 && is_fine; i++) is_fine = views[i].itemsize == sizes[i];
    Crossings found = {0};
    if (is_fine) found = (Crossings){views[1].buf, 0, views[2].len, views[2].buf};
    is_fine = is_fine && views[1].len == found.room * (Py_ssize_t)sizeof(int64_t);
    if (is_fine) {
        Py_BEGIN_ALLOW_THREADS
        find_crossings(views[0].buf, views[0].len / sizes[0] - 1, fast, slow, &found);
        Py_END_ALLOW_THREADS
    }
    while (taken) PyBuffer_Release(&views[--taken]);
    if (PyErr_Occurred()) return NULL;
    if (is_fine) return PyLong_FromLongLong(found.count);
    PyErr_SetString(PyExc_ValueError, "the arrays do not fit each other");
    return NULL;
}

static PyMethodDef methods[] = {
    {"exponential", exponential, METH_VARARGS, "exponential(series, period, seed, out)"},
    {"wilder", wilder, METH_VARARGS, "wilder(series, period, seed, out)"},
    {"wilder_sums", wilder_sums, METH_VARARGS, "wilder_sums(series, period, seed, out): decaying sums"},
    {"wilder_known", wilder_known, METH_VARARGS, "wilder_known(series, period, seed, out): wilder, passing over NaN"},
    {"window_sums", window_sums, METH_VARARGS, "window_sums(series, period, out)"},
    {"average_crossings", average_crossings, METH_VARARGS,
     "average_crossings(totals, fast, slow, rows, sides): return how many there are"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_recurrences", "Recurrences of the indicators. " SOURCES, 0, methods,
                                    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__recurrences(void) { return PyModuleDef_Init(&module); }
