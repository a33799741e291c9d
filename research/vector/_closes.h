/* What is decided at the close of a bar, and carried out there or with the next open. */

#ifndef ATRADER_VECTOR_CLOSES_H
#define ATRADER_VECTOR_CLOSES_H

#include "_entries.h"

#define AHEAD 16 /* decisions whose prices are read in advance */

static void fill_pending(Machine *m) {
    if (m->s->next_open) close_leaving(m);
    if (m->pending >= 0) {
        int64_t number = m->pending;
        m->pending = -1;
        decide_entry(m, number, false);
    }
}

static void leave_side(Machine *m, int side) {
    if (m->order.waits && m->order.side == side) m->order.waits = false;
    if (m->pending >= 0 && m->d.entry[m->pending] == side) m->pending = -1;
    if (m->side == side)
        for (int i = 0; i < m->held; i++)
            if (!m->open[i].leaving) m->open[i].leaving = EXIT;
}

/* Fetch the prices of a bar. */
static void fetch_bar(const Machine *m, int64_t bar) {
    const Prices *p = &m->p;
    const int32_t *columns[8] = {p->bid_open, p->bid_high, p->bid_low, p->bid_close,
                                 p->ask_open, p->ask_high, p->ask_low, p->ask_close};
    for (int i = 0; i < 8; i++) __builtin_prefetch(&columns[i][bar]);
}

/* Read the prices that the next decisions find, all at once: they are far apart in memory, and to wait for one after the
   other is most of a run. Only to fetch them does not help: processors leave that out for pages they do not know. */
static void read_ahead(const Machine *m, int64_t number) {
    int64_t end = number + AHEAD < m->d.count ? number + AHEAD : m->d.count;
    int32_t any = 0;
    for (; number < end; number++) {
        int64_t bar = m->d.bar[number] + m->s->next_open;
        if (bar < m->p.count) any |= m->p.bid_open[bar] | m->p.ask_open[bar];
    }
    __asm__ volatile("" : : "r"(any)); /* the compiler may not leave it out */
}

static void decide(Machine *m, int64_t number, bool is_halted) {
    /* Many runs that only count play one day after the other, and it is there. */
    if (m->trades && number % AHEAD == 0) read_ahead(m, number);
    int entry = m->d.entry[number], leave = m->d.leave[number];
    bool is_full = entry && m->held && entry == m->side && m->held >= m->s->most_trades;
    for (int side = 1; side >= -1; side -= 2)
        if (leave == side || leave == 2 || entry == -side) leave_side(m, side);
    if (!(m->s->next_open || is_halted)) close_leaving(m);
    if (!entry || is_full) return;
    m->order.waits = false;
    m->pending = -1;
    if (m->s->next_open)
        m->pending = number;
    else if (is_halted && (!m->s->order_type || (m->held && m->side != entry)))
        m->refused[HALTED]++;
    else
        decide_entry(m, number, is_halted);
}

static void end_of_bar(Machine *m) {
    int32_t bar = m->bar;
    m->phase = AFTER_CLOSE;
    if (!m->s->next_open) {
        m->bid = m->p.bid_close[bar];
        m->ask = m->p.ask_close[bar];
    }
    while (m->next_halt < m->days.halts && m->days.halted[m->next_halt] < bar) m->next_halt++;
    bool is_halted = m->next_halt < m->days.halts && m->days.halted[m->next_halt] == bar;
    while (m->next_decision < m->d.count && m->d.bar[m->next_decision] == bar) {
        decide(m, m->next_decision, is_halted);
        m->next_decision++;
    }
    for (int i = 0; i < m->held; i++)
        if (m->open[i].until <= bar && !m->open[i].leaving) m->open[i].leaving = TIME;
    if (!(m->s->next_open || is_halted)) close_leaving(m);
    if (m->order.waits && m->order.expires <= bar) m->order.waits = false;
}

#endif
