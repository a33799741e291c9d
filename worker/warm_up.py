"""Whether the warm-up of a worker is whole; what is missing is asked for."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, SystemClock
from atrader.errors import Rejected
from atrader.messages.data import RequestBars
from atrader.messages.series import CoverageAnswer
from atrader.strategy import WarmUp
from atrader.timeframes import Timeframe
from data_layer.client import DataClient

_AGAIN_S: Final = 60.0
"""How often it is looked again while something is missing: gaps leave the window as bars come."""

_SOONEST_S: Final = 5.0
"""The same for windows of a few seconds, which are whole soon."""


def again_s(timeframe: Timeframe, count: int) -> float:
    """Return how often to look while bars are missing: after a minute, or once the whole window is another."""
    if not timeframe.is_fixed:
        return _AGAIN_S
    return min(_AGAIN_S, max(_SOONEST_S, count * timeframe.ns / NS_PER_S))


class WarmUpWatch:
    """Asks the data layer what is missing of the last bars, and that it be fetched.

    Parameters
    ----------
    client : DataClient
        Asked at the start, when bars were revised, and each minute or sooner while something is missing.
    calendar : Calendar
        Of the instrument.
    count : int
        How many bars are looked back on.

    Attributes
    ----------
    missing : int
        How many of them were, when it was looked last.
    """

    def __init__(self, client: DataClient, instrument: str, timeframe: str, calendar: Calendar, count: int) -> None:
        self._client = client
        self._instrument = instrument
        self._timeframe = timeframe
        self._calendar = calendar
        self._count = count
        self._again_s = again_s(Timeframe.parse(timeframe), count)
        self._clock = SystemClock()
        self._looked_s = 0.0
        self.missing = 0

    def state(self, bars: int) -> WarmUp:
        """Return how whole it was when it was looked last.

        Parameters
        ----------
        bars : int
            Held now.
        """
        return WarmUp(self._count, min(bars, self._count), self.missing)

    @property
    def is_due(self) -> bool:
        """Whether to look again."""
        return bool(self.missing) and self._clock.monotonic_s() - self._looked_s > self._again_s

    def look(self) -> None:
        """See what is missing, and ask for it. Blocks until the data layer answers; may be repeated.

        Raises
        ------
        DeadlineExceeded
            When it does not answer.
        """
        self._looked_s = self._clock.monotonic_s()
        if not self._count:
            return
        found = self._client.coverage(self._instrument, self._timeframe, count=self._count)
        self.missing = found.missing
        for timeframe in dict.fromkeys(gap.timeframe for gap in found.gaps):
            self._ask(found, timeframe)

    def _ask(self, found: CoverageAnswer, timeframe: str) -> None:
        gaps = [gap for gap in found.gaps if gap.timeframe == timeframe]
        end_ns = self._calendar.next_bar_open(gaps[-1].last_ns, Timeframe.parse(timeframe))
        with suppress(Rejected):  # no source has such bars, or a replay is running
            self._client.request_bars(
                RequestBars(
                    instrument=self._instrument,
                    timeframe=timeframe,
                    start_ns=gaps[0].first_ns,
                    end_ns=end_ns,
                    priority="warm-up",
                )
            )
