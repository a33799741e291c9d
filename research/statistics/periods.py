"""From a curve of equity to returns per period of the market."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from atrader.calendars import Calendar
from atrader.statistics.trades import Floats, Times
from atrader.timeframes import Timeframe


class PeriodReturns(NamedTuple):
    """What an account was worth at the end of every period in which its market was open; shape ``(n,)``.

    Attributes
    ----------
    open_ns, end_ns : ndarray of int64
        Begin and end of each period, UTC; the last one ends with the curve.
    equity : ndarray of float64
        At the end, as it was.
    returns : ndarray of float64
        That over the equity at the end of the period before, less 1; -1 and then 0 from a ruin on.
    """

    open_ns: Times
    end_ns: Times
    equity: Floats
    returns: Floats


def period_returns(
    time_ns: ArrayLike,
    equity: ArrayLike,
    calendar: Calendar,
    timeframe: Timeframe | str = "1d",
    initial: float | None = None,
) -> PeriodReturns:
    """Measure an equity curve at the end of every period in which the market is open.

    A period without a point of the curve has a return of 0: the account stood still, and its time counts. What happens
    while the market is closed counts to the period before. The first and the last period may be covered in part. An
    account whose equity reaches zero is ruined and stays there: the return is -1, then 0.

    Parameters
    ----------
    time_ns : array_like of int64, shape (m,)
        UTC, increasing: ends of steps. One that ends with a period belongs to it.
    equity : array_like of float64, shape (m,)
        Equity at those times.
    calendar : Calendar
        Of the market: where its days begin, and when it is closed.
    timeframe : Timeframe or str
        Length of the periods.
    initial : float, optional
        Equity before the first point; without it the first point is what the first return is measured from.

    Raises
    ------
    ValueError
        As `checked_curve`, and when there is no such timeframe.
    """
    return returns_of(*checked_curve(time_ns, equity, initial), calendar, timeframe)


def returns_of(times: Times, values: Floats, calendar: Calendar, timeframe: Timeframe | str = "1d") -> PeriodReturns:
    """Do what `period_returns` does with what `checked_curve` returned: a long curve is checked once."""
    opens, ends = periods_between(int(times[0]), int(times[-1]), calendar, timeframe)
    places = np.searchsorted(times, ends, side="right") - 1
    worth = until_ruin(values)
    return PeriodReturns(opens, ends, values[places], growth(worth[0], worth[places]))


def growth(first: float, at_ends: Floats) -> Floats:
    """Return what every period made of what there was before it, less 1; 0 where that was nothing.

    Parameters
    ----------
    first : float
        Before the first period.
    at_ends : ndarray of float64, shape (n,)
        At the end of each.
    """
    before = np.concatenate([[first], at_ends[:-1]])
    returns = np.zeros(len(at_ends))
    np.divide(at_ends, before, out=returns, where=before > 0)
    returns[before > 0] -= 1.0
    return returns


def periods_between(
    first_ns: int, last_ns: int, calendar: Calendar, timeframe: Timeframe | str = "1d"
) -> tuple[Times, Times]:
    """Return begin and end of each period in which the market is open, from that of a moment to another moment.

    Parameters
    ----------
    first_ns, last_ns : int
        UTC; the last period ends with the second one.
    calendar, timeframe
        As of `period_returns`.

    Returns
    -------
    opens, ends : ndarray of int64, shape (n,)
        UTC ns.

    Raises
    ------
    ValueError
        When there is no such timeframe.
    """
    length = timeframe if isinstance(timeframe, Timeframe) else Timeframe.parse(timeframe)
    begin_ns = calendar.bar_open(first_ns, length)
    opens = calendar.expected_bars(begin_ns, last_ns, length)
    if not len(opens) or opens[0] > begin_ns:  # it begins while the market is closed
        opens = np.concatenate([np.array([begin_ns], np.int64), opens])
    return opens, np.append(opens[1:], last_ns)


def until_ruin(values: Floats) -> Floats:
    """Return a curve, or the curves in rows, that stays at zero from where it first was not above zero.

    To read: a curve that is above zero everywhere is returned as it is.
    """
    if values.size and values.min() > 0:
        return values
    return np.where(np.maximum.accumulate(values <= 0, axis=-1), 0.0, values)


def checked_curve(time_ns: ArrayLike, equity: ArrayLike, initial: float | None = None) -> tuple[Times, Floats]:
    """Return a curve as arrays.

    Parameters
    ----------
    initial : float, optional
        Put before the first point, one nanosecond earlier.

    Raises
    ------
    ValueError
        When there are fewer than two points, times do not increase, a value is not finite, or the first one is not
        positive.
    """
    times, values = np.asarray(time_ns, np.int64), np.asarray(equity, np.float64)
    if times.ndim != 1 or times.shape != values.shape:
        raise ValueError(f"curve: expected as many times as values, was {times.shape} and {values.shape}")
    if initial is not None:
        times, values = np.concatenate([times[:1] - 1, times]), np.concatenate([[initial], values])
    if len(times) < 2:
        raise ValueError(f"curve: expected two or more points, was {len(times)}")
    late = np.flatnonzero(times[1:] <= times[:-1])
    if len(late):
        raise ValueError(f"curve: times must increase, number {late[0] + 1} is not after the one before")
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise ValueError(f"curve: expected numbers, number {wrong[0]} is {values[wrong[0]]}")
    if not values[0] > 0:
        raise ValueError(f"curve: expected a positive value to begin with, was {values[0]}")
    return times, values
