"""Bars as whole price ticks: what the vector engine plays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.errors import ConfigError
from atrader.market import Bars
from atrader.market_checks import check_bars
from research.vector import built
from research.vector.rules import Terms

Ticks = NDArray[np.int32]

_HIGHEST: Final = 2**30
_NAMES: Final = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Bars of one instrument in ticks, bid and ask, the account's extra spread included. All arrays have shape (n,).

    Attributes
    ----------
    open_time_ns : ndarray of int64
        UTC, strictly increasing.
    duration_ns : int
        Length of a bar.
    bid_open, bid_high, bid_low, bid_close, ask_open, ask_high, ask_low, ask_close : ndarray of int32
        Quotes of each bar; an ask below its bid is taken for the bid, quote by quote.
    ask_least, ask_most : ndarray of int32
        Extremes of the four ask quotes; `ask_low` and `ask_high` themselves in sane data.
    """

    open_time_ns: NDArray[np.int64]
    duration_ns: int
    bid_open: Ticks
    bid_high: Ticks
    bid_low: Ticks
    bid_close: Ticks
    ask_open: Ticks
    ask_high: Ticks
    ask_low: Ticks
    ask_close: Ticks
    ask_least: Ticks
    ask_most: Ticks

    def __len__(self) -> int:
        return len(self.open_time_ns)

    @property
    def end_ns(self) -> NDArray[np.int64]:
        """When each bar is over, UTC ns, shape (n,)."""
        return self.open_time_ns + self.duration_ns

    @property
    def columns(self) -> tuple[Ticks, ...]:
        """Bid open, high, low, close, the same of the ask, least and most ask."""
        bid = (self.bid_open, self.bid_high, self.bid_low, self.bid_close)
        return (*bid, self.ask_open, self.ask_high, self.ask_low, self.ask_close, self.ask_least, self.ask_most)

    @classmethod
    def of(cls, bars: Bars, terms: Terms, duration_ns: int) -> Prices:
        """Turn bars into ticks, each price rounded to the nearest one.

        Parameters
        ----------
        bars : Bars
            Of one fixed timeframe. Where every ask is its bid, both are the same arrays.
        terms : Terms
            Instrument and extra spread.
        duration_ns : int
            Length of a bar.

        Raises
        ------
        ConfigError
            When there are no bars, open times do not rise, bars overlap, a price is NaN, infinite, zero or negative, or
            open or close lie outside of high and low; names the first such bar.
        """
        symbol = terms.instrument.symbol
        if not len(bars):
            raise no_bars(symbol)
        if len(bars) > 1 and int(np.diff(bars.open_time_ns).min()) < duration_ns:
            check_bars(bars, symbol)
            raise ConfigError(f"{symbol}: bars overlap: a bar begins less than {duration_ns} ns after the one before")
        is_sane = built.is_there and built.columns.is_sane(*(_whole(getattr(bars, name)) for name in _NAMES))
        if not (is_sane and (bars.volume >= 0).all()):
            check_bars(bars, symbol)  # slower, and says what is wrong
        tick = float(terms.instrument.price_tick)
        below, above = terms.extra_ticks
        bids = [_ticks(getattr(bars, name), tick, bars, symbol) for name in _NAMES]
        has_one_price = bars.has_one_price()
        asks = bids
        if not has_one_price:
            own = (_ticks(getattr(bars, f"ask_{name}"), tick, bars, symbol) for name in _NAMES)
            asks = [np.maximum(ask, bid) for ask, bid in zip(own, bids, strict=True)]
        if above or below:
            asks = [ask + np.int32(above) for ask in asks]
            bids = [np.maximum(bid - np.int32(below), np.int32(1)) for bid in bids]
        least, most = asks[2], asks[1]
        if not has_one_price:
            # Bids lie inside of low and high, or we would not be here; nobody promised that of asks.
            least, most = reduce(np.minimum, asks), reduce(np.maximum, asks)
        return cls(
            open_time_ns=bars.open_time_ns,
            duration_ns=duration_ns,
            **{f"bid_{name}": bid for name, bid in zip(_NAMES, bids, strict=True)},
            **{f"ask_{name}": ask for name, ask in zip(_NAMES, asks, strict=True)},
            ask_least=asks[2] if least is asks[2] or np.array_equal(least, asks[2]) else least,
            ask_most=asks[1] if most is asks[1] or np.array_equal(most, asks[1]) else most,
        )


def no_bars(symbol: str) -> ConfigError:
    """Say that there is nothing to play."""
    return ConfigError(f"{symbol}: no bars in the period; see 'atrader data list'")


def _whole(column: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.ascontiguousarray(column, np.float64)


def _ticks(prices: NDArray[np.float64], tick: float, bars: Bars, symbol: str) -> Ticks:
    """Return prices as ticks; where some do not fit, say first what is wrong with the bars."""
    out = np.empty(len(prices), np.int32)
    if built.is_there:
        fits = built.columns.to_ticks(_whole(prices), tick, _HIGHEST, out)
    else:
        ticks = np.rint(prices / tick)
        fits = bool(ticks.min() >= 1 and ticks.max() < _HIGHEST)
        if fits:
            out[:] = ticks
    if fits:
        return out
    check_bars(bars, symbol)
    raise ConfigError(
        f"{symbol}: prices from {prices.min()} to {prices.max()} do not fit ticks of {tick}: see price_tick"
    )
