"""The desk: numbers intents, hands them to the gateway in order, and keeps the view up to date."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from decimal import Decimal

from atrader.errors import DeadlineExceeded, Rejected, Retryable, UnknownOutcome
from atrader.orders.model import Intent, Order
from atrader.orders.states import OrderState
from atrader.view import View
from broker_api.client import BrokerClient

_FIRST_PAUSE_S = 0.05
_ATTEMPT_S = 1.0  # the gateway answers within it, with an order still in flight; a beat is due in between


class Desk:
    """The way of one instance's intents to its gateway.

    Parameters
    ----------
    broker : BrokerClient
        Client of the account's gateway.
    view : View
        Picture that the answers update.
    n : int
        Highest counter used so far.
    while_waiting : callable
        Called between two attempts while the gateway does not answer; returns False to give up (the process stops).
    left : iterable of Intent
        What the last life was about to hand over; handed over first, under its old numbers.
    """

    def __init__(
        self,
        broker: BrokerClient,
        view: View,
        n: int,
        while_waiting: Callable[[], bool],
        left: Iterable[Intent] = (),
    ) -> None:
        self._broker = broker
        self._view = view
        self.while_waiting = while_waiting
        self._waiting: list[Intent] = list(left)
        self.n = n
        self.answered = 0  # intents so far
        self.gave_up = False  # told to stop with intents that no gateway has answered

    def note(self, values: dict[str, object]) -> Intent:
        """Give an intent its number and keep it for `hand_over`."""
        self.n += 1
        intent = Intent.model_validate({**values, "n": self.n})
        self._waiting.append(intent)
        return intent

    @property
    def waiting(self) -> tuple[Intent, ...]:
        """Intents that are kept for `hand_over`, in order."""
        return tuple(self._waiting)

    def drop(self, keep: int = 0) -> int:
        """Forget the kept intents of a callback that failed, all after the first ``keep``; return how many."""
        dropped = len(self._waiting) - keep
        del self._waiting[keep:]
        return dropped

    def refuse_opens(self, keep: int, reason: str) -> list[Order]:
        """Drop the opens after the first ``keep`` of the kept intents; return them as orders that were refused."""
        refused = [intent for intent in self._waiting[keep:] if intent.action == "open"]
        self._waiting[keep:] = [intent for intent in self._waiting[keep:] if intent.action != "open"]
        return [refused_order(intent, reason) for intent in refused]

    def hand_over(self, *, again: bool = False) -> list[Order]:
        """Hand all kept intents over, in order, and return the orders that are news.

        With ``again``, for what an earlier life left, all of them are news: the strategy's state is from before them.

        Blocks until the gateway answered each one. An intent without an answer is handed over again: the gateway
        answers a known intent with the order it already has, so nothing is sent twice. When the process is told to
        stop meanwhile, the rest is dropped and `gave_up` is set: the next life has to do it.
        """
        news = []
        while self._waiting:
            answered = self._submit(self._waiting[0])
            if answered is None:
                self.gave_up = True
                self.drop()
                break
            del self._waiting[0]
            self.answered += 1
            if self._view.see_order(answered) or again:
                news.append(answered)
        return news

    def _submit(self, intent: Intent) -> Order | None:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return self._broker.submit(intent, timeout_s=_ATTEMPT_S).order
            except (Retryable, UnknownOutcome) as error:
                if not self.while_waiting():
                    return None
                if not isinstance(error, DeadlineExceeded):  # answered at once: asking on would only keep it busy
                    time.sleep(pause_s)
                    pause_s = min(2 * pause_s, _ATTEMPT_S)
            except Rejected as refused:
                return refused_order(intent, str(refused.details.get("reason", refused.message)))


def refused_order(intent: Intent, reason: str) -> Order:
    """Return the order of an intent that the gateway refused without writing it down."""
    return Order(
        client_id=intent.client_id,
        intent=intent,
        state=OrderState.REJECTED,
        units=intent.units,
        filled_units=Decimal(0),
        reason=reason,
        created_ns=intent.time_ns,
        updated_ns=intent.time_ns,
    )
