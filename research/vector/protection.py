"""Stops and targets in ticks, so many distances from the prices paid: for many sets that have the rest in common."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from atrader.errors import StrategyError
from research.vector import built
from research.vector.prices import Ticks

Floats = NDArray[np.float64]

_HIGHEST: Final = 2**30


def levels(paid: Floats, away: Floats, multiple: float, tick: float, entry: NDArray[np.int8], name: str) -> Ticks:
    """Return ``paid + multiple * away`` as the nearest ticks; 0 where nothing is entered, and for NaN.

    Parameters
    ----------
    paid, away : ndarray of float64, shape (k,)
        Prices, and distances that are negative on the other side.
    tick : float
        Of the prices.
    entry : ndarray of int8, shape (k,)
        Sides that are entered.
    name : str
        What these are, for errors.

    Raises
    ------
    StrategyError
        When one is no price.
    """
    if built.is_there:
        out = np.empty(len(paid), np.int32)
        if built.columns.levels(paid, away, multiple, tick, _HIGHEST, entry, out):
            return out
    return in_ticks(paid + multiple * away, slice(None), tick, name, entry)


def in_ticks(
    column: Floats | None, rows: NDArray[np.integer[Any]] | slice, tick: float, name: str, entry: NDArray[np.int8]
) -> Ticks:
    """Return prices or distances of rows that open something as the nearest ticks; 0 where there is none.

    Raises
    ------
    StrategyError
        When one is no price.
    """
    if column is None:
        return np.zeros(len(entry), np.int32)
    ticks: Floats = column[rows] / tick
    np.rint(ticks, out=ticks)
    ticks[(ticks != ticks) | (entry == 0)] = 0
    if len(ticks) and not (ticks.min() >= 0 and ticks.max() < _HIGHEST):
        raise StrategyError(f"signals.{name} is {ticks[np.argmax(np.abs(ticks))] * tick}, which is no price")
    return ticks.astype(np.int32)
