/* Bars as whole ticks, and whether they are bars. */

#ifndef ATRADER_VECTOR_BARS_H
#define ATRADER_VECTOR_BARS_H

#include "_shared.h"

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

#endif
