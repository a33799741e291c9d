"""What the simulator does wrong on command: each fault is what a client would see, and does what it says."""

import asyncio
import json

import pytest

from tests.oanda_simulator import faults
from tests.oanda_simulator.faults import AFTER, BEFORE, LINE, STREAM
from tests.oanda_simulator.simulator import OandaSimulator
from tests.support.oanda_desk import at_the_venue

ORDER = b'{"order":{"instrument":"EUR_USD","units":"1000"}}'


async def post(desk):
    """Send an order on a new connection and return the wire."""
    wire = await desk.rest()
    wire.ask("POST", f"{desk.path}/orders", desk.headers, ORDER)
    return wire


async def executed(desk):
    """Wait until the venue has the order."""
    async with asyncio.timeout(60):
        while not desk.account.trades:
            await asyncio.sleep(0)
    return True


async def silent(wire):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(wire.reader.read(1), 0.05)
    return True


@at_the_venue()
async def test_accepted_then_no_answer(desk):
    desk.sim.faults.next("POST", "/orders", "accept-then-hang")
    wire = await post(desk)
    assert await silent(wire)
    assert len(desk.account.trades) == 1
    assert (await desk.order()).status == 201  # one request went wrong, the next does not


@at_the_venue()
async def test_no_answer_and_never_accepted(desk):
    desk.sim.faults.next("POST", "/orders", "hang-before-accept")
    wire = await post(desk)
    assert await silent(wire)
    assert desk.account.trades == {}


@pytest.mark.parametrize(("kind", "trades"), [("accept-then-drop", 1), ("drop-before-accept", 0)])
@at_the_venue()
async def test_the_connection_closes_without_an_answer(desk, kind, trades):
    desk.sim.faults.next("POST", "/orders", kind)
    assert await (await post(desk)).ended()
    assert len(desk.account.trades) == trades


@pytest.mark.parametrize(("kind", "trades"), [("accept-then-reset", 1), ("reset-before-accept", 0)])
@at_the_venue()
async def test_the_connection_is_reset_without_an_answer(desk, kind, trades):
    desk.sim.faults.next("POST", "/orders", kind)
    wire = await post(desk)
    with pytest.raises(ConnectionResetError):
        await wire.reader.read(1)
    assert len(desk.account.trades) == trades


@pytest.mark.parametrize(("kind", "status", "trades"), [("502", 502, 0), ("503", 503, 0), ("accept-then-502", 502, 1)])
@at_the_venue()
async def test_a_machine_before_the_venue_answers_with_html(desk, kind, status, trades):
    desk.sim.faults.next("POST", "/orders", kind)
    answer = await (await post(desk)).answer()
    assert (answer.status, answer.headers["content-type"]) == (status, "text/html")
    assert answer.body.startswith(b"<html>")
    assert len(desk.account.trades) == trades


@at_the_venue()
async def test_the_body_ends_too_early(desk):
    desk.sim.faults.next("POST", "/orders", "truncated")
    with pytest.raises(asyncio.IncompleteReadError):
        await (await post(desk)).answer()
    assert len(desk.account.trades) == 1


@at_the_venue()
async def test_a_whole_answer_holds_half_of_the_json(desk):
    desk.sim.faults.next("POST", "/orders", "broken-json")
    with pytest.raises(json.JSONDecodeError):
        await (await post(desk)).answer()
    assert len(desk.account.trades) == 1


@at_the_venue()
async def test_a_whole_answer_says_nothing(desk):
    desk.sim.faults.next("POST", "/orders", "empty-json")
    answer = await (await post(desk)).answer()
    assert (answer.status, answer.body) == (201, {})
    assert len(desk.account.trades) == 1


@at_the_venue()
async def test_the_body_drips(desk):
    desk.sim.faults.next("POST", "/orders", "slow-body", delay_s=0.6)
    wire = await post(desk)
    status, headers = await wire.head()
    part = await wire.reader.read(10_000)
    assert 0 < len(part) < int(headers["content-length"])
    rest = await wire.reader.readexactly(int(headers["content-length"]) - len(part))
    assert (status, "orderFillTransaction" in json.loads(part + rest)) == (201, True)


@at_the_venue()
async def test_an_order_is_accepted_after_its_client_went_away(desk):
    desk.sim.faults.next("POST", "/orders", "late-accept", delay_s=0.3)
    wire = await post(desk)
    while not desk.sim.faults.drawn:
        await asyncio.sleep(0)
    assert desk.account.trades == {}
    wire.close()
    assert await executed(desk)


@at_the_venue()
async def test_too_many_requests_on_command_executes_nothing(desk):
    desk.sim.faults.next("*", "/orders", "429", times=2)
    assert [(await desk.order()).status for _ in range(3)] == [429, 429, 201]
    assert len(desk.account.trades) == 1


@at_the_venue()
async def test_an_accepted_order_is_not_found_for_half_a_second(desk):
    desk.sim.faults.hide_s = desk.sim.faults.hide_log_s = 0.5
    number = (await desk.order(type="LIMIT", price="1.05"))["orderCreateTransaction"]["id"]
    missing = await desk.get(f"orders/{number}")
    assert (missing.status, missing["errorCode"]) == (404, "NO_SUCH_ORDER")
    assert (await desk.get("orders"))["orders"] == []
    assert (await desk.get("transactions/sinceid", id=3))["transactions"] == []
    assert (await desk.ask("PUT", f"orders/{number}/cancel")).status == 404
    await desk.sim.advance(0.5)
    assert (await desk.get(f"orders/{number}"))["order"]["id"] == number
    assert len((await desk.get("transactions/sinceid", id=3))["transactions"]) == 1


@at_the_venue()
async def test_maintenance_ends_streams_and_answers_503_until_it_is_over(desk):
    async with desk.stream("transactions") as wire:
        desk.sim.maintain()
        assert await wire.ended()
    assert (await desk.get("summary")).status == 503
    refused = await desk.stream_side()
    refused.ask("GET", f"{desk.path}/transactions/stream", desk.headers)
    assert (await refused.answer()).status == 503
    desk.sim.maintain(False)
    assert (await desk.get("summary")).status == 200


@at_the_venue()
async def test_the_venues_clock_may_be_ahead_of_the_clients(desk):
    before = (await desk.get("pricing", instruments="EUR_USD")).headers["date"]
    desk.sim.clock.skew(90)
    answer = await desk.get("pricing", instruments="EUR_USD")
    assert (before, answer.headers["date"]) == ("Wed, 18 Nov 2026 15:00:00 GMT", "Wed, 18 Nov 2026 15:01:30 GMT")
    assert answer["time"] == "2026-11-18T15:01:30.000000000Z"


@at_the_venue()
async def test_heartbeats_go_on_when_the_venues_clock_is_set_back(desk):
    async with desk.stream("transactions") as wire:
        await desk.sim.advance(2)
        desk.sim.clock.skew(-3_600)
        await desk.sim.advance(3)
        assert (await wire.line())["time"] == "2026-11-18T14:00:05.000000000Z"


async def mixed_fates(desk, seed):
    desk.sim.faults.randomly(seed, 0.5, ("429", "503", "accept-then-502"), ("POST",))
    statuses = [(await desk.order(units="1")).status for _ in range(40)]
    assert (await desk.get("summary")).status == 200  # reads were left alone
    desk.sim.faults.randomly(seed, 0)
    assert (await desk.order()).status == 201
    return statuses


@at_the_venue()
async def test_random_faults_repeat_by_their_seed(desk):
    first, again, other = [await mixed_fates(desk, seed) for seed in (5, 5, 6)]
    assert first == again != other
    assert set(first) == {201, 429, 503, 502}
    assert len(desk.sim.faults.drawn) == sum(status != 201 for status in first + again + other)


@at_the_venue()
async def test_random_faults_of_lines_repeat_by_their_seed(desk):
    async def fates(seed):
        desk.sim.faults.randomly_in_lines(seed, 0.5, ("lose", "duplicate"))
        before = desk.account.log.last_id
        async with desk.stream("transactions") as wire:
            for _ in range(30):
                desk.account.transfer(1)
            desk.sim.faults.randomly_in_lines(seed, 0)
            last = desk.account.transfer(1)["id"]
            ids = [(await wire.line())["id"]]
            while ids[-1] != last:
                ids.append((await wire.line())["id"])
        return [int(number) - before for number in ids]

    first, again, other = [await fates(seed) for seed in (5, 5, 6)]
    assert first == again != other
    assert len(set(first)) < 31 or len(first) > len(set(first))
    assert {kind for _, _, kind in desk.sim.faults.drawn} == {"lose", "duplicate"}


@at_the_venue()
async def test_a_defect_of_the_simulator_is_raised_where_it_ends(desk):
    def broken():
        raise LookupError("defect")

    async def use():
        async with OandaSimulator() as other:
            other.clock.after(0, broken)
            while not other._failed:
                await asyncio.sleep(0.001)

    with pytest.raises(ExceptionGroup, match="defects of the simulator"):
        await use()


@at_the_venue()
async def test_all_connections_can_be_dropped_at_once(desk):
    async with desk.stream("transactions") as stream:
        rest = await desk.rest()
        rest.ask("GET", f"{desk.path}/summary", desk.headers)
        await rest.answer()
        desk.sim.drop_connections()
        assert await stream.ended()
        assert await rest.ended()


@at_the_venue()
async def test_an_unknown_fault_is_refused_with_those_that_exist(desk):
    with pytest.raises(ValueError, match="accept-then-hang"):
        desk.sim.faults.next("POST", "/orders", "explode")
    with pytest.raises(ValueError, match="stall"):
        desk.sim.disturb("pricing", "explode")


def test_every_fault_is_in_the_table_that_explains_them():
    text = faults.__doc__
    assert all(kind.removeprefix("accept-then-") in text for kind in (*BEFORE, *AFTER, *STREAM))
    assert set(LINE) < set(STREAM)
    assert set(BEFORE).isdisjoint(AFTER)
