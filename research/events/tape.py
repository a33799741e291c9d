"""One instrument as it is played: rows of quotes, each with its extremes, so that stretches can be looked over."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.bar_quotes import quotes_of, quotes_of_bars
from atrader.market import Bar, Bars, Quotes, Tick
from atrader.market_checks import check_bars, check_quotes
from atrader.timeframes import Timeframe

_tick: Final = partial(tuple.__new__, Tick)  # without the cost of its constructor

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


class Tape(ABC):
    """Rows of one instrument, oldest first: a bar each, or a second of quotes each.

    Attributes
    ----------
    symbol : str
        The instrument.
    end_ns : ndarray of int64, shape (n,)
        When each row is over, UTC ns; strictly increasing.
    bid_low, bid_high, ask_low, ask_high : ndarray of float64, shape (n,)
        Extremes of a row's quotes.
    """

    symbol: str
    end_ns: Times
    bid_low: Floats
    bid_high: Floats
    ask_low: Floats
    ask_high: Floats

    def __len__(self) -> int:
        return len(self.end_ns)

    @abstractmethod
    def ticks(self, row: int) -> tuple[Tick, ...]:
        """Return the quotes of a row, oldest first."""

    def quotes_in(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], Times, Floats, Floats]:
        """Return the quotes of some rows, one row after the other, as columns.

        Returns
        -------
        which : ndarray of intp, shape (m,)
            Place in `rows` that each quote belongs to.
        time_ns, bid, ask : ndarray, shape (m,)
            The quotes.
        """
        found = [
            (at, tick.time_ns, tick.bid, tick.ask) for at, row in enumerate(rows.tolist()) for tick in self.ticks(row)
        ]
        which, times, bids, asks = zip(*found, strict=True) if found else ((), (), (), ())
        return np.array(which, np.intp), np.array(times, np.int64), np.array(bids, float), np.array(asks, float)

    @abstractmethod
    def last(self, row: int) -> Tick:
        """Return the last quote of a row."""

    @abstractmethod
    def since(self, open_ns: int, rows: int) -> Bar | None:
        """Return one bar of what was quoted from a time on, in the first so many rows; None when nothing was."""

    @abstractmethod
    def closes(self) -> tuple[Floats, Floats]:
        """Return the last bid and ask of all rows."""


class BarTape(Tape):
    """Bars, each as the four quotes it stands for.

    Parameters
    ----------
    symbol : str
        The instrument.
    bars : Bars
        Of one fixed timeframe.
    duration_ns : int
        Its length.

    Attributes
    ----------
    bars, duration_ns
        As given.

    Raises
    ------
    ConfigError
        When they are no market, see `check_bars`.
    """

    def __init__(self, symbol: str, bars: Bars, duration_ns: int) -> None:
        check_bars(bars, f"{symbol} {Timeframe.of_ns(duration_ns)}")
        self.symbol = symbol
        self.bars = bars
        self.duration_ns = duration_ns
        self.end_ns = bars.open_time_ns + duration_ns
        self.bid_low, self.bid_high = bars.low, bars.high
        self._ask_close, self.ask_low, self.ask_high = bars.close, bars.low, bars.high
        if bars.has_one_price():
            return
        # An ask below its bid is taken for the bid, quote by quote.
        asks = [
            np.maximum(getattr(bars, name), getattr(bars, f"ask_{name}")) for name in ("open", "high", "low", "close")
        ]
        self._ask_close = asks[3]
        self.ask_low, self.ask_high = np.minimum.reduce(asks), np.maximum.reduce(asks)

    def ticks(self, row: int) -> tuple[Tick, ...]:
        """Return the four quotes of a bar."""
        return quotes_of(self.symbol, self.bars.row(row), self.duration_ns)

    def quotes_in(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], Times, Floats, Floats]:
        """Return the four quotes of each of some bars."""
        return np.repeat(np.arange(len(rows)), 4), *quotes_of_bars(self.bars, rows, self.duration_ns)

    def last(self, row: int) -> Tick:
        """Return the close of a bar, as its last quote."""
        time_ns = self.end_ns.item(row) - 1
        return _tick((self.symbol, time_ns, time_ns, self.bars.close.item(row), self._ask_close.item(row)))

    def since(self, open_ns: int, rows: int) -> Bar | None:
        """Return one bar of the bars from a time on."""
        part = self.bars[int(np.searchsorted(self.bars.open_time_ns, open_ns)) : rows]
        if not len(part):
            return None
        asks = (part.ask_open[0], part.ask_high.max(), part.ask_low.min(), part.ask_close[-1])
        bids = (part.open[0], part.high.max(), part.low.min(), part.close[-1])
        return Bar(open_ns, *(float(one) for one in (*bids, *asks, part.volume.sum())))

    def closes(self) -> tuple[Floats, Floats]:
        """Return bid and ask of all closes."""
        return self.bars.close, self._ask_close


class QuoteTape(Tape):
    """Quotes, in rows of one window of time; a row for each window that has any.

    Parameters
    ----------
    symbol : str
        The instrument.
    quotes : Quotes
        Crossed ones are left out, as the account passes them over.
    window_ns : int
        Length of a window; windows begin at its multiples.

    Attributes
    ----------
    quotes : Quotes
        Those that are played.

    Raises
    ------
    ConfigError
        When they are no market, see `check_quotes`.
    """

    def __init__(self, symbol: str, quotes: Quotes, window_ns: int) -> None:
        check_quotes(quotes, f"{symbol} quotes")
        self.symbol = symbol
        straight = quotes.bid <= quotes.ask
        quotes = self.quotes = quotes if straight.all() else quotes.where(straight)
        windows = quotes.time_ns // window_ns
        self._firsts = np.flatnonzero(np.diff(windows, prepend=-1))
        self._ends = np.append(self._firsts[1:], len(windows))
        self.end_ns = (windows[self._firsts] + 1) * window_ns
        self.bid_low, self.ask_low = (np.minimum.reduceat(one, self._firsts) for one in (quotes.bid, quotes.ask))
        self.bid_high, self.ask_high = (np.maximum.reduceat(one, self._firsts) for one in (quotes.bid, quotes.ask))

    def ticks(self, row: int) -> tuple[Tick, ...]:
        """Return the quotes of a window."""
        return tuple(self.quotes.ticks(self.symbol, int(self._firsts[row]), int(self._ends[row])))

    def last(self, row: int) -> Tick:
        """Return the last quote of a window."""
        end = int(self._ends[row])
        return self.quotes.ticks(self.symbol, end - 1, end)[0]

    def since(self, open_ns: int, rows: int) -> Bar | None:
        """Return one bar of the quotes from a time on; its volume counts them."""
        first = int(np.searchsorted(self.quotes.time_ns, open_ns))
        part = self.quotes.part(first, int(self._ends[rows - 1]) if rows else 0)
        if not len(part.time_ns):
            return None
        values = [float(one) for side in (part.bid, part.ask) for one in (side[0], side.max(), side.min(), side[-1])]
        return Bar._make((open_ns, *values, float(len(part.time_ns))))

    def closes(self) -> tuple[Floats, Floats]:
        """Return the last bid and ask of all windows."""
        return self.quotes.bid[self._ends - 1], self.quotes.ask[self._ends - 1]
