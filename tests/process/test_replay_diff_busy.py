"""Days of a worker that was too busy to handle each quote, run again: quotes and bars come in the order of then."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from atrader.clock import NS_PER_S, parse_time
from atrader.runtime.session_file import read_sessions
from data_layer.client import DataClient
from manager.rerun.diff import DAY_NS, replay_diff
from tests.support.fleet import Fleet, wait_for

MakeFleet = Callable[[str], Fleet]

# Tells at each bar how many quotes there were and which was the last; trades by their number.
COUNTING = """
from decimal import Decimal

from atrader.strategy import EventStrategy


class Counting(EventStrategy):
    def on_tick(self, tick):
        state = self.context.state
        state["last"], state["quotes"] = tick.bid, int(state.get("quotes", 0)) + 1
        trades = self.context.trades()
        if state["quotes"] % 9 == 0 and not self.context.orders():
            if trades:
                self.context.close(trades[0].trade_id)
            else:
                self.context.order("buy", units=Decimal(1000))

    def on_bar(self, bar):
        state = self.context.state
        last, held = state.get("last", 0.0), len(self.context.trades())
        self.context.signal("bar", bar.close, quotes=state.get("quotes", 0), last=last, held=held)
"""

# Acts on the first quote after a bar, and says at the next bar whether that was before it, and which quote it was; the
# other one fails at some of these quotes after it wanted something.
ACTING = """
from decimal import Decimal

from atrader.strategy import EventStrategy


class Acting(EventStrategy):
    fails = False

    def on_tick(self, tick):
        state, trades = self.context.state, self.context.trades()
        if state.get("bars", 0) == state.get("acted", -1) or self.context.orders():
            return
        state["acted"], state["bid"] = state.get("bars", 0), tick.bid
        if trades:
            self.context.close(trades[0].trade_id)
        else:
            self.context.order("buy", units=Decimal(1000))
        if self.fails and state["acted"] % 3 == 2:
            raise ValueError("on purpose")

    def on_bar(self, bar):
        state, held = self.context.state, len(self.context.trades())
        state["bars"] = int(state.get("bars", 0)) + 1
        self.context.signal("bar", bar.close, acted=state.get("acted", -1), bid=state.get("bid", 0.0), held=held)


class Failing(Acting):
    fails = True
"""


def wait_decided(fleet: Fleet, more: int) -> None:
    """Wait until the worker decided so many bars more."""
    known = decided(fleet)
    wait_for(lambda: decided(fleet) >= known + more, "bars that are decided")


def decided(fleet: Fleet) -> int:
    return sum(len(one.decided) for one in read_sessions(fleet.home.session("one")))


def wait_bars(fleet: Fleet, more: int) -> None:
    """Wait until so many bars more are complete."""
    client = DataClient(fleet.home)
    try:
        newest = client.bars("EUR/USD", "1s", count=1)[0].open_time_ns[-1]
        wait_for(lambda: client.bars("EUR/USD", "1s", count=1)[0].open_time_ns[-1] >= newest + more * NS_PER_S, "bars")
    finally:
        client.close()


@pytest.mark.parametrize(
    ("name", "source", "keep_ticks"),
    [("Counting", COUNTING, True), ("Acting", ACTING, True), ("Acting", ACTING, False), ("Failing", ACTING, False)],
)
def test_a_worker_that_lagged_runs_again_with_the_quotes_it_handled_before_and_after_each_bar(
    make_fleet: MakeFleet, name: str, source: str, *, keep_ticks: bool
) -> None:
    fleet = make_fleet("busy")
    fleet.write_fleet(ticks=20.0)
    path = fleet.home.etc / "atrader.toml"
    path.write_text(path.read_text().replace("[data]\n", f"[data]\nkeep_ticks = {str(keep_ticks).lower()}\n"))
    fleet.write_account()
    fleet.write_instance("one", 1, strategy=f"one.py:{name}", text=fleet.unlimited())
    (fleet.home.root / "one.py").write_text(source)
    fleet.start()
    pid = fleet.pid("worker-one")
    session = fleet.home.session("one")
    for _ in range(3):
        wait_decided(fleet, 2)
        os.kill(pid, signal.SIGSTOP)
        wait_bars(fleet, 2)
        os.kill(pid, signal.SIGCONT)
    wait_decided(fleet, 2)
    fleet.wait_replaced("worker-one", fleet.kill("worker-one"))
    wait_decided(fleet, 2)
    assert fleet.stop() == 0
    first, second = read_sessions(session)
    late = [one for one in first.decided if one.quote_ns and one.quote_ns > one.open_time_ns + NS_PER_S]
    assert len(late) >= 3, "bars that were decided after a later quote"
    assert len(first.passed_over) > 3
    assert second.passed_over[0].after_ns == 0
    day_ns = parse_time(fleet.history("signals")[0]["time"]) // DAY_NS * DAY_NS
    answer = replay_diff(fleet.home, "one", day_ns, end_ns=day_ns + 2 * DAY_NS)
    assert answer.comparison.difference is None, f"{answer.comparison.difference} {answer.causes}"
    assert answer.restarts == 1
    assert answer.comparison.signals > 8
    assert answer.comparison.trades > 1
