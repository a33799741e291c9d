"""The simulator's orders: what fills, what is cancelled inside a 201, what is rejected, how they end."""

from decimal import Decimal

import pytest

from tests.oanda_simulator import AccountSettings, Level
from tests.support.oanda_desk import WEDNESDAY, at_the_venue

SATURDAY = WEDNESDAY + 3 * 86_400 * 10**9
HOUR_S = 3_600
LADDER = [Level(Decimal("1.1001"), Decimal(1_000)), Level(Decimal("1.1003"), Decimal(3_000))]


@at_the_venue()
async def test_a_market_order_is_created_and_filled_in_one_reply_with_ids_of_one_batch(desk):
    answer = await desk.order(stopLossOnFill={"price": "1.09000"})
    create, fill = answer["orderCreateTransaction"], answer["orderFillTransaction"]
    first = int(create["id"])
    assert (create["type"], create["reason"], create["timeInForce"]) == ("MARKET_ORDER", "CLIENT_ORDER", "FOK")
    assert (fill["id"], fill["orderID"], fill["reason"]) == (str(first + 1), str(first), "MARKET_ORDER")
    assert fill["tradeOpened"]["tradeID"] == fill["id"]
    assert answer["relatedTransactionIDs"] == [str(first), str(first + 1), str(first + 2)]
    assert answer["lastTransactionID"] == str(first + 2)
    batch = (await desk.get("transactions/idrange", **{"from": first, "to": first + 2}))["transactions"]
    assert {entry["batchID"] for entry in batch} == {str(first)}
    assert (await desk.get("summary"))["lastTransactionID"] == str(first + 2)


@at_the_venue()
async def test_an_order_walks_up_the_ladder_and_its_average_is_not_the_top(desk):
    desk.sim.quote("EUR_USD", bid="1.1000", asks=LADDER)
    fill = (await desk.order(units="4000"))["orderFillTransaction"]
    assert fill["fullVWAP"] == "1.10025"
    assert fill["fullPrice"]["asks"][0]["price"] == "1.10010"


@at_the_venue()
async def test_fill_or_kill_takes_all_or_nothing_and_immediate_or_cancel_what_there_is(desk):
    desk.sim.quote("EUR_USD", bid="1.1000", asks=LADDER)
    killed = await desk.order(units="5000")
    assert (killed.status, killed["orderCancelTransaction"]["reason"]) == (201, "INSUFFICIENT_LIQUIDITY")
    partial = (await desk.order(units="5000", timeInForce="IOC"))["orderFillTransaction"]
    assert (partial["units"], partial["requestedUnits"]) == ("4000", "5000")
    assert desk.account.net_units("EUR_USD") == 4_000


async def refusal(desk, **order):
    answer = await desk.order(**order)
    assert answer.status == 201
    assert "orderFillTransaction" not in answer.body
    assert answer["orderCancelTransaction"]["orderID"] == answer["orderCreateTransaction"]["id"]
    return answer["orderCancelTransaction"]["reason"]


@at_the_venue()
async def test_a_201_may_be_a_refusal_for_margin_bounds_or_liquidity(desk):
    assert await refusal(desk, units="90000000", instrument="GBP_USD") == "INSUFFICIENT_LIQUIDITY"
    assert await refusal(desk, units="9000000") == "INSUFFICIENT_MARGIN"
    assert await refusal(desk, priceBound="1.10000") == "BOUNDS_VIOLATION"
    assert await refusal(desk, units="-1000", priceBound="1.10010") == "BOUNDS_VIOLATION"
    assert desk.account.trades == {}


@at_the_venue(start_ns=SATURDAY)
async def test_a_201_on_a_saturday_is_a_refusal_because_the_market_is_halted(desk):
    assert await refusal(desk) == "MARKET_HALTED"
    resting = await desk.order(type="LIMIT", price="1.2")
    assert set(resting.body) == {"orderCreateTransaction", "relatedTransactionIDs", "lastTransactionID"}
    await desk.sim.advance(48 * HOUR_S)
    assert desk.kinds_since(int(resting["lastTransactionID"])) == []  # open again, but no new price yet
    desk.sim.quote("EUR_USD", "1.15000", "1.15010")
    [fill] = desk.account.log.since(int(resting["lastTransactionID"]))
    assert (fill["type"], str(fill["price"])) == ("ORDER_FILL", "1.15010")


REJECTS = [
    ({"units": "1.5"}, "UNITS_PRECISION_EXCEEDED"),
    ({"units": "0"}, "UNITS_INVALID"),
    ({"units": "100000001"}, "UNITS_LIMIT_EXCEEDED"),
    ({"instrument": "DE30_EUR", "units": "0.4"}, "UNITS_MINIMUM_NOT_MET"),
    ({"instrument": "XAU_USD", "units": "0.5"}, "UNITS_PRECISION_EXCEEDED"),
    ({"instrument": "EUR_XXX"}, "INSTRUMENT_UNKNOWN"),
    ({"type": "LIMIT", "price": "1.123456"}, "PRICE_PRECISION_EXCEEDED"),
    ({"type": "LIMIT"}, "PRICE_MISSING"),
    ({"type": "LIMIT", "price": "-1"}, "PRICE_INVALID"),
    ({"type": "LIMIT", "price": "1.05", "timeInForce": "FOK"}, "TIME_IN_FORCE_INVALID"),
    ({"timeInForce": "GTC"}, "TIME_IN_FORCE_INVALID"),
    ({"type": "STOP", "price": "1.2", "timeInForce": "GTD"}, "TIME_IN_FORCE_GTD_TIMESTAMP_MISSING"),
    (
        {"type": "STOP", "price": "1.2", "timeInForce": "GTD", "gtdTime": "2026-11-18T14:59:59Z"},
        "TIME_IN_FORCE_GTD_TIMESTAMP_IN_PAST",
    ),
    ({"stopLossOnFill": {"price": "1.1", "distance": "0.1"}}, "STOP_LOSS_ON_FILL_PRICE_AND_DISTANCE_BOTH_SPECIFIED"),
    ({"takeProfitOnFill": {"price": "1.123456"}}, "TAKE_PROFIT_ON_FILL_PRICE_PRECISION_EXCEEDED"),
    (
        {"trailingStopLossOnFill": {"distance": "0.0001"}},
        "TRAILING_STOP_LOSS_ON_FILL_PRICE_DISTANCE_MINIMUM_NOT_MET",
    ),
]


@pytest.mark.parametrize(("order", "reason"), REJECTS, ids=[f"{r}-{n}" for n, (_, r) in enumerate(REJECTS)])
@at_the_venue()
async def test_a_rejected_order_is_400_and_consumes_a_transaction(desk, order, reason):
    before = desk.account.log.last_id
    answer = await desk.order(**order)
    assert answer.status == 400
    reject = answer["orderRejectTransaction"]
    assert (reject["rejectReason"], reject["id"]) == (reason, str(before + 1))
    assert reject["type"] == f"{order.get('type', 'MARKET')}_ORDER_REJECT"
    assert (answer["errorCode"], answer["lastTransactionID"]) == (reason, str(before + 1))
    assert answer["relatedTransactionIDs"] == [str(before + 1)]
    assert answer["errorMessage"]


MALFORMED = [
    b'{"order":',
    b"[]",
    b"{}",
    b'{"order": {"type": "MARKET", "instrument": "EUR_USD", "units": 1000}}',
    b'{"order": {"type": "MARKET", "instrument": "EUR_USD", "units": "many"}}',
    b'{"order": {"type": "WISH", "instrument": "EUR_USD", "units": "1"}}',
    b'{"order": {"instrument": "EUR_USD", "units": "1", "positionFill": "MAYBE"}}',
    b'{"order": {"type": "LIMIT", "instrument": "EUR_USD", "units": "1", "price": "1", "gtdTime": "soon"}}',
]


@pytest.mark.parametrize("body", MALFORMED)
@at_the_venue()
async def test_a_malformed_order_is_400_without_any_transaction(desk, body):
    before = desk.account.log.last_id
    answer = await desk.ask("POST", "orders", body)
    assert answer.status == 400
    assert set(answer.body) == {"errorMessage"}
    assert desk.account.log.last_id == before


@pytest.mark.parametrize(
    ("kind", "units", "price", "quotes", "fill"),
    [
        ("LIMIT", "1000", "1.09000", ("1.08990", "1.09000"), "1.09000"),
        ("LIMIT", "1000", "1.09000", ("1.08000", "1.08010"), "1.08010"),  # over a gap: the better price
        ("LIMIT", "-1000", "1.11000", ("1.11000", "1.11010"), "1.11000"),
        ("STOP", "1000", "1.11000", ("1.10990", "1.11000"), "1.11000"),
        ("STOP", "1000", "1.11000", ("1.12000", "1.12010"), "1.12010"),  # over a gap: the worse price
        ("STOP", "-1000", "1.09000", ("1.08000", "1.08010"), "1.08000"),
        ("MARKET_IF_TOUCHED", "1000", "1.09000", ("1.08000", "1.08010"), "1.08010"),
        ("MARKET_IF_TOUCHED", "1000", "1.11000", ("1.12000", "1.12010"), "1.12010"),
    ],
)
@at_the_venue()
async def test_entry_orders_wait_for_their_price_on_the_natural_side(desk, kind, units, price, quotes, fill):
    answer = await desk.order(type=kind, units=units, price=price)
    assert answer.status == 201
    number = int(answer["orderCreateTransaction"]["id"])
    desk.sim.quote("EUR_USD", "1.09985", "1.10015")
    assert desk.account.orders[number].pending
    desk.sim.quote("EUR_USD", *quotes)
    entry = desk.account.log.get(number + 1)
    assert (entry["type"], entry["orderID"], entry["reason"]) == ("ORDER_FILL", str(number), f"{kind}_ORDER")
    assert str(entry["price"]) == fill
    order = (await desk.get(f"orders/{number}"))["order"]
    assert (order["state"], order["fillingTransactionID"]) == ("FILLED", entry["id"])
    assert order["tradeOpenedID"] == entry["id"]


@pytest.mark.parametrize(
    ("condition", "bid", "ask"),
    [("DEFAULT", "1.1098", "1.1100"), ("INVERSE", "1.1100", "1.1102"), ("BID", "1.1100", "1.1102"),
     ("ASK", "1.1098", "1.1100"), ("MID", "1.1099", "1.1101")],
)  # fmt: skip
@at_the_venue()
async def test_the_trigger_condition_decides_which_price_is_compared(desk, condition, bid, ask):
    await desk.order(type="STOP", price="1.11000", triggerCondition=condition)
    tick = Decimal("0.00001")
    desk.sim.quote("EUR_USD", Decimal(bid) - tick, Decimal(ask) - tick)
    assert desk.account.trades == {}
    desk.sim.quote("EUR_USD", bid, ask)
    [trade] = desk.account.trades.values()
    assert trade.price == Decimal(ask)  # filled at the natural side, whatever triggered it


@at_the_venue()
async def test_a_limit_order_triggered_by_another_side_fills_only_at_its_price_or_better(desk):
    await desk.order(type="LIMIT", price="1.09000", triggerCondition="BID")
    desk.sim.quote("EUR_USD", "1.08990", "1.09010")
    assert desk.account.trades == {}
    desk.sim.quote("EUR_USD", "1.08980", "1.09000")
    assert len(desk.account.trades) == 1


@at_the_venue()
async def test_a_limit_that_the_market_has_reached_already_fills_in_the_reply(desk):
    answer = await desk.order(type="LIMIT", price="1.20000")
    assert answer["orderFillTransaction"]["price"] == "1.10010"


@at_the_venue()
async def test_a_stop_with_a_bound_is_cancelled_when_the_gap_is_beyond_it(desk):
    await desk.order(type="STOP", price="1.11000", priceBound="1.11050")
    desk.sim.quote("EUR_USD", "1.12000", "1.12010")
    [cancelled] = desk.account.log.since(4)
    assert (cancelled["type"], cancelled["reason"]) == ("ORDER_CANCEL", "BOUNDS_VIOLATION")


@at_the_venue()
async def test_orders_expire_at_their_time_or_at_17_in_new_york(desk):
    gtd = await desk.order(type="LIMIT", price="1.05", timeInForce="GTD", gtdTime="2026-11-18T16:00:00.000000000Z")
    gfd = await desk.order(type="LIMIT", price="1.05", timeInForce="GFD")
    last = int(gfd["lastTransactionID"])
    await desk.sim.advance(HOUR_S - 1)
    assert desk.account.log.last_id == last
    await desk.sim.advance(1)
    await desk.sim.advance(7 * HOUR_S)
    ended = desk.account.log.since(last)
    assert [(e["orderID"], e["reason"]) for e in ended] == [
        (gtd["orderCreateTransaction"]["id"], "TIME_IN_FORCE_EXPIRED"),
        (gfd["orderCreateTransaction"]["id"], "TIME_IN_FORCE_EXPIRED"),
    ]
    assert [e["time"] - WEDNESDAY for e in ended] == [HOUR_S * 10**9, 7 * HOUR_S * 10**9]


@at_the_venue()
async def test_a_replaced_order_is_cancelled_and_the_new_one_may_keep_its_client_id(desk):
    extensions = {"id": "mine", "tag": "atr:7"}
    old = await desk.order(type="LIMIT", price="1.05", clientExtensions=extensions)
    old_id = old["orderCreateTransaction"]["id"]
    body = {
        "order": {
            "type": "LIMIT", "instrument": "EUR_USD", "units": "2000", "price": "1.06", "clientExtensions": extensions
        }
    }  # fmt: skip
    new = await desk.ask("PUT", "orders/@mine", body)
    assert new.status == 201
    cancel, create = new["orderCancelTransaction"], new["orderCreateTransaction"]
    assert (cancel["orderID"], cancel["reason"]) == (old_id, "CLIENT_REQUEST_REPLACED")
    assert cancel["replacedByOrderID"] == create["id"]
    assert (create["reason"], create["replacesOrderID"], create["batchID"]) == (
        "REPLACEMENT",
        old_id,
        cancel["batchID"],
    )
    assert create["cancellingTransactionID"] == cancel["id"]
    assert (await desk.get(f"orders/{old_id}"))["order"]["replacedByOrderID"] == create["id"]
    assert (await desk.get("orders/@mine"))["order"]["id"] == create["id"]
    gone = await desk.ask("PUT", f"orders/{old_id}", body)
    assert gone.status == 404
    assert gone["orderCancelRejectTransaction"]["rejectReason"] == "ORDER_DOESNT_EXIST"


@at_the_venue()
async def test_a_replacement_that_is_cancelled_at_once_is_told_apart_from_the_replaced_order(desk):
    old = (await desk.order(type="STOP", price="1.2"))["orderCreateTransaction"]["id"]
    body = {
        "order": {
            "type": "STOP", "instrument": "EUR_USD", "units": "1", "price": "1.1", "priceBound": "1.1"
        }
    }  # fmt: skip
    answer = await desk.ask("PUT", f"orders/{old}", body)
    assert answer.status == 201
    assert answer["orderCancelTransaction"]["orderID"] == old
    new = answer["orderCreateTransaction"]["id"]
    assert answer["replacingOrderCancelTransaction"]["orderID"] == new
    assert answer["replacingOrderCancelTransaction"]["reason"] == "BOUNDS_VIOLATION"


@at_the_venue()
async def test_a_replacement_that_is_rejected_leaves_the_old_order_working(desk):
    old = (await desk.order(type="LIMIT", price="1.05"))["orderCreateTransaction"]["id"]
    body = {"order": {"type": "LIMIT", "instrument": "EUR_USD", "units": "0.5", "price": "1.06"}}
    answer = await desk.ask("PUT", f"orders/{old}", body)
    assert answer.status == 400
    assert answer["orderRejectTransaction"]["intendedReplacesOrderID"] == old
    assert desk.account.orders[int(old)].pending


@at_the_venue()
async def test_cancelling_works_once_and_then_is_404_with_a_reject_transaction(desk):
    number = (await desk.order(type="LIMIT", price="1.05", clientExtensions={"id": "c1"}))["orderCreateTransaction"][
        "id"
    ]
    done = await desk.ask("PUT", "orders/@c1/cancel")
    assert (done.status, done["orderCancelTransaction"]["reason"]) == (200, "CLIENT_REQUEST")
    filled = (await desk.order())["orderCreateTransaction"]["id"]
    for specifier in (number, filled, "@c1", "999"):
        answer = await desk.ask("PUT", f"orders/{specifier}/cancel")
        assert answer.status == 404, specifier
        assert answer["orderCancelRejectTransaction"]["type"] == "ORDER_CANCEL_REJECT"
        assert answer["errorCode"] == "ORDER_DOESNT_EXIST"
        assert answer["lastTransactionID"] == answer["orderCancelRejectTransaction"]["id"]


@at_the_venue()
async def test_a_client_order_id_is_held_by_pending_orders_only(desk):
    pending = {"type": "LIMIT", "price": "1.05", "clientExtensions": {"id": "once"}}
    assert (await desk.order(**pending)).status == 201
    second = await desk.order(**pending)
    assert (second.status, second["errorCode"]) == (400, "CLIENT_ORDER_ID_ALREADY_EXISTS")
    await desk.ask("PUT", "orders/@once/cancel")
    for _ in range(2):  # market orders do not pend: the id is no key against repeating them
        assert "orderFillTransaction" in (await desk.order(clientExtensions={"id": "once"})).body


@at_the_venue()
async def test_a_client_trade_id_is_held_by_open_trades_and_clashes_at_the_fill(desk):
    first = await desk.order(tradeClientExtensions={"id": "t1"})
    assert (await desk.get("trades/@t1"))["trade"]["id"] == first["orderFillTransaction"]["id"]
    assert await refusal(desk, tradeClientExtensions={"id": "t1"}) == "CLIENT_TRADE_ID_ALREADY_EXISTS"
    assert (await desk.ask("PUT", "trades/@t1/close", {"units": "ALL"})).status == 200
    assert (await desk.get("trades/@t1")).status == 404
    assert "orderFillTransaction" in (await desk.order(tradeClientExtensions={"id": "t1"})).body


@at_the_venue()
async def test_a_trade_gets_the_trade_extensions_and_not_those_of_the_order(desk):
    trade = {"id": "t2", "tag": "atr:7", "comment": "x"}
    fill = await desk.order(clientExtensions={"id": "o1", "tag": "other"}, tradeClientExtensions=trade)
    number = fill["orderFillTransaction"]["id"]
    assert fill["orderFillTransaction"]["clientOrderID"] == "o1"
    assert fill["orderFillTransaction"]["tradeOpened"]["clientExtensions"] == trade
    assert (await desk.get(f"trades/{number}"))["trade"]["clientExtensions"] == trade
    plain = (await desk.order(clientExtensions={"id": "o2"}))["orderFillTransaction"]["id"]
    assert "clientExtensions" not in (await desk.get(f"trades/{plain}"))["trade"]


@at_the_venue()
async def test_client_extensions_of_orders_and_trades_can_be_changed(desk):
    order = (await desk.order(type="LIMIT", price="1.05"))["orderCreateTransaction"]["id"]
    changed = await desk.ask("PUT", f"orders/{order}/clientExtensions", {"clientExtensions": {"id": "later"}})
    assert changed["orderClientExtensionsModifyTransaction"]["type"] == "ORDER_CLIENT_EXTENSIONS_MODIFY"
    assert (await desk.get("orders/@later"))["order"]["id"] == order
    trade = (await desk.order())["orderFillTransaction"]["id"]
    changed = await desk.ask("PUT", f"trades/{trade}/clientExtensions", {"clientExtensions": {"tag": "atr:8"}})
    assert changed.status == 200
    assert desk.account.trades[int(trade)].extensions == {"tag": "atr:8"}
    missing = await desk.ask("PUT", "trades/999/clientExtensions", {"clientExtensions": {"tag": "x"}})
    assert (missing.status, missing["errorCode"]) == (404, "TRADE_DOESNT_EXIST")


@at_the_venue(AccountSettings("101-004-1234567-004", mt4_id=4711))
async def test_an_mt4_account_refuses_client_extensions(desk):
    assert (await desk.order()).status == 201
    for field in ("clientExtensions", "tradeClientExtensions"):
        answer = await desk.order(**{field: {"id": "a", "tag": "b"}})
        assert answer.status == 400
        assert answer["orderRejectTransaction"]["type"] == "MARKET_ORDER_REJECT"
    trade = next(iter(desk.account.trades))
    answer = await desk.ask("PUT", f"trades/{trade}/clientExtensions", {"clientExtensions": {"tag": "x"}})
    assert answer.status == 400


@at_the_venue()
async def test_lists_are_newest_first_by_pages_of_which_a_link_names_the_next(desk):
    for number in range(5):
        await desk.order(type="LIMIT", price=f"1.0{number}")
    ids = [order["id"] for order in (await desk.get("orders"))["orders"]]
    assert [int(number) for number in ids] == [8, 7, 6, 5, 4]
    page = await desk.get("orders", count=2)
    assert [order["id"] for order in page["orders"]] == ids[:2]
    url = page.headers["link"].split(">")[0].lstrip("<")
    assert url.startswith(desk.sim.rest_url)
    after = await desk.get(url.removeprefix(desk.sim.rest_url))
    assert [order["id"] for order in after["orders"]] == ids[2:4]
    assert [o["id"] for o in (await desk.get("orders", beforeID="5"))["orders"]] == ["4"]
    assert (await desk.get("orders", count=501)).status == 400


@at_the_venue()
async def test_lists_show_pending_orders_and_open_trades_unless_another_state_is_asked_for(desk):
    await desk.order(type="LIMIT", price="1.05")
    cancelled = (await desk.order(type="LIMIT", price="1.05"))["orderCreateTransaction"]["id"]
    await desk.ask("PUT", f"orders/{cancelled}/cancel")
    open_trade = (await desk.order())["orderFillTransaction"]["id"]
    closed = (await desk.order(instrument="GBP_USD"))["orderFillTransaction"]["id"]
    await desk.ask("PUT", f"trades/{closed}/close", {"units": "ALL"})
    assert [o["state"] for o in (await desk.get("orders"))["orders"]] == ["PENDING"]
    assert [o["id"] for o in (await desk.get("orders", state="CANCELLED"))["orders"]] == [cancelled]
    assert {o["state"] for o in (await desk.get("orders", state="ALL"))["orders"]} == {"PENDING", "CANCELLED", "FILLED"}
    assert [t["id"] for t in (await desk.get("trades"))["trades"]] == [open_trade]
    assert [t["id"] for t in (await desk.get("trades", state="CLOSED"))["trades"]] == [closed]
    assert [t["id"] for t in (await desk.get("trades", state="ALL", instrument="GBP_USD"))["trades"]] == [closed]
    assert len((await desk.get("pendingOrders"))["orders"]) == len((await desk.get("openTrades"))["trades"]) == 1
    assert (await desk.get("orders", state="SOME")).status == 400
