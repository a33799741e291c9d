/* Bars handed out one by one from their columns; rows.py does the same in Python, and is the specification.

   A strategy is called some millions of times, and making its bar used to cost more than the call. Here the tuple of a
   bar, and the numbers in it, are used again for the next one, if nobody kept them: a strategy that keeps a bar, or a
   price of it, has a reference, and gets a new one the next time. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <structmember.h>

#include "atrader/headers/_tuples.h"

#ifdef Py_GIL_DISABLED
#define IS_OURS(object) false /* another thread may just be taking a reference */
#else
#define IS_OURS(object) (Py_REFCNT(object) == 1)
#endif

#define MOST 64 /* columns of a row */

typedef struct {
    PyTypeObject *type;       /* tuple, or a subclass without attributes of its own */
    PyObject *row;            /* the one made last */
    Py_ssize_t width;
    bool begins_with_a_time;  /* int64; everything else is float64 */
    Py_buffer columns[MOST];
} Table;

typedef struct {
    PyObject_HEAD
    Table bars, values;
    Py_ssize_t row;   /* handed out last */
    Py_ssize_t count; /* of rows */
} Rows;

static bool take_column(Table *table, PyObject *array, Py_ssize_t *count) {
    Py_buffer *view = &table->columns[table->width];
    if (PyObject_GetBuffer(array, view, PyBUF_C_CONTIGUOUS) < 0) return false;
    table->width++;
    if (view->itemsize != 8 || (*count >= 0 && view->len != 8 * *count)) {
        PyErr_SetString(PyExc_ValueError, "expected columns of 8 bytes an item, all of one length");
        return false;
    }
    *count = view->len / 8;
    return true;
}

static bool take_columns(Table *table, PyObject *type, PyObject *arrays, Py_ssize_t *count) {
    if (!PyTuple_Check(arrays) || PyTuple_GET_SIZE(arrays) > MOST || !PyType_Check(type) ||
        !PyType_IsSubtype((PyTypeObject *)type, &PyTuple_Type) ||
        ((PyTypeObject *)type)->tp_basicsize != PyTuple_Type.tp_basicsize) {
        PyErr_Format(PyExc_TypeError, "expected a kind of tuple, and a tuple of at most %d columns", MOST);
        return false;
    }
    Py_INCREF(type);
    table->type = (PyTypeObject *)type;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(arrays); i++)
        if (!take_column(table, PyTuple_GET_ITEM(arrays, i), count)) return false;
    return true;
}

static void drop(Table *table) {
    Py_CLEAR(table->row);
    while (table->width) PyBuffer_Release(&table->columns[--table->width]);
    Py_CLEAR(table->type);
}

static PyObject *item_at(const Table *table, Py_ssize_t column, Py_ssize_t row) {
    if (!column && table->begins_with_a_time) return PyLong_FromLongLong(((const int64_t *)table->columns[0].buf)[row]);
    return PyFloat_FromDouble(((const double *)table->columns[column].buf)[row]);
}

/* Put the number of a row into the object that held another one, which nobody else has; false where that cannot be. */
static bool put_into(PyObject *object, const Table *table, Py_ssize_t column, Py_ssize_t row) {
    if (!IS_OURS(object)) return false;
    if (PyFloat_CheckExact(object)) {
        ((PyFloatObject *)object)->ob_fval = ((const double *)table->columns[column].buf)[row];
        return true;
    }
#if PY_VERSION_HEX < 0x030C0000 && PYLONG_BITS_IN_DIGIT == 30 /* how an int lies is Python's own */
    uint64_t time = ((const uint64_t *)table->columns[column].buf)[row];
    if (PyLong_CheckExact(object) && Py_SIZE(object) == 3 && time >> 60 && time <= INT64_MAX) {
        digit *digits = ((PyLongObject *)object)->ob_digit;
        digits[0] = (digit)(time & PyLong_MASK);
        digits[1] = (digit)(time >> PyLong_SHIFT & PyLong_MASK);
        digits[2] = (digit)(time >> 2 * PyLong_SHIFT);
        return true;
    }
#endif
    return false;
}

/* Return a new reference to a row: the tuple of the last one where nobody else has it. */
static PyObject *row_at(Table *table, Py_ssize_t row) {
    PyObject *made = table->row;
    bool is_old = made && IS_OURS(made);
    if (!is_old) {
        made = table->type->tp_alloc(table->type, table->width);
        if (!made) return NULL;
        Py_XSETREF(table->row, made);
    }
    for (Py_ssize_t i = 0; i < table->width; i++) {
        PyObject *before = PyTuple_GET_ITEM(made, i);
        if (is_old && before && put_into(before, table, i, row)) continue;
        PyObject *item = item_at(table, i, row);
        if (!item) { /* half a row: it is not used again */
            Py_CLEAR(table->row);
            return NULL;
        }
        PyTuple_SET_ITEM(made, i, item);
        Py_XDECREF(before);
    }
    FORGET_HASH(made);
    return Py_NewRef(made);
}

static bool hand_out(Rows *rows, PyObject *call) {
    PyObject *args[3] = {NULL, row_at(&rows->bars, rows->row), NULL};
    Py_ssize_t count = 1;
    if (args[1] && rows->values.width) args[++count] = row_at(&rows->values, rows->row);
    PyObject *answer = NULL;
    if (args[count]) answer = PyObject_Vectorcall(call, args + 1, count | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    Py_XDECREF(args[1]);
    Py_XDECREF(args[2]);
    Py_XDECREF(answer);
    return answer != NULL;
}

static PyObject *run(Rows *rows, PyObject *const *args, Py_ssize_t given) {
    if (given != 3 || !PyList_Check(args[2])) {
        PyErr_SetString(PyExc_TypeError, "expected what to call, how many rows, and a list");
        return NULL;
    }
    Py_ssize_t left = PyLong_AsSsize_t(args[1]);
    if (left == -1 && PyErr_Occurred()) return NULL;
    while (left-- > 0 && rows->row + 1 < rows->count) {
        rows->row++;
        if (!hand_out(rows, args[0])) return NULL;
        if (PyList_GET_SIZE(args[2])) break;
    }
    Py_RETURN_NONE;
}

static PyObject *skip(Rows *rows, PyObject *given) {
    Py_ssize_t count = PyLong_AsSsize_t(given), left = rows->count - 1 - rows->row;
    if (count == -1 && PyErr_Occurred()) return NULL;
    if (count > 0) rows->row += count < left ? count : left;
    Py_RETURN_NONE;
}

static PyObject *make(PyTypeObject *type, PyObject *args, PyObject *names) {
    PyObject *kind, *columns, *values;
    Py_ssize_t row, count = -1;
    if (names && PyDict_GET_SIZE(names)) {
        PyErr_SetString(PyExc_TypeError, "arguments have no names");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "OOOn", &kind, &columns, &values, &row)) return NULL;
    Rows *rows = (Rows *)type->tp_alloc(type, 0);
    if (!rows) return NULL;
    rows->bars.begins_with_a_time = true;
    if (!take_columns(&rows->bars, kind, columns, &count) ||
        !take_columns(&rows->values, (PyObject *)&PyTuple_Type, values, &count)) {
        Py_DECREF(rows);
        return NULL;
    }
    if (!rows->bars.width || row < -1 || row >= count) {
        Py_DECREF(rows);
        PyErr_SetString(PyExc_ValueError, "expected columns, and one of their rows, or -1");
        return NULL;
    }
    rows->row = row;
    rows->count = count;
    return (PyObject *)rows;
}

static void end(Rows *rows) {
    PyTypeObject *type = Py_TYPE(rows);
    drop(&rows->bars);
    drop(&rows->values);
    type->tp_free(rows);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"run", (PyCFunction)(void (*)(void))run, METH_FASTCALL,
     "run(call, count, stop)\n--\n\nCall with each of the next rows, until a list is not empty."},
    {"skip", (PyCFunction)(void (*)(void))skip, METH_O, "skip(count)\n--\n\nPass over some rows."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"row", T_PYSSIZET, offsetof(Rows, row), READONLY, "Number of the row handed out last."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, make}, {Py_tp_dealloc, end}, {Py_tp_methods, methods}, {Py_tp_members, members}, {0, NULL},
};

static PyType_Spec spec = {"research.events._rows.Rows", sizeof(Rows), 0, Py_TPFLAGS_DEFAULT, slots};

static int fill(PyObject *module) {
    PyObject *type = PyType_FromSpec(&spec);
    int failed = !type || PyModule_AddObjectRef(module, "Rows", type) < 0;
    Py_XDECREF(type);
    return failed ? -1 : 0;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, fill}, {0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_rows", "Bars handed out one by one. " SOURCES, 0, NULL,
                                    module_slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__rows(void) { return PyModuleDef_Init(&module); }
