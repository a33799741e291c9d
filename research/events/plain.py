"""Plain orders in one go: market orders that fill at once and whole, and all that is booked for them.

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
from atrader.orders.model import OPPOSITE, Fill, Intent, Order, Side, Trade
from atrader.orders.protection import closing_price, wrong_side
from atrader.orders.states import OrderState
from atrader.paper.desk import Desk
from atrader.paper.matching import market_price, slipped
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
        price = slipped(account.config.paper, item, side, market_price(side, *prices), client_id, "fill-0")
        state.transaction_id += 1
        number = str(state.transaction_id)
        commission = money.commission(units, price, rate)
        state.balance += _ZERO + commission
        at = (side, units, price, account.now_ns, rate, stop or None, target or None)
        ticket = Ticket(number, client_id, intent.magic, desk.symbol, *at)
        state.tickets[number] = desk.tickets[number] = ticket
        engine.settle(desk)
        fill = self._fill(intent, client_id, number, side, units, price, rate, commission, _ZERO, client_id)
        order = self._filled(intent, client_id, number, units, price)
        account.booking.book_opened(order, fill, number, stop, target)
        self._work_again(desk)
        return order

    def _close(self, intent: Intent, units: Decimal, desk: Desk) -> Order | None:
        account = self._account
        engine, trade = account.engine, account.ledger.trade(intent.trade_id or "")
        state, money = engine.state, engine.money
        ticket = None if trade is None else state.tickets.get(trade.broker_trade_id or "")
        if trade is None or ticket is None or ticket.units < units or ticket.open_price != trade.open_price:
            return None
        if (ticket.instrument, ticket.side) != (desk.symbol, trade.side):
            return None
        side, client_id = OPPOSITE[ticket.side], intent.client_id
        price = market_price(side, *desk.prices())
        price = slipped(account.config.paper, desk.instrument, side, price, client_id, "fill-0")
        rate = money.rate_for(ticket)
        state.transaction_id += 1
        number = str(state.transaction_id)
        profit, commission = money.profit(ticket, units, price, rate), money.commission(units, price, rate)
        state.balance += profit + commission
        ticket.units -= units
        if not ticket.units:
            del state.tickets[ticket.ticket_id], desk.tickets[ticket.ticket_id]
        engine.settle(desk)
        fill = self._fill(trade, trade.trade_id, number, side, units, price, rate, commission, profit, client_id)
        order = self._filled(intent, client_id, number, units, price)
        account.booking.book_closed(order, fill, trade)
        self._work_again(desk)
        return order

    def _fill(
        self,
        whose: Intent | Trade,
        trade_id: str,
        number: str,
        side: Side,
        units: Decimal,
        price: Decimal,
        rate: Decimal,
        commission: Decimal,
        profit: Decimal,
        client_id: str,
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
            time_ns=self._account.now_ns,
            reason="order",
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
        if desk.is_touched():
            engine = self._account.engine
            engine.work_quote(desk, self._account.now_ns)
            engine.settle(desk)
            self._account.booking.apply(engine.take_changes().reports)
