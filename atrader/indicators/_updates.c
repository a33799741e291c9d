/* `update` of the incremental indicators as it goes nearly always; the methods in Python are the specification.

   The state of an indicator stays in the slots of its class, where Python reads and writes it too, so a bar may be taken by
   either. Whatever is not plain is left to Python, before anything was changed: values that are no finite floats, names of
   arguments, a warm-up, an average that overflows, a state of other types. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <structmember.h>

#include "atrader/headers/_steps.h"

/* The classes: their slots by name, as they lie in an instance. */
typedef struct { PyObject_HEAD PyObject *kept, *last, *period, *seed; } Wilder;
typedef struct { PyObject_HEAD PyObject *block, *prefix, *suffixes, *period; } Window; /* Sma, Highest and Lowest */
typedef struct { PyObject_HEAD PyObject *k, *last, *seed, *period; } Ema;
typedef struct { PyObject_HEAD PyObject *gain, *last, *loss, *period; } Rsi;
typedef struct { PyObject_HEAD PyObject *average, *close, *period; } Atr;
typedef struct { PyObject_HEAD PyObject *average, *window, *deviations, *period; } Bollinger;
typedef struct { PyObject_HEAD PyObject *fast, *held_back, *signal, *slow; } Macd;
typedef struct { PyObject_HEAD PyObject *adx, *bars, *close, *high, *low, *minus, *plus, *seed, *span, *period; } Adx;

enum { WILDER, SMA, HIGHEST, LOWEST, EMA, RSI, ATR, BOLLINGER, MACD, ADX, KINDS };

typedef struct {
    const char *name, *slots[11]; /* in the order of the structure */
    PyMethodDef method;
    PyTypeObject *type;
    PyObject *plain, *text; /* the method in Python, and what users are told about ours */
} Kind;

static Kind kinds[KINDS];

static inline bool is_a(PyObject *object, int kind) { return object && Py_TYPE(object) == kinds[kind].type; }

/* Read a float, as slots and arguments nearly always are. */
static inline bool as_float(PyObject *object, double *number) {
    if (!object || !PyFloat_CheckExact(object)) return false;
    *number = PyFloat_AS_DOUBLE(object);
    return true;
}

/* Read the values of an update: so many finite floats without names. */
static inline bool read_all(PyObject *const *args, Py_ssize_t given, PyObject *names, Py_ssize_t count, double *numbers) {
    if (given != count || names) return false;
    for (Py_ssize_t i = 0; i < count; i++)
        if (!as_float(args[i], &numbers[i]) || !isfinite(numbers[i])) return false;
    return true;
}

static inline bool read_period(PyObject *object, Py_ssize_t *period) {
    if (!object || !PyLong_CheckExact(object)) return false;
    *period = PyLong_AsSsize_t(object);
    if (*period == -1) PyErr_Clear();
    return *period > 0;
}

static PyObject *plainly(int kind, PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *names) {
    PyObject *bound = PyMethod_New(kinds[kind].plain, self);
    PyObject *answer = bound ? PyObject_Vectorcall(bound, args, (size_t)given, names) : NULL;
    Py_XDECREF(bound);
    return answer;
}

typedef struct {
    PyObject **slot, *value; /* takes the reference over */
} Change;

/* Put all new values into their slots, or none of them and drop the answer. */
static PyObject *committed(const Change *changes, int count, PyObject *answer) {
    bool is_whole = answer != NULL;
    for (int i = 0; i < count; i++) is_whole = is_whole && changes[i].value;
    for (int i = 0; i < count; i++) {
        PyObject *old = changes[i].value;
        if (is_whole) {
            old = *changes[i].slot;
            *changes[i].slot = changes[i].value;
        }
        Py_XDECREF(old);
    }
    if (!is_whole) Py_CLEAR(answer);
    return answer;
}

static PyObject *three(double one, double two, double last) {
    PyObject *parts[3] = {PyFloat_FromDouble(one), PyFloat_FromDouble(two), PyFloat_FromDouble(last)};
    PyObject *made = parts[0] && parts[1] && parts[2] ? PyTuple_Pack(3, parts[0], parts[1], parts[2]) : NULL;
    for (int i = 0; i < 3; i++) Py_XDECREF(parts[i]);
    return made;
}

/* The averages by recurrence. */

static inline bool wilder_next(PyObject *part, double x, double *next) {
    const Wilder *average = (const Wilder *)part;
    double last, kept, whole;
    if (!is_a(part, WILDER) || !as_float(average->last, &last) || !as_float(average->kept, &kept) || !as_float(average->period, &whole))
        return false;
    *next = wilder_step(last, x, kept, whole);
    return isfinite(*next);
}

static inline bool exponential_next(PyObject *part, double x, double *next) {
    const Ema *average = (const Ema *)part;
    double last, k;
    if (!is_a(part, EMA) || !as_float(average->last, &last) || !as_float(average->k, &k)) return false;
    *next = exponential_step(last, x, k);
    return isfinite(*next);
}

static PyObject *wilder_update(PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *names) {
    double x, next;
    if (!read_all(args, given, names, 1, &x) || !wilder_next(self, x, &next)) return plainly(WILDER, self, args, given, names);
    PyObject *value = PyFloat_FromDouble(next);
    return committed(&(Change){&((Wilder *)self)->last, value}, 1, Py_XNewRef(value));
}

static PyObject *ema_update(PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *names) {
    double x, next;
    if (!read_all(args, given, names, 1, &x) || !exponential_next(self, x, &next))
        return plainly(EMA, self, args, given, names);
    PyObject *value = PyFloat_FromDouble(next);
    return committed(&(Change){&((Ema *)self)->last, value}, 1, Py_XNewRef(value));
}

static PyObject *rsi_update(PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *names) {
    Rsi *rsi = (Rsi *)self;
    double x, last, gain, loss;
    bool is_plain = read_all(args, given, names, 1, &x) && as_float(rsi->last, &last);
    double change = is_plain ? x - last : 0.0;
    if (!is_plain || !wilder_next(rsi->gain, change > 0.0 ? change : 0.0, &gain) ||
        !wilder_next(rsi->loss, change < 0.0 ? -change : 0.0, &loss))
        return plainly(RSI, self, args, given, names);
    double both = gain + loss;
    const Change changes[] = {
        {&((Wilder *)rsi->gain)->last, PyFloat_FromDouble(gain)},
        {&((Wilder *)rsi->loss)->last, PyFloat_FromDouble(loss)},
        {&rsi->last, Py_NewRef(args[0])},
    };
    return committed(changes, 3, PyFloat_FromDouble(both != 0.0 ? 100.0 * (gain / both) : 0.0));
}

static inline double true_range(double high, double low, double last) {
    return (high > last ? high : last) - (low < last ? low : last);
}

static PyObject *atr_update(PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *names) {
    Atr *atr = (Atr *)self;
    double bar[3], last, next;
    if (!read_all(args, given, names, 3, bar) || !as_float(atr->close, &last) ||
        !wilder_next(atr->average, true_range(bar[0], bar[1], last), &next))
        return plainly(ATR, self, args, given, names);
    PyObject *value = PyFloat_FromDouble(next);
    const Change changes[] = {{&((Wilder *)atr->average)->last, value}, {&atr->close, Py_NewRef(args[2])}};
    return committed(changes, 2, Py_XNewRef(value));
}

static PyObject *macd_update(PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *names) {
    const Macd *macd = (const Macd *)self;
    double x, fast, slow, signal;
    if (!read_all(args, given, names, 1, &x) || !exponential_next(macd->slow, x, &slow) ||
        !exponential_next(macd->fast, x, &fast) || !exponential_next(macd->signal, fast - slow, &signal))
        return plainly(MACD, self, args, given, names);
    double line = fast - slow;
    PyObject *lines = three(line, signal, line - signal); /* first: it may run the code of others */
    const Change changes[] = {
        {&((Ema *)macd->slow)->last, PyFloat_FromDouble(slow)},
        {&((Ema *)macd->fast)->last, PyFloat_FromDouble(fast)},
        {&((Ema *)macd->signal)->last, PyFloat_FromDouble(signal)},
    };
    return committed(changes, 3, lines);
}

/* Windows: the end of one block with the beginning of the next. */

static inline double joined(int kind, double one, double other) {
    if (kind == SMA) return one + other;
    return (kind == HIGHEST ? other > one : other < one) ? other : one;
}

static inline double nothing(int kind) { return kind == SMA ? -0.0 : kind == HIGHEST ? -INFINITY : INFINITY; }

typedef struct {
    Py_ssize_t period, filled; /* values in the block with the newest one */
    double prefix, whole;      /* of the block, and of the window */
} Ahead;

/* Look what a value makes of a window; false, and nothing was changed, where that is left to Python. */
static inline bool look_ahead(PyObject *part, int kind, double x, Ahead *ahead) {
    const Window *window = (const Window *)part;
    if (!is_a(part, kind) || !window->block || !PyList_CheckExact(window->block) || !as_float(window->prefix, &ahead->prefix) ||
        !read_period(window->period, &ahead->period))
        return false;
    ahead->filled = PyList_GET_SIZE(window->block) + 1;
    ahead->prefix = joined(kind, ahead->prefix, x);
    ahead->whole = ahead->prefix;
    if (ahead->filled >= ahead->period) {
        double item;
        for (Py_ssize_t i = 0; i < ahead->filled - 1; i++)
            if (!as_float(PyList_GET_ITEM(window->block, i), &item)) return false;
        return ahead->filled == ahead->period;
    }
    PyObject *suffixes = window->suffixes;
    double suffix;
    if (!suffixes || !PyList_CheckExact(suffixes) || PyList_GET_SIZE(suffixes) != ahead->period ||
        !as_float(PyList_GET_ITEM(suffixes, ahead->filled), &suffix))
        return false;
    ahead->whole = joined(kind, ahead->prefix, suffix);
    return true;
}

/* Return the suffixes of a whole block, the last value of which is not in it yet. */
static PyObject *suffixes_of(int kind, PyObject *block, PyObject *value) {
    PyObject *made = PyList_New(PyList_GET_SIZE(block) + 1); /* may run the code of others, which may do anything */
    if (!made) return NULL;
    Py_ssize_t last = PyList_GET_SIZE(made) - 1;
    PyList_SET_ITEM(made, last, Py_NewRef(value));
    double suffix = PyFloat_AS_DOUBLE(value), x;
    for (Py_ssize_t i = last - 1; i >= 0; i--) {
        bool is_there = i < PyList_GET_SIZE(block) && as_float(PyList_GET_ITEM(block, i), &x);
        suffix = is_there ? joined(kind, suffix, x) : NAN;
        PyObject *item = PyFloat_FromDouble(suffix);
        if (!item) {
            Py_DECREF(made);
            return NULL;
        }
        PyList_SET_ITEM(made, i, item);
    }
    return made;
}

/* Take a value into a window, and return the answer; NULL, and nothing was changed, where memory is out. */
static PyObject *taken(Window *window, int kind, PyObject *value, const Ahead *ahead, PyObject *answer) {
    if (ahead->filled < ahead->period) {
        PyObject *prefix = answer ? PyFloat_FromDouble(ahead->prefix) : NULL;
        if (prefix && PyList_Append(window->block, value) < 0) Py_CLEAR(prefix);
        return committed(&(Change){&window->prefix, prefix}, 1, answer);
    }
    const Change changes[] = {
        {&window->prefix, PyFloat_FromDouble(nothing(kind))},
        {&window->suffixes, suffixes_of(kind, window->block, value)},
    };
    answer = committed(changes, 2, answer);
    if (answer) PyList_SetSlice(window->block, 0, ahead->filled, NULL); /* all of it: needs no memory */
    return answer;
}

static inline PyObject *window_update(int kind, PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *names) {
    double x;
    Ahead ahead;
    if (!read_all(args, given, names, 1, &x) || !look_ahead(self, kind, x, &ahead))
        return plainly(kind, self, args, given, names);
    double now = kind == SMA ? ahead.whole / (double)ahead.period : ahead.whole + 0.0;
    return taken((Window *)self, kind, args[0], &ahead, PyFloat_FromDouble(now));
}

static PyObject *sma_update(PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *names) {
    return window_update(SMA, self, args, given, names);
}

static PyObject *highest_update(PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *names) {
    return window_update(HIGHEST, self, args, given, names);
}

static PyObject *lowest_update(PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *names) {
    return window_update(LOWEST, self, args, given, names);
}

/* Add the squares of what the values of a window are away from its mean, the oldest without and the newest with it. */
static inline bool squares_around(PyObject *window, Py_ssize_t period, double x, double mean, double *squares) {
    if (!window || !PyList_CheckExact(window) || PyList_GET_SIZE(window) != period) return false;
    double item, total = 0.0;
    for (Py_ssize_t i = 1; i < period; i++) {
        if (!as_float(PyList_GET_ITEM(window, i), &item)) return false;
        double term = item - mean;
        total += term * term;
    }
    *squares = total + (x - mean) * (x - mean);
    return true;
}

/* Put a value behind those of a window, and let go of the first. */
static void move_on(PyObject *window, PyObject *value) {
    Py_ssize_t last = PyList_GET_SIZE(window) - 1;
    if (last < 0) return;
    PyObject **items = ((PyListObject *)window)->ob_item, *first = items[0];
    memmove(items, items + 1, (size_t)last * sizeof *items);
    items[last] = Py_NewRef(value);
    Py_DECREF(first);
}

static PyObject *bollinger_update(PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *names) {
    Bollinger *bands = (Bollinger *)self;
    double x, deviations, squares = 0.0, middle = 0.0;
    Ahead ahead;
    bool is_plain = read_all(args, given, names, 1, &x) && as_float(bands->deviations, &deviations) &&
                    look_ahead(bands->average, SMA, x, &ahead);
    if (is_plain) {
        middle = ahead.whole / (double)ahead.period;
        is_plain = squares_around(bands->window, ahead.period, x, middle, &squares);
    }
    if (!is_plain) return plainly(BOLLINGER, self, args, given, names);
    double distance = deviations * sqrt(squares / (double)ahead.period);
    PyObject *lines = three(middle + distance, middle, middle - distance);
    PyObject *answer = taken((Window *)bands->average, SMA, args[0], &ahead, lines);
    if (answer) move_on(bands->window, args[0]);
    return answer;
}

/* Directional movement, once its averages have begun. */
static bool adx_next(const Adx *adx, const double *bar, double *sums, double *lines) {
    double last, high, low;
    Py_ssize_t period;
    if (!as_float(adx->close, &last) || !as_float(adx->high, &high) || !as_float(adx->low, &low) || !as_float(adx->plus, &sums[0]) ||
        !as_float(adx->minus, &sums[1]) || !as_float(adx->span, &sums[2]) || !as_float(adx->adx, &lines[0]) ||
        !read_period(adx->period, &period))
        return false;
    double n = (double)period, up = bar[0] - high, down = low - bar[1];
    for (int i = 0; i < 3; i++) sums[i] = decayed(sums[i], n);
    if (up > down && up > 0.0)
        sums[0] += up;
    else if (down > up && down > 0.0)
        sums[1] += down;
    sums[2] += true_range(bar[0], bar[1], last);
    lines[1] = sums[2] != 0.0 ? 100.0 * (sums[0] / sums[2]) : 0.0;
    lines[2] = sums[2] != 0.0 ? 100.0 * (sums[1] / sums[2]) : 0.0;
    double both = lines[1] + lines[2];
    if (both != 0.0) lines[0] = wilder_step(lines[0], 100.0 * (fabs(lines[2] - lines[1]) / both), (double)(period - 1), n);
    return isfinite(lines[0]); /* else it has not begun */
}

static PyObject *adx_update(PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *names) {
    Adx *adx = (Adx *)self;
    double bar[3], sums[3], lines[3];
    if (!read_all(args, given, names, 3, bar) || !adx_next(adx, bar, sums, lines))
        return plainly(ADX, self, args, given, names);
    PyObject *answer = three(lines[0], lines[1], lines[2]);
    const Change changes[] = {
        {&adx->plus, PyFloat_FromDouble(sums[0])},
        {&adx->minus, PyFloat_FromDouble(sums[1])},
        {&adx->span, PyFloat_FromDouble(sums[2])},
        {&adx->adx, answer ? Py_NewRef(PyTuple_GET_ITEM(answer, 0)) : NULL},
        {&adx->high, Py_NewRef(args[0])},
        {&adx->low, Py_NewRef(args[1])},
        {&adx->close, Py_NewRef(args[2])},
    };
    return committed(changes, 7, answer);
}

#define UPDATE(function) {"update", (PyCFunction)(void (*)(void))function, METH_FASTCALL | METH_KEYWORDS, NULL}

static Kind kinds[KINDS] = {
    {"Wilder", {"_kept", "_last", "_period", "_seed"}, UPDATE(wilder_update), NULL, NULL, NULL},
    {"Sma", {"_block", "_prefix", "_suffixes", "period"}, UPDATE(sma_update), NULL, NULL, NULL},
    {"Highest", {"_block", "_prefix", "_suffixes", "period"}, UPDATE(highest_update), NULL, NULL, NULL},
    {"Lowest", {"_block", "_prefix", "_suffixes", "period"}, UPDATE(lowest_update), NULL, NULL, NULL},
    {"Ema", {"_k", "_last", "_seed", "period"}, UPDATE(ema_update), NULL, NULL, NULL},
    {"Rsi", {"_gain", "_last", "_loss", "period"}, UPDATE(rsi_update), NULL, NULL, NULL},
    {"Atr", {"_average", "_close", "period"}, UPDATE(atr_update), NULL, NULL, NULL},
    {"Bollinger", {"_average", "_window", "deviations", "period"}, UPDATE(bollinger_update), NULL, NULL, NULL},
    {"Macd", {"_fast", "_held_back", "_signal", "_slow"}, UPDATE(macd_update), NULL, NULL, NULL},
    {"Adx", {"_adx", "_bars", "_close", "_high", "_low", "_minus", "_plus", "_seed", "_span", "period"},
     UPDATE(adx_update), NULL, NULL, NULL},
};

/* Tell whether the slots of a class lie as in its structure; negative on an error. */
static int is_laid_out(PyObject *type, const Kind *kind) {
    for (Py_ssize_t i = 0; kind->slots[i]; i++) {
        PyObject *slot = PyObject_GetAttrString(type, kind->slots[i]);
        if (!slot) return -1;
        bool is_slot = Py_IS_TYPE(slot, &PyMemberDescr_Type);
        const PyMemberDef *member = is_slot ? ((PyMemberDescrObject *)slot)->d_member : NULL;
        Py_ssize_t at = (Py_ssize_t)(sizeof(PyObject) + (size_t)i * sizeof(PyObject *));
        is_slot = is_slot && member->type == T_OBJECT_EX && member->offset == at;
        Py_DECREF(slot);
        if (!is_slot) return 0;
    }
    return 1;
}

static PyObject *method(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *type, *plain, *text;
    if (!PyArg_ParseTuple(args, "O!OU", &PyType_Type, &type, &plain, &text)) return NULL;
    Kind *kind = kinds;
    while (kind < kinds + KINDS && strcmp(kind->name, ((PyTypeObject *)type)->tp_name)) kind++;
    int is_known = kind < kinds + KINDS ? is_laid_out(type, kind) : 0;
    if (is_known < 0) return NULL;
    if (!is_known) Py_RETURN_NONE;
    const char *doc = PyUnicode_AsUTF8(text);
    if (!doc) return NULL;
    kind->method.ml_doc = doc;
    Py_XSETREF(kind->type, (PyTypeObject *)Py_NewRef(type));
    Py_XSETREF(kind->plain, Py_NewRef(plain));
    Py_XSETREF(kind->text, Py_NewRef(text));
    return PyDescr_NewMethod((PyTypeObject *)type, &kind->method);
}

static PyMethodDef methods[] = {
    {"method", method, METH_VARARGS,
     "method(kind, plain, doc)\n--\n\nReturn the compiled `update` of a class; None where its slots lie otherwise."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_updates", "Updates of the indicators. " SOURCES, 0, methods,
                                    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__updates(void) { return PyModuleDef_Init(&module); }
