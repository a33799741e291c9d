"""Every built-in strategy at once through worker, gateway and paper account: the event engine trades the same, and any
recorded day runs again to the same decisions until somebody alters a bar."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from atrader.clock import NS_PER_S, parse_time
from data_layer.offline import open_market
from manager.rerun.diff import replay_diff as day_again
from research.events.result import Result
from tests.support.books import check_books
from tests.support.direct_run import gist, gist_of_row
from tests.support.every_strategy import NAMES, STORED, again_of, instance_text, play_all
from tests.support.fleet import Fleet
from tests.support.replays import TOOLS, write_bars

DAY = "2013-02-07"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Give the installation in which every strategy traded for a week; it is stopped."""
    path = tmp_path_factory.mktemp("market") / "usdjpy.csv"
    write_bars(path, first=STORED)
    fleet = Fleet(tmp_path_factory.mktemp("every") / "home")
    try:
        play_all(fleet, {name: instance_text(name, magic) for magic, name in enumerate(NAMES, start=1)}, path)
        check_books(fleet)
        yield fleet
    finally:
        fleet.end()


@pytest.fixture(scope="module")
def again(live: Fleet) -> Result:
    """Give what the event engine makes of the same week."""
    return again_of(live)


@pytest.fixture(scope="module")
def recorded(live: Fleet) -> list[dict[str, Any]]:
    """Give the trades of the fleet."""
    return live.history("trades")


@pytest.mark.parametrize("name", NAMES)
def test_the_event_engine_trades_as_worker_gateway_and_paper_account_do(
    name: str, recorded: list[dict[str, Any]], again: Result
) -> None:
    rows = [row for row in recorded if row["instance"] == name]
    trades = [trade for trade in again.trades if trade.instance == name]
    assert rows, "nothing was traded: give it parameters in QUICK"
    assert sorted(map(gist, trades)) == sorted(map(gist_of_row, rows))
    reasons = {trade.trade_id: trade.close_reason for trade in trades}
    assert reasons == {row["trade_id"]: row["close_reason"] for row in rows}


def test_stops_that_trail_ended_trades_of_the_fleet(recorded: list[dict[str, Any]]) -> None:
    trailed = {row["instance"] for row in recorded if row["close_reason"] == "trailing-stop"}
    assert {"ema-cross", "rsi"} <= trailed


def replay_diff(fleet: Fleet, name: str, *words: str, code: int = 0) -> Mapping[str, Any]:
    done = fleet.command("replay-diff", name, "--day", DAY, *words, "--json", program=TOOLS)
    assert done.returncode == code, (done.stdout, done.stderr)
    answer: Mapping[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_day_runs_again_to_the_same_decisions_fills_and_exits(name: str, live: Fleet) -> None:
    answer = day_again(live.home, name, parse_time(DAY))
    assert (answer.comparison.difference, answer.bars) == (None, [])
    assert answer.comparison.intents > 0


def test_the_command_says_that_a_day_is_the_same(live: Fleet) -> None:
    answer = replay_diff(live, "sma-cross")
    assert (answer["same"], answer["causes"], answer["changed_bars"]) == (True, [], [])
    assert answer["compared"]["trades"] > 1


def test_other_parameters_are_named(live: Fleet) -> None:
    path = live.home.etc / "strategies" / "sma-cross.toml"
    before = path.read_text()
    path.write_text(before.replace("slow = 12", "slow = 15"))
    try:
        answer = replay_diff(live, "sma-cross", "--as-configured", code=1)
        assert replay_diff(live, "sma-cross")["same"], "it runs with the parameters of then"
    finally:
        path.write_text(before)
    assert ("parameters", "slow was 12, is 15") in [(cause["kind"], cause["text"]) for cause in answer["causes"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rsi", "--day", "2012-12-24"), "nothing is recorded of its worker up to 2012-12-25T00:00:00Z"),
        (
            ("rsi", "--day", "2013-02-20"),
            "handled no bar on that day; the last ended 2013-02-08T22:00:00Z. A life that",
        ),
        (("nobody", "--day", DAY), "no instance 'nobody'"),
    ],
)
def test_a_day_of_which_nothing_is_known_is_refused(live: Fleet, words: tuple[str, ...], said: str) -> None:
    done = live.command("replay-diff", *words, program=TOOLS)
    assert done.returncode == 64
    assert said in done.stderr


def test_a_bar_that_was_altered_afterwards_is_named_as_the_cause(live: Fleet, tmp_path: Path) -> None:
    """The last of all: the store is another one afterwards."""
    signals = [row for row in live.history("signals") if row["instance"] == "sma-cross" and row["time"] > DAY]
    moment = parse_time(signals[2]["time"]) - 1800 * NS_PER_S
    with open_market(live.home) as stored:
        row = stored.bars("USD/JPY", "30m", start_ns=moment, end_ns=moment + 1).row(0)
    path = tmp_path / "altered.csv"
    shift = 5.0 if signals[2]["value"] < 0 else -5.0
    names = ("open", "high", "low", "close", "ask_open", "ask_high", "ask_low", "ask_close")
    values = {name: getattr(row, name) + shift for name in names}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["timestamp", *names])
        writer.writerow([moment, *(round(value, 3) for value in values.values())])
    done = live.command("data", "import", str(path), "--instrument", "USD/JPY", "--timeframe", "30m", program=TOOLS)
    assert done.returncode == 0, done.stderr
    answer = replay_diff(live, "sma-cross", code=1)
    assert not answer["same"]
    assert [(cause["kind"], parse_time(cause["bar"])) for cause in answer["causes"]] == [("revised-bar", moment)]
    assert parse_time(answer["difference"]["time"]) == moment + 1800 * NS_PER_S
    shown = live.command("replay-diff", "sma-cross", "--day", DAY, program=TOOLS)
    lines = shown.stdout.splitlines()
    assert lines[1] == "  begins before the day, where its worker had started: what it knew and held comes from there"
    assert lines[2].startswith("  compared: ")
    assert " (what the strategy told of itself), decided on the bar of 2013-02-" in lines[3]
    assert lines[4].startswith("    then     signal=")
    assert lines[-1].startswith("  why - revised-bar: the bar of")
