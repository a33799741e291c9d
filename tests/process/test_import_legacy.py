"""``atrader import-legacy`` over whole installations: what it writes, and what it leaves alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from click.testing import CliRunner

from atrader.configuration.templates import TemplateKind, template_files
from atrader.errors import ConfigError
from atrader.exit_codes import ExitCode
from atrader.take_over import read_take_over
from manager.commands.fleet import cli as manager_cli
from manager.commands.tools import cli
from tests.support.asirikuy import standin_library
from tests.support.fleet import Fleet
from tests.support.old_trader import CLOSED, CONFIG, MONITOR, OPEN, SECRETS, library_state, tiny_db, write_old_trader

pytestmark = pytest.mark.process


def run(*arguments: object, command: Any = cli) -> str:
    result = CliRunner().invoke(command, [str(one) for one in arguments], catch_exceptions=False, standalone_mode=False)
    return result.stdout


def report_of(*arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("import-legacy", *arguments, "--json"))
    return found


def contents(root: Path) -> dict[str, str]:
    """Return the hash of every file below a folder; of stores what is asked for is compared instead."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".db" not in path.name
    }


def stored(out: Path) -> tuple[Any, Any]:
    return json.loads(run("-C", out, "data", "list", "--json")), json.loads(
        run("-C", out, "history", "trades", "--json")
    )


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return write_old_trader(tmp_path / "old")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "new"


def test_a_report_that_is_written_to_a_file_has_each_finding_whole_in_its_line(old: Path, out: Path) -> None:
    found = report_of(old, "--out", out, "--dry-run")["findings"]
    lines = [" ".join(line.split()) for line in run("import-legacy", old, "--out", out, "--dry-run").splitlines()]
    assert len(found) > 10
    for one in found:
        wanted = " ".join(f"{one['text']} {one['remedy']}".split())
        assert any(line.endswith(wanted) for line in lines), wanted


def test_a_dry_run_says_everything_and_writes_nothing(old: Path, out: Path) -> None:
    report = report_of(old, "--out", out, "--dry-run")
    assert not out.exists()
    assert {one["state"] for one in report["files"]} == {"new"}
    assert report["trades"] == [{"account": "oanda-demo", "closed": 2, "new": 2}]
    assert [(one["instrument"], one["timeframe"], one["new"], one["dropped"]) for one in report["bars"]] == [
        ("EUR/USD", "1h", 3, 1)
    ]
    assert report["problems"] == []


def test_bars_and_trades_are_in_the_stores_and_the_installation_passes_its_check(old: Path, out: Path) -> None:
    before = contents(old.parent.parent)
    report = report_of(old, "--out", out, "--monitor", write_monitor(out))
    assert report["problems"] == []
    assert "is fine" in run("-C", out, "check", command=manager_cli)
    (series,), trades = stored(out)
    assert (series["instrument"], series["timeframe"], series["first"][:16]) == ("EUR/USD", "1h", "2016-01-05T09:00")
    assert [(one["trade_id"], one["instance"], one["magic"], one["close_reason"], one["profit"]) for one in trades] == [
        ("old-1-1451901600", "morning", 2001, "imported", "100.00"),
        ("old-1-1451901600-2", "morning", 2001, "imported", "-50.00"),
    ]
    waiting = json.loads((out / "data/take-over/oanda-demo.json").read_text())
    assert [one["trade_id"] for one in waiting["trades"]] == [one["trade_id"] for one in report["take_over"]]
    assert contents(old.parent.parent) == before
    for path in out.rglob("*"):
        if path.is_file():
            assert not any(secret.encode() in path.read_bytes() for secret in SECRETS), path


def write_monitor(out: Path) -> Path:
    path = out.parent / "monitor.config"
    path.write_text(MONITOR)
    return path


@pytest.mark.parametrize("options", [("--dry-run",), ()])
def test_what_could_not_be_taken_over_is_told_to_scripts_each_time_and_the_rest_is_there(
    old: Path, out: Path, options: tuple[str, ...]
) -> None:
    whole = CliRunner().invoke(cli, ["import-legacy", str(old), "--out", str(out), *options])
    assert whole.exit_code == ExitCode.OK
    preset = old.parent.parent / "sets/morning.set"
    preset.write_text(preset.read_text() + "MAX_SPREAD_PIPS=wide\n")
    for _ in range(2):
        done = CliRunner().invoke(cli, ["import-legacy", str(old), "--out", str(out), *options])
        assert (done.exit_code, "not everything could be taken over" in done.stderr) == (ExitCode.INCOMPLETE, True)
        assert (out / "etc/strategies/morning.toml.incomplete").exists() == (not options)


def test_running_it_again_changes_nothing(old: Path, out: Path) -> None:
    report_of(old, "--out", out)
    first, known = contents(out), stored(out)
    again = report_of(old, "--out", out)
    assert {one["state"] for one in again["files"]} == {"unchanged"}
    assert (again["trades"][0]["new"], again["bars"][0]["new"], again["bars"][0]["revised"]) == (0, 0, 0)
    assert (contents(out), stored(out)) == (first, known)


def test_a_later_import_brings_what_the_old_trader_did_since_and_keeps_what_a_person_changed(
    old: Path, out: Path
) -> None:
    report_of(old, "--out", out)
    account = out / "etc/accounts/oanda-demo.toml"
    account.write_text(account.read_text() + "# mine\n")
    history = old.parent.parent / "data/101-004-1234567-001_orderHistory.json"
    history.write_text(tiny_db([*CLOSED, {**CLOSED[0], "Ticket": 77}]))
    preset = old.parent.parent / "sets/morning.set"
    preset.write_text(preset.read_text().replace("=1.5", "=2.5"))
    report = report_of(old, "--out", out)
    states = {one["path"]: one["state"] for one in report["files"]}
    assert states["etc/accounts/oanda-demo.toml"] == "kept"
    assert states["etc/asirikuy/morning.set"] == "updated"
    assert account.read_text().endswith("# mine\n")
    assert report["trades"] == [{"account": "oanda-demo", "closed": 3, "new": 1}]
    assert any("kept as it is" in one["text"] for one in report["findings"])


@pytest.mark.parametrize("options", [(), ("--paper",)])
def test_trades_that_the_old_trader_closed_since_an_import_do_not_wait_any_more(
    old: Path, out: Path, options: tuple[str, ...]
) -> None:
    report_of(old, "--out", out)
    data = old.parent.parent / "data"
    (data / "101-004-1234567-001_openOrders.json").write_text(tiny_db([]))
    closed = {**OPEN[0], "CloseTime": 1451999999, "ClosePrice": 1.09, "ProfitPL": 30.0}
    (data / "101-004-1234567-001_orderHistory.json").write_text(tiny_db([*CLOSED, closed]))
    report = report_of(old, "--out", out, *options)
    assert read_take_over(out / "data/take-over/oanda-demo.json", "oanda-demo") == ()
    assert report["trades"] == [{"account": "oanda-demo", "closed": 3, "new": 1}]
    assert any("nothing of the old trader waits" in one["text"] for one in report["findings"])
    assert {one["state"] for one in report_of(old, "--out", out, *options)["files"]} == {"unchanged"}


@pytest.mark.parametrize("damage", [lambda path: path.write_text("{"), Path.unlink])
def test_trades_that_wait_stay_when_the_old_file_cannot_tell_what_is_open_now(
    old: Path, out: Path, damage: Callable[[Path], object]
) -> None:
    report_of(old, "--out", out)
    damage(old.parent.parent / "data/101-004-1234567-001_openOrders.json")
    report = report_of(old, "--out", out)
    assert len(read_take_over(out / "data/take-over/oanda-demo.json", "oanda-demo")) == 3
    assert any(
        one["file"] == "data/take-over/oanda-demo.json" and "is not known: kept as it is" in one["text"]
        for one in report["findings"]
    )


def test_no_file_of_open_trades_is_made_where_none_was_ever_open(old: Path, out: Path) -> None:
    (old.parent.parent / "data/101-004-1234567-001_openOrders.json").write_text(tiny_db([]))
    report = report_of(old, "--out", out)
    assert not (out / "data/take-over").exists()
    assert not any("take-over" in one["file"] for one in report["findings"])


def test_the_library_does_not_forget_which_bar_the_old_trader_ran_last(old: Path, out: Path) -> None:
    temp, carried = old.parent.parent / "tmp", out / "data/asirikuy/oanda-demo/2001.state"

    def imported(ran_s: int, *options: str) -> str:
        (temp / "2001.state").write_bytes(library_state(2001, ran_s))
        files = report_of(old, "--out", out, *options)["files"]
        return {one["path"]: one["state"] for one in files}["data/asirikuy/oanda-demo/2001.state"]

    temp.mkdir()
    assert imported(1_451_988_000, "--dry-run") == "new"
    assert not carried.exists()
    assert imported(1_451_988_000) == "new"
    assert imported(1_451_988_000) == "unchanged"
    assert imported(1_451_991_600) == "updated"  # the old trader went on
    assert carried.read_bytes() == library_state(2001, 1_451_991_600)
    carried.write_bytes(library_state(2001, 1_451_995_200))  # the library went on here
    assert imported(1_451_991_600) == "kept"
    assert carried.read_bytes() == library_state(2001, 1_451_995_200)


@pytest.mark.parametrize("template", ["demo", "replay", "empty"])
@pytest.mark.parametrize("options", [(), ("--paper",)])
def test_what_init_wrote_makes_way(old: Path, out: Path, template: TemplateKind, options: tuple[str, ...]) -> None:
    run("init", out, "--template", template, command=manager_cli)
    dry = report_of(old, "--out", out, *options, "--dry-run")
    assert (out / "etc/atrader.toml").read_text() == dict(template_files(template))[PurePosixPath("atrader.toml")]
    report = report_of(old, "--out", out, "--library", standin_library(), *options)
    assert (dry["problems"], report["problems"]) == ([], [])
    shown = json.loads(run("-C", out, "check", "--json", command=manager_cli))
    assert shown["accounts"] == ["oanda-demo"]
    assert [one["instance"] for one in shown["instances"]] == ["evening", "morning"]


def test_a_sample_that_somebody_changed_or_started_is_kept_and_what_does_not_fit_is_named(
    old: Path, tmp_path: Path
) -> None:
    def change(root: Path) -> None:
        strategy = root / "etc/strategies/eurusd-cross.toml"
        strategy.write_text(strategy.read_text() + "# mine\n")

    def start(root: Path) -> None:
        (root / "data/journal").mkdir()  # as the first gateway does

    for number, done in enumerate((change, start)):
        root = tmp_path / f"sample-{number}"
        run("init", root, command=manager_cli)
        done(root)
        before = contents(root / "etc")
        with pytest.raises(ConfigError, match=r"feed = 'none'"):
            run("import-legacy", old, "--out", root)
        assert before.items() <= contents(root / "etc").items()


def test_a_strategy_is_complete_as_soon_as_the_library_is_named(old: Path, out: Path) -> None:
    first = report_of(old, "--out", out)
    assert "etc/strategies/morning.toml.incomplete" in {one["path"] for one in first["files"]}
    report = report_of(old, "--out", out, "--library", standin_library())
    states = {one["path"]: one["state"] for one in report["files"]}
    assert states["etc/strategies/morning.toml"] == "new"
    assert states["etc/strategies/morning.toml.incomplete"] == "removed"
    assert not (out / "etc/strategies/morning.toml.incomplete").exists()
    assert report["problems"] == []
    shown = json.loads(run("-C", out, "check", "--json", command=manager_cli))
    assert [(one["instance"], one["magic"], one["timeframe"]) for one in shown["instances"]] == [
        ("evening", 2002, "15m"),
        ("morning", 2001, "1h"),
    ]


def test_a_strategy_that_would_be_refused_is_incomplete_and_says_why(old: Path, out: Path) -> None:
    library = out.parent / "lib.so"
    library.write_bytes(b"no library")
    config = old.read_text().replace("timeframeRequirements=0,1440", "timeframeRequirements=15,1440")
    old.write_text(config)
    report = report_of(old, "--out", out, "--library", library)
    text = (out / "etc/strategies/morning.toml.incomplete").read_text()
    assert "# Incomplete:" in text
    assert "lib.so" in text
    assert "STRATEGY_TIMEFRAME: 60 minutes, but rates[0] has 15m" in text
    assert any(one["kind"] == "problem" and "rates[0] has 15m" in one["text"] for one in report["findings"])
    checked = run("-C", out, "check", command=manager_cli)
    assert "is fine" in checked
    assert "morning.toml.incomplete is not run: mend what it says, and rename it to morning.toml" in checked
    assert {one["state"] for one in report_of(old, "--out", out, "--library", library)["files"]} == {"unchanged"}


def test_an_imported_installation_runs_its_strategies_on_paper(old: Path, out: Path) -> None:
    report = report_of(old, "--out", out, "--library", standin_library(), "--paper")
    assert report["problems"] == []
    fleet = Fleet(out)
    try:
        fleet.start()
        assert fleet.process("worker-morning")["state"] == fleet.process("worker-evening")["state"] == "RUNNING"
        assert [one["close_reason"] for one in fleet.history("trades")] == ["imported", "imported"]
        history = old.parent.parent / "data/101-004-1234567-001_orderHistory.json"
        history.write_text(tiny_db([*CLOSED, {**CLOSED[0], "Ticket": 77}]))
        again = report_of(old, "--out", out, "--library", standin_library(), "--paper")  # the data layer writes it
        assert again["trades"] == [{"account": "oanda-demo", "closed": 3, "new": 1}]
        assert len(fleet.history("trades")) == 3
        assert fleet.stop() == 0
    finally:
        fleet.end()


def test_an_old_installation_is_not_left_out_of_what_was_made_of_two(old: Path, out: Path, tmp_path: Path) -> None:
    other = write_old_trader(tmp_path / "other", CONFIG.replace("101-004-1234567-001", "101-004-7654321-001"))
    report_of(old, other, "--out", out)
    with pytest.raises(ConfigError, match=r"was made of .*other.* as well"):
        run("import-legacy", old, "--out", out)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda root: (root / "data/101-004-1234567-001_openOrders.json").write_text("{"), "is no whole JSON"),
        (lambda root: (root / "sets/morning.set").write_text("ACCOUNT_RISK_PERCENT=x"), "expected a number, was 'x'"),
        (lambda root: (root / "config/broker-tz.csv").unlink(), "there is no broker-tz.csv beside it"),
        (lambda root: (root / "config/AsirikuyConfig.xml").write_text("<a><b>"), "is no whole XML"),
        (lambda root: (root / "history/EURUSD_60.csv").write_text("no bars at all"), "EURUSD_60.csv"),
    ],
)
def test_one_damaged_file_is_named_and_everything_else_is_imported(
    old: Path, out: Path, damage: Any, told: str
) -> None:
    damage(old.parent.parent)
    report = report_of(old, "--out", out)
    said = [*(f"{one['file']} {one['text']}" for one in report["findings"]), *report["bars_failed"]]
    assert any(told in one for one in said), said
    assert (out / "etc/accounts/oanda-demo.toml").exists()
    assert report["trades"][0]["closed"] == 2
    assert "is fine" in run("-C", out, "check", command=manager_cli)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere"], "there is no such file"),
        (["OLD", "--library", "nowhere.so"], "there is no such file"),
        (["OLD", "--monitor", "nowhere.config"], "cannot be read"),
        (["OLD", "--zone", "Nowhere/Land"], "--zone"),
    ],
)
def test_what_is_named_and_not_there_ends_the_import_before_anything_is_written(
    old: Path, out: Path, arguments: list[str], told: str
) -> None:
    named = [str(old) if one == "OLD" else one for one in arguments]
    with pytest.raises(ConfigError, match=told):
        run("import-legacy", *named, "--out", out)
    assert not out.exists()


def test_the_report_for_people_names_every_kind_of_finding(old: Path, out: Path) -> None:
    text = run("import-legacy", old, "--out", out, "--monitor", write_monitor(out))
    for title in ("Converted (", "different now", "did wrong", "Without a counterpart", "Unknown (", "To do ("):
        assert title in text
    assert f"atrader-manager -C {out} check" in text
    assert not any(secret in text for secret in SECRETS)
