"""Pyramids, and entries by limit and stop orders: a fleet, the event engine and the vector engine make the same trades.

The signal driver of workers has one trade at a time and enters at market. What the vector engine has besides, a
strategy carries out with orders of its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from atrader.calendars import Calendar
from atrader.clock import parse_time
from atrader.configuration.loader import load_installation
from atrader.instruments import KNOWN
from atrader.market import Bars
from atrader.strategy import Signals
from data_layer.offline import open_market
from research.events.tape import BarTape
from research.vector import Decisions, Prices, Rules, Schedule, Terms, simulate
from research.vector.rows import trades_of
from tests.support import vector_runs
from tests.support.books import check_books
from tests.support.direct_run import gist, gist_of_row
from tests.support.event_runs import plan_of, run
from tests.support.fleet import Fleet
from tests.support.replays import BAR_NS, finish, write_bars, write_replay
from worker.loading import load_strategy, make_strategy

PAIR, START = "USD/JPY", "2013-02-06"
COLUMNS = ("entry", "exit", "stop_loss", "take_profit", "trailing_distance", "units")
RULES = {
    "pyramid": Rules(most_trades=3),
    "limit": Rules(order_type="limit"),
    "stop-pyramid": Rules(order_type="stop", most_trades=2),
    "limit-pyramid": Rules(order_type="limit", most_trades=3),
}

HEAD = """
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from atrader.calendars import Calendar
from atrader.market import decimal_price
from atrader.strategy import BaseParameters, EventStrategy
"""
CARRIER = """
class Which(BaseParameters):
    name: str


class Carrier(Ordering):
    Parameters = Which

    def __init__(self, parameters):
        stored = np.load(Path(__file__).with_name(f"{parameters.name}.npz"))
        columns = {name: stored[name] for name in stored.files}
        rules = SimpleNamespace(order_type=str(columns["order_type"]), most_trades=int(columns["most_trades"]))
        signals = SimpleNamespace(**columns, risk_frac=None)
        price = columns["price"] if rules.order_type != "market" else None
        super().__init__(SimpleNamespace(open_time_ns=columns["open_time_ns"]), signals, rules, price, columns["trail"],
            length_ns=1_800_000_000_000)
"""


class Wanted(NamedTuple):
    """What is carried out: decisions of each bar, and where orders wait."""

    signals: Signals
    price: np.ndarray[Any, np.dtype[np.float64]] | None


def wanted_of(bars: Bars, rules: Rules, seed: int) -> Wanted:
    """Return decisions of chance."""
    chance = np.random.default_rng(seed)
    signals = vector_runs.random_signals(bars, seed, 0.2, by_risk=False)
    far = np.abs(chance.normal(0.04, 0.03, (3, len(bars))))
    trail = np.where(chance.random(len(bars)) < 0.3, far[2] + 0.03, np.nan)
    side = signals.entry.astype(float)
    assert signals.stop_loss is not None
    assert signals.take_profit is not None
    signals = replace(
        signals,
        stop_loss=np.where(np.isnan(signals.stop_loss), np.nan, bars.close - side * (far[0] + 0.05)),
        take_profit=np.where(np.isnan(signals.take_profit), np.nan, bars.close + side * (far[1] + 0.05)),
        trailing_distance=trail,
    )
    if rules.order_type == "market":
        return Wanted(signals, None)
    return Wanted(signals, bars.close - side * far[2] * (1 if rules.order_type == "limit" else -1))


def write_wanted(path: Path, bars: Bars, rules: Rules, wanted: Wanted) -> None:
    columns: dict[str, Any] = {name: getattr(wanted.signals, name) for name in COLUMNS}
    columns["trail"] = columns.pop("trailing_distance")
    columns["price"] = np.zeros(0) if wanted.price is None else wanted.price
    rules_too: dict[str, Any] = {"order_type": rules.order_type, "most_trades": rules.most_trades}
    np.savez(path, open_time_ns=bars.open_time_ns, **columns, **rules_too)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Fleet, Bars, dict[str, Wanted]]]:
    """Give the installation in which all of it traded, stopped, with what was wanted."""
    folder = tmp_path_factory.mktemp("waiting")
    write_bars(folder / "usdjpy.csv")
    fleet = Fleet(folder / "home")
    head = f"strategy = 'carrier.py:Carrier'\naccount = 'paper'\ninstrument = '{PAIR}'\ntimeframe = '30m'\n"
    texts = {
        name: f"{head}magic = {number}\nparameters.name = '{name}'\n" for number, name in enumerate(RULES, start=1)
    }
    parts: tuple[Any, ...] = (vector_runs.Ordering, vector_runs._number, vector_runs._money)
    try:
        write_replay(fleet, texts, files=[folder / "usdjpy.csv"], settings=f"start = '{START}'\n")
        account = fleet.home.etc / "accounts" / "paper.toml"
        account.write_text(account.read_text().replace("[paper]\n", "[paper]\nslippage_pips = 0\n"))
        with open_market(fleet.home) as stored:
            bars = stored.bars(PAIR, "30m")
        wanted = {name: wanted_of(bars, rules, seed) for seed, (name, rules) in enumerate(RULES.items(), start=1)}
        for name, rules in RULES.items():
            write_wanted(fleet.home.root / f"{name}.npz", bars, rules, wanted[name])
        source = "\n\n".join((HEAD, *map(inspect.getsource, parts), CARRIER))
        (fleet.home.root / "carrier.py").write_text(f"from __future__ import annotations\n{source}")
        fleet.launch()
        finish(fleet)
        check_books(fleet)
        yield fleet, bars, wanted
    finally:
        fleet.end()


@pytest.fixture(scope="module")
def traded(live: tuple[Fleet, Bars, dict[str, Wanted]]) -> list[dict[str, Any]]:
    """Give the trades of the fleet."""
    return live[0].history("trades")


def test_the_event_engine_makes_the_trades_of_the_fleet(
    live: tuple[Fleet, Bars, dict[str, Wanted]], traded: list[dict[str, Any]]
) -> None:
    fleet, bars, _ = live
    installation = load_installation(fleet.home.root)
    chosen = [
        (config, make_strategy(load_strategy(config.strategy, fleet.home.root), config.parameters, name))
        for name, config in installation.instances.items()
    ]
    played = bars[int(np.searchsorted(bars.open_time_ns, parse_time(START))) :]
    series = {(PAIR, "30m"): bars}
    again = run(plan_of(installation.accounts["paper"], chosen, series, tapes=[BarTape(PAIR, played, BAR_NS)]))
    assert sorted(map(gist, again.trades), key=str) == sorted(map(gist_of_row, traded), key=str)
    reasons = {row["trade_id"]: row["close_reason"] for row in traded}
    assert {trade.trade_id: trade.close_reason for trade in again.trades} == reasons
    assert {"stop-loss", "take-profit", "trailing-stop", "signal exit"} <= set(reasons.values())


@pytest.mark.parametrize("name", RULES)
def test_the_vector_engine_makes_the_trades_of_the_fleet(
    name: str, live: tuple[Fleet, Bars, dict[str, Wanted]], traded: list[dict[str, Any]]
) -> None:
    fleet, bars, wanted = live
    first = int(np.searchsorted(bars.open_time_ns, parse_time(START)))
    installation, instrument, rules = load_installation(fleet.home.root), KNOWN[PAIR], RULES[name]
    terms = Terms.of(installation.accounts["paper"], instrument)
    prices = Prices.of(bars[first:], terms, BAR_NS)
    one = wanted[name]
    signals = Signals(**{column: getattr(one.signals, column)[first:] for column in COLUMNS})
    price = None if one.price is None else one.price[first:]
    decisions = Decisions.of(signals, prices, instrument, rules, price=price)
    schedule = Schedule.of(prices, Calendar.get(instrument.calendar))
    outcome = simulate(prices, decisions, rules, terms, schedule=schedule)
    found = trades_of(outcome, prices, terms, installation.instances[name])
    rows = [row for row in traded if row["instance"] == name]
    assert sorted((gist(trade)[1:] for trade in found), key=str) == sorted(
        (gist_of_row(row)[1:] for row in rows), key=str
    )
    held = most_at_once(rows)
    assert held == rules.most_trades


def most_at_once(rows: list[dict[str, Any]]) -> int:
    """Return how many trades of one side were open at once."""
    most = 0
    for row in rows:
        same = [one for one in rows if one["side"] == row["side"] and one["open_time"] <= row["open_time"]]
        most = max(most, sum(not one["close_time"] or one["close_time"] > row["open_time"] for one in same))
    return most
