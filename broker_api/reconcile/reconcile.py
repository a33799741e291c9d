"""The comparison: (journal, broker's snapshot, broker's reports) -> actions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from atrader.ledger import FOREIGN_MAGIC
from atrader.orders.ids import intent_id_of
from atrader.orders.model import SIGN, Order, Trade
from atrader.orders.states import LIVE, TERMINAL, OrderState, may_move
from broker_api.adapter import AnyReport, BrokerTrade, FillReport, NoticeReport, OrderReport, Snapshot, SwapReport
from broker_api.reconcile.actions import (
    AccountBreak,
    Action,
    ApplyReports,
    DropForeignTrade,
    FindOrder,
    MarkForeignTrade,
    NoteProtection,
    Resume,
)

ANY_INSTRUMENT: Final = "*"
"""Instrument of a break that concerns the whole account."""

_ZERO: Final = Decimal(0)
_FILL_STATES: Final = frozenset({OrderState.PARTIAL, OrderState.FILLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalState:
    """What the journal believes.

    Attributes
    ----------
    orders : Mapping of str to Order
        By client id: those without an outcome, and all that the broker mentions.
    trades : tuple of Trade
        Open ones, foreign ones included.
    fills : frozenset of str
        Ids of booked fills, of those that the broker mentions.
    swaps : frozenset of (int, int)
        Transaction id and part of booked financing, of those that the broker mentions.
    in_hand : frozenset of str
        Client ids that somebody is sending or looking up right now: nothing is concluded about them.
    hedging : bool
        Whether the broker holds tickets.
    """

    orders: Mapping[str, Order]
    trades: tuple[Trade, ...]
    fills: frozenset[str] = frozenset()
    swaps: frozenset[tuple[int, int]] = frozenset()
    in_hand: frozenset[str] = frozenset()
    hedging: bool = True


def reconcile(journal: JournalState, snapshot: Snapshot, reports: Sequence[AnyReport]) -> list[Action]:
    """Compare journal and broker.

    While reports are missing the only action is to work them in; the rest is compared when both sides had the same
    news. Carried out and compared again, nothing that changes the journal is left: only what is still being looked up
    and what still does not add up comes up again, the same each time.

    Parameters
    ----------
    journal : JournalState
        What we believe.
    snapshot : Snapshot
        The broker's truth at ``snapshot.watermark``.
    reports : sequence of report
        What the broker told since the journal's watermark, in any order; later ones than the snapshot are ignored.

    Returns
    -------
    list of Action
        In the order in which to carry them out.
    """
    told = sorted((r for r in reports if r.transaction_id <= snapshot.watermark), key=lambda r: r.transaction_id)
    unseen = tuple(report for report in told if _is_news(journal, report))
    if unseen:
        return [ApplyReports("unseen-report", unseen)]
    adopted = tuple(report for report in snapshot.orders if _is_adoptable(journal, report))
    if adopted:
        return [ApplyReports("in-flight-works", adopted)]
    actions: list[Action] = [*_orders(journal, snapshot), *_strays(journal, snapshot)]
    actions += _tickets(journal, snapshot) if journal.hedging else ()
    return [*actions, *_net(journal, snapshot, {a.instrument for a in actions if isinstance(a, AccountBreak)})]


def _is_news(journal: JournalState, report: AnyReport) -> bool:
    if isinstance(report, FillReport):
        return report.fill_id not in journal.fills
    if isinstance(report, SwapReport):
        return (report.transaction_id, report.part) not in journal.swaps
    if isinstance(report, NoticeReport):  # changes nothing
        return False
    order = journal.orders.get(report.client_id)
    return order is not None and report.state not in _FILL_STATES and _may_become(order.state, report.state)


def _may_become(now: OrderState, told: OrderState) -> bool:
    return may_move(now, told) or (now is OrderState.NEW and may_move(OrderState.SENT, told))


def _is_adoptable(journal: JournalState, report: OrderReport) -> bool:
    order = journal.orders.get(report.client_id)
    return order is not None and order.state not in LIVE and _may_become(order.state, report.state)


def _orders(journal: JournalState, snapshot: Snapshot) -> Iterator[Action]:
    at_broker = {report.client_id for report in snapshot.orders}
    for client_id, order in journal.orders.items():
        if order.state in TERMINAL or client_id in at_broker or client_id in journal.in_hand:
            continue
        if order.state is OrderState.NEW:
            yield Resume("not-sent", client_id)
        elif order.state in LIVE:
            yield FindOrder("working-gone", client_id)
            reason = f"order {client_id} works here, not at the broker"
            yield AccountBreak("working-gone", order.intent.instrument, reason)
        else:
            yield FindOrder("in-flight-absent", client_id)


def _strays(journal: JournalState, snapshot: Snapshot) -> Iterator[Action]:
    for report in snapshot.orders:
        if report.client_id not in journal.orders and intent_id_of(report.client_id) is not None:
            reason = f"the broker works on order {report.client_id}, which the journal does not know"
            yield AccountBreak("stray-order", ANY_INSTRUMENT, reason)


def _tickets(journal: JournalState, snapshot: Snapshot) -> Iterator[Action]:
    known = {trade.broker_trade_id: trade for trade in journal.trades}
    held = {item.broker_trade_id: item for item in snapshot.trades}
    for item in snapshot.trades:
        trade = known.get(item.broker_trade_id)
        yield from _unknown_ticket(item) if trade is None else _known_ticket(trade, item)
    for trade in journal.trades:
        if trade.broker_trade_id in held:
            continue
        if trade.magic == FOREIGN_MAGIC:
            yield DropForeignTrade("foreign-gone", trade.trade_id)
        else:
            reason = f"trade {trade.trade_id} of {trade.units} units is not at the broker"
            yield AccountBreak("trade-gone", trade.instrument, reason)


def _known_ticket(trade: Trade, item: BrokerTrade) -> Iterator[Action]:
    if (trade.units, trade.side) != (item.units, item.side):
        reason = f"trade {trade.trade_id}: {trade.side} {trade.units} here, {item.side} {item.units} at the broker"
        yield AccountBreak("units-differ", trade.instrument, reason)
    here = (trade.stop_loss, trade.take_profit, trade.trailing_distance)
    if here != (item.stop_loss or None, item.take_profit or None, item.trailing_distance or None):
        yield NoteProtection("protection-moved", trade.trade_id, item)


def _unknown_ticket(item: BrokerTrade) -> Iterator[Action]:
    if item.client_id is None or intent_id_of(item.client_id) is None:
        yield MarkForeignTrade("ticket-foreign", item)
        return
    yield FindOrder("ticket-ours", item.client_id)
    reason = f"ticket {item.broker_trade_id} of order {item.client_id} has no fill here"
    yield AccountBreak("ticket-ours", item.instrument, reason)


def _net(journal: JournalState, snapshot: Snapshot, broken: set[str]) -> Iterator[Action]:
    """Prove that the trades add up; instruments with a break that says more are left out."""
    virtual: dict[str, Decimal] = {}
    for trade in journal.trades:
        virtual[trade.instrument] = virtual.get(trade.instrument, _ZERO) + trade.units * SIGN[trade.side]
    if journal.hedging:  # foreign tickets are about to be shown, or no longer
        known = {trade.broker_trade_id for trade in journal.trades}
        held = {item.broker_trade_id for item in snapshot.trades}
        for item in snapshot.trades:
            if item.broker_trade_id not in known:
                virtual[item.instrument] = virtual.get(item.instrument, _ZERO) + item.units * SIGN[item.side]
        for trade in journal.trades:
            if trade.broker_trade_id not in held and trade.magic == FOREIGN_MAGIC:
                virtual[trade.instrument] -= trade.units * SIGN[trade.side]
    for instrument in sorted({*virtual, *snapshot.net_units} - broken):
        here, there = virtual.get(instrument, _ZERO), snapshot.net_units.get(instrument, _ZERO)
        if here != there:
            yield AccountBreak("net-differs", instrument, f"ledger {here}, broker {there}")
