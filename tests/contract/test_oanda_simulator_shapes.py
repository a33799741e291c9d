"""Every reply and every line of the simulator has the fields and types that the protocol says."""

from decimal import Decimal

import pytest

from tests.oanda_simulator import AccountSettings, closeout
from tests.oanda_simulator.values import NS_PER_S
from tests.support.oanda_desk import WEDNESDAY, Desk, at_the_venue
from tests.support.oanda_oracle import problems, reply_problems

BEFORE_THE_DAY_ENDS = WEDNESDAY + (7 * 3_600 - 30) * NS_PER_S


async def live_a_little(desk: Desk):
    """Do a bit of everything, and check each answer."""

    async def checked(answer):
        answer = await answer
        assert not list(reply_problems(answer.body)), answer.body
        return answer

    extensions = {"id": "x1", "tag": "atr:7", "comment": "c"}
    protection = {
        "stopLossOnFill": {"distance": "0.01", "clientExtensions": {"id": "s1"}},
        "takeProfitOnFill": {"price": "1.2", "timeInForce": "GTD", "gtdTime": "2026-12-01T00:00:00Z"},
        "trailingStopLossOnFill": {"distance": "0.02"},
    }
    mt4 = desk.account.settings.mt4_id is not None
    own = {} if mt4 else {"clientExtensions": extensions, "tradeClientExtensions": extensions}
    if mt4:
        protection["stopLossOnFill"] = {"distance": "0.01"}
    filled = await checked(desk.order(**own, **protection))
    trade = filled["orderFillTransaction"]["id"]
    pending = await checked(desk.order(type="LIMIT", price="1.01", timeInForce="GFD"))
    number = pending["orderCreateTransaction"]["id"]
    for order in ({"units": "0.5"}, {"instrument": "NO_SUCH"}, {"units": "99000000"}, {"type": "STOP"}):
        await checked(desk.order(**order))
    body = {"order": {"type": "LIMIT", "instrument": "EUR_USD", "units": "5", "price": "1.02"}}
    number = (await checked(desk.ask("PUT", f"orders/{number}", body)))["orderCreateTransaction"]["id"]
    await checked(desk.ask("PUT", f"orders/{number}/clientExtensions", {"clientExtensions": {"tag": "t"}}))
    await checked(desk.ask("PUT", f"trades/{trade}/clientExtensions", {"clientExtensions": {"tag": "t"}}))
    moved = {"stopLoss": {"price": "1.05"}, "takeProfit": None, "trailingStopLoss": {"distance": "0.03"}}
    await checked(desk.ask("PUT", f"trades/{trade}/orders", moved))
    await checked(desk.ask("PUT", f"trades/{trade}/close", {"units": "400"}))
    await checked(desk.ask("PUT", f"trades/{trade}/close", {"units": "9999"}))
    await checked(desk.ask("PATCH", "configuration", {"alias": "n"}))
    await checked(desk.ask("PATCH", "configuration", {"marginRate": "7"}))
    for path in (
        "/v3/accounts", "", "summary", "instruments", "orders?state=ALL", "pendingOrders", "trades?state=ALL",
        "openTrades", f"orders/{number}", f"trades/{trade}", "positions", "openPositions", "positions/EUR_USD",
        "transactions", "transactions?type=ORDER", "transactions/4", "transactions/sinceid?id=0",
        "transactions/idrange?from=1&to=5", "changes?sinceTransactionID=1", "orders/999", "trades/999", "nothing",
        "pricing?instruments=EUR_USD,USD_JPY&includeHomeConversions=true", "instruments/EUR_USD/candles?price=BAM",
        "candles/latest?candleSpecifications=EUR_USD:M1:BA", "transactions/sinceid?id=999",
    ):  # fmt: skip
        await checked(desk.get(path))
    await checked(desk.ask("PUT", f"orders/{number}/cancel"))
    await checked(desk.ask("PUT", f"orders/{number}/cancel"))
    desk.account.transfer(Decimal(10), "gift")
    desk.sim.commands.dividend(desk.account_id, "EUR_USD", "0.01")
    await desk.sim.advance(60)
    await checked(desk.ask("PUT", "positions/EUR_USD/close", {"longUnits": "ALL"}))
    await checked(desk.ask("PUT", "positions/EUR_USD/close", {"longUnits": "ALL"}))
    await checked(desk.order(instrument="USD_JPY", units="-2000"))
    await checked(desk.order(instrument="USD_JPY", units="3000", positionFill="REDUCE_FIRST"))
    [left] = desk.account.open_trades()
    closeout.delay_close(desk.account, left)
    desk.sim.quote("USD_JPY", "150", "150.02")
    await checked(desk.get("transactions/sinceid", id=0))
    await checked(desk.get("changes", sinceTransactionID=1))


KINDS = {
    "netting": AccountSettings("101-004-1234567-001"),
    "hedging": AccountSettings("101-004-1234567-002", hedging=True),
    "fifo": AccountSettings("101-004-1234567-003", fifo=True),
    "mt4": AccountSettings("101-004-1234567-004", mt4_id=4711),
    "euros": AccountSettings("101-004-1234567-005", currency="EUR", hedging=True),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_reply_has_the_types_of_the_protocol(kind):
    at_the_venue(KINDS[kind], start_ns=BEFORE_THE_DAY_ENDS)(live_a_little)()


@at_the_venue(start_ns=BEFORE_THE_DAY_ENDS)
async def test_every_line_of_a_stream_has_the_types_of_the_protocol(desk):
    async with (
        desk.stream("pricing", instruments="EUR_USD,USD_JPY") as prices,
        desk.stream("transactions") as transactions,
    ):
        await live_a_little(desk)
        assert not list(problems(await prices.line(), "Price"))
        for number in range(4, desk.account.log.last_id + 1):
            line = await transactions.line()
            while line["type"] == "HEARTBEAT":
                assert not list(problems(line, "HEARTBEAT"))
                line = await transactions.line()
            assert not list(problems(line, "Transaction"))
            assert line["id"] == str(number)


def test_the_oracle_finds_wrong_types():
    good = {
        "time": "2026-11-18T15:00:00.000000000Z",
        "volume": 3,
        "complete": True,
        "mid": dict.fromkeys("ohlc", "1.1"),
    }
    assert not list(problems(good, "Candle"))
    for wrong in ({"volume": "3"}, {"complete": 1}, {"time": "2026-11-18T15:00:00Z"}, {"mid": {"o": 1.1}}, {"new": 1}):
        assert list(problems({**good, **wrong}, "Candle"))
    assert list(problems({"time": good["time"]}, "Candle"))
    assert list(reply_problems({"surprise": 1}))
