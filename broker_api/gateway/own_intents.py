"""Intents of the gateway's own."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import NamedTuple

from atrader.clock import Clock
from atrader.orders.model import Action, Intent, OrderType, Trade
from atrader.orders.own import own_intent
from atrader.orders.patience import Patience
from broker_api.gateway.book import Book
from broker_api.gateway.submit import Submitter


class Begun(NamedTuple):
    """An intent that is being carried out."""

    client_id: str
    task: asyncio.Task[None]


class OwnIntents:
    """Makes intents with counters below zero, and begins to carry them out.

    Parameters
    ----------
    clock : Clock
        Market time of the intents.
    pause_clock : Clock
        Time of the pauses between two attempts: the host's; in a replay in lockstep the market's.
    """

    def __init__(self, book: Book, submitter: Submitter, clock: Clock, pause_clock: Clock) -> None:
        self._book = book
        self._submitter = submitter
        self._clock = clock
        self._pause_clock = pause_clock
        self._patience = Patience()

    def close(
        self,
        trade: Trade,
        reason: str,
        *,
        order_type: OrderType = "market",
        units: Decimal | None = None,
        price: Decimal | None = None,
    ) -> Begun:
        """Begin to close a trade, or to have a stop wait for it at the broker; returns at once."""
        return self._begin(
            trade, reason, "close", trade_id=trade.trade_id, order_type=order_type, units=units, price=price
        )

    def cancel(self, intent: Intent, reason: str) -> Begun:
        """Begin to cancel the order of an intent; returns at once."""
        return self._begin(intent, reason, "cancel", order_id=intent.client_id)

    def change(self, intent: Intent, reason: str, *, units: Decimal, price: Decimal) -> Begun:
        """Begin to change size and price of the working order of an intent; returns at once."""
        return self._begin(intent, reason, "modify", order_id=intent.client_id, units=units, price=price)

    def may_try(self, subject: str) -> bool:
        """Tell whether a subject's pause is over; if so the next one begins, twice as long, from 1 s to 60 s."""
        return self._patience.may_try(subject, self._pause_clock.monotonic_s())

    def relax(self, subject: str) -> None:
        """Forget the pause of a subject: it went well."""
        self._patience.relax(subject)

    def forget_pauses(self) -> None:
        """Forget the pauses of what is over."""
        live = {trade.trade_id for trade in self._book.own_trades()}
        live.update(order.client_id for order in self._book.open_orders())
        self._patience.keep(live)

    def _begin(self, owner: Trade | Intent, reason: str, action: Action, **wanted: object) -> Begun:
        n, time_ns = self._book.take_own_id(owner.magic).n, self._clock.now_ns()
        intent = own_intent(owner, action, reason, n=n, time_ns=time_ns, **wanted)
        return Begun(intent.client_id, self._submitter.begin(intent))
