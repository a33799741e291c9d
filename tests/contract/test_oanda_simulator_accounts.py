"""The simulator's arithmetic: net asset value, margin, conversion, close-out, financing, transfers, changes."""

from decimal import Decimal

import pytest

from tests.oanda_simulator import AccountSettings, closeout
from tests.support.oanda_desk import at_the_venue

HOUR_S = 3_600
DAY_S = 86_400
CENT = Decimal("0.0001")


@at_the_venue()
async def test_net_asset_value_margin_and_what_is_available_follow_the_prices(desk):
    await desk.order(units="10000")
    desk.sim.quote("EUR_USD", "1.10500", "1.10510")
    account = (await desk.get("summary"))["account"]
    assert account["unrealizedPL"] == "49.0000"  # 10000 x (1.10500 - 1.10010)
    assert account["NAV"] == "100049.0000"
    margin = (Decimal("1.10505") * 10_000 * Decimal("0.0333")).quantize(CENT)
    assert Decimal(account["marginUsed"]) == margin
    assert Decimal(account["marginAvailable"]) == Decimal("100049.0000") - margin
    closeout_nav = Decimal("100049.0000") - Decimal("0.2")  # close-out prices are two ticks worse
    assert Decimal(account["marginCloseoutNAV"]) == closeout_nav
    assert Decimal(account["marginCloseoutPercent"]) == (margin / 2 / closeout_nav).quantize(Decimal("0.00001"))


@at_the_venue()
async def test_a_netting_account_needs_margin_for_the_net_only(desk):
    await desk.order(units="10000")
    await desk.order(units="-4000")
    [position] = (await desk.get("openPositions"))["positions"]
    assert Decimal(position["marginUsed"]) == (Decimal("1.10005") * 6_000 * Decimal("0.0333")).quantize(CENT)


@pytest.mark.parametrize(("bid", "ask", "factor"), [("151.000", "151.020", "ask"), ("153.000", "153.020", "bid")])
@at_the_venue()
async def test_profit_in_a_foreign_currency_converts_at_the_side_that_gains_or_loses(desk, bid, ask, factor):
    desk.sim.quote("USD_JPY", "152.000", "152.020")
    await desk.order(instrument="USD_JPY", units="1000")
    desk.sim.quote("USD_JPY", bid, ask)
    fill = (await desk.order(instrument="USD_JPY", units="-1000"))["orderFillTransaction"]
    rate = 1 / Decimal(bid) if factor == "ask" else 1 / Decimal(ask)  # yen lost are bought dear, gained ones sold cheap
    assert Decimal(fill["pl"]) == ((Decimal(bid) - Decimal("152.020")) * 1_000 * rate).quantize(CENT)
    assert Decimal(fill["quotePL"]) == (Decimal(bid) - Decimal("152.020")) * 1_000
    assert Decimal(fill["lossQuoteHomeConversionFactor"]) > Decimal(fill["gainQuoteHomeConversionFactor"])


@at_the_venue(AccountSettings("101-004-1234567-006", conversion="mid"))
async def test_profit_may_convert_in_the_middle(desk):
    desk.sim.quote("USD_JPY", "152.000", "152.020")
    await desk.order(instrument="USD_JPY", units="1000")
    desk.sim.quote("USD_JPY", "153.000", "153.020")
    fill = (await desk.order(instrument="USD_JPY", units="-1000"))["orderFillTransaction"]
    assert Decimal(fill["pl"]) == (Decimal(980) / Decimal("153.010")).quantize(CENT)
    assert fill["gainQuoteHomeConversionFactor"] == fill["lossQuoteHomeConversionFactor"]


@at_the_venue(AccountSettings("101-004-1234567-008", currency="CHF"))
async def test_a_currency_without_a_direct_price_converts_over_the_dollar(desk):
    await desk.order(instrument="AUD_USD", units="1000")
    answer = await desk.get("pricing", instruments="AUD_USD,USD_CAD", includeHomeConversions="true")
    found = {each["currency"]: each for each in answer["homeConversions"]}
    assert set(found) == {"AUD", "CAD", "USD"}
    chf = desk.sim.venue.market.get("USD_CHF")
    cad = desk.sim.venue.market.get("USD_CAD")
    assert Decimal(found["CAD"]["accountGain"]) == (chf.bid / cad.ask).quantize(Decimal("0.000000000001"))
    assert (await desk.get("summary"))["account"]["currency"] == "CHF"


@at_the_venue(AccountSettings("101-004-1234567-007", balance=Decimal(1_000)))
async def test_an_account_whose_value_falls_to_half_its_margin_is_closed_out(desk):
    await desk.order(units="25000", clientExtensions={"id": "big"})
    desk.sim.quote("EUR_USD", "1.09300", "1.09310")
    assert (await desk.get("summary"))["account"]["marginAvailable"] == "0.0000"
    assert desk.account.log.get(desk.account.log.last_id)["type"] == "MARGIN_CALL_ENTER"
    desk.sim.quote("EUR_USD", "1.07800", "1.07810")
    created, filled, left = desk.account.log.since(desk.account.log.last_id - 3)
    assert (created["reason"], filled["reason"]) == ("MARGIN_CLOSEOUT", "MARKET_ORDER_MARGIN_CLOSEOUT")
    assert created["marginCloseout"] == {"reason": "MARGIN_CHECK_VIOLATION"}
    assert left["type"] == "MARGIN_CALL_EXIT"
    assert desk.account.open_trades() == []


@at_the_venue()
async def test_financing_is_booked_at_17_in_new_york_three_days_of_it_on_wednesday(desk):
    trade = (await desk.order(units="100000"))["orderFillTransaction"]["id"]
    last = desk.account.log.last_id
    await desk.sim.advance(7 * HOUR_S - 1)
    assert desk.account.log.last_id == last
    await desk.sim.advance(1)
    await desk.sim.advance(DAY_S)
    wednesday, thursday = desk.account.log.since(last)
    one_day = (Decimal("1.10005") * 100_000 * Decimal("-0.0120") / 365).quantize(CENT)
    assert wednesday["type"] == "DAILY_FINANCING"
    assert (thursday["financing"], wednesday["financing"]) == (one_day, (one_day * 3).quantize(Decimal("0.0001")) + 0)
    assert wednesday["positionFinancings"][0]["openTradeFinancings"][0]["tradeID"] == trade
    account = (await desk.get("summary"))["account"]
    assert Decimal(account["balance"]) == 100_000 + wednesday["financing"] + thursday["financing"]
    assert Decimal(account["financing"]) == wednesday["financing"] + thursday["financing"]
    await desk.sim.advance(3 * DAY_S)
    assert len(desk.account.log.since(last)) == 3  # Friday; Saturday and Sunday cost nothing


@at_the_venue()
async def test_a_transfer_changes_the_balance_without_an_order(desk):
    desk.account.transfer(Decimal("-250.5"), "rent")
    entry = (await desk.get("transactions/sinceid", id=3))["transactions"][0]
    assert (entry["type"], entry["amount"], entry["accountBalance"]) == ("TRANSFER_FUNDS", "-250.5000", "99749.5000")


@at_the_venue()
async def test_a_dividend_is_paid_to_long_trades_and_by_short_ones(desk):
    assert desk.sim.commands.dividend(desk.account_id, "SPX500_USD", "1.5") is None
    long = (await desk.order(instrument="SPX500_USD", units="2.5"))["orderFillTransaction"]["id"]
    entry = desk.sim.commands.dividend(desk.account_id, "SPX500_USD", "1.5")
    assert (entry["type"], str(entry["dividendAdjustment"])) == ("DIVIDEND_ADJUSTMENT", "3.7500")
    account = (await desk.get(""))["account"]
    assert (account["balance"], account["dividendAdjustment"]) == ("100003.7500", "3.7500")
    assert [(t["id"], t["dividendAdjustment"]) for t in account["trades"]] == [(long, "3.7500")]
    await desk.order(instrument="SPX500_USD", units="-3.5")
    desk.sim.commands.dividend(desk.account_id, "SPX500_USD", "1.5")
    assert str(desk.account.balance - Decimal(account["balance"]) - desk.account.pl) == "-1.5000"


@at_the_venue()
async def test_alias_and_margin_rate_can_be_configured_within_bounds(desk):
    done = await desk.ask("PATCH", "configuration", {"alias": "Night", "marginRate": "0.10"})
    assert done["clientConfigureTransaction"]["type"] == "CLIENT_CONFIGURE"
    account = (await desk.get("summary"))["account"]
    assert (account["alias"], account["marginRate"]) == ("Night", "0.10")
    wrong = await desk.ask("PATCH", "configuration", {"marginRate": "2"})
    assert wrong.status == 400
    assert wrong["clientConfigureRejectTransaction"]["type"] == "CLIENT_CONFIGURE_REJECT"


@at_the_venue()
async def test_changes_have_nine_lists_and_the_state_and_are_416_outside_the_log(desk):
    first = (await desk.order(stopLossOnFill={"price": "1.05"}))["orderFillTransaction"]["id"]
    cancelled = (await desk.order(type="LIMIT", price="1.05"))["orderCreateTransaction"]["id"]
    await desk.ask("PUT", f"orders/{cancelled}/cancel")
    second = (await desk.order(units="2000"))["orderFillTransaction"]["id"]
    await desk.order(units="-1500")
    answer = await desk.get("changes", sinceTransactionID=3)
    changes = answer["changes"]
    assert set(changes) == {
        "ordersCreated", "ordersCancelled", "ordersFilled", "ordersTriggered", "tradesOpened", "tradesReduced",
        "tradesClosed", "positions", "transactions",
    }  # fmt: skip
    assert [t["id"] for t in changes["tradesOpened"]] == [first, second]
    assert [t["id"] for t in changes["tradesClosed"]] == [first]
    assert [t["id"] for t in changes["tradesReduced"]] == [second]
    assert cancelled in [o["id"] for o in changes["ordersCancelled"]]
    assert len(changes["ordersFilled"]) == 3
    assert [t["id"] for t in changes["transactions"]] == [
        str(number) for number in range(4, desk.account.log.last_id + 1)
    ]
    state = answer["state"]
    assert [t["id"] for t in state["trades"]] == [second]
    assert state["positions"][0]["netUnrealizedPL"] == state["unrealizedPL"]
    assert (await desk.get("changes", sinceTransactionID=desk.account.log.last_id)).status == 200
    assert (await desk.get("changes", sinceTransactionID=desk.account.log.last_id + 1)).status == 416
    assert (await desk.get("changes", sinceTransactionID="x")).status == 400


@at_the_venue()
async def test_a_close_that_waited_for_the_market_is_a_delayed_one(desk):
    trade = (await desk.order())["orderFillTransaction"]["id"]
    desk.sim.halt("EUR_USD")
    closeout.delay_close(desk.account, desk.account.trades[int(trade)])
    assert (await desk.get("trades", state="CLOSE_WHEN_TRADEABLE"))["trades"][0]["id"] == trade
    desk.sim.halt("EUR_USD", "none")
    last = desk.account.log.get(desk.account.log.last_id)
    assert last["reason"] == "MARKET_ORDER_DELAYED_TRADE_CLOSE"


@at_the_venue()
async def test_a_side_without_liquidity_or_halted_refuses_its_orders_only(desk):
    desk.sim.quote("EUR_USD", bid="1.10000")
    [price] = (await desk.get("pricing", instruments="EUR_USD"))["prices"]
    assert (price["asks"], price["closeoutAsk"]) == ([], "1.10014")
    dry = await desk.order()
    assert dry["orderCancelTransaction"]["reason"] == "INSUFFICIENT_LIQUIDITY"
    desk.sim.quote("EUR_USD", "1.10000", "1.10010")
    desk.sim.halt("EUR_USD", "ask")
    halted = await desk.order()
    assert halted["orderCancelTransaction"]["reason"] == "INSTRUMENT_ASK_HALTED"
    [price] = (await desk.get("pricing", instruments="EUR_USD"))["prices"]
    assert (price["asks"], price["tradeable"]) == ([], True)
    assert "orderFillTransaction" in (await desk.order(units="-1000")).body
    desk.sim.halt("EUR_USD", "none")
    assert "orderFillTransaction" in (await desk.order()).body


@at_the_venue()
async def test_prices_newer_than_a_moment_are_told_with_the_moment_to_ask_for_next(desk):
    first = await desk.get("pricing", instruments="EUR_USD,GBP_USD")
    assert [p["instrument"] for p in first["prices"]] == ["EUR_USD", "GBP_USD"]
    assert set(first["prices"][0]["unitsAvailable"]) == {"default", "openOnly", "reduceFirst", "reduceOnly"}
    await desk.sim.advance(1)
    desk.sim.quote("GBP_USD", "1.27", "1.2702")
    later = await desk.get("pricing", instruments="EUR_USD,GBP_USD", since=first["time"], includeUnitsAvailable="false")
    assert [p["instrument"] for p in later["prices"]] == ["GBP_USD"]
    assert "unitsAvailable" not in later["prices"][0]
    assert (await desk.get("pricing")).status == 400
    assert (await desk.get("pricing", instruments="EUR_XXX")).status == 400
