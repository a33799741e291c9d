"""``atrader backtest`` on a real store: what it says, what it keeps, what it refuses; the C library in its process."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from atrader.clock import NS_PER_S, parse_time
from atrader.exit_codes import ExitCode
from research.reports import load
from tests.support.asirikuy import standin_tester
from tests.support.asirikuy_fleet import METRONOME, PAIR, TOOLS, AsirikuyFleet
from tests.support.fleet import Fleet
from tests.support.replays import CROSS, write_bars, write_replay

MINUTE_NS = 60 * NS_PER_S
BEGIN = "2024-06-04T00:00:00Z"
PERIOD = 8


def backtest(fleet: Fleet, *arguments: str) -> list[dict[str, Any]]:
    done = fleet.command("backtest", *arguments, "--json", program=TOOLS)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def refusal(fleet: Fleet, *arguments: str) -> str:
    done = fleet.command("backtest", *arguments, program=TOOLS)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def yen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Give an installation with half-hours of USD/JPY and one instance."""
    fleet = Fleet(tmp_path_factory.mktemp("yen") / "home")
    path = tmp_path_factory.mktemp("market") / "usdjpy.csv"
    write_bars(path)
    write_replay(fleet, {"cross": CROSS}, files=[path])
    yield fleet
    fleet.end()


def test_a_configured_instance_is_run_and_everything_is_kept(yen: Fleet) -> None:
    (summary,) = backtest(yen, "cross")
    folder = Path(summary["folder"])
    assert json.loads((folder / "result.json").read_text()) == summary
    told = load(folder).trades()
    (figures,) = summary["statistics"]
    assert figures["trades"] == sum(trade["state"] == "closed" for trade in told) > 10
    assert summary["instances"][0]["parameters"]["fast"] == 3
    trades = pq.read_table(folder / "trades.parquet").to_pylist()
    assert [trade["trade_id"] for trade in trades] == [trade["trade_id"] for trade in told]
    won = sum(trade["profit"] + trade["commission"] + trade["swap"] for trade in trades)
    assert summary["final_balance"] == pytest.approx(float(summary["initial_balance"]) + won)
    equity = pq.read_table(folder / "equity.parquet").to_pylist()
    assert equity[-1]["equity"] == pytest.approx(summary["final_equity"])


def test_a_second_run_says_the_same_and_replaces_nothing(yen: Fleet) -> None:
    one, other = backtest(yen, "cross")[0], backtest(yen, "cross")[0]
    assert one["folder"] != other["folder"]
    assert one["statistics"] == other["statistics"]
    assert one["data_sha256"] == other["data_sha256"]
    assert one["identity_sha256"] == other["identity_sha256"]


def test_signals_of_windows_give_the_same_trades_under_another_identity(yen: Fleet) -> None:
    once, window = backtest(yen, "cross")[0], backtest(yen, "cross", "--signals", "window")[0]
    assert load(Path(once["folder"])).trades() == load(Path(window["folder"])).trades()
    assert once["identity_sha256"] != window["identity_sha256"]
    assert "warm-up of each bar" in window["convention"]


def test_a_built_in_strategy_takes_its_parameters_from_the_command_line(yen: Fleet) -> None:
    parameters = (word for one in ("fast=2", "slow=6", "atr_period=2") for word in ("--param", one))
    words = ("sma-cross", "--instrument", "USD/JPY", "--timeframe", "1h", *parameters)
    engine = ("--engine", "vector", "--without-limits", "--convention", "next-open")
    (summary,) = backtest(yen, *words, "--balance", "5000", "--start", "2013-02-05", *engine)
    assert (summary["engine"], "next open" in summary["convention"]) == ("vector", True)
    assert summary["statistics"][0]["trades"] > 1
    parameters = summary["instances"][0]["parameters"]
    assert (parameters["fast"], parameters["slow"], parameters["stop_atr"]) == (2, 6, 3.0), "what was not said, too"
    assert summary["initial_balance"] == "5000"
    assert summary["start"] == "2013-02-05T00:30:00Z"


def test_several_run_apart_in_processes_of_their_own_as_each_does_alone(yen: Fleet, tmp_path: Path) -> None:
    other = tmp_path / "quick.toml"
    other.write_text(CROSS.replace("magic = 1", "magic = 5").replace("fast = 3", "fast = 2"))
    together = backtest(yen, "cross", str(other), "--apart", "--processes", "2")
    alone = [backtest(yen, name)[0] for name in ("cross", str(other))]
    assert [one["statistics"] for one in together] == [one["statistics"] for one in alone]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing",), "--instrument EUR/USD --timeframe 1h"),
        (("sma-cross", "--instrument", "USD/JPY", "--timeframe", "7x"), "timeframe: expected"),
        (("sma-cross", "--instrument", "USD/JPY", "--timeframe", "45m"), "no multiple"),
        (("cross", "--param", "fast=9000"), "fast"),
        (("cross", "--param", "speed=1"), "speed"),
        (("cross", "--param", "fast"), "NAME=VALUE"),
        (("cross", "--start", "2030-01-01"), "for the period: they go from 2013-0"),
        (("cross", "--start", "2013-01-28"), "from 2013-01-28T00:00:00Z to 2013-02-0"),
        (("cross", "--max-gap", "5"), "expected a duration with a unit"),
        (("cross", "--quotes", "ticks"), "no quotes of USD/JPY"),
        (("cross", "--account", "other"), "no account 'other'"),
        (("cross", "--instrument", "EUR/GBP"), "GBP/USD"),
        (("cross", "cross"), "--apart"),
        (("cross", "--balance", "-3"), "--balance"),
        (("cross", "--slippage", "-1"), "--slippage"),
        (("cross", "--out", "/dev/null/results"), "nothing can be written in /dev/null"),
    ],
)
def test_what_cannot_be_run_is_refused_with_its_remedy(yen: Fleet, words: tuple[str, ...], said: str) -> None:
    assert said in refusal(yen, *words)


PEEKS = """
import numpy as np
from atrader.strategy import Signals, SignalStrategy


class Peeks(SignalStrategy):
    def signals(self, bars, instrument):
        later = np.append(bars.close[1:], bars.close[-1])
        rises = later > bars.close
        return Signals(entry=rises.astype(np.int8), exit=(~rises).astype(np.int8), units=np.full(len(bars), 1000.0))
"""


def test_a_check_passes_what_knows_no_future_and_ends_with_1_where_something_does(yen: Fleet) -> None:
    folder = yen.home.root / "strategies"
    folder.mkdir(exist_ok=True)
    (folder / "peeks.py").write_text(PEEKS)
    good = yen.command("backtest", "check", "cross", "--bars", "60", "--json", program=TOOLS)
    assert good.returncode == 0, good.stderr
    (report,) = json.loads(good.stdout)
    assert (report["passed"], report["name"], report["findings"]) == (True, "cross", [])
    peeks = ("strategies/peeks.py:Peeks", "--instrument", "USD/JPY", "--timeframe", "30m")
    bad = yen.command("backtest", "check", *peeks, program=TOOLS)
    assert bad.returncode == 1
    assert "looks ahead: entry" in bad.stdout
    assert "up to 1 of them" in bad.stdout
    too_much = yen.command("backtest", "check", "cross", "--param", "slow=200", program=TOOLS)
    assert too_much.returncode == 64
    assert "bars are too few" in too_much.stderr


@pytest.fixture
def library(tmp_path: Path) -> Iterator[AsirikuyFleet]:
    """Give an installation of the stand-in library with a day of minutes, every price another one."""
    fleet = AsirikuyFleet(tmp_path / "home")
    fleet.write_market()
    path = tmp_path / "btc.csv"
    chance = np.random.default_rng(3)
    closes = np.round(60_000 + np.cumsum(chance.normal(0, 5, 1440)), 1)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["timestamp", "open", "high", "low", "close", "volume"])
        for number, close in enumerate(closes.tolist()):
            stamp = datetime.fromtimestamp(parse_time(BEGIN) / NS_PER_S + 60 * number, UTC).isoformat()
            rows.writerow([stamp, close - 0.5, close + 1, close - 1, close, 1])
    words = ("data", "import", str(path), "--instrument", PAIR, "--timeframe", "1m")
    done = fleet.command(*words, program=TOOLS)
    assert done.returncode == 0, done.stderr
    yield fleet
    fleet.end()


def minute_of(time_ns: int) -> int:
    """Return the number of the minute that begins at a time, on the clock the strategy was made for (UTC)."""
    return time_ns // MINUTE_NS


def metronome(fleet: AsirikuyFleet, name: str, magic: int, period: int) -> None:
    row = (period, 0, 1, 0, 0, 0)
    fleet.write_library_instance(name, magic, mode=METRONOME, row=row, preset="", text=fleet.unlimited())


def test_the_library_trades_the_past_as_its_formula_says(library: AsirikuyFleet) -> None:
    metronome(library, "beat", 7, PERIOD)
    (summary,) = backtest(library, "beat", "--start", "2024-06-04T02:00:00Z")
    trades = load(Path(summary["folder"])).trades()
    opened = [minute_of(trade["open_time_ns"]) for trade in trades]
    closed = [minute_of(trade["close_time_ns"]) for trade in trades if trade["state"] == "closed"]
    first = minute_of(parse_time("2024-06-04T02:00:00Z"))
    due = [number for number in range(first + 1, first + 1321) if number % PERIOD == 0]
    assert opened == due
    assert closed == [number + PERIOD // 2 for number in due][: len(closed)]
    assert len(due) - len(closed) <= 1
    assert summary["errors"] == {}


def test_the_tester_library_is_driven_too_and_the_first_trade_that_differs_is_shown(library: AsirikuyFleet) -> None:
    metronome(library, "beat", 7, PERIOD)
    words = ("beat", "--start", "2024-06-04T02:00:00Z", "--ctester", str(standin_tester()))
    (summary,) = backtest(library, *words)
    found = summary["ctester"]
    assert json.loads((Path(summary["folder"]) / "ctester.json").read_text()) == found
    assert found["same"] > 150
    ours, theirs = found["first_different"]
    assert (ours is None) != (theirs is None), "only the trade at the very end may be missing on one side"
    shown = library.command("backtest", *words, program=TOOLS)
    assert shown.returncode == 0, shown.stderr
    assert f"{found['same']} trades agree" in shown.stdout
    assert "--ctester compares" in refusal(library, "busy", "--instrument", PAIR, "--timeframe", "1m", *words[3:])


def test_libraries_run_in_parallel_in_a_process_each(library: AsirikuyFleet) -> None:
    metronome(library, "beat", 7, PERIOD)
    metronome(library, "slow", 8, 4 * PERIOD)
    both = backtest(library, "beat", "slow", "--apart", "--processes", "2", "--start", "2024-06-04T02:00:00Z")
    beat, slow = (summary["statistics"][0]["trades"] for summary in both)
    assert beat > 3 * slow > 30
    assert "--apart" in refusal(library, "beat", "slow")


def test_a_library_that_crashes_takes_its_own_run_with_it_and_no_other(library: AsirikuyFleet) -> None:
    metronome(library, "beat", 7, PERIOD)
    library.write_library_instance("wild", 8, preset="ADDITIONAL_PARAM_35=1\nADDITIONAL_PARAM_36=5\n")
    done = library.command("backtest", "wild", "beat", "--apart", "--json", program=TOOLS)
    wild, beat = json.loads(done.stdout)
    assert "its process died" in wild["error"]
    assert beat["statistics"][0]["trades"] > 100
    assert done.returncode != 0


def test_saved_results_are_listed_compared_and_reported(yen: Fleet, tmp_path: Path) -> None:
    place = ("--out", str(tmp_path))
    names = [Path(backtest(yen, "cross", *more, *place)[0]["folder"]).name for more in ((), ("--param", "fast=2"))]
    assert names == ["cross-0001", "cross-0002"]

    def results(*words: str) -> Any:
        done = yen.command("results", *words, "--in", str(tmp_path), "--json", program=TOOLS)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert [row["result"] for row in results("list")] == names
    compared = results("compare", *names)
    assert compared["settings"] == {"parameters.fast": [3, 2]}
    assert compared["figures"]["trades"][0] == results("show", names[0])["overall"]["trades"]
    ranked = yen.command("rank", "--results", str(tmp_path / names[0]), "--json", program=TOOLS)
    assert json.loads(ranked.stdout)["rows"][0]["instance"] == "cross", "other commands read the trades of a result"
    (written,) = results("report", names[0])
    assert (tmp_path / names[0] / "report.html").read_text().startswith("<!doctype html>")
    assert written["file"] == str(tmp_path / names[0] / "report.html")
    results("report", names[1], "--png", "--out", str(tmp_path / "two.png"))
    assert (tmp_path / "two.png").read_bytes().startswith(b"\x89PNG")

    (tmp_path / names[0] / "result.json").write_text('{"format": 1, "program": "0.0.1"}')
    done = yen.command("results", "list", "--in", str(tmp_path), program=TOOLS)
    assert done.returncode == ExitCode.STORE
    assert names[1] in done.stdout, "the others are listed all the same"
    assert "format 1, made by version 0.0.1" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_else_could_have_come_of_a_run_is_drawn_and_run_again(yen: Fleet) -> None:
    words = ("luck", "cross", "--start", "2013-02-05", "--draws", "20", "--permutations", "2")
    (found,) = backtest(yen, *words)
    assert found == backtest(yen, *words)[0]
    assert (found["name"], found["permutations"], found["order_draws"]) == ("cross", 2, 20)
    assert found["trades"] > 1
    assert found["p_sharpe"] in {1 / 3, 2 / 3, 1}
    assert found["drawn_sharpe"]["low"] <= found["drawn_sharpe"]["median"] <= found["drawn_sharpe"]["high"]
    shown = yen.command("backtest", *words[:-2], "--permutations", "0", program=TOOLS)
    assert shown.returncode == 0, shown.stderr
    assert "orders: drawdown" in shown.stdout
    assert "bars permuted" not in shown.stdout
    assert "1d bars are too long to be played" in refusal(yen, "luck", "cross", "--timeframe", "1d")
