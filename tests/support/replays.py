"""Replays at full speed in a home of their own: a made-up market, and what is needed to run it to its end."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, parse_time
from tests.support.fleet import PATIENT, Fleet, wait_for

TOOLS = "manager.commands.tools"
FIRST, END = "2013-02-01", "2013-02-09"
STEPS = 284
"""Half hours in which the market is open in that time."""
BAR_NS = 1800 * NS_PER_S

CROSS = (
    "strategy = 'sma-cross'\naccount = 'paper'\nmagic = 1\ninstrument = 'USD/JPY'\ntimeframe = '30m'\n"
    "[parameters]\nfast = 3\nslow = 8\natr_period = 5\nstop_atr = 1.0\nrisk_frac = 0.0005\n"
)
BRACKET = (
    "strategy = 'bracket'\naccount = 'paper'\nmagic = 2\ninstrument = 'USD/JPY'\ntimeframe = '1h'\n"
    "[parameters]\nlookback = 5\natr_period = 5\nrisk_frac = 0.002\n"
)


def write_bars(path: Path, seed: int = 7, first: str = FIRST, end: str = END) -> int:
    """Write half-hour bars of USD/JPY, a Friday and the week after it, as CSV with bid and ask; return how many."""
    chance = np.random.default_rng(seed)
    calendar = Calendar.get("fx")
    times = [
        time_ns
        for time_ns in range(parse_time(first), parse_time(end), BAR_NS)
        if calendar.is_open(time_ns) and calendar.is_open(time_ns + BAR_NS - 1)
    ]
    closes = 91.5 + np.cumsum(chance.normal(0.0, 0.05, len(times)))
    opens = np.concatenate(([91.5], closes[:-1]))
    wicks = np.abs(chance.normal(0.0, 0.03, (2, len(times))))
    highs, lows = np.maximum(opens, closes) + wicks[0], np.minimum(opens, closes) - wicks[1]
    names = ("open", "high", "low", "close")
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["timestamp", *names, *(f"ask_{name}" for name in names)])
        for time_ns, *prices in zip(times, opens, highs, lows, closes, strict=True):
            bids = [round(float(price), 3) for price in prices]
            stamp = datetime.fromtimestamp(time_ns / NS_PER_S, UTC).isoformat()
            rows.writerow([stamp, *bids, *(round(bid + 0.008, 3) for bid in bids)])
    return len(times)


def write_replay(
    fleet: Fleet,
    instances: Mapping[str, str],
    *,
    files: Iterable[Path] = (),
    timeframe: str = "30m",
    settings: str = "",
    session: str = "gateway",
    positions: str = "hedging",
) -> None:
    """Write the configuration of a replay and import what it plays.

    Parameters
    ----------
    fleet : Fleet
        Not started.
    instances : mapping of str to str
        Text of etc/strategies/NAME.toml by name.
    files : iterable of Path
        Imported; none: nothing is stored.
    timeframe : str
        Of the bars.
    settings : str
        More keys of ``[market.replay]``; speed is ``max`` unless it says otherwise.
    session, positions : str
        Of the account.
    """
    for folder in (fleet.home.etc / "accounts", fleet.home.etc / "strategies"):
        folder.mkdir(parents=True, exist_ok=True)
    speed = "" if "speed" in settings else "speed = 'max'\n"
    (fleet.home.etc / "atrader.toml").write_text(
        "stop_grace = '60s'\nbeat_interval = '200ms'\n[market]\nfeed = 'replay'\ninstruments = ['USD/JPY']\n"
        f"[market.replay]\ntimeframe = '{timeframe}'\nstop_at_end = true\n{speed}{settings}\n"
        f"[data]\nbase_timeframe = '{timeframe}'\n"
        f"{PATIENT}[process.restart]\ncount = 1000\nwindow = '1s'\nmin_backoff = '10ms'\nmax_backoff = '50ms'\n"
    )
    kind = f"session = '{session}'\npositions = '{positions}'\n"
    fleet.write_account("paper", f"{kind}equity_interval = '1h'\n[trade]\nmax_price_age = '1h'")
    for name, text in instances.items():
        (fleet.home.etc / "strategies" / f"{name}.toml").write_text(text)
    names = [str(file) for file in files]
    if names:
        done = fleet.command("data", "import", *names, program=TOOLS)
        assert done.returncode == 0, done.stderr


def steps_done(fleet: Fleet) -> int:
    """Return how many steps everybody worked in; works while the fleet runs and when it does not."""
    path = fleet.home.data / "replay.position"
    lines = path.read_text().splitlines() if path.exists() else []
    return int(lines[1]) if len(lines) > 1 else 0


def wait_step(fleet: Fleet, step: int) -> None:
    """Wait until a replay is that far."""
    wait_for(lambda: steps_done(fleet) >= step, f"step {step}", deadline_s=180.0, interval_s=0.002)


def finish(fleet: Fleet, deadline_s: float = 300.0) -> None:
    """Wait for a replay to end, and its fleet with it, successfully."""
    assert fleet.wait_end(deadline_s) == 0, fleet.output()


def trades_of(fleet: Fleet) -> list[dict[str, Any]]:
    """Return all trades with everything about them."""
    trades = fleet.history("trades")
    assert len(trades) > 5, "too little was traded to show anything"
    return trades
