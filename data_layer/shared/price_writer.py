"""The last prices for readers on this host, the writing side."""

from __future__ import annotations

import os
from typing import Final

from atrader.market import Tick
from atrader.messages.data import SharedPrices
from data_layer.shared.layout import NAME_BYTES, PRICE, PRICES
from data_layer.shared.table import SlotTable

_SLOTS: Final = 256  # 32 KB; twice as many each time they are full


class PriceTable:
    """Shows the last price of each instrument to whoever maps it. For one thread.

    Raises
    ------
    OSError
        When the system has no memory or descriptors left.
    """

    def __init__(self, epoch: int, slots: int = _SLOTS) -> None:
        self._table = _table(slots, epoch)
        self._slots: dict[str, int] = {}

    def put(self, tick: Tick) -> None:
        """Show a price."""
        slot = self._slots.get(tick.instrument)
        if slot is not None:
            self._table.write(slot, tick.time_ns, tick.received_ns, tick.bid, tick.ask)
        else:
            self._add(tick)

    def beat(self) -> None:
        """Tell readers that the prices are up to date; to be called more often than `SILENCE_NS`."""
        self._table.beat()

    def where(self) -> SharedPrices:
        """Return where readers find the table; it is alive then."""
        self._table.beat()
        return SharedPrices(pid=os.getpid(), descriptor=self._table.descriptor, epoch=self._table.epoch)

    def close(self) -> None:
        """Show no more prices."""
        self._table.close()

    def _add(self, tick: Tick) -> None:
        name = tick.instrument.encode()
        if len(name) >= NAME_BYTES:
            return
        slot = len(self._slots)
        if slot == self._table.slots:
            self._grow()
        self._table.write(slot, tick.time_ns, tick.received_ns, tick.bid, tick.ask)
        begin = self._table.tail + slot * NAME_BYTES
        self._table.mapping[begin : begin + len(name)] = name
        self._slots[tick.instrument] = slot
        self._table.use(slot + 1)

    def _grow(self) -> None:
        """Go on in a table of twice the size; readers of the old one see that it has ended."""
        old, used = self._table, len(self._slots)
        self._table = _table(2 * old.slots, old.epoch)
        for slot in range(used):
            self._table.write(slot, *PRICE.values.unpack_from(old.mapping, PRICE.offset(slot) + 8))
        names = used * NAME_BYTES
        self._table.mapping[self._table.tail : self._table.tail + names] = old.mapping[old.tail : old.tail + names]
        self._table.use(used)
        old.close()


def _table(slots: int, epoch: int) -> SlotTable:
    return SlotTable("prices", PRICES, PRICE, slots, epoch, NAME_BYTES)
