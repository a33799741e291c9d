"""Prices and bars: the values, and their positional form on the streams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrader.wire import stream_schema


class Tick(NamedTuple):
    """One quote. Prices are float64 as the venue sent them; `decimal_price` makes money of them."""

    instrument: str
    time_ns: int  # the venue's time, UTC
    received_ns: int  # when this host first saw it, UTC
    bid: float
    ask: float

    @property
    def mid(self) -> float:
        """Middle of bid and ask."""
        return (self.bid + self.ask) / 2.0


class Quotes(NamedTuple):
    """Quotes of one instrument as columns, oldest first; times are UTC ns.

    Attributes
    ----------
    time_ns, received_ns : ndarray of int64, shape (n,)
        The venue's time, and when this host first saw the quote.
    bid, ask : ndarray of float64, shape (n,)
        Prices.
    """

    time_ns: NDArray[np.int64]
    received_ns: NDArray[np.int64]
    bid: NDArray[np.float64]
    ask: NDArray[np.float64]

    @staticmethod
    def of(ticks: Sequence[Tick]) -> Quotes:
        """Turn ticks of one instrument into columns."""
        columns = list(zip(*(tick[1:] for tick in ticks), strict=True)) or [()] * 4
        times, received, bids, asks = columns
        return Quotes(
            np.array(times, np.int64), np.array(received, np.int64), np.array(bids, float), np.array(asks, float)
        )

    def part(self, first: int, last: int) -> Quotes:
        """Return those of a slice."""
        return self.where(slice(first, last))

    def where(self, where: slice | NDArray[np.bool_]) -> Quotes:
        """Return those of a slice, or of a mask of shape (n,)."""
        return Quotes(self.time_ns[where], self.received_ns[where], self.bid[where], self.ask[where])

    def ticks(self, instrument: str, first: int | None = None, last: int | None = None) -> list[Tick]:
        """Return them (or those of a slice) as ticks."""
        columns = (column[first:last].tolist() for column in self)
        return [Tick(instrument, *row) for row in zip(*columns, strict=True)]


class Bar(NamedTuple):
    """One bar; prices float64, ``open_time_ns`` UTC. Sources with one price only carry it as bid and as ask."""

    open_time_ns: int
    open: float
    high: float
    low: float
    close: float
    ask_open: float
    ask_high: float
    ask_low: float
    ask_close: float
    volume: float


BAR_COLUMNS: tuple[str, ...] = Bar._fields
"""Column order of bars everywhere: stores, bus frames, CSV export. The first is int64 ns UTC, the others float64."""


class Bars:
    """Bars as columns.

    Attributes
    ----------
    open_time_ns : ndarray of int64, shape (n,)
        Open times, UTC, strictly increasing.
    open, high, low, close, ask_open, ask_high, ask_low, ask_close, volume : ndarray of float64, shape (n,)
        Bid prices, ask prices and volume.
    """

    __slots__ = BAR_COLUMNS

    open_time_ns: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    ask_open: NDArray[np.float64]
    ask_high: NDArray[np.float64]
    ask_low: NDArray[np.float64]
    ask_close: NDArray[np.float64]
    volume: NDArray[np.float64]

    def __init__(self, *columns: NDArray[Any]) -> None:
        """Take ten columns in the order of `BAR_COLUMNS`; they are not copied."""
        if len(columns) != len(BAR_COLUMNS):
            raise ValueError(f"bars need {len(BAR_COLUMNS)} columns, got {len(columns)}")
        # Spelled out, as below: strategies cut bars at every call, and a loop over names takes three times as long.
        self.open_time_ns, self.open, self.high, self.low, self.close, *rest = columns
        self.ask_open, self.ask_high, self.ask_low, self.ask_close, self.volume = rest

    @classmethod
    def allocate(cls, count: int) -> Bars:
        """Return so many bars whose values are still to be written."""
        return cls(np.empty(count, np.int64), *(np.empty(count, np.float64) for _ in BAR_COLUMNS[1:]))

    @classmethod
    def empty(cls) -> Bars:
        """Return no bars."""
        return cls.allocate(0)

    @classmethod
    def from_rows(cls, rows: list[Bar]) -> Bars:
        """Build columns from single bars, oldest first."""
        if not rows:
            return cls.empty()
        columns = list(zip(*rows, strict=True))
        return cls(np.array(columns[0], np.int64), *(np.array(column, np.float64) for column in columns[1:]))

    @property
    def columns(self) -> tuple[NDArray[np.generic], ...]:
        """The ten columns in the order of `BAR_COLUMNS`."""
        bid = (self.open_time_ns, self.open, self.high, self.low, self.close)
        return (*bid, self.ask_open, self.ask_high, self.ask_low, self.ask_close, self.volume)

    def has_one_price(self) -> bool:
        """Tell whether every ask is its bid: data that carry one price only."""
        pairs = zip(self.columns[1:5], self.columns[5:9], strict=True)
        return all(_share(bid, ask) or np.array_equal(bid, ask) for bid, ask in pairs)

    def sharing_one_price(self) -> Bars:
        """Return the same bars; where every ask is its bid, both in one memory, so that nobody compares them again."""
        if not self.has_one_price():
            return self
        bid = (self.open, self.high, self.low, self.close)
        return Bars(self.open_time_ns, *bid, *bid, self.volume)

    def __len__(self) -> int:
        return len(self.open_time_ns)

    def __getitem__(self, where: slice) -> Bars:
        return Bars(*[column[where] for column in self.columns])

    def row(self, index: int) -> Bar:
        """Return one bar; negative indices count from the end."""
        return tuple.__new__(Bar, [column.item(index) for column in self.columns])

    def read_only(self) -> Bars:
        """Return the same bars (not copied) as nobody can write into them: what strategies are given."""
        columns = [column.view() for column in self.columns]
        for column in columns:
            column.flags.writeable = False
        return Bars(*columns)

    def append(self, later: Bars) -> Bars:
        """Return these bars followed by later ones (copied)."""
        return Bars(*(np.concatenate(pair) for pair in zip(self.columns, later.columns, strict=True)))


def _share(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Tell whether two columns are the same memory."""
    kinds = (one.dtype, one.shape, one.strides) == (other.dtype, other.shape, other.strides)
    return kinds and one.ctypes.data == other.ctypes.data


def decimal_price(price: float, tick: Decimal) -> Decimal:
    """Turn a float64 price into money: the nearest multiple of the price tick.

    This is the named boundary between market data (float64) and orders (Decimal).
    """
    return _on(tick)(price)


def decimal_prices(tick: Decimal) -> Callable[[float], Decimal]:
    """Return `decimal_price` of one tick, for who asks often: what is slow is to come from a tick to its float64."""
    size = float(tick)
    return lambda price: tick * round(price / size)


_on: Final = cache(decimal_prices)


TICK = stream_schema(
    "tick",
    1,
    (("instrument", str), ("time_ns", int), ("received_ns", int), ("bid", float), ("ask", float)),
    values_type=Tick,
)
BAR = stream_schema(
    "bar",
    1,
    (
        ("instrument", str),
        ("timeframe", str),
        ("open_time_ns", int),
        *((name, float) for name in BAR_COLUMNS[1:]),
        ("complete", bool),
    ),
)

REVISION = stream_schema(
    "revision", 1, (("instrument", str), ("timeframe", str), ("start_ns", int), ("end_ns", int), ("bars", int))
)
"""Bars that were published are not as they were, or some were missing: those with ``start_ns <= open_time < end_ns``.

``bars`` counts the stored bars that came or changed. Who holds bars of that period asks for them again."""


REPLAY_STEP = stream_schema("replay-step", 1, (("step", int), ("market_ns", int), ("phase", str)))
"""One phase of one replay step: ``phase`` is ``prices`` (gateways) or the name of the worker whose turn it is."""

PRICES_PHASE = "prices"
"""Phase of a replay step in which the gateways work the quotes in."""

SELECTION_PHASE = "selection"
"""Phase of a replay step in which the manager judges markets, after the workers' turns: as live."""


def replay_topic(phase: str) -> str:
    """Topic of the turns of a replay: each participant hears only of its own."""
    return f"replay|{phase}"


def tick_topic(instrument: str) -> str:
    """Topic of an instrument's ticks on the data layer's stream."""
    return f"tick|{instrument}"


def bar_topic(instrument: str, timeframe: str) -> str:
    """Topic of an instrument's complete bars on the data layer's stream."""
    return f"bar|{instrument}|{timeframe}"


def revision_topic(instrument: str, timeframe: str) -> str:
    """Topic of what becomes of an instrument's bars after they were published."""
    return f"revision|{instrument}|{timeframe}"
