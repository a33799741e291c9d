/* How decisions become orders, and orders trades. */

#ifndef ATRADER_VECTOR_ENTRIES_H
#define ATRADER_VECTOR_ENTRIES_H

#include "_exits.h"

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
    if (steps < 0) steps = steps_for_risk(s, equity_now(m, true), m->d.risk[number], distance, rate_now(m, true));
    if (steps < s->least_steps || steps > s->most_steps) {
        m->refused[SIZE]++;
        return;
    }
    Order order = {.waits = true, .decision = (int32_t)number, .side = side, .price = price, .steps = steps,
                   .stop = stop, .target = target, .expires = m->d.expires[number]};
    if (limit) {
        m->order = order;
        if (!is_halted) work(m);
    } else if (enter(m, &order, price) && !m->next) { /* a swift run's is not over at once */
        work(m);
    }
}

#endif
