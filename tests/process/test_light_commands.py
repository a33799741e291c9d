"""Help and completion answer without importing what only the work needs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from atrader.configuration.home import Home
from atrader.configuration.templates import write_template
from data_layer.offline import open_market
from tests.support.price_walks import walk

HEAVY = ("numpy", "pandas", "pyarrow", "zmq", "sqlalchemy")
MODULES = {"atrader-manager": "manager.commands.fleet", "atrader": "manager.commands.tools"}
_SERVE = f"""
import json, os, sys
from importlib import import_module

main = import_module(sys.argv[1]).main
for line in sys.stdin:
    request = json.loads(line)
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(request["out"], os.O_WRONLY | os.O_CREAT), 1)
        os.environ.update(request["environment"])
        sys.argv = request["argv"]
        code = None
        try:
            main()
        except SystemExit as end:
            code = end.code
        sys.stdout.flush()
        with open(request["out"] + ".heavy", "w") as file:
            print(*[name for name in {HEAVY!r} if name in sys.modules], file=file)
        os._exit(1 if code else 0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Programs:
    """Each program imported once, in an interpreter that imported nothing else; it forks a process for each command."""

    def __init__(self, stack: ExitStack) -> None:
        self._processes = {
            program: stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-P", "-c", _SERVE, module],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for program, module in MODULES.items()
        }

    def run(self, out: Path, program: str, *arguments: str, **environment: str) -> tuple[str, list[str]]:
        """Run a command; return its output and the heavy modules that were imported then."""
        process = self._processes[program]
        assert process.stdin is not None
        assert process.stdout is not None
        request = {"argv": [program, *arguments], "environment": environment, "out": str(out)}
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "0\n", "the command failed"
        return out.read_text(), out.with_name(out.name + ".heavy").read_text().split()

    def complete(self, out: Path, program: str, *words: str) -> tuple[list[str], list[str]]:
        """Complete the last word; return the proposals and the heavy modules."""
        variable = f"_{program.upper().replace('-', '_')}_COMPLETE"
        typed = {"COMP_WORDS": " ".join([program, *words]), "COMP_CWORD": str(len(words))}
        text, heavy = self.run(out, program, **{variable: "bash_complete"}, **typed)
        return [line.partition(",")[2] for line in text.splitlines()], heavy


@pytest.fixture(scope="module")
def programs() -> Iterator[Programs]:
    with ExitStack() as stack:
        yield Programs(stack)


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
def test_help_imports_nothing_heavy(
    programs: Programs, tmp_path: Path, program: str, arguments: list[str], shown: str
) -> None:
    output, heavy = programs.run(tmp_path / "out", program, *arguments)
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
def test_completion_imports_nothing_heavy(
    programs: Programs, tmp_path: Path, program: str, words: list[str], proposals: set[str]
) -> None:
    found, heavy = programs.complete(tmp_path / "out", program, *words)
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
    programs: Programs, tmp_path: Path, program: str, words: list[str], proposals: list[str]
) -> None:
    home = tmp_path / "home"
    write_template(home, "demo")
    found, heavy = programs.complete(tmp_path / "out", program, "-C", str(home), *words)
    assert sorted(found) == proposals
    assert heavy == []


def test_nothing_is_proposed_where_there_is_no_installation(programs: Programs, tmp_path: Path) -> None:
    found, _ = programs.complete(tmp_path / "out", "atrader", "-C", str(tmp_path), "history", "trades", "--account", "")
    assert not any(found)


NOT_OF_A_VECTOR_RUN = (
    "sqlalchemy",
    "asyncio",
    "zmq",
    "pandas",
    "rich",
    "multiprocessing",
    "atrader.messages.data",
    "atrader.messages.gateway",
    "atrader.messages.history",
    "atrader.orders.broker",
    "atrader.paper.engine",
    "atrader.risk",
    "research.events.account",
    "research.events.context",
    "research.events.engine",
)
NOT_BEFORE_IT_IS_PRINTED = (
    "pyarrow",
    "numpy.ma",
    "logging",
    "concurrent.futures",
    "importlib.metadata",
    "email",
    "zipfile",
    "research.statistics.trials",
)
"""What only writing the files takes, what numpy imports for a median or a quantile, and what looks for plugins."""
_RUN = f"""
import sys
from manager.commands.tools import main

def among(names):
    return [name for name in names if name in sys.modules]

def written(text, write=sys.stdout.write):
    if "profit factor" in text:
        early.extend(among({NOT_BEFORE_IT_IS_PRINTED!r}))
    return write(text)

early = []
sys.stdout.write = written
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("imported:", *among({NOT_OF_A_VECTOR_RUN!r}), *early)
"""


def test_a_run_of_the_vector_engine_imports_neither_the_event_engine_nor_messages_of_gateways(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path / "home")
    write_template(home.root, "empty")
    with open_market(home) as market:
        market.import_bars("EUR/USD", "1m", "test", walk(5_000, "1m", begin="2024-03-04T00:00:00Z"))
    words = f"-C {home.root} backtest sma-cross --instrument EUR/USD --timeframe 1m --engine vector --start 2024-03-04"
    command = [sys.executable, "-P", "-c", _RUN, *words.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "profit factor" in done.stdout
    assert done.stdout.splitlines()[-1].split() == ["imported:"]


def test_the_words_of_commands_are_known_without_the_messages_of_the_bus() -> None:
    work = "import sys, manager.commands.tools; print(*({'pydantic', 'atrader.wire'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-P", "-c", work], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("words", "left_out"),
    [
        (["data", "list"], {"rich", "atrader.messages.data", "sqlalchemy", "pyarrow"}),
        (["results", "list"], {"rich", "data_layer", "pyarrow", "research.reports.page", "research.reports.picture"}),
        (["history", "stats"], {"rich"}),
    ],
)
def test_lists_are_shown_without_what_draws_bars_and_pages(
    tmp_path: Path, words: list[str], left_out: set[str]
) -> None:
    write_template(tmp_path / "home", "empty")
    work = f"""
import sys
from manager.commands.tools import main

try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("imported:", *({left_out!r} & sys.modules.keys()))
"""
    command = [sys.executable, "-P", "-c", work, "-C", str(tmp_path / "home"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1].split() == ["imported:"]
