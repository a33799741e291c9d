/* Loops over whole columns for the vector engine: averages and crossings, the equity bar by bar.

   averages.py and curve.py have the same in numpy: the same operations in the same order, so that both give the same to the last bit.
   The GIL is released; all output goes into arrays the caller made. */

#include "_shared.h"

#include <string.h>

#define BLOCK 128 /* bars worked on in one go */

typedef struct {
    const Fill *fills;
    int64_t count, next;
    const int32_t *bid, *ask;
    const TradeRow *trades;
    const double *rates;
    double tick, worth, cents, balance;
    int64_t held, paid; /* steps, negative when short; price times steps */
} Account;

/* -- bars */

/* Put prices as the nearest ticks into out; tell whether all of them are prices that fit. */
VECTORISED static bool to_ticks(const double *prices, int64_t count, double tick, int32_t highest, int32_t *out) {
    int64_t wrong = 0;
    for (int64_t i = 0; i < count; i++) {
        double ticks = rint(prices[i] / tick);
        bool fits = ticks >= 1.0 && ticks < highest; /* false for NaN */
        out[i] = (int32_t)(fits ? ticks : 0.0);
        wrong += !fits;
    }
    return !wrong;
}

VECTORISED static bool is_sane(const double *open, const double *high, const double *low, const double *close,
                               int64_t count) {
    int64_t wrong = 0;
    for (int64_t i = 0; i < count; i++)
        wrong += !((high[i] >= open[i]) & (high[i] >= close[i]) & (low[i] <= open[i]) & (low[i] <= close[i]));
    return !wrong;
}

/* -- averages and crossings */

VECTORISED static void moving_average(const int32_t *values, int64_t count, int64_t period, double *out) {
    int64_t sum = 0, known = period - 1 < count ? period - 1 : count;
    for (int64_t i = 0; i < known; i++) {
        sum += values[i];
        out[i] = NAN;
    }
    for (int64_t i = known; i < count; i++) {
        sum += values[i];
        out[i] = (double)sum / (double)period;
        sum -= values[i - known];
    }
}

/* Wilder's average of the true ranges: their seed is a mean, each later one (last * (n - 1) + range) / n. */
static void average_range(const int32_t *high, const int32_t *low, const int32_t *close, int64_t count, int64_t period,
                          double *out) {
    double kept = (double)(period - 1), whole = (double)period, last = 0.0;
    for (int64_t i = 0; i < count; i++) {
        int32_t before = i ? close[i - 1] : high[i];
        int32_t top = high[i] > before ? high[i] : before, bottom = low[i] < before ? low[i] : before;
        double range = (double)(top - bottom);
        if (i > period) {
            last = (last * kept + range) / whole;
        } else {
            last += i ? range : 0.0;
            if (i == period) last /= whole;
        }
        out[i] = i < period ? NAN : last;
    }
}

typedef struct {
    int32_t *bars;
    int8_t *sides;
    int64_t count, room;
} Crossings;

static inline void note(Crossings *found, int64_t bar, int side) {
    if (found->count < found->room) {
        found->bars[found->count] = (int32_t)bar;
        found->sides[found->count] = (int8_t)side;
    }
    found->count++;
}

enum { UNKNOWN = 2, GROUP = 16 };

typedef double Doubles __attribute__((vector_size(32)));
typedef int64_t Longs __attribute__((vector_size(32)));

/* Note the crossings of two columns in a stretch; was: which one was above before it (1, -1, 0 none, or UNKNOWN). */
VECTORISED static int compare(const double *fast, const double *slow, int64_t first, int64_t size, int was,
                              Crossings *found) {
    for (int64_t k = 0; k < size; k += GROUP) {
        int64_t end = size - k < GROUP ? size : k + GROUP;
        if (end == k + GROUP && (was == 1 || was == -1)) {
            const double *upper = was > 0 ? fast + k : slow + k, *under = was > 0 ? slow + k : fast + k;
            Longs stays = {-1, -1, -1, -1};
            for (int at = 0; at < GROUP; at += 4) {
                Doubles more, less;
                memcpy(&more, upper + at, sizeof more);
                memcpy(&less, under + at, sizeof less);
                stays &= more > less;
            }
            if (stays[0] & stays[1] & stays[2] & stays[3]) continue;
        }
        for (int64_t at = k; at < end; at++) {
            bool is_known = fast[at] == fast[at] && slow[at] == slow[at];
            int is = is_known ? (fast[at] > slow[at]) - (fast[at] < slow[at]) : UNKNOWN;
            if (is != was && is != 0 && is_known && was != UNKNOWN) note(found, first + at, is);
            was = is;
        }
    }
    return was;
}

/* One block of an average, given the sum of the period - 1 values before it (fewer at the beginning). */
VECTORISED static void average_block(const int32_t *values, int64_t first, int64_t size, int64_t period, int64_t *sum,
                                     double *out) {
    int64_t sums[BLOCK];
    for (int64_t k = 0; k < size; k++) {
        int64_t i = first + k;
        *sum += values[i];
        sums[k] = *sum;
        if (i >= period - 1) *sum -= values[i - period + 1];
    }
    for (int64_t k = 0; k < size; k++) out[k] = (double)sums[k] / (double)period;
    for (int64_t k = 0; k < size && first + k < period - 1; k++) out[k] = NAN;
}

/* Crossings of many pairs of averages, block by block, so that the averages stay in the cache. */
static void grid_crossings(const int32_t *values, int64_t count, const int64_t *periods, int64_t period_count,
                           const int32_t *pairs, int64_t pair_count, Crossings *found, double *averages, int64_t *sums,
                           int8_t *last) {
    for (int64_t first = 0; first < count; first += BLOCK) {
        int64_t size = count - first < BLOCK ? count - first : BLOCK;
        for (int64_t p = 0; p < period_count; p++)
            average_block(values, first, size, periods[p], &sums[p], averages + p * BLOCK);
        for (int64_t pair = 0; pair < pair_count; pair++) {
            const double *fast = averages + pairs[2 * pair] * BLOCK, *slow = averages + pairs[2 * pair + 1] * BLOCK;
            last[pair] = (int8_t)compare(fast, slow, first, size, last[pair], &found[pair]);
        }
    }
}

VECTORISED static void average_crossings(const int32_t *values, int64_t count, int64_t fast, int64_t slow, Crossings *found) {
    int64_t longest = fast > slow ? fast : slow;
    if (count < longest) return;
    int64_t fast_sum = 0, slow_sum = 0;
    for (int64_t i = longest - fast; i < longest; i++) fast_sum += values[i];
    for (int64_t i = longest - slow; i < longest; i++) slow_sum += values[i];
    int64_t apart = fast_sum * slow - slow_sum * fast, moves[BLOCK];
    int32_t fast_bars = (int32_t)fast, slow_bars = (int32_t)slow;
    bool above = apart > 0, below = apart < 0;
    for (int64_t first = longest; first < count; first += BLOCK) {
        const int32_t *now = values + first;
        int64_t size = count - first < BLOCK ? count - first : BLOCK;
        for (int64_t k = 0; k < size; k++)
            moves[k] = (int64_t)(now[k] - now[k - fast]) * slow_bars - (int64_t)(now[k] - now[k - slow]) * fast_bars;
        for (int64_t k = 0; k < size; k++) {
            apart += moves[k];
            bool is_above = apart > 0, is_below = apart < 0;
            if (is_above == above && is_below == below) continue;
            if (is_above && !above) note(found, first + k, 1);
            if (is_below && !below) note(found, first + k, -1);
            above = is_above;
            below = is_below;
        }
    }
}

/* -- equity */

static double equity_at(const Account *a, int64_t bar) {
    int32_t price = a->held > 0 ? a->bid[bar] : a->ask[bar];
    double floating = (double)(a->held * price - a->paid) * a->worth;
    if (a->rates)
        floating *= a->rates[bar];
    else if (a->tick > 0.0)
        floating *= 2.0 / ((double)((int64_t)a->bid[bar] + a->ask[bar]) * a->tick);
    return a->balance + floating;
}

/* Work in what was executed up to the end of a bar. */
static void reach(Account *a, int64_t bar) {
    for (; a->next < a->count && a->fills[a->next].bar <= bar; a->next++) {
        const Fill *fill = &a->fills[a->next];
        const TradeRow *trade = &a->trades[fill->trade];
        int64_t steps = trade->side * fill->steps;
        a->held += steps;
        a->paid += steps * trade->entry_price;
        a->balance = (double)fill->balance / a->cents;
    }
}

static void equities(Account *a, const int32_t *bars, int64_t count, double *out) {
    for (int64_t i = 0; i < count; i++) {
        reach(a, bars[i]);
        out[i] = a->held ? equity_at(a, bars[i]) : a->balance;
    }
}

typedef struct {
    double peak, drawdown, drawdown_frac, squares, last;
} Path;

static inline void follow(Path *path, double equity) {
    double change = equity - path->last;
    path->squares += change * change;
    path->last = equity;
    if (equity > path->peak) path->peak = equity;
    double down = path->peak - equity;
    if (down > path->drawdown) path->drawdown = down;
    /* The quotient decides, but is worked out only where it may be the largest. */
    if (down > path->drawdown_frac * path->peak * (1.0 - 1e-12)) {
        double frac = down / path->peak;
        if (frac > path->drawdown_frac) path->drawdown_frac = frac;
    }
}

VECTORISED static void curve(Account *a, int64_t count, double *out, Path *path) {
    for (int64_t bar = 0; bar < count;) {
        reach(a, bar);
        int64_t end = a->next < a->count ? a->fills[a->next].bar : count;
        if (a->held) {
            for (; bar < end; bar++) {
                out[bar] = equity_at(a, bar);
                follow(path, out[bar]);
            }
        } else {
            follow(path, a->balance); /* once is enough: it stays */
            for (; bar < end; bar++) out[bar] = a->balance;
        }
    }
}

/* -- Python */

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
    double *averages = sides ? PyMem_Malloc((size_t)(period_count * BLOCK + 1) * sizeof(double)) : NULL;
    int64_t *sums = sides ? PyMem_Calloc((size_t)period_count + 1, sizeof(int64_t)) : NULL;
    int8_t *last = sides ? PyMem_Malloc((size_t)pair_count + 1) : NULL;
    bool is_fine = found && averages && sums && last;
    if (is_fine) {
        int64_t each = pair_count ? room / pair_count : 0;
        for (int64_t pair = 0; pair < pair_count; pair++)
            found[pair] = (Crossings){bars + pair * each, sides + pair * each, 0, each};
        memset(last, UNKNOWN, (size_t)pair_count);
        Py_BEGIN_ALLOW_THREADS
        grid_crossings(values, count, periods, period_count, pairs, pair_count, found, averages, sums, last);
        Py_END_ALLOW_THREADS
        for (int64_t pair = 0; pair < pair_count; pair++) counts[pair] = found[pair].count;
    } else if (sides) {
        PyErr_NoMemory();
    }
    PyMem_Free(found);
    PyMem_Free(averages);
    PyMem_Free(sums);
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
    Account a = {0};
    if (!PyArg_ParseTuple(args, "OOOOOddddOO", &fills, &trades, &bid, &ask, &rates, &a.tick, &a.worth, &a.cents,
                          &a.balance, &bars_of, &out_of))
        return NULL;
    Views views = {.count = 0};
    int64_t bars_count = -1, prices = -1, trade_count = -1;
    a.count = -1;
    const int32_t *bars = NULL;
    double *out = NULL;
    a.fills = memory(&views, fills, sizeof(Fill), &a.count, PyBUF_SIMPLE);
    if (a.fills) a.trades = memory(&views, trades, sizeof(TradeRow), &trade_count, PyBUF_SIMPLE);
    if (a.trades) a.bid = memory(&views, bid, 4, &prices, PyBUF_SIMPLE);
    if (a.bid) a.ask = memory(&views, ask, 4, &prices, PyBUF_SIMPLE);
    bool is_fine = a.ask != NULL;
    if (is_fine && rates != Py_None) is_fine = (a.rates = memory(&views, rates, 8, &prices, PyBUF_SIMPLE)) != NULL;
    if (is_fine && bars_of != Py_None) is_fine = (bars = memory(&views, bars_of, 4, &bars_count, PyBUF_SIMPLE)) != NULL;
    if (is_fine) is_fine = (out = memory(&views, out_of, 8, bars ? &bars_count : &prices, PyBUF_WRITABLE)) != NULL;
    Path path = {.peak = a.balance, .last = a.balance};
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
    {"is_sane", py_is_sane, METH_VARARGS, "is_sane(open, high, low, close): tell whether open and close lie inside"},
    {"moving_average", py_moving_average, METH_VARARGS, "moving_average(values, period, out)"},
    {"average_range", py_average_range, METH_VARARGS, "average_range(high, low, close, period, out)"},
    {"crossings", py_crossings, METH_VARARGS, "crossings(fast, slow, bars, sides): return how many there are"},
    {"grid_crossings", py_grid_crossings, METH_VARARGS, "grid_crossings(values, periods, pairs, bars, sides, counts)"},
    {"average_crossings", py_average_crossings, METH_VARARGS,
     "average_crossings(values, fast, slow, bars, sides): return how many there are"},
    {"equity", py_equity, METH_VARARGS,
     "equity(fills, trades, bid, ask, rates, tick, worth, cents, balance, bars, out)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_columns", "Loops over columns.", 0, methods, NULL, NULL,
                                    NULL, NULL};

PyMODINIT_FUNC PyInit__columns(void) { return PyModuleDef_Init(&module); }
