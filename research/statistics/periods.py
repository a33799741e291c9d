"""From a curve of equity to returns per period of the market."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from atrader.calendars import Calendar
from atrader.statistics.trades import Floats, Times
from atrader.timeframes import Timeframe


class PeriodReturns(NamedTuple):
    """Simple returns of an account; arrays have shape ``(n,)``.

    Attributes
    ----------
    end_ns : ndarray of int64
        End of each period, UTC.
    returns : ndarray of float64
        Equity at the end over equity at the end of the period before, less 1.
    """

    end_ns: Times
    returns: Floats


def period_returns(
    time_ns: ArrayLike, equity: ArrayLike, calendar: Calendar, timeframe: Timeframe | str = "1d"
) -> PeriodReturns:
    """Measure an equity curve at the end of every period in which the market is open.

    A period without a point of the curve has a return of 0: the account stood still, and its time counts. The first
    and the last period may be covered in part. An account whose equity reaches zero is ruined and stays there: the
    return is -1, then 0.

    Parameters
    ----------
    time_ns : array_like of int64, shape (m,)
        UTC, increasing.
    equity : array_like of float64, shape (m,)
        Equity at those times; the first is what the first return is measured from.
    calendar : Calendar
        Of the market: where its days begin, and when it is closed.
    timeframe : Timeframe or str
        Length of the periods.

    Raises
    ------
    ValueError
        When there are fewer than two points, times do not increase, a value is not finite, the first one is not
        positive, or there is no such timeframe.
    """
    length = timeframe if isinstance(timeframe, Timeframe) else Timeframe.parse(timeframe)
    times, values = checked_curve(time_ns, equity)
    opens = calendar.expected_bars(calendar.bar_open(int(times[0]), length), int(times[-1]), length)
    # A step that ends with the period belongs to it; the last period ends where the curve does.
    ends = np.unique(np.append(opens[1:], times[-1]))
    ends = ends[ends > times[0]]
    at_ends = values[np.searchsorted(times, ends, side="right") - 1]
    before = np.concatenate([values[:1], at_ends[:-1]])
    returns = np.zeros(len(ends))
    np.divide(at_ends, before, out=returns, where=before > 0)
    returns[before > 0] -= 1.0
    return PeriodReturns(ends, returns)


def checked_curve(time_ns: ArrayLike, equity: ArrayLike) -> tuple[Times, Floats]:
    """Return a curve as arrays, at zero from where it first was not above zero. Raises as `period_returns`."""
    times, values = np.asarray(time_ns, np.int64), np.asarray(equity, np.float64)
    if times.ndim != 1 or times.shape != values.shape:
        raise ValueError(f"curve: expected as many times as values, was {times.shape} and {values.shape}")
    if len(times) < 2:
        raise ValueError(f"curve: expected two or more points, was {len(times)}")
    late = np.flatnonzero(np.diff(times) <= 0)
    if len(late):
        raise ValueError(f"curve: times must increase, number {late[0] + 1} is not after the one before")
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise ValueError(f"curve: expected numbers, number {wrong[0]} is {values[wrong[0]]}")
    if not values[0] > 0:
        raise ValueError(f"curve: expected a positive value to begin with, was {values[0]}")
    ruined = np.maximum.accumulate(values <= 0)
    return times, np.where(ruined, 0.0, values)
