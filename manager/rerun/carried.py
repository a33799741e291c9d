"""What was open when a session began: the balance and the trades of the account, from its history."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from atrader.configuration.account import AccountConfig
from atrader.messages.history import QueryHistory
from atrader.orders.model import Trade
from data_layer.offline import HistorySource
from manager.rerun.net_side import NetSide, flat_before, net_side, place_of
from manager.rerun.sessions import Recorded
from research.events.plan import Begin, Memory
from research.rerun.record import number_of

Row = dict[str, Any]

_NEWEST: Final = 20  # rows of one moment may be in any order
_WATCHED: Final = frozenset(("stop-loss", "take-profit", "trailing-stop"))  # closed as a quote came
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
    known, fills = _balance_before(account, history, at_ns)
    booked = [fill for fill in fills if not _is_later(fill, at_ns, own)]
    net = _net_side(account, history, recorded.trades, at_ns, own, known) if account.positions == "netting" else None
    return Begin(
        time_ns=at_ns,
        balance=_balance(known, booked, {} if net is None else net.told),
        last_id=_last_id(account.name, history, at_ns, own),
        trades=_carried(held, account.name, history, at_ns, own),
        memories={instance: Memory(life.n, life.state, recorded.pending, life.bar_ns)},
        positions=None if net is None else net.positions,
        carried=Decimal(0) if net is None else net.carried,
        own_ids=_own_ids(recorded.intents, at_ns),
    )


def _is_later(fill: Row, at_ns: int, own: Collection[str]) -> bool:
    """Tell whether a fill is of the session and not of before."""
    is_of_next_quote = fill["time_ns"] == at_ns and (fill["client_id"] is None or fill["reason"] in _WATCHED)
    return fill["time_ns"] > at_ns or fill["client_id"] in own or is_of_next_quote


def _own_ids(intents: Iterable[Row], at_ns: int) -> dict[int, int]:
    """Return the counter of the account's own intents by magic number: it goes on below the first one since then."""
    first: dict[int, int] = {}
    for row in intents:
        number, is_since = number_of(row), row["time_ns"] > at_ns or row["reason"] in _WATCHED
        if number < 0 and row["time_ns"] >= at_ns and is_since:
            first[row["magic"]] = max(number, first.get(row["magic"], number))
    return {magic: number + 1 for magic, number in first.items()}


def _net_side(
    account: AccountConfig,
    history: HistorySource,
    trades: Sequence[Row],
    at_ns: int,
    own: Collection[str],
    known: Row,
) -> NetSide:
    """Return what the broker held and booked, from a moment on before the known balance in which nothing was open."""
    first_ns = flat_before(trades, min(at_ns, known["time_ns"] + 1))
    query = QueryHistory(table="fills", account=account.name, start_ns=first_ns, end_ns=at_ns + 1, archived=True)
    fills = sorted(history.query(query), key=place_of)
    return net_side(trades, [fill for fill in fills if not _is_later(fill, at_ns, own)], account.currency_digits)


def _balance(known: Row, booked: Iterable[Row], told: Mapping[str, Decimal]) -> Decimal:
    """Return a balance that was recorded with what was booked since; without its financing."""
    since = (
        told.get(row["fill_id"], Decimal(row["profit"])) + Decimal(row["commission"])
        for row in booked
        if row["time_ns"] > known["time_ns"]
    )
    return Decimal(known["balance"]) + sum(since, Decimal(0))


def _balance_before(account: AccountConfig, history: HistorySource, at_ns: int) -> tuple[Row, list[Row]]:
    """Return the newest balance that was recorded, with its time, and the fills since.

    Whether one was recorded before or after what was booked in the same moment is not known: those are passed over.
    """
    rows = history.query(QueryHistory(table="equity", account=account.name, end_ns=at_ns + 1, limit=_NEWEST))
    began: Row = {"balance": account.paper.initial_balance, "time_ns": -1}
    first_ns = int(rows[0]["time_ns"]) if rows else 0
    fills = history.query(QueryHistory(table="fills", account=account.name, start_ns=first_ns, end_ns=at_ns + 1))
    booked_at = {row["time_ns"] for row in fills}
    known = next((row for row in reversed(rows) if row["time_ns"] not in booked_at), rows[-1] if rows else began)
    return known, fills


def _last_id(account: str, history: HistorySource, at_ns: int, own: Collection[str]) -> int:
    """Return the highest number that the broker had given, where it counts."""
    fills = history.query(QueryHistory(table="fills", account=account, end_ns=at_ns + 1, limit=_NEWEST))
    orders = history.query(QueryHistory(table="orders", account=account, end_ns=at_ns + 1, limit=_NEWEST))
    later = {*own, *(row["client_id"] for row in fills if _is_later(row, at_ns, own))}
    ids = [row["fill_id"].partition("/")[0] for row in fills if not _is_later(row, at_ns, own)]
    ids += [row["broker_id"] for row in orders if row["client_id"] not in later]
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
