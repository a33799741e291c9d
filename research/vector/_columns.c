/* Loops over whole columns for the vector engine: averages and crossings, the equity bar by bar.

   prices.py, averages.py and curve.py have the same in numpy: the same operations in the same order, so that both give
   the same to the last bit. The GIL is released; all output goes into arrays the caller made. */

#include "_averages.h"
#include "_bars.h"
#include "_curve.h"

static PyObject *py_to_ticks(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *prices_of, *out_of;
    double tick;
    int highest;
    if (!PyArg_ParseTuple(args, "OdiO", &prices_of, &tick, &highest, &out_of)) return NULL;
    Views views = {.count = 0};
    int64_t count = -1;
    const double *prices = memory(&views, prices_of, 8, &count, PyBUF_SIMPLE);
    int32_t *out = prices ? memory(&views, out_of, 4, &count, PyBUF_WRITABLE) : NULL;
    bool is_fine = false;
    if (out) {
        Py_BEGIN_ALLOW_THREADS
        is_fine = to_ticks(prices, count, tick, highest, out);
        Py_END_ALLOW_THREADS
    }
    release(&views);
    return out ? PyBool_FromLong(is_fine) : NULL;
}

static PyObject *py_levels(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *paid_of, *away_of, *entry_of, *out_of;
    double multiple, tick;
    int highest;
    if (!PyArg_ParseTuple(args, "OOddiOO", &paid_of, &away_of, &multiple, &tick, &highest, &entry_of, &out_of))
        return NULL;
    Views views = {.count = 0};
    int64_t count = -1;
    const double *paid = memory(&views, paid_of, 8, &count, PyBUF_SIMPLE);
    const double *away = paid ? memory(&views, away_of, 8, &count, PyBUF_SIMPLE) : NULL;
    const int8_t *entry = away ? memory(&views, entry_of, 1, &count, PyBUF_SIMPLE) : NULL;
    int32_t *out = entry ? memory(&views, out_of, 4, &count, PyBUF_WRITABLE) : NULL;
    bool is_fine = false;
    if (out) {
        Py_BEGIN_ALLOW_THREADS
        is_fine = levels(paid, away, count, multiple, tick, highest, entry, out);
        Py_END_ALLOW_THREADS
    }
    release(&views);
    return out ? PyBool_FromLong(is_fine) : NULL;
}

static PyObject *py_is_sane(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *columns[4];
    if (!PyArg_ParseTuple(args, "OOOO", &columns[0], &columns[1], &columns[2], &columns[3])) return NULL;
    Views views = {.count = 0};
    int64_t count = -1;
    const double *prices[4] = {NULL};
    for (int i = 0; i < 4 && (!i || prices[i - 1]); i++)
        prices[i] = memory(&views, columns[i], 8, &count, PyBUF_SIMPLE);
    bool is_fine = false;
    if (prices[3]) {
        Py_BEGIN_ALLOW_THREADS
        is_fine = is_sane(prices[0], prices[1], prices[2], prices[3], count);
        Py_END_ALLOW_THREADS
    }
    release(&views);
    return prices[3] ? PyBool_FromLong(is_fine) : NULL;
}

static PyObject *py_moving_average(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *values_of, *out_of;
    long long period;
    if (!PyArg_ParseTuple(args, "OLO", &values_of, &period, &out_of)) return NULL;
    Views views = {.count = 0};
    int64_t count = -1;
    const int32_t *values = memory(&views, values_of, 4, &count, PyBUF_SIMPLE);
    double *out = values ? memory(&views, out_of, 8, &count, PyBUF_WRITABLE) : NULL;
    if (out) {
        Py_BEGIN_ALLOW_THREADS
        moving_average(values, count, period, out);
        Py_END_ALLOW_THREADS
    }
    release(&views);
    if (!out) return NULL;
    Py_RETURN_NONE;
}

static PyObject *py_average_range(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *high_of, *low_of, *close_of, *out_of;
    long long period;
    if (!PyArg_ParseTuple(args, "OOOLO", &high_of, &low_of, &close_of, &period, &out_of)) return NULL;
    Views views = {.count = 0};
    int64_t count = -1;
    const int32_t *high = memory(&views, high_of, 4, &count, PyBUF_SIMPLE);
    const int32_t *low = high ? memory(&views, low_of, 4, &count, PyBUF_SIMPLE) : NULL;
    const int32_t *close = low ? memory(&views, close_of, 4, &count, PyBUF_SIMPLE) : NULL;
    double *out = close ? memory(&views, out_of, 8, &count, PyBUF_WRITABLE) : NULL;
    if (out) {
        Py_BEGIN_ALLOW_THREADS
        average_range(high, low, close, count, period, out);
        Py_END_ALLOW_THREADS
    }
    release(&views);
    if (!out) return NULL;
    Py_RETURN_NONE;
}

static bool room_of(Views *views, PyObject *bars, PyObject *sides, Crossings *found) {
    found->room = -1;
    found->bars = memory(views, bars, 4, &found->room, PyBUF_WRITABLE);
    found->sides = found->bars ? memory(views, sides, 1, &found->room, PyBUF_WRITABLE) : NULL;
    return found->sides != NULL;
}

static PyObject *py_crossings(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *fast_of, *slow_of, *bars, *sides;
    if (!PyArg_ParseTuple(args, "OOOO", &fast_of, &slow_of, &bars, &sides)) return NULL;
    Views views = {.count = 0};
    Crossings found = {0};
    int64_t count = -1;
    const double *fast = memory(&views, fast_of, 8, &count, PyBUF_SIMPLE);
    const double *slow = fast ? memory(&views, slow_of, 8, &count, PyBUF_SIMPLE) : NULL;
    bool is_fine = slow && room_of(&views, bars, sides, &found);
    if (is_fine) {
        Py_BEGIN_ALLOW_THREADS
        compare(fast, slow, 0, count, UNKNOWN, &found);
        Py_END_ALLOW_THREADS
    }
    release(&views);
    return is_fine ? PyLong_FromLongLong(found.count) : NULL;
}

/* values, periods, pairs (places of two periods each), room for bars and sides of each pair, counts: they are set. */
static PyObject *py_grid_crossings(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *values_of, *periods_of, *pairs_of, *bars_of, *sides_of, *counts_of;
    if (!PyArg_ParseTuple(args, "OOOOOO", &values_of, &periods_of, &pairs_of, &bars_of, &sides_of, &counts_of))
        return NULL;
    Views views = {.count = 0};
    int64_t count = -1, period_count = -1, pair_count = -1, room = -1;
    int64_t *counts = memory(&views, counts_of, 8, &pair_count, PyBUF_WRITABLE);
    int64_t places = 2 * pair_count;
    const int32_t *values = counts ? memory(&views, values_of, 4, &count, PyBUF_SIMPLE) : NULL;
    const int64_t *periods = values ? memory(&views, periods_of, 8, &period_count, PyBUF_SIMPLE) : NULL;
    const int32_t *pairs = periods ? memory(&views, pairs_of, 4, &places, PyBUF_SIMPLE) : NULL;
    int32_t *bars = pairs ? memory(&views, bars_of, 4, &room, PyBUF_WRITABLE) : NULL;
    int8_t *sides = bars ? memory(&views, sides_of, 1, &room, PyBUF_WRITABLE) : NULL;
    Crossings *found = sides ? PyMem_Calloc((size_t)pair_count + 1, sizeof(Crossings)) : NULL;
    double *averages = sides ? PyMem_Malloc((size_t)(period_count * STRETCH + 1) * (sizeof(double) + sizeof(float))) : NULL;
    int64_t longest = 1;
    for (int64_t p = 0; sides && p < period_count; p++) longest = periods[p] > longest ? periods[p] : longest;
    Totals totals = {.room = longest + STRETCH + MORE, .end = 1};
    if (sides && longest <= LONGEST) totals.sums = PyMem_Calloc((size_t)totals.room, sizeof(double));
    int8_t *last = sides ? PyMem_Malloc((size_t)pair_count + 1) : NULL;
    bool is_fine = found && averages && totals.sums && last;
    if (is_fine) {
        int64_t each = pair_count ? room / pair_count : 0;
        for (int64_t pair = 0; pair < pair_count; pair++)
            found[pair] = (Crossings){bars + pair * each, sides + pair * each, 0, each};
        memset(last, UNKNOWN, (size_t)pair_count);
        Py_BEGIN_ALLOW_THREADS
        grid_crossings(values, count, periods, period_count, longest, pairs, pair_count, found, averages, &totals, last);
        Py_END_ALLOW_THREADS
        for (int64_t pair = 0; pair < pair_count; pair++) counts[pair] = found[pair].count;
    } else if (sides) {
        PyErr_NoMemory();
    }
    PyMem_Free(found);
    PyMem_Free(averages);
    PyMem_Free(totals.sums);
    PyMem_Free(last);
    release(&views);
    if (!is_fine) return NULL;
    Py_RETURN_NONE;
}

static PyObject *py_average_crossings(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *values_of, *bars, *sides;
    long long fast, slow;
    if (!PyArg_ParseTuple(args, "OLLOO", &values_of, &fast, &slow, &bars, &sides)) return NULL;
    Views views = {.count = 0};
    Crossings found = {0};
    int64_t count = -1;
    const int32_t *values = memory(&views, values_of, 4, &count, PyBUF_SIMPLE);
    bool is_fine = values && room_of(&views, bars, sides, &found);
    if (is_fine) {
        Py_BEGIN_ALLOW_THREADS
        average_crossings(values, count, fast, slow, &found);
        Py_END_ALLOW_THREADS
    }
    release(&views);
    return is_fine ? PyLong_FromLongLong(found.count) : NULL;
}

/* Put the equity at bars, or at every bar, into out; return drawdowns and squares of the changes in the second case. */
static PyObject *py_equity(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *fills, *trades, *bid, *ask, *rates, *bars_of, *out_of;
    Account a = {.count = -1};
    Valuation *v = &a.value;
    if (!PyArg_ParseTuple(args, "OOOOO(dddd)OO", &fills, &trades, &bid, &ask, &rates, &v->tick, &v->worth, &v->cents,
                          &v->initial, &bars_of, &out_of))
        return NULL;
    Views views = {.count = 0};
    int64_t bars_count = -1, prices = -1, trade_count = -1;
    const int32_t *bars = NULL;
    double *out = NULL;
    a.now.balance = v->initial;
    a.fills = memory(&views, fills, sizeof(Fill), &a.count, PyBUF_SIMPLE);
    if (a.fills) a.trades = memory(&views, trades, sizeof(TradeRow), &trade_count, PyBUF_SIMPLE);
    if (a.trades) v->bid = memory(&views, bid, 4, &prices, PyBUF_SIMPLE);
    if (v->bid) v->ask = memory(&views, ask, 4, &prices, PyBUF_SIMPLE);
    bool is_fine = v->ask != NULL;
    if (is_fine && rates != Py_None) is_fine = (v->rates = memory(&views, rates, 8, &prices, PyBUF_SIMPLE)) != NULL;
    if (is_fine && bars_of != Py_None) is_fine = (bars = memory(&views, bars_of, 4, &bars_count, PyBUF_SIMPLE)) != NULL;
    if (is_fine) is_fine = (out = memory(&views, out_of, 8, bars ? &bars_count : &prices, PyBUF_WRITABLE)) != NULL;
    Path path = {.peak = v->initial, .last = v->initial};
    if (is_fine) {
        Py_BEGIN_ALLOW_THREADS
        if (bars)
            equities(&a, bars, bars_count, out);
        else
            curve(&a, prices, out, &path);
        Py_END_ALLOW_THREADS
    }
    release(&views);
    return is_fine ? Py_BuildValue("ddd", path.drawdown, path.drawdown_frac, path.squares) : NULL;
}

static PyMethodDef methods[] = {
    {"to_ticks", py_to_ticks, METH_VARARGS, "to_ticks(prices, tick, highest, out): tell whether all fit"},
    {"levels", py_levels, METH_VARARGS,
     "levels(paid, away, multiple, tick, highest, entry, out): tell whether all fit"},
    {"is_sane", py_is_sane, METH_VARARGS, "is_sane(open, high, low, close): tell whether open and close lie inside"},
    {"moving_average", py_moving_average, METH_VARARGS, "moving_average(values, period, out)"},
    {"average_range", py_average_range, METH_VARARGS, "average_range(high, low, close, period, out)"},
    {"crossings", py_crossings, METH_VARARGS, "crossings(fast, slow, bars, sides): return how many there are"},
    {"grid_crossings", py_grid_crossings, METH_VARARGS, "grid_crossings(values, periods, pairs, bars, sides, counts)"},
    {"average_crossings", py_average_crossings, METH_VARARGS,
     "average_crossings(values, fast, slow, bars, sides): return how many there are"},
    {"equity", py_equity, METH_VARARGS,
     "equity(fills, trades, bid, ask, rates, scales, bars, out)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_columns", "Loops over columns. " SOURCES, 0, methods, NULL, NULL,
                                    NULL, NULL};

PyMODINIT_FUNC PyInit__columns(void) { return PyModuleDef_Init(&module); }
