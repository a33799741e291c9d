/* From one event to the next, for runs that hold one trade at a time which ends by its stop, its target or a decision:
   what `run_until` does, in half the time, as such runs need not ask at each bar what else there might be. */

#ifndef ATRADER_VECTOR_SWIFT_H
#define ATRADER_VECTOR_SWIFT_H

#include "_play.h"

/* Fill in, for each decision and the place after the last, which one from there on is the first to do something. */
static void look_ahead(const Decisions *d, Next *next) {
    int32_t none = (int32_t)d->count;
    Next now = next[none] = (Next){none, none, none};
    for (int32_t i = none - 1; i >= 0; i--) {
        if (d->entry[i]) now.entry = i;
        if (d->leave[i] == 1 || d->leave[i] == 2 || d->entry[i] == -1) now.ends_long = i;
        if (d->leave[i] == -1 || d->leave[i] == 2 || d->entry[i] == 1) now.ends_short = i;
        next[i] = now;
    }
}

/* Tell whether a run is of this kind; what single bars ask of it beyond that, the whole machine plays. */
VECTORISED static bool is_swift(const Machine *m) {
    const Settings *s = m->s;
    if (s->next_open || s->in_range || s->protect_next || s->order_type != MARKET) return false;
    if (s->distances) return false; /* slippage may move a stop behind the price: the trade ends as it begins */
    if (s->most_trades != 1 || s->targets || s->rate == GIVEN) return false;
    int32_t other = 0;
    for (int64_t i = 0; i < m->d.count; i++) other |= m->d.trail[i] | (m->d.until[i] ^ NEVER);
    return !other;
}

/* Tell whether the margin may not be covered in the bars that are played now. */
static bool may_be_called(const Machine *m) {
    int32_t stop = m->open->stop, worst;
    if (m->side > 0)
        worst = stop > m->lowest ? stop : m->lowest;
    else
        worst = stop && stop < m->highest ? stop : m->highest;
    return m->s->margin_num && is_near(m, held_now(m), worst, m->highest, inverse(m->s, worst));
}

#ifdef MAY_HAVE_AVX2
#include <immintrin.h>

/* A bit for each of a block of prices that is above a level. */
__attribute__((target("avx2"))) static inline uint32_t above(const int32_t *prices, __m256i level) {
    __m256i first = _mm256_loadu_si256((const __m256i *)prices), second = _mm256_loadu_si256((const __m256i *)prices + 1);
    first = _mm256_cmpgt_epi32(first, level);
    second = _mm256_cmpgt_epi32(second, level);
    return (uint32_t)_mm256_movemask_ps((__m256)first) | (uint32_t)_mm256_movemask_ps((__m256)second) << 8;
}

/* What first_outside does, for columns that go on after the end: whole blocks only, as single bars take longer. */
__attribute__((target("avx2"))) static int64_t first_of_blocks(const int32_t *low, const int32_t *high, Levels levels,
                                                               int64_t first, int64_t end) {
    __m256i floor = _mm256_set1_epi32(levels.low), ceiling = _mm256_set1_epi32(levels.high - 1);
    for (int64_t bar = first; bar < end; bar += BLOCK) {
        uint32_t hits = levels.low > -1 ? ~above(low + bar, floor) & 0xffff : 0;
        if (levels.high < NEVER) hits |= above(high + bar, ceiling);
        if (!hits) continue;
        bar += __builtin_ctz(hits);
        return bar < end ? bar : end;
    }
    return end;
}
#else
static int64_t first_of_blocks(const int32_t *low, const int32_t *high, Levels levels, int64_t first, int64_t end) {
    return first_outside(low, high, levels, first, end);
}
#endif

/* Return the first bar that reaches the stop or the target of the trade. */
static int64_t first_end(const Machine *m, int64_t first, int64_t end) {
    bool is_long = m->side > 0;
    int32_t under = is_long ? m->open->stop : m->open->target, over = is_long ? m->open->target : m->open->stop;
    const int32_t *low = is_long ? m->p.bid_low : m->p.ask_least, *high = is_long ? m->p.bid_high : m->p.ask_most;
    Levels levels = {under ? under : -1, over ? over : NEVER};
    bool is_inside = end + BLOCK <= m->p.count;
    return (is_inside && has_avx2() ? first_of_blocks : first_outside)(low, high, levels, first, end);
}

static void at_quote(Machine *m, int phase, int32_t bid, int32_t ask) {
    m->phase = phase;
    m->bid = bid;
    m->ask = ask;
}

/* Let the quotes of a bar end the trade. */
static void end_inside(Machine *m, int64_t bar) {
    const Prices *p = &m->p;
    const Trade *t = m->open;
    m->bar = (int32_t)bar;
    at_quote(m, 0, p->bid_open[bar], p->ask_open[bar]);
    if (!t->target && m->side > 0 && m->bid > t->stop) { /* mostly: then it is the low, as bids lie inside of their bar */
        at_quote(m, 1, p->bid_low[bar], p->ask_low[bar]);
        stop_out(m, 0, m->bid);
        return;
    }
    exit_at(m, 0, closing(m));
    bool rises = p->bid_close[bar] >= p->bid_open[bar];
    for (int phase = 1; m->held && phase <= 2; phase++) {
        bool is_low = rises == (phase == 1);
        at_quote(m, phase, is_low ? p->bid_low[bar] : p->bid_high[bar], is_low ? p->ask_low[bar] : p->ask_high[bar]);
        exit_at(m, 0, closing(m));
    }
    if (!m->held) return;
    at_quote(m, 3, p->bid_close[bar], p->ask_close[bar]);
    exit_at(m, 0, closing(m));
}

static void at_close(Machine *m, int64_t bar) {
    m->bar = (int32_t)bar;
    at_quote(m, AFTER_CLOSE, m->p.bid_close[bar], m->p.ask_close[bar]);
}

static bool is_halted(Machine *m, int64_t bar) {
    while (m->next_halt < m->days.halts && m->days.halted[m->next_halt] < bar) m->next_halt++;
    return m->next_halt < m->days.halts && m->days.halted[m->next_halt] == bar;
}

/* Leave out the decisions before a bar, up to the one that ends the trade: what they want is held. */
static void leave_out(Machine *m, int64_t bar, int64_t ending) {
    if (m->next[m->next_decision].entry >= ending)
        m->next_decision = ending; /* mostly: none of them enters */
    else
        while (m->next_decision < ending && m->d.bar[m->next_decision] < bar) m->next_decision++;
}

enum { DONE };

/* Play on to an end and return DONE; or return until where the whole machine is to go on. */
static int64_t play_swiftly(Machine *m, int64_t end) {
    const Decisions *d = &m->d;
    for (;;) {
        if (!m->held) {
            int64_t number = m->next_decision = m->next[m->next_decision].entry;
            if (number == d->count || d->bar[number] >= end) return DONE;
            at_close(m, d->bar[number]);
            m->next_decision++;
            if (is_halted(m, m->bar))
                m->refused[HALTED]++;
            else
                decide_entry(m, number, false);
            continue;
        }
        Trade *t = m->open;
        if (t->leaving) return m->bar + 1 < end ? m->bar + 2 : DONE; /* decided as the market closed */
        Next next = m->next[m->next_decision];
        int64_t ending = m->side > 0 ? next.ends_long : next.ends_short;
        int64_t due = ending < d->count ? d->bar[ending] : end, until = due < end ? due + 1 : end;
        int64_t first = m->quiet > m->bar ? m->quiet : m->bar + 1;
        if (first < until) {
            while (m->next_day < m->days.count && m->days.bar[m->next_day] < first) m->next_day++;
            bool is_booked = m->next_day < m->days.count && m->days.bar[m->next_day] < until;
            if (is_booked) until = m->days.bar[m->next_day];
            bool is_near = may_be_called(m);
            m->quiet = is_near ? first : first_end(m, first, until);
            if (m->quiet < until && !is_near) {
                end_inside(m, m->quiet);
                leave_out(m, m->quiet, ending);
                continue;
            }
            if (is_near || is_booked) {
                leave_out(m, m->quiet, ending);
                return is_near ? end : until + 1;
            }
        }
        if (due >= end) return DONE;
        if (is_halted(m, due)) {
            leave_out(m, due, ending);
            return due + 1;
        }
        at_close(m, due);
        m->next_decision = ending + (d->entry[ending] == m->side); /* which would have been one too many */
        close_trade(m, 0, t->steps, worse_exit(m, t, closing(m), AT_EXIT), EXIT);
    }
}

static void run_swiftly(Machine *m, int64_t end, Extremes extremes) {
    m->lowest = extremes.lowest;
    m->highest = extremes.highest;
    for (int64_t until; (until = play_swiftly(m, end)) != DONE;) run_until(m, until, extremes);
}

#endif
