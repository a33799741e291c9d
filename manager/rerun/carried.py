"""What was open when a session began: the balance, trades and orders of the account, from its history."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from atrader.configuration.account import AccountConfig
from atrader.history_tables import HistoryTable
from atrader.ledger import average_price
from atrader.messages.history import QueryHistory
from atrader.orders.model import Trade
from data_layer.offline import HistorySource
from manager.rerun.moment import WATCHED, Moment, place_of
from manager.rerun.net_side import NetSide, flat_before, net_side
from manager.rerun.risk_day import recent_intents, risk_day_of
from manager.rerun.sessions import Recorded
from manager.rerun.working import REFUSED, working_before
from research.events.plan import Begin, Memory
from research.rerun.record import number_of

Row = dict[str, Any]

_ASKED_FOR: Final = 1000  # closed trades: more are told to no strategy
_NEWEST: Final = 20  # rows of one moment may be in any order
_PROTECTION: Final = ("stop_loss", "take_profit", "trailing_distance")


def begin_of(
    recorded: Recorded,
    instance: str,
    account: AccountConfig,
    history: HistorySource,
    trailed: Callable[[Trade, int], Trade] = lambda trade, since_ns: trade,
    allowed: frozenset[int] = frozenset(),
) -> Begin:
    """Return where a session went on from.

    Parameters
    ----------
    trailed : callable
        Takes a trade and since when its protection stands, and returns it with the stop where it had come to.
    allowed : frozenset of int
        Magic numbers of those who only want what was allowed then.

    Notes
    -----
    What came about in the moment itself, and what is done again: `Moment`.
    """
    life, at_ns = recorded.life, recorded.life.market_ns

    def before(table: HistoryTable) -> list[Row]:
        return history.query(QueryHistory(table=table, account=account.name, end_ns=at_ns + 1, archived=True))

    orders, fills = before("orders"), before("fills")
    moment = Moment(at_ns, recorded.wanted, orders, fills)
    past = [fill for fill in fills if not moment.is_later(fill)]
    refused = {row["client_id"] for row in orders if row["state"] in REFUSED}
    wanted = before("intents")
    intents = [row for row in wanted if row["client_id"] not in (moment.own | refused)]
    known = _known_balance(account, history, at_ns, {row["time_ns"] for row in fills})
    net = _net_side(account, recorded.trades, past, at_ns, known) if account.positions == "netting" else None
    told = {bar.open_time_ns: (bar.bid, bar.ask) for bar in recorded.seen if bar.bid > 0}
    return Begin(
        time_ns=at_ns,
        balance=_balance(known, past, {} if net is None else net.told),
        last_id=_last_id(orders, past, moment),
        trades=_carried(recorded.trades, history, account.name, moment, intents, trailed),
        orders=working_before(orders, {row["client_id"]: row for row in intents}, past, moment),
        closed=_closed(recorded.trades, moment),
        memories={instance: Memory(life.n, life.state, recorded.pending, life.bar_ns, told)},
        positions=None if net is None else net.positions,
        carried=Decimal(0) if net is None else net.carried,
        own_ids=_own_ids(recorded.intents, at_ns),
        swap_ns=max(known["time_ns"], 0),
        day=risk_day_of(life.risk_day, recorded.trades, fills, moment),
        recent=recent_intents(wanted, moment),
        allowed=allowed,
    )


def _closed(trades: Iterable[Row], moment: Moment) -> list[Trade]:
    """Return the trades that were closed before, as far as a strategy may ask for them."""
    closed = [
        row
        for row in trades
        if row["close_time_ns"] is not None
        and row["close_time_ns"] < moment.at_ns
        and row["trade_id"] not in moment.closed_again
    ]
    newest = sorted(closed, key=lambda row: row["close_time_ns"])[-_ASKED_FOR:]
    return [_trade_of(row) for row in newest]


def _own_ids(intents: Iterable[Row], at_ns: int) -> dict[int, int]:
    """Return the counter of the account's own intents by magic number: it goes on below the first one since then."""
    first: dict[int, int] = {}
    for row in intents:
        number, is_since = number_of(row), row["time_ns"] > at_ns or row["reason"] in WATCHED
        if number < 0 and row["time_ns"] >= at_ns and is_since:
            first[row["magic"]] = max(number, first.get(row["magic"], number))
    return {magic: number + 1 for magic, number in first.items()}


def _net_side(account: AccountConfig, trades: Sequence[Row], past: Iterable[Row], at_ns: int, known: Row) -> NetSide:
    """Return what the broker held and booked, from a moment on before the known balance in which nothing was open."""
    first_ns = flat_before(trades, min(at_ns, known["time_ns"] + 1))
    fills = sorted((fill for fill in past if fill["time_ns"] >= first_ns), key=place_of)
    return net_side(trades, fills, account.currency_digits)


def _balance(known: Row, past: Iterable[Row], told: Mapping[str, Decimal]) -> Decimal:
    """Return a balance that was recorded with what was booked since; financing since is booked by the run."""
    since = (
        told.get(row["fill_id"], Decimal(row["profit"])) + Decimal(row["commission"])
        for row in past
        if row["time_ns"] > known["time_ns"]
    )
    return Decimal(known["balance"]) + sum(since, Decimal(0))


def _known_balance(account: AccountConfig, history: HistorySource, at_ns: int, booked_at: Collection[int]) -> Row:
    """Return the newest balance that was recorded, with its time.

    Whether one was recorded before or after what was booked in the same moment is not known: those are passed over.
    """
    rows = history.query(
        QueryHistory(table="equity", account=account.name, end_ns=at_ns + 1, limit=_NEWEST, archived=True)
    )
    began: Row = {"balance": account.paper.initial_balance, "time_ns": -1}
    return next((row for row in reversed(rows) if row["time_ns"] not in booked_at), rows[-1] if rows else began)


def _last_id(orders: Iterable[Row], past: Iterable[Row], moment: Moment) -> int:
    """Return the highest number that the broker had given, where it counts."""
    ids = [row["fill_id"].partition("/")[0] for row in past]
    ids += [row["broker_id"] for row in orders if row["client_id"] not in moment.own]
    return max((int(one) for one in ids if one and one.isdecimal()), default=0)


def _carried(
    trades: Iterable[Row],
    history: HistorySource,
    account: str,
    moment: Moment,
    intents: Sequence[Row],
    trailed: Callable[[Trade, int], Trade],
) -> list[Trade]:
    at_ns = moment.at_ns
    rows = [
        row
        for row in trades
        if row["open_time_ns"] <= at_ns
        and row["trade_id"] not in moment.own
        and ((row["close_time_ns"] or at_ns) >= at_ns or row["trade_id"] in moment.closed_again)
    ]
    if not rows:
        return []
    first_ns = min(row["open_time_ns"] for row in rows)
    fills = history.query(QueryHistory(table="fills", account=account, start_ns=first_ns, archived=True))
    found = []
    for row in rows:
        mine = [fill for fill in fills if fill["trade_id"] == row["trade_id"]]
        protection, since_ns = _protection(row, intents)
        trade = _trade(row, mine, [fill for fill in mine if moment.is_later(fill)], protection)
        if trade.units > 0:
            found.append(trailed(trade, since_ns))
    return found


def _protection(row: Row, intents: Iterable[Row]) -> tuple[dict[str, Decimal | None], int]:
    """Return what protected a trade then, and since when: as it was opened, and as it was changed; zero removed it."""
    found: dict[str, Decimal | None] = dict.fromkeys(_PROTECTION)
    since_ns = row["open_time_ns"]
    for intent in intents:
        # An order that was changed while it worked has the id of the trade that it opened.
        changes = intent["action"] == "modify" and row["trade_id"] in (intent["trade_id"], intent.get("order_id"))
        if changes or intent["client_id"] == row["trade_id"]:
            given = {name: intent[name] for name in _PROTECTION if intent[name] is not None}
            found |= {name: Decimal(value) or None for name, value in given.items()}
            since_ns = max(since_ns, intent["time_ns"]) if given else since_ns
    return found, since_ns


def _trade(row: Row, fills: Sequence[Row], later: Sequence[Row], protection: dict[str, Decimal | None]) -> Trade:
    """Return a trade as it was before some of its fills."""
    opened_later = _units(fill for fill in later if fill["side"] == row["side"])
    closed_later = _units(fill for fill in later if fill["side"] != row["side"])
    price, units = Decimal(row["open_price"]), Decimal(row["units"]) - opened_later
    if opened_later and units > 0:
        filled = Decimal(0)
        for fill in fills:
            if fill["side"] == row["side"] and fill not in later:
                price = average_price(filled, price, Decimal(fill["units"]), Decimal(fill["price"]))
                filled += Decimal(fill["units"])
    left = Decimal(row["units_open"]) + closed_later - opened_later
    return _trade_of(row).model_copy(
        update={
            **protection, "units_opened": units, "units": left, "open_price": price, "close_time_ns": None,
            "close_price": None, "close_reason": "", "units_closed": units - left, "profit": Decimal(0),
            "commission": Decimal(0), "swap": Decimal(0),
        }
    )  # fmt: skip


def _units(fills: Iterable[Row]) -> Decimal:
    return sum((Decimal(fill["units"]) for fill in fills), Decimal(0))


def _trade_of(row: Row) -> Trade:
    """Return a trade as the history has it."""

    def money(name: str) -> Decimal | None:
        return None if row.get(name) is None else Decimal(row[name])

    return Trade(
        trade_id=row["trade_id"],
        account=row["account"],
        magic=row["magic"],
        instance=row["instance"],
        instrument=row["instrument"],
        side=row["side"],
        units_opened=Decimal(row["units"]),
        units=Decimal(row["units_open"]),
        open_time_ns=row["open_time_ns"],
        open_price=Decimal(row["open_price"]),
        initial_stop=money("initial_stop"),
        initial_risk=money("initial_risk"),
        broker_trade_id=row["broker_trade_id"],
        version=row["version"],
        close_time_ns=row["close_time_ns"],
        close_price=money("close_price"),
        units_closed=Decimal(row["units"]) - Decimal(row["units_open"]),
        profit=money("profit") or Decimal(0),
        commission=money("commission") or Decimal(0),
        swap=money("swap") or Decimal(0),
        close_reason=row["close_reason"] or "",
    )
