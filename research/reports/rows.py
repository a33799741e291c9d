"""Results as columns: of the shape that statistics, tables and files want.

Column by column, since rows as dictionaries take several times as long to make, and files want columns anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, Final, TypeVar

import numpy as np

from atrader.clock import iso_from_ns
from atrader.orders.model import Order, Trade
from atrader.statistics import EquityColumns
from research.events.equity import EquityCurve
from research.events.told import Alert, Signal

Columns = dict[str, Sequence[Any]]
"""Values by key, one for each row; nothing at all without rows."""

T = TypeVar("T")

_PLAIN: Final = {type(None), str, int, float, bool}

EQUITY_POINTS: Final = 10_000
"""Points of an equity curve that statistics and files get at most: each keeps the lowest of its stretch."""


_TRADE: Final[Mapping[str, Callable[[Trade], Any]]] = {
    **{name: attrgetter(name) for name in ("trade_id", "account", "instance", "magic", "instrument")},
    "state": lambda trade: "open" if trade.is_open else "closed",
    "side": attrgetter("side"),
    "units": attrgetter("units_opened"),
    "open_time_ns": attrgetter("open_time_ns"),
    "open_time": lambda trade: iso_from_ns(trade.open_time_ns),
    "open_price": attrgetter("open_price"),
    "close_time_ns": attrgetter("close_time_ns"),
    "close_time": lambda trade: None if trade.close_time_ns is None else iso_from_ns(trade.close_time_ns),
    **{name: attrgetter(name) for name in ("close_price", "initial_stop", "initial_risk", "take_profit")},
    **{name: attrgetter(name) for name in ("profit", "commission", "swap", "close_reason")},
}
"""A trade as the history keeps it."""

_ORDER: Final[Mapping[str, Callable[[Order], Any]]] = {
    "client_id": attrgetter("client_id"),
    **{name: attrgetter(f"intent.{name}") for name in ("instance", "instrument", "action", "side", "order_type")},
    "units": attrgetter("units"),
    **{name: attrgetter(f"intent.{name}") for name in ("price", "stop_loss", "take_profit")},
    "state": attrgetter("state.value"),
    "reason": lambda order: order.reason or order.intent.reason,
    **{name: attrgetter(name) for name in ("average_price", "created_ns", "updated_ns")},
}
"""An order with what was wanted."""

_SIGNAL: Final = ("time_ns", "instance", "name", "value")
_ALERT: Final = ("time_ns", "instance", "kind", "text")


def trade_columns(trades: Iterable[Trade]) -> Columns:
    """Return trades as columns, as the history keeps them."""
    return _columns(_TRADE, list(trades))


def order_columns(orders: Iterable[Order]) -> Columns:
    """Return orders with what was wanted."""
    return _columns(_ORDER, list(orders))


def signal_columns(signals: Iterable[Signal]) -> Columns:
    """Return signals; their indicators are columns of their own, None where a signal has none of that name."""
    every = list(signals)
    told = [signal.indicators for signal in every]
    names = dict.fromkeys(chain.from_iterable(told))
    return {
        **_columns({name: attrgetter(name) for name in _SIGNAL}, every),
        **{f"indicator.{name}": [one.get(name) for one in told] for name in names},
    }


def alert_columns(alerts: Iterable[Alert]) -> Columns:
    """Return alerts."""
    return _columns({name: attrgetter(name) for name in _ALERT}, list(alerts))


def _columns(getters: Mapping[str, Callable[[T], Any]], items: Sequence[T]) -> Columns:
    return {key: list(map(get, items)) for key, get in getters.items()} if items else {}


def equity_points(curve: EquityCurve) -> EquityColumns:
    """Return the equity curve in at most `EQUITY_POINTS` points; a fall within a stretch is never lost."""
    count = len(curve.time_ns)
    stride = -(-count // EQUITY_POINTS)
    if stride == 1:
        kept = np.arange(count)
    else:
        last = count // stride * stride  # where a stretch begins that is not full
        lowest = np.arange(0, last, stride) + curve.equity[:last].reshape(-1, stride).argmin(axis=1)
        rest = [last + int(curve.equity[last:].argmin())] if last < count else []
        kept = np.concatenate([lowest, np.array(rest, np.intp)])  # rising; `numpy.unique` imports masked arrays
        if kept[-1] != count - 1:
            kept = np.append(kept, count - 1)
    return EquityColumns(curve.time_ns[kept], curve.equity[kept], curve.balance[kept])


def equity_columns(points: EquityColumns, account: str) -> Columns:
    """Return an equity curve as the history keeps it."""
    names = ("time_ns", "balance", "equity")
    return {"account": [account] * len(points.time_ns), **{name: getattr(points, name).tolist() for name in names}}


def in_plain(columns: Columns) -> Columns:
    """Return columns that JSON can hold: money as text, so that no digit is lost."""
    return {key: _plain(values) for key, values in columns.items()}


def _plain(values: Sequence[Any]) -> Sequence[Any]:
    if set(map(type, values)) <= _PLAIN:
        return values
    return [value if type(value) in _PLAIN else str(value) for value in values]
