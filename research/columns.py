"""Signals as columns of numbers, and how far two values of a column are apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf, isnan, nan
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from atrader.errors import StrategyError
from atrader.instruments import Instrument
from atrader.market import Bars
from atrader.signal_checks import check_signals
from atrader.strategy import Signals, SignalStrategy

Floats = NDArray[np.float64]
Columns = dict[str, NDArray[Any]]
Compute = Callable[[Bars], Columns]

TOLERANCE: Final = 1e-6
"""Relative difference up to which a number counts as the same whatever came before its warm-up."""

_WISHES: Final = ("entry", "exit", "stop_loss", "take_profit", "trailing_distance", "risk_frac", "units")
_EXACT: Final = frozenset({"entry", "exit"})
_PRICES: Final = frozenset({"stop_loss", "take_profit"})


def compute_with(strategy: SignalStrategy, instrument: Instrument) -> Compute:
    """Return what gives the columns of a strategy over bars.

    It raises `StrategyError` when the strategy fails, or its answer is not what `Signals` says.
    """

    def compute(bars: Bars) -> Columns:
        try:
            signals = strategy.signals(bars, instrument)
            check_signals(signals, len(bars), last_only=True)
            return columns_of(signals, len(bars))
        except StrategyError:
            raise
        except Exception as error:  # user code may fail in any way
            text = f"signals over {len(bars)} bars raised {type(error).__name__}: {error}"
            raise StrategyError(text) from error

    return compute


def columns_of(signals: Signals, count: int) -> Columns:
    """Return everything a strategy answered, and `check_signals` did not refuse, as numbers to read; NaN: not given."""
    given = {name: getattr(signals, name) for name in _WISHES}
    given |= {f"indicators.{name}": column for name, column in (signals.indicators or {}).items()}
    return {name: _not_given(count) if column is None else _numbers(column) for name, column in given.items()}


def _numbers(column: NDArray[Any]) -> NDArray[Any]:
    """Return a column as it is where it holds numbers: a copy of sides as floats takes longer than to look at them."""
    return column if column.dtype.kind in "if" else np.asarray(column, np.float64)


def _not_given(count: int) -> Floats:
    """Return NaN so many times, in the memory of one."""
    return np.broadcast_to(np.float64(np.nan), count)


class Yardstick:
    """Measures differences: a price in parts of its distance from the close, other numbers in parts of themselves.

    Parameters
    ----------
    whole : Mapping of str to ndarray
        The columns over everything: their mean size is the least that a difference is measured with, so that a number
        that crosses zero is not all difference there.
    closes : ndarray of float64, shape (n,)
        Of the same bars.
    """

    def __init__(self, whole: Mapping[str, NDArray[Any]], closes: Floats) -> None:
        self._closes = closes
        self._whole = whole
        self._sizes: dict[str, float] = {}  # of columns that were asked for: each takes a walk over all of it

    def error(self, name: str, row: int, one: float, other: float) -> float:
        """Return the relative difference of two values of a column; infinite where only equal is the same."""
        if one == other or (isnan(one) and isnan(other)):
            return 0.0
        if name in _EXACT or isnan(one) or isnan(other):
            return inf
        base = float(self._closes[row]) if name in _PRICES else 0.0
        return abs(one - other) / max(abs(one - base), abs(other - base), self._size(name))

    def is_same(self, name: str, row: int, one: float, other: float) -> bool:
        """Return whether the error is within `TOLERANCE`: the column's size is asked for only where that counts."""
        base = float(self._closes[row]) if name in _PRICES else 0.0
        own = max(abs(one - base), abs(other - base))
        if name not in _EXACT and own and abs(one - other) / own <= TOLERANCE:
            return True
        return not self.error(name, row, one, other) > TOLERANCE  # neither is what is no number

    def _size(self, name: str) -> float:
        if name not in self._sizes:
            column = self._whole.get(name)
            self._sizes[name] = 0.0 if column is None else _mean_size(column, name, self._closes)
        return self._sizes[name]


def difference_over_windows(
    whole: Mapping[str, NDArray[Any]], compute: Compute, bars: Bars, rows: Iterable[int], size: int
) -> str | None:
    """Return where the last row of a window is another one than that row of the whole; None: nowhere.

    Parameters
    ----------
    whole : Mapping of str to ndarray of float64, shape (n,)
        Computed over all bars at once.
    compute : callable
        Computes the same over other bars.
    rows : iterable of int
        Where to compare.
    size : int
        Bars of a window.
    """
    yardstick = Yardstick(whole, bars.close)
    for row in rows:
        window = compute(bars[row + 1 - size : row + 1])
        for name in {**whole, **window}:
            one, other = (
                float(found[name][at]) if name in found else nan for found, at in ((whole, row), (window, -1))
            )
            if not yardstick.is_same(name, row, one, other):
                return f"{name} differs; 'atrader backtest check' says why"
    return None


def spread(rows: NDArray[np.int64], most: int) -> list[int]:
    """Return a few of some rows, from all over them."""
    found: list[int] = rows[places(len(rows), most)].tolist()
    return found


def places(count: int, most: int) -> NDArray[np.int64]:
    """Return a few of so many places, from all over them."""
    return np.linspace(0, count - 1, min(most, count)).astype(np.int64)


def _mean_size(column: NDArray[Any], name: str, closes: Floats) -> float:
    sizes = np.abs(column - closes) if name in _PRICES else np.abs(column)
    known = sizes[np.isfinite(sizes)]
    return float(known.mean()) if len(known) else 0.0
