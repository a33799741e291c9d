"""Pure parts of the manager: exposure, on_down, reload, replay end, outbox, lock, ownership, exit codes."""

import json
import types
from pathlib import Path
from typing import Any

import pytest

from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.errors import BrokerUnavailable, ConfigError, InvariantBroken, StoreError, StrategyError
from atrader.exit_codes import ExitCode
from atrader.runtime.child import exit_code_of
from atrader.runtime.outbox_file import OutboxFile
from atrader.runtime.ownership import check_ownership
from manager.exposure import Exposures
from manager.liveness import Vitals
from manager.lock import owner_of, take_lock
from manager.on_down import DownWatch
from manager.plan import account_held, holder_of, plan
from manager.reload import Changes, compare
from manager.replay_end import settled
from manager.restart_policy import Exposure
from manager.strategy_files import fingerprint


def installation(**changes: Any) -> Installation:
    instance = {"strategy": "sma-cross", "account": "a", "instrument": "EUR/USD", "timeframe": "1m"}
    content: dict[str, Any] = {
        "home": "/nowhere",
        "fleet": {},
        "accounts": {name: {"name": name, "broker": "paper"} for name in ("a", "b")},
        "instances": {name: {"name": name, "magic": n, **instance} for n, name in enumerate(("i", "j"), 1)},
    }
    for path, value in changes.items():
        *parents, key = path.split("__")
        target = content
        for parent in parents:
            target = target[parent]
        if value is None:
            del target[key]
        else:
            target[key] = value
    return Installation.model_validate(content)


# -- plan and reload


def test_workers_need_their_gateway_and_everybody_needs_the_data_layer() -> None:
    needs = {name: process.needs for name, process in plan(installation(instances__j__account="b")).items()}
    assert needs == {
        "data-layer": (),
        "gateway-a": ("data-layer",),
        "gateway-b": ("data-layer",),
        "worker-i": ("data-layer", "gateway-a"),
        "worker-j": ("data-layer", "gateway-b"),
    }


def test_what_is_not_enabled_is_not_planned() -> None:
    planned = plan(installation(accounts__b__enabled=False, instances__j__enabled=False))
    assert set(planned) == {"data-layer", "gateway-a", "worker-i"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, Changes()),
        ({"instances__j__parameters": {"fast": 3}}, Changes(replace=("worker-j",))),
        ({"instances__j__process": {"beat_timeout": "9s"}}, Changes(replace=("worker-j",))),
        ({"instances__j__limits": {"max_open_trades": 1}}, Changes(configure=("a",))),
        ({"instances__j__trade": {"max_price_age": "10s"}}, Changes(configure=("a",))),  # the default, named
        ({"instances__j__on_down_after": "1s"}, Changes(configure=("a",))),
        ({"instances__j__backtest": {"hold_bars": 9}}, Changes()),
        ({"instances__j": None}, Changes(stop=("worker-j",), configure=("a",))),
        ({"instances__j__enabled": False}, Changes(stop=("worker-j",))),
        ({"instances__j__magic": 9}, Changes(replace=("worker-j",), configure=("a",))),
        # Account b never asked its broker for that instrument; a only lets go.
        (
            {"instances__j__account": "b"},
            Changes(replace=("worker-j",), configure=("a",), restart=("gateway-b",)),
        ),
        ({"instances__j__instrument": "EUR/GBP"}, Changes(replace=("worker-j",), restart=("gateway-a",))),
        ({"accounts__b__limits": {"max_open_trades": 1}}, Changes(configure=("b",))),
        ({"accounts__b__lost_after": "9s"}, Changes(configure=("b",))),
        ({"accounts__b__currency": "EUR"}, Changes(restart=("gateway-b",))),
        ({"accounts__b__positions": "netting"}, Changes(restart=("gateway-b",))),
        ({"accounts__b__order_timeout": "9s"}, Changes(restart=("gateway-b",))),  # adapters may have taken it
        ({"accounts__b": None}, Changes(stop=("gateway-b",))),
        ({"fleet__beat_interval": "2s"}, Changes(full_restart=("beat_interval",))),
        ({"fleet__stop_grace": "20s", "fleet__max_workers": 7}, Changes()),
    ],
)
def test_a_reload_touches_only_what_changed(change: dict[str, Any], expected: Changes) -> None:
    assert compare(installation(), installation(**change)) == expected


IN_WORKER: dict[str, Any] = {"accounts__a__session": "worker", "instances__j__account": "b"}
OTHER: dict[str, Any] = {
    "instances__i__enabled": False,
    "instances__k": {
        "name": "k",
        "magic": 9,
        "strategy": "sma-cross",
        "account": "a",
        "instrument": "EUR/USD",
        "timeframe": "1m",
    },
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, Changes()),
        ({"instances__i__limits": {"max_open_trades": 1}}, Changes(configure=("a",))),
        ({"accounts__a__limits": {"max_open_trades": 1}}, Changes(configure=("a",))),
        ({"accounts__a__currency": "EUR"}, Changes(replace=("worker-i",))),
        ({"instances__i__instrument": "EUR/GBP"}, Changes(replace=("worker-i",))),
        ({"instances__i__parameters": {"fast": 3}}, Changes(replace=("worker-i",))),
        # Two processes must never hold one session: who loses it ends before who gets it starts.
        ({"accounts__a__session": "gateway"}, Changes(stop=("worker-i",), start=("gateway-a", "worker-i"))),
        (OTHER, Changes(stop=("worker-i",), start=("worker-k",))),
        (
            {"instances__i__account": "b", "instances__j__account": "a"},
            Changes(stop=("worker-i", "worker-j"), start=("worker-i", "worker-j"), configure=("b",)),
        ),
    ],
)
def test_a_reload_of_an_account_whose_session_a_worker_holds(change: dict[str, Any], expected: Changes) -> None:
    assert compare(installation(**IN_WORKER), installation(**{**IN_WORKER, **change})) == expected


def test_a_session_that_goes_into_a_worker_leaves_its_gateway_first() -> None:
    before = installation(instances__j__account="b")
    assert compare(before, installation(**IN_WORKER)) == Changes(stop=("gateway-a", "worker-i"), start=("worker-i",))


def test_who_holds_the_session_of_an_account() -> None:
    here = installation(**IN_WORKER, accounts__c={"name": "c", "broker": "paper", "enabled": False})
    assert [holder_of(here, name) for name in ("a", "b", "c", "nobody")] == ["worker-i", "gateway-b", None, None]
    assert {name: account_held(here, process.kind, process.subject) for name, process in plan(here).items()} == {
        "data-layer": None,
        "gateway-b": "b",
        "worker-i": "a",
        "worker-j": None,
    }
    assert plan(here)["worker-i"].needs == ("data-layer",)


def test_a_worker_whose_strategy_file_changed_is_replaced_and_nobody_else() -> None:
    same = installation()
    assert compare(same, same, ["worker-j"]) == Changes(replace=("worker-j",))


def test_the_fingerprint_is_of_the_content_of_a_file_of_the_installation(tmp_path: Path) -> None:
    (tmp_path / "strategies").mkdir()
    path = tmp_path / "strategies" / "own.py"
    path.write_text("one = 1")
    before = fingerprint(tmp_path, "strategies/own.py:Own")
    path.write_text("one = 1")  # touched, not changed
    assert fingerprint(tmp_path, "strategies/own.py:Own") == before != ""
    path.write_text("one = 2")
    assert fingerprint(tmp_path, "strategies/own.py:Own") not in (before, "")
    for reference in ("strategies/gone.py:Own", "sma-cross", "package.module:Own"):
        assert fingerprint(tmp_path, reference) == ""


def test_an_account_hears_of_it_when_it_shall_bring_other_prices() -> None:
    oanda = {"account_id": "1-2-3-4", "token": "env:T"}
    market: dict[str, Any] = {
        "accounts__b": {"name": "b", "broker": "oanda", "oanda": oanda},
        "instances__j__instrument": "GBP/JPY",
    }
    before = installation(**market)
    assert compare(before, installation(**market, instances__j__enabled=False)) == Changes(
        stop=("worker-j",), configure=("b",)
    )


def test_an_account_whose_broker_told_all_its_instruments_takes_another_one_while_it_runs() -> None:
    oanda = {"account_id": "1-2-3-4", "token": "env:T"}
    account = {"accounts__a": {"name": "a", "broker": "oanda", "oanda": oanda}, "instances__j__enabled": False}
    before = installation(**account)
    after = installation(**account, instances__i__instrument="EUR/GBP")
    assert compare(before, after) == Changes(replace=("worker-i",), configure=("a",))


def test_new_accounts_start_before_the_workers_on_them() -> None:
    new = installation(
        accounts__c={"name": "c", "broker": "paper"},
        instances__k={
            "name": "k",
            "magic": 9,
            "strategy": "sma-cross",
            "account": "c",
            "instrument": "EUR/USD",
            "timeframe": "1m",
        },
    )
    assert compare(installation(), new) == Changes(start=("gateway-c", "worker-k"))
    assert compare(new, installation()) == Changes(stop=("gateway-c", "worker-k"))


# -- exposure


def test_exposure_is_what_the_gateway_said_lately() -> None:
    exposures = Exposures(max_age_s=3.0)
    assert exposures.of_instance(0.0, "a", "i") is Exposure.UNKNOWN
    exposures.record(0.0, "a", {"i": {"open_trades": 1, "live_orders": 0}, "j": {"open_trades": 0, "live_orders": 0}})
    assert exposures.of_instance(3.0, "a", "i") is Exposure.EXPOSED
    assert exposures.of_instance(3.0, "a", "j") is Exposure.FLAT
    assert exposures.of_instance(3.0, "a", "never-traded") is Exposure.FLAT
    assert exposures.of_account(3.0, "a") is Exposure.EXPOSED
    assert exposures.of_instance(3.1, "a", "j") is Exposure.UNKNOWN
    assert exposures.of_account(3.1, "a") is Exposure.UNKNOWN


def test_what_a_process_said_of_itself_holds_for_as_long_as_it_is_down() -> None:
    exposures = Exposures(max_age_s=3.0)
    assert exposures.last_of_instance("a", "i") is Exposure.UNKNOWN
    exposures.record(0.0, "a", {"i": {"open_trades": 1, "live_orders": 0}})
    assert exposures.last_of_instance("a", "i") is Exposure.EXPOSED
    exposures.record(0.0, "a", {"i": {"open_trades": 0, "live_orders": 0}})
    assert exposures.last_of_instance("a", "i") is Exposure.FLAT


def test_a_working_order_is_exposure() -> None:
    exposures = Exposures(max_age_s=3.0)
    exposures.record(0.0, "a", {"i": {"open_trades": 0, "live_orders": 2}})
    assert exposures.of_instance(0.0, "a", "i") is Exposure.EXPOSED


# -- on_down


def test_on_down_is_due_after_its_time_and_told_once() -> None:
    configs = list(installation(instances__i__on_down="flatten", instances__i__on_down_after="10s").instances.values())
    watch = DownWatch()
    for name in ("i", "j"):
        watch.down(name, 0.0)
    watch.down("i", 5.0)  # a second death in the same outage
    assert list(watch.due(configs, 9.9)) == []
    assert [down.config.name for down in watch.due(configs, 10.0)] == ["i"]  # j keeps its trades
    watch.told("i")
    assert list(watch.due(configs, 99.0)) == []
    watch.untold(["i"])
    assert [down.config.name for down in watch.due(configs, 99.0)] == ["i"]
    watch.up("i")
    assert list(watch.due(configs, 999.0)) == []


# -- replay end


@pytest.mark.parametrize(
    ("now_s", "worker", "lag", "expected"),
    [
        (15.0, Vitals(0.0, beat_s=14.5, progress_s=12.9), 0, True),
        (11.0, Vitals(0.0, beat_s=10.5, progress_s=5.0), 0, False),  # the end was told just now
        (15.0, Vitals(0.0, beat_s=14.5, progress_s=14.0), 0, False),  # still at work
        (15.0, Vitals(0.0, beat_s=9.0, progress_s=5.0), 0, False),  # silent since
        (15.0, Vitals(0.0, beat_s=14.5, progress_s=12.9), 3, False),  # history is not complete
    ],
)
def test_a_replay_is_over_when_all_that_it_brought_is_worked_in(
    now_s: float, worker: Vitals, lag: int, expected: bool
) -> None:
    gateway = (Vitals(0.0, beat_s=14.5), lag)
    assert settled(now_s, 10.0, 1.0, [worker], [gateway]) is expected


# -- outbox


def test_rows_stay_in_the_outbox_until_they_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "outbox.jsonl"
    outbox = OutboxFile(path)
    for n in range(3):
        outbox.append("events", n, {"text": str(n)})
    outbox.close()
    again = OutboxFile(path)
    assert [row.seq for row in again.rows] == [1, 2, 3]
    again.taken(2)
    assert [row.body["text"] for row in again.rows] == ["2"]
    again.taken(3)
    again.close()
    third = OutboxFile(path)
    assert third.rows == []
    third.append("alerts", 0, {})
    assert third.last_seq == 4
    third.close()


def test_a_torn_last_line_costs_only_that_line(tmp_path: Path) -> None:
    path = tmp_path / "outbox.jsonl"
    outbox = OutboxFile(path)
    outbox.append("events", 1, {"text": "whole"})
    outbox.close()
    with open(path, "a") as file:
        file.write('{"seq": 2, "table": "ev')
    again = OutboxFile(path)
    assert [row.body["text"] for row in again.rows] == ["whole"]
    again.close()


def test_rows_known_to_the_history_are_dropped(tmp_path: Path) -> None:
    outbox = OutboxFile(tmp_path / "outbox.jsonl")
    outbox.append("events", 1, {})
    outbox.close()
    again = OutboxFile(tmp_path / "outbox.jsonl")
    again.append("events", 2, {"text": "new"})
    again.reconcile(1)
    assert [(row.seq, row.body) for row in again.rows] == [(2, {"text": "new"})]
    again.close()


def test_numbers_never_repeat_after_the_outbox_was_lost(tmp_path: Path) -> None:
    outbox = OutboxFile(tmp_path / "outbox.jsonl")
    outbox.append("events", 1, {"text": "new"})
    outbox.reconcile(1000)
    assert [(row.seq, row.body) for row in outbox.rows] == [(1001, {"text": "new"})]
    assert json.loads((tmp_path / "outbox.jsonl").read_text().splitlines()[0]) == {"last_seq": 1001}
    outbox.close()


# -- lock


def test_only_one_manager_gets_the_lock_and_the_other_learns_whose_it_is(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert owner_of(home) is None
    lock = take_lock(home)
    with pytest.raises(ConfigError, match=rf"{tmp_path} is in use by manager \(pid \d+, since 20"):
        take_lock(home)
    lock.release()
    assert owner_of(home) is None
    take_lock(home).release()


# -- runtime


def test_a_foreign_module_of_our_name_is_refused_by_its_file() -> None:
    foreign = types.ModuleType("worker")
    foreign.__file__ = "/usr/lib/worker.py"
    ours = types.ModuleType("manager")
    ours.__distribution__ = "atrader-platform"  # type: ignore[attr-defined]
    check_ownership({"manager": ours, "json": json})
    with pytest.raises(ConfigError, match=r"/usr/lib/worker\.py"):
        check_ownership({"manager": ours, "worker": foreign})


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), ExitCode.CONFIG),
        (ConfigError("x", details={"exit_code": "AUTH"}), ExitCode.AUTH),
        (ConfigError("x", details={"exit_code": "nonsense"}), ExitCode.CONFIG),
        (BrokerUnavailable("x", details={"exit_code": "BROKER_MAINTENANCE"}), ExitCode.BROKER_MAINTENANCE),
        (InvariantBroken("x"), ExitCode.INVARIANT),
        (StrategyError("x"), ExitCode.STRATEGY),
        (StoreError("x"), ExitCode.STORE),
        (MemoryError(), ExitCode.MEMORY),
        (KeyError("x"), ExitCode.FAILURE),
    ],
)
def test_each_error_ends_a_process_with_its_code(error: Exception, code: ExitCode) -> None:
    assert exit_code_of(error) is code
