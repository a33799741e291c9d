"""What rows of results mean: every bit, distances, order of work, lots."""

from __future__ import annotations

from decimal import Decimal

import pytest

from atrader.instruments import KNOWN
from atrader.market import Tick
from framework_bridge.abi.results import ResultRow
from framework_bridge.abi.signals import BITS, SIX, Command, OrderKind
from framework_bridge.decisions import Change, Decision, Holding, Leave, Open, Skipped, Terms, decide

TICK = Tick("EUR/USD", 0, 0, 1.1, 1.1002)
NOW = (1_700_000_000_000_000_000, 1_700_007_200)
TERMS = Terms(KNOWN["EUR/USD"], Decimal(100_000), Decimal("0.01"), Decimal("0.01"), 0.0)


def row(bits: int, **values: float) -> ResultRow:
    zero = dict.fromkeys(ResultRow._fields, 0.0)
    given = {"ticket": -1, "bits": bits, "trailing": False, "expires_s": 0, **values}
    return ResultRow(**{**zero, **given})  # type: ignore[arg-type]


def bit(verb: str, kind: OrderKind) -> int:
    return BITS[Command(verb, kind)]  # type: ignore[arg-type]


def holding(ticket: int, kind: OrderKind, **values: object) -> Holding:
    return Holding(ticket, kind, f"id{ticket}", Decimal("1.09"), **{"stop_loss": None, "take_profit": None, **values})  # type: ignore[arg-type]


def decided(rows: list[ResultRow], *holdings: Holding, terms: Terms = TERMS) -> list[Decision]:
    return decide(rows, holdings, TICK, NOW, terms)


@pytest.mark.parametrize("kind", SIX)
def test_an_open_of_each_kind_has_its_side_type_price_and_protection(kind: OrderKind) -> None:
    entry = 1.2 if kind.order_type != "market" else 0.0
    (one,) = decided([row(bit("open", kind), lots=0.1, entry_price=entry, broker_sl=0.002, broker_tp=0.004)])
    assert isinstance(one, Open)
    up = 1 if kind.side == "buy" else -1
    at = Decimal(str(entry or (1.1002 if up > 0 else 1.1)))
    assert (one.kind, one.units, one.price) == (kind, Decimal(10_000), Decimal("1.2") if entry else None)
    assert one.stop_loss == at - up * Decimal("0.002")
    assert one.take_profit == at + up * Decimal("0.004")


@pytest.mark.parametrize("distance", [0.0, -1.0])
def test_no_distance_and_minus_one_open_without_protection_and_change_nothing(distance: float) -> None:
    rows = [row(bit("open", OrderKind.BUY), lots=1, broker_sl=distance, broker_tp=distance)]
    (one,) = decided(rows)
    assert isinstance(one, Open)
    assert (one.stop_loss, one.take_profit) == (None, None)
    held = holding(5, OrderKind.BUY, stop_loss=Decimal("1.08"), take_profit=Decimal("1.2"))
    assert decided([row(bit("update", OrderKind.BUY), broker_sl=distance, broker_tp=distance)], held) == []


def test_an_update_counts_from_the_ask_for_a_buy_and_from_the_bid_for_a_sell() -> None:
    buy, sell = holding(1, OrderKind.BUY), holding(2, OrderKind.SELL)
    rows = [row(bit("update", OrderKind.BUY) | bit("update", OrderKind.SELL), broker_sl=0.001, broker_tp=-1)]
    assert decided(rows, buy, sell) == [Change(buy, Decimal("1.0992")), Change(sell, Decimal("1.101"))]


def test_an_update_that_changes_nothing_is_none() -> None:
    held = holding(1, OrderKind.BUY, stop_loss=Decimal("1.0992"))
    assert decided([row(bit("update", OrderKind.BUY), broker_sl=0.001)], held) == []


def test_a_waiting_order_is_protected_from_its_own_price_and_moved_to_the_entry_price() -> None:
    held = holding(1, OrderKind.BUYLIMIT)
    stays, moves = (
        row(bit("update", OrderKind.BUYLIMIT), broker_sl=0.001),
        row(bit("update", OrderKind.BUYLIMIT), entry_price=1.08, broker_sl=0.001),
    )
    assert decided([stays], held) == [Change(held, Decimal("1.089"))]
    assert decided([moves], held) == [Change(held, Decimal("1.079"), None, Decimal("1.08"))]


@pytest.mark.parametrize("kind", SIX)
def test_a_close_without_ticket_is_about_every_order_of_its_kind_and_no_other(kind: OrderKind) -> None:
    held = [holding(number, other) for number, other in enumerate([*SIX, *SIX], start=1)]
    left = {one.holding.ticket for one in decided([row(bit("close", kind))], *held) if isinstance(one, Leave)}
    assert left == {one.ticket for one in held if one.kind is kind}


def test_a_close_with_a_ticket_is_about_that_order_if_it_is_of_the_kind() -> None:
    first, second = holding(1, OrderKind.BUY), holding(2, OrderKind.BUY)
    assert decided([row(bit("close", OrderKind.BUY), ticket=2)], first, second) == [Leave(second)]
    assert decided([row(bit("close", OrderKind.SELL), ticket=2)], first, second) == []


def test_closes_come_first_then_updates_then_opens_whatever_the_order_of_rows() -> None:
    buy, sell = holding(1, OrderKind.BUY), holding(2, OrderKind.SELL)
    rows = [
        row(bit("open", OrderKind.SELL), lots=1),
        row(bit("update", OrderKind.SELL), broker_sl=0.001),
        row(bit("close", OrderKind.BUY) | bit("open", OrderKind.BUYSTOP), lots=1, entry_price=1.2),
    ]
    assert [type(one) for one in decided(rows, buy, sell)] == [Leave, Change, Open, Open]


def test_what_is_closed_is_not_updated_and_what_is_leaving_is_left_alone() -> None:
    held = holding(1, OrderKind.BUY)
    both = [row(bit("close", OrderKind.BUY) | bit("update", OrderKind.BUY), broker_sl=0.001)]
    assert decided(both, held) == [Leave(held)]
    assert decided(both, held._replace(is_leaving=True)) == []


def test_a_trailing_row_without_bits_moves_the_stop_towards_the_price_only() -> None:
    follows = row(0, ticket=1, broker_sl=0.001, trailing=True)
    behind = holding(1, OrderKind.BUY, stop_loss=Decimal("1.09"))
    ahead = behind._replace(stop_loss=Decimal("1.0995"))
    assert decided([follows], behind) == [Change(behind, Decimal("1.0992"))]
    assert decided([follows], ahead) == []


@pytest.mark.parametrize(("lots", "units"), [(0.019, 1_000), (0.3, 30_000), (0.1 + 0.2, 30_000), (0.29999999, 29_000)])
def test_lots_are_rounded_down_to_the_step(lots: float, units: int) -> None:
    (one,) = decided([row(bit("open", OrderKind.BUY), lots=lots)])
    assert isinstance(one, Open)
    assert one.units == units


def test_fewer_lots_than_the_smallest_order_are_not_opened_and_never_rounded_up() -> None:
    (one,) = decided([row(bit("open", OrderKind.BUY), lots=0.0099)])
    assert isinstance(one, Skipped)
    assert "0.0099 lots are less" in one.reason


def test_stops_closer_than_the_broker_takes_are_moved_out_by_it_and_the_spread() -> None:
    (one,) = decided(
        [row(bit("open", OrderKind.BUY), lots=1, broker_sl=0.0001)], terms=TERMS._replace(minimum_stop=0.001)
    )
    assert isinstance(one, Open)
    assert one.stop_loss == Decimal("1.099")  # 1.1002 - 0.001 - 0.0002


def test_the_end_of_a_waiting_order_is_told_by_the_clock_of_the_broker() -> None:
    kind = OrderKind.SELLSTOP
    (one,) = decided([row(bit("open", kind), lots=1, entry_price=1.0, expires_s=NOW[1] + 60)])
    assert isinstance(one, Open)
    assert one.expires_ns == NOW[0] + 60 * 10**9
    (late,) = decided([row(bit("open", kind), lots=1, entry_price=1.0, expires_s=NOW[1] - 60)])
    assert isinstance(late, Skipped)


def test_a_distance_beyond_zero_is_left_out_and_the_exits_beside_it_are_made() -> None:
    held = holding(1, OrderKind.SELL)
    (leave, one) = decided(
        [row(bit("open", OrderKind.BUY) | bit("close", OrderKind.SELL), lots=1, broker_sl=2.0)], held
    )
    assert leave == Leave(held)
    assert isinstance(one, Skipped)
    assert "leads to a price of -0.8998" in one.reason
    (other,) = decided([row(bit("update", OrderKind.SELL), broker_tp=2.0)], held)
    assert isinstance(other, Skipped)
    assert other.verb == "update"


def test_a_trailing_row_moves_the_order_it_names_and_no_other() -> None:
    held = holding(1, OrderKind.SELL, stop_loss=Decimal("1.2"))
    opens = row(bit("open", OrderKind.BUY), lots=1, broker_sl=0.001, trailing=True)
    assert [type(one) for one in decided([opens], held)] == [Open]


def test_of_two_updates_the_last_counts_also_when_it_is_what_is_there() -> None:
    held = holding(1, OrderKind.BUY, stop_loss=Decimal("1.0992"))
    rows = [row(bit("update", OrderKind.BUY), broker_sl=distance) for distance in (0.002, 0.001)]
    assert decided(rows, held) == []
