"""Which bars are missing, judged by the calendar. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atrader.calendars import Calendar
from atrader.timeframes import Timeframe


@dataclass(frozen=True, slots=True)
class Gap:
    """Bars in a row that the calendar expects and nobody stored; open times of the first and last, ns UTC."""

    first_ns: int
    last_ns: int
    count: int


def find_gaps(
    stored: NDArray[np.int64], timeframe: Timeframe, calendar: Calendar, start_ns: int, end_ns: int
) -> list[Gap]:
    """Return the gaps among the bars expected in ``[start_ns, end_ns)``, oldest first.

    Parameters
    ----------
    stored : ndarray of int64, shape (n,)
        Open times that exist, increasing.
    """
    expected = calendar.expected_bars(start_ns, end_ns, timeframe)
    missing = np.flatnonzero(~np.isin(expected, stored, assume_unique=True))
    if len(missing) == 0:
        return []
    breaks = np.flatnonzero(np.diff(missing) > 1) + 1
    return [
        Gap(int(expected[run[0]]), int(expected[run[-1]]), len(run)) for run in np.split(missing, breaks) if len(run)
    ]
