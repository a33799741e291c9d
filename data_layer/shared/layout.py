"""What shared memory looks like: a header, and slots that can be read while they are written.

All values have the sizes and byte order of this machine. `docs/decisions` has the page on the order of the fields.
"""

from __future__ import annotations

import mmap
import platform
import sys
from struct import Struct
from typing import Any, Final, NamedTuple

SUPPORTED: Final = sys.platform == "linux" and platform.machine() == "x86_64" and sys.maxsize > 2**32
"""Whether this machine can do it: the order of the fields needs a processor that shows stores in program order."""

LAYOUT: Final = 1
"""Version of the layout; another one is not read."""

PRICES: Final = int.from_bytes(b"atrprice", sys.byteorder)
BARS: Final = int.from_bytes(b"atrbars\0", sys.byteorder)
SEGMENT: Final = int.from_bytes(b"atrbarsg", sys.byteorder)
MACHINE: Final = int.from_bytes(b"x86-64\0\0", sys.byteorder)

HEADER: Final = Struct("@8q")
ALIVE: Final = 7
"""Word of the header: UTC ns of the owner's last sign of life, 0 = it will not write here any more."""
USED: Final = 6
"""Word of the header: slots in use; of a segment, bars there is room for."""

SILENCE_NS: Final = 500_000_000
"""An owner that was silent for so long is taken for dead; it speaks every 50 ms. The bus knows more then.

By the wall clock, which a reader needs for the age anyway: when it is set, readers ask the bus once."""

TRIES: Final = 200
"""How often a slot is read that somebody writes: 40 us. A writer that stopped in the middle may never come back."""


class NotShared(Exception):
    """Raised when shared memory cannot answer: the bus can, or knows why not."""


class LastPrice(NamedTuple):
    """The last price of an instrument and its age when it was read.

    Attributes
    ----------
    time_ns, received_ns : int
        The venue's time and when this host first saw it, UTC.
    bid, ask : float
        As the venue sent them.
    age_s : float
        Since the older of the two times.
    """

    instrument: str
    time_ns: int
    received_ns: int
    bid: float
    ask: float
    age_s: float


class Header(NamedTuple):
    """First 64 bytes of each shared memory."""

    kind: int
    layout: int
    machine: int
    epoch: int
    pid: int
    slots: int
    used: int
    alive_ns: int


class Slots:
    """Shape of the slots of a table: a number, the values, the same number.

    The writer sets the last number, then the values, then the first; a reader goes from the first to the last. When
    both are equal nobody wrote meanwhile. 0 is never a number: `struct` clears what it is about to write.

    Parameters
    ----------
    values : str
        Their `struct` format; each eight bytes long.
    """

    def __init__(self, values: str) -> None:
        self.whole = Struct(f"@q{values}q")
        self.values = Struct(f"@{values}")
        self.bytes = -(-self.whole.size // 64) * 64  # a cache line is written by one core at a time

    def offset(self, slot: int) -> int:
        """Return where a slot begins."""
        return HEADER.size + slot * self.bytes


PRICE: Final = Slots("qqdd")
"""Time, receive time, bid, ask."""

NAME_BYTES: Final = 64
"""Room for the name of an instrument, zero at its end; a longer one is not shared."""

SERIES: Final = Slots("qqqq9d")
"""Number of the segment (0: none), bars in it, number in the stream, then the forming bar (its time 0: none)."""


COLUMNS_AT: Final = HEADER.size
"""Where the columns of a segment begin: one after the other, each with room for as many bars as its header says."""

WHOLE_NS: Final = -(2**63)
"""`SharedBars.from_ns` of a segment that begins with the first bar there is."""


def read_slot(shape: Slots, mapping: mmap.mmap, offset: int) -> tuple[Any, ...]:
    """Return the values of a slot as they were at one moment, between its two numbers.

    Raises
    ------
    NotShared
        When the writer stopped in the middle.
    """
    for _ in range(TRIES):
        found = shape.whole.unpack_from(mapping, offset)
        if found[0] == found[-1] and found[0]:
            return found
    raise NotShared("the writer stopped in the middle")


def header(kind: int, epoch: int, pid: int, slots: int, alive_ns: int) -> Header:
    """Make the header of new memory."""
    return Header(kind, LAYOUT, MACHINE, epoch, pid, slots, 0, alive_ns)


def read_header(mapping: mmap.mmap, kind: int, epoch: int) -> Header:
    """Read and check a header.

    Raises
    ------
    NotShared
        When the memory is of another kind, layout, machine or owner than expected.
    """
    if len(mapping) < HEADER.size:
        raise NotShared(f"shared memory of {len(mapping)} bytes")
    found = Header(*HEADER.unpack_from(mapping))
    expected = (kind, LAYOUT, MACHINE, epoch)
    if found[:4] != expected:
        raise NotShared(f"shared memory says {found[:4]}, expected {expected}")
    return found
