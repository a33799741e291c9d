"""Intents of the gateway's own, and the patience with which a refused one is tried again."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Final, NamedTuple

from atrader.clock import Clock
from atrader.orders.model import Action, Intent, OrderType, Trade
from broker_api.gateway.book import Book
from broker_api.gateway.submit import Submitter

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0  # a closed market refuses for a whole weekend


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
        self._pauses: dict[str, tuple[float, float]] = {}  # trade or order id -> not before, pause

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
        now_s = self._pause_clock.monotonic_s()
        not_before_s, pause_s = self._pauses.get(subject, (now_s, _FIRST_PAUSE_S))
        if now_s < not_before_s:
            return False
        self._pauses[subject] = (now_s + pause_s, min(2 * pause_s, _LONGEST_PAUSE_S))
        return True

    def relax(self, subject: str) -> None:
        """Forget the pause of a subject: it went well."""
        self._pauses.pop(subject, None)

    def forget_pauses(self) -> None:
        """Forget the pauses of what is over."""
        live = {trade.trade_id for trade in self._book.own_trades()}
        live.update(order.client_id for order in self._book.open_orders())
        self._pauses = {subject: pause for subject, pause in self._pauses.items() if subject.rpartition(" ")[2] in live}

    def _begin(self, owner: Trade | Intent, reason: str, action: Action, **wanted: object) -> Begun:
        intent = Intent.model_validate(
            {
                "magic": owner.magic,
                "n": self._book.take_own_id(owner.magic).n,
                "instance": owner.instance,
                "instrument": owner.instrument,
                "action": action,
                "time_ns": self._clock.now_ns(),
                "reason": reason,
                **wanted,
            }
        )
        return Begun(intent.client_id, self._submitter.begin(intent))
