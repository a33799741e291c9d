"""The execution in Python: the specification. The compiled one has the same parts under the same names.

It goes from one bar in which something can happen to the next: flat, that is the next decision; with a trade or an
order waiting, the next bar whose range touches one of its prices. Such a bar is played quote by quote as
`atrader.paper` plays it: financing, exits of the trades (oldest first, stop before target), the waiting order,
trailing; again while anything changed; last the margin. Then come the decisions of its close.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from research.vector import money
from research.vector.book import Book, Order, Trade
from research.vector.decisions import Decisions
from research.vector.outcome import AFTER_CLOSE, Outcome, Reason, Refusal
from research.vector.prices import Prices, Ticks
from research.vector.schedule import Schedule
from research.vector.settings import AT_BROKER, GIVEN, LIMIT, OWN, PARTS_PER_UNIT, Settings

_CHUNK: Final = 1024
_NEVER: Final = 2**31 - 1


class Machine(Book):
    """One run, to be used once.

    Parameters
    ----------
    settings : Settings
        Rules and terms.
    prices, decisions, schedule
        What is played and wanted, and what the calendar does.
    rates : ndarray of float64, shape (n,), optional
        Account currency per quote currency in each bar, if it cannot be known otherwise.
    slips : ndarray of int32, shape (k, 3), optional
        See `Book`.
    """

    def __init__(
        self,
        settings: Settings,
        prices: Prices,
        decisions: Decisions,
        schedule: Schedule,
        rates: NDArray[np.float64] | None,
        slips: Ticks | None = None,
    ) -> None:
        super().__init__(settings, decisions, schedule, rates, slips)
        self.prices = prices
        self.count = len(prices)
        self.wanted: list[list[int]] = [column.tolist() for column in decisions.columns]
        self.bars = self.wanted[0]
        self.halted = frozenset(schedule.halted.tolist())
        self.pending = -1  # decision whose entry waits for the next open
        self.next_decision = 0

    def run(self) -> Outcome:
        """Run to the end."""
        while (bar := self._next_bar()) < self.count:
            self.bar = bar
            if self.open or self.order or self.pending >= 0:
                self._play()
            self._end_of_bar()
        return self.outcome()

    # -- where something can happen

    def _next_bar(self) -> int:
        due = self.bars[self.next_decision] if self.next_decision < len(self.bars) else self.count
        if not (self.open or self.order or self.pending >= 0):
            return due
        first = self.bar + 1
        if self.pending >= 0 or any(trade.leaving for trade in self.open):
            return first
        while self.next_day < len(self.days[0]) and self.days[0][self.next_day] < first:
            self.next_day += 1
        if self.next_day < len(self.days[0]):
            due = min(due, self.days[0][self.next_day])
        for trade in self.open:
            due = min(due, trade.until)
        if self.order:
            due = min(due, self.order.expires)
        return self._touched(first, min(due, self.count))

    def _touched(self, first: int, end: int) -> int:
        """Return the first bar in ``[first, end)`` in which a price is reached, else ``end``."""
        bid_low, bid_high, ask_low, ask_high = self._levels()
        p = self.prices
        for start in range(first, end, _CHUNK):
            part = slice(start, min(start + _CHUNK, end))
            hit = (p.bid_low[part] <= bid_low) | (p.bid_high[part] >= bid_high)
            hit |= (p.ask_least[part] <= ask_low) | (p.ask_most[part] >= ask_high)
            if self.s.margin_num and self.open:
                hit |= self._is_near(part)
            if hit.any():
                return start + int(hit.argmax())
        return end

    def _levels(self) -> tuple[int, int, int, int]:
        """Return the low and high of bid and ask at which something happens."""
        lows, highs = [-1], [_NEVER]  # of the price at which the open trades close
        losing, winning = (lows, highs) if self.side > 0 else (highs, lows)
        for trade in self.open:
            if trade.stop:
                losing.append(trade.stop)
            if trade.target:
                winning.append(trade.target)
            if trade.distance and trade.stage < self.s.targets:
                winning.append(self._level(trade))
            if trade.trail:
                winning.append(trade.stop + self.side * (trade.trail + 1))
        closing, other = (max(lows), min(highs)), (-1, _NEVER)
        bid, ask = (closing, other) if self.side > 0 else (other, closing)
        if self.order:
            falls = (self.order.side > 0) == (self.s.order_type == LIMIT)
            level = (self.order.price, _NEVER) if falls else (-1, self.order.price)
            if self.order.side > 0:
                ask = max(ask[0], level[0]), min(ask[1], level[1])
            else:
                bid = max(bid[0], level[0]), min(bid[1], level[1])
        return *bid, *ask

    def _is_near(self, part: slice) -> NDArray[np.bool_]:
        """Tell in which bars the margin may not be covered; exact only in that it never misses one."""
        s, p = self.s, self.prices
        held = float(sum(trade.steps for trade in self.open))
        paid = float(sum(trade.steps * trade.price for trade in self.open))
        worst = (p.bid_low if self.side > 0 else p.ask_most)[part].astype(np.float64)
        rate: NDArray[np.float64] | float = 1.0
        if s.rate == OWN:
            rate = 1.0 / (worst * s.tick)
        elif s.rate == GIVEN:
            assert self.rates is not None
            rate = self.rates[part]
        equity = self.balance + self.side * (held * worst - paid) * s.value_scale * rate
        bound = held * p.ask_most[part] * s.value_scale * rate * (s.margin_num / s.margin_den)
        near: NDArray[np.bool_] = equity <= bound * (s.closeout_num / s.closeout_den) * 1.001 + 100.0
        return near

    # -- one bar

    def _play(self) -> None:
        p, bar = self.prices, self.bar
        ends = [int(p.bid_open[bar]), int(p.ask_open[bar]), int(p.bid_close[bar]), int(p.ask_close[bar])]
        low, high = (int(p.bid_low[bar]), int(p.ask_low[bar])), (int(p.bid_high[bar]), int(p.ask_high[bar]))
        self._quote(0, ends[0], ends[1])
        if self.s.in_range:
            if self.s.stop_before_open and any(trade.leaving for trade in self.open):
                self._inside(low, high)
            self._fill_pending()
            self._inside(low, high)
        else:
            self._fill_pending()
            first, second = (low, high) if ends[2] >= ends[0] else (high, low)
            self._quote(1, *first)
            self._quote(2, *second)
        self._quote(3, ends[2], ends[3])

    def _quote(self, phase: int, bid: int, ask: int) -> None:
        self.phase, self.bid, self.ask = phase, bid, ask
        self.book_days()
        self._work()
        if self.s.margin_num:
            self.close_out()

    def _work(self) -> None:
        """Let everything react to the present quote."""
        while self._work_once():
            pass  # every turn fills, closes or trails something, so it comes to an end

    def _work_once(self) -> bool:
        changed = False
        for trade in list(self.open):
            changed |= self._exit_at(trade, self.closing())
        changed |= self._work_order(self.bid, self.ask, is_inside=False)
        for trade in self.open:
            changed |= self._trail(trade, self.closing())
        return changed

    def _inside(self, low: tuple[int, int], high: tuple[int, int]) -> None:
        """Let everything react to the whole range of a bar (bid and ask), the bad side first."""
        self.phase = 1
        bad, good = (low[0], high[0]) if self.side > 0 else (high[1], low[1])
        for trade in list(self.open):
            if self._is_stopped(trade, bad):
                self._stop_out(trade, trade.stop)
            else:
                self._take(trade, good)
        if self.order:
            falls = (self.order.side > 0) == (self.s.order_type == LIMIT)
            if self._work_order(*(low if falls else high), is_inside=True):
                trade, bad = self.open[-1], low[0] if self.side > 0 else high[1]
                if self._is_stopped(trade, bad):
                    self._stop_out(trade, trade.stop)
        for trade in self.open:
            self._trail(trade, high[0] if self.side > 0 else low[1])

    # -- exits

    def _exit_at(self, trade: Trade, price: int) -> bool:
        """Close a trade, wholly or partly, if a quote does; tell whether it does."""
        if self._is_stopped(trade, price):
            # Through the range of a bar the price passes the stop; between two quotes it may jump over it.
            self._stop_out(trade, trade.stop if self.s.in_range and self.phase == 3 else price)
            return True
        return self._take(trade, price)

    def _is_protected(self, trade: Trade) -> bool:
        return not (self.s.protect_next and trade.bar == self.bar)

    def _is_stopped(self, trade: Trade, price: int) -> bool:
        beyond = (trade.stop - price) * self.side >= 0
        return bool(trade.stop) and beyond and self._is_protected(trade)

    def _stop_out(self, trade: Trade, price: int) -> None:
        reason = Reason.TRAILING_STOP if trade.trail else Reason.STOP_LOSS
        self.close(trade, trade.steps, self.worse_exit(trade, price, AT_BROKER), reason)

    def _take(self, trade: Trade, price: int) -> bool:
        """Take the targets that a price has reached, at their own prices."""
        if not self._is_protected(trade):
            return False
        changed = False
        while trade.distance and trade.stage < self.s.targets:
            level = self._level(trade)
            if (price - level) * self.side < 0:
                break
            changed = True
            part = trade.opened * self.s.target_parts[trade.stage] // PARTS_PER_UNIT
            trade.stage += 1
            if part >= trade.steps:  # the shares come to the whole trade
                self.close(trade, trade.steps, level, Reason.TARGET)
                return True
            if self.s.least_steps <= part:
                self.close(trade, part, level, Reason.TARGET)
            if trade.stage == self.s.break_even_after and (trade.price - trade.stop) * self.side > 0:
                trade.stop = trade.price
        if trade.target and (price - trade.target) * self.side >= 0:
            self.close(trade, trade.steps, trade.target, Reason.TAKE_PROFIT)
            return True
        return changed

    def _level(self, trade: Trade) -> int:
        """Return the price of the next target."""
        return trade.price + self.side * round(self.s.target_r[trade.stage] * trade.distance)

    def _trail(self, trade: Trade, price: int) -> bool:
        moved = price - self.side * trade.trail
        if not trade.trail or (moved - trade.stop) * self.side <= 0:
            return False
        trade.stop = moved
        return True

    # -- entries

    def _work_order(self, bid: int, ask: int, *, is_inside: bool) -> bool:
        """Fill the waiting order if it can be; tell whether a trade was opened."""
        order = self.order
        if order is None:
            return False
        price, limit = (ask if order.side > 0 else bid), order.price
        away = (price - limit) * order.side
        if (away > 0) if self.s.order_type == LIMIT else (away < 0):
            order.resting = True
            return False
        if is_inside or (self.s.order_type == LIMIT and order.resting):
            price = limit
        self.order = None
        return self.enter(order, price)

    def _decide_entry(self, number: int, *, is_halted: bool = False) -> None:
        """Enter at the market as it is now, or hand in an order that may fill at once, if the market is open."""
        s, wanted = self.s, self.wanted
        side, limit = wanted[1][number], wanted[3][number]
        price = limit or (self.ask if side > 0 else self.bid)
        # The gate judges and sizes by the market's own quote, the broker by the one with its extra spread.
        raw = limit or (self.ask - s.spread_ask if side > 0 else self.bid + s.spread_bid)
        stop, target = wanted[4][number], wanted[5][number]
        if s.distances:
            distance, stop = stop, stop and price - side * stop
            target = target and price + side * target
        else:
            distance = abs(raw - stop) if stop else 0
        near = limit or (self.bid if side > 0 else self.ask)
        if (stop and (near - stop) * side <= 0) or (target and (target - raw) * side <= 0):
            self.refused[Refusal.WRONG_SIDE] += 1
            return
        steps = wanted[7][number]
        if steps < 0:
            steps = money.steps_for_risk(s, self.equity(raw=True), wanted[8][number], distance, self.rate(raw=True))
        if not s.least_steps <= steps <= s.most_steps:
            self.refused[Refusal.SIZE] += 1
            return
        order = Order(number, side, price, steps, stop, target, wanted[10][number])
        if limit:
            self.order = order
            if not is_halted:
                self._work()
        elif self.enter(order, price):
            self._work()

    # -- decisions

    def _fill_pending(self) -> None:
        """Carry out with the open what was decided at the last close."""
        if self.s.next_open:
            self.close_leaving()
        if self.pending >= 0:
            number, self.pending = self.pending, -1
            self._decide_entry(number)

    def _end_of_bar(self) -> None:
        p, bar = self.prices, self.bar
        self.phase, self.bid, self.ask = AFTER_CLOSE, int(p.bid_close[bar]), int(p.ask_close[bar])
        is_halted = bar in self.halted
        while self.next_decision < len(self.bars) and self.bars[self.next_decision] == bar:
            self._decide(self.next_decision, is_halted=is_halted)
            self.next_decision += 1
        for trade in self.open:
            if trade.until <= bar:
                trade.leaving = trade.leaving or Reason.TIME
        if not (self.s.next_open or is_halted):
            self.close_leaving()
        if self.order and self.order.expires <= bar:
            self.order = None

    def _decide(self, number: int, *, is_halted: bool) -> None:
        entry, leave = self.wanted[1][number], self.wanted[2][number]
        is_full = bool(entry) and entry == self.side and len(self.open) >= self.s.most_trades
        for side in (1, -1):
            if leave in (side, 2) or entry == -side:
                self._leave_side(side)
        if not (self.s.next_open or is_halted):
            self.close_leaving()
        if not entry or is_full:
            return
        self.order, self.pending = None, -1
        if self.s.next_open:
            self.pending = number
        elif is_halted and (not self.s.order_type or (self.open and self.side != entry)):
            self.refused[Refusal.HALTED] += 1
        else:
            self._decide_entry(number, is_halted=is_halted)

    def _leave_side(self, side: int) -> None:
        """Decide to close what is open on a side, and to withdraw what would open more."""
        if self.order and self.order.side == side:
            self.order = None
        if self.pending >= 0 and self.wanted[1][self.pending] == side:
            self.pending = -1
        if self.side == side:
            for trade in self.open:
                trade.leaving = trade.leaving or Reason.EXIT
