"""An equity curve by the days and months of a calendar."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, utc_from_ns
from atrader.timeframes import Timeframe
from research.events.equity import EquityCurve

Floats = NDArray[np.float64]

_DAY_NS = 86_400 * NS_PER_S


class Ends(NamedTuple):
    """What an account was worth at the end of every period in which something was quoted; shape ``(n,)``.

    Attributes
    ----------
    open_ns : ndarray of int64
        Begin of each period, UTC.
    equity : ndarray of float64
        At its last step, account currency.
    returns : ndarray of float64
        Over the equity at the end of the period before, that of the first over the initial balance.
    """

    open_ns: NDArray[np.int64]
    equity: Floats
    returns: Floats


def ends(curve: EquityCurve, initial: float, calendar: Calendar, timeframe: str) -> Ends:
    """Cut a curve at the boundaries of a calendar; a step that ends on one belongs to the period before.

    Parameters
    ----------
    initial : float
        Balance before the first step.
    timeframe : str
        ``1d`` or ``1M``. What is quoted while the calendar is closed counts to the last open day.
    """
    frame = Timeframe.parse(timeframe)
    first_ns = calendar.bar_open(int(curve.time_ns[0]) - 1, frame)
    opens = calendar.expected_bars(first_ns, int(curve.time_ns[-1]), frame)
    if not len(opens) or opens[0] > first_ns:
        opens = np.concatenate([np.array([first_ns], np.int64), opens])
    stops = np.append(np.searchsorted(curve.time_ns, opens[1:], side="right"), len(curve.time_ns))
    real = np.flatnonzero(np.diff(stops, prepend=0))
    equity = curve.equity[stops[real] - 1]
    before = np.concatenate([[initial], equity[:-1]])
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = np.where(before > 0, equity / before - 1, np.nan)
    return Ends(opens[real], equity, returns)


def month_of(open_ns: int) -> str:
    """Return the name (``2024-03``) of the month that begins at a time: a calendar may begin it the evening before."""
    return f"{utc_from_ns(open_ns + _DAY_NS):%Y-%m}"
