"""What the account was worth at the end of every step, worked out after a run from what was booked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, partial
from operator import mul
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from atrader.instruments import Instrument
from research.events.market import Market

Floats = NDArray[np.float64]

_AT_ONCE: Final = 16_384  # steps whose sums stay in the cache of a processor: a walk through memory costs more


class Booked(NamedTuple):
    """One change of what is held, for the equity curve; money in account currency."""

    time_ns: int
    instrument: str
    side: str  # of the trade
    units: Decimal  # added, negative = taken off
    price: Decimal  # at which the trade was opened
    balance: Decimal  # after it


@dataclass(frozen=True)
class EquityCurve:
    """The account in steps; float64, account currency. All arrays have shape (m,).

    Attributes
    ----------
    time_ns : ndarray of int64
        End of each step, UTC.
    balance, equity : ndarray of float64
        Without and with what was open.
    sides : callable
        Returns `long` and `short`; called once at most.
    """

    time_ns: NDArray[np.int64]
    balance: Floats
    equity: Floats
    sides: Callable[[], tuple[Floats, Floats]]

    @property
    def long(self) -> Floats:
        """What the open longs were worth at their prices; not negative. No figure needs it, but a report draws it."""
        return self._sides[0]

    @property
    def short(self) -> Floats:
        """The same of the open shorts."""
        return self._sides[1]

    @cached_property
    def _sides(self) -> tuple[Floats, Floats]:
        return self.sides()


class Changes(NamedTuple):
    """What was booked, oldest first; arrays of shape ``(n,)``.

    Attributes
    ----------
    time_ns : ndarray of int64
        When, UTC.
    balance : ndarray of float64
        After it, account currency.
    units : ndarray of float64
        Added to what is held, negative = taken off.
    cost : ndarray of float64
        The same at the price at which the trade was opened.
    places : Mapping of (instrument, side of the trade) to sequence of int
        Which are whose.
    """

    time_ns: NDArray[np.int64]
    balance: Floats
    units: Floats
    cost: Floats
    places: Mapping[tuple[str, str], NDArray[np.intp]]

    @classmethod
    def of(cls, booked: Sequence[Booked]) -> Self:
        """Take what was booked one by one."""
        times, instruments, sides, units, prices, balances = zip(*booked, strict=True) if booked else ((),) * 6
        places = defaultdict[tuple[str, str], list[int]](list)
        for place, key in enumerate(zip(instruments, sides, strict=True)):
            places[key].append(place)
        return cls(
            np.array(times, np.int64),
            np.array(list(map(float, balances)), np.float64),
            np.array(list(map(float, units)), np.float64),
            np.array(list(map(float, map(mul, units, prices))), np.float64),
            {key: np.array(found, np.intp) for key, found in places.items()},
        )


def equity_curve(
    market: Market, changes: Changes, initial: float, currency: str, instruments: Mapping[str, Instrument]
) -> EquityCurve:
    """Value what was held with the last quotes of every step, as the gateway does, in float64.

    Parameters
    ----------
    market : Market
        What was played.
    changes : Changes
        What was booked.
    initial : float
        Balance at the begin.
    currency : str
        Of the account.
    instruments : Mapping of str to Instrument
        Their quote currencies.
    """
    count = len(market)
    # A fill belongs to the step whose quotes made it, one on the very end of a step to that step.
    at = np.maximum.accumulate(np.minimum(np.searchsorted(market.ends, changes.time_ns), count - 1))
    balance, equity = np.empty(count), np.empty(count)
    tracks = list(_tracks(market, changes, at, currency, instruments))
    booked = _Steps(at, changes.balance, initial)
    for part in _parts(count):
        balance[part] = equity[part] = booked.of(part)
        for track in tracks:
            track.add_gain(part, equity[part])
    return EquityCurve(market.ends, balance, equity, partial(_worth, tracks, count))


def _worth(tracks: Sequence[_Track], count: int) -> tuple[Floats, Floats]:
    """Return what was held on either side was worth, step by step."""
    long, short = np.zeros(count), np.zeros(count)
    for part in _parts(count):
        for track in tracks:
            track.add_worth(part, (long if track.side == "buy" else short)[part])
    return long, short


def _parts(count: int) -> Iterator[slice]:
    return (slice(begin, min(begin + _AT_ONCE, count)) for begin in range(0, count, _AT_ONCE))


class _Steps:
    """A value that changes at some steps; of each step the last one at or before it."""

    def __init__(self, at: NDArray[np.int64], values: Floats, before: float) -> None:
        self._at, self._known = at, np.concatenate([[before], values])

    def of(self, part: slice) -> Floats:
        """Return it for some steps in a row."""
        first, last = np.searchsorted(self._at, (part.start, part.stop))
        found: Floats = np.repeat(
            self._known[first : last + 1], np.diff(self._at[first:last], prepend=part.start, append=part.stop)
        )
        return found


class _Track(NamedTuple):
    """What was held of an instrument on one side."""

    side: str
    held: _Steps
    paid: _Steps
    price: Floats
    rate: Floats | float

    def add_gain(self, part: slice, equity: Floats) -> None:
        """Add what is won with it to the equity of some steps."""
        held, paid = self.held.of(part), self.paid.of(part)
        gain = np.subtract(np.multiply(held, self.price[part], out=held), paid, out=paid)
        if not isinstance(self.rate, float):
            gain *= self.rate[part]
        if self.side == "buy":
            equity += gain
        else:
            equity -= gain

    def add_worth(self, part: slice, worth: Floats) -> None:
        """Add what it is worth to that of its side."""
        value = self.held.of(part)
        value *= self.price[part]
        if not isinstance(self.rate, float):
            value *= self.rate[part]
        worth += value


def _tracks(
    market: Market,
    changes: Changes,
    at: NDArray[np.int64],
    currency: str,
    instruments: Mapping[str, Instrument],
) -> Iterator[_Track]:
    for symbol in sorted({instrument for instrument, _ in changes.places}):  # sums of floats depend on their order
        bid, ask = closes_of(market, symbol)
        rate = rate_of(market, instruments[symbol].quote, currency)
        for side, price in (("buy", bid), ("sell", ask)):
            mine = changes.places.get((symbol, side))
            if mine is not None and len(mine):
                held, paid = (np.cumsum(column[mine]) for column in (changes.units, changes.cost))
                held[held <= 1e-12] = paid[held <= 1e-12] = 0.0  # what is left are roundings
                yield _Track(side, _Steps(at[mine], held, 0.0), _Steps(at[mine], paid, 0.0), price, rate)


def closes_of(market: Market, symbol: str) -> tuple[Floats, Floats]:
    """Return the last bid and ask of an instrument at the end of every step; before its first quote that one.

    To read: they may be the tape's own.
    """
    reel = market.reels[symbol]
    if reel.tape.end_ns is market.ends:  # nothing else is played: each row is a step
        return reel.tape.closes()
    rows = reel.last_rows(len(market))
    bid, ask = reel.tape.closes()
    return bid[rows], ask[rows]


def rate_of(market: Market, quote: str, currency: str) -> Floats | float:
    """Return account currency per unit of another at the end of every step."""
    if quote == currency:
        return 1.0
    if f"{quote}/{currency}" in market.reels:
        bid, ask = closes_of(market, f"{quote}/{currency}")
        middle: Floats = (bid + ask) / 2
        return middle
    bid, ask = closes_of(market, f"{currency}/{quote}")
    inverse: Floats = 2 / (bid + ask)
    return inverse
