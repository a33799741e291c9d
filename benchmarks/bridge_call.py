"""What a call into the C library costs beside the library's own time: ten arrays of 600 bars, 200 orders."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import ctypes
import time
from collections.abc import Callable

import numpy as np

from atrader.market import Bars
from benchmarks._support.report import Options, Report, median, percentile, run
from framework_bridge.abi.orders import OrderEntry, pack
from framework_bridge.abi.settings import Setting
from framework_bridge.abi.structures import ORDER_INFO, RATES
from tests.support.asirikuy import fresh_library
from tests.support.asirikuy_desk import ACCOUNT, MINUTE_NS, PRICES, Desk, bars_until

CLAIM = "A call into the C library costs 150 us beside the library's own time, with 10 x 600 bars and 200 orders"
MARK_US = 150.0
ARRAYS, BARS, ORDERS, OPEN_ORDERS, ROWS = 10, 600, 200, 5, 3
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


def orders() -> list[bytes]:
    entry = OrderEntry(1, 7, 0, 1_718_100_000, 0, 1.0, 1.3, 0, 1.1, 0, 0.1, 0, 0, 0, 1)
    return [pack(entry._replace(ticket=1 + at, is_open=float(at < OPEN_ORDERS))) for at in range(ORDERS)]


def bridge(options: Options, *, rolling: bool) -> Callable[[], object]:
    """Return one whole call: arrays, account, crossing, results; the library returns at once (mode 0)."""
    folder = options.directory / str(rolling)
    folder.mkdir()
    desk = Desk(folder, fresh_library(folder))
    history = bars_until(desk.now_ns, BARS + 64)
    common = {Setting.OPERATIONAL_MODE: 0, Setting.ORDERINFO_ARRAY_SIZE: ORDERS, Setting.MAX_OPEN_ORDERS: 199}
    call = desk.call(bars=[history[-BARS:]] * ARRAYS, common=common)
    windows = [history[at : at + BARS] for at in range(64)]
    tickets, signals = (call.results.rows[name][:ROWS] for name in ("ticket_number", "trading_signals"))
    rows, turn = orders(), 0
    write = call.roll_bars if rolling else call.set_bars

    def once() -> None:
        nonlocal turn
        turn = (turn + 1) % len(windows)
        bars = windows[turn]
        for index in range(ARRAYS):
            write(index, bars)
        call.orders.fill(rows)
        for index in range(OPEN_ORDERS):
            call.orders.mark(index, 1.2, 10.0)
        call.set_now(desk.now_ns + turn * MINUTE_NS, PRICES, ACCOUNT)
        desk.run(call)
        tickets[:] = -1.0  # what a strategy that acts would have written
        signals[:] = 2.0
        assert len(call.results.read()) == ROWS

    return once


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
    for what, rolling in (("a call after the first", True), ("the first call: all bars written", False)):
        once = bridge(options, rolling=rolling)
        timed_us(once, 50)
        began_s = time.process_time()
        took = timed_us(once, rounds)
        cpu_us = (time.process_time() - began_s) / rounds * 1e6
        value, floor = median(took), median(timed_us(copying(), rounds))
        report.add(f"{what}, p50", value, "us", "its bytes copied", floor, mark="150 us", holds=value <= MARK_US)
        report.add("  p99", percentile(took, 0.99), "us")
        report.add("  CPU", cpu_us, "us")
    report.add(
        "  all bars written", value, "us", "a loop over bars and fields", median(timed_us(loop_over_fields(), 3))
    )
    return report


if __name__ == "__main__":
    run("bridge_call", CLAIM, measure)
