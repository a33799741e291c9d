"""The bars of one symbol and timeframe as the library has to see them, and whether its own copy can follow.

The library reads an array whole only once. Later it looks at the last bar and the one before: whatever else changed is
not seen, and a bar that was skipped stays a hole. So each call's bars are compared with those of the call before.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from atrader.calendars import Calendar
from atrader.market import Bar, Bars
from atrader.strategy import Series
from atrader.timeframes import Timeframe

_SPARE: Final = 2  # bars that are asked for beyond those wanted: the forming one and one that completes meanwhile


class SeriesFeed:
    """Bars of one series, call by call.

    Where the bar that forms now has no quote yet, one is put in its place with the last price as open, high, low and
    close and no volume, as a chart shows it at its first quote. Such a bar of an instrument that stays without quotes
    is kept, so that the next one does not seem to follow a hole.

    Parameters
    ----------
    series : Series
        Whose bars, and how many are wanted, the forming one included.
    calendar : Calendar
        Of the instrument.

    Attributes
    ----------
    instrument, timeframe : str
        Of the bars.
    asked : int
        How many to ask for.
    """

    def __init__(self, series: Series, calendar: Calendar) -> None:
        self.instrument = series.instrument
        self.timeframe = series.timeframe
        self.asked = series.bars + _SPARE
        self._length = Timeframe.parse(series.timeframe)
        self._calendar = calendar
        self._quiet: dict[int, Bar] = {}  # bars of times without quotes, by open time

    def see(self, bars: Bars, now_ns: int) -> Bars:
        """Return the bars to pass, the last of them the one that forms now; there may be more of them than wanted.

        Parameters
        ----------
        bars : Bars
            The last complete bars and, if there is one, the forming one.
        now_ns : int
            Market time.
        """
        if not len(bars.open_time_ns):
            return bars
        current_ns = self._calendar.bar_open(now_ns, self._length)
        whole = self._with_quiet(bars, current_ns) if self._quiet else bars
        if whole.open_time_ns.item(-1) < current_ns and self._calendar.is_open(now_ns):
            flat = _flat(whole.row(-1), current_ns)
            self._quiet[current_ns] = flat
            whole = whole.append(Bars.from_rows([flat]))
        return whole

    def _with_quiet(self, bars: Bars, current_ns: int) -> Bars:
        """Put the bars without quotes back that were passed before and never got one."""
        got = set(bars.open_time_ns[np.isin(bars.open_time_ns, list(self._quiet))].tolist())
        first_ns = int(bars.open_time_ns[0])
        self._quiet = {ns: bar for ns, bar in self._quiet.items() if first_ns <= ns < current_ns and ns not in got}
        if not self._quiet:
            return bars
        both = bars.append(Bars.from_rows(list(self._quiet.values())))
        order = np.argsort(both.open_time_ns, kind="stable")
        return Bars(*(column[order] for column in both.columns))


def _flat(before: Bar, open_time_ns: int) -> Bar:
    bid, ask = before.close, before.ask_close
    return Bar(open_time_ns, bid, bid, bid, bid, ask, ask, ask, ask, 0.0)
