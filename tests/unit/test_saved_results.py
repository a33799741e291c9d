"""Results of backtests on disk: read as they were written, and refused with a remedy when they are something else."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
import pyarrow.parquet as pq
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from atrader.errors import ConfigError, StoreError
from atrader.exit_codes import ExitCode
from atrader.market import Bars
from manager.commands import result_view, tables
from manager.commands.result_view import show_comparison, show_kept
from manager.commands.tools import cli
from research.reports import Saved, found, load, rows
from research.reports.comparing import differences, figures, result_row
from research.reports.drafts import remove_left
from research.reports.figures import identity_lines, result_lines
from research.reports.page import page
from research.reports.parquet import files_of
from research.reports.saved import DETAILS, SUMMARY, named, save
from tests.support.event_runs import random_bars
from tests.support.price_walks import walk
from tests.support.saved_results import save_cross
from tests.support.typed import type_command

BARS = random_bars(3, 900, 1.1, 1e-5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a result; a test that changes one makes its own."""
    path = tmp_path_factory.mktemp("results")
    save_cross(path, BARS)
    return path


@pytest.fixture(scope="module")
def saved(folder: Path) -> Saved:
    return load(folder / "cross-0001")


def rewrite(result: Saved, file: str, **changes: Any) -> None:
    """Write a file as another version would have it; without digests, as those of before had none."""
    for name, its in {file: changes, SUMMARY: {"digests": ..., **(changes if file == SUMMARY else {})}}.items():
        path = result.folder / name
        values = {**json.loads(path.read_text()), **its}
        path.write_text(json.dumps({key: value for key, value in values.items() if value is not ...}))


def test_a_result_is_read_as_it_was_saved(tmp_path: Path) -> None:
    told = save_cross(tmp_path, BARS)
    read = load(told.folder)
    assert read.summary == json.loads(json.dumps(told.summary))
    assert load(told.folder / SUMMARY) == read
    assert read.summary["overall"]["trades"] > 20
    assert read.summary["curve"]["total_return_frac"] == pytest.approx(read.summary["final_equity"] / 10_000 - 1)


@pytest.mark.parametrize("count", [0, 1])
def test_the_final_equity_says_that_something_is_open_only_when_something_is(saved: Saved, count: int) -> None:
    lines = dict(result_lines({**saved.summary, "overall": {**saved.summary["overall"], "open": count}}))
    assert ("with what is open" in lines["final equity"]) == bool(count)


def test_the_deepest_fall_is_the_same_among_the_statistics_as_in_the_figures_of_the_curve_however_long_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "EQUITY_POINTS", 50)  # of 900: peaks between the points that are kept
    summary = save_cross(tmp_path, BARS).summary
    curve = summary["curve"]
    for told in (summary["overall"], *summary["statistics"]):
        assert told["equity_drawdown_deepest"] == pytest.approx(curve["drawdown_deepest"], abs=1e-6)
        assert told["equity_drawdown_deepest_frac"] == pytest.approx(curve["drawdown_deepest_frac"], abs=1e-6)
        assert told["equity_drawdown_longest_s"] == pytest.approx(curve["drawdown_longest_s"])


def test_parquet_and_json_hold_the_same_trades(saved: Saved) -> None:
    rows = pq.read_table(saved.folder / "trades.parquet").to_pylist()
    told = saved.trades()
    assert [row["trade_id"] for row in rows] == [trade["trade_id"] for trade in told]
    assert [row["profit"] for row in rows] == [float(trade["profit"]) for trade in told]
    assert [row["adverse_frac"] for row in rows] == [trade["adverse_frac"] for trade in told]


def test_parquet_keeps_every_kind_of_value(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {
        "text": ["é", None, ""],
        "truth": [True, None, False],
        "whole": [2**60 + 1, None, -1],
        "money": [Decimal("1.25"), None, 3],
        "mixed": [1, None, "two"],
        "never": [None, None, None],
        "late": [None, "x", "y"],
    }
    files = files_of({"all": columns, "none": {}})
    assert list(files) == ["all.parquet"]
    read = pq.read_table(BytesIO(files["all.parquet"]))
    assert read.to_pydict() == {
        "text": ["é", None, ""],
        "truth": [True, None, False],
        "whole": [2**60 + 1, None, -1],
        "money": [1.25, None, 3.0],
        "mixed": ["1", None, "two"],
        "never": [None, None, None],
        "late": [None, "x", "y"],
    }
    assert [str(kind) for kind in read.schema.types] == [
        "string",
        "bool",
        "int64",
        "double",
        "string",
        "double",
        "string",
    ]


def test_nothing_is_replaced(tmp_path: Path) -> None:
    names = [save_cross(tmp_path, BARS[:200]).name for _ in range(3)]
    assert names == ["cross-0001", "cross-0002", "cross-0003"]


def test_the_same_run_has_the_same_identity_and_any_other_another_one(tmp_path: Path) -> None:
    part = BARS[:300]
    one = save_cross(tmp_path, part).summary["identity_sha256"]
    assert save_cross(tmp_path, part).summary["identity_sha256"] == one
    others = [
        save_cross(tmp_path, part, fast=4),
        save_cross(tmp_path, part, paper={"seed": 2}),
        save_cross(tmp_path, part, paper={"commission_per_million": 9}),
        save_cross(tmp_path, BARS[:301]),
    ]
    assert len({one, *(other.summary["identity_sha256"] for other in others)}) == 5


@pytest.mark.parametrize("file", [SUMMARY, DETAILS])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 1, "program": "0.0.9"}, "format 1, made by version 0.0.9; this atrader reads formats 2 and 3: run"),
        ({"format": 99}, "format 99"),
        ({"format": ...}, "is no result of a backtest"),
        ({"curve": ..., "trades": ...}, "is damaged: lacks"),
        ({"curve": 5, "trades": 5}, "is damaged: (curve|trades) is 5, expected a map"),
        ({"final_equity": "much", "equity": []}, "is damaged: (final_equity is 'much', expected a number|equity is)"),
    ],
)
def test_a_file_of_another_version_or_shape_is_refused_by_name(
    tmp_path: Path, file: str, changes: dict[str, Any], said: str
) -> None:
    told = save_cross(tmp_path, BARS[:200])
    rewrite(told, file, **changes)
    with pytest.raises(StoreError, match=said) as caught:
        load(told.folder).details()
    assert str(told.folder / file) in str(caught.value)


def test_a_result_of_the_format_before_is_read_with_what_it_lacks_left_out(tmp_path: Path) -> None:
    told = save_cross(tmp_path, BARS[:200])
    for file, lacking in ((SUMMARY, ("gaps", "not_vector", "digests")), (DETAILS, ("days",))):
        values = json.loads((told.folder / file).read_text())
        kept = {key: value for key, value in values.items() if key not in lacking}
        (told.folder / file).write_text(json.dumps({**kept, "format": 2}))
    old = load(told.folder)
    assert old.trades() == told.trades()
    assert "<svg" in page(old)


def test_bars_that_the_calendar_expects_and_that_were_not_played_are_counted(tmp_path: Path) -> None:
    bars = walk(300, "1m")
    kept = np.r_[0:100, 105:200, 201:300]
    told = save_cross(tmp_path, Bars(*(column[kept] for column in bars.columns)))
    gaps = told.summary["gaps"]["EUR/USD"]
    assert (gaps["missing"], gaps["gaps"], gaps["expected"]) == (6, 2, 300)
    assert [one["bars"] for one in gaps["first"]] == [5, 1]
    assert gaps["longest_s"] == 5 * 60
    assert "6 of 300 bars missing, in 2 gaps, the longest 5.0 min" in dict(identity_lines(told.summary))["gaps"]
    assert "gaps" in [one["code"] for one in told.summary["warnings"]]


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00\x01"])
def test_a_file_that_is_no_json_is_refused_by_name(tmp_path: Path, text: str) -> None:
    told = save_cross(tmp_path, BARS[:200])
    (told.folder / SUMMARY).write_text(text)
    with pytest.raises(StoreError, match=r"result\.json: "):
        load(told.folder)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda data: data[:-1], r"is cut off, [\d,]+ of [\d,]+ bytes: run the backtest again"),
        (lambda data: data + b"x", "was changed since it was written, "),
        (lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:], "was changed since it was written .its sha256"),
        (lambda data: None, "cannot be read: No such file or directory; run the backtest again"),
    ],
    ids=["cut off", "longer", "other", "gone"],
)
@pytest.mark.parametrize("file", [DETAILS, "trades.parquet", "equity.parquet", "orders.parquet"])
def test_a_file_of_a_result_that_is_not_as_it_was_written_is_named_with_the_remedy(
    tmp_path: Path, file: str, harm: Callable[[bytes], bytes | None], said: str
) -> None:
    path = save_cross(tmp_path, BARS[:200]).folder / file
    harmed = harm(path.read_bytes())
    path.unlink()
    if harmed is not None:
        path.write_bytes(harmed)
    for words in (["show", "cross-0001"], ["report", "cross-0001"], ["compare", "cross-0001", "cross-0001"]):
        done = CliRunner().invoke(cli, ["results", *words, "--in", str(tmp_path)])
        assert isinstance(done.exception, StoreError), done.output
        assert str(path) in str(done.exception)
        assert re.search(said, str(done.exception))


def test_a_summary_that_somebody_changed_is_refused_and_one_that_was_moved_is_read(tmp_path: Path) -> None:
    told = save_cross(tmp_path / "one", BARS[:200])
    moved = told.folder.rename(tmp_path / "other")
    named(tmp_path, "other")
    text = (moved / SUMMARY).read_text()
    (moved / SUMMARY).write_text(text.replace('"final_equity": ', '"final_equity": 1'))
    with pytest.raises(StoreError, match=r"result\.json: was changed since it was written"):
        load(moved)
    (moved / SUMMARY).write_text(text)
    more = load(moved).extended("more.json", "more", {"found": 1.5})
    named(tmp_path, "other")
    assert more.summary["more"] == {"found": 1.5}
    (moved / "more.json").write_text("{")
    with pytest.raises(StoreError, match=r"more\.json: is cut off"):
        load(moved)


WRITES = """
import sys
from pathlib import Path
from research.reports.saved import save

def details():
    print("begun", flush=True)
    sys.stdin.read()

save(Path(sys.argv[1]), "run", {"name": "run"}, details, dict)
"""


def test_a_killed_program_leaves_nothing_that_is_taken_for_a_result_and_the_next_one_clears_it_away(
    tmp_path: Path,
) -> None:
    running = subprocess.Popen(
        [sys.executable, "-P", "-c", WRITES, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert running.stdout is not None
        assert running.stdout.readline() == b"begun\n"
        assert found(tmp_path) == ([], [])
        with pytest.raises(ConfigError, match="died, or is still at it: run the backtest again"):
            load(tmp_path / "run-0001")
        assert remove_left(tmp_path) == []  # it lives
        assert save(tmp_path, "run", {}, dict, dict).name == "run-0002"
    finally:
        running.kill()
        running.communicate()
    listed = CliRunner().invoke(cli, ["results", "list", "--in", str(tmp_path)])
    assert "removed what was left of run-0001: the program that wrote it died" in listed.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["run-0002"]
    assert save(tmp_path, "run", {}, dict, dict).name == "run-0001"


def test_what_a_full_disk_took_half_of_is_removed(tmp_path: Path) -> None:
    full = WRITES.replace('print("begun", flush=True)\n    sys.stdin.read()', 'return {"much": "x" * 100_000}')
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))"
    done = subprocess.run([sys.executable, "-P", "-c", limit + full, str(tmp_path)], capture_output=True, text=True)
    assert "the result cannot be written: [Errno 27] File too large" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_result_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'atrader results list'"):
        load(tmp_path)
    (tmp_path / "one-search-0001").mkdir()
    (tmp_path / "one-search-0001" / "trials.sqlite").touch()
    for name in ("one-search-0001", str(tmp_path / "one-search-0001")):
        done = CliRunner().invoke(cli, ["results", "show", name, "--in", str(tmp_path)])
        assert "is a search, no result of a backtest: 'atrader analyse" in str(done.exception)


def test_a_list_has_every_result_that_can_be_read_and_names_the_others(tmp_path: Path) -> None:
    told = [save_cross(tmp_path, BARS[:200]) for _ in range(3)]
    rewrite(told[1], SUMMARY, format=1)
    (tmp_path / "notes").mkdir()
    results, errors = found(tmp_path)
    assert [result.name for result in results] == ["cross-0001", "cross-0003"]
    assert [str(told[1].folder) in str(error) for error in errors] == [True]
    assert found(tmp_path / "nowhere") == ([], [])


def test_without_pyarrow_the_json_files_suffice_for_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    told = save_cross(tmp_path, BARS[:300])
    assert sorted(path.name for path in told.folder.iterdir()) == sorted(told.summary["files"]) == [DETAILS, SUMMARY]
    assert "<svg" in page(load(told.folder))


@pytest.mark.parametrize("bars", [1, 2, 20])
def test_a_run_without_a_trade_is_a_result_like_any_other(tmp_path: Path, bars: int) -> None:
    told = save_cross(tmp_path, BARS[:bars], slow=30)
    assert load(told.folder).trades() == []
    assert told.summary["overall"] == {}
    assert {one["code"] for one in told.summary["warnings"]} - {"gaps"} == {"no-trades"}
    assert result_row(told)["trades"] == 0
    shown = page(told)
    assert "nan" not in shown
    below = shown[shown.index("<h2>Drawdown") : shown.index("<h2>Exposure")]
    assert "-1.0%" in below  # and neither 100 % above nor below nothing: it never fell
    assert "100%" not in below


def test_a_comparison_shows_the_settings_that_differ_and_all_figures(tmp_path: Path) -> None:
    both = [save_cross(tmp_path, BARS), save_cross(tmp_path, BARS, fast=4, paper={"seed": 5})]
    shown = {line.key: line.values for line in differences(both)}
    assert shown == {"seed": (1, 5), "parameters.fast": (3, 4)}
    whole = {line.key for line in differences(both, all_settings=True)}
    assert {"parameters.slow", "costs.slippage_pips", "account.currency"} <= whole
    trades = {line.key: line.values for line in figures(both)}["trades"]
    assert trades == tuple(one.summary["overall"]["trades"] for one in both)


def test_more_results_than_fit_beside_each_other_are_compared_below_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    results = [save_cross(tmp_path, BARS, fast=fast) for fast in (3, 4, 5)]
    monkeypatch.setattr(result_view, "terminal_width", lambda: 80)
    monkeypatch.setattr(tables, "terminal_width", lambda: 80)
    show_comparison(results, all_settings=True)
    lines = click.unstyle(capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= 80
    heads = [line.split() for line in lines if line.startswith(("setting ", "figure "))]
    assert [head[1:] for head in heads] == 2 * [[results[0].name, results[1].name], [results[2].name]]
    assert [line.split()[1] for line in lines if line.startswith("parameters.fast")] == ["3", "5"]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nobody may look into a folder, not even who runs the tests."""
    folder.chmod(0)
    user = os.geteuid()
    if not user:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o700)


def test_results_that_may_not_be_read_are_named_and_none_is_left_out() -> None:
    with TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)  # another user comes as far as the results
        one, other = (save_cross(folder, BARS[:50]) for _ in range(2))
        with locked(one.folder):
            results, (error,) = found(folder)
            with pytest.raises(StoreError, match=f"{one.folder}.*: cannot be read: Permission denied"):
                named(folder, one.name)
        assert [result.name for result in results] == [other.name]
        assert str(one.folder) in error.message
        with locked(folder), pytest.raises(StoreError, match=f"{folder}.*: cannot be read: Permission denied"):
            found(folder)


def test_a_shell_completes_the_names_of_results(tmp_path: Path) -> None:
    save_cross(tmp_path / "results", BARS[:50])
    save_cross(tmp_path / "results", BARS[:50])
    (tmp_path / "results" / "crossed").mkdir()
    shell = ShellComplete(cli, {}, "atrader", "_ATRADER_COMPLETE")
    before = ["-C", str(tmp_path), "results", "compare"]
    assert [item.value for item in shell.get_completions(before, "cr")] == ["cross-0002", "cross-0001"]
    assert [item.value for item in shell.get_completions([*before, "cross-0002"], "cr")] == ["cross-0001"]


@pytest.mark.parametrize("kept_in", ["results", "elsewhere/of mine"])
def test_the_command_of_the_page_that_is_told_finds_the_result_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kept_in: str
) -> None:
    home = tmp_path / "home"
    assert type_command("atrader-manager init --template empty", home).code == ExitCode.OK
    save_cross(home / "results", BARS[:200])  # of the same name, another one
    saved = save_cross(home / kept_in, BARS[:300])
    monkeypatch.chdir(home)
    show_kept(saved)
    *command, name = shlex.split(capsys.readouterr().out.partition("a page of it: ")[2])
    assert type_command(" ".join(command), name, cwd=home).out.strip() == str(saved.folder / "report.html")
