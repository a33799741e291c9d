"""An instance's own picture of its orders and trades, fed by what the account tells of them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import islice

from atrader.orders.model import Order, Trade
from atrader.orders.states import TERMINAL


class View:
    """Orders without an outcome and open trades of one instance.

    Only newer versions change it, so events may arrive twice or after a snapshot that holds them already.
    Ended orders and closed trades leave it; their last version number is kept for a bounded number of them, so that
    a late duplicate does not bring them back.
    """

    _REMEMBERED = 1000

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._trades: dict[str, Trade] = {}
        self._ended: dict[str, int] = {}
        self.closes = 0  # trades that were seen to close

    @property
    def orders(self) -> tuple[Order, ...]:
        """Orders in flight or working, oldest first."""
        return tuple(self._orders.values())

    @property
    def trades(self) -> tuple[Trade, ...]:
        """Open trades, oldest first."""
        return tuple(self._trades.values())

    def see_order(self, order: Order) -> bool:
        """Take an order in; return whether it is news."""
        known = self._orders.get(order.client_id)
        if order.version <= (self._ended.get(order.client_id, 0) if known is None else known.version):
            return False
        if order.state in TERMINAL:
            if known is not None:
                del self._orders[order.client_id]
            self._end(order.client_id, order.version)
        else:
            self._orders[order.client_id] = order
        return True

    def see_trade(self, trade: Trade) -> bool:
        """Take a trade in; return whether it is news."""
        trade_id = trade.trade_id
        known, key = self._trades.get(trade_id), f"trade:{trade_id}"
        if trade.version <= (known.version if known is not None else self._ended.get(key, 0)):
            return False
        if trade.is_open:
            self._trades[trade_id] = trade
        else:
            if known is not None:
                del self._trades[trade_id]
            self._end(key, trade.version)
            self.closes += 1
        return True

    def replace(self, orders: Iterable[Order], trades: Iterable[Trade]) -> tuple[list[Order], list[Trade]]:
        """Take a whole snapshot in and return what was news, oldest first.

        A snapshot holds every open trade and every order without an outcome, so what it does not mention is over:
        such a trade is told as closed, such an order is only forgotten, since nobody knows how it ended.
        """
        orders, trades = list(orders), list(trades)
        gone_orders = self._orders.keys() - {order.client_id for order in orders}
        for client_id in gone_orders:
            self._end(client_id, self._orders.pop(client_id).version)
        gone = [trade for trade in self._trades.values() if trade.trade_id not in {seen.trade_id for seen in trades}]
        closed = [
            trade.model_copy(
                update={"units": Decimal(0), "close_reason": "closed while unseen", "version": trade.version + 1}
            )
            for trade in gone
        ]
        return [order for order in orders if self.see_order(order)], [
            trade for trade in (*closed, *trades) if self.see_trade(trade)
        ]

    def _end(self, key: str, version: int) -> None:
        self._ended[key] = version
        if len(self._ended) > 2 * self._REMEMBERED:
            # Many at once: to find one, Python passes over all that went before.
            for oldest in list(islice(self._ended, self._REMEMBERED)):
                del self._ended[oldest]
