"""Prices, parts and draws of the paper account, without an account."""

from decimal import Decimal

import pytest

from atrader.configuration.account import PaperSettings
from atrader.instruments import KNOWN
from atrader.paper.draws import draw
from atrader.paper.matching import fill_price, is_refused_at_random, parts_of, slipped

D = Decimal
EURUSD = KNOWN["EUR/USD"]


@pytest.mark.parametrize(
    ("order_type", "side", "limit", "resting", "expected"),
    [
        ("market", "buy", None, False, "1.1002"),
        ("market", "sell", None, False, "1.1000"),
        ("limit", "buy", "1.1003", False, "1.1002"),  # arrives marketable: the market's price
        ("limit", "buy", "1.1003", True, "1.1003"),  # was resting: its own price
        ("limit", "buy", "1.1001", False, None),
        ("limit", "sell", "1.0999", False, "1.1000"),
        ("limit", "sell", "1.0999", True, "1.0999"),
        ("limit", "sell", "1.1001", True, None),
        ("stop", "buy", "1.1002", True, "1.1002"),
        ("stop", "buy", "1.0990", True, "1.1002"),  # passed by a gap: the market's worse price
        ("stop", "buy", "1.1003", True, None),
        ("stop", "sell", "1.1000", True, "1.1000"),
        ("stop", "sell", "1.1010", True, "1.1000"),
        ("stop", "sell", "1.0999", True, None),
    ],
)
def test_an_order_fills_with_a_quote_as_the_table_says(order_type, side, limit, resting, expected):
    limit = None if limit is None else D(limit)
    price = fill_price(order_type, side, limit, resting=resting, bid=D("1.1000"), ask=D("1.1002"))
    assert price == (None if expected is None else D(expected))


def test_draws_belong_to_seed_name_and_purpose_alone():
    first = draw(1, "a000007w1", "fill-0")
    draw(1, "a000007w2", "fill-0")
    assert draw(1, "a000007w1", "fill-0") == first
    others = {draw(2, "a000007w1", "fill-0"), draw(1, "a000007w2", "fill-0"), draw(1, "a000007w1", "fill-1")}
    assert first not in others
    assert len(others) == 3


def test_draws_are_uniform():
    draws = sorted(draw(1, f"id-{number}", "x") for number in range(4000))
    # Kolmogorov-Smirnov: below 1.95 / sqrt(n) in 999 of 1000 samples; this one is fixed.
    distance = max(abs(value - (number + 0.5) / 4000) for number, value in enumerate(draws))
    assert distance < 1.95 / 4000**0.5


def test_slippage_is_against_the_order_bounded_and_on_the_price_tick():
    settings = PaperSettings(slippage_pips=D("0.7"))
    price = D("1.10000")
    bought = [slipped(settings, EURUSD, "buy", price, f"id-{number}", "x") for number in range(300)]
    sold = [slipped(settings, EURUSD, "sell", price, f"id-{number}", "x") for number in range(300)]
    assert min(bought) == price
    assert max(bought) == price + D("0.00007")
    assert [price - item for item in sold] == [item - price for item in bought]
    assert all(item % EURUSD.price_tick == 0 for item in bought)


def test_parts_add_up_are_whole_steps_and_come_as_often_as_configured():
    settings = PaperSettings(partial_fill_share=0.5)
    split = [parts_of(settings, EURUSD, f"id-{number}", D(1000)) for number in range(1000)]
    assert all(sum(parts) == 1000 and min(parts) >= 1 for parts in split)
    assert all(part % EURUSD.unit_step == 0 for parts in split for part in parts)
    assert {len(parts) for parts in split} == {1, 2, 3}
    assert 420 < sum(len(parts) > 1 for parts in split) < 580


@pytest.mark.parametrize("units", [1, 2, 3])
def test_orders_of_few_steps_split_into_no_more_parts_than_steps(units):
    settings = PaperSettings(partial_fill_share=1.0)
    for number in range(50):
        parts = parts_of(settings, EURUSD, f"id-{number}", D(units))
        assert len(parts) <= units
        assert sum(parts) == units
        assert min(parts) >= 1


def test_as_many_orders_are_refused_at_random_as_configured_and_always_the_same_ones():
    settings = PaperSettings(reject_share=0.1)
    refused = [is_refused_at_random(settings, f"id-{number}") for number in range(2000)]
    assert refused == [is_refused_at_random(settings, f"id-{number}") for number in range(2000)]
    assert 150 < sum(refused) < 250
    assert not any(is_refused_at_random(PaperSettings(), f"id-{number}") for number in range(100))
