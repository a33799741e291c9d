/* Where something can happen: the next bar that reaches a price, or endangers the margin. */

#ifndef ATRADER_VECTOR_LEVELS_H
#define ATRADER_VECTOR_LEVELS_H

#include "_exits.h"

#define BLOCK 16 /* bars looked at in one go: wide enough for the compiler to use vector instructions */
#define PART 64  /* bars whose extremes are looked up before each of them is */

static void add_high(Levels *levels, int64_t price) {
    if (price < levels->high) levels->high = (int32_t)price;
}

static void add_low(Levels *levels, int64_t price) {
    if (price > levels->low) levels->low = (int32_t)(price < NEVER ? price : NEVER);
}

static void levels_of(const Machine *m, Levels *bid, Levels *ask) {
    *bid = *ask = (Levels){-1, NEVER};
    Levels *mine = m->side > 0 ? bid : ask;
    for (int i = 0; i < m->held; i++) {
        const Trade *t = &m->open[i];
        int64_t winning[3] = {t->target, 0, 0};
        if (t->distance && t->stage < m->s->targets) winning[1] = level_of(m, t);
        if (t->trail) winning[2] = t->stop + m->side * (t->trail + 1);
        if (m->side > 0) {
            if (t->stop) add_low(mine, t->stop);
            for (int k = 0; k < 3; k++)
                if (winning[k]) add_high(mine, winning[k]);
        } else {
            if (t->stop) add_high(mine, t->stop);
            for (int k = 0; k < 3; k++)
                if (winning[k]) add_low(mine, winning[k]);
        }
    }
    if (m->order.waits) {
        bool falls = (m->order.side > 0) == (m->s->order_type == LIMIT);
        Levels *its = m->order.side > 0 ? ask : bid;
        if (falls)
            add_low(its, m->order.price);
        else
            add_high(its, m->order.price);
    }
}

VECTORISED static int32_t lowest(const int32_t *prices, int64_t first, int64_t end) {
    int32_t found = NEVER;
    for (int64_t bar = first; bar < end; bar++) found = prices[bar] < found ? prices[bar] : found;
    return found;
}

VECTORISED static int32_t highest(const int32_t *prices, int64_t first, int64_t end) {
    int32_t found = 0;
    for (int64_t bar = first; bar < end; bar++) found = prices[bar] > found ? prices[bar] : found;
    return found;
}

/* Tell whether the margin may not be covered in some of the bars, given that rates go with prices. */
static bool is_near_in(const Machine *m, Held held, int64_t first, int64_t end) {
    int32_t most = highest(m->p.ask_most, first, end), worst = m->side > 0 ? lowest(m->p.bid_low, first, end) : most;
    return is_near(m, held, worst, most, inverse(m->s, worst));
}

/* Return the first bar in which the margin may not be covered, given the worst price that any of them can have. */
static int64_t first_near(const Machine *m, int32_t worst, int64_t first, int64_t end) {
    const Settings *s = m->s;
    Held held = held_now(m);
    if (s->rate != GIVEN && !is_near(m, held, worst, m->highest, inverse(s, worst))) return end;
    for (int64_t part = first; part < end; part += PART) {
        int64_t stop = end - part < PART ? end : part + PART;
        if (s->rate != GIVEN && !is_near_in(m, held, part, stop)) continue;
        for (int64_t bar = part; bar < stop; bar++) {
            worst = m->side > 0 ? m->p.bid_low[bar] : m->p.ask_most[bar];
            if (is_near(m, held, worst, m->p.ask_most[bar], s->rate == GIVEN ? m->rates[bar] : inverse(s, worst)))
                return bar;
        }
    }
    return end;
}

/* Return the first bar that falls to the low level, or rises to the high one; a level that is out of reach costs nothing. */
VECTORISED static int64_t first_outside(const int32_t *low, const int32_t *high, Levels levels, int64_t first, int64_t end) {
    int64_t bar = first;
    for (; bar + BLOCK <= end; bar += BLOCK) {
        int32_t any = 0;
        if (levels.low > -1)
            for (int k = 0; k < BLOCK; k++) any |= low[bar + k] <= levels.low;
        if (levels.high < NEVER)
            for (int k = 0; k < BLOCK; k++) any |= high[bar + k] >= levels.high;
        if (any) break;
    }
    for (; bar < end; bar++)
        if (low[bar] <= levels.low || high[bar] >= levels.high) return bar;
    return end;
}

static int64_t touched(Machine *m, int64_t first, int64_t end) {
    levels_of(m, &m->at_bid, &m->at_ask);
    Levels bid = m->at_bid, ask = m->at_ask;
    if (bid.low > -1 || bid.high < NEVER) end = first_outside(m->p.bid_low, m->p.bid_high, bid, first, end);
    if (ask.low > -1 || ask.high < NEVER) end = first_outside(m->p.ask_least, m->p.ask_most, ask, first, end);
    if (m->s->margin_num && m->held && first < end) {
        /* The bars before the end have not reached a stop. */
        int32_t worst = m->side > 0 ? (bid.low > m->lowest ? bid.low : m->lowest)
                                    : (ask.high < m->highest ? ask.high : m->highest);
        end = first_near(m, worst, first, end);
    }
    return end;
}

static bool is_leaving(const Machine *m) {
    for (int i = 0; i < m->held; i++)
        if (m->open[i].leaving) return true;
    return false;
}

#endif
