"""Bars for readers on this host, the writing side: which series are shared, within how much memory."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from atrader.market import Bar, Bars
from atrader.messages.data import SharedBars
from data_layer.shared.layout import BARS, SERIES
from data_layer.shared.segment import ROW_BYTES, Segment
from data_layer.shared.table import SlotTable

Key: TypeAlias = tuple[str, str]
"""Instrument and name of the timeframe."""

_SERIES: Final = 256
_UNUSED_S: Final = 60.0
_NO_BAR: Final = (0, *[0.0] * 9)


@dataclass(slots=True)
class _Shared:
    """One series that is shared."""

    slot: int
    segment: Segment
    seq: int
    asked_s: float
    forming: tuple[float, ...] = _NO_BAR


@dataclass(slots=True)
class Begun:
    """A series that is about to be shared: what was published meanwhile, and whether it was revised."""

    news: list[tuple[Bar, int]] = field(default_factory=list)
    is_spoiled: bool = False


class BarShare:
    """Shares series on request and drops them when nobody uses them. From any thread.

    Parameters
    ----------
    max_bytes : int
        Memory for all series together. A series in use is never dropped to make room: what does not fit goes by the
        bus.

    Raises
    ------
    OSError
        When the system has no memory or descriptors left.
    """

    def __init__(self, epoch: int, max_bytes: int) -> None:
        self._table = SlotTable("series", BARS, SERIES, _SERIES, epoch)
        self._max_bytes = max_bytes
        self._numbers = itertools.count(1)
        self._free = list(range(_SERIES))
        self._shared: OrderedDict[Key, _Shared] = OrderedDict()  # the one that was asked for last at the end
        self._begun: dict[Key, Begun] = {}
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Memory that the shared series take."""
        with self._lock:
            return sum(one.segment.size for one in self._shared.values())

    def __len__(self) -> int:
        return len(self._shared)

    # -- what the market brings ---------------------------------------------------------------------------------

    def append(self, key: Key, bar: Bar, seq: int) -> None:
        """Show one more complete bar, and its number in the stream."""
        with self._lock:
            begun = self._begun.get(key)
            if begun is not None:
                begun.news.append((bar, seq))
            shared = self._shared.get(key)
            if shared is not None and bar.open_time_ns <= shared.segment.last_ns:
                self._forget(key)  # another version of a bar that readers see
            elif shared is not None:
                self._append(key, shared, bar, seq)

    def show_forming(self, key: Key, bar: Bar | None) -> None:
        """Show the bar that forms now."""
        if key not in self._shared:  # what most quotes find out, without the lock
            return
        with self._lock:
            shared = self._shared.get(key)
            if shared is not None:
                shared.forming = _NO_BAR if bar is None else bar
                self._publish(shared)

    def drop(self, instrument: str) -> None:
        """Share no series of an instrument any more: stored bars were revised. Readers keep what they hold."""
        with self._lock:
            for key, begun in self._begun.items():
                begun.is_spoiled |= key[0] == instrument
            for key in [key for key in self._shared if key[0] == instrument]:
                self._forget(key)

    def beat(self) -> None:
        """Tell readers that what they see is up to date; to be called more often than `SILENCE_NS`."""
        self._table.beat()

    def tidy(self) -> None:
        """Drop what nobody has asked for lately and nobody maps."""
        before_s = time.monotonic() - _UNUSED_S
        with self._lock:
            for key, shared in list(self._shared.items()):
                if shared.asked_s < before_s and not shared.segment.is_used:
                    self._forget(key)

    def close(self) -> None:
        """Share nothing any more."""
        with self._lock:
            for key in list(self._shared):
                self._forget(key)
            self._table.close()

    # -- what readers ask ---------------------------------------------------------------------------------------

    def find(self, key: Key, start_ns: int | None, count: int | None) -> SharedBars | None:
        """Return where a series is mapped that is shared and reaches back far enough; without an end."""
        with self._lock:
            shared = self._shared.get(key)
            if shared is None:
                return None
            segment = shared.segment
            since_begin = start_ns is not None and start_ns >= segment.from_ns
            if since_begin or (count is not None and count <= segment.count) or segment.is_whole:
                return self._where(key, shared)
            return None

    def begin(self, key: Key) -> Begun:
        """Note what is published of a series from now on, while its bars are read from the store."""
        with self._lock:
            self._begun[key] = begun = Begun()
            return begun

    def abandon(self, key: Key) -> None:
        """Note it no more."""
        with self._lock:
            self._begun.pop(key, None)

    def commit(self, key: Key, begun: Begun, bars: Bars, from_ns: int, seq: int) -> SharedBars | None:
        """Share a series: bars that were read after `begin`, and what was published since.

        Returns
        -------
        SharedBars or None
            None when there is no room, or stored bars were revised meanwhile.
        """
        if not self._make_room(key, len(bars) * ROW_BYTES):
            return None
        try:
            segment = Segment(bars, next(self._numbers), self._table.epoch, from_ns)
        except OSError:  # out of descriptors or memory: the bus still works
            return None
        with self._lock:
            if begun.is_spoiled:
                segment.close()
                return None
            if key in self._shared:
                self._forget(key)
            shared = _Shared(self._free.pop(), segment, seq, time.monotonic())
            self._shared[key] = shared
            self._publish(shared)
            for bar, number in begun.news:  # the first of them may have been in the store already
                self._append(key, shared, bar, number)
            return self._where(key, shared) if key in self._shared else None

    # -- under the lock -----------------------------------------------------------------------------------------

    def _append(self, key: Key, shared: _Shared, bar: Bar, seq: int) -> None:
        segment = shared.segment
        if bar.open_time_ns > segment.last_ns:
            try:
                if segment.is_full:
                    raise OSError("no room for another bar")
                segment.append(bar)
            except OSError:  # the next one who asks gets new columns
                self._forget(key)
                return
        shared.seq = max(shared.seq, seq)
        if shared.forming[0] <= bar.open_time_ns:
            shared.forming = _NO_BAR
        self._publish(shared)

    def _publish(self, shared: _Shared) -> None:
        segment = shared.segment
        self._table.write(shared.slot, segment.number, segment.count, shared.seq, *shared.forming)

    def _forget(self, key: Key) -> None:
        shared = self._shared.pop(key)
        self._table.write(shared.slot, 0, 0, 0, *_NO_BAR)
        self._free.append(shared.slot)
        shared.segment.close()

    def _make_room(self, key: Key, size: int) -> bool:
        """Drop the series that were not asked for longest and that nobody maps, until there is room for one more."""
        with self._lock:
            held = {other: one.segment.size for other, one in self._shared.items() if other != key}
            for other in list(held):
                if sum(held.values()) + size <= self._max_bytes and len(held) < _SERIES:
                    return True
                if not self._shared[other].segment.is_used:
                    self._forget(other)
                    del held[other]
            return sum(held.values()) + size <= self._max_bytes and len(held) < _SERIES

    def _where(self, key: Key, shared: _Shared) -> SharedBars:
        shared.asked_s = time.monotonic()
        self._shared.move_to_end(key)
        self._table.beat()
        return SharedBars(
            pid=os.getpid(),
            table=self._table.descriptor,
            slot=shared.slot,
            descriptor=shared.segment.descriptor,
            number=shared.segment.number,
            from_ns=shared.segment.from_ns,
        )
