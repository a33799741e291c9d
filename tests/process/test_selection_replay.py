"""Selection in a fleet: an instance opens only in markets it is made for, whoever dies, and as a backtest says."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from atrader.clock import parse_time
from atrader.configuration.loader import load_installation
from atrader.selection.rule import timeline
from data_layer.offline import open_market
from tests.support.direct_run import gist, gist_of_row
from tests.support.event_runs import plan_of, run
from tests.support.fleet import Fleet
from tests.support.replays import CROSS, finish, trades_of, wait_step, write_bars, write_replay
from worker.loading import load_strategy, make_strategy

HOUR_NS = 3_600_000_000_000
SELECTION = (
    "[selection]\nphases = ['trend']\ntimeframe = '1h'\nconfirm_bars = 1\nmin_dwell_bars = 4\n"
    "[selection.detector]\nadx_period = 4\nrange_below = 35.0\ntrend_from = 45.0\n"
    "usual_bars = 10\natr_bars = 3\nchannel_bars = 5\n"
)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path / "home")
    yield made
    made.end()


def test_an_instance_is_switched_by_its_market_as_a_backtest_says_though_the_manager_dies(
    tmp_path: Path, fleet: Fleet
) -> None:
    write_bars(tmp_path / "usdjpy.csv")
    write_replay(fleet, {"cross": CROSS + SELECTION}, files=[tmp_path / "usdjpy.csv"])
    fleet.launch()
    wait_step(fleet, 100)
    fleet.stop(signal.SIGKILL)
    fleet.launch()
    finish(fleet)

    installation = load_installation(fleet.home.root)
    config = installation.instances["cross"]
    assert config.selection is not None
    with open_market(fleet.home) as stored:
        series = {("USD/JPY", timeframe): stored.bars("USD/JPY", timeframe) for timeframe in ("30m", "1h")}
    active = timeline(config.selection, series["USD/JPY", "1h"])
    switches = [event for event in fleet.history("events") if event["kind"] == "selection"]
    states = ["ACTIVE" if active[place + 1] else "REDUCING" for place in np.flatnonzero(np.diff(active))]
    assert [event["text"].split(" by ")[0] for event in switches] == [f"cross is {state}" for state in states]
    assert len(states) >= 4
    assert all("; made for trend" in event["text"] for event in switches)

    strategy = make_strategy(load_strategy(config.strategy, fleet.home.root), config.parameters, "cross")
    result = run(plan_of(installation.accounts["paper"], [(config, strategy)], series, "30m"))
    rows = trades_of(fleet)
    assert [gist(trade) for trade in result.trades] == [gist_of_row(row) for row in rows]
    refused = [order for order in fleet.history("orders") if order["reason"].startswith("trading-state")]
    assert refused
    assert {order["action"] for order in refused} == {"open"}
    closed = [(parse_time(row["open_time"]), parse_time(row["close_time"])) for row in rows if row["close_time"]]
    hours = series["USD/JPY", "1h"].open_time_ns
    reduced_ns = [int(hours[place + 1]) + HOUR_NS for place in np.flatnonzero(np.diff(active)) if active[place]]
    assert any(opened < at < ended for at in reduced_ns for opened, ended in closed), "a switch closed every trade"
