"""When the library answers 0 and does nothing, whatever it is given: it need not be called then. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from atrader.broker_clock import WallClock

_SATURDAY: Final = 5
_HOLIDAYS: Final = ((12, 25), (1, 1))
_WEEKEND_SYMBOLS: Final = ("BTCUSD", "ETHUSD")
_GOLD: Final = "XAUUSD"
_GOLD_PAUSE_S: Final = (3_600, 3_780)  # 01:00 to 01:02, with a minute to spare


def sleeps(symbol: str, time_ns: int, reference: WallClock, *, is_live: bool) -> bool:
    """Tell whether the library would run nothing.

    Such calls would only fill its log, and nobody knows whether they read bars.

    Parameters
    ----------
    symbol : str
        As the library writes it.
    time_ns : int
        Market time.
    reference : WallClock
        Of the reference broker, whose weekends and holidays count.
    is_live : bool
        Live it leaves gold alone for the first minutes after 01:00.
    """
    second = reference.second(time_ns)
    day = datetime.fromtimestamp(second, UTC)
    if (day.month, day.day) in _HOLIDAYS:
        return True
    if day.weekday() >= _SATURDAY and not any(name in symbol for name in _WEEKEND_SYMBOLS):
        return True
    return is_live and _GOLD in symbol and _GOLD_PAUSE_S[0] <= second % 86_400 < _GOLD_PAUSE_S[1]
