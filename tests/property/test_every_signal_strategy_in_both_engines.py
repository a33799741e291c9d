"""Every built-in signal strategy makes the same trades in the vector engine, over whole arrays, as in the event engine,
which decides bar by bar over its warm-up as a worker does, and as it does with signals computed once over all bars; the
fleet's are compared in tests/process."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from atrader.calendars import Calendar
from atrader.clock import parse_time
from atrader.configuration.account import AccountConfig
from atrader.instruments import KNOWN
from atrader.market import Bars
from atrader.strategy import Signals, SignalStrategy
from atrader.timeframes import Timeframe
from data_layer.bars.aggregation import aggregate
from data_layer.files import read_file
from research.events.tape import BarTape
from research.vector import Decisions, Prices, Rules, Schedule, Terms, simulate
from research.vector.rows import trades_of
from tests.support.event_runs import account_of, instance_of, plan_of, run
from tests.support.price_walks import walk
from tests.support.vector_runs import essence
from worker.loading import load_strategy, make_strategy
from worker.strategies import BUILT_IN, NEED_FILES

pytestmark = pytest.mark.property

NAMES = sorted(name for name in BUILT_IN.keys() - NEED_FILES if issubclass(load_strategy(name, Path()), SignalStrategy))
REAL_DATA = Path(__file__).parents[3] / "shared" / "data"
FRAME = Timeframe.parse("5m")
ACCOUNT = account_of(
    trade={"max_price_age": "2d"}, paper={"slippage_pips": 0, "commission_per_million": 30, "swap_long_frac": "-0.02"}
)


def from_row(signals: Signals, first: int) -> Signals:
    """Return signals without decisions before a row: so long a worker waits for its warm-up."""
    silent = {name: getattr(signals, name).copy() for name in ("entry", "exit")}
    for column in silent.values():
        column[:first] = 0
    kept = {field.name: getattr(signals, field.name) for field in fields(signals)}
    return replace(signals, **{**kept, **silent})


def both(
    name: str, symbol: str, bars: Bars, account: AccountConfig, **parameters: object
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Return the trades of both engines."""
    strategy = make_strategy(load_strategy(name, Path()), parameters, name)
    assert isinstance(strategy, SignalStrategy)
    config, instrument = instance_of(instrument=symbol, timeframe="5m"), KNOWN[symbol]
    events = run(replace(plan_of(account, [(config, strategy)], {(symbol, "5m"): bars}, "5m"), signals="window"))
    terms, rules = Terms.of(account, instrument), Rules()
    prices = Prices.of(bars, terms, FRAME.ns)
    signals = from_row(strategy.signals(bars, instrument), strategy.warmup_bars - 1)
    decisions = Decisions.of(signals, prices, instrument, rules)
    schedule = Schedule.of(prices, Calendar.get(instrument.calendar))
    outcome = simulate(prices, decisions, rules, terms, schedule=schedule)
    found = trades_of(outcome, prices, terms, config)
    return [essence(trade) for trade in found], [essence(trade) for trade in events.trades]


@pytest.mark.parametrize("name", NAMES)
def test_the_vector_engine_trades_as_the_event_engine_does(name: str) -> None:
    warmup = make_strategy(load_strategy(name, Path()), {}, name).warmup_bars
    found, expected = both(name, "EUR/USD", walk(warmup + 700), ACCOUNT)
    assert len(expected) > 5, "too little was traded to show anything"
    assert found == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_stop_that_trails_does_so_in_both_engines(name: str) -> None:
    warmup = make_strategy(load_strategy(name, Path()), {}, name).warmup_bars
    found, expected = both(name, "EUR/USD", walk(warmup + 700), ACCOUNT, trailing_atr=1.5)
    assert any("trailing-stop" in trade for trade in expected)
    assert found == expected


@pytest.mark.parametrize("name", NAMES)
def test_signals_computed_once_are_those_of_the_window_of_each_bar(name: str) -> None:
    strategy = make_strategy(load_strategy(name, Path()), {}, name)
    bars = walk(3 * strategy.warmup_bars + 500)
    first = len(bars) - 500  # the period: what lies before is for the indicators
    tape = BarTape("EUR/USD", bars[first:], FRAME.ns)
    instance = (instance_of(timeframe="5m"), strategy)
    plan = plan_of(ACCOUNT, [instance], {("EUR/USD", "5m"): bars}, "5m", [tape])
    once, window = run(plan), run(replace(plan, signals="window"))
    assert not once.alerts
    assert once.trades == window.trades
    assert once.orders == window.orders
    assert [one._replace(indicators={}) for one in once.signals] == [
        one._replace(indicators={}) for one in window.signals
    ]
    for one, other in zip(once.signals, window.signals, strict=True):
        assert one.indicators == pytest.approx(other.indicators, rel=1e-6, abs=1e-6)


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the shared market data are not here")
@pytest.mark.parametrize("name", NAMES)
def test_the_vector_engine_trades_as_the_event_engine_does_on_real_data(name: str, real: Bars) -> None:
    found, expected = both(name, "USD/JPY", real, ACCOUNT)
    assert expected
    assert found == expected


@pytest.fixture(scope="module")
def real() -> Bars:
    """Give five-minute bars of USD/JPY, a week of them."""
    (bid,) = read_file(REAL_DATA / "usdjpy-m1-bid-2013.csv")
    (ask,) = read_file(REAL_DATA / "usdjpy-m1-ask-2013.csv")
    at = np.intersect1d(bid.bars.open_time_ns, ask.bars.open_time_ns)
    at = at[(at >= parse_time("2013-02-03")) & (at < parse_time("2013-02-10"))]
    bids, asks = (one.bars.columns for one in (bid, ask))
    ours, theirs = (np.searchsorted(one.bars.open_time_ns, at) for one in (bid, ask))
    minutes = Bars(
        at, *(column[ours] for column in bids[1:5]), *(column[theirs] for column in asks[1:5]), bids[9][ours]
    )
    return aggregate(minutes, FRAME, Calendar.get("fx"))
