"""A table of slots in shared memory, the writing side."""

from __future__ import annotations

import os

from atrader.clock import host_now_ns
from data_layer.shared import memory
from data_layer.shared.layout import ALIVE, HEADER, USED, Slots, header


class SlotTable:
    """Owns memory with a header and slots; for one thread, or under a lock.

    Parameters
    ----------
    name : str
        Of the memory, for people who look at ``/proc``.
    kind : int
        What it is, in the header.
    shape : Slots
        Of each slot.
    slots : int
        How many.
    tail_bytes : int
        Room behind each slot's share, after all slots.

    Raises
    ------
    OSError
        When the system has no memory or descriptors left.
    """

    def __init__(self, name: str, kind: int, shape: Slots, slots: int, epoch: int, tail_bytes: int = 0) -> None:
        self.slots = slots
        self.epoch = epoch
        self.tail = shape.offset(slots)
        self._shape = shape
        self._written = 0
        self.descriptor, self.mapping = memory.create_mapped(name, self.tail + slots * tail_bytes)
        HEADER.pack_into(self.mapping, 0, *header(kind, epoch, os.getpid(), slots, host_now_ns()))
        self._words = memoryview(self.mapping).cast("q")  # a word is stored at once, and never cleared before

    def write(self, slot: int, *values: float) -> None:
        """Write a slot; a reader sees all of the values or none of them."""
        shape, words = self._shape, self._words
        offset = shape.offset(slot)
        self._written += 1
        words[(offset + shape.whole.size) // 8 - 1] = self._written
        shape.values.pack_into(self.mapping, offset + 8, *values)
        words[offset // 8] = self._written

    def use(self, slots: int) -> None:
        """Tell readers how many slots are in use."""
        self._words[USED] = slots

    def beat(self) -> None:
        """Tell readers that the owner lives."""
        self._words[ALIVE] = host_now_ns()

    def close(self) -> None:
        """Tell readers that nothing will be written here any more, and let the memory go; they may go on reading."""
        self._words[ALIVE] = 0
        self._words.release()
        self.mapping.close()
        os.close(self.descriptor)
