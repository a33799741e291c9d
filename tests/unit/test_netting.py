"""One net position divided among trades: fills in parts, money by units."""

from __future__ import annotations

from decimal import Decimal

from atrader.netting import shares_of, split_fill
from atrader.orders.model import Fill, Trade

D = Decimal


def fill_of(units: str) -> Fill:
    return Fill.model_validate(
        {
            "fill_id": "7", "account": "paper", "magic": 0, "instance": "", "instrument": "EUR/USD", "side": "sell",
            "units": units, "price": "1.1", "time_ns": 1, "reason": "margin-closeout", "commission": "-0.3",
            "home_rate": "1",
        }
    )  # fmt: skip


def trade_of(name: str, units: str) -> Trade:
    return Trade.model_validate(
        {
            "trade_id": name, "account": "paper", "magic": 1, "instance": "one", "instrument": "EUR/USD",
            "side": "buy", "units_opened": units, "units": units, "open_time_ns": 1, "open_price": "1.1",
        }
    )  # fmt: skip


def test_a_fill_is_divided_into_numbered_parts_and_its_commission_is_booked_once() -> None:
    first, rest = split_fill(fill_of("100"), D(30))
    assert rest is not None
    second, rest = split_fill(rest, D(30))
    assert rest is not None
    third, nothing = split_fill(rest, D(40))
    assert nothing is None
    parts = [(part.fill_id, part.units, part.commission) for part in (first, second, third)]
    assert parts == [("7/1", D(30), D("-0.3")), ("7/2", D(30), D(0)), ("7/3", D(40), D(0))]


def test_a_fill_that_fits_stays_whole() -> None:
    fill = fill_of("100")
    assert split_fill(fill, D(100)) == (fill, None)


def test_money_of_a_net_position_is_divided_by_units_to_the_last_cent() -> None:
    trades = [trade_of(name, units) for name, units in (("a", "100"), ("b", "100"), ("c", "100"))]
    shares = shares_of(D("-1.00"), trades)
    assert [(trade.trade_id, share) for trade, share in shares] == [
        ("a", D("-0.33")), ("b", D("-0.33")), ("c", D("-0.34"))
    ]  # fmt: skip
    assert shares_of(D("-1.00"), []) == []
