"""Sizing by risk, against numbers worked out by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from atrader.instruments import KNOWN
from atrader.sizing import units_for_risk

D = Decimal
EURUSD, USDJPY, BTC = KNOWN["EUR/USD"], KNOWN["USD/JPY"], KNOWN["BTC/USD"]


@pytest.mark.parametrize(
    ("equity", "risk", "entry", "stop", "rate", "instrument", "units"),
    [
        ("10000", "0.01", "1.1000", "1.0950", "1", EURUSD, "20000"),  # 100 / 0.005
        ("10000", "0.01", "1.0950", "1.1000", "1", EURUSD, "20000"),  # short: the distance counts
        ("10000", "0.01", "1.1000", "1.0970", "1", EURUSD, "33333"),  # 33333.3 rounded down
        ("10000", "0.01", "150.00", "149.00", "0.0067", USDJPY, "14925"),  # 100 / 0.0067 = 14925.4
        ("10000", "0.01", "50000", "49000", "1", BTC, "0.1"),
        ("10000", "0.01", "50000", "49300", "1", BTC, "0.1428"),  # 0.142857 in steps of 0.0001
    ],
)
def test_units_lose_the_share_of_equity_at_the_stop(equity, risk, entry, stop, rate, instrument, units):
    found = units_for_risk(D(equity), D(risk), D(entry), D(stop), D(rate), instrument)
    assert found == D(units)


def test_less_than_the_smallest_size_is_nothing():
    small = EURUSD.model_copy(update={"min_units": D(1000), "unit_step": D(1000)})
    assert units_for_risk(D(1000), D("0.01"), D("1.10"), D("1.09"), D(1), small) == 1000
    assert units_for_risk(D(999), D("0.01"), D("1.10"), D("1.09"), D(1), small) == 0


def test_never_more_than_the_largest_size():
    assert units_for_risk(D(10) ** 12, D(1), D("1.1"), D("1.09"), D(1), EURUSD) == EURUSD.max_units


@pytest.mark.parametrize(
    ("equity", "stop", "rate"), [("0", "1.09", "1"), ("-5", "1.09", "1"), ("100", "1.1", "1"), ("100", "1.09", "0")]
)
def test_nothing_to_risk_no_distance_or_no_rate_give_no_units(equity, stop, rate):
    assert units_for_risk(D(equity), D("0.01"), D("1.1"), D(stop), D(rate), EURUSD) == 0
