/* The compiled execution of the vector engine.

   reference.py, book.py and money.py are the specification: the same parts under the same names, the same operations in
   the same order, so that both give the same to the last bit (compiled without contraction of floating point). The GIL
   is released while it runs; nothing is allocated: all output goes into arrays the caller made. */

#include "_shared.h"

#include <stdlib.h>
#include <string.h>

#define MOST_TRADES 64
#define MOST_TARGETS 4
#define PARTS_PER_UNIT 1000000000LL
#define RISK_PARTS 1000000000000LL
#define NEVER INT32_MAX
#define AHEAD 16 /* decisions whose prices are fetched in advance */
#define BLOCK 16 /* bars looked at in one go: wide enough for the compiler to use vector instructions */

enum { HOME, OWN, GIVEN };
enum { MARKET, LIMIT, STOP };
enum { OPENED, EXIT, STOP_LOSS, TAKE_PROFIT, TRAILING_STOP, TARGET, TIME, MARGIN_CLOSEOUT, SWAP };
enum { WRONG_SIDE, SIZE, MARGIN, HALTED, REFUSALS };
enum { AFTER_CLOSE = 4 };

typedef __int128 wide;

typedef struct { /* settings.Settings */
    int64_t balance, next_open, in_range, protect_next, stop_before_open, order_type, distances, most_trades, slippage,
        targets, break_even_after, rate, value_num, value_den, commission_num, commission_den, margin_num, margin_den,
        closeout_num, closeout_den, spread_bid, spread_ask, least_steps, most_steps, target_parts[MOST_TARGETS];
    double target_r[MOST_TARGETS], tick, value_scale, commission_scale, swap_long, swap_short;
} Settings;

typedef struct {
    int32_t number, price, stop, target, trail, until, bar;
    int64_t steps, opened, distance;
    int8_t stage, phase, leaving;
} Trade;

typedef struct {
    bool waits, resting;
    int32_t decision, price, stop, target, expires;
    int64_t steps;
    int side;
} Order;

typedef struct {
    const int32_t *bid_open, *bid_high, *bid_low, *bid_close, *ask_open, *ask_high, *ask_low, *ask_close, *ask_least,
        *ask_most;
    int64_t count;
} Prices;

typedef struct {
    const int32_t *bar;
    const int8_t *entry, *leave;
    const int32_t *price, *stop, *target, *trail;
    const int64_t *steps, *risk;
    const int32_t *until, *expires;
    int64_t count;
} Decisions;

typedef struct {
    const int32_t *bar;
    const int8_t *phase;
    const int32_t *since;
    const int8_t *days;
    int64_t count;
    const int32_t *halted;
    int64_t halts;
} Schedule;

typedef struct {
    const Settings *s;
    Prices p;
    Decisions d;
    Schedule days;
    const double *rates;
    TradeRow *trades;
    Fill *fills;
    int64_t trade_room, fill_room, trade_count, fill_count;
    bool is_full; /* an array was too small: never, if the caller counted right */
    int64_t balance, refused[REFUSALS], next_decision, next_day, next_halt, pending;
    int32_t bar, bid, ask;
    int phase, side, held;
    Order order;
    Trade open[MOST_TRADES]; /* oldest first */
} Machine;

/* -- money */

static int64_t half_even(wide numerator, int64_t denominator) {
    int64_t whole, rest;
    if (numerator == (int64_t)numerator) {
        whole = (int64_t)numerator / denominator;
        rest = (int64_t)numerator % denominator;
    } else {
        whole = (int64_t)(numerator / denominator);
        rest = (int64_t)(numerator % denominator);
    }
    if (rest < 0) {
        whole -= 1;
        rest += denominator;
    }
    uint64_t twice = 2 * (uint64_t)rest;
    return whole + (twice > (uint64_t)denominator || (twice == (uint64_t)denominator && (whole & 1)));
}

static double own_rate(int64_t middle_twice, double tick) {
    double rate = 2.0 / ((double)middle_twice * tick), scale = 1e11;
    while (rate * scale < 1e11) scale *= 10.0;
    while (rate * scale >= 1e12) scale /= 10.0;
    return rint(rate * scale) / scale;
}

static int64_t value(const Settings *s, int64_t product, double rate) {
    if (s->rate == HOME) return half_even((wide)product * s->value_num, s->value_den);
    return (int64_t)rint((double)product * s->value_scale * rate);
}

static int64_t commission_of(const Settings *s, int64_t product, double rate) {
    if (!s->commission_num) return 0;
    if (s->rate == HOME) return -half_even((wide)product * s->commission_num, s->commission_den);
    return -(int64_t)rint((double)product * s->commission_scale * rate);
}

static int64_t margin_of(const Settings *s, int64_t steps, int64_t middle_twice, double rate) {
    int64_t product = steps * middle_twice;
    if (s->rate == HOME)
        return half_even((wide)product * s->value_num * s->margin_num, 2 * s->value_den * s->margin_den);
    double worth = (double)product * s->value_scale * rate;
    return (int64_t)rint(worth * (double)s->margin_num / (double)s->margin_den / 2.0);
}

static int64_t swap_of(const Settings *s, int64_t steps, int64_t middle_twice, double rate, double yearly, int days) {
    return (int64_t)rint((double)(steps * middle_twice) * s->value_scale * rate * yearly * (double)days / 730.0);
}

static int64_t steps_for_risk(const Settings *s, int64_t equity, int64_t risk, int64_t distance, double rate) {
    if (equity <= 0 || distance <= 0) return 0;
    int64_t wanted = s->most_steps;
    if (s->rate == HOME) {
        wide lost = (wide)distance * s->value_num * RISK_PARTS, sum;
        if (!__builtin_mul_overflow((wide)equity * risk, (wide)s->value_den, &sum) && sum / lost < wanted)
            wanted = (int64_t)(sum / lost);
    } else {
        double exact = (double)equity * ((double)risk * 1e-12) / ((double)distance * s->value_scale * rate);
        if (exact < (double)wanted) wanted = (int64_t)exact;
    }
    return wanted >= s->least_steps ? wanted : 0;
}

/* -- book */

static double rate_now(const Machine *m, bool raw) {
    if (m->s->rate == OWN) {
        int64_t twice = (int64_t)m->bid + m->ask + (raw ? m->s->spread_bid - m->s->spread_ask : 0);
        return own_rate(twice, m->s->tick);
    }
    return m->rates ? m->rates[m->bar] : 1.0;
}

static int32_t closing(const Machine *m) { return m->side > 0 ? m->bid : m->ask; }

static int32_t worse(const Machine *m, int32_t price, int side) {
    int64_t slipped = price + side * m->s->slippage;
    return slipped < 1 ? 1 : (int32_t)slipped;
}

static int64_t floating(const Machine *m, const Trade *t, double rate) {
    return value(m->s, (int64_t)(closing(m) - t->price) * m->side * t->steps, rate);
}

static int64_t equity_now(const Machine *m) {
    int64_t sum = m->balance;
    if (m->held) {
        double rate = rate_now(m, false);
        for (int i = 0; i < m->held; i++) sum += floating(m, &m->open[i], rate);
    }
    return sum;
}

static int64_t steps_held(const Machine *m) {
    int64_t sum = 0;
    for (int i = 0; i < m->held; i++) sum += m->open[i].steps;
    return sum;
}

static void book(Machine *m, int32_t trade, int32_t price, int reason, int64_t steps, int64_t profit, int64_t paid) {
    if (m->fill_count == m->fill_room) {
        m->is_full = true;
        return;
    }
    m->fills[m->fill_count++] = (Fill){trade, m->bar, price, (int8_t)m->phase, (int8_t)reason, 0, steps, profit, paid,
                                       m->balance};
}

/* Close steps of the trade in a place; when it is over, those behind it move up. */
static void close_trade(Machine *m, int place, int64_t steps, int32_t price, int reason) {
    Trade *t = &m->open[place];
    double rate = rate_now(m, false);
    int64_t profit = value(m->s, (int64_t)(price - t->price) * m->side * steps, rate);
    int64_t paid = commission_of(m->s, price * steps, rate);
    TradeRow *row = &m->trades[t->number];
    int32_t number = t->number;
    m->balance += profit + paid;
    t->steps -= steps;
    row->reason = (int8_t)reason;
    row->left = t->steps;
    row->closed_value += price * steps;
    row->profit += profit;
    row->commission += paid;
    if (!t->steps) {
        row->exit_bar = m->bar;
        row->exit_phase = (int8_t)m->phase;
        m->held--;
        for (int i = place; i < m->held; i++) m->open[i] = m->open[i + 1];
    }
    book(m, number, price, reason, -steps, profit, paid);
}

static void close_leaving(Machine *m) {
    for (int i = 0; i < m->held;) {
        Trade *t = &m->open[i];
        if (t->leaving)
            close_trade(m, i, t->steps, worse(m, closing(m), -m->side), t->leaving);
        else
            i++;
    }
}

static void close_out(Machine *m) {
    while (m->held) {
        double rate = rate_now(m, false);
        int64_t margin = margin_of(m->s, steps_held(m), (int64_t)m->bid + m->ask, rate);
        if (!margin || (wide)equity_now(m) * m->s->closeout_den > (wide)margin * m->s->closeout_num) return;
        int worst = 0;
        for (int i = 1; i < m->held; i++)
            if (floating(m, &m->open[i], rate) < floating(m, &m->open[worst], rate)) worst = i;
        close_trade(m, worst, m->open[worst].steps, worse(m, closing(m), -m->side), MARGIN_CLOSEOUT);
    }
}

static bool is_covered(const Machine *m, int64_t steps, double rate) {
    int64_t held = steps_held(m), twice = (int64_t)m->bid + m->ask;
    int64_t before = margin_of(m->s, held, twice, rate), after = margin_of(m->s, held + steps, twice, rate);
    return after <= before || after <= equity_now(m);
}

static bool enter(Machine *m, const Order *order, int32_t price) {
    const Settings *s = m->s;
    int side = order->side;
    double rate = rate_now(m, false);
    if (s->margin_num && !is_covered(m, order->steps, rate)) {
        m->refused[MARGIN]++;
        return false;
    }
    if (m->trade_count == m->trade_room || m->held == MOST_TRADES) {
        m->is_full = true;
        return false;
    }
    m->side = side;
    int32_t filled = s->order_type == LIMIT ? price : worse(m, price, side);
    int32_t stop = order->stop, target = order->target;
    if (s->distances) {
        stop = stop ? stop + filled - order->price : 0;
        target = target ? target + filled - order->price : 0;
    }
    int32_t trail = m->d.trail[order->decision];
    int64_t distance = stop ? llabs((int64_t)filled - stop) : 0;
    int32_t moving = stop ? stop : trail ? closing(m) - side * trail : 0;
    int32_t number = (int32_t)m->trade_count++;
    m->open[m->held++] = (Trade){.number = number, .price = filled, .stop = moving, .target = target, .trail = trail,
                                 .until = m->d.until[order->decision], .bar = m->bar, .steps = order->steps,
                                 .opened = order->steps, .distance = distance, .phase = (int8_t)m->phase};
    int64_t paid = commission_of(s, filled * order->steps, rate);
    m->balance += paid;
    m->trades[number] = (TradeRow){.decision = order->decision, .entry_bar = m->bar, .exit_bar = -1,
                                   .entry_price = filled, .stop = moving, .target = target, .side = (int8_t)side,
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
                m->trades[t->number].swap += amount;
                book(m, t->number, 0, SWAP, 0, amount, 0);
            }
        }
    }
}

/* -- exits */

static int64_t level_of(const Machine *m, const Trade *t) {
    return t->price + m->side * (int64_t)rint(m->s->target_r[t->stage] * (double)t->distance);
}

static bool is_protected(const Machine *m, const Trade *t) { return !(m->s->protect_next && t->bar == m->bar); }

static bool is_stopped(const Machine *m, const Trade *t, int32_t price) {
    return t->stop && (t->stop - price) * m->side >= 0 && is_protected(m, t);
}

static void stop_out(Machine *m, int place, int32_t price) {
    Trade *t = &m->open[place];
    close_trade(m, place, t->steps, worse(m, price, -m->side), t->trail ? TRAILING_STOP : STOP_LOSS);
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
        if (m->s->least_steps <= part && part < t->steps) close_trade(m, place, part, (int32_t)level, TARGET);
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

/* -- entries */

static bool work_order(Machine *m, int32_t bid, int32_t ask, bool is_inside) {
    Order *order = &m->order;
    if (!order->waits) return false;
    int32_t price = order->side > 0 ? ask : bid, limit = order->price;
    int32_t away = (price - limit) * order->side;
    if (m->s->order_type == LIMIT ? away > 0 : away < 0) {
        order->resting = true;
        return false;
    }
    if (is_inside || (m->s->order_type == LIMIT && order->resting)) price = limit;
    order->waits = false;
    return enter(m, order, price);
}

static bool work_once(Machine *m) {
    bool changed = false;
    for (int i = 0; i < m->held;) {
        int before = m->held;
        changed |= exit_at(m, i, closing(m));
        if (m->held == before) i++;
    }
    changed |= work_order(m, m->bid, m->ask, false);
    for (int i = 0; i < m->held; i++) changed |= trail(m, &m->open[i], closing(m));
    return changed;
}

static void work(Machine *m) {
    while (work_once(m)) {
    }
}

static void decide_entry(Machine *m, int64_t number, bool is_halted) {
    const Settings *s = m->s;
    int side = m->d.entry[number];
    int32_t limit = m->d.price[number], stop = m->d.stop[number], target = m->d.target[number];
    int32_t price = limit ? limit : side > 0 ? m->ask : m->bid;
    int32_t raw = limit ? limit : side > 0 ? m->ask - (int32_t)s->spread_ask : m->bid + (int32_t)s->spread_bid;
    int64_t distance;
    if (s->distances) {
        distance = stop;
        stop = stop ? price - side * stop : 0;
        target = target ? price + side * target : 0;
    } else {
        distance = stop ? llabs((int64_t)raw - stop) : 0;
    }
    int32_t near = limit ? limit : side > 0 ? m->bid : m->ask;
    if ((stop && (near - stop) * side <= 0) || (target && (target - raw) * side <= 0)) {
        m->refused[WRONG_SIDE]++;
        return;
    }
    int64_t steps = m->d.steps[number];
    if (steps < 0) steps = steps_for_risk(s, equity_now(m), m->d.risk[number], distance, rate_now(m, true));
    if (steps < s->least_steps || steps > s->most_steps) {
        m->refused[SIZE]++;
        return;
    }
    Order order = {.waits = true, .decision = (int32_t)number, .side = side, .price = price, .steps = steps,
                   .stop = stop, .target = target, .expires = m->d.expires[number]};
    if (limit) {
        m->order = order;
        if (!is_halted) work(m);
    } else if (enter(m, &order, price)) {
        work(m);
    }
}

/* -- decisions */

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

/* Fetch the prices of a later decision: they are far apart in memory, and waiting for them costs most of a run. */
static void fetch(const Machine *m, int64_t number) {
    if (number >= m->d.count) return;
    int64_t bar = m->d.bar[number] + m->s->next_open;
    if (bar >= m->p.count) return;
    __builtin_prefetch(&(m->s->next_open ? m->p.bid_open : m->p.bid_close)[bar]);
    __builtin_prefetch(&(m->s->next_open ? m->p.ask_open : m->p.ask_close)[bar]);
}

static void decide(Machine *m, int64_t number, bool is_halted) {
    fetch(m, number + AHEAD);
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
    else if (is_halted && !m->s->order_type)
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

/* -- reactions */

static void quote(Machine *m, int phase, int32_t bid, int32_t ask) {
    m->phase = phase;
    m->bid = bid;
    m->ask = ask;
    book_days(m);
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

/* -- where something can happen */

typedef struct {
    int32_t low, high;
} Levels;

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

static bool is_near(const Machine *m, int64_t bar, double held, double paid) {
    const Settings *s = m->s;
    double worst = m->side > 0 ? m->p.bid_low[bar] : m->p.ask_most[bar], rate = 1.0;
    if (s->rate == OWN)
        rate = 1.0 / (worst * s->tick);
    else if (s->rate == GIVEN)
        rate = m->rates[bar];
    double equity = (double)m->balance + m->side * (held * worst - paid) * s->value_scale * rate;
    double bound = held * m->p.ask_most[bar] * s->value_scale * rate * ((double)s->margin_num / (double)s->margin_den);
    return equity <= bound * ((double)s->closeout_num / (double)s->closeout_den) * 1.001 + 100.0;
}

static int64_t first_near(const Machine *m, int64_t first, int64_t end) {
    double held = 0, paid = 0;
    for (int i = 0; i < m->held; i++) {
        held += (double)m->open[i].steps;
        paid += (double)m->open[i].steps * (double)m->open[i].price;
    }
    for (int64_t bar = first; bar < end; bar++)
        if (is_near(m, bar, held, paid)) return bar;
    return end;
}

VECTORISED static int64_t first_outside(const int32_t *low, const int32_t *high, Levels levels, int64_t first, int64_t end) {
    int64_t bar = first;
    for (; bar + BLOCK <= end; bar += BLOCK) {
        int32_t any = 0;
        for (int k = 0; k < BLOCK; k++) any |= (low[bar + k] <= levels.low) | (high[bar + k] >= levels.high);
        if (any) break;
    }
    for (; bar < end; bar++)
        if (low[bar] <= levels.low || high[bar] >= levels.high) return bar;
    return end;
}

static int64_t touched(const Machine *m, int64_t first, int64_t end) {
    Levels bid, ask;
    levels_of(m, &bid, &ask);
    if (bid.low > -1 || bid.high < NEVER) end = first_outside(m->p.bid_low, m->p.bid_high, bid, first, end);
    if (ask.low > -1 || ask.high < NEVER) end = first_outside(m->p.ask_least, m->p.ask_most, ask, first, end);
    if (m->s->margin_num && m->held) end = first_near(m, first, end);
    return end;
}

static bool is_leaving(const Machine *m) {
    for (int i = 0; i < m->held; i++)
        if (m->open[i].leaving) return true;
    return false;
}

/* -- one bar, quote by quote */

static bool is_day_due(const Machine *m, int64_t bar) {
    return m->next_day < m->days.count && m->days.bar[m->next_day] <= bar;
}

static void play(Machine *m) {
    const Prices *p = &m->p;
    int32_t bar = m->bar;
    quote(m, 0, p->bid_open[bar], p->ask_open[bar]);
    if (m->s->stop_before_open && is_leaving(m)) inside(m, bar);
    fill_pending(m);
    if (touched(m, bar, bar + 1) > bar && !is_day_due(m, bar)) return; /* nothing else happens in it */
    if (m->s->in_range) {
        inside(m, bar);
    } else {
        bool rises = p->bid_close[bar] >= p->bid_open[bar];
        for (int phase = 1; phase <= 2; phase++) {
            bool is_low = rises == (phase == 1);
            quote(m, phase, is_low ? p->bid_low[bar] : p->bid_high[bar], is_low ? p->ask_low[bar] : p->ask_high[bar]);
        }
    }
    quote(m, 3, p->bid_close[bar], p->ask_close[bar]);
}

/* Return the next bar at which something happens; tell whether anything happens before its decisions. */
static int64_t next_bar(Machine *m, bool *plays) {
    int64_t due = m->next_decision < m->d.count ? m->d.bar[m->next_decision] : m->p.count;
    *plays = m->pending >= 0 || is_leaving(m);
    if (*plays) return m->bar + 1;
    if (!(m->held || m->order.waits)) return due;
    int64_t first = m->bar + 1;
    while (m->next_day < m->days.count && m->days.bar[m->next_day] < first) m->next_day++;
    if (m->next_day < m->days.count && m->days.bar[m->next_day] < due) due = m->days.bar[m->next_day];
    for (int i = 0; i < m->held; i++)
        if (m->open[i].until < due) due = m->open[i].until;
    if (m->order.waits && m->order.expires < due) due = m->order.expires;
    int64_t end = due < m->p.count ? due + 1 : due, found = touched(m, first, end);
    *plays = found < end || is_day_due(m, due);
    return found < end ? found : due;
}

static void run_machine(Machine *m) {
    int64_t bar;
    bool plays;
    while ((bar = next_bar(m, &plays)) < m->p.count && !m->is_full) {
        m->bar = (int32_t)bar;
        if (plays) play(m);
        end_of_bar(m);
    }
}

/* -- Python */

/* Point so many consecutive pointers at the arrays of a tuple; sizes has a digit for the bytes of each item. */
static bool point(Views *views, PyObject *tuple, const char *sizes, const void **pointers, int64_t *count) {
    Py_ssize_t length = (Py_ssize_t)strlen(sizes);
    if (!PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) != length) {
        PyErr_Format(PyExc_ValueError, "expected a tuple of %zd arrays", length);
        return false;
    }
    for (Py_ssize_t i = 0; i < length; i++) {
        pointers[i] = memory(views, PyTuple_GET_ITEM(tuple, i), sizes[i] - '0', count, PyBUF_SIMPLE);
        if (!pointers[i]) return false;
    }
    return true;
}

static bool take_arguments(Machine *m, Views *views, PyObject *const *args) {
    int64_t one = 1, prices = -1, decisions = -1, days = -1, halts = -1;
    const void *pointers[11];
    m->s = memory(views, args[0], sizeof(Settings), &one, PyBUF_SIMPLE);
    if (!m->s) return false;
    if (!point(views, args[1], "4444444444", pointers, &prices)) return false;
    m->p = (Prices){pointers[0], pointers[1], pointers[2], pointers[3], pointers[4], pointers[5], pointers[6],
                    pointers[7], pointers[8], pointers[9], prices};
    if (!point(views, args[2], "41144448844", pointers, &decisions)) return false;
    m->d = (Decisions){pointers[0], pointers[1], pointers[2], pointers[3], pointers[4], pointers[5], pointers[6],
                       pointers[7], pointers[8], pointers[9], pointers[10], decisions};
    if (!point(views, args[3], "4141", pointers, &days)) return false;
    m->days = (Schedule){pointers[0], pointers[1], pointers[2], pointers[3], days, NULL, 0};
    m->days.halted = memory(views, args[4], sizeof(int32_t), &halts, PyBUF_SIMPLE);
    if (!m->days.halted) return false;
    m->days.halts = halts;
    if (args[5] != Py_None && !(m->rates = memory(views, args[5], sizeof(double), &prices, PyBUF_SIMPLE))) return false;
    m->trade_room = m->fill_room = -1;
    m->trades = memory(views, args[6], sizeof(TradeRow), &m->trade_room, PyBUF_WRITABLE);
    m->fills = m->trades ? memory(views, args[7], sizeof(Fill), &m->fill_room, PyBUF_WRITABLE) : NULL;
    return m->fills != NULL;
}

static PyObject *run(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    if (count != 8) {
        PyErr_SetString(PyExc_TypeError, "expected settings, prices, decisions, days, halted, rates, trades, fills");
        return NULL;
    }
    Views views = {.count = 0};
    Machine m = {.pending = -1, .bar = -1, .phase = AFTER_CLOSE};
    if (!take_arguments(&m, &views, args)) {
        release(&views);
        return NULL;
    }
    m.balance = m.s->balance;
    Py_BEGIN_ALLOW_THREADS
    run_machine(&m);
    Py_END_ALLOW_THREADS
    release(&views);
    if (m.is_full) {
        PyErr_SetString(PyExc_RuntimeError, "no room for what happened");
        return NULL;
    }
    return Py_BuildValue("LLL(LLLL)", m.trade_count, m.fill_count, m.balance, m.refused[0], m.refused[1], m.refused[2],
                         m.refused[3]);
}

static PyMethodDef methods[] = {
    {"run", (PyCFunction)(void (*)(void))run, METH_FASTCALL,
     "run(settings, prices, decisions, days, halted, rates, trades, fills)\n--\n\n"
     "Carry decisions out; return the number of trades and fills, the balance, and the refusals."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_kernel", "The compiled execution of the vector engine.", 0,
                                    methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__kernel(void) { return PyModuleDef_Init(&module); }
