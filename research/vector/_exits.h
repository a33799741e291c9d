/* How prices end trades, or parts of them, and move their stops. */

#ifndef ATRADER_VECTOR_EXITS_H
#define ATRADER_VECTOR_EXITS_H

#include "_book.h"

static int64_t level_of(const Machine *m, const Trade *t) {
    return t->price + m->side * (int64_t)rint(m->s->target_r[t->stage] * (double)t->distance);
}

static bool is_protected(const Machine *m, const Trade *t) { return !(m->s->protect_next && t->bar == m->bar); }

static bool is_stopped(const Machine *m, const Trade *t, int32_t price) {
    return t->stop && (t->stop - price) * m->side >= 0 && is_protected(m, t);
}

static void stop_out(Machine *m, int place, int32_t price) {
    Trade *t = &m->open[place];
    close_trade(m, place, t->steps, worse_exit(m, t, price, AT_BROKER), t->trail ? TRAILING_STOP : STOP_LOSS);
}

/* Take the targets that a price has reached; tell whether anything changed. The trade may be gone afterwards. */
static bool take(Machine *m, int place, int32_t price) {
    Trade *t = &m->open[place];
    if (!is_protected(m, t)) return false;
    bool changed = false;
    while (t->distance && t->stage < m->s->targets) {
        int64_t level = level_of(m, t);
        if ((price - level) * m->side < 0) break;
        changed = true;
        int64_t part = (int64_t)((wide)t->opened * m->s->target_parts[t->stage] / PARTS_PER_UNIT);
        t->stage++;
        if (part >= t->steps) { /* the shares come to the whole trade */
            close_trade(m, place, t->steps, (int32_t)level, TARGET);
            return true;
        }
        if (m->s->least_steps <= part) close_trade(m, place, part, (int32_t)level, TARGET);
        if (t->stage == m->s->break_even_after && (t->price - t->stop) * m->side > 0) t->stop = t->price;
    }
    if (t->target && (price - t->target) * m->side >= 0) {
        close_trade(m, place, t->steps, t->target, TAKE_PROFIT);
        return true;
    }
    return changed;
}

static bool exit_at(Machine *m, int place, int32_t price) {
    Trade *t = &m->open[place];
    if (is_stopped(m, t, price)) {
        stop_out(m, place, m->s->in_range && m->phase == 3 ? t->stop : price);
        return true;
    }
    return take(m, place, price);
}

static bool trail(Machine *m, Trade *t, int32_t price) {
    int32_t moved = price - m->side * t->trail;
    if (!t->trail || (moved - t->stop) * m->side <= 0) return false;
    t->stop = moved;
    return true;
}

#endif
