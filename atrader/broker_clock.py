"""The clocks of brokers, as old installations list them in ``broker-tz.csv``. Pure."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import Final, NamedTuple

from atrader.errors import ConfigError
from atrader.zones import zone_of

_COLUMNS: Final = (
    *("Broker", "DSTStartMonth", "DSTStartNth", "DSTStartDay", "DSTStartTime"),
    *("DSTEndMonth", "DSTEndNth", "DSTEndDay", "DSTEndTime", "GMTOffsetStd", "GMTOffsetDST"),
)
_MAX_OFFSET_HOURS: Final = 15


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
