"""The simulator's candles: empty ones left out, alignment over changes of summer time, paging, and what is refused."""

import numpy as np
import pytest

from tests.oanda_simulator.candle_store import Columns
from tests.oanda_simulator.values import NS_PER_S, parse_time
from tests.support.oanda_desk import WEDNESDAY, at_the_venue

HOUR_NS = 3_600 * NS_PER_S


def load(desk, first, step_ns, count, instrument="GBP_USD"):
    """Load bars whose prices tell their row: bid 1 + row / 1000, ask one pip above."""
    starts = parse_time(first, "first") + np.arange(count, dtype=np.int64) * step_ns
    rows = np.arange(count, dtype=np.float64)[:, None]
    bids = 1 + rows / 1000 + np.array([[0.0, 0.0004, -0.0004, 0.0002]])
    desk.sim.venue.market.candles.load(
        instrument, Columns(starts, bids, bids + 0.0001, np.full(count, 7, dtype=np.int64))
    )


async def candles(desk, instrument="GBP_USD", **query):
    return (await desk.get(f"instruments/{instrument}/candles", **query))["candles"]


def starts_of(found):
    return [each["time"].replace(":00.000000000Z", "") for each in found]


@at_the_venue()
async def test_letters_decide_which_prices_a_candle_has(desk):
    load(desk, "2026-11-18T10:00:00Z", HOUR_NS, 4)
    [candle] = await candles(desk, granularity="H1", count=1, price="BAM")
    assert candle == {
        "time": "2026-11-18T15:00:00.000000000Z",
        "bid": {"o": "1.26991", "h": "1.26991", "l": "1.26991", "c": "1.26991"},
        "mid": {"o": "1.27000", "h": "1.27000", "l": "1.27000", "c": "1.27000"},
        "ask": {"o": "1.27009", "h": "1.27009", "l": "1.27009", "c": "1.27009"},
        "volume": 1,
        "complete": False,
    }
    assert set((await candles(desk, granularity="H1", count=1))[0]) == {"time", "mid", "volume", "complete"}
    assert "ask" not in (await candles(desk, granularity="H1", count=1, price="B"))[0]


@at_the_venue()
async def test_candles_join_open_high_low_close_and_count_updates(desk):
    load(desk, "2026-11-18T10:00:00Z", 60 * NS_PER_S, 240)
    first = (await candles(desk, granularity="H1", price="B", **{"from": "2026-11-18T10:00:00Z"}))[0]
    assert first["bid"] == {"o": "1.00000", "h": "1.05940", "l": "0.99960", "c": "1.05920"}
    assert (first["volume"], first["complete"]) == (420, True)


@at_the_venue()
async def test_candles_without_a_price_are_left_out_and_a_weekend_is_empty(desk):
    load(desk, "2026-11-13T20:00:00Z", HOUR_NS, 2)
    found = await candles(desk, granularity="M30", **{"from": "2026-11-13T19:00:00Z", "count": 10})
    assert starts_of(found)[:3] == ["2026-11-13T20:00", "2026-11-13T21:00", "2026-11-18T15:00"]
    weekend = {"from": "2026-11-14T00:00:00Z", "to": "2026-11-15T00:00:00Z"}
    assert await candles(desk, granularity="M5", **weekend) == []


@at_the_venue()
async def test_the_forming_candle_is_incomplete_until_its_time_is_over(desk):
    await desk.sim.advance(2)
    desk.sim.quote("GBP_USD", "1.30000", "1.30010")
    forming = (await candles(desk, granularity="S5", price="B"))[-1]
    assert (forming["complete"], forming["bid"]["c"]) == (False, "1.30000")
    await desk.sim.advance(3)
    assert (await candles(desk, granularity="S5", price="B"))[-1]["complete"] is True


@pytest.mark.parametrize(
    ("granularity", "first", "expected"),
    [  # New York left summer time on 1 November 2026 at 2:00
        ("D", "2026-10-30T21:00:00Z", ["2026-10-30T21:00", "2026-10-31T21:00", "2026-11-01T22:00", "2026-11-02T22:00"]),
        ("H4", "2026-11-01T17:00:00Z", ["2026-11-01T17:00", "2026-11-01T21:00", "2026-11-01T22:00"]),
        ("W", "2026-10-23T21:00:00Z", ["2026-10-23T21:00", "2026-10-30T21:00"]),
        ("M", "2026-10-01T21:00:00Z", ["2026-10-01T21:00", "2026-11-01T22:00"]),
        ("H1", "2026-11-01T05:00:00Z", ["2026-11-01T05:00", "2026-11-01T06:00", "2026-11-01T07:00"]),
    ],
)
@at_the_venue()
async def test_days_begin_at_17_in_new_york_in_summer_and_winter(desk, granularity, first, expected):
    load(desk, "2026-09-20T00:00:00Z", HOUR_NS, 24 * 50)
    found = await candles(desk, granularity=granularity, count=len(expected), **{"from": first})
    assert starts_of(found) == expected


@at_the_venue()
async def test_alignment_can_be_chosen(desk):
    load(desk, "2026-10-20T00:00:00Z", HOUR_NS, 24 * 20)
    utc = {"dailyAlignment": 0, "alignmentTimezone": "UTC"}
    start = {"from": "2026-10-31T00:00:00Z", "count": 3}
    assert starts_of(await candles(desk, granularity="D", **utc, **start)) == [
        "2026-10-31T00:00",
        "2026-11-01T00:00",
        "2026-11-02T00:00",
    ]
    weeks = await candles(desk, granularity="W", weeklyAlignment="Monday", **utc, **start)
    assert starts_of(weeks) == ["2026-10-26T00:00", "2026-11-02T00:00", "2026-11-16T00:00"]
    for wrong in ({"dailyAlignment": 24}, {"alignmentTimezone": "Moon/Crater"}, {"weeklyAlignment": "Someday"}):
        assert (await desk.get("instruments/GBP_USD/candles", **wrong)).status == 400


@at_the_venue()
async def test_pages_join_without_gap_or_overlap_when_the_first_is_left_out(desk):
    load(desk, "2026-11-18T00:00:00Z", 60 * NS_PER_S, 800)
    page = await candles(desk, granularity="M1", count=300, **{"from": "2026-11-18T00:00:00Z"})
    pages = list(page)
    while len(page) == 300:
        query = {"from": page[-1]["time"], "includeFirst": "false", "count": 300}
        page = await candles(desk, granularity="M1", **query)
        pages += page
    times = [each["time"] for each in pages if each["complete"]]
    assert len(times) == len(set(times)) == 800


@at_the_venue()
async def test_the_candle_that_covers_from_comes_first_unless_left_out(desk):
    load(desk, "2026-11-18T00:00:00Z", HOUR_NS, 5)
    query = {"granularity": "H1", "from": "2026-11-18T01:30:00Z", "count": 1}
    assert starts_of(await candles(desk, **query)) == ["2026-11-18T01:00"]
    assert starts_of(await candles(desk, **query, includeFirst="false")) == ["2026-11-18T02:00"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"count": 5001}, "Maximum value for 'count' exceeded"),
        ({"count": 0}, "'count'"),
        ({"granularity": "M3"}, "'granularity'"),
        ({"granularity": "H5"}, "'granularity'"),
        ({"price": "X"}, "'price'"),
        ({"from": "2026-11-18T15:00:01Z"}, "Time is in the future"),
        ({"to": "2026-11-18T15:00:00.000000001Z"}, "Time is in the future"),
        ({"from": "2026-11-18T01:00:00Z", "to": "2026-11-18T02:00:00Z", "count": 5}, "'count' cannot be specified"),
        ({"from": "2026-11-10T00:00:00Z", "granularity": "M1"}, "Maximum value for 'count' exceeded"),
        ({"from": "noon"}, "'from'"),
        ({"smooth": "perhaps"}, "'smooth'"),
    ],
)
@at_the_venue()
async def test_impossible_questions_are_400(desk, query, message):
    answer = await desk.get("instruments/EUR_USD/candles", **query)
    assert answer.status == 400
    assert message in answer["errorMessage"]


@at_the_venue()
async def test_a_call_returns_500_candles_unless_asked_and_5000_at_most(desk):
    load(desk, "2026-11-14T00:00:00Z", 60 * NS_PER_S, 6_000)
    assert len(await candles(desk, granularity="M1")) == 500
    assert len(await candles(desk, granularity="M1", count=5_000)) == 5_000


@at_the_venue()
async def test_smooth_candles_open_where_the_one_before_closed(desk):
    load(desk, "2026-11-18T00:00:00Z", HOUR_NS, 5)
    found = await candles(desk, granularity="H1", price="B", smooth="true", to="2026-11-18T05:00:00Z")
    assert [each["bid"]["o"] for each in found[1:]] == [each["bid"]["c"] for each in found[:-1]]


@at_the_venue()
async def test_the_newest_candles_of_several_specifications_come_in_one_call(desk):
    answer = await desk.get("candles/latest", candleSpecifications="EUR_USD:S10:BA,GBP_USD:D:M")
    assert [(each["instrument"], each["granularity"]) for each in answer["latestCandles"]] == [
        ("EUR_USD", "S10"),
        ("GBP_USD", "D"),
    ]
    assert set(answer["latestCandles"][0]["candles"][-1]) == {"time", "bid", "ask", "volume", "complete"}
    assert (await desk.get("candles/latest", candleSpecifications="EUR_USD:M3:B")).status == 400


@at_the_venue()
async def test_an_unknown_instrument_has_no_candles(desk):
    assert (await desk.get("instruments/EUR_XXX/candles")).status == 400
    assert desk.sim.clock.now() == WEDNESDAY
