/* The equity bar by bar, from what was executed: curve.py, in C. */

#ifndef ATRADER_VECTOR_CURVE_H
#define ATRADER_VECTOR_CURVE_H

#include "_equity.h"

#include <stdlib.h>

#define NEARLY_ONE (1.0 - 1e-12)
#define STEP 16                /* bars looked at in one go */
#define MOST_EXACT (1LL << 22) /* steps: times a price, below 2**30, they are exact as float64, and so are differences */

typedef struct {
    const Fill *fills;
    int64_t count, next;
    const TradeRow *trades;
    Valuation value;
    Holding now;
} Account;

/* Work in what was executed up to the end of a bar. */
static void reach(Account *a, int64_t bar) {
    for (; a->next < a->count && a->fills[a->next].bar <= bar; a->next++) {
        const Fill *fill = &a->fills[a->next];
        const TradeRow *trade = &a->trades[fill->trade];
        int64_t steps = trade->side * fill->steps;
        a->now.steps += steps;
        a->now.paid += steps * trade->entry_price;
        a->now.balance = (double)fill->balance / a->value.cents;
    }
}

static void equities(Account *a, const int32_t *bars, int64_t count, double *out) {
    for (int64_t i = 0; i < count; i++) {
        reach(a, bars[i]);
        out[i] = equity_at(&a->value, a->now, bars[i]);
    }
}

typedef struct {
    double peak, drawdown, drawdown_frac, squares, last;
} Path;

static inline void follow(Path *path, double equity) {
    if (equity > path->peak) path->peak = equity;
    double down = path->peak - equity;
    if (down > path->drawdown) path->drawdown = down;
    /* The quotient decides, but is worked out only where it may be the largest. */
    if (down > path->drawdown_frac * path->peak * NEARLY_ONE) {
        double frac = down / path->peak;
        if (frac > path->drawdown_frac) path->drawdown_frac = frac;
    }
}

/* Follow a stretch of the curve: bar by bar only where it holds a new peak or a deeper fall. */
VECTORISED static void follow_all(Path *path, const double *equity, int64_t count) {
    double squares = path->squares, last = path->last;
    for (int64_t first = 0; first < count; first += STEP) {
        int64_t size = count - first < STEP ? count - first : STEP;
        const double *part = equity + first;
        double most = part[0], least = part[0];
        for (int64_t k = 0; k < size; k++) {
            double change = part[k] - last;
            squares += change * change;
            last = part[k];
        }
        for (int64_t k = 0; k < size; k++) {
            most = part[k] > most ? part[k] : most;
            least = part[k] < least ? part[k] : least;
        }
        double down = path->peak - least;
        if (most > path->peak || down > path->drawdown || down > path->drawdown_frac * path->peak * NEARLY_ONE)
            for (int64_t k = 0; k < size; k++) follow(path, part[k]);
    }
    path->squares = squares;
    path->last = last;
}

/* The same as equity_at for bars in which nothing is executed; whole numbers below 2**53 are exact as float64. */
VECTORISED static void value_held(const Valuation *v, Holding held, int64_t first, int64_t end, double *out) {
    const int32_t *price = held.steps > 0 ? v->bid : v->ask;
    if (v->rates || v->tick > 0.0 || llabs(held.steps) >= MOST_EXACT) {
        for (int64_t bar = first; bar < end; bar++) out[bar] = equity_at(v, held, bar);
        return;
    }
    double steps = (double)held.steps, paid = (double)held.paid, worth = v->worth, balance = held.balance;
    for (int64_t bar = first; bar < end; bar++) out[bar] = balance + (steps * price[bar] - paid) * worth;
}

static void curve(Account *a, int64_t count, double *out, Path *path) {
    for (int64_t bar = 0; bar < count;) {
        reach(a, bar);
        int64_t end = a->next < a->count ? a->fills[a->next].bar : count;
        if (a->now.steps) {
            value_held(&a->value, a->now, bar, end, out);
            follow_all(path, out + bar, end - bar);
        } else {
            for (int64_t k = bar; k < end; k++) out[k] = a->now.balance;
            follow_all(path, out + bar, 1); /* once is enough: it stays */
        }
        bar = end;
    }
}

#endif
