"""Sets through both engines: what is planted in prices is found, refusals are told, failures are kept."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, parse_time
from atrader.configuration.account import AccountConfig
from atrader.configuration.limits import InstanceLimits
from atrader.errors import ConfigError
from atrader.instruments import Instrument
from atrader.market import Bars
from atrader.strategy import Parameters, Signals, SignalStrategy, Strategy
from atrader.timeframes import Timeframe
from data_layer.bars.aggregation import aggregate
from research.events.market import Market
from research.events.plan import Plan
from research.optimisation.analysis import Analysis, analyse
from research.optimisation.axes import Choices
from research.optimisation.events import EventTrials, days_of
from research.optimisation.pools import Evaluate, Outcome
from research.optimisation.relay import Relay
from research.optimisation.searching import ListedSearch
from research.optimisation.space import Combination
from research.optimisation.study import run_study
from research.optimisation.trials import TrialFile, Trials
from research.optimisation.vectors import VectorTrials, why_not_once
from research.optimisation.windows import WalkForward
from research.statistics.periods import period_returns
from research.vectorised import run_vector, why_not_vector, without_limits
from tests.support.event_runs import account_of, instance_of, plan_of
from worker.strategies.atr_cross import AtrCross
from worker.strategies.bracket import Bracket
from worker.strategies.entries import Wanted
from worker.strategies.sma_cross import SmaCross

HOUR_NS = 3600 * NS_PER_S
FAST = (2, 4, 6, 30, 60)
AXES = [Choices("fast", FAST), Choices("slow", (8, 12, 16, 120))]
SETS: list[Combination] = [{"fast": fast, "slow": slow} for fast in FAST for slow in (8, 12, 16, 120) if fast < slow]


def hours(seed: int, count: int, swing: float) -> Bars:
    """Return hours around the clock: chance, and a wave of four days that averages of some hours can ride."""
    chance = np.random.default_rng(seed)
    wave = swing * np.sin(np.arange(count) * 2 * np.pi / 96)
    closes = np.round(30_000 * np.exp(wave + np.cumsum(chance.normal(0, 0.001, count))), 1)
    opens = np.concatenate(([closes[0]], closes[:-1]))
    bids = (opens, np.maximum(opens, closes) + 5, np.minimum(opens, closes) - 5, closes)
    times = parse_time("2024-01-01") + HOUR_NS * np.arange(count)
    return Bars(times, *bids, *(column + 1 for column in bids), np.ones(count))


def plan_over(bars: Bars, strategy: Strategy, symbol: str = "BTC/USD", **account: Any) -> Plan:
    settings = {"paper": {"slippage_pips": 0}, "trade": {"max_price_age": "2d"}, **account}
    config = instance_of(instrument=symbol, timeframe="1h")
    return plan_of(account_of(**settings), [(config, strategy)], {(symbol, "1h"): bars}, base="1h")


def cross(combination: Combination, **fixed: Any) -> SmaCross:
    return SmaCross(SmaCross.Parameters.model_validate({"risk_frac": "0.005", **fixed, **combination}))


def in_vector(plan: Plan, make: Any) -> Evaluate:
    return VectorTrials(plan, make, days_in(plan))


def days_in(plan: Plan) -> Any:
    symbol = plan.instances[0][0].instrument
    return days_of(Market(plan.tapes).ends, plan.calendar_of(symbol))


def judged(bars: Bars) -> Analysis:
    plan = plan_over(bars, cross(SETS[0]))
    outcomes = in_vector(plan, cross)(SETS)
    returns = np.array([one.returns for one in outcomes])
    trades = np.array([one.trades for one in outcomes])
    days_ns = days_in(plan)
    windows = WalkForward(train_days=60, test_days=30).windows(days_ns)
    return analyse(Trials(np.arange(len(SETS)), trades, SETS, returns, []), days_ns, AXES, windows, 365.0)


def test_an_edge_planted_in_prices_is_found_by_the_strategy_that_can_ride_it() -> None:
    found = judged(hours(1, 24 * 240, swing=0.03))
    assert found.verdict == "edge", found.reasons
    assert found.recommended is not None
    assert found.recommended.parameters["slow"] < 120
    assert found.walk_forward["sharpe_oos"] > 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_prices_of_pure_chance_are_called_noise(seed: int) -> None:
    assert judged(hours(seed, 24 * 240, swing=0.0)).verdict == "noise"


def test_both_engines_give_a_set_the_same_trades_and_days() -> None:
    bars = hours(4, 24 * 30, swing=0.03)
    plan = plan_over(bars, cross(SETS[0]))
    events = EventTrials(lambda one: plan_over(bars, cross(one)), plan.calendar_of("BTC/USD"), days_in(plan))
    for one, other in zip(in_vector(plan, cross)(SETS[:2]), events(SETS[:2]), strict=True):
        assert one.trades == other.trades > 10
        np.testing.assert_allclose(one.returns, other.returns, atol=1e-5)  # money is rounded to cents


@pytest.mark.parametrize("account", [{}, {"trade": {"max_price_age": "2d", "max_risk_frac": "0.02"}}], ids=["", "risk"])
@pytest.mark.parametrize("pips", [0, 20])
@pytest.mark.parametrize("fixed", [{}, {"stop_atr": "1.5", "trailing_atr": "2"}, {"risk_frac": None, "units": "0.3"}])
def test_a_set_earns_in_a_search_what_its_backtest_earns_on_either_engine(
    fixed: dict[str, Any], pips: int, account: dict[str, Any]
) -> None:
    bars, settings = hours(4, 24 * 40, swing=0.03), {"paper": {"slippage_pips": pips}, **account}

    def plan_with(combination: Combination) -> Plan:
        return plan_over(bars, cross(combination, **fixed), **settings)

    plan = plan_with(SETS[0])
    calendar = plan.calendar_of("BTC/USD")
    tried = in_vector(plan, partial(cross, **fixed))(SETS[:4])
    by_events = EventTrials(plan_with, calendar, days_in(plan))(SETS[:4])
    for one, other, combination in zip(tried, by_events, SETS[:4], strict=True):
        run = run_vector(plan_with(combination))
        curve = run.curve
        days = period_returns(curve.time_ns, curve.equity, calendar, initial=float(plan.account.paper.initial_balance))
        assert one.trades == other.trades == len(list(run.closed)) > 10
        np.testing.assert_allclose(one.returns, days.returns, rtol=0, atol=1e-14)
        np.testing.assert_allclose(other.returns, days.returns, rtol=0, atol=1e-14)


@pytest.mark.parametrize("pips", [0, 2])
@pytest.mark.parametrize("base", ["30m", "1h"])
def test_nights_and_weekends_count_in_a_search_to_the_days_they_count_to_in_a_backtest(base: str, pips: float) -> None:
    symbol, step_ns = "USD/JPY", HOUR_NS if base == "1h" else HOUR_NS // 2
    open_ns = Calendar.get("fx").expected_bars(
        parse_time("2024-01-02"), parse_time("2024-03-01"), Timeframe.parse("1h")
    )
    times = np.concatenate([open_ns + at for at in range(0, HOUR_NS, step_ns)])
    chance = np.random.default_rng(3)
    closes = np.round(150 * np.exp(np.cumsum(chance.normal(0, 0.001, len(times)))), 3)
    opens = np.concatenate(([closes[0]], closes[:-1]))
    bids = (opens, np.maximum(opens, closes) + 0.02, np.minimum(opens, closes) - 0.02, closes)
    columns = (*bids, *(column + 0.01 for column in bids), np.ones(len(times)))
    bars = Bars(np.sort(times), *columns)
    hourly = bars if base == "1h" else aggregate(bars, Timeframe.parse("1h"), Calendar.get("fx"))
    paper = {"slippage_pips": pips, "swap_long_frac": "-0.05", "swap_short_frac": "0.02", "commission_per_million": 30}
    account = account_of(paper=paper, trade={"max_price_age": "2d"})

    def plan_with(combination: Combination) -> Plan:
        config = instance_of(instrument=symbol, timeframe="1h")
        stored = {(symbol, "1h"): hourly, (symbol, base): bars}
        return plan_of(account, [(config, cross(combination, stop_atr="3"))], stored, base=base)

    plan = plan_with(SETS[0])
    events = EventTrials(plan_with, plan.calendar_of(symbol), days_in(plan))
    tried = VectorTrials(plan, partial(cross, stop_atr="3"), days_in(plan), events)(SETS[:4])
    for one, other in zip(tried, events(SETS[:4]), strict=True):
        assert one.trades == other.trades > 5
        np.testing.assert_allclose(one.returns, other.returns, rtol=0, atol=1e-13)


def test_sets_that_only_the_event_engine_can_play_are_left_to_it_and_counted() -> None:
    bars = hours(7, 24 * 20, swing=0.03)
    plan = plan_over(bars, cross(SETS[0]), trade={"max_price_age": "2d", "max_risk_frac": "0.02"})

    def plan_with(combination: Combination) -> Plan:
        return replace(plan, instances=[(plan.instances[0][0], cross(combination))])

    events = EventTrials(plan_with, plan.calendar_of("BTC/USD"), days_in(plan))
    sets: list[Combination] = [
        {"fast": 2, "slow": 8},
        {"fast": 2, "slow": 8, "risk_frac": "0.03"},
        {"fast": 2, "slow": 8, "risk_frac": None, "units": "2"},
        {"fast": 2, "slow": 8, "risk_frac": None, "units": "0.3"},
    ]
    found = VectorTrials(plan, cross, days_in(plan), events)(sets)
    assert ["tried with the event engine" in one.note for one in found] == [False, True, True, False]
    assert all("no entry of it was filled, refused were all: max-risk" in one.note for one in found[1:3])
    assert [one.trades > 0 for one in found] == [True, False, False, True]
    for one, other in zip(found, events(sets), strict=True):
        assert one.trades == other.trades
        np.testing.assert_allclose(one.returns, other.returns, rtol=0, atol=1e-14)


@pytest.mark.parametrize("workers", [2, 5])
def test_a_search_is_the_same_to_the_last_bit_on_any_number_of_threads(tmp_path: Path, workers: int) -> None:
    """Among them sets that share what they want with others, or only averages or ranges, and sets that fail."""

    def make(combination: Combination) -> AtrCross:
        return AtrCross(AtrCross.Parameters.model_validate({**combination, "units": "0.01"}))

    class InSmallLots(VectorTrials):
        most_at_once = 4

    plan = plan_over(hours(11, 2000, 0.02), make({"slow": 20, "atr_multiplier": 2.0}))
    days_ns = days_in(plan)
    sets: list[Combination] = [
        {"fast": fast, "slow": slow, "atr_window": window, "atr_multiplier": multiplier}
        for fast in (3, 5, 8)
        for slow in (20, 33, 50)
        for window in (5, 14, 200)
        for multiplier in (0.5, 1.0, 2.5)
    ]

    def tried(count: int, trials: type[VectorTrials]) -> Trials:
        with TrialFile(tmp_path / f"{count}.sqlite", {}, days_ns) as file:
            run_study(ListedSearch(sets, set()), Relay(trials(plan, make, days_ns, workers=count), count), file)
            return file.trials()

    one, more = tried(1, VectorTrials), tried(workers, InSmallLots)
    assert len(one.parameters) == 54
    assert one.trades.min() > 20
    assert len({row.tobytes() for row in one.returns}) > 40
    for ours, theirs in zip(one, more, strict=True):
        assert str(ours) == str(theirs)
    assert one.returns.tobytes() == more.returns.tobytes()


def test_an_event_strategy_is_tried_by_the_event_engine_alone() -> None:
    bars = hours(5, 24 * 20, swing=0.03)

    def plan_with(combination: Combination) -> Plan:
        return plan_over(bars, Bracket(Bracket.Parameters.model_validate(combination)))

    plan = plan_with({})
    ((config, strategy),) = plan.instances
    assert why_not_vector(plan.account, config, strategy) == "the strategy is no signal strategy"
    evaluate = EventTrials(plan_with, plan.calendar_of("BTC/USD"), days_in(plan))
    quick, slow = evaluate([{"lookback": 5}, {"lookback": 60}])
    assert min(quick.trades, slow.trades) > 2
    assert len(quick.returns) == len(days_in(plan))
    assert not np.array_equal(quick.returns, slow.returns)


class Weak(SignalStrategy):
    """Fails with some parameters, as the strategies of users do."""

    class Parameters(Parameters):
        how: str = ""

    def signals(self, bars: Bars, instrument: Instrument) -> Signals:
        how = self.parameters.model_dump()["how"]
        if how == "raises" or (how == "raises at times" and bars.open_time_ns[-1] // HOUR_NS % 50 == 0):
            raise ZeroDivisionError("by chance")
        if how == "leaves":
            raise SystemExit(3)
        count, closes = len(bars) - (how == "short"), bars.close
        hour = bars.open_time_ns[:count] // HOUR_NS % 10
        rises = np.append(closes[1:] > closes[:-1], [False]) if how == "peeks" else np.ones(len(bars), np.bool_)
        entry = ((hour == 0) & rises[:count]).astype(np.int8)
        stop_loss = closes * 0.9 if how == "far" else None
        return Signals(entry=entry, exit=(hour == 5).astype(np.int8), units=np.full(count, 0.01), stop_loss=stop_loss)


def weak(combination: Combination) -> Weak:
    return Weak(Weak.Parameters.model_validate(combination))


def test_a_set_that_the_strategy_fails_with_is_kept_with_its_error_and_the_others_go_on() -> None:
    plan = plan_over(hours(6, 24 * 20, swing=0.0), weak({}))
    outcomes = in_vector(plan, weak)([{"how": how} for how in ("raises", "short", "peeks", "leaves", "")])
    told = ["ZeroDivisionError", "signals.entry has", "entry differs; 'a", "SystemExit: 3", ""]
    assert [one.error[:17] for one in outcomes] == told
    assert outcomes[4].trades > 10


def test_what_a_row_of_returns_does_not_say_of_a_set_is_noted() -> None:
    bars = hours(6, 24 * 20, swing=0.0)

    def tried(how: str, **account: Any) -> Outcome:
        def plan_with(combination: Combination) -> Plan:
            return plan_over(bars, weak(combination), **account)

        plan = plan_with({"how": how})
        (outcome,) = EventTrials(plan_with, plan.calendar_of("BTC/USD"), days_in(plan))([{"how": how}])
        return outcome

    assert tried("").note == ""
    assert tried("leaves").error.startswith("on_bar of one raised SystemExit: 3; 10 errors in a row")
    sometimes = tried("raises at times")
    assert sometimes.trades > 10
    assert sometimes.note == "exceptions at some bars, the first: on_bar of one raised ZeroDivisionError: by chance"
    halted = tried("", limits={"max_drawdown_frac": "0.0001", "drawdown_reference": "peak", "on_drawdown": "flatten"})
    assert "limits stopped its trading, for a day or for good: drawdown" in halted.note
    refused = tried("", trade={"max_price_age": "2d", "stop_required": True})
    assert refused.note.startswith("no entry of it was filled, refused were all: ")


def test_a_strategy_that_looks_ahead_with_every_set_is_left_to_the_event_engine() -> None:
    plan = plan_over(hours(6, 24 * 20, swing=0.0), weak({}))
    told = why_not_once(plan, [weak({"how": "peeks"}), weak({"how": "raises"})])
    assert told == (
        "signals over all bars are not those over the warm-up of each bar: entry differs; 'atrader backtest check'"
        " says why"
    )
    assert why_not_once(plan, [weak({"how": "peeks"}), weak({})]) is None  # the first fails for itself
    assert why_not_once(plan, [cross(one) for one in SETS[:2]]) is None


class PeekingCross(SmaCross):
    """Shares what it wants among sets, and takes it from the next bar."""

    def wanted(self, bars: Bars, instrument: Instrument) -> Wanted:
        long, short, close_long, close_short, _ = super().wanted(bars, instrument)
        return Wanted(np.roll(long, -1), np.roll(short, -1), close_long, close_short, {})


def test_one_look_ahead_is_enough_where_sets_share_what_they_want() -> None:
    plan = plan_over(hours(6, 24 * 20, swing=0.03), cross(SETS[0]))
    peeking = PeekingCross(PeekingCross.Parameters.model_validate({"risk_frac": "0.005", **SETS[0]}))
    assert "differs" in str(why_not_once(plan, [peeking, cross(SETS[0])]))


def test_an_empty_period_and_bars_that_are_no_market_are_refused_on_any_number_of_threads() -> None:
    bars = hours(6, 24 * 20, swing=0.0)
    with pytest.raises(ConfigError, match="no bars in the period"):
        VectorTrials(plan_over(bars[:0], cross(SETS[0])), cross, np.array([1]))
    plan = plan_over(bars, cross(SETS[0]))
    days_ns, bars.high[100] = days_in(plan), np.nan  # a plan looks at its bars as it is made
    for workers in (1, 2):
        with pytest.raises(ConfigError, match="the high at 2024-01-05T04:00:00Z is nan"):
            VectorTrials(plan, cross, days_ns, workers=workers)(SETS)


def test_a_set_that_needs_more_bars_than_there_are_says_so_and_is_no_set_without_trades() -> None:
    plan = plan_over(hours(6, 24 * 20, swing=0.0), cross(SETS[0]))
    bars = hours(6, 24 * 20, swing=0.0)
    events = EventTrials(lambda one: plan_over(bars, cross(one)), plan.calendar_of("BTC/USD"), days_in(plan))
    for evaluate in (in_vector(plan, cross), events):
        few, many = evaluate([{"fast": 2, "slow": 8}, {"fast": 2, "slow": 500}])
        assert (few.error, many.trades) == ("", 0)
        assert "bars of BTC/USD before it decides anything: 480 are there" in many.error


def test_stops_so_far_away_that_the_account_refuses_them_end_the_search() -> None:
    bars, near, far = hours(6, 24 * 20, swing=0.03), partial(cross, stop_atr=1), partial(cross, stop_atr=50)
    plan = plan_over(bars, cross(SETS[0]))
    assert in_vector(plan, near)(SETS[:1])[0].trades > 0
    with pytest.raises(ConfigError, match=r"price_band_frac = 0\.05 refuses .*: use --engine event"):
        in_vector(plan, far)(SETS[:1])
    wide = plan_over(bars, cross(SETS[0]), trade={"max_price_age": "2d", "price_band_frac": 0.9})
    assert in_vector(wide, far)(SETS[:1])[0].trades > 0
    loose = plan_over(bars, weak({}), trade={"max_price_age": "2d", "stop_required": False})
    with pytest.raises(ConfigError, match="price_band_frac"):
        in_vector(loose, weak)([{"how": "far"}])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"paper": {"latency": "1s"}}, "paper.latency"),
        ({"paper": {"partial_fill_share": 0.1}}, "paper.partial_fill_share"),
        ({"limits": {"daily_loss": 100}}, "limits.daily_loss"),
        ({"prop_firm": {"daily_loss_limit": 1000}}, "prop_firm"),
        ({"trade": {"max_spread": 2}}, "trade.max_spread"),
    ],
)
def test_an_account_with_rules_that_the_vector_engine_does_not_ask_is_left_to_the_other(
    settings: dict[str, Any], said: str
) -> None:
    account: AccountConfig = account_of(**settings)
    told = why_not_vector(account, instance_of(), cross({"fast": 2, "slow": 8}))
    assert told is not None
    assert said in told
    freed, instance = without_limits(account, instance_of())
    assert why_not_vector(freed, instance, cross({"fast": 2, "slow": 8})) is None
    assert why_not_vector(account_of(), instance_of(), cross({"fast": 2, "slow": 8})) is None
    assert "netting" in str(why_not_vector(account_of(positions="netting"), instance_of(), cross(SETS[0])))
    limited = instance_of(limits={"cooldown_after_losses": 2})
    assert "cooldown_after_losses" in str(why_not_vector(account_of(), limited, cross({"fast": 2, "slow": 8})))
    assert without_limits(account_of(), limited)[1].limits == InstanceLimits()


def test_what_may_be_risked_without_limits_is_what_may_be_risked_with_them() -> None:
    account = account_of(trade={"max_risk_frac": "0.02", "stop_required": True, "max_spread": 2})
    freed, instance = without_limits(account, instance_of(trade={"max_risk_frac": "0.01"}))
    assert (freed.trade.max_risk_frac, freed.trade.stop_required, freed.trade.max_spread) == (
        Decimal("0.02"),
        True,
        None,
    )
    assert instance.trade is not None
    assert instance.trade.max_risk_frac == Decimal("0.01")


@pytest.mark.parametrize(
    ("fixed", "limits", "said"),
    [
        ({"risk_frac": "0.03"}, {"max_risk_frac": "0.02"}, "entries that risk more"),
        ({"risk_frac": None, "units": 2}, {"max_risk_frac": "0.02"}, "a fixed size"),
    ],
)
def test_entries_that_the_account_would_refuse_end_the_search(
    fixed: dict[str, Any], limits: dict[str, Any], said: str
) -> None:
    plan = plan_over(hours(7, 24 * 20, swing=0.03), cross(SETS[0]), trade={"max_price_age": "2d", **limits})
    with pytest.raises(ConfigError, match=said):
        in_vector(plan, partial(cross, **fixed))(SETS[:1])
    assert in_vector(plan, cross)(SETS[:1])[0].trades > 0


def test_a_stop_that_the_account_requires_is_looked_for() -> None:
    plan = plan_over(hours(8, 24 * 20, swing=0.0), weak({}), trade={"max_price_age": "2d", "stop_required": True})
    with pytest.raises(ConfigError, match="stop_required"):
        in_vector(plan, weak)([{}])
