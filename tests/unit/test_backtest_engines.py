"""Which engine runs a backtest: the vector engine where it gives the same; why not is said, and what to do about it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from pydantic import ValidationError

from atrader.configuration.account import AccountConfig
from atrader.errors import ConfigError
from atrader.instruments import Instrument
from atrader.market import Bars
from atrader.strategy import Signals
from manager.backtests.engines import Ran, run_plan
from manager.backtests.files import save
from manager.backtests.filling import rules_for
from manager.backtests.request import Request
from manager.commands.engine_options import CONVENTION_NAMES, engine_options, filling_of
from research.events.plan import Plan
from research.reports import Saved
from research.vector import CONVENTIONS, Rules, Target
from tests.support.event_runs import account_of, instance_of, plan_of, random_bars
from tests.support.vector_runs import essence
from worker.strategies.sma_cross import SmaCross

EQUAL: dict[str, Any] = {"paper": {"slippage_pips": 0}}
BARS = random_bars(5, 500, 1.09, 1e-5)


def setup(account: dict[str, Any] | None = None, **parameters: Any) -> tuple[Plan, Request]:
    config = instance_of(strategy="sma-cross")
    wanted = {"fast": 3, "slow": 9, "atr_period": 2, "stop_atr": 2, **parameters}
    of: AccountConfig = account_of(**(EQUAL if account is None else account))
    plan = plan_of(of, [(config, SmaCross(SmaCross.Parameters.model_validate(wanted)))], {("EUR/USD", "1m"): BARS})
    request = Request(root="/", account=of, instances=(config,), start_ns=None, end_ns=None, quotes=None)
    return plan, request


def saved_of(folder: Path, plan: Plan, request: Request) -> Saved:
    return save(folder, request, plan, run_plan(plan, request), took_s=0.5)


def test_a_run_of_either_engine_is_kept_with_the_same_contents(tmp_path: Path) -> None:
    plan, request = setup()
    vector = saved_of(tmp_path, plan, request)
    events = saved_of(tmp_path, plan, replace(request, engine="events"))
    assert (vector.summary["engine"], events.summary["engine"]) == ("vector", "events")
    assert vector.details() == events.details()
    assert len(vector.trades()) > 10
    own = {"engine", "made", "folder", "identity_sha256", "digests"}
    assert vector.summary.keys() == events.summary.keys()
    assert [key for key, value in events.summary.items() if vector.summary[key] != value and key not in own] == []


def test_a_result_is_told_with_all_its_figures_before_it_is_written(tmp_path: Path) -> None:
    plan, request = setup()
    known: list[tuple[Saved, list[str]]] = []
    kept = save(
        tmp_path,
        request,
        plan,
        run_plan(plan, request),
        0.5,
        told=lambda saved: known.append((saved, [one.name for one in saved.folder.iterdir()])),
    )
    ((told, files),) = known
    assert files == []
    written = {key: kept.summary[key] for key in ("files", "digests")}
    assert {**told.summary, **written} == kept.summary
    assert {one.name for one in kept.folder.iterdir()} == set(kept.summary["files"])


@pytest.mark.parametrize(
    ("account", "said"),
    [
        ({**EQUAL, "limits": {"max_drawdown_frac": "0.1"}}, "limits.max_drawdown_frac"),
        ({"paper": {"slippage_pips": 0, "partial_fill_share": 0.2}}, "paper.partial_fill_share"),
        ({**EQUAL, "positions": "netting"}, "positions = 'netting'"),
        ({**EQUAL, "trade": {"price_band_frac": "0.0001"}}, "trade.price_band_frac"),
        ({**EQUAL, "currency": "CHF"}, "USD is converted to CHF"),
    ],
)
def test_what_the_vector_engine_would_do_otherwise_is_left_to_the_event_engine_and_said(
    account: dict[str, Any], said: str
) -> None:
    plan, request = setup(account)
    if "currency" in account:
        rates = random_bars(6, 500, 0.9, 1e-5)
        more = plan_of(request.account, [], {("USD/CHF", "1m"): rates}).tapes
        plan = replace(plan, tapes=[*plan.tapes, *more])
    ran: Ran = run_plan(plan, request)
    assert ran.engine == "events"
    assert said in str(ran.not_vector)


def test_an_engine_that_is_asked_for_and_cannot_do_it_is_an_error_with_key_and_remedy() -> None:
    plan, request = setup({**EQUAL, "limits": {"max_open_trades": 3}})
    with pytest.raises(ConfigError, match=r"limits.max_open_trades \(--without-limits leaves them out\)"):
        run_plan(plan, replace(request, engine="vector"))
    with pytest.raises(ConfigError, match=r"--convention, .* limits.max_open_trades"):
        run_plan(plan, replace(request, rules=Rules(convention=CONVENTIONS["vectorbt"])))
    with pytest.raises(ConfigError, match="need --engine vector"):
        run_plan(plan, replace(request, engine="events", rules=Rules(hold_bars=3)))


def test_slippage_is_drawn_as_the_paper_account_draws_it() -> None:
    plan, request = setup({"paper": {"slippage_pips": 1}})
    ran = run_plan(plan, request)
    assert ran.engine == "vector"
    events = run_plan(plan, replace(request, engine="events")).findings
    assert [essence(one) for one in ran.findings.trades] == [essence(one) for one in events.trades]
    exact = run_plan(*setup()).findings.trades
    slips = {abs(one.open_price - other.open_price) for one, other in zip(ran.findings.trades, exact, strict=True)}
    assert len(slips) > 5, "each order has its own"
    assert max(slips) <= Decimal("0.0001")


def test_slippage_is_taken_at_its_worst_by_the_conventions_of_other_engines() -> None:
    rules = Rules(convention=CONVENTIONS["next-open"])
    plan, request = setup({"paper": {"slippage_pips": 1}})
    slipped = run_plan(plan, replace(request, rules=rules)).findings
    exact = run_plan(setup()[0], replace(request, rules=rules)).findings
    one, other = slipped.trades[0], exact.trades[0]
    assert abs(one.open_price - other.open_price) == Decimal("0.0001")


def test_other_conventions_fill_otherwise_and_say_so(tmp_path: Path) -> None:
    plan, request = setup()
    usual = run_plan(plan, request).findings
    there = replace(request, rules=Rules(convention=CONVENTIONS["next-open"], hold_bars=2))
    findings = run_plan(plan, there).findings
    assert [trade.open_time_ns for trade in findings.trades] != [trade.open_time_ns for trade in usual.trades]
    assert any(trade.close_reason == "time exit" for trade in findings.trades)
    convention = saved_of(tmp_path, plan, there).summary["convention"]
    assert "next open" in convention
    assert "after 2 decisions" in convention


def rules_said(*words: str, **table: Any) -> Rules:
    """Return what a command line says of how orders fill, beside the table [backtest] of a file."""
    said: list[Rules] = []

    @click.command
    @engine_options
    def command(**options: Any) -> None:
        config = instance_of(backtest=table) if table else instance_of()
        said.append(rules_for([config], filling_of(options)))

    command.main([*words], standalone_mode=False)
    return said[0]


def test_targets_close_shares_of_trades_at_multiples_of_their_risk(tmp_path: Path) -> None:
    plan, request = setup()
    whole = replace(request, rules=rules_said("--targets", "1.5:1"))
    reached = [one for one in run_plan(plan, whole).findings.trades if one.close_reason == "take-profit"]
    assert len(reached) > 3
    for one in reached:
        assert one.close_price is not None
        assert one.initial_stop is not None
        assert abs(one.close_price - one.open_price) == round(abs(one.open_price - one.initial_stop) * 3 / 2, 5)
    parts = replace(request, rules=rules_said("--targets", "1.5:0.5,2:0.25", "--break-even-after", "1"))
    saved = saved_of(tmp_path, plan, parts)
    assert saved.summary["engine"] == "vector"
    said = (
        "targets close 0.5 of a trade at 1.5 R, 0.25 of a trade at 2 R; after the first target the stop is at the entry"
    )
    assert said in saved.summary["convention"]
    assert len(saved.trades()) > len(reached)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--targets", "1"), "expected R:SHARE with commas between"),
        (("--targets", "1:0.5,2"), "expected R:SHARE with commas between"),
        (("--targets", "1:0.5,2:0.6"), "more than 1, the whole trade"),
        (("--targets", "2:0.1,1:0.1"), "must rise"),
        (("--targets", "nan:0.5"), "each needs r above 0"),
        (("--break-even-after", "1"), "counts --targets"),
        (("--targets", "1:0.5", "--break-even-after", "2"), "expected 0 to 1"),
        (("--entry", "limit"), "--entry 'limit': expected market, limit:PIPS or stop:PIPS"),
        (("--entry", "stop:-1"), "expected market, limit:PIPS or stop:PIPS"),
        (("--entry", "limit:nan"), "expected market, limit:PIPS or stop:PIPS"),
        (("--order-bars", "3"), "--order-bars is for entries that wait"),
    ],
)
def test_targets_that_mean_nothing_are_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        rules_said(*words)


def test_what_a_file_says_of_fills_counts_where_the_command_line_says_nothing() -> None:
    table = {"convention": "next-open", "hold_bars": 7, "targets": "1:0.5", "entry": "limit:2.5"}
    found = rules_said("--hold-bars", "3", "--stops-from", "next-bar", **table)
    expected = replace(CONVENTIONS["next-open"], protected_from="next-bar")
    assert found == Rules(
        convention=expected, hold_bars=3, targets=(Target(1.0, 0.5),), order_type="limit", away_pips=Decimal("2.5")
    )
    assert rules_said("--entry", "market", entry="limit:1", order_bars=3) == Rules()
    assert (
        rules_said("--entry", "market", "--convention", "paper", **{**table, "targets": "", "hold_bars": None})
        == Rules()
    )


def test_a_table_that_is_wrong_is_named_by_its_key_and_one_of_several_strategies_is_refused() -> None:
    config = instance_of(backtest={"most_trades": 2})
    for table, key in (({"entry": "limit:x"}, "entry"), ({"most_trades": 65}, "most_trades"), ({"fil": 1}, "fil")):
        with pytest.raises(ValidationError, match=rf"backtest\.{key}"):
            instance_of(backtest=table)
    with pytest.raises(ConfigError, match=r"one: its table \[backtest\] .* run them --apart"):
        rules_for([config, instance_of(name="other", magic=2)], {})


@pytest.mark.parametrize("name", sorted(CONVENTIONS))
@pytest.mark.parametrize(("option", "value"), [("fill", "close"), ("fill", "next-open"), ("inside", "quotes"),
                                               ("inside", "range"), ("stops_from", "entry")])  # fmt: skip
def test_one_part_of_any_convention_can_be_changed(name: str, option: str, value: str) -> None:
    said = rules_said("--convention", name, f"--{option.replace('_', '-')}", value).convention
    part = {"stops_from": "protected_from"}.get(option, option)
    assert getattr(said, part) == value
    others = {"fill", "inside", "protected_from"} - {part}
    assert all(getattr(said, other) == getattr(CONVENTIONS[name], other) for other in others)


@pytest.mark.parametrize("kind", ["limit", "stop"])
def test_entries_that_wait_fill_inside_of_later_bars_or_not_at_all(kind: str, tmp_path: Path) -> None:
    plan, request = setup()
    waiting = replace(request, rules=rules_said("--entry", f"{kind}:1.2", "--order-bars", "4"))
    found, market = run_plan(plan, waiting).findings, run_plan(plan, request).findings
    quotes = {one.created_ns: one.average_price or 0 for one in market.orders if one.intent.action == "open"}
    opened = [one for one in found.orders if one.intent.action == "open"]
    assert len(market.trades) > len(opened) > 5, "some were given up"
    for order in opened:
        assert order.intent.order_type == kind
        away = Decimal("0.00012") * (1 if (order.intent.side == "buy") == (kind == "stop") else -1)
        if order.created_ns in quotes:
            assert order.intent.price == quotes[order.created_ns] + away
        trade = next(one for one in found.trades if one.trade_id == order.client_id)
        waited = (order.created_ns <= BARS.open_time_ns) & (trade.open_time_ns > BARS.open_time_ns)
        assert order.created_ns <= trade.open_time_ns
        assert waited.sum() <= 4
        price, sign = order.intent.price or 0, 1 if order.intent.side == "buy" else -1
        assert trade.open_price == price if kind == "limit" else (trade.open_price - price) * sign >= 0
    saved = saved_of(tmp_path, plan, waiting)
    assert f"entries are {kind} orders that wait 1.2 pips" in saved.summary["convention"]
    assert "given up after 4 decisions" in saved.summary["convention"]


class NoStops(SmaCross):
    """Enters as a cross does, and names no stop."""

    def signals(self, bars: Bars, instrument: Instrument) -> Signals:
        found = super().signals(bars, instrument)
        return replace(found, stop_loss=None, risk_frac=None, units=np.full(len(bars), 1000.0))


def test_targets_of_trades_without_a_stop_are_refused_as_there_is_no_risk_to_multiply() -> None:
    plan, request = setup({**EQUAL, "trade": {"stop_required": False, "max_risk_frac": None}})
    ((config, strategy),) = plan.instances
    plan = replace(plan, instances=[(config, NoStops(strategy.parameters))])
    assert run_plan(plan, replace(request, rules=Rules(hold_bars=3))).findings.trades
    with pytest.raises(ConfigError, match="targets are multiples of the risk, and there are entries without a stop"):
        run_plan(plan, replace(request, rules=rules_said("--targets", "1:0.5")))


def test_the_names_of_conventions_on_the_command_line_are_those_there_are() -> None:
    assert tuple(CONVENTIONS) == CONVENTION_NAMES
