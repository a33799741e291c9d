"""What a call into the C library costs beside the library's own time: ten arrays of 600 bars, 200 orders."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import ctypes
import time
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np

from atrader.calendars import Calendar
from atrader.instruments import KNOWN
from atrader.market import Bars
from atrader.orders.ids import IntentId, client_id_of
from atrader.orders.model import Trade
from benchmarks._support.report import Options, Report, median, percentile, run
from framework_bridge.abi.call import StrategyCall
from framework_bridge.abi.rates import RatesPlan
from framework_bridge.abi.settings import Setting
from framework_bridge.abi.structures import ORDER_INFO, RATES
from framework_bridge.bars_plan import IndexPlan
from framework_bridge.order_view import OrderView
from framework_bridge.rates_feed import RatesFeed
from framework_bridge.tickets import Tickets
from tests.support.asirikuy import fresh_library
from tests.support.asirikuy_desk import ACCOUNT, MINUTE_NS, PRICES, WEDNESDAY_NS, Desk, bars_until

CLAIM = "A call into the C library costs 150 us beside the library's own time, with 10 x 600 bars and 200 orders"
MARK_US = 150.0
ARRAYS, WANTED, ORDERS, OPEN_ORDERS, ROWS = 10, 499, 200, 5, 3
PLAN = RatesPlan(WANTED, 60, 60, 5)
BARS = PLAN.bars_needed
TURNS = 60  # from midnight of Tuesday on, so that the market is open
HOUR_NS = 60 * MINUTE_NS
PAIRS = [symbol for symbol in KNOWN if symbol.endswith("USD")][:1] + list(KNOWN)[1:ARRAYS]
OLD_FIELDS = ("open", "low", "high", "close", "volume")


class OldBar(ctypes.Structure):
    """A bar as a client with a loop over fields fills it."""

    _fields_ = [*((name, ctypes.c_double) for name in OLD_FIELDS), ("time", ctypes.c_int)]


def timed_us(work: Callable[[], object], rounds: int) -> list[float]:
    took = []
    for _ in range(rounds):
        began = time.perf_counter_ns()
        work()
        took.append((time.perf_counter_ns() - began) / 1e3)
    return took


def trades() -> tuple[Trade, ...]:
    """Return open ones and then closed ones, newest first."""
    trade = Trade(
        trade_id="", account="demo", magic=7, instance="bench", instrument="EUR/USD", side="buy",
        units_opened=Decimal(10_000), units=Decimal(10_000), open_time_ns=0, open_price=Decimal("1.1"),
        stop_loss=Decimal("1.0"), take_profit=Decimal("1.3"),
    )  # fmt: skip
    closed = {"units": Decimal(0), "close_time_ns": WEDNESDAY_NS, "close_price": Decimal("1.2"), "profit": Decimal(9)}
    return tuple(
        trade.model_copy(
            update={
                "trade_id": client_id_of(IntentId(7, 1_000 - at)),
                "open_time_ns": WEDNESDAY_NS - at * MINUTE_NS,
                **(closed if at >= OPEN_ORDERS else {}),
            }
        )
        for at in range(ORDERS)
    )


class Stage:
    """All that the adapter does in a call but deciding: bars, orders, account, crossing, results.

    The library returns at once (OPERATIONAL_MODE 0). At each call a new bar forms in every array.
    """

    def __init__(self, options: Options) -> None:
        self.desk = desk = Desk(options.directory, fresh_library(options.directory))
        begin_ns = WEDNESDAY_NS // (24 * HOUR_NS) * 24 * HOUR_NS - 24 * HOUR_NS
        history = bars_until(begin_ns + TURNS * HOUR_NS, BARS + TURNS)
        self.windows = [history[at : at + BARS] for at in range(TURNS)]
        common = {Setting.OPERATIONAL_MODE: 0, Setting.ORDERINFO_ARRAY_SIZE: ORDERS, Setting.MAX_OPEN_ORDERS: 199}
        self.call: StrategyCall = desk.call(bars=[self.windows[0]] * ARRAYS, plans=[PLAN] * ARRAYS, common=common)
        self.bars = self.windows[0]
        context: Any = SimpleNamespace(
            instrument=KNOWN[PAIRS[0]],
            timeframe="1h",
            calendar=Calendar.get("fx"),
            instrument_of=KNOWN.__getitem__,
            bars_of=lambda instrument, timeframe, count, forming: self.bars,
        )
        self.feed = RatesFeed([IndexPlan(pair, "1h", PLAN) for pair in PAIRS], self.call, context)
        self.view = OrderView(Tickets({}, 7), desk.clock, 100_000)
        self.opened, self.closed = trades()[:OPEN_ORDERS], trades()[OPEN_ORDERS:]
        rows = self.call.results.rows
        self.said = [rows[name][:ROWS] for name in ("ticket_number", "trading_signals")]

    def once(self, turn: int) -> None:
        """Call once; every `TURNS` calls all bars are written."""
        self.bars = self.windows[turn % TURNS]
        now_ns = int(self.bars.open_time_ns[-1])
        if not turn % TURNS:
            self.feed.forget()
        filled = self.feed.fill(now_ns, now_ns - HOUR_NS, is_new=True)
        assert not filled.text
        self.view.fill(self.call.orders, self.opened, (), self.closed, PRICES, 1.0, 10_000.0)
        self.call.set_now(now_ns, PRICES, ACCOUNT)
        self.desk.run(self.call)
        self.feed.passed()
        for column, value in zip(self.said, (-1.0, 2.0), strict=True):
            column[:] = value  # what a strategy that acts would have written
        assert len(self.call.results.read()) == ROWS


def copying() -> Callable[[], object]:
    """Return the floor: the same bytes copied once."""
    source = np.ones(ARRAYS * BARS * RATES.itemsize + ORDERS * ORDER_INFO.itemsize, np.uint8)
    target = np.empty_like(source)
    return lambda: np.copyto(target, source)


def loop_over_fields() -> Callable[[], object]:
    """Return the way of a client without arrays, for the bars alone: a loop over bars and fields."""
    bars = Bars(*(column[:BARS] for column in bars_until(0, BARS).columns))
    target = (OldBar * BARS)()

    def once() -> None:
        for _ in range(ARRAYS):
            for at in range(BARS):
                for name in OLD_FIELDS:
                    setattr(target[at], name, getattr(bars, name)[at])
                target[at].time = int(bars.open_time_ns[at]) // 10**9

    return once


def measure(options: Options) -> Report:
    rounds = options.rounds or (500 if options.quick else 5_000)
    report = Report()
    stage = Stage(options)
    turns = iter(range(rounds + TURNS))
    timed_us(lambda: stage.once(next(turns)), TURNS)
    began_s = time.process_time()
    took = timed_us(lambda: stage.once(next(turns)), rounds)
    cpu_us = (time.process_time() - began_s) / rounds * 1e6
    rolled = [value for at, value in enumerate(took) if at % TURNS]
    value, floor = median(rolled), median(timed_us(copying(), rounds))
    report.add(
        "a call at a new bar, p50", value, "us", "its bytes copied", floor, mark="150 us", holds=value <= MARK_US
    )
    report.add("  p99", percentile(rolled, 0.99), "us")
    report.add("  CPU", cpu_us, "us")
    peer = median(timed_us(loop_over_fields(), 3))
    report.add("a call that writes all bars, p50", median(took[::TURNS]), "us", "a loop over bars and fields", peer)
    return report


if __name__ == "__main__":
    run("bridge_call", CLAIM, measure)
