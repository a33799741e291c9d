"""One instrument at the paper broker: its quote, orders and tickets, and the prices at which something can happen.

The levels make quotes cheap: a quote that crosses none of them is four comparisons of floats. They are set half a
price tick early, so that float64 never hides a trigger; the exact decision is made with Decimals afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

from atrader.calendars import Calendar
from atrader.instruments import Instrument
from atrader.market import decimal_prices
from atrader.orders.model import Trade
from atrader.paper.financing import next_boundary
from atrader.paper.state import Quote, Ticket, WorkingOrder


class Desk:
    """Quote, orders, tickets and trigger levels of one instrument.

    Parameters
    ----------
    instrument : Instrument
        What is traded.
    extra_spread_pips : Decimal
        Added to the spread of every quote, half on each side.
    """

    __slots__ = (
        "_as_money",
        "_ask_extra",
        "_ask_offset",
        "_bid_extra",
        "_bid_offset",
        "_day",
        "_prices",
        "_slop",
        "ask",
        "ask_high",
        "ask_low",
        "bid",
        "bid_high",
        "bid_low",
        "calendar",
        "dirty",
        "fresh",
        "instrument",
        "orders",
        "quote",
        "symbol",
        "tickets",
        "time_ns",
    )

    def __init__(self, instrument: Instrument, calendar: Calendar, extra_spread_pips: Decimal) -> None:
        self.instrument = instrument
        self.symbol = instrument.symbol
        self.quote = instrument.quote  # currency of its prices
        self.calendar = calendar
        extra = instrument.round_price(extra_spread_pips * instrument.pip)
        half_ticks = (extra / instrument.price_tick / 2).to_integral_value(ROUND_FLOOR)
        self._bid_extra = half_ticks * instrument.price_tick
        self._ask_extra = extra - self._bid_extra
        self._slop = float(instrument.price_tick) / 2
        self._as_money = decimal_prices(instrument.price_tick)
        self._bid_offset, self._ask_offset = float(self._bid_extra), float(self._ask_extra)
        self.time_ns = 0
        self.bid = self.ask = math.nan
        self.fresh = False  # a quote came since the account was connected
        self.dirty = False  # the quote is newer than the one in the book
        self._prices: tuple[float, float, tuple[Decimal, Decimal]] | None = None  # of which bid and ask
        self._day = (0, 0)  # of which all instants have the same next boundary
        self.orders: dict[str, WorkingOrder] = {}
        self.tickets: dict[str, Ticket] = {}
        self.set_levels()

    def remember(self, quote: Quote) -> None:
        """Take a quote from the book: good for converting and valuing, not for filling."""
        if not self.fresh:
            self.time_ns, self.bid, self.ask = quote.time_ns, quote.bid, quote.ask

    @property
    def extra_offsets(self) -> tuple[float, float]:
        """How far bid and ask are moved apart, each side."""
        return self._bid_offset, self._ask_offset

    @property
    def dearest(self) -> float:
        """A price that the ask, as money, is not above."""
        return self.ask + self._ask_offset + self._slop

    @property
    def has_quote(self) -> bool:
        """Whether any quote is known, fresh or from the book."""
        return self.bid == self.bid

    def prices(self) -> tuple[Decimal, Decimal]:
        """Return bid and ask as money, the spread widened."""
        known = self._prices
        if known is None or known[0] != self.bid or known[1] != self.ask:
            tick = self.instrument.price_tick
            bid, ask = self._as_money(self.bid), self._as_money(self.ask)
            if self._ask_extra:
                bid, ask = bid - self._bid_extra, ask + self._ask_extra
            money = bid if bid > tick else tick, ask
            known = self._prices = self.bid, self.ask, money
        return known[2]

    def is_halted(self, now_ns: int) -> bool:
        """Tell whether market orders find no market.

        No quote since the account was connected, or the calendar is closed and so it was not when the last quote came
        (a venue that quotes while the calendar says closed is taken at its word).
        """
        return not self.fresh or (not self.calendar.is_open(now_ns) and self.calendar.is_open(self.time_ns))

    def next_boundary(self, time_ns: int) -> int:
        """Return when financing is booked first after an instant."""
        begin_ns, end_ns = self._day
        if not begin_ns <= time_ns < end_ns:
            end_ns = next_boundary(self.calendar, time_ns)
            self._day = time_ns, end_ns
        return end_ns

    def is_touched(self) -> bool:
        """Tell whether the present quote may make something happen."""
        bid, ask = self.bid, self.ask
        return bid <= self.bid_low or bid >= self.bid_high or ask <= self.ask_low or ask >= self.ask_high

    def set_levels(self) -> None:
        """Work out the levels again; needed after every change of orders, tickets or protection."""
        if not (self.tickets or self.orders):
            self.bid_low = self.ask_low = -math.inf
            self.bid_high = self.ask_high = math.inf
            return
        bid_low, bid_high, ask_low, ask_high = _exit_levels(self.tickets.values(), self.instrument.price_tick)
        for working in self.orders.values():
            order = working.order
            if order.price is None or working.filled_parts or not working.resting:
                bid_high = -math.inf  # at any price
            elif order.side == "buy":
                if order.order_type == "limit":
                    ask_low = max(ask_low, float(order.price))
                else:
                    ask_high = min(ask_high, float(order.price))
            elif order.order_type == "limit":
                bid_high = min(bid_high, float(order.price))
            else:
                bid_low = max(bid_low, float(order.price))
        self.bid_low = bid_low + self._bid_offset + self._slop
        self.bid_high = bid_high + self._bid_offset - self._slop
        self.ask_low = ask_low - self._ask_offset + self._slop
        self.ask_high = ask_high - self._ask_offset - self._slop


class Touch(NamedTuple):
    """Prices that quotes have to reach before anything happens; infinite where nothing does."""

    bid_low: float
    bid_high: float
    ask_low: float
    ask_high: float


def touch_of(trades: Iterable[Trade], tick: Decimal) -> Touch:
    """Return at which quotes of their instrument something happens to protected trades; half a tick early."""
    bid_low, bid_high, ask_low, ask_high = _exit_levels(trades, tick)
    slop = float(tick) / 2
    return Touch(bid_low + slop, bid_high - slop, ask_low + slop, ask_high - slop)


def _exit_levels(held: Iterable[Ticket | Trade], tick: Decimal) -> tuple[float, float, float, float]:
    """Return at which prices something happens to what is protected: a stop, a target, the next move of a stop."""
    bid_low = ask_low = -math.inf
    bid_high = ask_high = math.inf
    for one in held:
        stop, target, distance = one.stop_loss, one.take_profit, one.trailing_distance
        if distance and not stop:
            bid_high = -math.inf  # at any price: its stop is where the next quote puts it
        if one.side == "buy":
            if stop and (level := float(stop)) > bid_low:
                bid_low = level
            if stop and distance:
                bid_high = min(bid_high, float(stop + distance + tick))
            if target and (level := float(target)) < bid_high:
                bid_high = level
        else:
            if stop and (level := float(stop)) < ask_high:
                ask_high = level
            if stop and distance:
                ask_low = max(ask_low, float(stop - distance - tick))
            if target and (level := float(target)) > ask_low:
                ask_low = level
    return bid_low, bid_high, ask_low, ask_high
