"""How many periods a year has: from the timeframe and the market's calendar, never assumed."""

from __future__ import annotations

from typing import Final

from atrader.calendar_rules import CalendarRules, rules_of
from atrader.timeframes import Timeframe

DAYS_A_YEAR: Final = 365
"""A year is 8,760 hours here; leap days do not count."""
_DAY_S: Final = 86_400
_WEEK_DAYS: Final = 7
_MONTHS: Final = 12


def periods_per_year(timeframe: Timeframe | str, calendar: str) -> float:
    """Return how many bars of a timeframe a year has while the market is open.

    Days: 365 for a market that never closes; else those of the open weekdays, less their share of the holidays. Bars
    below a day: as many as a day has (the last one of a day may be shorter). Weeks and months do not ask the market.

    Parameters
    ----------
    timeframe : Timeframe or str
        Of the bars or returns: ``1m``, ``4h``, ``1d``.
    calendar : str
        Name of a calendar, such as ``24/7`` (8,760 hours) or ``fx`` (6,222.9 hours), or a broker's clock.

    Raises
    ------
    ValueError
        When there is no such timeframe or calendar; the message lists what there is.
    """
    length = timeframe if isinstance(timeframe, Timeframe) else Timeframe.parse(timeframe)
    rules = rules_of(calendar)
    if length.is_fixed:
        return open_days_a_year(rules) * -(-_DAY_S // length.seconds)
    return {"1d": open_days_a_year(rules), "1w": DAYS_A_YEAR / _WEEK_DAYS}.get(length.name, float(_MONTHS))


def open_days_a_year(rules: CalendarRules) -> float:
    """Return how many days of a year a market is open, on average: a holiday may fall on a weekend."""
    hours = rules if rules.hours is None else rules_of(rules.hours)
    return (DAYS_A_YEAR - len(hours.holidays)) * hours.open_days / _WEEK_DAYS
