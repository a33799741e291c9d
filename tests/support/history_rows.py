"""Rows of the history as outboxes bring them, for tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from atrader.messages.gateway import OutboxRow
from atrader.orders.model import Fill, Intent, Order, Trade
from atrader.orders.states import OrderState

DAY = 10**9
"""Later than all times that the rows below have by themselves, ns."""


def order(n: int, version: int = 1, state: OrderState = OrderState.SENT, **changes: Any) -> dict[str, object]:
    """Return a version of an order with its intent."""
    intent = Intent(
        magic=changes.pop("magic", 7),
        n=n,
        instance=changes.pop("instance", "demo"),
        instrument=changes.pop("instrument", "EUR/USD"),
        action="open",
        time_ns=n,
        side="buy",
        units=Decimal("1000.50"),
        decision="1m|60:buy:1",
    )
    made = Order(
        client_id=intent.client_id, intent=intent, state=state, created_ns=n, updated_ns=n + version, version=version
    )
    return made.model_dump(mode="json") | {"account": "paper"}


def trade(number: int, version: int = 1, *, units: str = "1000", **changes: Any) -> dict[str, object]:
    """Return a version of a trade."""
    made = Trade(
        trade_id=f"t{number}",
        account="paper",
        magic=7,
        instance="demo",
        instrument="EUR/USD",
        side="buy",
        units_opened=Decimal(1000),
        units=Decimal(units),
        open_time_ns=number,
        open_price=Decimal("1.10000"),
        version=version,
        **changes,
    )
    return made.model_dump(mode="json")


def fill(number: int, trade_id: str | None = "t1") -> dict[str, object]:
    """Return a fill."""
    made = Fill(
        fill_id=f"f{number}",
        account="paper",
        magic=7,
        instance="demo",
        instrument="EUR/USD",
        side="buy",
        units=Decimal(1000),
        price=Decimal("1.10010"),
        time_ns=number,
        trade_id=trade_id,
    )
    return made.model_dump(mode="json")


def rows(*items: tuple[str, dict[str, object]], first: int = 1) -> list[OutboxRow]:
    """Number rows (table, body) from `first` on."""
    return [
        OutboxRow(seq=seq, table=table, time_ns=seq, body=body)  # type: ignore[arg-type]
        for seq, (table, body) in enumerate(items, first)
    ]


def signal(**changes: Any) -> dict[str, object]:
    """Return a signal."""
    whose = {"instance": "demo", "magic": 7, "account": "paper", "instrument": "EUR/USD", "timeframe": "1m"}
    made = {"name": "cross", "value": 1.5, "indicators": {"fast": 1.1}, "bar": "1m|60", "number": 1}
    return {**whose, **made, **changes}


def closed_trade(number: int, close_ns: int) -> list[tuple[str, dict[str, object]]]:
    """Give everything that belongs to a trade: signal, opening order, fill, trade."""
    opened = order(number, 2, OrderState.FILLED)
    opened["intent"] = {**opened["intent"], "decision": f"1m|{number}:buy:1"}  # type: ignore[dict-item]
    held = trade(number, 2, units="0", close_time_ns=close_ns)
    booked = fill(number, f"t{number}")
    return [
        ("signals", signal(bar=f"1m|{number}", time_ns=number)),
        ("orders", opened),
        ("fills", {**booked, "client_id": opened["client_id"]}),
        ("trades", held),
    ]


def still_open(number: int) -> list[tuple[str, dict[str, object]]]:
    """Give the same with a trade that is open."""
    return [*closed_trade(number, 5)[:-1], ("trades", trade(number))]
