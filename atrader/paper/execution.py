"""Bookkeeping of executions: tickets, net positions, balance, and the report that tells of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from atrader.configuration.account import AccountConfig
from atrader.errors import InvariantBroken
from atrader.fast_models import made
from atrader.ledger import average_price
from atrader.netting import NetPosition, netted
from atrader.orders.broker import FillReport, OrderReport, SwapReport
from atrader.orders.model import FillReason, Side
from atrader.orders.protection import trailed_stop
from atrader.orders.states import OrderState
from atrader.paper.desk import Desk
from atrader.paper.money import Money
from atrader.paper.state import BookState, Changes, Ticket, WorkingOrder

_ZERO: Final = Decimal(0)


class Execution:
    """Changes tickets and balance of a state, and notes everything it changed.

    Nothing here decides: prices, sizes and times are given.
    """

    __slots__ = ("_desks", "_digits", "_is_hedging", "_money", "changes", "state")

    def __init__(self, config: AccountConfig, state: BookState, desks: dict[str, Desk], money: Money) -> None:
        self._is_hedging = config.positions == "hedging"
        self._digits = config.currency_digits
        self._desks = desks
        self._money = money
        self.state = state
        self.changes = Changes()

    def next_id(self) -> int:
        """Return the next transaction id."""
        self.state.transaction_id += 1
        self.changes.account = True
        return self.state.transaction_id

    def report_order(
        self, client_id: str, broker_id: str | None, state: OrderState, now_ns: int, reason: str = ""
    ) -> OrderReport:
        """Tell an order's state; without a broker id the transaction's own id becomes one."""
        number = self.next_id()
        report = made(
            OrderReport,
            transaction_id=number,
            time_ns=now_ns,
            client_id=client_id,
            broker_id=broker_id or str(number),
            state=state,
            reason=reason,
        )
        self.changes.reports.append(report)
        return report

    def end_order(self, working: WorkingOrder, state: OrderState | None, now_ns: int, reason: str = "") -> None:
        """Take an order off the book; ``state`` None when its last fill already tells it."""
        client_id = working.order.client_id
        del self.state.orders[client_id]
        del self._desks[working.order.instrument].orders[client_id]
        self.changes.orders[client_id] = None
        if state is not None:
            self.report_order(client_id, working.broker_id, state, now_ns, reason)

    def fill_order(self, working: WorkingOrder, units: Decimal, price: Decimal, rate: Decimal, now_ns: int) -> None:
        """Book one fill of an order; the order is taken off the book with its last unit."""
        order = working.order
        desk = self._desks[order.instrument]
        number = self.next_id()
        profit = _ZERO
        if order.close_broker_trade_id is not None:
            ticket = self.state.tickets[order.close_broker_trade_id]
            profit = self._reduce(ticket, units, price, rate)
            ticket_id: str | None = ticket.ticket_id
        elif self._is_hedging:
            ticket_id = self._open(working, number, units, price, rate, now_ns)
        else:
            profit = self._net(desk, order.side, units, price, rate, now_ns)
            ticket_id = None
        working.filled_units += units
        working.filled_parts += 1
        working.last_quote_ns = desk.time_ns
        working.resting = True
        self._report_fill(
            number, desk, order.side, units, price, rate, now_ns, "order", profit,
            client_id=order.client_id, broker_id=working.broker_id, ticket_id=ticket_id, magic=order.magic,
        )  # fmt: skip
        self.changes.orders[order.client_id] = working
        if working.filled_units == order.units:
            self.end_order(working, None, now_ns)

    def close_ticket(self, ticket: Ticket, price: Decimal, reason: FillReason, now_ns: int) -> None:
        """Close a whole ticket or net position for a reason of the broker's own."""
        desk = self._desks[ticket.instrument]
        side: Side = "sell" if ticket.side == "buy" else "buy"
        rate, units, number = self._money.rate_for(ticket), ticket.units, self.next_id()
        profit = self._reduce(ticket, units, price, rate)
        self._report_fill(
            number, desk, side, units, price, rate, now_ns, reason, profit,
            client_id=None, broker_id=None, magic=ticket.magic,
            ticket_id=ticket.ticket_id if self._is_hedging else None,
        )  # fmt: skip

    def book_swap(self, ticket: Ticket, amount: Decimal, boundary_ns: int) -> None:
        """Book financing."""
        self.state.balance += amount
        report = made(
            SwapReport,
            transaction_id=self.next_id(),
            time_ns=boundary_ns,
            instrument=ticket.instrument,
            broker_trade_id=ticket.ticket_id if self._is_hedging else None,
            amount=amount,
        )
        self.changes.reports.append(report)

    def protect(self, ticket: Ticket) -> None:
        """Note that a ticket's protection changed."""
        self.changes.tickets[ticket.ticket_id] = ticket

    def _open(
        self, working: WorkingOrder, number: int, units: Decimal, price: Decimal, rate: Decimal, now_ns: int
    ) -> str:
        order = working.order
        known = self.state.tickets.get(working.ticket_id or "")
        if known is not None:
            known.open_price = average_price(known.units, known.open_price, units, price)
            known.units += units
            self.changes.tickets[known.ticket_id] = known
            return known.ticket_id
        desk = self._desks[order.instrument]
        distance = order.trailing_distance or None
        stop_loss = order.stop_loss or None
        if stop_loss is None and distance is not None:
            stop_loss = trailed_stop(order.side, None, distance, *desk.prices())
        ticket = Ticket(
            ticket_id=str(number),
            client_id=order.client_id,
            magic=order.magic,
            instrument=order.instrument,
            side=order.side,
            units=units,
            open_price=price,
            open_time_ns=now_ns,
            home_rate=rate,
            stop_loss=stop_loss,
            take_profit=order.take_profit or None,
            trailing_distance=distance,
        )
        working.ticket_id = ticket.ticket_id
        self._keep(ticket)
        return ticket.ticket_id

    def _net(self, desk: Desk, side: Side, units: Decimal, price: Decimal, rate: Decimal, now_ns: int) -> Decimal:
        """Work units into the net position; return the profit of what it reduced."""
        symbol = desk.symbol
        held = self.state.tickets.get(symbol)
        before = None if held is None else NetPosition(held.side, held.units, held.open_price)
        after, profit = netted(before, side, units, price, rate, self._digits)
        if held is not None and after is not None and after.side == held.side:
            held.units, held.open_price = after.units, after.price
            self.changes.tickets[symbol] = held
            return profit
        if held is not None:
            self._drop(symbol, desk)
        if after is not None:
            self._keep(
                Ticket(
                    ticket_id=symbol, client_id=None, magic=None, instrument=symbol, side=side, units=after.units,
                    open_price=price, open_time_ns=now_ns, home_rate=rate,
                )
            )  # fmt: skip
        return profit

    def _reduce(self, ticket: Ticket, units: Decimal, price: Decimal, rate: Decimal) -> Decimal:
        if units > ticket.units:
            raise InvariantBroken(f"ticket {ticket.ticket_id} holds {ticket.units}, {units} are to be closed")
        profit = self._money.profit(ticket, units, price, rate)
        ticket.units -= units
        if ticket.units:
            self.changes.tickets[ticket.ticket_id] = ticket
        else:
            self._drop(ticket.ticket_id, self._desks[ticket.instrument])
        return profit

    def _drop(self, ticket_id: str, desk: Desk) -> None:
        del self.state.tickets[ticket_id]
        del desk.tickets[ticket_id]
        self.changes.tickets[ticket_id] = None

    def _keep(self, ticket: Ticket) -> None:
        self.state.tickets[ticket.ticket_id] = ticket
        self._desks[ticket.instrument].tickets[ticket.ticket_id] = ticket
        self.changes.tickets[ticket.ticket_id] = ticket

    def _report_fill(
        self,
        number: int,
        desk: Desk,
        side: Side,
        units: Decimal,
        price: Decimal,
        rate: Decimal,
        now_ns: int,
        reason: FillReason,
        profit: Decimal,
        *,
        client_id: str | None,
        broker_id: str | None,
        ticket_id: str | None,
        magic: int | None,
    ) -> None:
        commission = self._money.commission(units, price, rate)
        self.state.balance += profit + commission
        report = made(
            FillReport,
            transaction_id=number,
            time_ns=now_ns,
            fill_id=str(number),
            client_id=client_id,
            broker_id=broker_id,
            broker_trade_id=ticket_id,
            instrument=desk.symbol,
            side=side,
            units=units,
            price=price,
            reason=reason,
            commission=commission,
            home_rate=rate,
            profit=profit,
            magic=magic,
        )
        self.changes.reports.append(report)
