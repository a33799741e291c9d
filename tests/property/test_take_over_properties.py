"""Whatever an old program left behind: its trades become ours when they add up, whole and once, and nothing is sent."""

from __future__ import annotations

import asyncio
import tempfile
from collections import deque
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atrader.orders.model import SIGN, Trade
from atrader.take_over import TakeOver
from tests.support.fault_broker import FaultAdapter, Venue
from tests.support.gateways import GatewayBench

pytestmark = pytest.mark.property

_TRADES = st.lists(
    st.tuples(st.sampled_from([7, 8, 999, 0]), st.sampled_from(["buy", "sell"]), st.integers(1, 5000)), max_size=6
)


def trade(number: int, magic: int, side: str, units: int) -> Trade:
    return Trade.model_validate(
        {
            "trade_id": f"old-{number}-1", "account": "paper", "magic": magic, "instance": f"old-{magic}",
            "instrument": "EUR/USD", "side": side, "units_opened": units, "units": units, "open_time_ns": 1,
            "open_price": "1.1",
        }
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(rows=_TRADES, by_hand=st.integers(-3, 3), dies=st.booleans(), earlier=st.booleans())
def test_a_take_over_is_whole_or_waits_and_the_proof_holds_for_what_is_ours(
    rows: list[tuple[int, str, int]], by_hand: int, dies: bool, earlier: bool
) -> None:
    trades = [trade(number, *row) for number, row in enumerate(rows)]
    net = sum((one.units * SIGN[one.side] for one in trades), Decimal(0))
    venue = Venue(hedging=False, stops=True)
    if earlier:  # the broker's log tells of orders of the old program
        for _ in range(2):
            venue.trade_by_hand("buy", Decimal(100), "foreign")
    if net + by_hand - venue.net.get("EUR/USD", Decimal(0)):
        missing = net + by_hand - venue.net.get("EUR/USD", Decimal(0))
        venue.trade_by_hand("buy" if missing > 0 else "sell", abs(missing), "foreign")
    with tempfile.TemporaryDirectory() as root:
        asyncio.run(_lives(Path(root), venue, trades, by_hand, dies))
    assert not venue.accepted


async def _lives(root: Path, venue: Venue, trades: list[Trade], by_hand: int, dies: bool) -> None:
    bench = GatewayBench(root, lambda _: FaultAdapter(venue, deque()), positions="netting")
    path = bench.home.take_over("paper")
    path.parent.mkdir(parents=True)
    path.write_text(TakeOver(source="a test", trades=tuple(trades)).text())
    await bench.connect()
    if dies:
        await bench.crash()
        await bench.connect()
    await _compare(bench, venue, trades, adds_up=not by_hand)
    if by_hand:
        venue.trade_by_hand("sell" if by_hand > 0 else "buy", Decimal(abs(by_hand)), "foreign")
        await _compare(bench, venue, trades, adds_up=True)
    await bench.stop()
    assert not bench.failures


async def _compare(bench: GatewayBench, venue: Venue, trades: list[Trade], *, adds_up: bool) -> None:
    for _ in range(2):  # the second finds the first one's work done
        assert await bench.gateway.reconciler.run()
    ledger = bench.gateway.book.ledger
    ours = {one.trade_id for one in ledger.open_trades() if one.trade_id.startswith("old-")}
    if not trades:
        return
    assert ours == ({one.trade_id for one in trades} if adds_up else set())
    assert ("EUR/USD" in bench.gateway.reconciler.breaks) == (not adds_up)
    assert ledger.net_units().get("EUR/USD", Decimal(0)) == venue.net.get("EUR/USD", Decimal(0))
