/* One bar after the other of those in which something happens, quote by quote. */

#ifndef ATRADER_VECTOR_PLAY_H
#define ATRADER_VECTOR_PLAY_H

#include "_closes.h"
#include "_levels.h"

static void quote(Machine *m, int phase, int32_t bid, int32_t ask) {
    m->phase = phase;
    m->bid = bid;
    m->ask = ask;
    book_days(m);
    if (!(m->held || m->order.waits)) return;
    work(m);
    if (m->s->margin_num) close_out(m);
}

static void inside(Machine *m, int32_t bar) {
    const int32_t low[2] = {m->p.bid_low[bar], m->p.ask_low[bar]}, high[2] = {m->p.bid_high[bar], m->p.ask_high[bar]};
    m->phase = 1;
    int32_t bad = m->side > 0 ? low[0] : high[1], good = m->side > 0 ? high[0] : low[1];
    for (int i = 0; i < m->held;) {
        int before = m->held;
        if (is_stopped(m, &m->open[i], bad))
            stop_out(m, i, m->open[i].stop);
        else
            take(m, i, good);
        if (m->held == before) i++;
    }
    if (m->order.waits) {
        const int32_t *reached = (m->order.side > 0) == (m->s->order_type == LIMIT) ? low : high;
        if (work_order(m, reached[0], reached[1], true)) {
            int last = m->held - 1;
            if (is_stopped(m, &m->open[last], m->side > 0 ? low[0] : high[1])) stop_out(m, last, m->open[last].stop);
        }
    }
    for (int i = 0; i < m->held; i++) trail(m, &m->open[i], m->side > 0 ? high[0] : low[1]);
}

static bool is_day_due(const Machine *m, int64_t bar) {
    return m->next_day < m->days.count && m->days.bar[m->next_day] <= bar;
}

/* Tell whether a quote does nothing, given that nothing happened since the levels were looked up. */
static bool is_idle(const Machine *m, int32_t bid, int32_t ask) {
    if (bid <= m->at_bid.low || bid >= m->at_bid.high || ask <= m->at_ask.low || ask >= m->at_ask.high) return false;
    if (m->order.waits && !m->order.resting) return false; /* a limit order that did not fill at once rests from then on */
    if (!m->s->margin_num || !m->held) return true;
    int32_t price = m->side > 0 ? bid : ask;
    double rate = m->s->rate == GIVEN ? m->rates[m->bar] : inverse(m->s, price);
    return !is_near(m, held_now(m), price, ask, rate);
}

/* Let a quote do what it does; tell whether that is nothing. */
static bool quote_unless_idle(Machine *m, int phase, int32_t bid, int32_t ask, bool is_still) {
    if (!is_still || !is_idle(m, bid, ask)) {
        quote(m, phase, bid, ask);
        return false;
    }
    m->phase = phase;
    m->bid = bid;
    m->ask = ask;
    return true;
}

static void play(Machine *m, bool is_reached) {
    const Prices *p = &m->p;
    int32_t bar = m->bar;
    bool is_still = is_reached && !is_day_due(m, bar); /* nothing happened since the levels were looked up */
    is_still = quote_unless_idle(m, 0, p->bid_open[bar], p->ask_open[bar], is_still);
    if (m->s->stop_before_open && is_leaving(m)) inside(m, bar);
    fill_pending(m);
    if (!is_reached && touched(m, bar, bar + 1) > bar && !is_day_due(m, bar)) return; /* nothing else happens in it */
    if (m->s->in_range) {
        inside(m, bar);
    } else {
        bool rises = p->bid_close[bar] >= p->bid_open[bar];
        for (int phase = 1; phase <= 2; phase++) {
            bool is_low = rises == (phase == 1);
            int32_t bid = is_low ? p->bid_low[bar] : p->bid_high[bar], ask = is_low ? p->ask_low[bar] : p->ask_high[bar];
            is_still = quote_unless_idle(m, phase, bid, ask, is_still);
        }
    }
    quote(m, 3, p->bid_close[bar], p->ask_close[bar]);
}

/* What happens in a bar before its decisions: nothing, what was decided before, or something that prices reach. */
typedef enum { NOTHING, AT_OPEN, REACHED } Happens;

/* Return the next bar before an end at which something happens, and what. */
static int64_t next_bar(Machine *m, int64_t until, Happens *what) {
    bool is_next = m->pending >= 0 || is_leaving(m);
    *what = is_next ? AT_OPEN : NOTHING;
    if (is_next) return m->bar + 1;
    bool is_flat = !(m->held || m->order.waits);
    if (is_flat) /* there is nothing to leave */
        while (m->next_decision < m->d.count && !m->d.entry[m->next_decision]) m->next_decision++;
    int64_t due = m->next_decision < m->d.count ? m->d.bar[m->next_decision] : m->p.count;
    if (is_flat) return due;
    int64_t first = m->quiet > m->bar ? m->quiet : m->bar + 1;
    while (m->next_day < m->days.count && m->days.bar[m->next_day] < first) m->next_day++;
    if (m->next_day < m->days.count && m->days.bar[m->next_day] < due) due = m->days.bar[m->next_day];
    for (int i = 0; i < m->held; i++)
        if (m->open[i].until < due) due = m->open[i].until;
    if (m->order.waits && m->order.expires < due) due = m->order.expires;
    int64_t end = due < until ? due + 1 : until, found = touched(m, first, end);
    m->quiet = found;
    if (found < end || is_day_due(m, due)) *what = REACHED;
    return found < end ? found : due < until ? due : until;
}

typedef struct {
    int32_t lowest, highest;
} Extremes;

static Extremes extremes_of(const Machine *m, int64_t first, int64_t end) {
    if (!m->s->margin_num) return (Extremes){0, 0}; /* nobody asks */
    return (Extremes){lowest(m->p.bid_low, first, end), highest(m->p.ask_most, first, end)};
}

/* Go on until all bars before an end are over; the extremes are those of the bars on the way. */
static void run_until(Machine *m, int64_t end, Extremes extremes) {
    m->lowest = extremes.lowest;
    m->highest = extremes.highest;
    int64_t bar;
    Happens what;
    while ((bar = next_bar(m, end, &what)) < end && !m->is_full) {
        m->bar = (int32_t)bar;
        if (m->trades) fetch_bar(m, bar);
        if (what) play(m, what == REACHED);
        end_of_bar(m);
    }
}

#endif
