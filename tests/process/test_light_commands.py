"""Help and completion answer without importing what only the work needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from atrader.configuration.templates import write_template

HEAVY = ("numpy", "pandas", "pyarrow", "zmq", "sqlalchemy")
MODULES = {"atrader-manager": "manager.commands.fleet", "atrader": "manager.commands.tools"}


def run(program: str, *arguments: str, **environment: str) -> tuple[str, list[str]]:
    """Run a command in a process of its own; return its output and the heavy modules it imported."""
    script = (
        f"import sys; sys.argv = {[program, *arguments]!r}\n"
        f"from {MODULES[program]} import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-P", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return ran.stdout, ran.stderr.split()


def complete(program: str, *words: str) -> tuple[list[str], list[str]]:
    """Complete the last word; return the proposals and the heavy modules."""
    variable = f"_{program.upper().replace('-', '_')}_COMPLETE"
    words_typed = " ".join([program, *words])
    typed, heavy = run(program, **{variable: "bash_complete", "COMP_WORDS": words_typed, "COMP_CWORD": str(len(words))})
    return [line.partition(",")[2] for line in typed.splitlines()], heavy


@pytest.mark.parametrize(
    ("program", "arguments", "shown"),
    [
        ("atrader-manager", ["--help"], "Close every trade and cancel every order now"),
        ("atrader-manager", ["status", "--help"], "--watch"),
        ("atrader-manager", ["start", "--help"], "--daemon"),
        ("atrader-manager", ["doctor", "--help"], "--json"),
        ("atrader-manager", ["halt", "--help"], "SCOPE"),
        ("atrader-manager", ["logs", "--help"], "--follow"),
        ("atrader-manager", ["completion", "bash"], "_ATRADER_MANAGER_COMPLETE"),
        ("atrader", ["--help"], "history"),
        ("atrader", ["data", "--help"], "which bars are missing"),
        ("atrader", ["data", "import", "--help"], "histdata"),
        ("atrader", ["data", "export", "--help"], "parquet"),
        ("atrader", ["history", "trades", "--help"], "--magic"),
    ],
)
def test_help_imports_nothing_heavy(program: str, arguments: list[str], shown: str) -> None:
    output, heavy = run(program, *arguments)
    assert shown in output
    assert heavy == []


@pytest.mark.parametrize(
    ("program", "words", "proposals"),
    [
        ("atrader-manager", ["st"], {"start", "status", "stop"}),
        ("atrader-manager", ["status", "--w"], {"--watch"}),
        ("atrader", ["h"], {"history"}),
        ("atrader", ["data", ""], {"import", "list", "gaps", "export"}),
        ("atrader", ["history", "trades", "--mag"], {"--magic"}),
        ("atrader", ["backtest", "--para"], {"--param"}),
    ],
)
def test_completion_imports_nothing_heavy(program: str, words: list[str], proposals: set[str]) -> None:
    found, heavy = complete(program, *words)
    assert proposals <= set(found)
    assert heavy == []


@pytest.mark.parametrize(
    ("program", "words", "proposals"),
    [
        ("atrader-manager", ["restart", ""], ["data-layer", "eurusd-cross", "gbpusd-bracket", "paper", "usdjpy-cross"]),
        ("atrader-manager", ["stop", "paper", "us"], ["usdjpy-cross"]),
        ("atrader-manager", ["logs", "-f", "gb"], ["gbpusd-bracket"]),
        ("atrader-manager", ["halt", "f"], ["fleet"]),
        ("atrader-manager", ["flatten", "p"], ["paper"]),
        ("atrader", ["history", "trades", "--instance", "e"], ["eurusd-cross"]),
        ("atrader", ["backtest", "e"], ["ema-cross", "eurusd-cross"]),
        ("atrader", ["backtest", "etc/st"], ["etc/st"]),
        ("atrader", ["backtest", "check", "eu"], ["eurusd-cross"]),
        ("atrader", ["history", "trades", "--account", ""], ["paper"]),
        ("atrader", ["history", "trades", "--state", "c"], ["closed"]),
    ],
)
def test_names_of_the_installation_are_completed(
    tmp_path: Path, program: str, words: list[str], proposals: list[str]
) -> None:
    write_template(tmp_path, "demo")
    found, heavy = complete(program, "-C", str(tmp_path), *words)
    assert sorted(found) == proposals
    assert heavy == []


def test_nothing_is_proposed_where_there_is_no_installation(tmp_path: Path) -> None:
    found, _ = complete("atrader", "-C", str(tmp_path), "history", "trades", "--account", "")
    assert not any(found)
