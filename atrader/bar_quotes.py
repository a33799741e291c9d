"""What a bar stands for when it is played: four quotes. The same in a replay and in a backtest. Pure."""

from __future__ import annotations

from atrader.market import Bar, Tick


def quotes_of(instrument: str, bar: Bar, duration_ns: int) -> tuple[Tick, ...]:
    """Return the quotes a bar stands for: open, the two extremes, close.

    A rising bar is taken to touch its low first, a falling one its high: the shorter way. What really happened inside
    is not stored; research on stops inside one bar needs quotes, not bars.

    They stand at the begin, 1/3, 2/3 and the last nanosecond of the bar: all are inside it, and the close is fresh when
    the bar is handled.
    """
    low, high = (bar.low, bar.ask_low), (bar.high, bar.ask_high)
    first, second = (low, high) if bar.close >= bar.open else (high, low)
    third = duration_ns // 3
    quotes = ((bar.open, bar.ask_open), first, second, (bar.close, bar.ask_close))
    ticks = []
    for number, (bid, ask) in enumerate(quotes):
        time_ns = bar.open_time_ns + min(number * third, duration_ns - 1)
        ticks.append(Tick(instrument, time_ns, time_ns, bid, max(bid, ask)))
    return tuple(ticks)
