"""From quotes to base bars. Pure."""

from __future__ import annotations

from atrader.calendars import Calendar
from atrader.market import Bar, Tick
from atrader.timeframes import Timeframe


class BarBuilder:
    """Builds the base bars of one instrument from its quotes.

    A bar holds at least one quote; its volume is their number; times without quotes have no bar. It is complete when a
    quote of a later bar comes, or when `advance` says that its time is over. Quotes of bars that are complete are
    counted in `late` and left out: a bar that was published never changes.

    Parameters
    ----------
    timeframe : Timeframe
        Of the bars.
    calendar : Calendar
        Of the instrument.
    complete_until_ns : int
        Everything before is complete already (stored by a predecessor).
    forming : Bar, optional
        Bar to go on with.

    Attributes
    ----------
    late : int
        Quotes that came after their bar was complete.
    """

    def __init__(
        self, timeframe: Timeframe, calendar: Calendar, complete_until_ns: int = 0, forming: Bar | None = None
    ) -> None:
        self._timeframe = timeframe
        self._calendar = calendar
        self._closed_ns = complete_until_ns
        self._newest_ns = 0
        self._end_ns = 0
        self.late = 0
        self.forming: Bar | None = None
        if forming is not None and forming.open_time_ns >= complete_until_ns:
            self.forming = forming
            self._end_ns = calendar.next_bar_open(forming.open_time_ns, timeframe)

    def add(self, tick: Tick) -> Bar | None:
        """Add a quote; return the bar that it completes."""
        time_ns, bid, ask = tick.time_ns, tick.bid, tick.ask
        bar = self.forming
        done = None
        if bar is not None and time_ns >= self._end_ns:
            done, bar = self._close(), None
        if bar is None:
            if time_ns < self._closed_ns:
                self.late += 1
                return done
            open_ns = self._calendar.bar_open(time_ns, self._timeframe)
            self._end_ns = self._calendar.next_bar_open(time_ns, self._timeframe)
            self.forming = Bar(open_ns, bid, bid, bid, bid, ask, ask, ask, ask, 1.0)
        elif time_ns < bar.open_time_ns:
            self.late += 1
            return done
        else:
            in_order = time_ns >= self._newest_ns
            self.forming = Bar(
                bar.open_time_ns,
                bar.open,
                max(bar.high, bid),
                min(bar.low, bid),
                bid if in_order else bar.close,
                bar.ask_open,
                max(bar.ask_high, ask),
                min(bar.ask_low, ask),
                ask if in_order else bar.ask_close,
                bar.volume + 1.0,
            )
        self._newest_ns = max(self._newest_ns, time_ns)
        return done

    def advance(self, time_ns: int) -> Bar | None:
        """Return the bar that ended by a time, if one did; quotes from before that time's bar come too late then."""
        if self.forming is None:
            self._closed_ns = max(self._closed_ns, self._calendar.bar_open(time_ns, self._timeframe))
            return None
        if time_ns < self._end_ns:
            return None
        return self._close()

    def _close(self) -> Bar | None:
        done, self.forming = self.forming, None
        self._closed_ns = self._end_ns
        return done
