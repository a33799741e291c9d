"""An import is killed half way: what it had stored stays, and running it again completes it."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from atrader.configuration.fleet import FleetConfig
from atrader.configuration.home import Home
from data_layer.files import importing
from data_layer.offline import open_market
from manager.commands import tools
from tests.support.forks import run_forked
from tests.support.typed import type_command

AT_ONCE = 10_000
PARTS = 5
LONGEST_S = 0.003  # about what one part takes


@pytest.fixture
def home(tmp_path: Path) -> Home:
    assert type_command("atrader-manager init --template empty", tmp_path / "here").code == 0
    return Home(tmp_path / "here")


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut files into parts that take milliseconds, in this process and in those that it forks."""
    monkeypatch.setattr(importing, "BARS_AT_ONCE", AT_ONCE)
    monkeypatch.setattr(importing, "QUOTES_AT_ONCE", AT_ONCE)


def stored_rows(home: Home) -> int:
    with open_market(home, FleetConfig()) as market:
        return sum(info.count for info in market.series())


def import_all(home: Home, path: Path) -> None:
    """Be the command; does not return."""
    sys.argv = ["atrader", "-C", str(home.root), "data", "import", str(path)]
    tools.main()


def import_and_die(home: Home, path: Path, part: int, after_s: float) -> int:
    """Import in a process that is killed so long after it began to store a part, or as soon as that is stored.

    Returns how many rows are stored then.
    """
    cut = importing.parts_of

    def parts(series: importing.Series) -> Iterator[tuple[int, int]]:
        for number, edges in enumerate(cut(series)):
            if number == part:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process at once, as SIGKILL does
                signal.setitimer(signal.ITIMER_REAL, after_s)
            elif number > part:
                os.kill(os.getpid(), signal.SIGKILL)
            yield edges

    def run() -> None:
        importing.parts_of = parts
        import_all(home, path)

    assert run_forked(run) in (-signal.SIGKILL, -signal.SIGALRM)
    return stored_rows(home)


def test_bars_of_a_killed_import_are_completed_by_the_next(home: Home, tmp_path: Path) -> None:
    path, chance = tmp_path / "eurusd-1m.csv", random.Random(5)
    times = np.datetime64("2020-01-06T00:00:00") + np.arange(PARTS * AT_ONCE) * np.timedelta64(60, "s")
    rows = (f"{time}Z,1.5,1.75,1.25,1.5\n" for time in times.astype(str))
    path.write_text("timestamp,open,high,low,close\n" + "".join(rows))
    kept = 0
    for part in range(1, PARTS - 1):
        kept = import_and_die(home, path, part, chance.uniform(0.0001, LONGEST_S))
        assert kept in (part * AT_ONCE, (part + 1) * AT_ONCE), "whole parts, nothing torn"
    [again] = type_command("atrader -C", str(home.root), "data", "import", "--json", path).json["imports"]
    assert (again["rows"], again["new"], again["unchanged"]) == (len(times), len(times) - kept, kept)
    with open_market(home, FleetConfig()) as market:
        bars = market.bars("EUR/USD", "1m")
    assert len(bars) == len(times)
    assert np.unique(np.diff(bars.open_time_ns)).tolist() == [60 * 10**9]
    assert set(bars.close.tolist()) == {1.5}


def test_quotes_of_a_killed_import_are_completed_by_the_next(home: Home, tmp_path: Path) -> None:
    path, chance, count = tmp_path / "eurusd-ticks.csv", random.Random(1), PARTS * AT_ONCE
    # Many quotes of one time around the cut between two parts: they must stay together.
    seconds = [second if not -50 < second - AT_ONCE < 50 else AT_ONCE for second in range(count)]
    prices = [1.1 + chance.random() / 100 for _ in range(count)]
    rows = (f"{1_600_000_000 + at},{price!r},{price + 0.01!r}\n" for at, price in zip(seconds, prices, strict=True))
    path.write_text("timestamp,bid,ask\n" + "".join(rows))
    for part in range(1, PARTS - 1):
        kept = import_and_die(home, path, part, chance.uniform(0.0001, LONGEST_S))
        assert 0 < kept < count
    assert run_forked(lambda: import_all(home, path)) == 0
    with open_market(home, FleetConfig()) as market:
        bids = [bid for quotes in market.tick_parts("EUR/USD") for bid in quotes.bid.tolist()]
    assert bids == prices
