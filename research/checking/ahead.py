"""How far into the future a value looks, and whether what it sees is a longer bar that is not over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from atrader.calendars import Calendar
from atrader.market import Bars
from atrader.timeframes import Timeframe

_LONGER: Final = tuple(map(Timeframe.parse, ("5m", "10m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "1w")))
_LEAST_ROWS: Final = 3  # fewer show no pattern


def bars_ahead(is_settled: Callable[[int], bool], most: int) -> int:
    """Return the least number of later bars with which a value is what it is with all of them.

    Parameters
    ----------
    is_settled : callable
        Takes a number of later bars.
    most : int
        How many there are: with them it is settled.
    """
    high = 1
    while high < most and not is_settled(high):
        high *= 2
    low, high = high // 2, min(high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_settled(middle) else (middle, high)
    return high


def longer_bar(
    rows: Sequence[tuple[int, int]], clean: Sequence[int], bars: Bars, timeframe: Timeframe, calendar: Calendar
) -> Timeframe | None:
    """Return the shortest longer timeframe whose unfinished bars explain which rows look ahead; None when none does.

    Parameters
    ----------
    rows : sequence of (row, ahead)
        Rows that look ahead, and by how many bars.
    clean : sequence of int
        Rows that were looked at and do not.
    """
    opens, most = bars.open_time_ns.tolist(), max(ahead for _, ahead in rows)
    for longer in _LONGER if len(rows) >= _LEAST_ROWS else ():
        within = longer.seconds // timeframe.seconds
        if not within / 2 <= most < within:  # else something shorter explains it, or nothing of this length
            continue
        begin = {row: calendar.bar_open(opens[row], longer) for row, _ in rows}
        inside = all(calendar.bar_open(opens[row + ahead], longer) == begin[row] for row, ahead in rows)
        if inside and any(_ends(row, opens, longer, calendar) for row in clean):
            return longer
    return None


def _ends(row: int, opens: Sequence[int], longer: Timeframe, calendar: Calendar) -> bool:
    """Tell whether a bar is the last one of a longer bar."""
    if row + 1 >= len(opens):
        return False
    return calendar.bar_open(opens[row], longer) != calendar.bar_open(opens[row + 1], longer)
