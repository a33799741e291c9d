"""Reports of the broker side become facts: orders move, fills open and close trades, each tells its instance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

from atrader.booking import fill_of, protection_of
from atrader.fast_models import changed
from atrader.ledger import FOREIGN_MAGIC, average_price
from atrader.netting import shares_of, split_fill
from atrader.orders.broker import AnyReport, FillReport, OrderReport, SwapReport
from atrader.orders.model import Fill, FillReason, Intent, Order, Trade
from atrader.orders.states import OrderState, may_move
from atrader.paper.state import Ticket
from research.events.equity import Booked

if TYPE_CHECKING:
    from research.events.account import Account

_ZERO: Final = Decimal(0)
_WATCHED: Final[dict[str, FillReason]] = {reason: reason for reason in get_args(FillReason)}
_booked: Final = partial(tuple.__new__, Booked)  # without the cost of its constructor
_FILLS: Final = frozenset({OrderState.PARTIAL, OrderState.FILLED})


class News(NamedTuple):
    """What an instance was not told of yet, oldest first."""

    orders: list[Order]
    trades: list[Trade]


_news: Final = partial(tuple.__new__, News)


class Booking:
    """Books into an account.

    Parameters
    ----------
    account : Account
        Whose orders, ledger, balance and risk day change.

    Attributes
    ----------
    news : dict of str to News
        By instance.
    closed : list of Trade
        In the order they were closed.
    fills : list of Fill
        Every execution.
    changes : list of Booked
        What was held, from one change to the next.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._tickets: dict[str, str] = {}  # open trade by ticket
        self.news: dict[str, News] = {}
        self.closed: list[Trade] = []
        self._closed_of: dict[int, list[Trade]] = {}
        self.fills: list[Fill] = []
        self.changes: list[Booked] = []

    def news_of(self, instance: str) -> News:
        """Return what an instance was not told of, to be added to."""
        found = self.news.get(instance)
        if found is None:
            found = self.news[instance] = _news(([], []))
        return found

    def carry(self, trades: Sequence[Trade], closed: Iterable[Trade] = ()) -> None:
        """Know the tickets of trades that were opened before, and what was closed."""
        self._tickets = {trade.broker_trade_id or trade.trade_id: trade.trade_id for trade in trades}
        for trade in closed:
            self._closed_of.setdefault(trade.magic, []).append(trade)

    def apply(self, reports: Sequence[AnyReport]) -> None:
        """Work reports in, in their order."""
        for report in reports:
            if isinstance(report, FillReport):
                self._fill(report)
            elif isinstance(report, OrderReport):
                self._state(report)
            elif isinstance(report, SwapReport):
                self._swap(report)

    def book_opened(self, order: Order, fill: Fill, ticket: str, stop: Decimal | None, target: Decimal | None) -> None:
        """Book the fill of a plain order that opened a trade."""
        ledger = self._account.ledger
        trade = ledger.apply_open(order, fill, broker_trade_id=ticket, stop_loss=stop, take_profit=target)
        self._tickets[ticket] = trade.trade_id
        self._account.valuation.balance += _ZERO + fill.commission
        self._settle(fill, trade, fill.units, fill.price)
        self._end(order)

    def book_closed(self, fill: Fill, before: Trade, order: Order | None = None) -> None:
        """Book the fill of a plain order or exit that closed a trade, or a part of it; its profit is known."""
        reason, profit = None if order is None else order.intent.reason or None, fill.profit
        _, trade = self._account.ledger.apply_close(before.trade_id, fill, reason=reason, profit=profit)
        self._note_closed(trade)
        self._account.valuation.balance += (profit or _ZERO) + fill.commission
        self._settle(fill, trade, -fill.units, before.open_price)
        if order is not None:
            self._end(order)

    def trade_of(self, ticket: Ticket) -> Trade | None:
        """Return the open trade that a ticket is."""
        return self._account.ledger.trade(self._tickets.get(ticket.ticket_id, ""))

    def _end(self, order: Order) -> None:
        """Keep an order that nobody saw before its end; who wanted it gets it from `Account.submit`."""
        self._account.orders[order.client_id] = order

    def move(self, order: Order, state: OrderState, **update: Any) -> None:
        """Move an order as the table of states allows, and tell of it."""
        if may_move(order.state, state):
            self._rewrite(order, state=state, **update)

    def closed_of(self, magic: int) -> list[Trade]:
        """Return the closed trades of an instance, in the order they were closed."""
        return self._closed_of.get(magic, [])

    def trailed(self) -> dict[str, Decimal]:
        """Return the stops that trailed at the broker and are other ones in the ledger, by trade."""
        found: dict[str, Decimal] = {}
        for ticket_id, ticket in self._account.engine.state.tickets.items():
            if ticket.trailing_distance:
                trade = self._account.ledger.trade(self._tickets[ticket_id])
                if trade is not None and ticket.stop_loss != trade.stop_loss:
                    found[trade.trade_id] = ticket.stop_loss or _ZERO
        return found

    def note_stops(self) -> None:
        """Take over the stops that trailed."""
        for trade_id, stop in self.trailed().items():
            self.protect(trade_id, {"stop_loss": stop})

    def _rewrite(self, order: Order, **update: Any) -> None:
        update["updated_ns"] = max(order.updated_ns, self._account.now_ns)
        update["version"] = order.version + 1
        after = changed(order, **update)
        self._account.keep(after)
        self.news_of(order.intent.instance).orders.append(after)

    def _state(self, report: OrderReport) -> None:
        order = self._account.orders[report.client_id]
        if report.state is order.state or report.state in _FILLS:
            return
        self.move(order, report.state, reason=report.reason or order.reason, broker_id=report.broker_id)
        if report.state is OrderState.DONE:
            self.carry_out(order.intent)

    def carry_out(self, intent: Intent) -> None:
        """Bring trade or order in line with a modification that is done."""
        if intent.action != "modify":
            return
        protection = self._protection_of(intent)
        if intent.trade_id is not None:
            self.protect(intent.trade_id, protection)
            return
        order = self._account.orders[intent.order_id or ""]
        changes: dict[str, object] = {name: value or None for name, value in protection.items()}
        if intent.price is not None:
            changes["price"] = intent.price
        self._account.first_intents.setdefault(order.client_id, order.intent)
        self._rewrite(order, intent=changed(order.intent, **changes))

    def protect(self, trade_id: str, protection: dict[str, Decimal]) -> None:
        """Note a trade's protection as it is now, and tell of it."""
        before = self._account.ledger.trade(trade_id)
        if before is None:
            return
        after = self._account.ledger.protect(trade_id, **protection)
        if after is not before:
            self.news_of(after.instance).trades.append(after)

    def _fill(self, report: FillReport) -> None:
        account = self._account
        order = None if report.client_id is None else account.orders[report.client_id]
        told = report.profit or _ZERO
        account.valuation.balance += told + report.commission
        account.valuation.carried -= told if account.nets else _ZERO
        if order is not None and order.intent.action == "open":
            self._open(order, report)
        else:
            self._close(order, report)
        if account.nets:
            self._end_net_fill()
        if order is not None:
            self._count_fill(order, report)

    def _open(self, order: Order, report: FillReport) -> None:
        ledger, intent, ticket = self._account.ledger, order.intent, report.broker_trade_id
        trade_id = None if ticket is None else self._tickets.get(ticket)
        fill = self._fill_of(report, intent, trade_id or ledger.opened_by(order, report.fill_id))
        protection = self._protection_of(intent) if ledger.trade(fill.trade_id or "") is None else {}
        trade = ledger.apply_open(order, fill, broker_trade_id=ticket, **protection)
        if ticket is not None:
            self._tickets[ticket] = trade.trade_id
        self._settle(fill, trade, fill.units, fill.price)

    def _close(self, order: Order | None, report: FillReport) -> None:
        reason = None if order is None else order.intent.reason or None
        rest: Fill | None = self._fill_of(report, None if order is None else order.intent, None)
        for before in self._closed_by(order, report):
            if rest is not None:
                if (rest.magic, rest.instance) != (before.magic, before.instance):
                    rest = changed(rest, magic=before.magic, instance=before.instance)
                part, rest = split_fill(rest, before.units)
                booked, trade = self._account.ledger.apply_close(before.trade_id, part, reason=reason)
                self._note_closed(trade)
                self._settle(booked, trade, -part.units, before.open_price)
        if rest is not None:
            self._book_foreign(rest)

    def _closed_by(self, order: Order | None, report: FillReport) -> Sequence[Trade]:
        """Return whose units a fill closes: of its ticket, of its order; of a net position of anybody, oldest first."""
        ledger = self._account.ledger
        if report.broker_trade_id is not None or order is not None:
            trade_id = order.intent.trade_id if order is not None else self._tickets[report.broker_trade_id or ""]
            trade = ledger.trade(trade_id or "")
            return () if trade is None else (trade,)
        held = ledger.open_trades(instrument=report.instrument)
        return [trade for trade in held if trade.side != report.side and trade.magic != FOREIGN_MAGIC]

    def _book_foreign(self, fill: Fill) -> None:
        """Book what an order closed more than its trade still held: on a net position it is nobody's."""
        fill = changed(fill, magic=FOREIGN_MAGIC, instance="")
        before = {trade.trade_id: trade for trade in self._account.ledger.open_trades(FOREIGN_MAGIC)}
        for part, trade in self._account.ledger.apply_foreign(fill):
            closed = before.get(trade.trade_id)
            units = part.units if closed is None else -part.units
            self._settle(part, trade, units, trade.open_price)

    def _note_closed(self, trade: Trade) -> None:
        if not trade.is_open:
            self._tickets.pop(trade.broker_trade_id or "", None)
            self.closed.append(trade)
            self._closed_of.setdefault(trade.magic, []).append(trade)

    def _settle(self, fill: Fill, trade: Trade, units: Decimal, open_price: Decimal) -> None:
        account = self._account
        valuation = account.valuation
        if account.nets:
            valuation.carried += fill.profit
        self.fills.append(fill)
        balance = valuation.balance + valuation.carried
        self.changes.append(_booked((fill.time_ns, fill.instrument, trade.side, units, open_price, balance)))
        if trade.magic == FOREIGN_MAGIC:
            return
        if account.day is not None and account.counts_day:
            account.day = account.day.filled(fill).closed(trade)
        self.news_of(trade.instance).trades.append(trade)

    def _end_net_fill(self) -> None:
        """Forget what is carried when nothing is open: both sides realised everything, what is left are cents."""
        valuation = self._account.valuation
        if valuation.carried and not self._account.ledger.open_trades():
            valuation.carried = _ZERO
            self.changes[-1] = self.changes[-1]._replace(balance=valuation.balance)

    def _count_fill(self, order: Order, report: FillReport) -> None:
        """Bring an order up to date: units, average price, state."""
        filled = order.filled_units + report.units
        before = order.average_price or _ZERO
        state = OrderState.FILLED if order.units is None or filled >= order.units else OrderState.PARTIAL
        update: dict[str, Any] = {
            "filled_units": filled,
            "average_price": average_price(order.filled_units, before, report.units, report.price),
            "broker_id": report.broker_id or order.broker_id,
        }
        if may_move(order.state, state):
            update["state"] = state
        self._rewrite(order, **update)

    def _swap(self, report: SwapReport) -> None:
        account = self._account
        account.valuation.balance += report.amount
        for trade, amount in self._shares(report):
            after = account.ledger.add_swap(trade.trade_id, amount)
            balance = account.valuation.balance + account.valuation.carried
            self.changes.append(Booked(report.time_ns, trade.instrument, trade.side, _ZERO, _ZERO, balance))
            if trade.magic == FOREIGN_MAGIC:
                continue
            if account.day is not None and account.counts_day:
                account.day = account.day.booked(trade.magic, amount)
            self.news_of(after.instance).trades.append(after)

    def _shares(self, report: SwapReport) -> Sequence[tuple[Trade, Decimal]]:
        ledger = self._account.ledger
        if report.broker_trade_id is None:
            return shares_of(report.amount, ledger.open_trades(instrument=report.instrument))
        trade = ledger.trade(self._tickets[report.broker_trade_id])
        return () if trade is None else ((trade, report.amount),)

    def _protection_of(self, intent: Intent) -> dict[str, Decimal]:
        return protection_of(intent, self._account.instruments[intent.instrument])

    def _fill_of(self, report: FillReport, owner: Intent | None, trade_id: str | None) -> Fill:
        # What has a number below zero may be a stop or target that we watched.
        reason = _WATCHED.get(owner.reason) if owner is not None and owner.n < 0 else None
        return fill_of(report, self._account.config.name, owner, reason=reason, trade_id=trade_id)
