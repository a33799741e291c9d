/* Models filled without checks; atrader/fast_models.py does the same in Python, and is the specification.

   An order makes and copies a dozen of them. Here the values of a call go into the new model as they lie, without a
   dictionary, a set and four calls in between; what follows from the names alone is kept for the next call with them. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

#define MOST_FORMS 512 /* sets of names that are kept: calls with names are written down, and few */

static PyObject *given_name, *extra_name, *private_name;
static PyObject *last_united; /* by the names of a call: the set they were joined with last, and what came of it */

/* Whether no field refers to anything that could refer back: texts, numbers, and models of such fields. */
static bool are_plain(PyObject *fields) {
    PyObject *name, *value;
    for (Py_ssize_t at = 0; PyDict_Next(fields, &at, &name, &value);)
        if (PyObject_IS_GC(value) && !PyUnicode_Check(value) && (PyObject_GC_IsTracked(value) || PyDict_Check(value)))
            return false;
    return true;
}

/* Return a new model with these fields; takes both over. What can be in no cycle is not looked at for garbage: a long
   backtest keeps some hundred thousand of them. */
static PyObject *filled(PyTypeObject *kind, PyObject *fields, PyObject *given) {
    PyObject *model = fields && given ? kind->tp_alloc(kind, 0) : NULL;
    if (model && (PyObject_GenericSetDict(model, fields, NULL) < 0 ||
                  PyObject_GenericSetAttr(model, given_name, given) < 0 ||
                  PyObject_GenericSetAttr(model, extra_name, Py_None) < 0 ||
                  PyObject_GenericSetAttr(model, private_name, Py_None) < 0))
        Py_CLEAR(model);
    if (model && are_plain(fields)) {
        PyObject_GC_UnTrack(fields);
        PyObject_GC_UnTrack(model);
    }
    Py_XDECREF(fields);
    Py_XDECREF(given);
    return model;
}

/* Put the named values of a call into a new dictionary; give that up if one cannot be. */
static PyObject *updated(PyObject *fields, PyObject *const *values, PyObject *names) {
    for (Py_ssize_t i = 0; fields && names && i < PyTuple_GET_SIZE(names); i++)
        if (PyDict_SetItem(fields, PyTuple_GET_ITEM(names, i), values[i]) < 0) Py_CLEAR(fields);
    return fields;
}

/* Return a borrowed reference to what is kept under a key, made by a call the first time. */
static PyObject *kept(PyObject *known, PyObject *key, PyObject *(*make)(PyObject *, PyObject *), PyObject *with) {
    PyObject *found = PyDict_GetItemWithError(known, key);
    if (found || PyErr_Occurred()) return found;
    PyObject *made = make(with, key);
    if (!made) return NULL;
    if (PyDict_GET_SIZE(known) >= MOST_FORMS) PyDict_Clear(known);
    found = PyDict_SetItem(known, key, made) < 0 ? NULL : made;
    Py_DECREF(made);
    return found;
}

/* What is kept of a kind: the fields of a model to which nothing was given, and sets of names by the names of a call. */
static PyObject *form_of(PyObject *defaults_of, PyObject *kind) {
    PyObject *defaults = PyObject_CallOneArg(defaults_of, kind);
    return defaults ? Py_BuildValue("NN", defaults, PyDict_New()) : NULL;
}

static PyObject *set_of(PyObject *Py_UNUSED(with), PyObject *names) { return PySet_New(names); }

static PyObject *made(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names) {
    if (count != 1 || !PyType_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "expected a kind of model, and values by name");
        return NULL;
    }
    PyObject *form = kept(PyTuple_GET_ITEM(self, 1), args[0], form_of, PyTuple_GET_ITEM(self, 0));
    if (!form) return NULL;
    PyObject *given = names ? kept(PyTuple_GET_ITEM(form, 1), names, set_of, NULL) : NULL;
    if (names && !given) return NULL;
    given = names ? Py_NewRef(given) : PySet_New(NULL);
    PyObject *fields = updated(PyDict_Copy(PyTuple_GET_ITEM(form, 0)), args + 1, names);
    return filled((PyTypeObject *)args[0], fields, given);
}

/* The same from a dictionary, and a set of its names. */
static PyObject *made_from(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    if (count != 3 || !PyType_Check(args[0]) || !PyDict_Check(args[1]) || !PySet_Check(args[2])) {
        PyErr_SetString(PyExc_TypeError, "expected a kind of model, values by name, and a set of their names");
        return NULL;
    }
    PyObject *form = kept(PyTuple_GET_ITEM(self, 1), args[0], form_of, PyTuple_GET_ITEM(self, 0));
    PyObject *fields = form ? PyDict_Copy(PyTuple_GET_ITEM(form, 0)) : NULL;
    if (fields && PyDict_Update(fields, args[1]) < 0) Py_CLEAR(fields);
    return fields ? filled((PyTypeObject *)args[0], fields, Py_NewRef(args[2])) : NULL;
}

/* Return a new set of all names of a set and of a call; of the same two as the last time the same one. */
static PyObject *united(PyObject *given, PyObject *names) {
    PyObject *last = PyDict_GetItemWithError(last_united, names);
    if (last && PyTuple_GET_ITEM(last, 0) == given) return Py_NewRef(PyTuple_GET_ITEM(last, 1));
    PyObject *all = PyErr_Occurred() ? NULL : PySet_New(given);
    for (Py_ssize_t i = 0; all && i < PyTuple_GET_SIZE(names); i++)
        if (PySet_Add(all, PyTuple_GET_ITEM(names, i)) < 0) Py_CLEAR(all);
    PyObject *both = all ? PyTuple_Pack(2, given, all) : NULL;
    if (both && PyDict_GET_SIZE(last_united) >= MOST_FORMS) PyDict_Clear(last_united);
    if (!both || PyDict_SetItem(last_united, names, both) < 0) Py_CLEAR(all);
    Py_XDECREF(both);
    return all;
}

/* Return a set of all names of a set and of a call: the set itself where it holds them. */
static PyObject *joined(PyObject *given, PyObject *names) {
    for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names); i++) {
        int known = PySet_Contains(given, PyTuple_GET_ITEM(names, i));
        if (known != 1) return known ? NULL : united(given, names);
    }
    return Py_NewRef(given);
}

static PyObject *changed(PyObject *Py_UNUSED(self), PyObject *const *args, Py_ssize_t count, PyObject *names) {
    if (count != 1) {
        PyErr_SetString(PyExc_TypeError, "expected a model, and values by name");
        return NULL;
    }
    PyObject *before = PyObject_GenericGetDict(args[0], NULL);
    PyObject *given = before ? PyObject_GenericGetAttr(args[0], given_name) : NULL;
    if (given && !PySet_Check(given)) {
        PyErr_Format(PyExc_TypeError, "expected a model, was %.100s", Py_TYPE(args[0])->tp_name);
        Py_CLEAR(given);
    }
    PyObject *fields = given ? updated(PyDict_Copy(before), args + 1, names) : NULL;
    PyObject *after = given ? filled(Py_TYPE(args[0]), fields, joined(given, names)) : NULL;
    Py_XDECREF(before);
    Py_XDECREF(given);
    return after;
}

static PyMethodDef made_method = {"made", (PyCFunction)(void (*)(void))made, METH_FASTCALL | METH_KEYWORDS,
                                  "Build a model; fields that are not given have their defaults."};

static PyMethodDef made_from_method = {"made_from", (PyCFunction)(void (*)(void))made_from, METH_FASTCALL,
                                       "Build a model from a dictionary, and a set of its names."};

static PyObject *bound(PyMethodDef *method, PyObject *defaults_of) {
    PyObject *self = Py_BuildValue("ON", defaults_of, PyDict_New());
    PyObject *function = self ? PyCFunction_NewEx(method, self, NULL) : NULL;
    Py_XDECREF(self);
    return function;
}

static PyObject *maker(PyObject *Py_UNUSED(module), PyObject *defaults_of) { return bound(&made_method, defaults_of); }

static PyObject *maker_from(PyObject *Py_UNUSED(module), PyObject *defaults_of) {
    return bound(&made_from_method, defaults_of);
}

/* Whoever changed nothing about how attributes are read pays for pydantic's `__getattr__` at each one that is there. */
static PyObject *read_plainly(PyObject *Py_UNUSED(module), PyObject *kind) {
    if (!PyType_Check(kind) || !PyType_HasFeature((PyTypeObject *)kind, Py_TPFLAGS_HEAPTYPE)) {
        PyErr_SetString(PyExc_TypeError, "expected a kind of model");
        return NULL;
    }
    ((PyTypeObject *)kind)->tp_getattro = PyObject_GenericGetAttr;
    PyType_Modified((PyTypeObject *)kind);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"changed", (PyCFunction)(void (*)(void))changed, METH_FASTCALL | METH_KEYWORDS,
     "Return a copy of a model with other values in some fields."},
    {"maker", maker, METH_O, "maker(defaults_of)\n--\n\nReturn `made`; asks once for the fields of a kind."},
    {"maker_from", maker_from, METH_O, "maker_from(defaults_of)\n--\n\nReturn `made_from`, likewise."},
    {"read_plainly", read_plainly, METH_O, "read_plainly(kind)\n--\n\nRead attributes as of any other class."},
    {NULL, NULL, 0, NULL},
};

static int fill(PyObject *Py_UNUSED(module)) {
    given_name = PyUnicode_InternFromString("__pydantic_fields_set__");
    extra_name = PyUnicode_InternFromString("__pydantic_extra__");
    private_name = PyUnicode_InternFromString("__pydantic_private__");
    last_united = PyDict_New();
    return given_name && extra_name && private_name && last_united ? 0 : -1;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, fill}, {0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_models", "Models filled without checks. " SOURCES, 0,
                                    methods, module_slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__models(void) { return PyModuleDef_Init(&module); }
