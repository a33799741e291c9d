"""What every adapter must do; `tests/support/adapter_bench.py` says how another one joins."""

from decimal import Decimal
from typing import Any

from atrader.clock import NS_PER_S
from atrader.orders.states import OrderState
from broker_api.adapter import Modification
from tests.support.adapter_bench import Desk, scenario

D = Decimal


@scenario()
async def test_a_market_order_fills_at_the_side_of_the_quote_that_is_worse_for_us(desk: Desk) -> None:
    bought = await desk.filled("buy", 1000)
    sold = await desk.filled("sell", 400)
    assert (bought.price, bought.side, bought.units, bought.reason) == (D("1.1001"), "buy", D(1000), "order")
    assert (sold.price, sold.side, sold.units) == (D("1.1"), "sell", D(400))
    assert (await desk.adapter.snapshot()).net_units == {"EUR/USD": D(600)}


@scenario()
async def test_a_limit_order_waits_for_its_price_and_fills_there_or_better(desk: Desk) -> None:
    order = await desk.send(desk.order("buy", 1000, order_type="limit", price=D("1.09900")))
    assert desk.state_of(order.client_id) is OrderState.WORKING
    await desk.prices("1.09890", "1.09901")
    assert desk.units_of(order.client_id) == 0
    await desk.prices("1.09880", "1.09890")
    await desk.until(lambda: desk.units_of(order.client_id) == 1000)
    assert desk.fills_of(order.client_id)[0].price <= D("1.09900")


@scenario()
async def test_a_limit_order_the_market_is_through_already_fills_at_once_at_the_better_price(desk: Desk) -> None:
    order = await desk.send(desk.order("sell", 1000, order_type="limit", price=D("1.09000")))
    await desk.until(lambda: desk.units_of(order.client_id) == 1000)
    assert desk.fills_of(order.client_id)[0].price == D("1.10000")


@scenario()
async def test_a_stop_order_fills_where_the_market_is_when_its_price_is_passed(desk: Desk) -> None:
    order = await desk.send(desk.order("buy", 1000, order_type="stop", price=D("1.10100")))
    await desk.prices("1.10080", "1.10090")
    assert desk.units_of(order.client_id) == 0
    await desk.prices("1.10290", "1.10300")
    await desk.until(lambda: desk.units_of(order.client_id) == 1000)
    assert desk.fills_of(order.client_id)[0].price == D("1.10300")


@scenario()
async def test_a_cancelled_order_never_fills(desk: Desk) -> None:
    order = await desk.send(desk.order("buy", 1000, order_type="limit", price=D("1.09900")))
    await desk.cancel(order.client_id)
    await desk.prices("1.05000", "1.05010")
    assert desk.units_of(order.client_id) == 0
    assert (await desk.adapter.snapshot()).orders == ()


@scenario()
async def test_a_filled_order_cannot_be_cancelled(desk: Desk) -> None:
    fill = await desk.filled("buy", 1000)
    assert fill.client_id is not None
    reason = await desk.refused(desk.adapter.cancel(desk.next_client_id(), fill.client_id))
    assert reason == "order-not-working"


@scenario(native_protection=True)
async def test_a_working_order_is_not_moved_beyond_its_own_target(desk: Desk) -> None:
    order = await desk.send(desk.order("buy", 1000, order_type="limit", price=D("1.09000"), take_profit=D("1.09200")))
    change = Modification(
        client_id=desk.next_client_id(), order_client_id=order.client_id, price=D("1.09500"), stop_loss=D("1.09100")
    )
    assert await desk.refused(desk.adapter.modify(change)) == "take-profit-wrong-side"
    await desk.prices("1.08990", "1.09000")
    await desk.until(lambda: [fill.price for fill in desk.fills_of(order.client_id)] == [D("1.09000")])


@scenario()
async def test_a_working_order_fills_at_the_price_it_was_changed_to(desk: Desk) -> None:
    order = await desk.send(desk.order("buy", 1000, order_type="limit", price=D("1.09000")))
    await desk.modify(order_client_id=order.client_id, price=D("1.09500"))
    await desk.prices("1.09510", "1.09520")
    assert desk.units_of(order.client_id) == 0
    await desk.prices("1.09480", "1.09490")
    await desk.until(lambda: desk.units_of(order.client_id) == 1000)
    assert D("1.09000") < desk.fills_of(order.client_id)[0].price <= D("1.09500")


@scenario()
async def test_an_order_whose_time_runs_out_expires_and_never_fills(desk: Desk) -> None:
    expires_ns = desk.bench.now_ns() + 30 * NS_PER_S
    more: dict[str, Any] = {"order_type": "limit", "price": D("1.09000"), "expires_ns": expires_ns}
    order = await desk.send(desk.order("buy", 1000, **more))
    await desk.prices("1.10000", "1.10010", after_s=31)
    await desk.until(lambda: desk.state_of(order.client_id) is OrderState.EXPIRED)
    await desk.prices("1.08000", "1.08010")
    assert desk.units_of(order.client_id) == 0


@scenario(native_protection=True)
async def test_a_stop_loss_closes_a_long_at_the_bid_after_a_gap_worse_than_the_stop(desk: Desk) -> None:
    opened = await desk.filled("buy", 1000, stop_loss=D("1.09500"))
    await desk.prices("1.09510", "1.09520")
    assert not desk.fills_of(None)
    await desk.prices("1.09200", "1.09210")
    await desk.until(lambda: bool(desk.fills_of(None)))
    (closed,) = desk.fills_of(None)
    assert (closed.reason, closed.price, closed.side) == ("stop-loss", D("1.09200"), "sell")
    assert (closed.broker_trade_id, closed.units) == (opened.broker_trade_id, D(1000))


@scenario(native_protection=True)
async def test_a_take_profit_closes_a_short_at_the_ask_no_worse_than_the_target(desk: Desk) -> None:
    await desk.filled("sell", 1000, take_profit=D("1.09500"))
    await desk.prices("1.09495", "1.09505")
    assert not desk.fills_of(None)
    await desk.prices("1.09450", "1.09460")
    await desk.until(lambda: bool(desk.fills_of(None)))
    (closed,) = desk.fills_of(None)
    assert (closed.reason, closed.side) == ("take-profit", "buy")
    assert closed.price <= D("1.09500")


@scenario(native_protection=True)
async def test_a_trailing_stop_follows_the_price_one_way_and_then_closes(desk: Desk) -> None:
    opened = await desk.filled("buy", 1000, trailing_distance=D("0.00200"))
    ticket = opened.broker_trade_id or ""
    assert (await desk.trades())[ticket].stop_loss == D("1.09800")
    await desk.prices("1.10500", "1.10510")
    assert (await desk.trades())[ticket].stop_loss == D("1.10300")
    await desk.prices("1.10400", "1.10410")
    assert (await desk.trades())[ticket].stop_loss == D("1.10300")
    await desk.prices("1.10295", "1.10305")
    await desk.until(lambda: bool(desk.fills_of(None)))
    (closed,) = desk.fills_of(None)
    assert (closed.reason, closed.price) == ("trailing-stop", D("1.10295"))


@scenario(native_protection=True)
async def test_protection_can_be_changed_kept_and_removed(desk: Desk) -> None:
    opened = await desk.filled("buy", 1000, stop_loss=D("1.09000"), take_profit=D("1.12000"))
    ticket = opened.broker_trade_id or ""
    await desk.modify(broker_trade_id=ticket, stop_loss=D("1.09500"))
    trade = (await desk.trades())[ticket]
    assert (trade.stop_loss, trade.take_profit) == (D("1.09500"), D("1.12000"))
    await desk.modify(broker_trade_id=ticket, take_profit=D(0))
    trade = (await desk.trades())[ticket]
    assert (trade.stop_loss, trade.take_profit) == (D("1.09500"), None)
    await desk.prices("1.13000", "1.13010")
    assert ticket in await desk.trades()


@scenario(hedging=True)
async def test_a_ticket_closes_in_part_and_then_wholly_and_keeps_its_open_price(desk: Desk) -> None:
    opened = await desk.filled("buy", 1000)
    ticket = opened.broker_trade_id or ""
    await desk.filled("sell", 300, close_broker_trade_id=ticket)
    trade = (await desk.trades())[ticket]
    assert (trade.units, trade.open_price, trade.magic) == (D(700), D("1.10010"), 7)
    closed = await desk.filled("sell", 700, close_broker_trade_id=ticket)
    assert closed.broker_trade_id == ticket
    assert await desk.trades() == {}
    assert await desk.refused(desk.adapter.submit(desk.order("sell", 1, close_broker_trade_id=ticket)))


@scenario(hedging=True)
async def test_two_magics_hold_opposite_tickets_of_one_instrument_and_close_their_own(desk: Desk) -> None:
    first = await desk.filled("buy", 1000, magic=7)
    second = await desk.filled("sell", 400, magic=8)
    trades = await desk.trades()
    assert {(trade.magic, trade.side, trade.units) for trade in trades.values()} == {
        (7, "buy", D(1000)),
        (8, "sell", D(400)),
    }
    await desk.filled("sell", 1000, magic=7, close_broker_trade_id=first.broker_trade_id)
    assert set(await desk.trades()) == {second.broker_trade_id}


@scenario(hedging=False)
async def test_an_opposite_order_reduces_and_then_reverses_the_net_position(desk: Desk) -> None:
    await desk.filled("buy", 1000, magic=7)
    await desk.filled("sell", 400, magic=8)
    assert (await desk.adapter.snapshot()).net_units == {"EUR/USD": D(600)}
    fill = await desk.filled("sell", 1000, magic=8)
    assert fill.broker_trade_id is None
    assert (await desk.adapter.snapshot()).net_units == {"EUR/USD": D(-400)}
    await desk.filled("buy", 400, magic=8)
    assert (await desk.adapter.snapshot()).net_units == {}


@scenario(native_protection=False)
async def test_an_account_without_protection_refuses_it_instead_of_dropping_it(desk: Desk) -> None:
    assert await desk.refused(desk.adapter.submit(desk.order(stop_loss=D("1.09")))) == "no-native-protection"
    assert await desk.refused(desk.adapter.submit(desk.order(take_profit=D("1.2")))) == "no-native-protection"
    assert await desk.refused(desk.adapter.submit(desk.order(trailing_distance=D("0.01")))) == "no-native-protection"


@scenario()
async def test_what_cannot_be_an_order_is_refused_with_a_reason_and_changes_nothing(desk: Desk) -> None:
    limit: dict[str, Any] = {"order_type": "limit", "price": D("1.09")}
    wrong = {
        "units-precision": desk.order(units=1000).model_copy(update={"units": D("1000.5")}),
        "units-too-small": desk.order(units=0),
        "units-too-large": desk.order(units=10**12),
        "price-precision": desk.order(**{**limit, "price": D("1.0900001")}),
        "price-missing": desk.order(order_type="stop"),
        "unknown-instrument": desk.order(instrument="ABC/XYZ"),
        "expiry-passed": desk.order(**limit, expires_ns=desk.bench.now_ns() - 1),
        "market-halted": desk.order(instrument="GBP/USD"),
        "insufficient-margin": desk.order(units=50_000_000),
    }
    for reason, order in wrong.items():
        assert await desk.refused(desk.adapter.submit(order)) == reason
    snapshot = await desk.adapter.snapshot()
    assert (snapshot.orders, snapshot.net_units) == ((), {})


@scenario(native_protection=True)
async def test_protection_on_the_wrong_side_is_refused(desk: Desk) -> None:
    assert await desk.refused(desk.adapter.submit(desk.order(stop_loss=D("1.1")))) == "stop-loss-wrong-side"
    assert await desk.refused(desk.adapter.submit(desk.order(take_profit=D("1.1")))) == "take-profit-wrong-side"
    opened = await desk.filled("sell", 1000)
    change = Modification(client_id=desk.next_client_id(), broker_trade_id=opened.broker_trade_id, stop_loss=D("1.05"))
    assert await desk.refused(desk.adapter.modify(change)) == "stop-loss-wrong-side"
    unknown = Modification(client_id=desk.next_client_id(), broker_trade_id="no-such", stop_loss=D("1.05"))
    assert await desk.refused(desk.adapter.modify(unknown)) == "unknown-ticket"


@scenario()
async def test_a_client_id_that_never_arrived_is_not_found(desk: Desk) -> None:
    await desk.filled("buy", 1000)
    assert await desk.adapter.find("a000007w999", 0) is None


@scenario()
async def test_a_sent_order_is_found_from_the_watermark_noted_before_it_and_not_from_one_after(desk: Desk) -> None:
    before = (await desk.adapter.snapshot()).watermark
    order = await desk.send(desk.order("buy", 1000))
    found = await desk.adapter.find(order.client_id, before)
    assert found is not None
    assert all(desk.knows(report) for report in found)
    after = (await desk.adapter.snapshot()).watermark
    assert await desk.adapter.find(order.client_id, after) is None


@scenario()
async def test_a_refused_order_is_found_as_rejected(desk: Desk) -> None:
    watermark = (await desk.adapter.snapshot()).watermark
    order = desk.order(units=50_000_000)
    reason = await desk.refused(desk.adapter.submit(order))
    found = await desk.adapter.find(order.client_id, watermark)
    assert found is not None
    assert [(getattr(item, "state", None), getattr(item, "reason", None)) for item in found] == [
        (OrderState.REJECTED, reason)
    ]


@scenario()
async def test_a_second_order_with_a_working_client_id_is_refused_and_the_first_one_works_on(desk: Desk) -> None:
    order = await desk.send(desk.order("buy", 1000, order_type="limit", price=D("1.09900")))
    assert await desk.refused(desk.adapter.submit(order)) == "duplicate-client-id"
    await desk.prices("1.09880", "1.09890")
    await desk.until(lambda: desk.units_of(order.client_id) == 1000)


@scenario(reuses_ids=False)
async def test_a_client_id_of_an_open_trade_is_refused_and_free_again_when_the_trade_is_closed(desk: Desk) -> None:
    opened = await desk.filled("buy", 1000)
    again = desk.order("buy", 1000).model_copy(update={"client_id": opened.client_id})
    assert await desk.refused(desk.adapter.submit(again)) == "duplicate-client-id"
    await desk.filled("sell", 1000, close_broker_trade_id=opened.broker_trade_id)
    await desk.send(again)
    assert desk.units_of(again.client_id) == 2000


@scenario(reuses_ids=True)
async def test_a_client_id_protects_from_nothing_once_its_order_has_ended(desk: Desk) -> None:
    """Venues keep ids unique among working orders only: exactly-once is the gateway's work, not the broker's."""
    order = await desk.send(desk.order("buy", 1000))
    await desk.send(order)
    assert desk.units_of(order.client_id) == 2000


@scenario()
async def test_the_watermark_never_goes_back_and_reports_since_it_are_exactly_the_later_ones(desk: Desk) -> None:
    watermarks = [(await desk.adapter.snapshot()).watermark]
    for bid, ask in (("1.10000", "1.10010"), ("1.09800", "1.09810"), ("1.10200", "1.10210")):
        await desk.prices(bid, ask)
        await desk.send(desk.order("buy", 100))
        await desk.send(desk.order("buy", 100, order_type="limit", price=D("1.09900")))
        watermarks.append((await desk.adapter.snapshot()).watermark)
    assert watermarks == sorted(set(watermarks))
    everything = list(await desk.adapter.reports_since(0))
    for watermark in watermarks:
        later = [report for report in everything if report.transaction_id > watermark]
        assert list(await desk.adapter.reports_since(watermark)) == later


@scenario()
async def test_a_new_adapter_object_over_the_same_venue_goes_on_where_the_old_one_was(desk: Desk) -> None:
    await desk.filled("buy", 1000)
    working = await desk.send(desk.order("buy", 500, order_type="limit", price=D("1.09900")))
    before = await desk.adapter.snapshot()
    await desk.crash()
    after = await desk.adapter.snapshot()
    assert after == before
    assert list(await desk.adapter.reports_since(before.watermark)) == []
    await desk.prices("1.09880", "1.09890")
    await desk.until(lambda: desk.units_of(working.client_id) == 500)
    later = list(await desk.adapter.reports_since(before.watermark))
    assert sorted({report.transaction_id for report in later}) == sorted(
        number for number in desk.numbers() if number > before.watermark
    )


@scenario(native_protection=True)
async def test_stops_trail_and_fire_once_however_often_the_adapter_starts_anew(desk: Desk) -> None:
    opened = await desk.filled("buy", 1000, trailing_distance=D("0.00200"))
    await desk.crash()
    await desk.prices("1.10500", "1.10510")
    await desk.crash()
    assert (await desk.trades())[opened.broker_trade_id or ""].stop_loss == D("1.10300")
    await desk.prices("1.10200", "1.10210")
    await desk.crash()
    await desk.prices("1.10100", "1.10110")
    await desk.until(lambda: bool(desk.fills_of(None)))
    assert [fill.reason for fill in desk.fills_of(None)] == ["trailing-stop"]


@scenario()
async def test_the_account_shows_balance_and_what_closing_now_would_bring(desk: Desk) -> None:
    start = await desk.adapter.account()
    await desk.filled("buy", 10_000)
    await desk.prices("1.10500", "1.10510")
    held = await desk.adapter.account()
    # 10,000 units bought at 1.10010, worth 1.10500 now: 49.00
    assert (held.balance, held.equity) == (start.balance, start.balance + D("49.00"))
    assert held.margin_used > 0
