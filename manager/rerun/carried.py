"""What was open when a session began: the balance and the trades of the account, from its history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from atrader.configuration.account import AccountConfig
from atrader.messages.history import HistoryTable, QueryHistory
from atrader.orders.model import Intent, Trade
from atrader.runtime.session_file import Life
from data_layer.offline import HistorySource
from research.events.plan import Begin, Memory

Row = dict[str, Any]

_NEWEST: Final = 20  # rows of one moment may be in any order
_PROTECTION: Final = ("stop_loss", "take_profit", "trailing_distance")


def begin_of(life: Life, instance: str, account: AccountConfig, history: HistorySource, trades: Iterable[Row]) -> Begin:
    """Return where a session went on from."""
    at_ns = life.market_ns
    pending = [Intent.model_validate(one) for one in life.pending]
    return Begin(
        time_ns=at_ns,
        balance=_balance(account, history, at_ns),
        last_id=_last_id(account.name, history, at_ns),
        trades=_carried([row for row in trades if _is_open(row, at_ns)], account.name, history, at_ns),
        memories={instance: Memory(life.n, life.state, pending)},
    )


def _balance(account: AccountConfig, history: HistorySource, at_ns: int) -> Decimal:
    """Return the balance: the last that was recorded, and what was booked since; without its financing."""
    rows = history.query(QueryHistory(table="equity", account=account.name, end_ns=at_ns + 1, limit=1))
    known: Row = rows[-1] if rows else {"balance": account.paper.initial_balance, "time_ns": -1}
    since = QueryHistory(table="fills", account=account.name, start_ns=int(known["time_ns"]) + 1, end_ns=at_ns)
    booked = (Decimal(row["profit"]) + Decimal(row["commission"]) for row in history.query(since))
    return Decimal(known["balance"]) + sum(booked, Decimal(0))


def _last_id(account: str, history: HistorySource, at_ns: int) -> int:
    """Return the highest number that the broker had given, where it counts."""
    tables: tuple[tuple[HistoryTable, str], ...] = (("fills", "fill_id"), ("orders", "broker_id"))
    ids = (
        row[key]
        for table, key in tables
        for row in history.query(QueryHistory(table=table, account=account, end_ns=at_ns, limit=_NEWEST))
    )
    return max((int(one) for one in ids if one and one.isdecimal()), default=0)


def _is_open(row: Row, at_ns: int) -> bool:
    closed_ns = row["close_time_ns"]
    return bool(row["open_time_ns"] < at_ns and (closed_ns is None or closed_ns >= at_ns))


def _carried(rows: Sequence[Row], account: str, history: HistorySource, at_ns: int) -> list[Trade]:
    if not rows:
        return []
    first_ns = min(row["open_time_ns"] for row in rows)
    fills = history.query(QueryHistory(table="fills", account=account, start_ns=at_ns))
    intents = history.query(QueryHistory(table="intents", account=account, start_ns=first_ns, end_ns=at_ns))
    return [_trade(row, _closed_since(row, fills), _protection(row, intents)) for row in rows]


def _closed_since(row: Row, fills: Iterable[Row]) -> Decimal:
    mine = (one for one in fills if one["trade_id"] == row["trade_id"] and one["side"] != row["side"])
    return sum((Decimal(one["units"]) for one in mine), Decimal(0))


def _protection(row: Row, intents: Iterable[Row]) -> dict[str, Decimal | None]:
    """Return what protected a trade then: as it was opened, and as it was changed before; zero removed it."""
    found: dict[str, Decimal | None] = dict.fromkeys(_PROTECTION)
    for intent in intents:
        opens = intent["client_id"] == row["trade_id"]
        if opens or (intent["action"] == "modify" and intent["trade_id"] == row["trade_id"]):
            given = {name: intent[name] for name in _PROTECTION if intent[name] is not None}
            found |= {name: Decimal(value) or None for name, value in given.items()}
    return found


def _trade(row: Row, closed_since: Decimal, protection: dict[str, Decimal | None]) -> Trade:
    return Trade(
        trade_id=row["trade_id"],
        account=row["account"],
        magic=row["magic"],
        instance=row["instance"],
        instrument=row["instrument"],
        side=row["side"],
        units_opened=Decimal(row["units"]),
        units=Decimal(row["units_open"]) + closed_since,
        open_time_ns=row["open_time_ns"],
        open_price=Decimal(row["open_price"]),
        initial_stop=None if row["initial_stop"] is None else Decimal(row["initial_stop"]),
        broker_trade_id=row["broker_trade_id"],
        version=row["version"],
        stop_loss=protection["stop_loss"],
        take_profit=protection["take_profit"],
        trailing_distance=protection["trailing_distance"],
    )
