"""Every built-in strategy, some otherwise set, and one that wants everything at once, on accounts that answer late,
refuse by chance and net: the event engine has the same orders, fills and trades, to digit and nanosecond."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.books import check_books
from tests.support.direct_run import gist, gist_of_row
from tests.support.every_strategy import (
    COSTS,
    NAMES,
    STORED,
    again_of,
    fills_of,
    fills_of_rows,
    instance_text,
    orders_of,
    orders_of_rows,
    play_all,
)
from tests.support.fleet import Fleet
from tests.support.replays import write_bars

MakeFleet = Callable[[str], Fleet]
START = "2013-02-07T12:00:00Z"
RESTLESS = '''
from decimal import Decimal
from random import Random

from atrader.strategy import BaseParameters, EventStrategy


class Lot(BaseParameters):
    lot: int


class Restless(EventStrategy):
    """Orders of every kind, as the bar's number says."""

    Parameters = Lot

    def on_bar(self, bar):
        chance, context = Random(f"{self.parameters.lot} {bar.open_time_ns}"), self.context
        price, far = Decimal(repr(bar.close)), lambda: Decimal(chance.randint(20, 200)).scaleb(-3)
        trades, orders = context.trades(), [one for one in context.orders() if one.intent.action == "open"]
        kind = chance.choice(["market", "limit", "stop", "limit", "stop", "close", "part", "trail", "cancel", "move"])
        if kind in ("market", "limit", "stop"):
            side = chance.choice(["buy", "sell"])
            up = 1 if side == "buy" else -1
            entry = price if kind == "market" else price + far() * (up if kind == "stop" else -up)
            context.order(
                side,
                units=Decimal(chance.randint(1, 9000)),
                order_type=kind,
                price=None if kind == "market" else entry,
                stop_loss=entry - up * far() if chance.random() < 0.7 else None,
                take_profit=entry + up * far() if chance.random() < 0.7 else None,
                trailing_distance=far() if chance.random() < 0.3 else None,
                expires_ns=context.now_ns() + chance.randint(1, 9) * 600_000_000_000 if chance.random() < 0.3 else None,
            )
        elif kind in ("close", "part") and trades:
            context.close(trades[0].trade_id, units=None if kind == "close" else Decimal(chance.randint(1, 900)))
        elif kind == "trail" and trades:
            trade = trades[-1]
            up = 1 if trade.side == "buy" else -1
            context.modify(trade.trade_id, stop_loss=price - up * far(), trailing_distance=far())
        elif kind == "cancel" and orders:
            context.cancel(orders[0].client_id)
        elif kind == "move" and orders:
            context.modify_order(orders[0].client_id, price=price + far() * chance.choice([1, -1]))
'''
PARTS = {"atr_period": 5, "lookback": 3}
TEXTS = {
    **{name: instance_text(name, magic) for magic, name in enumerate(NAMES, start=1)},
    "parts": instance_text(
        "bracket", 101, **PARTS, stop_atr=0.5, trail_atr=0.6, targets_r=[0.5, 1.0], fractions=[0.4, 0.3]
    ),
    "parts-late": instance_text(
        "bracket", 102, **PARTS, stop_atr=0.4, trail_atr=0.3, targets_r=[0.3, 0.6, 1.2], fractions=[0.3, 0.3, 0.3],
        break_even_after=2,
    ),
    "trend-target": instance_text("trend", 103, trail_bars=3, trail_atr=0.5, target_atr=1.0, stop_atr=1.0),
    "rsi-target": instance_text("rsi", 104, target_atr=0.5, stop_atr=0.7, direction="long"),
    "bands": instance_text("bollinger", 105, band_period=5, deviations=1.0, target_atr=0.6, stop_atr=0.5),
    "fixed": instance_text("sma-cross", 106, risk_frac=None, units="25000", stop_atr=0.5, target_atr=0.8),
    "filtered": instance_text(
        "breakout", 107, entry_bars=4, exit_bars=3, direction="short",
        filters=[{"kind": "momentum", "period": 3}, {"kind": "regime", "adx_period": 4, "threshold": 20.0}],
    ),
    **{f"restless-{n}": instance_text("restless.py:Restless", 200 + n, lot=n) for n in (1, 2, 3)},
}  # fmt: skip


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give half-hour bars."""
    path = tmp_path_factory.mktemp("market") / "usdjpy.csv"
    write_bars(path, first=STORED)
    return path


def test_over_a_weekend_in_which_the_clocks_of_new_york_change_it_is_the_same(
    make_fleet: MakeFleet, tmp_path: Path
) -> None:
    """By UTC sessions begin an hour earlier on Monday; a day has 23 hours; financing of three days is booked."""
    path, fleet = tmp_path / "usdjpy.csv", make_fleet("clocks")
    write_bars(path, first="2013-01-07", end="2013-03-12")
    texts = {name: TEXTS[name] for name in (*NAMES, "parts", "bands")}
    texts["all-night"] = instance_text("overnight-range", 300, atr_days=5, flat_at="17:30", stop_frac=2.0)
    play_all(fleet, texts, path, start="2013-03-08T12:00:00Z")
    again, rows = again_of(fleet, "2013-03-08T12:00:00Z"), fleet.history("trades")
    for name in ("morning-range", "overnight-range", "all-night"):
        days = {row["open_time"][:10] for row in rows if row["instance"] == name}
        assert days >= {"2013-03-08", "2013-03-11"}, name
    assert any(row["open_time"] < "2013-03-10" < (row["close_time"] or "9") for row in rows), "one was held over it"
    assert any(row["swap"] not in (None, "0", "0.00") for row in rows)
    assert orders_of_rows(fleet.history("orders")) == orders_of(again)
    assert fills_of_rows(fleet.history("fills")) == fills_of(again)
    assert sorted(map(gist_of_row, rows), key=str) == sorted(map(gist, again.trades), key=str)


@pytest.mark.parametrize(
    ("positions", "more"),
    [
        ("hedging", "latency = '11m'\nreject_share = 0.2\n"),
        ("hedging", "latency = '45m'\n"),
        ("netting", ""),
        ("netting", "latency = '45m'\nreject_share = 0.2\n"),
    ],
)
def test_orders_fills_and_trades_are_those_of_the_event_engine(
    make_fleet: MakeFleet, bars: Path, positions: str, more: str
) -> None:
    fleet = make_fleet("accounts")
    play_all(fleet, TEXTS, bars, costs=COSTS + more, positions=positions, start=START, files={"restless.py": RESTLESS})
    if positions == "hedging":  # what nets has realised something else than the trades while some are open
        check_books(fleet)
    again, rows = again_of(fleet, START), fleet.history("trades")
    assert len(rows) > 50
    assert orders_of_rows(fleet.history("orders")) == orders_of(again)
    assert fills_of_rows(fleet.history("fills")) == fills_of(again)
    assert sorted(map(gist_of_row, rows), key=str) == sorted(map(gist, again.trades), key=str)
