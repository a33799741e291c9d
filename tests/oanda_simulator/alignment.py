"""Where candles begin: by the clock up to an hour, by the day of a time zone above."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from tests.oanda_simulator.hours import NEW_YORK
from tests.oanda_simulator.values import NS_PER_S

_S, _M, _H, _D = 1, 60, 3_600, 86_400
STEP_S: Final = {
    **{f"S{n}": n * _S for n in (5, 10, 15, 30)},
    **{f"M{n}": n * _M for n in (1, 2, 4, 5, 10, 15, 30)},
    **{f"H{n}": n * _H for n in (1, 2, 3, 4, 6, 8, 12)},
    "D": _D,
    "W": 7 * _D,
    "M": 31 * _D,
}
"""Every granularity and the most seconds it lasts (a month at most 31 days)."""
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _range(start: int, end: int, step: int) -> NDArray[np.int64]:
    return np.arange(start, end, step, dtype=np.int64)


@dataclass(frozen=True)
class Alignment:
    """Hour at which the day begins, in a zone, and the day that begins the week."""

    hour: int = 17
    zone: ZoneInfo = NEW_YORK
    weekday: int = 4

    def starts(self, granularity: str, first_ns: int, last_ns: int) -> NDArray[np.int64]:
        """Return the starts of all candles from the one that covers `first_ns` to beyond the one covering `last_ns`."""
        step = STEP_S[granularity] * NS_PER_S
        if STEP_S[granularity] <= _H:
            return _range(first_ns - first_ns % step, last_ns + 2 * step, step)
        days = self._days(granularity, first_ns, last_ns)
        if granularity in {"D", "W", "M"}:
            starts = np.array(days, np.int64)
        else:
            starts = np.concatenate([_range(start, end, step) for start, end in pairwise(days)])
        covering = int(np.searchsorted(starts, first_ns, side="right")) - 1
        return starts[max(0, covering) :]

    def _days(self, granularity: str, first_ns: int, last_ns: int) -> list[int]:
        """Return the instants at which a day (week, month) begins, from before the first to after the last."""
        margin_days = 32 if granularity in {"W", "M"} else 2
        day = datetime.fromtimestamp(first_ns // NS_PER_S, UTC).date() - timedelta(days=margin_days)
        end = datetime.fromtimestamp(last_ns // NS_PER_S, UTC).date() + timedelta(days=margin_days)
        found = []
        while day <= end:
            if (granularity != "W" or day.weekday() == self.weekday) and (granularity != "M" or day.day == 1):
                found.append(int(datetime.combine(day, time(self.hour), self.zone).timestamp()) * NS_PER_S)
            day += timedelta(days=1)
        return found
