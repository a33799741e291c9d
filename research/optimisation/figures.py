"""Figures of many sets at once, from their returns of days: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from research.optimisation.windows import Window
from research.statistics import sharpe_ratios

Floats = NDArray[np.float64]

Aim: TypeAlias = Literal["sharpe", "return", "drawdown"]
"""What a search looks for; all of them the more the better, so a drawdown counts below zero."""


def annual_sharpes(returns: Floats, days_per_year: float) -> Floats:
    """Return annualised Sharpe ratios.

    Parameters
    ----------
    returns : ndarray of float64, shape (n, days)
        Of each set and day, two days at least.
    days_per_year : float
        Trading days in a year.

    Returns
    -------
    ndarray of float64, shape (n,)
        0 for a set that did not trade.
    """
    found: Floats = sharpe_ratios(returns.T) * np.sqrt(days_per_year)
    return found


def total_returns(returns: Floats) -> Floats:
    """Return what the whole period made of one unit of money, less that unit; shape (n,)."""
    found: Floats = np.prod(1.0 + returns, axis=-1) - 1.0
    return found


def drawdowns(returns: Floats) -> Floats:
    """Return the largest fall from a peak at the end of days, as a share of the peak; shape (n,)."""
    worth = np.cumprod(1.0 + returns, axis=-1)
    peak = np.maximum(np.maximum.accumulate(worth, axis=-1), 1.0)
    found: Floats = (1.0 - worth / peak).max(axis=-1)
    return found


AIMS: Final[dict[Aim, Callable[[Floats, float], Floats]]] = {
    "sharpe": annual_sharpes,
    "return": lambda returns, _days: total_returns(returns),
    "drawdown": lambda returns, _days: -drawdowns(returns),
}
"""How each aim is counted: returns and trading days in a year."""


def in_windows(
    returns: Floats, windows: Sequence[Window], days_per_year: float, pool: Executor | None = None
) -> tuple[Floats, Floats]:
    """Return the Sharpe ratios of all sets in all windows.

    Parameters
    ----------
    returns : ndarray of float64, shape (n, days)
        Of each set and day.
    windows : sequence of Window
        What is chosen on and judged on.
    days_per_year : float
        Trading days in a year.
    pool : Executor, optional
        Whose threads look at windows at once.

    Returns
    -------
    train, test : ndarray of float64, shape (n, windows)
        Of the two parts of each window.
    """
    parts = [window.train for window in windows] + [window.test for window in windows]
    columns = list((pool.map if pool else map)(lambda part: annual_sharpes(returns[:, part], days_per_year), parts))
    both = np.stack(columns, axis=1)
    return both[:, : len(windows)], both[:, len(windows) :]


def test_days(returns: Floats, windows: Sequence[Window]) -> Floats:
    """Return the returns of all days that are judged on, one after the other; shape (n, days judged on)."""
    return np.concatenate([returns[:, window.test] for window in windows], axis=1)
