"""The simulator's streams and log: framing, heartbeats, samples, and everything that may go wrong with them."""

import asyncio
import json

import pytest

from tests.oanda_simulator.values import parse_time
from tests.support.oanda_desk import WEDNESDAY, at_the_venue

FRIDAY_CLOSE_S = 2 * 86_400 + 7 * 3_600 - 60  # from Wednesday 10:00 to Friday 16:59 in New York
WEEKEND_S = 2 * 86_400 + 6 * 60  # to Sunday 17:05


@at_the_venue()
async def test_a_price_stream_begins_with_a_snapshot_unless_told_not_to(desk):
    async with desk.stream("pricing", instruments="EUR_USD,USD_JPY") as wire:
        lines = [await wire.line(), await wire.line()]
        assert [(each["type"], each["instrument"]) for each in lines] == [("PRICE", "EUR_USD"), ("PRICE", "USD_JPY")]
    async with desk.stream("pricing", instruments="EUR_USD", snapshot="false") as wire:
        desk.sim.quote("EUR_USD", "1.20000", "1.20010")
        line = await wire.line()
        assert line["bids"] == [{"price": "1.20000", "liquidity": 10_000_000}]
        assert (line["closeoutBid"], line["closeoutAsk"], line["tradeable"]) == ("1.19998", "1.20012", True)


@at_the_venue()
async def test_heartbeats_come_every_five_seconds_and_name_the_last_transaction(desk):
    async with (
        desk.stream("pricing", instruments="EUR_USD", snapshot="false") as prices,
        desk.stream("transactions") as transactions,
    ):
        for beat in (1, 2):
            await desk.sim.advance(5)
            expected = f"2026-11-18T15:00:{5 * beat:02d}.000000000Z"
            assert await prices.line() == {"type": "HEARTBEAT", "time": expected}
            assert await transactions.line() == {"type": "HEARTBEAT", "time": expected, "lastTransactionID": "3"}


@at_the_venue(price_window_s=0.25)
async def test_a_window_of_250_ms_lets_one_price_per_instrument_through(desk):
    async with desk.stream("pricing", instruments="EUR_USD,GBP_USD", snapshot="false") as wire:
        for step in range(20):  # one second of prices every 50 ms
            await desk.sim.advance(0.05)
            desk.sim.quote("EUR_USD", f"1.10{step:03d}", f"1.11{step:03d}")
        desk.sim.quote("GBP_USD", "1.27", "1.2702")
        await desk.sim.advance(4)
        lines = []
        while (line := await wire.line())["type"] == "PRICE":
            lines.append(line)
    euros = [line for line in lines if line["instrument"] == "EUR_USD"]
    assert len(euros) in {4, 5}  # windows do not begin with the second
    assert euros[-1]["bids"][0]["price"] == "1.10019"
    assert len(lines) == len(euros) + 1


@at_the_venue()
async def test_prices_become_untradeable_at_the_weekend_and_tradeable_after_it(desk):
    async def at_the_edge():
        async with desk.stream("pricing", instruments="EUR_USD", snapshot="false") as wire:
            await desk.sim.advance(2)
            return await wire.line()

    await desk.sim.advance(FRIDAY_CLOSE_S - 1)
    closed = await at_the_edge()
    assert (closed["tradeable"], closed["time"]) == (False, "2026-11-20T21:59:00.000000000Z")
    while desk.sim.open_streams:
        await asyncio.sleep(0)
    await desk.sim.advance(WEEKEND_S - 2)
    opened = await at_the_edge()
    assert (opened["tradeable"], opened["time"]) == (True, "2026-11-22T22:05:00.000000000Z")


@at_the_venue()
async def test_a_transaction_stream_tells_what_happens_from_now_on_only(desk):
    await desk.order()
    async with desk.stream("transactions") as wire:
        answer = await desk.order()
        lines = [await wire.line(), await wire.line()]
    assert [line["id"] for line in lines] == answer["relatedTransactionIDs"]
    assert lines[1] == answer["orderFillTransaction"]


@at_the_venue()
async def test_since_excludes_its_number_a_range_includes_both_and_beyond_the_log_is_416(desk):
    for _ in range(3):
        await desk.order()
    last = desk.account.log.last_id

    async def ids(path, **query):
        return [int(entry["id"]) for entry in (await desk.get(path, **query))["transactions"]]

    assert await ids("transactions/sinceid", id=5) == list(range(6, last + 1))
    assert await ids("transactions/sinceid", id=last) == []
    assert await ids("transactions/idrange", **{"from": 4, "to": 6}) == [4, 5, 6]
    assert (await desk.get("transactions/sinceid", id=last + 1)).status == 416
    assert (await desk.get("transactions/idrange", **{"from": 4, "to": last + 1})).status == 416
    assert (await desk.get("transactions/sinceid", id="x")).status == 400
    assert (await desk.get("transactions/5"))["transaction"]["id"] == "5"
    assert (await desk.get("transactions/999")).status == 404


@at_the_venue()
async def test_transactions_come_by_pages_whose_addresses_lead_back_here_and_by_type(desk):
    for _ in range(4):
        await desk.order()
    found = await desk.get("transactions", **{"from": "2026-11-18T15:00:00Z", "pageSize": 4})
    assert (found["count"], found["pageSize"], len(found["pages"])) == (11, 4, 3)
    numbers = []
    for page in found["pages"]:
        assert page.startswith(f"{desk.sim.rest_url}{desk.path}/transactions/idrange?")
        answer = await desk.get(page.removeprefix(desk.sim.rest_url))
        numbers += [int(entry["id"]) for entry in answer["transactions"]]
    assert numbers == list(range(1, 12))
    fills = await desk.get("transactions/sinceid", id=0, type="ORDER_FILL,TRANSFER_FUNDS")
    assert [entry["type"] for entry in fills["transactions"]] == ["TRANSFER_FUNDS"] + ["ORDER_FILL"] * 4
    funding = await desk.get("transactions/sinceid", id=0, type="FUNDING")
    assert [entry["type"] for entry in funding["transactions"]] == ["TRANSFER_FUNDS"]
    assert (await desk.get("transactions", pageSize=1001)).status == 400
    later = await desk.get("transactions", **{"from": "2026-11-18T15:00:01Z"})
    assert (later["count"], later["pages"]) == (0, [])


@at_the_venue()
async def test_trading_goes_on_while_the_client_is_away_and_is_listed_later(desk):
    async with desk.stream("transactions") as wire:
        answer = await desk.order(stopLossOnFill={"price": "1.09000"})
        for _ in range(3):
            await wire.line()
    desk.sim.quote("EUR_USD", "1.08000", "1.08010")
    async with desk.stream("transactions") as wire:
        await desk.sim.advance(5)
        beat = await wire.line()
    missed = (await desk.get("transactions/sinceid", id=answer["lastTransactionID"]))["transactions"]
    assert [entry["reason"] for entry in missed] == ["STOP_LOSS_ORDER"]
    assert beat["lastTransactionID"] == missed[-1]["id"]


@at_the_venue()
async def test_unknown_types_and_fields_can_be_let_into_everything(desk):
    desk.sim.faults.unknown_fields = True
    async with desk.stream("transactions") as wire:
        desk.sim.write_transaction(desk.account_id, "MOON_LANDING", craters=3)
        line = await wire.line()
        assert (line["type"], line["craters"], line["futureFlag"]) == ("MOON_LANDING", 3, True)
    account = (await desk.get(""))["account"]
    assert "futureField" in account
    assert "futureField" in (await desk.order())["orderFillTransaction"]["fullPrice"]["bids"][0]


@at_the_venue()
async def test_a_stalled_stream_is_silent_and_open(desk):
    async with desk.stream("pricing", instruments="EUR_USD") as wire:
        await wire.line()
        desk.sim.disturb("pricing", "stall")
        desk.sim.quote("EUR_USD", "1.2", "1.3")
        await desk.sim.advance(60)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wire.reader.read(1), 0.05)
        assert desk.sim.open_streams == ["pricing"]


@at_the_venue()
async def test_a_line_may_be_cut_in_its_middle_by_the_end_of_the_connection(desk):
    async with desk.stream("transactions") as wire:
        desk.sim.disturb("transactions", "cut")
        await desk.order()
        with pytest.raises(asyncio.IncompleteReadError):
            await wire.chunk()


@at_the_venue()
async def test_a_line_may_come_in_two_chunks(desk):
    async with desk.stream("transactions") as wire:
        desk.sim.disturb("transactions", "split", delay_s=0.01)
        desk.account.transfer(1)
        desk.account.transfer(2)
        first, second, next_line = [await wire.chunk() for _ in range(3)]
        assert not first.endswith(b"\n")
        assert [json.loads(line)["id"] for line in (first + second, next_line)] == ["4", "5"]


@at_the_venue()
async def test_a_line_and_a_heartbeat_may_come_in_one_chunk(desk):
    async with desk.stream("transactions") as wire:
        desk.sim.disturb("transactions", "glue")
        desk.account.transfer(1)
        lines = [json.loads(line) for line in (await wire.chunk()).splitlines()]
        assert [line["type"] for line in lines] == ["TRANSFER_FUNDS", "HEARTBEAT"]


@at_the_venue()
async def test_a_stream_may_be_reset_or_closed(desk):
    async with desk.stream("transactions") as wire:
        desk.sim.disturb("transactions", "reset")
        with pytest.raises(ConnectionResetError):
            await wire.reader.read(1)
    async with desk.stream("transactions") as wire:
        desk.sim.disturb("transactions", "close")
        assert await wire.chunk() == b""
        assert await wire.ended()


@pytest.mark.parametrize(
    ("kind", "ids"),
    [("lose", [5, 6]), ("duplicate", [4, 4, 5, 6]), ("swap", [5, 4, 6]), ("delay", [5, 6, 4])],
)
@at_the_venue()
async def test_lines_may_be_lost_doubled_swapped_or_late(desk, kind, ids):
    async with desk.stream("transactions") as wire:
        desk.sim.disturb("transactions", kind, delay_s=0.01)
        for _ in range(3):
            desk.account.transfer(1)
        assert [int((await wire.line())["id"]) for _ in ids] == ids


@at_the_venue()
async def test_a_line_may_be_no_json(desk):
    async with desk.stream("transactions") as wire:
        desk.sim.disturb("transactions", "garbage")
        with pytest.raises(json.JSONDecodeError):
            await wire.line()


@at_the_venue()
async def test_a_new_stream_may_repeat_the_last_transaction(desk):
    desk.sim.disturb("transactions", "duplicate")
    async with desk.stream("transactions") as wire:
        assert (await wire.line())["id"] == "3"
        desk.account.transfer(1)
        assert (await wire.line())["id"] == "4"


@at_the_venue(start_ns=WEDNESDAY)
async def test_a_quote_at_a_time_moves_the_clock_there_first(desk):
    at = parse_time("2026-11-18T15:30:00Z", "at")
    assert desk.sim.quote("EUR_USD", "1.1", "1.2", at=at).time == at
    assert desk.sim.clock.now() == at


@at_the_venue()
async def test_streams_refuse_wrong_instruments_accounts_and_methods(desk):
    for path, headers, status in (
        (f"{desk.path}/pricing/stream?instruments=EUR_XXX", desk.headers, 400),
        (f"{desk.path}/pricing/stream", desk.headers, 400),
        ("/v3/accounts/101-004-1-001/transactions/stream", desk.headers, 403),
        (f"{desk.path}/transactions/stream", {}, 401),
    ):
        wire = await desk.stream_side()
        wire.ask("GET", path, headers)
        assert (await wire.answer()).status == status
