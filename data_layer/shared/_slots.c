/* The last price of an instrument in one step; what price_reader.py does in Python, the same values. Whatever is not as
   it nearly always is (no table, a silent owner, a new instrument, a slot that is being written) is left to Python. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "atrader/headers/_tuples.h"

enum { NUMBER, TIME, RECEIVED, BID, ASK, NUMBER_AGAIN, SLOT_WORDS };  // words of a slot; layout.py says in which order

/* Take the values of a slot between its two numbers; false when somebody wrote meanwhile. The writer sets the last number,
   then the values, then the first: they are read the other way round, and neither compiler nor processor may turn that. */
static bool take_slot(const int64_t *slot, int64_t *values) {
    values[NUMBER] = __atomic_load_n(&slot[NUMBER], __ATOMIC_ACQUIRE);
    for (int i = TIME; i <= ASK; i++) values[i] = __atomic_load_n(&slot[i], __ATOMIC_ACQUIRE);
    values[NUMBER_AGAIN] = __atomic_load_n(&slot[NUMBER_AGAIN], __ATOMIC_ACQUIRE);
    return values[NUMBER] && values[NUMBER] == values[NUMBER_AGAIN];
}

static PyObject *real(int64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return PyFloat_FromDouble(value);
}

static PyObject *price_of(PyTypeObject *type, PyObject *instrument, const int64_t *values, int64_t now_ns) {
    int64_t since_ns = values[TIME] < values[RECEIVED] ? values[TIME] : values[RECEIVED];
    double age_s = (double)(now_ns - since_ns) / 1e9;
    PyObject *price = type->tp_alloc(type, 6);
    if (!price) return NULL;
    FORGET_HASH(price);
    PyObject *parts[6] = {Py_NewRef(instrument), PyLong_FromLongLong(values[TIME]), PyLong_FromLongLong(values[RECEIVED]),
                          real(values[BID]),     real(values[ASK]),                 PyFloat_FromDouble(age_s > 0 ? age_s : 0)};
    bool is_whole = true;
    for (int i = 0; i < 6; i++) {
        PyTuple_SET_ITEM(price, i, parts[i]);
        is_whole = is_whole && parts[i];
    }
    if (!is_whole) Py_CLEAR(price);
    return price;
}

static PyObject *last_price(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    if (count != 6 || !PyDict_Check(args[1]) || !PyType_Check(args[3])) {
        PyErr_SetString(PyExc_TypeError, "expected a table, offsets, an instrument, a type, a word and a time");
        return NULL;
    }
    PyObject *found = args[0] == Py_None ? NULL : PyDict_GetItemWithError(args[1], args[2]);
    if (!found) {
        if (PyErr_Occurred()) return NULL;
        Py_RETURN_NONE;
    }
    int64_t offset = PyLong_AsLongLong(found), alive = 8 * PyLong_AsLongLong(args[4]), silence_ns = PyLong_AsLongLong(args[5]);
    Py_buffer table;
    if (PyErr_Occurred() || PyObject_GetBuffer(args[0], &table, PyBUF_SIMPLE) < 0) return NULL;
    int64_t values[SLOT_WORDS];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_ns = now.tv_sec * 1000000000LL + now.tv_nsec;
    bool is_taken = false;
    if (offset >= 0 && offset % 8 == 0 && offset + 8 * SLOT_WORDS <= table.len && alive >= 0 && alive + 8 <= table.len) {
        const char *bytes = table.buf;
        int64_t silent_ns = now_ns - __atomic_load_n((const int64_t *)(bytes + alive), __ATOMIC_ACQUIRE);
        is_taken = -silence_ns < silent_ns && silent_ns < silence_ns && take_slot((const int64_t *)(bytes + offset), values);
    }
    PyBuffer_Release(&table);
    if (!is_taken) Py_RETURN_NONE;
    return price_of((PyTypeObject *)args[3], args[2], values, now_ns);
}

static PyMethodDef methods[] = {
    {"last_price", (PyCFunction)(void (*)(void))last_price, METH_FASTCALL,
     "last_price(table, offsets, instrument, price_type, alive_word, silence_ns)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_slots", "Slots of shared memory. " SOURCES, 0, methods,
                                    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__slots(void) { return PyModuleDef_Init(&module); }
