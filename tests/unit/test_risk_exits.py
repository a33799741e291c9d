"""What must be closed now, and what the gate sizes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from atrader.configuration.limits import AccountLimits, InstanceLimits, PropFirmLimits, SessionWindow
from atrader.orders.states import OrderState
from atrader.risk import EXIT_RULES, RiskLimits, Scope, forced_exits, resolve_units
from atrader.trading_state import TradingState
from tests.support.orders import D, make_intent, make_order, make_trade
from tests.support.risk_states import make_day, make_state

AFTERNOON = SessionWindow(start="13:00", end="16:00")
HELD = {"trades": (make_trade("t1"),)}

ACCOUNT_CASES = [
    ("prop-daily-loss", RiskLimits(prop_firm=PropFirmLimits(daily_loss_limit=D(1000))), "9100", "9100.01"),
    ("prop-maximum-loss", RiskLimits(prop_firm=PropFirmLimits(maximum_loss_limit=D(2000))), "8200", "8200.01"),
    ("drawdown", RiskLimits(account=AccountLimits(max_drawdown_frac=D("0.2"))), "8000", "8000.01"),
    (
        "account-daily-loss",
        RiskLimits(account=AccountLimits(daily_loss=D(500), on_daily_loss="flatten")),
        "9500",
        "9500.01",
    ),
    (
        "account-daily-loss",
        RiskLimits(account=AccountLimits(daily_loss_frac=D("0.05"), on_daily_loss="flatten")),
        "9500",
        "9500.01",
    ),
]


@pytest.mark.parametrize(("rule", "limits", "bad", "good"), ACCOUNT_CASES)
def test_a_broken_limit_of_the_account_closes_all_of_it_and_names_the_rule(rule, limits, bad, good):
    (found,) = forced_exits(limits, make_state(equity=D(bad), **HELD))
    assert (found.rule, found.magic) == (rule, None)
    assert found.setting == next(known.setting for known in EXIT_RULES if known.name == rule)
    assert forced_exits(limits, make_state(equity=D(good), **HELD)) == []


def test_reduce_closes_nothing():
    limits = RiskLimits(
        account=AccountLimits(
            daily_loss=D(1), daily_loss_frac=D("0.001"), max_drawdown_frac=D("0.001"), on_drawdown="reduce"
        )
    )
    instances = {7: InstanceLimits(daily_loss=D(1))}
    state = make_state(equity=D(1), floating={7: D(-9999)}, **HELD)
    assert forced_exits(limits, state, instances) == []


def test_no_positions_outside_the_firms_hours():
    limits = RiskLimits(prop_firm=PropFirmLimits(flat_by=AFTERNOON))
    (found,) = forced_exits(limits, make_state(**HELD))
    assert (found.rule, found.scope, found.magic) == ("prop-flat-by", Scope.PROP_FIRM, None)
    inside = RiskLimits(prop_firm=PropFirmLimits(flat_by=SessionWindow(start="11:00", end="16:00")))
    assert forced_exits(inside, make_state(**HELD)) == []


def test_each_instance_is_closed_at_the_end_of_its_own_session():
    over = InstanceLimits(session=AFTERNOON, exit_at_session_end=True)
    stays = InstanceLimits(session=AFTERNOON)
    state = make_state(trades=(make_trade("t1"), make_trade("t2", magic=8, instance="beta")))
    assert [(found.rule, found.magic) for found in forced_exits(RiskLimits(), state, {7: over, 8: stays})] == [
        ("session-end", 7)
    ]


def test_an_instance_that_lost_too_much_today_is_closed_where_it_says_flatten():
    limits = InstanceLimits(daily_loss=D(100), on_daily_loss="flatten")
    state = make_state(floating={7: D(-100)}, **HELD)
    (found,) = forced_exits(RiskLimits(), state, {7: limits})
    assert (found.rule, found.scope, found.magic) == ("instance-daily-loss", Scope.INSTANCE, 7)
    assert forced_exits(RiskLimits(), replace(state, floating={7: D(-99)}), {7: limits}) == []


def test_the_account_goes_before_its_instances():
    limits = RiskLimits(account=AccountLimits(max_drawdown_frac=D("0.2")))
    over = InstanceLimits(session=AFTERNOON, exit_at_session_end=True)
    assert [found.rule for found in forced_exits(limits, make_state(equity=D(1), **HELD), {7: over})] == ["drawdown"]


def test_nothing_is_closed_when_nothing_of_ours_is_open_or_ordered():
    limits = RiskLimits(account=AccountLimits(max_drawdown_frac=D("0.2")))
    assert forced_exits(limits, make_state(equity=D(1))) == []
    foreign = make_trade("foreign-1", magic=0, instance="")
    assert forced_exits(limits, make_state(equity=D(1), trades=(foreign,))) == []


def test_a_working_order_is_reason_enough_to_flatten():
    limits = RiskLimits(account=AccountLimits(max_drawdown_frac=D("0.2")))
    working = make_order(make_intent(), state=OrderState.WORKING)
    assert len(forced_exits(limits, make_state(equity=D(1), orders=(working,)))) == 1


def test_halted_means_that_not_even_this_closes():
    limits = RiskLimits(account=AccountLimits(max_drawdown_frac=D("0.2")))
    over = InstanceLimits(session=AFTERNOON, exit_at_session_end=True)
    assert forced_exits(limits, make_state(equity=D(1), trading_state=TradingState.HALTED, **HELD)) == []
    halted = make_state(instance_states={"alpha": TradingState.HALTED}, **HELD)
    assert forced_exits(RiskLimits(), halted, {7: over}) == []


def test_every_exit_rule_has_a_test_here_and_says_what_it_protects_from():
    tested = {rule for rule, *_ in ACCOUNT_CASES} | {"prop-flat-by", "session-end", "instance-daily-loss"}
    assert {rule.name for rule in EXIT_RULES} == tested
    assert all(rule.protects_from and rule.setting for rule in EXIT_RULES)


def test_the_floor_of_the_maximum_loss_trails_the_end_of_day_and_may_stop_at_the_start():
    day = make_day(peak_day_end_balance=D(13_000))
    trailing = RiskLimits(prop_firm=PropFirmLimits(maximum_loss_limit=D(2000)))
    stopped = RiskLimits(prop_firm=PropFirmLimits(maximum_loss_limit=D(2000), floor_stops_at_start=True))
    state = make_state(day=day, equity=D(11_100), **HELD)
    assert [found.rule for found in forced_exits(trailing, state)] == ["prop-maximum-loss"]
    assert forced_exits(stopped, state) == []


@pytest.mark.parametrize(
    ("changes", "units"),
    [
        ({"risk_frac": D("0.01"), "stop_loss": D("1.0900")}, "10000"),  # 100 / (ask 1.1000 - 1.0900)
        ({"risk_frac": D("0.01"), "side": "sell", "stop_loss": D("1.1099")}, "10000"),  # bid 1.0999
        ({"risk_frac": D("0.01"), "order_type": "limit", "price": D("1.095"), "stop_loss": D("1.09")}, "20000"),
        ({"units": D("1234.9")}, "1234"),
        ({"risk_frac": D("0.01"), "instrument": "AUD/USD", "stop_loss": D("0.6")}, "0"),  # no quote
    ],
)
def test_units_are_resolved_at_the_price_the_gate_judges(changes, units):
    assert resolve_units(make_state(), make_intent(**changes)) == D(units)
