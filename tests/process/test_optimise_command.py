"""``atrader optimise`` and ``analyse`` on a real store: what they find, keep and refuse, and a kill in between."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, iso_from_ns, parse_time
from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError, StoreError
from atrader.timeframes import Timeframe
from manager.commands import optimise_work, tools
from research.optimisation.trials import TrialFile, Trials
from tests.support.fleet import Fleet, wait_for
from tests.support.replays import CROSS, TOOLS, write_bars, write_replay

VALUES = ("--fast", "2,3,4", "--slow", "6,8", "--stop-atr", "1.0,2.0")
WALK = ("--train", "7d", "--test", "7d")


@pytest.fixture(scope="module")
def yen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Give an installation with half-hours of USD/JPY, four weeks of them, and one instance."""
    fleet = Fleet(tmp_path_factory.mktemp("yen") / "home")
    path = tmp_path_factory.mktemp("market") / "usdjpy.csv"
    write_bars(path, first="2013-01-11")
    write_replay(fleet, {"cross": CROSS}, files=[path])
    account = fleet.home.etc / "accounts" / "paper.toml"
    account.write_text(account.read_text().replace("[paper]\n", "[paper]\nslippage_pips = 0\n"))
    yield fleet
    fleet.end()


def found_by(fleet: Fleet, *words: str) -> dict[str, Any]:
    done = fleet.command(*words, "--json", program=TOOLS)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def refusal(fleet: Fleet, *words: str) -> str:
    done = fleet.command(*words, program=TOOLS)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr


def trials_of(path: str | Path) -> Trials:
    with TrialFile(Path(path)) as file:
        return file.trials()


def test_a_search_is_kept_told_of_and_its_recommended_set_is_a_strategy_file(yen: Fleet) -> None:
    found = found_by(yen, "optimise", "cross", *VALUES, *WALK, "--processes", "2")
    analysis = found["analysis"]
    assert found["study"]["engine"] == "vector"
    assert (analysis["tried"], analysis["failed"], len(analysis["steps"])) == (12, 0, 2)
    assert len(analysis["top"]) == 5
    assert {"sharpe_is", "sharpe_oos", "degradation_frac", "robustness_factor"} <= set(analysis["top"][0])
    again = found_by(yen, "analyse", found["file"])
    assert again == found
    folder = Path(found["file"]).parent
    assert json.loads((folder / "analysis.json").read_text()) == found
    assert "<svg" in Path(found["report_file"]).read_text()
    other = found_by(yen, "analyse", str(folder), "--split", "60%", "--top", "12", "--write", str(folder / "mine.toml"))
    assert len(other["analysis"]["top"]) == 12
    factors = [one["robustness_factor"] for one in other["analysis"]["top"]]
    assert (other["recommended_file"] is not None) == any((factor or 0) > 0 for factor in factors)
    if other["recommended_file"] is not None:
        told = tomllib.loads((folder / "mine.toml").read_text())
        best = other["analysis"]["recommended"]["parameters"]
        assert told["enabled"] is False
        assert told["parameters"] == {"atr_period": 5, "risk_frac": 0.0005, **best}
        (run,) = found_by_list(yen, "backtest", "run", str(folder / "mine.toml"))
        ran = {name: float(value) for name, value in run["instances"][0]["parameters"].items() if name in best}
        assert ran == best
    mine = yen.home.etc / "strategies" / "cross.toml"
    assert "is not replaced" in refusal(yen, "analyse", str(folder), "--write", str(mine))
    assert mine.read_text() == CROSS


def found_by_list(fleet: Fleet, *words: str) -> list[dict[str, Any]]:
    return list(found_by(fleet, *words))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [(), ("--engine", "event"), ("--balance", "5000", "--max-gap", "3d", "--without-limits", "--engine", "vector")],
    ids=["plain", "event", "options"],
)
def test_a_backtest_of_the_recommended_set_shows_what_the_search_showed(
    yen: Fleet, tmp_path: Path, options: tuple[str, ...]
) -> None:
    account = yen.home.etc / "accounts" / "paper.toml"
    usual = account.read_text()
    costs = "slippage_pips = 1.5\nswap_long_frac = -0.05\nswap_short_frac = -0.03\ncommission_per_million = 20\n"
    account.write_text(usual.replace("slippage_pips = 0\n", costs))
    few = ("--fast", "4,6,8", "--slow", "30,40", "--stop-atr", "2.0,4.0")
    try:
        found = found_by(yen, "optimise", "cross", *few, "--split", "50%", "--out", str(tmp_path), *options)
        best = found["analysis"]["recommended"]
        program, *words = shlex.split(found["backtest"])
        (run,) = found_by_list(yen, *words, "--out", str(tmp_path))
        told = yen.command("analyse", found["file"], program=TOOLS).stdout
    finally:
        account.write_text(usual)
    assert program == "atrader"
    assert best["trades"] > 10
    assert run["overall"]["trades"] == best["trades"]
    assert run["returns"]["sharpe"] == pytest.approx(best["sharpe_whole"], rel=1e-11)
    assert run["curve"]["total_return_frac"] == pytest.approx(best["return_whole_frac"], rel=1e-11)
    assert f"{best['trades']} closed trades" in told
    assert found["backtest"] in told


def test_a_killed_search_goes_on_and_both_engines_find_the_same(yen: Fleet, tmp_path: Path) -> None:
    few = (
        "--fast",
        "2,3",
        "--slow",
        "5:104:1",
        "--start",
        "2013-01-24",
        "--split",
        "50%",
        "--out",
        str(tmp_path),
    )
    words = ["optimise", "cross", *few, "--engine", "events", "--processes", "1"]
    running = subprocess.Popen(
        [sys.executable, "-P", "-m", TOOLS, "-C", str(yen.home.root), *words],
        stdout=subprocess.DEVNULL,
        env={**os.environ, **yen.environment},
    )
    path = tmp_path / "cross-search-0001" / "trials.sqlite"
    try:
        wait_for(lambda: tried(path) > 0, "a set that was tried", deadline_s=180.0, interval_s=0.01)
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    before = trials_of(path)
    assert 0 < before.tried < 200
    assert "sets to try" in yen.command("analyse", str(path), program=TOOLS).stdout
    found_by(yen, "optimise", "--resume", str(path.parent))
    after = trials_of(path)
    assert after.tried == 200
    assert np.array_equal(after.returns[: before.tried], before.returns)
    by_vector = trials_of(found_by(yen, "optimise", "cross", *few)["file"])
    assert by_vector.parameters == after.parameters
    assert by_vector.trades.tolist() == after.trades.tolist()
    np.testing.assert_allclose(by_vector.returns, after.returns, atol=1e-5)  # money is rounded to cents


def tried(path: Path) -> int:
    try:
        return trials_of(path).tried
    except (ConfigError, StoreError):  # it is being made
        return 0


def test_a_search_says_what_of_its_account_keeps_it_from_the_vector_engine(yen: Fleet, tmp_path: Path) -> None:
    account = yen.home.etc / "accounts" / "paper.toml"
    before = account.read_text()
    account.write_text(before.replace("[paper]\n", "[paper]\npartial_fill_share = 0.1\n"))
    try:
        done = yen.command("optimise", "cross", "--fast", "2,3", "--out", str(tmp_path), program=TOOLS)
        freed = found_by(yen, "optimise", "cross", "--fast", "2,3", "--without-limits", "--out", str(tmp_path))
    finally:
        account.write_text(before)
    assert freed["study"]["engine"] == "vector"
    assert done.returncode == 0, done.stderr
    assert "tried with the event engine" in done.stderr
    assert "it knows nothing of paper.partial_fill_share" in done.stderr


def test_a_search_that_is_interrupted_says_on_a_line_of_its_own_how_it_goes_on(
    yen: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimise_work, "search", interrupted)
    words = ["-C", str(yen.home.root), "optimise", "cross", "--fast", "2,3", "--out", str(tmp_path)]
    done = CliRunner().invoke(tools.cli, words)
    assert done.exit_code != 0
    path = tmp_path / "cross-search-0001" / "trials.sqlite"
    assert f"\nstopped; go on with: atrader optimise --resume {path}\n" in done.output
    monkeypatch.undo()
    assert found_by(yen, "optimise", "--resume", str(path))["analysis"]["tried"] == 2


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_a_search_for_more_sets_than_there_are_says_so_and_is_finished(yen: Fleet, tmp_path: Path, method: str) -> None:
    few = ("--fast", "2,3,9", "--slow", "6,8", "--method", method, "--trials", "50", "--out", str(tmp_path))
    done = yen.command("optimise", "cross", *few, program=TOOLS)
    assert done.returncode == 0, done.stderr
    assert "4 sets tried" in done.stdout  # 9 is below neither
    assert "no more different sets were found than 4, of 50 wanted" in done.stdout
    assert "not finished" not in done.stdout


PEEK = """
import numpy as np
from atrader.strategy import Parameters, Signals, SignalStrategy

class Peek(SignalStrategy):
    class Parameters(Parameters):
        ahead: int = 1

    warmup_bars = 5

    def signals(self, bars, instrument):
        later = np.append(bars.close, np.full(self.parameters.ahead, bars.close[-1]))[self.parameters.ahead:]
        entry = np.sign(later - bars.close).astype(np.int8)
        return Signals(entry=entry, exit=-entry, units=np.full(len(bars), 1000.0))
"""


def test_a_strategy_that_looks_ahead_earns_nothing_in_a_search_and_is_named(yen: Fleet, tmp_path: Path) -> None:
    file = yen.home.root / "strategies" / "peek.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(PEEK)
    words = ["optimise", "strategies/peek.py:Peek", "--instrument", "USD/JPY", "--timeframe", "30m", "--ahead", "1,2"]
    words += ["--out", str(tmp_path), "--without-limits", "--start", "2013-01-20"]
    done = yen.command(*words, program=TOOLS)
    assert done.returncode == 0, done.stderr
    assert "signals over all bars are not those over the warm-up of each bar: entry differs" in done.stderr
    assert "no set of parameters traded" in done.stdout
    assert "signals over all bars are not those" in refusal(yen, *words, "--engine", "vector")
    file.write_text(f"{PEEK}# changed\n")
    kept = str(tmp_path / "peek-search-0001")
    assert "Changed since it began: the strategy's source" in refusal(yen, "optimise", "--resume", kept)


def test_a_warm_up_inside_the_period_is_told_with_the_start_that_leaves_it_out(yen: Fleet, tmp_path: Path) -> None:
    words = ("--fast", "2,3", "--slow", "8,80", "--out", str(tmp_path))
    found = found_by(yen, "optimise", "cross", *words)
    late = found["study"]["decides_from"]
    told = yen.command("analyse", found["file"], program=TOOLS).stdout
    assert f"sets decide from {late[:16]}Z at the latest" in told
    later = found_by(yen, "optimise", "cross", *words, "--start", late)
    assert later["study"]["decides_from"] is None
    before = parse_time(late) - 30 * 60 * NS_PER_S
    earlier = found_by(yen, "optimise", "cross", *words, "--start", iso_from_ns(before))
    assert earlier["study"]["decides_from"] == late


def test_a_search_without_an_end_goes_on_without_the_bars_that_came_since(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fleet = Fleet(tmp_path_factory.mktemp("growing") / "home")
    market = tmp_path_factory.mktemp("market") / "usdjpy.csv"
    write_bars(market, first="2013-01-11")
    rows = market.read_text().splitlines(keepends=True)
    market.write_text("".join(rows[:-48]))
    write_replay(fleet, {"cross": CROSS}, files=[market])
    words = ["-C", str(fleet.home.root), "optimise", "cross", "--fast", "2,3", "--slow", "6,8", "--out", str(tmp_path)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(optimise_work, "search", interrupted)
        assert CliRunner().invoke(tools.cli, words).exit_code != 0
    path = tmp_path / "cross-search-0001" / "trials.sqlite"
    market.write_text("".join(rows))
    assert fleet.command("data", "import", str(market), program=TOOLS).returncode == 0
    whole = found_by(fleet, "optimise", "cross", "--fast", "2,3", "--slow", "6,8", "--out", str(tmp_path / "other"))
    found = found_by(fleet, "optimise", "--resume", str(path))
    assert (found["analysis"]["tried"], whole["analysis"]["tried"]) == (4, 4)
    assert found["end"] < whole["end"]
    fleet.end()


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_other_searches_of_the_strategy_tried_is_told_and_each_set_once(yen: Fleet, tmp_path: Path) -> None:
    first = found_by(yen, "optimise", "cross", "--fast", "2,3", "--out", str(tmp_path))
    assert first["beside"] == {"searches": 0, "sets": 0}
    found_by(yen, "optimise", "cross", "--fast", "3,4", "--slow", "8,9", "--out", str(tmp_path))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "trials.sqlite").write_text("no file of trials")
    other = (*("--fast", "5,6"), "--timeframe", "1h", "--out", str(tmp_path), "--start", "2013-01-20")
    found_by(yen, "optimise", "cross", *other)
    again = found_by(yen, "analyse", first["file"])
    assert again["beside"] == {"searches": 1, "sets": 3}  # fast 3 with the slow 8 of the file is the same
    told = yen.command("analyse", first["file"], program=TOOLS).stdout
    assert "3 other sets of this strategy on USD/JPY 30m tried by 1 search beside this one" in told


def test_so_long_a_gap_as_is_said_may_be_in_the_bars(yen: Fleet, tmp_path: Path) -> None:
    words = ("optimise", "cross", "--fast", "2,3", "--start", "2013-01-01", "--out", str(tmp_path))
    assert "more than --max-gap allows" in refusal(yen, *words)
    assert found_by(yen, *words, "--max-gap", "30d")["study"]["gaps"]["USD/JPY"]["missing"] > 300


def test_bars_that_are_missing_are_told(yen: Fleet, tmp_path: Path) -> None:
    words = ("--fast", "2,3", "--end", "2013-02-08T12:00:00Z", "--out", str(tmp_path))
    found = found_by(yen, "optimise", "cross", *words)
    assert found["study"]["gaps"]["USD/JPY"]["missing"] == 0
    assert "bars missing" not in yen.command("analyse", found["file"], program=TOOLS).stdout
    with sqlite3.connect(found["file"]) as connection:  # as a search over other bars keeps it
        gap = {"start": "2013-01-14T10:00:00Z", "end": "2013-01-14T11:00:00Z", "bars": 2}
        told = {"timeframe": "30m", "expected": 900, "missing": 2, "gaps": 1, "longest_s": 3600.0, "first": [gap]}
        change = "UPDATE study SET value = json_set(value, '$.gaps', json(?)) WHERE key = 'study'"
        connection.execute(change, (json.dumps({"USD/JPY": told}),))
    connection.close()
    shown = yen.command("analyse", found["file"], program=TOOLS).stdout
    assert "USD/JPY 30m: 2 of 900 bars missing, in 1 gap, the longest 1.0 h; 2013-01-14T10:00 (2)" in shown


def test_the_recommended_set_keeps_the_limits_of_its_instance_also_when_it_was_found_without_them(
    yen: Fleet, tmp_path: Path
) -> None:
    cross = CROSS.replace("magic = 1", "magic = 77")
    guarded = "on_down = 'flatten'\n" + cross + "[trade]\nmax_risk_frac = 0.001\n[limits]\nmax_open_trades = 2\n"
    guarded += "[selection]\nphases = ['trend']\n"
    file = yen.home.etc / "strategies" / "guarded.toml"
    file.write_text(guarded)
    try:
        words = ("--fast", "2,3,4", "--slow", "6,8", "--stop-atr", "1.0,2.0", "--without-limits", "--split", "0.4")
        found = found_by(yen, "optimise", "guarded", *words, "--out", str(tmp_path))
        assert found["study"]["engine"] == "vector"
        recommended = Path(found["recommended_file"])
        (yen.home.etc / "strategies" / "best.toml").write_text(
            recommended.read_text().replace("magic = 77", "magic = 78")
        )
        instances = load_installation(yen.home.root).instances
        best, own = instances["best"], instances["guarded"]
        assert (best.trade, best.limits, best.selection, best.on_down) == (
            own.trade,
            own.limits,
            own.selection,
            own.on_down,
        )
        file.write_text(guarded.replace("max_risk_frac = 0.001", "max_risk_frac = 0.002"))
        assert "settings.trade.max_risk_frac (0.001 before, 0.002 now)" in refusal(
            yen, "optimise", "--resume", found["file"]
        )
    finally:
        file.unlink()
        (yen.home.etc / "strategies" / "best.toml").unlink(missing_ok=True)


def test_a_file_of_a_version_with_other_options_is_refused_by_name(yen: Fleet, tmp_path: Path) -> None:
    path = Path(found_by(yen, "optimise", "cross", "--fast", "2,3", "--out", str(tmp_path))["file"])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE study SET value = json_set(value, '$.wish.other', 1) WHERE key = 'study'")
    connection.close()
    for words in (("analyse", str(path)), ("optimise", "--resume", str(path))):
        assert f"{path} was written by another version of atrader" in refusal(yen, *words)


def test_a_search_over_prices_without_a_spread_says_so(yen: Fleet, tmp_path: Path) -> None:
    path = tmp_path / "eurusd.csv"
    period = (parse_time("2013-01-14"), parse_time("2013-02-02"), Timeframe.parse("1h"))
    opens = Calendar.get("fx").expected_bars(*period).tolist()
    rows = [f"{iso_from_ns(open_ns)},1.3,1.3,1.3,1.3,1" for open_ns in opens]
    path.write_text("\n".join(["time,open,high,low,close,volume", *rows]))
    assert yen.command("data", "import", str(path), "--instrument", "EUR/USD", program=TOOLS).returncode == 0
    words = ("sma-cross", "--instrument", "EUR/USD", "--timeframe", "1h", "--fast", "2,3", "--slow", "5")
    done = yen.command("optimise", *words, "--split", "0.5", "--out", str(tmp_path), program=TOOLS)
    assert "EUR/USD: bid and ask are the same in the stored prices" in done.stdout, done.stderr


def test_a_search_does_not_go_on_with_another_configuration(yen: Fleet, tmp_path: Path) -> None:
    found = found_by(yen, "optimise", "cross", "--fast", "2,3", "--slow", "3,8", "--out", str(tmp_path))
    assert (found["study"]["left_out"], found["analysis"]["tried"]) == (1, 3)  # 3 is not below 3
    told = yen.command("analyse", found["file"], program=TOOLS).stdout
    assert "1 combination of the grid left out" in told
    assert found["study"]["no_spread"] == []
    assert "days are too few: 32 at least)" in told
    path = yen.home.etc / "strategies" / "cross.toml"
    path.write_text(CROSS.replace("stop_atr = 1.0", "stop_atr = 2.0"))
    try:
        assert "Changed since it began: fixed.stop_atr (1.0 before, 2.0 now)" in refusal(
            yen, "optimise", "--resume", found["file"]
        )
    finally:
        path.write_text(CROSS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("cross",), "nothing to be varied"),
        (("cross", "--fats", "1,2"), "did you mean 'fast'"),
        (("cross", "--fast"), "no such option, or a parameter without values"),
        (("cross", "other", "--fast", "2,3"), "one STRATEGY"),
        (("cross", "--fast", "9,10"), "allow no combination"),
        (("cross", "--fast", "2,3", "--constraint", "fast <"), "expected a condition"),
        (("cross", "--fast", "2,3", "--trials", "5"), "--trials"),
        (("cross", "--fast", "2,3", "--method", "tpe"), "needs --trials"),
        (("cross", "--fast", "2,3", "--vary", "fast=4"), "--fast is given twice"),
        (("cross", "--fast", "2,3", "--param", "fast=4"), "--param fast: it cannot stay and vary"),
        (("cross", "--fast", "2,3", "--method", "tpe", "--trials", "5", *WALK), "--method tpe learns"),
        (("cross", "--fast", "2,3", "--start", "2013-02-04"), "split"),
        (("cross", "--fast", "2,3", "--train", "90d", "--test", "30d"), "no window"),
        (("--resume", "/nowhere"), "there is no such file"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_its_remedy(yen: Fleet, words: tuple[str, ...], said: str) -> None:
    assert said in refusal(yen, "optimise", *words)
