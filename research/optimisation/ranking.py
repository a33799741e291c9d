"""All sets in order: how much of what each earned where it was chosen it earned afterwards.

The robustness factor grows without end as the Sharpe ratio in sample becomes small: alone it would put sets first
that nobody would have chosen. So those come first that were worth choosing in sample, in the order of their factors;
then the others; last those without a factor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from research.optimisation.axes import Axis, Choices, Value
from research.optimisation.figures import drawdowns, in_windows, test_days, total_returns
from research.optimisation.space import Combination
from research.optimisation.trials import Trials
from research.optimisation.windows import Window
from research.statistics.neighbourhood import neighbourhood_of_points, neighbourhood_on_grid
from research.statistics.returns import return_statistics
from research.statistics.robustness import ranking, robustness_factors

Floats = NDArray[np.float64]

LEAST_OF_BEST: Final = 0.5
"""Share of the best Sharpe ratio in sample from which on a set was worth choosing."""
_NEAR_FRAC: Final = 0.15  # of an axis: who differs by less in every parameter lies beside a set
_MOST_POINTS: Final = 20_000  # each is compared with each: more would take minutes
_SPARSEST: Final = 4  # a grid of more places a set than this is not one that was walked


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Figures of all sets; arrays have shape (n,), or (n, windows) where it says so.

    Attributes
    ----------
    train, test : ndarray of float64, shape (n, windows)
        Annualised Sharpe ratios of both parts of each window.
    sharpe_is : ndarray of float64
        Mean of those in sample.
    sharpe_oos : ndarray of float64
        Of all days out of sample together.
    factor : ndarray of float64
        Robustness factor of the two; NaN where it is undefined.
    positive_frac : ndarray of float64
        Share of the windows with a positive Sharpe ratio out of sample.
    stability_frac : ndarray of float64
        Mean Sharpe ratio out of sample of the sets beside it, by its own; NaN without neighbours or profit.
    order : ndarray of intp
        Places of the sets: those worth choosing, the most robust first, then the others, undefined ones last.
    """

    train: Floats
    test: Floats
    sharpe_is: Floats
    sharpe_oos: Floats
    factor: Floats
    positive_frac: Floats
    stability_frac: Floats
    order: NDArray[np.intp]


class Ranked(NamedTuple):
    """One set for people and programs; ratios are annualised, None is undefined.

    Attributes
    ----------
    degradation_frac : float or None
        Share of the Sharpe ratio in sample that is gone out of sample; above 1 when it turned into a loss.
    sharpe_whole : float or None
        Of all days together, as a backtest of the set shows it.
    return_whole_frac : float
        Likewise.
    """

    rank: int
    number: int
    parameters: Combination
    sharpe_is: float
    sharpe_oos: float
    degradation_frac: float | None
    robustness_factor: float | None
    positive_windows_frac: float
    neighbours_frac: float | None
    return_oos_frac: float
    drawdown_oos_frac: float
    trades: int
    sharpe_whole: float | None
    return_whole_frac: float


def score(trials: Trials, axes: Sequence[Axis], windows: Sequence[Window], days_per_year: float) -> Scores:
    """Work out the figures of all sets."""
    train, test, sharpe_oos = in_windows(trials.returns, windows, days_per_year)
    sharpe_is = train.mean(axis=1)
    factor = robustness_factors(sharpe_is, sharpe_oos)
    return Scores(
        train=train,
        test=test,
        sharpe_is=sharpe_is,
        sharpe_oos=sharpe_oos,
        factor=factor,
        positive_frac=(test > 0).mean(axis=1),
        stability_frac=_stability(trials.parameters, axes, sharpe_oos),
        order=_order(sharpe_is, factor),
    )


def _order(sharpe_is: Floats, factor: Floats) -> NDArray[np.intp]:
    robust = ranking(factor)
    is_late = np.where(np.isnan(factor), 2, sharpe_is < LEAST_OF_BEST * sharpe_is.max())
    return robust[np.argsort(is_late[robust], kind="stable")]


def _stability(parameters: Sequence[Combination], axes: Sequence[Axis], scores: Floats) -> Floats:
    """Return the mean score of the sets beside each, by its own: on the grid when most of it was tried.

    NaN for all when there are too many that lie on no grid.
    """
    columns = [_places(axis, [one[axis.name] for one in parameters]) for axis in axes]
    lengths = [len(axis.values) if isinstance(axis, Choices) else 0 for axis in axes]
    if 0 < math.prod(lengths) <= _SPARSEST * len(parameters):
        table = np.full(lengths, np.nan)
        at = tuple(column.astype(np.intp) for column in columns)
        table[at] = scores
        ordered = [isinstance(axis, Choices) and axis.is_ordered for axis in axes]
        return neighbourhood_on_grid(table, ordered=ordered).stability_frac[at]
    if len(parameters) > _MOST_POINTS:
        return np.full(len(parameters), np.nan)
    points = [_apart(axis, column) for axis, column in zip(axes, columns, strict=True)]
    return neighbourhood_of_points(np.concatenate(points, axis=1), scores, _NEAR_FRAC).stability_frac


def _places(axis: Axis, values: Sequence[Value]) -> Floats:
    """Return where values lie on their axis: by their place on it, or by themselves on a span."""
    if not isinstance(axis, Choices):
        return np.array(values, np.float64)
    known = {repr(value): at for at, value in enumerate(axis.values)}  # 1, 1.0 and True are three values
    return np.array([known[repr(value)] for value in values], np.float64)


def _apart(axis: Axis, column: Floats) -> Floats:
    """Return places as columns in which values without an order are as far from each other as values can be."""
    if not isinstance(axis, Choices) or axis.is_ordered:
        return column[:, None]
    return np.eye(len(axis.values))[column.astype(np.intp)]


def ranked(trials: Trials, scores: Scores, windows: Sequence[Window], count: int, days_per_year: float) -> list[Ranked]:
    """Return the first sets of the ranking."""
    found = []
    for rank, at in enumerate(scores.order[:count].tolist(), start=1):
        own = trials.returns[at : at + 1]
        judged = test_days(own, windows)
        before, after = float(scores.sharpe_is[at]), float(scores.sharpe_oos[at])
        factor = _known(scores.factor[at])
        found.append(
            Ranked(
                rank=rank,
                number=int(trials.numbers[at]),
                parameters=trials.parameters[at],
                sharpe_is=before,
                sharpe_oos=after,
                degradation_frac=None if factor is None else 1 - after / before,
                robustness_factor=factor,
                positive_windows_frac=float(scores.positive_frac[at]),
                neighbours_frac=_known(scores.stability_frac[at]),
                return_oos_frac=float(total_returns(judged)[0]),
                drawdown_oos_frac=float(drawdowns(judged)[0]),
                trades=int(trials.trades[at]),
                sharpe_whole=return_statistics(own[0], days_per_year).sharpe,
                return_whole_frac=float(total_returns(own)[0]),
            )
        )
    return found


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
