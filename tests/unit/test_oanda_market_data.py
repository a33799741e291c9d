"""OANDA's prices and candles, as values: what is asked for, and what an answer says."""

from __future__ import annotations

from typing import Any

import pytest

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, parse_time
from atrader.errors import BrokerUnavailable, Rejected
from atrader.timeframes import Timeframe
from broker_api.oanda.candles import GRANULARITIES, MAX_CANDLES, page_of, query_of
from broker_api.oanda.prices import price_of
from broker_api.oanda.values import name_of, symbol_of, time_ns, time_text

FX, ALWAYS = Calendar.get("fx"), Calendar.get("24/7")
MINUTE = 60 * NS_PER_S
START = parse_time("2024-06-04T10:00:00Z")
M1 = Timeframe.parse("1m")


def candle(minute: int, *, complete: bool = True, bid: str = "1.10000", **more: object) -> dict[str, Any]:
    ask = f"{float(bid) + 0.0002:.5f}"
    sides = {"bid": dict.fromkeys("ohlc", bid), "ask": dict.fromkeys("ohlc", ask)}
    return {"time": time_text(START + minute * MINUTE), **sides, "volume": 7, "complete": complete, **more}


def page(candles: list[dict[str, Any]], *, asked: int = 11, minutes: int = 10) -> tuple[list[int], float]:
    """Return the minutes of the bars, and until which minute the page is answered."""
    found = page_of({"candles": candles}, asked, M1, FX, START, START + minutes * MINUTE)
    return [int(one - START) // MINUTE for one in found.bars.open_time_ns], (found.answered_until_ns - START) / MINUTE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T14:47:03.123456789Z", 1795186023123456789),
        ("2026-11-20T14:47:03.5Z", 1795186023500000000),
        ("2026-11-20T14:47:03Z", 1795186023000000000),
        ("1795186023.123456789", 1795186023123456789),
        ("1795186023", 1795186023000000000),
    ],
)
def test_times_keep_nine_digits(text: str, expected: int) -> None:
    assert time_ns(text) == expected
    assert time_ns(time_text(expected)) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-20T14:47:03.5+01:00", "2026-11-20T14:47", "12.x"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        time_ns(text)


def test_names_of_instruments_go_both_ways() -> None:
    for name in ("EUR_USD", "SPX500_USD", "XAU_USD"):
        assert name_of(symbol_of(name)) == name
    assert symbol_of("EUR_USD") == "EUR/USD"


def test_candles_are_asked_for_by_start_and_count_and_never_up_to_an_end() -> None:
    query = query_of(M1, FX, START, START + 10 * MINUTE)
    assert query == {"price": "BA", "granularity": "M1", "from": "2024-06-04T10:00:00Z", "count": 11}
    assert query_of(M1, FX, START, START + 10**6 * MINUTE)["count"] == MAX_CANDLES


@pytest.mark.parametrize(
    ("calendar", "alignment"),
    [
        ("fx", (17, "America/New_York", "Sunday")),
        ("24/7", (0, "UTC", "Monday")),
        ("Europe/Helsinki@00:00 fx", (0, "Europe/Helsinki", "Sunday")),
    ],
)
@pytest.mark.parametrize("timeframe", ["2h", "12h", "1d", "1w"])
def test_where_longer_candles_begin_is_always_said(
    calendar: str, alignment: tuple[int, str, str], timeframe: str
) -> None:
    query = query_of(Timeframe.parse(timeframe), Calendar.get(calendar), START, START + 864_000 * NS_PER_S)
    assert (query["dailyAlignment"], query["alignmentTimezone"], query["weeklyAlignment"]) == alignment


def test_candles_that_oanda_does_not_have_are_refused() -> None:
    for timeframe in ("3m", "5h", "1s", "1M"):
        assert timeframe not in GRANULARITIES
        with pytest.raises(Rejected):
            query_of(Timeframe.parse(timeframe), FX, START, START + MINUTE)
    clock = Calendar.get("EET-2EEST,M3.5.0/3,M10.5.0/4@00:00 fx")
    with pytest.raises(Rejected, match="days begin by"):
        query_of(Timeframe.parse("4h"), clock, START, START + MINUTE)
    assert query_of(Timeframe.parse("1h"), clock, START, START + MINUTE)["granularity"] == "H1"


def test_minutes_without_a_candle_do_not_exist_when_fewer_came_than_were_asked_for() -> None:
    assert page([candle(0), candle(3), candle(12)]) == ([0, 3], 10)
    assert page([]) == ([], 10)


def test_an_answer_that_is_full_is_whole_up_to_its_last_candle() -> None:
    assert page([candle(0), candle(1), candle(2)], asked=3) == ([0, 1, 2], 3)
    assert page([candle(8), candle(9), candle(10)], asked=3) == ([8, 9], 10)


def test_a_candle_that_forms_ends_the_page_and_one_that_covers_the_start_is_left_out() -> None:
    assert page([candle(-1), candle(0), candle(4, complete=False)]) == ([0], 4)
    assert page([candle(0, complete=False)]) == ([], 0)


def test_prices_are_kept_apart_by_side_and_what_is_unknown_does_not_hurt() -> None:
    found = page_of({"candles": [candle(0, news={"x": 1})], "news": 1}, 11, M1, FX, START, START + 10 * MINUTE)
    assert found.bars.row(0)[1:] == (*[1.1] * 4, *[1.1002] * 4, 7.0)


@pytest.mark.parametrize(
    "body",
    [{}, {"candles": None}, {"candles": [{}]}, {"candles": [candle(0) | {"bid": None}]}, {"candles": [7]}],
)
def test_an_answer_without_candles_is_none(body: dict[str, Any]) -> None:
    with pytest.raises(BrokerUnavailable):
        page_of(body, 11, M1, FX, START, START + 10 * MINUTE)


def line(**changes: Any) -> dict[str, Any]:
    return {
        "type": "PRICE",
        "time": "2026-11-20T14:47:03.123456789Z",
        "instrument": "EUR_USD",
        "tradeable": True,
        "bids": [{"price": "1.08501", "liquidity": 10}, {"price": "1.08500", "liquidity": 90}],
        "asks": [{"price": "1.08513", "liquidity": 10}],
        "closeoutBid": "1.08497",
        "closeoutAsk": "1.08517",
        **changes,
    }


def test_a_price_is_the_best_of_each_side() -> None:
    price = price_of(line(new="field"), 5)
    assert price.tick == ("EUR/USD", 1795186023123456789, 5, 1.08501, 1.08513)
    assert price.tradeable


@pytest.mark.parametrize("changes", [{"bids": []}, {"asks": []}, {"bids": None, "asks": None}])
def test_a_side_without_prices_leaves_those_of_the_closeout_which_nobody_trades_at(changes: dict[str, Any]) -> None:
    price = price_of(line(**changes), 5)
    assert (price.tick.bid, price.tick.ask, price.tradeable) == (1.08497, 1.08517, False)


def test_a_halted_market_is_not_tradeable() -> None:
    assert not price_of(line(tradeable=False), 5).tradeable
