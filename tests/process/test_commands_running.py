"""Commands on a running fleet: one that all tests look at, and one each for those that stop and start processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from atrader.bus import close_context
from atrader.clock import parse_time
from atrader.exit_codes import ExitCode
from tests.support.fleet import START_S, Fleet, gone, wait_for
from tests.support.typed import SCRIPTS, Done, type_command

TALKER = '''
"""Records a signal with each trade it opens, and closes at the next quote."""

from decimal import Decimal

from atrader.strategy import EventStrategy


class Talker(EventStrategy):
    def on_tick(self, tick):
        if self.context.orders():
            return
        trades = self.context.trades()
        if trades:
            self.context.close(trades[0].trade_id)
        else:
            self.context.signal("open", 1.0, bid=tick.bid)
            self.context.order("buy", units=Decimal(1000))
'''

NUMBER = (int, float)
PROCESS_KEYS: dict[str, Any] = {
    "name": str,
    "kind": str,
    "state": str,
    "pid": (int, type(None)),
    "restarts": int,
    "beat_age_s": (*NUMBER, type(None)),
    "progress_age_s": (*NUMBER, type(None)),
    "uss_bytes": (int, type(None)),
    "cpu_percent": (*NUMBER, type(None)),
    "trading_state": (str, type(None)),
}
TRADE_PROMISE = (
    *("magic", "instance", "account", "instrument", "side", "units", "open_time", "open_price", "close_time"),
    *("close_price", "profit", "commission", "swap", "state"),
)


def write_talkers(fleet: Fleet) -> Fleet:
    """Write two instances that trade on every quote; these are few: a fleet works as long as somebody looks at it."""
    fleet.write_fleet(ticks=4.0)
    fleet.write_account()
    (fleet.home.root / "strategies" / "talker.py").write_text(TALKER)
    for number, name in ((1, "ann"), (2, "bob")):
        fleet.write_instance(name, number, strategy="strategies/talker.py:Talker", text=Fleet.unlimited())
    return fleet


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Give the fleet that tests look at; none of them may stop a process of it."""
    fleet = write_talkers(Fleet(tmp_path_factory.mktemp("shared") / "home"))
    try:
        fleet.start()
        wait_for(lambda: len(fleet.history("trades")) >= 2, "trades")
        yield fleet
        assert fleet.stop() == 0
        wait_for(lambda: not fleet.survivors(), "helpers of the interpreter to end after it")
    finally:
        fleet.end()
        close_context()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Fleet]:
    """Give a running fleet that a test may do anything with."""
    fleet = write_talkers(Fleet(tmp_path / "home"))
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.end()
        close_context()


def typed(fleet: Fleet, line: str, *more: object) -> Done:
    """Type a command in the fleet's directory."""
    return type_command(line, *more, cwd=fleet.home.root)


def row_of(fleet: Fleet, name: str) -> dict[str, Any]:
    """Return a process as `status --json` shows it."""
    rows = typed(fleet, "atrader-manager status --json").json["processes"]
    return next(row for row in rows if row["name"] == name)


# -- looking ------------------------------------------------------------------------------------------------------


def test_status_json_keeps_its_promise(shared: Fleet) -> None:
    status = typed(shared, "atrader-manager status --json").json
    assert status.keys() == {"manager", "processes", "accounts"}
    assert status["manager"].keys() == {"pid", "state", "uptime_s"}
    assert status["manager"]["pid"] == shared.manager_pid
    assert status["manager"]["state"] == "RUNNING"
    assert isinstance(status["manager"]["uptime_s"], NUMBER)
    assert [(row["name"], row["kind"]) for row in status["processes"]] == [
        *(("data-layer", "data-layer"), ("gateway-paper", "gateway")),
        *(("worker-ann", "worker"), ("worker-bob", "worker")),
    ]
    for row in status["processes"]:
        assert row.keys() == PROCESS_KEYS.keys()
        assert all(isinstance(row[key], kind) for key, kind in PROCESS_KEYS.items()), row
        assert row["state"] == "RUNNING"
        assert row["uss_bytes"] > 100_000
        assert row["trading_state"] == (None if row["kind"] == "data-layer" else "ACTIVE")
    [account] = status["accounts"]
    assert account.keys() == {"name", "balance", "equity", "proof"}
    assert account["name"] == "paper"
    assert account["proof"] == "holds"
    assert Decimal(str(account["balance"])) > 900_000
    assert Decimal(str(account["equity"])) > 900_000


def test_account_shows_what_its_gateway_knows_now(shared: Fleet) -> None:
    wait_for(lambda: shared.json("account", "paper")["watermark"], "a proof after the first trade")
    [listed] = typed(shared, "atrader-manager account --json").json
    row = typed(shared, "atrader-manager account paper --json").json
    assert row.keys() == listed.keys()
    assert (row["source"], row["online"], row["proof"], row["session"]) == ("gateway", True, "holds", "gateway")
    assert row["age_s"] < START_S
    assert Decimal(row["balance"]) > 900_000
    assert Decimal(row["equity"]) == Decimal(row["margin_used"]) + Decimal(row["margin_free"])
    assert row["watermark"] > 0
    text = typed(shared, "atrader-manager account paper").out
    assert all(word in text for word in ("paper", "hedging", "USD", "online", "proof holds", "margin free"))
    wrong = typed(shared, "atrader-manager account papre")
    assert wrong.code == ExitCode.CONFIG
    assert "did you mean 'paper'?" in wrong.err


def test_status_for_people_shows_every_process_and_account(shared: Fleet) -> None:
    done = typed(shared, "atrader-manager status")
    assert done.code == ExitCode.OK
    for word in ("data-layer", "gateway-paper", "worker-ann", "worker-bob", "RUNNING", "ACTIVE", "paper", "holds"):
        assert word in done.out


def test_logs_show_all_processes_in_the_order_of_time_or_one(shared: Fleet) -> None:
    lines = typed(shared, "atrader-manager logs --json -n 1000").json
    assert {line["process"] for line in lines} >= {"manager", "gateway-paper"}
    times = [parse_time(line["time"]) for line in lines]
    assert times == sorted(times)
    manager = typed(shared, "atrader-manager logs manager -n 5")
    assert len(manager.out.splitlines()) == 5
    unknown = typed(shared, "atrader-manager logs nobody")
    assert unknown.code == ExitCode.CONFIG
    assert "gateway-paper" in unknown.err


def test_history_json_keeps_its_promise(shared: Fleet) -> None:
    wait_for(lambda: [row for row in shared.history("trades") if row["state"] == "closed"], "a closed trade")
    trades = typed(shared, "atrader history trades --json").json
    for trade in trades:
        assert trade.keys() >= set(TRADE_PROMISE)
        assert trade["magic"] in (1, 2)
        assert (trade["account"], trade["instrument"]) == ("paper", "EUR/USD")
        assert trade["instance"] == {1: "ann", 2: "bob"}[trade["magic"]]
        assert trade["side"] in ("buy", "sell")
        assert trade["state"] in ("open", "closed")
        assert (trade["close_time"] is None) == (trade["state"] == "open")
        assert Decimal(trade["open_price"]) > 0
        assert parse_time(trade["open_time"]) > 0
        assert all(Decimal(trade[key]).is_finite() for key in ("profit", "commission", "swap"))
    closed = next(trade for trade in trades if trade["state"] == "closed")
    assert Decimal(closed["units"]) == 1000
    assert parse_time(closed["close_time"]) >= parse_time(closed["open_time"])
    assert Decimal(closed["close_price"]) > 0


def test_history_orders_fills_and_signals_have_what_tools_need(shared: Fleet) -> None:
    orders = typed(shared, "atrader history orders --json").json
    assert len({order["client_id"] for order in orders}) == len(orders) > 0
    for order in orders:
        assert order.keys() >= {"intent_id", "client_id", "broker_id", "state"}
    filled = [order for order in orders if order["state"] == "FILLED"]
    assert filled
    assert all(order["broker_id"] for order in filled)
    fills = typed(shared, "atrader history fills --json").json
    assert len({fill["fill_id"] for fill in fills}) == len(fills) > 0
    signal_row = typed(shared, "atrader history signals --json").json[0]
    assert signal_row["name"] == "open"
    assert signal_row["instance"] in ("ann", "bob")
    assert "bid" in signal_row["indicators"]


def test_history_is_narrowed_by_instance_state_and_number(shared: Fleet) -> None:
    of_ann = typed(shared, "atrader history trades --instance ann --state closed --limit 2 --json").json
    assert 0 < len(of_ann) <= 2
    assert {(trade["instance"], trade["state"]) for trade in of_ann} == {("ann", "closed")}
    assert typed(shared, "atrader history trades --magic 99 --json").json == []
    assert typed(shared, "atrader history trades --start yesterday").code == ExitCode.USAGE
    assert "ann" in typed(shared, "atrader history trades --limit 20").out


def test_history_shows_intents_statistics_and_csv(shared: Fleet) -> None:
    orders = typed(shared, "atrader history orders --json").json
    intents = typed(shared, "atrader history intents --json").json
    assert {row["client_id"] for row in intents} >= {row["client_id"] for row in orders}
    assert {row["action"] for row in intents} >= {"open", "close"}
    lines = typed(shared, "atrader history trades --state closed --csv").out.splitlines()
    assert lines[0].startswith("magic,instance,account,instrument,side,units,open_time")
    assert len(lines) > 1
    closed = len(typed(shared, "atrader history trades --state closed --json").json)
    of_account = typed(shared, "atrader history stats --by account --json").json
    assert of_account[0]["trades"] >= closed > 0
    assert of_account[0]["net"] == pytest.approx(
        of_account[0]["profit"] + of_account[0]["commission"] + of_account[0]["swap"], abs=1e-6
    )
    shown = typed(shared, "atrader history stats").out
    assert "instance ann on paper" in shown
    assert "win rate" in shown
    assert "no trades that fit the options" in typed(shared, "atrader history trades --magic 99").out
    assert typed(shared, "atrader history stats --magic 99").out == "no trades\n"


def test_doctor_and_check_work_beside_a_running_fleet(shared: Fleet) -> None:
    findings = {row["what"]: row for row in typed(shared, "atrader-manager doctor --json").json}
    assert str(shared.manager_pid) in findings["manager"]["text"]
    assert {row["level"] for what, row in findings.items() if what.endswith(".db")} == {"ok"}
    assert typed(shared, "atrader-manager check").code == ExitCode.OK


def test_data_is_imported_through_the_running_data_layer(shared: Fleet, tmp_path: Path) -> None:
    path = tmp_path / "gbpusd.csv"
    path.write_text("timestamp,open,high,low,close\n2023-02-01T10:00:00Z,1.2,1.3,1.1,1.25\n")
    [stored] = typed(shared, "atrader data import --timeframe 1m --json", path).json["imports"]
    assert (stored["instrument"], stored["rows"], stored["new"]) == ("GBP/USD", 1, 1)
    listed = typed(shared, "atrader data list --json").json
    assert [row["count"] for row in listed if (row["instrument"], row["timeframe"]) == ("GBP/USD", "1m")] == [1]
    assert "2023-02-01T10:00:00Z,1.2,1.3,1.1,1.25" in typed(shared, "atrader data export GBP/USD 1m").out


def test_a_second_start_is_refused_with_who_runs_the_directory(shared: Fleet) -> None:
    for line in ("atrader-manager start", "atrader-manager start --daemon"):
        refused = typed(shared, line)
        assert refused.code == ExitCode.LOCKED
        assert str(shared.manager_pid) in refused.err


def test_a_name_that_is_no_process_is_refused_with_those_there_are(shared: Fleet) -> None:
    for verb in ("start", "stop", "restart"):
        done = typed(shared, f"atrader-manager {verb} nobody")
        assert done.code == ExitCode.FAILURE
        assert "worker-ann" in done.err


def test_a_reload_without_a_change_touches_nothing(shared: Fleet) -> None:
    pids = {row["name"]: row["pid"] for row in typed(shared, "atrader-manager status --json").json["processes"]}
    assert typed(shared, "atrader-manager reload").code == ExitCode.OK
    rows = typed(shared, "atrader-manager status --json").json["processes"]
    assert {row["name"]: row["pid"] for row in rows} == pids


# -- what may be traded ---------------------------------------------------------------------------------------------


def file_of(fleet: Fleet) -> dict[str, Any]:
    """Return the trading-state file."""
    content: dict[str, Any] = json.loads(fleet.home.trading_states.read_text())
    return content


def trading_states(fleet: Fleet) -> dict[str, str]:
    """Return the trading state of each worker."""
    status = fleet.try_status() or {"processes": []}
    return {row["name"]: row["trading_state"] for row in status["processes"] if row["kind"] == "worker"}


@pytest.fixture
def resumed(shared: Fleet) -> Iterator[Fleet]:
    """Give the shared fleet, and let it trade again afterwards."""
    yield shared
    told = file_of(shared)
    for scope in ("fleet", *told["accounts"], *told["instances"]):
        typed(shared, "atrader-manager resume", scope)
    wait_for(lambda: set(trading_states(shared).values()) == {"ACTIVE"}, "all ACTIVE again")


def test_reduce_of_an_instance_lets_it_close_and_nothing_open(resumed: Fleet) -> None:
    told = typed(resumed, "atrader-manager reduce ann --reason news --json").json
    assert (told["scope"], told["state"]) == ("instance:ann", "REDUCING")
    assert file_of(resumed)["instances"]["ann"] == "REDUCING"
    wait_for(lambda: trading_states(resumed) == {"worker-ann": "REDUCING", "worker-bob": "ACTIVE"}, "ann to reduce")

    def reasons() -> list[str]:
        denied = typed(resumed, "atrader history orders --instance ann --state DENIED --json").json
        return [row["reason"] for row in denied]  # an open before the first price of a market is denied, too

    wait_for(lambda: any("trading-state" in reason for reason in reasons()), "an open that is denied as it reduces")
    assert typed(resumed, "atrader history trades --instance ann --state open --json").json == []


def test_halt_of_the_fleet_is_seen_by_every_worker_and_ends_with_resume(resumed: Fleet) -> None:
    assert typed(resumed, "atrader-manager halt").code == ExitCode.OK
    assert file_of(resumed)["fleet"] == "HALTED"
    wait_for(lambda: set(trading_states(resumed).values()) == {"HALTED"}, "all HALTED")

    def denied() -> int:
        return len(typed(resumed, "atrader history orders --state DENIED --json").json)

    known = denied()
    wait_for(lambda: denied() > known, "intents to be denied; what was filled before them is in the history by then")
    before = typed(resumed, "atrader history fills --json").json
    known = denied()
    wait_for(lambda: denied() > known, "more intents to be denied")
    assert typed(resumed, "atrader history fills --json").json == before
    assert typed(resumed, "atrader-manager resume").code == ExitCode.OK
    assert file_of(resumed)["fleet"] == "ACTIVE"
    wait_for(lambda: len(typed(resumed, "atrader history fills --json").json) > len(before), "trading to go on")


def test_flatten_of_an_account_closes_every_trade_of_it(resumed: Fleet) -> None:
    assert typed(resumed, "atrader-manager flatten account:paper --yes").code == ExitCode.OK
    assert file_of(resumed)["accounts"]["paper"] == "FLATTENING"
    wait_for(lambda: typed(resumed, "atrader history trades --state open --json").json == [], "no open trade")
    assert row_of(resumed, "gateway-paper")["trading_state"] == "FLATTENING"


def test_halt_holds_even_when_the_manager_does_not_answer(resumed: Fleet) -> None:
    pid = resumed.manager_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        told = typed(resumed, "atrader-manager halt")
        assert told.code == ExitCode.OK
        assert "did not answer" in told.out
        assert file_of(resumed)["fleet"] == "HALTED"
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: row_of(resumed, "gateway-paper")["trading_state"] == "HALTED", "the manager to show it")


def test_following_the_logs_shows_new_lines_until_ctrl_c(resumed: Fleet) -> None:
    command = [str(SCRIPTS / "atrader-manager"), "-C", str(resumed.home.root), "logs", "-f", "-n", "1", "manager"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as logs:
        try:
            assert logs.stdout is not None
            assert logs.stdout.readline()  # the newest line there is: from here on it follows
            assert typed(resumed, "atrader-manager halt paper").code == ExitCode.OK
            assert any("HALTED" in line for line in iter(logs.stdout.readline, ""))
        finally:
            logs.send_signal(signal.SIGINT)
        assert logs.wait(60) == 0


# -- stopping and starting --------------------------------------------------------------------------------------------


def test_stop_start_and_restart_of_a_name_touch_that_process_only(own: Fleet) -> None:
    others = {name: own.pid(name) for name in ("data-layer", "gateway-paper", "worker-bob")}
    first = own.pid("worker-ann")
    assert typed(own, "atrader-manager stop ann").code == ExitCode.OK
    stopped = row_of(own, "worker-ann")
    assert (stopped["state"], stopped["pid"]) == ("STOPPED", None)
    assert gone(first)
    assert typed(own, "atrader-manager start worker-ann").code == ExitCode.OK
    second = own.pid("worker-ann")
    assert second != first
    assert typed(own, "atrader-manager restart ann --json").json["lines"]
    third = row_of(own, "worker-ann")
    assert third["state"] == "RUNNING"
    assert third["pid"] not in (first, second)
    assert {name: own.pid(name) for name in others} == others
    assert own.stop() == 0


def test_stop_ends_the_fleet_and_returns_when_it_is_gone(own: Fleet) -> None:
    wait_for(lambda: own.history("trades"), "a trade")
    assert typed(own, "atrader-manager stop").code == ExitCode.OK
    own.reap()
    wait_for(lambda: not own.survivors(), "helpers of the interpreter to end after it")
    assert typed(own, "atrader-manager status").code == ExitCode.UNAVAILABLE
    assert typed(own, "atrader history trades --json").json
    assert typed(own, "atrader-manager logs -n 3").out.strip()


def test_reload_tells_by_its_exit_code_whether_the_new_configuration_runs(own: Fleet) -> None:
    assert typed(own, "atrader-manager reload").out == "nothing changed\n"
    (own.home.root / "strategies" / "broken.py").write_text("raise RuntimeError\n")
    own.write_instance("bob", 2, strategy="strategies/broken.py:Talker")
    failed = typed(own, "atrader-manager reload --json")
    assert failed.code == ExitCode.FAILURE
    assert json.loads(failed.out)["failed"] == ["worker-bob"]
    assert row_of(own, "worker-bob")["state"] == "RUNNING"  # the old one
    assert own.stop() == 0


AWAY = """
broker = "oanda"
[oanda]
environment = "practice"
account_id = "101-004-1234567-001"
token = "env:ATRADER_TEST_NOBODY_SETS_THIS"
"""


def test_start_daemon_returns_when_the_fleet_runs_and_says_what_does_not(tmp_path: Path) -> None:
    fleet = write_talkers(Fleet(tmp_path / "home"))
    try:
        for number, name in enumerate(("away", "gone"), start=1):
            text = AWAY.replace("001", f"00{number}")
            (fleet.home.etc / "accounts" / f"{name}.toml").write_text(text)
        configured = (fleet.home.etc / "atrader.toml").read_text()
        feed = "feed = 'none'\nprice_accounts = {'EUR/USD' = 'away'}"
        (fleet.home.etc / "atrader.toml").write_text(configured.replace("feed = 'synthetic'", feed))
        told = typed(fleet, "atrader-manager start --daemon")
        assert told.code == ExitCode.FAILURE
        assert "no variable ATRADER_TEST_NOBODY_SETS_THIS, which a secret refers to" in told.err
        assert "gateway-away FAILED" in told.err
        assert "gateway-gone FAILED" in told.err
        assert f"the rest goes on, in {fleet.home.root}" in told.err
        assert typed(fleet, "atrader-manager stop").code == ExitCode.OK
        wait_for(lambda: not fleet.survivors(), "the end of the daemon")
        for name in ("away", "gone"):
            (fleet.home.etc / "accounts" / f"{name}.toml").unlink()
        (fleet.home.etc / "atrader.toml").write_text(configured)
        assert typed(fleet, "atrader-manager start --daemon").code == ExitCode.OK
        status = typed(fleet, "atrader-manager status --json").json
        assert {row["state"] for row in status["processes"]} == {"RUNNING"}
        assert typed(fleet, "atrader-manager stop").code == ExitCode.OK
        wait_for(lambda: not fleet.survivors(), "the end of the daemon")
    finally:
        fleet.end()
        close_context()
