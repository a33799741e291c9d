"""How far prices went against a trade and with it while it was open (MAE and MFE)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from research.events.tape import Tape
from research.events.traded import Traded

Floats = NDArray[np.float64]


class Excursions(NamedTuple):
    """Of each trade, in the order given; arrays of shape ``(n,)``.

    Attributes
    ----------
    adverse_frac, favourable_frac : ndarray of float64
        Largest move against and with the trade, as a share of its open price; not negative; NaN without prices.
        Longs are valued at the bid, shorts at the ask, at every quote from the open to the close, both included.
    """

    adverse_frac: Floats
    favourable_frac: Floats


def excursions(trades: Traded, tapes: Sequence[Tape]) -> Excursions:
    """Look along what was played.

    Parameters
    ----------
    trades : Traded
        A trade that is open is followed to the end.
    tapes : sequence of Tape
        What was played.
    """
    count = len(trades.columns)
    found = Excursions(np.full(count, np.nan), np.full(count, np.nan))
    for side in ("buy", "sell"):
        for places, tape in _by_tape(trades, tapes, np.array([one == side for one in trades.side], np.bool_)):
            part = _of_side(trades, places, tape, is_long=side == "buy")
            for column, values in zip(found, part, strict=True):
                column[places] = values
    return found


def in_one_bar(trades: Traded, tapes: Sequence[Tape]) -> NDArray[np.bool_]:
    """Return which trades were opened and closed within one played bar: the order of prices in it is assumed.

    Parameters
    ----------
    trades, tapes
        As of `excursions`.

    Returns
    -------
    ndarray of bool, shape (n,)
        False without prices.
    """
    found = np.zeros(len(trades.columns), np.bool_)
    for places, tape in _by_tape(trades, tapes, trades.columns.close_ns != 0):
        first, last = _rows(tape, trades.columns.open_ns[places], trades.columns.close_ns[places])
        found[places] = first == last
    return found


def _by_tape(
    trades: Traded, tapes: Sequence[Tape], chosen: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.intp], Tape]]:
    """Yield the places of some trades by what was played of their instruments."""
    for tape in tapes:
        places = np.flatnonzero(chosen & np.array([one == tape.symbol for one in trades.instrument], np.bool_))
        if len(tape) and len(places):
            yield places, tape


def _rows(tape: Tape, *times_ns: NDArray[np.int64]) -> tuple[NDArray[np.intp], ...]:
    """Return the rows of some times, the last one for later times."""
    return tuple(np.minimum(np.searchsorted(tape.end_ns, times), len(tape) - 1) for times in times_ns)


def _of_side(trades: Traded, places: NDArray[np.intp], tape: Tape, *, is_long: bool) -> Excursions:
    lows, highs = (tape.bid_low, tape.bid_high) if is_long else (tape.ask_low, tape.ask_high)
    end_ns = int(tape.end_ns[-1])
    opened_ns, closed_ns = trades.columns.open_ns[places], trades.columns.close_ns[places]
    closed_ns = np.where(closed_ns != 0, closed_ns, end_ns)
    first, last = _rows(tape, opened_ns, closed_ns)
    low = _over_ranges(np.minimum, lows, first + 1, last, np.inf)
    high = _over_ranges(np.maximum, highs, first + 1, last, -np.inf)
    price, close = trades.open_price[places], trades.close_price[places]
    left = np.where(np.isnan(close), price, close)  # until its close a trade is known by its open price only
    low, high = np.minimum(low, np.minimum(price, left)), np.maximum(high, np.maximum(price, left))
    for rows in (first, last):
        which, times_ns, bids, asks = tape.quotes_in(rows)
        meanwhile = (opened_ns[which] <= times_ns) & (times_ns <= closed_ns[which])
        which, quoted = which[meanwhile], (bids if is_long else asks)[meanwhile]
        np.minimum.at(low, which, quoted)
        np.maximum.at(high, which, quoted)
    down, up = (price - low) / price, (high - price) / price
    adverse, favourable = (down, up) if is_long else (up, down)
    return Excursions(adverse, favourable)


def _over_ranges(
    reduce: np.ufunc, values: Floats, starts: NDArray[np.int64], stops: NDArray[np.int64], nothing: float
) -> Floats:
    """Reduce ``values[start:stop]`` of every pair, none beyond the last value; `nothing` for an empty one."""
    found = np.full(len(starts), nothing)
    real = np.flatnonzero(starts < stops)
    if len(real):
        pairs = np.column_stack([starts[real], stops[real]]).ravel()
        found[real] = reduce.reduceat(values, pairs)[::2]
    return found
