"""The simulator's outside: ports, tokens, accounts, headers, times, numbers, connections, limits."""

import asyncio
import re

from tests.oanda_simulator import AccountSettings, Limits
from tests.oanda_simulator.limits import Rate
from tests.support.oanda_desk import at_the_venue

NINE_DIGITS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")
UNIX = re.compile(r"\d{10}\.\d{9}")


@at_the_venue()
async def test_streams_are_not_on_the_rest_port_and_rest_is_not_on_the_stream_port(desk):
    assert (await desk.get("pricing/stream", instruments="EUR_USD")).status == 404
    assert (await desk.get("transactions/stream")).status == 404
    wire = await desk.stream_side()
    wire.ask("GET", f"{desk.path}/summary", desk.headers)
    assert (await wire.answer()).status == 404


@at_the_venue()
async def test_a_missing_wrong_or_live_token_is_401_without_a_code(desk):
    live = next(token for token, kind in desk.sim.tokens.items() if kind == "live")
    for header in ({"Authorization": ""}, {"Authorization": "Bearer nonsense"}, {"Authorization": f"Bearer {live}"}):
        answer = await desk.ask("GET", "summary", None, header)
        assert answer.status == 401
        assert answer.body == {"errorMessage": "Insufficient authorization to perform request."}


@at_the_venue()
async def test_a_foreign_account_is_403_and_a_malformed_id_400_without_a_code(desk):
    foreign = await desk.get("/v3/accounts/101-004-7654321-001/summary")
    assert (foreign.status, foreign.body) == (403, {"errorMessage": "The provided request was forbidden."})
    malformed = await desk.get("/v3/accounts/my-account/summary")
    assert (malformed.status, malformed.body) == (400, {"errorMessage": "Invalid value specified for 'accountID'"})


def times_in(value):
    if isinstance(value, dict):
        for key, item in value.items():
            if key.lower().endswith("time") or key.endswith("Timestamp") or key == "timestamp":
                yield item
            else:
                yield from times_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from times_in(item)


@at_the_venue()
async def test_every_time_has_nine_digits_in_the_format_that_was_asked_for(desk):
    await desk.order(stopLossOnFill={"price": "1.09000"})
    async with (
        desk.stream("pricing", {"Accept-Datetime-Format": "UNIX"}, instruments="EUR_USD") as prices,
        desk.stream("transactions", {"Accept-Datetime-Format": "UNIX"}) as transactions,
    ):
        assert UNIX.fullmatch((await prices.line())["time"])
        for pattern, header in ((NINE_DIGITS, None), (UNIX, {"Accept-Datetime-Format": "UNIX"})):
            for path in ("", "transactions/sinceid?id=0", "pricing?instruments=EUR_USD", "trades", "orders"):
                found = list(times_in((await desk.ask("GET", path, None, header)).body))
                assert found, path
                assert all(pattern.fullmatch(each) for each in found), (path, found)
        assert all(UNIX.fullmatch(each) for each in times_in((await desk.order()).body) if "T" not in each)
        assert UNIX.fullmatch((await transactions.line())["time"])


@at_the_venue()
async def test_numbers_are_decimal_strings_of_the_instruments_precision_and_counts_are_integers(desk):
    desk.sim.quote("USD_JPY", "151.2", "151.22")
    filled = (await desk.order(instrument="USD_JPY", units="100"))["orderFillTransaction"]
    assert filled["fullVWAP"] == "151.220"
    assert filled["units"] == "100"
    assert filled["accountBalance"] == "100000.0000"
    assert filled["fullPrice"]["asks"] == [{"price": "151.220", "liquidity": 10_000_000}]
    [index] = (await desk.get("instruments", instruments="SPX500_USD"))["instruments"]
    assert (index["pipLocation"], index["displayPrecision"], index["tradeUnitsPrecision"]) == (0, 1, 1)
    assert (index["minimumTradeSize"], index["marginRate"]) == ("0.1", "0.05")
    account = (await desk.get("summary"))["account"]
    assert (account["openTradeCount"], account["createdByUserID"]) == (1, 1234567)


@at_the_venue()
async def test_every_reply_has_a_request_id_which_its_transactions_carry_unless_the_client_names_one(desk):
    first = await desk.order()
    assert first.status == 201
    assert first.headers["location"] == f"{desk.path}/orders/{first['orderCreateTransaction']['id']}"
    assert first["orderCreateTransaction"]["requestID"] == first.headers["requestid"]
    body = {"order": {"type": "MARKET", "instrument": "EUR_USD", "units": "1"}}
    second = await desk.ask("POST", "orders", body, {"ClientRequestID": "mine-1"})
    assert second["orderFillTransaction"]["requestID"] == "mine-1"
    assert (await desk.get("/v3/nothing")).headers["requestid"] != first.headers["requestid"]


@at_the_venue(echo_request_ids="declared")
async def test_client_request_ids_can_be_kept_to_the_calls_that_declare_them(desk):
    body = {"order": {"type": "LIMIT", "instrument": "EUR_USD", "units": "1", "price": "1.00000"}}
    created = await desk.ask("POST", "orders", body, {"ClientRequestID": "mine-1"})
    assert created["orderCreateTransaction"]["requestID"] == created.headers["requestid"]
    number = created["orderCreateTransaction"]["id"]
    cancelled = await desk.ask("PUT", f"orders/{number}/cancel", None, {"ClientRequestID": "mine-2"})
    assert cancelled["orderCancelTransaction"]["requestID"] == "mine-2"


@at_the_venue()
async def test_a_wrong_method_is_405_and_an_unknown_path_404(desk):
    assert (await desk.ask("DELETE", "orders")).status == 405
    assert (await desk.get("/v3/accounts/x/y/z")).status == 404


@at_the_venue(AccountSettings("101-004-1234567-009", mt4_id=4711))
async def test_the_list_of_accounts_names_the_mt4_account_that_one_is_linked_to(desk):
    assert (await desk.get("/v3/accounts"))["accounts"] == [
        {"id": "101-004-1234567-009", "mt4AccountID": 4711, "tags": []}
    ]


@at_the_venue()
async def test_rest_keeps_a_connection_and_a_stream_says_close(desk):
    wire = await desk.rest()
    for _ in range(3):
        wire.ask("GET", f"{desk.path}/summary", desk.headers)
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "keep-alive")
    stream = await desk.stream_side()
    stream.ask("GET", f"{desk.path}/transactions/stream", desk.headers)
    status, headers = await stream.head()
    assert (status, headers["connection"], headers["transfer-encoding"]) == (200, "close", "chunked")
    assert headers["content-type"] == "application/octet-stream"


@at_the_venue(limits=Limits(10_000, 100, 100, idle_s=0.05))
async def test_an_idle_connection_is_closed_by_the_venue(desk):
    wire = await desk.rest()
    wire.ask("GET", f"{desk.path}/summary", desk.headers)
    assert (await wire.answer()).status == 200
    assert await wire.ended()


@at_the_venue(limits=Limits(connections_per_s=1_000), monotonic_s=lambda: 0.0)
async def test_more_than_120_requests_in_a_second_are_429_and_not_executed(desk):
    wire = await desk.rest()
    body = b'{"order":{"instrument":"EUR_USD","units":"1"}}'
    for _ in range(130):
        wire.ask("POST", f"{desk.path}/orders", desk.headers, body)
    statuses = [(await wire.answer()).status for _ in range(130)]
    assert statuses == [201] * 120 + [429] * 10
    assert len(desk.account.trades) == 120


@at_the_venue(limits=Limits(connections_per_s=1_000))
async def test_the_21st_stream_is_refused_until_one_ends(desk):
    wires = [await desk.stream_side() for _ in range(21)]
    for wire in wires[:20]:
        wire.ask("GET", f"{desk.path}/transactions/stream", desk.headers)
        assert (await wire.head())[0] == 200
    wires[20].ask("GET", f"{desk.path}/transactions/stream", desk.headers)
    assert (await wires[20].answer()).status == 429
    wires[0].close()
    while len(desk.sim.open_streams) == 20:
        await asyncio.sleep(0)
    async with desk.stream("transactions"):
        pass


@at_the_venue(limits=Limits(), monotonic_s=lambda: 0.0)
async def test_the_third_new_connection_in_a_second_is_refused(desk):
    wires = []
    for _ in range(3):
        wires.append(await desk.rest())
        wires[-1].ask("GET", f"{desk.path}/summary", desk.headers)
    statuses = [(await wire.answer()).status for wire in wires]
    assert sorted(statuses) == [200, 200, 429]
    assert await wires[statuses.index(429)].ended()


def test_a_limit_counts_the_last_second():
    now = 0.0
    rate = Rate(2, lambda: now)
    assert [rate.allows(), rate.allows(), rate.allows()] == [True, True, False]
    now = 0.999
    assert not rate.allows()
    now = 1.0
    assert rate.allows()
