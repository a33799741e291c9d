"""Writers of shared memory that go as fast as they can, in processes that can be killed at any moment."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel

from tests.support.forks import fork

Write = Callable[[Callable[[BaseModel], None]], Any]
"""Writes for ever, after it told once where readers find what it writes."""


class Killed:
    """A process that writes."""

    def __init__(self, pid: int, told: bytes) -> None:
        self._pid = pid
        self.told = told

    def kill(self) -> None:
        """End it with SIGKILL."""
        os.kill(self._pid, signal.SIGKILL)


@contextmanager
def flooding(write: Write) -> Iterator[Killed]:
    """Fork a writer, so that many can die in a second, and give it once it told where it writes."""
    read_end, write_end = os.pipe()
    pid = fork(lambda: write(lambda where: void(os.write(write_end, where.model_dump_json().encode()))))
    os.close(write_end)
    try:
        yield Killed(pid, os.read(read_end, 10_000))
    finally:
        os.close(read_end)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def void(_: object) -> None:
    """Take a value that nobody needs."""
