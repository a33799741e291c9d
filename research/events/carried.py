"""The broker side of what a run goes on from."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import accumulate, takewhile

from atrader.clock import NS_PER_S
from atrader.configuration.account import PaperSettings
from atrader.instruments import Instrument
from atrader.netting import NetPosition
from atrader.orders.broker import Capabilities
from atrader.orders.model import Order, Trade
from atrader.orders.translate import open_order
from atrader.paper.matching import parts_of
from atrader.paper.state import BookState, Ticket, WorkingOrder
from research.events.plan import Begin


def book_of(begin: Begin) -> BookState:
    """Return the book of a paper account with a balance, and a ticket for each trade or its net positions."""
    if begin.positions is None:
        tickets = {ticket.ticket_id: ticket for ticket in map(_ticket_of, begin.trades)}
    else:
        since = {trade.instrument: trade.open_time_ns for trade in reversed(begin.trades)}
        tickets = {
            symbol: _net_ticket(symbol, held, since.get(symbol, begin.time_ns))
            for symbol, held in begin.positions.items()
        }
    swap_ns = begin.time_ns if begin.swap_ns is None else begin.swap_ns
    return BookState(balance=begin.balance, transaction_id=begin.last_id, swap_ns=swap_ns, tickets=tickets)


def working_of(
    order: Order, settings: PaperSettings, instrument: Instrument, capabilities: Capabilities, tickets: Iterable[Ticket]
) -> WorkingOrder:
    """Return an order as the book has it after quotes that did not fill it, or not all of it."""
    parts = parts_of(settings, instrument, order.client_id, order.units or Decimal(0))
    filled = takewhile(lambda units: units <= order.filled_units, accumulate(parts))
    return WorkingOrder(
        order=open_order(order, instrument, capabilities),
        broker_id=order.broker_id or "",
        accepted_ns=order.created_ns,
        ready_ns=order.created_ns + round(settings.latency * NS_PER_S),
        quote_ns=order.created_ns,
        parts=parts,
        filled_parts=sum(1 for _ in filled),
        filled_units=order.filled_units,
        last_quote_ns=order.updated_ns if order.filled_units else None,
        resting=True,
        ticket_id=next((one.ticket_id for one in tickets if one.client_id == order.client_id), None),
    )


def _ticket_of(trade: Trade) -> Ticket:
    return Ticket(
        ticket_id=trade.broker_trade_id or trade.trade_id,
        client_id=trade.trade_id,
        magic=trade.magic,
        instrument=trade.instrument,
        side=trade.side,
        units=trade.units,
        open_price=trade.open_price,
        open_time_ns=trade.open_time_ns,
        home_rate=Decimal(1),
        stop_loss=trade.stop_loss,
        take_profit=trade.take_profit,
        trailing_distance=trade.trailing_distance,
    )


def _net_ticket(symbol: str, held: NetPosition, time_ns: int) -> Ticket:
    return Ticket(
        ticket_id=symbol,
        client_id=None,
        magic=None,
        instrument=symbol,
        side=held.side,
        units=held.units,
        open_price=held.price,
        open_time_ns=time_ns,
        home_rate=Decimal(1),
    )
