"""Candles of OANDA as bars: which are asked for, and what an answer tells. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from atrader.calendar_rules import CalendarRules, rules_of
from atrader.calendars import Calendar
from atrader.clock import NS_PER_S
from atrader.errors import BrokerUnavailable, Rejected
from atrader.market import Bar, Bars
from atrader.timeframes import Timeframe
from broker_api.oanda.transport import Query
from broker_api.oanda.values import time_ns, time_text
from broker_api.prices import CandlePage

MAX_CANDLES: Final = 5_000
"""Of one answer."""

GRANULARITIES: Final[Mapping[str, str]] = {
    **{f"{n}s": f"S{n}" for n in (5, 10, 15, 30)},
    **{f"{n}m": f"M{n}" for n in (1, 2, 4, 5, 10, 15, 30)},
    **{f"{n}h": f"H{n}" for n in (1, 2, 3, 4, 6, 8, 12)},
    "1d": "D",
    "1w": "W",
}
"""OANDA's names of the timeframes that it has. Its months begin at other times than ours: they are built from days."""

_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_HOUR_S: Final = 3600


def query_of(timeframe: Timeframe, calendar: Calendar, start_ns: int, end_ns: int) -> Query:
    """Return the parameters that ask for the candles with ``start_ns <= time < end_ns``.

    They count from the start on: an end in the broker's future would be refused, by whatever clock it has, and quiet
    times have no candles. Where candles begin is always said, so that bars of two alignments never mix.

    Raises
    ------
    Rejected
        When OANDA has no such candles.
    """
    granularity = GRANULARITIES.get(timeframe.name)
    if granularity is None:
        raise Rejected(f"OANDA has no {timeframe} candles", details={"reason": "timeframe"})
    fitting = -((start_ns - end_ns) // (timeframe.seconds * NS_PER_S)) + 1  # one more: days may last 23 hours
    query: dict[str, str | int] = {
        "price": "BA",
        "granularity": granularity,
        "from": time_text(start_ns),
        "count": max(1, min(MAX_CANDLES, fitting)),
    }
    if timeframe.seconds > _HOUR_S:
        rules = rules_of(calendar.name)
        query |= {
            "dailyAlignment": rules.day_starts.hour,
            "alignmentTimezone": _zone(rules),
            "weeklyAlignment": _WEEKDAYS[rules.week_starts],
        }
    return query


def page_of(
    body: Mapping[str, Any], asked: int, timeframe: Timeframe, calendar: Calendar, start_ns: int, end_ns: int
) -> CandlePage:
    """Return what an answer tells of ``[start_ns, end_ns)``; a candle that is not over ends the page.

    Parameters
    ----------
    asked : int
        How many candles were asked for: fewer in the answer are all there are up to now.

    Raises
    ------
    BrokerUnavailable
        When it is no answer.
    """
    try:
        candles = body["candles"]
        rows = [(_bar(candle), candle["complete"] is True) for candle in candles]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BrokerUnavailable(f"OANDA: an answer that holds no candles: {error!r}") from error
    until_ns = end_ns
    if len(rows) >= asked and rows:
        until_ns = min(end_ns, calendar.next_bar_open(rows[-1][0].open_time_ns, timeframe))
    forming = [bar.open_time_ns for bar, complete in rows if not complete and bar.open_time_ns >= start_ns]
    until_ns = min(until_ns, *forming) if forming else until_ns
    bars = [bar for bar, complete in rows if complete and start_ns <= bar.open_time_ns < until_ns]
    return CandlePage(Bars.from_rows(bars), until_ns)


def _bar(candle: Mapping[str, Any]) -> Bar:
    bid, ask = candle["bid"], candle["ask"]
    prices = (float(side[key]) for side in (bid, ask) for key in "ohlc")
    return Bar._make((time_ns(candle["time"]), *prices, float(candle["volume"])))


def _zone(rules: CalendarRules) -> str:
    """Return the time zone of a calendar's days; OANDA knows those of IANA only."""
    if "," in rules.zone or rules.zone[-1].isdigit():
        raise Rejected(
            f"OANDA has no candles of more than an hour whose days begin by {rules.zone!r}",
            details={"reason": "alignment"},
        )
    return rules.zone
