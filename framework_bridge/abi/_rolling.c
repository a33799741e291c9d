/* Whether bars go on from those that the library was passed, and the last two of them written: what rolling.py does in
   numpy. Ten arrays are looked at in each call of the library, so they are compared where they are, without a copy. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { COLUMNS = 6, ARGUMENTS = 4 + COLUMNS };

typedef struct {
    Py_buffer views[2 + COLUMNS];
    int count;
} Views;

static void release(Views *views) {
    while (views->count) PyBuffer_Release(&views->views[--views->count]);
}

/* Return an array of 8-byte values, at least so many of each dimension; NULL with an error set when it is another. */
static const Py_buffer *opened(Views *views, PyObject *array, int flags, Py_ssize_t rows, Py_ssize_t columns) {
    Py_buffer *view = &views->views[views->count];
    if (PyObject_GetBuffer(array, view, flags) < 0) return NULL;
    views->count++;
    bool is_fine = view->itemsize == sizeof(int64_t) && view->ndim == (columns ? 2 : 1) && view->shape[0] >= rows;
    if (is_fine && (!columns || view->shape[1] >= columns)) return view;
    PyErr_SetString(PyExc_ValueError, "the arrays do not fit each other");
    return NULL;
}

typedef struct {
    const char *first; /* of the last `size` values */
    Py_ssize_t step;
} Column;

static inline int64_t value(Column column, Py_ssize_t at) {
    int64_t found;
    memcpy(&found, column.first + at * column.step, sizeof found);
    return found;
}

static bool is_same(Column column, const int64_t *passed, Py_ssize_t count) {
    if (column.step == sizeof(int64_t)) return !memcmp(column.first, passed, (size_t)count * sizeof(int64_t));
    int64_t differ = 0;
    for (Py_ssize_t i = 0; i < count; i++) differ |= value(column, i) ^ passed[i];
    return !differ;
}

/* Return by how many bars they moved on, 0 or 1, or -1 when they did otherwise: then nothing is written. */
static int roll(int64_t *rows, int64_t *passed, Py_ssize_t room, Py_ssize_t size, const Column *columns) {
    int moved = value(columns[0], size - 1) != passed[size - 1];
    for (int k = 0; k < COLUMNS; k++)
        if (!is_same(columns[k], passed + k * room + moved, size - 1 - (k ? moved : 0))) return -1;
    for (Py_ssize_t i = size - 2; i < size; i++)
        for (int k = 0; k < COLUMNS; k++) {
            passed[k * room + moved + i] = value(columns[k], i);
            if (k) rows[(moved + i) * COLUMNS + k - 1] = value(columns[k], i); /* the time is the last of a row */
        }
    return moved;
}

static PyObject *py_roll(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    (void)self;
    if (given != ARGUMENTS) return PyErr_Format(PyExc_TypeError, "roll takes %d arguments", ARGUMENTS);
    Py_ssize_t first = PyLong_AsSsize_t(args[2]), size = PyLong_AsSsize_t(args[3]);
    if (PyErr_Occurred()) return NULL;
    if (first < 0 || size < 2)
        return PyErr_Format(PyExc_ValueError, "expected 2 bars or more, was %zd from %zd", size, first);
    Views views = {.count = 0};
    const int memory = PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE;
    const Py_buffer *rows = opened(&views, args[0], memory, first + size + 1, COLUMNS);
    const Py_buffer *passed = rows ? opened(&views, args[1], memory, COLUMNS, first + size + 1) : NULL;
    Column columns[COLUMNS];
    int k = 0;
    for (const Py_buffer *one; passed && k < COLUMNS && (one = opened(&views, args[4 + k], PyBUF_STRIDES, size, 0)); k++)
        columns[k] = (Column){(char *)one->buf + (one->shape[0] - size) * one->strides[0], one->strides[0]};
    int moved = -1;
    if (k == COLUMNS) {
        int64_t *row = (int64_t *)rows->buf + first * COLUMNS, *value_passed = (int64_t *)passed->buf + first;
        moved = roll(row, value_passed, passed->shape[1], size, columns);
    }
    release(&views);
    if (k < COLUMNS) return NULL;
    if (moved < 0) Py_RETURN_NONE;
    return PyLong_FromLong(moved);
}

static PyMethodDef methods[] = {
    {"roll", (PyCFunction)(void (*)(void))py_roll, METH_FASTCALL,
     "roll(rows, passed, first, size, open_time_ns, open, high, low, close, volume)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_rolling", "Bars that go on. " SOURCES, 0, methods, NULL,
                                    NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__rolling(void) { return PyModuleDef_Init(&module); }
