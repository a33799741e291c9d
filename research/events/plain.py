"""Plain orders in one go: market orders and exits that fill at once and whole, and all that is booked for them.

The long way, from order to broker's order, report, fill, ledger and back to the order, is the specification; most of
its values are seen by nobody. What is decided is decided by the same functions, in the same order: sizes and prices by
`atrader.paper`, money by `atrader.paper.money` and the ledger. Whatever is not plain, or would be refused, is left
untouched for the long way.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from atrader.fast_models import made
from atrader.ledger import average_price
from atrader.orders.model import OPPOSITE, Fill, FillReason, Intent, Order, Side, Trade
from atrader.orders.protection import closing_price, wrong_side
from atrader.orders.states import OrderState
from atrader.paper.desk import Desk
from atrader.paper.matching import market_price, may_slip, slipped
from atrader.paper.state import Ticket
from atrader.paper.validation import Funds, opening_refusal

if TYPE_CHECKING:
    from research.events.account import Account

_ZERO: Final = Decimal(0)


class PlainOrders:
    """Fills plain orders of an account.

    Parameters
    ----------
    account : Account
        Whose broker, ledger and bookings change, to what the long way would have made of them.

    Attributes
    ----------
    are_there : bool
        Whether any order of the account can be plain: tickets, no latency, no parts, nothing refused at random.
    """

    def __init__(self, account: Account) -> None:
        paper = account.config.paper
        self._account = account
        self._funds = Funds(account.engine.money, account.engine.margin_watch)
        self._slips = {symbol: may_slip(paper, desk.instrument) for symbol, desk in account.engine.desks.items()}
        self.are_there = not (account.nets or paper.latency or paper.partial_fill_share or paper.reject_share)

    def fill(self, intent: Intent, units: Decimal) -> Order | None:
        """Carry out what the gate let pass.

        Parameters
        ----------
        units : Decimal
            To be opened or closed.

        Returns
        -------
        Order or None
            The order as it ended; None: it is not plain, and nothing has happened.
        """
        account = self._account
        if intent.n < 0 or intent.order_type != "market" or account.open_orders or account.engine.state.orders:
            return None
        desk = account.engine.desks[intent.instrument]
        item = desk.instrument
        if units <= 0 or units % item.unit_step or desk.is_halted(account.now_ns):
            return None
        if intent.action == "open":
            return self._open(intent, units, desk)
        return self._close(intent, units, desk) if intent.action == "close" else None

    def _open(self, intent: Intent, units: Decimal, desk: Desk) -> Order | None:
        account, item, side = self._account, desk.instrument, intent.side
        if side is None or intent.trailing_distance is not None or intent.expires_ns is not None:
            return None
        if not item.min_units <= units <= item.max_units:
            return None
        engine, prices = account.engine, desk.prices()
        state, money = engine.state, engine.money
        rate = money.rate(desk.quote)
        if rate is None or opening_refusal(side, units, state, desk, self._funds):
            return None
        stop, target = intent.stop_loss, intent.take_profit
        stop = None if stop is None else item.round_price(stop)
        target = None if target is None else item.round_price(target)
        if wrong_side(side, stop, target, closing_price(side, *prices)):
            return None
        client_id = intent.client_id
        price = market_price(side, *prices)
        if self._slips[desk.symbol]:
            price = slipped(account.config.paper, item, side, price, client_id, "fill-0")
        state.transaction_id += 1
        number = str(state.transaction_id)
        commission = money.commission(units, price, rate)
        state.balance += _ZERO + commission
        at = (side, units, price, account.now_ns, rate, stop or None, target or None)
        ticket = Ticket(number, client_id, intent.magic, desk.symbol, *at)
        state.tickets[number] = desk.tickets[number] = ticket
        engine.settle(desk)
        paid = (rate, commission, _ZERO)
        fill = self._fill(intent, client_id, client_id, number, side, units, price, account.now_ns, "order", *paid)
        order = self._filled(intent, client_id, number, units, price)
        account.booking.book_opened(order, fill, number, stop, target)
        if desk.is_touched():
            self._work_again(desk)
        return order

    def _close(self, intent: Intent, units: Decimal, desk: Desk) -> Order | None:
        account = self._account
        engine, trade = account.engine, account.ledger.trade(intent.trade_id or "")
        ticket = None if trade is None else engine.state.tickets.get(trade.broker_trade_id or "")
        if trade is None or ticket is None or ticket.units < units or not _is_of(ticket, trade):
            return None
        side, client_id = OPPOSITE[ticket.side], intent.client_id
        price = market_price(side, *desk.prices())
        if self._slips[desk.symbol]:
            price = slipped(account.config.paper, desk.instrument, side, price, client_id, "fill-0")
        fill = self._take_off(ticket, trade, desk, units, price, account.now_ns, "order", client_id)
        engine.settle(desk)
        order = self._filled(intent, client_id, fill.fill_id, units, price)
        account.booking.book_closed(fill, trade, order)
        if desk.is_touched():
            self._work_again(desk)
        return order

    def exit(self, ticket: Ticket, desk: Desk, price: Decimal, reason: FillReason, now_ns: int) -> bool:
        """Close a whole ticket for a reason of the broker's own, as `atrader.paper.engine.Engine.books_exit`."""
        account = self._account
        trade = account.booking.trade_of(ticket)
        if trade is None or trade.units != ticket.units or not _is_of(ticket, trade) or account.engine.has_reports:
            return False  # what was reported before is to be booked before
        fill = self._take_off(ticket, trade, desk, ticket.units, price, now_ns, reason, None)
        account.booking.book_closed(fill, trade)
        return True

    def _take_off(
        self,
        ticket: Ticket,
        trade: Trade,
        desk: Desk,
        units: Decimal,
        price: Decimal,
        now_ns: int,
        reason: FillReason,
        client_id: str | None,
    ) -> Fill:
        """Take units off a ticket, and book that at the broker."""
        state, money = self._account.engine.state, self._account.engine.money
        rate, side = money.rate_for(ticket), OPPOSITE[ticket.side]
        state.transaction_id += 1
        profit, commission = money.profit(ticket, units, price, rate), money.commission(units, price, rate)
        state.balance += profit + commission
        ticket.units -= units
        if not ticket.units:
            del state.tickets[ticket.ticket_id], desk.tickets[ticket.ticket_id]
        number, paid = str(state.transaction_id), (rate, commission, profit)
        return self._fill(trade, trade.trade_id, client_id, number, side, units, price, now_ns, reason, *paid)

    def _fill(
        self,
        whose: Intent | Trade,
        trade_id: str,
        client_id: str | None,
        number: str,
        side: Side,
        units: Decimal,
        price: Decimal,
        now_ns: int,
        reason: FillReason,
        rate: Decimal,
        commission: Decimal,
        profit: Decimal,
    ) -> Fill:
        return made(
            Fill,
            fill_id=number,
            account=self._account.config.name,
            magic=whose.magic,
            instance=whose.instance,
            instrument=whose.instrument,
            side=side,
            units=units,
            price=price,
            time_ns=now_ns,
            reason=reason,
            client_id=client_id,
            trade_id=trade_id,
            commission=commission,
            profit=profit,
            home_rate=rate,
        )

    def _filled(self, intent: Intent, client_id: str, number: str, units: Decimal, price: Decimal) -> Order:
        now_ns = self._account.now_ns
        return made(
            Order,
            client_id=client_id,
            intent=intent,
            state=OrderState.FILLED,
            broker_id=number,
            units=units,
            filled_units=_ZERO + units,
            average_price=average_price(_ZERO, _ZERO, units, price),
            reason="",
            created_ns=now_ns,
            updated_ns=now_ns,
            version=2,
        )

    def _work_again(self, desk: Desk) -> None:
        """Let the quote that filled an order do what else it does: hardly ever anything."""
        engine = self._account.engine
        engine.work_quote(desk, self._account.now_ns)
        engine.settle(desk)
        self._account.booking.apply(engine.take_changes().reports)


def _is_of(ticket: Ticket, trade: Trade) -> bool:
    """Tell whether a ticket is a trade's alone: what it earns is what the trade does."""
    is_alike = ticket.instrument == trade.instrument and ticket.side == trade.side
    return is_alike and ticket.open_price == trade.open_price
