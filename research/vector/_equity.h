/* What the account is worth at the close of a bar: curve.py, in C. */

#ifndef ATRADER_VECTOR_EQUITY_H
#define ATRADER_VECTOR_EQUITY_H

#include "_shared.h"

typedef struct {
    const int32_t *bid, *ask; /* closes */
    const double *rates;      /* NULL: by the own price if there is a tick, else 1 */
    double tick, worth, cents, initial;
} Valuation;

typedef struct {
    int64_t steps, paid; /* steps are negative when short; paid is price times steps */
    double balance;
} Holding;

static inline double equity_at(const Valuation *v, Holding holding, int64_t bar) {
    if (!holding.steps) return holding.balance;
    int32_t price = holding.steps > 0 ? v->bid[bar] : v->ask[bar];
    double floating = (double)(holding.steps * price - holding.paid) * v->worth;
    if (v->rates)
        floating *= v->rates[bar];
    else if (v->tick > 0.0)
        floating *= 2.0 / ((double)((int64_t)v->bid[bar] + v->ask[bar]) * v->tick);
    return holding.balance + floating;
}

#endif
