"""Replays at full speed through the real fleet: the same trades every time, whoever dies in between."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atrader.clock import NS_PER_S, parse_time
from atrader.configuration.loader import load_installation
from atrader.strategy import SignalStrategy
from broker_api.gateway.crash_points import CRASH_POINTS, VARIABLE
from data_layer.offline import open_market
from manager.rerun.diff import replay_diff
from research.events.tape import BarTape
from tests.support.books import check_books
from tests.support.direct_run import gist, gist_of_row, run_directly
from tests.support.event_runs import plan_of, run
from tests.support.fleet import Fleet, wait_for
from tests.support.replays import (
    BAR_NS,
    BRACKET,
    CROSS,
    STEPS,
    finish,
    steps_done,
    trades_of,
    wait_step,
    write_bars,
    write_replay,
)
from worker.loading import load_strategy, make_strategy

MakeFleet = Callable[[str], Fleet]
BOTH = {"cross": CROSS, "bracket": BRACKET}
REAL_DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the half-hour bars that all tests play."""
    path = tmp_path_factory.mktemp("market") / "usdjpy.csv"
    assert write_bars(path) == STEPS
    return path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, market: Path) -> list[dict[str, Any]]:
    """Give the trades of two workers over all bars when nothing happens to anybody."""
    fleet = Fleet(tmp_path_factory.mktemp("undisturbed") / "home")
    try:
        write_replay(fleet, BOTH, files=[market])
        fleet.launch()
        finish(fleet)
        check_books(fleet)
        return trades_of(fleet)
    finally:
        fleet.end()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, market: Path) -> Fleet:
    """Give the installation in which one worker, of a signal strategy, traded over all bars; it is stopped."""
    fleet = Fleet(tmp_path_factory.mktemp("alone") / "home")
    try:
        write_replay(fleet, {"cross": CROSS}, files=[market])
        fleet.launch()
        finish(fleet)
        return fleet
    finally:
        fleet.end()


def test_one_worker_trades_alike_in_two_homes(make_fleet: MakeFleet, market: Path, alone: Fleet) -> None:
    fleet = make_fleet("second")
    write_replay(fleet, {"cross": CROSS}, files=[market])
    fleet.launch()
    finish(fleet)
    assert trades_of(fleet) == trades_of(alone)


def test_a_replay_trades_as_the_driver_and_the_paper_engine_do_without_bus_gate_and_journal(alone: Fleet) -> None:
    installation = load_installation(alone.home.root)
    config = installation.instances["cross"]
    strategy = make_strategy(load_strategy(config.strategy, alone.home.root), config.parameters, "cross.toml")
    assert isinstance(strategy, SignalStrategy)
    with open_market(alone.home) as stored:
        bars = stored.bars(config.instrument, config.timeframe)
    trades = run_directly(strategy, config, installation.accounts["paper"], bars, BAR_NS)
    rows = trades_of(alone)
    assert {"signal exit", "stop-loss"} <= {row["close_reason"] for row in rows}, "too little happened"
    assert [gist(trade) for trade in trades] == [gist_of_row(row) for row in rows]


def check_event_engine(fleet: Fleet, rows: list[dict[str, Any]], **period: int) -> None:
    """Check that the event engine makes the same trades as a replay of the same installation and period did."""
    installation = load_installation(fleet.home.root)
    with open_market(fleet.home) as stored:
        series = {("USD/JPY", timeframe): stored.bars("USD/JPY", timeframe, **period) for timeframe in ("30m", "1h")}
    chosen = [
        (config, make_strategy(load_strategy(config.strategy, fleet.home.root), config.parameters, name))
        for name, config in installation.instances.items()
    ]
    result = run(plan_of(installation.accounts["paper"], chosen, series, "30m"))
    assert sorted(gist(trade) for trade in result.trades) == sorted(gist_of_row(row) for row in rows)
    reasons = [(trade.trade_id, trade.close_reason) for trade in result.closed]
    assert sorted(reasons) == sorted((row["trade_id"], row["close_reason"]) for row in rows if row["close_time"])


def test_the_event_engine_trades_as_a_replay_of_two_workers_does_one_of_them_on_quotes_and_longer_bars(
    market: Path, make_fleet: MakeFleet, undisturbed: list[dict[str, Any]]
) -> None:
    fleet = make_fleet("stored")
    write_replay(fleet, BOTH, files=[market])
    check_event_engine(fleet, undisturbed)


PROTECTED = """
from decimal import Decimal

from atrader.strategy import BaseParameters, EventStrategy


class Turn(BaseParameters):
    turn: int


class Protected(EventStrategy):
    Parameters = Turn

    def on_bar(self, bar):
        hour = bar.open_time_ns // 1_800_000_000_000 + self.parameters.turn
        sign, price = 1 if hour % 5 < 2 else -1, Decimal(repr(bar.close))
        if hour % 3 == 0:
            self.context.order(
                "buy" if sign > 0 else "sell",
                units=Decimal(1000 + hour % 7 * 100),
                stop_loss=price - sign * Decimal("0.04"),
                take_profit=price + sign * Decimal("0.06"),
                trailing_distance=Decimal("0.05") if hour % 2 else None,
            )
"""


def test_the_event_engine_trades_as_a_replay_on_a_netting_account_does_and_each_day_of_it_runs_again(
    market: Path, make_fleet: MakeFleet
) -> None:
    fleet = make_fleet("netting")
    frame = "strategy = 'protected.py:Protected'\naccount = 'paper'\ninstrument = 'USD/JPY'\ntimeframe = '30m'\n"
    instances = {f"turn-{n}": f"{frame}magic = {n}\nparameters.turn = {n}\n" for n in (1, 2)}
    period = "start = '2013-02-05'\nend = '2013-02-06T18:00:00Z'\n"
    write_replay(fleet, instances, files=[market], settings=period, positions="netting")
    (fleet.home.root / "protected.py").write_text(PROTECTED)
    fleet.start()
    wait_step(fleet, 30)
    fleet.wait_replaced("worker-turn-1", fleet.kill("worker-turn-1"))
    finish(fleet)
    rows = trades_of(fleet)
    check_event_engine(fleet, rows, start_ns=parse_time("2013-02-05"), end_ns=parse_time("2013-02-06T18:00:00Z"))
    protected = [row for row in rows if row["close_reason"] in ("stop-loss", "take-profit", "trailing-stop")]
    assert {row["close_reason"] for row in protected} == {"stop-loss", "take-profit", "trailing-stop"}
    third_ns = BAR_NS // 3
    assert {parse_time(row["close_time"]) % BAR_NS // third_ns for row in protected} >= {1, 2}  # inside of bars
    for name in instances:
        for day in ("2013-02-05", "2013-02-06"):
            answer = replay_diff(fleet.home, name, parse_time(day))
            assert answer.comparison.difference is None, f"{name}, {day}: {answer}"
            assert answer.comparison.intents > 5


@pytest.mark.parametrize("names", [("worker-cross", "worker-bracket"), ("gateway-paper",), ("data-layer",)])
def test_a_replay_goes_on_to_the_same_trades_when_a_process_is_killed(
    make_fleet: MakeFleet, market: Path, undisturbed: list[dict[str, Any]], names: tuple[str, ...]
) -> None:
    fleet = make_fleet("killed")
    write_replay(fleet, BOTH, files=[market])
    fleet.start()
    for step in (40, 85, 130):
        for later, name in enumerate(names):
            wait_step(fleet, step + 15 * later)
            fleet.wait_replaced(name, fleet.kill(name))
    assert steps_done(fleet) < STEPS, "the kills came too late to show anything"
    finish(fleet)
    check_books(fleet)
    assert trades_of(fleet) == undisturbed
    assert {trade["instance"] for trade in undisturbed} == set(BOTH)
    workers = [name.removeprefix("worker-") for name in names if name.startswith("worker-")]
    for name, day in itertools.product(workers, ("2013-02-05", "2013-02-08")):
        answer = replay_diff(fleet.home, name, parse_time(day))
        assert answer.comparison.difference is None, f"{day} runs again from the last life before it: {answer}"
        assert answer.comparison.intents > 0 or day == "2013-02-05"  # while the longer warm-up is not there


def test_a_replay_goes_on_to_the_same_trades_when_the_gateway_dies_at_every_step_of_an_order(
    make_fleet: MakeFleet, tmp_path: Path, market: Path, undisturbed: list[dict[str, Any]]
) -> None:
    markers = [tmp_path / point for point in CRASH_POINTS]
    fleet = make_fleet("dying")
    fleet.environment[VARIABLE] = ",".join(f"{marker.name}@{marker}" for marker in markers)
    write_replay(fleet, BOTH, files=[market])
    fleet.launch()
    for step in (50, 100, 150):
        wait_for(lambda: all(marker.exists() for marker in markers), "a death at every step", deadline_s=180.0)
        wait_step(fleet, step)
        for marker in markers:
            marker.unlink()
    finish(fleet)
    assert all(marker.exists() for marker in markers)
    check_books(fleet)
    assert trades_of(fleet) == undisturbed


def test_a_worker_told_to_stop_with_an_intent_in_hand_gets_its_turn_again(
    make_fleet: MakeFleet, tmp_path: Path, market: Path, undisturbed: list[dict[str, Any]]
) -> None:
    marker = tmp_path / "before-journal"
    marker.touch()
    fleet = make_fleet("stopped")
    fleet.environment[VARIABLE] = f"{marker.name}@{marker}"
    write_replay(fleet, BOTH, files=[market])
    settings = fleet.home.etc / "atrader.toml"
    settings.write_text(
        settings.read_text().replace("min_backoff = '10ms'\nmax_backoff = '50ms'", "min_backoff = '2s'")
    )
    fleet.start()
    workers = {name: fleet.pid(name) for name in ("worker-cross", "worker-bracket")}
    marker.unlink()
    wait_for(marker.exists, "a gateway that died with an intent", deadline_s=180.0, interval_s=0.002)
    for pid in workers.values():
        os.kill(pid, signal.SIGTERM)
    for name, pid in workers.items():
        fleet.wait_replaced(name, pid)
    finish(fleet)
    logs = "".join((fleet.home.log / f"{name}.log").read_text() for name in workers)
    assert logs.count("not-handed-over") == 1, "no worker was stopped with an intent in hand"
    check_books(fleet)
    assert trades_of(fleet) == undisturbed


def test_a_replay_goes_on_to_the_same_trades_when_the_manager_is_killed(
    make_fleet: MakeFleet, market: Path, undisturbed: list[dict[str, Any]]
) -> None:
    fleet = make_fleet("killed")
    write_replay(fleet, BOTH, files=[market])
    fleet.start()
    wait_step(fleet, 100)
    fleet.end()
    assert 100 <= steps_done(fleet) < STEPS
    fleet.launch()
    finish(fleet)
    check_books(fleet)
    assert trades_of(fleet) == undisturbed


WISHER = """
from decimal import Decimal

from atrader.strategy import EventStrategy


class Wisher(EventStrategy):
    def on_start(self):
        if not self.context.state.get("wished"):
            self.context.state["wished"] = True
            self.context.order("buy", units=Decimal(1000), reason="at the start")
"""
LATE = """
import pathlib
import time

from atrader.strategy import EventStrategy


class Late(EventStrategy):
    def on_start(self):
        while not pathlib.Path({gate!r}).exists():
            time.sleep(0.01)
"""


def test_what_a_worker_wanted_before_a_replay_began_is_done_when_it_is_stopped_first(
    make_fleet: MakeFleet, market: Path, tmp_path: Path
) -> None:
    fleet, gate = make_fleet("stopped"), tmp_path / "gate"
    frame = "account = 'paper'\ninstrument = 'USD/JPY'\ntimeframe = '1h'\n[process]\nstop_grace = '500ms'\n"
    instances = {
        "wisher": f"strategy = 'strategies/wisher.py:Wisher'\nmagic = 1\n{frame}",
        "late": f"strategy = 'strategies/late.py:Late'\nmagic = 2\n{frame}",
    }
    write_replay(fleet, instances, files=[market], settings="start = '2013-02-05'\nend = '2013-02-06'\n")
    (fleet.home.root / "strategies").mkdir(exist_ok=True)
    (fleet.home.root / "strategies" / "wisher.py").write_text(WISHER)
    (fleet.home.root / "strategies" / "late.py").write_text(LATE.format(gate=str(gate)))
    fleet.launch()
    notes = fleet.home.checkpoint("wisher").with_suffix(".notes")
    wait_for(lambda: notes.exists() and notes.stat().st_size > 0, "the wish to be noted")
    wait_for(lambda: fleet.process("worker-wisher").get("state") == "RUNNING", "the worker to wait for its turn")
    fleet.stop()
    gate.touch()
    fleet.launch()
    finish(fleet)
    found = [(order["magic"], order["action"]) for order in fleet.history("orders")]
    assert found == [(1, "open")]  # handed over once; what the gate says of its age is another matter


def test_a_replay_at_ten_thousand_times_real_time_runs_to_its_end(make_fleet: MakeFleet, market: Path) -> None:
    fleet = make_fleet("paced")
    settings = "speed = 10000\nstart = '2013-02-05'\nend = '2013-02-05T12:00:00Z'\n"
    write_replay(fleet, BOTH, files=[market], settings=settings)
    fleet.launch()
    finish(fleet)
    assert steps_done(fleet) == 24


def test_a_replay_of_nothing_says_what_is_missing_and_where_to_look(make_fleet: MakeFleet) -> None:
    fleet = make_fleet("empty")
    write_replay(fleet, BOTH)
    fleet.launch()
    wait_for(lambda: fleet.process("data-layer").get("state") == "FAILED", "the data layer to give up")
    assert fleet.stop() == 0
    assert "nothing to replay: no bars of USD/JPY (30m) are stored for the period; see 'atrader data list'" in (
        (fleet.home.log / "data-layer.log").read_text()
    )


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the shared market data are not here")
def test_a_day_of_real_minutes_gives_the_same_trades_twice(make_fleet: MakeFleet) -> None:
    files = [REAL_DATA / f"usdjpy-m1-{side}-2013.csv" for side in ("bid", "ask")]
    cross = CROSS.replace("'30m'", "'5m'")
    seen = []
    for name in ("first", "second"):
        fleet = make_fleet(name)
        settings = "start = '2013-02-05'\nend = '2013-02-06'\n"
        write_replay(fleet, {"cross": cross}, files=files, timeframe="1m", settings=settings)
        fleet.launch()
        finish(fleet)
        seen.append(trades_of(fleet))
        check_books(fleet)
    assert seen[0] == seen[1]
    installation = load_installation(fleet.home.root)
    config = installation.instances["cross"]
    strategy = make_strategy(load_strategy(config.strategy, fleet.home.root), config.parameters, "cross.toml")
    with open_market(fleet.home) as stored:
        period = {"start_ns": parse_time("2013-02-05"), "end_ns": parse_time("2013-02-06")}
        played = BarTape("USD/JPY", stored.bars("USD/JPY", "1m", **period), 60 * NS_PER_S)
        series = {("USD/JPY", "5m"): stored.bars("USD/JPY", "5m", end_ns=period["end_ns"])}
    result = run(plan_of(installation.accounts["paper"], [(config, strategy)], series, tapes=[played]))
    assert [gist(trade) for trade in result.trades] == [gist_of_row(row) for row in seen[0]]
