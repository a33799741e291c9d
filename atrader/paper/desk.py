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
from atrader.market import decimal_price
from atrader.orders.model import Trade
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
        "_ask_extra",
        "_bid_extra",
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
        "tickets",
        "time_ns",
    )

    def __init__(self, instrument: Instrument, calendar: Calendar, extra_spread_pips: Decimal) -> None:
        self.instrument = instrument
        self.calendar = calendar
        extra = instrument.round_price(extra_spread_pips * instrument.pip)
        half_ticks = (extra / instrument.price_tick / 2).to_integral_value(ROUND_FLOOR)
        self._bid_extra = half_ticks * instrument.price_tick
        self._ask_extra = extra - self._bid_extra
        self._slop = float(instrument.price_tick) / 2
        self.time_ns = 0
        self.bid = self.ask = math.nan
        self.fresh = False  # a quote came since the account was connected
        self.dirty = False  # the quote is newer than the one in the book
        self._prices: tuple[int, float, float, Decimal, Decimal] | None = None
        self.orders: dict[str, WorkingOrder] = {}
        self.tickets: dict[str, Ticket] = {}
        self.set_levels()

    def remember(self, quote: Quote) -> None:
        """Take a quote from the book: good for converting and valuing, not for filling."""
        if not self.fresh:
            self.time_ns, self.bid, self.ask = quote.time_ns, quote.bid, quote.ask

    @property
    def extra_spread(self) -> tuple[Decimal, Decimal]:
        """How far bid and ask are moved apart, each side."""
        return self._bid_extra, self._ask_extra

    @property
    def has_quote(self) -> bool:
        """Whether any quote is known, fresh or from the book."""
        return self.bid == self.bid

    def prices(self) -> tuple[Decimal, Decimal]:
        """Return bid and ask as money, the spread widened."""
        known = self._prices
        if known is None or known[:3] != (self.time_ns, self.bid, self.ask):
            tick = self.instrument.price_tick
            bid = max(decimal_price(self.bid, tick) - self._bid_extra, tick)
            known = (self.time_ns, self.bid, self.ask, bid, decimal_price(self.ask, tick) + self._ask_extra)
            self._prices = known
        return known[3], known[4]

    def is_halted(self, now_ns: int) -> bool:
        """Tell whether market orders find no market.

        No quote since the account was connected, or the calendar is closed and so it was not when the last quote came
        (a venue that quotes while the calendar says closed is taken at its word).
        """
        return not self.fresh or (not self.calendar.is_open(now_ns) and self.calendar.is_open(self.time_ns))

    def set_levels(self) -> None:
        """Work out the levels again; needed after every change of orders, tickets or protection."""
        bid_below, bid_above, ask_below, ask_above = levels = _Levels(), _Levels(), _Levels(), _Levels()
        tick = self.instrument.price_tick
        for ticket in self.tickets.values():
            _note_exits(ticket, tick, *levels)
        at_any_price = False
        for working in self.orders.values():
            order = working.order
            if order.price is None or working.filled_parts or not working.resting:
                at_any_price = True
            elif order.side == "buy":
                (ask_below if order.order_type == "limit" else ask_above).add(order.price)
            else:
                (bid_above if order.order_type == "limit" else bid_below).add(order.price)
        bid_extra, ask_extra, slop = float(self._bid_extra), float(self._ask_extra), self._slop
        self.bid_low = max(bid_below, default=-math.inf) + bid_extra + slop
        self.bid_high = -math.inf if at_any_price else min(bid_above, default=math.inf) + bid_extra - slop
        self.ask_low = max(ask_below, default=-math.inf) - ask_extra + slop
        self.ask_high = min(ask_above, default=math.inf) - ask_extra - slop


class Touch(NamedTuple):
    """Prices that quotes have to reach before anything happens; infinite where nothing does."""

    bid_low: float
    bid_high: float
    ask_low: float
    ask_high: float


def touch_of(trades: Iterable[Trade], tick: Decimal) -> Touch:
    """Return at which quotes of their instrument something happens to protected trades; half a tick early."""
    bid_below, bid_above, ask_below, ask_above = levels = _Levels(), _Levels(), _Levels(), _Levels()
    for trade in trades:
        _note_exits(trade, tick, *levels)
        if trade.trailing_distance and not trade.stop_loss:
            bid_above.append(-math.inf)  # at any price: its stop is where the next quote puts it
    slop = float(tick) / 2
    return Touch(
        max(bid_below, default=-math.inf) + slop,
        min(bid_above, default=math.inf) - slop,
        max(ask_below, default=-math.inf) + slop,
        min(ask_above, default=math.inf) - slop,
    )


class _Levels(list[float]):
    def add(self, price: Decimal | None) -> None:
        if price:
            self.append(float(price))


def _note_exits(
    held: Ticket | Trade, tick: Decimal, bid_below: _Levels, bid_above: _Levels, ask_below: _Levels, ask_above: _Levels
) -> None:
    """Note at which prices something happens to what is protected: its stop, its target, the next move of its stop."""
    stop, target, distance = held.stop_loss, held.take_profit, held.trailing_distance
    if held.side == "buy":
        bid_below.add(stop)
        bid_above.add(target)
        bid_above.add(stop + distance + tick if stop and distance else None)
    else:
        ask_above.add(stop)
        ask_below.add(target)
        ask_below.add(stop - distance - tick if stop and distance else None)
