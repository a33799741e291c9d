"""The worker's share of its account: order and trade events without gaps."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal

from atrader.bus import Gap, Message, StreamClient
from atrader.configuration.home import Home
from atrader.configuration.instance import InstanceConfig
from atrader.errors import DeadlineExceeded, Retryable
from atrader.messages.gateway import InstanceSnapshot, Synchronised
from atrader.orders.model import Order, Trade
from atrader.view import View
from broker_api.client import BrokerClient

_ATTACH_S = 1.0  # shorter than the beat time-out: the loop must go on while the gateway is away
_OVERLAP_NS = 60 * 1_000_000_000  # what ended this long before the last news is asked for again; versions sort it out
_ATTEMPT_S = 1.5  # replay only: the gateway answers within it; a beat is due in between
_SYNCHRONISE_S = 10.0  # replay only: longer means the gateway's stream is broken


class AccountFeed:
    """Keeps the view of one instance's orders and trades true.

    Events are lossless: after a gap of the stream, or a new life of the gateway, the whole snapshot is fetched and
    compared with the view; what differs is news.
    """

    def __init__(self, home: Home, broker: BrokerClient, config: InstanceConfig, view: View) -> None:
        self._broker = broker
        self._config = config
        self._view = view
        self._order_topic = f"order|{config.name}"
        self._trade_topic = f"trade|{config.name}"
        self._seen: dict[str, int] = {}
        self._epoch = 0
        self._since_ns = 0
        self._missed = False
        self.stream = StreamClient(home.endpoint(f"gateway.{config.account}.stream"))
        self.equity = Decimal(0)
        self.last_n = 0
        self.risk_day = ""

    def start(self, since_ns: int) -> None:
        """Subscribe, then attach and fill the view."""
        self.stream.subscribe(self._order_topic)
        self.stream.subscribe(self._trade_topic)
        snapshot = self._attach(since_ns)
        self._view.replace(snapshot.orders, snapshot.trades)

    @property
    def is_behind(self) -> bool:
        """Whether events were missed and the gateway could not be asked yet: `drain` asks again."""
        return self._missed

    def drain(self) -> tuple[list[Order], list[Trade]]:
        """Take everything waiting in; return what was news, oldest first."""
        return self._take(self.stream.drain())

    def synchronise(self, market_ns: int, while_waiting: Callable[[], bool]) -> tuple[list[Order], list[Trade]]:
        """Replay only: wait until every event up to a market time is taken in; return what was news.

        Parameters
        ----------
        market_ns : int
            UTC ns.
        while_waiting : callable
            Called while the gateway does not answer; returns False to give up (the process stops).

        Raises
        ------
        DeadlineExceeded
            When the process stops meanwhile, or the events do not come although the gateway says it published them.
        """
        reached = self._position(market_ns, while_waiting)
        orders, trades = self.drain()
        deadline_s = time.monotonic() + _SYNCHRONISE_S
        while not self._reached(reached):
            if not while_waiting() or time.monotonic() > deadline_s:
                raise DeadlineExceeded(f"events of gateway {self._config.account} do not arrive")
            self.stream.poll(50)
            more_orders, more_trades = self.drain()
            orders += more_orders
            trades += more_trades
            if reached.epoch != self._epoch:  # the gateway has died meanwhile: its successor counts anew
                reached = self._position(market_ns, while_waiting)
        return orders, trades

    def close(self) -> None:
        """Close the subscription."""
        self.stream.close()

    def _position(self, market_ns: int, while_waiting: Callable[[], bool]) -> Synchronised:
        while True:
            try:
                reached = self._broker.synchronise(self._config.name, market_ns, _ATTEMPT_S)
            except DeadlineExceeded:
                if not while_waiting():
                    raise
                continue
            self.equity = reached.equity
            return reached

    def _reached(self, reached: Synchronised) -> bool:
        if reached.epoch != self._epoch:
            return False
        positions = ((self._order_topic, reached.order_seq), (self._trade_topic, reached.trade_seq))
        return all(self._seen.get(topic, 0) >= seq for topic, seq in positions)

    def _take(self, items: list[Message | Gap]) -> tuple[list[Order], list[Trade]]:
        orders: list[Order] = []
        trades: list[Trade] = []
        for item in items:
            if isinstance(item, Gap):
                self._missed = True
                continue
            self._seen[item.topic] = max(item.seq, self._seen.get(item.topic, 0))
            if item.topic == self._order_topic:
                order = Order.model_validate_json(item.values.json)
                self._since_ns = max(self._since_ns, order.updated_ns - _OVERLAP_NS)
                if self._view.see_order(order):
                    orders.append(order)
            elif item.topic == self._trade_topic:
                trade = Trade.model_validate_json(item.values.json)
                if self._view.see_trade(trade):
                    trades.append(trade)
        if self._missed:
            more_orders, more_trades = self._catch_up()
            orders += more_orders
            trades += more_trades
        return orders, trades

    def _catch_up(self) -> tuple[list[Order], list[Trade]]:
        """Compare the view with the gateway's snapshot; a gateway that does not answer is asked again next time."""
        try:
            snapshot = self._attach(self._since_ns)
        except Retryable:
            return [], []
        self._missed = False
        return self._view.replace(snapshot.orders, snapshot.trades)

    def _attach(self, since_ns: int) -> InstanceSnapshot:
        snapshot = self._broker.attach(self._config.name, self._config.magic, since_ns, _ATTACH_S)
        self._since_ns = max([since_ns, *(order.updated_ns for order in snapshot.orders)]) - _OVERLAP_NS
        self._epoch = snapshot.epoch
        for topic, seq in ((self._order_topic, snapshot.order_seq), (self._trade_topic, snapshot.trade_seq)):
            self._seen[topic] = seq
            self.stream.resume(topic, snapshot.epoch, seq)
        self.equity = snapshot.equity
        self.last_n = snapshot.last_n
        self.risk_day = snapshot.risk_day
        return snapshot
