"""What the paper account refuses at once: pure checks that return a code of `REJECT_REASONS` or None."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from atrader.configuration.account import AccountConfig
from atrader.instruments import Instrument
from atrader.orders.broker import BrokerOrder, Modification
from atrader.orders.form import are_precise, form_refusal
from atrader.orders.model import Side
from atrader.orders.protection import closing_price, wrong_side
from atrader.paper.desk import Desk
from atrader.paper.margin_watch import MarginWatch
from atrader.paper.matching import is_refused_at_random
from atrader.paper.money import Money
from atrader.paper.state import BookState, Ticket, WorkingOrder


class Funds(NamedTuple):
    """What a check of money needs: exact arithmetic, and an estimate that saves it while there is plenty."""

    money: Money
    watch: MarginWatch


def order_refusal(
    order: BrokerOrder, config: AccountConfig, state: BookState, desk: Desk | None, funds: Funds, now_ns: int
) -> str | None:
    """Check a new order; the first thing wrong wins."""
    if desk is None:
        return "unknown-instrument"
    refusal = form_refusal(order, desk.instrument, now_ns) or _position_refusal(order, config, state)
    if refusal:
        return refusal
    if is_refused_at_random(config.paper, order.client_id):
        return "refused-at-random"
    return _market_refusal(order, state, desk, funds, now_ns)


def funds_refusal(order: BrokerOrder, units: Decimal, state: BookState, desk: Desk, funds: Funds) -> str | None:
    """Check conversion and margin for units that an order is about to fill; what closes a ticket always may."""
    return None if order.close_broker_trade_id is not None else opening_refusal(order.side, units, state, desk, funds)


def opening_refusal(side: Side, units: Decimal, state: BookState, desk: Desk, funds: Funds) -> str | None:
    """Check conversion and margin for units that are about to be opened."""
    money, instrument = funds.money, desk.instrument
    rate = money.rate(desk.quote)
    if rate is None and instrument.symbol not in state.tickets:
        return "no-conversion-rate"
    if rate is not None and funds.watch.is_surely_enough_for(desk, units, rate):
        return None  # by far, so that the exact figure need not be asked
    more = money.margin_of(desk, side, units) - money.margin_of(desk)
    if more <= 0 or funds.watch.is_surely_enough(more):
        return None
    return "insufficient-margin" if money.margin_used(state) + more > money.equity(state) else None


def change_refusal(change: Modification, config: AccountConfig, state: BookState, desks: dict[str, Desk]) -> str | None:
    """Check a modification of a ticket's protection or of a working order."""
    protects = any((change.stop_loss, change.take_profit, change.trailing_distance))
    if change.broker_trade_id is not None:
        if config.positions == "netting":
            return "no-tickets"
        ticket = state.tickets.get(change.broker_trade_id)
        return "unknown-ticket" if ticket is None else _ticket_change_refusal(change, ticket, desks[ticket.instrument])
    working = state.orders.get(change.order_client_id or "")
    if working is None:
        return "order-not-working"
    if protects and config.positions == "netting":
        return "no-native-protection"
    return _order_change_refusal(change, working, desks[working.order.instrument].instrument)


def _position_refusal(order: BrokerOrder, config: AccountConfig, state: BookState) -> str | None:
    if config.positions == "netting":
        if order.close_broker_trade_id is not None:
            return "no-tickets"
        protects = any((order.stop_loss, order.take_profit, order.trailing_distance))
        return "no-native-protection" if protects else None
    if order.close_broker_trade_id is None:
        return None
    ticket = state.tickets.get(order.close_broker_trade_id)
    if ticket is None:
        return "unknown-ticket"
    if ticket.instrument != order.instrument or ticket.side == order.side:
        return "ticket-mismatch"
    return "close-exceeds-ticket" if order.units > ticket.units else None


def _market_refusal(order: BrokerOrder, state: BookState, desk: Desk, funds: Funds, now_ns: int) -> str | None:
    if order.order_type == "market":
        if desk.is_halted(now_ns):
            return "market-halted"
        refusal = funds_refusal(order, order.units, state, desk, funds)
        if refusal:
            return refusal
        reference = closing_price(order.side, *desk.prices())
    else:
        reference = order.price or Decimal(0)
    if order.close_broker_trade_id is not None:
        return None
    return wrong_side(order.side, order.stop_loss, order.take_profit, reference)


def _ticket_change_refusal(change: Modification, ticket: Ticket, desk: Desk) -> str | None:
    if not are_precise(desk.instrument, change.stop_loss, change.take_profit, change.trailing_distance):
        return "price-precision"
    if not desk.has_quote:
        return None
    return wrong_side(ticket.side, change.stop_loss, change.take_profit, closing_price(ticket.side, *desk.prices()))


def _order_change_refusal(change: Modification, working: WorkingOrder, instrument: Instrument) -> str | None:
    order = working.order
    if not are_precise(instrument, change.price, change.stop_loss, change.take_profit, change.trailing_distance):
        return "price-precision"
    if change.price and order.order_type == "market":
        return "price-not-changeable"
    price = change.price or order.price
    if price is None:
        return None
    stop_loss = order.stop_loss if change.stop_loss is None else change.stop_loss
    take_profit = order.take_profit if change.take_profit is None else change.take_profit
    return wrong_side(order.side, stop_loss, take_profit, price)
