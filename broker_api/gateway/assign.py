"""Trades that get another owner because a person says so: foreign ones adopted, orphaned ones handed on."""

from __future__ import annotations

import asyncio
from typing import Final

from atrader.configuration.instance import InstanceConfig
from atrader.errors import AtraderError, Rejected
from atrader.ledger import FOREIGN_MAGIC
from atrader.orders.ids import intent_id_of
from atrader.orders.model import Trade
from broker_api.adapter import Adapter, MarksTrades
from broker_api.gateway.alerts import Alerts
from broker_api.gateway.book import Book
from broker_api.gateway.budget import Budget, Priority
from broker_api.gateway.flatten import Flattener
from broker_api.gateway.gate import Gate
from broker_api.gateway.net_stops import NetStops
from broker_api.gateway.publish import Publisher
from broker_api.journal import Batch, Journal

_MARK_S: Final = 5.0


class Assignments:
    """Gives open trades to a configured instance of the account.

    Only trades without a configured owner can be given: foreign ones (magic 0), and those of an instance that is gone
    from the configuration. The broker does nothing for it; where it carries magic numbers on tickets it is told the new
    one afterwards, and the journal stays the truth when that fails.
    """

    def __init__(
        self,
        book: Book,
        gate: Gate,
        flattener: Flattener,
        net_stops: NetStops,
        adapter: Adapter,
        budget: Budget,
        journal: Journal,
        publisher: Publisher,
        alerts: Alerts,
    ) -> None:
        self._book = book
        self._gate = gate
        self._flattener = flattener
        self._net_stops = net_stops
        self._adapter = adapter
        self._budget = budget
        self._journal = journal
        self._publisher = publisher
        self._alerts = alerts

    async def adopt(self, trade_id: str, instance: str) -> tuple[Trade, ...]:
        """Give one trade, by its id or the broker's number, to an instance; on disk before this returns.

        Repeated after an answer that was lost it is refused with reason ``already-ours``.

        Raises
        ------
        Rejected
            When there is no such trade or instance, the instance trades another instrument, the trade has an owner
            already, or it is being opened or closed right now; nothing has changed then.
        """
        trade = self._find(trade_id)
        return await self._assign([trade], self._new_owner(instance))

    async def hand_on(self, magic: int, instance: str) -> tuple[Trade, ...]:
        """Give all trades of an instance that is not configured to another one, and cancel its working entries.

        All of them or none; on disk before this returns. May be repeated: what is left then is given.

        Raises
        ------
        Rejected
            As `adopt`; as well when the magic number is configured or holds nothing.
        """
        owner = self._gate.instances.get(magic)
        if owner is not None:
            raise _refusal("already-ours", f"magic number {magic} is configured: {owner.name} trades it")
        trades, entries = self._book.own_trades(magic), self._book.live_opens(magic)
        if not trades:
            raise _refusal("unknown-trade", f"magic number {magic} has no open trades here")
        new = self._new_owner(instance)
        self._check(trades, new)
        for order in entries:
            self._flattener.cancel(order, "handed-on")
        return await self._assign(trades, new)

    def _find(self, trade_id: str) -> Trade:
        trade = self._book.ledger.trade(trade_id) or self._book.trade_of_ticket(trade_id)
        if trade is None:
            known = [other.trade_id for other in self._book.ledger.open_trades(FOREIGN_MAGIC)]
            raise _refusal(
                "unknown-trade",
                f"no open trade {trade_id} on this account; foreign ones: {', '.join(known) or 'none'}",
            )
        return trade

    def _new_owner(self, instance: str) -> InstanceConfig:
        found = next((item for item in self._gate.instances.values() if item.name == instance), None)
        if found is None:
            known = ", ".join(item.name for item in self._gate.instances.values())
            raise _refusal(
                "unknown-instance", f"no instance {instance!r} is configured on this account; there are: {known}"
            )
        return found

    def _check(self, trades: tuple[Trade, ...] | list[Trade], new: InstanceConfig) -> None:
        for trade in trades:
            owner = self._gate.instances.get(trade.magic)
            if owner is not None:
                raise _refusal("already-ours", f"trade {trade.trade_id} belongs to {owner.name}, which is configured")
            if trade.instrument != new.instrument:
                raise _refusal(
                    "wrong-instrument",
                    f"trade {trade.trade_id} is in {trade.instrument}; {new.name} trades {new.instrument}",
                )
            if self._is_moving(trade):
                raise _refusal("in-flight", f"trade {trade.trade_id} is being opened or closed: ask again")

    def _is_moving(self, trade: Trade) -> bool:
        if self._book.closing_units(trade.trade_id):
            return True
        opening = self._book.entry(trade.trade_id) if intent_id_of(trade.trade_id) is not None else None
        return opening is not None and opening.order.state in ("SENT", "UNKNOWN")

    async def _assign(self, trades: tuple[Trade, ...] | list[Trade], new: InstanceConfig) -> tuple[Trade, ...]:
        self._check(trades, new)
        batch, given = Batch(self._book.account), list[Trade]()
        for trade in trades:
            after = self._book.ledger.assign(trade.trade_id, new.magic, new.name)
            self._publisher.note_trade(after, batch.trade(after, self._alerts.now_ns()))
            self._alerts.alert(
                "trade-assigned",
                f"trade {trade.trade_id} ({trade.side} {trade.units} {trade.instrument}) went from"
                f" {trade.instance or 'nobody'} (magic {trade.magic}) to {new.name} (magic {new.magic})",
                instrument=trade.instrument,
                magic=new.magic,
            )
            given.append(after)
        await self._journal.commit(batch)
        self._net_stops.soon()
        for trade in given:
            await self._mark(trade)
        return tuple(given)

    async def _mark(self, trade: Trade) -> None:
        if trade.broker_trade_id is None or not isinstance(self._adapter, MarksTrades):
            return
        await self._budget.take(Priority.QUERY)
        try:
            async with asyncio.timeout(_MARK_S):
                await self._adapter.mark_trade(trade.broker_trade_id, trade.magic)
        except (AtraderError, OSError, TimeoutError) as error:
            self._alerts.count("mark-failed")
            self._alerts.log.info("mark-failed", trade_id=trade.trade_id, reason=str(error) or "no answer in time")


def _refusal(reason: str, message: str) -> Rejected:
    return Rejected(message, details={"reason": reason})
