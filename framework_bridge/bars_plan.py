"""Which bars are passed for what a rates index wants. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import gcd
from typing import Final, NamedTuple

from atrader.instruments import Instrument
from atrader.strategy import Series
from atrader.timeframes import Timeframe
from framework_bridge.abi.rates import RatesPlan, digits_of
from framework_bridge.parameters import RatesEntry

_HOUR: Final = 60
_MINUTE_S: Final = 60


class IndexPlan(NamedTuple):
    """One rates index: whose bars, and how many of which."""

    symbol: str
    timeframe: str
    rates: RatesPlan


def actual_minutes(required_minutes: int) -> int:
    """Return the timeframe of the bars that are passed.

    At most an hour: the library builds longer ones itself, counting from midnight of the reference broker's clock, and
    the days of our bars may begin at another time.
    """
    return required_minutes if required_minutes <= _HOUR else gcd(required_minutes, _HOUR)


def minutes_of(timeframe: str) -> int:
    """Return how many minutes a timeframe has for the library: a month has 30 days; 0 below a minute."""
    seconds = Timeframe.parse(timeframe).seconds
    return 0 if seconds % _MINUTE_S else seconds // _MINUTE_S


def call_timeframe(entries: Iterable[RatesEntry | None]) -> str:
    """Return the timeframe an instance has to have: the library must be called at each bar of every array."""
    actual = [actual_minutes(minutes_of(entry.timeframe)) for entry in entries if entry is not None]
    return Timeframe.parse(f"{gcd(*actual)}m").name


def index_plan(entry: RatesEntry, instruments: Mapping[str, Instrument]) -> IndexPlan:
    """Plan one index.

    Raises
    ------
    ConfigError
        When the library knows no prices with so many decimals.
    """
    required = minutes_of(entry.timeframe)
    actual = actual_minutes(required)
    digits = digits_of(instruments[entry.symbol].price_tick)
    return IndexPlan(entry.symbol, Timeframe.parse(f"{actual}m").name, RatesPlan(entry.bars, required, actual, digits))


def series_of(plans: Sequence[IndexPlan | None]) -> tuple[Series, ...]:
    """Return the bars that are needed, each series once with the most that an index wants of it."""
    most: dict[tuple[str, str], int] = {}
    for plan in plans:
        if plan is not None:
            key = (plan.symbol, plan.timeframe)
            most[key] = max(plan.rates.bars_needed, most.get(key, 0))
    return tuple(Series(symbol, timeframe, bars) for (symbol, timeframe), bars in most.items())


def entry_problems(
    entries: Sequence[RatesEntry | None], timeframe: str, instruments: Mapping[str, Instrument]
) -> Iterator[str]:
    """Yield what is wrong with ``rates``, for an instance of a timeframe."""
    for index, entry in enumerate(entries):
        if entry is not None and entry.symbol not in instruments:
            yield f"parameters.rates[{index}].symbol: unknown instrument {entry.symbol!r}"
        if entry is not None and not minutes_of(entry.timeframe):
            yield f"parameters.rates[{index}].timeframe: expected whole minutes, was {entry.timeframe!r}"
            return
    own, needed = Timeframe.parse(timeframe), Timeframe.parse(call_timeframe(entries))
    if needed.seconds % own.seconds or own.seconds % _MINUTE_S:
        yield (
            f"timeframe: the library has to be called at each bar that it is passed, of {needed} here"
            f" (longer ones it builds itself): write {needed.name!r}, was {timeframe!r}"
        )
