/* From one decision to the next, for runs in which nothing else ends a trade: what `run_until` does, in a quarter of the
   time. Decisions are carried out at the open of the bar after theirs; plain.py knows such runs, too. */

#ifndef ATRADER_VECTOR_PLAIN_H
#define ATRADER_VECTOR_PLAIN_H

#include "_swift.h"

/* Tell whether a run is of this kind. */
static bool is_plain(const Machine *m) {
    const Settings *s = m->s;
    const Decisions *d = &m->d;
    if (!s->next_open || s->order_type != MARKET || s->most_trades != 1 || s->margin_num || m->days.count) return false;
    int32_t other = 0, before = -1;
    for (int64_t i = 0; i < d->count; i++) {
        other |= d->stop[i] | d->target[i] | d->trail[i] | (d->until[i] ^ NEVER) | (d->bar[i] == before);
        other |= d->entry[i] && (d->leave[i] == d->entry[i] || d->leave[i] == 2); /* would close what it is not to open again */
        before = d->bar[i];
    }
    return !other;
}

static void run_plainly(Machine *m, int64_t end) {
    const Decisions *d = &m->d;
    for (int64_t ahead = 0;;) {
        Next next = m->next[m->next_decision];
        int64_t number = !m->held ? next.entry : m->side > 0 ? next.ends_long : next.ends_short;
        if (number == d->count || d->bar[number] + 1 >= end) return;
        if (m->trades && number >= ahead) {
            read_ahead(m, number);
            ahead = number + AHEAD;
        }
        int64_t bar = d->bar[number] + 1;
        m->bar = (int32_t)bar;
        at_quote(m, 0, m->p.bid_open[bar], m->p.ask_open[bar]);
        m->next_decision = number + 1;
        if (m->held) close_trade(m, 0, m->open->steps, worse_exit(m, m->open, closing(m), AT_EXIT), EXIT);
        if (d->entry[number]) decide_entry(m, number, false);
    }
}

#endif
