/* Many runs over the same prices, day by day: all of them play a day while its prices are in the cache. */

#ifndef ATRADER_VECTOR_DAYS_H
#define ATRADER_VECTOR_DAYS_H

#include "_equity.h"
#include "_play.h"

#define LINE 16 /* bars in a line of the cache */

static Holding holding_of(const Machine *m, const Valuation *v) {
    /* A balance is counted in cents from the first fill on. */
    Holding sum = {0, 0, m->fill_count ? (double)m->balance / v->cents : v->initial};
    for (int i = 0; i < m->held; i++) {
        sum.steps += m->side * m->open[i].steps;
        sum.paid += m->side * m->open[i].steps * m->open[i].price;
    }
    return sum;
}

/* Fetch the prices of all bars of a day: with many runs most of them will be looked at by one or the other. */
static void fetch_day(const Prices *p, int64_t first, int64_t end) {
    const int32_t *columns[8] = {p->bid_open, p->bid_high, p->bid_low, p->bid_close,
                                 p->ask_open, p->ask_high, p->ask_low, p->ask_close};
    for (int i = 0; i < 8; i++)
        if (i < 4 || columns[i] != columns[i - 4])
            for (int64_t bar = first; bar < end; bar += LINE) __builtin_prefetch(&columns[i][bar]);
}

/* Put the equity of each run at the end of each day into out, run by run. */
static void run_days(Machine *runs, int64_t count, const Valuation *v, const int32_t *ends, int64_t days, double *out) {
    if (!count) return;
    int64_t first = 0, bars = runs->p.count;
    for (int64_t day = 0; day < days; day++) {
        int64_t end = (int64_t)ends[day] + 1;
        if (day + 1 < days) fetch_day(&runs->p, end, (int64_t)ends[day + 1] + 1);
        Extremes extremes = extremes_of(runs, first, end);
        for (int64_t i = 0; i < count; i++) {
            run_until(&runs[i], end, extremes);
            out[i * days + day] = equity_at(v, holding_of(&runs[i], v), ends[day]);
        }
        first = end;
    }
    for (int64_t i = 0; i < count; i++) run_until(&runs[i], bars, extremes_of(runs, first, bars));
}

#endif
