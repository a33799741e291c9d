"""Acting at OANDA: each call is sent once, and a refusal hidden in a success is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from atrader.clock import Clock
from atrader.errors import Rejected
from atrader.instruments import Instrument
from atrader.market import Tick, decimal_price
from atrader.orders.form import are_precise, form_refusal
from atrader.orders.model import Side
from atrader.orders.protection import closing_price, wrong_side
from atrader.orders.states import OrderState
from broker_api.adapter import AnyReport, BrokerOrder, Modification, OrderReport
from broker_api.gateway.budget import Budget, Priority
from broker_api.oanda.codec import Fields, transactions_in
from broker_api.oanda.ids import OrderIds, tag_of
from broker_api.oanda.reasons import reason_of
from broker_api.oanda.refusals import refusal_of, refused_in, rejected
from broker_api.oanda.requests import close_body, order_body, replacement_body, trade_orders_body
from broker_api.oanda.rest import OandaRest
from broker_api.oanda.terms import AccountTerms
from broker_api.oanda.translate import Translator
from broker_api.oanda.truth import terms_of_order
from broker_api.oanda.values import name_of, symbol_of


class Desk:
    """Sends orders, cancellations and changes of one account.

    Parameters
    ----------
    rest : OandaRest
        Of the account.
    terms : AccountTerms
        What the broker allows there.
    translator : Translator
        Makes reports of what the broker answers.
    ids : OrderIds
        Whose orders are.
    instruments : callable
        Returns what the account trades.
    newest : Mapping of str to Tick
        The last prices of the stream; what is not in there is asked for.
    bound_pips : Decimal or None
        How far from the last price a market order that opens may fill.
    budget : Budget
        The first request of a call is paid by the core; what is asked beside it is paid here.
    clock : Clock
        Market time.
    """

    def __init__(
        self,
        rest: OandaRest,
        terms: AccountTerms,
        translator: Translator,
        ids: OrderIds,
        instruments: Callable[[], Mapping[str, Instrument]],
        newest: Mapping[str, Tick],
        bound_pips: Decimal | None,
        budget: Budget,
        clock: Clock,
    ) -> None:
        self._rest = rest
        self._terms = terms
        self._translator = translator
        self._ids = ids
        self._instruments = instruments
        self._newest = newest
        self._bound_pips = bound_pips
        self._budget = budget
        self._clock = clock
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def idle(self) -> None:
        """Wait until no call is under way: where nothing carries our ids, replies must be heard before the stream."""
        await self._idle.wait()

    async def submit(self, order: BrokerOrder) -> list[AnyReport]:
        """Send an order, or close a ticket; see `Adapter.submit`."""
        refusal = self._form_refusal(order)
        if refusal is not None:
            raise rejected(refusal)
        if order.close_broker_trade_id is not None:
            ticket = quote(order.close_broker_trade_id, safe="")
            reports = await self._act("PUT", f"/trades/{ticket}/close", close_body(order.units), order.client_id)
        else:
            body = order_body(order, self._terms, await self._bound(order))
            reports = await self._act("POST", "/orders", body, order.client_id)
        reason = refused_in(reports, order.client_id)
        if reason is not None:
            raise rejected(reason)
        return reports

    async def cancel(self, client_id: str, order_client_id: str) -> list[AnyReport]:
        """Cancel a working order; see `Adapter.cancel`."""
        path = f"/orders/{self._specifier(order_client_id)}/cancel"
        return await self._change("PUT", path, None, client_id, "order-not-working")

    async def modify(self, change: Modification) -> list[AnyReport]:
        """Change a ticket's protection or a working order; see `Adapter.modify`."""
        if change.broker_trade_id is not None:
            return await self._protect(change, quote(change.broker_trade_id, safe=""))
        path = f"/orders/{self._specifier(change.order_client_id or '')}"
        working = (await self._ask(path, "order-not-working")).within("order")
        if working.text("state") not in ("", "PENDING"):
            raise rejected("order-not-working")
        if not self._is_precise(working, change):
            raise rejected("price-precision")
        _check_entry(working, change)
        body = replacement_body(working, change, guaranteed=self._terms.guaranteed_stops)
        return await self._change("PUT", path, body, change.client_id, "order-not-working")

    async def mark_trade(self, broker_trade_id: str, magic: int) -> None:
        """Write another magic number on a ticket; see `MarksTrades.mark_trade`."""
        if self._terms.anonymous:
            raise rejected("no-extensions")
        path = f"/trades/{quote(broker_trade_id, safe='')}"
        extensions = (await self._ask(path, "unknown-ticket")).within("trade").within("clientExtensions")
        body = {"clientExtensions": {**extensions.source, "tag": tag_of(magic)}}
        await self._act("PUT", f"{path}/clientExtensions", body, "", "unknown-ticket")

    async def _protect(self, change: Modification, ticket: str) -> list[AnyReport]:
        if not self._terms.hedging:
            raise rejected("no-tickets")
        path = f"/trades/{ticket}"
        trade = (await self._ask(path, "unknown-ticket")).within("trade")
        if trade.text("state") == "CLOSED":
            raise rejected("unknown-ticket")
        if not self._is_precise(trade, change):
            raise rejected("price-precision")
        if change.stop_loss or change.take_profit:
            await self._check_sides(trade, change)
        body = trade_orders_body(change, guaranteed=self._terms.guaranteed_stops)
        return await self._change("PUT", f"{path}/orders", body, change.client_id, "unknown-ticket")

    async def _check_sides(self, trade: Fields, change: Modification) -> None:
        """Refuse what would fire at once: the broker would take it, and close the trade."""
        quote = await self._quote(trade.text("instrument"))
        if quote is None:
            return
        side: Side = "buy" if (trade.amount("currentUnits") or Decimal(0)) >= 0 else "sell"
        wrong = wrong_side(side, change.stop_loss, change.take_profit, closing_price(side, *quote))
        if wrong is not None:
            raise rejected(wrong)

    async def _bound(self, order: BrokerOrder) -> Decimal | None:
        """Return the worst price for a market order that opens; exits always go."""
        if self._bound_pips is None or order.order_type != "market" or order.exit:
            return None
        instrument = self._instruments()[order.instrument]
        tick = self._newest.get(order.instrument)
        quote = (
            await self._quote(name_of(order.instrument))
            if tick is None
            else (decimal_price(tick.bid, instrument.price_tick), decimal_price(tick.ask, instrument.price_tick))
        )
        if quote is None:
            raise rejected("market-halted")
        away = self._bound_pips * instrument.pip
        return instrument.round_price(quote[1] + away if order.side == "buy" else quote[0] - away)

    async def _quote(self, name: str) -> tuple[Decimal, Decimal] | None:
        """Ask for bid and ask; None while a side is empty."""
        prices = (await self._ask("/pricing", "unknown-instrument", {"instruments": name})).each("prices")
        price = next(prices, Fields({}))
        bid, ask = (next(price.each(side), Fields({})).amount("price") for side in ("bids", "asks"))
        return None if bid is None or ask is None else (bid, ask)

    def _form_refusal(self, order: BrokerOrder) -> str | None:
        instrument = self._instruments().get(order.instrument)
        if instrument is None:
            return "unknown-instrument"
        if not self._terms.hedging:
            if order.close_broker_trade_id is not None:
                return "no-tickets"
            if any((order.stop_loss, order.take_profit, order.trailing_distance)):
                return "no-native-protection"
        if self._terms.guaranteed_stops and not order.exit and not order.stop_loss:
            return "guaranteed-stop-required"
        return form_refusal(order, instrument, self._clock.now_ns())

    def _is_precise(self, held: Fields, change: Modification) -> bool:
        instrument = self._instruments().get(symbol_of(held.text("instrument")))
        prices = (change.price, change.stop_loss, change.take_profit, change.trailing_distance)
        return instrument is None or are_precise(instrument, *prices)

    def _specifier(self, client_id: str) -> str:
        # By our id where it is carried: a person may have replaced the order by one with another number.
        known = self._ids.broker_id(client_id) if self._terms.anonymous else None
        return known or f"@{quote(client_id, safe='')}"

    async def _ask(self, path: str, missing: str, query: Mapping[str, str] | None = None) -> Fields:
        await self._budget.take(Priority.QUERY)
        try:
            return Fields(await self._rest.get(path, query or {}))
        except Rejected as error:
            raise refusal_of(error, missing) from error

    async def _change(
        self, method: str, path: str, body: dict[str, Any] | None, client_id: str, missing: str
    ) -> list[AnyReport]:
        """Act, and make sure that the intent is reported: the broker need not make a transaction for no change."""
        reply: list[Fields] = []
        reports = await self._act(method, path, body, client_id, missing, reply)
        for item in reply:  # a protective order that was made and ended in one go
            if item.text("type") == "ORDER_CANCEL" and item.text("orderID") in {other.text("id") for other in reply}:
                raise rejected(reason_of(item.text("reason")))
        if not any(isinstance(report, OrderReport) and report.client_id == client_id for report in reports):
            newest = max((item.number("id") for item in reply), default=0)
            reports.append(self._done(client_id, newest))
        return reports

    async def _act(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        client_id: str,
        missing: str = "not-found",
        made: list[Fields] | None = None,
    ) -> list[AnyReport]:
        async with self._acting():
            try:
                reply = await self._rest.act(method, path, body, client_id)
            except Rejected as error:
                raise refusal_of(error, missing) from error
            transactions = transactions_in(reply)
            if made is not None:
                made += transactions
            return self._translator.all_of(transactions, client_id or None)

    @asynccontextmanager
    async def _acting(self) -> AsyncIterator[None]:
        self._under_way += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    def _done(self, client_id: str, transaction_id: int) -> OrderReport:
        return OrderReport(
            transaction_id=transaction_id,
            time_ns=self._clock.now_ns(),
            client_id=client_id,
            broker_id="",
            state=OrderState.DONE,
        )


def _check_entry(working: Fields, change: Modification) -> None:
    """Refuse a change after which an order could only open what its protection ends at once: the broker takes it."""
    terms = terms_of_order(working, change.client_id)
    if terms is None:
        return
    stop, target = (
        held if wanted is None else wanted
        for wanted, held in ((change.stop_loss, terms.stop_loss), (change.take_profit, terms.take_profit))
    )
    wrong = wrong_side(terms.side, stop, target, change.price or terms.price or Decimal(0))
    if wrong is not None:
        raise rejected(wrong)
