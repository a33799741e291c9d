"""What a bar stands for when it is played: four quotes. The same in a replay and in a backtest. Pure."""

from __future__ import annotations

from functools import partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrader.market import Bar, Bars, Tick


def quotes_of(instrument: str, bar: Bar, duration_ns: int) -> tuple[Tick, ...]:
    """Return the quotes a bar stands for: open, the two extremes, close.

    A rising bar is taken to touch its low first, a falling one its high: the shorter way. What really happened inside
    is not stored; research on stops inside one bar needs quotes, not bars.

    They stand at the begin, 1/3, 2/3 and the last nanosecond of the bar: all are inside it, and the close is fresh when
    the bar is handled.
    """
    low, high = (bar.low, bar.ask_low), (bar.high, bar.ask_high)
    first, second = (low, high) if bar.close >= bar.open else (high, low)
    third, begin_ns = duration_ns // 3, bar.open_time_ns
    times = (begin_ns, begin_ns + third, begin_ns + 2 * third, begin_ns + min(3 * third, duration_ns - 1))
    quotes = ((bar.open, bar.ask_open), first, second, (bar.close, bar.ask_close))
    return tuple(
        [
            _tick((instrument, time_ns, time_ns, bid, ask if ask >= bid else bid))
            for time_ns, (bid, ask) in zip(times, quotes, strict=True)
        ]
    )


_tick: Final = partial(tuple.__new__, Tick)  # without the cost of its constructor


class QuoteColumns(NamedTuple):
    """Quotes of some bars, four after four, arrays of shape ``(4 n,)``: times in ns UTC, float64 prices."""

    time_ns: NDArray[np.int64]
    bid: NDArray[np.float64]
    ask: NDArray[np.float64]


def quotes_of_bars(bars: Bars, rows: NDArray[np.intp], duration_ns: int) -> QuoteColumns:
    """Return what `quotes_of` gives for each of some rows, all at once."""
    rising = bars.close[rows] >= bars.open[rows]

    def four(opens: NDArray[np.float64], *others: NDArray[np.float64]) -> NDArray[np.float64]:
        low, high, close = (column[rows] for column in others)
        first, second = np.where(rising, low, high), np.where(rising, high, low)
        return np.column_stack([opens[rows], first, second, close]).ravel()

    bid = four(bars.open, bars.low, bars.high, bars.close)
    ask = four(bars.ask_open, bars.ask_low, bars.ask_high, bars.ask_close)
    into = np.minimum(np.arange(4) * (duration_ns // 3), duration_ns - 1)
    return QuoteColumns((bars.open_time_ns[rows][:, None] + into).ravel(), bid, np.maximum(bid, ask))
