/* Prices as whole ticks, and whether bars are bars. */

#ifndef ATRADER_VECTOR_BARS_H
#define ATRADER_VECTOR_BARS_H

#include "_shared.h"

/* Put prices as the nearest ticks into out; tell whether all of them are prices that fit. */
VECTORISED static bool to_ticks(const double *prices, int64_t count, double tick, int32_t highest, int32_t *out) {
    int32_t wrong = 0;
    double most = highest;
    for (int64_t i = 0; i < count; i++) {
        double ticks = rint(prices[i] / tick);
        ticks = ticks >= 1.0 ? ticks : 0.0; /* for NaN, too */
        ticks = ticks < most ? ticks : 0.0;
        out[i] = (int32_t)ticks;
        wrong |= out[i] == 0;
    }
    return !wrong;
}

/* Put the prices so many distances away, as the nearest ticks, into out where something is entered, else and for NaN 0;
   tell whether all of them are prices that fit. */
VECTORISED static bool levels(const double *paid, const double *away, int64_t count, double multiple, double tick,
                              int32_t highest, const int8_t *entry, int32_t *out) {
    int64_t wrong = 0;
    for (int64_t i = 0; i < count; i++) {
        double ticks = rint((paid[i] + multiple * away[i]) / tick);
        ticks = entry[i] && ticks == ticks ? ticks : 0.0;
        bool fits = ticks >= 0.0 && ticks < highest;
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

#endif
