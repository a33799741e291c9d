"""What sets of parameters have in common over the same bars: worked out once, kept as long as there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Protocol, TypeVar


class Sized(Protocol):
    """What says how much memory it takes: an array, or something made of arrays."""

    @property
    def nbytes(self) -> int:
        """Bytes."""
        ...


Arrays = TypeVar("Arrays", bound="Sized | tuple[Sized, ...]")

_ROOM_BYTES = 96_000_000


class Shared:
    """Arrays by key, the ones used last when there is no room for all; safe among threads.

    Parameters
    ----------
    room_bytes : int
        How much is kept.
    """

    def __init__(self, room_bytes: int = _ROOM_BYTES) -> None:
        self._room_bytes = room_bytes
        self._used_bytes = 0
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Arrays]) -> Arrays:
        """Return what is kept under a key; make it when nothing is. Nobody may change it.

        A thread waits while another one makes the same.
        """
        with self._lock:
            found: Arrays | None = self._look(key)
            if found is not None:
                return found
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                found = self._look(key)
            if found is None:
                found = make()
                with self._lock:
                    self._keep(key, found)
            return found

    def _look(self, key: Hashable) -> Any:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def _keep(self, key: Hashable, arrays: Any) -> None:
        self._making.pop(key, None)
        self._kept[key] = arrays
        self._used_bytes += _size(arrays)
        while self._used_bytes > self._room_bytes and len(self._kept) > 1:
            self._used_bytes -= _size(self._kept.popitem(last=False)[1])


def _size(arrays: Any) -> int:
    return sum(one.nbytes for one in arrays) if isinstance(arrays, tuple) else int(arrays.nbytes)
