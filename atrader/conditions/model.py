"""What a market can be like."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int8]


class Phase(StrEnum):
    """Where a market goes."""

    UNKNOWN = "unknown"  # too few bars
    RANGE = "range"
    TREND_UP = "trend-up"
    TREND_DOWN = "trend-down"
    BREAKOUT_UP = "breakout-up"
    BREAKOUT_DOWN = "breakout-down"


class Volatility(StrEnum):
    """How far it moves, beside what is usual."""

    UNKNOWN = "unknown"  # too few bars
    QUIET = "quiet"
    NORMAL = "normal"
    VOLATILE = "volatile"


PHASES: Final = tuple(Phase)
"""Phases by their code in arrays; 0 is unknown."""

VOLATILITIES: Final = tuple(Volatility)
"""The same for volatility."""


class Condition(NamedTuple):
    """What a market was like at the end of a bar.

    Attributes
    ----------
    adx : float
        Average directional index, 0 to 100; NaN while too few bars are known.
    range_ratio : float
        Present average true range over the usual one; NaN likewise, and in a market that did not move at all.
    """

    phase: Phase
    volatility: Volatility
    adx: float
    range_ratio: float

    def __str__(self) -> str:
        """Say it with the figures behind it."""
        return f"{self.phase} (ADX {self.adx:.1f}), {self.volatility} (range {self.range_ratio:.2f} of the usual)"


class Conditions(NamedTuple):
    """What a market was like at the end of each bar; arrays of shape (n,).

    Attributes
    ----------
    phase, volatility : ndarray of int8
        Places in `PHASES` and `VOLATILITIES`.
    adx, range_ratio : ndarray of float64
        As in `Condition`.
    """

    phase: Codes
    volatility: Codes
    adx: Floats
    range_ratio: Floats

    def at(self, row: int) -> Condition:
        """Return that of one bar; negative rows count from the end."""
        return Condition(
            PHASES[self.phase[row]],
            VOLATILITIES[self.volatility[row]],
            float(self.adx[row]),
            float(self.range_ratio[row]),
        )
