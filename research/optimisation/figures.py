"""Figures of many sets at once, from their returns of days: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from research.optimisation.windows import Window
from research.statistics.trials import checked_matrix, ratios_of, sharpe_ratios

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


class WindowSharpes(NamedTuple):
    """Annualised Sharpe ratios of all sets in all windows.

    Attributes
    ----------
    train, test : ndarray of float64, shape (n, windows)
        Of the two parts of each window.
    judged : ndarray of float64, shape (n,)
        Of all days that are judged on together.
    """

    train: Floats
    test: Floats
    judged: Floats


def in_windows(returns: Floats, windows: Sequence[Window], days_per_year: float) -> WindowSharpes:
    """Return the Sharpe ratios of all sets in all windows: each day is looked at once, however many windows it is in.

    Parameters
    ----------
    returns : ndarray of float64, shape (n, days)
        Of each set and day.
    windows : sequence of Window
        What is chosen on and judged on; two days at least in each part.
    days_per_year : float
        Trading days in a year.

    Raises
    ------
    ValueError
        As `checked_matrix`, and when a part of a window has fewer than two days.
    """
    parts = [window.train for window in windows] + [window.test for window in windows]
    lengths = np.array([part.stop - part.start for part in parts], np.float64)
    if lengths.min() < 2:
        raise ValueError(f"windows: expected two days or more in each part, was {lengths.min():g}")
    checked_matrix(returns.T)
    edges = np.unique([[part.start, part.stop] for part in parts])
    places = [slice(*np.searchsorted(edges, (part.start, part.stop)).tolist()) for part in parts]
    moments = []
    for column in (returns[:, : edges[-1]], returns[:, : edges[-1]] ** 2):
        between = np.add.reduceat(column, edges[:-1], axis=1)
        moments.append(np.stack([between[:, place].sum(axis=1) for place in places], axis=1))
    judged = [moment[:, len(windows) :].sum(axis=1) for moment in moments]
    year = np.sqrt(days_per_year)
    together = ratios_of(judged[0], judged[1], float(lengths[len(windows) :].sum())) * year
    both = ratios_of(moments[0], moments[1], lengths) * year
    return WindowSharpes(both[:, : len(windows)], both[:, len(windows) :], together)


def test_days(returns: Floats, windows: Sequence[Window]) -> Floats:
    """Return the returns of all days that are judged on, one after the other; shape (n, days judged on)."""
    return np.concatenate([returns[:, window.test] for window in windows], axis=1)
