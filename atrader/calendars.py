"""Trading calendars: when a market is open, and where its days, weeks, months and bars begin.

A calendar is data: a zone, the local time at which its day begins, the weekday that begins its week, how many days of
that week are open, and the holidays that close whole days. Local times are turned into instants date by date, so that a
summer time change moves the instants and not the market's clock.

When a market is closed
-----------------------
Weekends and holidays belong to the calendar. The FX market knows two holidays: the days of 25 December and 1 January,
closed from 17:00 New York of the date before to 17:00 of the date itself (so the hours that Cboe FX and FXOpen publish;
the quotes of TrueFX for 2013 begin on 1 January at 17:00 New York). About the rest brokers disagree: at Christmas 2015
Saxo closed three hours earlier on the 24th, others never do. Such periods come from the configuration
(``[calendars.fx] closed``) and are handed to `Calendar.get`. A gap that neither knows is settled by the broker, which
confirms it as empty.

Where bars begin
----------------
- Timeframes that divide an hour (`1s` ... `30m`, `1h`): at multiples of the timeframe since 1970 UTC.
- Other timeframes below a day (`2h`, `4h`, `45m`): counted from the beginning of the calendar's day, as brokers with a
  New York alignment do; the last bar of a day ends with the day, even if it is shorter.
- `1d`: with the calendar's day. `1w`: with the day that opens the week. `1M`: with the first open day of the month,
  where a day that begins at noon or later belongs to the date on which it ends (Sunday 17:00 New York begins Monday).

Clocks of brokers
-----------------
``ZONE@HH:MM HOURS`` names a calendar whose days begin at a local time of a zone (see `atrader.zones`) while the market
is open by another calendar: ``Europe/Helsinki@00:00 fx`` is the clock of many MetaTrader servers, and without ``HOURS``
the market never closes. Its weeks begin with Sunday and its months with the first day, open or not: in the weeks in
which only New York has summer time, such a server shows an hour of Sunday.

Holidays and closed periods move no boundary, or a line of configuration would change the bars of the past: a month
begins with its first day that is no weekend, a week on its usual day. Bars of two calendars never mix in one series.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, time
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from atrader.calendar_rules import CalendarRules, rules_of
from atrader.clock import NS_PER_S
from atrader.local_times import local_ns, local_ordinal
from atrader.timeframes import Timeframe
from atrader.zones import zone_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HOUR_S: Final = 3_600
_NOON: Final = time(12)


class Period(NamedTuple):
    """A span of time, UTC nanoseconds; it includes its start and excludes its end."""

    start_ns: int
    end_ns: int


class _Day(NamedTuple):
    start_ns: int
    end_ns: int
    ordinal: int  # of the local date on which the day begins
    open: tuple[Period, ...]


_MOST_DAYS: Final = 4096  # that a calendar remembers: eleven years, which every part of a backtest goes through


class Calendar:
    """A market's opening hours and bar boundaries. Get one with `Calendar.get`.

    All instants are UTC nanoseconds, all intervals include their start and exclude their end. Instances are shared:
    the methods may be called from any thread. Asking for times in the same day again is fast (below 1 us).
    """

    __slots__ = ("_date_shift", "_day", "_days_known", "_hours", "_month", "_zone", "closed", "rules")

    def __init__(self, rules: CalendarRules, closed: tuple[Period, ...] = ()) -> None:
        self.rules = rules
        self.closed = tuple(sorted(closed))
        self._zone = zone_of(rules.zone)
        self._hours = None if rules.hours is None else Calendar.get(rules.hours, closed)
        # A day that begins in the afternoon carries the next date.
        self._date_shift = int(rules.day_starts >= _NOON)
        # The day and the month asked for last. Each is one tuple, replaced as a whole, hence safe among threads.
        self._day = _Day(0, 0, 0, ())
        self._month = (0, 0)
        self._days_known: dict[int, _Day] = {}

    @staticmethod
    def get(name: str, closed: tuple[Period, ...] = ()) -> Calendar:
        """Return the calendar called `name`: `"fx"`, `"24/7"` or a clock such as `"Europe/Helsinki@00:00 fx"`.

        Parameters
        ----------
        name : str
            As in the configuration.
        closed : tuple of Period
            Times at which it is closed besides weekends and holidays.

        Raises
        ------
        ValueError
            If there is none of that name; the message lists the known ones, or says what is wrong with a clock.
        """
        return _calendar(name, closed)

    @property
    def name(self) -> str:
        """The name by which `get` finds this calendar."""
        return self.rules.name

    def __repr__(self) -> str:
        return f"Calendar.get({self.name!r}{f', closed={self.closed}' if self.closed else ''})"

    def __reduce__(self) -> tuple[object, ...]:
        return (Calendar.get, (self.name, self.closed))

    def is_open(self, ts_ns: int) -> bool:
        """Return whether the market is open at `ts_ns`."""
        # No generator: the paper account asks with every order and quote.
        day = self._day
        if not day.start_ns <= ts_ns < day.end_ns:
            day = self._day_of(ts_ns)
        for start_ns, end_ns in day.open:  # noqa: SIM110
            if start_ns <= ts_ns < end_ns:
                return True
        return False

    def is_weekend(self, ts_ns: int) -> bool:
        """Return whether `ts_ns` lies in a day that is closed every week; holidays are no weekend."""
        if self._hours is not None:
            return self._hours.is_weekend(ts_ns)
        return not self._in_week(self._day_of(ts_ns).ordinal)

    def next_open(self, ts_ns: int) -> int | None:
        """Return the first instant after `ts_ns` at which the closed market opens; None if it stays open for ever."""
        return next((start_ns for start_ns, _ in self._open_spells(ts_ns) if start_ns > ts_ns), None)

    def next_close(self, ts_ns: int) -> int | None:
        """Return the first instant after `ts_ns` at which the open market closes; None if it never does."""
        return next(self._open_spells(ts_ns))[1]

    def day_start(self, ts_ns: int) -> int:
        """Return the beginning of the calendar's day that holds `ts_ns` (closed days count)."""
        return self._day_of(ts_ns).start_ns

    def day_end(self, ts_ns: int) -> int:
        """Return the end of the calendar's day that holds `ts_ns` (closed days count)."""
        return self._day_of(ts_ns).end_ns

    def date_of(self, ts_ns: int) -> date:
        """Return the date that the day of `ts_ns` is called by: one that begins in the evening is the next date's."""
        return date.fromordinal(self._day_of(ts_ns).ordinal + self._date_shift)

    def bar_open(self, ts_ns: int, timeframe: Timeframe) -> int:
        """Return the open time of the bar that covers `ts_ns`, whether or not the market is open then.

        Never later than `ts_ns`; applied to its own result it changes nothing.
        """
        seconds = timeframe.seconds
        if not _HOUR_S % seconds:
            return ts_ns - ts_ns % (seconds * NS_PER_S)
        if timeframe.is_fixed:
            start_ns = self._day_of(ts_ns).start_ns
            return ts_ns - (ts_ns - start_ns) % (seconds * NS_PER_S)
        return self._calendar_bar(ts_ns, timeframe)[0]

    def next_bar_open(self, ts_ns: int, timeframe: Timeframe) -> int:
        """Return the first bar boundary after `ts_ns`, whether or not the market is open then.

        It is the end of the bar that covers `ts_ns`. The next bar that has prices may begin later: see `next_open`.
        """
        seconds = timeframe.seconds
        if not _HOUR_S % seconds:
            return ts_ns - ts_ns % (seconds * NS_PER_S) + seconds * NS_PER_S
        if timeframe.is_fixed:
            day = self._day_of(ts_ns)
            passed_ns = (ts_ns - day.start_ns) % (seconds * NS_PER_S)
            return min(ts_ns - passed_ns + seconds * NS_PER_S, day.end_ns)
        return self._calendar_bar(ts_ns, timeframe)[1]

    def expected_bars(self, start_ns: int, end_ns: int, timeframe: Timeframe) -> NDArray[np.int64]:
        """Return the open times in `[start_ns, end_ns)` of all bars during which the market is open, if only in part.

        What a complete series has; compared with what is stored, it gives the gaps. Imports numpy when it is called.

        Returns
        -------
        ndarray of int64, shape (n,)
            UTC nanoseconds, strictly increasing. A month of `1m` bars takes well below 1 ms.
        """
        import numpy as np

        if timeframe.is_fixed:
            # Days begin on whole hours: bars that divide an hour go on over the ends of days as they are since 1970.
            counted: Iterable[tuple[int, tuple[Period, ...]]] = (
                [(0, self._open_within(start_ns, end_ns))]
                if not _HOUR_S % timeframe.seconds
                else ((day.start_ns, day.open) for day in self._days(start_ns, end_ns))
            )
            pieces = [
                piece for origin_ns, open_ in counted for piece in _bars(origin_ns, open_, start_ns, end_ns, timeframe)
            ]
            return np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int64)
        if timeframe.name == "1d":
            found = [day.start_ns for day in self._days(start_ns, end_ns) if day.open and day.start_ns >= start_ns]
            return np.array(found, dtype=np.int64)
        opens = []
        open_ns = self.bar_open(start_ns, timeframe)
        while open_ns < end_ns:
            next_ns = self.next_bar_open(open_ns, timeframe)
            if open_ns >= start_ns and any(day.open for day in self._days(open_ns, next_ns)):
                opens.append(open_ns)
            open_ns = next_ns
        return np.array(opens, dtype=np.int64)

    def _days(self, start_ns: int, end_ns: int) -> Iterator[_Day]:
        if start_ns >= end_ns:
            return
        for ordinal in count(self._day_of(start_ns).ordinal):
            day = self._day_at(ordinal)
            if day.start_ns >= end_ns:
                return
            yield day

    def _calendar_bar(self, ts_ns: int, timeframe: Timeframe) -> tuple[int, int]:
        if timeframe.name == "1d":
            day = self._day_of(ts_ns)
            return day.start_ns, day.end_ns
        if timeframe.name == "1w":
            ordinal = self._day_of(ts_ns).ordinal
            ordinal -= self._day_in_week(ordinal)
            return self._start_ns(ordinal), self._start_ns(ordinal + 7)
        return self._month_of(ts_ns)

    def _month_of(self, ts_ns: int) -> tuple[int, int]:
        month = self._month
        if month[0] <= ts_ns < month[1]:
            return month
        day = self.date_of(ts_ns)
        months = day.year * 12 + day.month - 1
        if ts_ns < self._month_start_ns(months):
            months -= 1
        month = (self._month_start_ns(months), self._month_start_ns(months + 1))
        self._month = month
        return month

    def _month_start_ns(self, months: int) -> int:
        ordinal = date(months // 12, months % 12 + 1, 1).toordinal() - self._date_shift
        while not self._in_week(ordinal):
            ordinal += 1
        return self._start_ns(ordinal)

    def _open_spells(self, ts_ns: int) -> Iterator[tuple[int, int | None]]:
        """Yield start and end of the spells in which the market is open, from the one that holds or follows `ts_ns`.

        That one may be shown without what lies before the day of `ts_ns`; a spell that never ends has the end None.
        """
        spell: Period | None = None
        for ordinal in count(self._day_of(ts_ns).ordinal):
            day = self._day_at(ordinal)
            if spell is not None and self._never_closes_after(day.start_ns):
                yield spell.start_ns, None
                return
            for piece in day.open:
                if piece.end_ns <= ts_ns:
                    continue
                if spell is not None and piece.start_ns == spell.end_ns:
                    spell = Period(spell.start_ns, piece.end_ns)
                    continue
                if spell is not None:
                    yield spell
                spell = piece

    def _never_closes_after(self, ts_ns: int) -> bool:
        if self._hours is not None:
            return self._hours._never_closes_after(ts_ns)
        rules = self.rules
        return rules.open_days == 7 and not rules.holidays and all(period.end_ns <= ts_ns for period in self.closed)

    def _day_of(self, ts_ns: int) -> _Day:
        day = self._day
        if day.start_ns <= ts_ns < day.end_ns:
            return day
        ordinal = local_ordinal(self._zone, ts_ns)
        if ts_ns < self._start_ns(ordinal):
            ordinal -= 1
        day = self._day_at(ordinal)
        self._day = day
        return day

    def _day_at(self, ordinal: int) -> _Day:
        day = self._days_known.get(ordinal)
        if day is None:
            if len(self._days_known) >= _MOST_DAYS:
                self._days_known.clear()
            day = self._days_known[ordinal] = self._made_day(ordinal)
        return day

    def _made_day(self, ordinal: int) -> _Day:
        start_ns, end_ns = self._start_ns(ordinal), self._start_ns(ordinal + 1)
        if self._hours is not None:
            return _Day(start_ns, end_ns, ordinal, self._hours._open_within(start_ns, end_ns))
        date_of_day = date.fromordinal(ordinal + self._date_shift)
        if not self._in_week(ordinal) or (date_of_day.month, date_of_day.day) in self.rules.holidays:
            return _Day(start_ns, end_ns, ordinal, ())
        return _Day(start_ns, end_ns, ordinal, tuple(_without(Period(start_ns, end_ns), self.closed)))

    def _open_within(self, start_ns: int, end_ns: int) -> tuple[Period, ...]:
        """Return when the market is open between two times; spells that touch are one."""
        if start_ns < end_ns and self._never_closes_after(start_ns):
            return (Period(start_ns, end_ns),)
        found: list[Period] = []
        for piece in (piece for day in self._days(start_ns, end_ns) for piece in day.open):
            part = Period(max(piece.start_ns, start_ns), min(piece.end_ns, end_ns))
            if part.start_ns >= part.end_ns:
                continue
            if found and found[-1].end_ns == part.start_ns:
                found[-1] = Period(found[-1].start_ns, part.end_ns)
            else:
                found.append(part)
        return tuple(found)

    def _start_ns(self, ordinal: int) -> int:
        return local_ns(self._zone, ordinal, self.rules.day_starts)

    def _in_week(self, ordinal: int) -> bool:
        return self._day_in_week(ordinal) < self.rules.open_days

    def _day_in_week(self, ordinal: int) -> int:
        # Ordinal 1 (1 January of the year 1) was a Monday.
        return (ordinal - 1 - self.rules.week_starts) % 7


def _without(whole: Period, closed: tuple[Period, ...]) -> Iterator[Period]:
    """Yield what closed periods, sorted by start, leave of a period."""
    start_ns = whole.start_ns
    for period in closed:
        if period.start_ns >= whole.end_ns:
            break
        if period.start_ns > start_ns:
            yield Period(start_ns, period.start_ns)
        start_ns = max(start_ns, period.end_ns)
    if start_ns < whole.end_ns:
        yield Period(start_ns, whole.end_ns)


def _bars(
    origin_ns: int, open_: Iterable[Period], start_ns: int, end_ns: int, timeframe: Timeframe
) -> Iterator[NDArray[np.int64]]:
    """Yield the open times of the bars, counted from an origin, that touch spells of an open market, each once."""
    import numpy as np

    number = -((origin_ns - start_ns) // timeframe.ns)  # of the first bar that opens at or after the start
    for spell in open_:
        number = max(number, (spell.start_ns - origin_ns) // timeframe.ns)
        spell_end_ns = min(spell.end_ns, end_ns)
        if origin_ns + number * timeframe.ns < spell_end_ns:
            opens = np.arange(origin_ns + number * timeframe.ns, spell_end_ns, timeframe.ns, dtype=np.int64)
            number += len(opens)
            yield opens


@lru_cache
def _calendar(name: str, closed: tuple[Period, ...]) -> Calendar:
    return Calendar(rules_of(name), closed)
