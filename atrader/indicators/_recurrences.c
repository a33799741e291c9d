/* The recurrences of the indicators: what _smoothing.py and moving_averages.py do in Python, with the same operations in
   the same order, so that both give the same to the last bit (compiled without contraction of floating point).

   Arguments are float64 arrays, checked by the callers; the GIL is released. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

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

static PyObject *exponential(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *series, *out;
    Arrays a;
    Py_ssize_t period;
    double last, k;
    if (!PyArg_ParseTuple(args, "OnddO", &series, &period, &last, &k, &out) || !open_arrays(&a, series, out)) return NULL;
    bool is_fine = period > 0 && a.room == a.count - period + 1;
    if (is_fine) {
        Py_BEGIN_ALLOW_THREADS
        a.results[0] = last;
        for (Py_ssize_t i = period; i < a.count; i++) {
            last = (a.values[i] - last) * k + last;
            a.results[i - period + 1] = last;
        }
        Py_END_ALLOW_THREADS
    }
    return close_arrays(&a, is_fine);
}

static PyObject *wilder(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *series, *out;
    Arrays a;
    Py_ssize_t period;
    double last;
    if (!PyArg_ParseTuple(args, "OndO", &series, &period, &last, &out) || !open_arrays(&a, series, out)) return NULL;
    bool is_fine = period > 0 && a.room == a.count - period + 1;
    if (is_fine) {
        double kept = (double)(period - 1), whole = (double)period;
        Py_BEGIN_ALLOW_THREADS
        a.results[0] = last;
        for (Py_ssize_t i = period; i < a.count; i++) {
            last = (last * kept + a.values[i]) / whole;
            a.results[i - period + 1] = last;
        }
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
            double sum = 0.0;
            for (Py_ssize_t j = 0; j < size; j++) {
                sum += a.values[block + j];
                Py_ssize_t window = block + j - period + 1;
                if (window >= 0) a.results[window] = j + 1 < period ? sum + suffixes[j + 1] : sum;
            }
            if (size < period) break;
            sum = 0.0;
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

static PyMethodDef methods[] = {
    {"exponential", exponential, METH_VARARGS, "exponential(series, period, seed, k, out)"},
    {"wilder", wilder, METH_VARARGS, "wilder(series, period, seed, out)"},
    {"window_sums", window_sums, METH_VARARGS, "window_sums(series, period, out)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_recurrences", "Recurrences of the indicators. " SOURCES, 0, methods,
                                    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__recurrences(void) { return PyModuleDef_Init(&module); }
