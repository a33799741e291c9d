"""The small parts of the bridge: tickets, conversion, the instance's own profit, hours in which the library sleeps."""

from __future__ import annotations

import json
import threading
from decimal import Decimal

import pytest

from atrader.broker_clock import WallClock
from atrader.clock import SystemClock, parse_time
from atrader.errors import ConfigError
from atrader.instruments import KNOWN
from atrader.market import Tick
from atrader.orders.ids import IntentId, client_id_of
from atrader.orders.model import Trade
from framework_bridge.complaints import Complaints
from framework_bridge.conversion import conversion_of
from framework_bridge.own_curve import OwnCurve
from framework_bridge.sleep_hours import sleeps
from framework_bridge.tickets import FIRST_FOREIGN, Tickets
from framework_bridge.time_server import TimeProof, ask_time_servers
from framework_bridge.watchdog import Watchdog
from tests.support.asirikuy_fleet import time_server

SECOND_NS = 10**9


def test_an_order_of_our_own_has_the_number_of_its_intent_whatever_became_of_the_state() -> None:
    trade_id = client_id_of(IntentId(7, 1234))
    assert Tickets({}, 7).of(trade_id) == Tickets({}, 7).of(trade_id) == 1234


def test_a_trade_of_another_origin_keeps_its_ticket_over_a_restart_and_no_other_gets_it() -> None:
    state: dict[str, object] = {}
    tickets = Tickets(state, 7)
    first, of_other_magic = tickets.of("import-1"), tickets.of(client_id_of(IntentId(8, 3)))
    restored = Tickets(json.loads(json.dumps(state)), 7)
    assert [restored.of("import-1"), restored.of("import-2")] == [first, FIRST_FOREIGN + 2]
    assert len({first, of_other_magic, restored.of("import-2")}) == 3


def quote(symbol: str) -> Tick | None:
    bid = {"EUR/USD": 1.1, "USD/JPY": 150.0, "GBP/USD": 1.25}.get(symbol)
    return None if bid is None else Tick(symbol, 0, 0, bid, bid * 1.001)


@pytest.mark.parametrize(
    ("symbol", "currency", "needed", "rate"),
    [
        ("EUR/USD", "USD", (), 1.0),
        ("USD/JPY", "USD", (), 1 / 150.15),
        ("EUR/JPY", "USD", ("EUR/USD", "USD/JPY"), 1 / (150.0 * 1.001)),
        ("EUR/GBP", "USD", ("EUR/USD", "GBP/USD"), 1.25),
    ],
)
def test_prices_of_conversion_divide_or_multiply_by_the_side_of_the_accounts_currency(
    symbol: str, currency: str, needed: tuple[str, ...], rate: float
) -> None:
    conversion = conversion_of(KNOWN[symbol], currency, KNOWN)
    assert conversion.instruments == needed
    own = Tick(symbol, 0, 0, 150.0, 150.15) if symbol == "USD/JPY" else Tick(symbol, 0, 0, 1.0, 1.001)
    prices = conversion.prices(own, quote)
    assert prices is not None
    assert conversion.home_rate(prices) == pytest.approx(rate)
    if not needed:
        assert prices[2:] == (1.0, 1.0, 1.0, 1.0)


def test_without_the_price_of_a_conversion_there_are_no_prices() -> None:
    conversion = conversion_of(KNOWN["EUR/CHF"], "USD", KNOWN)
    assert conversion.prices(Tick("EUR/CHF", 0, 0, 0.9, 0.91), quote) is None


def test_a_library_that_wants_prices_of_another_pair_is_refused() -> None:
    conversion = conversion_of(KNOWN["EUR/JPY"], "USD", KNOWN)
    conversion.require_named("EURUSD", "USDJPY")
    with pytest.raises(ConfigError, match="wants prices of JPYUSD, expected USD/JPY"):
        conversion.require_named("EURUSD", "JPYUSD")


def closed(number: int, close_ns: int, profit: str) -> Trade:
    return Trade(
        trade_id=f"t{number}", account="a", magic=7, instance="i", instrument="EUR/USD", side="buy",
        units_opened=Decimal(1), units=Decimal(0), open_time_ns=1, open_price=Decimal(1), close_time_ns=close_ns,
        profit=Decimal(profit), commission=Decimal(-1), swap=Decimal(0),
    )  # fmt: skip


def test_the_own_profit_counts_each_closed_trade_once_also_over_a_restart() -> None:
    state: dict[str, object] = {}
    curve = OwnCurve(state, Decimal(1000), 100)
    old, first, second = closed(1, 50, "99"), closed(2, 150, "11"), closed(3, 150, "21")
    curve.settle([first, old])
    curve = OwnCurve(json.loads(json.dumps(state)), Decimal(5), 999)
    curve.settle([second, first, old])
    curve.settle([second, first, old])
    assert (curve.begin, curve.balance) == (Decimal(1000), Decimal(1030))


def test_the_drawdown_is_from_the_peak_and_never_forgotten() -> None:
    curve = OwnCurve({}, Decimal(1000), 0)
    assert curve.see(250.0) == 1250.0
    curve.see(0.0)
    curve.see(500.0)
    assert curve.worst_percent == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("symbol", "time", "asleep"),
    [
        ("EURUSD", "2024-06-12T12:00:00Z", False),
        ("EURUSD", "2024-06-15T12:00:00Z", True),
        ("BTCUSD", "2024-06-15T12:00:00Z", False),
        ("EURUSD", "2024-06-14T22:30:00Z", True),  # Saturday already where the reference clock is
        ("BTCUSD", "2024-12-25T12:00:00Z", True),
        ("EURUSD", "2024-12-31T22:30:00Z", True),
        ("XAUUSD", "2024-06-11T23:01:00Z", False),
        ("XAUUSD", "2024-06-12T22:01:00Z", True),  # 01:01 there
    ],
)
def test_the_library_sleeps_at_weekends_and_holidays_of_the_reference_clock(
    symbol: str, time: str, asleep: bool
) -> None:
    assert sleeps(symbol, parse_time(time), WallClock("STD-3"), is_live=True) is asleep


def test_the_same_complaint_is_made_once_until_it_changes_or_is_over() -> None:
    told: list[str] = []
    complaints = Complaints(lambda kind, text: told.append(text))
    for text, same in (("one", "1"), ("one again", "1"), ("two", "2")):
        complaints.about("kind", text, same=same)
    complaints.over("kind")
    complaints.over("kind")
    assert told == ["one", "two", "that is over"]


def test_a_call_that_lasts_too_long_is_ended_and_one_that_returns_is_not() -> None:
    ended: list[str] = []
    fired = threading.Event()

    def end(reason: str) -> None:
        ended.append(reason)
        fired.set()

    watchdog = Watchdog(0.05, end)
    try:
        for _ in range(20):
            with watchdog.guard("quick"):
                pass
        with watchdog.guard("slow"):
            assert fired.wait(60)
        with watchdog.guard("later"):
            pass
    finally:
        watchdog.close()
    (reason,) = ended
    assert "slow of the C library did not return within call_deadline = 0.05 s" in reason


def test_a_call_that_waits_for_a_processor_is_not_ended_until_it_has_had_one_for_its_time() -> None:
    asked: list[int] = []
    fired = threading.Event()

    def waited(task: int) -> float:
        asked.append(task)
        return min(len(asked), 5) * 0.05  # all of the time up to the fifth look, and then none

    watchdog = Watchdog(0.1, lambda _: fired.set(), waited)
    try:
        with watchdog.guard("starved"):
            assert fired.wait(60)
    finally:
        watchdog.close()
    assert asked == [threading.get_native_id()] * 6


def test_a_call_that_hangs_is_ended_although_it_is_not_known_at_first_how_long_it_waited_before() -> None:
    fired = threading.Event()
    looks = iter([None])
    watchdog = Watchdog(0.1, lambda _: fired.set(), lambda _: next(looks, 3600.0))
    try:
        with watchdog.guard("hangs"):
            assert fired.wait(20)
    finally:
        watchdog.close()


def test_a_time_server_is_asked_again_only_when_its_answer_is_old() -> None:
    with time_server() as server:
        proof = TimeProof([server], 2.0, 3600.0, SystemClock())
        assert proof.problem() is None
    assert proof.problem() is None, "it is gone, and was not asked"


def test_a_time_server_tells_how_far_our_clock_is_off() -> None:
    with time_server(offset_s=7200.0) as server:
        found = ask_time_servers([server], 2.0, SystemClock())
    assert found.offset_s == pytest.approx(7200, abs=1)
    assert "clock is -7200 s off" in str(found.problem)


def test_silence_and_unknown_names_are_told_within_the_deadline() -> None:
    clock = SystemClock()
    began_s = clock.monotonic_s()
    problem = TimeProof(["127.0.0.1:9", "no-such-host.invalid"], 0.1, 3600.0, clock).problem()
    assert "the library would wait for one for ever" in str(problem) or "no time server was found" in str(problem)
    assert clock.monotonic_s() - began_s < 5
