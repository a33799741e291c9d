"""How long a stream may be silent before it counts as dead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from atrader.calendars import Calendar
from atrader.clock import Clock
from atrader.configuration.oanda import OandaSettings

_CLOSED_FACTOR: Final = 5.0  # at weekends the broker works on its machines: a pause of a minute is no failure then


def silence_of(settings: OandaSettings, calendar: Calendar, clock: Clock) -> Callable[[], float]:
    """Return what tells the allowed silence now, seconds: longer while the market is closed."""

    def allowed_s() -> float:
        is_open = calendar.is_open(clock.now_ns())
        return settings.stream_silence if is_open else settings.stream_silence * _CLOSED_FACTOR

    return allowed_s
