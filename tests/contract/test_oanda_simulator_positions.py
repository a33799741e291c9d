"""The simulator's accounts of every kind: netting, hedging, FIFO; closing trades and positions; protection."""

from decimal import Decimal

import pytest

from tests.oanda_simulator import AccountSettings
from tests.support.oanda_desk import at_the_venue

HEDGING = AccountSettings("101-004-1234567-002", hedging=True)
FIFO = AccountSettings("101-004-1234567-003", fifo=True)
STOP = {"price": "1.09000"}


async def opened(desk, **order):
    """Open a trade and return its id."""
    answer = await desk.order(**order)
    return answer["orderFillTransaction"]["tradeOpened"]["tradeID"]


@at_the_venue()
async def test_netting_closes_the_oldest_first_and_reverses_in_one_fill(desk):
    first, second, third = [await opened(desk, units=units) for units in ("1000", "2000", "500")]
    reduced = (await desk.order(units="-1500"))["orderFillTransaction"]
    assert [part["tradeID"] for part in reduced["tradesClosed"]] == [first]
    assert (reduced["tradeReduced"]["tradeID"], reduced["tradeReduced"]["units"]) == (second, "-500")
    assert "tradeOpened" not in reduced
    reversed_ = (await desk.order(units="-3000"))["orderFillTransaction"]
    assert [(part["tradeID"], part["units"]) for part in reversed_["tradesClosed"]] == [
        (second, "-1500"),
        (third, "-500"),
    ]
    assert reversed_["tradeOpened"]["units"] == "-1000"
    assert reversed_["tradeOpened"]["tradeID"] == reversed_["id"]
    assert desk.account.net_units("EUR_USD") == -1_000


@at_the_venue()
async def test_profit_of_a_close_is_the_price_difference_and_moves_the_balance(desk):
    trade = await opened(desk, units="1000")
    desk.sim.quote("EUR_USD", "1.10500", "1.10510")
    fill = (await desk.ask("PUT", f"trades/{trade}/close", {"units": "400"}))["orderFillTransaction"]
    assert (fill["pl"], fill["accountBalance"]) == ("1.9600", "100001.9600")  # 400 x (1.10500 - 1.10010)
    assert fill["tradeReduced"]["realizedPL"] == "1.9600"
    shown = (await desk.get(f"trades/{trade}"))["trade"]
    assert (shown["currentUnits"], shown["realizedPL"], shown["unrealizedPL"]) == ("600", "1.9600", "2.9400")
    assert shown["averageClosePrice"] == "1.10500"
    assert shown["closingTransactionIDs"] == [fill["id"]]


@pytest.mark.parametrize(
    ("position_fill", "closes", "opens"),
    [("DEFAULT", "-1000", "-500"), ("REDUCE_FIRST", "-1000", "-500"), ("REDUCE_ONLY", "-1000", None)],
)
@at_the_venue()
async def test_position_fill_on_a_netting_account_reduces_first_or_only(desk, position_fill, closes, opens):
    await opened(desk)
    fill = (await desk.order(units="-1500", positionFill=position_fill))["orderFillTransaction"]
    assert [part["units"] for part in fill["tradesClosed"]] == [closes]
    assert fill.get("tradeOpened", {}).get("units") == opens


@at_the_venue()
async def test_open_only_against_an_opposite_position_of_a_netting_account_is_cancelled(desk):
    await opened(desk)
    answer = await desk.order(units="-1000", positionFill="OPEN_ONLY")
    assert (answer.status, answer["orderCancelTransaction"]["reason"]) == (201, "FIFO_VIOLATION")
    assert "tradeOpened" in (await desk.order(units="1000", positionFill="OPEN_ONLY"))["orderFillTransaction"]


@pytest.mark.parametrize(
    ("position_fill", "closes", "opens"),
    [
        ("DEFAULT", None, "-1500"),
        ("OPEN_ONLY", None, "-1500"),
        ("REDUCE_FIRST", "-1000", "-500"),
        ("REDUCE_ONLY", "-1000", None),
    ],
)
@at_the_venue(HEDGING)
async def test_position_fill_on_a_hedging_account_opens_beside_unless_told_to_reduce(
    desk, position_fill, closes, opens
):
    await opened(desk)
    fill = (await desk.order(units="-1500", positionFill=position_fill))["orderFillTransaction"]
    assert [part["units"] for part in fill.get("tradesClosed", [])] == ([closes] if closes else [])
    assert fill.get("tradeOpened", {}).get("units") == opens


@at_the_venue(HEDGING)
async def test_long_and_short_trades_live_together_on_a_hedging_account(desk):
    await opened(desk)
    await opened(desk, units="-400")
    account = (await desk.get(""))["account"]
    [position] = account["positions"]
    assert account["hedgingEnabled"] is True
    assert (position["long"]["units"], position["short"]["units"]) == ("1000", "-400")
    larger_leg = Decimal("1000") * Decimal("1.10005") * Decimal("0.0333")
    assert Decimal(position["marginUsed"]) == larger_leg.quantize(Decimal("0.0001"))


@at_the_venue(FIFO)
async def test_a_fifo_account_refuses_a_second_protected_trade_of_the_same_size(desk):
    assert "orderFillTransaction" in (await desk.order(stopLossOnFill=STOP)).body
    again = await desk.order(stopLossOnFill=STOP)
    assert again["orderCancelTransaction"]["reason"] == "FIFO_VIOLATION_SAFEGUARD_VIOLATION"
    assert "orderFillTransaction" in (await desk.order(units="1001", stopLossOnFill=STOP)).body
    pending = await desk.order(type="STOP", price="1.11000", stopLossOnFill=STOP)
    desk.sim.quote("EUR_USD", "1.11000", "1.11010")
    ended = desk.account.orders[int(pending["orderCreateTransaction"]["id"])]
    assert ended.state == "CANCELLED"


@at_the_venue(FIFO)
async def test_a_fifo_account_refuses_to_protect_a_second_trade_of_the_same_size_later(desk):
    await opened(desk, stopLossOnFill=STOP)
    plain = await opened(desk)
    answer = await desk.ask("PUT", f"trades/{plain}/orders", {"stopLoss": STOP})
    assert answer.status == 400
    assert answer["stopLossOrderRejectTransaction"]["rejectReason"].endswith("FIFO_VIOLATION_SAFEGUARD")


@at_the_venue(FIFO)
async def test_a_fifo_account_refuses_to_close_the_younger_of_two_equal_trades(desk):
    older, younger = await opened(desk), await opened(desk)
    answer = await desk.ask("PUT", f"trades/{younger}/close", {"units": "ALL"})
    assert answer["orderCancelTransaction"]["reason"] == "FIFO_VIOLATION"
    assert (await desk.ask("PUT", f"trades/{older}/close", {"units": "ALL"}))["orderFillTransaction"]


@at_the_venue()
async def test_a_trade_closes_in_parts_and_wholly_and_not_by_more_than_it_is(desk):
    trade = await opened(desk)
    part = await desk.ask("PUT", f"trades/{trade}/close", {"units": "300"})
    assert part.status == 200
    assert part["orderCreateTransaction"]["tradeClose"] == {"tradeID": trade, "units": "300"}
    assert part["orderFillTransaction"]["reason"] == "MARKET_ORDER_TRADE_CLOSE"
    for units, reason in (("701", "CLOSE_TRADE_UNITS_EXCEED_TRADE_SIZE"), ("0.5", "UNITS_PRECISION_EXCEEDED")):
        wrong = await desk.ask("PUT", f"trades/{trade}/close", {"units": units})
        assert (wrong.status, wrong["orderRejectTransaction"]["rejectReason"]) == (400, reason)
    rest = await desk.ask("PUT", f"trades/{trade}/close", {"units": "ALL"})
    assert rest["orderFillTransaction"]["tradesClosed"][0]["units"] == "-700"
    gone = await desk.ask("PUT", f"trades/{trade}/close", {"units": "ALL"})
    assert (gone.status, gone["orderRejectTransaction"]["rejectReason"]) == (404, "TRADE_DOESNT_EXIST")


@at_the_venue(HEDGING)
async def test_a_position_closes_by_side_in_part_or_wholly_and_is_404_when_flat(desk):
    await opened(desk)
    await opened(desk, units="-600")
    path = "positions/EUR_USD/close"
    part = await desk.ask("PUT", path, {"longUnits": "400", "shortUnits": "NONE"})
    assert part["longOrderFillTransaction"]["reason"] == "MARKET_ORDER_POSITION_CLOSEOUT"
    assert part["longOrderCreateTransaction"]["longPositionCloseout"] == {"instrument": "EUR_USD", "units": "400"}
    assert "shortOrderFillTransaction" not in part.body
    over = await desk.ask("PUT", path, {"longUnits": "601", "shortUnits": "NONE"})
    assert (over.status, over["errorCode"]) == (400, "CLOSEOUT_POSITION_UNITS_EXCEED_POSITION_SIZE")
    both = await desk.ask("PUT", path, {"longUnits": "ALL", "shortUnits": "ALL"})
    assert both["longOrderFillTransaction"]["units"] == "-600"
    assert both["shortOrderFillTransaction"]["units"] == "600"
    flat = await desk.ask("PUT", path, {"longUnits": "ALL"})
    assert (flat.status, flat["errorCode"]) == (404, "CLOSEOUT_POSITION_DOESNT_EXIST")
    assert (await desk.get("openPositions"))["positions"] == []
    assert [p["instrument"] for p in (await desk.get("positions"))["positions"]] == ["EUR_USD"]


@at_the_venue()
async def test_protection_on_fill_makes_transactions_of_its_own_that_name_the_fill(desk):
    answer = await desk.order(
        takeProfitOnFill={"price": "1.12000", "clientExtensions": {"id": "tp"}},
        stopLossOnFill={"distance": "0.01000"},
        trailingStopLossOnFill={"distance": "0.02000"},
    )
    fill = answer["orderFillTransaction"]
    made = desk.account.log.since(int(fill["id"]))
    assert [entry["type"] for entry in made] == ["TAKE_PROFIT_ORDER", "STOP_LOSS_ORDER", "TRAILING_STOP_LOSS_ORDER"]
    for entry in made:
        assert (entry["reason"], entry["tradeID"]) == ("ON_FILL", fill["tradeOpened"]["tradeID"])
        assert (entry["orderFillTransactionID"], entry["batchID"]) == (fill["id"], fill["batchID"])
    assert [entry["id"] for entry in made] == answer["relatedTransactionIDs"][2:]
    trade = (await desk.get(f"trades/{fill['id']}"))["trade"]
    assert trade["takeProfitOrder"]["clientExtensions"] == {"id": "tp"}
    [summary] = (await desk.get(""))["account"]["trades"]
    assert summary["stopLossOrderID"] == made[1]["id"]
    assert "stopLossOrder" not in summary


@at_the_venue()
async def test_a_stop_given_as_distance_counts_from_the_fill_price(desk):
    fill = (await desk.order(stopLossOnFill={"distance": "0.01000"}))["orderFillTransaction"]
    stop = desk.account.log.get(int(fill["id"]) + 1)
    assert (str(stop["price"]), str(stop["distance"])) == ("1.09010", "0.01000")


@at_the_venue()
async def test_a_trailing_stop_follows_a_gain_never_a_loss_and_changes_show_where_it_is(desk):
    fill = (await desk.order(trailingStopLossOnFill={"distance": "0.00100"}))["orderFillTransaction"]

    async def value():
        found = await desk.get("changes", sinceTransactionID=fill["id"])
        [order] = found["state"]["orders"]
        return order["trailingStopValue"]

    assert await value() == "1.09900"  # from the bid, at which the trade would be left
    desk.sim.quote("EUR_USD", "1.10300", "1.10310")
    assert await value() == "1.10200"
    desk.sim.quote("EUR_USD", "1.10250", "1.10260")
    assert await value() == "1.10200"
    desk.sim.quote("EUR_USD", "1.10150", "1.10160")
    last = desk.account.log.get(desk.account.log.last_id)
    assert (last["reason"], str(last["price"])) == ("TRAILING_STOP_LOSS_ORDER", "1.10150")


@at_the_venue()
async def test_closing_a_trade_cancels_what_protected_it(desk):
    fill = (await desk.order(stopLossOnFill=STOP, takeProfitOnFill={"price": "1.12"}))["orderFillTransaction"]
    last = desk.account.log.last_id
    await desk.order(units="-1000")
    ended = [(e["reason"], e["orderID"]) for e in desk.account.log.since(last) if e["type"] == "ORDER_CANCEL"]
    number = int(fill["id"])
    assert ended == [("LINKED_TRADE_CLOSED", str(number + 1)), ("LINKED_TRADE_CLOSED", str(number + 2))]
    assert (await desk.get("pendingOrders"))["orders"] == []


@at_the_venue()
async def test_a_stop_or_target_on_the_wrong_side_cancels_the_fill(desk):
    for order, reason in (
        ({"stopLossOnFill": {"price": "1.11000"}}, "STOP_LOSS_ON_FILL_LOSS"),
        ({"units": "-1000", "stopLossOnFill": {"price": "1.09000"}}, "STOP_LOSS_ON_FILL_LOSS"),
        ({"takeProfitOnFill": {"price": "1.09000"}}, "TAKE_PROFIT_ON_FILL_LOSS"),
        ({"units": "-1000", "takeProfitOnFill": {"price": "1.11000"}}, "TAKE_PROFIT_ON_FILL_LOSS"),
    ):
        answer = await desk.order(**order)
        assert (answer.status, answer["orderCancelTransaction"]["reason"]) == (201, reason)
    assert desk.account.trades == {}


@at_the_venue()
async def test_a_stop_fills_at_the_gap_and_a_target_at_its_price_or_better(desk):
    await desk.order(stopLossOnFill=STOP)
    desk.sim.quote("EUR_USD", "1.08000", "1.08010")
    stopped = [entry for entry in desk.account.log.since(0) if entry["type"] == "ORDER_FILL"][-1]
    assert (stopped["reason"], str(stopped["price"])) == ("STOP_LOSS_ORDER", "1.08000")
    desk.sim.quote("EUR_USD", "1.10000", "1.10010")
    await desk.order(takeProfitOnFill={"price": "1.11000"})
    desk.sim.quote("EUR_USD", "1.11100", "1.11110")
    taken = [entry for entry in desk.account.log.since(0) if entry["type"] == "ORDER_FILL"][-1]
    assert (taken["reason"], str(taken["price"])) == ("TAKE_PROFIT_ORDER", "1.11100")


@at_the_venue()
async def test_a_guaranteed_stop_fills_at_its_price_over_a_gap_for_a_premium(desk):
    fill = (await desk.order(guaranteedStopLossOnFill=STOP))["orderFillTransaction"]
    assert fill["guaranteedExecutionFee"] == "0.0600"  # 1000 x 0.00006
    desk.sim.quote("EUR_USD", "1.05000", "1.05010")
    stopped = [entry for entry in desk.account.log.since(0) if entry["type"] == "ORDER_FILL"][-1]
    assert (stopped["reason"], str(stopped["price"])) == ("GUARANTEED_STOP_LOSS_ORDER", "1.09000")
    near = await desk.order(guaranteedStopLossOnFill={"price": "1.04950"})
    assert near["errorCode"].endswith("GUARANTEED_MINIMUM_DISTANCE_NOT_MET")
    other = await desk.order(instrument="GBP_USD", guaranteedStopLossOnFill={"price": "1.20000"})
    assert other["errorCode"].endswith("GUARANTEED_NOT_ALLOWED")


@at_the_venue(AccountSettings("101-004-1234567-006", guaranteed_mode="REQUIRED"))
async def test_an_account_may_require_guaranteed_stops_whose_trigger_is_the_natural_one(desk):
    assert (await desk.order())["errorCode"] == "STOP_LOSS_ON_FILL_GUARANTEED_REQUIRED"
    inverse = await desk.order(guaranteedStopLossOnFill={**STOP, "triggerCondition": "INVERSE"})
    assert inverse["errorCode"].endswith("TRIGGER_CONDITION_INVALID")
    assert (await desk.order(guaranteedStopLossOnFill=STOP)).status == 201


@at_the_venue()
async def test_trade_orders_are_set_replaced_cancelled_by_null_and_left_alone_when_absent(desk):
    trade = await opened(desk)
    path = f"trades/{trade}/orders"
    both = await desk.ask("PUT", path, {"stopLoss": STOP, "takeProfit": {"price": "1.12000"}})
    assert both.status == 200
    stop, target = both["stopLossOrderTransaction"]["id"], both["takeProfitOrderTransaction"]["id"]
    moved = await desk.ask("PUT", path, {"stopLoss": {"price": "1.09500"}})
    assert moved["stopLossOrderCancelTransaction"]["orderID"] == stop
    assert moved["stopLossOrderCancelTransaction"]["reason"] == "CLIENT_REQUEST_REPLACED"
    assert moved["stopLossOrderTransaction"]["reason"] == "REPLACEMENT"
    assert moved["stopLossOrderTransaction"]["replacesOrderID"] == stop
    shown = (await desk.get(f"trades/{trade}"))["trade"]
    assert (shown["stopLossOrder"]["price"], shown["takeProfitOrder"]["id"]) == ("1.09500", target)
    gone = await desk.ask("PUT", path, {"takeProfit": None})
    assert gone["takeProfitOrderCancelTransaction"]["orderID"] == target
    assert "takeProfitOrder" not in (await desk.get(f"trades/{trade}"))["trade"]
    wrong = await desk.ask("PUT", path, {"stopLoss": {"price": "1.123456"}})
    assert (wrong.status, wrong["stopLossOrderRejectTransaction"]["rejectReason"]) == (
        400,
        "PRICE_PRECISION_EXCEEDED",
    )
    assert (await desk.get(f"trades/{trade}"))["trade"]["stopLossOrder"]["price"] == "1.09500"
    at_once = await desk.ask("PUT", path, {"stopLoss": {"price": "1.10500"}})
    assert at_once["stopLossOrderFillTransaction"]["tradesClosed"][0]["tradeID"] == trade


@at_the_venue()
async def test_a_dependent_order_can_be_posted_for_a_trade_once(desk):
    trade = await opened(desk, tradeClientExtensions={"id": "mine"})
    stop = {"type": "STOP_LOSS", "tradeID": trade, "price": "1.09000"}
    made = await desk.ask("POST", "orders", {"order": stop})
    assert (made.status, made["orderCreateTransaction"]["type"]) == (201, "STOP_LOSS_ORDER")
    again = await desk.ask("POST", "orders", {"order": stop})
    assert (again.status, again["errorCode"]) == (400, "STOP_LOSS_ORDER_ALREADY_EXISTS")
    target = {"type": "TAKE_PROFIT", "clientTradeID": "mine", "price": "1.12000"}
    assert (await desk.ask("POST", "orders", {"order": target})).status == 201
    nobody = {"type": "TAKE_PROFIT", "tradeID": "999", "price": "1.12000"}
    missing = await desk.ask("POST", "orders", {"order": nobody})
    assert (missing.status, missing["errorCode"]) == (404, "TRADE_DOESNT_EXIST")


@at_the_venue()
async def test_a_dependent_order_is_replaced_by_its_own_kind(desk):
    trade = await opened(desk, stopLossOnFill=STOP)
    old = desk.account.trades[int(trade)].orders["STOP_LOSS"]
    moved = {"order": {"type": "STOP_LOSS", "tradeID": trade, "price": "1.09500"}}
    answer = await desk.ask("PUT", f"orders/{old}", moved)
    assert (answer.status, answer["orderCreateTransaction"]["replacesOrderID"]) == (201, str(old))
    assert answer["orderCancelTransaction"]["replacedByOrderID"] == answer["orderCreateTransaction"]["id"]
