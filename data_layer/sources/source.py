"""What a source of bars is: it answers pages of history, and knows what may be asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from atrader.calendars import Calendar
from atrader.clock import iso_from_ns
from atrader.errors import Rejected, Retryable
from atrader.market import Bars
from atrader.timeframes import Timeframe
from data_layer.bars.aggregation import open_times


class SourceBusy(Retryable):
    """Raised when a source cannot answer now; ``details["retry_after_s"]`` is there when it said for how long."""

    code = "source-busy"


class SourceRefused(Rejected):
    """Raised when a source will never answer this: an instrument, timeframe or period that it does not have."""

    code = "source-refused"


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """What may be asked of a source.

    Attributes
    ----------
    page_bars : int
        Bars of one page at most.
    requests_per_s : float
        Pages a second, on average.
    burst : int
        Pages at once after a pause.
    settle_s : float
        How long after its end a bar is final there.
    """

    page_bars: int = 1000
    requests_per_s: float = 2.0
    burst: int = 2
    settle_s: float = 2.0


class BarPage(NamedTuple):
    """What a source answered.

    Attributes
    ----------
    bars : Bars
        Complete bars with ``start_ns <= open_time < answered_until_ns``, as the source gave them.
    answered_until_ns : int
        The source has told everything from the start of the page up to here: a bar that is not in the page does not
        exist. Before the end of the page when it did not answer all that was asked.
    """

    bars: Bars
    answered_until_ns: int


class BarSource(Protocol):
    """Answers pages of bars. All methods are called from one asyncio loop, `page` once at a time."""

    @property
    def name(self) -> str:
        """What stored bars give as their source."""
        ...

    @property
    def limits(self) -> SourceLimits:
        """What may be asked of it."""
        ...

    def serves(self, instrument: str, timeframe: Timeframe) -> bool:
        """Tell whether it may have bars of exactly this timeframe; without asking anybody."""
        ...

    async def page(self, instrument: str, timeframe: Timeframe, start_ns: int, end_ns: int) -> BarPage:
        """Fetch the bars with ``start_ns <= open_time < end_ns``, all of them past; may be repeated.

        Raises
        ------
        SourceBusy
            When it cannot answer now: not reachable, over its limit, or its answer is no answer.
        SourceRefused
            When it will never answer this.
        ConfigError
            When it does not let us in.
        """
        ...

    async def close(self) -> None:
        """Let go of connections; may be called twice."""
        ...


def checked(page: BarPage, timeframe: Timeframe, calendar: Calendar, start_ns: int, end_ns: int) -> BarPage:
    """Return a page that may be stored.

    Raises
    ------
    SourceBusy
        When it is none: bars out of order, outside of what was asked, not where the calendar begins bars, or with
        prices that cannot be.
    """
    bars = page.bars
    times = bars.open_time_ns
    if not start_ns <= page.answered_until_ns <= end_ns:
        raise SourceBusy("the source answers another period than it was asked for")
    if len(times) == 0:
        return page
    if np.any(times[1:] <= times[:-1]):
        raise SourceBusy("the source's bars are not in order")
    if times[0] < start_ns or times[-1] >= page.answered_until_ns:
        raise SourceBusy("the source's bars are outside of the period that it says it answers")
    off = np.flatnonzero(open_times(times, timeframe, calendar) != times)
    if len(off):
        where = iso_from_ns(int(times[off[0]]))
        raise SourceBusy(
            f"no {timeframe} bar of calendar {calendar.name!r} begins at {where}: is it the right calendar?"
        )
    for side in (
        (bars.open, bars.high, bars.low, bars.close),
        (bars.ask_open, bars.ask_high, bars.ask_low, bars.ask_close),
    ):
        open_, high, low, close = side
        sound = (low > 0) & (low <= np.minimum(open_, close)) & (high >= np.maximum(open_, close)) & np.isfinite(high)
        if not sound.all():
            where = iso_from_ns(int(times[int(np.argmin(sound))]))
            raise SourceBusy(f"the source's bar of {where} has prices that cannot be")
    if not np.all(np.isfinite(bars.volume) & (bars.volume >= 0)):
        raise SourceBusy("the source has a bar without a volume")
    return page
