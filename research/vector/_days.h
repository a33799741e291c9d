/* Many runs over the same prices, some days after the other: all of them play those while their prices are in the cache. */

#ifndef ATRADER_VECTOR_DAYS_H
#define ATRADER_VECTOR_DAYS_H

#include "_equity.h"
#include "_plain.h"

#define AT_ONCE 4096 /* bars whose prices stay in the cache while all runs play them */
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

static void go_on(Machine *m, int64_t end, Extremes extremes) {
    if (!m->next)
        run_until(m, end, extremes);
    else if (m->s->next_open)
        run_plainly(m, end);
    else
        run_swiftly(m, end, extremes);
}

/* Return the first day after those that are played together. */
static int64_t next_part(const int32_t *ends, int64_t days, int64_t day) {
    int64_t first = day ? ends[day - 1] : 0;
    do day++;
    while (day < days && ends[day] - first <= AT_ONCE);
    return day;
}

/* Put the equity of each run at the end of each day into out, run by run. */
static void run_days(Machine *runs, int64_t count, const Valuation *v, const int32_t *ends, int64_t days, double *out) {
    if (!count) return;
    int64_t bars = runs->p.count;
    for (int64_t day = 0, last; day < days; day = last) {
        last = next_part(ends, days, day);
        int64_t first = day ? (int64_t)ends[day - 1] + 1 : 0, end = (int64_t)ends[last - 1] + 1;
        fetch_day(&runs->p, first, end);
        Extremes extremes = extremes_of(runs, first, end);
        for (int64_t i = 0; i < count; i++)
            for (int64_t k = day; k < last; k++) {
                go_on(&runs[i], (int64_t)ends[k] + 1, extremes);
                out[i * days + k] = equity_at(v, holding_of(&runs[i], v), ends[k]);
            }
    }
    int64_t first = days ? (int64_t)ends[days - 1] + 1 : 0;
    for (int64_t i = 0; i < count; i++) go_on(&runs[i], bars, extremes_of(runs, first, bars));
}

#endif
