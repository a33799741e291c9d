"""Stops and targets, by table: which price closes what, and which wins."""

from decimal import Decimal

import pytest

from atrader.orders.protection import Exit, closing_price, trailed_stop, triggered_exit, wrong_side

D = Decimal
# side, stop, target, distance, bid, ask -> price and reason
EXITS = [
    ("buy", "1.09", "1.12", None, "1.0901", "1.0903", None),
    ("buy", "1.09", "1.12", None, "1.0900", "1.0902", ("1.0900", "stop-loss")),
    ("buy", "1.09", "1.12", None, "1.0850", "1.0852", ("1.0850", "stop-loss")),  # gap: worse than the stop
    ("buy", "1.09", "1.12", None, "1.1199", "1.1201", None),  # the ask is no price a long closes at
    ("buy", "1.09", "1.12", None, "1.1250", "1.1252", ("1.12", "take-profit")),  # never better is assumed
    ("sell", "1.12", "1.09", None, "1.1198", "1.1200", ("1.1200", "stop-loss")),
    ("sell", "1.12", "1.09", None, "1.0899", "1.0901", None),
    ("sell", "1.12", "1.09", None, "1.0890", "1.0892", ("1.09", "take-profit")),
    ("buy", "1.10", "1.10", None, "1.10", "1.1002", ("1.10", "stop-loss")),  # both reached: the stop
    ("buy", "1.09", None, "0.01", "1.0899", "1.0901", ("1.0899", "trailing-stop")),
    ("buy", "0", "0", None, "0.5", "0.6", None),  # 0 is no protection
    ("sell", None, None, None, "9", "9.1", None),
]


@pytest.mark.parametrize(("side", "stop", "target", "distance", "bid", "ask", "expected"), EXITS)
def test_a_quote_closes_a_trade_as_the_table_says(side, stop, target, distance, bid, ask, expected):
    stop, target, distance = (None if value is None else D(value) for value in (stop, target, distance))
    found = triggered_exit(side, stop, target, distance, D(bid), D(ask))
    assert found == (expected and Exit(D(expected[0]), expected[1]))


@pytest.mark.parametrize(
    ("side", "stop", "bid", "ask", "expected"),
    [
        ("buy", None, "1.10", "1.11", "1.08"),
        ("buy", "1.08", "1.11", "1.12", "1.09"),
        ("buy", "1.08", "1.10", "1.11", None),
        ("buy", "1.08", "1.09", "1.10", None),
        ("sell", None, "1.10", "1.11", "1.13"),
        ("sell", "1.13", "1.09", "1.10", "1.12"),
        ("sell", "1.13", "1.11", "1.12", None),
    ],
)
def test_a_trailing_stop_moves_in_the_trades_favour_only(side, stop, bid, ask, expected):
    moved = trailed_stop(side, None if stop is None else D(stop), D("0.02"), D(bid), D(ask))
    assert moved == (None if expected is None else D(expected))


def test_a_stop_without_a_trailing_distance_never_moves():
    assert trailed_stop("buy", D("1.08"), None, D(2), D(2)) is None
    assert trailed_stop("buy", D("1.08"), D(0), D(2), D(2)) is None


def test_longs_close_at_the_bid_and_shorts_at_the_ask():
    assert closing_price("buy", D(1), D(2)) == 1
    assert closing_price("sell", D(1), D(2)) == 2


@pytest.mark.parametrize(
    ("side", "stop", "target", "expected"),
    [
        ("buy", "0.9", "1.1", None),
        ("buy", "1.0", "1.1", "stop-loss-wrong-side"),
        ("buy", "0.9", "1.0", "take-profit-wrong-side"),
        ("sell", "1.1", "0.9", None),
        ("sell", "1.0", "0.9", "stop-loss-wrong-side"),
        ("sell", "1.1", "1.0", "take-profit-wrong-side"),
        ("sell", "0", None, None),
    ],
)
def test_protection_that_would_fire_at_once_is_named(side, stop, target, expected):
    assert wrong_side(side, D(stop), None if target is None else D(target), D("1.0")) == expected
