"""The paper broker in memory: orders and quotes in, reports out.

One instance serves one account. It does no I/O and knows no wall clock: the caller gives the time, takes the changes
with `take_changes` and writes them; when it cannot write them it puts the last written state back with `restore`.

What happens with one quote, in this order: financing and expiries that became due; protective exits of the
instrument's tickets, oldest first; its working orders, oldest first; trailing stops; again while anything changed (a
new ticket's stop may be reached by the very quote that opened it); last the margin close-out. The same quote worked in
again changes nothing, so that a caller may repeat the last quotes after a restart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S
from atrader.configuration.account import AccountConfig
from atrader.instruments import Instrument
from atrader.market import Tick
from atrader.orders.broker import BrokerOrder, Modification
from atrader.orders.model import OPPOSITE, FillReason
from atrader.orders.protection import closing_price, trailed_stop, triggered_exit
from atrader.orders.states import OrderState
from atrader.paper.desk import Desk
from atrader.paper.execution import Execution
from atrader.paper.financing import boundaries, days_booked
from atrader.paper.margin_watch import MarginWatch
from atrader.paper.matching import fill_price, parts_of, slipped
from atrader.paper.money import Money
from atrader.paper.state import BookState, Changes, Ticket, WorkingOrder
from atrader.paper.validation import Funds, change_refusal, funds_refusal, order_refusal

# A quote this much older than one before it means that the clock was set back, not that the quote travelled slowly.
_CLOCK_SET_BACK_NS = 60 * NS_PER_S


class Engine:
    """The broker side of one paper account.

    Parameters
    ----------
    config : AccountConfig
        Kind of account, currency, and how it fills.
    instruments : Mapping of str to Instrument
        What it trades, by symbol.
    state : BookState
        What it held when it was last written.

    Attributes
    ----------
    next_ns : float
        From when on time alone makes something happen (expiry, financing), UTC ns; infinity: never.
    margin_watch : MarginWatch
        Estimate of equity and margin.
    books_exit : callable, optional
        Takes a ticket that is to be closed, its desk, price, reason and time; carries that out, without a report, and
        returns whether it did.
    """

    __slots__ = (
        "_config",
        "_execution",
        "_funds",
        "_latency_ns",
        "books_exit",
        "desks",
        "margin_watch",
        "money",
        "next_ns",
        "state",
    )

    def __init__(
        self,
        config: AccountConfig,
        instruments: Mapping[str, Instrument],
        calendar_of: Callable[[str], Calendar],
        state: BookState,
    ) -> None:
        self._config = config
        self._latency_ns = round(config.paper.latency * NS_PER_S)
        self.desks = {
            symbol: Desk(item, calendar_of(symbol), config.paper.extra_spread_pips)
            for symbol, item in instruments.items()
        }
        self.money = Money(config, self.desks)
        self.margin_watch = MarginWatch(self.money, config.paper.margin_closeout_frac)
        self._funds = Funds(self.money, self.margin_watch)
        self.books_exit: Callable[[Ticket, Desk, Decimal, FillReason, int], bool] | None = None
        self.restore(state)

    def restore(self, state: BookState) -> None:
        """Forget everything but the newest quotes and take another state."""
        self.state = state
        self._execution = Execution(self._config, state, self.desks, self.money)
        for desk in self.desks.values():
            desk.orders, desk.tickets = {}, {}
        for symbol, quote in state.quotes.items():
            if symbol in self.desks:
                self.desks[symbol].remember(quote)
        for working in state.orders.values():
            self.desks[working.order.instrument].orders[working.order.client_id] = working
        for ticket in state.tickets.values():
            self.desks[ticket.instrument].tickets[ticket.ticket_id] = ticket
        for desk in self.desks.values():
            desk.set_levels()
            self.margin_watch.refresh(desk, state.balance)
        self._plan()

    def take_changes(self) -> Changes:
        """Hand over what changed since the last call."""
        changes, self._execution.changes = self._execution.changes, Changes()
        return changes

    @property
    def changes(self) -> Changes:
        """What changed since `take_changes`."""
        return self._execution.changes

    @property
    def has_reports(self) -> bool:
        """Whether there is something to tell since `take_changes`."""
        return bool(self._execution.changes.reports)

    def submit(self, order: BrokerOrder, now_ns: int) -> str | None:
        """Take a new order in; fill it if it can be filled at once. Return why it is refused, or None."""
        self.changes.seen.append(order.client_id)
        if order.client_id in self.state.orders:
            return "duplicate-client-id"  # no report: it would look like the working order's
        desk = self.desks.get(order.instrument)
        refusal = order_refusal(order, self._config, self.state, desk, self._funds, now_ns)
        if refusal or desk is None:
            self._execution.report_order(order.client_id, None, OrderState.REJECTED, now_ns, refusal or "")
            return refusal
        working = WorkingOrder(
            order=order,
            broker_id=str(self.state.transaction_id + 1),
            accepted_ns=now_ns,
            ready_ns=now_ns + self._latency_ns,
            quote_ns=desk.time_ns,
            parts=parts_of(self._config.paper, desk.instrument, order.client_id, order.units),
        )
        self.state.orders[order.client_id] = desk.orders[order.client_id] = working
        self.changes.orders[order.client_id] = working
        # A market order that is not refused has a market.
        at_once = not self._latency_ns and (order.order_type == "market" or not desk.is_halted(now_ns))
        if not at_once or len(working.parts) > 1 or order.order_type != "market":
            self._execution.report_order(order.client_id, working.broker_id, OrderState.WORKING, now_ns)
        if at_once:
            self._work_order(working, desk, now_ns, is_funded=order.order_type == "market")
            self.work_quote(desk, now_ns)
        self.settle(desk)
        return None

    def cancel(self, client_id: str, order_client_id: str, now_ns: int) -> str | None:
        """End a working order. Return why that is refused, or None."""
        self.changes.seen.append(client_id)
        working = self.state.orders.get(order_client_id)
        if working is None:
            self._execution.report_order(client_id, None, OrderState.REJECTED, now_ns, "order-not-working")
            return "order-not-working"
        self._execution.end_order(working, OrderState.CANCELLED, now_ns, "by-request")
        self._execution.report_order(client_id, None, OrderState.DONE, now_ns)
        self.settle(self.desks[working.order.instrument])
        return None

    def modify(self, change: Modification, now_ns: int) -> str | None:
        """Change protection or price. Return why that is refused, or None."""
        self.changes.seen.append(change.client_id)
        refusal = change_refusal(change, self._config, self.state, self.desks)
        if refusal:
            self._execution.report_order(change.client_id, None, OrderState.REJECTED, now_ns, refusal)
            return refusal
        self._execution.report_order(change.client_id, None, OrderState.DONE, now_ns)
        if change.broker_trade_id is not None:
            ticket = self.state.tickets[change.broker_trade_id]
            desk = self.desks[ticket.instrument]
            self._protect(ticket, desk, change)
        else:
            working = self.state.orders[change.order_client_id or ""]
            desk = self.desks[working.order.instrument]
            self._change_order(working, desk, change, now_ns)
        self.settle(desk)
        return None

    def on_ticks(self, ticks: Sequence[Tick]) -> None:
        """Work quotes in, oldest first; crossed or empty quotes and unknown instruments are passed over."""
        desks, watch = self.desks, self.margin_watch
        for symbol, time_ns, _, bid, ask in ticks:
            desk = desks.get(symbol)
            if desk is None or not 0.0 < bid <= ask < math.inf:
                continue
            desk.time_ns, desk.bid, desk.ask = time_ns, bid, ask
            desk.fresh = desk.dirty = True
            if (
                bid <= desk.bid_low
                or bid >= desk.bid_high
                or ask <= desk.ask_low
                or ask >= desk.ask_high
                or time_ns >= self.next_ns
            ):
                self._work(desk, time_ns)
            if watch.concerns(symbol) and watch.is_near(symbol):
                self._close_out(time_ns)

    def _work(self, desk: Desk, now_ns: int) -> None:
        if now_ns >= self.next_ns:
            self._pass_time(now_ns)
        self.work_quote(desk, now_ns)
        self.settle(desk)

    def work_quote(self, desk: Desk, now_ns: int) -> None:
        """Do what the present quote does to the tickets and orders of a desk."""
        while (desk.tickets or desk.orders) and self._work_once(desk, now_ns):
            pass  # every turn fills, ends, closes or trails something, so it comes to an end

    def _work_once(self, desk: Desk, now_ns: int) -> bool:
        before = self.state.transaction_id
        bid, ask = desk.prices()
        for ticket in tuple(desk.tickets.values()):
            stop, target, distance = ticket.stop_loss, ticket.take_profit, ticket.trailing_distance
            hit = triggered_exit(ticket.side, stop, target, distance, bid, ask)
            if hit is not None:
                self._exit(ticket, desk, hit.price, hit.reason, now_ns)
        for working in tuple(desk.orders.values()):
            if self._is_due(working, desk):
                self._work_order(working, desk, now_ns)
        for ticket in desk.tickets.values():
            if not ticket.trailing_distance:
                continue
            moved = trailed_stop(ticket.side, ticket.stop_loss, ticket.trailing_distance, bid, ask)
            if moved is not None:
                ticket.stop_loss = moved
                self._execution.protect(ticket)
                # A watermark of its own: one transaction id never shows two different stops.
                self._execution.next_id()
        return self.state.transaction_id != before

    def _is_due(self, working: WorkingOrder, desk: Desk) -> bool:
        if working.filled_parts:
            return desk.time_ns != working.last_quote_ns  # each part takes a quote of its own
        return desk.time_ns >= working.ready_ns or desk.time_ns < working.quote_ns - _CLOCK_SET_BACK_NS

    def _price(self, working: WorkingOrder, desk: Desk) -> Decimal | None:
        order = working.order
        # A stop order that began to fill goes on as a market order.
        order_type = "market" if order.order_type == "stop" and working.filled_parts else order.order_type
        bid, ask = desk.prices()
        return fill_price(order_type, order.side, order.price, resting=working.resting, bid=bid, ask=ask)

    def _work_order(self, working: WorkingOrder, desk: Desk, now_ns: int, *, is_funded: bool = False) -> None:
        order = working.order
        price = self._price(working, desk)
        if price is None:
            if not working.resting:
                working.resting = True
                self.changes.orders[order.client_id] = working
            return
        units = working.parts[working.filled_parts]
        closes = order.close_broker_trade_id
        ticket = None if closes is None else self.state.tickets.get(closes)
        if closes is not None and (ticket is None or ticket.units < units):
            self._execution.end_order(working, OrderState.CANCELLED, now_ns, "ticket-closed")
            return
        refusal = None
        if not is_funded:
            # Something else may have filled or closed with this very quote.
            self.margin_watch.refresh(desk, self.state.balance)
            refusal = funds_refusal(order, units, self.state, desk, self._funds)
        if refusal:
            self._execution.end_order(working, OrderState.CANCELLED, now_ns, refusal)
            return
        if order.order_type != "limit":
            leg = f"fill-{working.filled_parts}"
            price = slipped(self._config.paper, desk.instrument, order.side, price, order.client_id, leg)
        held = ticket or self.state.tickets.get(order.instrument)
        rate = self.money.rate(desk.quote) or (held.home_rate if held else Decimal(1))
        self._execution.fill_order(working, units, price, rate, now_ns)

    def _exit(self, ticket: Ticket, desk: Desk, price: Decimal, reason: FillReason, now_ns: int) -> None:
        if reason != "take-profit":
            side = OPPOSITE[ticket.side]
            whose = ticket.client_id or f"ticket-{ticket.ticket_id}"
            price = slipped(self._config.paper, desk.instrument, side, price, whose, "exit")
        if self.books_exit is None or not self.books_exit(ticket, desk, price, reason, now_ns):
            self._execution.close_ticket(ticket, price, reason, now_ns)

    def _protect(self, ticket: Ticket, desk: Desk, change: Modification) -> None:
        if change.stop_loss is not None:
            ticket.stop_loss = change.stop_loss or None
        if change.take_profit is not None:
            ticket.take_profit = change.take_profit or None
        if change.trailing_distance is not None:
            ticket.trailing_distance = change.trailing_distance or None
        if desk.has_quote:
            moved = trailed_stop(ticket.side, ticket.stop_loss, ticket.trailing_distance, *desk.prices())
            ticket.stop_loss = moved or ticket.stop_loss
        self._execution.protect(ticket)

    def _change_order(self, working: WorkingOrder, desk: Desk, change: Modification, now_ns: int) -> None:
        update: dict[str, object] = {}
        for name in ("stop_loss", "take_profit", "trailing_distance"):
            value = getattr(change, name)
            if value is not None:
                update[name] = value or None
        if change.price:
            update["price"] = change.price
            working.resting = False  # at its new price it arrives anew
        working.order = working.order.model_copy(update=update)
        self.changes.orders[working.order.client_id] = working
        if change.price and not working.filled_parts and now_ns >= working.ready_ns and not desk.is_halted(now_ns):
            self._work_order(working, desk, now_ns)
            self.work_quote(desk, now_ns)

    def _pass_time(self, now_ns: int) -> None:
        for desk in self.desks.values():
            for working in list(desk.orders.values()):
                expires_ns = working.order.expires_ns
                if expires_ns is not None and expires_ns <= now_ns:
                    self._execution.end_order(working, OrderState.EXPIRED, now_ns, "time-in-force")
                    desk.set_levels()
        due = sorted(
            (boundary_ns, int(ticket.ticket_id) if ticket.ticket_id.isdigit() else 0, ticket.ticket_id)
            for ticket in self.state.tickets.values()
            for boundary_ns in boundaries(
                self.desks[ticket.instrument].calendar, max(self.state.swap_ns, ticket.open_time_ns), now_ns
            )
        )
        for boundary_ns, _, ticket_id in due:
            ticket = self.state.tickets[ticket_id]
            days = days_booked(self.desks[ticket.instrument].calendar, boundary_ns)
            amount = self.money.swap(ticket, days)
            if amount:
                self._execution.book_swap(ticket, amount, boundary_ns)
        if due:
            self.state.swap_ns = max(self.state.swap_ns, due[-1][0])
            self.changes.account = True
        self._plan()

    def _close_out(self, now_ns: int) -> None:
        """Close the worst tickets, as far as their market is open, until equity is above the level again.

        Not before everything held was quoted anew after a restart: equity at old prices has cost nobody anything.
        """
        if not self._is_valued_afresh():
            return
        frac = self._config.paper.margin_closeout_frac
        while (margin := self.money.margin_used(self.state)) and self.money.equity(self.state) <= frac * margin:
            losing = [
                (self.money.unrealised(ticket), number, ticket)
                for number, ticket in enumerate(self.state.tickets.values())
                if not self.desks[ticket.instrument].is_halted(now_ns)
            ]
            if not losing:
                return
            _, _, worst = min(losing, key=lambda item: item[:2])
            desk = self.desks[worst.instrument]
            price = closing_price(worst.side, *desk.prices())
            self._exit(worst, desk, price, "margin-closeout", now_ns)
            self.settle(desk)

    def _is_valued_afresh(self) -> bool:
        held = [desk for desk in self.desks.values() if desk.tickets]
        pairs = (pair for desk in held for pair, _ in self.money.pairs(desk.quote) if pair.has_quote)
        return all(desk.fresh for desk in (*held, *pairs))

    def settle(self, desk: Desk) -> None:
        """Work levels, margin and what is due out again; needed after every change at a desk."""
        desk.set_levels()
        self.margin_watch.refresh(desk, self.state.balance)
        self._plan()

    def _plan(self) -> None:
        """Work out when time alone makes something happen."""
        next_ns, state = math.inf, self.state
        for working in state.orders.values():
            next_ns = min(next_ns, working.order.expires_ns or math.inf)
        if state.tickets:
            earliest = math.inf
            for ticket in state.tickets.values():
                if ticket.open_time_ns < earliest:
                    earliest = ticket.open_time_ns
            after_ns = state.swap_ns if state.swap_ns > earliest else int(earliest)
            for desk in self.desks.values():
                if desk.tickets and (boundary_ns := desk.next_boundary(after_ns)) < next_ns:
                    next_ns = boundary_ns
        self.next_ns = next_ns
