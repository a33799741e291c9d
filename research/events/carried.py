"""The broker side of what a run goes on from."""

from __future__ import annotations

from decimal import Decimal

from atrader.netting import NetPosition
from atrader.orders.model import Trade
from atrader.paper.state import BookState, Ticket
from research.events.plan import Begin


def book_of(begin: Begin) -> BookState:
    """Return the book of a paper account with a balance, and a ticket for each trade or its net positions."""
    if begin.positions is None:
        tickets = {ticket.ticket_id: ticket for ticket in map(_ticket_of, begin.trades)}
    else:
        tickets = {symbol: _net_ticket(symbol, held, begin.time_ns) for symbol, held in begin.positions.items()}
    return BookState(balance=begin.balance, transaction_id=begin.last_id, swap_ns=begin.time_ns, tickets=tickets)


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
