"""Orders with an id of ours that the journal does not know: it was lost, what the broker works on was not."""

from __future__ import annotations

from collections.abc import Mapping

from atrader.orders.ids import IntentId
from atrader.orders.model import OPPOSITE, PROTECTION, Intent, Order, Trade
from atrader.orders.states import OrderState
from broker_api.adapter import BrokerOrder, FillReport, OrderReport
from broker_api.gateway.alerts import Alerts
from broker_api.gateway.book import ADOPTED_DIGEST, Book
from broker_api.gateway.publish import Publisher
from broker_api.journal import Batch, Entry


class Adoption:
    """Makes orders of what the broker tells about them.

    Parameters
    ----------
    instance_names : Mapping of int to str
        By magic number; who is not there any more has no name.
    """

    def __init__(self, book: Book, publisher: Publisher, alerts: Alerts, instance_names: Mapping[int, str]) -> None:
        self._book = book
        self._publisher = publisher
        self._alerts = alerts
        self._names = instance_names

    def of_fill(self, report: FillReport, intent_id: IntentId, closes: Trade | None, batch: Batch) -> Entry:
        """Make the order of a fill; SENT, as the fill will move it."""
        intent = Intent(
            magic=intent_id.magic,
            n=intent_id.n,
            instance=self._names.get(intent_id.magic, ""),
            instrument=report.instrument,
            action="open" if closes is None else "close",
            time_ns=report.time_ns,
            reason="adopted",
            side=report.side if closes is None else None,
            units=report.units,
            trade_id=None if closes is None else closes.trade_id,
        )
        return self._take(intent, OrderState.SENT, None, report, f"the broker filled order {intent.client_id}", batch)

    def of_order(self, report: OrderReport, terms: BrokerOrder, intent_id: IntentId, batch: Batch) -> Entry:
        """Make the order that works at the broker.

        A stop of the gateway's own that can only reduce waits for one of the trades that have none, of the same size if
        there is one; else for a trade that nobody knows.
        """
        is_net_stop = terms.reduce_only and terms.order_type == "stop" and intent_id.n < 0
        trade = self._unstopped(intent_id.magic, terms) if is_net_stop else None
        intent = Intent(
            magic=intent_id.magic,
            n=intent_id.n,
            instance=self._names.get(intent_id.magic, ""),
            instrument=terms.instrument,
            action="close" if is_net_stop else "open",
            time_ns=report.time_ns,
            reason=PROTECTION if is_net_stop else "adopted",
            side=None if is_net_stop else terms.side,
            order_type=terms.order_type,
            units=terms.units,
            price=terms.price,
            stop_loss=terms.stop_loss,
            take_profit=terms.take_profit,
            trailing_distance=terms.trailing_distance,
            expires_ns=terms.expires_ns,
            trade_id=(trade.trade_id if trade is not None else "") if is_net_stop else None,
        )
        told = f"the broker works on order {intent.client_id}"
        return self._take(intent, OrderState.WORKING, report.broker_id, report, told, batch)

    def _unstopped(self, magic: int, terms: BrokerOrder) -> Trade | None:
        stopped = {order.intent.trade_id for order in self._book.net_stops()}
        found = [
            trade
            for trade in self._book.own_trades(magic)
            if (trade.instrument, trade.side) == (terms.instrument, OPPOSITE[terms.side])
            and trade.trade_id not in stopped
        ]
        return min(found, key=lambda trade: abs(trade.units - terms.units), default=None)

    def _take(
        self,
        intent: Intent,
        state: OrderState,
        broker_id: str | None,
        report: FillReport | OrderReport,
        told: str,
        batch: Batch,
    ) -> Entry:
        order = Order(
            client_id=intent.client_id,
            intent=intent,
            state=state,
            broker_id=broker_id,
            units=intent.units,
            created_ns=report.time_ns,
            updated_ns=report.time_ns,
        )
        entry = Entry(order, report.transaction_id, ADOPTED_DIGEST)
        self._book.add(entry)
        self._publisher.note_order(order, batch.order(entry))
        self._alerts.alert(
            "adopted-order",
            f"{told}, which the journal does not know",
            instrument=intent.instrument,
            magic=intent.magic,
        )
        return entry
