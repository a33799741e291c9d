"""Recorded days run again: whatever was open when a life of the worker began, and whatever was changed since."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from atrader.clock import parse_time
from manager.rerun.diff import DAY_NS, Answer, replay_diff
from tests.support.books import check_books
from tests.support.fleet import Fleet, wait_for
from tests.support.replays import TOOLS, finish, trades_of, wait_step, write_bars, write_replay

MakeFleet = Callable[[str], Fleet]
DAYS = ("2013-02-04", "2013-02-05", "2013-02-06", "2013-02-07")
FRAME = "account = 'paper'\ninstrument = 'USD/JPY'\ntimeframe = '30m'\n"

# Orders that wait are placed, moved and cancelled; some stops trail; the trades of others are asked for.
WAITING = """
from decimal import Decimal

from atrader.strategy import BaseParameters, EventStrategy

CENT = Decimal("0.01")


class Turn(BaseParameters):
    turn: int = 0


class Waiting(EventStrategy):
    Parameters = Turn

    def on_bar(self, bar):
        context, state = self.context, self.context.state
        count = state["count"] = int(state.get("count", 0)) + 1 + (self.parameters.turn if not state else 0)
        price, sign = Decimal(repr(bar.close)), 1 if count % 2 else -1
        context.signal("count", count, closed=len(context.closed_trades(1000)), waiting=len(context.orders()))
        for order in context.orders():
            if count % 5 == 0:
                context.cancel(order.client_id)
            elif count % 3 == 0:
                away = -sign * 4 * CENT if order.intent.order_type == "limit" else sign * 4 * CENT
                context.modify_order(order.client_id, price=order.intent.price + away * (count % 2))
        if count % 4 == 0 and len(context.orders()) < 4:
            kind = "limit" if count % 8 else "stop"
            context.order(
                "buy" if sign > 0 else "sell",
                order_type=kind,
                units=Decimal(3000 + count % 7 * 1000),
                price=price + (-sign if kind == "limit" else sign) * 7 * CENT,
                stop_loss=price - sign * 25 * CENT,
                take_profit=price + sign * 30 * CENT,
                trailing_distance=18 * CENT if count % 16 < 8 else None,
            )
        for trade in context.trades():
            if count % 11 == 0 and trade.units > 2000:
                context.close(trade.trade_id, units=Decimal(1000))
"""


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give half-hour bars."""
    path = tmp_path_factory.mktemp("market") / "usdjpy.csv"
    write_bars(path)
    return path


def all_the_same(fleet: Fleet, names: Iterator[str] | list[str], days: tuple[str, ...] = DAYS) -> list[Answer]:
    answers = []
    for name, day in itertools.product(names, days):
        answer = replay_diff(fleet.home, name, parse_time(day))
        assert answer.comparison.difference is None, f"{name}, {day}: {answer.comparison.difference} {answer.causes}"
        answers.append(answer)
    return answers


@pytest.mark.parametrize("positions", ["hedging", "netting"])
def test_orders_that_waited_stops_that_trailed_and_financing_are_carried_into_each_life(
    make_fleet: MakeFleet, market: Path, positions: str
) -> None:
    fleet = make_fleet("waiting")
    text = f"strategy = 'waiting.py:Waiting'\n{FRAME}"
    names = {"turn-1": f"{text}magic = 1\nparameters.turn = 1\n", "turn-4": f"{text}magic = 2\nparameters.turn = 4\n"}
    write_replay(fleet, names, files=[market], settings="start = '2013-02-04'\n", positions=positions)
    (fleet.home.root / "waiting.py").write_text(WAITING)
    path = fleet.home.etc / "accounts" / "paper.toml"
    rules = (
        "[paper]\nslippage_pips = 1\npartial_fill_share = 0.5\nswap_long_frac = -0.03\nswap_short_frac = 0.01\n"
        "commission_per_million = 30\n"
    )
    path.write_text(path.read_text().replace("[paper]\n", rules))
    fleet.start()
    for step, name in ((45, "turn-1"), (90, "turn-4"), (97, "turn-1"), (140, "turn-1")):
        wait_step(fleet, step)
        fleet.wait_replaced(f"worker-{name}", fleet.kill(f"worker-{name}"))
    finish(fleet)
    if positions == "hedging":  # what nets has realised something else than the trades while some are open
        check_books(fleet)
    rows = trades_of(fleet)
    assert {row["close_reason"] for row in rows} >= {"stop-loss", "trailing-stop"}
    assert any(row["swap"] not in (None, "0", "0.00") for row in rows)
    answers = all_the_same(fleet, list(names))
    assert sum(answer.comparison.intents for answer in answers) > 100
    assert max(answer.restarts for answer in answers) > 0


PRICED = """
from decimal import Decimal

from atrader.strategy import EventStrategy


class Priced(EventStrategy):
    def on_bar(self, bar):
        tick, state = self.context.price(), self.context.state
        count = state["count"] = int(state.get("count", 0)) + 1
        self.context.signal("price", tick.bid, ask=tick.ask, count=count)
        if count % 3 == 0 and not self.context.trades():
            self.context.order("buy", units=Decimal(1000), stop_loss=Decimal(repr(tick.bid)) - Decimal("0.01"))
        if count % 3 == 2:
            for trade in self.context.trades():
                self.context.close(trade.trade_id)
"""


def test_a_live_day_runs_again_with_the_prices_that_were_asked_for_also_through_a_death(make_fleet: MakeFleet) -> None:
    fleet = make_fleet("live")
    fleet.write_fleet(ticks=20.0)
    fleet.write_account()
    fleet.write_instance("priced", 1, strategy="priced.py:Priced", text=fleet.unlimited())
    (fleet.home.root / "priced.py").write_text(PRICED)
    fleet.start()
    wait_for(lambda: len(fleet.history("trades")) >= 3, "trades")
    fleet.wait_replaced("worker-priced", fleet.kill("worker-priced"))
    known = len(fleet.history("trades"))
    wait_for(lambda: len(fleet.history("trades")) >= known + 3, "trades of the second life")
    assert fleet.stop() == 0
    first = parse_time(fleet.history("signals")[0]["time"])
    answer = replay_diff(fleet.home, "priced", first // DAY_NS * DAY_NS, end_ns=first + DAY_NS)
    assert answer.comparison.difference is None, f"{answer.comparison.difference} {answer.causes}"
    assert answer.restarts == 1
    assert answer.comparison.trades >= 4, "one may have been open at the death"
    assert answer.comparison.signals > 12


CHANCE = """
import random
from decimal import Decimal

from atrader.strategy import EventStrategy


class Dice(EventStrategy):
    def on_bar(self, bar):
        if random.random() < 0.3:
            self.context.order("buy", units=Decimal(1000), stop_loss=Decimal(repr(bar.close)) - 1)
"""
STEADY = """
from decimal import Decimal

from atrader.strategy import BaseParameters, EventStrategy


class Every(BaseParameters):
    every: int = 4


class Steady(EventStrategy):
    Parameters = Every

    def on_bar(self, bar):
        count = self.context.state["count"] = int(self.context.state.get("count", 0)) + 1
        if count % self.parameters.every == 0:
            self.context.order("buy", units=Decimal(1000), stop_loss=Decimal(repr(bar.close)) - 1)
        if count % 5 == 0:
            for trade in self.context.trades():
                self.context.close(trade.trade_id)
"""


def test_a_line_that_was_changed_chance_and_a_life_with_other_parameters_are_told_for_what_they_are(
    make_fleet: MakeFleet, market: Path
) -> None:
    fleet = make_fleet("changing")
    names = {
        "steady": f"strategy = 'steady.py:Steady'\n{FRAME}magic = 1\nparameters.every = 4\n",
        "dice": f"strategy = 'dice.py:Dice'\n{FRAME}magic = 2\n",
    }
    write_replay(fleet, names, files=[market], settings="start = '2013-02-04'\nend = '2013-02-06T12:00:00Z'\n")
    (fleet.home.root / "dice.py").write_text(CHANCE)
    source, settings = fleet.home.root / "steady.py", fleet.home.etc / "strategies" / "steady.toml"
    source.write_text(STEADY)
    fleet.start()
    wait_step(fleet, 60)
    pid = fleet.pid("worker-steady")
    settings.write_text(settings.read_text().replace("every = 4", "every = 3"))
    assert fleet.command("reload").returncode == 0
    fleet.wait_replaced("worker-steady", pid)
    wait_step(fleet, 80)
    fleet.wait_replaced("data-layer", fleet.kill("data-layer"))
    finish(fleet)
    (answer,) = all_the_same(fleet, ["steady"], ("2013-02-05",))
    assert answer.restarts == 1, "one life with every = 4, one with every = 3"
    (answer,) = all_the_same(fleet, ["steady"], ("2013-02-06",))
    assert answer.comparison.intents > 10

    asked = replay_diff(fleet.home, "steady", parse_time("2013-02-04"), as_configured=True)
    assert asked.comparison.difference is not None
    assert ("parameters", "every was 4, is 3") in [cause[:2] for cause in asked.causes]

    source.write_text(STEADY.replace("count % 5 == 0", "count % 5 == 1"))
    other = replay_diff(fleet.home, "steady", parse_time("2013-02-04")).comparison.difference
    assert other is not None
    assert (other.kind, other.live and other.live["action"]) == ("decision", "close")
    assert other.time_ns == parse_time("2013-02-04T02:30:00Z"), "the fifth bar ends then, the first with a trade"
    shown = fleet.command("replay-diff", "steady", "--day", "2013-02-04", program=TOOLS)
    assert shown.returncode == 1
    assert "first difference at 2013-02-04T02:30:00Z: decision" in shown.stdout
    assert "code: the file of the strategy was" in shown.stdout
    assert "chance" not in shown.stdout

    dice = replay_diff(fleet.home, "dice", parse_time("2013-02-05"))
    assert dice.comparison.difference is not None
    texts = [cause.text for cause in dice.causes if cause.kind == "chance"]
    assert texts[0].startswith("two runs over the same bars differ from 2013-02-04T")
    assert "random.random in line 10" in texts[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("steady", "--day", "2099-01-01"), "is still to come"),
        (("steady", "--day", "2013-02-31"), "expected a date such as"),
        (("steady", "--day", "2013-02-04T10:00:00+02:00"), "expected a date such as"),
        (("nobody", "--day", "2013-02-04"), "no instance 'nobody' is configured in etc/strategies; there are: steady"),
        (("steady", "--day", "2013-02-04"), "nothing is recorded of its worker"),
        (("steady", "--day", "2013-02-04", "--time-zone", "Mars/Base"), "unknown time zone 'Mars/Base'"),
        (("steady", "--day", "2013-02-04", "--quotes", "7x"), "7x"),
    ],
)
def test_what_no_day_can_be_told_of_is_refused_with_what_is_wrong(
    make_fleet: MakeFleet, market: Path, words: tuple[str, ...], said: str
) -> None:
    fleet = make_fleet("empty")
    write_replay(fleet, {"steady": f"strategy = 'steady.py:Steady'\n{FRAME}magic = 1\n"}, files=[market])
    (fleet.home.root / "steady.py").write_text(STEADY)
    done = fleet.command("replay-diff", *words, program=TOOLS)
    assert done.returncode in (2, 64), (done.stdout, done.stderr)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
