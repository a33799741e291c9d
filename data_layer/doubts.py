"""Times of which not every quote may have been heard: their bars are asked of a source again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from atrader.calendars import Calendar
from atrader.timeframes import Timeframe

_MAX: Final = 256  # periods of one instrument, while no source takes them


class Doubts:
    """Periods whose bars may lack quotes, by instrument.

    Parameters
    ----------
    calendar_of : callable
        Gives the calendar of an instrument.
    base : Timeframe
        Of the bars.
    """

    def __init__(self, calendar_of: Callable[[str], Calendar], base: Timeframe) -> None:
        self._calendar_of = calendar_of
        self._base = base
        self._periods: dict[str, list[tuple[int, int]]] = {}

    def add(self, instrument: str, start_ns: int, end_ns: int) -> None:
        """Note that quotes between two times may be missing in the bars of an instrument."""
        calendar = self._calendar_of(instrument)
        start_ns, end_ns = calendar.bar_open(start_ns, self._base), calendar.next_bar_open(end_ns, self._base)
        found = self._periods.setdefault(instrument, [])
        if found and start_ns < found[-1][1]:
            start_ns, end_ns = min(start_ns, found[-1][0]), max(end_ns, found[-1][1])
            found.pop()
        found.append((start_ns, end_ns))
        del found[:-_MAX]

    def take(self, instrument: str, time_ns: int) -> list[tuple[int, int]]:
        """Return the periods that ended by a time; each once."""
        found = self._periods.get(instrument, [])
        self._periods[instrument] = [one for one in found if one[1] > time_ns]
        return [one for one in found if one[1] <= time_ns]
