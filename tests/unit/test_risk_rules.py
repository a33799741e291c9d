"""Every rule of the gate: one case that it refuses, and the nearest one that it lets pass."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from atrader.clock import NS_PER_S
from atrader.configuration.limits import (
    AccountLimits,
    CorrelatedCap,
    InstanceLimits,
    PropFirmLimits,
    SessionWindow,
    TradeLimits,
)
from atrader.orders.model import Intent
from atrader.orders.states import OrderState
from atrader.risk import RULES, Allow, Deny, InstanceRecord, Quote, RiskLimits, RiskState, Scope, denials, evaluate
from atrader.risk.gate import proposal_of
from atrader.trading_state import TradingState
from tests.support.orders import NOON_NS, D, make_intent, make_order, make_trade
from tests.support.risk_states import QUOTES, RATES, make_day, make_state


@dataclass(frozen=True)
class Case:
    """What a rule refuses, and the change that makes it pass."""

    rule: str
    limits: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    intent: dict[str, Any] = field(default_factory=dict)
    good_state: dict[str, Any] | None = None
    good_intent: dict[str, Any] | None = None
    good_limits: dict[str, Any] | None = None


def trade(**values: Any) -> dict[str, Any]:
    return {"trade": TradeLimits(**values)}


def instance(**values: Any) -> dict[str, Any]:
    return {"instance": InstanceLimits(**values)}


def account(**values: Any) -> dict[str, Any]:
    return {"account": AccountLimits(**values)}


def firm(**values: Any) -> dict[str, Any]:
    return {"prop_firm": PropFirmLimits(**values)}


AFTERNOON = SessionWindow(start="13:00", end="16:00")
FROM_NOON = SessionWindow(start="12:00", end="16:00")
WORKING = make_order(make_intent(n=9, units=D(1000)), state=OrderState.WORKING)
LOSERS = {7: InstanceRecord(losses_in_row=3, last_loss_ns=NOON_NS - 60 * NS_PER_S)}
RESTED = {7: InstanceRecord(losses_in_row=3, last_loss_ns=NOON_NS - 600 * NS_PER_S)}
OLD = {"EUR/USD": Quote(D("1.0999"), D("1.1000"), 10.1)}
PAIR = (CorrelatedCap(instruments=("EUR/USD", "GBP/USD"), max_exposure_frac=D("0.5")),)
CABLE = make_trade("t1", instrument="GBP/USD", units=D(3001), stop_loss=None)  # 3750 USD at 1.2499

CASES = [
    Case("trading-state", {}, {"trading_state": TradingState.REDUCING}, good_state={}),
    Case("trading-state", {}, {"instance_states": {"alpha": TradingState.HALTED}}, good_state={}),
    Case("trading-state", {}, {"trading_state": TradingState.FLATTENING}, good_state={}),
    Case("instrument-locked", {}, {"locked": {"EUR/USD": "break"}}, good_state={"locked": {"GBP/USD": "break"}}),
    Case(
        "duplicate-decision",
        {},
        {"orders": (make_order(make_intent(n=4, decision="5:0")),)},
        {"n": 5, "decision": "5:0"},
        good_intent={"n": 5, "decision": "5:1"},
    ),
    Case("price-age", trade(max_price_age="10s"), {"quotes": OLD}, good_limits=trade(max_price_age="11s")),
    Case("price-age", {}, {"quotes": {}}, {"order_type": "limit", "price": D("1.1")}, good_state={}),
    Case("intent-age", {}, {}, {"time_ns": NOON_NS - 31 * NS_PER_S}, good_intent={"time_ns": NOON_NS - 29 * NS_PER_S}),
    Case("home-rate", {}, {"home_rates": {"GBP/USD": D(1)}}, good_state={}),
    Case("min-units", {}, {}, {"units": D("0.5")}, good_intent={"units": D(1)}),
    Case("venue-max-units", {}, {}, {"units": D(100_000_001)}, good_intent={"units": D(100_000_000)}),
    Case("max-units", trade(max_units=1000), {}, {"units": D(1001)}, good_intent={"units": D(1000)}),
    Case("max-spread", trade(max_spread="0.00009"), good_limits=trade(max_spread="0.0001")),
    Case("stop-required", trade(stop_required=True), {}, {"stop_loss": None}, good_intent={"stop_loss": D("1.05")}),
    Case("protection-side", {}, {}, {"stop_loss": D("1.1000")}, good_intent={"stop_loss": D("1.0999")}),
    Case("protection-side", {}, {}, {"take_profit": D("1.1000")}, good_intent={"take_profit": D("1.1001")}),
    Case("protection-side", {}, {}, {"side": "sell", "stop_loss": D("1.09")}, good_intent={"stop_loss": D("1.09")}),
    Case(
        "min-stop-distance",
        trade(min_stop_distance="0.002"),
        {},
        {"stop_loss": D("1.0981")},
        good_intent={"stop_loss": D("1.0980")},
    ),
    Case("price-band", {}, {}, {"order_type": "limit", "price": D("0.95"), "stop_loss": None}, good_intent={}),
    Case("price-band", {}, {}, {"take_profit": D(150)}, good_intent={"take_profit": D("1.12")}),
    Case("price-band", {}, {}, {"stop_loss": D("0.0109")}, good_intent={}),
    Case("max-risk", trade(max_risk_frac="0.01"), {}, {"units": D(10_001)}, good_intent={"units": D(10_000)}),
    Case("max-risk", trade(max_risk_frac="0.01"), {}, {"stop_loss": None}, good_intent={}),
    Case(
        "orders-per-minute",
        instance(max_orders_per_minute=5),
        {"recent_intents": {7: 5}},
        good_state={"recent_intents": {7: 4, 8: 99}},
    ),
    Case("session", instance(session=AFTERNOON), good_limits=instance(session=FROM_NOON)),
    Case(
        "cooldown",
        instance(cooldown_after_losses=3, cooldown="5m"),
        {"day": make_day(instances=LOSERS)},
        good_state={"day": make_day(instances=RESTED)},
    ),
    Case(
        "instance-daily-loss",
        instance(daily_loss=100),
        {"day": make_day(instances={7: InstanceRecord(realised_today=D(-60))}), "floating": {7: D(-40)}},
        good_state={"day": make_day(instances={7: InstanceRecord(realised_today=D(-60))}), "floating": {7: D("-39.9")}},
    ),
    Case(
        "instance-daily-loss",
        instance(daily_loss=100),
        {"floating": {7: D(-100)}},
        good_state={
            "day": make_day(instances={7: InstanceRecord(floating_at_day_start=D(-90))}),
            "floating": {7: D(-100)},
        },
    ),
    Case(
        "instance-open-trades",
        instance(max_open_trades=2),
        {"trades": (make_trade("t1"),), "orders": (WORKING,)},
        good_state={"trades": (make_trade("t1"), make_trade("t2", magic=8))},
    ),
    Case(
        "instance-position",
        instance(max_position_units=2500),
        {"trades": (make_trade("t1"),), "orders": (WORKING,)},
        good_state={"trades": (make_trade("t1"), make_trade("t2", side="sell", stop_loss=D("1.2")))},
    ),
    Case("unvalued", {}, {"unvalued": ("GBP/USD",)}, good_state={}),
    Case("account-daily-loss", account(daily_loss=500), {"equity": D(9500)}, good_state={"equity": D("9500.01")}),
    Case(
        "account-daily-loss-frac",
        account(daily_loss_frac="0.05"),
        {"equity": D(9500)},
        good_state={"equity": D("9500.01")},
    ),
    Case(
        "drawdown",
        account(max_drawdown_frac="0.2"),
        {"day": make_day(peak_equity=D(12_500))},
        good_state={"day": make_day(peak_equity=D(12_499))},
    ),
    Case(
        "drawdown",
        account(max_drawdown_frac="0.2", drawdown_reference="start"),
        {"day": make_day(start_equity=D(12_500))},
        good_state={"day": make_day(peak_equity=D(99_999))},
    ),
    Case(
        "drawdown",
        account(max_drawdown_frac="0.2", drawdown_reference="day"),
        {"day": make_day(day_start_equity=D(12_500))},
        good_state={"day": make_day(start_equity=D(99_999))},
    ),
    Case(
        "account-open-trades",
        account(max_open_trades=2),
        {"trades": (make_trade("t1", magic=8),), "orders": (WORKING,)},
        good_state={"trades": (make_trade("t1", magic=8),)},
    ),
    Case(  # 1000 * 1.09995 + 3001 * 1.2499 = 4850.9
        "gross-exposure",
        account(max_gross_exposure_frac="0.485"),
        {"trades": (CABLE,)},
        good_limits=account(max_gross_exposure_frac="0.486"),
    ),
    Case(
        "gross-exposure",
        account(max_gross_exposure_frac=9),
        {"orders": (WORKING,), "trades": (make_trade("t1", instrument="AUD/USD"),)},
        good_state={"orders": (WORKING,)},
    ),
    Case(
        "net-exposure",
        account(max_net_exposure_frac="0.3"),
        {"trades": (CABLE,)},
        good_state={"trades": (CABLE.model_copy(update={"side": "sell"}),)},
    ),
    Case(
        "correlated-exposure",
        account(correlated=PAIR),
        {"trades": (CABLE,)},
        {"units": D(1140)},
        good_intent={"units": D(1130)},
    ),
    Case(  # 1000 * 1.09995 * 0.0333 = 36.63
        "margin-use",
        account(max_margin_use_frac="0.5"),
        {"margin_used": D(4964)},
        good_state={"margin_used": D(4963)},
    ),
    Case("prop-daily-loss", firm(daily_loss_limit=1000), {"equity": D(9200)}, good_state={"equity": D("9200.01")}),
    Case("prop-maximum-loss", firm(maximum_loss_limit=2000), {"equity": D(8400)}, good_state={"equity": D("8400.01")}),
    Case(
        "prop-maximum-loss",
        firm(maximum_loss_limit=2000),
        {"day": make_day(peak_day_end_balance=D(11_600))},
        good_state={"day": make_day(peak_day_end_balance=D(11_599))},
    ),
    Case(
        "prop-consistency",
        firm(consistency_frac="0.5", profit_target=1000),
        {"equity": D(10_500)},
        good_state={"equity": D(10_499)},
    ),
    Case(
        "prop-consistency",
        firm(consistency_frac="0.5"),
        {"day": make_day(day_start_equity=D(9_800), start_equity=D(9_600))},
        good_state={"day": make_day(day_start_equity=D(9_801), start_equity=D(9_600))},
    ),
    Case("prop-flat-by", firm(flat_by=AFTERNOON), good_limits=firm(flat_by=FROM_NOON)),
]


def ask(limits: dict[str, Any], state: dict[str, Any], intent: dict[str, Any]) -> Allow | Deny:
    return evaluate(RiskLimits(**limits), make_state(**state), make_intent(**intent))


@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{case.rule}" for number, case in enumerate(CASES)])
def test_each_rule_refuses_its_case_and_passes_the_nearest_other(case):
    verdict = ask(case.limits, case.state, case.intent)
    assert isinstance(verdict, Deny)
    assert verdict.rule == case.rule
    rule = next(rule for rule in RULES if rule.name == case.rule)
    assert (verdict.setting, verdict.scope) == (rule.setting, rule.scope)
    assert set(verdict.values) == {"value", "limit"}
    assert all(isinstance(value, str) for value in verdict.values.values())
    assert rule.setting in str(verdict)
    good = (
        case.limits if case.good_limits is None else case.good_limits,
        case.state if case.good_state is None else case.good_state,
        case.intent if case.good_intent is None else case.good_intent,
    )
    assert ask(*good) == Allow()


def test_every_rule_has_a_case_and_every_name_is_unique():
    names = [rule.name for rule in RULES]
    assert len(names) == len(set(names))
    assert {case.rule for case in CASES} == set(names)


def test_every_scope_of_the_design_has_rules():
    assert {rule.scope for rule in RULES} == set(Scope)


def test_every_setting_is_a_field_of_the_configuration():
    models: dict[str, Any] = {"trade": TradeLimits, "prop_firm": PropFirmLimits}
    for rule in RULES:
        file, _, key = rule.setting.partition(": ")
        if file in ("account", "strategy", "account or strategy"):
            table, _, name = key.partition(".")
            limits = {"account": AccountLimits, "strategy": InstanceLimits}.get(file, TradeLimits)
            assert name in models.get(table, limits).model_fields, rule
        else:
            assert file in ("fleet", "none", "command"), rule


def test_all_objections_come_in_the_order_of_the_table():
    state = make_state(quotes=OLD, trading_state=TradingState.REDUCING, home_rates={})
    limits = RiskLimits(trade=TradeLimits(stop_required=True))
    found = [denial.rule for denial in denials(limits, state, make_intent(stop_loss=None))]
    assert found == ["trading-state", "price-age", "home-rate", "stop-required"]


WORST: dict[str, Any] = {
    "quotes": {},
    "home_rates": {},
    "equity": D(1),
    "locked": {"EUR/USD": "break"},
    "trades": (make_trade("t1"),),
    "orders": (WORKING,),
    "recent_intents": {7: 10_000},
    "trading_state": TradingState.FLATTENING,
}
STRICT = RiskLimits(
    trade=TradeLimits(max_units=D(1), stop_required=True, max_risk_frac=D("0.0001")),
    instance=InstanceLimits(max_open_trades=1, max_orders_per_minute=1, session=AFTERNOON, daily_loss=D(1)),
    account=AccountLimits(daily_loss=D(1), max_drawdown_frac=D("0.01"), max_open_trades=1),
    prop_firm=PropFirmLimits(daily_loss_limit=D(1), maximum_loss_limit=D(1), flat_by=AFTERNOON),
)
EXITS = [
    make_intent(action="close", trade_id="t1"),
    make_intent(action="close", trade_id="t1", units=D(10)),
    make_intent(action="modify", trade_id="t1", stop_loss=D("1.095")),
    make_intent(action="modify", trade_id="t1", take_profit=D("1.2")),
    make_intent(action="modify", trade_id="t1", trailing_distance=D("0.001")),
    make_intent(action="modify", order_id=WORKING.client_id, take_profit=D("1.2")),
]
CANCEL = make_intent(action="cancel", order_id=WORKING.client_id)


@pytest.mark.parametrize("limits", [RiskLimits(), RiskLimits(prop_firm=PropFirmLimits())])
def test_a_rule_without_a_limit_would_object_to_nothing_so_it_is_not_asked(limits):
    state = make_state(**WORST)
    proposal = proposal_of(state, make_intent())
    assert proposal is not None
    idle = {rule.name for rule in RULES if not rule.applies(limits)}
    assert idle >= {"max-risk", "session", "drawdown", "correlated-exposure", "prop-daily-loss", "prop-flat-by"}
    assert not any(rule.check(limits, state, proposal) for rule in RULES if rule.name in idle)
    assert all(
        rule.applies(STRICT) for rule in RULES if rule.name in {"max-risk", "session", "drawdown", "prop-flat-by"}
    )


@pytest.mark.parametrize("intent", [*EXITS, CANCEL])
def test_exits_pass_whatever_is_broken(intent):
    assert evaluate(STRICT, make_state(**WORST), intent) == Allow()


@pytest.mark.parametrize("intent", EXITS)
def test_halted_refuses_exits_of_workers_but_not_the_stops_the_gateway_watches(intent):
    state = make_state(**{**WORST, "trading_state": TradingState.HALTED})
    verdict = evaluate(STRICT, state, intent)
    assert isinstance(verdict, Deny)
    assert verdict.rule == "trading-state"
    assert evaluate(STRICT, state, intent.model_copy(update={"n": -1})) == Allow()


def test_halted_lets_cancels_pass():
    assert evaluate(STRICT, make_state(**{**WORST, "trading_state": TradingState.HALTED}), CANCEL) == Allow()


LOOSER = [
    make_intent(action="modify", trade_id="t1", stop_loss=D("1.0899")),
    make_intent(action="modify", trade_id="t1", stop_loss=D(0)),
    make_intent(action="modify", trade_id="short", stop_loss=D("1.1101")),
    make_intent(action="modify", trade_id="short", stop_loss=D(0)),
    make_intent(action="modify", trade_id="trailed", trailing_distance=D(0)),
]


@pytest.mark.parametrize("intent", LOOSER)
def test_a_stop_that_is_required_may_not_be_removed_or_widened(intent):
    trades = (
        make_trade("t1"),
        make_trade("short", side="sell", stop_loss=D("1.11")),
        make_trade("trailed", stop_loss=None, trailing_distance=D("0.01")),
    )
    state = make_state(trades=trades)
    verdict = evaluate(RiskLimits(trade=TradeLimits(stop_required=True)), state, intent)
    assert isinstance(verdict, Deny)
    assert verdict.rule == "stop-required"
    assert evaluate(RiskLimits(), state, intent) == Allow()
    reducing = evaluate(RiskLimits(), replace(state, trading_state=TradingState.REDUCING), intent)
    assert isinstance(reducing, Deny)


def test_a_widened_stop_must_stay_within_the_risk_limit():
    limits = RiskLimits(trade=TradeLimits(max_risk_frac=D("0.01")))
    state = make_state(trades=(make_trade("t1", units=D(5000)),))
    wide = make_intent(action="modify", trade_id="t1", stop_loss=D("1.0799"))
    verdict = evaluate(limits, state, wide)
    assert isinstance(verdict, Deny)
    assert verdict.rule == "max-risk"
    assert evaluate(limits, state, wide.model_copy(update={"stop_loss": D("1.08")})) == Allow()


def reprice(price: str) -> Intent:
    return make_intent(n=10, action="modify", order_id=WORKING.client_id, price=D(price))


def test_a_working_order_moved_to_another_price_is_judged_like_a_new_one_but_not_counted_twice():
    limits = RiskLimits(
        instance=InstanceLimits(max_open_trades=1), account=AccountLimits(max_gross_exposure_frac=D("0.11"))
    )
    state = make_state(orders=(WORKING,))
    assert evaluate(limits, state, reprice("1.095")) == Allow()
    verdict = evaluate(limits, state, reprice("0.9"))
    assert isinstance(verdict, Deny)
    assert verdict.rule == "protection-side"
    closed = evaluate(limits, replace(state, trading_state=TradingState.REDUCING), reprice("1.095"))
    assert isinstance(closed, Deny)


def test_the_order_in_question_may_be_among_the_orders_of_the_state_already():
    intent = make_intent(n=3, decision="1:0")
    own = make_order(intent, state=OrderState.NEW)
    limits = RiskLimits(
        instance=InstanceLimits(max_open_trades=1, max_position_units=D(1000)),
        account=AccountLimits(max_open_trades=1, max_gross_exposure_frac=D("0.11")),
    )
    assert evaluate(limits, make_state(orders=(own,)), intent) == Allow()


@pytest.mark.parametrize("state", [OrderState.SENT, OrderState.UNKNOWN, OrderState.WORKING, OrderState.PARTIAL])
def test_orders_without_an_outcome_count_as_open_trades(state):
    pending = make_order(make_intent(n=9, units=D(1000)), state=state)
    verdict = evaluate(
        RiskLimits(account=AccountLimits(max_open_trades=1)), make_state(orders=(pending,)), make_intent()
    )
    assert isinstance(verdict, Deny)


def test_a_partly_filled_order_and_its_trade_count_once():
    pending = make_order(make_intent(n=9, units=D(1000)), state=OrderState.PARTIAL, filled_units=D(400))
    held = make_trade(pending.client_id, units=D(400))
    state = make_state(orders=(pending,), trades=(held,))
    limits = RiskLimits(instance=InstanceLimits(max_open_trades=2, max_position_units=D(2000)))
    assert evaluate(limits, state, make_intent()) == Allow()
    assert isinstance(evaluate(limits, state, make_intent(units=D(1001))), Deny)


def test_a_trailing_distance_is_a_stop():
    limits = RiskLimits(trade=TradeLimits(stop_required=True, max_risk_frac=D("0.01")))
    trailed = make_intent(stop_loss=None, trailing_distance=D("0.01"), units=D(10_000))
    assert evaluate(limits, make_state(), trailed) == Allow()
    assert isinstance(evaluate(limits, make_state(), trailed.model_copy(update={"units": D(10_001)})), Deny)


def test_money_in_another_currency_is_converted_for_the_risk():
    limits = RiskLimits(trade=TradeLimits(max_risk_frac=D("0.01")))
    intent = make_intent(instrument="USD/JPY", stop_loss=D(149), units=D(20_000))  # 1 JPY * 20000 * 0.005 = 100 USD
    assert evaluate(limits, make_state(), intent) == Allow()
    assert isinstance(evaluate(limits, make_state(), intent.model_copy(update={"units": D(20_001)})), Deny)


def test_an_account_without_equity_may_open_nothing_where_a_share_of_equity_is_the_limit():
    state: RiskState = make_state(equity=D(0), quotes=QUOTES, home_rates=RATES)
    for limits in (
        RiskLimits(trade=TradeLimits(max_risk_frac=D(1))),
        RiskLimits(account=AccountLimits(max_gross_exposure_frac=D(9))),
        RiskLimits(account=AccountLimits(max_margin_use_frac=D(1))),
    ):
        assert isinstance(evaluate(limits, state, make_intent()), Deny)
