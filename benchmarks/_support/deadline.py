"""A benchmark that hangs or is told to end does so, and all that it started with it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Leave the block after so long (`TimeoutError`), or at SIGTERM: what cleans up at the end of a block does so."""

    def end_late(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"not done after {seconds:g} s: is the machine too busy? --longest takes more seconds")

    def end_told(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = [(number, signal.getsignal(number)) for number in (signal.SIGALRM, signal.SIGTERM)]
    signal.signal(signal.SIGALRM, end_late)
    signal.signal(signal.SIGTERM, end_told)
    signal.setitimer(signal.ITIMER_REAL, seconds or 0)  # 0: never
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before:
            signal.signal(number, handler)
