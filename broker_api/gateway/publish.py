"""Events to the workers, published only after the journal has them."""

from __future__ import annotations

from typing import Protocol

from atrader.messages.gateway import ORDER_EVENT, TRADE_EVENT
from atrader.orders.model import Order, Trade
from atrader.orders.states import OrderState
from atrader.wire import StreamSchema
from broker_api.gateway.crash_points import reached


class Stream(Protocol):
    """What a publisher needs of `atrader.bus.StreamServer`."""

    epoch: int

    def publish(self, topic: str, schema: StreamSchema, values: tuple[str, ...]) -> int:
        """Send one message."""

    def last(self, topic: str) -> tuple[int, int]:
        """Return the epoch and the number of the last message of a topic."""


def order_topic(instance: str) -> str:
    """Topic of an instance's order events."""
    return f"order|{instance}"


def trade_topic(instance: str) -> str:
    """Topic of an instance's trade events."""
    return f"trade|{instance}"


class Publisher:
    """Keeps events until the journal's commit and then publishes them in the order they were noted.

    SENT is no event: whoever handed the intent over gets it as the answer, and everybody else the outcome. How the
    gateway keeps a trade's stop at the broker is no event either: the trade tells its end.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._orders: list[tuple[str, str]] = []  # instance, JSON
        self._trades: list[tuple[str, str]] = []
        self.news: set[str] = set()  # instances with events since somebody emptied it

    def note_order(self, order: Order, body: str) -> None:
        """Publish an order, and the JSON of it that the journal gets, with the next commit."""
        intent = order.intent
        if order.state is OrderState.SENT or order.state is OrderState.NEW or intent.keeps_protection:
            return
        if intent.instance:
            self._orders.append((order.intent.instance, body))

    def note_trade(self, trade: Trade, body: str) -> None:
        """Publish a trade, and the JSON of it that the journal gets, with the next commit."""
        if trade.instance:
            self._trades.append((trade.instance, body))

    def on_commit(self) -> None:
        """Publish everything noted; the journal calls this."""
        if not self._orders and not self._trades:
            return
        reached("after-answer-before-publish")
        orders, self._orders = self._orders, []
        trades, self._trades = self._trades, []
        for instance, body in orders:
            self.news.add(instance)
            self._stream.publish(order_topic(instance), ORDER_EVENT, (body,))
        for instance, body in trades:
            self.news.add(instance)
            self._stream.publish(trade_topic(instance), TRADE_EVENT, (body,))

    def position(self, instance: str) -> tuple[int, int, int]:
        """Return epoch, number of the last order event and of the last trade event of an instance."""
        epoch, order_seq = self._stream.last(order_topic(instance))
        return epoch, order_seq, self._stream.last(trade_topic(instance))[1]
