"""Executions into the ledger: whose they are, what they open or close."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, get_args

from atrader.booking import fill_of, protection_of
from atrader.ledger import FOREIGN_MAGIC, average_price
from atrader.netting import split_fill
from atrader.orders.ids import IntentId, intent_id_of
from atrader.orders.model import OPPOSITE, Fill, FillReason, Intent, Order, Trade
from atrader.orders.states import OrderState
from broker_api.adapter import FillReport
from broker_api.gateway.adoption import Adoption
from broker_api.gateway.alerts import Alerts
from broker_api.gateway.book import Book
from broker_api.gateway.day import DayKeeper
from broker_api.gateway.moves import Moves
from broker_api.gateway.publish import Publisher
from broker_api.gateway.valuation import Valuation
from broker_api.journal import Batch, Entry

_ZERO: Final = Decimal(0)
_REASONS: Final = frozenset(get_args(FillReason))

CARRIED: Final = "carried"
"""Key in the journal: what `Valuation.carried` was after the last execution."""


class FillBooking:
    """Books each execution once, in ledger, journal, risk day and balance.

    Attribution: by the client id of our order; else by the ticket; else, when the broker closed out by itself, to our
    trades on the closed side, oldest first; what is left belongs to nobody (magic 0), is shown and never touched.

    Parameters
    ----------
    nets : bool
        Whether the broker holds one net position per instrument. It realises profits at other moments then than our
        trades do; the difference is carried until nothing is open.
    """

    def __init__(
        self,
        book: Book,
        moves: Moves,
        publisher: Publisher,
        valuation: Valuation,
        day: DayKeeper,
        alerts: Alerts,
        adoption: Adoption,
        *,
        nets: bool,
    ) -> None:
        self._book = book
        self._moves = moves
        self._publisher = publisher
        self._valuation = valuation
        self._day = day
        self._alerts = alerts
        self._adoption = adoption
        self._nets = nets
        self._won = _ZERO  # by our trades, with the execution that is being booked
        self._told: Decimal | None = None  # what it brought its ticket, in the broker's words

    def book(self, report: FillReport, batch: Batch) -> None:
        """Book an execution that was not booked before."""
        self._won = _ZERO
        self._told = None if report.broker_trade_id is None else report.profit
        self._attribute(report, batch)
        self._settle(report, batch)

    def _attribute(self, report: FillReport, batch: Batch) -> None:
        entry = self._owner(report, batch)
        if entry is None:
            self._book_ownerless(report, batch)
            return
        order = entry.order
        fill = fill_of(report, self._book.account, order.intent)
        if order.intent.action == "close":
            self._book_close(order, fill, batch)
        else:
            self._book_open(order, fill, report.broker_trade_id, batch)
        self._count(entry, report, batch)

    def _settle(self, report: FillReport, batch: Batch) -> None:
        valuation = self._valuation
        told = self._won if report.profit is None else report.profit
        valuation.balance += told + report.commission
        if self._nets:
            before = valuation.carried
            valuation.carried += self._won - told
            if not self._book.ledger.open_trades():
                valuation.carried = _ZERO  # both realised everything: what is left are rounded cents
            if valuation.carried != before:
                batch.meta(CARRIED, str(valuation.carried))

    def _owner(self, report: FillReport, batch: Batch) -> Entry | None:
        if report.client_id is None:
            return None
        entry = self._book.entry(report.client_id)
        intent_id = intent_id_of(report.client_id) if entry is None else None
        if intent_id is None:
            return entry
        return self._adoption.of_fill(report, intent_id, self._closed_by(report, intent_id), batch)

    def _closed_by(self, report: FillReport, intent_id: IntentId) -> Trade | None:
        if report.broker_trade_id is not None:
            held = self._book.trade_of_ticket(report.broker_trade_id)
            return held if held is not None and held.side != report.side else None
        if intent_id.n > 0:
            return None
        trades = self._book.ledger.open_trades(intent_id.magic, report.instrument)
        return next((trade for trade in trades if trade.side != report.side), None)

    def _book_open(self, order: Order, fill: Fill, broker_trade_id: str | None, batch: Batch) -> None:
        ledger, protection = self._book.ledger, dict[str, Decimal]()
        held = None if broker_trade_id is None else self._book.trade_of_ticket(broker_trade_id)
        if held is not None and (held.magic, held.side) == (fill.magic, fill.side):  # one ticket is one trade
            fill = fill.model_copy(update={"trade_id": held.trade_id})
        begun = ledger.trade(fill.trade_id or order.client_id)
        if begun is not None and begun.magic != fill.magic:  # it was given to another instance meanwhile
            fill = fill.model_copy(update={"magic": begun.magic, "instance": begun.instance})
        if ledger.trade(fill.trade_id or order.client_id) is None:  # a known trade keeps what it was modified to
            protection = self.protection_of(order.intent)
        trade = ledger.apply_open(order, fill, broker_trade_id=broker_trade_id, **protection)
        self._keep(fill.model_copy(update={"trade_id": trade.trade_id}), trade, batch)

    def _book_close(self, order: Order, fill: Fill, batch: Batch) -> None:
        intent = order.intent
        trade = self._book.ledger.trade(intent.trade_id or "")
        reason = intent.reason
        if intent.is_net_stop:
            reason = "trailing-stop" if trade is not None and trade.trailing_distance else "stop-loss"
        if reason in _REASONS and intent.n < 0:
            fill = fill.model_copy(update={"reason": reason})
        rest = fill if trade is None else self._close(trade, fill, reason or None, batch)
        if rest is not None:
            self._alerts.alert(
                "excess-close",
                f"order {order.client_id} closed {rest.units} units more than trade {intent.trade_id} held",
                instrument=fill.instrument,
                magic=intent.magic,
            )
            self._book_foreign(rest, batch)

    def _book_ownerless(self, report: FillReport, batch: Batch) -> None:
        fill = fill_of(report, self._book.account, None)
        rest: Fill | None = fill
        if report.broker_trade_id is not None:
            held = self._book.trade_of_ticket(report.broker_trade_id)
            if held is None or held.side == report.side:
                trade_id = None if held is None else held.trade_id
                fill = fill.model_copy(update={"trade_id": trade_id})
                trade = self._book.ledger.apply_open(None, fill, broker_trade_id=report.broker_trade_id)
                self._keep(fill.model_copy(update={"trade_id": trade.trade_id}), trade, batch)
                return
            rest = self._close(held, fill, None, batch)
        elif report.reason != "foreign" and report.reason != "order":
            for trade in self._holders(report):
                rest = None if rest is None else self._close(trade, rest, None, batch)
        if rest is not None:
            self._book_foreign(rest, batch)

    def _holders(self, report: FillReport) -> list[Trade]:
        """Return who may have been closed by the broker or a person: first whose ticket it was, each oldest first."""
        side = OPPOSITE[report.side]
        held = [item for item in self._book.own_trades() if (item.instrument, item.side) == (report.instrument, side)]
        return sorted(held, key=lambda item: item.magic != report.magic)

    def _close(self, trade: Trade, fill: Fill, reason: str | None, batch: Batch) -> Fill | None:
        """Close what the trade holds with a fill; return the part of the fill that is left over."""
        owner = {"magic": trade.magic, "instance": trade.instance}
        part, rest = split_fill(fill, trade.units)
        booked, after = self._book.ledger.apply_close(
            trade.trade_id,
            part.model_copy(update=owner),
            reason=reason or fill.reason,
            profit=self._told if rest is None and trade.broker_trade_id is not None else None,
        )
        self._keep(booked, after, batch)
        return rest

    def _book_foreign(self, fill: Fill, batch: Batch) -> None:
        fill = fill.model_copy(update={"magic": FOREIGN_MAGIC, "instance": ""})
        for part, trade in self._book.ledger.apply_foreign(fill):
            self._keep(part, trade, batch)

    def _keep(self, fill: Fill, trade: Trade, batch: Batch) -> None:
        batch.fill(fill)
        body = batch.trade(trade, fill.time_ns)
        self._won += fill.profit
        if trade.magic != FOREIGN_MAGIC:
            self._day.fill(fill, batch)
            self._day.closed(trade, batch)
        elif trade.version == 1:  # it began with this execution
            self._alerts.foreign_trade(trade)
        self._publisher.note_trade(trade, body)

    def _count(self, entry: Entry, report: FillReport, batch: Batch) -> None:
        """Bring the order up to date: units, average price, state."""
        order = entry.order
        filled = order.filled_units + report.units
        before = order.average_price or _ZERO
        update: dict[str, Any] = {
            "filled_units": filled,
            "average_price": average_price(order.filled_units, before, report.units, report.price),
            "broker_id": report.broker_id or order.broker_id,
        }
        state = OrderState.FILLED if order.units is None or filled >= order.units else OrderState.PARTIAL
        if state is OrderState.PARTIAL and report.ends_order:
            state, update["reason"] = OrderState.CANCELLED, "rest-dropped"
        if order.state is OrderState.NEW:  # the adapter took back that it was never executed
            self._moves.move(entry, OrderState.SENT, batch)
        if not self._moves.move(entry, state, batch, **update):
            if order.state is not OrderState.PARTIAL:
                self._alerts.count("fill-after-end")
            self._moves.rewrite(entry, batch, **update)

    def protection_of(self, intent: Intent) -> dict[str, Decimal]:
        """Return an intent's protective prices, rounded as the broker gets them."""
        return protection_of(intent, self._valuation.instruments.get(intent.instrument))
