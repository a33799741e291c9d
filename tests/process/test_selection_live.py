"""Selection while prices come: judged from what is stored, shown, and never above what people set."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from atrader.clock import NS_PER_S, SystemClock, iso_from_ns
from tests.support.fleet import Fleet, wait_for

DETECTOR = "[selection.detector]\nadx_period = 3\nusual_bars = 10\natr_bars = 3\nchannel_bars = 5\n"


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path / "home")
    yield made
    made.end()


def write_rising(path: Path, count: int = 40) -> None:
    """Write seconds of EUR/USD that only rise, the last of them an hour ago."""
    end_ns = SystemClock().now_ns() // NS_PER_S * NS_PER_S - 3600 * NS_PER_S
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("timestamp", "open", "high", "low", "close"))
        for number in range(count):
            price = 1.0 + number / 1000
            time = iso_from_ns(end_ns + (number - count) * NS_PER_S)
            rows.writerow((time, *(f"{price + extra:.4f}" for extra in (0, 0.002, -0.0005, 0.001))))


def test_an_instance_made_for_the_market_opens_another_does_not_and_halt_wins(tmp_path: Path, fleet: Fleet) -> None:
    write_rising(tmp_path / "rising.csv")
    fleet.write_fleet()
    fleet.write_account()
    # One switch at most: what the feed brings after it is another market.
    once = "[selection]\nphases = ['{}']\nconfirm_bars = 1\nmin_dwell_bars = 1000\n" + DETECTOR
    fleet.write_instance("climber", 1, text=once.format("trend-up"))
    fleet.write_instance("sitter", 2, text="[selection]\nphases = ['range']\nconfirm_bars = 1000\n" + DETECTOR)
    files = ("--instrument", "EUR/USD", "--timeframe", "1s")
    done = fleet.command("data", "import", str(tmp_path / "rising.csv"), *files, program="manager.commands.tools")
    assert done.returncode == 0, done.stderr
    fleet.start()

    def state(name: str) -> str:
        return str(fleet.process(f"worker-{name}").get("trading_state"))

    wait_for(lambda: state("climber") == "ACTIVE", "climber is judged")
    wait_for(lambda: state("sitter") == "REDUCING", "sitter is judged")
    wait_for(lambda: any(row["instance"] == "climber" for row in fleet.history("trades")), "a trade of climber")
    refused = [row for row in fleet.history("orders") if row["instance"] == "sitter" and row["action"] == "open"]
    assert {row["reason"].partition(":")[0] for row in refused} <= {"trading-state"}
    shown = fleet.command("status").stdout
    assert "worker-climber: ACTIVE by selection since " in shown
    assert "market is trend-up" in shown
    assert "worker-sitter: REDUCING by selection: market is " in shown

    assert fleet.command("halt", "climber").returncode == 0
    assert state("climber") == "HALTED"
    resumed = fleet.command("resume", "climber").stdout
    assert "instance:sitter stays REDUCING by selection" in resumed
    wait_for(lambda: state("climber") == "ACTIVE", "the next beat of the gateway")
    switches = wait_for(lambda: [r["text"] for r in fleet.history("events") if r["kind"] == "selection"], "the switch")
    assert len(switches) == 1
    assert switches[0].startswith("climber is ACTIVE by selection: market is trend-up")

    fleet.write_instance("sitter", 2)
    assert fleet.command("reload").returncode == 0
    wait_for(lambda: state("sitter") == "ACTIVE", "sitter selects no more")
