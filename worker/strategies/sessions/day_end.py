"""End-of-day exit: closes trades at a local time, or a bar before the market closes if that is earlier."""

from __future__ import annotations

from collections.abc import Callable

from atrader.orders.model import Trade
from atrader.session_days import DailyTime
from atrader.strategy import Context, is_closing


class DayEnd:
    """When a trade has to be closed. It keeps nothing: the answer comes from the time the trade was wanted.

    Parameters
    ----------
    at, zone : str
        Local time of the exit.
    bar_ns : int
        Length of the strategy's bars. An exit wanted at the close of the market would be refused.
    """

    def __init__(self, at: str, zone: str, bar_ns: int) -> None:
        self._daily = DailyTime(at, zone)
        self._bar_ns = bar_ns
        self._kept = (0, 0, 0)  # an answer, and from when to when it is the same: it is asked at every bar

    def due_ns(self, context: Context, since_ns: int) -> int:
        """Return when what is opened at a time (UTC ns) has to be closed."""
        first_ns, last_ns, due_ns = self._kept
        if not first_ns <= since_ns < last_ns:
            daily_ns, close_ns = self._daily.next_after(since_ns), context.calendar.next_close(since_ns)
            due_ns = daily_ns if close_ns is None else min(daily_ns, close_ns - self._bar_ns)
            self._kept = since_ns, daily_ns if close_ns is None else min(daily_ns, close_ns), due_ns
        return due_ns

    def close_due(self, context: Context, now_ns: int, wanted_ns: Callable[[Trade], int]) -> None:
        """Close every trade whose day is over; a refused close is wanted again at the next bar.

        Parameters
        ----------
        wanted_ns : callable
            Gives when a trade was wanted at the latest, UTC: its fill may have come after the end of that day.
        """
        for trade in context.trades():
            if now_ns >= self.due_ns(context, wanted_ns(trade)) and not is_closing(context, trade.trade_id):
                context.close(trade.trade_id, reason="end of day")
