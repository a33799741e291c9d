"""The order array: open orders and history of one instance, newest first, as the library reads them."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from atrader.broker_clock import WallClock
from atrader.errors import InvariantBroken
from atrader.orders.model import Order, Trade
from framework_bridge.abi.signals import OrderKind
from framework_bridge.abi.structures import ORDER_INFO

MAX_TICKET: Final = 2**31 - 1


class OrderEntry(NamedTuple):
    """One order, in the library's order of fields.

    Times are seconds of the broker's wall clock read as UTC, prices absolute, 0 where there is none.
    """

    ticket: float
    instance_id: float
    type: float
    open_time: float
    close_time: float
    stop_loss: float
    take_profit: float
    expiration: float
    open_price: float
    close_price: float
    lots: float
    profit: float
    commission: float
    swap: float
    is_open: float


_PACK: Final = struct.Struct("<15d").pack
_CLOSE_PRICE: Final = OrderEntry._fields.index("close_price")
_PROFIT: Final = OrderEntry._fields.index("profit")


def trade_entry(trade: Trade, ticket: int, clock: WallClock, contract_size: float) -> OrderEntry:
    """Describe a trade; profit and close price of an open one are those of its closed part (see `OrderArray.mark`).

    Parameters
    ----------
    trade : Trade
        Open or closed.
    ticket : int
        Its number for the library, 1 to 2**31-1.
    clock : WallClock
        The broker's.
    contract_size : float
        Units of a lot.
    """
    return OrderEntry(
        ticket=_ticket(ticket),
        instance_id=trade.magic,
        type=OrderKind.of(trade.side, "market"),
        open_time=clock.second(trade.open_time_ns),
        close_time=clock.second(trade.close_time_ns) if trade.close_time_ns is not None else 0.0,
        stop_loss=float(trade.stop_loss or 0),
        take_profit=float(trade.take_profit or 0),
        expiration=0.0,
        open_price=float(trade.open_price),
        close_price=float(trade.close_price or 0),
        lots=float(trade.units if trade.is_open else trade.units_opened) / contract_size,
        profit=float(trade.profit),
        commission=float(trade.commission),
        swap=float(trade.swap),
        is_open=float(trade.is_open),
    )


def pending_entry(order: Order, ticket: int, clock: WallClock, contract_size: float) -> OrderEntry:
    """Describe an order that waits for its price; parameters as of `trade_entry`.

    Raises
    ------
    InvariantBroken
        When the order opens nothing or waits for no price.
    """
    intent = order.intent
    if intent.side is None or intent.price is None or intent.action != "open":
        raise InvariantBroken(f"order {order.client_id} waits for no price")
    units = (order.units if order.units is not None else intent.units) or 0
    return OrderEntry(
        ticket=_ticket(ticket),
        instance_id=intent.magic,
        type=OrderKind.of(intent.side, intent.order_type),
        open_time=clock.second(order.created_ns),
        close_time=0.0,
        stop_loss=float(intent.stop_loss or 0),
        take_profit=float(intent.take_profit or 0),
        expiration=clock.second(intent.expires_ns) if intent.expires_ns is not None else 0.0,
        open_price=float(intent.price),
        close_price=0.0,
        lots=float(units - order.filled_units) / contract_size,
        profit=0.0,
        commission=0.0,
        swap=0.0,
        is_open=1.0,
    )


def _ticket(ticket: int) -> float:
    if not 0 < ticket <= MAX_TICKET:
        raise InvariantBroken(f"ticket {ticket} does not fit the library's 32 bits")
    return float(ticket)


class OrderArray:
    """Memory for the orders of every call; its length is setting ``ORDERINFO_ARRAY_SIZE`` and never changes.

    Parameters
    ----------
    size : int
        Entries.
    """

    def __init__(self, size: int) -> None:
        self.rows: NDArray[np.void] = np.zeros(size, ORDER_INFO)
        self.address = int(self.rows.ctypes.data) if size else None
        self._bytes = self.rows.view(np.uint8)
        self._values = cast(
            "memoryview[float]", self.rows.view(np.float64).data
        )  # one number is written three times as fast as by numpy

    def __len__(self) -> int:
        return len(self.rows)

    def fill(self, entries: Iterable[bytes]) -> int:
        """Write packed entries (`pack`) from index 0 on and zero the rest.

        Parameters
        ----------
        entries : iterable of bytes
            Open orders newest first, then closed ones newest first. What is beyond the array's end, the oldest
            history, is left out.

        Returns
        -------
        int
            How many were left out.
        """
        content = b"".join(entries)
        room = self._bytes.nbytes
        used = min(len(content), room)
        self._bytes[:used] = np.frombuffer(content, np.uint8, used)
        self._bytes[used:] = 0
        return (len(content) - used) // ORDER_INFO.itemsize

    def mark(self, index: int, close_price: float, profit: float) -> None:
        """Put in what an open order is worth now.

        Parameters
        ----------
        index : int
            Its entry.
        close_price : float
            Price at which it could be closed.
        profit : float
            Account currency.
        """
        at = index * len(OrderEntry._fields)
        self._values[at + _CLOSE_PRICE] = close_price
        self._values[at + _PROFIT] = profit


def pack(entry: OrderEntry) -> bytes:
    """Return the 120 bytes of an entry: keep those of orders that do not change."""
    return _PACK(*entry)
