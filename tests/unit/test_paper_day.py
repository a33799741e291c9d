"""One day on a paper account, worked out by hand.

Account in USD, 10,000.00; commission 35 per million of value; financing -3.65 % a year for longs and +1.825 % for
shorts, that is -0.0001 and +0.00005 of the value a night; no slippage; margin 1/30 (leverage 30).
Tuesday 4 June 2024: New York is on summer time, so the day ends at 21:00 UTC. Wednesday's end books three nights.
"""

import asyncio
from decimal import Decimal
from pathlib import Path

from atrader.orders.model import Side
from broker_api.adapter import BrokerOrder, FillReport, SwapReport
from tests.support.paper import PaperBench

D = Decimal


def order(number: int, instrument: str, side: Side, units: int, closes: str | None = None) -> BrokerOrder:
    return BrokerOrder(
        client_id=f"a000007w{number}",
        magic=7,
        instance="by-hand",
        instrument=instrument,
        side=side,
        order_type="market",
        units=D(units),
        close_broker_trade_id=closes,
    )


async def the_day(path: Path) -> None:
    bench = PaperBench(
        path,
        initial_balance=10_000,
        commission_per_million=35,
        swap_long_frac="-0.0365",
        swap_short_frac="0.01825",
        leverage=30,
    )
    await bench.start()
    adapter = bench.adapter
    bench.quote("EUR/USD", "1.10000", "1.10010")
    bench.quote("USD/JPY", "155.990", "156.010")

    # Buy 10,000 EUR/USD at the ask 1.10010. Value 11,001.00 USD; commission 11,001 * 35 / 1,000,000 = 0.385035 -> 0.39.
    (euro,) = await adapter.submit(order(1, "EUR/USD", "buy", 10_000))
    assert isinstance(euro, FillReport)
    assert (euro.price, euro.commission, euro.home_rate) == (D("1.10010"), D("-0.39"), D(1))

    # Sell 20,000 USD/JPY at the bid 155.990. One yen is 1 / 156.000 = 0.00641025641026 USD (12 digits).
    # Value 20,000 * 155.990 / 156 = 19,998.717949; times 35 / 1,000,000 = 0.69995513 -> 0.70.
    (yen,) = await adapter.submit(order(2, "USD/JPY", "sell", 20_000))
    assert isinstance(yen, FillReport)
    assert (yen.price, yen.commission, yen.home_rate) == (D("155.990"), D("-0.70"), D("0.00641025641026"))

    # Balance 10,000 - 0.39 - 0.70 = 9,998.91.
    # Equity: euro 10,000 * (1.10000 - 1.10010) = -1.00; yen 20,000 * (155.990 - 156.010) = -400 JPY, / 156 = -2.5641
    # -> -2.56.
    # Margin: euro 10,000 * 1.10005 / 30 = 366.68333 -> 366.68; yen 20,000 * 156 / 156 / 30 = 666.66667 -> 666.67.
    account = await adapter.account()
    assert account.balance == D("9998.91")
    assert account.equity == D("9995.35")
    assert account.margin_used == D("1033.35")

    # Prices move: euro 1.10500 / 1.10510, yen 155.000 / 155.020 (middle 155.010).
    bench.quote("EUR/USD", "1.10500", "1.10510")
    bench.quote("USD/JPY", "155.000", "155.020")
    # Close 4,000 of the euros at the bid 1.10500: 4,000 * 0.00490 = 19.60; commission on 4,420.00 = 0.1547 -> 0.15.
    (part,) = await adapter.submit(order(3, "EUR/USD", "sell", 4_000, euro.broker_trade_id))
    assert isinstance(part, FillReport)
    assert (part.price, part.commission) == (D("1.10500"), D("-0.15"))
    # 9,998.91 + 19.60 - 0.15 = 10,018.36.
    assert (await adapter.account()).balance == D("10018.36")

    # Tuesday 21:00 UTC passes with the next quote, one night, at the middle prices of that moment. The quote that
    # brings the news is in force already for its own instrument: euro 1.10600 / 1.10610, middle 1.10605.
    # Euro, long 6,000: 6,000 * 1.10605 = 6,636.30; * -0.0365 / 365 = -0.66363 -> -0.66.
    # Yen, short 20,000 at the middle 155.010, one yen 1 / 155.010: value 20,000.00; * 0.01825 / 365 = +1.00.
    seconds_to_ten_past = 11 * 3600 + 600
    swaps = bench.quote("EUR/USD", "1.10600", "1.10610", after_s=seconds_to_ten_past)
    assert all(isinstance(report, SwapReport) for report in swaps)
    assert [(report.instrument, report.amount) for report in swaps if isinstance(report, SwapReport)] == [
        ("EUR/USD", D("-0.66")),
        ("USD/JPY", D("1.00")),
    ]
    # 10,018.36 - 0.66 + 1.00 = 10,018.70.
    assert (await adapter.account()).balance == D("10018.70")

    # Wednesday 21:00 UTC: three nights. Euro 6,000 * 1.10605 * -0.0001 * 3 = -1.99089 -> -1.99;
    # yen 20,000 * 0.00005 * 3 = 3.00 (its middle price is still 155.010).
    swaps = bench.quote("EUR/USD", "1.10600", "1.10610", after_s=86_400)
    assert [report.amount for report in swaps if isinstance(report, SwapReport)] == [D("-1.99"), D("3.00")]

    # Close the yen at the ask 154.510 (bid 154.490, middle 154.500, one yen 0.00647249190939 USD):
    # 20,000 * (155.990 - 154.510) = 29,600 JPY * 0.00647249190939 = 191.585760... -> 191.59.
    # Commission: value 20,000 * 154.510 * 0.00647249190939 = 20,001.2945; * 35 / 1,000,000 = 0.70004531 -> 0.70.
    bench.quote("USD/JPY", "154.490", "154.510")
    (closed,) = await adapter.submit(order(4, "USD/JPY", "buy", 20_000, yen.broker_trade_id))
    assert isinstance(closed, FillReport)
    assert (closed.price, closed.commission, closed.home_rate) == (D("154.510"), D("-0.70"), D("0.00647249190939"))
    # 10,018.70 - 1.99 + 3.00 + 191.59 - 0.70 = 10,210.60.
    assert (await adapter.account()).balance == D("10210.60")

    # Close the rest of the euros at the bid 1.10600: 6,000 * 0.00590 = 35.40; commission on 6,636.00 = 0.23226 -> 0.23.
    await adapter.submit(order(5, "EUR/USD", "sell", 6_000, euro.broker_trade_id))
    account = await adapter.account()
    # 10,210.60 + 35.40 - 0.23 = 10,245.77.
    assert account.balance == account.equity == D("10245.77")
    assert account.margin_used == 0
    assert (await adapter.snapshot()).trades == ()
    await bench.stop()


def test_a_day_with_two_currencies_commission_and_financing_comes_out_as_by_hand(tmp_path: Path) -> None:
    asyncio.run(the_day(tmp_path))
