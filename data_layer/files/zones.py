"""From what a clock on the wall showed to UTC, for whole columns, with the hours that clock changes skip or repeat."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from atrader.clock import NS_PER_S, utc_from_ns
from atrader.errors import ConfigError

FINE: Final = 0
MISSING: Final = 1
"""No clock of the zone ever showed it."""
TWICE: Final = 2
"""Clocks of the zone showed it twice, and nothing tells which time it was."""

_HOUR_NS: Final = 3_600 * NS_PER_S
_DAY_S: Final = 86_400
_SHIFTED: Final = re.compile(r"(?P<zone>.+?)(?:\s*(?P<sign>[+-])\s*(?P<hours>\d{1,2})h)?")


@dataclass(frozen=True, slots=True)
class LocalClock:
    """A clock on a wall.

    Attributes
    ----------
    zone : str
        IANA zone whose clock changes it follows.
    ahead_h : int
        Hours by which it is ahead of that zone.
    """

    zone: str
    ahead_h: int = 0

    @classmethod
    def parse(cls, text: str) -> LocalClock:
        """Read an IANA zone, such as ``Europe/Madrid``, or one with a shift, such as ``America/New_York+7h``.

        The shift is for brokers whose clock is not a place's: midnight at 17:00 New York all year is New York + 7 h.

        Raises
        ------
        ConfigError
            When there is no such zone.
        """
        match = _SHIFTED.fullmatch(text.strip())
        name = match["zone"] if match else text
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ConfigError(
                f"there is no time zone {text!r}; write an IANA name such as UTC or Europe/Madrid,"
                " or one with a shift such as America/New_York+7h"
            ) from None
        hours = int(match["hours"]) if match and match["hours"] else 0
        return cls(name, -hours if match and match["sign"] == "-" else hours)

    def utc(
        self, wall_ns: NDArray[np.int64], *, in_order: bool, may_repeat: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
        """Turn what the clock showed into UTC.

        Parameters
        ----------
        wall_ns : ndarray of int64, shape (n,)
            What it showed, as if it were UTC, in the order of the file.
        in_order : bool
            Whether the rows stand in the order in which they happened (or the reverse): an hour that exists twice is
            then told apart where the clock steps back once within it.
        may_repeat : bool
            Whether equal times are no step back (quotes).

        Returns
        -------
        tuple of ndarray of int64 and ndarray of int8
            UTC, and `FINE`, `MISSING` or `TWICE` for each row.
        """
        trouble = np.zeros(len(wall_ns), np.int8)
        if len(wall_ns) == 0:
            return wall_ns, trouble
        local = wall_ns - self.ahead_h * _HOUR_NS
        changes, offsets = _changes(self.zone, int(local.min()), int(local.max()))
        before, after = changes + offsets[:-1], changes + offsets[1:]
        early = np.searchsorted(before, local, side="right")  # the first period that has not ended
        late = np.searchsorted(after, local, side="right")  # the last period that has begun
        trouble[early > late] = MISSING
        utc_ns = local - offsets[late]
        newest_first = bool(wall_ns[0] > wall_ns[-1])
        for change in np.unique(early[early < late]):
            rows = np.flatnonzero((early == change) & (early < late))
            second = _second_pass(local[rows], newest_first, may_repeat) if in_order else None
            if second is None:
                trouble[rows] = TWICE
            else:
                utc_ns[rows] = local[rows] - np.where(second, offsets[change + 1], offsets[change])
        return utc_ns, trouble

    def offsets_ns(self, utc_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how far the clock was ahead of UTC at each time."""
        if len(utc_ns) == 0:
            return utc_ns
        changes, offsets = _changes(self.zone, int(utc_ns.min()), int(utc_ns.max()))
        found: NDArray[np.int64] = offsets[np.searchsorted(changes, utc_ns, side="right")] + self.ahead_h * _HOUR_NS
        return found


def _second_pass(wall_ns: NDArray[np.int64], newest_first: bool, may_repeat: bool) -> NDArray[np.bool_] | None:
    """Tell which rows of a repeated hour belong to its second pass; None when the clock did not step back once."""
    if newest_first:
        turned = _second_pass(wall_ns[::-1], False, may_repeat)
        return None if turned is None else turned[::-1]
    steps = np.diff(wall_ns)
    back = np.flatnonzero(steps < 0 if may_repeat else steps <= 0)
    if len(back) != 1:
        return None
    return np.arange(len(wall_ns)) > int(back[0])


@lru_cache(maxsize=1024)
def _changes_of_year(zone: str, year: int) -> tuple[tuple[int, int], ...]:
    """Return when (UTC s) the clocks of a zone change in a year, and the offset (s) that then begins."""
    info = ZoneInfo(zone)

    def offset_s(at_s: int) -> int:
        found = datetime.fromtimestamp(at_s, info).utcoffset()
        assert found is not None  # aware
        return int(found.total_seconds())

    start_s = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    end_s = int(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp())
    found = []
    before_s = offset_s(start_s)
    for day_s in range(start_s, end_s, _DAY_S):
        after_s = offset_s(day_s + _DAY_S)
        if after_s != before_s:
            low, high = day_s, day_s + _DAY_S
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset_s(middle) == before_s else (low, middle)
            found.append((high, after_s))
        before_s = after_s
    return tuple(found)


def _changes(zone: str, first_ns: int, last_ns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the clock changes around a period (UTC ns), and the offsets (ns) before, between and after them."""
    years = range(utc_from_ns(first_ns).year - 1, utc_from_ns(last_ns).year + 2)
    found = [change for year in years for change in _changes_of_year(zone, year)]
    began = datetime(years[0], 1, 1, tzinfo=UTC).astimezone(ZoneInfo(zone)).utcoffset()
    assert began is not None  # aware
    offsets = [int(began.total_seconds()), *(offset for _, offset in found)]
    return np.array([at for at, _ in found], np.int64) * NS_PER_S, np.array(offsets, np.int64) * NS_PER_S
