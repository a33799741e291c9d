"""Recorded days with limits that count: losses, cool-downs and the account's day go on from where they were."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from atrader.clock import parse_time
from atrader.runtime.session_file import read_sessions
from manager.rerun.diff import Answer, replay_diff
from tests.support.fleet import Fleet, wait_for
from tests.support.replays import TOOLS, finish, wait_step, write_bars, write_replay

MakeFleet = Callable[[str], Fleet]
DAYS = ("2013-02-04", "2013-02-05", "2013-02-06", "2013-02-07")
FRAME = "account = 'paper'\ninstrument = 'USD/JPY'\ntimeframe = '30m'\n"

# Always in the market, which costs; and again after whatever was refused.
RESTLESS = """
from decimal import Decimal

from atrader.strategy import BaseParameters, EventStrategy


class Units(BaseParameters):
    units: int
    holds: bool = False


class Restless(EventStrategy):
    Parameters = Units

    def on_bar(self, bar):
        state = self.context.state
        count = state["count"] = int(state.get("count", 0)) + 1
        trades = self.context.trades()
        if trades and count % 2 and not self.parameters.holds:
            self.context.close(trades[0].trade_id)
        elif not trades:
            side, sign = ("buy", 1) if count % 4 < 2 else ("sell", -1)
            stop = Decimal(repr(bar.close)) - sign * Decimal("0.30")
            self.context.order(side, units=Decimal(self.parameters.units), stop_loss=stop)
"""

# Holds the replay at some bars until the test has done what is to be done there.
GATE = """
import time
from pathlib import Path

from atrader.strategy import EventStrategy


class Gate(EventStrategy):
    def on_bar(self, bar):
        count = self.context.state["count"] = int(self.context.state.get("count", 0)) + 1
        while count in (30, 40) and not Path(__file__).with_name(f"gate-{count}").exists():
            time.sleep(0.005)
"""
HELD = "time_budget = '300s'\n[process]\nbeat_timeout = '300s'\nstart_grace = '60s'\nstop_grace = '15s'\n"

LIMITS = {
    "patient": "units = 4000\n[limits]\ncooldown_after_losses = 3\ncooldown = '4h'\n",
    "poor": "units = 9000\n[limits]\ndaily_loss = 12\non_daily_loss = 'flatten'\n",
    "timid": (
        "units = 7000\n[limits]\nsession = { start = '08:00', end = '17:30', zone = 'Europe/London' }\n"
        "exit_at_session_end = true\n"
    ),
}
ACCOUNT = (
    "[limits]\ndaily_loss = 35\non_daily_loss = 'flatten'\nmax_drawdown_frac = 0.9\nmax_gross_exposure_frac = 0.012\n"
)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give half-hour bars."""
    path = tmp_path_factory.mktemp("market") / "usdjpy.csv"
    write_bars(path)
    return path


def again(fleet: Fleet, name: str, day: str) -> Answer:
    return replay_diff(fleet.home, name, parse_time(day))


def test_losses_cool_downs_and_the_day_of_the_account_go_on_in_each_life_with_the_limits_of_then(
    make_fleet: MakeFleet, market: Path
) -> None:
    fleet = make_fleet("limits")
    texts = {
        name: f"strategy = 'restless.py:Restless'\n{FRAME}magic = {magic}\n[parameters]\n{text}"
        for magic, (name, text) in enumerate(LIMITS.items(), start=1)
    }
    write_replay(fleet, texts, files=[market], settings="start = '2013-02-04'\nend = '2013-02-08'\n")
    (fleet.home.root / "restless.py").write_text(RESTLESS)
    path = fleet.home.etc / "accounts" / "paper.toml"
    path.write_text(path.read_text().replace("[paper]\n", f"{ACCOUNT}[paper]\nswap_long_frac = -0.05\n"))
    fleet.start()
    for step, name in ((20, "patient"), (36, "poor"), (70, "timid"), (74, "patient"), (120, "poor"), (150, "patient")):
        wait_step(fleet, step)
        fleet.wait_replaced(f"worker-{name}", fleet.kill(f"worker-{name}"))
    finish(fleet)
    reasons = Counter(row["reason"].partition(":")[0] for row in fleet.history("orders") if row["state"] == "DENIED")
    assert {"cooldown", "instance-daily-loss", "account-daily-loss", "session"} <= reasons.keys(), reasons
    closed = {row["close_reason"] for row in fleet.history("trades")}
    assert {"session-end", "instance-daily-loss"} <= closed, closed
    for change in (lambda: None, lambda: _loosen(fleet)):
        change()
        answers = {(name, day): again(fleet, name, day) for name in LIMITS for day in DAYS}
        found = {
            place: (one.comparison.difference, one.causes)
            for place, one in answers.items()
            if one.comparison.difference is not None
        }
        assert not found
    shown = fleet.command("replay-diff", "patient", "--day", DAYS[1], "--as-configured", program=TOOLS)
    assert shown.returncode == 1
    assert "the order was refused then: cooldown" in shown.stdout


def _loosen(fleet: Fleet) -> None:
    """Take the limits of all instances away: those of then count."""
    for name in LIMITS:
        path = fleet.home.etc / "strategies" / f"{name}.toml"
        path.write_text(path.read_text().partition("[limits]")[0])


def test_what_people_did_in_the_middle_of_a_day_is_told_as_the_reason(make_fleet: MakeFleet, market: Path) -> None:
    fleet = make_fleet("hands")
    texts = {
        name: f"strategy = 'restless.py:Restless'\n{FRAME}magic = {magic}\n[parameters]\nunits = {magic}000\n"
        for magic, name in enumerate(("closed", "halted", "left-alone", "loosened"), start=1)
    }
    texts["closed"] += "holds = true\n"
    texts["loosened"] += "[limits]\nmax_position_units = 3000\n"
    texts["gate"] = f"strategy = 'gate.py:Gate'\n{FRAME}magic = 9\n{HELD}"
    write_replay(fleet, texts, files=[market], settings="start = '2013-02-04'\nend = '2013-02-07'\n")
    (fleet.home.root / "restless.py").write_text(RESTLESS)
    (fleet.home.root / "gate.py").write_text(GATE)
    fleet.start()
    wait_step(fleet, 29)
    assert fleet.command("halt", "halted").returncode == 0
    (fleet.home.root / "gate-30").touch()
    wait_step(fleet, 39)
    assert fleet.command("flatten", "closed", "--yes").returncode == 0
    wait_for(lambda: any(row["close_reason"] == "flatten" for row in fleet.history("trades")), "a close by hand")
    assert fleet.command("resume", "closed").returncode == 0
    path = fleet.home.etc / "strategies" / "loosened.toml"
    path.write_text(path.read_text().replace("max_position_units = 3000", "max_position_units = 9000"))
    assert fleet.command("reload").returncode == 0
    (fleet.home.root / "gate-40").touch()
    wait_step(fleet, 45)
    fleet.stop(signal.SIGKILL)
    fleet.start()
    finish(fleet)
    for answer in (again(fleet, "left-alone", day) for day in DAYS[:3]):
        # The manager may have died between a close at the account and the worker's hearing of it.
        assert answer.comparison.difference is None or answer.causes[0].kind == "unheard"
    assert len(read_sessions(fleet.home.session("left-alone"))) == 2, "one life before the manager died"
    assert ("by-hand", "close of a000001w1 by the gateway (flatten)") in first_causes(fleet, "closed")
    halted = dict(first_causes(fleet, "halted"))
    # The rule of an open says it in other words than the gate, which refuses all but cancels.
    refusals = ("trading state is HALTED", "HALTED: only cancels are allowed")
    assert halted["refused"].startswith(tuple(f"the order was refused then: trading-state: {one}" for one in refusals))
    loosened = dict(first_causes(fleet, "loosened"))
    assert "is refused in the run: instance-position" in loosened["refused"]
    assert loosened["settings"] == "limits.max_position_units was 3000, is 9000"


def first_causes(fleet: Fleet, name: str) -> list[tuple[str, str]]:
    """Return why a day of an instance differs, the first day that does; times left out."""
    found = next(one for one in (again(fleet, name, day).causes for day in DAYS[:3]) if one)
    return [(cause.kind, cause.text.partition("Z: ")[2] or cause.text) for cause in found]
