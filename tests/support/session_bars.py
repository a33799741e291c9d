"""Bars that walk from price to price, and strategies of a session placed on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from atrader.calendars import Calendar, Period
from atrader.clock import NS_PER_S, parse_time
from atrader.configuration.instance import InstanceConfig
from atrader.instruments import KNOWN, Instrument
from atrader.market import Bars
from atrader.strategy import Placement
from atrader.timeframes import Timeframe
from research.events.plan import Plan
from tests.support.event_runs import account_of, instance_of, plan_of
from worker.loading import load_strategy, make_strategy
from worker.strategies.sessions.range_strategy import RangeStrategy

FREE = {"slippage_pips": "0"}
"""Settings of a paper account whose fills can be computed by hand."""

NQ = Instrument(
    symbol="NQ/USD",
    kind="cfd",
    price_tick=Decimal("0.25"),
    pip=Decimal(1),
    unit_step=Decimal("0.01"),
    min_units=Decimal("0.01"),
    max_units=Decimal(1000),
    margin_rate_frac=Decimal("0.01"),
    calendar="America/New_York@18:00 fx",
)


def walk(start: str, timeframe: str, prices: Sequence[float], *, spread: float, first: float | None = None) -> Bars:
    """Return bars that close at prices one after the other, each opening where the one before closed.

    Parameters
    ----------
    start : str
        Open time of the first one, with its zone.
    first : float, optional
        Its open; default: its close.
    """
    closes = np.array(prices, float)
    opens = np.concatenate(([prices[0] if first is None else first], closes[:-1]))
    times = parse_time(start) + np.arange(len(closes)) * Timeframe.parse(timeframe).ns
    bids = (opens, np.maximum(opens, closes), np.minimum(opens, closes), closes)
    return Bars(times, *bids, *(one + spread for one in bids), np.ones(len(closes)))


def days_of_range(first: str, size: float, last_close: float, count: int) -> Bars:
    """Return daily bars of one true range each; all close at a price."""
    half, closes = size / 2, np.full(count, last_close)
    times = parse_time(first) + np.arange(count) * 24 * 3600 * NS_PER_S
    bids = (closes, closes + half, closes - half, closes)
    return Bars(times, *bids, *bids, np.ones(count))


def placed(name: str, instrument: Instrument, timeframe: str, **parameters: Any) -> RangeStrategy:
    """Return a built-in strategy that knows where it runs."""
    strategy = make_strategy(load_strategy(name, Path("/")), parameters, name)
    strategy.prepare(
        Placement(Path("/"), "one", 1, instrument, timeframe, "USD", "gateway", False, {instrument.symbol: instrument})
    )
    assert isinstance(strategy, RangeStrategy)
    return strategy


def config_of(name: str, instrument: Instrument, timeframe: str) -> InstanceConfig:
    """Return an instance of a strategy."""
    return instance_of(strategy=name, instrument=instrument.symbol, timeframe=timeframe)


def day_plan(
    strategy: RangeStrategy,
    instrument: Instrument,
    timeframe: str,
    bars: Bars,
    daily: Bars | None = None,
    closed: tuple[Period, ...] = (),
) -> Plan:
    """Return a plan that plays bars of the strategy's own timeframe, with daily bars to look back on."""
    series = {(instrument.symbol, timeframe): bars}
    if daily is not None:
        series[instrument.symbol, "1d"] = daily
    plan = plan_of(account_of(paper=FREE), [(config_of("told", instrument, timeframe), strategy)], series, timeframe)
    return replace(
        plan,
        instruments={**KNOWN, instrument.symbol: instrument},
        calendar_of=lambda symbol: Calendar.get(instrument.calendar, closed),
    )
