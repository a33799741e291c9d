"""The comparison: (journal, broker's snapshot, broker's reports) -> actions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from atrader.ledger import FOREIGN_MAGIC
from atrader.orders.ids import intent_id_of
from atrader.orders.model import SIGN, Order, Trade
from atrader.orders.states import TERMINAL
from broker_api.adapter import (
    AnyReport,
    BrokerOrder,
    BrokerTrade,
    FillReport,
    NoticeReport,
    OrderReport,
    Snapshot,
    SwapReport,
)
from broker_api.reconcile import policy
from broker_api.reconcile.actions import (
    AccountBreak,
    Action,
    AdoptOrder,
    ApplyReports,
    DropForeignTrade,
    FindOrder,
    MarkForeignTrade,
    NoteProtection,
    Resume,
    TakeTerms,
)
from broker_api.reconcile.policy import ORDERS, TICKETS

ANY_INSTRUMENT: Final = "*"
"""Instrument of a break that concerns the whole account."""

_ZERO: Final = Decimal(0)
_TOLD: Final = dict(policy.TOLD)
_TO_APPLY: Final = frozenset(code for code, case in policy.CASES.items() if "ApplyReports" in case.does)


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
    unseen = [(case, report) for report in told if (case := _news(journal, report)) in _TO_APPLY]
    if not unseen:
        unseen = [(case, report) for report in snapshot.orders if (case := _working(journal, report)) in _TO_APPLY]
    if unseen:
        return [ApplyReports(str(unseen[0][0]), tuple(report for _, report in unseen))]
    actions: list[Action] = [*_orders(journal, snapshot), *_unmentioned(journal, snapshot)]
    actions += _tickets(journal, snapshot) if journal.hedging else ()
    return [*actions, *_net(journal, snapshot, {a.instrument for a in actions if isinstance(a, AccountBreak)})]


def _news(journal: JournalState, report: AnyReport) -> str | None:
    """Return the case of a report; None when it is known, or changes nothing here."""
    if isinstance(report, SwapReport):
        return None if (report.transaction_id, report.part) in journal.swaps else "unseen-report"
    if isinstance(report, NoticeReport):
        return None
    if isinstance(report, FillReport):
        return None if report.fill_id in journal.fills else ORDERS[_row_of(journal, report.client_id)][policy.FILL]
    return ORDERS[_row_of(journal, report.client_id)].get(_TOLD.get(report.state, ""))


def _working(journal: JournalState, report: OrderReport) -> str:
    """Return the case of an order that the snapshot shows."""
    row = ORDERS[_row_of(journal, report.client_id, blind=report.terms is None)]
    order, terms = journal.orders.get(report.client_id), report.terms
    if order is None or terms is None or not _differs(order, terms):
        return row[policy.WORKS]
    changes = (other.intent for other in journal.orders.values() if other.state not in TERMINAL)
    changing = any(item.action == "modify" and item.order_id == order.client_id for item in changes)
    return row[policy.WORKS_IN_HAND if changing else policy.WORKS_OTHERWISE]


def _row_of(journal: JournalState, client_id: str | None, *, blind: bool = False) -> str:
    order = None if client_id is None else journal.orders.get(client_id)
    if order is not None:
        return order.state
    if client_id is None or intent_id_of(client_id) is None:
        return policy.NOBODYS
    return policy.OURS_BLIND if blind else policy.OURS


def _differs(order: Order, terms: BrokerOrder) -> bool:
    """Compare what works there with what is believed; how much of a partly filled order works is told by its fills."""
    units_differ = not order.filled_units and order.units is not None and order.units != terms.units
    return units_differ or (order.intent.price is not None and order.intent.price != terms.price)


def _orders(journal: JournalState, snapshot: Snapshot) -> Iterator[Action]:
    """Go through what the broker works on."""
    for report in snapshot.orders:
        case, order = _working(journal, report), journal.orders.get(report.client_id)
        if case == "order-moved" and report.terms is not None:
            yield TakeTerms(case, report.client_id, report.terms)
        elif case == "stray-order" and report.terms is not None:
            yield AdoptOrder(case, report, report.terms)
        elif case == "stray-blind":
            reason = f"the broker works on order {report.client_id}, which the journal does not know"
            yield AccountBreak(case, ANY_INSTRUMENT, reason)
        elif case == "ended-works" and order is not None:
            reason = f"order {report.client_id} is {order.state} here and works at the broker"
            yield AccountBreak(case, order.intent.instrument, reason)


def _unmentioned(journal: JournalState, snapshot: Snapshot) -> Iterator[Action]:
    """Go through the orders without an outcome that the broker does not show."""
    at_broker = {report.client_id for report in snapshot.orders}
    for client_id, order in journal.orders.items():
        if client_id in at_broker:
            continue
        case = ORDERS[order.state][policy.SILENT_IN_HAND if client_id in journal.in_hand else policy.SILENT]
        if case == "not-sent":
            yield Resume(case, client_id)
        elif case in ("in-flight-absent", "working-gone"):
            yield FindOrder(case, client_id)
        if case == "working-gone":
            reason = f"order {client_id} works here, not at the broker"
            yield AccountBreak(case, order.intent.instrument, reason)


def _tickets(journal: JournalState, snapshot: Snapshot) -> Iterator[Action]:
    known = {trade.broker_trade_id: trade for trade in journal.trades}
    held = {item.broker_trade_id for item in snapshot.trades}
    for item in snapshot.trades:
        trade = known.get(item.broker_trade_id)
        for case in _cases_of(trade, item):
            yield from _ticket_actions(case, trade, item)
    for trade in journal.trades:
        if trade.broker_trade_id in held:
            continue
        case = TICKETS[_trade_row(trade)][policy.ABSENT]
        if case == "foreign-gone":
            yield DropForeignTrade(case, trade.trade_id)
        else:
            reason = f"trade {trade.trade_id} of {trade.units} units is not at the broker"
            yield AccountBreak(case, trade.instrument, reason)


def _trade_row(trade: Trade) -> str:
    return policy.FOREIGN_TRADE if trade.magic == FOREIGN_MAGIC else policy.OWN_TRADE


def _cases_of(trade: Trade | None, item: BrokerTrade) -> Iterator[str]:
    if trade is None:
        ours = item.client_id is not None and intent_id_of(item.client_id) is not None
        yield TICKETS[policy.OUR_TICKET if ours else policy.THEIR_TICKET][policy.SAME]
        return
    row = TICKETS[_trade_row(trade)]
    if (trade.units, trade.side) != (item.units, item.side):
        yield row[policy.OTHER_UNITS]
    here = (trade.stop_loss, trade.take_profit, trade.trailing_distance)
    if here != (item.stop_loss or None, item.take_profit or None, item.trailing_distance or None):
        yield row[policy.OTHER_STOPS]


def _ticket_actions(case: str, trade: Trade | None, item: BrokerTrade) -> Iterator[Action]:
    if case in ("ticket-foreign", "foreign-differs"):
        yield MarkForeignTrade(case, item)
    elif case == "ticket-ours":
        yield FindOrder(case, item.client_id or "")
        reason = f"ticket {item.broker_trade_id} of order {item.client_id} has no fill here"
        yield AccountBreak(case, item.instrument, reason)
    elif case == "units-differ" and trade is not None:
        reason = f"trade {trade.trade_id}: {trade.side} {trade.units} here, {item.side} {item.units} at the broker"
        yield AccountBreak(case, trade.instrument, reason)
    elif case == "protection-moved" and trade is not None:
        yield NoteProtection(case, trade.trade_id, item)


def _net(journal: JournalState, snapshot: Snapshot, broken: set[str]) -> Iterator[Action]:
    """Prove that the trades add up; instruments with a break that says more are left out."""
    virtual: dict[str, Decimal] = {}
    for trade in journal.trades:
        virtual[trade.instrument] = virtual.get(trade.instrument, _ZERO) + trade.units * SIGN[trade.side]
    if journal.hedging:  # foreign tickets are about to be shown, or no longer
        own = {trade.broker_trade_id for trade in journal.trades if trade.magic != FOREIGN_MAGIC}
        for item in snapshot.trades:
            if item.broker_trade_id not in own:
                virtual[item.instrument] = virtual.get(item.instrument, _ZERO) + item.units * SIGN[item.side]
        for trade in journal.trades:
            if trade.magic == FOREIGN_MAGIC:
                virtual[trade.instrument] -= trade.units * SIGN[trade.side]
    for instrument in sorted({*virtual, *snapshot.net_units} - broken):
        here, there = virtual.get(instrument, _ZERO), snapshot.net_units.get(instrument, _ZERO)
        if here != there:
            yield AccountBreak("net-differs", instrument, f"ledger {here}, broker {there}")
