"""Any timeframe of any instrument: stored as it is, or built from what is stored, and remembered for a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import reduce
from typing import Final, NamedTuple, Protocol

import numpy as np

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S
from atrader.market import Bars
from atrader.messages.series import SeriesInfo
from atrader.timeframes import Timeframe
from data_layer.bars.aggregation import aggregate, complete, divides
from data_layer.bars.gaps import Gap, find_gaps
from data_layer.store.ranges import TimeRange, spans

MAX_CACHED_ROWS: Final = 500_000
"""Built bars kept in memory, over all series: 40 MB."""

_FIRST_GUESS: Final = 1.5  # closed hours make a count of bars reach farther back than its length


class BarReader(Protocol):
    """Where stored bars come from."""

    def series(self, instrument: str | None = None) -> list[SeriesInfo]:
        """List the stored series."""
        ...

    def bars(self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None) -> Bars:
        """Return the stored bars of exactly this timeframe with ``start_ns <= open_time < end_ns``."""
        ...

    def answered(
        self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> list[TimeRange]:
        """Return the ranges that a source has told everything about, oldest first."""
        ...


class _Wanted(NamedTuple):
    """What is being built."""

    instrument: str
    timeframe: Timeframe
    calendar: Calendar


class _Source(NamedTuple):
    """A stored series to build from."""

    timeframe: Timeframe
    first_ns: int
    last_ns: int


class Missing(NamedTuple):
    """Gaps among the stored bars of one timeframe."""

    timeframe: Timeframe
    gap: Gap


class _Built(NamedTuple):
    """Built bars that cover ``[start_ns, end_ns)`` without a hole."""

    start_ns: int
    end_ns: int
    bars: Bars


class BarLibrary:
    """Answers queries for bars of any timeframe. For one thread at a time.

    A stored series of exactly the timeframe is taken as it is; where it does not reach, the coarsest stored series that
    divides the timeframe is taken, then the next finer one.

    Parameters
    ----------
    reader : BarReader
        Where bars are stored.
    calendar_of : callable
        Gives the calendar of an instrument.
    max_cached_rows : int
        Bound of the memory of built bars.
    """

    def __init__(
        self, reader: BarReader, calendar_of: Callable[[str], Calendar], max_cached_rows: int = MAX_CACHED_ROWS
    ) -> None:
        self._reader = reader
        self._calendar_of = calendar_of
        self._max_rows = max_cached_rows
        self._built: OrderedDict[tuple[str, str, str], _Built] = OrderedDict()

    @property
    def cached_rows(self) -> int:
        """Bars in memory."""
        return sum(len(built.bars) for built in self._built.values())

    def forget(self, instrument: str) -> None:
        """Forget what was built for an instrument: its stored bars were replaced."""
        for key in [key for key in self._built if key[0] == instrument]:
            del self._built[key]

    def bars(
        self,
        instrument: str,
        timeframe: Timeframe,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        count: int | None = None,
        horizon_ns: int,
    ) -> Bars:
        """Return bars with ``start_ns <= open_time < end_ns`` that ended by a time; the last `count` of them.

        Parameters
        ----------
        horizon_ns : int
            Bars that end later are not complete and not shown.
        """
        wanted = _Wanted(instrument, timeframe, self._calendar_of(instrument))
        sources = self._sources(wanted)
        if not sources:
            return Bars.empty()
        begin_ns = min(source.first_ns for source in sources)
        begin_ns = wanted.calendar.bar_open(begin_ns if start_ns is None else max(begin_ns, start_ns), timeframe)
        stop_ns = horizon_ns if end_ns is None else min(_aligned_up(end_ns, wanted), horizon_ns)
        newest_end_ns = max(wanted.calendar.next_bar_open(one.last_ns, one.timeframe) for one in sources)
        stop_ns = min(stop_ns, _aligned_up(newest_end_ns, wanted))
        from_ns = begin_ns
        if count is not None:
            from_ns = stop_ns - int(count * timeframe.seconds * NS_PER_S * _FIRST_GUESS)
        while True:
            from_ns = max(begin_ns, wanted.calendar.bar_open(from_ns, timeframe))
            found = self._between(wanted, sources, from_ns, stop_ns)
            found = complete(found, timeframe, wanted.calendar, horizon_ns)
            found = _within(found, start_ns, end_ns)
            if count is None:
                return found
            if len(found) >= count or from_ns <= begin_ns:
                return found[max(0, len(found) - count) :]
            from_ns = stop_ns - 2 * (stop_ns - from_ns)

    def first_ns(self, instrument: str, timeframe: Timeframe) -> int | None:
        """Return where the stored bars begin that a timeframe is taken or built from; None when there are none."""
        sources = self._sources(_Wanted(instrument, timeframe, self._calendar_of(instrument)))
        return min((source.first_ns for source in sources), default=None)

    def missing(
        self, instrument: str, timeframe: Timeframe, start_ns: int, end_ns: int, base: Timeframe
    ) -> list[Missing]:
        """Return what is missing among the stored bars that the bars of ``[start_ns, end_ns)`` are built from.

        Oldest first; the gaps are in the timeframe that `bars` takes in that period. A bar that was built from what
        there is of its period counts as whole only if nothing in its period is missing.

        Parameters
        ----------
        base : Timeframe
            Of the bars that are expected where nothing is stored.
        """
        wanted = _Wanted(instrument, timeframe, self._calendar_of(instrument))
        sources = self._sources(wanted) or [_Source(base, end_ns, end_ns)]
        return self._missing(wanted, sources, wanted.calendar.bar_open(start_ns, timeframe), end_ns)

    def _missing(self, wanted: _Wanted, sources: list[_Source], from_ns: int, stop_ns: int) -> list[Missing]:
        if from_ns >= stop_ns or not sources:
            return []
        best, others = sources[0], sources[1:]
        low_ns, high_ns = self._reach(wanted, best, from_ns, stop_ns) if others else (from_ns, stop_ns)
        if low_ns >= high_ns:
            return self._missing(wanted, others, from_ns, stop_ns)
        name = best.timeframe.name
        times = self._reader.bars(wanted.instrument, name, low_ns, high_ns).open_time_ns
        answered = spans(self._reader.answered(wanted.instrument, name, low_ns, high_ns), low_ns, high_ns)
        gaps = find_gaps(times, best.timeframe, wanted.calendar, low_ns, high_ns, answered)
        return [
            *self._missing(wanted, others, from_ns, low_ns),
            *(Missing(best.timeframe, gap) for gap in gaps),
            *self._missing(wanted, others, high_ns, stop_ns),
        ]

    def _sources(self, wanted: _Wanted) -> list[_Source]:
        """Return the stored series to build from, the longest timeframe first."""
        found = []
        for info in self._reader.series(wanted.instrument):
            if info.timeframe == "ticks":
                continue
            stored = Timeframe.parse(info.timeframe)
            if stored == wanted.timeframe or divides(stored, wanted.timeframe):
                found.append(_Source(stored, info.first_ns, info.last_ns))
        return sorted(found, reverse=True)

    def _between(self, wanted: _Wanted, sources: list[_Source], from_ns: int, stop_ns: int) -> Bars:
        """Build the bars of a period that begins with a bar, from the first source where that reaches."""
        if from_ns >= stop_ns or not sources:
            return Bars.empty()
        best, others = sources[0], sources[1:]
        low_ns, high_ns = self._reach(wanted, best, from_ns, stop_ns) if others else (from_ns, stop_ns)
        if low_ns >= high_ns:
            return self._between(wanted, others, from_ns, stop_ns)
        parts = (
            self._between(wanted, others, from_ns, low_ns),
            self._built_from(wanted, best, low_ns, high_ns),
            self._between(wanted, others, high_ns, stop_ns),
        )
        return _joined(*parts)

    def _reach(self, wanted: _Wanted, source: _Source, from_ns: int, stop_ns: int) -> tuple[int, int]:
        """Return the period that a source covers: a finer one may have the rest, but only whole bars fit together."""
        last_end_ns = wanted.calendar.next_bar_open(source.last_ns, source.timeframe)
        return (
            max(from_ns, _aligned_up(source.first_ns, wanted)),
            min(stop_ns, wanted.calendar.bar_open(last_end_ns, wanted.timeframe)),
        )

    def _built_from(self, wanted: _Wanted, source: _Source, low_ns: int, high_ns: int) -> Bars:
        if source.timeframe == wanted.timeframe:
            return self._reader.bars(wanted.instrument, source.timeframe.name, low_ns, high_ns)

        def build(start_ns: int, end_ns: int) -> Bars:
            stored = self._reader.bars(wanted.instrument, source.timeframe.name, start_ns, end_ns)
            return aggregate(stored, wanted.timeframe, wanted.calendar)

        whole_ns = wanted.calendar.bar_open(high_ns, wanted.timeframe)  # the bar that the end cuts is not remembered
        key = (wanted.instrument, wanted.timeframe.name, source.timeframe.name)
        built = self._built.pop(key, None)
        if built is None or built.end_ns < low_ns or whole_ns < built.start_ns:
            built = _Built(low_ns, low_ns, Bars.empty())
        if low_ns < built.start_ns:
            built = _Built(low_ns, built.end_ns, _joined(build(low_ns, built.start_ns), built.bars))
        if built.end_ns < whole_ns:
            built = _Built(built.start_ns, whole_ns, _joined(built.bars, build(built.end_ns, whole_ns)))
        self._remember(key, built)
        first, last = np.searchsorted(built.bars.open_time_ns, (low_ns, whole_ns))
        cut = build(max(low_ns, whole_ns), high_ns) if whole_ns < high_ns else Bars.empty()
        return _joined(built.bars[first:last], cut)

    def _remember(self, key: tuple[str, str, str], built: _Built) -> None:
        self._built[key] = built
        while self.cached_rows > self._max_rows:
            self._built.popitem(last=False)


def _aligned_up(time_ns: int, wanted: _Wanted) -> int:
    open_ns = wanted.calendar.bar_open(time_ns, wanted.timeframe)
    return open_ns if open_ns == time_ns else wanted.calendar.next_bar_open(open_ns, wanted.timeframe)


def _within(bars: Bars, start_ns: int | None, end_ns: int | None) -> Bars:
    first = 0 if start_ns is None else int(np.searchsorted(bars.open_time_ns, start_ns))
    last = len(bars) if end_ns is None else int(np.searchsorted(bars.open_time_ns, end_ns))
    return bars[first : max(first, last)]


def _joined(*parts: Bars) -> Bars:
    filled = [part for part in parts if len(part)]
    return reduce(Bars.append, filled) if filled else Bars.empty()
