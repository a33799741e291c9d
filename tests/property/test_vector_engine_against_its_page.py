"""The vector engine against an execution written again from docs/vector-engine.md: a loop over bars, no spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import pytest

from atrader.market import Bars
from atrader.strategy import Signals
from research.vector import CONVENTIONS, Decisions, Outcome, Prices, Rules, Terms, built
from research.vector.engine import Kind, simulate
from tests.support.event_runs import MINUTE
from tests.unit.test_vector_rules import COIN

BARS, RUNS = 60, 250
ENGINES: list[Kind] = ["reference", "compiled"] if built.is_there else ["reference"]


@dataclass(eq=False)
class Held:
    """A trade of one unit; prices in ticks, 0 = none."""

    row: int
    side: int
    bar: int
    price: int
    stop: int
    target: int
    trail: int
    until: int | None
    exit_bar: int = -1
    exit_price: int = 0

    def is_stopped(self, price: int) -> bool:
        return self.stop != 0 and (price - self.stop) * self.side <= 0

    def follow(self, price: int) -> None:
        if self.trail and (price - self.side * self.trail - self.stop) * self.side > 0:
            self.stop = price - self.side * self.trail

    def is_won(self, price: int) -> bool:
        return self.target != 0 and (price - self.target) * self.side >= 0


@dataclass(kw_only=True)
class Story:
    """What is played and wanted: a market, and what is decided at the close of each of its bars."""

    bars: list[tuple[int, int, int, int]]
    entry: list[int]
    leave: list[int]
    stop: list[int]
    target: list[int]
    trail: list[int]
    hold_bars: int | None
    most_trades: int


def drawn(seed: int) -> Story:
    r, price, bars = Random(seed), 1000, []
    for _ in range(BARS):
        begin = price + r.choice([0, 0, 0, r.randint(-15, 15)])
        price = begin + r.randint(-12, 12)
        bars.append((begin, max(begin, price) + r.randint(0, 8), min(begin, price) - r.randint(0, 8), price))
    entry = [r.choice([0, 0, 0, 1, -1]) for _ in bars]

    def protection(close: int, way: int, often: float) -> int:
        return close + way * r.randint(3, 25) if way and r.random() < often else 0

    stop = [protection(bar[3], -side, 0.7) for bar, side in zip(bars, entry, strict=True)]
    return Story(
        bars=bars,
        entry=entry,
        leave=[0 if side else r.choice([0, 0, 0, 0, 1, -1, 2]) for side in entry],
        stop=stop,
        target=[protection(bar[3], side, 0.5) for bar, side in zip(bars, entry, strict=True)],
        trail=[r.randint(4, 20) if side and not price else 0 for side, price in zip(entry, stop, strict=True)],
        hold_bars=r.choice([None, None, 1, 2, 5]),
        most_trades=r.choice([1, 1, 2, 3]),
    )


def played(story: Story, name: str) -> list[Held]:
    """Return all trades, in the order they were opened."""
    how = CONVENTIONS[name]
    trades: list[Held] = []

    def held() -> list[Held]:
        return [trade for trade in trades if trade.exit_bar < 0]

    def close(trade: Held, bar: int, price: int) -> None:
        trade.exit_bar, trade.exit_price = bar, price

    def is_left(trade: Held, row: int) -> bool:
        said = story.leave[row] in (2, trade.side) or story.entry[row] == -trade.side
        return said or trade.until == row

    def carry_out(row: int, bar: int, price: int, before: Sequence[Held]) -> None:
        for trade in held():
            if is_left(trade, row):
                close(trade, bar, price)
        side, stop, target = story.entry[row], story.stop[row], story.target[row]
        if not side or sum(trade.side == side for trade in before) >= story.most_trades:
            return
        trail, until = story.trail[row], story.hold_bars and row + story.hold_bars
        made = Held(row, side, bar, price, price - side * trail if trail else stop, target, trail, until)
        if not made.is_stopped(price) and not made.is_won(price):
            trades.append(made)

    def pass_range(bar: int, high: int, low: int) -> None:
        for trade in held():
            worst, best = (low, high) if trade.side > 0 else (high, low)
            if trade.bar == bar and how.protected_from == "next-bar":
                trade.follow(best)  # it hangs from the best price since the entry all the same
                continue
            if trade.is_stopped(worst):
                close(trade, bar, trade.stop)
            elif trade.is_won(best):
                close(trade, bar, trade.target)
            else:
                trade.follow(best)

    def pass_close(bar: int, end: int) -> None:
        for trade in held():
            if trade.bar == bar and how.protected_from == "next-bar":
                continue
            if trade.is_stopped(end):  # it has trailed: on the way down from the best price it was passed
                close(trade, bar, trade.stop)

    for bar, (begin, high, low, end) in enumerate(story.bars):
        before = held()
        for trade in before:
            if trade.is_stopped(begin):
                close(trade, bar, begin)
            elif trade.is_won(begin):
                close(trade, bar, trade.target)
            else:
                trade.follow(begin)
        if how.fill == "next-open" and bar:
            if how.stop_before_open and any(is_left(trade, bar - 1) for trade in held()):
                pass_range(bar, high, low)
            carry_out(bar - 1, bar, begin, before)
        pass_range(bar, high, low)
        pass_close(bar, end)
        if how.fill == "close":
            carry_out(bar, bar, end, held())
    return trades


def simulated(story: Story, name: str, engine: Kind) -> tuple[Decisions, Outcome]:
    columns = [np.ascontiguousarray(column) for column in np.array(story.bars, float).T / 10]
    bars = Bars(np.arange(BARS, dtype=np.int64) * MINUTE, *columns, *columns, np.ones(BARS))
    signals = Signals(
        entry=np.array(story.entry, np.int8),
        exit=np.array(story.leave, np.int8),
        stop_loss=np.array([price / 10 or np.nan for price in story.stop]),
        take_profit=np.array([price / 10 or np.nan for price in story.target]),
        units=np.ones(BARS),
        trailing_distance=np.array([distance / 10 or np.nan for distance in story.trail]),
    )
    rules = Rules(convention=CONVENTIONS[name], hold_bars=story.hold_bars, most_trades=story.most_trades)
    terms = Terms(instrument=COIN)
    prices = Prices.of(bars, terms, MINUTE)
    decisions = Decisions.of(signals, prices, COIN, rules)
    return decisions, simulate(prices, decisions, rules, terms, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [name for name, how in CONVENTIONS.items() if how.inside == "range"])
def test_the_trades_are_those_of_an_execution_that_goes_by_the_page_only(name: str, engine: Kind) -> None:
    ends = 0
    for seed in range(RUNS):
        story = drawn(seed)
        expected = played(story, name)
        decisions, outcome = simulated(story, name, engine)
        found = [
            (
                int(decisions.row[trade["decision"]]), int(trade["side"]), int(trade["entry_bar"]),
                int(trade["entry_price"]), int(trade["exit_bar"]), int(trade["closed_value"] // trade["steps"]),
            )
            for trade in outcome.trades
        ]  # fmt: skip
        told = [(one.row, one.side, one.bar, one.price, one.exit_bar, one.exit_price) for one in expected]
        assert sorted(found) == sorted(told), seed
        ends += sum(one.exit_bar >= 0 for one in expected)
    assert ends > 5 * RUNS
