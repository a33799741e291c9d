/* The compiled execution of the vector engine.

   reference.py, book.py and money.py are the specification: the same parts under the same names, the same operations in
   the same order, so that both give the same to the last bit (compiled without contraction of floating point). The GIL
   is released while it runs; nothing is allocated: all output goes into arrays the caller made. */


#include "_days.h"

#include <string.h>

/* Point so many consecutive pointers at the arrays of a tuple; sizes has a digit for the bytes of each item. */
static bool point(Views *views, PyObject *tuple, const char *sizes, const void **pointers, int64_t *count) {
    Py_ssize_t length = (Py_ssize_t)strlen(sizes);
    if (!PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) != length) {
        PyErr_Format(PyExc_ValueError, "expected a tuple of %zd arrays", length);
        return false;
    }
    for (Py_ssize_t i = 0; i < length; i++) {
        pointers[i] = memory(views, PyTuple_GET_ITEM(tuple, i), sizes[i] - '0', count, PyBUF_SIMPLE);
        if (!pointers[i]) return false;
    }
    return true;
}

/* Take what all runs over the same prices share: settings, prices, days, halted, rates. */
static bool take_market(Machine *m, Views *views, PyObject *const *args) {
    int64_t one = 1, prices = -1, days = -1, halts = -1;
    const void *pointers[10];
    m->s = memory(views, args[0], sizeof(Settings), &one, PyBUF_SIMPLE);
    if (!m->s || !point(views, args[1], "4444444444", pointers, &prices)) return false;
    m->p = (Prices){pointers[0], pointers[1], pointers[2], pointers[3], pointers[4], pointers[5], pointers[6],
                    pointers[7], pointers[8], pointers[9], prices};
    if (!point(views, args[2], "4141", pointers, &days)) return false;
    m->days = (Schedule){pointers[0], pointers[1], pointers[2], pointers[3], days, NULL, 0};
    m->days.halted = memory(views, args[3], sizeof(int32_t), &halts, PyBUF_SIMPLE);
    if (!m->days.halted) return false;
    m->days.halts = halts;
    if (args[4] != Py_None && !(m->rates = memory(views, args[4], sizeof(double), &prices, PyBUF_SIMPLE))) return false;
    m->pending = m->bar = -1;
    m->phase = AFTER_CLOSE;
    m->balance = m->s->balance;
    m->margin_frac = (double)m->s->margin_num / (double)m->s->margin_den;
    m->closeout_frac = (double)m->s->closeout_num / (double)m->s->closeout_den;
    return true;
}

static bool take_decisions(Machine *m, Views *views, PyObject *columns) {
    int64_t count = -1;
    const void *at[11];
    if (!point(views, columns, "41144448844", at, &count)) return false;
    m->d = (Decisions){at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7], at[8], at[9], at[10], count};
    return true;
}

static PyObject *no_room(void) {
    PyErr_SetString(PyExc_RuntimeError, "no room for what happened");
    return NULL;
}

static PyObject *py_run(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    if (count != 10) {
        PyErr_SetString(PyExc_TypeError, "expected settings, prices, days, halted, rates, decisions, trades, fills,"
                                         " extremes, slips");
        return NULL;
    }
    Views views = {.count = 0};
    Machine m = {.trade_room = -1, .fill_room = -1};
    Extremes extremes;
    bool is_fine = PyArg_ParseTuple(args[8], "ii", &extremes.lowest, &extremes.highest) &&
                   take_market(&m, &views, args) && take_decisions(&m, &views, args[5]);
    if (is_fine) m.trades = memory(&views, args[6], sizeof(TradeRow), &m.trade_room, PyBUF_WRITABLE);
    if (m.trades) m.fills = memory(&views, args[7], sizeof(Fill), &m.fill_room, PyBUF_WRITABLE);
    if (m.fills && args[9] != Py_None) {
        int64_t slips = m.d.count * SLIPS;
        m.slips = memory(&views, args[9], sizeof(int32_t), &slips, PyBUF_SIMPLE);
        if (!m.slips) m.fills = NULL;
    }
    if (m.fills) {
        Py_BEGIN_ALLOW_THREADS
        Next *next = is_plain(&m) ? PyMem_RawMalloc((size_t)(m.d.count + 1) * sizeof(Next)) : NULL;
        if ((m.next = next)) {
            look_ahead(&m.d, next);
            run_plainly(&m, m.p.count);
        } else {
            run_until(&m, m.p.count, extremes);
        }
        PyMem_RawFree(next);
        Py_END_ALLOW_THREADS
    }
    release(&views);
    if (!m.fills) return NULL;
    if (m.is_full) return no_room();
    return Py_BuildValue("LLL(LLLL)", m.trade_count, m.fill_count, m.balance, m.refused[0], m.refused[1], m.refused[2],
                         m.refused[3]);
}

typedef struct {
    const int32_t *ends;
    double *equity;
    int64_t *counts, days, cells, counted;
} Asked;

static bool take_asked(Asked *asked, Views *views, PyObject *const *args, Py_ssize_t runs) {
    asked->days = -1;
    if (!(asked->ends = memory(views, args[0], sizeof(int32_t), &asked->days, PyBUF_SIMPLE))) return false;
    asked->cells = runs * asked->days;
    asked->counted = 2 * runs;
    asked->equity = memory(views, args[1], sizeof(double), &asked->cells, PyBUF_WRITABLE);
    asked->counts = asked->equity ? memory(views, args[2], sizeof(int64_t), &asked->counted, PyBUF_WRITABLE) : NULL;
    return asked->counts != NULL;
}

/* Make what swift and plain runs look ahead with, once for those that share entries and exits; tell whether there was memory. */
static bool take_next(Machine *runs, Py_ssize_t count, Next **made) {
    for (Py_ssize_t i = 0; i < count; i++) {
        const Decisions *d = &runs[i].d, *before = i ? &runs[i - 1].d : NULL;
        if (!is_swift(&runs[i]) && !is_plain(&runs[i])) continue;
        bool is_shared = before && runs[i - 1].next && d->entry == before->entry && d->leave == before->leave;
        if (!is_shared) {
            if (!(made[i] = PyMem_RawMalloc((size_t)(d->count + 1) * sizeof(Next)))) return false;
            look_ahead(d, made[i]);
        }
        runs[i].next = is_shared ? runs[i - 1].next : made[i];
    }
    return true;
}

/* Fill equity and counts (opened and closed trades of each run). */
static PyObject *run_all(const Machine *shared, const Valuation *v, const Asked *asked, PyObject *decisions) {
    Py_ssize_t count = PyTuple_GET_SIZE(decisions), taken = 0;
    Machine *runs = PyMem_Calloc((size_t)count + 1, sizeof(Machine));
    Views *views = PyMem_Calloc((size_t)count + 1, sizeof(Views));
    Next **next = PyMem_Calloc((size_t)count + 1, sizeof(Next *));
    bool is_full = false, is_fine = true;
    if (!runs || !views || !next) PyErr_NoMemory();
    for (; runs && views && next && taken < count; taken++) {
        runs[taken] = *shared;
        if (!take_decisions(&runs[taken], &views[taken], PyTuple_GET_ITEM(decisions, taken))) break;
    }
    if (taken == count && !PyErr_Occurred()) {
        Py_BEGIN_ALLOW_THREADS
        is_fine = take_next(runs, count, next);
        if (is_fine) run_days(runs, count, v, asked->ends, asked->days, asked->equity);
        Py_END_ALLOW_THREADS
        if (!is_fine) PyErr_NoMemory();
        for (Py_ssize_t i = 0; i < count; i++) {
            asked->counts[2 * i] = runs[i].trade_count;
            asked->counts[2 * i + 1] = runs[i].closed_count;
            is_full |= runs[i].is_full;
        }
    }
    for (Py_ssize_t i = 0; views && i < count; i++) release(&views[i]);
    for (Py_ssize_t i = 0; next && i < count; i++) PyMem_RawFree(next[i]);
    PyMem_Free(runs);
    PyMem_Free(views);
    PyMem_Free(next);
    if (PyErr_Occurred()) return NULL;
    if (is_full) return no_room();
    Py_RETURN_NONE;
}

static PyObject *py_run_days(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    if (count != 10 || !PyTuple_Check(args[5])) {
        PyErr_SetString(PyExc_TypeError, "expected settings, prices, days, halted, rates, a tuple of decisions, scales,"
                                         " ends, equity, counts");
        return NULL;
    }
    Views views = {.count = 0};
    Machine shared = {.trade_room = 0};
    Valuation v = {0};
    Asked asked;
    PyObject *done = NULL;
    if (PyArg_ParseTuple(args[6], "dddd", &v.tick, &v.worth, &v.cents, &v.initial) &&
        take_market(&shared, &views, args) && take_asked(&asked, &views, args + 7, PyTuple_GET_SIZE(args[5]))) {
        v.bid = shared.p.bid_close;
        v.ask = shared.p.ask_close;
        v.rates = shared.rates;
        if (shared.s->swap_long == 0.0 && shared.s->swap_short == 0.0) shared.days.count = 0; /* nothing would be booked */
        done = run_all(&shared, &v, &asked, args[5]);
    }
    release(&views);
    return done;
}

static PyMethodDef methods[] = {
    {"run", (PyCFunction)(void (*)(void))py_run, METH_FASTCALL,
     "run(settings, prices, days, halted, rates, decisions, trades, fills, extremes, slips)\n--\n\n"
     "Carry decisions out; return the number of trades and fills, the balance, and the refusals."},
    {"run_days", (PyCFunction)(void (*)(void))py_run_days, METH_FASTCALL,
     "run_days(settings, prices, days, halted, rates, decisions, scales, ends, equity, counts)\n--\n\n"
     "Carry many decisions out; put the equity at the end of each day and the trades opened and closed into arrays."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_kernel", "The compiled execution of the vector engine. " SOURCES, 0,
                                    methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__kernel(void) { return PyModuleDef_Init(&module); }
