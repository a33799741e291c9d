"""A benchmark that hangs ends, and all that it started with it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Raise `TimeoutError` where the main thread is, after so long: whatever cleans up at the end of a block does."""
    if seconds is None:
        yield
        return

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"not done after {seconds:g} s: is the machine too busy? --longest takes more seconds")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
