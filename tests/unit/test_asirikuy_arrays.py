"""The arrays that go to the C library and come back, without a library."""

from __future__ import annotations

import os
import pickle
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from atrader.broker_clock import WallClock
from atrader.clock import parse_time
from atrader.errors import ConfigError, InvariantBroken, StoreError
from atrader.market import Bars
from atrader.orders.model import Intent, Order, Trade
from atrader.orders.states import OrderState
from framework_bridge.abi import internals, layout
from framework_bridge.abi.codes import LibraryError, ReturnCode, describe, require_success
from framework_bridge.abi.elf import require_loadable
from framework_bridge.abi.orders import OrderArray, OrderEntry, pack, pending_entry, trade_entry
from framework_bridge.abi.rates import RatesPlan, bars_needed, digits_of
from framework_bridge.abi.rates_array import RatesArray
from framework_bridge.abi.results import ResultArray
from framework_bridge.abi.settings import ADDITIONAL_INDEX, Setting, settings_array
from framework_bridge.abi.signals import ALL_BITS, BITS, SIX, Command, OrderKind, Verb, commands_in
from framework_bridge.abi.structures import ORDER_INFO

D = Decimal
UTC, HELSINKI = WallClock("UTC"), WallClock("Europe/Helsinki")
OPENED = parse_time("2024-06-12T10:00:00Z")
CLOSED = parse_time("2024-06-12T11:30:00Z")
TRADE = Trade(
    trade_id="a00000jw1", account="demo", magic=7, instance="autobbs", instrument="EUR/USD", side="sell",
    units_opened=D(30_000), units=D(30_000), open_time_ns=OPENED, open_price=D("1.1"), stop_loss=D("1.12"),
    commission=D("-1.5"), swap=D("-0.25"),
)  # fmt: skip


def test_a_layout_that_this_machine_lays_out_otherwise_is_refused() -> None:
    with pytest.raises(InvariantBroken, match="struct Pair: 16 bytes on this machine, 12"):
        layout.record("Pair", 12, "small:i4@0 large:f8@4")
    with pytest.raises(InvariantBroken, match="'large': 8"):
        layout.record("Pair", 16, "small:i4@0 large:f8@4")
    with pytest.raises(InvariantBroken, match="name:type@offset"):
        layout.record("Pair", 8, "large:f8@0 small")


def test_every_command_has_the_bit_of_the_reference() -> None:
    table: dict[Verb, tuple[int, ...]] = {
        "open": (0x1, 0x10000, 0x8, 0x80000, 0x40, 0x400000),
        "close": (0x2, 0x20000, 0x10, 0x100000, 0x80, 0x800000),
        "update": (0x4, 0x40000, 0x20, 0x200000, 0x100, 0x1000000),
    }
    wanted = {Command(verb, kind): bit for verb, bits in table.items() for kind, bit in zip(SIX, bits, strict=True)}
    assert dict(BITS) == wanted
    assert sum(wanted.values()) == ALL_BITS


def test_commands_of_a_row_come_closes_first_and_opens_last() -> None:
    assert commands_in(0x1 | 0x20000 | 0x40) == (
        Command("close", OrderKind.SELL),
        Command("open", OrderKind.BUY),
        Command("open", OrderKind.BUYSTOP),
    )
    assert [command.verb for command in commands_in(ALL_BITS)] == ["close"] * 6 + ["update"] * 6 + ["open"] * 6


def test_settings_name_the_one_the_library_would_refuse() -> None:
    with pytest.raises(ConfigError, match=r"STRATEGY_INSTANCE_ID: expected 0 or more, was -1 .*random"):
        settings_array({Setting.STRATEGY_INSTANCE_ID: -1}, {})
    with pytest.raises(ConfigError, match="IS_BACKTESTING: expected 0 or 1, was 2"):
        settings_array({Setting.IS_BACKTESTING: 2}, {})
    with pytest.raises(ConfigError, match="ADDITIONAL_PARAM_3: expected a number"):
        settings_array({}, {2: float("nan")})
    with pytest.raises(ConfigError, match="expected an index from 0 to 39"):
        settings_array({}, {40: 1.0})


def test_settings_lie_where_the_reference_says() -> None:
    values = settings_array({Setting.ORDERINFO_ARRAY_SIZE: 20, Setting.IS_SPREAD_BETTING: 1}, {24: 0.5})
    assert np.flatnonzero(values).tolist() == [24, 40, 63]
    assert ADDITIONAL_INDEX["AUTOBBS_MACD_LEVEL"] == 24
    assert ADDITIONAL_INDEX["AUTOBBS_ONE_SIDE"] == 11
    assert ADDITIONAL_INDEX["ADDITIONAL_PARAM_40"] == 39


@pytest.mark.parametrize(
    ("required", "wanted_minutes", "passed_minutes", "bars"),
    [(500, 60, 60, 601), (100, 1440, 60, 2881), (3, 60, 60, 4)],
)
def test_bars_needed_are_a_fifth_more_and_one(
    required: int, wanted_minutes: int, passed_minutes: int, bars: int
) -> None:
    assert bars_needed(required, wanted_minutes, passed_minutes) == bars
    assert RatesPlan(required, wanted_minutes, passed_minutes, 5).bars_needed == bars


def test_smaller_bars_are_not_made_of_larger_ones() -> None:
    with pytest.raises(ConfigError, match="bars of 60 minutes cannot make bars of 15 minutes"):
        bars_needed(100, 15, 60)


def test_digits_are_those_the_library_has_a_scale_for() -> None:
    assert [digits_of(D(tick)) for tick in ("0.00001", "0.001", "0.01", "0.1")] == [5, 3, 2, 1]
    for tick in ("1", "0.000001"):
        with pytest.raises(ConfigError, match="decimals"):
            digits_of(D(tick))


def bars_at(*moments: str) -> Bars:
    times = np.array([parse_time(moment) for moment in moments], np.int64)
    prices = np.arange(len(times)) + 1.0
    return Bars(times, *(prices + place for place in range(8)), prices * 100)


def test_bars_carry_the_wall_clock_of_the_broker_on_both_sides_of_a_change() -> None:
    rates = RatesArray()
    write(rates, bars_at("2024-03-30T23:00:00Z", "2024-03-31T00:00:00Z", "2024-03-31T01:00:00Z"))
    shown = ["2024-03-31T01:00:00Z", "2024-03-31T02:00:00Z", "2024-03-31T04:00:00Z"]
    assert rates.rows["time"].tolist() == [parse_time(text) // 10**9 for text in shown]
    assert rates.rows[["open", "high", "low", "close", "volume"]].tolist()[1] == (2.0, 3.0, 4.0, 5.0, 200.0)


def test_memory_of_bars_moves_only_when_there_are_more() -> None:
    rates = RatesArray()
    write(rates, bars_at("2024-06-12T10:00:00Z", "2024-06-12T11:00:00Z"), UTC)
    where = rates.address
    write(rates, bars_at("2024-06-12T12:00:00Z"), UTC)
    assert (len(rates), rates.address) == (1, where)


def hours(first: int, count: int, price: float) -> Bars:
    times = OPENED + np.arange(first, first + count, dtype=np.int64) * 3600 * 10**9
    prices = times / 1e13 + price
    return Bars(times, *(prices + place for place in range(8)), prices)


def write(rates: RatesArray, bars: Bars, clock: WallClock = HELSINKI) -> bool:
    return rates.write(bars, len(bars), clock)


def passed(*bars: Bars) -> RatesArray:
    rates = RatesArray()
    for one in bars:
        write(rates, one)
        rates.passed()
    return rates


@pytest.mark.parametrize("steps", [[1] * 300, [0, 1, 0, 0, 1, 1], [1, 5, 1, -3, 1], [0], [200, 1]])
def test_the_library_sees_the_same_bars_however_few_were_written(steps: list[int]) -> None:
    rates, first = passed(hours(0, 40, 1.0)), 0
    for step in steps:
        first += step
        bars = hours(first, 40, 1.0)
        assert write(rates, bars) == (step in (0, 1))
        rates.passed()
        assert rates.rows.tolist() == passed(bars).rows.tolist()
        assert rates.address == rates.rows.ctypes.data


def test_the_bar_that_formed_may_have_gone_on_and_the_next_may_form() -> None:
    before, later = hours(0, 40, 1.0), hours(1, 40, 1.0)
    grown, completed = hours(0, 40, 1.0), hours(1, 40, 1.0)
    grown.close[-1] += 1
    completed.high[-2] += 1
    for after in (before, grown, later, completed):
        rates = passed(before)
        assert write(rates, after)
        assert rates.rows.tolist() == passed(after).rows.tolist()


@pytest.mark.parametrize("place", [0, 20, 37])
@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
def test_a_bar_that_was_revised_cannot_be_followed_and_is_written(column: str, place: int) -> None:
    for moved in (0, 1):
        rates, after = passed(hours(0, 40, 1.0)), hours(moved, 40, 1.0)
        getattr(after, column)[place] += 1e-9
        assert not write(rates, after)
        assert rates.rows.tolist() == passed(after).rows.tolist()


@pytest.mark.parametrize("count", [1, 2, 39, 41])
def test_another_number_of_bars_cannot_be_followed(count: int) -> None:
    rates, after = passed(hours(0, 40, 1.0)), hours(1, count, 1.0)
    assert not write(rates, after)
    assert rates.rows.tolist() == passed(after).rows.tolist()


def test_what_was_written_and_not_passed_is_not_what_the_library_goes_on_from() -> None:
    rates = passed(hours(0, 40, 1.0))
    for first in (1, 0, 1):
        assert write(rates, hours(first, 40, 1.0))
        assert rates.rows.tolist() == passed(hours(first, 40, 1.0)).rows.tolist()
    assert not write(rates, hours(2, 40, 1.0))


def test_bars_that_could_not_be_followed_have_the_library_read_everything_before_any_are_followed_again() -> None:
    rates = passed(hours(0, 40, 1.0))
    assert not write(rates, hours(2, 40, 1.0))
    assert not write(rates, hours(1, 40, 1.0))
    rates.passed()
    assert write(rates, hours(2, 40, 1.0))
    rates.forget()
    assert not write(rates, hours(2, 40, 1.0))


def test_of_more_bars_than_are_wanted_the_last_are_written() -> None:
    rates = RatesArray()
    assert not rates.write(hours(0, 60, 1.0), 40, HELSINKI)
    rates.passed()
    assert rates.write(hours(1, 70, 1.0)[-41:-10], 30, HELSINKI) is False
    rates.passed()
    assert rates.write(hours(0, 62, 1.0), 30, HELSINKI)
    assert rates.rows.tolist() == passed(hours(32, 30, 1.0)).rows.tolist()


def test_a_time_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit 32 bits"):
        write(RatesArray(), bars_at("2024-06-12T10:00:00Z", "2039-01-01T00:00:00Z"))


def test_bars_that_were_refused_are_not_what_the_library_goes_on_from() -> None:
    rates, beyond = passed(hours(0, 40, 1.0)), hours(1, 40, 1.0)
    beyond.open_time_ns[:] += parse_time("2039-01-01T00:00:00Z") - OPENED
    with pytest.raises(ValueError, match="do not fit"):
        write(rates, beyond)
    assert write(rates, hours(1, 40, 1.0))
    assert rates.rows.tolist() == passed(hours(1, 40, 1.0)).rows.tolist()


@pytest.mark.parametrize("zone", ["UTC", "Europe/Helsinki", "America/New_York", "STD5DST4,M3.2.0/2:00,M11.1.0/2:00"])
def test_columns_and_single_times_show_the_same_clock(zone: str) -> None:
    clock = WallClock(zone)
    times = np.arange(parse_time("2023-01-01T00:00:00Z"), parse_time("2025-01-01T00:00:00Z"), 5_400 * 10**9)
    assert clock.seconds(times).tolist() == [clock.second(int(time)) for time in times]


def test_a_trade_is_described_as_the_library_reads_it() -> None:
    entry = trade_entry(TRADE, 4711, HELSINKI, 100_000)
    assert entry == OrderEntry(
        ticket=4711, instance_id=7, type=1, open_time=OPENED // 10**9 + 10_800, close_time=0, stop_loss=1.12,
        take_profit=0, expiration=0, open_price=1.1, close_price=0, lots=0.3, profit=0, commission=-1.5, swap=-0.25,
        is_open=1,
    )  # fmt: skip
    closed = TRADE.model_copy(
        update={"units": D(0), "close_time_ns": CLOSED, "close_price": D("1.09"), "profit": D(300)}
    )
    after = trade_entry(closed, 4711, UTC, 100_000)
    assert (after.lots, after.is_open, after.close_time, after.profit) == (0.3, 0, CLOSED // 10**9, 300)


def test_a_waiting_order_is_described_with_its_price_and_its_end() -> None:
    intent = Intent(
        magic=7, n=1, instance="autobbs", instrument="EUR/USD", action="open", time_ns=OPENED, side="buy",
        order_type="stop", units=D(50_000), price=D("1.2"), take_profit=D("1.3"), expires_ns=CLOSED,
    )  # fmt: skip
    order = Order(
        client_id=intent.client_id, intent=intent, state=OrderState.WORKING, created_ns=OPENED, updated_ns=OPENED
    )
    entry = pending_entry(order, 5, UTC, 100_000)
    assert (entry.type, entry.open_price, entry.take_profit, entry.lots) == (OrderKind.BUYSTOP, 1.2, 1.3, 0.5)
    assert entry.expiration == CLOSED // 10**9
    market = intent.model_copy(update={"price": None, "order_type": "market"})
    with pytest.raises(InvariantBroken, match="waits for no price"):
        pending_entry(order.model_copy(update={"intent": market}), 5, UTC, 100_000)


@pytest.mark.parametrize("ticket", [0, -1, 2**31])
def test_a_ticket_that_does_not_fit_is_refused(ticket: int) -> None:
    with pytest.raises(InvariantBroken, match="32 bits"):
        trade_entry(TRADE, ticket, UTC, 100_000)


def test_orders_fill_from_the_front_the_rest_is_zero_and_what_has_no_room_is_counted() -> None:
    entries = [pack(trade_entry(TRADE, ticket, UTC, 100_000)) for ticket in (3, 2, 1)]
    orders = OrderArray(2)
    assert len(entries[0]) == ORDER_INFO.itemsize
    assert orders.fill(entries) == 1
    assert orders.rows["ticket"].tolist() == [3, 2]
    orders.mark(1, 1.09, 250.0)
    assert (orders.rows[1]["close_price"], orders.rows[1]["profit"], orders.rows[1]["lots"]) == (1.09, 250.0, 0.3)
    assert orders.fill(entries[:1]) == 0
    assert orders.rows["ticket"].tolist() == [3, 0]
    assert not orders.rows[1:].tobytes().strip(b"\0")


def test_no_orders_at_all_are_an_array_of_none() -> None:
    assert OrderArray(0).fill([pack(trade_entry(TRADE, 1, UTC, 1))]) == 1


def row(**values: float) -> ResultArray:
    results = ResultArray(3)
    for name, value in values.items():
        results.rows[1][name] = value
    return results


def test_rows_that_say_nothing_are_left_out() -> None:
    (found,) = row(ticket_number=-1, trading_signals=0x20001, lots=0.1, broker_tp=-1).read()
    assert (found.ticket, found.lots, found.broker_tp, found.trailing) == (-1, 0.1, -1.0, False)
    assert found.commands == (Command("close", OrderKind.SELL), Command("open", OrderKind.BUY))


def test_a_trailing_row_has_no_bit() -> None:
    (found,) = row(ticket_number=12, broker_sl=0.01, use_trailing_sl=1).read()
    assert (found.commands, found.trailing) == ((), True)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"trading_signals": 1, "lots": float("nan")}, "no number"),
        ({"broker_sl": float("inf")}, "no number"),
        ({"trading_signals": 1.5, "lots": 1}, "signals are 1.5"),
        ({"trading_signals": 0x200, "lots": 1}, "signals are 512"),
        ({"trading_signals": 2, "ticket_number": 2.0**31}, "ticket"),
        ({"trading_signals": 2, "ticket_number": -2}, "ticket"),
        ({"trading_signals": 1, "lots": -0.1}, "it opens -0.1 lots"),
        ({"trading_signals": 8, "lots": 1, "entry_price": 0}, "it opens 1 lots at 0"),
        ({"use_trailing_sl": 0.5}, "trailing is 0.5"),
        ({"expiration_time": -1}, "expiration"),
    ],
)
def test_a_row_that_cannot_be_meant_refuses_the_whole_answer(values: dict[str, float], why: str) -> None:
    with pytest.raises(LibraryError, match=f"row 1 .*{why}"):
        row(**values).read()


def test_an_opening_without_lots_does_not_stop_what_comes_with_it() -> None:
    (found,) = row(trading_signals=0x2 | 0x8, ticket_number=-1, lots=0, entry_price=0).read()
    assert found.commands == (Command("close", OrderKind.BUY), Command("open", OrderKind.BUYLIMIT))


def test_an_update_may_keep_what_an_opening_could_not_have() -> None:
    (found,) = row(trading_signals=4, ticket_number=9, lots=0, entry_price=-1, broker_sl=0.01, broker_tp=-1).read()
    assert found.commands == (Command("update", OrderKind.BUY),)


def test_codes_of_configuration_are_told_from_failures() -> None:
    require_success(0, "nothing")
    with pytest.raises(ConfigError, match="3019 UNKNOWN_TIMEZONE: broker_name"):
        require_success(ReturnCode.UNKNOWN_TIMEZONE, "instance 7")
    with pytest.raises(LibraryError, match=r"4711 .no code of this library") as error:
        require_success(4711, "instance 7")
    assert pickle.loads(pickle.dumps(error.value)).returned == 4711
    assert describe(3014) == "3014 ZERO_DIVIDE"


def test_a_state_file_of_another_length_is_refused() -> None:
    state = np.zeros(1, internals.INSTANCE_STATE)
    state["instance_id"], state["last_run_time"] = 7, 1_718_193_600
    assert internals.read_state(state.tobytes(), "7.state") == (7, 1_718_193_600, 0)
    with pytest.raises(StoreError, match=r"7\.state: 12019 bytes"):
        internals.read_state(state.tobytes()[:-1], "7.state")


ELF_64 = b"\x7fELF\x02\x01\x01" + bytes(9)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no shared library"),
        (b"#!/bin/sh\n", "no shared library"),
        (b"MZ\x90\0" + bytes(60), "a Windows library"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x03\0\x03\0" + bytes(44), "built for 32-bit i386"),
        (ELF_64 + b"\x03\0\xf3\0" + bytes(44), "built for 64-bit riscv64"),
        (
            ELF_64 + b"\x01\0" + {"x86_64": b"\x3e\0", "aarch64": b"\xb7\0"}[os.uname().machine] + bytes(44),
            "ELF type 1",
        ),
    ],
)
def test_a_file_that_is_no_library_for_this_machine_is_named(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "lib.so").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"library .*lib\.so: .*{why}"):
        require_loadable(tmp_path / "lib.so")


def test_a_missing_library_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"lib\.so: cannot be read: No such file"):
        require_loadable(tmp_path / "lib.so")
