"""Parameters that the strategies of a session's range share, and whether their local times fit."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from atrader.clock import NS_PER_S
from atrader.configuration.base import LocalTime, ZoneName
from atrader.configuration.limits import Weekday
from atrader.local_times import local_ns, parse_local, parse_zone
from atrader.orders.model import Side
from atrader.session_days import DailyTime, SessionDays
from atrader.timeframes import Timeframe
from worker.strategies.filters import Filters
from worker.strategies.partial_exits import PartialExitParameters
from worker.strategies.sessions.day_filters import DayFilterParameters

_WORKING_DAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri")
_ANY_NS: Final = 0  # days differ by the changes of clocks only
_HOUR_NS: Final = 3600 * NS_PER_S
_WINTER_AND_SUMMER: Final = (date(2024, 1, 15).toordinal(), date(2024, 7, 15).toordinal())


class RangeParameters(DayFilterParameters, PartialExitParameters):
    """Hours, edges, stop and size. All local times are of ``zone`` and fall on bar boundaries."""

    zone: ZoneName = "America/New_York"  # of all local times
    weekdays: Annotated[tuple[Weekday, ...], Field(min_length=1)] = _WORKING_DAYS  # on which a range ends
    entry_end: LocalTime = "15:00"  # nothing is opened later
    flat_at: LocalTime = "15:45"  # everything is closed
    direction: Literal["both", "long", "short"] = "both"  # sides that are entered
    confirm_bars: Annotated[int, Field(ge=1, le=50)] = 1  # closes beyond an edge, one after the other: a breakout
    buffer_frac: Annotated[float, Field(ge=0, le=2)] = 0.0  # how far beyond it they are, in ranges
    stop_frac: Annotated[float, Field(gt=0, le=5)] = 1.0  # stop, in ranges from the edge that was broken
    max_entries: Annotated[int, Field(ge=1, le=20)] = 1  # a day; a refused one counts
    min_coverage_frac: Annotated[float, Field(ge=0, le=1)] = 0.8  # of the bars expected in a range, else no trade
    filters: Filters = ()  # what may keep it from entering, never from leaving
    risk_frac: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.01")  # of equity, to the stop

    @property
    def range_times(self) -> tuple[str, str]:
        """Local times at which the range starts and ends."""
        raise NotImplementedError

    @property
    def day_opens_at(self) -> str:
        """Local time whose open is the centre of the day: in the range, or at its end."""
        return self.range_times[0]

    @property
    def needs_daily_bars(self) -> bool:
        """Whether anything is measured by daily bars."""
        return self.filters_days

    def days(self) -> SessionDays:
        """Return the days on which it trades."""
        return SessionDays(self.zone, *self.range_times, self.entry_end, self.weekdays)

    def allows(self, side: Side) -> bool:
        """Tell whether a side may be opened."""
        return self.direction in ("both", "long" if side == "buy" else "short")

    def longest_day_ns(self) -> int:
        """Return the longest time from the start of a range to the end of its entries."""
        day = self.days().at(_ANY_NS)
        return day.entry_end_ns - day.range_start_ns + _HOUR_NS  # clocks may be set back in between

    def inside_a_bar(self, timeframe: Timeframe) -> list[str]:
        """Return of each local time that is no beginning of a bar what is wrong with it."""
        start, end = self.range_times
        wanted = {"range start": start, "range end": end, "day's open": self.day_opens_at, "flat_at": self.flat_at}
        zone = parse_zone(self.zone)
        if not timeframe.is_fixed or _HOUR_NS % timeframe.ns:
            return [f"bars of {timeframe} are too long or do not divide an hour: use 30m or shorter ones"]
        return [
            f"{name} {text} ({self.zone}) lies inside a {timeframe} bar: use shorter bars or another time"
            for name, text in wanted.items()
            if any(local_ns(zone, day, parse_local(name, text)) % timeframe.ns for day in _WINTER_AND_SUMMER)
        ]

    @model_validator(mode="after")
    def _hours_fit(self) -> Self:
        day = self.days().at(_ANY_NS)
        if DailyTime(self.flat_at, self.zone).next_after(day.range_end_ns) < day.entry_end_ns:
            raise ValueError(f"flat_at {self.flat_at} must not come before entry_end {self.entry_end}")
        if DailyTime(self.day_opens_at, self.zone).next_after(day.range_start_ns - 1) > day.range_end_ns:
            raise ValueError(f"the day's open {self.day_opens_at} must lie in the range or at its end")
        return self
