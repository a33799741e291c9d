"""Which bars are missing, judged by the calendar and by what sources have answered. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S
from atrader.timeframes import Timeframe

AT_ONCE: Final = 1_000_000
"""Bars: 8 MB of open times."""


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
    at_once: int = AT_ONCE,
) -> list[Gap]:
    """Return the gaps among the bars expected in ``[start_ns, end_ns)``, oldest first.

    Parameters
    ----------
    stored : ndarray of int64, shape (n,)
        Open times that exist, increasing.
    answered : sequence of (int, int)
        Ranges (oldest first, apart) of which a source has told everything: what is not stored there does not exist.
    at_once : int
        Bars that are looked at together: years of seconds in which nothing is stored do not fill the memory.
    """
    gaps: list[Gap] = []
    goes_on = False  # the last bar expected so far is missing
    for piece_ns in range(start_ns, end_ns, at_once * timeframe.seconds * NS_PER_S):
        stop_ns = min(piece_ns + at_once * timeframe.seconds * NS_PER_S, end_ns)
        expected = calendar.expected_bars(piece_ns, stop_ns, timeframe)
        if not len(expected):
            continue
        first, last = np.searchsorted(stored, (piece_ns, stop_ns))
        found = _among(expected, stored[first:last], answered)
        if found and goes_on and found[0].first_ns == int(expected[0]):
            found[0] = Gap(gaps[-1].first_ns, found[0].last_ns, gaps[-1].count + found[0].count)
            gaps.pop()
        gaps += found
        goes_on = bool(found) and found[-1].last_ns == int(expected[-1])
    return gaps


def _among(expected: NDArray[np.int64], stored: NDArray[np.int64], answered: Sequence[tuple[int, int]]) -> list[Gap]:
    """Return the gaps among some expected bars, at least one."""
    if not len(stored) and not answered:
        return [Gap(int(expected[0]), int(expected[-1]), len(expected))]
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
