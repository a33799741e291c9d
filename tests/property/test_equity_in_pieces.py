"""The equity of a run is worked out piece by piece; each step is what was booked up to it says."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atrader.instruments import KNOWN
from atrader.market import Bars
from research.events import equity
from research.events.equity import Booked, Changes, equity_curve
from research.events.market import Market
from research.events.tape import BarTape

MINUTE = 60_000_000_000
STEPS = 40
CLOSES = 1.1 + 0.001 * np.sin(np.arange(STEPS))


def market() -> Market:
    asks = CLOSES + 0.0002
    bars = Bars(np.arange(STEPS) * MINUTE, *(CLOSES,) * 4, *(asks,) * 4, np.ones(STEPS))
    return Market([BarTape("EUR/USD", bars, MINUTE)])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    entries=st.lists(
        st.tuples(st.integers(1, STEPS), st.sampled_from(["buy", "sell"]), st.integers(1, 9)), max_size=12
    ),
    pieces=st.integers(1, STEPS + 5),
)
def test_each_step_is_what_was_booked_up_to_it_however_long_the_pieces_are(
    entries: list[tuple[int, str, int]], pieces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(equity, "_AT_ONCE", pieces)
    booked = [
        Booked(at * MINUTE, "EUR/USD", side, Decimal(units), Decimal("1.1"), Decimal(1000 + number))
        for number, (at, side, units) in enumerate(sorted(entries))
    ]
    curve = equity_curve(market(), Changes.of(booked), 1000.0, "USD", KNOWN)
    for step in range(STEPS):
        before = [one for one in booked if one.time_ns <= (step + 1) * MINUTE]
        assert curve.balance[step] == (float(before[-1].balance) if before else 1000.0)
        held = {side: float(sum(one.units for one in before if one.side == side)) for side in ("buy", "sell")}
        worth = held["buy"] * CLOSES[step], held["sell"] * (CLOSES[step] + 0.0002)
        gain = worth[0] - held["buy"] * 1.1 - (worth[1] - held["sell"] * 1.1)
        assert (curve.long[step], curve.short[step]) == pytest.approx(worth, abs=1e-12)
        assert curve.equity[step] - curve.balance[step] == pytest.approx(gain, abs=1e-9)
