"""A journal with a long past, written by the product's own journal in seconds: trades that were opened and closed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final

from atrader.clock import NS_PER_S
from atrader.orders.model import Fill, Intent, Order, Side, Trade
from atrader.orders.states import OrderState
from broker_api.journal import Batch, Entry, Journal, digest_of

EVENTS_PER_TRADE: Final = 4
"""Two orders, two fills."""

_OPENED, _CLOSED = Decimal("1.10000"), Decimal("1.10010")
_HELD_NS: Final = 60 * NS_PER_S


class Past:
    """What one instance did long ago.

    Parameters
    ----------
    account, instance, magic
        Whose trades they are.
    trades : int
        How many: of one unit, one after another.
    end_ns : int
        When the last one was closed, UTC nanoseconds.
    """

    def __init__(self, account: str, instance: str, magic: int, trades: int, end_ns: int) -> None:
        self._account, self._trades, self._begin_ns = account, trades, end_ns - 2 * trades * _HELD_NS
        self._whose = {"instance": instance, "magic": magic, "instrument": "EUR/USD"}
        self._key = f"past-{magic}"

    def batch(self) -> Batch:
        """Return everything as one transaction."""
        batch = Batch(self._account)
        for number in range(self._trades):
            opened_ns = self._begin_ns + 2 * number * _HELD_NS
            opening = self._order(2 * number + 1, opened_ns, action="open", side="buy", units=Decimal(1))
            closing = self._order(2 * number + 2, opened_ns + _HELD_NS, action="close", trade_id=opening.client_id)
            for order, side, price in ((opening, "buy", _OPENED), (closing, "sell", _CLOSED)):
                batch.order(Entry(order, 0, digest_of(order.intent)))
                batch.fill(self._fill(order, side, price, opening.client_id))
            batch.trade(self._closed_trade(opening, closing), closing.updated_ns)
        return batch

    def _order(self, n: int, time_ns: int, **wanted: object) -> Order:
        intent = Intent.model_validate({**self._whose, **wanted, "n": n, "time_ns": time_ns})
        return Order(
            client_id=intent.client_id, intent=intent, state=OrderState.FILLED, broker_id=f"{self._key}-{n}",
            units=Decimal(1), filled_units=Decimal(1), average_price=_OPENED, created_ns=time_ns, updated_ns=time_ns,
            version=2,
        )  # fmt: skip

    def _fill(self, order: Order, side: Side, price: Decimal, trade_id: str) -> Fill:
        return Fill(
            **self._whose, fill_id=f"{order.broker_id}-fill", account=self._account, side=side, units=Decimal(1),
            price=price, time_ns=order.updated_ns, client_id=order.client_id, trade_id=trade_id,
        )  # fmt: skip

    def _closed_trade(self, opening: Order, closing: Order) -> Trade:
        return Trade(
            **self._whose, trade_id=opening.client_id, account=self._account, side="buy", units_opened=Decimal(1),
            units=Decimal(0), open_time_ns=opening.updated_ns, open_price=_OPENED, broker_trade_id=opening.broker_id,
            close_time_ns=closing.updated_ns, close_price=_CLOSED, units_closed=Decimal(1), profit=_CLOSED - _OPENED,
            close_reason="order", version=2,
        )  # fmt: skip


def write_pasts(path: Path, pasts: Iterator[Past]) -> None:
    """Write a journal that no gateway owns at present."""

    async def write() -> None:
        journal = Journal(path)
        await asyncio.gather(*(journal.commit(past.batch()) for past in pasts))
        journal.close()

    asyncio.run(write())
