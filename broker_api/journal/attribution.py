"""Whose an order at the broker is, where the broker cannot carry our ids: the journal knows."""

from __future__ import annotations

from decimal import Decimal

from broker_api.journal.reading import Reading


class Attribution:
    """Finds orders of ours by what a broker knows of them. Reads all open orders: for rare cases.

    Parameters
    ----------
    read : Reading
        Of the journal; what is asked for was on disk before it was sent.
    """

    def __init__(self, read: Reading) -> None:
        self._read = read

    def working(self, broker_id: str) -> str | None:
        """Return the client id of the open order that has a broker's order id."""
        return next((e.order.client_id for e in self._read.open_orders() if e.order.broker_id == broker_id), None)

    def closing(self, broker_trade_id: str, units: Decimal) -> str | None:
        """Return the client id of the oldest order that closes so much of a ticket and has no outcome yet."""
        trades = {trade.trade_id for trade in self._read.open_trades() if trade.broker_trade_id == broker_trade_id}
        return next(
            (
                entry.order.client_id
                for entry in self._read.open_orders()
                if entry.order.intent.action == "close"
                and entry.order.intent.trade_id in trades
                and entry.order.units == units
                and entry.order.broker_id is None
            ),
            None,
        )
