"""Base bars: five seconds each from quotes, any length from loaded history."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

BASE_NS: Final = 5_000_000_000
_OHLC: Final = 4
Prices = tuple[float, float, float, float]


class Columns(NamedTuple):
    """Bars in the order of time.

    ``starts``: UTC nanoseconds, shape (n,); ``bids``, ``asks``: open, high, low, close, shape (n, 4); ``volumes``:
    price updates, shape (n,).
    """

    starts: NDArray[np.int64]
    bids: NDArray[np.float64]
    asks: NDArray[np.float64]
    volumes: NDArray[np.int64]

    @classmethod
    def empty(cls) -> Self:
        """Return no bars."""
        none = np.zeros(0, np.int64)
        return cls(none, np.zeros((0, _OHLC)), np.zeros((0, _OHLC)), none)

    def span(self, start_ns: int, end_ns: int) -> Columns:
        """Return the bars that start in a span of time, its end excluded."""
        first, last = np.searchsorted(self.starts, [start_ns, end_ns])
        rows = slice(int(first), int(last))
        return Columns(self.starts[rows], self.bids[rows], self.asks[rows], self.volumes[rows])

    def joined(self, later: Columns) -> Columns:
        """Return these bars and later ones."""
        return Columns(
            np.concatenate((self.starts, later.starts)),
            np.concatenate((self.bids, later.bids)),
            np.concatenate((self.asks, later.asks)),
            np.concatenate((self.volumes, later.volumes)),
        )


@dataclass
class _Live:
    """Bars that quotes make, as lists that grow."""

    starts: list[int] = field(default_factory=list)
    bids: list[Prices] = field(default_factory=list)
    asks: list[Prices] = field(default_factory=list)
    volumes: list[int] = field(default_factory=list)

    def columns(self) -> Columns:
        """Return them as arrays."""
        return Columns(
            np.array(self.starts, np.int64),
            np.array(self.bids, np.float64).reshape(-1, _OHLC),
            np.array(self.asks, np.float64).reshape(-1, _OHLC),
            np.array(self.volumes, np.int64),
        )


def _merged(bar: Prices, price: float) -> Prices:
    return bar[0], max(bar[1], price), min(bar[2], price), price


class CandleStore:
    """The base bars of every instrument."""

    def __init__(self) -> None:
        self._history: dict[str, Columns] = {}
        self._live: dict[str, _Live] = {}

    def add(self, instrument: str, time_ns: int, bid: Decimal, ask: Decimal) -> None:
        """Take a quote."""
        bars = self._live.setdefault(instrument, _Live())
        start, bid_price, ask_price = time_ns - time_ns % BASE_NS, float(bid), float(ask)
        if bars.starts and bars.starts[-1] >= start:
            bars.bids[-1] = _merged(bars.bids[-1], bid_price)
            bars.asks[-1] = _merged(bars.asks[-1], ask_price)
            bars.volumes[-1] += 1
            return
        bars.starts.append(start)
        bars.bids.append((bid_price, bid_price, bid_price, bid_price))
        bars.asks.append((ask_price, ask_price, ask_price, ask_price))
        bars.volumes.append(1)

    def load(self, instrument: str, bars: Columns) -> None:
        """Set the history of an instrument; quotes made before the end of its last bar are forgotten."""
        live = self._live.pop(instrument, _Live()).columns()
        self._history[instrument] = bars
        later = live.span(int(bars.starts[-1]) + 1, np.iinfo(np.int64).max) if len(bars.starts) else live
        kept = self._live.setdefault(instrument, _Live())
        kept.starts.extend(later.starts.tolist())
        kept.bids.extend(tuple(row) for row in later.bids.tolist())
        kept.asks.extend(tuple(row) for row in later.asks.tolist())
        kept.volumes.extend(later.volumes.tolist())

    def span(self, instrument: str, start_ns: int, end_ns: int) -> Columns:
        """Return the bars of an instrument that start in a span of time, its end excluded."""
        history = self._history.get(instrument, Columns.empty()).span(start_ns, end_ns)
        live = self._live.get(instrument)
        return history.joined(live.columns().span(start_ns, end_ns)) if live else history

    def first_ns(self, instrument: str) -> int | None:
        """Return the start of the oldest bar."""
        history = self._history.get(instrument)
        if history is not None and len(history.starts):
            return int(history.starts[0])
        live = self._live.get(instrument)
        return live.starts[0] if live and live.starts else None
