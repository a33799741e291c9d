"""The one place where an order changes its state."""

from __future__ import annotations

from typing import Final

from atrader.clock import Clock
from atrader.orders.states import OrderState, may_move
from broker_api.gateway.alerts import Alerts
from broker_api.gateway.book import Book
from broker_api.gateway.publish import Publisher
from broker_api.journal import Batch, Entry

_LATE: Final = frozenset({OrderState.LOST})


class Moves:
    """Moves orders as the table of states allows; every move is a journal row and an event.

    Parameters
    ----------
    book : Book
        Where the orders are.
    publisher : Publisher
        Told of every move.
    alerts : Alerts
        Told when an order turns up after it was given up.
    clock : Clock
        Market time of the moves.
    """

    def __init__(self, book: Book, publisher: Publisher, alerts: Alerts, clock: Clock) -> None:
        self._book = book
        self._publisher = publisher
        self._alerts = alerts
        self._clock = clock

    def move(self, entry: Entry, state: OrderState, batch: Batch, *, reason: str = "", **update: object) -> bool:
        """Move an order; False, and nothing changed, when the table does not allow it.

        Parameters
        ----------
        entry : Entry
            The order.
        state : OrderState
            Its new state.
        batch : Batch
            Takes the journal's row.
        reason : str
            Why; empty keeps the old reason.
        **update
            Other fields of the order that change with it.
        """
        if not may_move(entry.order.state, state):
            return False
        if entry.order.state in _LATE:
            self._alerts.alert(
                "late-order",
                f"order {entry.order.client_id} was given up as LOST and turned up as {state}",
                instrument=entry.order.intent.instrument,
                magic=entry.order.intent.magic,
            )
        self.rewrite(entry, batch, state=state, reason=reason or entry.order.reason, **update)
        return True

    def now_ns(self) -> int:
        """Market time."""
        return self._clock.now_ns()

    def rewrite(self, entry: Entry, batch: Batch, **update: object) -> None:
        """Make a new version of an order; only `move` may pass a state."""
        order = entry.order
        update["updated_ns"] = max(order.updated_ns, self._clock.now_ns())
        update["version"] = order.version + 1
        entry.order = order.model_copy(update=update)
        self._book.keep(entry)
        self._publisher.note_order(entry.order, batch.order(entry))
