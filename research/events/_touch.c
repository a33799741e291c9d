/* The first row of quotes that reaches a level; touch.py does the same in Python, and is the specification. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

enum { COLUMNS = 4, ARGUMENTS = 2 * COLUMNS + 2 }; /* bid_low, bid_high, ask_low, ask_high */

typedef struct {
    Py_buffer of[COLUMNS];
    Py_ssize_t count; /* of those that are taken */
} Columns;

static bool take(Columns *columns, PyObject *array, Py_ssize_t end) {
    Py_buffer *view = &columns->of[columns->count];
    if (PyObject_GetBuffer(array, view, PyBUF_STRIDES) < 0) return false;
    columns->count++;
    if (view->ndim == 1 && view->itemsize == sizeof(double) && view->shape[0] >= end) return true;
    PyErr_SetString(PyExc_ValueError, "expected columns of float64 with all the rows");
    return false;
}

static double item(const Py_buffer *column, Py_ssize_t row) {
    return *(const double *)((const char *)column->buf + row * column->strides[0]);
}

static Py_ssize_t first_row(const Py_buffer *of, const double *level, Py_ssize_t first, Py_ssize_t end) {
    for (Py_ssize_t row = first; row < end; row++)
        if (item(&of[0], row) <= level[0] || item(&of[1], row) >= level[1] || item(&of[2], row) <= level[2] ||
            item(&of[3], row) >= level[3])
            return row;
    return end;
}

static PyObject *first_touch(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count) {
    if (count != ARGUMENTS) {
        PyErr_Format(PyExc_TypeError, "expected %d arguments", ARGUMENTS);
        return NULL;
    }
    Py_ssize_t first = PyLong_AsSsize_t(args[0]), end = PyLong_AsSsize_t(args[1]);
    double level[COLUMNS];
    for (int i = 0; i < COLUMNS; i++) level[i] = PyFloat_AsDouble(args[2 + COLUMNS + i]);
    if (!PyErr_Occurred() && first < 0) PyErr_SetString(PyExc_ValueError, "rows begin at 0");
    if (PyErr_Occurred()) return NULL;
    Columns columns = {.count = 0};
    while (columns.count < COLUMNS && take(&columns, args[2 + columns.count], end)) continue;
    PyObject *found = PyErr_Occurred() ? NULL : PyLong_FromSsize_t(first_row(columns.of, level, first, end));
    while (columns.count) PyBuffer_Release(&columns.of[--columns.count]);
    return found;
}

static PyMethodDef methods[] = {
    {"first_touch", (PyCFunction)(void (*)(void))first_touch, METH_FASTCALL,
     "first_touch(first, end, bid_low, bid_high, ask_low, ask_high, *levels)\n--\n\n"
     "Return the first row whose quotes reach a level, the end when none does."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_touch", "Rows that reach a level. " SOURCES, 0, methods,
                                    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__touch(void) { return PyModuleDef_Init(&module); }
