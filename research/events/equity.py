"""What the account was worth at the end of every step, worked out after a run from what was booked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrader.instruments import Instrument
from research.events.booking import Booked
from research.events.market import Market

Floats = NDArray[np.float64]


class EquityCurve(NamedTuple):
    """The account in steps; float64, account currency. All arrays have shape (m,).

    Attributes
    ----------
    time_ns : ndarray of int64
        End of each step, UTC.
    balance, equity : ndarray of float64
        Without and with what was open.
    long, short : ndarray of float64
        What the open trades of each side were worth at their prices; not negative.
    """

    time_ns: NDArray[np.int64]
    balance: Floats
    equity: Floats
    long: Floats
    short: Floats


def equity_curve(
    market: Market, changes: Sequence[Booked], initial: float, currency: str, instruments: Mapping[str, Instrument]
) -> EquityCurve:
    """Value what was held with the last quotes of every step, as the gateway does, in float64.

    Parameters
    ----------
    market : Market
        What was played.
    changes : sequence of Booked
        What was booked, oldest first.
    initial : float
        Balance at the begin.
    currency : str
        Of the account.
    instruments : Mapping of str to Instrument
        Their quote currencies.
    """
    count = len(market)
    # A fill belongs to the step whose quotes made it, one on the very end of a step to that step.
    times = np.array([change.time_ns for change in changes], np.int64)
    at = np.maximum.accumulate(np.minimum(np.searchsorted(market.ends, times), count - 1))
    balance = _stepped(at, np.array([float(change.balance) for change in changes]), count, initial)
    equity = balance.copy()
    worth = {"buy": np.zeros(count), "sell": np.zeros(count)}
    for symbol in sorted({change.instrument for change in changes}):  # sums of floats depend on their order
        bid, ask = closes_of(market, symbol)
        rate = rate_of(market, instruments[symbol].quote, currency)
        for side, price, sign in (("buy", bid, 1.0), ("sell", ask, -1.0)):
            mine = [i for i, change in enumerate(changes) if (change.instrument, change.side) == (symbol, side)]
            if mine:
                units = np.array([float(changes[i].units) for i in mine])
                cost = np.array([float(changes[i].units * changes[i].price) for i in mine])
                held = _stepped(at[mine], np.cumsum(units), count, 0.0)
                paid = _stepped(at[mine], np.cumsum(cost), count, 0.0)
                nothing = held <= 1e-12
                value = np.multiply(held, price, out=held)  # in place: new memory costs more than the sums
                value[nothing] = 0.0
                gain = np.subtract(value, paid, out=paid)
                gain *= sign
                if not isinstance(rate, float):
                    gain *= rate
                    value *= rate
                gain[nothing] = 0.0
                equity += gain
                worth[side] += value
    return EquityCurve(market.ends, balance, equity, worth["buy"], worth["sell"])


def _stepped(at: NDArray[np.int64], values: Floats, count: int, before: float) -> Floats:
    """Return for every step the last value at or before it."""
    known = np.concatenate([[before], values])
    found: Floats = np.repeat(known, np.diff(at, prepend=0, append=count))
    return found


def closes_of(market: Market, symbol: str) -> tuple[Floats, Floats]:
    """Return the last bid and ask of an instrument at the end of every step; before its first quote that one."""
    reel = market.reels[symbol]
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
