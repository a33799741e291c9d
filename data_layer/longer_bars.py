"""Bars of longer timeframes, built from base bars as these are published."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from atrader.calendars import Calendar
from atrader.errors import Rejected, StoreUnavailable
from atrader.market import Bar
from atrader.timeframes import Timeframe
from data_layer.bars import IncrementalAggregator, divides


class LongerBars:
    """One aggregator for each timeframe that somebody subscribed to. For one asyncio loop.

    Parameters
    ----------
    base : Timeframe
        Of the bars that they are built from.
    calendar_of : callable
        Gives the calendar of an instrument.
    published : callable
        Returns the base bars of an instrument in ``[start_ns, horizon_ns)``, oldest first; `StoreUnavailable` when
        nobody knows them now.
    """

    def __init__(
        self,
        base: Timeframe,
        calendar_of: Callable[[str], Calendar],
        published: Callable[[str, int, int], Sequence[Bar]],
    ) -> None:
        self._base = base
        self._calendar_of = calendar_of
        self._published = published
        self._aggregators: dict[str, dict[str, IncrementalAggregator]] = {}
        self._stale: set[tuple[str, str]] = set()

    def subscribe(self, instrument: str, timeframe: Timeframe, horizon_ns: int) -> None:
        """Build the bars of a timeframe from now on; a second time changes nothing.

        Raises
        ------
        Rejected
            When they cannot be built from the base bars.
        ConfigError
            When nobody knows the instrument.
        StoreUnavailable
            When nobody knows how the present bar began; may be repeated.
        """
        if timeframe == self._base or self.has(instrument, timeframe):
            return
        if not divides(self._base, timeframe):
            raise Rejected(
                f"{timeframe} bars cannot be built from the {self._base} bars of this fleet (data.base_timeframe)",
                details={"reason": "timeframe"},
            )
        self._begin(instrument, timeframe, horizon_ns)

    def has(self, instrument: str, timeframe: Timeframe) -> bool:
        """Tell whether a timeframe is built; from any thread."""
        return timeframe.name in self._aggregators.get(instrument, ())

    def timeframes(self, instrument: str) -> list[Timeframe]:
        """Return the timeframes that are built of an instrument."""
        return [Timeframe.parse(name) for name in self._aggregators.get(instrument, {})]

    def forming(self, instrument: str, timeframe: Timeframe) -> Bar | None:
        """Return what published base bars make of the bar of a timeframe that is not complete; None when nothing."""
        return self._aggregators[instrument][timeframe.name].forming

    def add(self, instrument: str, bars: Sequence[Bar], horizon_ns: int) -> Iterator[tuple[str, Bar]]:
        """Take published base bars; yield the longer ones that are complete, each with its timeframe."""
        for timeframe, aggregator in self._aggregators.get(instrument, {}).items():
            longer = [done for bar in bars for done in aggregator.add(bar)]
            for bar in longer + aggregator.advance(horizon_ns):
                yield timeframe, bar

    def renew(self, instrument: str, timeframe: Timeframe, horizon_ns: int) -> None:
        """Build the present bar again, since what it is built from was revised.

        While nobody knows what is stored, the one that was begun goes on: see `renew_what_is_stale`.
        """
        try:
            self._begin(instrument, timeframe, horizon_ns)
        except StoreUnavailable:
            self._stale.add((instrument, timeframe.name))

    def renew_what_is_stale(self, horizon_of: Callable[[str], int]) -> None:
        """Try again what `renew` could not do."""
        stale, self._stale = self._stale, set()
        for instrument, name in stale:
            self.renew(instrument, Timeframe.parse(name), horizon_of(instrument))

    @property
    def late(self) -> int:
        """Bars that came after their longer bar was complete."""
        return sum(one.late for frames in self._aggregators.values() for one in frames.values())

    def _begin(self, instrument: str, timeframe: Timeframe, horizon_ns: int) -> None:
        calendar = self._calendar_of(instrument)
        aggregator = IncrementalAggregator(self._base, timeframe, calendar)
        for bar in self._published(instrument, calendar.bar_open(horizon_ns, timeframe), horizon_ns):
            aggregator.add(bar)
        self._aggregators.setdefault(instrument, {})[timeframe.name] = aggregator
