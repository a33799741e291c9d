"""What a run holds, and what every execution does to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from research.vector import money
from research.vector.decisions import Decisions
from research.vector.outcome import AFTER_CLOSE, FILLS, TRADES, Outcome, Reason, Refusal
from research.vector.prices import Ticks
from research.vector.schedule import Schedule
from research.vector.settings import AT_BROKER, AT_ENTRY, AT_EXIT, LIMIT, OWN, Settings


@dataclass(slots=True)
class Trade:
    """An open trade; ticks, steps, and places of bars."""

    number: int
    decision: int
    steps: int
    opened: int
    price: int
    stop: int
    target: int
    trail: int
    distance: int  # between entry and first stop
    stage: int  # targets passed
    until: int
    bar: int
    phase: int
    leaving: int = 0  # why it is to be closed as soon as it can be


@dataclass(slots=True)
class Order:
    """A checked and sized wish to enter; limit and stop orders wait as one."""

    decision: int
    side: int
    price: int
    steps: int
    stop: int
    target: int
    expires: int
    resting: bool = False


class Book:
    """Open trades, the waiting order, money, and everything that happened.

    Nothing here decides: prices, sizes and reasons are given. All trades that are open at one time are on one side.

    Parameters
    ----------
    settings, decisions, schedule
        What was wanted, on which terms, and the ends of days.
    rates : ndarray of float64, shape (n,), optional
        Account currency per quote currency in each bar.
    slips : ndarray of int32, shape (k, 3), optional
        By decision and what slips, ticks; None: always the slippage of the settings.
    """

    def __init__(
        self,
        settings: Settings,
        decisions: Decisions,
        schedule: Schedule,
        rates: NDArray[np.float64] | None,
        slips: Ticks | None,
    ) -> None:
        self.s = settings
        self.slips: list[list[int]] | None = None if slips is None else slips.tolist()
        self.trail: list[int] = decisions.trail.tolist()
        self.until: list[int] = decisions.until.tolist()
        self.rates = rates
        self.side = 0  # of the open trades
        self.open: list[Trade] = []
        self.order: Order | None = None
        self.bid = self.ask = 0
        self.bar = -1
        self.phase = AFTER_CLOSE
        self.balance = settings.balance
        self.next_day = 0
        self.days: list[list[int]] = [column.tolist() for column in schedule[:-1]]
        self.fills: list[tuple[int, ...]] = []
        self.trades: list[list[int]] = []
        self.refused = [0] * len(Refusal)

    def outcome(self) -> Outcome:
        """Return what happened."""
        return Outcome(
            trades=np.array([tuple(row) for row in self.trades], TRADES),
            fills=np.array(self.fills, FILLS),
            balance=self.balance,
            refused=tuple(self.refused),
        )

    # -- executions

    def enter(self, order: Order, price: int) -> bool:
        """Open a trade for an order at a price, unless the margin forbids; tell whether it is open."""
        s, number, side, rate = self.s, order.decision, order.side, self.rate()
        if s.margin_num and not self._is_covered(order.steps, rate):
            self.refused[Refusal.MARGIN] += 1
            return False
        self.side = side
        filled = price if s.order_type == LIMIT else self.worse(price, side, number, AT_ENTRY)
        stop, target = order.stop, order.target
        if s.distances:  # from the fill itself
            stop, target = stop and stop + filled - order.price, target and target + filled - order.price
        trail = self.trail[number]
        distance = abs(filled - stop) if stop else 0
        moving = stop or (trail and self.closing() - side * trail)
        until = self.until[number]
        at = (self.bar, self.phase)
        trade = Trade(
            len(self.trades), number, order.steps, order.steps, filled, moving, target, trail, distance, 0, until, *at
        )
        commission = money.commission(s, filled * order.steps, rate)
        self.balance += commission
        self.open.append(trade)
        begin = stop or (trail and filled - side * trail)  # as the ledger has it: from the fill itself
        first = [number, self.bar, -1, filled, begin, target, side, self.phase, 0, 0, 0]
        self.trades.append([*first, order.steps, order.steps, 0, 0, commission, 0])
        self._book(trade.number, filled, Reason.OPEN, order.steps, 0, commission)
        return True

    def _is_covered(self, steps: int, rate: float) -> bool:
        held, twice = sum(trade.steps for trade in self.open), self.bid + self.ask
        before, after = (money.margin(self.s, units, twice, rate) for units in (held, held + steps))
        return after <= before or after <= self.equity()

    def close(self, trade: Trade, steps: int, price: int, reason: Reason) -> None:
        """Close steps of a trade at a price, slippage included."""
        rate = self.rate()
        profit = money.value(self.s, (price - trade.price) * self.side * steps, rate)
        commission = money.commission(self.s, price * steps, rate)
        self.balance += profit + commission
        trade.steps -= steps
        row = self.trades[trade.number]
        if not trade.steps:
            self.open.remove(trade)
            row[2], row[8] = self.bar, self.phase
        row[9] = reason
        row[12] = trade.steps
        row[13] += price * steps
        row[14] += profit
        row[15] += commission
        self._book(trade.number, price, reason, -steps, profit, commission)

    def close_leaving(self) -> None:
        """Close what is to be closed with the present quote."""
        for trade in [trade for trade in self.open if trade.leaving]:
            self.close(trade, trade.steps, self.worse_exit(trade, self.closing(), AT_EXIT), Reason(trade.leaving))

    def close_out(self) -> None:
        """Close the worst trades until equity is above the level of the margin again."""
        s = self.s
        while self.open:
            rate = self.rate()
            margin = money.margin(s, sum(trade.steps for trade in self.open), self.bid + self.ask, rate)
            if not margin or self.equity() * s.closeout_den > margin * s.closeout_num:
                return
            price = self.closing()
            worst = min(self.open, key=lambda trade: self._floating(trade, price, rate))
            self.close(worst, worst.steps, self.worse_exit(worst, price, AT_BROKER), Reason.MARGIN_CLOSEOUT)

    # -- money

    def closing(self, *, raw: bool = False) -> int:
        """Return the price at which open trades close now, if asked for without the extra spread."""
        if self.side > 0:
            return self.bid + self.s.spread_bid * raw
        return self.ask - self.s.spread_ask * raw

    def rate(self, *, raw: bool = False) -> float:
        """Return account currency per quote currency now, if asked for without the extra spread."""
        if self.s.rate == OWN:
            twice = self.bid + self.ask + (self.s.spread_bid - self.s.spread_ask) * raw
            return money.own_rate(twice, self.s.tick)
        return 1.0 if self.rates is None else float(self.rates[self.bar])

    def _floating(self, trade: Trade, price: int, rate: float) -> int:
        return money.value(self.s, (price - trade.price) * self.side * trade.steps, rate)

    def equity(self, *, raw: bool = False) -> int:
        """Return what the account is worth now, by the broker's quote or (as the gate has it) by the market's own."""
        if not self.open:
            return self.balance
        price, rate = self.closing(raw=raw), self.rate(raw=raw)
        return self.balance + sum(self._floating(trade, price, rate) for trade in self.open)

    def worse(self, price: int, side: int, decision: int, kind: int) -> int:
        """Return the price of a market execution on a side, slippage included."""
        slippage = self.s.slippage if self.slips is None else self.slips[decision][kind]
        return max(price + side * slippage, 1)

    def worse_exit(self, trade: Trade, price: int, kind: int) -> int:
        """Return the price at which a trade is closed at the market."""
        return self.worse(price, -self.side, trade.decision, kind)

    def book_days(self) -> None:
        """Book the financing that is due before this quote."""
        bars, phases, since, days = self.days
        while self.next_day < len(bars) and (bars[self.next_day], phases[self.next_day]) <= (self.bar, self.phase):
            day, self.next_day = self.next_day, self.next_day + 1
            yearly = self.s.swap_long if self.side > 0 else self.s.swap_short
            for trade in self.open:
                if trade.phase == AFTER_CLOSE and trade.bar >= since[day]:
                    continue
                twice = self.bid + self.ask
                amount = money.swap(self.s, trade.steps, twice, self.rate(), yearly, days[day])
                if amount:
                    self.balance += amount
                    self.trades[trade.number][16] += amount
                    self._book(trade.number, 0, Reason.SWAP, 0, amount, 0)

    def _book(self, trade: int, price: int, reason: Reason, steps: int, profit: int, commission: int) -> None:
        self.fills.append((trade, self.bar, price, self.phase, reason, 0, steps, profit, commission, self.balance))
