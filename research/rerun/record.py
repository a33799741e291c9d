"""What an instance decided, and what came of it: the same shape for a recorded session and for one that was run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from atrader.orders.model import Intent
from research.events.result import Result

Row = Mapping[str, Any]
"""A row of the history: money as text, times ns UTC."""

_TEXTS: Final = ("action", "side", "order_type", "trade_id", "order_id")
_NUMBERS: Final = ("units", "risk_frac", "price", "stop_loss", "take_profit", "trailing_distance", "expires_ns")
_REFUSED: Final = frozenset({"DENIED", "REJECTED", "LOST"})


class Told(NamedTuple):
    """A signal."""

    time_ns: int
    bar: str | None
    name: str
    value: float | None
    indicators: dict[str, float | None]


class Wish(NamedTuple):
    """An intent.

    Attributes
    ----------
    values : dict
        What was wanted; numbers are Decimal, what was not given is missing.
    """

    client_id: str
    n: int
    time_ns: int
    bar: str | None
    values: dict[str, Any]


class Outcome(NamedTuple):
    """What became of an order; `is_refused` by the risk rules or the broker."""

    time_ns: int
    state: str
    is_refused: bool
    units: Decimal | None
    price: Decimal | None
    reason: str


class Held(NamedTuple):
    """A trade; without a close it was open at the end."""

    open_ns: int
    open_price: Decimal
    close_ns: int | None
    close_price: Decimal | None
    close_reason: str


class Record(NamedTuple):
    """Everything of one instance in a stretch of time.

    Attributes
    ----------
    told : list of Told
    wishes : list of Wish
        In the order they were made.
    outcomes : dict of str to Outcome
        By client order id.
    trades : dict of str to Held
        By trade id.
    """

    told: list[Told]
    wishes: list[Wish]
    outcomes: dict[str, Outcome]
    trades: dict[str, Held]


def record_of(
    result: Result, instance: str, end_ns: int, *, carried: Collection[str] = (), left: Collection[int] = ()
) -> Record:
    """Return what an instance did in a run, up to a time.

    Parameters
    ----------
    carried : collection of str
        Client ids of orders that worked when the run began.
    left : collection of int
        Numbers of intents that count no more.
    """
    orders = [
        order
        for order in result.orders
        if order.intent.instance == instance and order.intent.n > 0 and order.client_id not in carried
    ]
    trades = [trade for trade in result.trades if trade.instance == instance]
    told = (
        Told(one.time_ns, one.bar, one.name, one.value, dict(one.indicators))
        for one in result.signals
        if one.instance == instance and one.time_ns < end_ns
    )
    return Record(
        sorted(told, key=_place),
        [
            Wish(
                order.client_id,
                order.intent.n,
                order.intent.time_ns,
                _bar(order.intent.decision),
                _wanted(result.first_intents.get(order.client_id, order.intent)),
            )
            for order in orders
            if order.intent.time_ns < end_ns and order.intent.n not in left
        ],
        {
            order.client_id: _outcome(
                order.updated_ns, order.state.value, order.units, order.average_price, order.reason, end_ns
            )
            for order in orders
        },
        {
            trade.trade_id: _held(
                trade.open_time_ns, trade.open_price, trade.close_time_ns, trade.close_price, trade.close_reason, end_ns
            )
            for trade in trades
            if trade.open_time_ns < end_ns
        },
    )


def record_of_rows(
    signals: Iterable[Row], intents: Iterable[Row], orders: Iterable[Row], trades: Iterable[Row], end_ns: int
) -> Record:
    """Return what an instance did, from rows of the history.

    Parameters
    ----------
    signals, intents, orders, trades : iterable of Row
        Of one instance, from the begin of the session on; of the signals those that count.
    end_ns : int
        What came later is left out.
    """
    wishes = [
        Wish(row["client_id"], number_of(row), row["time_ns"], row["bar"], _wanted_of_row(row))
        for row in intents
        if number_of(row) > 0 and row["time_ns"] < end_ns
    ]
    told = (
        Told(row["time_ns"], row["bar"], row["name"], row["value"], dict(row["indicators"] or {})) for row in signals
    )
    return Record(
        sorted(told, key=_place),
        sorted(wishes, key=lambda wish: wish.n),
        {
            row["client_id"]: _outcome(
                row["updated_ns"],
                row["state"],
                _money(row["units"]),
                _money(row["average_price"]),
                row["reason"],
                end_ns,
            )
            for row in orders
        },
        {
            row["trade_id"]: _held(
                row["open_time_ns"],
                Decimal(row["open_price"]),
                row["close_time_ns"],
                _money(row["close_price"]),
                row["close_reason"] or "",
                end_ns,
            )
            for row in trades
            if row["open_time_ns"] < end_ns
        },
    )


def number_of(row: Row) -> int:
    """Return the number of an intent; below zero those of the gateway."""
    return int(str(row["intent_id"]).rpartition(":")[2])


def _place(told: Told) -> tuple[int, str]:
    """Return by what signals are put in order: the history does not keep which of one bar came first."""
    return told.time_ns if told.bar is None else int(told.bar.rpartition("|")[2]), told.name


def _wanted(intent: Intent) -> dict[str, Any]:
    return _present({name: getattr(intent, name) for name in (*_TEXTS, *_NUMBERS)}, intent.action)


def _wanted_of_row(row: Row) -> dict[str, Any]:
    texts = {name: row[name] for name in _TEXTS}
    numbers = {name: None if row[name] is None else Decimal(row[name]) for name in _NUMBERS}
    return _present({**texts, **numbers}, row["action"])


def _present(values: dict[str, Any], action: str) -> dict[str, Any]:
    """Leave out what was not given, and what means nothing for an action."""
    kept = {name: value for name, value in values.items() if value is not None}
    if action != "open":
        kept.pop("order_type", None)
    return kept


def _outcome(
    time_ns: int, state: str, units: Decimal | None, price: Decimal | None, reason: str | None, end_ns: int
) -> Outcome:
    if time_ns >= end_ns:
        return Outcome(time_ns, "later", is_refused=False, units=None, price=None, reason="")
    return Outcome(time_ns, state, state in _REFUSED, units, price, reason or "")


def _held(
    open_ns: int, open_price: Decimal, close_ns: int | None, close_price: Decimal | None, reason: str, end_ns: int
) -> Held:
    if close_ns is None or close_ns >= end_ns:
        return Held(open_ns, open_price, None, None, "")
    return Held(open_ns, open_price, close_ns, close_price, reason)


def _bar(decision: str | None) -> str | None:
    return None if decision is None else decision.partition(":")[0]


def _money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
