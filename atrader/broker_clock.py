"""The clocks of brokers, as old installations list them in ``broker-tz.csv``. Pure."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrader.errors import ConfigError
from atrader.zones import offset_changes, zone_of

_COLUMNS: Final = (
    *("Broker", "DSTStartMonth", "DSTStartNth", "DSTStartDay", "DSTStartTime"),
    *("DSTEndMonth", "DSTEndNth", "DSTEndDay", "DSTEndTime", "GMTOffsetStd", "GMTOffsetDST"),
)
_MAX_OFFSET_HOURS: Final = 15
_SECOND_NS: Final = 1_000_000_000


class WallClock:
    """What the clock on a broker's wall shows, in seconds as if it were UTC: the times of old programs.

    Parameters
    ----------
    zone : str
        For `atrader.zones.zone_of`.
    """

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self._changes_s, self._offsets_s = (np.array(part, np.int64) for part in offset_changes(zone))
        self._spell = (0, 0, 0)  # first and last second of the spell asked for last, and its offset

    def second(self, time_ns: int) -> int:
        """Return what it shows at a time, UTC ns."""
        second = time_ns // _SECOND_NS
        start, end, offset = self._spell
        return second + (offset if start <= second < end else self._offset_at(second))

    def seconds(self, time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return what it shows at times; every value fits 32 bits with sign.

        Parameters
        ----------
        time_ns : ndarray of int64, shape (n,)
            UTC, in ascending order.

        Raises
        ------
        ValueError
            When a time is outside 1970 to 2037: it would not fit.
        """
        if not len(time_ns):
            return np.empty(0, np.int64)
        first, last = time_ns.item(0) // _SECOND_NS, time_ns.item(-1) // _SECOND_NS
        if first < 0 or last > _LAST_SECOND:
            raise ValueError(f"times outside 1970 to 2037 do not fit 32 bits: {first} to {last} s")
        found = time_ns // _SECOND_NS
        offset = self._offset_at(last)
        if first < self._spell[0]:  # clocks changed between the first and the last
            found += self._offsets_s[np.searchsorted(self._changes_s, found, side="right") - 1]
        elif offset:
            found += offset
        return found

    def _offset_at(self, second: int) -> int:
        where = int(np.searchsorted(self._changes_s, second, side="right")) - 1
        start = int(self._changes_s[where])
        end = int(self._changes_s[where + 1]) if where + 1 < len(self._changes_s) else _LAST_SECOND + 1
        self._spell = (start, end, int(self._offsets_s[where]))
        return self._spell[2]


_LAST_SECOND: Final = 2**31 - 1 - 15 * 3_600  # what any wall clock shows then still fits


class BrokerClock(NamedTuple):
    """The wall clock of a broker.

    Attributes
    ----------
    broker : str
        Name of the row, exactly.
    zone : str
        For `atrader.zones.zone_of`: a rule that holds in every year.
    """

    broker: str
    zone: str

    def wall(self) -> WallClock:
        """Return what turns times into those that the broker's programs show."""
        return WallClock(self.zone)

    def calendar(self, hours: str = "fx") -> str:
        """Return the name of the calendar whose days begin at midnight of this clock.

        Parameters
        ----------
        hours : str
            Calendar that says when the market is open.
        """
        return f"{self.zone}@00:00 {hours}"


def read_broker_clocks(lines: Iterable[str], file: str) -> dict[str, BrokerClock]:
    """Read the rows of a ``broker-tz.csv``, by broker.

    Columns may stand in any order and there may be others; values are separated by semicolons. Where the old library
    ignores minutes and hours of a change, they count here. A month of 0 means that there is no summer time, and the
    standard offset holds all year (the old library takes the other one then, see the file's own remarks).

    Parameters
    ----------
    lines : iterable of str
        The file's.
    file : str
        Its name, for errors.

    Raises
    ------
    ConfigError
        When a column is missing, a value cannot be, or a broker is there twice; file, line and column are named.
    """
    rows = csv.DictReader(lines, delimiter=";", skipinitialspace=True)
    missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise ConfigError(f"{file}: the first line has no column {', '.join(missing)}")
    clocks: dict[str, BrokerClock] = {}
    for row in rows:
        where = f"{file}:{rows.line_num}"
        broker = (row["Broker"] or "").strip()
        if not broker or broker in clocks:
            raise ConfigError(f"{where}: Broker: expected a name that is not there yet, was {broker!r}")
        clocks[broker] = BrokerClock(broker, _rule(_Row(where, row)))
    return clocks


class _Row(NamedTuple):
    where: str
    values: dict[str, str]

    def whole(self, name: str, low: int, high: int) -> int:
        text = (self.values[name] or "").strip()
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise ConfigError(f"{self.where}: {name}: expected a whole number from {low} to {high}, was {text!r}")
        return value

    def change(self, side: str) -> str:
        """Return when summer time starts or ends, as POSIX writes it; a fifth week is the last."""
        week = self.whole(f"DST{side}Nth", 0, 4) or 5
        hour, _, minute = (self.values[f"DST{side}Time"] or "").strip().partition(":")
        if not (hour.isdecimal() and int(hour) <= 23 and (minute or "0").isdecimal() and int(minute or 0) <= 59):
            raise ConfigError(f"{self.where}: DST{side}Time: expected HH:MM, was {self.values[f'DST{side}Time']!r}")
        month, day = self.whole(f"DST{side}Month", 1, 12), self.whole(f"DST{side}Day", 0, 6)
        return f"M{month}.{week}.{day}/{int(hour)}:{int(minute or 0):02d}"


def _rule(row: _Row) -> str:
    standard = row.whole("GMTOffsetStd", -_MAX_OFFSET_HOURS, _MAX_OFFSET_HOURS)
    rule = f"STD{-standard}"  # POSIX counts to the west
    if row.whole("DSTStartMonth", 0, 12) and row.whole("DSTEndMonth", 0, 12):
        summer = row.whole("GMTOffsetDST", -_MAX_OFFSET_HOURS, _MAX_OFFSET_HOURS)
        if summer != standard:
            rule += f"DST{-summer},{row.change('Start')},{row.change('End')}"
    zone_of(rule)
    return rule
