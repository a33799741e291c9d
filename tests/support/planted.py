"""Searches over days that were made up: pure chance, or chance with an edge at a known place."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from research.optimisation.analysis import Analysis, analyse
from research.optimisation.axes import Choices
from research.optimisation.trials import Trials
from research.optimisation.windows import DAY_NS, Split, WalkForward

Place = Literal["peak", "everywhere", "one"]

SIDE: Final = 6
DAYS: Final = 500
PEAK: Final = (4, 2)
AXES: Final = [Choices.of("fast", range(SIDE)), Choices.of("slow", range(SIDE))]
SETS: Final = [{"fast": fast, "slow": slow} for fast in range(SIDE) for slow in range(SIDE)]
WINDOWS: Final = WalkForward(train_days=180, test_days=30)
_DEVIATION: Final = float(np.hypot(0.006, 0.004))


def returns_of(seed: int, edge: float, place: Place = "peak", *, alike: bool = False) -> NDArray[np.float64]:
    """Return days of sets that share a market; shape (sets, days).

    Parameters
    ----------
    edge : float
        Mean return of a day of the best set.
    place : {"peak", "everywhere", "one"}
        The better the nearer a set lies to a peak; all the same; only the set at the peak.
    alike : bool
        Neighbours have much in common besides the market, as parameters of a strategy do.
    """
    chance = np.random.default_rng(seed)
    own = chance.normal(0, 0.006, (SIDE * SIDE, DAYS))
    if alike:
        own = _blurred(own.reshape(SIDE, SIDE, DAYS)).reshape(own.shape)
    found = own + chance.normal(0, 0.004, DAYS)
    away = np.array([(one["fast"] - PEAK[0]) ** 2 + (one["slow"] - PEAK[1]) ** 2 for one in SETS])
    shares = {"peak": np.exp(-away / 3), "everywhere": np.ones(len(SETS)), "one": away == 0}[place]
    planted: NDArray[np.float64] = found + edge * shares[:, None]
    return planted


def edge_of(sharpe: float) -> float:
    """Return the mean of a day that gives an annual Sharpe ratio in 365 days a year."""
    return sharpe * _DEVIATION / np.sqrt(365)


def trials_of(returns: NDArray[np.float64], trades: int = 100) -> Trials:
    count = len(returns)
    return Trials(np.arange(count), np.full(count, trades), SETS[:count], returns, [])


def judged(trials: Trials, rule: Split | WalkForward = WINDOWS, *, is_adaptive: bool = False) -> Analysis:
    days_ns = DAY_NS * np.arange(1, trials.returns.shape[1] + 1)
    return analyse(trials, days_ns, AXES, rule.windows(days_ns), 365.0, is_adaptive=is_adaptive)


def _blurred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give each place of a grid a share of what its neighbours have, and its own deviation; shape (side, side, n)."""
    for axis in (0, 1):
        ends = [(1, 1) if axis == one else (0, 0) for one in range(3)]
        padded = np.pad(values, ends)
        before, after = np.roll(padded, 1, axis), np.roll(padded, -1, axis)
        values = (padded + 0.6 * (before + after)).take(range(1, SIDE + 1), axis)
    return values * 0.006 / values.std(axis=2, keepdims=True)
