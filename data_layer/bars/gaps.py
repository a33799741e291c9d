"""Which bars are missing, judged by the calendar and by what sources have answered. Pure."""

from __future__ import annotations

from collections.abc import Sequence
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
    stored: NDArray[np.int64],
    timeframe: Timeframe,
    calendar: Calendar,
    start_ns: int,
    end_ns: int,
    answered: Sequence[tuple[int, int]] = (),
) -> list[Gap]:
    """Return the gaps among the bars expected in ``[start_ns, end_ns)``, oldest first.

    Parameters
    ----------
    stored : ndarray of int64, shape (n,)
        Open times that exist, increasing.
    answered : sequence of (int, int)
        Ranges (oldest first, apart) of which a source has told everything: what is not stored there does not exist.
    """
    expected = calendar.expected_bars(start_ns, end_ns, timeframe)
    missing = np.flatnonzero(~np.isin(expected, stored, assume_unique=True) & ~_inside(expected, answered))
    if len(missing) == 0:
        return []
    breaks = np.flatnonzero(np.diff(missing) > 1) + 1
    return [Gap(int(expected[run[0]]), int(expected[run[-1]]), len(run)) for run in np.split(missing, breaks)]


def _inside(times: NDArray[np.int64], ranges: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    if not ranges:
        return np.zeros(len(times), dtype=bool)
    edges = np.array(ranges, np.int64).reshape(-1)
    inside: NDArray[np.bool_] = np.searchsorted(edges, times, side="right") % 2 == 1
    return inside
