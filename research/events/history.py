"""Bars as a strategy sees them: each from the step on in which it is complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from atrader.calendars import Calendar
from atrader.clock import iso_from_ns
from atrader.configuration.instance import InstanceConfig
from atrader.errors import ConfigError
from atrader.market import Bars
from atrader.timeframes import Timeframe
from research.events.market import Market
from research.events.tape import BarTape

_HOUR_S = 3600


class History:
    """A series on the time line of a market.

    Attributes
    ----------
    bars : Bars
        All of them, those before the first quote as well; read-only, as strategies get them.
    ends : ndarray of int64, shape (n,)
        When each bar is over, UTC ns.
    first : int
        First row that is complete in a step.
    until_ns : int
        End of what is played.
    """

    def __init__(
        self,
        bars: Bars,
        timeframe: Timeframe,
        calendar: Calendar,
        market: Market,
        gaps: Sequence[tuple[int, int, int]] = (),
        late: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        ends = _ends(bars, timeframe, calendar, market)
        self.until_ns = int(market.ends[-1])
        rows = int(ends.searchsorted(self.until_ns, side="right"))  # later ones are never complete
        self.bars, self.ends = bars[:rows].read_only(), ends if rows == len(ends) else ends[:rows]
        self._market_ends = market.ends
        self._done = self.ends if not late else _done(self.bars.open_time_ns, self.ends, late)
        self.first = int(self._done.searchsorted(market.first_ns, side="right"))
        self._gaps = np.array(gaps, np.int64).reshape(-1, 3)

    @cached_property
    def steps(self) -> NDArray[np.int64]:
        """The step in which each bar is complete, shape (n,); -1: before the first."""
        ends, done = self._market_ends, self._done
        is_market = done is ends or np.array_equal(ends[: len(done)], done)  # a twentieth of the time a search takes
        steps: NDArray[np.int64] = np.arange(len(done)) if is_market else ends.searchsorted(done)
        steps[: self.first] = -1
        return steps

    def rows_until(self, step: int) -> int:
        """Return how many bars are complete when a step is over."""
        return int(self.steps.searchsorted(step, side="right"))

    def missing(self, first: int, last: int) -> int:
        """Return how many bars are missing between two rows."""
        if not len(self._gaps) or last < first:
            return 0
        begin_ns, end_ns = self.bars.open_time_ns[first], self.ends[last]
        inside = (self._gaps[:, 1] >= begin_ns) & (self._gaps[:, 0] < end_ns)
        return int(self._gaps[inside, 2].sum())


class NeverDecides(ConfigError):
    """Raised when an instance would decide nothing in the whole period."""


def check_decides(config: InstanceConfig, history: History, warmup_bars: int) -> None:
    """Refuse an instance that would never decide anything: a result without trades would say something else.

    Parameters
    ----------
    warmup_bars : int
        Bars it needs before it decides; 0: it decides from the first one on.

    Raises
    ------
    NeverDecides
        When there are fewer, or none is complete in the period.
    """
    which = f"{config.timeframe} bars of {config.instrument}"
    if len(history.bars) < warmup_bars:
        raise NeverDecides(
            f"{config.name} needs {warmup_bars} {which} before it decides anything: {len(history.bars)} are there up to"
            f" {iso_from_ns(history.until_ns)}, the end of what is played"
        )
    if history.first >= len(history.bars):
        raise NeverDecides(
            f"{config.name}: no complete {config.timeframe} bar of {config.instrument} in the period;"
            " see 'atrader data list'"
        )


def _done(opens: NDArray[np.int64], ends: NDArray[np.int64], late: Mapping[int, int]) -> NDArray[np.int64]:
    """Return when each bar is decided."""
    done = ends.copy()
    rows = np.flatnonzero(np.isin(opens, list(late)))
    done[rows] = [late[one] for one in opens[rows].tolist()]
    return np.maximum.accumulate(done)


def _ends(bars: Bars, timeframe: Timeframe, calendar: Calendar, market: Market) -> NDArray[np.int64]:
    """Return when bars are over; where they are what is played, it is that array itself."""
    opens = bars.open_time_ns
    if not (timeframe.is_fixed and _HOUR_S % timeframe.seconds == 0):
        return np.array([calendar.next_bar_open(one, timeframe) for one in opens.tolist()], np.int64)
    for reel in market.reels.values():
        tape = reel.tape
        if isinstance(tape, BarTape) and tape.bars is bars and tape.duration_ns == timeframe.ns:
            return tape.end_ns
    return opens + timeframe.ns
