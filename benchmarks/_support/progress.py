"""What a benchmark is doing, in one line on a terminal; nothing where nobody looks."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")


class Progress:
    """One line, written over itself, with the seconds since the benchmark began."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._shown = sys.stderr.isatty()

    def seconds(self) -> float:
        """Return how long it has taken so far."""
        return time.monotonic() - self._began_s

    def say(self, what: str) -> None:
        """Show what is being done now."""
        if self._shown:
            print(f"\r\x1b[K{self.seconds():4.0f} s  {what}", end="", file=sys.stderr, flush=True)

    def each(self, items: Iterable[T], what: str) -> Iterator[T]:
        """Go through items, and show how many are done."""
        of = f" of {len(items)}" if isinstance(items, Sized) else ""
        for number, item in enumerate(items, start=1):
            self.say(f"{what} {number}{of}")
            yield item

    def clear(self) -> None:
        """Leave an empty line for what comes next."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
