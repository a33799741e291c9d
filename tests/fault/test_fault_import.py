"""An import is killed half way: what it had stored stays, and running it again completes it."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from atrader.configuration.fleet import FleetConfig
from atrader.configuration.home import Home
from atrader.errors import StoreError
from data_layer.files.importing import BARS_AT_ONCE, QUOTES_AT_ONCE
from data_layer.offline import open_market
from tests.support.data_layer import wait_until
from tests.support.typed import SCRIPTS, type_command

BARS = 21 * BARS_AT_ONCE // 2  # enough parts to be killed between two of them on any machine
_TRIES = 10


@pytest.fixture
def home(tmp_path: Path) -> Home:
    assert type_command("atrader-manager init --template empty", tmp_path / "here").code == 0
    return Home(tmp_path / "here")


def stored_rows(home: Home) -> int:
    with open_market(home, FleetConfig()) as market:
        try:
            return sum(info.count for info in market.series())
        except StoreError:  # the file is just being made
            return 0


def kill_when_some_is_stored(home: Home, path: Path, whole: int) -> int:
    """Start an import, kill it after its first part was stored, and return how much there is then."""
    command = [str(SCRIPTS / "atrader"), "-C", str(home.root), "data", "import", str(path)]
    for _ in range(_TRIES):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                wait_until(lambda: stored_rows(home) > 0, "the first part", 60)
            finally:
                process.kill()
        stored = stored_rows(home)
        if 0 < stored < whole:
            return stored
        shutil.rmtree(home.data)  # it was faster than we; once more
    raise AssertionError(f"the import was over before it was killed, {_TRIES} times")


@pytest.mark.timeout(180)
def test_bars_of_a_killed_import_are_completed_by_the_next(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "eurusd-1m.csv"
    times = (np.datetime64("2020-01-06T00:00:00") + np.arange(BARS) * np.timedelta64(60, "s")).astype(str)
    path.write_text("timestamp,open,high,low,close\n" + "".join(f"{time}Z,1.5,1.75,1.25,1.5\n" for time in times))
    kept = kill_when_some_is_stored(home, path, BARS)
    assert kept % BARS_AT_ONCE == 0  # whole parts, nothing torn
    [again] = type_command("atrader -C", str(home.root), "data", "import", "--json", path).json["imports"]
    assert (again["rows"], again["new"], again["unchanged"]) == (BARS, BARS - kept, kept)
    with open_market(home, FleetConfig()) as market:
        bars = market.bars("EUR/USD", "1m")
    assert len(bars) == BARS
    assert np.unique(np.diff(bars.open_time_ns)).tolist() == [60 * 10**9]
    assert set(bars.close.tolist()) == {1.5}


@pytest.mark.timeout(180)
def test_quotes_of_a_killed_import_are_completed_by_the_next(home: Home, tmp_path: Path) -> None:
    count = 5 * QUOTES_AT_ONCE // 2
    path = tmp_path / "eurusd-ticks.csv"
    generator = random.Random(1)
    # Many quotes of one time around the cut between two parts: they must stay together.
    seconds = [second if not -50 < second - QUOTES_AT_ONCE < 50 else QUOTES_AT_ONCE for second in range(count)]
    prices = [1.1 + generator.random() / 100 for _ in range(count)]
    rows = (f"{1_600_000_000 + at},{price!r},{price + 0.01!r}\n" for at, price in zip(seconds, prices, strict=True))
    path.write_text("timestamp,bid,ask\n" + "".join(rows))
    kill_when_some_is_stored(home, path, count)
    assert type_command("atrader -C", str(home.root), "data", "import", path).code == 0
    with open_market(home, FleetConfig()) as market:
        bids = [bid for quotes in market.tick_parts("EUR/USD") for bid in quotes.bid.tolist()]
    assert bids == prices
