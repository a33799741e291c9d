"""Commands on an installation that is not running, or is none."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from atrader.exit_codes import ExitCode
from tests.support.typed import SCRIPTS, type_command

HEADER = "timestamp,open,high,low,close,ask_open,ask_high,ask_low,ask_close,volume"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an installation as `init` makes it; for looking only."""
    directory = tmp_path_factory.mktemp("made") / "demo"
    assert type_command("atrader-manager init", directory).code == ExitCode.OK
    return directory


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    """Give a copy of it."""
    return shutil.copytree(made, tmp_path / "demo")


def bar_line(minute: int) -> str:
    """Write one minute bar of Wednesday, 1 February 2023, from 10:00 UTC on."""
    price = 1.1 + minute * 0.0001
    bid = f"{price:.4f},{price + 0.0002:.4f},{price - 0.0002:.4f},{price + 0.0001:.4f}"
    ask = f"{price + 0.0001:.4f},{price + 0.0003:.4f},{price - 0.0001:.4f},{price + 0.0002:.4f}"
    return f"2023-02-01T10:{minute:02d}:00Z,{bid},{ask},{minute + 1}.0"


def trading_states(home: Path) -> dict[str, Any]:
    """Return the trading-state file."""
    content: dict[str, Any] = json.loads((home / "data" / "trading-states.json").read_text())
    return content


def test_init_writes_an_installation_that_passes_check(made: Path) -> None:
    assert {path.name for path in made.iterdir()} >= {"etc", "data", "log", "run"}
    assert (made / "run").stat().st_mode & 0o777 == 0o700
    checked = type_command("atrader-manager -C", made, "check", "--json").json
    assert checked["accounts"] == ["paper"]
    assert len(checked["instances"]) >= 3
    assert len({row["magic"] for row in checked["instances"]}) == len(checked["instances"])


@pytest.mark.parametrize("template", ["replay", "empty"])
def test_every_template_passes_check(tmp_path: Path, template: str) -> None:
    assert type_command("atrader-manager init --template", template, tmp_path / "made").code == ExitCode.OK
    assert type_command("atrader-manager -C", tmp_path / "made", "check").code == ExitCode.OK


def test_init_never_overwrites_a_file(home: Path) -> None:
    mine = home / "etc" / "accounts" / "paper.toml"
    mine.write_text("broker = 'paper'  # mine\n")
    before = {path: path.read_bytes() for path in home.rglob("*.toml")}
    again = type_command("atrader-manager init", home)
    assert again.code == ExitCode.CONFIG
    assert "never overwritten" in again.err
    assert {path: path.read_bytes() for path in home.rglob("*.toml")} == before


def test_check_names_file_and_key_of_everything_that_is_wrong(home: Path) -> None:
    account = home / "etc" / "accounts" / "paper.toml"
    account.write_text(account.read_text().replace("initial_balance", "inital_balance"))
    fleet = home / "etc" / "atrader.toml"
    fleet.write_text(fleet.read_text().replace('beat_interval = "1s"', "beat_interval = 1"))
    found = type_command("atrader-manager -C", home, "check")
    assert found.code == ExitCode.CONFIG
    assert "etc/accounts/paper.toml" in found.err
    assert "inital_balance" in found.err
    assert "initial_balance" in found.err  # did you mean
    assert "etc/atrader.toml" in found.err
    assert "beat_interval" in found.err
    assert "Traceback" not in found.err
    assert type_command("atrader-manager -C", home, "start").code == ExitCode.CONFIG


@pytest.mark.parametrize(
    "line",
    ["atrader-manager status", "atrader-manager start"],
)
def test_a_directory_without_an_installation_is_named_with_what_to_do(tmp_path: Path, line: str) -> None:
    done = type_command(line, cwd=tmp_path)
    assert done.code == ExitCode.CONFIG
    assert str(tmp_path) in done.err
    assert "atrader-manager init" in done.err
    assert list(tmp_path.iterdir()) == []


def test_an_account_that_never_traded_says_so(made: Path) -> None:
    [row] = type_command("atrader-manager account --json", cwd=made).json
    assert (row["name"], row["source"]) == ("paper", None)
    done = type_command("atrader-manager account", cwd=made)
    assert done.code == ExitCode.OK
    assert "nothing was ever traded on this account" in done.out


@pytest.mark.parametrize("words", ["status --json", "stop eurusd-cross", "restart", "reload", "start paper"])
def test_commands_that_need_the_fleet_say_that_it_does_not_run(made: Path, words: str) -> None:
    done = type_command(f"atrader-manager {words}", cwd=made)
    assert done.code == ExitCode.UNAVAILABLE
    assert "start it with" in done.err


def test_stopping_what_does_not_run_is_no_error(made: Path) -> None:
    done = type_command("atrader-manager stop", cwd=made)
    assert done.code == ExitCode.OK
    assert "nothing runs" in done.out


@pytest.mark.parametrize("words", ["start eurusd-cros", "stop nobody", "restart eurusd-cross nobody"])
def test_an_unknown_process_is_refused_with_those_there_are(made: Path, words: str) -> None:
    done = type_command(f"atrader-manager {words}", cwd=made)
    assert done.code == ExitCode.CONFIG
    assert "worker-eurusd-cross" in done.err
    assert "gateway-paper" in done.err


def test_logs_of_a_process_that_never_ran_say_so(made: Path) -> None:
    done = type_command("atrader-manager logs eurusd-cross", cwd=made)
    assert (done.code, done.out) == (ExitCode.OK, "")
    assert "has not run yet" in done.err
    assert type_command("atrader-manager logs --json", cwd=made).json == []
    unknown = type_command("atrader-manager logs nobody", cwd=made)
    assert unknown.code == ExitCode.CONFIG
    assert "worker-eurusd-cross" in unknown.err


@pytest.mark.parametrize("line", ["atrader-manager fly", "atrader-manager status --jason", "atrader history"])
def test_a_wrong_command_line_is_a_usage_error(made: Path, line: str) -> None:
    done = type_command(line, cwd=made)
    assert done.code == ExitCode.USAGE
    assert "Usage: " in done.err + done.out


def test_the_installation_is_the_current_directory_or_atrader_home_or_minus_c(made: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    expected = type_command("atrader-manager check --json", cwd=made).json
    by_variable = type_command("atrader-manager check --json", cwd=elsewhere, environment={"ATRADER_HOME": str(made)})
    assert by_variable.json == expected
    wrong = {"ATRADER_HOME": str(elsewhere)}
    assert (
        type_command("atrader-manager -C", made, "check", "--json", cwd=elsewhere, environment=wrong).json == expected
    )


def test_halt_without_a_manager_is_written_for_the_next_start(home: Path) -> None:
    told = type_command("atrader-manager halt paper --json", cwd=home).json
    assert told["scope"] == "account:paper"
    assert told["state"] == "HALTED"
    assert json.loads((home / "data" / "trading-states.json").read_text())["accounts"] == {"paper": "HALTED"}
    assert type_command("atrader-manager resume paper", cwd=home).code == ExitCode.OK
    assert (
        json.loads((home / "data" / "trading-states.json").read_text())["accounts"].get("paper", "ACTIVE") == "ACTIVE"
    )


def test_resume_names_what_does_not_trade_all_the_same(home: Path) -> None:
    for words in ("halt usdjpy-cross", "reduce paper", "halt"):
        assert type_command(f"atrader-manager {words}", cwd=home).code == ExitCode.OK
    told = type_command("atrader-manager resume", cwd=home).out.splitlines()
    assert told[1:] == [
        "account:paper stays REDUCING until it is resumed by its name",
        "instance:usdjpy-cross stays HALTED until it is resumed by its name",
    ]
    assert len(type_command("atrader-manager resume paper", cwd=home).out.splitlines()) == 2
    assert len(type_command("atrader-manager resume usdjpy-cross", cwd=home).out.splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("trades --state nonsense", "'--state': 'nonsense' is not one of 'open', 'closed'"),
        ("orders --state open", "'--state'"),
        ("trades --start yesterday", "--start: time: expected an ISO 8601 date"),
        ("signals --end 2024-13-01", "--end: time:"),
        ("equity --state open", "--state"),
    ],
)
def test_an_option_of_the_history_that_says_nothing_is_a_usage_error(made: Path, line: str, named: str) -> None:
    done = type_command(f"atrader history {line}", cwd=made)
    assert done.code == ExitCode.USAGE
    assert named in done.err


def test_a_state_is_found_however_it_is_written(made: Path) -> None:
    assert type_command("atrader history orders --state filled", cwd=made).out == "no orders that fit the options\n"


def test_a_history_without_what_was_asked_for_says_which_names_nobody_has_here(made: Path) -> None:
    asked = "--instance eurusd-cros --account paper --instrument EURUSD"
    told = type_command(f"atrader history trades {asked}", cwd=made).out.splitlines()
    assert told == [
        "no trades that fit the options",
        "--instance: 'eurusd-cros' is not configured - did you mean 'eurusd-cross'?",
        "--instrument: 'EURUSD' is not configured - did you mean 'EUR/USD'?",
    ]
    assert type_command(f"atrader history trades --json {asked}", cwd=made).json == []


def test_nothing_is_kept_up_to_date_where_nothing_runs(made: Path) -> None:
    assert type_command("atrader data watched", cwd=made).out == "nothing runs, so nothing is kept up to date\n"


def test_init_of_a_replay_says_that_bars_come_first(tmp_path: Path) -> None:
    told = type_command("atrader-manager init --template replay", tmp_path / "jpy").out
    assert told.index("data import FILE") < told.index(" check") < told.index(" start")


def test_an_unknown_scope_is_refused_with_those_there_are(made: Path) -> None:
    done = type_command("atrader-manager halt nobody", cwd=made)
    assert done.code == ExitCode.CONFIG
    assert "eurusd-cross" in done.err
    assert not (made / "data" / "trading-states.json").exists()


def test_flatten_asks_for_a_confirmation(home: Path) -> None:
    done = type_command("atrader-manager flatten", cwd=home)
    assert done.code == ExitCode.USAGE
    assert "--yes" in done.err
    assert type_command("atrader-manager flatten --yes", cwd=home).code == ExitCode.OK
    assert trading_states(home)["fleet"] == "FLATTENING"


def test_keys_are_made_once_and_kept(home: Path) -> None:
    assert type_command("atrader-manager keys", cwd=home).code == ExitCode.OK
    files = {path: path.read_bytes() for path in (home / "etc" / "keys").rglob("*") if path.is_file()}
    assert files
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)
    assert type_command("atrader-manager keys", cwd=home).code == ExitCode.CONFIG
    assert {path: path.read_bytes() for path in files} == files
    assert type_command("atrader-manager keys --force", cwd=home).code == ExitCode.OK
    assert {path: path.read_bytes() for path in files} != files


def test_keys_says_what_to_copy_and_makes_a_pair_for_a_further_client(home: Path) -> None:
    assert type_command("atrader-manager keys --client laptop", cwd=home).code == ExitCode.CONFIG
    made = type_command("atrader-manager keys", cwd=home).out
    folder = home / "etc" / "keys"
    assert all(str(folder / name) in made for name in ("server.public", "client.public", "client.secret"))
    assert str(folder / "server.secret") not in made
    more = type_command("atrader-manager keys --client laptop", cwd=home)
    assert more.code == ExitCode.OK
    assert str(folder / "for-laptop" / "client.secret") in more.out
    assert (folder / "client-laptop.public").read_text() == (folder / "for-laptop" / "client.public").read_text()
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.rglob("*"))
    assert type_command("atrader-manager keys --client laptop", cwd=home).code == ExitCode.CONFIG
    assert type_command("atrader-manager keys --client ../x", cwd=home).code == ExitCode.CONFIG


def test_check_finds_a_port_without_keys(home: Path) -> None:
    with (home / "etc" / "atrader.toml").open("a") as file:
        file.write('\n[bus]\ndata_tcp = "tcp://127.0.0.1:5500"\n')
    found = type_command("atrader-manager check", cwd=home)
    assert found.code == ExitCode.CONFIG
    assert "atrader-manager keys" in found.err
    assert type_command("atrader-manager keys", cwd=home).code == ExitCode.OK
    assert type_command("atrader-manager check", cwd=home).code == ExitCode.OK


def test_doctor_looks_at_machine_and_installation(home: Path) -> None:
    findings = type_command("atrader-manager doctor --json", cwd=home).json
    looked_at = {finding["what"]: finding["level"] for finding in findings}
    assert looked_at.keys() >= {"python", "sqlite", "clock", "disk", "configuration", "run directory", "manager"}
    assert looked_at["configuration"] == "ok"
    assert looked_at["account paper: login"] == "ok"
    assert all(finding["remedy"] for finding in findings if finding["level"] != "ok")
    offline = type_command("atrader-manager doctor --offline --json", cwd=home).json
    assert not [finding for finding in offline if finding["what"].startswith("account ")]
    (home / "run").chmod(0o755)
    found = type_command("atrader-manager doctor", cwd=home)
    assert found.code == ExitCode.FAILURE
    assert "chmod 700" in found.out


@pytest.mark.parametrize(
    ("program", "shell"),
    [("atrader-manager", "bash"), ("atrader", "bash"), ("atrader-manager", "zsh"), ("atrader", "fish")],
)
def test_completion_prints_a_script_that_the_shell_accepts(program: str, shell: str) -> None:
    script = type_command(f"{program} completion {shell}")
    assert script.code == ExitCode.OK
    assert f"_{program.upper().replace('-', '_')}_COMPLETE" in script.out
    if shutil.which(shell):
        assert subprocess.run([shell, "-n"], input=script.out, text=True, check=False).returncode == 0


def test_completion_completes_commands() -> None:
    asked = {"_ATRADER_MANAGER_COMPLETE": "bash_complete", "COMP_WORDS": "atrader-manager re", "COMP_CWORD": "1"}
    offered = type_command("atrader-manager", environment=asked).out
    assert {line.partition(",")[2] for line in offered.splitlines()} == {"reduce", "reload", "restart", "resume"}


@pytest.mark.parametrize("program", ["atrader-manager", "atrader"])
def test_help_and_version_work_anywhere(program: str, tmp_path: Path) -> None:
    assert "Usage: " in type_command(f"{program} --help", cwd=tmp_path).out
    assert type_command(f"{program} -h", cwd=tmp_path).out == type_command(f"{program} --help", cwd=tmp_path).out
    assert "0.1.0" in type_command(f"{program} --version", cwd=tmp_path).out


def test_bars_go_in_and_out_with_their_gap_known(home: Path, tmp_path: Path) -> None:
    lines = [HEADER, *(bar_line(minute) for minute in range(20) if minute not in (7, 8)), "2023-02-01T10:30:00Z,no"]
    (tmp_path / "eurusd-1m.csv").write_text("\n".join(lines) + "\n")

    [first] = type_command("atrader data import --json", tmp_path / "eurusd-1m.csv", cwd=home).json["imports"]
    assert (first["instrument"], first["timeframe"], first["rows"], first["new"]) == ("EUR/USD", "1m", 18, 18)
    assert [row["line"] for row in first["bad_rows"]] == [20]
    assert (first["dropped"], first["reasons"], first["gaps"]) == (1, {"number": 1}, 2)
    [again] = type_command("atrader data import --json", tmp_path / "eurusd-1m.csv", cwd=home).json["imports"]
    assert (again["rows"], again["new"], again["unchanged"], again["revised"]) == (18, 0, 18, 0)

    [series] = type_command("atrader data list --json", cwd=home).json
    assert series.keys() == {"instrument", "timeframe", "source", "count", "first", "last"}
    assert (series["count"], series["first"]) == (18, "2023-02-01T10:00:00Z")

    [gap] = type_command("atrader data gaps EUR/USD 1m --json", cwd=home).json
    missing = {"first_missing": "2023-02-01T10:07:00Z", "last_missing": "2023-02-01T10:08:00Z"}
    assert gap == {"timeframe": "1m", **missing, "bars": 2}

    for wrong, code, text in (
        ("EURUSD 1m", ExitCode.CONFIG, "did you mean 'EUR/USD'?"),
        ("EUR/USD 1x", ExitCode.CONFIG, "expected a count and one of s, m, h"),
        ("USD/JPY 1m", ExitCode.FAILURE, "no bars of USD/JPY are stored"),
    ):
        refused = type_command(f"atrader data gaps {wrong}", cwd=home)
        assert (refused.code, text in refused.err) == (code, True)

    whole = type_command("atrader data export EUR/USD 1m", cwd=home).out.splitlines()
    assert whole[0] == HEADER
    assert len(whole) == 19
    part = ("--start", "2023-02-01T10:05:00Z", "--end", "2023-02-01T10:10:00Z")
    hourly = type_command("atrader data export EUR/USD 5m", *part, cwd=home).out.splitlines()
    assert len(hourly) == 2
    assert hourly[1].startswith("2023-02-01T10:05:00Z,1.1005,")

    type_command("atrader data export EUR/USD 1m -o", tmp_path / "out.csv", cwd=home)
    other = shutil.copytree(home / "etc", tmp_path / "other" / "etc").parent
    back = type_command("atrader data import --instrument EUR/USD", tmp_path / "out.csv", cwd=other)
    assert back.code == ExitCode.OK
    assert type_command("atrader data export EUR/USD 1m", cwd=other).out.splitlines() == whole


def test_an_import_that_is_strict_stores_nothing_when_a_row_is_bad(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "eurusd.csv"
    path.write_text(f"{HEADER}\n{bar_line(0)}\nnonsense\n")
    refused = type_command("atrader data import --strict --timeframe 1m", path, cwd=home)
    assert refused.code == ExitCode.CONFIG
    assert "eurusd.csv" in refused.err
    assert type_command("atrader data list --json", cwd=home).json == []
    assert type_command("atrader data import --instrument XXX/YYY", path, cwd=home).code == ExitCode.CONFIG


@pytest.mark.parametrize("table", ["trades", "events"])
def test_the_history_of_an_installation_that_never_ran_is_empty(home: Path, table: str) -> None:
    assert type_command(f"atrader history {table} --json", cwd=home).json == []


def test_the_scripts_are_those_of_this_environment() -> None:
    assert {(SCRIPTS / name).is_file() for name in ("atrader-manager", "atrader")} == {True}
    assert type_command("atrader-manager --version").out.startswith("atrader-manager")
    assert sys.executable in (SCRIPTS / "atrader").read_text()
