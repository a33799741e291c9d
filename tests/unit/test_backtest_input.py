"""What a backtest is given: bars that are no market, holes in them, too few of them, answers that are no signals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atrader.calendars import Calendar, Period
from atrader.clock import NS_PER_S, parse_time
from atrader.configuration.fleet import FleetConfig
from atrader.configuration.home import Home
from atrader.errors import ConfigError, StrategyError
from atrader.instruments import Instrument
from atrader.market import Bars, Quotes
from atrader.market_checks import long_gaps
from atrader.strategy import BaseParameters, Signals, SignalStrategy
from atrader.timeframes import Timeframe
from data_layer.offline import open_market
from data_layer.store.market_sqlite import SqliteMarketStore
from manager.backtests.loading import load_plan
from manager.backtests.request import Request
from research.events.plan import Plan
from research.events.result import Result
from research.events.tape import BarTape
from tests.support.bar_sources import market_bars, without
from tests.support.event_runs import account_of, instance_of, plan_of, run
from worker.loading import load_strategy, make_strategy

MINUTE = Timeframe.parse("1m")
FX = Calendar.get("fx")
HOUR_NS = 3600 * NS_PER_S


def bars_of(start: str = "2024-06-03", end: str = "2024-06-05") -> Bars:
    return market_bars(FX, start, end)


# -- bars

SPOILT: dict[str, tuple[Callable[[Bars], None], str]] = {
    "unsorted": (lambda b: b.open_time_ns.__setitem__(5, b.open_time_ns[2]), "after a later one"),
    "duplicated": (lambda b: b.open_time_ns.__setitem__(5, b.open_time_ns[4]), "comes twice"),
    "nan": (lambda b: b.low.__setitem__(5, np.nan), "low at 2024-06-03T00:05:00Z is nan"),
    "zero": (lambda b: b.ask_open.__setitem__(5, 0.0), "ask_open at 2024-06-03T00:05:00Z is 0.0"),
    "negative": (lambda b: b.close.__setitem__(5, -1.1), "close at 2024-06-03T00:05:00Z is -1.1"),
    "endless": (lambda b: b.high.__setitem__(5, np.inf), "high at 2024-06-03T00:05:00Z is inf"),
    "no-volume": (lambda b: b.volume.__setitem__(5, np.nan), "volume at 2024-06-03T00:05:00Z is nan"),
    "less-than-none": (lambda b: b.volume.__setitem__(5, -2.0), "volume at 2024-06-03T00:05:00Z is -2.0"),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_bars_that_are_no_market_are_neither_played_nor_shown_to_a_strategy(kind: str) -> None:
    spoil, said = SPOILT[kind]
    bars = bars_of()
    whole = BarTape("EUR/USD", bars, MINUTE.ns)
    spoilt = bars[:]
    for name in Bars.__slots__:
        setattr(spoilt, name, getattr(bars, name).copy())
    spoil(spoilt)
    with pytest.raises(ConfigError, match=f"EUR/USD 1m: .*{said}.*'atrader data check'"):
        BarTape("EUR/USD", spoilt, MINUTE.ns)
    with pytest.raises(ConfigError, match=f"EUR/USD 1m: .*{said}"):
        plan_of(account_of(), [], {("EUR/USD", "1m"): spoilt}, tapes=[whole])


# -- holes

WEEK = Period(parse_time("2024-06-03T00:00Z"), parse_time("2024-06-11T00:00Z"))  # Monday to the Tuesday after


def holes(bars: Bars, period: Period = WEEK, hours: int = 24) -> list[tuple[int, int]]:
    """Return long gaps in hours since the period began."""
    found = long_gaps(bars.open_time_ns, MINUTE, FX, period, hours * HOUR_NS)
    return [((gap.start_ns - WEEK.start_ns) // HOUR_NS, (gap.end_ns - WEEK.start_ns) // HOUR_NS) for gap in found]


def test_a_weekend_and_quiet_minutes_are_no_long_gap_and_a_forgotten_day_is() -> None:
    bars = bars_of("2024-06-03", "2024-06-11")
    assert holes(bars) == []
    assert holes(bars, hours=1) == [], "the market is closed from Friday to Sunday"
    quiet = without(bars, range(0, len(bars), 3))
    assert holes(quiet, hours=1) == []
    assert holes(without(bars, range(24 * 60, 49 * 60))) == [(24, 49)]
    assert holes(without(bars, range(24 * 60, 48 * 60))) == [], "a day, and not more than it"


def test_what_is_missing_around_a_weekend_counts_without_the_weekend() -> None:
    bars = bars_of("2024-06-03", "2024-06-11")
    times = bars.open_time_ns
    friday, monday = parse_time("2024-06-07T15:00Z"), parse_time("2024-06-10T03:00Z")  # 6 hours before, 6 after
    gone = np.flatnonzero((times >= friday) & (times < monday)).tolist()
    assert holes(without(bars, gone), hours=11) == [(4 * 24 + 15, 7 * 24 + 3)]
    assert holes(without(bars, gone), hours=12) == []


def test_a_period_that_begins_before_or_ends_after_the_bars_has_a_gap_there() -> None:
    late = bars_of("2024-06-05", "2024-06-07")
    assert holes(late) == [(0, 48), (96, 192)]


def store_with(home: Home, bars: Bars, answered: tuple[int, int] | None = None) -> None:
    store = SqliteMarketStore(home.market_store, "test", 1.0)
    store.put_bars("EUR/USD", "1m", "test", bars, answered=answered)
    store.close()


def loaded(home: Home, **settings: Any) -> Plan:
    """Load what a backtest of an SMA cross over the week needs."""
    config = instance_of(strategy="sma-cross")
    strategy = make_strategy(load_strategy("sma-cross", home.root), {}, "one")
    request = Request(
        root=str(home.root), account=account_of(), instances=(config,), start_ns=WEEK.start_ns, end_ns=WEEK.end_ns,
        **{"quotes": None, **settings},
    )  # fmt: skip
    with open_market(home, FleetConfig()) as market:
        return load_plan(request, [(config, strategy)], FleetConfig(), market)


def test_a_backtest_over_a_hole_is_refused_unless_it_is_allowed_or_a_source_said_there_was_nothing(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path)
    home.market_store.parent.mkdir(parents=True)
    bars = without(bars_of("2024-06-03", "2024-06-11"), range(24 * 60, 60 * 60))
    store_with(home, bars)
    with pytest.raises(ConfigError, match=r"from 2024-06-04T00:00:00Z to 2024-06-05T12:00:00Z are missing.*backfill"):
        loaded(home)
    assert len(loaded(home, max_gap_s=2 * 86_400.0).tapes[0]) == len(bars)
    store_with(home, bars, answered=WEEK)
    assert len(loaded(home).tapes[0]) == len(bars)


def test_quotes_with_a_hole_are_refused_as_bars_are(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.market_store.parent.mkdir(parents=True)
    bars = bars_of("2024-06-03", "2024-06-11")
    store_with(home, bars)
    times = without(bars, range(24 * 60, 60 * 60)).open_time_ns
    with open_market(home, FleetConfig()) as market:
        market.import_quotes("EUR/USD", "test", Quotes(times, times, *(np.full(len(times), 1.1),) * 2))
    with pytest.raises(ConfigError, match=r"the quotes from 2024-06-04T00:00:00Z to 2024-06-05T12:00:00Z are missing"):
        loaded(home, quotes="ticks")
    assert len(loaded(home, quotes="ticks", max_gap_s=2 * 86_400.0).tapes[0]) == len(times)


# -- too few of them


class Told(SignalStrategy):
    """Answers what a test says."""

    def __init__(self, answer: Callable[[Bars], Any], warmup_bars: int = 5) -> None:
        super().__init__(BaseParameters())
        self._answer = answer
        self._warmup_bars = warmup_bars

    @property
    def warmup_bars(self) -> int:
        return self._warmup_bars

    def signals(self, bars: Bars, instrument: Instrument) -> Signals:
        return self._answer(bars)


def nothing(count: int) -> dict[str, Any]:
    return {"entry": np.zeros(count, np.int8), "exit": np.zeros(count, np.int8), "units": np.full(count, 10.0)}


def over(strategy: SignalStrategy, bars: int = 60) -> Result:
    return run(plan_of(account_of(), [(instance_of(), strategy)], {("EUR/USD", "1m"): bars_of()[:bars]}))


def test_a_strategy_that_never_has_the_bars_it_needs_is_refused() -> None:
    def answer(bars: Bars) -> Signals:
        return Signals(**nothing(len(bars)))

    with pytest.raises(ConfigError, match="needs 61 1m bars of EUR/USD before it decides anything: 60 are there"):
        over(Told(answer, warmup_bars=61))
    assert over(Told(answer, warmup_bars=60)).bars == {"one": 60}


# -- answers that are no signals


def test_answers_that_are_no_signals_end_a_run_with_the_column_that_is_wrong() -> None:
    def wrong(**columns: object) -> Callable[[Bars], Signals]:
        return lambda bars: Signals(**{**nothing(len(bars)), **columns})

    def short(bars: Bars) -> Signals:
        return Signals(**nothing(len(bars) - 1))

    cases: Sequence[tuple[Callable[[Bars], Any], str]] = (
        (short, r"signals.entry has shape \(4,\), expected \(5,\)"),
        (wrong(stop_loss=np.ones(6)), r"signals.stop_loss has shape \(6,\), expected \(5,\)"),
        (wrong(units=10.0), "signals.units is a float, expected a numpy array"),
        (wrong(indicators={"rsi": np.ones(4)}), r"signals.indicators\['rsi'\] has shape \(4,\)"),
        (wrong(entry=np.zeros(5)), "signals.entry holds float64, expected int8"),
        (wrong(entry=np.full(5, 5, np.int8)), "signals.entry holds values from 5 to 5, may hold -1 to 1"),
        (wrong(exit=np.full(5, -2, np.int8)), "signals.exit holds values from -2 to -2, may hold -1 to 2"),
        (lambda bars: None, "signals returned NoneType, expected Signals"),
    )
    for answer, said in cases:
        with pytest.raises(StrategyError, match=said + r".*10 errors in a row \(max_errors\): told$"):
            over(Told(answer))


def test_a_wrong_answer_at_one_bar_drops_that_bar_and_is_counted_and_told() -> None:
    def answer(bars: Bars) -> Signals:
        return Signals(**nothing(len(bars) - (bars.open_time_ns[-1] % (30 * MINUTE.ns) == 0)))

    result = over(Told(answer), bars=60)
    assert result.errors == {"one": 1}
    assert "signals.entry has shape (4,)" in result.alerts[0].text


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"fast": 0}, "fast: .*greater than or equal to 1, was 0"),
        ({"fsat": 1}, "fsat: unknown key - did you mean 'fast'"),
        ({"speed": 1}, "speed: unknown key - known here: .*fast"),
    ],
)
def test_a_parameter_outside_its_range_is_refused_by_file_and_key(parameters: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=f"etc/strategies/x.toml: parameters.{said}"):
        make_strategy(load_strategy("sma-cross", Path()), parameters, "etc/strategies/x.toml")
