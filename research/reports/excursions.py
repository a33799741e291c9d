"""How far prices went against a trade and with it while it was open (MAE and MFE), and what their order decided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from research.events.tape import BarTape, Tape
from research.events.traded import AT_STOP, AT_TARGET, Traded

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


class InsideBars(NamedTuple):
    """Trades whose end the assumed order of the prices inside a played bar decided; arrays of shape ``(n,)``.

    Attributes
    ----------
    in_one_bar : ndarray of bool
        Opened and closed within one bar.
    both_in_bar : ndarray of bool
        Ended at its stop or its target, inside a later bar than that of its open, which held the other of the two as
        well. Of a trade that ended at its target the stop is the first one; whether the bar held one that was moved
        since is not known. An end at the open of a bar is none of these.
    """

    in_one_bar: NDArray[np.bool_]
    both_in_bar: NDArray[np.bool_]


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


def inside_bars(trades: Traded, tapes: Sequence[Tape]) -> InsideBars:
    """Look which trades ended as they did by the order inside a bar: none without prices, nor where quotes were played.

    Parameters
    ----------
    trades, tapes
        As of `excursions`.
    """
    found = InsideBars(*np.zeros((2, len(trades.columns)), np.bool_))
    for places, tape in _by_tape(trades, tapes, trades.columns.close_ns != 0):
        if isinstance(tape, BarTape):
            closed_ns = trades.columns.close_ns[places]
            first, last = _rows(tape, trades.columns.open_ns[places], closed_ns)
            is_inside = (first != last) & (tape.bars.open_time_ns[last] < closed_ns) & (closed_ns < tape.end_ns[last])
            found.in_one_bar[places] = first == last
            found.both_in_bar[places] = is_inside & _holds_other(trades, places, tape, last)
    return found


def _holds_other(trades: Traded, places: NDArray[np.intp], tape: BarTape, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which trades ended at their stop or target in a row whose prices reached the other, too."""
    stop, target, ended = trades.stop[places], trades.target[places], trades.ended[places]
    is_long = np.array([trades.side[place] == "buy" for place in places.tolist()], np.bool_)
    low = np.where(is_long, tape.bid_low[rows], tape.ask_low[rows])
    high = np.where(is_long, tape.bid_high[rows], tape.ask_high[rows])
    to_stop = np.where(is_long, low <= stop, high >= stop)
    to_target = np.where(is_long, high >= target, low <= target)
    found: NDArray[np.bool_] = ((ended == AT_STOP) & to_target) | ((ended == AT_TARGET) & to_stop)
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
