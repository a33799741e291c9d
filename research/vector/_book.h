/* What a run holds, and what every execution does to it: book.py, in C. */

#ifndef ATRADER_VECTOR_BOOK_H
#define ATRADER_VECTOR_BOOK_H

#include "_money.h"

static double rate_now(const Machine *m, bool raw) {
    if (m->s->rate == OWN) {
        int64_t twice = (int64_t)m->bid + m->ask + (raw ? m->s->spread_bid - m->s->spread_ask : 0);
        return own_rate(twice, m->s->tick);
    }
    return m->rates ? m->rates[m->bar] : 1.0;
}

static int32_t closing(const Machine *m) { return m->side > 0 ? m->bid : m->ask; }

static int32_t worse(const Machine *m, int32_t price, int side, int32_t decision, int kind) {
    int64_t slippage = m->slips ? m->slips[(int64_t)decision * SLIPS + kind] : m->s->slippage;
    int64_t slipped = price + side * slippage;
    return slipped < 1 ? 1 : (int32_t)slipped;
}

/* Return the price at which a trade is closed now, at the market. */
static int32_t worse_exit(const Machine *m, const Trade *t, int32_t price, int kind) {
    return worse(m, price, -m->side, m->slips ? m->trades[t->number].decision : 0, kind);
}

static int64_t floating(const Machine *m, const Trade *t, int32_t price, double rate) {
    return value(m->s, (int64_t)(price - t->price) * m->side * t->steps, rate);
}

/* Return what the account is worth, by the broker's quote or (as the gate has it: raw) by the market's own. */
static int64_t equity_now(const Machine *m, bool raw) {
    int64_t sum = m->balance;
    if (m->held) {
        int32_t extra = (int32_t)(m->side > 0 ? m->s->spread_bid : -m->s->spread_ask);
        int32_t price = closing(m) + (raw ? extra : 0);
        double rate = rate_now(m, raw);
        for (int i = 0; i < m->held; i++) sum += floating(m, &m->open[i], price, rate);
    }
    return sum;
}

static int64_t steps_held(const Machine *m) {
    int64_t sum = 0;
    for (int i = 0; i < m->held; i++) sum += m->open[i].steps;
    return sum;
}

static void book(Machine *m, int32_t trade, int32_t price, int reason, int64_t steps, int64_t profit, int64_t paid) {
    int64_t place = m->fill_count++;
    if (!m->fills) return;
    if (place == m->fill_room) {
        m->is_full = true;
        m->fill_count--;
        return;
    }
    m->fills[place] = (Fill){trade, m->bar, price, (int8_t)m->phase, (int8_t)reason, 0, steps, profit, paid, m->balance};
}

/* Write down in the row of a trade that steps of it were closed. */
static void note_exit(Machine *m, const Trade *t, int64_t value, int reason, int64_t profit, int64_t paid) {
    if (!m->trades) return;
    TradeRow *row = &m->trades[t->number];
    row->reason = (int8_t)reason;
    row->left = t->steps;
    row->closed_value += value;
    row->profit += profit;
    row->commission += paid;
    if (!t->steps) {
        row->exit_bar = m->bar;
        row->exit_phase = (int8_t)m->phase;
    }
}

/* Close steps of the trade in a place; when it is over, those behind it move up. */
static void close_trade(Machine *m, int place, int64_t steps, int32_t price, int reason) {
    Trade *t = &m->open[place];
    double rate = rate_now(m, false);
    int64_t profit = value(m->s, (int64_t)(price - t->price) * m->side * steps, rate);
    int64_t paid = commission_of(m->s, price * steps, rate);
    int32_t number = t->number;
    m->balance += profit + paid;
    t->steps -= steps;
    note_exit(m, t, price * steps, reason, profit, paid);
    if (!t->steps) {
        m->closed_count++;
        m->held--;
        for (int i = place; i < m->held; i++) m->open[i] = m->open[i + 1];
    }
    book(m, number, price, reason, -steps, profit, paid);
}

static void close_leaving(Machine *m) {
    for (int i = 0; i < m->held;) {
        Trade *t = &m->open[i];
        if (t->leaving)
            close_trade(m, i, t->steps, worse_exit(m, t, closing(m), AT_EXIT), t->leaving);
        else
            i++;
    }
}

typedef struct {
    double steps, paid;
} Held;

static Held held_now(const Machine *m) {
    Held held = {0.0, 0.0};
    for (int i = 0; i < m->held; i++) {
        held.steps += (double)m->open[i].steps;
        held.paid += (double)m->open[i].steps * (double)m->open[i].price;
    }
    return held;
}

/* Return the rate at a price, near enough for `is_near`. */
static double inverse(const Settings *s, int32_t price) { return s->rate == OWN ? 1.0 / (price * s->tick) : 1.0; }

/* Tell whether the margin may not be covered at a price; exact only in that it never misses. */
static bool is_near(const Machine *m, Held held, int32_t worst, int32_t most, double rate) {
    const Settings *s = m->s;
    double equity = (double)m->balance + m->side * (held.steps * worst - held.paid) * s->value_scale * rate;
    double bound = held.steps * most * s->value_scale * rate * m->margin_frac;
    return equity <= bound * m->closeout_frac * 1.001 + 100.0;
}

static void close_out(Machine *m) {
    while (m->held) {
        int32_t price = closing(m);
        double near = m->s->rate == GIVEN ? m->rates[m->bar] : inverse(m->s, price);
        if (!is_near(m, held_now(m), price, m->ask, near)) return;
        double rate = rate_now(m, false);
        int64_t margin = margin_of(m->s, steps_held(m), (int64_t)m->bid + m->ask, rate);
        if (!margin || (wide)equity_now(m, false) * m->s->closeout_den > (wide)margin * m->s->closeout_num) return;
        int worst = 0;
        for (int i = 1; i < m->held; i++)
            if (floating(m, &m->open[i], price, rate) < floating(m, &m->open[worst], price, rate)) worst = i;
        const Trade *t = &m->open[worst];
        close_trade(m, worst, t->steps, worse_exit(m, t, price, AT_BROKER), MARGIN_CLOSEOUT);
    }
}

static bool is_covered(const Machine *m, int64_t steps, double rate) {
    const Settings *s = m->s;
    if (!m->held) { /* the same by far, in most cases */
        double worth = (double)steps * m->ask * s->value_scale * rate * m->margin_frac;
        if (worth * 1.001 + 100.0 <= (double)m->balance) return true;
    }
    int64_t held = steps_held(m), twice = (int64_t)m->bid + m->ask;
    int64_t before = margin_of(m->s, held, twice, rate), after = margin_of(m->s, held + steps, twice, rate);
    return after <= before || after <= equity_now(m, false);
}

static bool enter(Machine *m, const Order *order, int32_t price) {
    const Settings *s = m->s;
    int side = order->side;
    double rate = rate_now(m, false);
    if (s->margin_num && !is_covered(m, order->steps, rate)) {
        m->refused[MARGIN]++;
        return false;
    }
    if ((m->trades && m->trade_count == m->trade_room) || m->held == MOST_TRADES) {
        m->is_full = true;
        return false;
    }
    m->side = side;
    int32_t filled = s->order_type == LIMIT ? price : worse(m, price, side, order->decision, AT_ENTRY);
    int32_t stop = order->stop, target = order->target;
    if (s->distances) {
        stop = stop ? stop + filled - order->price : 0;
        target = target ? target + filled - order->price : 0;
    }
    int32_t trail = m->d.trail[order->decision];
    int64_t distance = stop ? llabs((int64_t)filled - stop) : 0;
    int32_t moving = stop ? stop : trail ? closing(m) - side * trail : 0;
    int32_t first = stop ? stop : trail ? filled - side * trail : 0; /* as the ledger has it: from the fill itself */
    int32_t number = (int32_t)m->trade_count++;
    m->open[m->held++] = (Trade){.number = number, .price = filled, .stop = moving, .target = target, .trail = trail,
                                 .until = m->d.until[order->decision], .bar = m->bar, .steps = order->steps,
                                 .opened = order->steps, .distance = distance, .phase = (int8_t)m->phase};
    int64_t paid = commission_of(s, filled * order->steps, rate);
    m->balance += paid;
    if (m->trades)
        m->trades[number] = (TradeRow){.decision = order->decision, .entry_bar = m->bar, .exit_bar = -1,
                                   .entry_price = filled, .stop = first, .target = target, .side = (int8_t)side,
                                   .entry_phase = (int8_t)m->phase, .steps = order->steps, .left = order->steps,
                                   .commission = paid};
    book(m, number, filled, OPENED, order->steps, 0, paid);
    return true;
}

static void book_days(Machine *m) {
    const Schedule *days = &m->days;
    for (; m->next_day < days->count; m->next_day++) {
        int64_t day = m->next_day;
        if (days->bar[day] > m->bar || (days->bar[day] == m->bar && days->phase[day] > m->phase)) return;
        double yearly = m->side > 0 ? m->s->swap_long : m->s->swap_short;
        for (int i = 0; i < m->held; i++) {
            Trade *t = &m->open[i];
            if (t->phase == AFTER_CLOSE && t->bar >= days->since[day]) continue;
            int64_t twice = (int64_t)m->bid + m->ask;
            int64_t amount = swap_of(m->s, t->steps, twice, rate_now(m, false), yearly, days->days[day]);
            if (amount) {
                m->balance += amount;
                if (m->trades) m->trades[t->number].swap += amount;
                book(m, t->number, 0, SWAP, 0, amount, 0);
            }
        }
    }
}

#endif
