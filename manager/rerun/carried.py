"""What was open when a session began: the balance and the trades of the account, from its history."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from atrader.configuration.account import AccountConfig
from atrader.messages.history import QueryHistory
from atrader.orders.model import Trade
from data_layer.offline import HistorySource
from manager.rerun.sessions import Recorded
from research.events.plan import Begin, Memory

Row = dict[str, Any]

_NEWEST: Final = 20  # rows of one moment may be in any order
_PROTECTION: Final = ("stop_loss", "take_profit", "trailing_distance")


def begin_of(recorded: Recorded, instance: str, account: AccountConfig, history: HistorySource) -> Begin:
    """Return where a session went on from.

    In the moment in which its life began, what the instance did in that life is not carried but done again, and so are
    stops that the account reached: they are of the quotes that came next. All else of that moment had come about.
    """
    life, at_ns = recorded.life, recorded.life.market_ns
    own = {row["client_id"] for row in recorded.wanted}
    closed_again = {row["trade_id"] for row in recorded.wanted if row["action"] == "close" and row["time_ns"] <= at_ns}
    held = [
        row
        for row in recorded.trades
        if row["open_time_ns"] <= at_ns
        and row["trade_id"] not in own
        and ((row["close_time_ns"] or at_ns) >= at_ns or row["trade_id"] in closed_again)
    ]
    return Begin(
        time_ns=at_ns,
        balance=_balance(account, history, at_ns, own),
        last_id=_last_id(account.name, history, at_ns, own),
        trades=_carried(held, account.name, history, at_ns, own),
        memories={instance: Memory(life.n, life.state, recorded.pending, life.bar_ns)},
    )


def _is_later(fill: Row, at_ns: int, own: Collection[str]) -> bool:
    """Tell whether a fill is of the session and not of before."""
    is_of_next_quote = fill["time_ns"] == at_ns and fill["client_id"] is None
    return fill["time_ns"] > at_ns or fill["client_id"] in own or is_of_next_quote


def _balance(account: AccountConfig, history: HistorySource, at_ns: int, own: Collection[str]) -> Decimal:
    """Return the balance: one that was recorded, and what was booked since; without its financing.

    Whether one was recorded before or after what was booked in the same moment is not known: those are passed over.
    """
    rows = history.query(QueryHistory(table="equity", account=account.name, end_ns=at_ns + 1, limit=_NEWEST))
    began: Row = {"balance": account.paper.initial_balance, "time_ns": -1}
    first_ns = int(rows[0]["time_ns"]) if rows else 0
    fills = history.query(QueryHistory(table="fills", account=account.name, start_ns=first_ns, end_ns=at_ns + 1))
    booked_at = {row["time_ns"] for row in fills}
    known = next((row for row in reversed(rows) if row["time_ns"] not in booked_at), rows[-1] if rows else began)
    booked = (
        Decimal(row["profit"]) + Decimal(row["commission"])
        for row in fills
        if row["time_ns"] > known["time_ns"] and not _is_later(row, at_ns, own)
    )
    return Decimal(known["balance"]) + sum(booked, Decimal(0))


def _last_id(account: str, history: HistorySource, at_ns: int, own: Collection[str]) -> int:
    """Return the highest number that the broker had given, where it counts."""
    fills = history.query(QueryHistory(table="fills", account=account, end_ns=at_ns + 1, limit=_NEWEST))
    orders = history.query(QueryHistory(table="orders", account=account, end_ns=at_ns + 1, limit=_NEWEST))
    ids = [row["fill_id"] for row in fills if not _is_later(row, at_ns, own)]
    ids += [row["broker_id"] for row in orders if row["client_id"] not in own]
    return max((int(one) for one in ids if one and one.isdecimal()), default=0)


def _carried(
    rows: Sequence[Row], account: str, history: HistorySource, at_ns: int, own: Collection[str]
) -> list[Trade]:
    if not rows:
        return []
    first_ns = min(row["open_time_ns"] for row in rows)
    fills = history.query(QueryHistory(table="fills", account=account, start_ns=first_ns))
    later = [fill for fill in fills if _is_later(fill, at_ns, own)]
    intents = history.query(QueryHistory(table="intents", account=account, start_ns=first_ns, end_ns=at_ns + 1))
    before = [intent for intent in intents if intent["client_id"] not in own]
    found = (_trade(row, _closed_by(row, later), _protection(row, before)) for row in rows)
    return [trade for trade in found if trade.units]


def _closed_by(row: Row, fills: Iterable[Row]) -> Decimal:
    """Return how many units of a trade fills closed."""
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
