"""Days traded at a broker run again: what it filled is its answer, and no decision of the strategy."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from atrader.clock import NS_PER_S, host_now_ns, iso_from_ns, parse_time
from manager.rerun.diff import DAY_NS, Answer, replay_diff
from tests.oanda_simulator import HEDGING_ACCOUNT, NETTING_ACCOUNT
from tests.oanda_simulator.hosting import RemoteSimulator, in_process
from tests.support.fleet import Fleet, wait_for
from tests.support.oanda_fleet import OandaFleet
from tests.support.replays import TOOLS

ACCOUNTS = {"hedging": HEDGING_ACCOUNT, "netting": NETTING_ACCOUNT}
QUICK = "risk_frac = 0.0001\n"
STRATEGIES = {
    "cross": f"strategy = 'sma-cross'\n[parameters]\nfast = 1\nslow = 3\natr_period = 2\nstop_atr = 3.0\n{QUICK}",
    "parts": (
        "strategy = 'bracket'\n[parameters]\nlookback = 2\natr_period = 2\nstop_atr = 1.2\ntrail_atr = 0.5\n"
        f"targets_r = [8.0, 16.0]\n{QUICK}"
    ),
    "waiting": "strategy = 'waiting.py:Waiting'\n[parameters]\n",
}

# Decides by the price at which it was filled; orders that wait are moved and cancelled.
WAITING = """
from decimal import Decimal

from atrader.strategy import BaseParameters, EventStrategy

STEP = Decimal("0.00010")


class Waiting(EventStrategy):
    def on_bar(self, bar):
        context, state = self.context, self.context.state
        count = state["count"] = int(state.get("count", 0)) + 1
        price, sign = Decimal(repr(bar.close)), 1 if count % 2 else -1
        for order in context.orders():
            if count % 5 == 0:
                context.cancel(order.client_id)
            elif count % 3 == 0:
                context.modify_order(order.client_id, price=order.intent.price + STEP * (count % 2))
        if count % 2 == 0 and len(context.orders()) < 4:
            kind = "limit" if count % 4 else "stop"
            context.order(
                "buy" if sign > 0 else "sell",
                order_type=kind,
                units=Decimal(3000 + count % 7 * 1000),
                price=price + (-sign if kind == "limit" else sign) * STEP,
                stop_loss=price - sign * 8 * STEP,
                take_profit=price + sign * 9 * STEP,
            )
        for trade in context.trades():
            if trade.units > 2000 and count % 3 == 0:
                context.close(trade.trade_id, units=Decimal(1000))
            elif count % 3 == 1 and trade.stop_loss:
                context.modify(trade.trade_id, stop_loss=trade.open_price - STEP * (9 if trade.side == "buy" else -9))
        context.signal("held", len(context.trades()), paid=float(sum(one.open_price for one in context.trades())))
"""


@pytest.fixture
def venue() -> Iterator[RemoteSimulator]:
    with in_process("--loose", "--window", "0", "--every", "0.03") as venue:
        yield venue


def write_warm_up(path: Path) -> None:
    """Write a minute and a half of second bars that end now."""
    now_ns = host_now_ns() // NS_PER_S * NS_PER_S
    with path.open("w") as file:
        file.write("timestamp,open,high,low,close,ask_open,ask_high,ask_low,ask_close\n")
        for number in range(90):
            bid = 1.0850 + 0.0001 * (number % 3)
            prices = [bid, bid + 0.0001, bid - 0.0001, bid]
            asks = [price + 0.00012 for price in prices]
            stamp = iso_from_ns(now_ns - (90 - number) * NS_PER_S)
            file.write(",".join([stamp, *(f"{price:.5f}" for price in (*prices, *asks))]) + "\n")


@pytest.mark.parametrize(("positions", "keep_ticks"), [("hedging", False), ("netting", True)])
def test_a_day_at_oanda_runs_again_to_the_same_decisions(
    tmp_path: Path, venue: RemoteSimulator, positions: str, *, keep_ticks: bool
) -> None:
    fleet = OandaFleet(tmp_path / "home", venue)
    try:
        fleet.write_market(base="1s")
        path = fleet.home.etc / "atrader.toml"
        path.write_text(path.read_text().replace("[data]\n", f"[data]\nkeep_ticks = {str(keep_ticks).lower()}\n"))
        fleet.write_oanda(account_id=ACCOUNTS[positions], account=f"positions = '{positions}'\n")
        (fleet.home.root / "waiting.py").write_text(WAITING)
        for magic, (name, text) in enumerate(STRATEGIES.items(), start=1):
            head, _, parameters = text.partition("[parameters]\n")
            strategy = head.split("'")[1]
            more = f"[parameters]\n{parameters}{Fleet.unlimited()}"
            fleet.write_instance(name, magic, strategy=strategy, account="oanda", text=more)
        write_warm_up(tmp_path / "warm.csv")
        words = ("--instrument", "EUR/USD", "--timeframe", "1s")
        done = fleet.command("data", "import", str(tmp_path / "warm.csv"), *words, program=TOOLS)
        assert done.returncode == 0, done.stderr
        fleet.start()
        enough = {"cross": 3, "waiting": 2}
        wait_for(lambda: _trades(fleet, enough), "trades", deadline_s=60)
        wait_for(lambda: _is_part_closed(fleet, venue), "a part of a trade to be closed", deadline_s=60)
        venue.do("moving", on=True)
        fleet.wait_replaced("worker-waiting", fleet.kill("worker-waiting"))
        enough["waiting"] = sum(row["instance"] == "waiting" for row in fleet.history("trades")) + 2
        wait_for(lambda: _trades(fleet, enough), "trades of the second life", deadline_s=60)
        assert fleet.stop() == 0
    finally:
        fleet.end()
    day = parse_time(fleet.history("signals")[0]["time"]) // DAY_NS * DAY_NS

    def again(name: str) -> Answer:
        return replay_diff(fleet.home, name, day, end_ns=day + 2 * DAY_NS)  # it may begin before midnight

    for name, least in (("cross", 6), ("parts", 3), ("waiting", 20)):
        answer = again(name)
        assert answer.comparison.difference is None, f"{name}: {answer.comparison.difference} {answer.causes}"
        assert answer.comparison.intents >= least, name
    opened = [parse_time(row["time"]) for row in _wanted(fleet, "parts") if row["action"] == "open"]
    for time_ns in opened[:2]:  # nothing is quoted after the bar that was decided last
        at_end = replay_diff(fleet.home, "parts", day, end_ns=time_ns + 1).comparison
        assert (at_end.difference, at_end.intents > 0) == (None, True)
    prices = again("cross").comparison.prices
    assert any(prices), "the broker filled at other prices, and that is told"
    assert again("waiting").restarts == 1

    source = fleet.home.root / "waiting.py"
    source.write_text(WAITING.replace("trade.open_price - STEP", "trade.open_price - 2 * STEP"))
    changed = again("waiting")
    assert changed.comparison.difference is not None
    assert changed.comparison.difference.kind == "decision"
    assert (changed.comparison.difference.live or {})["action"] == "modify"
    assert [cause.kind for cause in changed.causes] == ["code"]


def _trades(fleet: OandaFleet, enough: dict[str, int]) -> bool:
    rows = fleet.history("trades")
    return all(sum(row["instance"] == name for row in rows) >= count for name, count in enough.items())


def _wanted(fleet: OandaFleet, name: str) -> list[dict[str, Any]]:
    """Return what a strategy wanted; where positions are netted the account wants things of its own, below zero."""
    rows = fleet.history("intents")
    return [row for row in rows if row["instance"] == name and int(row["intent_id"].rpartition(":")[2]) > 0]


def _is_part_closed(fleet: OandaFleet, venue: RemoteSimulator) -> bool:
    """Let the market reach the first target of an open trade, and tell whether the stop was moved to the entry.

    It stands still there, in the middle of a bar: which of many quotes a busy worker sees is chance, and whether it
    decides a bar that has just ended before or after a quote is not recorded.
    """
    if any(row["action"] == "modify" for row in _wanted(fleet, "parts")):
        return True
    held = [row for row in fleet.history("trades") if row["instance"] == "parts" and row["state"] == "open"]
    venue.do("moving", on=not held)
    if held and NS_PER_S // 4 < host_now_ns() % NS_PER_S < NS_PER_S // 2:
        entry, stop = Decimal(held[0]["open_price"]), Decimal(held[0]["initial_stop"])
        bid = entry + 10 * (entry - stop)
        venue.do("quote", instrument="EUR_USD", bid=f"{bid:.5f}", ask=f"{bid + Decimal('0.00010'):.5f}")
    return False
