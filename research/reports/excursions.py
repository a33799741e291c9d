"""How far prices went against a trade and with it while it was open (MAE and MFE)."""

from __future__ import annotations

from collections.abc import Sequence
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
    in_one_bar : ndarray of bool
        Opened and closed within one played bar: the order of the prices in it is assumed, not known.
    """

    adverse_frac: Floats
    favourable_frac: Floats
    in_one_bar: NDArray[np.bool_]


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
    found = Excursions(np.full(count, np.nan), np.full(count, np.nan), np.zeros(count, bool))
    groups: dict[tuple[str, str], list[int]] = {}
    for number, key in enumerate(zip(trades.instrument, trades.side, strict=True)):
        groups.setdefault(key, []).append(number)
    by_symbol = {tape.symbol: tape for tape in tapes if len(tape)}
    for (symbol, side), numbers in groups.items():
        if symbol in by_symbol:
            part = _of_side(trades, np.array(numbers, np.intp), by_symbol[symbol], is_long=side == "buy")
            for column, values in zip(found, part, strict=True):
                column[numbers] = values
    return found


def _of_side(trades: Traded, places: NDArray[np.intp], tape: Tape, *, is_long: bool) -> Excursions:
    lows, highs = (tape.bid_low, tape.bid_high) if is_long else (tape.ask_low, tape.ask_high)
    end_ns = int(tape.end_ns[-1])
    opened_ns, closed_ns = trades.columns.open_ns[places], trades.columns.close_ns[places]
    is_closed = closed_ns != 0
    closed_ns = np.where(is_closed, closed_ns, end_ns)
    last_row = len(tape) - 1
    first = np.minimum(np.searchsorted(tape.end_ns, opened_ns), last_row)
    last = np.minimum(np.searchsorted(tape.end_ns, closed_ns), last_row)
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
    return Excursions(adverse, favourable, (first == last) & is_closed)


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
