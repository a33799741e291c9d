"""The word to stop: SIGTERM and SIGINT as a flag, a descriptor for pollers and an event for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from types import FrameType
from typing import Final, Protocol, Self

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class StopNotice(Protocol):
    """How a process, or a guest in its thread, learns that it shall stop."""

    received: bool

    @property
    def fd(self) -> int:
        """Descriptor that is readable when the word came."""

    async def wait(self) -> None:
        """Wait for the word."""

    def tell(self) -> None:
        """Give the word from within the process, from any thread."""


class StopSignal:
    """Notices that the process is told to stop. Made by `install`, once per process, in its main thread."""

    def __init__(self) -> None:
        self.received = False
        self.fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._event: asyncio.Event | None = None

    @classmethod
    def install(cls) -> Self:
        """Take over SIGTERM and SIGINT."""
        stop_signal = cls()
        # A handler in Python runs only between two instructions of the main thread; the descriptor wakes it up.
        signal.set_wakeup_fd(stop_signal._write_fd, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, stop_signal._handle)
        return stop_signal

    async def wait(self) -> None:
        """Wait for the signal; several tasks of one loop may."""
        if self._event is None:
            self._event = asyncio.Event()
            asyncio.get_running_loop().add_reader(self.fd, self._wake)
            self._wake()
        await self._event.wait()

    def tell(self) -> None:
        """Do as if the signal had come; from any thread."""
        self.received = True
        with contextlib.suppress(BlockingIOError):  # it is full of news already
            os.write(self._write_fd, b"\0")

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.received = True

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 512)
        if self.received and self._event is not None:
            self._event.set()
