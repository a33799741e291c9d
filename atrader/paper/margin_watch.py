"""A cheap running estimate that says when the margin has to be looked at exactly.

Equity moves with every quote of everything held; working it out with Decimals each time would cost more than all else.
The watch keeps a float64 estimate per instrument, corrects it by the instrument that was quoted (and by those whose
quote currency that instrument converts), and reports when equity comes near the close-out level. The decision itself
is always made with the exact figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from atrader.paper.desk import Desk
from atrader.paper.money import Money

# How far from the level the exact figures are asked: far more than float64 and the rounding of amounts can differ by.
_NEAR_FRAC = 1e-3


@dataclass(slots=True)
class _Held:
    desk: Desk
    pairs: tuple[tuple[Desk, bool], ...]  # what converts the quote currency, and whether inverted
    margin_rate: float
    long_units: float = 0.0
    long_cost: float = 0.0
    short_units: float = 0.0
    short_cost: float = 0.0
    margin_units: float = 0.0  # units of the larger leg times the margin rate
    fallback_rate: float = 1.0
    fallback_of: Decimal | None = None  # the same as money
    profit: float = 0.0
    margin: float = 0.0
    sources: tuple[str, ...] = ()  # instruments whose quotes move it

    def __post_init__(self) -> None:
        self.sources = tuple({self.desk.symbol: 0, **{pair.symbol: 0 for pair, _ in self.pairs}})

    def count(self) -> None:
        """Take the tickets as they are now."""
        long_units = long_cost = short_units = short_cost = 0.0
        # A wider spread at this account makes closing worse: put it into the costs once.
        extra_bid, extra_ask = self.desk.extra_offsets
        for ticket in self.desk.tickets.values():
            units, price = float(ticket.units), float(ticket.open_price)
            if ticket.side == "buy":
                long_units += units
                long_cost += units * (price + extra_bid)
            else:
                short_units += units
                short_cost += units * (price - extra_ask)
            if ticket.home_rate is not self.fallback_of:
                self.fallback_of, self.fallback_rate = ticket.home_rate, float(ticket.home_rate)
        self.long_units, self.long_cost = long_units, long_cost
        self.short_units, self.short_cost = short_units, short_cost
        self.margin_units = (long_units if long_units > short_units else short_units) * self.margin_rate


class Reach(NamedTuple):
    """Between what the quotes of an instrument lie."""

    bid_low: float
    ask_high: float


class MarginWatch:
    """Estimate of equity and margin over the instruments held.

    Parameters
    ----------
    money : Money
        Arithmetic of the account: conversion pairs and margin rates.
    closeout_frac : Decimal
        Equity over margin used at which positions are closed.
    """

    __slots__ = (
        "_balance",
        "_balance_of",
        "_begun",
        "_by_symbol",
        "_closeout",
        "_held",
        "_margin",
        "_money",
        "_profit",
        "_quantum",
        "_rounding",
    )

    def __init__(self, money: Money, closeout_frac: Decimal) -> None:
        self._money = money
        self._closeout = float(closeout_frac)
        self._quantum = float(money.quantum)
        self._held: dict[str, _Held] = {}
        self._begun: dict[str, _Held] = {}  # all that were held at some time
        self._by_symbol: dict[str, tuple[_Held, ...]] = {}  # of these, whom quotes of an instrument move
        self._profit = self._margin = self._balance = self._rounding = 0.0
        self._balance_of = Decimal(0)  # the same as money

    def refresh(self, desk: Desk, balance: Decimal) -> None:
        """Take the tickets of one instrument and the balance as they are now; needed after fills and bookings."""
        if balance != self._balance_of:
            self._balance_of, self._balance = balance, float(balance)
        held = self._held.get(desk.symbol)
        if desk.tickets:
            if held is None:
                held = self._held[desk.symbol] = self._begun.get(desk.symbol) or self._begin(desk)
            held.count()
        elif held is None:
            return
        else:
            del self._held[desk.symbol]
        self._profit = self._margin = self._rounding = 0.0
        for held in self._held.values():
            held.profit = held.margin = 0.0
            self._estimate(held)
            self._rounding += self._quantum * (len(held.desk.tickets) + 1)

    def _begin(self, desk: Desk) -> _Held:
        pairs = self._money.pairs(desk.quote)
        held = self._begun[desk.symbol] = _Held(desk, pairs, float(self._money.margin_rate(desk.instrument)))
        for source in held.sources:
            self._by_symbol[source] = (*self._by_symbol.get(source, ()), held)
        return held

    def is_near(self, symbol: str) -> bool:
        """Take a new quote of an instrument into the estimate; tell whether a close-out is near or due."""
        if not self._held:
            return False
        for held in self._by_symbol.get(symbol, ()):
            if held.desk.tickets:
                self._estimate(held)
        level = self._closeout * self._margin * (1 + _NEAR_FRAC) + self._rounding
        return self._balance + self._profit <= level

    def concerns(self, symbol: str) -> bool:
        """Tell whether quotes of an instrument may move the estimate."""
        return bool(self._held) and symbol in self._by_symbol

    def is_surely_enough_for(self, desk: Desk, units: Decimal, rate: Decimal) -> bool:
        """Tell the same of more units of an instrument, whatever is held of it, at the rate of its quote currency."""
        in_home = float(units) * desk.dearest * (1.0 if rate == 1 else float(rate))
        held = self._begun.get(desk.symbol) or self._begin(desk)
        needed = (self._margin + in_home * held.margin_rate) * (1 + _NEAR_FRAC) + self._rounding + self._quantum
        return self._balance + self._profit > needed

    def is_surely_enough(self, more_margin: Decimal) -> bool:
        """Tell whether equity covers some more margin by far, so that the exact figures need not be asked."""
        needed = (self._margin + float(more_margin)) * (1 + _NEAR_FRAC) + self._rounding
        return self._balance + self._profit > needed

    def stays_clear(self, reach: Mapping[str, Reach]) -> bool:
        """Tell whether no quotes within some bounds, in whatever order, can bring a close-out near.

        Parameters
        ----------
        reach : Mapping of str to Reach
            By instrument; those left out are not quoted.
        """
        profit = margin = 0.0
        for held in self._held.values():
            at = reach.get(held.desk.symbol)
            if at is None:
                return False
            low_rate, high_rate = _rates(held, reach)
            won = at.bid_low * held.long_units - held.long_cost + held.short_cost - at.ask_high * held.short_units
            profit += won * (high_rate if won < 0 else low_rate)
            margin += held.margin_units * at.ask_high * high_rate
        level = self._closeout * margin * (1 + _NEAR_FRAC) + self._rounding
        return not self._held or self._balance + profit > level

    def _estimate(self, held: _Held) -> None:
        desk = held.desk
        bid, ask = desk.bid, desk.ask
        if bid != bid:
            return
        rate = held.fallback_rate
        for pair, inverse in held.pairs:
            if pair.bid == pair.bid:
                middle = (pair.bid + pair.ask) / 2
                rate = 1 / middle if inverse else middle
                break
        profit = (bid * held.long_units - held.long_cost + held.short_cost - ask * held.short_units) * rate
        margin = held.margin_units * (bid + ask) / 2 * rate
        self._profit += profit - held.profit
        self._margin += margin - held.margin
        held.profit, held.margin = profit, margin


def _rates(held: _Held, reach: Mapping[str, Reach]) -> tuple[float, float]:
    """Return the least and the highest conversion rate."""
    for pair, inverse in held.pairs:
        at = reach.get(pair.symbol)
        if at is not None:
            return (1 / at.ask_high, 1 / at.bid_low) if inverse else (at.bid_low, at.ask_high)
    return held.fallback_rate, held.fallback_rate
