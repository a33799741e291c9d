"""What the paper account does beyond the conformance suite: latency, parts, chance, margin, conversion, week-ends."""

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from atrader.clock import NS_PER_S, parse_time
from atrader.errors import Rejected
from atrader.instruments import KNOWN
from atrader.market import Tick
from atrader.orders.model import Side
from atrader.orders.states import OrderState
from atrader.paper.reasons import CANCEL_REASONS, REJECT_REASONS
from broker_api.adapter import BrokerOrder, FillReport, Modification, OrderReport
from tests.support.paper import PaperBench

D = Decimal


def order(number: int = 1, side: Side = "buy", units: int = 1000, **more: Any) -> BrokerOrder:
    values = {"instrument": "EUR/USD", "order_type": "market", "magic": 7, "instance": "test", **more}
    return BrokerOrder(client_id=f"a000007w{number}", side=side, units=D(units), **values)


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    """Run a coroutine with a connected account that knows a price of EUR/USD."""

    def run(scene: Callable[[PaperBench], Coroutine[Any, Any, None]], positions: str = "hedging", **more: Any) -> None:
        async def whole() -> None:
            bench = PaperBench(tmp_path, positions, **more)
            await bench.start()
            try:
                bench.quote("EUR/USD", "1.10000", "1.10010")
                await scene(bench)
            finally:
                await bench.stop()

        asyncio.run(whole())

    return run


async def refusal(call: Coroutine[Any, Any, Any]) -> str:
    with pytest.raises(Rejected) as caught:
        await call
    return str(caught.value.details["reason"])


def test_with_latency_an_order_works_first_and_fills_with_the_first_quote_after_it(play):
    async def scene(bench: PaperBench) -> None:
        (accepted,) = await bench.adapter.submit(order())
        assert isinstance(accepted, OrderReport)
        assert accepted.state is OrderState.WORKING
        assert not bench.quote("EUR/USD", "1.10500", "1.10510", after_s=0.2)
        (fill,) = bench.quote("EUR/USD", "1.10600", "1.10610", after_s=0.05)
        assert isinstance(fill, FillReport)
        assert (fill.price, fill.client_id) == (D("1.10610"), "a000007w1")

    play(scene, latency="250ms")


def test_an_order_that_waits_for_its_latency_survives_a_clock_that_is_set_back_a_day(play):
    async def scene(bench: PaperBench) -> None:
        await bench.adapter.submit(order())
        early_ns = bench.clock.now_ns() - 86_400 * NS_PER_S
        (fill,) = bench.tick(Tick("EUR/USD", early_ns, early_ns, 1.2, 1.2001))
        assert isinstance(fill, FillReport)

    play(scene, latency="250ms")


def test_a_partial_order_fills_with_one_quote_each_and_makes_one_ticket_at_the_average_price(play):
    async def scene(bench: PaperBench) -> None:
        reports = list(await bench.adapter.submit(order(units=1000)))
        await bench.crash()  # the quote that is worked in again must not fill the next part
        for step in range(1, 4):
            reports += bench.quote("EUR/USD", f"1.1{step}000", f"1.1{step}010")
        fills = [report for report in reports if isinstance(report, FillReport)]
        assert len(fills) in (2, 3)
        assert sum(fill.units for fill in fills) == 1000
        assert len({fill.price for fill in fills}) == len(fills)
        (trade,) = (await bench.adapter.snapshot()).trades
        assert (trade.units, {fill.broker_trade_id for fill in fills}) == (D(1000), {trade.broker_trade_id})
        average = sum((fill.units * fill.price for fill in fills), D(0)) / 1000
        assert abs(trade.open_price - average) < D("1e-20")

    play(scene, partial_fill_share=1.0)


def test_the_rest_of_a_partial_close_is_cancelled_when_a_stop_takes_the_ticket_first(play):
    async def scene(bench: PaperBench) -> None:
        await bench.adapter.submit(order(units=1000, stop_loss=D("1.09000")))
        while len((await bench.adapter.snapshot()).orders):
            bench.quote("EUR/USD", "1.10000", "1.10010")
        (trade,) = (await bench.adapter.snapshot()).trades
        await bench.adapter.submit(order(2, "sell", 1000, close_broker_trade_id=trade.broker_trade_id))
        reports = bench.quote("EUR/USD", "1.08000", "1.08010")
        assert [getattr(report, "reason", "") for report in reports] == ["stop-loss", "ticket-closed"]
        snapshot = await bench.adapter.snapshot()
        assert (snapshot.net_units, snapshot.orders) == ({}, ())

    play(scene, partial_fill_share=1.0)


def test_the_spread_is_widened_on_both_sides(play):
    async def scene(bench: PaperBench) -> None:
        (bought,) = await bench.adapter.submit(order(1, "buy"))
        (sold,) = await bench.adapter.submit(order(2, "sell"))
        assert isinstance(bought, FillReport)
        assert isinstance(sold, FillReport)
        assert (bought.price, sold.price) == (D("1.10015"), D("1.09995"))
        # A limit is reached by the widened ask only.
        await bench.adapter.submit(order(3, "buy", order_type="limit", price=D("1.09900")))
        assert not bench.quote("EUR/USD", "1.09880", "1.09896")
        assert bench.quote("EUR/USD", "1.09880", "1.09895")

    play(scene, extra_spread_pips=1)


def test_refusals_without_a_reason_come_from_the_share_configured(play):
    async def scene(bench: PaperBench) -> None:
        assert await refusal(bench.adapter.submit(order())) == "refused-at-random"

    play(scene, reject_share=1.0)


def test_market_orders_are_refused_from_friday_evening_until_the_venue_quotes_again(play):
    async def scene(bench: PaperBench) -> None:
        bench.clock.advance(parse_time("2024-06-08T12:00:00Z"))  # Saturday
        assert await refusal(bench.adapter.submit(order())) == "market-halted"
        # A limit order is taken and meets Sunday's gap as an arriving order: at the market's better price.
        (accepted,) = await bench.adapter.submit(order(2, order_type="limit", price=D("1.09000")))
        assert isinstance(accepted, OrderReport)
        sunday_ns = parse_time("2024-06-09T21:00:05Z")
        (fill,) = bench.tick(Tick("EUR/USD", sunday_ns, sunday_ns, 1.08, 1.0801))
        assert isinstance(fill, FillReport)
        assert fill.price == D("1.0801")

    play(scene)


def test_a_venue_that_quotes_while_the_calendar_says_closed_is_taken_at_its_word(play):
    async def scene(bench: PaperBench) -> None:
        saturday_ns = parse_time("2024-06-08T12:00:00Z")
        bench.tick(Tick("EUR/USD", saturday_ns, saturday_ns, 1.08, 1.0801))
        (fill,) = await bench.adapter.submit(order())
        assert isinstance(fill, FillReport)

    play(scene)


def test_after_a_restart_market_orders_wait_for_a_quote_while_equity_is_known_at_once(play, tmp_path):
    async def scene(bench: PaperBench) -> None:
        await bench.adapter.submit(order())
        equity = (await bench.adapter.account()).equity
        bench._last.clear()  # nobody repeats the last prices
        await bench.crash()
        assert (await bench.adapter.account()).equity == equity
        assert await refusal(bench.adapter.submit(order(2))) == "market-halted"
        bench.quote("EUR/USD", "1.10000", "1.10010")
        assert await bench.adapter.submit(order(3))

    play(scene)


@pytest.mark.parametrize("symbol", ["USD/JPY", "JPY/USD"])
def test_profit_converts_by_the_direct_or_the_inverse_pair(play, symbol):
    yen = KNOWN["USD/JPY"]
    pair = yen if symbol == "USD/JPY" else yen.model_copy(update={"symbol": symbol, "price_tick": D("0.0000001")})

    async def scene(bench: PaperBench) -> None:
        bench.quote("EUR/JPY", "160.000", "160.020")
        assert await refusal(bench.adapter.submit(order(1, instrument="EUR/JPY"))) == "no-conversion-rate"
        bench.quote(symbol, *(("159.990", "160.010") if symbol == "USD/JPY" else ("0.0062499", "0.0062501")))
        (fill,) = await bench.adapter.submit(order(2, instrument="EUR/JPY"))
        assert isinstance(fill, FillReport)
        assert fill.home_rate == D("0.00625")

    play(scene, instruments={"EUR/USD": KNOWN["EUR/USD"], "EUR/JPY": KNOWN["EUR/JPY"], symbol: pair})


def test_of_hedged_legs_only_the_larger_one_needs_margin(play):
    async def scene(bench: PaperBench) -> None:
        await bench.adapter.submit(order(1, "buy", 10_000))
        one_leg = (await bench.adapter.account()).margin_used
        assert one_leg == D("1100.05")  # 10,000 * 1.10005 / 10
        await bench.adapter.submit(order(2, "sell", 10_000))
        assert (await bench.adapter.account()).margin_used == one_leg
        await bench.adapter.submit(order(3, "sell", 5_000))
        assert (await bench.adapter.account()).margin_used == D("1650.08")  # 15,000 * 1.10005 / 10, half to even

    play(scene, leverage=10)


def test_margin_is_asked_for_to_the_cent(play):
    async def scene(bench: PaperBench) -> None:
        # 9,090 units need 9,090 * 1.10005 = 9,999.45; 9,091 need 10,000.55, and there are 10,000.00.
        assert await refusal(bench.adapter.submit(order(1, units=9_091))) == "insufficient-margin"
        await bench.adapter.submit(order(2, units=9_090))

    play(scene, leverage=1)


def test_an_order_that_finds_no_margin_when_it_should_fill_is_cancelled(play):
    async def scene(bench: PaperBench) -> None:
        await bench.adapter.submit(order(1, units=9_000, order_type="limit", price=D("1.09000")))
        await bench.adapter.submit(order(2, units=9_000))
        (ended,) = bench.quote("EUR/USD", "1.08980", "1.08990")
        assert isinstance(ended, OrderReport)
        assert (ended.state, ended.reason) == (OrderState.CANCELLED, "insufficient-margin")

    play(scene, leverage=1)


@pytest.mark.parametrize("positions", ["hedging", "netting"])
def test_the_margin_closeout_closes_the_worst_first_and_stops_when_equity_is_enough(play, positions):
    async def scene(bench: PaperBench) -> None:
        bench.quote("USD/JPY", "150.000", "150.000")
        await bench.adapter.submit(order(1, "buy", 100_000))
        await bench.adapter.submit(order(2, "buy", 10_000, instrument="USD/JPY"))
        # Margin (100,000 * 1.10 + 10,000) / 20 = about 6,000; close-out at half of it: equity about 2,900.
        assert not bench.quote("EUR/USD", "1.03000", "1.03000")  # equity about 2,990, level 2,825
        (closed,) = bench.quote("EUR/USD", "1.02700", "1.02700")
        assert isinstance(closed, FillReport)
        assert (closed.instrument, closed.reason, closed.client_id) == ("EUR/USD", "margin-closeout", None)
        assert dict((await bench.adapter.snapshot()).net_units) == {"USD/JPY": D(10_000)}

    play(scene, positions, leverage=20)


def test_the_closeout_sees_a_loss_that_comes_through_the_conversion_rate_alone(play):
    instruments = {symbol: KNOWN[symbol] for symbol in ("EUR/USD", "EUR/JPY", "USD/JPY")}

    async def scene(bench: PaperBench) -> None:
        bench.quote("USD/JPY", "150.000", "150.000")
        bench.quote("EUR/JPY", "165.000", "165.000")
        await bench.adapter.submit(order(1, "buy", 50_000, instrument="EUR/JPY"))
        assert not bench.quote("EUR/JPY", "145.000", "145.000")  # -1,000,000 JPY = -6,666.67 USD
        (closed,) = bench.quote("USD/JPY", "110.000", "110.000")  # -9,090.91 USD
        assert isinstance(closed, FillReport)
        assert (closed.instrument, closed.reason) == ("EUR/JPY", "margin-closeout")

    play(scene, leverage=30, instruments=instruments)


def test_after_a_restart_nothing_is_closed_out_at_prices_that_are_only_remembered(play):
    async def scene(bench: PaperBench) -> None:
        bench.quote("USD/JPY", "150.000", "150.000")
        await bench.adapter.submit(order(1, "buy", 100_000))
        await bench.adapter.submit(order(2, "buy", 10_000, instrument="USD/JPY"))
        bench.quote("EUR/USD", "1.03000", "1.03000")  # near the close-out, and written with the next order
        await bench.adapter.submit(order(3, "buy", 1, order_type="limit", price=D("0.50000")))
        bench.quote("EUR/USD", "1.09000", "1.09000")  # recovered, not written
        last = dict(bench._last)
        bench._last.clear()
        await bench.crash()
        # Yen alone, lower: with the remembered 1.03 of the euro it would be a close-out.
        assert not bench.quote("USD/JPY", "140.000", "140.000")
        assert not bench.tick(last["EUR/USD"])
        assert bench.quote("EUR/USD", "1.02700", "1.02700")

    play(scene, leverage=20)


def test_a_new_tickets_target_can_be_reached_by_the_quote_that_opened_it(play):
    async def scene(bench: PaperBench) -> None:
        await bench.adapter.submit(
            order(1, order_type="stop", price=D("1.10100"), take_profit=D("1.10200"), stop_loss=D("1.09000"))
        )
        opened, closed = bench.quote("EUR/USD", "1.10500", "1.10510")
        assert isinstance(opened, FillReport)
        assert isinstance(closed, FillReport)
        assert (opened.price, closed.price, closed.reason) == (D("1.10510"), D("1.10200"), "take-profit")

    play(scene)


def test_crossed_empty_and_foreign_quotes_are_passed_over(play):
    async def scene(bench: PaperBench) -> None:
        await bench.adapter.submit(order(1, stop_loss=D("1.09000")))
        now_ns = bench.clock.now_ns()
        for bid, ask in ((1.0, 0.9), (0.0, 0.0), (-1.0, 1.0), (float("nan"), 1.0), (1.0, float("inf"))):
            assert not bench.tick(Tick("EUR/USD", now_ns, now_ns, bid, ask))
        assert not bench.tick(Tick("NO/SUCH", now_ns, now_ns, 1.0, 1.0))
        assert len((await bench.adapter.snapshot()).trades) == 1

    play(scene)


def test_the_number_of_requests_that_arrived_is_known_for_every_client_id(play):
    async def scene(bench: PaperBench) -> None:
        limit = order(1, order_type="limit", price=D("1.09000"))
        assert bench.adapter.orders_seen(limit.client_id) == 0
        await bench.adapter.submit(limit)
        assert await refusal(bench.adapter.submit(limit)) == "duplicate-client-id"
        assert bench.adapter.orders_seen(limit.client_id) == 2
        await bench.crash()
        assert bench.adapter.orders_seen(limit.client_id) == 2

    play(scene)


def test_swap_of_a_24_7_market_is_one_day_each_midnight_utc(play):
    async def scene(bench: PaperBench) -> None:
        bench.quote("BTC/USD", "70000.0", "70000.0")
        await bench.adapter.submit(order(1, units=1, instrument="BTC/USD"))
        days = [bench.quote("BTC/USD", "70000.0", "70000.0", after_s=86_400) for _ in range(7)]
        amounts = [[getattr(report, "amount", None) for report in reports] for reports in days]
        assert amounts == [[D("-7.00")]] * 7

    play(scene, swap_long_frac="-0.0365", leverage=100)


def test_interest_runs_on_over_a_holiday_and_no_order_is_filled_on_one(play):
    async def scene(bench: PaperBench) -> None:
        await bench.adapter.submit(order(1, units=10_000))
        bench.clock.advance(parse_time("2024-12-25T10:00Z"))  # a Wednesday; the last quote is of Tuesday
        assert await refusal(bench.adapter.submit(order(2))) == "market-halted"
        bench.clock.advance(parse_time("2024-12-26T10:00Z"))
        swaps = bench.quote("EUR/USD", "1.00000", "1.00000")
        assert [getattr(report, "amount", None) for report in swaps] == [D("-1.00"), D("-3.00")]

    play(scene, start="2024-12-24T10:00:00Z", swap_long_frac="-0.0365")


def test_every_night_missed_is_booked_when_quotes_come_back(play):
    async def scene(bench: PaperBench) -> None:
        await bench.adapter.submit(order(1, units=10_000))
        # From Tuesday over Wednesday (three), Thursday, Friday and the weekend to Monday noon.
        swaps = bench.quote("EUR/USD", "1.00000", "1.00000", after_s=6 * 86_400)
        assert [getattr(report, "amount", None) for report in swaps] == [D("-1.00"), D("-3.00"), D("-1.00"), D("-1.00")]
        assert not bench.quote("EUR/USD", "1.00000", "1.00000")

    play(scene, swap_long_frac="-0.0365")


def test_market_orders_have_no_price_to_change(play):
    async def scene(bench: PaperBench) -> None:
        await bench.adapter.submit(order(1))
        change = Modification(client_id="a000007w9", order_client_id="a000007w1", price=D("1.2"))
        assert await refusal(bench.adapter.modify(change)) == "price-not-changeable"

    play(scene, latency="1s")


def test_every_reason_is_explained(play):
    assert all(text and text[0].islower() for text in (*REJECT_REASONS.values(), *CANCEL_REASONS.values()))
