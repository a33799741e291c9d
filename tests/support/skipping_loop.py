"""An event loop that skips waiting: its clock hardly moves while there is work, and jumps to the next timer after it.

Everything of the program runs as it is, on real sockets and files; only pauses and time-outs cost nothing, and a busy
machine makes no answer late. Both ends of each socket have to live in the loop, and no work in threads: what the loop
does not see, it does not wait for.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar
from weakref import WeakSet

from atrader.clock import NS_PER_S

T = TypeVar("T")
Life = WeakSet["asyncio.Task[Any]"]
_SETTLED_S: Final = 0.00005
"""How long the host may take from a write into a socket to the event at its other end; mostly it is there at once."""
_TURN_S: Final = 1e-6
"""What a turn of the loop takes: who waits for the rest of a division must not wait for ever."""
_LIFE: ContextVar[Life | None] = ContextVar("life", default=None)


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop in which waiting takes no time."""

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_Selector(self._skip))
        self.set_task_factory(_make_task)

    def time(self) -> float:
        """Return the loop's seconds."""
        return self._now_s

    def _skip(self, seconds: float) -> None:
        self._now_s += seconds


class _Selector(selectors.DefaultSelector):
    """Tells of what is there; where nothing is, time goes on instead of waiting."""

    def __init__(self, skip: Callable[[float], None]) -> None:
        super().__init__()
        self._skip = skip

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._skip(_TURN_S)
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        settled_s = time.perf_counter() + _SETTLED_S
        while not (events := super().select(0)):
            # Asked again instead of slept: epoll sleeps a millisecond at least, which was half of what a story took.
            if time.perf_counter() > settled_s:
                self._skip(timeout)
                break
        return events


class LoopClock:
    """The host's clock as a program sees it that runs in a `SkippingLoop`."""

    def __init__(self, loop: SkippingLoop, start_ns: int) -> None:
        self._loop = loop
        self._start_ns = start_ns
        self._start_s = loop.time()

    def now_ns(self) -> int:
        """Return the instant, UTC nanoseconds."""
        return self._start_ns + int((self._loop.time() - self._start_s) * NS_PER_S)

    def monotonic_s(self) -> float:
        """Return the loop's seconds."""
        return self._loop.time()


@contextmanager
def living(life: Life) -> Iterator[None]:
    """Count every task that begins in here, and all that those begin, to a life, for `kill`."""
    token = _LIFE.set(life)
    try:
        yield
    finally:
        _LIFE.reset(token)


async def kill(life: Life) -> None:
    """End all tasks of a life where they stand, and those that they begin on their way out."""
    while tasks := [task for task in life if not task.done()]:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _make_task(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T] | Generator[Any, None, T], /, **more: Any
) -> asyncio.Task[T]:
    task: asyncio.Task[T] = asyncio.Task(work, loop=loop, **more)
    life = _LIFE.get()
    if life is not None:
        life.add(task)
    return task
