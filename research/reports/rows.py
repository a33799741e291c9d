"""Results as rows: of the shape that statistics, tables and files want."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from atrader.clock import iso_from_ns
from atrader.orders.model import Order, Trade
from atrader.statistics import EquityColumns
from research.events.equity import EquityCurve
from research.events.told import Alert, Signal

Row = dict[str, Any]

EQUITY_POINTS: Final = 10_000
"""Points of an equity curve that statistics and files get at most: each keeps the lowest of its stretch."""


def trade_row(trade: Trade) -> Row:
    """Return a trade as the history keeps it."""
    return {
        "trade_id": trade.trade_id,
        "account": trade.account,
        "instance": trade.instance,
        "magic": trade.magic,
        "instrument": trade.instrument,
        "state": "open" if trade.is_open else "closed",
        "side": trade.side,
        "units": trade.units_opened,
        "open_time_ns": trade.open_time_ns,
        "open_time": iso_from_ns(trade.open_time_ns),
        "open_price": trade.open_price,
        "close_time_ns": trade.close_time_ns,
        "close_time": None if trade.close_time_ns is None else iso_from_ns(trade.close_time_ns),
        "close_price": trade.close_price,
        "initial_stop": trade.initial_stop,
        "initial_risk": trade.initial_risk,
        "profit": trade.profit,
        "commission": trade.commission,
        "swap": trade.swap,
        "close_reason": trade.close_reason,
    }


def order_row(order: Order) -> Row:
    """Return an order with what was wanted."""
    intent = order.intent
    return {
        "client_id": order.client_id,
        "instance": intent.instance,
        "instrument": intent.instrument,
        "action": intent.action,
        "side": intent.side,
        "order_type": intent.order_type,
        "units": order.units,
        "price": intent.price,
        "stop_loss": intent.stop_loss,
        "take_profit": intent.take_profit,
        "state": order.state.value,
        "reason": order.reason or intent.reason,
        "average_price": order.average_price,
        "created_ns": order.created_ns,
        "updated_ns": order.updated_ns,
    }


def signal_row(signal: Signal) -> Row:
    """Return a signal; its indicators are columns of their own."""
    kept = {"time_ns": signal.time_ns, "instance": signal.instance, "name": signal.name, "value": signal.value}
    return {**kept, **{f"indicator.{name}": value for name, value in signal.indicators.items()}}


def alert_row(alert: Alert) -> Row:
    """Return an alert."""
    return {"time_ns": alert.time_ns, "instance": alert.instance, "kind": alert.kind, "text": alert.text}


def equity_points(curve: EquityCurve) -> EquityColumns:
    """Return the equity curve in at most `EQUITY_POINTS` points; a fall within a stretch is never lost."""
    count = len(curve.time_ns)
    stride = -(-count // EQUITY_POINTS)
    kept = np.arange(count)
    if stride > 1:
        last = count // stride * stride  # where a stretch begins that is not full
        lowest = np.arange(0, last, stride) + curve.equity[:last].reshape(-1, stride).argmin(axis=1)
        rest = [last + int(curve.equity[last:].argmin())] if last < count else []
        kept = np.concatenate([lowest, np.array(rest, np.intp)])  # rising; `numpy.unique` imports masked arrays
        if kept[-1] != count - 1:
            kept = np.append(kept, count - 1)
    return EquityColumns(curve.time_ns[kept], curve.equity[kept], curve.balance[kept])


def equity_rows(points: EquityColumns, account: str) -> list[Row]:
    """Return an equity curve as the history keeps it."""
    columns = (column.tolist() for column in (points.time_ns, points.balance, points.equity))
    return [
        {"account": account, "time_ns": time_ns, "balance": balance, "equity": equity}
        for time_ns, balance, equity in zip(*columns, strict=True)
    ]


def in_plain(rows: Iterable[Row]) -> list[Row]:
    """Return rows that JSON can hold: money as text, so that no digit is lost."""
    return [{key: _plain(value) for key, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
